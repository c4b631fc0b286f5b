"""The admin interface: a port of its own on loopback, for tests and for whoever rehearses."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator import json_text
from emulator.admin import seeding
from emulator.admin_input import AdminError, Fields
from emulator.clock import graph_time
from emulator.cloud import Cloud
from emulator.directory.replicas import Lag
from emulator.directory.store import Kind
from emulator.exchange import exchange_switches
from emulator.exchange.exchange import exchange_of
from emulator.faults import Plan, read_rules
from emulator.json_text import Json
from emulator.pipelines import Pipelines, Service
from emulator.proself.proself import ProselfServers
from emulator.proself.proself_server import Habits
from emulator.throttle import SIZES

_Endpoint = Callable[[Request], Awaitable[Response]]


class Admin:
    """Seeds, resets, moves the clock, makes faults, and tells what happened."""

    def __init__(self, cloud: Cloud, proself: ProselfServers, pipelines: Pipelines) -> None:
        self._cloud = cloud
        self._proself = proself
        self._pipelines = pipelines

    async def history(self, request: Request) -> Response:
        """GET /history[?since=N]: every exchange numbered above N, secrets masked."""
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            raise AdminError("since must be the number of a request: GET /history?since=12.")
        exchanges = self._cloud.history.since(int(since))
        hide = self._cloud.vault.hide  # what stands where nobody looks for a secret
        return JSONResponse(hide([exchange.as_json() for exchange in exchanges]))

    async def keep(self, _: Request) -> Response:
        """POST /keep: let what is now in the tenants be what a reset comes back to.

        Proself's servers and the pipelines' jobs are not kept: a reset ends them.
        """
        self._cloud.keep()
        return Response(status_code=204)

    async def reset(self, _: Request) -> Response:
        """POST /reset: be as at the start, or as when last kept, history included."""
        self._cloud.reset()
        self._proself.reset()
        self._pipelines.reset()
        return Response(status_code=204)

    async def show_clock(self, _: Request) -> Response:
        """GET /clock."""
        return JSONResponse({"now": graph_time(self._cloud.clock.now())})

    async def set_clock(self, request: Request) -> Response:
        """POST /clock: {"now": instant} or {"advance_seconds": number}."""
        fields = Fields(await _body(request))
        now, by = fields.instant("now", None), fields.seconds("advance_seconds", None)
        fields.done()
        if (now is None) is (by is None):
            raise AdminError("Give either now, an instant, or advance_seconds, a number.")
        if now is not None:
            self._cloud.clock.set(now)
        if by is not None:
            try:
                self._cloud.clock.advance(by)
            except OverflowError as error:
                raise AdminError("advance_seconds leads out of the calendar.") from error
        return await self.show_clock(request)

    async def show_faults(self, _: Request) -> Response:
        """GET /faults: the plan, and how often each rule was met and struck."""
        return JSONResponse(self._faults())

    async def set_faults(self, request: Request) -> Response:
        """POST /faults: another plan, and other habits; what is left out is as at the start."""
        config = self._cloud.config
        fields = Fields(await _body(request))
        plan = Plan(fields.whole("seed", config.seed), read_rules(fields))
        lag = _lag(fields.object("lag"), config.lag)
        latency = fields.seconds("latency_ms", config.latency, unit=0.001)
        size = fields.choice("tenant_size", SIZES, config.throttle)
        fields.done()
        self._cloud.misbehave(plan, lag, latency, size)
        return JSONResponse(self._faults())

    async def clear_faults(self, _: Request) -> Response:
        """DELETE /faults: back to what the command line said."""
        config = self._cloud.config
        self._cloud.misbehave(config.faults, config.lag, config.latency, config.throttle)
        return Response(status_code=204)

    async def seed(self, request: Request) -> Response:
        """POST /seed: put things into a tenant that were not made through Graph."""
        return JSONResponse(seeding.seed(self._cloud, Fields(await _body(request))))

    async def objects(self, request: Request) -> Response:
        """GET /objects[?tenant=]: what a tenant holds, as the last write left it, bin included."""
        fields = Fields(dict(request.query_params))
        tenant = seeding.tenant_of(self._cloud, fields)
        fields.done()
        return JSONResponse(
            [
                {
                    "kind": record.kind,
                    "id": record.id,
                    "parent": record.parent,
                    "body": record.body,
                    "links": dict(record.links),
                    "deleted": record.deleted_at is not None,
                }
                for kind in Kind
                for record in tenant.store.latest(kind)
            ]
        )

    async def show_outbox(self, _: Request) -> Response:
        """GET /outbox: the mails that have gone out, oldest first."""
        return JSONResponse([mail.as_json() for mail in exchange_of(self._cloud).outbox()])

    async def show_smtp(self, _: Request) -> Response:
        """GET /smtp: what is switched how, and what was said on each connection."""
        cloud = self._cloud
        tenants = {id_: exchange_of(cloud).switches(id_).as_json() for id_ in cloud.tenants}
        dialogues = [dialogue.as_json() for dialogue in cloud.history.dialogues]
        server = exchange_of(cloud).server.as_json()
        return JSONResponse({"server": server, "tenants": tenants, "dialogues": dialogues})

    async def switch_smtp(self, request: Request) -> Response:
        """POST /smtp: switch what an administrator of Exchange can, and what a test needs."""
        cloud = self._cloud
        fields = Fields(await _body(request))
        tenant = seeding.tenant_of(cloud, fields)
        steps = [
            exchange_switches.read_tenant(fields, exchange_of(cloud).switches(tenant.id)),
            exchange_switches.read_server(fields, exchange_of(cloud).server),
        ]
        fields.done()
        for step in steps:
            step()
        return await self.show_smtp(request)

    async def show_proself(self, _: Request) -> Response:
        """GET /proself: of each server its habits, what is set on it, and what it last said."""
        servers = self._proself.servers
        return JSONResponse({name: server.as_json() for name, server in servers.items()})

    async def set_proself(self, request: Request) -> Response:
        """POST /proself: other habits of one server, the first by default."""
        servers = self._proself.servers
        fields = Fields(await _body(request))
        server = servers[fields.choice("server", servers, next(iter(servers)))]
        habits = Habits.read(fields, server.habits)
        fields.done()
        server.habits = habits
        return await self.show_proself(request)

    async def begin_job(self, request: Request) -> Response:
        """POST /jobs: begin a pipeline's job, which may ask for ID tokens of its issuer."""
        fields = Fields(await _body(request))
        service = Service(fields.choice("service", list(Service)))
        issuer, subject = fields.text("issuer"), fields.text("subject")
        audience = fields.text("audience", None)
        fields.done()
        return JSONResponse(self._pipelines.begin(service, issuer, subject, audience))

    async def secrets(self, request: Request) -> Response:
        """GET /secrets: every secret, token and code ever handed out, for tests of leaks.

        Only for who already has a deployer's secret, as `Authorization: Bearer …`.
        """
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        vault = self._cloud.vault
        keys = (spec.deployer_secret_key_id for spec in self._cloud.specs)
        if scheme.lower() != "bearer" or not any(vault.matches(key, given) for key in keys):
            raise AdminError(
                "GET /secrets needs `Authorization: Bearer` with the ready file's client_secret.",
                status=401,
            )
        return JSONResponse(vault.issued())

    def _faults(self) -> Json:
        cloud, lag = self._cloud, self._cloud.replicas.lag
        return {
            "seed": cloud.faults.seed,
            "latency_ms": cloud.latency.total_seconds() * 1000,
            "tenant_size": cloud.throttle.size,
            "lag": {
                "seconds": lag.objects.total_seconds(),
                "list_seconds": lag.lists.total_seconds(),
                "deletion_seconds": lag.deletions.total_seconds(),
                "stale_ratio": lag.ratio,
                "sign_in_seconds": lag.sign_in.total_seconds(),
                "sign_in_stale_ratio": lag.sign_in_ratio,
            },
            "rules": cloud.faults.as_json(),
        }


