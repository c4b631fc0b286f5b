"""A summary that cannot be put where a pipeline's runner wants it: told, and nothing is lost."""

import sys
from pathlib import Path

import pytest

from proself_mail.cli import pipeline


@pytest.mark.parametrize(
    "environment",
    [
        {"GITHUB_STEP_SUMMARY": "{nowhere}/summary.md"},
        {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": "{nowhere}"},
    ],
)
def test_a_folder_that_is_not_there(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    led = {key: value.format(nowhere=nowhere) for key, value in environment.items()}
    told = pipeline.show("page", led)
    assert told is not None
    assert told.startswith(f"The summary could not be kept: {nowhere}")
    assert told.endswith(": No such file or directory.")


@pytest.mark.skipif(sys.platform != "linux", reason="a disk that is full by its nature")
def test_a_disk_that_is_full(tmp_path: Path) -> None:
    full = {"GITHUB_STEP_SUMMARY": "/dev/full"}
    told = "The summary could not be kept: No space left on device."
    assert pipeline.show("page", full) == told
    kept = tmp_path / "out" / "rotation.md"
    assert pipeline.publish("page", kept, {}, full) == told
    assert kept.read_text(encoding="utf-8") == "page"


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
def test_what_is_kept_is_private_and_goes_through_no_link(tmp_path: Path) -> None:
    theirs, kept = tmp_path / "theirs", tmp_path / "out" / "dev" / "rotation.md"
    kept.parent.mkdir(parents=True, mode=0o700)
    theirs.write_text("precious", encoding="utf-8")
    kept.symlink_to(theirs)
    assert pipeline.publish("page", kept, {}, {}) is None
    assert theirs.read_text(encoding="utf-8") == "precious"
    assert kept.read_text(encoding="utf-8") == "page"
    assert kept.lstat().st_mode & 0o777 == 0o600
    kept.parent.chmod(0o777)
    told = pipeline.publish("page", kept, {}, {})
    assert told is not None
    assert told.startswith(f"The summary could not be kept: Others may write in {kept.parent}")


def test_elsewhere_nothing_is_shown() -> None:
    assert pipeline.show("page", {}) is None
