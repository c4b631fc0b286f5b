"""Where the Pulumi CLI comes from: whole or not at all, once, and said aloud."""

import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path

import pytest

from proself_mail.errors import MissingTool, Refused
from proself_mail.text import shell
from tests.waiting import until
from tools import cache, pulumi_cli, uv
from tools.pulumi_cli import VERSION

ROOT = Path(pulumi_cli.__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stands in for programs by scripts")

FAKE_GO = """#!/bin/sh
# Takes a while, like the real one; leaves half a program if it is killed.
echo "$PWD $*" >> "{folder}/asked"
echo "$HOME" > "{folder}/home"
mkdir "${{GOTMPDIR:-$TMPDIR}}/go-build$$"
case "$1 $2" in
"mod "*) exit 0 ;;
"list -m") echo "{source}/zxcvbn-go"; exit 0 ;;
"list "*) echo "{source}/cmd/pulumi-language-python"; exit 0 ;;
esac
while [ $# -gt 1 ]; do case "$1" in -o) out="$2" ;; esac; shift; done
name="${{1##*/}}"
[ $name != pulumi ] || cp -R github.com "{folder}/copies"
mkdir -p "$out"
echo "#!/bin/sh" > "$out/$name"
echo built >> "{folder}/builds"
sleep "${{FAKE_GO_SECONDS:-0}}"
echo "echo v{version}" >> "$out/$name"
chmod +x "$out/$name"
"""
ZXCVBN = {
    "frequency/frequency.go": "package frequency\n\nfunc init() {\n\tread()\n}\n",
    "matching/matching.go": "package matching\n\nfunc init() {\n\tloadFrequencyList()\n}\n\n"
    "func loadFrequencyList() {\n\tmatchers = lists()\n}\n",
}
"""What of it counts."""
DRIVER = """
from tools import pulumi_cli, uv
pulumi_cli._release = lambda say: say("release: not tried")
print(pulumi_cli.get(lambda line: print(line, flush=True)).path)
"""


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A cache of its own, and a PATH on which `go` is quick and there is no `pulumi`."""
    source = tmp_path / "source" / "cmd"
    source.mkdir(parents=True)
    (source / "pulumi-language-python-exec").write_text(
        "#!/usr/bin/env python3\n", encoding="utf-8"
    )
    for file, text in ZXCVBN.items():
        (source.parent / "zxcvbn-go" / file).parent.mkdir(parents=True)
        (source.parent / "zxcvbn-go" / file).write_text(text, encoding="utf-8")
    go = FAKE_GO.format(folder=tmp_path, version=VERSION, source=tmp_path / "source")
    program(tmp_path / "bin", "go", go)
    (tmp_path / "tmp").mkdir()
    return dict(os.environ) | {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin",
        "TMPDIR": str(tmp_path / "tmp"),
        "PROSELF_MAIL_CACHE": str(tmp_path / "cache"),
    }


def get(environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def builds(tmp_path: Path) -> int:
    record = tmp_path / "builds"
    return len(record.read_text(encoding="utf-8").splitlines()) if record.exists() else 0


def test_one_on_path_is_used_as_it_is(tmp_path: Path) -> None:
    mine = program(tmp_path, "pulumi", "#!/bin/sh\necho v3.262.0\n")
    said: list[str] = []
    found = pulumi_cli.get(said.append, {"PATH": str(tmp_path)})
    assert (found.path, found.version) == (mine, "3.262.0")
    assert said == [f"pulumi: v3.262.0 on PATH, {mine}"]


@pytest.mark.parametrize("version", ["v3.10.0", "v4.0.0", "nonsense"])
def test_one_of_another_version_is_passed_over_aloud(
    tmp_path: Path, environment: dict[str, str], version: str
) -> None:
    old = program(tmp_path / "bin", "pulumi", f"#!/bin/sh\necho {version}\n")
    output, _ = get(environment).communicate(timeout=30)
    assert f"{old} is {version if version[0] == 'v' else 'v' + version}" in output
    assert "passed over" in output
    assert output.splitlines()[-1].startswith(str(tmp_path / "cache"))


def test_it_is_built_once_and_found_by_the_next(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    for _ in range(2):
        process = get(environment)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
    assert builds(tmp_path) == 2  # the CLI and its language host
    path = Path(output.splitlines()[-1])
    assert subprocess.run([path], capture_output=True, text=True).stdout == f"v{VERSION}\n"
    for name in ("pulumi-language-python", "pulumi-language-python-exec"):
        assert (path.parent / name).stat().st_mode & stat.S_IXUSR
    *_, cli, host, _ = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    linked = "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v"
    assert f"{linked}3.259.0 " in cli
    assert cli.endswith("/bin/ github.com/pulumi/pulumi/pkg/v3/cmd/pulumi")
    assert f"{linked}3.79.0 " in host
    assert host.endswith("/bin/ github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python")


def test_the_cli_reads_its_word_lists_when_it_needs_them(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Not whenever it starts: that is half of its start."""
    output, _ = get(environment).communicate(timeout=30)
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    for name in ("github.com/ccojocar/zxcvbn-go", "github.com/nbutton23/zxcvbn-go"):
        edit = f"pulumi mod edit -replace={name}=./{name}"
        assert [line for line in asked if line.endswith(edit)], output
        copy = tmp_path / "copies" / name.removeprefix("github.com/")
        lists, matching = ((copy / file).read_text(encoding="utf-8") for file in ZXCVBN)
        assert lists == "package frequency\n\nfunc Load() {\n\tread()\n}\n"
        assert matching == (
            "package matching\n\n"
            "\nfunc loadFrequencyList() {\n\tfrequency.Load()\n\tmatchers = lists()\n}\n"
        )
        assert (copy / "go.mod").read_text(encoding="utf-8") == f"module {name}\n"
    # The checkout's module is as it was.
    assert not (ROOT / "tools" / "pulumi" / "github.com").exists()


@pytest.mark.parametrize("value", ["a3Kd9sLq8QzP1xWv7RtY2bNm5cHj0gFe", "password"])
def test_the_cli_tells_a_secret_from_a_word(tmp_path: Path, value: str) -> None:
    """By the word lists, which it reads then."""
    (tmp_path / "Pulumi.yaml").write_text("name: any\nruntime: python\n", encoding="utf-8")
    environment = dict(os.environ) | {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "any",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    for verb in ("stack init dev", f"config set --stack dev clientSecret {value}"):
        done = subprocess.run(
            [pulumi_cli.locate().path, *verb.split()],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
    assert ("looks like a secret" in done.stderr) == (value != "password"), done.stderr
    assert (done.returncode == 0) == (value == "password")


def test_another_source_of_the_word_lists_is_not_edited(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "source" / "zxcvbn-go" / "matching" / "matching.go").write_text(
        "package matching\n", encoding="utf-8"
    )
    process = get(environment)
    output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "zxcvbn-go: matching/matching.go is not the one that is known" in output
    assert builds(tmp_path) == 0


def test_another_language_host_is_another_build(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pulumi_cli._home()
    monkeypatch.setattr(pulumi_cli, "_LANGUAGE_HOST_VERSION", "3.80.0")
    assert pulumi_cli._home() != before


def test_the_modules_are_pinned() -> None:
    tools = Path(pulumi_cli.__file__).parent
    cli = (tools / "pulumi/go.mod").read_text(encoding="utf-8")
    for line in (
        "github.com/pulumi/pulumi/pkg/v3 v3.259.0",
        "github.com/pulumi/pulumi/sdk/v3 v3.259.0",
        "github.com/atotto/clipboard => github.com/tgummerer/clipboard "
        "v0.0.0-20241001131231-d02d263e614e",
    ):
        assert line in cli
    host = (tools / "language_host/go.mod").read_text(encoding="utf-8")
    assert "tool github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python\n" in host
    assert "github.com/pulumi/pulumi/sdk/v3 v3.79.0" in host
    for module in ("pulumi", "language_host"):
        assert (tools / module / "go.sum").stat().st_size > 0


def test_a_killed_build_is_not_taken_for_a_whole_one(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    elsewhere = tmp_path / "cache" / "pulumi" / ".unfinished-v3.1.0-x"
    elsewhere.mkdir(parents=True)  # may be another checkout's, under way
    slow = get(environment | {"FAKE_GO_SECONDS": "30"})
    until(lambda: builds(tmp_path))
    os.killpg(slow.pid, signal.SIGKILL)
    slow.communicate()
    process = get(environment)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert builds(tmp_path) == 3
    assert list(elsewhere.parent.glob(".unfinished-*")) == [elsewhere]


def test_an_interrupted_build_leaves_nothing_of_gos(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Which has no time to remove its own: it is killed."""
    slow = get(environment | {"FAKE_GO_SECONDS": "30"})
    until(lambda: builds(tmp_path))
    slow.send_signal(signal.SIGINT)
    slow.communicate(timeout=30)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not [path for path in (tmp_path / "cache" / "pulumi").iterdir() if path.is_dir()]


@pytest.mark.parametrize("given", ["", "relative"])
def test_a_home_that_is_no_place_is_not_what_go_is_given(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    process = get(environment | {"HOME": given})
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    monkeypatch.setenv("HOME", given)
    assert cache.home().is_dir()
    assert (tmp_path / "home").read_text(encoding="utf-8") == f"{cache.home()}\n"
    for name in ("PROSELF_MAIL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert cache.cache_directory().is_relative_to(cache.home())


def test_two_at_once_build_one(tmp_path: Path, environment: dict[str, str]) -> None:
    both = [get(environment | {"FAKE_GO_SECONDS": "1"}) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert builds(tmp_path) == 2
    assert any("waiting for that one" in output for output in outputs)


def test_a_failed_build_says_so_and_leaves_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    program(tmp_path / "bin", "go", "#!/bin/sh\necho 'go: module not found' >&2\nexit 1\n")
    process = get(environment)
    output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "go: module not found" in output
    assert not [path for path in (tmp_path / "cache" / "pulumi").iterdir() if path.is_dir()]


def test_so_does_one_whose_modules_cannot_be_listed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    source = tmp_path / "source"
    script = FAKE_GO.format(folder=tmp_path, source=source, version=VERSION).replace(
        f'echo "{source}/cmd/pulumi-language-python"; exit 0',
        "echo 'go: no such package' >&2; exit 1",
    )
    program(tmp_path / "bin", "go", script)
    process = get(environment)
    output, _ = process.communicate(timeout=30)
    assert process.returncode != 0
    *_, last = output.splitlines()
    assert "MissingTool: " in last
    assert "go: no such package" in last
    assert builds(tmp_path) == 2


def test_without_go_the_next_step_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_cli, "_USUAL_GO", ())
    with pytest.raises(MissingTool, match="Install Go"):
        pulumi_cli._find_go({"PATH": str(tmp_path)})


INSTALL_SH = b"""#!/bin/sh
set -eu
while [ $# -gt 0 ]; do
  case "$1" in --install-root) root="$2" ;; --version) version="$2" ;; esac
  shift
done
mkdir -p "$root/bin"
echo "#!/bin/sh
echo v$version" > "$root/bin/pulumi"
chmod +x "$root/bin/pulumi"
"""
"""In the place of the release's own: it takes what the Automation API's installer gives it."""


def test_the_official_release_is_installed_where_it_can_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the real installer; the network and what it downloads are stood in for."""
    asked: list[str] = []

    def answered(address: str, **_: object) -> io.BytesIO:
        asked.append(address)
        return io.BytesIO(INSTALL_SH)

    monkeypatch.setattr(urllib.request, "urlopen", answered)
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(tmp_path))
    said: list[str] = []
    found = pulumi_cli.get(said.append, {"PATH": "/usr/bin:/bin"})
    assert set(asked) == {"https://get.pulumi.com/install.sh"}
    assert found.version == VERSION
    assert found.path == pulumi_cli._home() / "bin" / "pulumi"
    assert subprocess.run([found.path], capture_output=True, text=True).stdout == f"v{VERSION}\n"
    assert said[1:] == [
        f"pulumi: trying the official release v{VERSION} …",
        f"pulumi: v{VERSION}, {found.path}",
    ]
    assert [path for path in (tmp_path / "pulumi").iterdir() if path.is_dir()] == [
        pulumi_cli._home()
    ]
    asked.clear()
    assert pulumi_cli.get(said.append, {"PATH": "/usr/bin:/bin"}) == found
    assert asked == []


@pytest.mark.parametrize("kind", [OSError, HTTPException])
def test_an_unreachable_release_is_given_up_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[Exception]
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise kind("no route to host\nand more lines\n")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(tmp_path))
    (tmp_path / "pulumi").mkdir()
    said: list[str] = []
    assert pulumi_cli._release(said.append) is None
    assert len(said) == 2
    assert "cannot be had here" in said[1]
    assert "\n" not in said[1]
    assert not list((tmp_path / "pulumi").iterdir())


def test_a_network_that_stays_silent_is_given_up_soon(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even a question for the name is answered, and no time limit of a socket ends that."""
    ends = threading.Event()

    def silent(*_: object, **__: object) -> None:
        ends.wait(60)
        raise OSError("no such name")

    monkeypatch.setattr(urllib.request, "urlopen", silent)
    monkeypatch.setattr(pulumi_cli, "_NO_ANSWER", timedelta(seconds=0.2))
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(tmp_path))
    said: list[str] = []
    began = time.monotonic()
    assert pulumi_cli._release(said.append) is None
    assert time.monotonic() - began < 30
    ends.set()
    assert said[1] == ("pulumi: the official release cannot be had here (no answer within 0.2 s)")


def test_the_line_that_the_setup_ends_with_leads_a_shell_to_both(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.setup"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    typed = f"{done.stdout.splitlines()[-1]}\ncommand -v proself-mail\npulumi version"
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    found = subprocess.run(["bash", "-ec", typed], env=bare, capture_output=True, text=True)
    script, version = found.stdout.splitlines()
    assert script == str(Path(sys.executable).parent / "proself-mail")
    assert pulumi_cli.is_supported(version.removeprefix("v"))
    folders = [Path("/it's/bin"), Path("/a b")]
    line = shell.first_on_path(folders, "bash")
    asked = subprocess.run(["sh", "-c", f"{line}; echo $PATH"], capture_output=True, text=True)
    assert asked.stdout.startswith("/it's/bin:/a b:")
    line = shell.first_on_path(folders, "powershell")
    assert line == "$env:PATH = '/it''s/bin;/a b;' + $env:PATH"


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As that of a service account, which has no home folder."""
    in_the_way = program(tmp_path, "home", "")
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(in_the_way / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(MissingTool, match="cannot be written: Not a directory") as refused:
        pulumi_cli.get(lambda _: None, {"PATH": "/usr/bin:/bin"})
    assert "Set PROSELF_MAIL_CACHE" in refused.value.next_step
    with pytest.raises(SystemExit, match=r"Not a directory\. Next: Set PROSELF_MAIL_CACHE"):
        uv.find()


UV = f"uv/{uv.VERSION}/uv"
CLI = f"pulumi/{pulumi_cli._home().name}/bin/pulumi"
HOST = f"{CLI}-language-python"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with all that is run from it, in a folder such as /tmp; nothing is on PATH."""
    folder = tmp_path / "shared" / "cache"
    for name in (UV, CLI, HOST):
        program((folder / name).parent, Path(name).name, "#!/bin/sh\n")
    folder.parent.chmod(0o1777)
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(folder))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return folder


def refusals() -> list[str]:
    """What is said where the Pulumi CLI and uv are not run from the cache."""
    said = []
    for run in (pulumi_cli.locate, lambda: pulumi_cli.get(lambda _: None), uv.find):
        try:
            run()
        except (Refused, SystemExit) as refused:
            said.append(str(refused))
    return said


def given_to(owner: int, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = really(path)
        return os.stat_result((*found[:4], owner, *found[5:])) if path == theirs else found

    monkeypatch.setattr(Path, "lstat", lstat)


@pytest.mark.parametrize(
    ("place", "refused"),
    [("..", 0), ("", 3), ("uv", 1), (UV, 1), ("pulumi", 2), (CLI, 2), (HOST, 2)],
)
def test_what_another_user_may_have_put_in_the_cache_is_not_run(
    cached: Path, monkeypatch: pytest.MonkeyPatch, place: str, refused: int
) -> None:
    """A folder of the cache, the program, or one that it runs from beside it.

    A home folder is another user's in many a container.
    """
    theirs = Path(os.path.normpath(cached / place))
    given_to(0, theirs, monkeypatch)  # as in an image of a CI service
    assert refusals() == []
    given_to(4712, theirs, monkeypatch)
    said = refusals()
    assert len(said) == refused
    for each in said:
        assert f"{theirs} is another user's, or others may write to it (owner 4712, " in each
        assert "set PROSELF_MAIL_CACHE to a folder that only you may write to" in each


def test_whose_the_root_folder_is_may_have_put_all_there(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sandbox's user namespace that is not 0."""
    given_to(4712, cached, monkeypatch)
    really = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = really(path, **options)
        return os.stat_result((*found[:4], 4712, *found[5:])) if path == Path("/") else found

    monkeypatch.setattr(Path, "stat", stat)
    assert refusals() == []


def test_a_link_of_another_user_leads_to_no_program(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = cached.with_name("link")
    link.symlink_to(cached)
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(link))
    assert refusals() == []
    for theirs in (link, cached):
        with monkeypatch.context() as patched:
            given_to(4712, theirs, patched)
            assert len(refusals()) == 3


@pytest.mark.parametrize(
    ("place", "refused"),
    [("..", 0), ("", 3), ("uv", 1), (UV, 1), ("pulumi", 2), (HOST, 2)],
)
def test_what_anybody_may_write_to_is_not_run(cached: Path, place: str, refused: int) -> None:
    (cached / place).chmod(0o777)
    assert len(refusals()) == refused


def test_what_a_umask_left_open_to_a_group_is_shut_in_the_cache_alone(cached: Path) -> None:
    """A home folder may be shared by one."""
    every = [cached.parent, cached, *cached.rglob("*")]
    for each in every:
        each.chmod(0o775)
    assert refusals() == []
    assert {each.stat().st_mode & 0o777 for each in every[2:]} == {0o755}
    assert {each.stat().st_mode & 0o777 for each in every[:2]} == {0o775}


def test_what_another_user_left_open_to_a_group_stays_as_it_is(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = cached / "pulumi"
    theirs.chmod(0o775)
    given_to(4712, theirs, monkeypatch)
    assert len(refusals()) == 2
    assert theirs.stat().st_mode & 0o777 == 0o775


def test_whatever_the_umask_nobody_else_may_write_to_what_is_made(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new" / "cache"
    monkeypatch.setattr(uv, "_install", lambda to: program(to.parent, to.name, ""))
    monkeypatch.setenv("PROSELF_MAIL_CACHE", str(folder))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    before = os.umask(0)
    try:
        uv.find()
        output, _ = get(environment | {"PROSELF_MAIL_CACHE": str(folder)}).communicate(timeout=30)
    finally:
        os.umask(before)
    made = [folder.parent, folder, *folder.rglob("*")]
    assert {folder / UV, folder / CLI, folder / HOST} <= set(made), output
    assert [each for each in made if each.stat().st_mode & 0o022] == []


def test_uv_is_fetched_where_there_is_none_that_will_do(tmp_path: Path) -> None:
    """With the system's bare PATH, as on a machine that has never seen the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["uv"]["required-version"] == f">={uv.OLDEST}"
    old = program(tmp_path / "bin", "uv", "#!/bin/sh\necho 'uv 0.12.24 (0123abc 2026-01-01)'\n")
    environment = {
        key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "HOME"))
    }
    environment |= {"PATH": f"{old.parent}:/usr/bin:/bin", "PROSELF_MAIL_CACHE": str(tmp_path)}
    for expected in (True, False):
        done = subprocess.run(
            [sys.executable, "-m", "tools.uv", "--version"],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"uv {uv.VERSION} ")
        assert f"uv=={uv.VERSION} \\\n" in (ROOT / "tools" / "uv.txt").read_text(encoding="utf-8")
        assert f"uv: {old} is 0.12.24, older than {uv.OLDEST}: passed over" in done.stderr
        assert ("installing" in done.stderr) is expected
    # What is run is what was reviewed: a lock that does not fit is refused, and mended by `lock`.
    said_by_uv = "$* ${UV_LOCKED-unlocked}${UV_FROZEN+, frozen} ${LC_CTYPE-$LC_ALL} $LC_MESSAGES"
    new = f'#!/bin/sh\necho "uv 1.0.0"\necho "{said_by_uv}"\n'
    program(tmp_path / "bin", "uv", new)
    for command, locale, said in (
        ("run", "POSIX", "run 1 C.UTF-8 POSIX"),
        ("sync", "C.UTF-8", "sync 1 C.UTF-8 "),
        ("lock", "ja_JP.none", "lock unlocked, frozen C.UTF-8 ja_JP.none"),
    ):
        environment |= {"LC_ALL": locale, "UV_FROZEN": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "tools.uv", command],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == (f"uv 1.0.0\n{said}\n", "")
    # Below more than ASCII, Python starts by this alone then, which is said.
    shutil.copytree(ROOT / "tools", tmp_path / "試験" / "tools")
    done = subprocess.run(
        [sys.executable, "-m", "tools.uv", "lock"],
        cwd=tmp_path / "試験", env=environment, capture_output=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.stdout.endswith(" C.UTF-8 ja_JP.none\n")
    assert "Next: `export LC_ALL=C.UTF-8`, or move the checkout" in done.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here, as on most of Windows")
def test_make_finds_the_tools_where_python_looks_at_no_current_folder() -> None:
    """As PYTHONSAFEPATH has it, which a hardened shell may set."""
    done = subprocess.run(
        ["make", "-s", "-f", "Makefile", "-f", "-", "version"],
        input="version: ; $(UV) --version\n",
        cwd=ROOT, env=os.environ | {"PYTHONSAFEPATH": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith("uv "), done.stderr


@pytest.mark.parametrize("address", ["http://user:Geheim/1@proxy:8080", "http://[::1", "http://"])
def test_a_proxy_of_no_use_is_told_before_pip_quotes_it(tmp_path: Path, address: str) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PROSELF_MAIL_CACHE": str(tmp_path),
        "HTTPS_PROXY": address,
        **{key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_"))},
    }
    done = subprocess.run(
        [sys.executable, "-m", "tools.uv", "--version"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "HTTPS_PROXY is no address of a proxy" in done.stderr
    assert "Geheim" not in done.stderr


@pytest.mark.parametrize(
    ("fails", "next_step"),
    [("venv", "`apt install python3-venv`"), ("pip", "Next: install uv by hand")],
)
def test_a_python_without_pip_is_told_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: str, next_step: str
) -> None:
    def run(command: list[str | Path]) -> str | None:
        if command[2] == "venv" and fails == "pip":
            program(Path(command[3]) / "bin", "python", "")
            return None
        return f"No module named {command[2]}"

    monkeypatch.setattr(uv, "_run", run)
    with pytest.raises(SystemExit, match=next_step):
        uv._install(tmp_path / "uv")


@pytest.mark.parametrize(
    ("folder", "given", "python"),
    [("山田 太郎", None, ">=3.13"), ("山田 太郎", "3.14", "3.14"), ("yamada", None, None)],
)
def test_on_windows_a_checkout_under_a_name_in_japanese_gets_a_python_that_finds_it(
    monkeypatch: pytest.MonkeyPatch, folder: str, given: str | None, python: str | None
) -> None:
    monkeypatch.setattr(os, "environ", {"UV_PYTHON": given} if given else {})
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["uv", "run"])
    monkeypatch.setattr(uv, "_CHECKOUT", Path("C:/Users") / folder)
    monkeypatch.setattr(uv, "find", lambda: Path("uv.exe"))
    heard: list[object] = []
    monkeypatch.setattr(signal, "signal", lambda _, action: heard.append(action))
    monkeypatch.setattr(subprocess, "call", lambda _: 0)
    with pytest.raises(SystemExit):
        uv.main()
    assert heard == [signal.SIG_IGN]  # Ctrl-C is uv's and its command's, as where it is exec'd
    assert os.environ.get("UV_PYTHON") == python
