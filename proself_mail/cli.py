"""The command line: arguments in, exit code out. The only file that prints or exits.

Exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 refused by a guard, 4 remote or
unknown, 5 part of several failed, 6 a person must act, 130 interrupted.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from proself_mail.errors import ConfigurationError, Error, PersonNeeded, Refused
from proself_mail.settings import Environment, TargetName

if TYPE_CHECKING:
    from rich.console import Console

    from proself_mail.check import Check
    from proself_mail.rotation import Plan
    from proself_mail.session import Session
    from proself_mail.verify import Verified


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    try:
        parser = _parser()
        parsed, rest = parser.parse_known_args(arguments)
        if rest and parsed.run is not _emulator_start:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        code = parsed.run(rest if parsed.run is _emulator_start else parsed)
    except Error as error:
        _complain(error)
        code = error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("proself-mail: interrupted.\n")
        code = 130
    sys.exit(code)


def _complain(error: Error) -> None:
    from proself_mail import report

    report.commentary().print(f"proself-mail: {error}", markup=False)


def _say(line: str) -> None:
    from rich.text import Text

    from proself_mail import report

    # Pulumi's lines may be wider than the terminal; a cut line reads better than a folded one.
    report.commentary().print(Text(line), no_wrap=True, overflow="ellipsis")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="proself-mail",
        description="Set up Proself's mail through Exchange Online, rotate its secret, prove it.",
        epilog=(__doc__ or "").partition("\n\n")[2],
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_init(commands)
    _add_up(commands)
    _add_rotate(commands)
    _add_handover(commands)
    _add_preflight(commands)
    _add_config(commands)
    _add_sheet(commands)
    _add_verify(commands)
    _add_explain(commands)
    _add_teardown(commands)
    _add_sweep(commands)
    _add_rehearse(commands)
    _add_emulator(commands)
    return parser


_Commands = argparse._SubParsersAction  # the type has no public name


def _add_init(commands: "_Commands[argparse.ArgumentParser]") -> None:
    init = commands.add_parser("init", help="make a stack, asking for what is missing")
    init.add_argument("--stack", help="its name, such as contoso.test")
    init.add_argument("--server", help="Proself's host name")
    init.add_argument("--mailbox", help="mail address of the user that Proself sends as")
    init.add_argument("--target", type=TargetName, choices=list(TargetName))
    init.add_argument("--environment", type=Environment, choices=list(Environment))
    init.add_argument("--audience", choices=["single", "multi"], default="single")
    init.add_argument("--tenant", help="tenant ID (default: the one signed in to)")
    init.add_argument("--display-name", help="the application's name in Entra")
    init.add_argument("--config-file", help="path of the Proself config file, or none")
    init.add_argument("--secrets-provider", help="as of `pulumi stack init`")
    init.set_defaults(run=_init)


def _init(arguments: argparse.Namespace) -> int:
    from proself_mail import init, report
    from proself_mail.stack import find_project

    answers = init.Answers(
        stack=arguments.stack or _ask("Stack (such as contoso.test)"),
        server=arguments.server or _ask("Proself's host name (such as proself.example.jp)"),
        mailbox=arguments.mailbox or _ask("Mail address that Proself sends as"),
        target=arguments.target or TargetName(_ask("Target", *TargetName)),
        environment=arguments.environment or Environment(_ask("Environment", *Environment)),
        audience=arguments.audience,
        tenant_id=arguments.tenant,
        display_name=arguments.display_name,
        config_file=arguments.config_file,
        secrets_provider=arguments.secrets_provider,
    )
    made = asyncio.run(init.run(answers, find_project(Path.cwd())))
    report.output().print(report.checks(made.checks))
    report.output().print(
        f"\nStack {answers.stack} is made: stacks/Pulumi.{answers.stack}.yaml. Next: look at it, "
        f"commit it, and `pulumi up --stack {answers.stack}`.",
        markup=False,
    )
    return 0


def _ask(question: str, *choices: str) -> str:
    """Ask a person. Raises `ConfigurationError` where there is none."""
    shown = f"{question} ({' or '.join(choices)}): " if choices else f"{question}: "
    if not sys.stdin.isatty():
        raise ConfigurationError(
            f"{question} is not given, and nobody can be asked.",
            "Give --stack, --server, --mailbox, --target and --environment.",
        )
    while True:
        answer = _typed(shown)
        if answer is None:
            raise ConfigurationError(
                f"{question} was not answered; nothing was made.", "Run it again to be asked anew."
            )
        if answer and (not choices or answer in choices):
            return answer


def _typed(question: str) -> str | None:
    """Have a person type a line, also while a loop runs; none where the input ends.

    Raises `KeyboardInterrupt` by the first Ctrl-C, which the loop would keep to itself.
    """
    sys.stderr.write(question)
    sys.stderr.flush()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        line = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, before)
    return line.strip() if line else None


def _add_up(commands: "_Commands[argparse.ArgumentParser]") -> None:
    up = commands.add_parser("up", help="set a stack up, or bring it up to date, and prove it")
    up.add_argument("--stack", required=True)
    up.add_argument(
        "--deadline", type=_minutes, metavar="MINUTES", help="at most so long (default: 10)"
    )
    up.set_defaults(run=_up)


def _up(arguments: argparse.Namespace) -> int:
    from proself_mail import up
    from proself_mail.stack import find_project

    done = asyncio.run(
        up.run(
            arguments.stack,
            find_project(Path.cwd()),
            _say,
            deadline=arguments.deadline or up.DEADLINE,
            show=_show_preflight,
        )
    )
    from proself_mail import report

    console = report.output()
    for sentence in report.done(done):
        console.print(sentence, markup=False, soft_wrap=True)
    console.print("What to enter in Proself, and how:")
    _show_command(console, f"proself-mail sheet --stack {arguments.stack}")
    return 0


def _greet(opened: "Session") -> None:
    from proself_mail import report

    report.commentary().print(
        f"Signed in to tenant {opened.caller.tenant_id} as {opened.caller.name}, by "
        f"{opened.source}.",
        markup=False,
    )


def _show_preflight(opened: "Session", checks: "Sequence[Check]") -> None:
    from proself_mail import report

    _greet(opened)
    report.commentary().print(report.checks(checks))


def _minutes(text: str) -> timedelta:
    found = re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", text)
    if not found or not 0 < float(text) <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes, at most 1440 (a day)")
    return timedelta(minutes=float(text))


def _add_rotate(commands: "_Commands[argparse.ArgumentParser]") -> None:
    rotate = commands.add_parser(
        "rotate",
        help="make what secret is due, remove what has expired, say what a person has to do",
    )
    rotate.add_argument("--stack", required=True)
    what = rotate.add_mutually_exclusive_group()
    what.add_argument("--now", action="store_true", help="rotate early: append to `secrets`")
    what.add_argument(
        "--revoke", action="store_true", help="after a leak: a new secret, and the others die"
    )
    what.add_argument(
        "--acknowledge",
        nargs="?",
        const="",
        metavar="KEY_ID",
        help="record that Proself has the newest secret (or that one), proven by a mail",
    )
    what.add_argument("--dry-run", action="store_true", help="show the plan and change nothing")
    rotate.set_defaults(run=_rotate)


def _rotate(arguments: argparse.Namespace) -> int:
    from proself_mail import pipeline, report, rotate, rotation_report
    from proself_mail.stack import find_project

    stack, project = arguments.stack, find_project(Path.cwd())

    def show(plan: "Plan") -> None:
        for line in rotation_report.plan(plan):
            report.commentary().print(line, markup=False)
        if arguments.revoke:
            _confirm_revocation(plan, stack)

    if arguments.acknowledge is not None:
        key_id = arguments.acknowledge or None
        plan = asyncio.run(rotate.acknowledge(stack, project, key_id, _say, greet=_greet))
        reminder, lines = plan.reminder, [f"Recorded: Proself has {plan.ledger.pasted}."]
    else:
        append = rotate.Append.NOW if arguments.now else None
        done = asyncio.run(
            rotate.run(
                stack,
                project,
                _say,
                append=rotate.Append.REVOKE if arguments.revoke else append,
                greet=_greet,
                show=show,
                dry_run=arguments.dry_run,
            )
        )
        if arguments.dry_run:
            return 0
        reminder, lines = done.after.reminder, list(rotation_report.end(done))
        outputs = {"person": reminder.level if reminder else "none"}
        if reminder:
            outputs["title"] = rotation_report.title(stack, reminder)
        told = pipeline.publish(
            rotation_report.summary(stack, str(done.settings.tenant_id), done),
            project / "out" / stack / "rotation.md",
            outputs,
        )
        lines += [told] if told else []
    if reminder:
        lines += rotation_report.person(stack, reminder)
    for line in lines:
        report.output().print(line, markup=False, soft_wrap=True)
    return PersonNeeded.exit_code if reminder and reminder.level.is_red else 0


def _confirm_revocation(plan: "Plan", stack: str) -> None:
    """Have a person type the stack's name. Raises `Refused` where nobody does."""
    dying = ", ".join(plan.keys[each.id] for each in plan.windows if each.id in plan.keys)
    typed = _typed(
        f"These client secrets die as soon as a new one is proven: {dying or 'none'}.\n"
        "Mail stops then, until somebody pastes the new one into Proself and signs in there.\n"
        f"Type the stack's name ({stack}) to go on: "
    )
    if typed != stack:
        raise Refused(
            "The revocation was not confirmed; nothing was changed.",
            f"`proself-mail rotate --revoke --stack {stack}` asks again.",
        )


