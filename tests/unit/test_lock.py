"""Whose lock is taken away, waited for or left: by where the backend lies and who lives."""

import asyncio
import contextlib
import dataclasses
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from proself_mail.check import Outcome
from proself_mail.config.settings import PROJECT
from proself_mail.entra.patience import Patience
from proself_mail.errors import Refused
from proself_mail.removal import teardown
from proself_mail.removal.removal_item import Item, Result
from proself_mail.removal.removal_item import Kind as ItemKind
from proself_mail.removal.removal_item import Outcome as Removed
from proself_mail.stack import engine_environment, lock
from proself_mail.stack.engine import CommandFailed, Engine
from proself_mail.stack.failure import Kind, classify
from proself_mail.stack.lock import Holder, Lock
from proself_mail.stack.stack import Stack
from proself_mail.update import preflight
from proself_mail.update.held_stack import HeldStack
from tests import jumping


@contextlib.contextmanager
def engine(
    environment: Mapping[str, str] = MappingProxyType({}), called: str = "pulumi"
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run something by the engine's name that waits for us."""
    if sys.platform == "win32":
        pytest.skip("there a program that is copied does not find its libraries")
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "pulumi"
        shutil.copy(shutil.which("cat") or "", named)
        link = Path(folder) / called
        if link != named:
            link.symlink_to(named)
        with subprocess.Popen(
            [link], stdin=subprocess.PIPE, env=os.environ | environment
        ) as running:
            # For an instant after its start it has none to be read.
            while not psutil.Process(running.pid).environ():
                time.sleep(0.001)
            yield running
            running.kill()


def live() -> Holder:
    return Holder("aki", socket.gethostname(), os.getpid(), datetime.now(UTC))


def dead() -> Holder:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    return Holder("aki", socket.gethostname(), gone.pid, datetime.now(UTC))


FILES = Path("/somewhere")


def held(stack: SimpleNamespace) -> tuple[HeldStack, list[str]]:
    """Make what frees this stack, and what it will have said."""
    said: list[str] = []
    return HeldStack(cast(Any, stack), Patience(said.append), said.append), said


def free(backend_folder: Path | None, *by: Lock) -> list[str]:
    """Let an update free a stack that these hold; return what it said."""
    stack, said = held(SimpleNamespace(name="prod", backend_folder=backend_folder))
    asyncio.run(stack._free(by))
    return said


def locked(tmp_path: Path, holder: Holder) -> Path:
    """Write a lock as the engine's file backend does, with what its storage puts beside it."""
    path = tmp_path / ".pulumi/locks/organization/proself-mail/prod" / f"{uuid.uuid4()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {
        "pid": holder.pid, "username": holder.user, "hostname": holder.host,
        "timestamp": holder.since.isoformat(),
    }  # fmt: skip
    path.write_text(json.dumps(entry), encoding="utf-8")
    path.with_name(f"{path.name}.attrs").write_text("{}", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["prod", "organization/proself-mail/prod", "proself-mail/prod"])
def test_a_dead_runs_lock_on_files_is_removed_and_no_other(tmp_path: Path, name: str) -> None:
    """One made since, by a run that found the dead one gone, stays."""
    path = locked(tmp_path, dead())
    found = lock.standing(tmp_path, PROJECT, name)
    assert found is not None
    since = locked(tmp_path, live())
    [said] = free(tmp_path, *found)
    assert "removing the lock of a dead run: aki@" in said
    assert sorted(path.parent.iterdir()) == [since, since.with_name(f"{since.name}.attrs")]


def standing(tmp_path: Path) -> tuple[Lock, ...]:
    found = lock.standing(tmp_path, PROJECT, "prod")
    assert found is not None
    return found


def killed_at_its_rename(tmp_path: Path, holder: Holder) -> Path:
    """Leave of a lock what a kill leaves of it before it has come to its name."""
    path = locked(tmp_path, holder)
    return path.rename(path.with_name(f"{path.name}.18ebd21106502d6a.tmp"))


