"""Words of others: no terminal and no pipeline obeys them, and nobody's language suffers."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from proself_mail.check import fail
from proself_mail.text import markdown, report
from proself_mail.text.quotation import (
    LONGEST,
    excerpt,
    harmless,
    in_json,
    one_line,
    quoted,
    uncredentialed,
    uncredentialed_address,
)
from tests.growth import assert_linear

NAME = (
    "x\x1b]0;PWNED\x07\x1b[2J\x9b2J\r\x85\u2028\u202e ##vso[task.setvariable variable=X]1\n"
    "::set-output name=a::b"
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
COMMAND = re.compile(r"##|^\s*::", re.MULTILINE)


@given(st.text(alphabet="#:[v \n\r\t\x1b\u2028\u200b\u200d\u202eあa", max_size=40))
def test_no_text_is_obeyed(text: str) -> None:
    shown = harmless(text)
    assert not CONTROL.search(shown)
    # As a runner compares, for which what is not seen does not count.
    assert not COMMAND.search(re.sub("[\u200b\u200d]", "", shown))
    assert len(one_line(text).splitlines()) <= 1
    assert harmless(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "全角\u3000空白、👨\u200d👩\u200d👧と🇯🇵",
        "Größe – “q” 1:2 a::b #1 [x]",
        "  made  Application app",
    ],
)
def test_all_other_text_stays(text: str) -> None:
    assert one_line(text) == harmless(text) == text
    assert "👨\u200d👩\u200d👧" in quoted(text) or "👩" not in text


def test_json_says_the_same_in_other_letters() -> None:
    document = {"name": f"{NAME}\ud800", "keep": "日本語 👨\u200d👩\u200d👧 # ::"}
    text = in_json(document)
    assert json.loads(text) == document
    assert not CONTROL.search(text)
    assert not COMMAND.search(text)
    assert document["keep"] in text


def test_a_console_obeys_its_own_styles_alone(capsys: pytest.CaptureFixture[str]) -> None:
    report.output().print(Text(NAME), style="bold")
    report.show(report.output(), f"The name is {NAME}.")
    report.show_checks(report.output(), [fail("name", NAME, f"rename {NAME}")])
    shown = capsys.readouterr().out
    assert not CONTROL.search(shown)
    assert not COMMAND.search(shown)
    terminal = report._Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    terminal.print(Text("red", style="bold red"), Text(NAME))
    assert terminal.file.getvalue().startswith("\x1b[1;31mred\x1b[0m x]0;PWNED[2J")  # type: ignore[attr-defined]


def test_a_long_text_is_read_once_and_a_token_is_covered_wherever_it_begins() -> None:
    for text in (
        *("eyJ" * 100_000, "eyJ-" * 50_000, "eyJaaaaaaaa." * 20_000, "code: " * 50_000),
        *("password='" * 20_000, "'password\\\\" * 20_000, "token=;" * 30_000, "x://a:b@" * 20_000),
        *('password="' + "\\" * 50_000, "sig=" + "\\'" * 50_000),
        *("password='a''" * 20_000, "refresh_token (" * 20_000, "password=&quot;%22" * 20_000),
        "_TOKEN " * 30_000,
    ):
        assert_linear(quoted, f"{text}!", f"{text * 4}!")
    assert_linear(uncredentialed_address, "://a:" * 10_000, "://a:" * 40_000)
    assert quoted("Bearer%20eyJhbGciOiJub25l.eyJhIjoxfQ.c2ln") == "Bearer%20••••••••"


FOREIGN = (
    "@org/admins [sign in here](https://evil.example) <img src=https://evil.example/x> ![x](y)"
)


def test_a_page_has_the_words_of_others_as_text() -> None:
    """Mentions and addresses become so where there is no code, whatever is escaped."""
    page = markdown.text(f"its name is '{FOREIGN}'\n# a|b ``` www.evil.example org/x#1 a@b.example")
    assert "\n" not in page
    text = re.sub(r"\\.", "", re.sub(r"(?<!\\)`[^`]*`", "", page))
    assert not re.search(r"@|://|www\.|#|[\[\]<>|*_`]", text)
    for word in ("@org/admins", "www.evil.example", "a@b.example"):
        assert f"`{word}" in page or f"`'{word}" in page


def test_a_page_has_commands_and_addresses_as_code() -> None:
    address = "https://login.microsoftonline.com/t/adminconsent?client_id=c"
    said = f"run `pulumi up --stack contoso_test`, then consent at {address}"
    assert markdown.text(said) == said.replace(address, f"`{address}`")
    assert markdown.text("`a`b@c `x|y` 対処") == "`ab@c` \\`x\\|y\\` 対処"


@pytest.mark.parametrize(
    "address",
    [
        "postgres://u:sekret@db.example:5432/state",
        "postgres://u:se/kret@db.example/state",
        "postgres://u:se@kret@db.example/state?sslmode=require",
        "postgres://u:se'kret@db.example/state",
        "postgres://o'u:se;kret@db.example/state",
        "postgres://u:12345/sekret@db.example:5432/state",
        "http://u:se'kret@proxy.example:8080",
        "postgres://db.example/state?password=se'kret&user=u",
        "postgres://db.example/state?password='sekret'",
        "postgres://db.example/state?password=se;kret",
        r"postgres://db.example/state?password=se\\kret",
        r"postgres://db.example/state?password=\"se kret\"",
        "https://a.blob.core.windows.net/c?%3Fsig=sekret%3D&sv=1",
        "https://a.blob.core.windows.net/c?sv=1&comp=list&sig=sekret%3D",
        r"https://a.blob.core.windows.net/c?sv=1\u0026sig=sekret%3D",
        "https://b.s3.example/k?X-Amz-Security-Token=sekret&X-Amz-Signature=kret&x-id=GetObject",
        "postgres://db.example/state?user=u&password=sekret&sslpassword=kret",
        "host=db.example user=u password=sekret dbname=state",
        "AccountName=a;AccountKey=sekret==;EndpointSuffix=core.windows.net",
    ],
)
def test_what_opens_an_addresss_place_is_covered(address: str) -> None:
    said = f'Get "{address}": dial tcp 127.0.0.1:1: connection refused'
    for shown in (
        uncredentialed(said),
        quoted(said),
        excerpt(said, 0, len(said)),
    ):
        assert "kret" not in shown
        assert shown.endswith('": dial tcp 127.0.0.1:1: connection refused')
        assert ".example" in shown or "core.windows.net" in shown
    in_its_midst = said.index("kret")
    assert "kret" not in excerpt(said, in_its_midst, in_its_midst + 4)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8080/v1.0/users/anna@contoso.test",
        "http://[::1]:8080/v1.0/users/anna@contoso.test",
        "azblob://c?storage_account=a",
        "postgres://u@db.example/state",
        "repo:contoso@12/mail@34:environment:x",
    ],
)
def test_an_address_without_such_a_thing_stays(address: str) -> None:
    assert uncredentialed_address(address) == quoted(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "postgres://u:'q' \"qq@h/d@db.example/state",
        "postgres://u:q\nqq@db.example/state",
        "postgres://u@db.example/state?user=u&password='q' \"qq\\",
        "azblob://c?storage_account=a.example&sig=q qq&x=y",
    ],
)
def test_in_an_address_by_itself_a_password_has_any_characters(address: str) -> None:
    shown = uncredentialed_address(address)
    assert ".example" in shown
    assert "q" not in shown


@pytest.mark.parametrize(
    "said",
    [
        'client_secret = "sekret"',
        "client_secret='sekret'",
        "ARM_CLIENT_SECRET=sekret",
        'export ARM_CLIENT_SECRET="sekret"',
        "ARM_CLIENT_SECRET: sekret",
        "PULUMI_CONFIG_PASSPHRASE=sekret",
        "--client-secret sekret",
        "--password 'a sekret'",
        "refresh_token = sekret",
        "password = 'a sekret'",
        r"'password': 'it\'s sekret'",
        r'{"password":"a\"sekret","to":"x"}',
        r"{\"password\":\"a\\\"sekret\",\"to\":\"x\"}",
        "password=a;sekret;Server=x",
        "$env:PULUMI_CONFIG_PASSPHRASE = 'a sekret'",
        "ARM_OIDC_TOKEN: sekret",
        "AccountKey: sekret==",
        'AccountKey = "sekret"',
        '{"sasToken": "sekret"}',
        "refresh_token%22%3A%22sekret%22",
        "client_secret=&quot;a sekret&quot;",
        "client_secret&quot;: &quot;sekret&quot;",
        "password='it''s sekret'",
        'password="a ""sekret"""',
        r"password='it'\''s sekret'",
        "password='ab'sekret",
        f"refresh_token 0.AXo1-{'x' * 8}sekret",
        f"client_secret\t0.AXo1-{'x' * 8}sekret",
        f"access-token\n0.AXo1-{'x' * 8}sekret",
        f"refresh_token (0.AXo1-{'x' * 8}sekret)",
        f"'client_secret' '0.AXo1-{'x' * 8}sekret'",
        f"made abc8Q~sekret{'x' * 25}",
    ],
)
def test_what_is_named_a_secret_is_covered_however_it_is_written(said: str) -> None:
    for shown in (quoted(f"refused: {said} was sent"), excerpt(f"{said} was sent", 0, LONGEST)):
        assert "sekret" not in shown
        assert shown.endswith(" was sent")


@pytest.mark.parametrize(
    "said",
    [
        "must contain the following parameter: 'client_assertion' or 'client_secret'.",
        '{"error":"invalid_token","error_description":"expired"}',
        "invalid_token: expired",
        '{"error":{"code":"Authorization_RequestDenied"}}',
        "blob (code=NotFound): no such blob",
        "client_secret='' password=\"\" sent",
        "the client_secret is missing, the refresh_token has expired (AADSTS700082: after 90 days)",
        "refresh_token AADSTS70008234: expired",
        "access_token authentication_method_not_supported",
        "credential: DefaultAzureCredential failed; signature: mismatch; token: expired",
        "ERROR_INVALID_TOKEN: expired",
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
    ],
)
def test_what_only_speaks_of_secrets_stays(said: str) -> None:
    assert quoted(said) == said
