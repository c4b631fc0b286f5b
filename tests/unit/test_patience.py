"""How long an update waits, for what, and what it does not wait for."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proself_mail.entra.directory import DirectoryError, Forbidden, NotFound
from proself_mail.entra.patience import SETTLING, Patience
from proself_mail.errors import NoAnswerYet
from proself_mail.stack.failure import Failure, Kind
from tests.jumping import run

PASSING = sorted(kind for kind in Kind if kind.passes)


def waits(kinds: Sequence[Kind]) -> list[float]:
    """Return the seconds that are waited after runs of the engine that failed so."""

    async def live() -> list[float]:
        patience, clock = Patience(lambda _: None), asyncio.get_running_loop()
        found = []
        for kind in kinds:
            began = clock.time()
            await patience.after(Failure(kind, "x"))
            found.append(clock.time() - began)
        return found

    return run(live)


def asked(*answers: DirectoryError | str) -> tuple[str, float, list[str]]:
    """Ask a directory that answers so, one after the other; return answer, seconds, words."""
    left, said = list(answers), list[str]()

    async def ask() -> str:
        answer = left.pop(0)
        if isinstance(answer, str):
            return answer
        raise answer

    async def live() -> tuple[str, float]:
        clock = asyncio.get_running_loop()
        began = clock.time()
        found = await Patience(said.append).told(ask)
        return found, clock.time() - began

    return (*run(live), said)


def error(status: int | None, retry_after: float = 0) -> DirectoryError:
    made = DirectoryError(status, "code", "message")
    made.retry_after = timedelta(seconds=retry_after)
    return made


@given(st.lists(st.sampled_from(PASSING), max_size=12))
def test_no_wait_is_longer_than_a_quarter_of_a_minute(kinds: list[Kind]) -> None:
    assert all(0 <= seconds <= 15 for seconds in waits(kinds))


def test_a_tenant_without_time_is_left_alone_longer_each_time() -> None:
    found = waits([Kind.BUSY] * 8)
    assert 0.75 <= found[0] <= 1.5
    assert 7.5 <= found[-1] <= 15
    assert waits([Kind.BUSY] * 8) != found, "without a jitter all come back at once"


@pytest.mark.parametrize("kind", [Kind.LAG, Kind.EXISTS, Kind.LOST])
def test_what_trails_is_read_at_once(kind: Kind) -> None:
    assert waits([kind] * 3) == [0, 0, 0]


def test_what_is_waited_for_is_said_once_and_again_after_a_minute() -> None:
    said: list[str] = []
    patience = Patience(said.append)

    async def wait() -> None:
        for _ in range(50):  # two proofs side by side
            for what in ("Entra", "Entra", "the connection"):
                patience.wait_for(what)
            await asyncio.sleep(0.5)
        assert patience.waited_for == " It waited for the connection."
        await asyncio.sleep(60)
        patience.wait_for("the connection")
        patience.wait_for("Entra")

    run(wait)
    assert said == ["waiting for Entra …", "waiting for the connection …", "waiting for Entra …"]


@given(st.lists(st.sampled_from([None, 409, 429, 500, 502, 503, 504]), max_size=20))
def test_a_directory_is_asked_until_it_answers(statuses: list[int | None]) -> None:
    answer, seconds, said = asked(*map(error, statuses), "here")
    assert answer == "here"
    assert 0.5 * len(statuses) <= seconds <= 1.5 * len(statuses)
    assert bool(said) == bool(statuses)


@given(st.floats(1, 300), st.integers(1, 5))
def test_retry_after_is_waited_for_each_time(seconds: float, times: int) -> None:
    _, waited, _ = asked(*[error(429, seconds)] * times, "here")
    assert waited >= times * seconds


@given(st.integers(0, 20), st.integers(0, 300))
def test_an_answer_is_waited_for_longer_each_time(times: int, seconds: int) -> None:
    said: list[str] = []
    left = times

    async def ask() -> float:
        nonlocal left
        left -= 1
        if left >= 0:
            raise NoAnswerYet("localhost answers 503.", "Wait.", timedelta(seconds=seconds))
        return asyncio.get_running_loop().time()

    waited = run(lambda: Patience(said.append).answered(ask))
    least = times * seconds + sum(min(2**n, 15) / 2 for n in range(times))
    assert least <= waited <= times * seconds + 3 * (least - times * seconds) + 0.01
    assert said == ["waiting for an answer (localhost answers 503) …"] * bool(times)


@pytest.mark.parametrize("refused", [Forbidden(403, "x", "y"), NotFound(404, "x", "y"), error(400)])
def test_what_does_not_pass_is_raised_at_once(refused: DirectoryError) -> None:
    with pytest.raises(type(refused)):
        asked(refused, "never asked for")


def test_a_token_is_renewed_once() -> None:
    assert asked(error(401), "here")[0] == "here"
    assert asked(error(401), error(503), error(401), "here")[0] == "here"
    with pytest.raises(DirectoryError):
        asked(error(401), error(401), "never asked for")


@given(st.lists(st.floats(0, 600), max_size=5))
def test_listings_are_watched_as_long_as_readers_were_seen_to_trail(seen: list[float]) -> None:
    patience = Patience(lambda _: None)
    for seconds in seen:
        patience.seen_trailing(timedelta(seconds=seconds))
    furthest = timedelta(seconds=max(seen, default=0))
    if furthest:
        assert patience.settling >= furthest
        assert patience.settling >= timedelta(seconds=5)
    else:
        assert patience.settling == SETTLING
