"""The authorize and admin consent endpoints: who signs in, to what, and where the answer goes.

The pages are `sign_in_page`'s. There are no sessions: every sign-in asks for the password. Consent
is asked for at its own endpoint alone, and of administrators: what nobody has granted is refused on
the way to an application (AADSTS65001).
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from emulator.cloud import Cloud
from emulator.directory.roles import ADMINISTRATOR_ROLES
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant
from emulator.sign_in import admin_consent, parameters, tokens
from emulator.sign_in import login_problems as problems
from emulator.sign_in.login_problems import LoginError
from emulator.sign_in.parameters import Asked
from emulator.sign_in.sessions import SignIn, sessions_of
from emulator.sign_in.sign_in_page import FIELDS, SignInPage
from emulator.sign_in.sign_in_view import (
    ANY_TENANT,
    FOR_WORK,
    Client,
    SignInView,
    redirect_platform,
    scope_of,
)

_MENDED_IN_THE_FORM = (50034, 50126)
"""Refusals that the person answers by typing something else."""
_AFTER_THE_PASSWORD = (50057, 50105, 65001, 90094)
"""Refusals that the person is shown before they go back to the application."""

_RESPONSE_MODES = ("", "query", "fragment", "form_post")
_PROMPTS = {
    1: ("", "login", "none", "consent", "select_account", "admin_consent"),
    2: ("", "login", "none", "consent", "select_account", "create"),
}
"""By the endpoint's version; one of them, and no list as OpenID Connect has it."""

_WITHOUT_PATH = re.compile(r"^(https?://[^/?#]+)(?=\?|$)", re.IGNORECASE)
"""A redirect URI that Entra gives a slash."""

_DIGEST_LENGTH = 43
"""Of an SHA-256 in base64url without padding; no verifier is shorter."""
_LONGEST_VERIFIER = 128


@dataclass(frozen=True, kw_only=True)
class _Asked(Asked):
    """A request to sign in, first seen or with the form filled in."""

    correlation_id: str
    page: SignInPage
    duplicated: str
    """The name of a parameter that is in the address, or in the form, twice; empty for none."""

    @property
    def submitted(self) -> bool:
        """Whether a button of the form was pressed."""
        return any(name in self.params for name in FIELDS if name != "pick")

    @property
    def prompt(self) -> str:
        """What the person is to be asked in any case; empty if nothing."""
        return self.params.get("prompt", "")


