"""How the time that something takes grows with what it is given."""

import time
from collections.abc import Callable


def assert_linear(work: Callable[[str], object], few: str, many: str) -> None:
    """Assert that `many`, which is four times as long as `few`, takes no sixteen times as long.

    By this thread's own time on the processor, for which others on the machine do not count.
    """
    first, second = (_seconds(work, each) for each in (few, many))
    assert second < 8 * first + 0.3, f"{first:.2f} s, of four times as much {second:.2f} s"


def _seconds(work: Callable[[str], object], argument: str) -> float:
    began = time.thread_time()
    work(argument)
    return time.thread_time() - began
