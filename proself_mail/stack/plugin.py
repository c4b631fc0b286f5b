"""Which azuread plugin the engine runs: the real one wherever it can be, the stand-in beside it.

The real one is downloaded by the engine itself where there is internet. Against the cloud nothing
else will do. For an embedded tenant on a network that reaches package registries only, the
stand-in of `emulator.azuread_plugin` is put on PATH.
"""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NAME = "pulumi-resource-azuread"


@dataclass(frozen=True)
class Plugin:
    """An azuread plugin and the folder that leads the engine to it."""

    folder: Path
    """To be put first on PATH."""
    is_stand_in: bool
    version: str
    """For people; `6.10.0`, or `unknown` for one found on PATH."""

    @property
    def description(self) -> str:
        """Say in a few words which one it is."""
        kind = "stand-in for the real one" if self.is_stand_in else "the real one"
        return f"{kind}, {self.version}, {self.folder}"


def for_embedded(scratch: Path, environment: Mapping[str, str] = os.environ) -> Plugin:
    """Return the plugin to use with an embedded tenant; the stand-in is set up in `scratch`."""
    return _installed(environment) or _stand_in(scratch)


def _installed(environment: Mapping[str, str]) -> Plugin | None:
    if platform.system() != "Linux":
        # Go takes the tenant's CA from SSL_CERT_FILE on Linux only; elsewhere it asks the system.
        return None
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    folders = sorted(home.glob("plugins/resource-azuread-v6.*"), key=_version)
    for folder in reversed(folders):
        if (folder / _NAME).exists():
            return Plugin(folder, is_stand_in=False, version=folder.name.rpartition("-v")[2])
    if (found := shutil.which(_NAME, path=environment.get("PATH"))) and not _is_script(Path(found)):
        return Plugin(Path(found).parent, is_stand_in=False, version="unknown")
    return None


def _version(folder: Path) -> tuple[int, ...]:
    numbers = folder.name.rpartition("-v")[2].split(".")
    return tuple(int(number) if number.isdigit() else 0 for number in numbers)


def _is_script(path: Path) -> bool:
    """Tell a stand-in's launcher, a script, from the real plugin, a binary."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _stand_in(scratch: Path) -> Plugin:
    from emulator import azuread_plugin  # the one import of it: absent where only the cloud is used

    scratch.mkdir(parents=True, exist_ok=True)
    azuread_plugin.write_launcher(scratch)
    return Plugin(scratch, is_stand_in=True, version=importlib.metadata.version("pulumi-azuread"))
