"""What a person sees who signs in: the form, the known accounts, a consent, a refusal.

Plain HTML, as little of Entra's look as makes it feel at home. What is decided is `authorize`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from emulator.web_pages import Look, language_of

FIELDS = ("login", "passwd", "cancel", "pick", "question", "refused_error", "refused_description")
"""What the forms themselves add to the parameters that they carry along."""

_COOKIE = "known-accounts"
_MOST_KNOWN = 5
_LOOK = Look("sign_in.css")

_Pairs = Sequence[tuple[str, str]]


class SignInPage:
    """The pages of one request."""

    def __init__(self, request: Request, params: Mapping[str, str]) -> None:
        self._language = language_of(request)
        self._params = params
        known = request.cookies.get(_COOKIE, "")
        self.known_accounts = [unquote(one) for one in known.split("|") if one]
        """Sign-in names that this browser has used before; no session comes with them."""

    def form(
        self, tenant: str, application: str, login: str, note: str, refusal: str
    ) -> HTMLResponse:
        """Ask for account and password; after a `refusal`, which is in English, once more."""
        return self._asking(
            "sign_in.html", tenant, application, login=login, note=note, refusal=refusal
        )

    def accounts(self, tenant: str, application: str) -> HTMLResponse:
        """Let one of the known accounts be chosen, or another be typed."""
        return self._asking("accounts.html", tenant, application, accounts=self.known_accounts)

    def consent(
        self, tenant: str, application: str, permissions: Mapping[str, list[str]], question: str
    ) -> HTMLResponse:
        """Show an administrator what is asked for, names by resource, to accept or to cancel."""
        more = [("question", question)]
        return self._asking(
            "consent.html", tenant, application, permissions=permissions, carried=more
        )

    def consent_note(self) -> str:
        """Say who has to sign in at the admin consent endpoint."""
        if self._language == "ja":
            return "組織の代理として同意するには、管理者としてサインインしてください。"
        return "Sign in as an administrator to consent for everyone."

    def refusal(
        self, text: str, *, oauth_error: str = "", admin_approval: bool = False
    ) -> HTMLResponse:
        """Show a refusal; with an `oauth_error`, a button takes both back to the application."""
        if admin_approval:
            headings = ("管理者の承認が必要", "Need admin approval")
        else:
            headings = (
                "申し訳ありませんが、サインイン中に問題が発生しました。",
                "Sorry, but we're having trouble signing you in.",
            )
        back = [("refused_error", oauth_error), ("refused_description", text)]
        return _LOOK.page(
            "refusal.html",
            language=self._language,
            status=200 if oauth_error else 400,
            heading=headings[0 if self._language == "ja" else 1],
            text=text,
            carried=[*self._carried(), *back] if oauth_error else [],
        )

    def post_back(self, address: str, answer: Mapping[str, str]) -> HTMLResponse:
        """Hand the answer over by a form (`response_mode=form_post`)."""
        return _LOOK.page(
            "post_back.html", language=self._language, action=address, carried=list(answer.items())
        )

    def remember(self, response: Response, account: str) -> None:
        """Let the browser know this account the next time."""
        known = dict.fromkeys([account, *self.known_accounts])
        value = "|".join(quote(one, safe="@.") for one in list(known)[:_MOST_KNOWN])
        response.set_cookie(_COOKIE, value, secure=True, httponly=True, samesite="lax")

    def _asking(
        self, page: str, tenant: str, application: str, *, carried: _Pairs = (), **shown: Any
    ) -> HTMLResponse:
        """Ask a person something for an application; `carried` comes back beside the request."""
        return _LOOK.page(
            page,
            language=self._language,
            tenant=tenant,
            application=application,
            carried=[*self._carried(), *carried],
            **shown,
        )

    def _carried(self) -> _Pairs:
        return [(name, value) for name, value in self._params.items() if name not in FIELDS]
