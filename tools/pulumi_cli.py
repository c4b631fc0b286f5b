"""Get a Pulumi CLI of a supported version, and know where it lies.

In this order: one on PATH; the official release, by the installer of Pulumi's Automation API; one
built from Go modules, for networks that reach nothing but package registries. The last two land in
this user's cache, a folder a version, which appears there whole or not at all.

It does not choose the azuread plugin: that is `proself_mail.stack.plugin`'s.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from semver import VersionInfo

from proself_mail import facts
from proself_mail.errors import MissingTool, Refused
from tools import cache, programs, word_lists

VERSION = "3.259.0"
"""The CLI that is installed or built; the one that everything here was proven with."""

_LANGUAGE_HOST_VERSION = "3.79.0"
"""The newest Python language host that is published as a Go module of its own."""

_BUILD = 2
"""Counts the ways of building these versions, for the caches that hold an earlier one."""

_LINKED_VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_EXE = ".exe" if os.name == "nt" else ""
_HERE = Path(__file__).resolve().parent
_USUAL_GO = (Path("/usr/local/go/bin"), Path("/opt/homebrew/bin"), Path("C:/Program Files/Go/bin"))
_NO_ANSWER = timedelta(seconds=5)
_RELEASES = "https://get.pulumi.com/install.sh"
"""Where the Automation API's installer begins."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class PulumiCli:
    """A Pulumi CLI that can be run."""

    path: Path
    version: str
    """Without the leading `v`."""


class _Go(NamedTuple):
    """A Go that can be run."""

    program: Path
    scratch: Path
    """A folder that is removed with all in it: one that was killed leaves a gigabyte there."""


def locate(environment: Mapping[str, str] = os.environ) -> PulumiCli:
    """Return the CLI that `get` would choose, without installing anything.

    Raises `MissingTool` where there is none yet, `Refused` where others could decide what is run
    from the cache.
    """
    found = _on_path(environment, lambda _: None) or _in_cache()
    if found is None:
        raise MissingTool(
            f"There is no Pulumi CLI of a supported version ({facts.PULUMI_SUPPORTED}) "
            "on PATH or in the cache.",
            "Run `make setup` (or `uv run python -m tools.setup`), which gets one.",
        )
    return found


def get(say: Say, environment: Mapping[str, str] = os.environ) -> PulumiCli:
    """Return a CLI of a supported version, installing or building one where there is none.

    `say` hears each step, one line each. Raises `MissingTool` where every way failed, and
    `Refused` as `locate` does.
    """
    if found := _on_path(environment, say):
        say(f"pulumi: v{found.version} on PATH, {found.path}")
        return found
    if not (found := _in_cache()):
        with _alone(say):
            # Another process may have finished one while this one waited.
            found = _in_cache() or _release(say) or _build(say, environment)
    say(f"pulumi: v{found.version}, {found.path}")
    return found


def _on_path(environment: Mapping[str, str], say: Say) -> PulumiCli | None:
    path = programs.find("pulumi", environment)
    if path is None:
        say("pulumi: none on PATH")
        return None
    if path.resolve() == _cached().resolve():
        return _in_cache()  # what it is called tells its version, in no time
    version = _version(path)
    if version is None or not is_supported(version):
        shown = "of an unknown version" if version is None else f"v{version}"
        say(f"pulumi: {path} is {shown}, not {facts.PULUMI_SUPPORTED}: passed over")
        return None
    return PulumiCli(path.resolve(), version)


def is_supported(version: str) -> bool:
    """Say whether this version of the Pulumi CLI is one we work with."""
    try:
        parsed = VersionInfo.parse(version)
    except ValueError:
        return False
    return all(parsed.match(limit) for limit in facts.PULUMI_SUPPORTED.split())


def _version(pulumi: Path) -> str | None:
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        out = subprocess.run(  # noqa: S603
            [pulumi, "version"], capture_output=True, text=True, env=environment, timeout=30
        )
        return out.stdout.strip().removeprefix("v") or None
    return None


def _home() -> Path:
    # Both versions: the newer host of a newer checkout is not to be missed for the CLI's sake.
    name = f"v{VERSION}-python{_LANGUAGE_HOST_VERSION}-{_BUILD}"
    return cache.cache_directory() / "pulumi" / name


def _unfinished() -> str:
    return f".unfinished-{_home().name}-"


def _cached() -> Path:
    return _home() / "bin" / f"pulumi{_EXE}"


def _in_cache() -> PulumiCli | None:
    path = _cached()
    if not path.exists():
        return None
    _check_trusted(path.parent)
    return PulumiCli(path, VERSION)


def _check_trusted(folder: Path) -> None:
    if doubt := cache.doubt(folder):
        raise Refused(*doubt)


