"""Which file is a stack's Proself config file, asked for the plan and again before its removal."""

import os
import sys
import uuid
from pathlib import Path

import pytest

from proself_mail.config.settings import Settings
from proself_mail.removal import teardown, teardown_plan
from proself_mail.removal.removal_item import Item, Kind, Result
from proself_mail.removal.teardown_plan import NamedStackPlan, of_config_file
from tests.unit.test_settings import STACK, good


def configured(path: Path) -> Settings:
    return good(configFile=str(path))


def test_only_what_a_killed_write_left_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "proself.toml"
    own = configured(path)
    cut_short = path.with_name(".proself.toml.0a1b2c_d.tmp")
    for each in (path, cut_short):
        each.touch()
    assert not of_config_file(path, STACK, own).ours
    assert of_config_file(cut_short, STACK, own).ours


@pytest.mark.parametrize("place", [None, "none", "proself.toml"])
def test_files_under_former_names_of_a_stack_go_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
) -> None:
    """With what a killed write left beside them; nothing that is another's, or may be."""
    monkeypatch.setattr(teardown_plan, "CHECKOUT", tmp_path)
    own = good() if place is None else good(configFile=place)
    is_ours = f'stack_id = "{own.stack_id}"'
    is_theirs = f'stack_id = "{uuid.uuid4()}"'
    out = tmp_path / "out"
    left = [out / "old" / "proself.toml", out / "older" / ".proself.toml.0a1b2c_d.tmp"]
    others = [out / "old" / ".proself.toml.0a1b2c_e.tmp", out / "other" / "proself.toml"]
    empty = [out / "old" / ".proself.toml.0a1b2c_f.tmp", out / "empty" / "proself.toml"]
    for paths, text in ((left, is_ours), (others, is_theirs), (empty, "")):
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    there = own.config_file_path(STACK, tmp_path)
    if there is not None:
        there.parent.mkdir(exist_ok=True)
        there.write_text(is_ours, encoding="utf-8")
    found = teardown_plan._config_files(STACK, own)
    assert found == ([] if there is None else [there]) + left
    assert all(of_config_file(path, STACK, own).ours for path in found)
    assert not [path for path in (*others, *empty) if of_config_file(path, STACK, own).ours]


def test_lists_within_lists_are_no_config_file(tmp_path: Path) -> None:
    path = tmp_path / "proself.toml"
    path.write_text("stack_id = " + "[" * 2000, encoding="utf-8")
    assert not of_config_file(path, STACK, configured(path)).ours


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
def test_a_link_and_a_pipe_are_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "proself.toml"
    own = configured(path)
    (tmp_path / "theirs").write_text(f'stack_id = "{own.stack_id}"', encoding="utf-8")
    path.symlink_to(tmp_path / "theirs")
    assert not of_config_file(path, STACK, own).ours
    path.unlink()
    os.mkfifo(path)
    assert not of_config_file(path, STACK, own).ours


def removed(path: Path) -> Result:
    """Remove a file that was this stack's when the plan was made."""
    settings = configured(path)
    planned = NamedStackPlan(
        name=STACK,
        stack_id=settings.stack_id,
        items=(),
        clients={},
        additions=(),
        left_alone=(),
        settings=settings,
        state=None,
    )
    item = Item(Kind.CONFIG_FILE, str(path), path.name, "names this stack's UUID")
    return teardown._remove_file(item, planned, tenant_is_clean=True).result


def test_a_file_that_was_replaced_since_the_plan_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "proself.toml"
    for text in ("", "by = 'somebody'", f'stack_id = "{uuid.uuid4()}"'):
        path.write_text(text, encoding="utf-8")
        assert removed(path) is Result.FAILED
        assert path.read_text(encoding="utf-8") == text
    path.write_text(f'stack_id = "{configured(path).stack_id}"', encoding="utf-8")
    assert removed(path) is Result.REMOVED
    assert not path.exists()
    assert removed(path) is Result.GONE
