"""The tests meet nothing of whoever runs them, who may have signed in somewhere."""

import os
import sys
from pathlib import Path

import pytest

from tests import conftest


@pytest.mark.skipif(sys.platform == "win32", reason="their plugins are linked to")
def test_what_a_person_has_set_is_put_aside_and_their_plugins_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs" / "plugins" / "resource-azuread-v6.10.0").mkdir(parents=True)
    (tmp_path / "theirs" / "credentials.json").write_text("{}", encoding="utf-8")
    (tmp_path / "ours").mkdir()
    theirs = {
        "ARM_TENANT_ID": "x",
        "AZURE_CLIENT_SECRET": "x",
        "PULUMI_BACKEND_URL": "s3://theirs",
        "PULUMI_HOME": str(tmp_path / "theirs"),
    }
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as kept:
        kept.setattr(os, "environ", dict(os.environ))
        conftest._put_aside_the_users_own(tmp_path / "ours")
        assert {name for name in theirs if name in os.environ} == {"PULUMI_HOME"}
        home = Path(os.environ["PULUMI_HOME"])
    assert home.parent == tmp_path / "ours"
    assert [path.name for path in home.iterdir()] == ["plugins"]
    assert (home / "plugins" / "resource-azuread-v6.10.0").is_dir()


def test_so_it_is_here() -> None:
    assert not [name for name in os.environ if name.startswith(("ARM_", "AZURE_"))]
    assert not (Path(os.environ["PULUMI_HOME"]) / "credentials.json").exists()
