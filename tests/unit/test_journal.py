"""What an update leaves for the next one: since when, and whether readers may trail behind it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from proself_mail.errors import ConfigurationError
from proself_mail.files import private_file
from proself_mail.update import journal
from proself_mail.update.journal import Journal

STACK = UUID("6a1f0c2e-90b4-4f3a-8a1e-0c5c6d3f7a10")
BEGAN = datetime(2027, 4, 1, 12, tzinfo=UTC)


def begin(folder: Path, after: timedelta) -> Journal:
    return journal.begin(folder / "update.json", STACK, BEGAN + after, "as it was", "notes")


def test_readers_may_trail_behind_what_was_written_lately_and_nothing_else(tmp_path: Path) -> None:
    """An earlier update that wrote nothing is no reason to wait, nor one of an hour ago."""
    begin(tmp_path, timedelta())
    minute = timedelta(minutes=1)
    carried_on = begin(tmp_path, minute)
    assert (carried_on.carries_on, carried_on.began) == (True, BEGAN)
    assert not carried_on.wrote_lately(BEGAN + minute)
    carried_on.writing(BEGAN + minute, "as it was")  # and is killed
    for after, lately in ((2 * minute, True), (11 * minute, True), (61 * minute, False)):
        again = begin(tmp_path, after)
        assert again.carries_on
        assert again.wrote_lately(BEGAN + after) is lately, after
    again.end()
    assert not begin(tmp_path, 2 * minute).carries_on


def test_an_engine_that_began_nothing_is_forgotten(tmp_path: Path) -> None:
    opened = begin(tmp_path, timedelta())
    opened.writing(BEGAN, "as it was")
    opened.save()
    assert begin(tmp_path, timedelta()).wrote is None


def test_one_that_was_cut_short_more_than_a_week_ago_is_not_carried_on(tmp_path: Path) -> None:
    begin(tmp_path, timedelta())
    week = timedelta(days=7)
    assert begin(tmp_path, week).began == BEGAN
    anew = begin(tmp_path, week + timedelta(seconds=1))
    assert (anew.carries_on, anew.began) == (False, BEGAN + week + timedelta(seconds=1))


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 2000])
def test_one_that_cannot_be_read_is_not_carried_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "update.json").write_text(text, encoding="utf-8")
    assert not begin(tmp_path, timedelta()).carries_on


def test_one_of_another_stack_is_not_carried_on(tmp_path: Path) -> None:
    """As where a stack file got a UUID of its own: what that update made is not this stack's."""
    begin(tmp_path, timedelta())
    path, later, other = tmp_path / "update.json", BEGAN + timedelta(minutes=1), UUID(int=7)
    assert journal.opened(path, STACK, later).began == BEGAN
    assert journal.opened(path, other, later).began == later
    assert not journal.begin(path, other, later).carries_on


SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def test_what_was_made_while_no_engine_worked_is_somebody_elses(tmp_path: Path) -> None:
    """By a plain `pulumi up`, or on another machine, between a run and the one that goes on."""
    begin(tmp_path, timedelta()).writing(BEGAN + SECOND, "as it was")  # and is killed
    path = tmp_path / "update.json"
    again = journal.begin(path, STACK, BEGAN + 2 * DAY, "half made")
    for after, made in (
        (-SECOND, False),
        (timedelta(), True),
        (10 * MINUTE, True),
        (20 * MINUTE, False),
        (DAY, False),
        (2 * DAY, True),
    ):
        assert again.made(BEGAN + after) is made, after
    assert not again.made(None)
    again.writing(BEGAN + 2 * DAY + SECOND, "half made")  # and is killed as well
    third = journal.begin(path, STACK, BEGAN + 3 * DAY, "made")
    for after, made in (
        (10 * MINUTE, True),
        (DAY, False),
        (2 * DAY + 10 * MINUTE, True),
        (2 * DAY + 20 * MINUTE, False),
        (3 * DAY, True),
    ):
        assert third.made(BEGAN + after) is made, after


@pytest.mark.parametrize("state", ["as it was", "since"])
def test_one_that_wrote_nothing_made_nothing(tmp_path: Path, state: str) -> None:
    """It failed, and told to run a plain `pulumi up`, which may have made something since."""
    begin(tmp_path, timedelta())
    later = BEGAN + MINUTE
    again = journal.opened(tmp_path / "update.json", STACK, later, state)
    assert again.carries_on
    assert again.notes == "notes"
    assert again.made(later)
    assert not again.made(later - SECOND)


@pytest.mark.parametrize(("state", "made"), [("left so", True), ("since", False), ("", False)])
def test_nothing_is_carried_on_once_somebody_else_wrote_the_state(
    tmp_path: Path, state: str, made: bool
) -> None:
    opened = begin(tmp_path, timedelta()).writing(BEGAN, "as it was")
    opened.leaving(BEGAN + MINUTE, "left so")
    path = tmp_path / "update.json"
    again = journal.begin(path, STACK, BEGAN + DAY, state)
    assert again.made(BEGAN + SECOND) is made
    assert not again.made(BEGAN + 5 * MINUTE), "the engine had ended"
    # That one wrote nothing, and what it carried on ends likewise.
    assert journal.opened(path, STACK, BEGAN + 2 * DAY, state).made(BEGAN) is made
    assert not journal.opened(path, STACK, BEGAN + 2 * DAY, "much later").made(BEGAN)


@pytest.mark.parametrize(("after", "made"), [(10 * MINUTE, True), (DAY, False)])
def test_an_engine_that_wrote_no_state_made_nothing(
    tmp_path: Path, after: timedelta, made: bool
) -> None:
    """It notes in the state what it is about to make; within minutes it may be at work still."""
    begin(tmp_path, timedelta()).writing(BEGAN, "as it was")  # and is killed
    again = journal.opened(tmp_path / "update.json", STACK, BEGAN + after, "as it was")
    assert again.made(BEGAN + 5 * MINUTE) is made


def test_one_of_an_older_version_gives_its_notes_back(tmp_path: Path) -> None:
    (tmp_path / "update.json").write_text(
        json.dumps(
            {
                "stackId": str(STACK),
                "began": "2027-04-01T12:00:00Z",
                "notes": "older",
                "wrote": None,
            }
        )
    )
    again = journal.opened(tmp_path / "update.json", STACK, BEGAN + MINUTE)
    assert (again.began, again.notes) == (BEGAN, "older")


def test_an_engine_that_ended_where_nothing_can_be_noted_is_taken_for_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, which is what the engine failed by, and what is to be told."""

    def full(*_: object) -> None:
        raise ConfigurationError("No space left on device.", "Make room.")

    opened = begin(tmp_path, timedelta()).writing(BEGAN, "as it was")
    with monkeypatch.context() as patch:
        patch.setattr(private_file, "write", full)
        opened.leaving(BEGAN + MINUTE, "left so")
    again = journal.opened(tmp_path / "update.json", STACK, BEGAN + DAY, "left so")
    assert again.made(BEGAN + 5 * MINUTE)
