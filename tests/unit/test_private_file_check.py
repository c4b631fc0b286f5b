"""Where a private file could not be written: told before anything else is."""

import sys
from pathlib import Path

import pytest

from proself_mail import private_file
from proself_mail.errors import ConfigurationError


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
