"""The authorize and admin consent endpoints: a form for account and password, then a redirect.

The form is plain HTML and works without JavaScript. Nothing is remembered between two sign-ins, and
consent is not asked for on the way: what nobody has granted is refused (AADSTS65001).
"""

import html
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from emulator import admin_consent
from emulator import login_problems as problems
from emulator.cloud import Cloud
from emulator.history import Exchange
from emulator.login_problems import LoginError
from emulator.permissions import ADMINISTRATOR_ROLES
from emulator.sessions import SignIn
from emulator.sign_in_view import ANY_TENANT, Client, SignInView, redirect_platform
from emulator.store import Kind, Record
from emulator.tenant import Tenant

_FIELDS = ("login", "passwd", "cancel")
"""What the form itself adds to the parameters that it carries along."""


@dataclass(frozen=True)
class _Asked:
    """A request to sign in, first seen or with the form filled in."""

    params: Mapping[str, str]
    tenant_name: str
    exchange: Exchange
    correlation_id: str

    def need(self, name: str) -> str:
        """Return a parameter that must be there. LoginError AADSTS900144 if not."""
        if not (value := self.params.get(name, "")):
            raise problems.missing_parameter(name)
        return value

    @property
    def submitted(self) -> bool:
        """Whether a button of the form was pressed."""
        return any(name in self.params for name in _FIELDS)


