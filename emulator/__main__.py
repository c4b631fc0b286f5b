"""`python -m emulator`: serve until told to stop."""

import sys

from emulator.config import parse
from emulator.server import run


def main() -> int:
    """Run the emulator; 2 if a port is taken or a file cannot be written."""
    config = parse()
    try:
        run(config)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        sys.stderr.write(f"emulator: {error.strerror or error}{where}\n")
        return 2
    return 0


sys.exit(main())
