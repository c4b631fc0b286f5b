"""Pulumi's own engine for a test: a project with a state of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proself_mail.stack import backend
from tests import forked_python, key_service
from tools import pulumi_cli

STACK = "dev"


@dataclass(frozen=True)
class Run:
    """What a command of the CLI did."""

    code: int
    output: str
    seconds: float

    def done(self) -> "Run":
        """Give itself when the command succeeded; fails the test with its output otherwise."""
        assert self.code == 0, self.output
        return self


class Project:
    """One Pulumi project with a local backend, one stack, and an environment that is only its."""

    def __init__(
        self, folder: Path, program: Path, plugins: Path, environment: Mapping[str, str]
    ) -> None:
        """Make the stack; `plugins` is the folder with the plugin's executable."""
        cli = pulumi_cli.locate().path.parent
        # A copy: the engine writes the stack's key beside the program.
        self.program = folder / "program"
        shutil.copytree(program, self.program)
        (folder / "state").mkdir(parents=True)
        self.environment = {
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join(
                [str(cli), str(Path(sys.executable).parent), str(plugins), os.defpath]
            ),
            "PULUMI_BACKEND_URL": backend.file_url(folder / "state"),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **key_service.environment(),
            **forked_python.language_host(),
            **environment,
        }
        self.run("stack", "init", STACK, "--secrets-provider", key_service.PROVIDER).done()

    def run(self, *arguments: str, **environment: str) -> Run:
        """Run a command of the CLI in the program's folder."""
        started = time.monotonic()
        process = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=self.program,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return Run(process.returncode, process.stdout + process.stderr, time.monotonic() - started)

    def up(self, config: Mapping[str, str] | None = None, *options: str) -> Run:
        """Update the stack without a preview before it."""
        return self._with_config("up", config, "--yes", "--skip-preview", *options)

    def preview(self, config: Mapping[str, str] | None = None, *options: str) -> Run:
        """Preview an update."""
        return self._with_config("preview", config, *options)

    def outputs(self) -> dict[str, Any]:
        """Read the stack's outputs, secrets in plain text."""
        run = self.run("stack", "output", "--json", "--show-secrets", "--stack", STACK).done()
        outputs: dict[str, Any] = json.loads(run.output)
        return outputs

    def resources(self) -> dict[str, dict[str, Any]]:
        """Export the state: its resources by name, secrets in plain text."""
        run = self.run("stack", "export", "--show-secrets", "--stack", STACK).done()
        found: Sequence[dict[str, Any]] = json.loads(run.output)["deployment"].get("resources", [])
        return {resource["urn"].rpartition("::")[2]: resource for resource in found}

    def _with_config(self, command: str, config: Mapping[str, str] | None, *options: str) -> Run:
        pairs = [part for key, value in (config or {}).items() for part in ("-c", f"{key}={value}")]
        return self.run(command, "--stack", STACK, *pairs, *options)
