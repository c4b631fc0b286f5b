"""The Proself config file: complete, private, read back strictly."""

import json
import os
import re
import stat
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import psutil
import pytest

from proself_mail.check import Outcome
from proself_mail.errors import ConfigurationError, Error, Refused
from proself_mail.files import private_file, whole_file
from proself_mail.proself import proself_file
from proself_mail.proself.proself import ProselfConfig
from proself_mail.secret import MASK, Secret
from proself_mail.stack.client_secret import ClientSecret
from proself_mail.verification import mailbox_checks
from proself_mail.verification.evidence import Evidence
from tests.unit.test_settings import TENANT, good

VALUE = "k8Q~notARealSecretValue_0123456789"
SECRET = ClientSecret(
    window="20270401T000000Z",
    key_id="d0a6ab2c-0000-4000-8000-000000000001",
    starts=datetime(2027, 4, 1, tzinfo=UTC),
    expires=datetime(2027, 9, 28, tzinfo=UTC),
    value=Secret(VALUE),
)
CLIENT = "c0ffee00-2222-3333-4444-555555555555"
ELSEWHERE = proself_file.another_place("dev")


def config(**changes: object) -> ProselfConfig:
    return ProselfConfig.of(good(**changes), CLIENT, SECRET)


def test_it_holds_every_field_of_the_faq_in_the_order_of_the_screens() -> None:
    header, _, text = config().to_toml().partition("\n\n")
    assert "Proself に入力したら削除してください" in header
    assert "delete it when the values are entered" in header
    labels = [
        "このサーバー情報の設定", "ホスト名(FQDN)",
        "メールサーバー情報の設定", "SMTPサーバー", "ポート", "STARTTLSを使用する",
        "送信時にSMTP認証を行う", "認証方式", "ユーザーID", "テナントID", "クライアントID",
        "シークレット", "システムメールの設定", "メールアドレス",
        "メール文書設定", "Web公開メール送信のデフォルト文書設定", "Fromのメールアドレス",
    ]  # fmt: skip
    places = [re.search(rf"# .*{re.escape(label)}", text) for label in labels]
    assert all(places), [label for label, place in zip(labels, places, strict=True) if not place]
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)
    assert tomllib.loads(text)["mail_server"] == {
        "smtp_server": "smtp.office365.com",
        "port": 587,
        "starttls": True,
        "smtp_authentication": True,
        "authentication_method": "OAuth",
        "user_id": "proself@example.jp",
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "client_secret": VALUE,
        "client_secret_key_id": SECRET.key_id,
        "client_secret_expires": SECRET.expires,
    }
    assert tomllib.loads(text)["system_mail"] == {"mail_address": "proself@example.jp"}
    assert tomllib.loads(text)["web_publication_mail"] == {"from_system_mail_address": True}
    assert tomllib.loads(text)["this_server"] == {"host_name": "https://proself.example.jp"}


def test_a_multi_tenant_applications_tenant_is_blank() -> None:
    assert config(audience="multi").mail_server.tenant_id == ""


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "made" / "here" / "proself.toml"
    proself_file.write(path, config(), ELSEWHERE)
    assert proself_file.read(path, "dev") == config()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has an ACL instead of modes")
def test_it_is_private_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "made" / "proself.toml"
    earlier = os.umask(0o000)
    try:
        proself_file.write(path, config(), ELSEWHERE)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "proself.toml"
    proself_file.write(path, config(), ELSEWHERE)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        proself_file.write(path, config(server="other.example.jp"), ELSEWHERE)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["proself.toml"]


def test_on_windows_nothing_is_written_before_it_is_this_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def refuse(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        assert Path(command[1]).read_text(encoding="utf-8") == ""
        asked.append(command)
        return subprocess.CompletedProcess(command, 5, "Access is denied.\n")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path / "Windows"))
    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(ConfigurationError, match=r"icacls cannot keep it to .+: Access is denied"):
        proself_file.write(tmp_path / "proself.toml", config(), ELSEWHERE)
    user = psutil.Process().username()
    own = tmp_path / "Windows" / "System32" / "icacls.exe"  # not one that lies in a folder
    assert [command[0] for command in asked] == [str(own)]
    assert [command[2:] for command in asked] == [["/inheritance:r", "/grant:r", f"{user}:F"]]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tries", [3, 99])
