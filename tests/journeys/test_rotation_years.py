"""A short life of a stack with the real engine; `python -m bench.rotation` lets years pass."""

from bench.place import place
from bench.rotation_years import Years


def test_weeks_without_a_failed_sign_in() -> None:
    """Seven weeks: a planned rotation, an early one, runs that are missed and one that is killed.

    How far a killed run gets is the machine's, so what comes after it is not known beforehand.
    """
    with place(1, 0, 22, 21) as at:
        life = Years(at, 44, 22, 21)
        life.live(49)
    figures = life.figures()
    assert figures["sign_ins"] == 49
    assert figures["refused"] == 0
    assert figures["early"] >= 1
    assert figures["rotations"] > figures["early"]
    assert figures["missed"] >= 1
    assert figures["killed"] >= 1
    assert figures["removed"] >= 1
    assert figures["removed_alive"] == 0
    assert figures["most_valid"] <= 2
    assert 2 <= figures["most_valid_after_an_early_one"] <= 3
