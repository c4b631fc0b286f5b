"""Get a Chromium or Chrome for the tests and for pictures, and know where it lies.

In this order: one that is installed, by its name on PATH or at the place where a system keeps it;
Debian's package, by apt-get, where this user may install packages. Playwright's own download is
never used: it comes from a host that a network with nothing but package registries does not reach.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proself_mail.errors import MissingTool
from tools import programs

PACKAGES = ("chromium-headless-shell", "fonts-noto-cjk")
"""Debian's names. Without a Japanese font a picture of a Japanese page is full of boxes."""

_ON_PATH = (
    "chromium-headless-shell",  # without windows, which nobody sees here: a page costs half
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
    "microsoft-edge",
)
_USUAL = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": (
        r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
        r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
        r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
        r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
        r"%ProgramFiles%\Microsoft\Edge\Application\msedge.exe",
    ),
}
"""By `sys.platform`: where an installer puts one that is not on PATH."""

QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
"""Options by which it asks nobody but the page that it is given."""

_BY_HAND = (
    "Install Chromium or Chrome (on Debian, as root: `apt-get install "
    f"{' '.join(PACKAGES)}`), then try again."
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Browser:
    """A browser that speaks Chrome's protocol."""

    path: Path

    @property
    def version(self) -> str:
        """Its name and version as it tells them, `of an unknown version` where it does not."""
        if sys.platform == "win32":  # there, --version opens a window
            found = sorted(self.path.parent.glob("[0-9]*.[0-9]*.[0-9]*"))
            return f"{self.path.stem} {found[-1].name}" if found else "of an unknown version"
        try:
            said = subprocess.run(  # noqa: S603
                [self.path, "--version"], capture_output=True, text=True, timeout=30
            ).stdout
        except (OSError, subprocess.SubprocessError):
            said = ""
        return said.strip() or "of an unknown version"

    def picture(self, address: str, to: Path, width: int, height: int) -> bool:
        """Take a picture of a page in a browser of its own; say whether there is one now.

        Width and height are CSS pixels, from the page's top.
        """
        with (
            contextlib.suppress(OSError, subprocess.SubprocessError),
            tempfile.TemporaryDirectory(
                prefix="browser-",
                ignore_cleanup_errors=True,  # its processes may still write while they end
            ) as profile,
        ):
            options = [
                "--headless",
                "--hide-scrollbars",
                *QUIET,
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--screenshot={to}",
                *([] if can_sandbox() else ["--no-sandbox"]),
            ]
            subprocess.run(  # noqa: S603
                [self.path, *options, address], capture_output=True, timeout=60
            )
        return to.exists()


def can_sandbox() -> bool:
    """Whether this user's browser can shut its pages in; root's refuses to run with a sandbox."""
    return sys.platform == "win32" or os.geteuid() != 0


def locate(
    environment: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> Browser | None:
    """Return a browser that is installed; none where there is none."""
    for name in _ON_PATH:
        if found := programs.find(name, environment):
            return Browser(found)
    for usual in _USUAL.get(platform, ()):
        if (path := Path(_expanded(usual, environment))).exists():
            return Browser(path)
    return None


def needed(environment: Mapping[str, str] = os.environ) -> Browser:
    """Return the browser that is installed. Raises `MissingTool` where there is none."""
    if found := locate(environment):
        return found
    raise MissingTool("There is no Chromium or Chrome on this machine.", _BY_HAND)


def get(say: Say, environment: Mapping[str, str] = os.environ) -> Browser:
    """Return a browser, installing Debian's where there is none and this user may.

    `say` hears each step, one line each. Raises `MissingTool` where there is none in the end.
    """
    if (found := locate(environment)) is None:
        _install(say, environment)
        found = needed(environment)
    say(f"browser: {found.version}, {found.path}")
    return found


def _install(say: Say, environment: Mapping[str, str]) -> None:
    apt_get = shutil.which("apt-get", path=environment.get("PATH", ""))
    if apt_get is None:
        raise MissingTool("There is no Chromium or Chrome here.", _BY_HAND)
    command = [*_as_root(environment), apt_get, "-o", "DPkg::Lock::Timeout=300"]
    say(f"browser: none here; installing {' and '.join(PACKAGES)} by apt-get (a minute, once) …")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        _run([*command, *arguments], say, environment)


def _as_root(environment: Mapping[str, str]) -> Sequence[str]:
    """Return what to put before a command so that it runs as root, without a password."""
    if sys.platform == "win32":
        raise NotImplementedError("there is no apt-get on Windows")
    if os.geteuid() == 0:
        return ()
    sudo = shutil.which("sudo", path=environment.get("PATH", ""))
    if sudo and not subprocess.run([sudo, "-n", "true"], capture_output=True).returncode:  # noqa: S603
        return (sudo, "-n")
    raise MissingTool(
        "There is no Chromium or Chrome here, and installing one takes root or a sudo that asks "
        "for no password.",
        _BY_HAND,
    )


def _run(command: Sequence[str], say: Say, environment: Mapping[str, str]) -> None:
    began = time.monotonic()
    running = subprocess.Popen(  # noqa: S603
        command,
        env=dict(environment) | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while True:
        try:
            said, _ = running.communicate(timeout=30)
            break
        except subprocess.TimeoutExpired:
            say(f"browser: apt-get, {time.monotonic() - began:.0f} s so far …")
    if running.returncode:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise MissingTool(f"apt-get could not install a browser: {last[:200]}", _BY_HAND)


def _expanded(path: str, environment: Mapping[str, str]) -> str:
    """Fill in Windows' variables, whose names are the same in any case."""
    folded = {name.upper(): value for name, value in environment.items()}
    for part in path.split("%")[1::2]:
        path = path.replace(f"%{part}%", folded.get(part.upper(), f"%{part}%"))
    return path
