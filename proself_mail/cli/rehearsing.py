"""`rehearse`, and `emulator` for the embedded tenant by itself."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from proself_mail.cli.arguments import Commands, choice, file
from proself_mail.cli.terminal import is_japanese, say
from proself_mail.errors import ConfigurationError
from proself_mail.text.command_line import leading, shell_word


def add_rehearse(commands: Commands) -> None:
    """Add `rehearse`."""
    rehearse = commands.add_parser(
        "rehearse", help="run the main job on an embedded tenant, on this machine"
    )
    rehearse.add_argument("--keep", action="store_true", help="leave the tenant running")
    rehearse.set_defaults(run=_rehearse)


def _rehearse(arguments: argparse.Namespace) -> int:
    from proself_mail.diagnosis import diagnosis_view
    from proself_mail.rehearsal import rehearse, rehearse_report
    from proself_mail.stack.project import CHECKOUT
    from proself_mail.text import report, shell
    from tools import setup

    cli = setup.run(say)
    done = asyncio.run(rehearse.run(CHECKOUT / "out" / "rehearsal", say, keep=arguments.keep))
    console = report.output()
    console.print("\nWhat was made, step by step of FAQ 481, as the tenant answers:\n")
    rehearse_report.show_steps(console, done.steps, japanese=is_japanese())
    shown = shell.path_from(Path.cwd(), Path(done.outputs.config_file))
    console.print()
    report.show(console, f"{shown}, which holds the client secret; here it is covered:")
    console.print()
    console.print(done.config.without_secret().to_toml(), markup=False, soft_wrap=True)
    console.print("The mail (the rehearsal played the mailbox's user at the sign-in page):\n")
    console.print(report.checks(done.proof.checks))
    if done.mail:
        shown = f"{done.mail['from']} → {', '.join(done.mail['to'])}: {done.mail['subject']}"
        console.print(f"\nDelivered, as the tenant's outbox shows: {shown}\n", markup=False)
    elif done.proof.diagnosis:
        diagnosis_view.show(console, [done.proof.diagnosis], japanese_first=is_japanese())
    if done.picture:
        shown = shell.path_from(Path.cwd(), done.picture)
        console.print(f"A picture of the setup sheet: {shown}", markup=False, soft_wrap=True)
    else:
        console.print(
            "No picture of the setup sheet: there is no Chromium or Chrome, or it did not start."
        )
    console.print(f"Done in {done.took.total_seconds():.1f} s.")
    if arguments.keep:
        shown = _look_around(setup.path_line(cli), done.project, done.ready_file)
        console.print(shown, markup=False, soft_wrap=True)  # its lines are to be copied
    else:
        report.show(
            console,
            f"Nothing is left running. To look around: `{_again()} --keep`, which says how.",
        )
    return 0 if done.holds else 1


def _again() -> str:
    if "UV" not in os.environ:
        return "proself-mail rehearse"
    # It runs us, as under make: the shell that it was typed in finds nothing of ours by itself.
    python = "python" if sys.platform == "win32" else "python3"
    return f"{python} -m tools.uv run proself-mail rehearse"


def _look_around(path_line: str, project: Path, ready_file: Path) -> str:
    from proself_mail.text import shell

    ready = shell_word(shell.path_from(Path.cwd(), ready_file))
    within = shell_word(shell.path_from(project, ready_file))
    if sys.platform == "win32":
        history = 'Invoke-RestMethod "$env:PROSELF_MAIL_ADMIN_URL/history"'
    else:
        history = 'curl -s "$PROSELF_MAIL_ADMIN_URL/history"'
    return f"""To look around:
  {path_line}
  {leading(f"--ready-file {ready}")}
  cd {shell_word(shell.path_from(Path.cwd(), project))}
  pulumi stack output --stack rehearsal
  proself-mail verify --stack rehearsal
  {history}
and to end it:
  proself-mail emulator stop --ready-file {within}
  {leading("--unset")}"""


def add_emulator(commands: Commands) -> None:
    """Add `emulator`."""
    emulator = commands.add_parser("emulator", help="the embedded tenant by itself")
    actions = emulator.add_subparsers(metavar="ACTION", required=True)
    start = actions.add_parser(
        "start", help="run one in the foreground; its own options follow", add_help=False
    )
    start.set_defaults(run=emulator_start)  # `commands` hands it everything after it
    env = actions.add_parser("env", help="print the lines that lead a shell to it, for eval")
    env.add_argument("--ready-file", type=file, metavar="FILE", help="what `start` wrote")
    env.add_argument(
        "--shell",
        **choice("shell", ("bash", "powershell")),
        default="bash",
        help="whose lines (default: bash, for every POSIX shell and for fish)",
    )
    env.add_argument("--unset", action="store_true", help="print the lines that undo it")
    env.set_defaults(run=_emulator_env)
    stop = actions.add_parser("stop", help="end it")
    stop.add_argument(
        "--ready-file", type=file, required=True, metavar="FILE", help="what `start` wrote"
    )
    stop.set_defaults(run=_emulator_stop)


def emulator_start(options: Sequence[str]) -> int:
    """Become the embedded tenant; what it takes is its own affair."""
    from proself_mail.rehearsal import embedded

    for each in options:  # its ready file's name is among them, and none could be handed on
        file(each)
    command = [*embedded.command(), *options]
    if sys.platform == "win32":  # exec would return to the shell at once there
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it hears it too, and ends in order
        return subprocess.call(command)  # noqa: S603
    os.execv(command[0], command)  # noqa: S606
    raise AssertionError("exec does not return")


def _emulator_env(arguments: argparse.Namespace) -> int:
    from proself_mail.rehearsal import embedded, sandbox
    from proself_mail.text import shell

    if arguments.unset:
        lines = shell.restoring_lines(arguments.shell)
    elif arguments.ready_file is None:
        raise ConfigurationError(
            "It is not said which embedded tenant is meant.", "Give --ready-file, or --unset."
        )
    else:
        tenant = embedded.EmbeddedTenant.read(arguments.ready_file)
        if tenant.process() is None:
            raise ConfigurationError(
                f"The embedded tenant of {arguments.ready_file} has ended (process {tenant.pid}).",
                "Start one by `proself-mail emulator start --ready-file "
                f"{shell_word(str(arguments.ready_file))}`, then try again.",
            )
        around = shell.typed_in()
        prepared = sandbox.prepare(arguments.ready_file, around)
        lines = shell.setting_lines(prepared.environment, arguments.shell, around)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _emulator_stop(arguments: argparse.Namespace) -> int:
    from proself_mail.rehearsal import embedded

    embedded.stop(arguments.ready_file)
    return 0
