"""A process that looks at a stack as often as it is told, as `proself-mail verify` does once.

Starting, importing and reading the state are paid for once, and the tenant is asked anew each time.
A process of its own, for aiohttp trusts for ever what SSL_CERT_FILE named when it was imported.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from proself_mail.entra import session
from proself_mail.verification import verify, verify_report
from tests.journey import Journey

Look = Callable[..., dict[str, Any]]
"""`look(environment, **settings)`: look with these in the place of the stack's own.

Returns the report on the stack that `verify --json` would print.
"""


@contextmanager
def looking(journey: Journey, stack: str) -> Iterator[Look]:
    """Read a stack and wait to be told to look; the process ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.looking", stack, str(journey.folder)],
        cwd=Path(__file__).resolve().parents[1],
        env=journey.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:

        def look(environment: dict[str, str] | None = None, **settings: object) -> dict[str, Any]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps([environment or {}, settings]) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, "the process that looks has ended"
            [found] = json.loads(answer)["stacks"]
            return dict(found)

        yield look


async def _look_as_told(stack: str, project: Path) -> None:
    known = await verify.read(stack, project)
    while line := await asyncio.to_thread(sys.stdin.readline):
        environment, changed = json.loads(line)
        before = dict(os.environ)
        os.environ.update(environment)
        settings = known.settings.model_copy(update=changed)
        async with session.sign_in(settings.target, str(settings.tenant_id)) as opened:
            found = await verify.look(stack, replace(known, settings=settings), opened)
        os.environ.clear()
        os.environ.update(before)
        report = json.loads(verify_report.to_json({stack: found}, found.exit_code))
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_look_as_told(sys.argv[1], Path(sys.argv[2])))
