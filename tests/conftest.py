"""What every test shares: the set-up, the embedded tenant, and a browser."""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import filelock
import hypothesis
import pytest

from proself_mail.cli import heed_ctrl_c
from proself_mail.stack import plugin
from tests import forked_python
from tests.browser import browser, visit
from tests.journey import Journey
from tests.tenant import Tenant
from tools import setup

__all__ = ["browser", "visit"]  # fixtures, found here by every test

# Tests start some thousand processes of Python, which would each compile anew what they import.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Its Go programs live for a second or two, in which collecting garbage is a tenth of what they
# cost, and end before they come near this much memory.
os.environ.setdefault("GOGC", "off")
os.environ.setdefault("GOMEMLIMIT", "512MiB")

# Commands inherit what whoever runs the tests in a shell's background has.
heed_ctrl_c()

# On a busy machine one example may take long for no reason of its own.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")


# Until all is imported and collected there is none to find: a sixth of what that takes.
gc.disable()


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of every later look for garbage."""
    gc.freeze()
    gc.enable()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Set up what the tests need, aloud, before the first one; workers find it done."""
    if not hasattr(session.config, "workerinput"):
        _put_aside_the_users_own(forked_python.share())
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        say = terminal.write_line if terminal else lambda _: None
        setup.run(say)
        with tempfile.TemporaryDirectory() as scratch:
            chosen = plugin.for_embedded(Path(scratch))
            kind = "stand-in for the real one" if chosen.is_stand_in else "the real one"
            say(f"azuread plugin: {kind}, {chosen.version}")


_THEIRS = ("ARM_", "AZURE_", "PULUMI_", "PYTHONPATH")


def _put_aside_the_users_own(folder: Path) -> None:
    """Have no test meet what whoever runs the tests has set, chosen or signed in to.

    Their plugins stay, in a Pulumi home in `folder`: one of them may be the real one.
    """
    plugins = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    for name in [each for each in os.environ if each.startswith(_THEIRS)]:
        del os.environ[name]
    home = folder / "pulumi"
    os.environ["PULUMI_HOME"] = str(home)
    if home.exists():  # a test runs these
        return
    home.mkdir()
    if plugins.is_dir() and sys.platform != "win32":
        (home / "plugins").symlink_to(plugins)


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    """An embedded tenant for a module's tests."""
    with Tenant() as running:
        yield running


@pytest.fixture
def journey(tenant: Tenant, tmp_path: Path) -> Journey:
    """A project folder of a test's own, whose stacks lead to that tenant."""
    return Journey(tenant, tmp_path)


@pytest.fixture
def mail_proof_port() -> Iterator[None]:
    """Have the port that a mail proof's sign-in comes back to: it is one for the whole machine."""
    with filelock.FileLock(Path(tempfile.gettempdir()) / "proself-mail-tests-mail-proof.lock"):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Have five workers for two cores: a journey often waits, for a tenant's time or a disk."""
    cores = yield
    return cores if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else 2 * cores + 1


_LONGEST = ("test_up", "test_rotate_refusals", "test_chaos", "test_standing", "test_rotate",
            "test_policy", "test_seeded_removal", "test_graph", "test_faq_refusals",
            "test_rehearse", "test_teardown", "test_teardown_kills", "test_refusals",
            "test_pipelines", "test_emulator_cli", "test_azuread_plugin_engine")  # fmt: skip
"""Files that take a worker half a minute or more: none should be what the last one ends with."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, then the journeys; the short fills the workers' last minute."""
    rooms = ("journeys", "infra")

    def turn(item: pytest.Item) -> tuple[int, bool]:
        name = item.path.stem
        place = _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)
        return place, not any(room in item.path.parts for room in rooms)

    items.sort(key=turn)


@pytest.fixture
def ignored() -> Iterator[Callable[..., None]]:
    """Have what the test starts ignore these signals alone, whatever the tests' own caller did."""
    numbers = [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGINT)]
    before = {each: signal.getsignal(each) for each in numbers}

    def ignore(*these: int) -> None:
        for each in numbers:
            heeded = signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL
            signal.signal(each, signal.SIG_IGN if each in these else heeded)

    yield ignore
    for each, handler in before.items():
        signal.signal(each, handler)
