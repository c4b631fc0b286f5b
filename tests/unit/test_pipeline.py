"""A summary that cannot be put where a pipeline's runner wants it: told, and nothing is lost."""

import sys
from pathlib import Path

import pytest

from proself_mail import pipeline


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


def test_elsewhere_nothing_is_shown() -> None:
    assert pipeline.show("page", {}) is None
