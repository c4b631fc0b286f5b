"""How arguments are read: the parser, and types that argparse does not know.

Each of these raises `ArgumentTypeError` of what is wrong, but for a choice and a file.
"""

import argparse
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeAlias
from uuid import UUID

from proself_mail.errors import ConfigurationError
from proself_mail.text.quotation import literal

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What a command adds itself to; the type has no public name."""


class Parser(argparse.ArgumentParser):
    """Refuses as everything else does, by cause and next step; argparse ends with its usage."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # No option begins with a digit: -1d is an age that is none, not an option that is missing.
        self._negative_number_matcher = re.compile(r"-\.?\d")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # Of `--stack=--` argparse takes the value for the mark that ends the options.
        if action.option_strings and arg_strings == ["--"]:
            self.error(f"argument {'/'.join(action.option_strings)}: expected one argument")
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        """Raise `ConfigurationError`."""
        raise ConfigurationError(f"{message}.", f"`{self.prog} --help` lists what it takes.")


def choice(option: str, choices: Iterable[str]) -> dict[str, Any]:
    """Return what makes an option one of `choices`, refused with the words that it takes.

    argparse's own `choices` end without them.
    """
    known = {str(each): each for each in choices}

    def read(given: str) -> str:
        if given in known:
            return known[given]
        # No `ArgumentTypeError`: argparse would make that its own.
        raise ConfigurationError(
            f"--{option} is {given!r}, and it is one of {', '.join(known)}.",
            f"Give {' or '.join(f'`--{option} {each}`' for each in known)}.",
        )

    return {"type": read, "metavar": f"{{{','.join(known)}}}"}


def file(text: str) -> Path:
    """Read a path. Raises `ConfigurationError` where the locale's encoding has no such name.

    It was typed, or completed by a shell, in the encoding of another one.
    """
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"{literal(text)} is no name of a file in this shell's locale, which is of "
            f"{error.encoding}.",
            "Give a name of ASCII letters, or first `export LC_ALL=C.UTF-8`, then try again.",
        ) from None
    return Path(text)


def minutes(text: str) -> timedelta:
    """Read a number of minutes, up to a day."""
    found = re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text)
    if not found or not 0 < float(text) <= 24 * 60:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of minutes above 0, at most 1440 (a day)"
        )
    return timedelta(minutes=float(text))


def port(text: str) -> int:
    """Read a TCP port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def tenant_id(text: str) -> UUID:
    """Read the ID of a tenant."""
    return _uuid(text, "tenant ID (Directory (tenant) ID on Entra's overview page)")


def stack_id(text: str) -> UUID:
    """Read the ID of a stack."""
    return _uuid(text, "stack ID (`stackId` in the stack's file)")


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{literal(text)} is no {what}") from None


def age(text: str) -> timedelta:
    """Read an age such as 12h or 7d."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text)
    if not found or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no age: a whole number above 0 with m, h or d, such as 12h or 7d"
        )
    return (
        int(found[1])
        * {
            "m": timedelta(minutes=1),
            "h": timedelta(hours=1),
            "d": timedelta(days=1),
        }[found[2]]
    )
