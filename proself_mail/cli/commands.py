"""Every command's arguments, and what its failure is told and exits with.

Exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 refused by a guard, 4 remote or
unknown, 5 part of several failed, 6 a person must act, 130 interrupted.
"""

import argparse
import errno
from collections.abc import Sequence

from proself_mail.cli import entering, making, proving, rehearsing, removing, rotating, terminal
from proself_mail.cli.arguments import Parser
from proself_mail.errors import Error

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM)
_MAKE_ROOM = (
    "Make room on its disks, that of temporary files included, and raise its limits (`ulimit -a`), "
    "then run it again."
)


def run(arguments: Sequence[str] | None) -> int:
    """Run one command and return its exit code. Raises `KeyboardInterrupt`."""
    terminal.open_what_is_closed()
    terminal.let_no_output_fail()
    try:
        parser = _parser()
        parsed, rest = parser.parse_known_args(arguments)
        if parsed.run is rehearsing.emulator_start:
            code: int = rehearsing.emulator_start(rest)
        elif rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        else:
            code = parsed.run(parsed)
    except SystemExit as ended:
        if ended.code:
            raise
        code = 0  # argparse has shown its help
    except Error as error:
        _complain(error)
        code = error.exit_code
    except OSError as error:
        if error.errno not in _EXHAUSTED and "temporary directory" not in str(error):
            raise
        _complain(Error(f"This machine is out of something: {error.strerror}.", _MAKE_ROOM))
        code = Error.exit_code
    if unwritten := terminal.lost():
        cause = f"The results could not be written: {unwritten.strerror}."
        _complain(Error(cause, "Make room for them, then run it again."))
        code = code or Error.exit_code
    return code


def _complain(error: Error) -> None:
    from proself_mail.text import report

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
