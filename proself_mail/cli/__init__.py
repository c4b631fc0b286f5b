"""The command line: arguments in, exit code out. Only this folder prints, and only `main` exits."""

import gc
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its code (`commands`), or with 130 where it is interrupted."""
    _end_in_order()
    try:
        from proself_mail.cli import commands  # 0.3 s, in which a job may be cancelled too

        code = commands.run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("proself-mail: interrupted.\n")
        code = 130
    # Or the interpreter looks through half a million objects of the SDK's once more: 0.1 s.
    gc.freeze()
    sys.exit(code)


def heed_ctrl_c() -> None:
    """Heed Ctrl-C where it is ignored, as a shell has it for what it runs in the background.

    The engine does too, but its helpers inherit what it began with: told to end by it at the end of
    a run, they are waited for in vain, for five seconds.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_in_order() -> None:
    """Have what else ends a command do so as Ctrl-C does: a closed terminal, a cancelled job.

    On Windows the latter gets a Ctrl-Break.

    What is under way ends in order then, and nothing that was started for it is left running. A
    hang-up that the caller has us ignore, as nohup does, stays ignored. An ignored Ctrl-C does not,
    for a script's background job that is cancelled is to end in order too.
    """
    heed_ctrl_c()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
