"""A policy that comes later: which secrets it concerns, and the way out that is told."""

import re
import shlex
from datetime import UTC, datetime, timedelta

import pytest

from proself_mail.config.lifetime import fitting, too_long, way_out
from proself_mail.schedule import SecretsEntry, format_instant, open_windows, parse_instant

DAY = timedelta(days=1)
T0 = datetime(2027, 4, 1, tzinfo=UTC)
LONG = SecretsEntry(T0, 150 * DAY, 30 * DAY)
FIRST = {"20270401T000000Z": T0 + 180 * DAY}


def followed(entries: list[SecretsEntry], told: str) -> list[SecretsEntry]:
    """Do to entries what the command does that is told."""
    [command] = re.findall(r"`(pulumi config set-all [^`]*)`", told)
    words = shlex.split(command)
    assert words[-2:] == ["--stack", "contoso.test"]
    values = dict(each.split("=") for each in words if each.startswith("secrets["))
    found = list(entries)
    for place in sorted({int(key[8 : key.index("]")]) for key in values}):
        of = {key.rpartition(".")[2]: v for key, v in values.items() if f"[{place}]" in key}
        revokes = of.get("revokesEarlier")
        entry = SecretsEntry(
            parse_instant(of["from"]),
            int(of["everyDays"]) * DAY,
            int(of["overlapDays"]) * DAY,
            revokes == "true" if revokes else place < len(found) and found[place].revokes_earlier,
        )
        found[place : place + 1] = [entry]
    return found


@pytest.mark.parametrize("days", [0, 149, 150, 200])
def test_only_what_is_to_be_made_has_to_keep_to_it(days: int) -> None:
    now = T0 + days * DAY
    found = too_long([LONG], FIRST, now, 30 * DAY)
    assert [w.starts for w in found] == ([T0 + 150 * DAY] if days >= 150 else [])


def test_what_is_left_of_a_window_is_what_counts() -> None:
    """A secret lives from when it is made."""
    assert too_long([LONG], (), T0 + 160 * DAY, 170 * DAY) == ()


@pytest.mark.parametrize("later", [[], [1], [1, 2]])
@pytest.mark.parametrize("revokes", [False, True])
def test_the_command_makes_the_entries_fit(later: list[int], revokes: bool) -> None:
    """Also where entries that fit were appended: the refused window stays open beside them."""
    now = T0 + 160 * DAY
    short = [SecretsEntry(T0 + (150 + n) * DAY, 20 * DAY, 10 * DAY) for n in later]
    entries = [SecretsEntry(T0 - 9 * DAY, DAY, 0 * DAY), LONG, *short]
    if revokes:
        entries[1] = SecretsEntry(T0, 150 * DAY, 30 * DAY, revokes_earlier=True)
    ends = FIRST | {w.id: w.expires for w in open_windows(entries, now) if w.entry > 1}
    told = way_out("contoso.test", entries, ends, now, 30 * DAY)
    found = followed(entries, told)
    assert tuple(found) == fitting(entries, ends, now, 30 * DAY)
    assert len(found) == len(entries) + 1
    assert too_long(found, ends, now, 30 * DAY) == ()
    assert "guess" not in told


def test_an_entry_that_has_made_nothing_is_changed_itself() -> None:
    leak = SecretsEntry(T0 + 10 * DAY, 150 * DAY, 30 * DAY, revokes_earlier=True)
    told = way_out("contoso.test", [LONG, leak], FIRST, leak.starts, 90 * DAY)
    assert f"secrets[1].from={format_instant(leak.starts)}" in told
    assert followed([LONG, leak], told) == [
        LONG,
        SecretsEntry(leak.starts, 60 * DAY, 30 * DAY, revokes_earlier=True),
    ]


def test_where_nobody_may_read_the_policy_it_is_a_guess_that_gets_smaller() -> None:
    now, entries = T0 + 150 * DAY, [LONG]
    for days in (30, 15, 7, 3, 1):
        told = way_out("contoso.test", entries, FIRST, now, None)
        assert f" {'1 day is' if days == 1 else f'{days} days are'} a guess" in told
        entries = followed(entries, told)
        assert open_windows(entries, now)[-1].expires == now + days * DAY
    assert "exempt this application" in way_out("contoso.test", entries, FIRST, now, None)


def test_no_command_is_told_that_a_live_secret_would_vanish_by() -> None:
    """Of two windows that one entry opened only the later one has its secret."""
    entry = SecretsEntry(T0, 20 * DAY, 19 * DAY)
    now = T0 + 22 * DAY
    ends = {w.id: w.expires for w in open_windows([entry], now)[1:]}
    assert "exempt this application" in way_out("contoso.test", [entry], ends, now, 5 * DAY)
