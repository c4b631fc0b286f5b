"""Whose lock is taken away, waited for or left: by where the backend lies and who lives."""

import asyncio
import dataclasses
import socket
import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import lock
from proself_mail.converge import Update
from proself_mail.errors import Refused
from proself_mail.failure import Kind, classify
from proself_mail.lock import Holder
from proself_mail.patience import Patience
from tests.unit.test_settings import good


def dead() -> Holder:
    with subprocess.Popen(["true"]) as gone:
        pass
    return Holder("aki", socket.gethostname(), gone.pid, datetime.now(UTC))


def free(backend_url: str, *held: Holder) -> list[str]:
    """Let an update free a stack that these hold; return what it said and did."""
    did: list[str] = []
    of = SimpleNamespace(
        name="prod", backend_url=backend_url, cancel=lambda: did.append("cancelled")
    )
    opened, record = SimpleNamespace(directory=None), SimpleNamespace(carries_on=False)
    update = Update(
        cast(Any, of),
        cast(Any, opened),
        good(),
        cast(Any, record),
        Patience(did.append),
        did.append,
    )
    asyncio.run(update._free(held))
    return did


def test_a_dead_runs_lock_on_files_is_removed() -> None:
    said, did = free("file:///somewhere", dead())
    assert "removing the lock of a dead run: aki@" in said
    assert did == "cancelled"


def test_on_a_shared_backend_a_dead_runs_lock_is_a_persons_to_remove() -> None:
    with pytest.raises(Refused) as refused:
        free("azblob://state", dead())
    assert "aki@" in refused.value.cause
    assert "`pulumi cancel --stack prod`" in refused.value.next_step


@pytest.mark.parametrize("backend_url", ["file:///somewhere", "azblob://state"])
def test_another_machines_lock_is_never_taken(backend_url: str) -> None:
    there = dataclasses.replace(dead(), host="elsewhere")
    with pytest.raises(Refused, match="aki@elsewhere"):
        free(backend_url, there)


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
    with pytest.raises(Refused, match="aki@build-7"):
        free("azblob://state", holder)


def test_words_that_name_nobody_name_nobody() -> None:
    assert lock.holders("[409] Conflict: Another update is currently in progress.") == ()
