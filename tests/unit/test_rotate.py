"""How a rotation ends: its stack file where nothing came of it, and its engine by Ctrl-C."""

import asyncio
import errno
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import clock
from proself_mail.entra.ledger import Ledger
from proself_mail.entra.patience import Patience
from proself_mail.errors import (
    ConfigurationError,
    Error,
    Interrupted,
    OutOfTime,
    Refused,
    RemoteError,
)
from proself_mail.files import whole_file
from proself_mail.rotation import appended_entry, rotate
from proself_mail.rotation.rotate import Append
from proself_mail.schedule import SecretsEntry
from proself_mail.stack import state
from proself_mail.stack.engine import Engine
from proself_mail.stack.observed import Observed
from tests import jumping
from tests.unit.test_settings import good

AS_IT_WAS = b"config:\n  proself-mail:server: proself.example.jp\n"


REFUSED = RemoteError("It may not be written.", "Let it.")


def appended(file: Path, written: bytes, error: Error = REFUSED) -> list[str]:
    """Append an entry, which ends so after so much was written; return what is said."""
    file.write_bytes(AS_IT_WAS)
    file.chmod(0o640)

    def configure(_: object) -> None:
        file.write_bytes(written)
        raise error

    stack = SimpleNamespace(
        file=file,
        file_shown=file.name,
        configure=configure,
        engine=Engine(),
        name="prod",
        updates=[],
    )
    said: list[str] = []
    with pytest.raises(type(error)) as ended:
        asyncio.run(rotate._append(opened(stack), Append.NOW, said.append, cast(Any, None)))
    return [*said, str(ended.value)]


def opened(stack: SimpleNamespace) -> Any:
    """Give a stack to rotate of which only what is read once more is used."""

    async def unchanged() -> object:
        return SimpleNamespace(stack=stack, settings=settings)

    begun = datetime.now(UTC) - timedelta(days=10)
    settings = good(secrets=[{"from": begun, "everyDays": 150, "overlapDays": 30}])
    return SimpleNamespace(unchanged=unchanged)


@pytest.mark.parametrize("ends_as", [Interrupted, OutOfTime])
def test_a_rotation_that_was_cut_short_begins_anew_where_its_entry_is_taken_back(
    tmp_path: Path, ends_as: type[Error]
) -> None:
    """Without the option nothing would be due, and a secret that leaked would live on."""
    cut = ends_as("It was cut short.", "`proself-mail rotate --stack prod` goes on from here.")
    [said, ended] = appended(tmp_path / "Pulumi.prod.yaml", b"", cut)
    assert said == "Pulumi.prod.yaml is as it was: no secret was made for the new entry"
    anew = "`proself-mail rotate --now --stack prod` begins anew."
    assert ended == f"It was cut short. Next: {anew}"


