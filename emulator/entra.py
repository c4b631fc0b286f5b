"""The tenant as one ASGI application: Entra's sign-in and Microsoft Graph on one address."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator import discovery
from emulator.authorize import Authorize
from emulator.cloud import Cloud
from emulator.front import Front
from emulator.graph import Graph
from emulator.login_problems import LoginError, unknown_tenant
from emulator.pipelines import Pipelines
from emulator.sign_in_view import ANY_TENANT
from emulator.store import Json
from emulator.token_endpoint import TokenEndpoint
from emulator.web_pages import NO_ICON


def tenant_application(cloud: Cloud, origins: frozenset[str], pipelines: Pipelines) -> Front:
    """Everything that the tenant's own port serves."""
    token = TokenEndpoint(cloud, origins).respond
    graph = Graph(cloud, origins).respond
    authorize = Authorize(cloud, origins)

    def openid(version: int) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            name = request.path_params["tenant"]
            tenant = cloud.tenant(name)
            if tenant is None and name not in ANY_TENANT:
                return _refused(cloud, request, unknown_tenant(name, "invalid_tenant"))
            return _json(discovery.openid_configuration(_origin(request), name, tenant, version))

        return endpoint

    def metadata(request: Request) -> Response:
        return _json(discovery.cloud_metadata(_origin(request)))

    def instances(request: Request) -> Response:
        asked = request.query_params.get("authorization_endpoint", "")
        return _json(discovery.instance_discovery(_origin(request), asked))

    def keys(_: Request) -> Response:
        return _json(cloud.key.published)

    graph_methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    app = Starlette(
        routes=[
            NO_ICON,
            *pipelines.routes(),
            Route("/metadata/endpoints", metadata),
            Route("/{tenant}/discovery/instance", instances),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", openid(2)),
            Route("/{tenant}/.well-known/openid-configuration", openid(1)),
            Route("/{tenant}/discovery/v2.0/keys", keys),
            Route("/{tenant}/discovery/keys", keys),
            Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
            Route("/{tenant}/oauth2/token", token, methods=["POST"]),
            Route("/{tenant}/oauth2/v2.0/authorize", authorize.respond, methods=["GET", "POST"]),
            Route("/{tenant}/oauth2/authorize", authorize.respond, methods=["GET", "POST"]),
            Route(
                "/{tenant}/v2.0/adminconsent", authorize.respond_to_consent, methods=["GET", "POST"]
            ),
            Route("/{tenant}/adminconsent", authorize.respond_to_consent, methods=["GET", "POST"]),
            Route("/v1.0/{rest:path}", graph, methods=graph_methods),
            Route("/beta/{rest:path}", graph, methods=graph_methods),
        ]
    )
    return Front(app, cloud)


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}"


def _json(body: Json) -> Response:
    return JSONResponse(body)


def _refused(cloud: Cloud, request: Request, problem: LoginError) -> Response:
    now = cloud.clock.now()
    nobody = "00000000-0000-0000-0000-000000000000"
    return JSONResponse(problem.body(now, nobody, nobody, _origin(request)), problem.status)
