"""Which azuread plugin is taken: the engine's newest, one on PATH, or the stand-in."""

import sys
from pathlib import Path

import pytest

from proself_mail.stack import plugin

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the real one trusts an embedded tenant on Linux only"
)
NAME = "pulumi-resource-azuread"
BINARY = b"\x7fELF"


def put(folder: Path, content: bytes) -> Path:
    """Put a program of the plugin's name into a folder."""
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(content)
    (folder / NAME).chmod(0o755)
    return folder


def choose(tmp_path: Path, *path: Path) -> plugin.Plugin:
    """Choose with a Pulumi home in `tmp_path` and these folders on PATH."""
    shown = ":".join(map(str, path))
    environment = {"PULUMI_HOME": str(tmp_path / "home"), "PATH": shown}
    return plugin.for_embedded(tmp_path / "scratch", environment)


def test_the_newest_of_version_6_that_the_engine_has_is_taken(tmp_path: Path) -> None:
    plugins = tmp_path / "home" / "plugins"
    put(plugins / "resource-azuread-v6.9.0", BINARY)
    newest = put(plugins / "resource-azuread-v6.10.0", BINARY)
    put(plugins / "resource-azuread-v7.0.0", BINARY)
    (plugins / "resource-azuread-v6.11.0").mkdir()  # its download was cut short
    on_path = put(tmp_path / "bin", BINARY)
    chosen = choose(tmp_path, on_path)
    assert chosen == plugin.Plugin(newest, is_stand_in=False, version="6.10.0")


def test_without_one_of_the_engines_a_binary_on_path_is(tmp_path: Path) -> None:
    on_path = put(tmp_path / "bin", BINARY)
    chosen = choose(tmp_path, on_path)
    assert chosen == plugin.Plugin(on_path, is_stand_in=False, version="unknown")


def test_a_script_on_path_is_another_tenants_stand_in(tmp_path: Path) -> None:
    on_path = put(tmp_path / "bin", b"#!/bin/sh\n")
    chosen = choose(tmp_path, on_path)
    assert chosen.is_stand_in
    assert chosen.folder == tmp_path / "scratch"
    assert (chosen.folder / NAME).exists()
