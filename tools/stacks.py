"""The stacks whose files lie in `stacks/`, as JSON: what a pipeline runs one job each for.

    python3 -m tools.stacks [only this one]

Runs on any Python without a package, before anything is set up. The example is no stack.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import output

EXAMPLE = "example"
_FOLDER = Path(__file__).resolve().parent.parent / "stacks"


def names(folder: Path = _FOLDER) -> list[str]:
    """Return the stacks' names, sorted."""
    found = (path.name[len("Pulumi.") : -len(".yaml")] for path in folder.glob("Pulumi.*.yaml"))
    return sorted(name for name in found if name != EXAMPLE)


def main(arguments: Sequence[str]) -> None:
    """Print them on one line; exit 1 where the one that is asked for is not among them."""
    found, only = names(), "".join(arguments[:1])
    if only and only not in found:
        sys.exit(f"stacks/ has no stack {only!r}; it has: {', '.join(found) or 'none'}")
    output.show(json.dumps([only] if only else found))


if __name__ == "__main__":
    main(sys.argv[1:])
