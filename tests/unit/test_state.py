"""What of a stack's state is the program's."""

from typing import Any

import pytest

from proself_mail import state
from proself_mail.mending import state_delete

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
    assert found.foreign == (IMPORTED,)
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
    assert found.foreign == (urn,)
    assert not found.resources
    assert found.holds_anything


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
    lines = state_delete("dev", (IMPORTED, below)).split(", ")
    assert lines[0] == f"`pulumi state delete '{below}' --force --stack dev`"
    assert lines[1].startswith(f"`pulumi state delete {IMPORTED} --force --stack dev`")
