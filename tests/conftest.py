"""What every test shares: the set-up, the embedded tenant, and a browser."""

import hypothesis
import pytest

from tests.browser import browser, visit
from tools import setup

__all__ = ["browser", "visit"]  # fixtures, found here by every test

# On a busy machine one example may take long for no reason of its own.
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set up what the tests need, aloud, before the first one; workers find it done."""
    if not hasattr(session.config, "workerinput"):
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        setup.run(terminal.write_line if terminal else lambda _: None)
