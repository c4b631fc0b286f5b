"""The word lists in Pulumi's CLI, read when they are needed.

`pulumi config set` asks zxcvbn whether a value looks like a secret, and `pulumi env set` asks a
fork of it. Both read 1 MB of word lists when a program starts, whichever command it is: half of
what `pulumi` needs until it begins (ADR 0003). Both also read them where they find none, and that
is when they are read here.
"""

from collections.abc import Callable
from pathlib import Path

_MODULES = ("github.com/ccojocar/zxcvbn-go", "github.com/nbutton23/zxcvbn-go")
_EDITS = (
    ("frequency/frequency.go", "func init() {\n", "func Load() {\n"),
    ("matching/matching.go", "func init() {\n\tloadFrequencyList()\n}\n", ""),
    (
        "matching/matching.go",
        "func loadFrequencyList() {\n",
        "func loadFrequencyList() {\n\tfrequency.Load()\n",
    ),
)
"""File, what stands there once, and what comes in its place."""


def read_when_needed(module: Path, go: Callable[..., str]) -> None:
    """Have the Go module in the folder `module` use copies of zxcvbn that wait with their lists.

    The copies go into that folder. `go(folder, *arguments)` runs Go and returns what it printed; it
    compares what it downloads with the module's `go.sum`. Raises `ValueError` where zxcvbn is not
    the one that is known.
    """
    for name in _MODULES:
        go(module, "mod", "download", name)
        source = Path(go(module, "list", "-m", "-f", "{{.Dir}}", name).strip())
        copy = module / name
        _copy(source, copy, name)
        for file, old, new in _EDITS:
            text = (copy / file).read_text(encoding="utf-8")
            if text.count(old) != 1:
                raise ValueError(f"{name}: {file} is not the one that is known")
            (copy / file).write_text(text.replace(old, new), encoding="utf-8")
        go(module, "mod", "edit", f"-replace={name}=./{name}")


def _copy(source: Path, copy: Path, name: str) -> None:
    # By their contents: what Go downloads is read-only, and could not be removed again.
    for path in source.rglob("*"):
        if path.suffix == ".go" or path.name == "go.mod":
            target = copy / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    if not (copy / "go.mod").exists():
        (copy / "go.mod").write_text(f"module {name}\n", encoding="utf-8")