def _add_handover(commands: "_Commands[argparse.ArgumentParser]") -> None:
    handover = commands.add_parser("handover", help="let a pipeline's identity look after a stack")
    handover.add_argument("--stack", required=True)
    handover.add_argument(
        "--to", required=True, metavar="OBJECT_ID", help="objectId of infra/pipeline's stack"
    )
    handover.set_defaults(run=_handover)


def _handover(arguments: argparse.Namespace) -> int:
    from proself_mail import handover, report
    from proself_mail.stack import find_project

    file = asyncio.run(handover.run(arguments.stack, find_project(Path.cwd()), arguments.to))
    report.output().print(
        f"{file.name} is changed: commit it. Next, as the person who owns the application: "
        f"`proself-mail up --stack {arguments.stack}`."
        if file
        else "The identity looks after this stack already; nothing was changed.",
        markup=False,
    )
    return 0


def _add_preflight(commands: "_Commands[argparse.ArgumentParser]") -> None:
    preflight = commands.add_parser(
        "preflight", help="look whether `up` can end well, without a write"
    )
    preflight.add_argument("--stack", required=True)
    preflight.set_defaults(run=_preflight)


def _preflight(arguments: argparse.Namespace) -> int:
    from proself_mail import check, report, session, up
    from proself_mail.stack import Stack, find_project

    async def look() -> "Sequence[Check]":
        stack = Stack(arguments.stack, find_project(Path.cwd()))
        settings, state = await session.read(stack)
        async with session.sign_in(settings.target, str(settings.tenant_id)) as opened:
            return (await up.look(opened, stack, settings, state)).checks

    checks = asyncio.run(look())
    report.output().print(report.checks(checks))
    return check.exit_code(checks)


