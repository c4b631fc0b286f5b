"""What every test shares: the set-up, the embedded tenant, and a browser."""

import pytest

from tests.browser import browser, visit
from tools import setup

__all__ = ["browser", "visit"]  # fixtures, found here by every test


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set up what the tests need, aloud, before the first one; workers find it done."""
    if not hasattr(session.config, "workerinput"):
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        setup.run(terminal.write_line if terminal else lambda _: None)
