"""Lines of results on standard output, by the tools that run beside the commands."""

import os
import sys


def show(line: str) -> None:
    """Print a line at once. Ends the program, with 1, where it cannot be written."""
    try:
        print(line, flush=True)  # noqa: T201
    except OSError as error:
        # Or the interpreter tries it once more at its end, and complains in words of its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(
            f"The results could not be written: {error.strerror}. Next: Make room for them, then "
            "run it again."
        )
