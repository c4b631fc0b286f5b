"""What the program reads of the state, where the engine does not tell at once."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from infra.made import Made
from proself_mail.errors import Refused
from proself_mail.stack.foreign import Foreign
from proself_mail.stack.state import SECRET_KIND
from proself_mail.stack.urn import Urn
from tests.unit.test_settings import good

KIND = "azuread:index/application:Application"
URN = f"urn:pulumi:dev::proself-mail::proself-mail:index:MailApp${KIND}::application"
OBJECT_ID = "0f6ea7a3-7f9c-4c9f-8f3a-6a3f0f5f7c11"
APPLICATION = {"type": KIND, "outputs": {"objectId": OBJECT_ID}}


class Engine:
    """Tells nothing for so many times, then what it is asked for."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, silent: int, imported: Mapping[str, Any]
    ) -> None:
        self.asked: list[str] = []
        self.resources: dict[str, Any] = {URN: APPLICATION, **imported}
        self._silent = silent
        monkeypatch.setattr(pulumi.runtime, "invoke", self.invoke)
        for name in ("get_organization", "get_project"):
            monkeypatch.setattr(pulumi, name, lambda: "x")

    def invoke(self, token: str, _: Any) -> SimpleNamespace:
        self.asked.append(token.rpartition(":")[2])
        if len(self.asked) <= self._silent:
            raise RuntimeError("failed to load checkpoint: EOF")
        are_outputs = self.asked[-1] == "readStackOutputs"
        told = {"applicationObjectId": OBJECT_ID}
        outputs = told if are_outputs else self.resources
        return SimpleNamespace(value={"outputs": outputs})


def test_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is writing the state's file at that time."""
    engine = Engine(monkeypatch, 2, {})
    assert Made.read("dev") == Made(
        OBJECT_ID, {}, above_secrets=[URN], told_application_id=OBJECT_ID
    )
    assert engine.asked == [*["readStackOutputs"] * 3, "readStackResourceOutputs"]


def test_what_is_never_told_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a backend of the CLI's oldest layout, which knows no such name."""
    engine = Engine(monkeypatch, 99, {})
    assert Made.read("dev") is None
    assert len(engine.asked) == 3


def test_what_is_told_and_makes_no_sense_is_not_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is unknown nothing is refused."""
    secret = URN.replace(KIND, SECRET_KIND).replace("::application", "::secret-2027-04-01")
    engine = Engine(monkeypatch, 0, {secret: {"type": SECRET_KIND, "outputs": {}}})
    with pytest.raises(KeyError, match="endDate"):
        Made.read("dev")
    assert len(engine.asked) == 2


def test_what_somebody_imported_is_not_ours_and_is_not_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even under the name of ours, and its own children are told first."""
    imported = {"type": KIND, "outputs": {"objectId": "5d1b1f2c-0000-4000-8000-000000000000"}}
    above = f"urn:pulumi:dev::proself-mail::{KIND}::application"
    below = f"urn:pulumi:dev::proself-mail::{KIND}${KIND}::below"
    Engine(monkeypatch, 0, {below: imported, above: imported})
    found = Made.read("dev")
    assert found is not None
    assert found.application_id == OBJECT_ID
    with pytest.raises(Refused, match="what this program does not make") as refused:
        found.check(good(), "dev", datetime(2027, 4, 1, tzinfo=UTC))
    step = refused.value.next_step
    assert 0 < step.index(f"'{below}' --force --stack dev`") < step.index(f"{above} --force")


def test_its_own_application_under_another_name_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after `pulumi state rename`, which the outputs know nothing of."""
    engine = Engine(monkeypatch, 0, {URN.replace("::application", "::app2"): APPLICATION})
    del engine.resources[URN]
    found = Made.read("dev")
    assert found is not None
    assert [each.own_name for each in found.foreign] == ["application"]
    with pytest.raises(Refused, match="the stack's own application") as refused:
        found.check(good(), "dev", datetime(2027, 4, 1, tzinfo=UTC))
    assert refused.value.next_step.startswith("`pulumi state rename")
    assert "state delete" not in refused.value.next_step


@pytest.mark.parametrize(
    ("target", "is_refused"), [("**::consent", False), ("**::erp", True), ("**:Stack::**", True)]
)
def test_what_a_part_update_leaves_is_no_reason_to_refuse_it(
    monkeypatch: pytest.MonkeyPatch, target: str, is_refused: bool
) -> None:
    stack = "urn:pulumi:dev::proself-mail::pulumi:pulumi:Stack::proself-mail-dev"
    erp = f"urn:pulumi:dev::proself-mail::{KIND}::erp"
    above: dict[str, Any] = {"type": "pulumi:pulumi:Stack", "outputs": {}}
    Engine(monkeypatch, 0, {stack: above, erp: {"type": KIND, "outputs": {}}})
    monkeypatch.setenv("PULUMI_OPTION_TARGET", target)
    found = Made.read("dev")
    assert found is not None
    assert found.foreign == ((Foreign(Urn(erp)),) if is_refused else ())


@pytest.mark.parametrize(("target", "is_refused"), [("**::consent", False), ("**::secret-*", True)])
def test_a_part_update_that_leaves_the_secrets_is_not_refused_for_an_older_file(
    monkeypatch: pytest.MonkeyPatch, target: str, is_refused: bool
) -> None:
    secret = URN.replace(KIND, SECRET_KIND).replace("::application", "::secret-2027-01-01")
    outputs = {"keyId": "k", "endDate": "2027-09-01T00:00:00Z"}
    Engine(monkeypatch, 0, {secret: {"type": SECRET_KIND, "outputs": outputs}})
    monkeypatch.setenv("PULUMI_OPTION_TARGET", target)
    found = Made.read("dev")
    assert found is not None
    refusal = pytest.raises(Refused, match="older than the state")
    with refusal if is_refused else contextlib.nullcontext():
        found.check(good(), "dev", datetime(2027, 4, 2, tzinfo=UTC))
