"""Which `pulumi` command runs the program, told from its command line."""

import pytest

from infra import operation
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


@pytest.mark.parametrize(
    ("line", "variable", "is_whole"),
    [
        ("up --yes", "PULUMI_OPTION_YES=true", True),
        ("up --target **::consent", "", False),
        ("up -t **::consent", "", False),
        ("up", "PULUMI_OPTION_TARGET=**::consent", False),
        ("preview", "PULUMI_OPTION_EXCLUDE=**::secret-*", False),
        ("up", "PULUMI_OPTION_TARGET=", True),
    ],
)
def test_what_is_left_out_on_purpose(
    monkeypatch: pytest.MonkeyPatch, line: str, variable: str, is_whole: bool
) -> None:
    """By a flag, or by the variable that the CLI takes it from."""
    monkeypatch.setattr(operation, "_command_line", line.split)
    name, _, value = variable.partition("=")
    if name:
        monkeypatch.setenv(name, value)
    assert operation.is_whole() == is_whole
