"""What the program reads of the state, where the engine does not tell at once."""

from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from infra.policy import Made

URN = (
    "urn:pulumi:dev::x::proself-mail:index:MailApp$azuread:index/application:Application"
    "::application"
)
APPLICATION = {
    "type": "azuread:index/application:Application",
    "outputs": {"objectId": "0f6ea7a3-7f9c-4c9f-8f3a-6a3f0f5f7c11"},
}


class Engine:
    """Tells nothing for so many times, then what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, silent: int) -> None:
        self.asked: list[str] = []
        self._silent = silent
        monkeypatch.setattr(pulumi.runtime, "invoke", self.invoke)
        for name in ("get_organization", "get_project"):
            monkeypatch.setattr(pulumi, name, lambda: "x")

    def invoke(self, token: str, _: Any) -> SimpleNamespace:
        self.asked.append(token.rpartition(":")[2])
        if len(self.asked) <= self._silent:
            raise RuntimeError("failed to load checkpoint: EOF")
        outputs = {"clientId": "…"} if self.asked[-1] == "readStackOutputs" else {URN: APPLICATION}
        return SimpleNamespace(value={"outputs": outputs})


def test_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is writing the state's file at that time."""
    engine = Engine(monkeypatch, 2)
    object_id = "0f6ea7a3-7f9c-4c9f-8f3a-6a3f0f5f7c11"
    assert Made.read("dev") == Made(object_id, {}, above_secrets=[URN])
    assert engine.asked == [*["readStackOutputs"] * 3, "readStackResourceOutputs"]


def test_what_is_never_told_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a backend of the CLI's oldest layout, which knows no such name."""
    engine = Engine(monkeypatch, 99)
    assert Made.read("dev") is None
    assert len(engine.asked) == 3
