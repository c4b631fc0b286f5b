"""What the lock installs on the systems that we name: wheels, so that nobody needs a compiler."""

import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.pylock import PackageSdist, Pylock
from packaging.tags import compatible_tags, cpython_tags, mac_platforms

from tools import uv

ROOT = Path(__file__).resolve().parents[2]
PURE = {"sly"}
"""What comes as a source distribution of nothing but Python."""


def manylinux(machine: str) -> list[str]:
    """As of Debian 11 and Red Hat 9."""
    names = [*(f"manylinux_2_{minor}" for minor in range(31, 16, -1)), "manylinux2014"]
    if machine == "x86_64":
        names += ["manylinux2010", "manylinux1"]
    return [f"{name}_{machine}" for name in names]


SYSTEMS = {
    "Linux": ("linux", "posix", "x86_64", manylinux("x86_64")),
    "Linux on ARM": ("linux", "posix", "aarch64", manylinux("aarch64")),
    "macOS": ("darwin", "posix", "arm64", list(mac_platforms((14, 0), "arm64"))),
    "macOS on Intel": ("darwin", "posix", "x86_64", list(mac_platforms((14, 0), "x86_64"))),
    "Windows": ("win32", "nt", "AMD64", ["win_amd64"]),
}


@cache
def lock() -> Pylock:
    """The lock, by the standard's form of it."""
    options = ["--frozen", "--no-emit-project", "--all-groups", "--quiet", "--format=pylock.toml"]
    told = subprocess.run(
        [uv.find(), "export", *options], cwd=ROOT, capture_output=True, check=True
    ).stdout
    return Pylock.from_dict(tomllib.loads(told.decode()))


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13), (3, 14)])
@pytest.mark.parametrize("system", SYSTEMS)
def test_nothing_is_compiled(system: str, version: tuple[int, int]) -> None:
    sys_platform, os_name, machine, platforms = SYSTEMS[system]
    python = ".".join(map(str, version))
    environment = default_environment()
    environment["os_name"] = os_name
    environment["platform_machine"] = machine
    environment["platform_system"] = {"linux": "Linux", "darwin": "Darwin"}.get(
        sys_platform, "Windows"
    )
    environment["python_full_version"] = f"{python}.0"
    environment["python_version"] = python
    environment["sys_platform"] = sys_platform
    tags = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    ]
    selected = list(lock().select(environment=environment, tags=tags))
    assert len(selected) > 90
    built = {package.name for package, what in selected if isinstance(what, PackageSdist)}
    assert built == PURE
