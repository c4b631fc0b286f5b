"""What becomes of the stack file where an early rotation comes to nothing."""

import asyncio
import errno
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail import rotate
from proself_mail.engine import Engine
from proself_mail.errors import RemoteError
from proself_mail.rotate import Append
from tests.unit.test_settings import good

AS_IT_WAS = b"config:\n  proself-mail:server: proself.example.jp\n"


def came_to_nothing(
    monkeypatch: pytest.MonkeyPatch, file: Path, written: bytes | None
) -> list[str]:
    """Append an entry, which Pulumi refuses after it has written so much; return what is said."""
    file.write_bytes(AS_IT_WAS)
    file.chmod(0o640)

    def configure(_: object) -> None:
        if written is not None:
            file.write_bytes(written)
        raise RemoteError("It may not be written.", "Let it.")

    async def nothing(*_: object) -> bool:
        return True

    monkeypatch.setattr(rotate, "_came_to_nothing", nothing)
    stack = SimpleNamespace(
        file=file, file_shown=file.name, configure=configure, engine=Engine(), name="prod"
    )
    settings = good(secrets=[{"from": datetime.now(UTC), "everyDays": 150, "overlapDays": 30}])
    at = cast(Any, SimpleNamespace(stack=stack, settings=settings))
    said: list[str] = []
    with pytest.raises(RemoteError, match="It may not be written"):
        asyncio.run(rotate._append(at, cast(Any, None), Append.NOW, said.append))
    return said


def test_what_was_not_changed_is_not_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a file system that may only be read."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    said = came_to_nothing(monkeypatch, tmp_path / "Pulumi.prod.yaml", None)
    assert said == ["Pulumi.prod.yaml is as it was: no secret was made"]
    said = came_to_nothing(monkeypatch, tmp_path / "Pulumi.prod.yaml", b"config:")
    assert said == [
        "Pulumi.prod.yaml cannot be put back (Read-only file system): take its last entry of "
        "`secrets` out, for no secret was made"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes")
def test_what_was_changed_is_put_back_whole_with_its_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    linked = tmp_path / "linked" / "Pulumi.prod.yaml"
    linked.parent.mkdir()
    linked.touch()
    file = tmp_path / "Pulumi.prod.yaml"
    file.symlink_to(linked)
    came_to_nothing(monkeypatch, file, b"")
    assert linked.read_bytes() == AS_IT_WAS
    assert file.is_symlink()
    assert linked.stat().st_mode & 0o777 == 0o640
    assert [*linked.parent.iterdir()] == [linked]
