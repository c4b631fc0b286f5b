"""Work that hangs in a thread: neither its caller nor the process waits for it."""

import subprocess
import sys

GIVING_UP = """
import asyncio, time
from proself_mail.entra import daemon_thread

async def give_up():
    async with asyncio.timeout(0.1):
        await daemon_thread.run(time.sleep, 60)

try:
    asyncio.run(give_up())
except TimeoutError:
    print("given up")
"""


def test_a_process_ends_though_work_hangs() -> None:
    command = [sys.executable, "-c", GIVING_UP]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert ended.stdout == "given up\n"
