"""Where a private file could not be written: told before anything else is."""

import errno
import os
import sys
from functools import partialmethod
from pathlib import Path

import pytest

from proself_mail.errors import ConfigurationError, Refused
from proself_mail.files import exclusive, private_file
from tools import trusted_path


@pytest.mark.parametrize("name", ["x" * 300, "x" * 250, "a\0b"], ids=["long", "a little", "null"])
@pytest.mark.parametrize("missing", ["", "new", "new/folders"])
def test_a_name_that_no_file_can_have(tmp_path: Path, missing: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        private_file.check(tmp_path / missing / name)


def test_a_name_that_no_folder_can_have(tmp_path: Path) -> None:
    for folder in (Path("x" * 300), Path("new") / ("x" * 300)):
        with pytest.raises(ConfigurationError, match="cannot be written"):
            private_file.check(tmp_path / folder / "proself.toml")


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
def test_a_folder_that_is_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for folder in ("dangling", "loop"):
        with pytest.raises(ConfigurationError, match="cannot be written"):
            private_file.check(tmp_path / folder / "proself.toml")
    private_file.check(tmp_path / "new" / "folders" / "proself.toml")


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have no mode and no owner's ID")
def test_a_folder_of_programs_is_this_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "new" / "own"
    for _ in ("made", "there"):
        private_file.make_own_folder(own)
    assert own.stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(own)
    for mode in (0o720, 0o702):
        (tmp_path / f"{mode:o}").mkdir()
        (tmp_path / f"{mode:o}").chmod(mode)
    for refused in ("link", "720", "702"):
        with pytest.raises(Refused, match="is not this user's alone"):
            private_file.make_own_folder(tmp_path / refused)
    monkeypatch.setattr(os, "geteuid", lambda: own.stat().st_uid + 1)
    with pytest.raises(Refused, match="is not this user's alone"):
        private_file.make_own_folder(own)


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have no mode and no owner's ID")
def test_a_folder_of_programs_lies_where_nobody_puts_another_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "theirs" / "new" / "own"
    own.mkdir(parents=True, mode=0o700)
    own.parent.parent.chmod(0o777)
    with pytest.raises(Refused, match="theirs is another user's, or others may write to it"):
        private_file.make_own_folder(own)
    own.parent.parent.chmod(0o1777)
    private_file.make_own_folder(own)
    really = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = really(path)
        theirs = path == own.parent.parent
        return os.stat_result((*found[:4], 4712, *found[5:])) if theirs else found

    with monkeypatch.context() as patched:
        patched.setattr(Path, "lstat", lstat)
        with pytest.raises(Refused, match=r"theirs is another user's, .*\(owner 4712, mode 1777\)"):
            private_file.make_own_folder(own)
        # Who could put another folder in its place could have put another program in this one's.
        patched.setattr(trusted_path, "_PROGRAM", own / "program")
        own.joinpath("program").touch()
        private_file.make_own_folder(own)


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
def test_a_link_of_ours_is_followed_through_the_folders_that_it_leads_to(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "own").mkdir(parents=True)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "link").symlink_to("../theirs/own")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert trusted_path.doubt(tmp_path / "ours" / "link") is None
    theirs.chmod(0o777)
    told = trusted_path.doubt(tmp_path / "ours" / "link")
    assert told
    assert "theirs is another user's, or others may write to it" in told
    assert trusted_path.doubt(tmp_path / "loop" / "program") is None, "nothing is run from there"


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have no mode and no owner's ID")
def test_whose_this_program_is_may_have_put_what_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may run the checkout of a user, who could have it run anything."""
    really, program, theirs = Path.stat, tmp_path / "checkout" / "program", tmp_path / "theirs"
    program.parent.mkdir()
    program.touch()
    theirs.mkdir()

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = really(path, **options)
        return os.stat_result((*found[:4], 4712, *found[5:])) if path in owned else found

    owned = {theirs}
    monkeypatch.setattr(trusted_path, "_PROGRAM", program)
    monkeypatch.setattr(Path, "lstat", partialmethod(stat, follow_symlinks=False))
    monkeypatch.setattr(Path, "stat", stat)
    assert trusted_path.doubt(theirs)
    owned.add(program)
    assert trusted_path.doubt(theirs) is None


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have no mode and no owner's ID")
def test_a_folder_of_another_user_takes_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the umask is when folders are made; one of root's may be there."""
    file = tmp_path / "out" / "dev" / "proself.toml"
    before = os.umask(0)
    try:
        with exclusive.hold(file.with_name(".update.lock"), "busy"):
            private_file.write(file, "secret")
            modes = [each.stat().st_mode & 0o777 for each in file.parent.iterdir()]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600]
    assert [each.stat().st_mode & 0o777 for each in list(file.parents)[:2]] == [0o700, 0o700]
    really = Path.stat
    owner = 4712

    def stat(self: Path, **options: bool) -> os.stat_result:
        found = really(self, **options)
        return os.stat_result((*found[:4], owner, *found[5:])) if self == file.parent else found

    monkeypatch.setattr(Path, "stat", stat)
    for refused in (private_file.check, lambda path: private_file.write(path, "other")):
        with pytest.raises(Refused, match=r"is another user's \(owner 4712\)"):
            refused(file)
    assert file.read_text(encoding="utf-8") == "secret"
    owner = 0
    private_file.write(file, "other")


@pytest.mark.skipif(sys.platform == "win32", reason="its folders have no mode")
@pytest.mark.parametrize("mode", [0o720, 0o702], ids=oct)
def test_a_folder_that_others_may_write_in_takes_no_secret(tmp_path: Path, mode: int) -> None:
    """They could put another file in its place, but for a folder like /tmp: of theirs alone."""
    file = tmp_path / "shared" / "proself.toml"
    file.parent.mkdir()
    file.parent.chmod(mode)
    for refused in (private_file.check, lambda path: private_file.write(path, "secret")):
        with pytest.raises(Refused, match=rf"Others may write in .*shared \(mode {mode:04o}\)"):
            refused(file)
    assert not any(file.parent.iterdir())
    file.parent.chmod(0o1000 | mode)
    private_file.check(file)
    private_file.write(file, "secret")
    file.parent.chmod(0o755)
    private_file.write(file, "other")


@pytest.mark.skipif(sys.platform == "win32", reason="its files have no mode")
@pytest.mark.parametrize("mode", [0o640, 0o604], ids=oct)
def test_a_file_that_others_may_read_is_not_read(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "proself.toml"
    private_file.write(file, "secret")
    assert private_file.read(file, "again", "make a new one") == "secret"
    file.chmod(mode)
    with pytest.raises(
        Refused, match=rf"other users of this machine may read it \(mode {mode:04o}\)"
    ) as refused:
        private_file.read(file, "again", "make a new one")
    assert refused.value.next_step.endswith("if others use this machine, make a new one.")


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError) as failed:
        private_file.check(tmp_path / "file" / "new" / "proself.toml", "name another")
    assert f"{tmp_path / 'file'} is no folder. Next: Move it away, or name" in str(failed.value)
    with pytest.raises(ConfigurationError) as failed:
        private_file.check(tmp_path, "name another")
    assert f"{tmp_path} is a folder. Next: Move it away, or name another" in str(failed.value)


def test_a_disk_that_is_full_is_told_with_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="cannot be written: No space left") as failed:
        private_file.write(tmp_path / "update.json", "{}")
    assert "with room in it, then try again" in failed.value.next_step
    assert not list(tmp_path.iterdir())