def _add_config(commands: "_Commands[argparse.ArgumentParser]") -> None:
    config = commands.add_parser("config", help="render the Proself config file again")
    config.add_argument("--stack", required=True)
    config.add_argument("--without-secret", action="store_true", help="cover the secret")
    config.add_argument("--json", action="store_true", help="JSON instead of TOML")
    config.add_argument("--write", action="store_true", help="write it where the stack has it")
    config.set_defaults(run=_config)


def _config(arguments: argparse.Namespace) -> int:
    from proself_mail import proself
    from proself_mail.proself import ProselfConfig
    from proself_mail.stack import CHECKOUT, Stack, find_project

    stack = Stack(arguments.stack, find_project(Path.cwd()))
    settings, outputs = stack.settings(), stack.outputs()
    config = ProselfConfig.of(settings, outputs.client_id, outputs.newest)
    if arguments.write:
        path = settings.config_file_path(arguments.stack, CHECKOUT)
        if path is None:
            raise ConfigurationError(
                "This stack writes no Proself config file (`configFile` is none).",
                "`pulumi config set configFile PATH`, or leave --write out to see it.",
            )
        proself.write(path, config)
        sys.stdout.write(f"{path}\n")
        return 0
    shown = config.without_secret() if arguments.without_secret else config
    sys.stdout.write(shown.model_dump_json(indent=2) + "\n" if arguments.json else shown.to_toml())
    return 0


