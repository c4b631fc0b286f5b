"""What an update leaves for the next one: since when, and whether readers may trail behind it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from proself_mail.update import journal
from proself_mail.update.journal import Journal

STACK = UUID("6a1f0c2e-90b4-4f3a-8a1e-0c5c6d3f7a10")
BEGAN = datetime(2027, 4, 1, 12, tzinfo=UTC)


def begin(folder: Path, after: timedelta) -> Journal:
    return journal.begin(folder / "update.json", STACK, BEGAN + after, "notes")


def test_readers_may_trail_behind_what_was_written_lately_and_nothing_else(tmp_path: Path) -> None:
    """An earlier update that wrote nothing is no reason to wait, nor one of an hour ago."""
    begin(tmp_path, timedelta())
    minute = timedelta(minutes=1)
    carried_on = begin(tmp_path, minute)
    assert (carried_on.carries_on, carried_on.began) == (True, BEGAN)
    assert not carried_on.wrote_lately(BEGAN + minute)
    carried_on.writing(BEGAN + minute)  # and is killed
    for after, lately in ((2 * minute, True), (11 * minute, True), (61 * minute, False)):
        again = begin(tmp_path, after)
        assert again.carries_on
        assert again.wrote_lately(BEGAN + after) is lately, after
    again.end()
    assert not begin(tmp_path, 2 * minute).carries_on


def test_an_engine_that_began_nothing_is_forgotten(tmp_path: Path) -> None:
    opened = begin(tmp_path, timedelta())
    opened.writing(BEGAN)
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
    assert journal.began(path, STACK, later) == BEGAN
    assert journal.began(path, other, later) == later
    assert not journal.begin(path, other, later).carries_on
