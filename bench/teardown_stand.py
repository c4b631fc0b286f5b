"""An embedded tenant, a project that leads to it, and test stacks in it, for what is measured."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench import ground
from proself_mail.rehearsal.embedded import EmbeddedTenant


class Stand:
    """One tenant and one project."""

    def __init__(self, tenant: EmbeddedTenant, folder: Path, environment: dict[str, str]) -> None:
        self.tenant = tenant
        self.project = folder
        self.environment = environment
        self.admin = httpx.Client(base_url=tenant.admin_url, trust_env=False, timeout=60)

    def faults(self, **habits: Any) -> None:
        """Let the tenant misbehave in this way and no other."""
        self.admin.post("/faults", json=habits).raise_for_status()

    def make(self, stack: str) -> None:
        """Set a stack up, in a tenant that behaves well."""
        self.faults()
        own = ("--stack", stack, "--config-file", str(self.config_file(stack)))
        self.run(*ours("init", *ground.answers(self.tenant), *own))
        self.run(*pulumi("up", "--yes", "--skip-preview", "--stack", stack))

    def config_file(self, stack: str) -> Path:
        """Return where the Proself config file of a stack lies."""
        return self.project / f"{stack}.toml"

    def teardown(self, *stacks: str) -> list[str]:
        """Return the command that tears stacks down."""
        return ours("teardown", "--confirm", self.tenant.tenant_id, "--stack", *stacks)

    def run(self, *command: str) -> str:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            command, cwd=self.project, env=self.environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout


def ours(*arguments: str) -> list[str]:
    """Return the command line of one of our commands."""
    return [sys.executable, "-m", "proself_mail", *arguments]


def pulumi(*arguments: str) -> list[str]:
    """Return the command line of one of Pulumi's."""
    return ["pulumi", "--non-interactive", *arguments]


@contextlib.contextmanager
def stand(*options: str) -> Iterator[Stand]:
    """Start a tenant with these command-line options, and a project in it."""
    with ground.project(options) as (prepared, project):
        yield Stand(prepared.tenant, project, dict(os.environ) | prepared.environment)
