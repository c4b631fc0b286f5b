"""The tenant as one ASGI application: Entra's sign-in and Microsoft Graph on one address."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from emulator.cloud import Cloud
from emulator.front import GRAPH_PATHS, Front
from emulator.graph.graph import Graph
from emulator.odata.problems import server_error
from emulator.pipelines import Pipelines
from emulator.resource_manager import resource_manager_routes
from emulator.sign_in.authorize import Authorize
from emulator.sign_in.discovery import USER_INFO, Discovery
from emulator.sign_in.login_problems import transient
from emulator.sign_in.refusal import NOBODY, refused
from emulator.sign_in.token_endpoint import TokenEndpoint
from emulator.web_pages import NO_ICON

_CROSS_ORIGIN = Middleware(
    CORSMiddleware,
    allow_origins=["*"],
    allow_methods=["*"],
    allow_headers=["*"],
    expose_headers=[
        *("Location", "Retry-After", "WWW-Authenticate"),
        *("client-request-id", "request-id"),
    ],
)


def tenant_application(cloud: Cloud, origins: frozenset[str], pipelines: Pipelines) -> Front:
    """Everything that the tenant's own port serves."""
    authorize, discovery = Authorize(cloud, origins), Discovery(cloud, origins)
    token, graph = TokenEndpoint(cloud, origins), Graph(cloud, origins)

    def failed(request: Request, _: Exception) -> Response:
        """Answer what nobody foresaw as the service that was asked; `front` writes it down."""
        if request.url.path.lower().startswith(GRAPH_PATHS):
            return JSONResponse(server_error(500).body(cloud.clock.now(), NOBODY, NOBODY), 500)
        problem = transient()
        problem.status = 500
        return refused(cloud, request, problem)

    async def unknown_address(request: Request, _: Exception) -> Response:
        """Answer what is nobody's; a client with a token means Graph."""
        if request.headers.get("authorization", "").lower().startswith("bearer "):
            return await graph.respond(request)
        return PlainTextResponse("Not Found", 404)

    graph_methods = ("GET", "POST", "PATCH", "PUT", "DELETE")
    app = Starlette(
        routes=[
            NO_ICON,
            *pipelines.routes(),
            Route("/metadata/endpoints", discovery.metadata),
            # As `az cloud register` asks where the address that it was given ends in a slash.
            Route("//metadata/endpoints", discovery.metadata),
            *resource_manager_routes(cloud, graph.audiences),
            _for_scripts("/{tenant}/discovery/instance", discovery.instances, "GET"),
            _for_scripts(
                "/{tenant}/v2.0/.well-known/openid-configuration", discovery.configuration, "GET"
            ),
            _for_scripts(
                "/{tenant}/.well-known/openid-configuration", discovery.configuration, "GET"
            ),
            _for_scripts("/{tenant}/discovery/v2.0/keys", discovery.keys, "GET"),
            _for_scripts("/{tenant}/discovery/keys", discovery.keys, "GET"),
            _for_scripts("/{tenant}/oauth2/v2.0/token", token.respond, "POST"),
            _for_scripts("/{tenant}/oauth2/token", token.respond, "POST"),
            Route("/{tenant}/oauth2/v2.0/token", token.refuse_method),
            Route("/{tenant}/oauth2/token", token.refuse_method),
            Route("/{tenant}/oauth2/v2.0/authorize", authorize.respond, methods=["GET", "POST"]),
            Route("/{tenant}/oauth2/authorize", authorize.respond, methods=["GET", "POST"]),
            Route(
                "/{tenant}/v2.0/adminconsent", authorize.respond_to_consent, methods=["GET", "POST"]
            ),
            Route("/{tenant}/adminconsent", authorize.respond_to_consent, methods=["GET", "POST"]),
            _for_scripts("/v1.0/{rest:path}", graph.respond, *graph_methods),
            _for_scripts("/beta/{rest:path}", graph.respond, *graph_methods),
            _for_scripts(USER_INFO, graph.respond, "GET", "POST"),
        ],
        exception_handlers={404: unknown_address, Exception: failed},
    )
    return Front(app, cloud)


def _for_scripts(path: str, endpoint: Callable[[Request], Any], *methods: str) -> Route:
    """Make a route that scripts of any web page may use."""
    return Route(path, endpoint, methods=[*methods, "OPTIONS"], middleware=[_CROSS_ORIGIN])
