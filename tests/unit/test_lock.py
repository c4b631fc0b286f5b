"""Whose lock is taken away, waited for or left: by where the backend lies and who lives."""

import asyncio
import dataclasses
import socket
import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail.converge import Update
from proself_mail.errors import Refused
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
