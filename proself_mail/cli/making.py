"""Commands that make a stack and bring it up: `init`, `preflight`, `up`, `handover`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from proself_mail.cli.arguments import Commands, choice, minutes
from proself_mail.cli.terminal import ask, greet, say, show_command
from proself_mail.config.settings import Audience, Consent, Environment, TargetName
from proself_mail.errors import ConfigurationError, Error

if TYPE_CHECKING:
    from proself_mail.check import Check
    from proself_mail.entra.session import Session

_Choice = TypeVar("_Choice", bound=StrEnum)


def add_init(commands: Commands) -> None:
    """Add `init`."""
    init = commands.add_parser("init", help="make a stack, asking for what is missing")
    init.add_argument("--stack", help="its name, such as contoso.test")
    init.add_argument("--server", help="Proself's host name")
    init.add_argument("--mailbox", help="mail address of the user that Proself sends as")
    init.add_argument(
        "--target", **choice("target", TargetName), help="Microsoft's cloud, or an embedded tenant"
    )
    init.add_argument(
        "--environment",
        **choice("environment", Environment),
        help="production protects the application from deletion",
    )
    init.add_argument(
        "--audience",
        **choice("audience", Audience),
        default=Audience.SINGLE,
        help="whose users may sign in: the tenant's own, or others' too (default: single)",
    )
    init.add_argument(
        "--consent",
        **choice("consent", Consent),
        default=Consent.GRANTED,
        help="given by the update, or by an administrator at `consentUrl` (default: granted)",
    )
    init.add_argument("--tenant", help="tenant ID (default: the one signed in to)")
    init.add_argument("--mailbox-tenant-id", help="tenant ID of the mailbox where it is another")
    init.add_argument("--display-name", help="the application's name in Entra")
    init.add_argument("--config-file", help="path of the Proself config file, or none")
    init.add_argument("--secrets-provider", help="as of `pulumi stack init`")
    init.set_defaults(run=_init)


def _init(arguments: argparse.Namespace) -> int:
    from proself_mail.stack.project import find_project
    from proself_mail.text import report, shell
    from proself_mail.update import init

    project = find_project(Path.cwd())
    # Whatever is known to be wrong is told before a person is asked for the rest.
    init.check_secrets_provider(arguments.secrets_provider, project)
    init.check_options(_given(arguments))
    tenant_id = init.tenant(arguments.tenant)
    if arguments.stack:
        init.check_name(arguments.stack, project)
    answers = init.Answers(
        stack=arguments.stack
        or _ask("Stack (such as contoso.test)", lambda name: init.check_name(name, project)),
        server=arguments.server
        or _ask(
            "Proself's host name (such as proself.example.jp)",
            partial(init.check_answer, "server"),
        ),
        mailbox=arguments.mailbox
        or _ask("Mail address that Proself sends as", partial(init.check_answer, "mailbox")),
        target=arguments.target or _choose("Target", TargetName),
        environment=arguments.environment or _choose("Environment", Environment),
        audience=arguments.audience,
        consent=arguments.consent,
        tenant_id=tenant_id,
        mailbox_tenant_id=arguments.mailbox_tenant_id,
        display_name=arguments.display_name,
        config_file=arguments.config_file,
        secrets_provider=arguments.secrets_provider,
    )
    made = asyncio.run(init.run(answers, project))
    console = report.output()
    console.print(report.checks(made.checks))
    file = shell.path_from(Path.cwd(), made.file)
    console.print()
    report.show(console, f"Stack {answers.stack} is made: {file}. Next: look at it, commit it, and")
    show_command(console, f"proself-mail up --stack {answers.stack}")
    return 0


def _given(arguments: argparse.Namespace) -> Mapping[str, str]:
    """Return the options that were given, by the names of their keys."""
    options = {
        "server": arguments.server,
        "mailbox": arguments.mailbox,
        "mailboxTenantId": arguments.mailbox_tenant_id,
        "displayName": arguments.display_name,
        "configFile": arguments.config_file,
    }
    return {key: value for key, value in options.items() if value is not None}


def _choose(question: str, choices: type[_Choice]) -> _Choice:
    """Ask a person for one of `choices`."""
    listed = " or ".join(choices)

    def check(answer: str) -> None:
        if answer not in list(choices):
            raise ConfigurationError(f"{answer!r} is none of them.", f"Type {listed}.")

    return choices(_ask(f"{question} ({listed})", check))


def _ask(question: str, check: Callable[[str], None]) -> str:
    """Ask a person until `check` raises no `Error`. Raises `ConfigurationError` without one."""
    from proself_mail.text import report

    if not sys.stdin.isatty():
        raise ConfigurationError(
            f"{question} is not given, and nobody can be asked.",
            "Give --stack, --server, --mailbox, --target and --environment.",
        )
    while True:
        answer = ask(f"{question}: ")
        if answer is None:
            raise ConfigurationError(
                f"{question} was not answered; nothing was made.", "Run it again to be asked anew."
            )
        if not answer:
            continue
        try:
            check(answer)
        except Error as error:
            report.show(report.commentary(), f"{error.cause} {error.next_step}")
        else:
            return answer


def add_preflight(commands: Commands) -> None:
    """Add `preflight`."""
    preflight = commands.add_parser(
        "preflight", help="look whether `up` can end well, without a write"
    )
    preflight.add_argument("--stack", required=True, help="its name")
    preflight.set_defaults(run=_preflight)


def _preflight(arguments: argparse.Namespace) -> int:
    from proself_mail import check
    from proself_mail.entra import session
    from proself_mail.stack.project import find_project
    from proself_mail.stack.stack import Stack
    from proself_mail.text import report
    from proself_mail.update import up
    from proself_mail.update.stack_session import StackSession

    async def look() -> "Sequence[Check]":
        stack = Stack(arguments.stack, find_project(Path.cwd()))
        settings, state = await session.read(stack)
        async with session.sign_in(settings.target, str(settings.tenant_id)) as opened:
            return (await up.look(StackSession(stack, settings, state, opened))).checks

    checks = asyncio.run(look())
    report.show_checks(report.output(), checks)
    return check.exit_code(checks)


def add_up(commands: Commands) -> None:
    """Add `up`."""
    up = commands.add_parser("up", help="set a stack up, or bring it up to date, and prove it")
    up.add_argument("--stack", required=True, help="its name")
    up.add_argument(
        "--deadline", type=minutes, metavar="MINUTES", help="at most so long (default: 10)"
    )
    up.set_defaults(run=_up)


def _up(arguments: argparse.Namespace) -> int:
    from proself_mail.stack.project import find_project
    from proself_mail.update import up

    done = asyncio.run(
        up.run(
            arguments.stack,
            find_project(Path.cwd()),
            say,
            deadline=arguments.deadline or up.DEADLINE,
            show=_show_preflight,
        )
    )
    from proself_mail.text import report
    from proself_mail.update import up_report

    console = report.output()
    for sentence in up_report.done(done):
        report.show(console, sentence)
    console.print("What to enter in Proself, and how:")
    show_command(console, f"proself-mail sheet --stack {arguments.stack}")
    return 0


def _show_preflight(opened: "Session", checks: "Sequence[Check]") -> None:
    from proself_mail.text import report

    greet(opened)
    report.commentary().print(report.checks(checks))


def add_handover(commands: Commands) -> None:
    """Add `handover`."""
    handover = commands.add_parser("handover", help="let a pipeline's identity look after a stack")
    handover.add_argument("--stack", required=True, help="its name")
    handover.add_argument(
        "--to", required=True, metavar="OBJECT_ID", help="objectId of infra/pipeline's stack"
    )
    handover.set_defaults(run=_handover)


def _handover(arguments: argparse.Namespace) -> int:
    from proself_mail.rotation import handover
    from proself_mail.stack.project import find_project
    from proself_mail.text import report

    file = asyncio.run(handover.run(arguments.stack, find_project(Path.cwd()), arguments.to))
    report.show(
        report.output(),
        f"{file} is changed: commit it. Next, as the person who owns the application: "
        f"`proself-mail up --stack {arguments.stack}`."
        if file
        else "The identity looks after this stack already; nothing was changed.",
    )
    return 0
