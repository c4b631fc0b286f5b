"""The terminal: lines of progress, questions, commands to copy. Results are each command's own."""

import io
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from proself_mail.text import quotation

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

    from proself_mail.entra.session import Session


_LANG_JAPANESE = 0x11
"""Windows' primary language identifier (winnt.h)."""


class _Lasting(io.FileIO):
    """A standard stream that may come to its end: whoever read it left, or its disk is full.

    What is written after that is lost, and what is under way goes on: an update that is left half
    done because of a line that nobody reads helps nobody.
    """

    lost: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write as much as there is a place for; all of it where there is none any more."""
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def open_what_is_closed() -> None:
    """Have standard streams that were closed lead nowhere, as a daemon's do that are /dev/null.

    Else files and connections get their numbers, and what is written there goes into them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: its own
            os.set_inheritable(nowhere, True)
            setattr(
                sys,
                name,
                os.fdopen(nowhere, "w" if number else "r", encoding="utf-8", closefd=False),
            )


def let_no_output_fail() -> None:
    """Have no command ended by what it writes; see `_Lasting`, and `lost` for its results.

    What cannot be written in the terminal's encoding is replaced. Windows' pipes and files get
    UTF-8, as from every Python since 3.15 (PEP 686): their code page knows no Japanese in most
    countries, and TOML and JSON are UTF-8.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):  # a test's, or none at all
            continue
        if sys.platform == "win32" and stream.isatty():  # its console is no file
            stream.reconfigure(errors="replace")
            continue
        chosen = stream.isatty() or "PYTHONIOENCODING" in os.environ
        encoding = "utf-8" if sys.platform == "win32" and not chosen else stream.encoding
        stream.flush()
        lasting = io.BufferedWriter(_Lasting(stream.fileno(), "w", closefd=False))
        setattr(
            sys,
            name,
            io.TextIOWrapper(
                lasting, encoding, errors="replace", line_buffering=stream.line_buffering
            ),
        )


def lost() -> OSError | None:
    """Return what kept results from being written; nothing where their reader had enough."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Lasting):  # as in `let_no_output_fail`
        return None
    sys.stdout.flush()
    return None if isinstance(raw.lost, BrokenPipeError) else raw.lost


def say(line: str) -> None:
    """Print a line of progress; one that begins with a space is of a resource, told by Pulumi."""
    from rich.text import Text

    from proself_mail.text import report

    console, line = report.commentary(), quotation.one_line(line)
    # Of the many that stand below one another, a cut one reads better than a folded one; all
    # others name versions and paths, which are needed to their ends.
    if not report.has_width(console):
        console.print(Text(line), soft_wrap=True)
    elif line.startswith(" "):
        console.print(Text(line), no_wrap=True, overflow="ellipsis")
    else:
        console.print(Text(line), overflow="fold")


def greet(opened: "Session") -> None:
    """Say who is signed in, where, and by what."""
    from proself_mail.text import report

    signed_in = f"Signed in to tenant {opened.caller.tenant_id} as {opened.caller.name}"
    report.show(report.commentary(), f"{signed_in}, by {opened.source}.")


def ask(question: str) -> str | None:
    """Have a person type a line, also while a loop runs; none where the input ends.

    Raises `KeyboardInterrupt` by the first Ctrl-C, which the loop would keep to itself.
    """
    before, line = signal.signal(signal.SIGINT, signal.default_int_handler), ""
    try:
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, before)
        if not line.endswith("\n"):  # nobody ended the question's line
            sys.stderr.write("\n")
    return line.strip() if line else None


def show_command(console: "Console", command: str) -> None:
    """Show a command to be copied: unfolded, on a line of its own."""
    console.print(f"  {command}", markup=False, soft_wrap=True)


def print_document(text: str) -> None:
    """Print TOML or JSON, which are in UTF-8 whatever the locale's encoding; a terminal has its."""
    if isinstance(sys.stdout, io.TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def print_json(document: dict[str, Any]) -> None:
    """Print a result as JSON, for programs."""
    print_document(quotation.in_json(document) + "\n")


def both(english: str, japanese: str) -> tuple[str, str]:
    """Return what is said in both languages, the person's own first."""
    return (japanese, english) if is_japanese() else (english, japanese)


def is_japanese() -> bool:
    """Say whether a person wants messages in Japanese.

    By the locale, as POSIX reads it; a variable that is empty is not set. Windows sets none: where
    nobody did, its language of display tells.
    """
    named = filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG")))
    if locale := next(named, None):
        return locale.startswith("ja")
    if sys.platform == "win32":
        import ctypes

        language = ctypes.windll.kernel32.GetUserDefaultUILanguage()
        return bool(language & 0x3FF == _LANG_JAPANESE)  # the rest is the country
    return False
