"""Files that are written whole, by several processes at once and by one that is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from proself_mail.files import private_file, whole_file

_OFTEN = """
import sys
from pathlib import Path
from proself_mail.files import private_file
print("ready", flush=True)
sys.stdin.readline()
for _ in range(100):
    private_file.write(Path(sys.argv[1]), sys.argv[2] * 2000)
"""
_SLOWLY = """
import sys
from pathlib import Path
from proself_mail.files import whole_file
def prepare(scratch):
    print(scratch, flush=True)
    sys.stdin.readline()
whole_file.write(Path(sys.argv[1]), b"slowly", prepare)
"""


def _started(program: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_that_write_a_file_at_once_both_do(tmp_path: Path) -> None:
    path = tmp_path / "proself.toml"
    writers = [_started(_OFTEN, str(path), letter) for letter in "ab"]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert (writer.returncode, said) == (0, "")
    assert path.read_text(encoding="utf-8") in ("a" * 2000, "b" * 2000)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("killed", [False, True], ids=["at work", "killed"])
def test_what_a_killed_write_left_goes_and_no_other(tmp_path: Path, killed: bool) -> None:
    path = tmp_path / "proself.toml"
    with _started(_SLOWLY, str(path)) as writer:
        assert writer.stdout
        scratch = Path(writer.stdout.readline().removesuffix("\n"))
        if killed:
            writer.kill()
            writer.wait()
        private_file.write(path, "at once")
        assert whole_file.scratches(path) == ([] if killed else [scratch])
        assert path.read_text(encoding="utf-8") == "at once"
        writer.communicate(None if killed else "\n", timeout=60)
    assert path.read_text(encoding="utf-8") == ("at once" if killed else "slowly")
    assert list(tmp_path.iterdir()) == [path]
