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
from emulator.directory.store import Json
from emulator.front import GRAPH_PATHS, Front
from emulator.graph.graph import Graph
from emulator.odata.problems import server_error
from emulator.pipelines import Pipelines
from emulator.resource_manager import resource_manager_routes
from emulator.sign_in import discovery
from emulator.sign_in.authorize import Authorize
from emulator.sign_in.login_problems import LoginError, only_posts, transient, unknown_tenant
from emulator.sign_in.sign_in_view import ANY_TENANT
from emulator.sign_in.token_endpoint import TokenEndpoint
from emulator.web_pages import NO_ICON

_NOBODY = "00000000-0000-0000-0000-000000000000"
"""Stands for the ids of a request whose errors carry none of their own."""

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
    token = TokenEndpoint(cloud, origins).respond
    graph = Graph(cloud, origins)
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
        version = request.query_params.get("api-version", "")
        return JSONResponse(discovery.cloud_metadata(_origin(request), version))

    def instances(request: Request) -> Response:
        origin, given = _origin(request), request.query_params
        asked = [given[name] for name in ("issuer", "authorization_endpoint") if given.get(name)]
        try:
            return _json(discovery.instance_discovery(origin, origins | {origin}, asked))
        except LoginError as problem:
            return _refused(cloud, request, problem)

    def keys(_: Request) -> Response:
        return _json(cloud.key.published)

    def failed(request: Request, _: Exception) -> Response:
        """Answer what nobody foresaw as the service that was asked; `front` writes it down."""
        if request.url.path.lower().startswith(GRAPH_PATHS):
            return JSONResponse(server_error(500).body(cloud.clock.now(), _NOBODY, _NOBODY), 500)
        problem = transient()
        problem.status = 500
        return _refused(cloud, request, problem)

    async def unknown_address(request: Request, _: Exception) -> Response:
        """Answer what is nobody's; a client with a token means Graph."""
        if request.headers.get("authorization", "").lower().startswith("bearer "):
            return await graph.respond(request)
        return PlainTextResponse("Not Found", 404)

    def token_by_get(request: Request) -> Response:
        return _refused(cloud, request, only_posts(request.method))

    def for_scripts(path: str, endpoint: Callable[[Request], Any], *methods: str) -> Route:
        """Make a route that scripts of any web page may use."""
        return Route(path, endpoint, methods=[*methods, "OPTIONS"], middleware=[_CROSS_ORIGIN])

    graph_methods = ("GET", "POST", "PATCH", "PUT", "DELETE")
    app = Starlette(
        routes=[
            NO_ICON,
            *pipelines.routes(),
            Route("/metadata/endpoints", metadata),
            # As `az cloud register` asks where the address that it was given ends in a slash.
            Route("//metadata/endpoints", metadata),
            *resource_manager_routes(cloud, graph.audiences),
            for_scripts("/{tenant}/discovery/instance", instances, "GET"),
            for_scripts("/{tenant}/v2.0/.well-known/openid-configuration", openid(2), "GET"),
            for_scripts("/{tenant}/.well-known/openid-configuration", openid(1), "GET"),
            for_scripts("/{tenant}/discovery/v2.0/keys", keys, "GET"),
            for_scripts("/{tenant}/discovery/keys", keys, "GET"),
            for_scripts("/{tenant}/oauth2/v2.0/token", token, "POST"),
            for_scripts("/{tenant}/oauth2/token", token, "POST"),
            Route("/{tenant}/oauth2/v2.0/token", token_by_get),
            Route("/{tenant}/oauth2/token", token_by_get),
            Route("/{tenant}/oauth2/v2.0/authorize", authorize.respond, methods=["GET", "POST"]),
            Route("/{tenant}/oauth2/authorize", authorize.respond, methods=["GET", "POST"]),
            Route(
                "/{tenant}/v2.0/adminconsent", authorize.respond_to_consent, methods=["GET", "POST"]
            ),
            Route("/{tenant}/adminconsent", authorize.respond_to_consent, methods=["GET", "POST"]),
            for_scripts("/v1.0/{rest:path}", graph.respond, *graph_methods),
            for_scripts("/beta/{rest:path}", graph.respond, *graph_methods),
            for_scripts(discovery.USER_INFO, graph.respond, "GET", "POST"),
        ],
        exception_handlers={404: unknown_address, Exception: failed},
    )
    return Front(app, cloud)


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}"


def _json(body: Json) -> Response:
    return JSONResponse(body)


def _refused(cloud: Cloud, request: Request, problem: LoginError) -> Response:
    now = cloud.clock.now()
    return JSONResponse(problem.body(now, _NOBODY, _NOBODY, _origin(request)), problem.status)
