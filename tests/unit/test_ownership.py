"""What is ours: nothing but a whole stamp of a test stack, whatever else an object bears."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import ApplicationRecord, PasswordRecord
from proself_mail.entra.ledger import Ledger
from proself_mail.removal.ownership import Due, OfStack, foreign_secrets, of_production

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OURS = UUID(int=1)

instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)
stamps = st.builds(
    Stamp,
    st.integers(0, 3).map(lambda number: UUID(int=number)),
    st.sampled_from(Environment),
    st.none() | instants,
)
noise = st.lists(st.text(max_size=20) | st.sampled_from(["proself-mail", "Proself mail"]))


@given(stamps, noise)
def test_a_stack_owns_what_bears_its_whole_test_stamp(found: Stamp, others: list[str]) -> None:
    verdict = OfStack(OURS).verdict([*others, *found.tags()], None)
    assert verdict.ours == (found.stack_id == OURS and found.environment is Environment.TEST)


@given(stamps, st.data())
def test_a_stamp_that_lacks_a_part_is_nobodys(found: Stamp, data: st.DataObject) -> None:
    tags = found.tags()[:3]
    tags.remove(data.draw(st.sampled_from(tags)))
    assert not OfStack(found.stack_id).verdict(tags, None).ours
    assert not Due(NOW).verdict(tags, NOW).ours


@given(stamps, stamps)
def test_two_stamps_are_nobodys(one: Stamp, other: Stamp) -> None:
    tags = [*one.tags(), *other.tags()]
    assert not OfStack(one.stack_id).verdict(tags, None).ours
    assert not Due(NOW).verdict(tags, NOW).ours


@given(stamps, st.sampled_from([str.upper, str.title, lambda tag: f" {tag}", lambda t: f"{t} "]))
def test_a_stamp_in_other_letters_is_nobodys(found: Stamp, change: object) -> None:
    assert callable(change)
    tags: Sequence[str] = [change(tag) for tag in found.tags()]
    assert not OfStack(found.stack_id).verdict(tags, None).ours
    assert not Due(NOW).verdict(tags, NOW).ours


@given(stamps, st.none() | instants, st.none() | st.timedeltas(timedelta(minutes=1)))
def test_due_is_what_is_for_tests_past_its_end_and_old_enough(
    found: Stamp, created: datetime | None, older_than: timedelta | None
) -> None:
    verdict = Due(NOW, older_than).verdict(found.tags(), created)
    old_enough = older_than is None or (created is not None and NOW - created >= older_than)
    assert verdict.ours == (
        found.environment is Environment.TEST
        and found.delete_after is not None
        and found.delete_after <= NOW
        and old_enough
    )
    other = frozenset({UUID(int=9)})
    assert not Due(NOW, older_than, other).verdict(found.tags(), created).ours


def test_the_first_secret_of_an_application_that_was_replaced_is_ours() -> None:
    """The state knows the keys of another, which stands for it now; of its own it knows none."""
    first = PasswordRecord("k1", "Proself SMTP OAuth 2026-11-24", NOW, NOW)
    added = PasswordRecord("k2", "by hand", NOW, NOW)
    old = ApplicationRecord("o", "c", "", NOW, (), "", (), (), 2, {}, (first, added))
    assert foreign_secrets(old, {"20261124T000000Z": "k3"}) == (added,)
    assert foreign_secrets(old, {"20261124T000000Z": "k2"}) == (first,)


@pytest.mark.parametrize(
    ("after", "ours"),
    [
        (timedelta(seconds=-1), False),
        (timedelta(), True),
        (timedelta(minutes=10), True),
        (timedelta(minutes=10, seconds=1), False),
        (None, False),
    ],
)
def test_without_a_state_it_is_ours_where_it_came_into_being_with_its_application(
    after: timedelta | None, ours: bool
) -> None:
    starts = None if after is None else NOW + after
    secret = PasswordRecord("k1", "Proself SMTP OAuth 2026-11-24", starts, NOW)
    lost = ApplicationRecord("o", "c", "", NOW, (), "", (), (), 2, {}, (secret,))
    assert foreign_secrets(lost, {}) == (() if ours else (secret,))


@pytest.mark.parametrize("notes", ["proself-mail: {", Ledger({str(UUID(int=3)): "w"}).into("")])
def test_it_is_not_where_the_notes_tell_of_others_or_did(notes: str) -> None:
    secret = PasswordRecord("k1", "Proself SMTP OAuth 2026-11-24", NOW, NOW)
    noted = ApplicationRecord("o", "c", "", NOW, (), "", (), (), 2, {}, (secret,), notes)
    assert foreign_secrets(noted, {}) == (secret,)


def test_of_two_that_may_each_be_the_first_neither_is_ours() -> None:
    two = tuple(
        PasswordRecord(f"k{n}", "Proself SMTP OAuth 2026-11-24", NOW, NOW) for n in range(2)
    )
    lost = ApplicationRecord("o", "c", "", NOW, (), "", (), (), 2, {}, two)
    assert foreign_secrets(lost, {}) == two


@given(stamps, noise)
def test_a_claim_for_production_is_seen_beside_any_other(found: Stamp, others: list[str]) -> None:
    claim = "proself-mail:environment=production"
    assert of_production([*others, *found.tags(), claim], found.stack_id)
