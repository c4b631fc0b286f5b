"""Which `pulumi` command runs the program, told from its command line."""

import pytest

from infra import command, operation


@pytest.mark.parametrize(
    ("word", "applies", "looks"),
    [
        ("up", True, True),
        ("update", True, True),
        ("watch", True, True),
        ("preview", False, True),
        ("pre", False, True),
        ("refresh", False, False),
        ("destroy", False, False),
        ("down", False, False),
        ("dn", False, False),
        ("import", False, False),
    ],
)
def test_what_a_command_does_by_whatever_name(
    monkeypatch: pytest.MonkeyPatch, word: str, applies: bool, looks: bool
) -> None:
    monkeypatch.setattr(command, "arguments", lambda: [word, "--run-program"])
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: False)
    assert operation.applies_changes() is applies
    assert operation.looks_ahead() is looks
