"""Which browser is used, and what is said where there is none."""

import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from proself_mail.errors import MissingTool
from tests.browser import Visit
from tools import browser

posix = pytest.mark.skipif(sys.platform == "win32", reason="stands in for programs by scripts")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No browser where this machine's system keeps one."""
    monkeypatch.setattr(browser, "_USUAL", {})
    return monkeypatch


def program(folder: Path, name: str, text: str = "echo Chromium 1.2.3") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@posix
def test_one_on_path_is_used_and_said_with_its_version(tmp_path: Path) -> None:
    path = program(tmp_path / "bin", "google-chrome")
    said: list[str] = []
    assert browser.get(said.append, {"PATH": str(tmp_path / "bin")}).path == path
    assert said == [f"browser: Chromium 1.2.3, {path}"]


@posix
def test_debians_is_installed_where_there_is_none(tmp_path: Path, bare: pytest.MonkeyPatch) -> None:
    bare.setattr("os.geteuid", lambda: 0)
    bin_ = tmp_path / "bin"
    log, chromium = tmp_path / "log", bin_ / "chromium-headless-shell"
    program(
        bin_,
        "apt-get",
        f'echo "$DEBIAN_FRONTEND $*" >> {log}\n'
        f'case "$*" in *install*) echo "#!/bin/sh" > {chromium};'
        f' echo "echo Chromium 9" >> {chromium}; /bin/chmod +x {chromium};; esac',
    )
    said: list[str] = []
    assert browser.get(said.append, {"PATH": str(bin_)}).path == chromium
    update, install = log.read_text(encoding="utf-8").splitlines()
    assert update.endswith(" update")
    assert update.startswith("noninteractive ")
    assert install.endswith("chromium-headless-shell fonts-noto-cjk")
    assert "installing chromium-headless-shell and fonts-noto-cjk by apt-get" in said[0]
    assert said[-1] == f"browser: Chromium 9, {chromium}"


@posix
def test_a_failing_apt_get_is_told_with_its_last_words_and_a_next_step(
    tmp_path: Path, bare: pytest.MonkeyPatch
) -> None:
    bare.setattr("os.geteuid", lambda: 0)
    program(tmp_path / "bin", "apt-get", "echo 'E: no network'; exit 100")
    with pytest.raises(MissingTool, match=r"E: no network.*Next: Install Chromium"):
        browser.get(lambda _: None, {"PATH": str(tmp_path / "bin")})


@posix
@pytest.mark.parametrize("sudo", [None, "exit 1"])
def test_who_may_not_install_is_told_how_to(
    tmp_path: Path, bare: pytest.MonkeyPatch, sudo: str | None
) -> None:
    bare.setattr("os.geteuid", lambda: 1000)
    called = tmp_path / "called"
    program(tmp_path / "bin", "apt-get", f"echo > {called}")
    if sudo:
        program(tmp_path / "bin", "sudo", sudo)
    with pytest.raises(MissingTool, match=r"root or a sudo.*Next: Install Chromium"):
        browser.get(lambda _: None, {"PATH": str(tmp_path / "bin")})
    assert not called.exists()


@pytest.mark.usefixtures("bare")
def test_no_browser_and_no_apt_get_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(MissingTool, match=r"Chrome here\. Next: Install Chromium or Chrome"):
        browser.get(lambda _: None, {"PATH": str(tmp_path)})


def test_what_lies_off_path_is_found_where_windows_keeps_it(tmp_path: Path) -> None:
    chrome = Path(rf"{tmp_path}\Google\Chrome\Application\chrome.exe")  # elsewhere, one odd name
    chrome.parent.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": "", "PROGRAMFILES": str(tmp_path)}
    assert browser.locate(environment, "win32") is None
    chrome.touch()
    assert browser.locate(environment, "win32") == browser.Browser(chrome)


def test_the_browser_that_was_found_shows_a_page_and_tells_of_its_complaints(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page("data:text/html,<title>ready</title>")
    assert page.title() == "ready"
    assert visitor.complaints == []
    with page.expect_event("console"):
        page.evaluate("console.error('broken')")
    with visitor.context.expect_event("weberror"):
        page.evaluate("setTimeout(() => { throw new Error('worse') })")
    assert [each.partition(":")[0] for each in visitor.complaints] == ["error", "exception"]


def test_a_picture_shows_the_page_from_its_top(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<body style='margin:0;background:#fff'><div style='height:9px;background:red'>",
        encoding="utf-8",
    )
    to = tmp_path / "page.png"
    assert browser.needed().picture(page.as_uri(), to, 120, 80)
    with Image.open(to) as found:
        assert found.size == (120, 80)
        shown = found.convert("RGB")
        assert [shown.getpixel((60, y)) for y in (4, 40)] == [(255, 0, 0), (255, 255, 255)]
    assert not browser.Browser(tmp_path / "none").picture(
        page.as_uri(), tmp_path / "other.png", 120, 80
    )


def test_a_picture_that_cannot_begin_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on a full disk: a rehearsal would wait for it for ever."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    chromium = browser.Browser(Path(sys.executable))
    assert not chromium.picture("about:blank", tmp_path / "page.png", 120, 80)
