"""The stamp decides what is ours; a damaged one is nobody's."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp, read, stack_tag

ID = UUID("0f0e0d0c-2222-3333-4444-555555555555")
END = datetime(2027, 4, 1, tzinfo=UTC)
TAGS = Stamp(ID, Environment.TEST, END).tags()


@given(
    st.uuids(),
    st.sampled_from(Environment),
    st.none() | st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.randoms(),
)
def test_it_comes_back_from_its_tags_in_any_order(
    stack_id: UUID, environment: Environment, end: datetime | None, random: "object"
) -> None:
    stamp = Stamp(stack_id, environment, end.replace(microsecond=0) if end else None)
    tags = [*stamp.tags(), "someone else's tag"]
    random.shuffle(tags)  # type: ignore[attr-defined]
    assert read(tags) == stamp


@pytest.mark.parametrize(
    "tags",
    [
        [],
        ["proself-mail"],
        [tag for tag in TAGS if "stack=" not in tag],
        [tag for tag in TAGS if "environment=" not in tag],
        [*TAGS, stack_tag(UUID(int=1))],
        [tag.replace("test", "staging") for tag in TAGS],
        [tag.replace("2027", "later") for tag in TAGS],
        [tag.replace("0f0e", "zzzz") for tag in TAGS],
        [tag.upper() for tag in TAGS],
    ],
)
def test_without_a_whole_stamp_it_is_not_ours(tags: list[str]) -> None:
    assert read(tags) is None


def test_tags_fit_into_entra() -> None:
    """Entra keeps tags of up to 256 characters."""
    assert max(map(len, TAGS)) <= 256
