"""Commands as a person types them, in a shell that leads to an embedded tenant."""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import yaml

from proself_mail.rehearsal import rehearse, sandbox
from proself_mail.stack import backend
from tests import forked_process, forked_python, key_service
from tests.tenant import Tenant

MAILBOX = "proself@contoso.example"
SERVER = "proself.example.jp"
_SCRIPT = str(Path(sys.executable).parent / "proself-mail")
_SECONDS = 120
"""How long a command may take."""


@cache
def _made_stacks() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="made-stacks-")


def instant(after: timedelta) -> str:
    """Write the instant that is so long after now."""
    return f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"


LEAST = ("Application.ReadWrite.OwnedBy", "DelegatedPermissionGrant.ReadWrite.All")
"""The app roles that suffice for an application with its consent."""


class Journey:
    """A project folder of its own, and an environment as `emulator env` prints it."""

    secrets_provider = key_service.PROVIDER

    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.tenant = tenant
        self.folder = folder
        self.config_file = folder / "out" / "proself.toml"
        led = sandbox.prepare(tenant.ready_file)
        trusted = {tenant.ca_file: tenant.authority_file}
        self.environment = dict(os.environ) | {
            name: trusted.get(value, value) for name, value in led.environment.items()
        }
        self.environment |= key_service.environment()
        self.environment |= forked_python.engine(self.environment["PATH"], led.plugin)
        rehearse.make_project(folder, tenant.tenant_id)
        state = folder / "state"
        state.mkdir()
        # Stacks of this test's own.
        self.environment["PULUMI_BACKEND_URL"] = backend.file_url(state)
        self._outputs: dict[tuple[str, bytes], str] = {}

    def keep(self) -> None:
        """Keep the folder and the tenant as they are now, for `as_kept`."""
        self.tenant.keep()
        shutil.copytree(self.folder, self._kept)

    def as_kept(self) -> "Journey":
        """Bring folder and tenant back to where they were kept: an `up` for many tests."""
        self.tenant.reset()
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder)
        again = copy.copy(self)
        again.environment = dict(self.environment)
        return again

    def clone(self) -> "Journey":
        """Return another checkout of the project, as on another machine, on the same backend."""
        other = copy.copy(self)
        other.environment = dict(self.environment)
        other.folder = self.folder.with_name(f"{self.folder.name}-clone")
        shutil.rmtree(other.folder, ignore_errors=True)
        shutil.copytree(self.folder, other.folder, ignore=shutil.ignore_patterns("state"))
        return other

    @property
    def _kept(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-kept")

    def caller(self) -> str:
        """Return the object id of the identity that the environment signs in."""
        claims: dict[str, str] = jwt.decode(
            self.tenant.sign_in().json()["access_token"], options={"verify_signature": False}
        )
        return claims["oid"]

    def proself_mail(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `proself-mail` in the project's folder, forked from its imports."""
        environment = self.environment | dict(env or {})
        return forked_process.run(arguments, self.folder, environment, stdin, _SECONDS)

    def script(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run `proself-mail` by its installed script, as a person does."""
        return self._run([_SCRIPT, *arguments], stdin, None)

    @contextmanager
    def started(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator["subprocess.Popen[str]"]:
        """Start `proself-mail`, forked, in the project's folder; options are `Popen`'s.

        Its standard error, a pipe, is there to be read. It is dead when the block ends.
        """
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        with subprocess.Popen(
            [*forked_python.python(), "-P", "-m", "proself_mail", *arguments],
            cwd=self.folder,
            env=self.environment | dict(env or {}),
            encoding="utf-8",
            stderr=subprocess.PIPE,
            **quiet | options,
        ) as process:
            try:
                yield process
            finally:
                process.kill()
                if process.stderr and not process.stderr.closed:
                    process.stderr.read()  # to the end of the one that was forked for it

    def pulumi(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the `pulumi` that is first on PATH in the project's folder."""
        return self._run(["pulumi", "--non-interactive", *arguments], None, env)

    def _run(
        self, command: list[str], stdin: str | None, env: Mapping[str, str] | None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | dict(env or {}),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=_SECONDS,
        )

    def make_stack(self, stack: str, **changes: object) -> dict[str, Any]:
        """Make a stack as `init` would, with its configuration written by hand; return that."""
        configuration: dict[str, Any] = {
            "tenantId": self.tenant.tenant_id,
            "target": "embedded",
            "stackId": str(uuid.uuid4()),
            "server": SERVER,
            "mailbox": MAILBOX,
            "secrets": [{"from": instant(timedelta()), "everyDays": 150, "overlapDays": 30}],
            "environment": "test",
            "owners": [self.caller()],
            "configFile": str(self.config_file),
        }
        self._init(stack)
        self.configure(stack, configuration | changes)
        return configuration | changes

    def _init(self, stack: str) -> None:
        """Have the engine make an empty stack, once for each key: the next is a copy of it."""
        made = self._kept_stacks / f"{stack}.made"
        state, file = self.folder / "state", self.folder / f"Pulumi.{stack}.yaml"
        if made.exists():
            shutil.copytree(made / "state", state, dirs_exist_ok=True)
            shutil.copy(made / file.name, file)
            return
        is_first = not any(state.iterdir())
        done = self.pulumi("stack", "init", stack, "--secrets-provider", self.secrets_provider)
        assert done.returncode == 0, done.stderr
        if is_first:
            shutil.copytree(state, made / "state")
            shutil.copy(file, made)

    @property
    def _kept_stacks(self) -> Path:
        """Where stacks that were made lie: a passphrase is a tenant's, the key service all's."""
        ours = self.secrets_provider == key_service.PROVIDER
        return Path(_made_stacks().name) if ours else self.tenant.ready_file.parent

    def change(self, stack: str, **changes: object) -> None:
        """Change some keys of a stack's configuration; None takes one away."""
        document = yaml.safe_load(
            (self.folder / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
        )
        kept = {key.partition(":")[2]: value for key, value in document["config"].items()}
        self.configure(stack, kept | changes)

    def configure(self, stack: str, configuration: Mapping[str, object]) -> None:
        """Write a stack's whole configuration; None leaves a key out."""
        path = self.folder / f"Pulumi.{stack}.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
        document["config"] = {
            f"proself-mail:{key}": value
            for key, value in configuration.items()
            if value is not None
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")

    def up(self, stack: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `pulumi up`; what it says is for the caller to look at."""
        return self.pulumi("up", "--stack", stack, "--yes", "--skip-preview", *options)

    def outputs(self, stack: str) -> dict[str, Any]:
        """Return a stack's outputs, secrets included; the CLI is asked once for each state."""
        state = self.folder / "state/.pulumi/stacks/proself-mail" / f"{stack}.json"
        key = (stack, state.read_bytes())
        if key not in self._outputs:
            done = self.pulumi("stack", "output", "--stack", stack, "--json", "--show-secrets")
            assert done.returncode == 0, done.stderr
            self._outputs[key] = done.stdout
        found: dict[str, Any] = json.loads(self._outputs[key])
        return found

    def mark(self) -> int:
        """Return the number of the last exchange with the tenant, to look at those after it."""
        history = self.tenant.history()
        return int(history[-1]["n"]) if history else 0

    def writes(self, since: int) -> list[tuple[str, str]]:
        """Return method and path of every write after a mark."""
        return [(each["method"], each["path"]) for each in self.tenant.writes(since)]


@contextmanager
def kept_stack(folder: Path, *roles: str) -> Iterator[Journey]:
    """Keep a stack that was never brought up, in a tenant whose deployer has these app roles."""
    with Tenant("--deployer-role", *roles) as tenant:
        journey = Journey(tenant, folder)
        journey.make_stack("dev")
        journey.keep()
        yield journey
