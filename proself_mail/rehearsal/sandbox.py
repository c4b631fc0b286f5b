"""A Pulumi of its own beside an embedded tenant: home, state, passphrase and plugin.

The user's own ~/.pulumi is never touched, nothing is downloaded, and what is in it dies with the
folder.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proself_mail.files import private_file
from proself_mail.rehearsal.embedded import EmbeddedTenant
from proself_mail.stack import backend, plugin
from proself_mail.stack.plugin import Plugin
from tools import pulumi_cli


@dataclass(frozen=True)
class Sandbox:
    """Everything that leads a shell or a child process to an embedded tenant."""

    tenant: EmbeddedTenant
    plugin: Plugin
    environment: dict[str, str]


def prepare(ready_file: Path, environment: Mapping[str, str] = os.environ) -> Sandbox:
    """Set up the sandbox of a running embedded tenant, in a folder beside its ready file.

    `environment` is that of the shell or the process to lead.

    Raises `ConfigurationError` where none is running, `MissingTool` without a Pulumi CLI, `Refused`
    where that folder is not this user's alone, or somebody could put another in its place.
    """
    tenant = EmbeddedTenant.read(ready_file)
    folder = ready_file.absolute().with_suffix(".pulumi")
    private_file.make_own_folder(folder)
    state = folder / "state"
    state.mkdir(exist_ok=True)
    passphrase = folder / "passphrase"
    if not passphrase.exists():
        private_file.write(passphrase, secrets.token_urlsafe(24))
    chosen = plugin.for_embedded(folder / "plugin")
    ours = (chosen.folder, Path(sys.executable).parent, pulumi_cli.locate().path.parent)
    on_path = [str(each) for each in ours]
    on_path += [
        each for each in environment.get("PATH", "").split(os.pathsep) if each not in on_path
    ]
    return Sandbox(
        tenant,
        chosen,
        tenant.environment(environment)
        | {
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": backend.file_url(state),
            # Not the variable of the file, which one of this name outranks, even an empty one.
            "PULUMI_CONFIG_PASSPHRASE": passphrase.read_text(encoding="utf-8"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # Another project's: without plugins on PATH, by another Python than ours.
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "",
            "PULUMI_PYTHON_CMD": "",
            # The virtual environment is on it because a Python language host that was built from
            # its Go module knows no `virtualenv` option.
            "PATH": os.pathsep.join(on_path),
        },
    )
