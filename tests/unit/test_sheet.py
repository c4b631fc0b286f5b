"""What stands on a setup sheet, and what a file of it may hold and where it may lie."""

import base64
import hashlib
import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from proself_mail.errors import CheckFailed, ConfigurationError, Refused
from proself_mail.sheet import sheet_file, sheet_page
from proself_mail.sheet.sheet import Kind, Sheet
from proself_mail.sheet.sheet_page import served, written
from proself_mail.stack.project import CHECKOUT
from tests.sheets import CLIENT, NOW, STACK, VALUE, client_secret, sheet_of
from tests.unit.test_settings import OTHER_TENANT, TENANT

FAQ = [
    "このサーバー情報の設定", "ホスト名(FQDN)", "https://proself.example.jp",
    "メールサーバー情報の設定", "SMTPサーバー", "smtp.office365.com", "ポート", "587",
    "STARTTLSを使用する", "送信時にSMTP認証を行う", "認証方式", "OAuth", "ユーザーID",
    "proself@example.jp", "テナントID", TENANT, "クライアントID", CLIENT, "シークレット",
    "「設定」をクリック", "「Sign in with Microsoft」", "トークンを取得した旨のメッセージ",
    "システムメールの設定", "メールアドレス", "proself@example.jp",
    "メール文書設定 → Web公開/受取フォルダ → Web公開メール送信のデフォルト文書設定",
    "Fromのメールアドレス", "システムメールアドレス", "Proself からメールを送信し",
]  # fmt: skip
"""What FAQ 481 goes through in Proself, in its order."""


def html(sheet: Sheet) -> str:
    """Return the page, without what keeps words and their parts together."""
    return plain(written(sheet, None).html)


def plain(text: str) -> str:
    text = text.replace("<wbr>", "")
    for kept in ("part", "word"):
        text = re.sub(rf'<span class="{kept}">(.*?)</span>', r"\1", text)
    return text


def assert_in_order(text: str, parts: list[str]) -> None:
    place = 0
    for part in parts:
        found = text.find(part, place)
        assert found >= 0, f"{part} does not come after {text[max(0, place - 40) : place]}"
        place = found + len(part)


def test_the_faqs_screens_stand_in_their_order_with_their_labels() -> None:
    assert_in_order(html(sheet_of()).partition('id="this_server"')[2], FAQ)


def test_the_mailbox_is_let_in_and_its_user_called_before_the_sign_in() -> None:
    assert_in_order(
        html(sheet_of()),
        [
            "メールボックスのユーザー本人",
            "Connect-ExchangeOnline",
            "Set-CASMailbox -Identity proself@example.jp -SmtpClientAuthenticationDisabled $false",
            "毎回サインインを求められます",
            "「Sign in with Microsoft」をクリック",
            f"proself-mail rotate --acknowledge --stack {STACK}",
            f"out/{STACK}/proself.toml",
        ],
    )


def test_a_mailbox_with_odd_letters_is_one_word_to_powershell() -> None:
    sheet = sheet_of(mailbox="o'brien&$x@example.jp")
    assert "-Identity 'o''brien&$x@example.jp' -Smtp" in sheet.enable_smtp
    assert "&amp;$x@example.jp" in html(sheet), "and is escaped on the page"


def test_what_is_switched_on_chosen_or_blank_is_not_pasted() -> None:
    kinds = {
        each.key: each.kind
        for screen in sheet_of(audience="multi").screens
        for each in screen.values
    }
    assert {key: kind for key, kind in kinds.items() if kind is not Kind.PASTED} == {
        "mail_server.starttls": Kind.SWITCHED_ON,
        "mail_server.smtp_authentication": Kind.SWITCHED_ON,
        "mail_server.authentication_method": Kind.CHOSEN,
        "mail_server.tenant_id": Kind.BLANK,
        "mail_server.client_secret": Kind.SECRET,
        "web_publication_mail.from_system_mail_address": Kind.SWITCHED_ON,
    }
    page = html(sheet_of(audience="multi"))
    assert "空欄のまま" in page
    assert 'data-copy="mail_server.tenant_id"' not in page


def test_the_secrets_end_stands_large_with_the_days_left() -> None:
    page = html(sheet_of())
    assert re.search(r"2027年9月2\d日", page)
    assert "あと <span data-days>171</span> 日" in page
    assert "<span data-days>171</span> day<span data-plural>s</span> left" in page
    assert client_secret().key_id in page
    assert "ほかにもあります" not in page
    last = html(sheet_of([client_secret(days_left=1)]))
    assert "<span data-days>1</span> day<span data-plural></span> left" in last


def test_of_two_valid_secrets_the_newest_is_pasted() -> None:
    newest = client_secret(2, "k8Q~theNewestSecretValue_0123456789")
    sheet = sheet_of([client_secret(1, days_left=20), newest])
    assert sheet.newest == newest
    assert newest.key_id in html(sheet)
    assert "有効なシークレットがほかにもあります" in html(sheet)
    page = written(sheet, newest.value).html
    assert newest.value.reveal() in page
    assert VALUE not in page
    ended = client_secret(1, days_left=-1)
    assert "ほかにもあります" not in html(sheet_of([ended, newest]))


