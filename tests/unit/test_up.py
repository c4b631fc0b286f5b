"""How an update ends that is interrupted, or that something stands against."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from proself_mail.check import Check, fail
from proself_mail.entra.directory import DirectoryError, Forbidden
from proself_mail.entra.patience import Patience
from proself_mail.errors import CheckFailed, Interrupted, RemoteError
from proself_mail.stack.engine import Engine
from proself_mail.update import preflight, up


def test_ctrl_c_says_what_is_left_where_a_loop_takes_no_signals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Windows' does not. A second one changes nothing."""
    stack = SimpleNamespace(
        state=lambda: SimpleNamespace(resources={"app": 1}, pending=()), engine=Engine()
    )

    def none(*_: object) -> None:
        raise NotImplementedError

    async def work() -> None:
        monkeypatch.setattr(type(asyncio.get_running_loop()), "add_signal_handler", none)
        ending = up.ending_in_order(
            Patience(lambda _: None), "up --stack dev", cast(Any, stack), timedelta(minutes=1)
        )
        async with ending:
            try:
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(10)
            finally:
                signal.raise_signal(signal.SIGINT)
                await asyncio.sleep(0)

    with pytest.raises(Interrupted, match=r"In the stack's state so far: app\.") as interrupted:
        asyncio.run(work())
    assert "`proself-mail up --stack dev` goes on from here." in interrupted.value.next_step
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("refused", "next_step"),
    [
        (Forbidden(403, "Authorization_RequestDenied", "No"), "Give the identity User.Read.All"),
        (DirectoryError(401, "InvalidAuthenticationToken", "It ran out"), "Try again"),
    ],
)
def test_a_permission_is_asked_for_where_it_is_missing_alone(
    refused: DirectoryError, next_step: str
) -> None:
    async def look() -> Check:
        raise refused

    async def looked() -> Check:
        return await preflight._or_unknown("mailbox", look, "User.Read.All")

    with pytest.raises(RemoteError, match=refused.code) as stopped:
        up.stop_at([asyncio.run(looked())])
    assert stopped.value.next_step.startswith(next_step)


def test_what_stops_a_command_is_told_in_sentences() -> None:
    """A check's words are those of a table."""
    with pytest.raises(CheckFailed) as stopped:
        up.stop_at([fail("application", "it is not in the tenant", "restore it")])
    told = ("Application: it is not in the tenant.", "Restore it.")
    assert (stopped.value.cause, stopped.value.next_step) == told


@pytest.mark.parametrize("known", ["app", None])
def test_the_notes_are_kept_of_an_application_that_is_to_be_adopted_too(
    tmp_path: Path, known: str | None
) -> None:
    """They say which of its secrets may be in Proself, and the engine blanks them."""
    made = {"app": "Call Sato.", "other": ""}
    stamped = [SimpleNamespace(object_id=key, notes=notes) for key, notes in made.items()]
    at = SimpleNamespace(
        stack=SimpleNamespace(project=tmp_path, name="dev"),
        settings=SimpleNamespace(stack_id=UUID(int=1)),
        state=SimpleNamespace(application_id=known, written=""),
        opened=SimpleNamespace(tenant_now=lambda: datetime(2027, 4, 1, tzinfo=UTC)),
    )
    assert up.begin(cast(Any, at), up.Looked((), cast(Any, stamped))).notes == "Call Sato."


def test_a_ctrl_c_at_the_very_end_is_still_taken_by_who_says_what_is_left() -> None:
    stack = SimpleNamespace(
        state=lambda: SimpleNamespace(resources={"app": 1}, pending=()), engine=Engine()
    )

    async def work() -> None:
        patience = Patience(lambda _: None)
        async with up.ending_in_order(patience, "x", cast(Any, stack), timedelta(minutes=1)):
            signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(1)

    with pytest.raises(Interrupted):
        asyncio.run(work())
