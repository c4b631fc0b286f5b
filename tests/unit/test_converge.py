"""What an update that fails gives back, and after which failures it goes on no more."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proself_mail.entra.directory import ApplicationRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.entra.patience import Patience
from proself_mail.errors import RemoteError
from proself_mail.stack.engine import Engine
from proself_mail.stack.failure import classify
from proself_mail.stack.observed import Observed
from proself_mail.stack.state import APPLICATION, SECRET_KIND, Resource, State
from proself_mail.update import journal
from proself_mail.update.converge import Update
from proself_mail.update.lasting_failures import LastingFailures
from proself_mail.update.stack_session import StackSession
from tests.unit.test_settings import good

KEY = "11111111-1111-4111-8111-111111111111"
NOTES = Ledger({KEY: "20270401T000000Z"}, pasted=KEY).into("Ask Aki before you delete it.")


class Blanked:
    """A directory of one application, whose notes the engine has just blanked."""

    def __init__(self) -> None:
        self.notes = ""

    async def application(self, object_id: str) -> ApplicationRecord:
        now = datetime.now(UTC)
        return ApplicationRecord(object_id, "", "", now, (), "", (), (), 2, {}, (), self.notes)

    async def set_notes(self, _: str, notes: str) -> None:
        self.notes = notes


@pytest.mark.parametrize(
    ("failures", "told"),
    [
        ([], "503"),
        (["unexpected status 503"], "503"),
        (["unexpected status 503", "write /x.json.tmp: no space left on device"], "no room left"),
    ],
)
def test_notes_are_given_back_though_the_state_cannot_be_read_after_the_engine(
    tmp_path: Path, failures: list[str], told: str
) -> None:
    """The journal holds them too, and goes with a pipeline's runner."""

    async def updating(*_: object) -> Observed:
        failed = [classify(words) for words in failures]
        return Observed(failed, changes={"update": 1}, touched={SECRET_KIND})

    def unread() -> State:
        raise RemoteError("The backend answered 503.", "Try again.")

    stack = SimpleNamespace(
        name="prod", backend_folder=None, engine=Engine(), updating=updating, state=unread
    )
    directory = Blanked()
    opened = SimpleNamespace(directory=directory, tenant_now=lambda: datetime.now(UTC))
    settings = good()
    record = journal.begin(
        tmp_path / "update.json", settings.stack_id, datetime.now(UTC), notes=NOTES
    )
    patience = Patience(lambda _: None)
    application = Resource(APPLICATION, "/applications/of-the-stack", {})
    before = State({APPLICATION: application}, (), (), {})
    at = StackSession(cast(Any, stack), settings, before, cast(Any, opened))
    update = Update(at, record, patience, lambda _: None, leaves_drift=False)
    with pytest.raises(RemoteError, match=told):
        asyncio.run(update.run([]))
    assert "Ask Aki before you delete it." in directory.notes
    assert Ledger.read(directory.notes).pasted == KEY


def test_a_program_that_is_killed_each_time_is_told_of() -> None:
    """As by a machine without memory to run it: going on till the deadline mends nothing."""
    words = "an unhandled error occurred: program exited with non-zero exit code: -1"
    killed, lost = classify(words), classify("connection reset by peer")
    lasting = LastingFailures("prod", good())
    for failures in ([killed], [killed], [lost], [killed], [killed]):
        lasting.check_run(failures)
    with pytest.raises(RemoteError, match="is killed each time that it runs") as told:
        lasting.check_run([killed])
    assert "memory" in told.value.next_step