def _add_sheet(commands: "_Commands[argparse.ArgumentParser]") -> None:
    sheet = commands.add_parser(
        "sheet",
        help="show what to enter on Proself's screens, with a copy button for each value",
        description="Serve the setup sheet to this machine's browser, once. It ends when the page "
        "is closed (exit code 0), by Ctrl-C (130), or when nobody opens it (4).",
    )
    sheet.add_argument("--stack", required=True)
    sheet.add_argument(
        "--out", type=Path, metavar="FILE", help="write it to a file instead, without the secret"
    )
    sheet.add_argument(
        "--with-secret", action="store_true", help="with --out: the secret too, for you alone"
    )
    sheet.add_argument(
        "--port", metavar="PORT", type=_port, help="serve it there (default: any free one)"
    )
    sheet.add_argument(
        "--timeout", type=_minutes, metavar="MINUTES", help="for opening it (default: 5)"
    )
    sheet.set_defaults(run=_sheet)


def _sheet(arguments: argparse.Namespace) -> int:
    from proself_mail import report, sheet, sheet_file, sheet_server
    from proself_mail.stack import find_project

    out, with_secret = arguments.out, arguments.with_secret
    if with_secret and out is None:
        raise ConfigurationError(
            "--with-secret is for a file; the page in the browser has the secret anyway.",
            "Give --out FILE too, or leave --with-secret out.",
        )
    if out and (arguments.port or arguments.timeout):
        raise ConfigurationError(
            "--port and --timeout are for the page in the browser, and --out writes a file.",
            "Leave them or --out out.",
        )
    if out:
        sheet_file.check(out, with_secret=with_secret)
    made = asyncio.run(sheet.read(arguments.stack, find_project(Path.cwd())))
    if out:
        sheet_file.write(out, made, with_secret=with_secret)
        lines = [str(out)]
        if with_secret:
            lines.append(
                "It holds the client secret. Delete it as soon as the values are in Proself, from "
                "the recycle bin too."
            )
        for line in lines:
            report.output().print(line, markup=False, soft_wrap=True)
        return 0
    console = report.commentary()
    console.print(
        f"Opening the setup sheet of {made.stack} in the browser. It ends when its page is closed, "
        "or by Ctrl-C here; the secret is kept nowhere.",
        markup=False,
    )
    person = sheet_server.Person(
        webbrowser.open, _tell_sheet_address, arguments.timeout or sheet_server.PATIENCE
    )
    again = sheet_server.serve(made, person, arguments.port or 0)
    console.print("The page was closed, and nothing is served any more.")
    if again:
        console.print(
            f"Its address was opened again ({again} times) and gave nothing then. If you did not "
            "see the sheet yourself, somebody else did: revoke the secret.",
            markup=False,
        )
        _show_command(console, f"proself-mail rotate --revoke --stack {made.stack}")
    console.print("Once a mail from Proself has arrived:")
    _show_command(console, made.acknowledge)
    return 0


def _show_command(console: "Console", command: str) -> None:
    """Show a command to be copied: unfolded, on a line of its own."""
    console.print(f"  {command}", markup=False, soft_wrap=True)