class Authorize:
    """Answers `/{tenant}/oauth2/v2.0/authorize`, `/{tenant}/v2.0/adminconsent`, the older too."""

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
            return self._refused(asked, client, redirect_uri, error)
        if sign_in is None:
            return self._form(asked, client)
        answer = _redirect(asked, redirect_uri, self._success(asked, sign_in))
        asked.page.remember(answer, asked.params["login"].strip())
        return answer

    def _success(self, asked: _Asked, sign_in: SignIn) -> dict[str, str]:
        """Hand out a code, and what a client may learn of the account before it redeems it."""
        success = {"code": sessions_of(self._cloud).new_code(sign_in)}
        if asked.params.get("client_info"):
            success["client_info"] = tokens.client_info(sign_in.user_id, sign_in.tenant_id)
        return success | {"session_state": str(uuid.uuid4())}

    async def respond_to_consent(self, request: Request) -> Response:
        """Let an administrator consent for the whole tenant."""
        asked = await _asked(request)
        try:
            client, redirect_uri = self._client(asked)
        except LoginError as error:
            return self._error_page(asked, error)
        question = sessions_of(self._cloud).asked(asked.params.get("question", ""), client.id)
        try:
            if question:
                return self._answered(asked, client, redirect_uri, question)
            if "question" in asked.params or not asked.submitted:
                return self._form(asked, client, asked.page.consent_note())
            return self._question(asked, client)
        except LoginError as error:
            return self._refused(asked, client, redirect_uri, error)

    def _question(self, asked: _Asked, client: Client) -> Response:
        """Show an administrator what there is to consent to. LoginError if nobody may consent."""
        tenant, user = self._authenticated(asked)
        if not ADMINISTRATOR_ROLES & set(user.linked("directoryRoles")):
            raise problems.consent_needs_administrator()
        scope = asked.params.get("scope", "")
        requested = admin_consent.requested(tenant, client, scope)
        question = sessions_of(self._cloud).new_question(
            SignIn(client_id=client.id, tenant_id=tenant.id, user_id=user.id, scope=scope)
        )
        return asked.page.consent(
            tenant.spec.display_name,
            client.name,
            {str(resource.body["displayName"]): sorted(names) for resource, names in requested},
            question,
        )

    def _answered(
        self, asked: _Asked, client: Client, redirect_uri: str, question: SignIn
    ) -> Response:
        """Grant what was shown, or tell the application that it was declined."""
        tenant = self._cloud.tenant(question.tenant_id)
        assert tenant is not None  # noqa: S101  it asked
        asked.exchange.tenant_id, asked.exchange.caller_id = tenant.id, question.user_id
        answer = {"admin_consent": "True", "tenant": tenant.id}
        if "cancel" in asked.params:
            error = problems.admin_consent_declined()
            refused = {"error": error.error, "error_description": self._description(asked, error)}
            return _redirect(asked, redirect_uri, refused | answer)
        granted = admin_consent.consent(tenant, client, question.scope)
        return _redirect(asked, redirect_uri, answer | ({"scope": granted} if granted else {}))

    def _client(self, asked: _Asked) -> tuple[Client, str]:
        """Find the application and check where the answer goes. LoginError if either is wrong."""
        if asked.duplicated:
            raise problems.duplicated_parameter(asked.duplicated)
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
        if tenant is None:
            client.check_shared_address(asked.tenant_name)
        elif not client.multi_tenant and tenant is not client.home:
            raise problems.unknown_application(client.id, tenant.spec.display_name)

    def _signed_in(self, asked: _Asked, client: Client, redirect_uri: str) -> SignIn | None:
        """Return the finished sign-in, None if the form is yet to be filled in."""
        if (response_type := asked.need("response_type")) != "code":
            raise problems.unsupported_response_type(response_type)
        if (mode := asked.params.get("response_mode", "")) not in _RESPONSE_MODES:
            raise problems.unsupported_response_mode(mode)
        if asked.prompt not in _PROMPTS[asked.version]:
            raise problems.unsupported_prompt()
        if asked.version == 1:
            scope = scope_of(asked.params.get("resource", ""))
        else:
            scope = asked.need("scope")
        _check_challenge(asked)
        if asked.prompt == "none":
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
            challenge_method=asked.params.get("code_challenge_method", ""),
            nonce=asked.params.get("nonce", ""),
        )

    def _authenticated(self, asked: _Asked) -> tuple[Tenant, Record]:
        """Find the user who typed account and password. LoginError if he may not sign in."""
        if "cancel" in asked.params:
            raise problems.consent_declined()
        if "refused_error" in asked.params:
            raise _ShownRefusal(asked.params)
        login = asked.params.get("login", "").strip().lower()
        tenant = self._cloud.tenant(asked.tenant_name)
        if asked.tenant_name in FOR_WORK:
            tenant = self._cloud.tenant(login.rpartition("@")[2])
        if tenant is None:  # nobody has a personal account here
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
        if principal.body["appRoleAssignmentRequired"] and not view.is_assigned(user, principal):
            raise problems.not_assigned(user.body["userPrincipalName"], client.id, client.name)
        for wanted in view.wanted_of_each(scope, client):
            if wanted.resource is None:
                continue
            granted = view.granted(principal, wanted.resource, user)
            if wanted.scopes - granted or not granted:
                raise problems.no_consent(client.id, client.name)

    def _form(self, asked: _Asked, client: Client, note: str = "", refusal: str = "") -> Response:
        """Ask who it is: by the accounts that this browser knows, or by the form."""
        tenant = self._cloud.tenant(asked.tenant_name)
        whose = tenant.spec.display_name if tenant is not None else ""
        login = asked.params.get("login_hint", "")
        wants_choice = asked.prompt == "select_account" or not (login or asked.prompt == "login")
        chosen = asked.submitted or "pick" in asked.params
        if asked.page.known_accounts and wants_choice and not chosen:
            return asked.page.accounts(whose, client.name)
        login = asked.params.get("login") or asked.params.get("pick", login)
        return asked.page.form(whose, client.name, login, note, refusal)

    def _refused(
        self, asked: _Asked, client: Client, redirect_uri: str, error: LoginError
    ) -> Response:
        """Say no: in the form, on a page of its own, or to the application."""
        if isinstance(error, _ShownRefusal):
            return _redirect(asked, redirect_uri, error.answer)
        if error.number in _MENDED_IN_THE_FORM:
            page = self._form(asked, client, refusal=error.message)
            page.status_code = 401
            return page
        oauth = {"invalid_grant": error.suberror or "access_denied"}.get(error.error, error.error)
        description = self._description(asked, error)
        if error.number in _AFTER_THE_PASSWORD:
            approval = error.number in (65001, 90094)
            return asked.page.refusal(description, oauth_error=oauth, admin_approval=approval)
        return _redirect(asked, redirect_uri, {"error": oauth, "error_description": description})

    def _error_page(self, asked: _Asked, error: LoginError) -> Response:
        return asked.page.refusal(self._description(asked, error))

    def _description(self, asked: _Asked, error: LoginError) -> str:
        now = self._cloud.clock.now()
        return error.description(now, str(uuid.uuid4()), asked.correlation_id)


