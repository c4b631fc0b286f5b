"""Which operation of the engine runs this program: the engine does not tell.

A program run by `pulumi refresh --run-program` or `pulumi destroy --run-program` sees what one run
by `pulumi up` sees, resources that merely exist in the state included. The command line of the CLI
that started us tells them apart.
"""

import os

import psutil
import pulumi

_OBSERVING = frozenset({"refresh", "destroy", "down", "dn", "preview", "pre", "import"})
_FLAGS_WITH_VALUE = frozenset({"-C", "--cwd", "--color", "-v", "--verbose", "--tracing"})

UNDER_PROSELF_MAIL_UP = "PROSELF_MAIL_UP"
"""Set for the engine by `proself-mail up`, which writes the config file itself, after proof."""


def applies_changes() -> bool:
    """Say whether this run carries the program out, as `pulumi up` does."""
    return not pulumi.runtime.is_dry_run() and _subcommand() not in _OBSERVING


def is_under_proself_mail_up() -> bool:
    """Say whether `proself-mail up` drives the engine."""
    return bool(os.environ.get(UNDER_PROSELF_MAIL_UP))


def _subcommand() -> str | None:
    """Return the CLI's subcommand; none where no CLI is found above us."""
    try:
        for parent in psutil.Process().parents():
            if parent.name().removesuffix(".exe") == "pulumi":
                return _first_word(parent.cmdline()[1:])
    except psutil.Error:
        pass  # a process that may not be looked at; assume the usual one
    return None


def _first_word(arguments: list[str]) -> str | None:
    words = iter(arguments)
    for word in words:
        if word in _FLAGS_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None