def test_of_earlier_secrets_the_hour_is_told_too() -> None:
    """Who replaces one in the afternoon of its last day may be too late."""
    earlier = [client_secret(each, days_left=20 * each) for each in (1, 2)]
    page = html(sheet_of([*earlier, client_secret(3)]))
    day, hour = r"2027年\d月\d+日\(.\)", r"\d\d:\d\d UTC(?:[+-]\d\d:\d\d)?"
    assert re.search(rf"\({day} {hour}、{day} {hour} まで\)", page)
    day = r"\d+ (?:April|May) 2027"
    assert re.search(rf"\(until {day}, {hour}, {day}, {hour}\)", page)


def test_a_secret_that_is_due_is_made_first() -> None:
    later = NOW + timedelta(days=151)
    secret = client_secret(now=NOW)
    assert "新しいシークレットを作成する時期" in html(sheet_of([secret], now=later))
    assert "新しいシークレットを作成する時期" not in html(sheet_of())


def test_consent_by_an_administrator_comes_before_the_sign_in() -> None:
    url = f"https://login.microsoftonline.com/{TENANT}/adminconsent?client_id={CLIENT}"
    assert url not in html(sheet_of())
    page = html(sheet_of(consent="by-administrator"))
    assert_in_order(page, ["Set-CASMailbox", "管理者の同意", url, "Sign in with Microsoft"])
    assert "管理者が行います (手順 2)" in page


def test_a_mailbox_elsewhere_needs_the_consent_of_its_tenant() -> None:
    page = html(sheet_of(audience="multi", mailboxTenantId=OTHER_TENANT))
    url = f"https://login.microsoftonline.com/{OTHER_TENANT}/adminconsent?client_id={CLIENT}"
    assert_in_order(page, [OTHER_TENANT, "そのテナントの管理者", url, "Sign in with Microsoft"])


def test_the_record_has_the_faqs_twelve_steps_and_says_that_it_was_not_read_back() -> None:
    record = html(sheet_of()).partition('class="record"')[2]
    assert "現在の状態を読み取ったものではありません" in record
    steps = re.findall(r'<th scope="row">([\d–]+)</th>', record)
    assert steps == ["1", "2", "3", "4–6", "7", "8–9", "10–11", "12"]
    assert_in_order(
        record,
        [TENANT, "Proself mail", f"api://{CLIENT}", "Office 365 Exchange Online", "Mail.Send",
         "同意済み: Mail.Send", "https://proself.example.jp/proself/oauth2callback/smtp",
         client_secret().key_id, CLIENT],
    )  # fmt: skip
    assert f"{CLIENT}、{TENANT}" in record
    assert re.search(r"\S \(シングルテナント\)", record)


def test_one_secret_has_one_end_wherever_it_is_told() -> None:
    """In the head for a person, in the record for those who look it up: by the same calendar."""
    page = html(sheet_of())
    days = re.findall(r"2027年9月\d+日\(.\)", page)
    assert len(days) == 2
    assert len(set(days)) == 1
    [hour] = re.findall(r'class="hour">([^<]+)<', page)
    assert f"、{days[0]} {hour} まで" in page
    assert f" September 2027, {hour}</span>" in page


def test_a_japanese_bracket_has_a_blank_before_it() -> None:
    for sheet in (sheet_of(), sheet_of(consent="by-administrator"), sheet_of(audience="multi")):
        text = re.sub(r"<[^>]+>", "", html(sheet))
        assert re.findall(r"[ぁ-ヿ一-鿿]\((?!FQDN|[月火水木金土日]\))", text) == []


def test_a_secret_that_has_ended_is_not_handed_out() -> None:
    with pytest.raises(CheckFailed, match="ended at 2027-04-09T03:00:00Z") as failed:
        sheet_of([client_secret(days_left=-1)])
    assert f"rotate --stack {STACK}" in failed.value.next_step


def full() -> Sheet:
    secrets = [client_secret(1, days_left=20), client_secret(2)]
    return sheet_of(secrets, audience="multi", mailboxTenantId=OTHER_TENANT)


def test_the_page_is_small_and_complete_in_itself() -> None:
    page = served(full(), "t" * 43)
    assert len(page.html.encode()) < 100_000
    assert VALUE not in page.html
    loaded = re.findall(r'(?:src|href|action)\s*=\s*"([^"]+)"', page.html)
    assert [each for each in loaded if not each.startswith("data:")] == [full().consent_url]
    assert "url(" not in page.html
    assert not re.search(r"<[^>]+\son\w+=", page.html), "no handler in the page"
    assert not re.search(r"<[^>]+\sstyle=", page.html)


