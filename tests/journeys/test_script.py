"""The installed script: what the other journeys run forked from its imports is the same command."""

import re

import pytest

from tests.journey import Journey
from tests.removing import STACK

NEW_EACH_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?|\d+(\.\d+)? s\b|[ \n]+")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "--stack", STACK], 0),
        (["config", "--stack", STACK], 0),
        (["explain", "AADSTS7000222"], 0),
        (["sweep", "--tenant", "unknown", "--target", "embedded"], 2),
        (["teardown", "--stack", "nowhere"], 2),
        (["init"], 2),
        (["--help"], 0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_script_is_what_the_journeys_run(
    standing: Journey, arguments: list[str], code: int
) -> None:
    forked = standing.proself_mail(*arguments)
    fresh = standing.script(*arguments)
    assert fresh.returncode == code, fresh.stdout + fresh.stderr
    assert forked.returncode == code, forked.stdout + forked.stderr
    for own, other in ((forked.stdout, fresh.stdout), (forked.stderr, fresh.stderr)):
        assert NEW_EACH_TIME.sub(" ", own) == NEW_EACH_TIME.sub(" ", other)


def test_the_script_reads_what_is_piped_to_it(standing: Journey) -> None:
    said = "535 5.7.3 Authentication unsuccessful\n"
    forked = standing.proself_mail("explain", stdin=said)
    fresh = standing.script("explain", stdin=said)
    assert (forked.returncode, forked.stdout) == (fresh.returncode, fresh.stdout)
    assert "535" in fresh.stdout