def _tell_sheet_address(address: str) -> None:
    from proself_mail import report

    port = address.split(":")[2].partition("/")[0]
    console = report.commentary()
    console.print("No browser opened it. Open this address on this machine; it works once:")
    _show_command(console, address)
    console.print("From another machine, before that:")
    _show_command(console, f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE")


def _add_verify(commands: "_Commands[argparse.ArgumentParser]") -> None:
    verify = commands.add_parser(
        "verify", help="look whether everything of a stack is as it should be, without a write"
    )
    which = verify.add_mutually_exclusive_group(required=True)
    which.add_argument("--stack")
    which.add_argument("--all", action="store_true", help="every stack on this backend")
    verify.add_argument("--json", action="store_true", help="JSON instead of a table")
    verify.add_argument(
        "--mail",
        action="store_true",
        help="also sign the mailbox's user in through the browser and send one mail to itself",
    )
    verify.add_argument("--smtp-host", metavar="HOST", help="with --mail: a relay")
    verify.add_argument("--smtp-port", metavar="PORT", type=_port, help="with --mail: its port")
    verify.add_argument(
        "--timeout", type=_minutes, metavar="MINUTES", help="for the sign-in (default: 5)"
    )
    verify.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from proself_mail import stack, verify, verify_report
    from proself_mail.stack import find_project

    project = find_project(Path.cwd())
    found: Mapping[str, verify.Verified | Error]
    if arguments.all and arguments.mail:
        raise ConfigurationError(
            "--mail needs a person for one stack, and --all is about every one.",
            "Give --stack instead of --all.",
        )
    if arguments.all:
        found = asyncio.run(verify.run_all(stack.names(project), project))
    else:
        found = {arguments.stack: asyncio.run(_verify_one(arguments, project))}
    code = verify.exit_code(found)
    if arguments.json:
        sys.stdout.write(verify_report.to_json(found, code))
    else:
        verify_report.show(found, japanese_first=_is_japanese())
    for line in verify_report.write_summary(found, os.environ):
        # A command to the agent, which reads it from either stream.
        (sys.stderr if arguments.json else sys.stdout).write(f"{line}\n")
    return code


async def _verify_one(arguments: argparse.Namespace, project: Path) -> "Verified":
    from proself_mail import facts, mail_proof, verify
    from proself_mail.smtp import Server

    if not arguments.mail:
        return await verify.run(arguments.stack, project)
    if arguments.smtp_port and not arguments.smtp_host:
        raise ConfigurationError("--smtp-port is of a relay.", "Give its --smtp-host too.")
    person = mail_proof.Person(
        webbrowser.open, _tell_address, arguments.timeout or mail_proof.PATIENCE
    )
    relay = None
    if arguments.smtp_host:
        relay = Server(arguments.smtp_host, arguments.smtp_port or facts.SMTP_PORT)
    return await mail_proof.run(arguments.stack, project, person, relay)


def _tell_address(address: str) -> None:
    from proself_mail import report

    console = report.commentary()
    console.print("Sign in as the mailbox's user. If no browser opens, open this address:")
    console.print(address, markup=False, soft_wrap=True)


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def _add_explain(commands: "_Commands[argparse.ArgumentParser]") -> None:
    explain = commands.add_parser(
        "explain", help="say what a refusal means and what mends it, in Japanese and English"
    )
    explain.add_argument(
        "text",
        nargs="*",
        help="an SMTP reply, a message with AADSTS, or a sign-in page's address, in quotes "
        "(default: standard input)",
    )
    explain.add_argument("--stack", help="compare with this stack, and use its names")
    explain.add_argument("--table", action="store_true", help="print all that is known")
    explain.set_defaults(run=_explain)


def _explain(arguments: argparse.Namespace) -> int:
    from proself_mail import diagnosis_view, explain, report
    from proself_mail.stack import Stack, find_project

    if arguments.table:
        sys.stdout.write(diagnosis_view.page())
        return 0
    expected = None
    if arguments.stack:
        stack = Stack(arguments.stack, find_project(Path.cwd()))
        expected = explain.expected_of(arguments.stack, stack.settings(), stack.outputs())
    text = " ".join(arguments.text) or sys.stdin.buffer.read().decode("utf-8", "replace")
    found = explain.explain(text, expected)
    console = report.output()
    diagnosis_view.show_asked(console, found.asked)
    diagnosis_view.show(console, found.diagnoses, japanese_first=_is_japanese())
    if not found.diagnoses:
        compared = "matches the stack" if expected else "is well formed"
        console.print(f"\nThe address {compared}. / アドレスに問題はありません。", markup=False)
    return found.exit_code


def _is_japanese() -> bool:
    return os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("ja")


def _add_teardown(commands: "_Commands[argparse.ArgumentParser]") -> None:
    teardown = commands.add_parser(
        "teardown", help="remove all that test stacks made, recycle bin and state included"
    )
    teardown.add_argument("--stack", required=True, nargs="+", action="extend", metavar="S")
    _add_removing(teardown)
    teardown.add_argument("--keep-stack", action="store_true", help="empty its state, keep it")
    teardown.set_defaults(run=_teardown)


def _add_removing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--confirm", metavar="TENANT", help="the tenant's name or ID, in place of typing it"
    )
    command.add_argument(
        "--include-modified",
        action="store_true",
        help="also what got credentials or owners that are not ours",
    )
    command.add_argument(
        "--keep-in-recycle-bin", action="store_true", help="delete without purging"
    )
    command.add_argument("--json", action="store_true", help="plan or report as JSON")


