"""What every test shares: the set-up, and the embedded tenant."""

import pytest

from tools import setup


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set up what the tests need, aloud, before the first one; workers find it done."""
    if not hasattr(session.config, "workerinput"):
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        setup.run(terminal.write_line if terminal else lambda _: None)
