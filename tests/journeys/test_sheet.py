"""`proself-mail sheet` as typed: from a stack to the page in a browser, and what stays of it."""

import re
import shlex
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import Visit
from tests.free_port import free_port
from tests.journey import Journey
from tests.tenant import Tenant
from tests.waiting import until

_OPENS = "[open(a[1], 'x').write(a[2]) for a in [__import__('sys').argv]]"
"""A browser that writes down where it was sent. Colons and semicolons separate several ones."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """One stack that is up, and one that never was; nothing here changes them."""
    with Tenant() as tenant:
        journey = Journey(tenant, tmp_path_factory.mktemp("sheet"))
        journey.make_stack("dev")
        journey.make_stack("bare")
        done = journey.up("dev")
        assert done.returncode == 0, done.stdout
        yield journey


@dataclass(frozen=True)
class Sheet:
    """The command, running, with a browser that only writes down the address."""

    process: "subprocess.Popen[str]"
    opened: Path

    def address(self) -> str:
        """Wait until the browser was sent somewhere."""

        def sent() -> str:
            assert self.process.poll() is None, self.process.communicate()
            return self.opened.read_text(encoding="utf-8") if self.opened.exists() else ""

        until(sent)
        return sent()

    def end(self) -> tuple[int, str]:
        said = "".join(part or "" for part in self.process.communicate(timeout=60))
        return self.process.returncode, said


@contextmanager
def running(journey: Journey, folder: Path, *options: str, browser: str = "") -> Iterator[Sheet]:
    opened = folder / "address"
    opens = shlex.join([sys.executable, "-c", _OPENS, str(opened)]) + " %s"
    env = {"BROWSER": browser or opens, "COLUMNS": "80"}
    command = ("sheet", "--stack", "dev", *options)
    with journey.started(*command, env=env, stdout=subprocess.PIPE) as process:
        yield Sheet(process, opened)


def test_the_page_has_the_stacks_values_and_ends_the_command(
    stack: Journey, tmp_path: Path, visit: Visit
) -> None:
    made, before = stack.outputs("dev"), stack.mark()
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    with running(stack, tmp_path) as sheet:
        opened = sheet.address()
        page = visitor.page(opened)
        page.wait_for_url("http://127.0.0.1:*/")
        address = _kept_private(opened)
        for key, value in (
            ("this_server.host_name", "https://proself.example.jp"),
            ("mail_server.user_id", "proself@contoso.example"),
            ("mail_server.tenant_id", stack.tenant.tenant_id),
            ("mail_server.client_id", made["clientId"]),
            ("mail_server.client_secret", made["clientSecret"]),
        ):
            page.evaluate("document.querySelector('#said').textContent = ''")
            page.locator(f'[data-copy="{key}"]').click()
            expect(page.locator("#said")).not_to_be_empty()
            assert visitor.clipboard(page) == value
        assert made["clientSecret"] not in page.content()
        assert made["clientSecret"] not in httpx.get(address).text
        page.close()
        code, said = sheet.end()
    assert code == 0, said
    assert "somebody else did: revoke the secret." in " ".join(said.split())
    assert "シークレットを無効にしてください。" in re.sub(r"\s", "", said)
    assert "The page was closed" in said
    assert "rotate --acknowledge --stack dev" in said
    assert "http://127.0.0.1" not in said, "told only where no browser opened"
    assert not _file(opened).parent.exists()
    assert made["clientSecret"] not in said
    assert stack.tenant.history(before) == [], "the sheet needs no tenant"
    assert visitor.complaints == []


def _kept_private(opened: str) -> str:
    """Return the address that a file leads to, which is this user's alone.

    A browser's arguments, which name the file, are for everybody to read.
    """
    file = _file(opened)
    assert "127.0.0.1" not in opened
    [address] = set(re.findall(r"http://127\.0\.0\.1:\d+/[\w-]{43}", file.read_text("utf-8")))
    assert address.rpartition("/")[2] not in opened
    if sys.platform != "win32":
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (file, file.parent)]
        assert modes == [0o600, 0o700]
    return str(address)


def _file(opened: str) -> Path:
    parts = urlsplit(opened)
    assert parts.scheme == "file"
    return Path(url2pathname(parts.path))


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to a whole console there")
def test_without_a_browser_the_address_is_told_and_ctrl_c_ends_it(
    stack: Journey, tmp_path: Path
) -> None:
    port = free_port()
    # Which fails at once, as a browser that cannot start does.
    fails = shlex.join([sys.executable, "-c", "raise SystemExit(1)"]) + " %s"
    with running(stack, tmp_path, "--port", str(port), browser=fails) as sheet:
        assert sheet.process.stderr
        said = ""
        while "ssh -L" not in said:
            line = sheet.process.stderr.readline()
            assert line, said
            said += line
        assert f"http://127.0.0.1:{port}/" in said
        assert "it works once" in said
        taken = stack.proself_mail("sheet", "--stack", "dev", "--port", str(port))
        assert taken.returncode == 2
        assert f"Port {port} of this machine" in taken.stderr
        sheet.process.send_signal(signal.SIGINT)
        code, _ = sheet.end()
    assert code == 130


def test_a_file_is_written_without_the_secret_and_with_it_on_demand(
    stack: Journey, tmp_path: Path
) -> None:
    secret = stack.outputs("dev")["clientSecret"]
    plain = stack.proself_mail("sheet", "--stack", "dev", "--out", str(tmp_path / "a.html"))
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.strip() == str(tmp_path / "a.html")
    assert secret not in (tmp_path / "a.html").read_text(encoding="utf-8")
    made = ["--out", str(tmp_path / "b.html"), "--with-secret"]
    done = stack.proself_mail("sheet", "--stack", "dev", *made)
    assert done.returncode == 0, done.stderr
    assert secret in (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "Delete it as soon as the values are in Proself" in done.stdout
    assert "すぐに削除してください(ごみ箱からも)。" in re.sub(r"\s", "", done.stdout)
    assert secret not in plain.stdout + plain.stderr + done.stdout + done.stderr
    again = stack.proself_mail("sheet", "--stack", "dev", *made)
    assert again.returncode == 2
    assert "exists already" in " ".join(again.stderr.split())


def test_no_secret_goes_into_a_synchronised_folder(stack: Journey, tmp_path: Path) -> None:
    path = tmp_path / "Dropbox" / "sheet.html"
    path.parent.mkdir()
    done = stack.proself_mail("sheet", "--stack", "dev", "--out", str(path), "--with-secret")
    assert done.returncode == 3
    assert "Dropbox copies to other machines" in " ".join(done.stderr.split())
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "code", "cause"),
    [
        (["--stack", "dev", "--with-secret"], 2, "--with-secret is for a file"),
        (["--stack", "dev", "--out", "x.html", "--port", "8080"], 2, "--port and --timeout"),
        (["--stack", "dev", "--out", "none/there/x.html"], 2, "cannot be written"),
        (["--stack", "dev", "--out", ""], 2, "is a folder"),
        (["--stack", "bare"], 2, "nothing has been set up yet"),
    ],
)
def test_what_cannot_be_shown_says_why(
    stack: Journey, options: list[str], code: int, cause: str
) -> None:
    done = stack.proself_mail("sheet", *options)
    assert done.returncode == code, done.stdout
    assert cause in " ".join(done.stderr.split())
    assert "Next:" in done.stderr


def test_a_stack_without_a_mailbox_says_so(stack: Journey) -> None:
    path = stack.folder / "Pulumi.dev.yaml"
    whole = path.read_text(encoding="utf-8")
    try:
        path.write_text(
            "".join(line for line in whole.splitlines(True) if "mailbox" not in line),
            encoding="utf-8",
        )
        done = stack.proself_mail("sheet", "--stack", "dev")
    finally:
        path.write_text(whole, encoding="utf-8")
    assert done.returncode == 2
    assert "`mailbox` is missing" in done.stderr
    assert "pulumi config set mailbox" in done.stderr


def test_what_was_not_carried_out_is_not_entered(stack: Journey) -> None:
    """The application is of one tenant still; Proself would be told to leave the tenant blank."""
    path = stack.folder / "Pulumi.dev.yaml"
    whole = path.read_text(encoding="utf-8")
    try:
        stack.change("dev", audience="multi")
        for command in ("sheet", "config"):
            done = stack.proself_mail(command, "--stack", "dev")
            assert (done.returncode, done.stdout) == (2, "")
            said = " ".join(done.stderr.split())
            assert "changed since its last `up` (audience)" in said
            assert "Next: `proself-mail up --stack dev`" in said
    finally:
        path.write_text(whole, encoding="utf-8")


def test_another_stacks_file_is_not_read(stack: Journey) -> None:
    """Its UUID would go into the config file, which the stack's own file then leaves alone."""
    path = stack.folder / "Pulumi.dev.yaml"
    whole, before = path.read_text(encoding="utf-8"), stack.config_file.read_bytes()
    try:
        stack.change("dev", stackId=str(uuid.uuid4()))
        foreign = path.read_bytes()
        for command in (
            ["config", "--write"],
            ["config"],
            ["sheet"],
            ["explain", "AADSTS7000222"],
            ["handover", "--to", str(uuid.uuid4())],
        ):
            done = stack.proself_mail(*command, "--stack", "dev")
            assert (done.returncode, done.stdout) == (3, ""), done.stderr
            assert "If this is another stack's file" in " ".join(done.stderr.split())
        assert path.read_bytes() == foreign
    finally:
        path.write_text(whole, encoding="utf-8")
    assert stack.config_file.read_bytes() == before


def test_a_secret_that_has_ended_is_not_handed_out(stack: Journey) -> None:
    """What else stands there is shown without it."""
    later = {"PROSELF_MAIL_CLOCK_OFFSET_SECONDS": str(timedelta(days=181).total_seconds())}
    secret, before = stack.outputs("dev")["clientSecret"], stack.config_file.stat()
    for command in (["config"], ["config", "--json"], ["config", "--write"], ["sheet"]):
        done = stack.proself_mail(*command, "--stack", "dev", env=later)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert "Proself could not sign in with it." in " ".join(done.stderr.split())
    assert stack.config_file.stat() == before
    shown = stack.proself_mail("config", "--stack", "dev", "--without-secret", env=later)
    assert shown.returncode == 0, shown.stderr
    assert "mail_server" in shown.stdout
    assert secret not in shown.stdout