def _teardown(arguments: argparse.Namespace) -> int:
    from proself_mail import teardown
    from proself_mail.stack import find_project

    options = teardown.Options(
        include_modified=arguments.include_modified,
        keep_stack=arguments.keep_stack,
        keep_in_recycle_bin=arguments.keep_in_recycle_bin,
    )
    project = find_project(Path.cwd())
    return _removing(
        arguments,
        lambda show, confirm: teardown.run(
            arguments.stack, project, _say, options, show=show, confirm=confirm
        ),
    )


def _add_sweep(commands: "_Commands[argparse.ArgumentParser]") -> None:
    sweep = commands.add_parser(
        "sweep", help="remove what was made for tests and is past its time, without any state"
    )
    sweep.add_argument("--tenant", type=UUID, required=True, metavar="ID", help="tenant ID")
    sweep.add_argument(
        "--target", type=TargetName, choices=list(TargetName), default=TargetName.CLOUD
    )
    sweep.add_argument(
        "--older-than", type=_age, metavar="AGE", help="only what is so old, such as 12h or 7d"
    )
    sweep.add_argument(
        "--stack-id", type=UUID, nargs="+", action="extend", default=[], metavar="UUID"
    )
    _add_removing(sweep)
    sweep.set_defaults(run=_sweep)


def _age(text: str) -> timedelta:
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


def _sweep(arguments: argparse.Namespace) -> int:
    from proself_mail import sweep
    from proself_mail.stack import find_project

    options = sweep.Options(
        older_than=arguments.older_than,
        stacks=frozenset(arguments.stack_id),
        include_modified=arguments.include_modified,
        keep_in_recycle_bin=arguments.keep_in_recycle_bin,
    )
    project = find_project(Path.cwd())
    return _removing(
        arguments,
        lambda show, confirm: sweep.run(
            arguments.tenant, arguments.target, project, _say, options, show=show, confirm=confirm
        ),
    )


def _removing(arguments: argparse.Namespace, work: "Callable[[Any, Any], Any]") -> int:
    """Run a command that removes things: show the plan, ask, report."""
    from proself_mail import removal_report, report

    plans: list[Any] = []

    def show(plan: Any) -> None:
        plans.append(plan)
        if not arguments.json:
            for each in removal_report.plan(plan):
                report.output().print(each)

    def confirm(plan: Any) -> str | None:
        if arguments.confirm or arguments.json or not sys.stdin.isatty():
            given: str | None = arguments.confirm
            return given
        if not any(each.items for each in plan.stacks):
            return None
        return _typed("Type the tenant's name or ID to remove all of this: ") or None

    try:
        reports = asyncio.run(work(show, confirm))
    except Refused:
        if arguments.json and plans:  # what the refusal is about stands in it
            _print_json(removal_report.plan_json(plans[0]))
        raise
    [plan] = plans
    if arguments.json:
        _print_json(
            removal_report.plan_json(plan)
            if reports is None
            else removal_report.report_json(plan, reports)
        )
    elif reports is None:
        report.output().print(
            "\nNothing was removed: this is the plan. --confirm with the tenant's name or ID "
            "carries it out."
            if any(each.items for each in plan.stacks)
            else "\nThere is nothing to remove."
        )
    else:
        for each in removal_report.report(reports):
            report.output().print(each)
    return 0 if reports is None else removal_report.exit_code(reports)


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _add_rehearse(commands: "_Commands[argparse.ArgumentParser]") -> None:
    rehearse = commands.add_parser(
        "rehearse", help="run the main job on an embedded tenant, on this machine"
    )
    rehearse.add_argument("--keep", action="store_true", help="leave the tenant running")
    rehearse.set_defaults(run=_rehearse)