@pytest.mark.parametrize("is_served", [True, False])
def test_the_policy_allows_what_is_there_and_nothing_else(is_served: bool) -> None:
    page = served(full(), "t" * 43) if is_served else written(full(), full().newest.value)
    parts = dict(part.strip().split(" ", 1) for part in page.policy.split(";"))
    assert parts["default-src"] == "'none'"
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        [text] = re.findall(rf"<{element}>(.*?)</{element}>", page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert parts[directive] == f"'sha256-{digest}'"
    assert parts.get("connect-src") == ("'self'" if is_served else None)
    in_page = re.findall(r'http-equiv="content-security-policy" content="([^"]+)"', page.html)
    assert [each.replace("&#39;", "'") for each in in_page] == ([] if is_served else [page.policy])


def test_a_refusal_is_a_page_in_both_languages() -> None:
    page = sheet_page.refusal(("見出し", "Heading"), ("<文>", "<text>"))
    assert "&lt;文&gt;" in page.html
    assert "script-src" not in page.policy


def test_a_file_holds_no_secret_and_no_token_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    sheet_file.write(path, sheet_of(), with_secret=False)
    text = path.read_text(encoding="utf-8")
    assert VALUE not in text
    assert "data-token" not in text
    assert f"proself-mail sheet --stack {STACK}" in plain(text)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has an ACL instead of modes")
def test_a_file_with_the_secret_is_private_and_says_when_to_delete_it(tmp_path: Path) -> None:
    path = tmp_path / "made" / "sheet.html"
    earlier = os.umask(0o000)
    try:
        sheet_file.write(path, sheet_of(), with_secret=True)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert VALUE in text
    assert "Proself に入力したら、すぐに削除してください" in text
    assert "Delete it as soon as the values are entered" in text


@pytest.mark.parametrize("with_secret", [True, False])
def test_a_file_that_exists_is_left_as_it_is(tmp_path: Path, with_secret: bool) -> None:
    path = tmp_path / "sheet.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exists already"):
        sheet_file.write(path, sheet_of(), with_secret=with_secret)
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="a limit of POSIX systems")
@pytest.mark.parametrize("with_secret", [True, False])
def test_nothing_is_left_of_a_file_that_finds_no_room(tmp_path: Path, with_secret: bool) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(ConfigurationError, match="File too large"):
            sheet_file.write(tmp_path / "sheet.html", sheet_of(), with_secret=with_secret)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
@pytest.mark.parametrize("with_secret", [True, False])
def test_a_link_is_not_followed_to_a_place_that_nobody_named(
    tmp_path: Path, with_secret: bool
) -> None:
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "nowhere.html")
    with pytest.raises(ConfigurationError, match="exists already"):
        sheet_file.write(link, sheet_of(), with_secret=with_secret)
    assert not (tmp_path / "nowhere.html").exists()


@pytest.mark.parametrize("with_secret", [True, False])
def test_nobody_is_told_to_delete_a_folder(tmp_path: Path, with_secret: bool) -> None:
    for folder in (tmp_path, Path()):
        with pytest.raises(ConfigurationError, match="is a folder") as refused:
            sheet_file.check(folder, STACK, with_secret=with_secret)
        assert refused.value.next_step.endswith(f"such as {folder / 'sheet.html'}.")


@pytest.mark.parametrize("with_secret", [True, False])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, with_secret: bool) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file" / "sheet.html", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError, match=r"cannot be written") as refused:
            sheet_file.write(path, sheet_of(), with_secret=with_secret)
        assert "or give --out another name" in refused.value.next_step
        assert "configFile" not in refused.value.next_step


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has an ACL instead of modes")
def test_no_secret_is_put_where_others_may_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(Refused, match="Others may write"):
        sheet_file.write(tmp_path / "sheet.html", sheet_of(), with_secret=True)
    assert not list(tmp_path.iterdir())


def test_no_secret_is_put_where_git_would_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    tree = tmp_path / "private-copy"
    tree.mkdir()
    sheet_file.check(tree / "sheet.html", STACK, with_secret=True)
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    (tree / ".gitignore").write_text("/out/\n/s.html\n", encoding="utf-8")
    for path in (tree / "sheet.html", tree / "stacks" / "out" / "sheet.html", tree / "s.html"):
        with pytest.raises(Refused, match="git, which would take the file") as refused:
            sheet_file.write(path, sheet_of(), with_secret=True)
        named = f"--out {Path('out', STACK, 'sheet.html')}`"
        assert named in refused.value.next_step
        assert not path.exists()
    sheet_file.write(tree / "sheet.html", sheet_of(), with_secret=False)
    ignored = tree / "out" / STACK / "sheet.html"
    sheet_file.check(ignored, STACK, with_secret=True)
    monkeypatch.setenv("PATH", str(tmp_path))  # without git nothing tells
    with pytest.raises(Refused, match=r"does not tell whether .*git does not start"):
        sheet_file.check(ignored, STACK, with_secret=True)


def test_no_secret_is_put_into_a_folder_that_is_copied_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "OneDrive - Contoso" / "sheet.html"
    path.parent.mkdir()
    with pytest.raises(Refused, match="OneDrive copies to other machines") as refused:
        sheet_file.write(path, sheet_of(), with_secret=True)
    assert "without --out" in refused.value.next_step
    assert not path.exists()
    sheet_file.write(path, sheet_of(), with_secret=False)
