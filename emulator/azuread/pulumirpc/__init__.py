"""Pulumi's generated protocol classes, reached without importing Pulumi's SDK.

A plugin starts several times in one `pulumi up`, and `import pulumi` costs half a second of that.
The generated modules refer to one another only relatively, so this package borrows their folder:
`find_spec` of a top-level name locates it without running it.
"""

from importlib.util import find_spec
from pathlib import Path

_pulumi = find_spec("pulumi")
if _pulumi is None or _pulumi.origin is None:
    raise ImportError("the stand-in azuread plugin needs the `pulumi` package of this project")

__path__ = [str(Path(_pulumi.origin).parent / "runtime" / "proto")]