def _lag(fields: Fields | None, default: Lag) -> Lag:
    """Read the `lag` of a plan: `seconds` stands for lists and deletions too unless they differ."""
    if fields is None:
        return default
    seconds = fields.seconds("seconds", default.objects)
    lag = Lag(
        objects=seconds,
        lists=fields.seconds("list_seconds", seconds),
        deletions=fields.seconds("deletion_seconds", seconds),
        ratio=fields.share("stale_ratio", default.ratio),
        sign_in=fields.seconds("sign_in_seconds", default.sign_in),
        sign_in_ratio=fields.share("sign_in_stale_ratio", default.sign_in_ratio),
    )
    fields.done()
    return lag


async def _body(request: Request) -> object:
    try:
        return json_text.read(await request.body())
    except ValueError as error:
        raise AdminError("The body must be JSON.") from error


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, getattr(error, "status", 400))


class _NoPages:
    """Refuses what a page in a browser sends: it reaches loopback, and posts without asking."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(name == b"origin" for name, _ in scope.get("headers", ())):
            refusal = JSONResponse({"error": "The admin interface is not for web pages."}, 400)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def admin_application(cloud: Cloud, proself: ProselfServers, pipelines: Pipelines) -> Starlette:
    """Make the application that the admin port serves."""
    admin = Admin(cloud, proself, pipelines)

    def route(method: str, path: str, endpoint: _Endpoint) -> Route:
        return Route(path, endpoint, methods=[method])

    return Starlette(
        routes=[
            route("GET", "/history", admin.history),
            route("POST", "/keep", admin.keep),
            route("POST", "/reset", admin.reset),
            route("GET", "/clock", admin.show_clock),
            route("POST", "/clock", admin.set_clock),
            route("GET", "/faults", admin.show_faults),
            route("POST", "/faults", admin.set_faults),
            route("DELETE", "/faults", admin.clear_faults),
            route("POST", "/seed", admin.seed),
            route("GET", "/objects", admin.objects),
            route("POST", "/jobs", admin.begin_job),
            route("GET", "/secrets", admin.secrets),
            route("GET", "/outbox", admin.show_outbox),
            route("GET", "/smtp", admin.show_smtp),
            route("POST", "/smtp", admin.switch_smtp),
            route("GET", "/proself", admin.show_proself),
            route("POST", "/proself", admin.set_proself),
        ],
        # A page in a browser may reach loopback by a name of its own choosing; not this way.
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"]),
            Middleware(_NoPages),
        ],
        exception_handlers={AdminError: _refused},
    )
