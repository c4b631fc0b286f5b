"""The open windows, over years of random schedules and run times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from proself_mail.quantity import format_minutes
from proself_mail.schedule import (
    SecretsEntry,
    Window,
    format_instant,
    in_order,
    lost_entries,
    most_open,
    open_windows,
    opens_soon,
    parse_instant,
    revoked_windows,
    shortened,
    vanishing,
    window_id,
)

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
T0 = datetime(2027, 4, 1, tzinfo=UTC)


def entry(
    starts: datetime, every: int = 150, overlap: int = 30, *, revokes: bool = False
) -> SecretsEntry:
    return SecretsEntry(starts, every * DAY, overlap * DAY, revokes)


@st.composite
def histories(draw: st.DrawFn) -> list[SecretsEntry]:
    """Append-only lists of entries, months or minutes apart."""
    starts, entries = T0, []
    for _ in range(draw(st.integers(1, 5))):
        every = draw(st.integers(1, 400))
        overlap = draw(st.integers(0, every - 1))
        entries.append(entry(starts, every, overlap, revokes=draw(st.booleans())))
        starts += timedelta(minutes=draw(st.integers(1, 60 * 24 * 500)))
    return entries


instants = st.timedeltas(timedelta(0), timedelta(days=365 * 6)).map(lambda after: T0 + after)


def expected(entries: list[SecretsEntry], now: datetime) -> list[tuple[datetime, datetime, int]]:
    """Say it as the definition does, slowly: every window ever opened, then those left."""
    begun = [place for place, e in enumerate(entries) if e.starts <= now]
    found = []
    for place in begun:
        e, number = entries[place], 0
        until = entries[place + 1].starts if place + 1 in begun else now + timedelta(microseconds=1)
        while (starts := e.starts + number * e.every) < until:
            expires = starts + e.every + e.overlap
            revoked = any(entries[later].revokes_earlier for later in begun if later > place)
            if starts <= now < expires and not revoked:
                found.append((starts, expires, place))
            number += 1
    return found


@given(histories(), instants)
def test_the_open_windows_are_those_of_the_definition(
    entries: list[SecretsEntry], now: datetime
) -> None:
    found = open_windows(entries, now)
    assert [(w.starts, w.expires, w.entry) for w in found] == expected(entries, now)


@given(histories(), instants)
def test_there_is_always_a_valid_secret_and_one_newest(
    entries: list[SecretsEntry], now: datetime
) -> None:
    found = open_windows(entries, now)
    assert found
    assert [w.newest for w in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].starts == max(w.starts for w in found)
    assert len({w.id for w in found}) == len(found)


@given(histories(), instants, instants)
def test_the_expiry_of_a_window_never_changes(
    entries: list[SecretsEntry], one: datetime, other: datetime
) -> None:
    early, late = (
        {w.id: w.expires for w in open_windows(entries, now)} for now in sorted((one, other))
    )
    assert all(late[window] == early[window] for window in early.keys() & late.keys())


@given(histories(), instants, st.integers(1, 400))
def test_appending_an_entry_closes_nothing_unless_it_revokes(
    entries: list[SecretsEntry], now: datetime, every: int
) -> None:
    before = {w.id for w in open_windows(entries, now)}
    appended = max(now, entries[-1].starts + timedelta(seconds=1))
    keeping = open_windows([*entries, entry(appended, every, 0)], appended)
    revoking = open_windows([*entries, entry(appended, every, 0, revokes=True)], appended)
    still = {w.id for w in open_windows(entries, appended)}
    assert {w.id for w in keeping} >= before & still
    assert [w.starts for w in revoking] == [appended]


@given(histories(), st.data())
def test_a_run_once_per_overlap_always_finds_a_secret_that_the_last_run_made(
    entries: list[SecretsEntry], data: st.DataObject
) -> None:
    """Who pastes what a run offers can sign in until the next run, if it comes in the overlap."""
    one = data.draw(instants)
    newest = open_windows(entries, one)[-1]
    overlap = entries[newest.entry].overlap
    step = data.draw(st.timedeltas(timedelta(0), overlap))
    later = one + step
    revoked = any(e.revokes_earlier and one < e.starts <= later for e in entries)
    if not revoked and later < newest.starts + entries[newest.entry].every + overlap:
        assert newest.id in {w.id for w in open_windows(entries, later)}


@given(histories(), st.data())
def test_years_of_runs_make_one_secret_a_window_and_leave_no_gap(
    entries: list[SecretsEntry], data: st.DataObject
) -> None:
    """As long as a run comes once per overlap, some secret that a run made is valid."""
    now, made = T0, {w.id: w.expires for w in open_windows(entries, T0)}
    starts = {w.starts for w in open_windows(entries, T0)}
    for _ in range(25):
        newest = open_windows(entries, now)[-1]
        lengths = entries[newest.entry]
        ends = newest.starts + lengths.every  # without an overlap a run has to come just then
        step = data.draw(st.timedeltas(timedelta(0), lengths.overlap))
        later = now + step if lengths.overlap else ends
        for at in (now, later - timedelta(microseconds=1)):
            assert any(at < expires for expires in made.values())
        now = later
        for window in open_windows(entries, now):
            if window.id not in made:
                assert window.starts not in starts, "a second secret for one window"
                starts.add(window.starts)
                made[window.id] = window.expires
            assert made[window.id] == window.expires


def test_two_secrets_overlap_and_the_older_ends_with_its_own_window() -> None:
    entries = [entry(T0)]
    assert [w.id for w in open_windows(entries, T0)] == ["20270401T000000Z"]
    second = T0 + 150 * DAY
    assert [w.starts for w in open_windows(entries, second - timedelta(seconds=1))] == [T0]
    assert [w.starts for w in open_windows(entries, second)] == [T0, second]
    assert [w.starts for w in open_windows(entries, T0 + 180 * DAY)] == [second]


def test_three_are_open_only_after_an_early_rotation() -> None:
    now = T0 + 160 * DAY
    assert len(open_windows([entry(T0), entry(now)], now)) == 3


@given(histories(), st.integers(1, 400), st.data())
def test_the_most_that_are_ever_open_is_known_beforehand(
    entries: list[SecretsEntry], days: int, data: st.DataObject
) -> None:
    """From an appended entry on, until everything that was there before has run out twice over."""
    added = entry(entries[-1].starts + days * DAY, data.draw(st.integers(2, 400)), 1)
    opened = [window.id for window in open_windows(entries, added.starts)]
    gone = data.draw(st.sets(st.sampled_from(opened))) if opened else set[str]()
    most = most_open([*entries, added], gone)
    sampled = st.lists(st.integers(0, 365 * 4), min_size=20, max_size=20)
    found = [
        sum(
            window.id not in gone
            for window in open_windows([*entries, added], added.starts + after * DAY)
        )
        for after in data.draw(sampled)
    ]
    assert max(found) <= most <= most_open([*entries, added])


def test_a_window_whose_secret_is_gone_leaves_room() -> None:
    entries = [entry(T0 + days * DAY) for days in (0, 10, 20)]
    gone = {window.id for window in open_windows(entries[:2], T0 + 15 * DAY)}
    most = [most_open(entries, sorted(gone)[:removed]) for removed in range(3)]
    assert most == [4, 3, 2]


def test_what_a_new_entry_opens_counts_though_one_of_its_name_is_gone() -> None:
    """A window of the entry before begins at the same instant, and so has the same name."""
    entries = [entry(T0, 1, 0), entry(T0 + DAY, 2, 1)]
    assert most_open(entries, {window_id(T0 + DAY)}) == 2


@given(histories(), instants)
def test_what_leaked_and_what_stands_is_all_that_would_be_open(
    entries: list[SecretsEntry], now: datetime
) -> None:
    unrevoked = [replace(each, revokes_earlier=False) for each in entries]
    standing, leaked = open_windows(entries, now), revoked_windows(entries, now)
    assert {w.id for w in (*standing, *leaked)} == {w.id for w in open_windows(unrevoked, now)}
    assert not {w.id for w in standing} & {w.id for w in leaked}
    assert bool(leaked) <= any(each.revokes_earlier for each in entries)


@given(histories(), instants, instants)
def test_nothing_vanishes_while_entries_are_only_appended(
    entries: list[SecretsEntry], one: datetime, other: datetime
) -> None:
    made, now = sorted((one, other))
    known = [each for each in entries if each.starts <= made]
    ends = {w.id: w.expires for w in open_windows(known, made)}
    assert vanishing(ends, entries, now) == ()


@given(histories(), instants, st.integers(0, 2 * 300))
def test_what_a_clock_that_is_ahead_made_is_opened_soon(
    entries: list[SecretsEntry], now: datetime, ahead: int
) -> None:
    made = now + timedelta(seconds=ahead)
    ends = {w.id: w.expires for w in open_windows(entries, made)}
    opens = opens_soon(ends, entries, now)
    assert (opens is not None) is bool(vanishing(ends, entries, now))
    assert opens is None or now < opens <= made
    assert opens is None or vanishing(ends, entries, opens) == ()


def test_what_no_tolerated_clock_made_is_not() -> None:
    entries, second = [entry(T0)], T0 + 150 * DAY
    ends = {w.id: w.expires for w in open_windows(entries, second)}
    assert opens_soon(ends, entries, second - timedelta(seconds=600)) == second
    assert opens_soon(ends, entries, second - timedelta(seconds=601)) is None
    gone = {"20270402T000000Z": second + DAY}
    assert opens_soon(ends | gone, entries, second - timedelta(seconds=60)) is None


@given(histories(), instants)
@example([entry(T0, 2, 0), entry(T0 + 250 * DAY, 2, 0)], T0 + 250 * DAY)
def test_a_live_secret_whose_entry_is_gone_or_edited_is_told(
    entries: list[SecretsEntry], now: datetime
) -> None:
    newest = open_windows(entries, now)[-1]
    ends = {newest.id: newest.expires}
    without = [each for place, each in enumerate(entries) if place != newest.entry]
    longer = [
        replace(each, overlap=each.overlap + timedelta(seconds=1))
        if place == newest.entry
        else each
        for place, each in enumerate(entries)
    ]
    # The entry before may go on with the very same window.
    goes_on = (newest.starts, newest.expires) in [found[:2] for found in expected(without, now)]
    assert vanishing(ends, without, now) == (() if goes_on else (newest.id,))
    assert vanishing(ends, longer, now) == (newest.id,)


@given(histories(), instants, st.integers(1, 400))
def test_a_refused_window_ends_sooner_and_nothing_that_lives_vanishes(
    entries: list[SecretsEntry], now: datetime, days: int
) -> None:
    """Whatever windows were made before the first that is refused: a policy came in between."""
    found = open_windows(entries, now)
    refused = next((w for w in found if w.expires - w.starts > days * DAY), None)
    assume(refused is not None)
    assert refused is not None
    lives = [w for w in found if w.entry != refused.entry or w.starts < refused.starts]
    ends = {w.id: w.expires for w in lives}
    changed = shortened(entries, refused, days * DAY)
    starts = [each.starts for each in changed]
    assert starts == sorted(set(starts))
    assert all(timedelta(0) <= each.overlap < each.every for each in changed)
    for later in (now, now + days * DAY, now + 500 * DAY):
        assert vanishing(ends, changed, later) == ()
    new = [w for w in open_windows(changed, now) if w.id not in ends]
    assert all(w.expires - w.starts <= days * DAY for w in new)
    assert open_windows(changed, now)[-1].newest


def test_nothing_is_open_before_the_first_entry_begins() -> None:
    """Today's date in Japan before 09:00 is still tomorrow in UTC."""
    tokyo = timezone(timedelta(hours=9))
    now = datetime(2027, 4, 1, 8, 30, tzinfo=tokyo)
    assert open_windows([entry(T0)], now) == ()
    in_tokyo = entry(parse_instant("2027-04-01T00:00:00+09:00"))
    assert open_windows([in_tokyo], now)[-1].id == "20270331T150000Z"


