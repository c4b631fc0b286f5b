"""`verify` and `explain`: is it right, does mail go out, and what does a refusal mean."""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from proself_mail.cli.arguments import Commands, minutes, port
from proself_mail.cli.terminal import both, is_japanese, print_document
from proself_mail.errors import ConfigurationError, Error

if TYPE_CHECKING:
    from rich.console import Console

    from proself_mail.verification.verify import Verified


def add_verify(commands: Commands) -> None:
    """Add `verify`."""
    verify = commands.add_parser(
        "verify", help="look whether everything of a stack is as it should be, without a write"
    )
    which = verify.add_mutually_exclusive_group(required=True)
    which.add_argument("--stack", help="its name")
    which.add_argument(
        "--all",
        action="store_true",
        help="every stack on this backend, and every one with a file",
    )
    verify.add_argument("--json", action="store_true", help="JSON instead of a table")
    verify.add_argument(
        "--mail",
        action="store_true",
        help="also sign the mailbox's user in through the browser and send one mail to itself",
    )
    verify.add_argument("--smtp-host", metavar="HOST", help="with --mail: a relay")
    verify.add_argument("--smtp-port", metavar="PORT", type=port, help="with --mail: its port")
    verify.add_argument(
        "--timeout",
        type=minutes,
        metavar="MINUTES",
        help="with --mail: for the sign-in (default: 5)",
    )
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from proself_mail.cli import pipeline
    from proself_mail.stack.project import find_project
    from proself_mail.text import report
    from proself_mail.verification import verify, verify_report

    project = find_project(Path.cwd())
    found: Mapping[str, verify.Verified | Error]
    if arguments.all and arguments.mail:
        raise ConfigurationError(
            "--mail needs a person for one stack, and --all is about every one.",
            "Give --stack instead of --all.",
        )
    of_the_mail = {
        "--smtp-host": arguments.smtp_host,
        "--smtp-port": arguments.smtp_port,
        "--timeout": arguments.timeout,
    }
    given = [option for option, value in of_the_mail.items() if value is not None]
    if given and not arguments.mail:
        raise ConfigurationError(
            f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} for a mail, and none is "
            "sent without --mail.",
            f"Give --mail too, or leave {'it' if len(given) == 1 else 'them'} out.",
        )
    unseen: Error | None = None
    if arguments.all:
        found = asyncio.run(_verify_all(project))
        unseen = None if found else verify.nothing(project)
    else:
        try:
            found = {arguments.stack: asyncio.run(_verify_one(arguments, project))}
        except Error as error:
            unseen = error
            found = {arguments.stack: error}
    code = verify.exit_code(found)
    if arguments.json:
        print_document(verify_report.to_json(found, code))
    elif unseen is None:
        verify_report.show(report.output(), found, japanese_first=is_japanese())
    if line := pipeline.show(verify_report.summary(found), os.environ):
        # A command to the agent, which reads it from either stream.
        (sys.stderr if arguments.json else sys.stdout).write(f"{line}\n")
    if unseen:
        raise unseen
    return code


async def _verify_all(project: Path) -> "Mapping[str, Verified | Error]":
    from proself_mail.verification import verify

    return await verify.run_all(await verify.names(project), project)


async def _verify_one(arguments: argparse.Namespace, project: Path) -> "Verified":
    from proself_mail import facts
    from proself_mail.browser.graphical_browser import open_page
    from proself_mail.mail import mail_proof
    from proself_mail.mail.smtp import Server
    from proself_mail.verification import verify

    if not arguments.mail:
        return await verify.run(arguments.stack, project)
    if arguments.smtp_port and not arguments.smtp_host:
        raise ConfigurationError("--smtp-port is of a relay.", "Give its --smtp-host too.")
    person = mail_proof.Person(open_page, _tell_address, arguments.timeout or mail_proof.PATIENCE)
    relay = None
    if arguments.smtp_host:
        relay = Server(arguments.smtp_host, arguments.smtp_port or facts.SMTP_PORT)
    return await mail_proof.run(arguments.stack, project, person, relay)


def _tell_address(address: str) -> None:
    from proself_mail.text import report

    console = report.commentary()
    console.print("Sign in as the mailbox's user. If no browser opens, open this address:")
    console.print(address, markup=False, soft_wrap=True)


def add_explain(commands: Commands) -> None:
    """Add `explain`."""
    explain = commands.add_parser(
        "explain", help="say what a refusal means and what mends it, in Japanese and English"
    )
    explain.add_argument(
        "text",
        nargs="*",
        help="an SMTP reply, a message with AADSTS, lines of a log, or a sign-in page's address, "
        "in quotes (default: standard input)",
    )
    explain.add_argument("--stack", help="compare with this stack, and use its names")
    explain.add_argument("--table", action="store_true", help="print all that is known")
    explain.set_defaults(run=_explain)


_PASTE = "Paste the message, then end it by Ctrl-D (Windows: Ctrl-Z and Enter)."
_EARLIER = "The text before it says this too:", "その前には次のものもあります:"
_MATCHES = "The address matches the stack.", "このアドレスはスタックの設定と一致しています。"
_WELL_FORMED = (
    "The address is well formed; it was compared with no stack, which `--stack` does.",
    "アドレスの形式は正常です。スタックとは比較していません (`--stack` で比較)。",
)


def _explain(arguments: argparse.Namespace) -> int:
    from proself_mail.diagnosis import diagnosis_view, explain
    from proself_mail.stack.outputs import outputs_of
    from proself_mail.stack.project import find_project
    from proself_mail.stack.stack import Stack
    from proself_mail.text import report

    if arguments.table:
        sys.stdout.write(diagnosis_view.page())
        return 0
    expected = None
    if arguments.stack:
        settings, state = asyncio.run(Stack(arguments.stack, find_project(Path.cwd())).read())
        outputs = outputs_of(state, arguments.stack)
        expected = explain.expected_of(arguments.stack, settings, outputs)
    text = " ".join(arguments.text)
    if not arguments.text:
        if sys.stdin.isatty():
            report.commentary().print(_PASTE, markup=False)
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    found = explain.explain(text, expected)
    console = report.output()
    diagnosis_view.show_asked(console, found.asked)
    first = found.diagnoses if found.asked else found.diagnoses[:1]
    diagnosis_view.show(console, first, japanese_first=is_japanese())
    if earlier := found.diagnoses[len(first) :]:
        _say(console, _EARLIER)
        diagnosis_view.show(console, earlier, japanese_first=is_japanese())
    if not found.diagnoses:
        _say(console, _MATCHES if expected else _WELL_FORMED)
    return found.exit_code


def _say(console: "Console", sentence: tuple[str, str]) -> None:
    from proself_mail.text import report

    console.print()
    for each in both(*sentence):
        report.show(console, each)