@contextlib.contextmanager
def _alone(say: Say) -> Iterator[None]:
    from filelock import FileLock, Timeout  # 50 ms, needed once in a machine's life

    lock = FileLock(_home().with_name(f"{_home().name}.lock"), mode=0o644)
    try:
        cache.make(_home().parent)
        _check_trusted(_home().parent)
        lock.acquire(timeout=0.2)
    except Timeout:
        say("pulumi: another process is getting it; waiting for that one …")
        lock.acquire()
    except OSError as error:
        raise MissingTool(*cache.unwritable(error)) from error
    try:
        for left in _home().parent.glob(f"{_unfinished()}*"):  # of one that was killed
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _appearing_whole() -> Iterator[Path]:
    """Give a folder to fill; it becomes the version's home only when the block ends well."""
    with tempfile.TemporaryDirectory(
        dir=_home().parent,
        prefix=_unfinished(),
        ignore_cleanup_errors=True,  # a compiler whose Go was killed may write on for a moment
    ) as scratch:
        filled = Path(scratch) / "whole"
        filled.mkdir()
        yield filled
        cache.shut(filled)
        filled.rename(_home())


def _release(say: Say) -> PulumiCli | None:
    from pulumi.automation import PulumiCommand  # 0.2 s, needed once in a machine's life

    say(f"pulumi: trying the official release v{VERSION} …")
    try:
        _reach(_RELEASES)
        with _appearing_whole() as folder:
            PulumiCommand.install(root=str(folder), version=VersionInfo.parse(VERSION))
    except Exception as error:  # the installer raises whatever its parts raise
        say(f"pulumi: the official release cannot be had here ({_one_line(error)})")
        return None
    return _in_cache()


def _reach(address: str) -> None:
    """Raise `OSError`, or `HTTPException` of an answer that is none, where it does not answer soon.

    The installer sets no time limit, and a network without internet may stay silent, for minutes
    even to a question for a name, which no time limit of a socket ends.
    """
    answer: list[Exception] = []
    seconds = _NO_ANSWER.total_seconds()

    def ask() -> None:
        try:
            urllib.request.urlopen(address, timeout=seconds).close()  # noqa: S310
        except (OSError, HTTPException) as error:
            answer.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    if asking.is_alive():
        answer.append(TimeoutError(f"no answer within {seconds:g} s"))
    if answer:
        raise answer[0]


def _build(say: Say, environment: Mapping[str, str]) -> PulumiCli:
    program = _find_go(environment)
    say(f"pulumi: building v{VERSION} from Go modules, with {program} (3 to 5 minutes, once) …")
    with _appearing_whole() as folder:
        go, out = _Go(program, folder.with_name("go")), folder / "bin"
        go.scratch.mkdir()
        cli = folder.with_name("pulumi")
        shutil.copytree(_HERE / cli.name, cli)
        word_lists.read_when_needed(cli, lambda *asked: _run_go(go, *asked))
        _go_build(go, cli, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", VERSION, out, say)
        package = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
        host = _HERE / "language_host"
        _go_build(go, host, package, _LANGUAGE_HOST_VERSION, out, say)
        listed = _run_go(go, host, "list", "-f", "{{.Dir}}", package)
        script = Path(listed.strip()).parent / "pulumi-language-python-exec"
        shutil.copyfile(script, out / script.name)
        (out / script.name).chmod(0o755)
    built = _in_cache()
    assert built is not None  # noqa: S101  the rename above made it
    return built


def _find_go(environment: Mapping[str, str]) -> Path:
    for folder in (environment.get("PATH", ""), *map(str, _USUAL_GO)):
        if found := programs.find("go", {"PATH": folder}):
            return found
    raise MissingTool(
        "There is no Pulumi CLI on PATH, its official release cannot be downloaded here, "
        "and there is no Go to build it with.",
        "Install Go 1.25 or newer, or put a Pulumi CLI "
        f"({facts.PULUMI_SUPPORTED}) on PATH, then try again.",
    )


def _go_build(go: _Go, module: Path, package: str, version: str, out: Path, say: Say) -> None:
    arguments = ["build", "-trimpath", "-ldflags", f"-s -w -X {_LINKED_VERSION}=v{version}"]
    done = threading.Event()
    teller = threading.Thread(target=_tell_time, args=(module.name, say, done), daemon=True)
    teller.start()
    try:
        _run_go(go, module, *arguments, "-o", f"{out}{os.sep}", package)
    finally:
        done.set()
        teller.join()


def _run_go(go: _Go, module: Path, *arguments: str) -> str:
    """Run Go in the folder of a module; return what it printed."""
    environment = os.environ | {"GOTMPDIR": str(go.scratch)}
    if not Path(os.environ.get("HOME", os.sep)).is_absolute():
        # Or Go has no place for modules, or one in this folder.
        environment["HOME"] = str(cache.home())
    try:
        done = subprocess.run(  # noqa: S603
            [go.program, *arguments],
            cwd=module,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise MissingTool(
            f"Building the Pulumi CLI from Go modules failed: {_one_line(error.stderr)}",
            "Check that Go 1.25 or newer reaches its module registry (`go env GOPROXY`), or put a "
            f"Pulumi CLI ({facts.PULUMI_SUPPORTED}) on PATH, then try again.",
        ) from error
    return done.stdout


def _tell_time(module: str, say: Say, done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(30):
        say(f"pulumi: building {module}, {time.monotonic() - began:.0f} s so far …")


def _one_line(error: object, width: int = 200) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1][:width]
