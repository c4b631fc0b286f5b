"""Work that blocks, in a thread that nobody has to wait for.

`asyncio.to_thread` uses threads whose end the loop's own end waits for: whatever holds the work up
then holds Ctrl-C and a deadline up as well. Who stops waiting does not learn how the work ended,
and its process may end before it: it is for what starts no process, and leaves nothing half done
that has to be put right, as a question or one mail.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def started(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
    """Begin the work, and give what it will have returned or raised."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # who gives up waiting does not end it

    def do() -> None:
        try:
            future.set_result(work(*arguments, **named))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return future


async def run(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Do the work; who is cancelled meanwhile goes on at once."""
    return await asyncio.wrap_future(started(work, *arguments, **named))
