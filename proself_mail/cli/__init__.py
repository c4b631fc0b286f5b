"""The command line: arguments in, exit code out. Only this folder prints, and only `main` exits.

Exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 refused by a guard, 4 remote or
unknown, 5 part of several failed, 6 a person must act, 130 interrupted.
"""

import argparse
import gc
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from proself_mail.cli import entering, making, proving, rehearsing, removing, rotating, terminal
from proself_mail.cli.arguments import Parser
from proself_mail.errors import Error


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code."""
    terminal.let_no_output_fail()
    _end_in_order()
    stack = None
    try:
        parser = _parser()
        parsed, rest = parser.parse_known_args(arguments)
        if rest and parsed.run is not rehearsing.emulator_start:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        stack = getattr(parsed, "stack", None)
        code = parsed.run(rest if parsed.run is rehearsing.emulator_start else parsed)
    except Error as error:
        _complain(error.about(stack if isinstance(stack, str) else None))
        code = error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("proself-mail: interrupted.\n")
        code = 130
    if unwritten := terminal.lost():
        cause = f"The results could not be written: {unwritten.strerror}."
        _complain(Error(cause, "Make room for them, then run it again."))
        code = code or Error.exit_code
    # Or the interpreter looks through half a million objects of the SDK's once more: 0.1 s.
    gc.freeze()
    sys.exit(code)


def _end_in_order() -> None:
    """Have what else ends a command do so as Ctrl-C does: a closed terminal, a cancelled job.

    On Windows the latter gets a Ctrl-Break.

    What is under way ends in order then, and nothing that was started for it is left running. A
    hang-up that the caller has us ignore, as nohup does, stays ignored. An ignored Ctrl-C does not,
    as with the engine: a script's background job has it, and a cancelled one is to end in order.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))


def _complain(error: Error) -> None:
    from proself_mail import report

    report.show(report.commentary(), f"proself-mail: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="proself-mail",
        description="Set up Proself's mail through Exchange Online, rotate its secret, prove it.",
        epilog=(__doc__ or "").partition("\n\n")[2],
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    making.add_init(commands)
    making.add_up(commands)
    rotating.add_rotate(commands)
    making.add_handover(commands)
    making.add_preflight(commands)
    entering.add_config(commands)
    entering.add_sheet(commands)
    proving.add_verify(commands)
    proving.add_explain(commands)
    removing.add_teardown(commands)
    removing.add_sweep(commands)
    rehearsing.add_rehearse(commands)
    rehearsing.add_emulator(commands)
    return parser
