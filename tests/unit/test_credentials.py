"""What a refused sign-in of the newest secret means: wait, or stop."""

import asyncio

import pytest

from proself_mail import credentials
from proself_mail.errors import RemoteError
from proself_mail.secret import Secret
from proself_mail.target import CLOUD


def signs_in(monkeypatch: pytest.MonkeyPatch, words: str | None) -> bool:
    async def refusal(*_: object) -> str | None:
        return words

    monkeypatch.setattr(credentials, "refusal", refusal)
    return asyncio.run(credentials.signs_in(CLOUD, "tenant", "client", Secret("value")))


@pytest.mark.parametrize(
    "words",
    [
        "AADSTS7000215: Invalid client secret provided.",
        "AADSTS700016: Application with identifier 'x' was not found in the directory.",
        "AADSTS7000229: The client application x is missing service principal in the tenant y.",
        "AADSTS90033: A transient error has occurred.",
        "Cannot connect to host",
        "TimeoutError",
    ],
)
def test_what_passes_is_waited_for(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    assert signs_in(monkeypatch, words) is False


@pytest.mark.parametrize("code", ["AADSTS7000222", "AADSTS53003", "AADSTS50076"])
def test_what_does_not_pass_stops(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    with pytest.raises(RemoteError, match=code):
        signs_in(monkeypatch, f"{code}: no.")


def test_a_token_is_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    assert signs_in(monkeypatch, None) is True