def test_a_lock_that_did_not_come_to_its_name_is_its_engines_as_well(tmp_path: Path) -> None:
    """The engine counts it."""
    path = killed_at_its_rename(tmp_path, dead())
    free(tmp_path, *standing(tmp_path))
    assert list(path.parent.iterdir()) == []
    with engine() as running:
        there = dataclasses.replace(live(), pid=running.pid)
        path = killed_at_its_rename(tmp_path, there)
        assert preflight.lock("prod", standing(tmp_path)).outcome is Outcome.FAIL
        with pytest.raises(Refused, match="aki@"):
            free(tmp_path, *standing(tmp_path))
    assert path.exists()


def cut(path: Path, content: str, *, seconds_ago: float) -> None:
    path.write_text(content, encoding="utf-8")
    os.utime(path, (time.time() - seconds_ago,) * 2)


@pytest.mark.parametrize("content", ["", '{"pid":1,"user', "null", "[]"])
def test_a_lock_that_is_cut_off_goes_where_nobody_can_be_at_it(
    tmp_path: Path, content: str
) -> None:
    path = killed_at_its_rename(tmp_path, live())
    cut(path, content, seconds_ago=1)
    [said] = free(tmp_path, *standing(tmp_path))
    assert "waiting for" in said
    assert path.exists(), "it may be being written"
    cut(path, content, seconds_ago=60)
    assert preflight.lock("prod", standing(tmp_path)).outcome is Outcome.OK
    free(tmp_path, *standing(tmp_path))
    assert list(path.parent.iterdir()) == []


def test_a_lock_of_its_own_name_that_is_cut_off_is_a_persons_to_remove(tmp_path: Path) -> None:
    """It was whole once, and whoever made it may live."""
    path = locked(tmp_path, dead())
    cut(path, "", seconds_ago=3600)
    looked = preflight.lock("prod", standing(tmp_path))
    assert looked.outcome is Outcome.FAIL
    assert "`pulumi cancel --stack prod`" in looked.next_step
    with pytest.raises(Refused, match="cut off and names nobody") as refused:
        free(tmp_path, *standing(tmp_path))
    assert str(path) in refused.value.cause
    assert "`pulumi cancel --stack prod`" in refused.value.next_step
    assert path.exists()


def test_a_removal_that_is_refused_names_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: str, **__: object) -> str:
        raise CommandFailed(255, "", "error: unexpected end of JSON input")

    stack = Stack("prod", tmp_path)
    monkeypatch.setattr(stack, "_command", locked)
    item = Item(ItemKind.STACK_STATE, "prod", "prod", "is this stack's")

    async def removed() -> Removed:
        work = teardown._Work(
            cast(Any, None), Path(), print, teardown.Options(), asyncio.Semaphore()
        )
        return await work._state(stack, item, tenant_is_clean=True)

    outcome = asyncio.run(removed())
    assert outcome.result is Result.FAILED
    assert "`pulumi cancel --stack prod`" in outcome.detail


