"""What interactive sign-ins leave behind: codes, refresh tokens, and who is asked to consent."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from emulator.clock import Clock
from emulator.cloud import Cloud
from emulator.directory.vault import Vault
from emulator.sign_in import login_problems as problems

_CODE_LIFETIME = timedelta(minutes=10)
_REFRESH_LIFETIME = timedelta(days=90)
_SINGLE_PAGE_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """A user who signed in to an application."""

    client_id: str
    tenant_id: str
    user_id: str
    scope: str
    """As it was asked for, by version 2.0; by 1.0, what its `resource` stands for."""
    redirect_uri: str = ""
    challenge: str = ""
    """PKCE's code challenge; empty without."""
    challenge_method: str = ""
    """`S256` in whatever case; otherwise the challenge is the verifier itself."""
    nonce: str = ""
    single_page_since: datetime | None = None
    """When a single-page application got its first refresh token; none for any other."""


@dataclass(frozen=True)
class _Kept:
    sign_in: SignIn
    ends: datetime


class Sessions:
    """Codes, refresh tokens and questions that were handed out."""

    def __init__(self, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault
        self._codes: dict[str, _Kept] = {}
        self._refresh_tokens: dict[str, _Kept] = {}
        self._questions: dict[str, _Kept] = {}
        self._redeemed: set[str] = set()

    def new_code(self, sign_in: SignIn) -> str:
        """Hand out a code, good for ten minutes and one use."""
        return self._keep(self._codes, "1.", sign_in, _CODE_LIFETIME)

    def new_refresh_token(self, sign_in: SignIn, *, single_page: bool) -> str:
        """Hand out a refresh token; its predecessors stay good too.

        It is good for 90 days. All those of a single-page application are good for a day from the
        first, which is the one that a code was redeemed for.
        """
        now = self._clock.now()
        if single_page and sign_in.single_page_since is None:
            sign_in = replace(sign_in, single_page_since=now)
        lifetime = _REFRESH_LIFETIME
        if sign_in.single_page_since is not None:
            lifetime = sign_in.single_page_since + _SINGLE_PAGE_LIFETIME - now
        return self._keep(self._refresh_tokens, "1.", sign_in, lifetime)

    def code(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> SignIn:
        """Return the sign-in behind a code without using it up.

        LoginError if it is unknown, used, too old, another client's, for another redirect URI, or
        the verifier is wrong.
        """
        kept = self._codes.get(code)
        if kept is None or not _is_of(kept.sign_in, client_id):
            raise problems.malformed_code()
        if code in self._redeemed:
            raise problems.redeemed_code()
        if kept.ends <= self._clock.now():
            raise problems.expired_grant()
        if kept.sign_in.redirect_uri != redirect_uri:
            raise problems.other_redirect(redirect_uri, kept.sign_in.redirect_uri)
        if not _verifies(kept.sign_in, verifier):
            raise problems.wrong_verifier()
        return kept.sign_in

    def use_up(self, code: str) -> None:
        """Let a code be good no more. One that was refused stays good, as with Entra."""
        self._redeemed.add(code)

    def refresh(self, token: str, client_id: str) -> SignIn:
        """Return the sign-in behind a refresh token. LoginError if it is not good."""
        kept = self._refresh_tokens.get(token)
        if kept is None or not _is_of(kept.sign_in, client_id):
            raise problems.malformed_code()
        if kept.ends <= self._clock.now():
            if kept.sign_in.single_page_since is not None:
                raise problems.single_page_refresh_token(kept.sign_in.single_page_since)
            raise problems.inactive_refresh_token(kept.ends - _REFRESH_LIFETIME)
        return kept.sign_in

    def new_question(self, sign_in: SignIn) -> str:
        """Note that an administrator is asked to consent; good for ten minutes and one answer."""
        return self._keep(self._questions, "", sign_in, _CODE_LIFETIME)

    def asked(self, question: str, client_id: str) -> SignIn | None:
        """Return who answers a question and what it was; none where that is too late."""
        kept = self._questions.pop(question, None)
        if kept is None or not _is_of(kept.sign_in, client_id) or kept.ends <= self._clock.now():
            return None
        return kept.sign_in

    def _keep(
        self, where: dict[str, _Kept], prefix: str, sign_in: SignIn, lifetime: timedelta
    ) -> str:
        token = f"{prefix}{secrets.token_urlsafe(48)}"
        where[token] = _Kept(sign_in, self._clock.now() + lifetime)
        self._vault.note(token)
        return token


def _is_of(sign_in: SignIn, client_id: str) -> bool:
    return sign_in.client_id.lower() == client_id.lower()


def _verifies(sign_in: SignIn, verifier: str) -> bool:
    if not sign_in.challenge:
        return not verifier  # RFC 9700, 4.8.2: somebody may have taken the challenge away
    if sign_in.challenge_method.upper() == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return secrets.compare_digest(verifier.encode(), sign_in.challenge.encode())


def sessions_of(cloud: Cloud) -> Sessions:
    """Return a cloud's sessions."""
    return cloud.part(Sessions, lambda: Sessions(cloud.clock, cloud.vault))
