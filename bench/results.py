"""A file of results: figures, and what they were measured on."""

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tools import pulumi_cli

_HERE = Path(__file__).resolve().parent


class Results:
    """Figures by name; printed as they come, stored at the end."""

    def __init__(self, name: str, seed: int) -> None:
        # A person's machine keeps what Python has compiled; one that is told not to compiles the
        # SDKs anew in every process, a third of what an update takes.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.path = _HERE / f"{name}.json"
        self._document: dict[str, Any] = {
            "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "seed": seed,
            "machine": {
                "cores": os.cpu_count(),
                "memory_gib": round(psutil.virtual_memory().total / 2**30),
                "platform": platform.platform(terse=True),
                "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            },
            "versions": {
                "python": platform.python_version(),
                "pulumi_cli": pulumi_cli.locate().version,
                **{
                    name: importlib.metadata.version(name)
                    for name in ("pulumi", "pulumi-azuread", "msgraph-sdk", "azure-identity")
                },
                "commit": _commit(),
            },
            "figures": {},
        }

    @property
    def commit(self) -> str:
        """What is measured."""
        return str(self._document["versions"]["commit"])

    def stored(self, name: str) -> dict[str, Any]:
        """Return a figure as the file has it; empty where it has none."""
        if not self.path.exists():
            return {}
        figures: dict[str, dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))[
            "figures"
        ]
        return figures.get(name, {})

    def note(self, name: str, value: object) -> None:
        """Add something that describes the run."""
        self._document[name] = value

    def add(self, name: str, unit: str, samples: list[float], **more: object) -> None:
        """Add a figure from its samples; prints minimum, median and maximum."""
        figure = {
            "unit": unit,
            "median": round(statistics.median(samples), 3),
            "minimum": round(min(samples), 3),
            "maximum": round(max(samples), 3),
            "samples": len(samples),
            **more,
            "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "commit": self.commit,
        }
        self._document["figures"][name] = figure
        short = {key: value for key, value in more.items() if not isinstance(value, dict)}
        extra = "  ".join(f"{key} {value}" for key, value in short.items())
        sys.stdout.write(
            f"{name:<44} {figure['median']:>8.3f} {unit:<3} "
            f"({figure['minimum']:.3f} to {figure['maximum']:.3f})  {extra}\n"
        )
        sys.stdout.flush()

    def store(self) -> None:
        """Write the file; figures that it holds and that were not measured now stay in it."""
        if self.path.exists():
            before = json.loads(self.path.read_text(encoding="utf-8"))["figures"]
            self._document["figures"] = before | self._document["figures"]
        self.path.write_text(
            json.dumps(self._document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _commit() -> str:
    """Return the commit that is measured, marked where files but results differ from it."""
    changed = _git("status", "--porcelain", "-uno", "--", ":/", ":(top,exclude)bench/*.json")
    return _git("describe", "--always") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_HERE, capture_output=True, text=True)
    return done.stdout.strip()
