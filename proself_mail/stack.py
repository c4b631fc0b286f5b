"""One Pulumi stack, through the Automation API: its configuration, its outputs, its operations.

The same program and the same engine as `pulumi` typed by a person. It decides nothing: what to do
about a failure is the operations'.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import yaml
from pulumi import automation
from pulumi.automation.errors import CommandError, StackAlreadyExistsError, StackNotFoundError

from proself_mail import failure, settings
from proself_mail.errors import ConfigurationError, Error, Refused
from proself_mail.proself import ClientSecret
from proself_mail.secret import Secret
from proself_mail.settings import Settings
from tools import pulumi_cli

CHECKOUT = Path(__file__).resolve().parent.parent
"""Where Pulumi.yaml and the program lie; relative paths in a stack's configuration begin here."""


def find_project(start: Path) -> Path:
    """Return the Pulumi project that a command typed in `start` is about.

    As `pulumi` does: the folder itself or the nearest above it with a Pulumi.yaml of this
    project's name; else the checkout that this program is run from.
    """
    for folder in (start, *start.parents):
        with contextlib.suppress(OSError):
            document = yaml.safe_load((folder / "Pulumi.yaml").read_text(encoding="utf-8"))
            if isinstance(document, dict) and document.get("name") == settings.PROJECT:
                return folder
    return CHECKOUT


@dataclass(frozen=True)
class Outputs:
    """What a stack gives after an `up`."""

    client_id: str
    tenant_id: str
    application_object_id: str
    service_principal_object_id: str
    identifier_uri: str
    redirect_uri: str
    consent_url: str
    config_file: str
    """Path of the Proself config file, or `none`."""
    client_secrets: tuple[ClientSecret, ...]
    """The newest last."""

    @property
    def newest(self) -> ClientSecret:
        """The secret for Proself."""
        return self.client_secrets[-1]


class Stack:
    """A stack that exists."""

    def __init__(self, inner: automation.Stack) -> None:
        self._inner = inner

    @classmethod
    def select(cls, name: str, project: Path) -> Self:
        """Find a stack by its name. Raises `ConfigurationError` where there is none."""
        workspace = _workspace(project)
        try:
            return cls(automation.Stack.select(name, workspace))
        except StackNotFoundError as error:
            raise ConfigurationError(
                f"There is no stack {name} on this backend.",
                f"`proself-mail init --stack {name}` makes it; `pulumi stack ls` lists what "
                "there is.",
            ) from error
        except CommandError as error:
            raise _converted(error) from error

    @classmethod
    def create(
        cls,
        name: str,
        project: Path,
        secrets_provider: str | None = None,
    ) -> Self:
        """Make a new, empty stack. Raises `Refused` where one of this name exists."""
        workspace = _workspace(project, secrets_provider)
        try:
            return cls(automation.Stack.create(name, workspace))
        except StackAlreadyExistsError as error:
            raise Refused(
                f"A stack {name} exists already.",
                f"Change it by `pulumi config set --stack {name} KEY VALUE`, or choose another "
                "name.",
            ) from error
        except CommandError as error:
            raise _converted(error) from error

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._inner.name

    def settings(self) -> Settings:
        """Return its configuration, validated. Raises `ConfigurationError`."""
        values: dict[str, object] = {}
        for key, entry in self._run(self._inner.get_all_config).items():
            namespace, _, name = key.partition(":")
            if namespace == settings.PROJECT:
                values[name] = entry.value
        return settings.parse(values)

    def configure(self, values: Mapping[str, str]) -> None:
        """Set keys of its configuration; a key may be a path such as `secrets[0].from`."""
        entries = {
            f"{settings.PROJECT}:{path}": automation.ConfigValue(value)
            for path, value in values.items()
        }
        self._run(lambda: self._inner.set_all_config(entries, path=True))

    def outputs(self) -> Outputs:
        """Return what its last `up` gave. Raises `ConfigurationError` before the first one."""
        found = {name: output.value for name, output in self._run(self._inner.outputs).items()}
        try:
            return _outputs(found)
        except KeyError as error:
            raise ConfigurationError(
                f"The stack {self.name} has no output {error}: nothing has been set up yet.",
                f"`pulumi up --stack {self.name}`, then try again.",
            ) from error

    def up(self, on_output: Callable[[str], Any]) -> None:
        """Run `pulumi up` once, its output line by line to `on_output`."""
        self._run(lambda: self._inner.up(on_output=on_output, color="never", suppress_outputs=True))

    def _run(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except CommandError as error:
            raise _converted(error) from error


def _workspace(project: Path, secrets_provider: str | None = None) -> automation.LocalWorkspace:
    cli = pulumi_cli.locate()
    # A Python language host that was built from its Go module knows no `virtualenv` option.
    venv = str(Path(sys.executable).parent)
    return automation.LocalWorkspace(
        work_dir=str(project),
        env_vars={"PATH": os.pathsep.join([venv, os.environ.get("PATH", "")])},
        secrets_provider=secrets_provider,
        pulumi_command=automation.PulumiCommand(root=str(cli.root)),
    )


def _outputs(found: Mapping[str, Any]) -> Outputs:
    secrets: Sequence[Mapping[str, str]] = found["clientSecrets"]
    return Outputs(
        client_id=found["clientId"],
        tenant_id=found["tenantId"],
        application_object_id=found["applicationObjectId"],
        service_principal_object_id=found["servicePrincipalObjectId"],
        identifier_uri=found["identifierUri"],
        redirect_uri=found["redirectUri"],
        consent_url=found["consentUrl"],
        config_file=found["configFile"],
        client_secrets=tuple(
            ClientSecret(
                window=secret["id"],
                key_id=secret["keyId"],
                starts=datetime.fromisoformat(secret["starts"]),
                expires=datetime.fromisoformat(secret["expires"]),
                value=Secret(secret["value"]),
            )
            for secret in secrets
        ),
    )


def _converted(error: CommandError) -> Error:
    """Take the CLI's own words out of an error that repeats its whole output."""
    said = re.findall(r"^(?: *stderr:)? *error: +(.+)$", str(error), re.MULTILINE)
    # The last one only says that the command failed; the first one says why.
    words = said[0] if said else str(error).strip().splitlines()[-1]
    return failure.classify(words).error()