def test_on_windows_a_file_that_somebody_reads_is_replaced_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    replace, left = Path.replace, iter(range(tries))

    def held(scratch: Path, path: Path) -> Path:
        if next(left, None) is not None:
            raise PermissionError(13, "Access is denied")
        return replace(scratch, path)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(private_file, "_restrict", lambda _: None)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(Path, "replace", held)
    written = proself_file.write if tries == 3 else _refused
    written(tmp_path / "proself.toml", config(), ELSEWHERE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["proself.toml"][: tries == 3]


def test_on_windows_a_file_that_somebody_reads_is_removed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink, left = Path.unlink, [PermissionError(13, "Access is denied")] * 9

    def held(path: Path, **options: bool) -> None:
        if left:
            raise left.pop()
        unlink(path, **options)

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(Path, "unlink", held)
    path = tmp_path / "update.json"
    path.touch()
    with pytest.raises(ConfigurationError, match="cannot be removed: Access is denied"):
        whole_file.remove(path)
    whole_file.remove(path)
    assert not path.exists()


def _refused(path: Path, what: ProselfConfig, elsewhere: str) -> None:
    with pytest.raises(ConfigurationError, match="Access is denied"):
        proself_file.write(path, what, elsewhere)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be written") as refused:
        proself_file.write(tmp_path / "file" / "proself.toml", config(), ELSEWHERE)
    assert "pulumi config set configFile" in refused.value.next_step


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has an ACL instead of modes")
def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Refused, match="Others may write"):
        proself_file.write(tmp_path / "proself.toml", config(), ELSEWHERE)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has an ACL instead of modes")
def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "proself.toml"
    proself_file.write(path, config(), ELSEWHERE)
    path.chmod(0o644)
    with pytest.raises(Refused, match="0644") as refused:
        proself_file.read(path, "dev")
    assert f"chmod 600 {path}" in refused.value.next_step
    assert "rotate the client secret" in refused.value.next_step


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("port = 587", "Port = 587"), "mail_server.Port"),
        (("port = 587\n", ""), "mail_server.port"),
        (("port = 587", 'port = "many"'), "mail_server.port"),
        (("format = 1", "format = 2"), "format"),
        (('"OAuth"', '"Basic"'), "mail_server.authentication_method"),
        (('mail_address = "proself@', 'mail_address = "other@'), "must equal mail_server.user_id"),
        (("[system_mail]", "[system_mail"), "not TOML"),
        (("port = 587", "port = " + "[" * 2000), "not TOML"),
        (("from_system_mail_address = true", "from_system_mail_address = false"), "from_system"),
        (("client_secret_expires = 2027-09-28T00:00:00Z", "client_secret_expires = 1"), "expires"),
    ],
)
def test_a_file_edited_by_hand_is_refused_by_name(
    tmp_path: Path, change: tuple[str, str], named: str
) -> None:
    path = tmp_path / "proself.toml"
    proself_file.write(path, config(), ELSEWHERE)
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        proself_file.read(path, "dev")
    assert named in refused.value.cause
    assert VALUE not in str(refused.value)


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"config --stack S\.test --write"):
        proself_file.read(tmp_path / "none.toml", "S.test")


def test_the_secret_does_not_show_itself() -> None:
    assert VALUE not in repr(config()) + repr(SECRET) + str(SECRET) + f"{SECRET.value}"
    covered = config().without_secret()
    assert VALUE not in covered.to_toml() + covered.model_dump_json()
    assert MASK in covered.to_toml()
    assert "シークレットは含まれていません" in covered.to_toml()
    for claim in ("holds a client secret", "シークレットが含まれています"):
        assert claim in config().to_toml()
        assert claim not in covered.to_toml()
    assert json.loads(covered.model_dump_json())["mail_server"]["client_secret"] is None
    assert json.loads(config().model_dump_json())["mail_server"]["client_secret"] == VALUE


