"""How long the stand-in plugin's client waits: a decision, on a clock of its own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from emulator.azuread.errors import NoAnswerError, PluginError
from emulator.azuread.retries import Retries
from emulator.azuread.transport import Response
from emulator.azuread.waits import Poll


class Clock:
    """A clock that only sleeping moves, and what was slept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def retries(clock: Clock) -> Retries:
    return replace(Retries(), clock=lambda: clock.now, sleep=clock.sleep)


def answer(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, "", named, b"")


@pytest.mark.parametrize("status", [408, 424, 429, 500, 503, 599])
def test_without_advice_waits_double_to_61_seconds_for_ten_minutes(status: int) -> None:
    clock = Clock()
    final = retries(clock).answer(lambda: answer(status), repeatable=False)
    assert final.status == status
    assert clock.slept == [1, 2, 4, 8, 16, 32, *[61] * 8]


def test_whole_seconds_are_obeyed_and_a_date_is_not_understood() -> None:
    clock = Clock()
    answers = [
        answer(429, retry_after="7"),
        answer(429, retry_after="0"),
        answer(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
        answer(200),
    ]
    assert retries(clock).answer(lambda: answers.pop(0), repeatable=False).status == 200
    assert clock.slept == [7, 0, 4]


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 501])
def test_other_answers_are_final(status: int) -> None:
    clock = Clock()
    assert retries(clock).answer(lambda: answer(status), repeatable=True).status == status
    assert clock.slept == []


def test_a_reader_that_is_behind_is_given_a_minute() -> None:
    clock = Clock()
    final = retries(clock).answer(
        lambda: answer(404), repeatable=True, is_behind=lambda seen: seen.status == 404
    )
    assert final.status == 404
    assert clock.slept[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert 58 <= clock.now <= 60


def test_without_an_answer_only_the_repeatable_is_sent_again() -> None:
    def fail(*, transient: bool) -> Response:
        raise NoAnswerError("gone", transient=transient)

    clock = Clock()
    with pytest.raises(NoAnswerError, match="connection may have been reset"):
        retries(clock).answer(lambda: fail(transient=True), repeatable=False)
    with pytest.raises(NoAnswerError, match=r"^gone$"):
        retries(clock).answer(lambda: fail(transient=False), repeatable=True)
    assert clock.slept == []
    with pytest.raises(NoAnswerError, match=r"^gone$"):
        retries(clock).answer(lambda: fail(transient=True), repeatable=True)
    assert len(clock.slept) > 6


def test_five_reads_in_a_row_must_agree() -> None:
    """One that disagrees starts the count again."""
    clock = Clock()
    poll = Poll(clock=lambda: clock.now, sleep=clock.sleep)
    seen = [True, True, True, True, False, *[True] * 5]
    poll.until(lambda: seen.pop(0))
    assert seen == []
    assert clock.slept == [timedelta(milliseconds=50).total_seconds()] * 9


def test_patience_ends() -> None:
    clock = Clock()
    poll = Poll(clock=lambda: clock.now, sleep=clock.sleep, patience=timedelta(seconds=1))
    with pytest.raises(PluginError, match="timeout"):
        poll.until(lambda: False)
    assert clock.now == pytest.approx(1, abs=0.1)
