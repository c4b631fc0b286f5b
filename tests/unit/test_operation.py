"""Which `pulumi` command runs the program, told from its command line."""

import pytest

from infra.operation import _first_word


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("up --yes", "up"),
        ("up --refresh --stack refresh", "up"),
        ("refresh --yes --run-program", "refresh"),
        ("-C /some/where refresh", "refresh"),
        ("--cwd=/some/where --color never destroy", "destroy"),
        ("-v 3 --logtostderr preview", "preview"),
        ("--non-interactive up --exec-kind auto.local", "up"),
        ("--stack one refresh --run-program", "refresh"),
        ("-s one -v3 -Q destroy --run-program", "destroy"),
        ("--profiling p --stack=up refresh", "refresh"),
        ("", None),
        ("--version", None),
    ],
)
def test_the_subcommand(line: str, word: str | None) -> None:
    assert _first_word(line.split()) == word
