"""What of a stack's state is the program's."""

from pathlib import Path
from typing import Any

import pytest

from proself_mail.errors import ConfigurationError, Refused, RemoteError
from proself_mail.stack import integrity, state
from proself_mail.stack.foreign import Foreign, without_foreign
from proself_mail.stack.outputs import check_agreement
from proself_mail.stack.stack import Stack
from proself_mail.stack.urn import Urn

STACK = "urn:pulumi:dev::proself-mail::pulumi:pulumi:Stack::proself-mail-dev"
OURS = "urn:pulumi:dev::proself-mail::proself-mail:index:MailApp"
APPLICATION = "azuread:index/application:Application"
IMPORTED = f"urn:pulumi:dev::proself-mail::{APPLICATION}::application"


def entry(urn: str, **more: Any) -> dict[str, Any]:
    kind = urn.split("::")[2].rpartition("$")[2]
    return {"urn": urn, "type": kind, "id": "/applications/x", "custom": True, **more}


@pytest.mark.parametrize("imported_last", [False, True])
def test_an_import_under_a_name_of_ours_does_not_take_its_place(imported_last: bool) -> None:
    """By default the engine protects what it imports."""
    ours = entry(f"{OURS}${APPLICATION}::application", id="/applications/ours")
    theirs = entry(IMPORTED, id="/applications/theirs", protect=True)
    found = state.read({"resources": [ours, theirs] if imported_last else [theirs, ours]})
    assert found.application_id == "ours"
    assert found.foreign == (Foreign(Urn(IMPORTED)),)
    assert found.protected == ()


@pytest.mark.parametrize(
    "urn",
    [
        f"{OURS}${APPLICATION}::erp",
        f"{OURS}${APPLICATION}::consent",
        f"{OURS}${APPLICATION}::secret-20260101T000000Z",
        f"{OURS}$random:index/randomId:RandomId::application",
        f"{OURS}${APPLICATION}$azuread:index/applicationPassword:ApplicationPassword::secret-x",
        "urn:pulumi:dev::proself-mail::pulumi:pulumi:StackReference::other",
        "urn:pulumi:dev::proself-mail::theirs:index:Component::theirs",
    ],
)
def test_what_the_program_never_declares(urn: str) -> None:
    found = state.read({"resources": [entry(STACK), entry(urn)]})
    assert found.foreign == (Foreign(Urn(urn)),)
    assert not found.resources
    assert found.holds_anything


def test_a_name_may_hold_what_parts_a_urn() -> None:
    """Whoever imports something chooses its name, and the engine takes any."""
    urn = Urn(f"{OURS}${APPLICATION}::their::$application")
    found = state.read({"resources": [entry(urn)]})
    assert [(each.name, each.kind) for each in found.foreign] == [
        ("their::$application", "Application")
    ]
    assert (urn.depth, urn.renamed("ours").rpartition("$")[2]) == (1, f"{APPLICATION}::ours")


def test_what_the_engine_keeps_for_itself_is_nobodys_and_a_component_may_have_ours() -> None:
    inner = OURS.replace("proself-mail:index", "theirs:index:Mail$proself-mail:index")
    kept = (
        STACK,
        "urn:pulumi:dev::proself-mail::pulumi:providers:azuread::default_6_10_0",
        f"{OURS}$pulumi:providers:azuread::azuread",
        f"{OURS}::proself",
        f"{inner}::proself",
        f"{inner}${APPLICATION}::application",
    )
    found = state.read({"resources": [entry(each) for each in kept]})
    assert found.foreign == ()
    assert found.application_id == "x"


def test_a_state_forgets_a_dependant_first() -> None:
    """Else the engine refuses; and it forgets nothing that is protected without --force."""
    below = IMPORTED.replace("::application", f"${APPLICATION}::below")
    lines = without_foreign("dev", (Foreign(Urn(IMPORTED)), Foreign(Urn(below)))).split(", ")
    assert lines[0] == f"`pulumi state delete '{below}' --force --stack dev`"
    assert lines[1].startswith(f"`pulumi state delete {IMPORTED} --force --stack dev`")