def test_a_leap_day_is_a_day() -> None:
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    window = open_windows([entry(leap, 365, 1)], leap)[0]
    assert format_instant(window.expires) == "2029-03-01T12:00:00Z"


@pytest.mark.parametrize("text", ["2027-04-01", "2027-04-01T00:00:00", "tomorrow", "", "20270401T"])
def test_an_instant_needs_a_zone(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_instant(text)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_an_instant_has_one_spelling(instant: datetime) -> None:
    text = format_instant(instant)
    assert format_instant(parse_instant(text)) == text
    assert abs(parse_instant(text) - instant) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seconds", "written"), [(30, "0.5 minutes"), (60, "1 minute"), (300, "5 minutes")]
)
def test_one_minute_is_singular(seconds: int, written: str) -> None:
    assert format_minutes(timedelta(seconds=seconds)) == written


def test_a_window_is_named_by_its_start() -> None:
    assert Window(T0, T0 + DAY, 0, newest=True).id == "20270401T000000Z"


gaps = st.integers(1, 60 * 24 * 300).map(lambda minutes: timedelta(minutes=minutes))
lost = st.lists(st.tuples(gaps, st.booleans()), min_size=1, max_size=4)


@given(histories(), instants, lost, st.integers(0, 60 * 24 * 400))
@example([entry(T0, 2, 0), entry(T0 + MINUTE, 1, 0)], T0, [(2 * MINUTE, False)], 60 * 24).via(
    "one whose first window is closed by now"
)
@example([entry(T0)], T0, [(150 * DAY, True), (DAY, False)], 0).via(
    "a revocation whose window the entry before would have opened"
)
@example([entry(T0)], T0, [(20 * DAY, False), (130 * DAY, False)], 0).via(
    "two, the later at an instant of the entry before"
)
def test_lost_entries_are_found_from_what_was_made(
    entries: list[SecretsEntry],
    began: datetime,
    lost: list[tuple[timedelta, bool]],
    since: int,
) -> None:
    """Of early rotations and revocations; whatever they say, the same secrets are to exist."""
    last = entries[-1]
    starts, appended = max(began, last.starts), list(entries)
    for after, revokes in lost:
        starts += after
        appended.append(replace(last, starts=starts, revokes_earlier=revokes))
    now = starts + timedelta(minutes=since)
    ends = {each.id: each.expires for each in open_windows(appended, now)}
    assume(vanishing(ends, entries, now))
    planned = [*entries, entry(now + DAY)]
    found = lost_entries(ends, planned, now)
    assert 0 < len(found) <= len(lost)
    assert found == lost_entries(ends, entries, now)
    again = open_windows(in_order([*planned, *found]), now)
    assert {each.id: each.expires for each in again} == ends
    needed = {each.id for each in open_windows([*entries, *_unrevoking(appended, entries)], now)}
    assert any(each.revokes_earlier for each in found) <= (needed != ends.keys())


def _unrevoking(appended: list[SecretsEntry], entries: list[SecretsEntry]) -> list[SecretsEntry]:
    return [replace(each, revokes_earlier=False) for each in appended[len(entries) :]]


def test_no_revocation_is_proposed_that_would_take_a_live_secret_away() -> None:
    """Somebody took the one of the second entry out of the state."""
    entries = [entry(T0, 400, 30), entry(T0 + 100 * DAY, 10, 2)]
    early, now = T0 + 105 * DAY, T0 + 106 * DAY
    ends = {window_id(T0): T0 + 430 * DAY, window_id(early): early + 12 * DAY}
    assert not lost_entries(ends, entries, now)
    del ends[window_id(T0)]
    [found] = lost_entries(ends, entries, now)
    assert found == entry(early, 10, 2, revokes=True)


def test_what_no_lost_entries_explain_is_left_to_people() -> None:
    now = T0 + 20 * DAY
    ends = {each.id: each.expires for each in open_windows([entry(T0)], now)}
    assert not lost_entries(ends, [entry(T0)], now), "nothing vanishes"
    assert not lost_entries(ends, [entry(T0, overlap=31)], now)
    assert not lost_entries(ends, [entry(T0 + DAY)], now)