@pytest.mark.parametrize("append", [Append.NOW, Append.REVOKE])
def test_an_entry_that_may_have_made_a_secret_stays_and_is_told(
    tmp_path: Path, append: Append
) -> None:
    """To a person too who presses Ctrl-C again, and does not wait until that is looked for."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_bytes(AS_IT_WAS)
    hanging = Hanging()  # writes the entry for ever, then reads the state for ever
    stack = SimpleNamespace(
        file=file,
        file_shown=file.name,
        engine=hanging,
        name="prod",
        state=None,
        updates=[Observed()],
    )
    wait = SimpleNamespace(next_step="")
    said: list[str] = []

    async def pressed_twice() -> None:
        run = asyncio.ensure_future(
            rotate._append(opened(stack), append, said.append, cast(Any, wait))
        )
        for _ in range(2):
            await asyncio.sleep(1)
            run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    jumping.run(pressed_twice)
    assert hanging.cancelled == ["read", "read"]
    goes_on = "`proself-mail rotate --stack prod` goes on from"
    assert said[0] == (
        "Pulumi.prod.yaml keeps its new entry, for which a secret was made or may have been: "
        f"commit it; {goes_on} it"
    )
    assert wait.next_step == f"{goes_on} here."
    revokes = (
        "the secrets before it are not removed yet, or not all of them: "
        "`proself-mail rotate --stack prod` removes them"
    )
    assert said[1:] == ([revokes] if append is Append.REVOKE else [])
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    ("append", "next_step"),
    [
        (None, "`proself-mail rotate --stack prod` goes on from here."),
        (Append.NOW, "`proself-mail rotate --now --stack prod` begins anew."),
        (Append.REVOKE, "`proself-mail rotate --revoke --stack prod` begins anew."),
    ],
)
def test_a_tenant_that_never_answers_is_told_with_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, append: Append | None, next_step: str
) -> None:
    """Before an entry is written, nothing would be due without the option."""

    @asynccontextmanager
    async def rotating(*_: object) -> AsyncIterator[None]:
        await asyncio.get_running_loop().create_future()
        yield

    monkeypatch.setattr(rotate, "rotating", rotating)
    with pytest.raises(OutOfTime, match="did not answer as it should for 15 minutes") as told:
        jumping.run(lambda: rotate.run("prod", Path(), print, append=append))
    assert told.value.next_step == next_step


def test_an_entry_begins_in_a_second_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the same second would name one window. It has the lengths of the one before it."""
    now = datetime(2027, 4, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    before = SecretsEntry(now, timedelta(150), timedelta(30), revokes_earlier=True)
    planned = SecretsEntry(now + timedelta(90), timedelta(90), timedelta(20))
    clocks = iter([now, now, now + second])
    monkeypatch.setattr(clock, "now", lambda: next(clocks))
    entry = jumping.run(lambda: appended_entry.beginning_now([before, planned], revokes=False))
    assert entry == SecretsEntry(now + second, timedelta(150), timedelta(30))


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_nothing_is_appended_where_no_copy_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    """As on a full disk, on which the CLI empties the file and then cannot write it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    file = tmp_path / "Pulumi.prod.yaml"
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(ConfigurationError, match=os.strerror(number)) as refused:
        appended(file, b"")
    assert f"Make room in {tmp_path}" in refused.value.next_step
    assert file.read_bytes() == AS_IT_WAS


def test_a_disk_that_is_full_by_then_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    (tmp_path / ".Pulumi.prod.yaml.killed00.tmp").write_bytes(b"left by one that was killed")
    spare = whole_file.spare

    def and_then_full(path: Path) -> Path:
        copy = spare(path)

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        return copy

    monkeypatch.setattr(whole_file, "spare", and_then_full)
    said = appended(file, b"")
    put_back = "Pulumi.prod.yaml is as it was: no secret was made for the new entry"
    anew = "`proself-mail rotate --now --stack prod` begins anew"
    assert said == [f"{put_back}; {anew}", str(REFUSED)]
    assert file.read_bytes() == AS_IT_WAS
    assert [*tmp_path.iterdir()] == [file]


def test_what_cannot_be_put_back_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(whole_file, "put_back", refuse)
    [said, _] = appended(tmp_path / "Pulumi.prod.yaml", b"config:")
    assert "cannot be put back (Read-only file system)" in said


def test_what_somebody_changed_since_the_entry_is_left_so(tmp_path: Path) -> None:
    """As a `git pull` while the engine was at work, which then failed."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_bytes(AS_IT_WAS)
    entry = SecretsEntry(datetime(2027, 4, 1, tzinfo=UTC), timedelta(150), timedelta(30))
    stack = cast(
        Any,
        SimpleNamespace(
            file=file,
            file_shown=file.name,
            configure=lambda _: file.write_bytes(b"appended"),
            engine=Engine(),
        ),
    )
    with appended_entry.spared(stack) as spared:
        asyncio.run(spared.append(entry, [replace(entry, starts=entry.starts - timedelta(9))]))
        file.write_bytes(b"pulled")
        said = spared.put_back(entry)
        assert file.read_bytes() == b"pulled"
        assert "take the entry of 2027-04-01T00:00:00Z out of its `secrets`" in said
        file.write_bytes(b"appended")
        assert "is as it was" in spared.put_back(entry)
        assert file.read_bytes() == AS_IT_WAS


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes")
def test_what_was_changed_is_put_back_whole_with_its_mode(tmp_path: Path) -> None:
    linked = tmp_path / "linked" / "Pulumi.prod.yaml"
    linked.parent.mkdir()
    linked.touch()
    file = tmp_path / "Pulumi.prod.yaml"
    file.symlink_to(linked)
    appended(file, b"")
    assert linked.read_bytes() == AS_IT_WAS
    assert file.is_symlink()
    assert linked.stat().st_mode & 0o777 == 0o640
    assert [*linked.parent.iterdir()] == [linked]


class Hanging:
    """An engine, and a CLI, that go on for ever; they are cancelled, and take note of it."""

    def __init__(self, when_awaited: Callable[[], None] = lambda: None) -> None:
        self.cancelled: list[str] = []
        self._when_awaited = when_awaited

    async def updating(self, *_: object) -> None:
        await self._for_ever("update")

    async def awaited(self, *_: object) -> None:
        await self._for_ever("read")

    async def _for_ever(self, what: str) -> None:
        asyncio.get_running_loop().call_soon(self._when_awaited)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.cancelled.append(what)


def forgetting(hanging: Hanging) -> Error:
    """Let a rotation take an expired secret out of the state; return what ends it."""
    stack = SimpleNamespace(
        name="prod", updating=hanging.updating, engine=hanging, state=lambda: None
    )
    at = cast(Any, SimpleNamespace(stack=stack, patience=Patience(print)))
    with pytest.raises(Error) as ended:
        jumping.run(lambda: rotate._forget(at, print))
    return ended.value


@pytest.mark.skipif(sys.platform == "win32", reason="a loop there takes no signal")
def test_what_only_forgets_ends_by_ctrl_c_as_every_update_does() -> None:
    hanging = Hanging(lambda: signal.raise_signal(signal.SIGINT))
    told = forgetting(hanging)
    assert isinstance(told, Interrupted)
    # It has been told by the first Ctrl-C; the second, while the state is read, changes nothing.
    assert str(told) == (
        "Interrupted. What has been made cannot be told now. "
        "Next: `proself-mail rotate --stack prod` goes on from here."
    )
    assert hanging.cancelled == ["update", "read"]


@pytest.mark.parametrize("presses", [False, True])
def test_and_by_the_deadline(presses: bool) -> None:
    hanging = Hanging()

    def press_while_it_is_told() -> None:
        if hanging.cancelled and presses and sys.platform != "win32":
            signal.raise_signal(signal.SIGINT)

    hanging._when_awaited = press_while_it_is_told
    told = forgetting(hanging)
    assert isinstance(told, OutOfTime)
    assert told.exit_code == 4
    assert "Not done within 10 minutes. What has been made cannot be told now." in told.cause
    assert hanging.cancelled == ["update", "read"]


def test_the_patience_with_the_tenant_begins_again_after_a_person_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is to type the stack's name may be away for longer than a tenant may take."""

    plan = SimpleNamespace(is_due=True)
    held: list[object] = []

    async def answer(*_: object) -> object:
        await asyncio.sleep(0.01)
        return plan

    @asynccontextmanager
    async def rotating(*_: object) -> AsyncIterator[object]:
        yield SimpleNamespace(
            is_update_due=True,
            opened=None,
            settings=None,
            plan=answer,
            stack=SimpleNamespace(name="prod"),
            state=state.read({"resources": held}),
        )

    monkeypatch.setattr(rotate, "rotating", rotating)
    monkeypatch.setattr(rotate, "_append", answer)
    monkeypatch.setattr(rotate, "_check_room", lambda *_: None)

    def a_day_passes(_: object) -> None:
        cast(jumping.Jumping, asyncio.get_running_loop()).at += 86400

    rotated = jumping.run(
        lambda: rotate.run("prod", Path(), print, append=Append.REVOKE, show=a_day_passes)
    )
    assert cast(Any, rotated) is plan
    held.append({"urn": "urn:pulumi:prod::proself-mail::a:b:C::erp", "type": "a:b:C"})
    with pytest.raises(Refused, match="what this program does not make"):  # due or not
        asyncio.run(rotate.run("prod", Path(), print, dry_run=True))


def test_nobody_acknowledges_what_the_outputs_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person pastes from them, and may name the secret that Proself has all the same."""
    key = "11111111-1111-4111-8111-111111111111"
    found = SimpleNamespace(
        live=(key,),
        add=(),
        noted=SimpleNamespace(ledger=Ledger()),
        are_outputs_behind=True,
        is_newest_removed=False,
    )
    noted: list[str] = []

    async def plan() -> object:
        return found

    async def note(_: object, *, pasted: str) -> None:
        noted.append(pasted)

    @asynccontextmanager
    async def rotating(*_: object) -> AsyncIterator[object]:
        yield SimpleNamespace(opened=None, plan=plan, note=note, planned=lambda _: found)

    monkeypatch.setattr(rotate, "rotating", rotating)
    with pytest.raises(ConfigurationError, match="Proself may have an older one"):
        asyncio.run(rotate.acknowledge("prod", Path(), None, print))
    assert noted == []
    asyncio.run(rotate.acknowledge("prod", Path(), key.upper(), print))
    assert noted == [key]
    found.are_outputs_behind = False
    asyncio.run(rotate.acknowledge("prod", Path(), None, print))
    assert noted == [key] * 2
