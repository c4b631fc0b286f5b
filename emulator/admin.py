"""The admin interface: a port of its own on loopback, for tests and for whoever rehearses."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud import Cloud


class AdminProblem(Exception):
    """Input that the admin interface does not understand; the text says what it expects."""


def admin_application(cloud: Cloud) -> Starlette:
    """Everything that the admin port serves."""

    def history(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            raise AdminProblem("since is the number of a request: GET /history?since=12")
        exchanges = cloud.history.since(int(since))
        return JSONResponse([exchange.as_json() for exchange in exchanges])

    def reset(request: Request) -> Response:
        cloud.reset()
        return Response(status_code=204)

    async def refused(request: Request, problem: Exception) -> Response:
        return JSONResponse({"error": str(problem)}, 400)

    return Starlette(
        routes=[
            Route("/history", history),
            Route("/reset", reset, methods=["POST"]),
        ],
        # A page in a browser may reach loopback by a name of its own choosing; not this way.
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "::1"])
        ],
        exception_handlers={AdminProblem: refused},
    )