def test_git_takes_no_config_file(tmp_path: Path) -> None:
    """Its usual place is one that git ignores, in a copy of the project at least."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    path = tmp_path / "out" / "proself.toml"
    with pytest.raises(Refused, match=r"git, which would take .* into a commit") as refused:
        proself_file.check_writable(path, good(configFile=str(path)), ELSEWHERE)
    assert "Have git ignore both" in refused.value.next_step
    seen = SimpleNamespace(settings=good(configFile=str(path)), stack="dev")
    check = mailbox_checks.config_file(cast(Any, seen))  # while no secret is in it
    assert check.outcome is Outcome.FAIL
    assert "--stack dev" in check.next_step
    (tmp_path / ".gitignore").write_text("/out/\n", encoding="utf-8")
    proself_file.check_writable(path, good(configFile=str(path)), ELSEWHERE)
    (tmp_path / ".git" / "HEAD").unlink()
    with pytest.raises(Refused, match=r"does not tell whether it ignores .* not a git repository"):
        proself_file.check_writable(path, good(configFile=str(path)), ELSEWHERE)
    (tmp_path / ".gitignore").unlink()
    proself_file.check_writable(path, good(), ELSEWHERE)


def test_git_takes_nothing_of_a_file_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the midst of it leaves what is there then; the next write removes that."""
    git = ("git", "-C", str(tmp_path))
    subprocess.run([*git, "init", "--quiet"], check=True)
    path, ignored = tmp_path / "proself.toml", tmp_path / ".gitignore"
    ignored.write_text("proself.toml\n", encoding="utf-8")
    with pytest.raises(Refused, match=re.escape("(.proself.toml.*.tmp beside it)")):
        proself_file.check_writable(path, good(configFile=str(path)), ELSEWHERE)
    ignored.write_text("proself.toml\n.proself.toml.*.tmp\n", encoding="utf-8")
    proself_file.check_writable(path, good(configFile=str(path)), ELSEWHERE)
    left: set[Path] = set()

    def look(_: int) -> None:
        subprocess.run([*git, "add", "--all"], check=True)
        left.update({*tmp_path.iterdir()} - {ignored, tmp_path / ".git"})

    monkeypatch.setattr(os, "fsync", look)
    proself_file.write(path, config(), ELSEWHERE)
    assert len(left) == 1
    taken = subprocess.run([*git, "ls-files"], check=True, capture_output=True, text=True)
    assert taken.stdout.split() == [".gitignore"]
    for each in left:
        each.write_text(config().to_toml(), encoding="utf-8")
    theirs = tmp_path / ".proself.toml.20261128"
    theirs.touch()
    monkeypatch.undo()
    proself_file.write(path, config(), ELSEWHERE)
    assert {*tmp_path.iterdir()} == {path, ignored, theirs, tmp_path / ".git"}


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    """It may lead out of a working tree of git, in which the file itself would then lie."""
    kept, link = tmp_path / "vault" / "proself.toml", tmp_path / "tree" / "proself.toml"
    proself_file.write(kept, config(), ELSEWHERE)
    subprocess.run(["git", "init", "--quiet", str(link.parent)], check=True)
    for target in (kept, tmp_path / "nowhere"):
        link.symlink_to(target)
        with pytest.raises(Refused, match="is a link") as refused:
            proself_file.check_writable(link, good(configFile=str(link)), ELSEWHERE)
        assert "pulumi config set configFile" in refused.value.next_step
        with pytest.raises(Refused, match="is a link"):
            proself_file.write(link, config(), ELSEWHERE)
        assert link.readlink() == target
        link.unlink()
    folder = tmp_path / "tree" / "out"
    folder.symlink_to(kept.parent)  # through which it is written
    proself_file.check_writable(
        folder / kept.name, good(configFile=str(folder / kept.name)), ELSEWHERE
    )
    proself_file.write(folder / kept.name, config(), ELSEWHERE)


