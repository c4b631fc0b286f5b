"""What every test shares: the set-up, the embedded tenant, and a browser."""

import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from proself_mail import plugin
from tests.browser import browser, visit
from tools import setup

__all__ = ["browser", "visit"]  # fixtures, found here by every test

# Tests start some thousand processes of Python, which would each compile anew what they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Its Go programs live for a second or two, in which collecting garbage so often is a tenth of what
# they cost; memory is what there is enough of.
os.environ.setdefault("GOGC", "400")

# On a busy machine one example may take long for no reason of its own.
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set up what the tests need, aloud, before the first one; workers find it done."""
    if not hasattr(session.config, "workerinput"):
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        say = terminal.write_line if terminal else lambda _: None
        setup.run(say)
        with tempfile.TemporaryDirectory() as scratch:
            chosen = plugin.for_embedded(Path(scratch))
            kind = "stand-in for the real one" if chosen.is_stand_in else "the real one"
            say(f"azuread plugin: {kind}, {chosen.version}")


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Have three workers for two cores: a journey often waits, for a tenant's time or a disk."""
    cores = yield
    return cores if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else cores + cores // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the journeys, which take longest; what is short fills the workers' last minute."""
    rooms = ("journeys", "infra")
    items.sort(key=lambda item: not any(room in item.path.parts for room in rooms))
