"""The token endpoint: which grant is asked for, is it good, and what comes of it."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import Response

from emulator.cloud import Cloud
from emulator.directory.first_party import GRAPH_APP_ID, SIGN_IN_SCOPES
from emulator.directory.ids import is_guid
from emulator.directory.store import Record
from emulator.directory.tenant import Tenant
from emulator.faults import Rule, Strike
from emulator.json_text import Json
from emulator.sign_in import client_problems, parameters, tokens
from emulator.sign_in import login_problems as problems
from emulator.sign_in.client_proof import prove
from emulator.sign_in.login_problems import LoginError
from emulator.sign_in.parameters import Asked
from emulator.sign_in.refusal import origin_of, refused
from emulator.sign_in.sessions import SignIn, sessions_of
from emulator.sign_in.sign_in_view import (
    ANY_TENANT,
    FOR_WORK,
    Client,
    SignInView,
    Wanted,
    redirect_platform,
    scope_of,
)
from emulator.sign_in.tokens import Bearer


@dataclass(frozen=True, kw_only=True)
class _Asked(Asked):
    """A request for tokens."""

    origin: str
    page: str
    """The origin of the web page whose script asks (`Origin`); empty for any other client."""


class TokenEndpoint:
    """Answers `POST /{tenant}/oauth2/v2.0/token` and its older form."""

    def __init__(self, cloud: Cloud, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self._origins = origins

    async def respond(self, request: Request) -> Response:
        """Answer one HTTP request."""
        origin = origin_of(request)
        correlation_id = _correlation_id(request)
        rule: Rule | None = request.scope["emulator.rule"]
        form, duplicated = _form(await request.body(), request.headers)
        asked = _Asked(
            params=form,
            tenant_name=request.path_params["tenant"],
            origin=origin,
            version=2 if "/v2.0/" in request.url.path else 1,
            exchange=request.scope["emulator.exchange"],
            page=request.headers.get("origin", ""),
        )
        headers = {
            "content-type": "application/json; charset=utf-8",
            "cache-control": "no-store, no-cache",
            "pragma": "no-cache",
            "client-request-id": correlation_id,
            "x-ms-request-id": str(uuid.uuid4()),
        }
        try:
            _strike(rule, asked, headers)
            if duplicated:
                raise problems.duplicated_parameter(duplicated)
            body, status = self._answer(asked), 200
        except LoginError as error:
            now, trace_id = self._cloud.clock.now(), headers["x-ms-request-id"]
            body, status = error.body(now, trace_id, correlation_id, origin), error.status
        return Response(json.dumps(body), status, headers)

    def refuse_method(self, request: Request) -> Response:
        """Answer a request by another method than POST."""
        return refused(self._cloud, request, problems.only_posts(request.method))

    def _answer(self, asked: _Asked) -> Json:
        grants = {
            "client_credentials": self._client_credentials,
            "authorization_code": self._authorization_code,
            "refresh_token": self._refresh_token,
        }
        grant_type = asked.need("grant_type")
        if grant_type not in grants:
            raise problems.unsupported_grant_type(grant_type)
        asked.exchange.client_id = asked.need("client_id")
        return grants[grant_type](asked)

    def _client_credentials(self, asked: _Asked) -> Json:
        """Make a token for an application by itself."""
        if asked.page:
            raise problems.cross_origin(asked.page)
        client_id = asked.need("client_id")
        tenant = self._tenant(asked, client_id)
        view = SignInView(self._cloud, tenant, self._origins)
        client = view.client(client_id)
        bearer = self._bearer(asked, view, client, public=False)
        name = self._application_resource(asked)
        resource = view.resource(name)
        roles = view.app_roles(bearer.client, resource)
        token = tokens.access_token(self._cloud, bearer, resource, name, roles=roles)
        return self._reply(asked, token, name, {})

    def _authorization_code(self, asked: _Asked) -> Json:
        """Make tokens for the user who signed in at the authorize endpoint."""
        client_id, code = asked.need("client_id"), asked.need("code")
        redirect_uri, verifier = asked.need("redirect_uri"), asked.params.get("code_verifier", "")
        sessions = sessions_of(self._cloud)
        sign_in = sessions.code(code, client_id, redirect_uri, verifier)
        view = self._view_of(asked, sign_in)
        client = view.client(client_id)
        public = _is_public(asked, client, redirect_uri)
        reply = self._user_tokens(asked, view, client, sign_in, public=public)
        sessions.use_up(code)
        return reply

    def _refresh_token(self, asked: _Asked) -> Json:
        """Make new tokens for a user who signed in before."""
        client_id = asked.need("client_id")
        sign_in = sessions_of(self._cloud).refresh(asked.need("refresh_token"), client_id)
        view = self._view_of(asked, sign_in)
        client = view.client(client_id)
        public = _is_public(asked, client, sign_in.redirect_uri)
        return self._user_tokens(asked, view, client, sign_in, public=public)

    def _user_tokens(
        self, asked: _Asked, view: SignInView, client: Client, sign_in: SignIn, *, public: bool
    ) -> Json:
        user = view.user(sign_in.user_id)
        bearer = self._bearer(asked, view, client, public=public, user=user)
        named = asked.params.get("scope" if asked.version == 2 else "resource", "")
        scope = scope_of(named) if named and asked.version == 1 else named
        wanted = view.wanted(scope or sign_in.scope, client)
        if asked.version == 1 and wanted.resource is None:
            raise problems.missing_parameter("resource")
        extra: Json = {}
        if "openid" in wanted.sign_in:
            extra["id_token"] = tokens.id_token(
                self._cloud, bearer, user, sign_in.nonce, asked.version, wanted.sign_in
            )
        if "offline_access" in wanted.sign_in or "offline_access" in sign_in.scope.split():
            # Only such an application's sign-in is let through for a script.
            extra["refresh_token"] = sessions_of(self._cloud).new_refresh_token(
                sign_in, single_page=bool(asked.page)
            )
        if asked.params.get("client_info"):
            extra["client_info"] = tokens.client_info(user.id, view.tenant.id)
        resource = wanted.resource or view.resource("https://graph.microsoft.com")
        audience = wanted.audience or "https://graph.microsoft.com"
        granted = view.granted(bearer.client, resource, user)
        if wanted.scopes - granted or (wanted.resource is not None and not granted):
            raise problems.no_consent(client.id, client.name)
        # They are delegated permissions of Graph's; `offline_access` is for the sign-in alone.
        of_graph = resource.body["appId"] == GRAPH_APP_ID
        told = granted | (wanted.sign_in if of_graph else frozenset())
        told -= {"offline_access"}
        token = tokens.access_token(
            self._cloud, bearer, resource, audience, scopes=told, sign_in=wanted.sign_in
        )
        extra["scope"] = _scope(told, wanted) if asked.version == 2 else " ".join(sorted(granted))
        return self._reply(asked, token, audience, extra)

    def _bearer(
        self,
        asked: _Asked,
        view: SignInView,
        client: Client,
        *,
        public: bool,
        user: Record | None = None,
    ) -> Bearer:
        """Prove the client and find its service principal. LoginError if either fails."""
        exchange = asked.exchange
        exchange.tenant_id = view.tenant.id
        offered = {"client_secret", "client_assertion"} & set(asked.params)
        if public and offered:
            raise client_problems.public_with_credential()
        if not public:
            exchange.credential = prove(self._cloud, view, client, asked.params)
        principal = view.enabled_principal(client)
        exchange.caller_id = user.id if user is not None else principal.id
        proof = "0" if public else "2" if "client_assertion" in offered else "1"
        return Bearer(
            tenant=view.tenant, origin=asked.origin, client=principal, proof=proof, user=user
        )

    def _tenant(self, asked: _Asked, client_id: str) -> Tenant:
        """Find the tenant that the address names. LoginError if it names none."""
        tenant = self._cloud.tenant(asked.tenant_name)
        if tenant is not None:
            return tenant
        if asked.tenant_name in ANY_TENANT:
            found = self._cloud.registration(client_id)
            if found is None:
                raise problems.unknown_application(client_id, asked.tenant_name)
            Client(found[1], found[0]).check_shared_address(asked.tenant_name)
            raise problems.no_tenant_named()
        raise problems.unknown_tenant(asked.tenant_name)

    def _view_of(self, asked: _Asked, sign_in: SignIn) -> SignInView:
        """See the tenant of a sign-in; it must be the one that the address names."""
        tenant = self._cloud.tenants[sign_in.tenant_id]
        if asked.tenant_name not in FOR_WORK and not tenant.answers_to(asked.tenant_name):
            raise problems.malformed_code()
        return SignInView(self._cloud, tenant, self._origins)

    def _application_resource(self, asked: _Asked) -> str:
        if asked.version == 1:
            return asked.need("resource")
        scope = asked.need("scope")
        # MSAL for Go and Java ask for those of OpenID Connect besides, whatever the grant.
        names = [name for name in scope.split() if name not in SIGN_IN_SCOPES]
        if len(names) != 1 or not names[0].endswith("/.default"):
            raise problems.not_default_scope(scope)
        return names[0].removesuffix("/.default")

    def _reply(self, asked: _Asked, token: str, audience: str, extra: Json) -> Json:
        """Make the answer: version 1 has every number as a text, and tells the resource."""
        seconds = int(self._cloud.config.token_lifetime.total_seconds())
        shared: Json = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds}
        if asked.version == 1:
            now = int(self._cloud.clock.now().timestamp())
            shared |= {"expires_on": now + seconds, "not_before": now}
            shared = {name: str(value) for name, value in shared.items()} | {"resource": audience}
        return shared | {"access_token": token} | extra


def _scope(told: frozenset[str], wanted: Wanted) -> str:
    """Write the scopes of a token as the client asked for them: MSAL finds it again by that."""
    others = [*sorted(told - SIGN_IN_SCOPES), *([".default"] if wanted.default else [])]
    names = (f"{wanted.prefix}{name}" for name in others)
    return " ".join([*sorted(told & SIGN_IN_SCOPES), *names])


def _is_public(asked: _Asked, client: Client, redirect_uri: str) -> bool:
    """Whether the client of a sign-in has no credential to prove itself by.

    LoginError where a script asks, and no single-page application signed in, or the reverse.
    """
    platform = redirect_platform(client, redirect_uri)
    if platform == "spa" and not asked.page:
        raise problems.not_cross_origin()
    if platform != "spa" and asked.page:
        raise problems.cross_origin(asked.page)
    return platform != "web"


def _strike(rule: Rule | None, asked: _Asked, headers: dict[str, str]) -> None:
    """Raise the LoginError that a fault answers with, if it is of that sort."""
    if rule is None:
        return
    if rule.strike is Strike.REFUSE_SECRET:
        raise client_problems.wrong_secret(asked.params.get("client_id", ""))
    if rule.strike is Strike.STATUS:
        if rule.retry_after_seconds is not None:
            headers["Retry-After"] = str(rule.retry_after_seconds)
        error = problems.transient()
        error.status = rule.status
        raise error


def _correlation_id(request: Request) -> str:
    """Return the id that the client gave its request, or a new one.

    Scripts of web pages give theirs in the address, to be spared a preflight. It comes back in a
    header, which not every text may.
    """
    named = request.query_params.get("client-request-id", "")
    mine = named if is_guid(named) else str(uuid.uuid4())
    return request.headers.get("client-request-id", mine)


def _form(body: bytes, headers: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Read the form, and the name of what is in it twice; empty for none.

    Client id and secret may come by HTTP Basic authentication instead.
    """
    form, duplicated = parameters.read_form(body, headers.get("content-type", ""))
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return form, duplicated
        form |= {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}
    return form, duplicated