def test_a_lock_that_this_user_may_not_remove_is_told_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = locked(tmp_path, dead())
    found = lock.standing(tmp_path, PROJECT, "prod")
    assert found is not None

    def unlink(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(Refused, match="cannot be removed: Permission denied") as refused:
        free(tmp_path, *found)
    assert str(path) in refused.value.cause


def test_an_engine_is_alive_whatever_the_clock_says_of_its_start() -> None:
    """The machine's clock was put forward while it ran: it seems to have started after its lock."""
    with engine() as running:
        before = datetime.now(UTC) - timedelta(hours=1)
        holder = Holder("aki", socket.gethostname(), running.pid, before)
        assert not holder.is_dead
        with pytest.raises(Refused, match="aki@"):
            free(FILES, holder)
    assert holder.is_dead


@pytest.mark.parametrize("called", ["pl", ".pulumi-wrapped"])
def test_an_engine_of_another_name_is_alive(called: str) -> None:
    with engine(called=called) as running:
        holder = Holder("aki", socket.gethostname(), running.pid, datetime.now(UTC))
        assert not holder.is_dead
    assert holder.is_dead


@pytest.mark.parametrize("called", ["pulumi-language-python", "pulumi-resource-azuread"])
def test_a_helper_of_an_engine_is_none(called: str) -> None:
    with engine(called=called) as running:
        assert not lock.is_an_engine(psutil.Process(running.pid))


def test_on_a_shared_backend_a_dead_runs_lock_is_a_persons_to_remove() -> None:
    with pytest.raises(Refused) as refused:
        free(None, dead())
    assert "aki@" in refused.value.cause
    assert "`pulumi cancel --stack prod`" in refused.value.next_step


@pytest.mark.parametrize("backend_folder", [FILES, None])
def test_another_machines_lock_is_never_taken(backend_folder: Path | None) -> None:
    there = dataclasses.replace(dead(), host="elsewhere")
    with pytest.raises(Refused, match="aki@elsewhere"):
        free(backend_folder, there)


@pytest.mark.parametrize("more", ["", "x" * 900], ids=["whole", "cut off"])
def test_who_holds_a_stack_on_a_shared_backend_is_read_from_the_engines_words(more: str) -> None:
    """As the file backend of the CLI says it, wherever the files lie (recorded; names changed)."""
    said = classify(
        "the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end "
        "or delete the lock file with `pulumi cancel`.\n"
        "  azblob://state/.pulumi/locks/organization/proself-mail/prod/0f6ea7a3.json: created by "
        f"aki@build-7 (pid 4711) at 2026-11-23T10:00:00+09:00\n{more}"
    )
    assert said.kind is Kind.LOCKED
    [holder] = lock.holders(said.said)
    assert (holder.user, holder.host, holder.pid) == ("aki", "build-7", 4711)
    assert holder.since == datetime(2026, 11, 23, 1, tzinfo=UTC)
    since = "2026-11-23T01:00:00Z"  # with its day: one that a dead machine left may be weeks old
    with pytest.raises(Refused, match=rf"aki@build-7 \(process 4711\) since {since}\."):
        free(None, holder)


def test_a_holders_name_on_windows_may_have_a_space() -> None:
    said = " ".join(
        f"C:/Users/Yamada Taro/s/{name}.json: created by CONTOSO\\Yamada Taro@{host} (pid 7) at "
        "2026-11-23T10:00:00+09:00"
        for name, host in (("a", "PC-1"), ("b", "PC-2"))
    )
    found = [(holder.user, holder.host) for holder in lock.holders(said)]
    assert found == [("CONTOSO\\Yamada Taro", "PC-1"), ("CONTOSO\\Yamada Taro", "PC-2")]


def test_words_that_name_nobody_name_nobody() -> None:
    assert lock.holders("[409] Conflict: Another update is currently in progress.") == ()


def test_a_lock_that_only_the_engine_sees_is_looked_for_again_and_then_told() -> None:
    """It may have gone in between, as a rule; what stays is not run against for ten minutes."""
    stack, said = held(SimpleNamespace(name="prod", backend_folder=FILES))
    failure = classify("the stack is currently locked by 1 lock(s)")
    for _ in range(2):
        jumping.run(lambda: stack.unlock(failure.said))
    with pytest.raises(Refused, match="currently locked"):
        jumping.run(lambda: stack.unlock(failure.said))
    assert len(said) == 1
    assert "currently locked" in said[0]


def test_an_engine_that_a_killed_run_left_is_waited_for_on_any_backend() -> None:
    """Another backend tells of it only where the state is to be mended."""
    with engine({engine_environment.DRIVER: str(dead().pid)}) as running:
        words = (
            "the stack is currently locked by 1 lock(s)\n  azblob://state/.pulumi/locks/x.json: "
            f"created by aki@{socket.gethostname()} (pid {running.pid}) at "
            f"{datetime.now(UTC).isoformat()}"
        )
        tries: list[str] = []

        def mend_state() -> None:
            tries.append("mended")
            if len(tries) < 3:
                raise classify(words).error()
            running.kill()

        stack = SimpleNamespace(
            name="prod", backend_folder=None, mend_state=mend_state, engine=Engine()
        )
        freed, said = held(stack)
        asyncio.run(freed.mend())
    assert len(tries) == 3
    assert len(said) == 1
    assert "waiting for the engine of a killed run: aki@" in said[0]