def _check_challenge(asked: _Asked) -> None:
    """Raise LoginError if PKCE's parameters (RFC 7636, 4.2 and 4.3) are not as they must be."""
    challenge = asked.params.get("code_challenge", "")
    method = asked.params.get("code_challenge_method", "")
    if method.lower() not in ("", "plain", "s256"):
        raise problems.unsupported_challenge_method()
    if method and not challenge:
        raise problems.missing_challenge()
    most = _DIGEST_LENGTH if method.lower() == "s256" else _LONGEST_VERIFIER
    if challenge and not _DIGEST_LENGTH <= len(challenge) <= most:
        raise problems.bad_challenge_size()


class _ShownRefusal(LoginError):
    """A refusal that the person has read, on its way to the application."""

    def __init__(self, params: Mapping[str, str]) -> None:
        super().__init__(0, params["refused_error"], params.get("refused_description", ""))
        self.answer = {"error": self.error, "error_description": self.message}


async def _asked(request: Request) -> _Asked:
    """Read the parameters of the address and of the form; the form's go first."""
    params, duplicated = parameters.read(request.url.query)
    if request.method == "POST":
        form, in_form = parameters.read((await request.body()).decode("utf-8", "replace"))
        params, duplicated = params | form, duplicated or in_form
    return _Asked(
        params=params,
        tenant_name=request.path_params["tenant"],
        version=2 if "/v2.0/" in request.url.path else 1,
        exchange=request.scope["emulator.exchange"],
        correlation_id=params.get("client-request-id", str(uuid.uuid4())),
        page=SignInPage(request, params),
        duplicated=duplicated,
    )


def _redirect(asked: _Asked, redirect_uri: str, answer: dict[str, str]) -> Response:
    """Send the browser back with the answer, the way the application asked for."""
    if "state" in asked.params:
        answer = {**answer, "state": asked.params["state"]}
    mode = asked.params.get("response_mode", "query")
    if mode == "form_post":
        return asked.page.post_back(redirect_uri, answer)
    address = _WITHOUT_PATH.sub(r"\1/", redirect_uri)
    mark = "#" if mode == "fragment" else "&" if "?" in address else "?"
    return RedirectResponse(f"{address}{mark}{urlencode(answer)}", 302)
