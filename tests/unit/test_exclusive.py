"""The file that keeps a second process out, where it cannot be written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import exclusive
from proself_mail.stack import stack_folder


def a_file_in_the_way(out: Path) -> None:
    out.write_text("", encoding="utf-8")


def a_folder_of_its_name(out: Path) -> None:
    (out / "prod" / ".update.lock").mkdir(parents=True)


@pytest.mark.parametrize("hinder", [a_file_in_the_way, a_folder_of_its_name])
def test_it_is_told_why_and_what_to_do(tmp_path: Path, hinder: Callable[[Path], None]) -> None:
    hinder(tmp_path / "out")
    folder = stack_folder.path(tmp_path, "prod")
    with pytest.raises(ConfigurationError) as told, stack_folder.alone(tmp_path, "prod"):
        pass
    assert f"{folder / '.update.lock'} cannot be written: " in told.value.cause
    assert f"Make {folder} a folder that you may write to" in told.value.next_step


def test_what_fails_under_it_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), exclusive.hold(tmp_path / "new" / "lock", "busy"):
        raise PermissionError


def test_whoever_has_a_stack_has_it_alone_till_the_end_and_leaves_nothing(tmp_path: Path) -> None:
    """Also while it removes what commands kept beside the stack: the lock goes last."""
    folder = stack_folder.path(tmp_path, "prod")
    with stack_folder.alone(tmp_path, "prod"):
        for kept in (stack_folder.UPDATE, stack_folder.TEARDOWN):
            (folder / kept).touch()
        stack_folder.forget(tmp_path, "prod")
        second = stack_folder.alone(tmp_path, "prod")
        with pytest.raises(Refused, match="works on the stack prod"), second:
            pass
    assert not folder.exists()


def test_what_is_kept_beside_a_stack_stays(tmp_path: Path) -> None:
    with stack_folder.alone(tmp_path, "prod"):
        (stack_folder.path(tmp_path, "prod") / stack_folder.UPDATE).touch()
    assert (stack_folder.path(tmp_path, "prod") / stack_folder.UPDATE).exists()
