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

from proself_mail.entra.ledger import Ledger
from proself_mail.entra.patience import Patience
from proself_mail.errors import ConfigurationError, Error, Interrupted, Refused, RemoteError
from proself_mail.files import whole_file
from proself_mail.rotation import appended_entry, rotate
from proself_mail.rotation.rotate import Append
from proself_mail.schedule import SecretsEntry
from proself_mail.stack import state
from proself_mail.stack.engine import Engine
from tests import jumping
from tests.unit.test_settings import good

AS_IT_WAS = b"config:\n  proself-mail:server: proself.example.jp\n"


REFUSED = RemoteError("It may not be written.", "Let it.")


def appended(
    monkeypatch: pytest.MonkeyPatch, file: Path, written: bytes, error: Error = REFUSED
) -> list[str]:
    """Append an entry, which ends so after so much was written; return what is said."""
    file.write_bytes(AS_IT_WAS)
    file.chmod(0o640)

    def configure(_: object) -> None:
        file.write_bytes(written)
        raise error

    async def nothing(*_: object) -> bool:
        return True

    async def unchanged() -> object:
        return SimpleNamespace(stack=stack, settings=settings)

    monkeypatch.setattr(appended_entry, "came_to_nothing", nothing)
    stack = SimpleNamespace(
        file=file, file_shown=file.name, configure=configure, engine=Engine(), name="prod"
    )
    settings = good(secrets=[{"from": datetime.now(UTC), "everyDays": 150, "overlapDays": 30}])
    at = cast(Any, SimpleNamespace(unchanged=unchanged))  # what was read before is not used
    said: list[str] = []
    with pytest.raises(type(error)) as ended:
        asyncio.run(rotate._append(at, Append.NOW, said.append))
    return [*said, str(ended.value)]


def test_an_interrupted_rotation_begins_anew_where_its_entry_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the option nothing would be due, and a secret that leaked would live on."""
    cut = Interrupted("Interrupted.", "`proself-mail rotate --stack prod` goes on from here.")
    said = appended(monkeypatch, tmp_path / "Pulumi.prod.yaml", b"", cut)
    assert said[-1] == "Interrupted. Next: `proself-mail rotate --now --stack prod` begins anew."


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
        appended(monkeypatch, file, b"")
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
    said = appended(monkeypatch, file, b"")
    put_back = "Pulumi.prod.yaml is as it was: no secret was made for the new entry"
    anew = "`proself-mail rotate --now --stack prod` begins anew"
    assert said == [f"{put_back}; {anew}", str(REFUSED)]
    assert file.read_bytes() == AS_IT_WAS
    assert [*tmp_path.iterdir()] == [file]


def test_what_cannot_be_put_back_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(whole_file, "put_back", refuse)
    [said, _] = appended(monkeypatch, tmp_path / "Pulumi.prod.yaml", b"config:")
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
def test_what_was_changed_is_put_back_whole_with_its_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    linked = tmp_path / "linked" / "Pulumi.prod.yaml"
    linked.parent.mkdir()
    linked.touch()
    file = tmp_path / "Pulumi.prod.yaml"
    file.symlink_to(linked)
    appended(monkeypatch, file, b"")
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
