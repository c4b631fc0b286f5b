"""Makes the README's picture of the setup sheet: `python -m tools.picture`.

It is the upper part of the one that a rehearsal leaves in `out/`, in few colours. The stack is the
rehearsal's, whose tenant is gone by then; its secret is covered.
"""

import subprocess
import sys
from pathlib import Path

from PIL import Image

_ROOT = Path(__file__).resolve().parent.parent
_FROM = _ROOT / "out" / "rehearsal" / "sheet.png"
_TO = _ROOT / "docs" / "images" / "sheet.png"
_HEIGHT = 2392
"""In pixels: down to the end of Proself's mail server screen."""
_COLOURS = 64


def make() -> int:
    """Rehearse, then cut and write the picture; return its size in bytes."""
    command = [sys.executable, "-m", "proself_mail", "rehearse"]
    subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    with Image.open(_FROM) as whole:
        part = whole.convert("RGB").crop((0, 0, whole.width, _HEIGHT))
    _TO.parent.mkdir(parents=True, exist_ok=True)
    part.quantize(_COLOURS, dither=Image.Dither.NONE).save(_TO, optimize=True)
    return _TO.stat().st_size


if __name__ == "__main__":
    sys.stdout.write(f"{_TO}: {make():,} bytes\n")