def test_what_the_engine_would_not_use() -> None:
    """It reads such a state as any other, and stops only once it is to write."""
    provider = "urn:pulumi:dev::proself-mail::pulumi:providers:azuread::azuread"
    ours = f"{OURS}${APPLICATION}::application"
    whole = [
        *(entry(each) for each in (STACK, provider)),
        entry(ours, parent=STACK, provider=f"{provider}::id", dependencies=[provider]),
    ]
    assert state.read({"resources": whole}).fault == ""
    replaced = entry(ours, delete=True)
    assert state.read({"resources": [*whole, replaced, replaced]}).fault == ""
    twice = state.read({"resources": [*whole, entry(ours)]})
    assert twice.fault == f"{ours} is in it more than once"
    for lost in (STACK, provider):
        rest = [each for each in whole if each["urn"] != lost]
        assert state.read({"resources": rest}).fault == (
            f"{ours} refers to {lost}, which is not in it"
        )
    with pytest.raises(Refused, match="more than once") as refused:
        integrity.check("dev", twice)
    integrity.check_own("dev", twice)  # a teardown needs no more
    assert "`pulumi state repair --stack dev`" in refused.value.next_step
    with pytest.raises(Refused, match="is another stack's: proself-mail/dev"):
        integrity.check("prod", state.read({"resources": whole}))
    integrity.check("organization/proself-mail/dev", state.read({"resources": whole}))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        {"type": "x"},
        {"urn": "urn:pulumi:x", "type": "x"},
        entry(f"{OURS}${APPLICATION}::application", outputs={"tags": [5, None]}),
        entry(f"{OURS}${APPLICATION}::application", outputs=[5]),
        entry(
            f"{OURS}$azuread:index/applicationPassword:ApplicationPassword::secret-x",
            outputs={"endDate": "x"},
        ),
    ],
)
def test_what_the_engine_never_writes_is_told_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: object
) -> None:
    exported = {"deployment": {"resources": [entry(STACK), wrong]}}
    monkeypatch.setattr(Stack, "_exported", lambda *_: exported)
    for read in (Stack.state, Stack.covered_state):
        with pytest.raises(RemoteError, match="state of the stack dev is not what") as told:
            read(Stack("dev", tmp_path))
        assert "`STACK.json.bak`" in told.value.next_step
        assert told.value.__cause__ is None


PASSWORD = "azuread:index/applicationPassword:ApplicationPassword"
TOLD = {
    "applicationObjectId": "a",
    "clientSecrets": [{"id": "20260101T000000Z", "keyId": "k", "value": "v"}],
}


def with_outputs(*entries: dict[str, Any]) -> state.State:
    return state.read({"resources": [entry(STACK, outputs=TOLD), *entries]})


@pytest.mark.parametrize(
    ("kind", "own_id", "name"),
    [
        (APPLICATION, "/applications/a", "application"),
        (PASSWORD, "a/password/k", "secret-20260101T000000Z"),
    ],
)
def test_what_pulumi_renamed_is_the_stacks_own(kind: str, own_id: str, name: str) -> None:
    """`pulumi state rename` took its name: another one of it gives that back and loses nothing."""
    urn = f"{OURS}${kind}::app2"
    found = with_outputs(entry(urn, id=own_id))
    assert found.foreign == (Foreign(Urn(urn), name),)
    assert f"`pulumi state rename '{urn}' {name} --stack dev`" in without_foreign(
        "dev", found.foreign
    )
    assert "state delete" not in without_foreign("dev", found.foreign)
    with pytest.raises(ConfigurationError, match=f"knows the {name} as app2") as told:
        check_agreement(found, "dev")
    assert told.value.next_step.startswith("`pulumi state rename")
    ours = entry(f"{OURS}${kind}::{name}", id=own_id, outputs={"endDate": "2027-01-01T00:00:00Z"})
    twice = with_outputs(entry(urn, id=own_id), ours)
    assert twice.foreign == (Foreign(Urn(urn)),), "its name is taken"
    elsewhere = urn.replace(f"{OURS}$", f"{OURS.rpartition('::')[0]}::")
    assert with_outputs(entry(elsewhere, id=own_id)).foreign == (Foreign(Urn(elsewhere)),)


def test_a_secret_that_was_moved_here_is_not_forgotten_at_once() -> None:
    """`pulumi state move`: the other stack's state has its value no more, and Entra gives none."""
    urn = f"{STACK.rpartition('pulumi:pulumi')[0]}{PASSWORD}::secret-20270101T000000Z"
    step = without_foreign("dev", with_outputs(entry(urn, id="b/password/other")).foreign)
    first, _, then = step.partition(" Then ")
    assert "state delete" not in first
    assert "back from the backend's history" in first
    assert then.startswith(f"`pulumi state delete {urn} --force --stack dev`")
