"""`proself-mail rehearse`, as in a fresh clone: the twelve steps, and nothing left but files."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from proself_mail.errors import ConfigurationError
from proself_mail.proself import proself_file
from proself_mail.rehearsal import rehearse as rehearsal
from proself_mail.secret import MASK
from tools import browser

pytestmark = pytest.mark.usefixtures("mail_proof_port")
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project without anything that an earlier run left."""
    for name in ("Pulumi.yaml", "proself_mail", "infra", "emulator", "tools", "stacks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name)
        else:
            shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def running_in(folder: Path) -> list[str]:
    """List the processes that have to do with a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join([process.cwd(), *process.cmdline()]):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


COMMAND = (sys.executable, "-m", "proself_mail", "rehearse")


def environment(clone: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI")}
    return kept | {"LC_ALL": "C.UTF-8", "COLUMNS": "80", "PYTHONPATH": str(clone)}


def spied_browser(folder: Path) -> Path:
    """Put a browser first on PATH that keeps its arguments; return where."""
    kept, program = folder / "arguments", folder / "bin" / "chromium-headless-shell"
    program.parent.mkdir()
    run = shlex.join(["exec", str(browser.needed().path)])
    program.write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(kept))}\n{run} "$@"\n')
    program.chmod(0o700)
    return kept


def rehearse(clone: Path, *options: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [*COMMAND, *options],
        cwd=clone,
        env=environment(clone),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


STEPS = (
    "1 Sign in to Entra ID", "2 New registration", "3 Application ID URI", "4–6 API permissions",
    "7 Grant admin consent", "8–9 Web redirect URI", "10–11 New client secret",
    "12 Client ID, tenant ID",
)  # fmt: skip


def outcomes(said: str) -> dict[str, str]:
    """Read which of the FAQ's steps hold."""
    rows = re.findall(r"^(OK|FAIL) +([\d–]+)  (\S.*)$", said, re.MULTILINE)
    return {f"{numbers} {label}": outcome for outcome, numbers, label in rows}


def test_the_main_job_from_end_to_end(
    clone: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = None
    if sys.platform != "win32":
        kept = spied_browser(tmp_path_factory.mktemp("browser"))
        monkeypatch.setenv("PATH", str(kept.with_name("bin")), prepend=os.pathsep)
    done = rehearse(clone)
    assert outcomes(done.stdout) == dict.fromkeys(STEPS, "OK")
    assert "azuread plugin: " in done.stderr  # which one ran
    assert "made     Application application" in done.stderr  # progress while it works
    assert "Delivered, as the tenant's outbox shows" in done.stdout
    assert "http://localhost" not in done.stdout  # the mail proof's redirect URI is gone by then
    assert "Done in " in done.stdout
    written = proself_file.read(clone / "out" / "rehearsal" / "proself.toml", "rehearsal")
    secret = written.mail_server.client_secret
    assert secret
    assert secret not in done.stdout + done.stderr
    assert MASK in done.stdout
    assert "proself.toml, which holds the client secret; here it is covered:" in done.stdout
    lines = [line.strip() for line in done.stdout.splitlines()]
    client_id = written.mail_server.client_id
    copied = (f"api://{client_id}", written.this_server.host_name + "/proself/oauth2callback/smtp")
    assert [each for each in copied if each not in lines] == [], "whole, in lines of 80 cells"
    assert max(map(len, done.stderr.splitlines())) <= 80
    assert not (clone / "out" / "rehearsal" / "tenant.json").exists()
    assert {each.name for each in (clone / "out" / "rehearsal").glob("**/sheet*")} == {"sheet.png"}
    if kept:
        assert "http://" not in kept.read_text(encoding="utf-8")  # anybody could open it first
    assert running_in(clone) == []


@pytest.mark.skipif(sys.platform == "win32", reason="its lines are for a POSIX shell")
def test_one_that_is_kept_says_how_to_look_around_and_to_end_it(clone: Path) -> None:
    """Also where a step does not hold, which its exit code tells."""
    program = clone / "infra" / "mail_app.py"
    right, wrong = 'f"api://{client}"', 'f"api://{client}/other"'
    text = program.read_text(encoding="utf-8")
    assert right in text
    program.write_text(text.replace(right, wrong), encoding="utf-8")
    said = rehearse(clone, "--keep", code=1).stdout
    assert outcomes(said) == dict.fromkeys(STEPS, "OK") | {STEPS[2]: "FAIL"}
    refused = " ".join(rehearse(clone, code=3).stderr.split())
    assert "An embedded tenant that was kept runs in" in refused
    assert "emulator stop --ready-file out/rehearsal/tenant.json" in refused
    lines = [line.strip() for line in said.partition("To look around:")[2].splitlines()]
    commands = [line for line in lines if line and line != "and to end it:"]
    assert len(commands) == 8
    typed = "\n".join(["set -e", *commands, 'test -z "$PROSELF_MAIL_ADMIN_URL"', ""])
    typed = re.sub("(proself-mail verify .*)", r"\1 || test $? = 1", typed)
    # Of a shell that finds nothing of ours; but a Pulumi CLI that it has already is used.
    ours = str(Path(sys.executable).parent)
    folders = [each for each in os.environ["PATH"].split(os.pathsep) if each != ours]
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=clone,
        env=os.environ | {"PATH": os.pathsep.join(folders)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "clientId" in done.stdout
    assert "FAIL     application ID URI" in done.stdout
    assert '"/v1.0/applications"' in done.stdout
    assert running_in(clone) == []


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
def test_what_is_in_the_place_of_its_folder_is_left_and_told(tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "out" / "rehearsal"
    folder.parent.mkdir()
    other.mkdir()
    for is_link in (False, True):
        folder.symlink_to(other) if is_link else folder.touch()
        with pytest.raises(ConfigurationError, match=r"cannot be made anew: .*Move it away"):
            asyncio.run(rehearsal.run(folder, print, keep=False))
        assert other.is_dir()
        folder.unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to a process there")
@pytest.mark.parametrize(
    ("numbers", "after", "from_the_start"),
    [
        ([signal.SIGHUP, signal.SIGTERM], "pulumi up …", [signal.SIGHUP, signal.SIGINT]),
        ([signal.SIGHUP], "azuread plugin", []),
        ([signal.SIGINT, signal.SIGINT], "starting the embedded tenant", []),
    ],
    ids=["a background job under nohup is cancelled", "terminal closed", "Ctrl-C twice"],
)
def test_one_that_is_told_to_end_leaves_nothing_running(
    clone: Path,
    ignored: Callable[..., None],
    numbers: list[int],
    after: str,
    from_the_start: list[int],
) -> None:
    """A closed terminal, a cancelled job, an impatient person; and it is alone until then."""
    ignored(*from_the_start)
    with subprocess.Popen(
        COMMAND,
        cwd=clone,
        env=environment(clone),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as one:
        assert one.stderr
        while after not in (line := one.stderr.readline()):
            assert line
        if signal.SIGTERM in numbers:
            assert "Another rehearsal is under way" in rehearse(clone, code=3).stderr
        for number in numbers:
            one.send_signal(number)
            time.sleep(0.1)
            assert number not in from_the_start or one.poll() is None
        said = one.stderr.read()
    assert one.returncode == 130, said
    assert "Traceback" not in said
    assert running_in(clone) == []
    assert not (clone / "out" / "rehearsal" / "tenant.json").exists()