def test_what_is_no_config_file_is_not_replaced(tmp_path: Path) -> None:
    """A stack's file may name any place, and the update that writes there is this user's."""
    path = tmp_path / "proself.toml"
    for held in ("", "alias ll='ls -l'\n", "theirs = true\n", "# stack_id = 1\n"):
        path.write_text(held, encoding="utf-8")
        with pytest.raises(Refused, match="is no Proself config file"):
            proself_file.check_writable(path, good(), ELSEWHERE)
        with pytest.raises(Refused, match="is no Proself config file"):
            proself_file.write(path, config(), ELSEWHERE)
        assert path.read_text(encoding="utf-8") == held
    path.unlink()
    proself_file.write(path, config(), ELSEWHERE)
    other = good(stackId=str(uuid4()), configFile=str(path))
    with pytest.raises(Refused, match=f"of another stack, {good().stack_id}"):
        proself_file.check_writable(path, other, ELSEWHERE)
    proself_file.check_writable(path, good(stackId=str(other.stack_id)), ELSEWHERE)
    proself_file.check_writable(path, good(configFile=str(path)), ELSEWHERE)
    path.write_text(path.read_text(encoding="utf-8") + "edited [by hand", encoding="utf-8")
    proself_file.write(path, config(), ELSEWHERE)
    assert proself_file.read(path, "dev") == config()


@pytest.mark.parametrize("place", ["x" * 300, f"{'x' * 300}/proself.toml", "a\0b"])
def test_a_place_that_no_file_can_have_is_told(tmp_path: Path, place: str) -> None:
    """`verify` tells of it, and a teardown finds nothing there."""
    path = tmp_path / place
    seen = SimpleNamespace(settings=good(configFile=str(path)), stack="dev")
    found = mailbox_checks.config_file(cast(Any, seen))
    assert found.outcome is Outcome.FAIL
    assert "cannot be read" in found.detail
    assert "`pulumi config set configFile PATH --plaintext --stack dev`" in found.next_step
    assert whole_file.scratches(path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe has no place among its files")
def test_what_is_no_file_at_all_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="is no Proself config file"):
        proself_file.write(tmp_path / "pipe", config(), ELSEWHERE)


def test_a_file_in_a_stacks_former_place_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new name or `configFile` leaves it where it is, with a secret that lives."""
    monkeypatch.setattr(mailbox_checks, "CHECKOUT", tmp_path)
    outputs = SimpleNamespace(client_id=CLIENT, newest=SECRET)
    seen: Any = SimpleNamespace(stack="new", settings=good(), outputs=outputs)
    for stack, text in (
        ("new", config().to_toml()),
        ("other", config(stackId=str(uuid4())).to_toml()),
        ("strange", "[mail_server]"),
    ):
        (tmp_path / "out" / stack).mkdir(parents=True)
        private_file.write(tmp_path / "out" / stack / "proself.toml", text, "elsewhere")
    assert mailbox_checks.config_file(cast(Evidence, seen)).outcome is Outcome.OK
    for place in ("none", str(tmp_path / "elsewhere.toml")):
        seen.settings = good(configFile=place)
        found = mailbox_checks.config_file(cast(Evidence, seen))
        assert found.detail.startswith(f"{Path('out/new/proself.toml')} has a client secret")
        assert "or its `configFile` changed" in found.detail
    (tmp_path / "out" / "new").rename(tmp_path / "out" / "old")
    for settings in (good(), good(configFile="none")):
        seen.settings = settings
        found = mailbox_checks.config_file(cast(Evidence, seen))
        assert found.outcome is Outcome.FAIL
        assert found.detail.startswith(f"{Path('out/old/proself.toml')} has a client secret")
        assert found.next_step == "delete it"