class Authorize:
    """Answers `/{tenant}/oauth2/v2.0/authorize` and `/{tenant}/v2.0/adminconsent`."""

    def __init__(self, cloud: Cloud, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self._origins = origins

    async def respond(self, request: Request) -> Response:
        """Sign a user in to an application."""
        asked = await _asked(request)
        try:
            client, redirect_uri = self._client(asked)
        except LoginError as error:  # nowhere safe to send it
            return self._error_page(asked, error)
        try:
            sign_in = self._signed_in(asked, client, redirect_uri)
        except LoginError as error:
            return self._refused(asked, redirect_uri, error)
        if sign_in is None:
            return _form(asked, client, "")
        code = self._cloud.sessions.new_code(sign_in)
        return _redirect(asked, redirect_uri, {"code": code})

    async def respond_to_consent(self, request: Request) -> Response:
        """Let an administrator consent for the whole tenant."""
        asked = await _asked(request)
        try:
            client, redirect_uri = self._client(asked)
        except LoginError as error:
            return self._error_page(asked, error)
        if not asked.submitted:
            return _form(asked, client, "Sign in as an administrator to consent for everyone.")
        try:
            tenant, user = self._authenticated(asked)
            if not ADMINISTRATOR_ROLES & set(user.linked("directoryRoles")):
                raise problems.consent_needs_administrator()
            granted = admin_consent.consent(tenant, client, asked.params.get("scope", ""))
        except LoginError as error:
            return self._refused(asked, redirect_uri, error)
        answer = {"admin_consent": "True", "tenant": tenant.id}
        return _redirect(asked, redirect_uri, answer | ({"scope": granted} if granted else {}))

    def _client(self, asked: _Asked) -> tuple[Client, str]:
        """Find the application and check where the answer goes. LoginError if either is wrong."""
        client_id = asked.need("client_id")
        found = self._cloud.registration(client_id)
        if found is None:
            raise problems.unknown_application(client_id, asked.tenant_name)
        client = Client(found[1], found[0])
        asked.exchange.client_id = client_id
        self._check_tenant(asked, client)
        registered = client.registration.body["web"]["redirectUris"]
        redirect_uri = asked.params.get("redirect_uri") or next(iter(registered), "")
        if redirect_platform(client, redirect_uri) is None:
            raise problems.redirect_mismatch(redirect_uri, client_id)
        return client, redirect_uri

    def _check_tenant(self, asked: _Asked, client: Client) -> None:
        tenant = self._cloud.tenant(asked.tenant_name)
        if tenant is None and asked.tenant_name not in ANY_TENANT:
            raise problems.unknown_tenant(asked.tenant_name)
        if client.multi_tenant or tenant is client.home:
            return
        if tenant is None:
            raise problems.single_tenant_on_common(client.id, client.name)
        raise problems.unknown_application(client.id, tenant.spec.display_name)

    def _signed_in(self, asked: _Asked, client: Client, redirect_uri: str) -> SignIn | None:
        """Return the finished sign-in, None if the form is yet to be filled in."""
        if asked.need("response_type") != "code":
            raise problems.unsupported_response_type()
        scope = asked.need("scope")
        if asked.params.get("prompt") == "none":
            raise problems.no_session()
        if not asked.submitted:
            return None
        tenant, user = self._authenticated(asked)
        self._check_consent(tenant, client, user, scope)
        return SignIn(
            client_id=client.id,
            tenant_id=tenant.id,
            user_id=user.id,
            scope=scope,
            redirect_uri=redirect_uri,
            challenge=asked.params.get("code_challenge", ""),
            challenge_method=asked.params.get("code_challenge_method", "plain"),
            nonce=asked.params.get("nonce", ""),
        )

    def _authenticated(self, asked: _Asked) -> tuple[Tenant, Record]:
        """Find the user who typed account and password. LoginError if he may not sign in."""
        if "cancel" in asked.params:
            raise problems.consent_declined()
        login = asked.params.get("login", "").strip().lower()
        tenant = self._cloud.tenant(asked.tenant_name) or self._cloud.tenant(
            login.rpartition("@")[2]
        )
        if tenant is None:
            raise problems.unknown_user(asked.tenant_name)
        asked.exchange.tenant_id = tenant.id
        for user in tenant.live(Kind.USER):
            if user.body["userPrincipalName"].lower() == login:
                if not self._cloud.vault.matches(user.id, asked.params.get("passwd", "")):
                    raise problems.wrong_password()
                if not user.body["accountEnabled"]:
                    raise problems.disabled_user()
                asked.exchange.caller_id = user.id
                return tenant, user
        raise problems.unknown_user(tenant.spec.display_name)

    def _check_consent(self, tenant: Tenant, client: Client, user: Record, scope: str) -> None:
        view = SignInView(self._cloud, tenant, self._origins)
        principal = view.principal(client.id)
        if principal is None:
            raise problems.no_consent(client.id, client.name)
        wanted = view.wanted(scope, client)
        if wanted.resource is None:
            return
        granted = view.granted(principal, wanted.resource, user)
        if wanted.scopes - granted or not granted:
            raise problems.no_consent(client.id, client.name)

    def _refused(self, asked: _Asked, redirect_uri: str, error: LoginError) -> Response:
        """Show what a person can mend in the form; send everything else back to the application."""
        if error.number in (50034, 50126):
            page = _form(asked, None, error.message)
            page.status_code = 401
            return page
        oauth = {"invalid_grant": error.suberror or "access_denied"}.get(error.error, error.error)
        now = self._cloud.clock.now()
        description = error.description(now, str(uuid.uuid4()), asked.correlation_id)
        return _redirect(asked, redirect_uri, {"error": oauth, "error_description": description})

    def _error_page(self, asked: _Asked, error: LoginError) -> Response:
        now = self._cloud.clock.now()
        text = error.description(now, str(uuid.uuid4()), asked.correlation_id)
        return _page(
            "Sorry, but we're having trouble signing you in.", f"<p>{html.escape(text)}</p>", 400
        )


async def _asked(request: Request) -> _Asked:
    """Read the parameters of the address and of the form; the form's go first."""
    params = dict(request.query_params)
    if request.method == "POST":
        body = (await request.body()).decode("utf-8", "replace")
        params |= dict(parse_qsl(body, keep_blank_values=True))
    return _Asked(
        params=params,
        tenant_name=request.path_params["tenant"],
        exchange=request.scope["emulator.exchange"],
        correlation_id=params.get("client-request-id", str(uuid.uuid4())),
    )


def _redirect(asked: _Asked, redirect_uri: str, answer: dict[str, str]) -> Response:
    """Send the browser back with the answer, the way the application asked for."""
    if "state" in asked.params:
        answer = {**answer, "state": asked.params["state"]}
    mode = asked.params.get("response_mode", "query")
    if mode == "form_post":
        inputs = "".join(_hidden(name, value) for name, value in answer.items())
        action = html.escape(redirect_uri, quote=True)
        return _page(
            "Continue",
            f'<form method="post" action="{action}">{inputs}<button>Continue</button></form>',
            200,
        )
    mark = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    return RedirectResponse(f"{redirect_uri}{mark}{urlencode(answer)}", 302)


def _form(asked: _Asked, client: Client | None, message: str) -> HTMLResponse:
    """Show the sign-in form; it carries the parameters along."""
    carried = "".join(
        _hidden(name, value) for name, value in asked.params.items() if name not in _FIELDS
    )
    login = html.escape(asked.params.get("login") or asked.params.get("login_hint", ""), quote=True)
    whom = f"<p>to continue to {html.escape(client.name)}</p>" if client is not None else ""
    note = f'<p role="alert">{html.escape(message)}</p>' if message else ""
    return _page(
        "Sign in",
        f"""{whom}{note}<form method="post">{carried}
<p><label for="login">Account</label>
<input id="login" name="login" type="email" autocomplete="username" value="{login}"></p>
<p><label for="passwd">Password</label>
<input id="passwd" name="passwd" type="password" autocomplete="current-password"></p>
<p><button type="submit">Sign in</button>
<button type="submit" name="cancel" value="1" formnovalidate>Cancel</button></p></form>""",
        200,
    )


def _hidden(name: str, value: str) -> str:
    return (
        f'<input type="hidden" name="{html.escape(name, quote=True)}" '
        f'value="{html.escape(value, quote=True)}">'
    )


def _page(title: str, content: str, status: int) -> HTMLResponse:
    """Wrap content into a page that no other one may frame or cache."""
    return HTMLResponse(
        f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width">
<h1>{html.escape(title)}</h1>{content}</html>""",
        status,
        {
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "referrer-policy": "no-referrer",
        },
    )