def _rehearse(arguments: argparse.Namespace) -> int:
    from proself_mail import diagnosis_view, rehearse, report
    from proself_mail.stack import CHECKOUT
    from tools import setup

    setup.run(_say)
    done = asyncio.run(rehearse.run(CHECKOUT / "out" / "rehearsal", _say, keep=arguments.keep))
    console = report.output()
    console.print("\nWhat was made, step by step of FAQ 481, as the tenant answers:\n")
    console.print(report.steps(done.steps, japanese=_is_japanese()))
    console.print(f"\n{done.outputs.config_file}:\n", markup=False)
    console.print(done.config.without_secret().to_toml(), markup=False, soft_wrap=True)
    console.print("The mail (the rehearsal played the mailbox's user at the sign-in page):\n")
    console.print(report.checks(done.proof.checks))
    if done.mail:
        shown = f"{done.mail['from']} → {', '.join(done.mail['to'])}: {done.mail['subject']}"
        console.print(f"\nDelivered, as the tenant's outbox shows: {shown}\n", markup=False)
    elif done.proof.diagnosis:
        diagnosis_view.show(console, [done.proof.diagnosis], japanese_first=_is_japanese())
    if done.picture:
        shown = os.path.relpath(done.picture)
        console.print(f"A picture of the setup sheet: {shown}", markup=False, soft_wrap=True)
    else:
        console.print("No picture of the setup sheet: there is no Chromium or Chrome here.")
    console.print(f"Done in {done.took.total_seconds():.1f} s.")
    console.print(_look_around(done.project, done.ready_file, keep=arguments.keep), markup=False)
    return 0 if done.holds else 1


def _look_around(project: Path, ready_file: Path, *, keep: bool) -> str:
    if not keep:
        return (
            "Nothing is left running. To look around: `proself-mail rehearse --keep`, which says "
            "how."
        )
    ready, folder = (os.path.relpath(path) for path in (ready_file, project))
    return f"""To look around:
  eval "$(uv run proself-mail emulator env --ready-file {ready})"
  pulumi -C {folder} stack output --stack rehearsal
  curl -s "$PROSELF_MAIL_ADMIN_URL/history"
and to end it:
  uv run proself-mail emulator stop --ready-file {ready}
  eval "$(uv run proself-mail emulator env --unset)\""""


def _add_emulator(commands: "_Commands[argparse.ArgumentParser]") -> None:
    emulator = commands.add_parser("emulator", help="the embedded tenant by itself")
    actions = emulator.add_subparsers(metavar="ACTION", required=True)
    start = actions.add_parser(
        "start", help="run one in the foreground; its own options follow", add_help=False
    )
    start.set_defaults(run=_emulator_start)  # main hands it everything after it
    env = actions.add_parser("env", help="print the lines that lead a shell to it, for eval")
    env.add_argument("--ready-file", type=Path)
    env.add_argument("--shell", choices=["bash", "powershell"], default="bash")
    env.add_argument("--unset", action="store_true", help="print the lines that undo it")
    env.set_defaults(run=_emulator_env)
    stop = actions.add_parser("stop", help="end it")
    stop.add_argument("--ready-file", type=Path, required=True)
    stop.set_defaults(run=_emulator_stop)


def _emulator_start(options: Sequence[str]) -> int:
    """Become the embedded tenant; what it takes is its own affair."""
    from proself_mail import embedded

    command = [*embedded.command(), *options]
    if sys.platform == "win32":  # exec would return to the shell at once there
        return subprocess.call(command)  # noqa: S603
    os.execv(command[0], command)  # noqa: S606
    raise AssertionError("exec does not return")


def _emulator_env(arguments: argparse.Namespace) -> int:
    from proself_mail import sandbox, shell

    if arguments.unset:
        lines = shell.restoring_lines(arguments.shell)
    elif arguments.ready_file is None:
        raise ConfigurationError("Which embedded tenant?", "Give --ready-file, or --unset.")
    else:
        prepared = sandbox.prepare(arguments.ready_file)
        lines = shell.setting_lines(prepared.environment, arguments.shell)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _emulator_stop(arguments: argparse.Namespace) -> int:
    from proself_mail import embedded

    embedded.stop(arguments.ready_file)
    return 0
