"""Every wrong setting is refused with its cause and the command that mends it."""

import json
import re
import shlex
import sys
import uuid
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.pipeline import settings as pipeline_settings
from proself_mail.config.configuration import (
    PLACEHOLDERS,
    Standing,
    parse,
    permission_not_offered,
)
from proself_mail.config.mending import config_rm, config_set
from proself_mail.config.settings import MAIL_PROOF_REDIRECT_URI, Settings
from proself_mail.errors import ConfigurationError
from proself_mail.schedule import parse_instant

STACK = "contoso.test"
TENANT = "11111111-2222-3333-4444-555555555555"
OTHER_TENANT = "99999999-2222-3333-4444-555555555555"
GOOD = {
    "tenantId": TENANT,
    "target": "embedded",
    "stackId": "0f0e0d0c-2222-3333-4444-555555555555",
    "server": "proself.example.jp",
    "mailbox": "proself@example.jp",
    "secrets": '[{"from": "2027-04-01T00:00:00Z", "everyDays": 150, "overlapDays": 30}]',
    "environment": "test",
    "owners": f'["{TENANT}"]',
}


def secrets(**changes: object) -> str:
    return json.dumps(
        [{"from": "2027-04-01T00:00:00Z", "everyDays": 150, "overlapDays": 30} | changes]
    )


def good(**changes: object) -> Settings:
    return parse(GOOD | changes, STACK)


@pytest.mark.parametrize(
    ("changes", "cause", "mending"),
    [
        ({"server": "https://proself.example.jp"}, "has a scheme", "pulumi config set server"),
        (
            {"server": "https://mail.corp.co.jp/proself/?x=1"},
            "has a scheme",
            "pulumi config set server mail.corp.co.jp --plaintext",
        ),
        ({"server": "proself.example.jp/proself"}, "has a path", "pulumi config set server"),
        ({"server": "proself example jp"}, "not a host name", "pulumi config set server"),
        ({"server": "プロセルフ.example.jp"}, "international", "pulumi config set server"),
        ({"server": "www.XN--eckve3aj.example.jp"}, "international", "pulumi config set server"),
        (
            {"server": "proself．example．ＪＰ"},
            "full-width characters (全角) where half-width ones (半角) belong: ．, Ｊ, Ｐ",
            "pulumi config set server proself.example.jp --plaintext",
        ),
        (
            {"server": "ｈｔｔｐｓ：／／mail。corp.co.jp／proself"},
            "full-width characters",
            "pulumi config set server mail.corp.co.jp --plaintext",
        ),
        ({"server": "192.0.2.1"}, "not a host name", "pulumi config set server"),
        ({"server": "-proself.example.jp"}, "not a host name", "pulumi config set server"),
        ({"server": "proself.example.jp:http"}, "not a port", "pulumi config set server"),
        ({"server": "proself.example.jp:70000"}, "not a port", "pulumi config set server"),
        ({"server": "[::1]"}, "'[::1]' is not a host name", "pulumi config set server HOST_NAME"),
        ({"server": "::1"}, "'::1' is not a host name", "pulumi config set server HOST_NAME"),
        ({"server": ""}, "not a host name", "pulumi config set server"),
        ({"mailbox": "proself"}, "not a mail address", "pulumi config set mailbox"),
        (
            {"mailbox": "info＠corp.co.jp"},
            "belong: ＠",
            "pulumi config set mailbox info@corp.co.jp --plaintext",
        ),
        (
            {"mailbox": "info@corp.co.jp\u3000"},
            "belong: a space (U+3000)",
            "pulumi config set mailbox info@corp.co.jp --plaintext",
        ),
        ({"mailbox": "情報＠corp"}, "belong: ＠", "config set mailbox ADDRESS"),
        ({"mailbox": "a@b@example.jp"}, "not a mail address", "pulumi config set mailbox"),
        ({"mailbox": "a b@example.jp"}, "not a mail address", "pulumi config set mailbox"),
        ({"mailbox": "proself@localhost"}, "not a mail address", "pulumi config set mailbox"),
        ({"audience": "everyone"}, "'single' or 'multi'", "pulumi config set audience AUDIENCE"),
        ({"audience": "Multi"}, "'single' or 'multi'", "pulumi config set audience multi"),
        ({"target": "azure"}, "'cloud' or 'embedded'", "pulumi config set target TARGET"),
        ({"tenantId": "contoso"}, "not a UUID", "pulumi config set tenantId"),
        ({"stackId": "1"}, "not a UUID", "pulumi config set stackId"),
        ({"mailboxTenantId": "fabrikam"}, "'fabrikam', not a UUID", "config set mailboxTenantId"),
        (
            {"proselfTenantId": "contoso"},
            "`proselfTenantId`: 'contoso' is neither blank nor a UUID",
            "pulumi config rm proselfTenantId",
        ),
        ({"environment": "staging"}, "'test' or 'production'", "pulumi config set environment"),
        ({"consent": "yes"}, "'by-administrator'", "pulumi config set consent CONSENT"),
        ({"displayName": " x"}, "one line", "pulumi config set displayName"),
        ({"displayName": "x\u3000"}, "one line", "pulumi config set displayName"),
        ({"displayName": "a\u200bb"}, "invisible", "pulumi config set displayName"),
        ({"displayName": "a\u2028b"}, "one line", "pulumi config set displayName"),
        ({"displayName": "a\nb"}, "one line", "pulumi config set displayName"),
        ({"displayName": ""}, "is empty", "pulumi config set displayName"),
        (
            {"displayName": "a" * 121},
            "has 121 characters, more than 120",
            "pulumi config set displayName",
        ),
        ({"secretDescription": " "}, "one line", "pulumi config set secretDescription"),
        ({"secretDescription": ""}, "is empty", "config set secretDescription"),
        (
            {"secretDescription": "a" * 91},
            "has 91 characters, more than 90",
            "config set secretDescription",
        ),
        ({"secretDescription": "a\nb"}, "one line", "pulumi config set secretDescription"),
        ({"configFile": ""}, "is empty", "pulumi config set configFile"),
        pytest.param(
            {"configFile": "~nobody.here/x"},
            "home folder of nobody",
            "pulumi config set configFile",
            marks=pytest.mark.skipif(
                sys.platform == "win32", reason="it is beside one's own there"
            ),
        ),
        ({"permissions": "[]"}, "empty list", "pulumi config rm permissions"),
        ({"permissions": "Mail.Send"}, "not a list", "pulumi config rm permissions"),
        (
            {"permissions": '["Mail.Send", "Mail.Send"]'},
            "`permissions[1]` names Mail.Send again",
            "pulumi config rm --path 'permissions[1]'",
        ),
        (
            {"permissions": '[null, "SMTP.Send"]'},
            "`permissions[0]` is missing",
            "pulumi config set --path 'permissions[1]' Mail.Send",
        ),
        (
            {"permissions": '["Mail.Send", 1]'},
            "`permissions[1]` is 1, not text",
            "pulumi config rm permissions",
        ),
        (
            {"permissions": '["Mail.Send", "Mail.Send SMTP.Send"]'},
            "'Mail.Send SMTP.Send' is not the name of one permission",
            "pulumi config set --path 'permissions[1]' SMTP.Send",
        ),
        (
            {"permissions": '["SMTP.Send", "User.Read"]'},
            "`permissions` lacks Mail.Send",
            "pulumi config set --path 'permissions[2]' Mail.Send",
        ),
        (
            {"permissions": '["SMTP.Send", "mail.Sennd"]'},
            "`permissions` lacks Mail.Send",
            "pulumi config set --path 'permissions[1]' Mail.Send",
        ),
        ({"secrets": "[]"}, "empty list", "--path 'secrets[0].from'"),
        ({"secrets": "daily"}, "not a list", "--path 'secrets[0].from'"),
        ({"secrets": secrets(**{"from": "2027-04-01"})}, "time zone", "--path 'secrets[0].from'"),
        ({"secrets": secrets(**{"from": "soon"})}, "not an instant", "--path 'secrets[0].from'"),
        (
            {"secrets": secrets(**{"from": "0001-01-01T00:00:00+09:00"})},
            "not an instant",
            "--path 'secrets[0].from'",
        ),
        ({"secrets": secrets(everyDays=0)}, "less than 1", "--path 'secrets[0].everyDays' 150"),
        ({"secrets": secrets(everyDays="x")}, "whole number", "--path 'secrets[0].everyDays' 150"),
        (
            {"secrets": secrets(everyDays=True)},
            "True, not a whole number",
            "--path 'secrets[0].everyDays' 150",
        ),
        (
            {"secrets": secrets(overlapDays=-1)},
            "`secrets[0].overlapDays` is -1, less than 0",
            "--path 'secrets[0].overlapDays' 30",
        ),
        (
            {"secrets": secrets(overlapDays=150)},
            "must be less than everyDays",
            "--path 'secrets[0].overlapDays' 30",
        ),
        (
            {"secrets": secrets(everyDays=720)},
            "more than the 730 days",
            "--path 'secrets[0].everyDays' 700",
        ),
        (
            {"secrets": secrets(every=1)},
            "`secrets[0].every` is not a key",
            "pulumi config rm --path 'secrets[0].every'",
        ),
        (
            {"secrets": json.dumps(json.loads(secrets()) * 2)},
            "in the order of their `from`",
            "--path 'secrets[1].from'",
        ),
        ({"owners": "[]"}, "empty list", "--path 'owners[0]'"),
        ({"owners": '["me"]'}, "`owners[0]` is 'me', not a UUID", "--path 'owners[0]'"),
        (
            {"deleteAfter": "9999-12-31T23:59:59-09:00"},
            "not an instant",
            "pulumi config set deleteAfter",
        ),
        ({"deleteAfter": "tomorrow"}, "not an instant", "pulumi config set deleteAfter"),
        (
            {"environment": "production", "deleteAfter": "2027-04-01T00:00:00Z"},
            "for test stacks",
            "pulumi config rm deleteAfter",
        ),
        (
            {"mailboxTenantId": OTHER_TENANT},
            "needs `audience` multi",
            "pulumi config set audience multi",
        ),
        ({"proselfTenantId": ""}, "AADSTS50194", "pulumi config rm proselfTenantId"),
        ({"proselfTenantId": OTHER_TENANT}, "neither blank", "pulumi config rm proselfTenantId"),
        ({"sever": "x"}, "did you mean `server`?", "pulumi config rm sever"),
    ],
)
def test_it_is_refused(changes: dict[str, object], cause: str, mending: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(GOOD | changes, STACK)
    assert cause in refused.value.cause
    assert mending in refused.value.next_step
    commands = re.findall(r"`(pulumi [^`]*)`", refused.value.next_step)
    assert commands
    assert all(command.endswith(f" --stack {STACK}") for command in commands)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("early", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_entries_begin_in_a_time_that_can_be_reckoned_with(early: str) -> None:
    """At the calendar's ends the instant a day on, or a window's end, is none."""
    entries = [*json.loads(secrets(**{"from": early})), *json.loads(secrets())]
    with pytest.raises(ConfigurationError, match="of the years from 1970 to 2999") as refused:
        parse(GOOD | {"secrets": json.dumps(entries)}, STACK)
    assert "--path 'secrets[0].from'" in refused.value.next_step


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"permissions": "[" * 100_000}, "not a list"),
        ({"permissions": '["\\u0000"]'}, "invisible characters"),
        ({"permissions": json.dumps(["Mail.Send", "x" * 5000, "x" * 5000])}, "names xxx"),
        ({"secrets": secrets(everyDays="9" * 5000, overlapDays="x")}, "not a whole number"),
        ({"secrets": secrets(everyDays="x", overlapDays="9" * 5000)}, "not a whole number"),
        ({"server": "x" * 5000}, "is not a host name"),
        ({"mailbox": "\x1b[31m" + "x" * 5000}, "is not a mail address"),
        ({"configFile": "~" + "x" * 5000}, "home folder of nobody"),
        ({"tenantId": "\u202e" * 5000}, "not a UUID"),
        ({"x\x1b[31m" + "y" * 5000: "1"}, "is not a key"),
        ({"secrets": secrets(revokesEarlier="ye\x1bs")}, "neither true nor false"),
        ({"secrets": secrets(revokesEarlier=None)}, "`secrets[0].revokesEarlier` is missing"),
    ],
)
def test_a_refusal_is_short_and_has_no_control_characters(
    changes: dict[str, object], cause: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(GOOD | changes, STACK)
    assert cause in refused.value.cause
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 2500


NOW = parse_instant("2027-05-01T12:00:00Z")
BORNE = uuid.UUID("6a1f0c2e-90b4-4f3a-8a1e-0c5c6d3f7a10")


def typed(values: dict[str, object], lines: list[str]) -> dict[str, object]:
    """Do what Pulumi does when the lines are typed."""
    changed = {key: _loaded(value) for key, value in values.items()}
    for line in lines:
        _, _, verb, *words = shlex.split(line)
        by_path = words[0] == "--path"
        path = words[1 if by_path else 0]
        keys = [int(k) if k.isdigit() else k for k in re.split(r"\[|\]\.?|\.", path) if k]
        *outer, last = keys if by_path else [path]
        place: Any = changed
        for key, after in pairwise([*outer, last]):
            made: Any = [] if isinstance(after, int) else {}
            if isinstance(place, list) and key == len(place):
                place.append(made)
            elif not isinstance(found := place[key] if key in _keys(place) else None, list | dict):
                assert not isinstance(place, list) or found is None, "no map, says Pulumi"
                place[key] = made
            place = place[key]
            assert isinstance(place, type(made)), "key for a map must be a string, says Pulumi"
        if verb == "rm":
            del place[last]
        elif isinstance(place, list) and last == len(place):
            place.append(words[2])
        else:
            place[last] = words[2 if by_path else 1]
    return changed


def _keys(place: Any) -> Any:
    return range(len(place)) if isinstance(place, list) else place


def _loaded(value: object) -> object:
    return json.loads(str(value)) if str(value).startswith(("[", "{")) else value


def told(values: Mapping[str, object], standing: Standing) -> str:
    with pytest.raises(ConfigurationError) as refused:
        parse(values, STACK, lambda: standing)
    return refused.value.next_step


@pytest.mark.parametrize(
    "changes",
    [
        *({"secrets": each} for each in (None, "[]", "daily", '{"a": 1}', "[5]", "[null]")),
        {"secrets": '[{"from": "2027-04-01T00:00:00Z", "everyDays": 20}]'},
        {"secrets": '[{"from": "2027-04-01T00:00:00Z", "overlapDays": 200}]'},
        {"secrets": secrets(everyDays="x", overlapDays="y")},
        {"secrets": secrets(**{"from": "soon"})},
        {"secrets": json.dumps([None, *json.loads(secrets()), 5, 6])},
        {"mailProofUntil": "tomorrow"},
        {"proselfTenantId": "x"},
        {"proselfTenantId": "x", "audience": "multi"},
        *(
            {"permissions": each}
            for each in ("SMTP.Send", "{}", "[5]", '["Mail.Send", 5]', '[null, 7, "SMTP.Send"]')
        ),
        {"permissions": '["Mail.Send", "SMTP.Send Mail.Send", ""]'},
        {"permissions": "Mail.Send, SMTP.Send"},
        {"stackId": None},
        {"stackId": "1"},
        {"target": "Cloud"},
        {"consent": "administrator"},
        {"permissions": '["SMTP.Send", "SMTP.Send", "User.Read", "SMTP.Send"]'},
        {"permissions": '["SMTP.Send", "mail.send", "SMTP.Send", "mail.send"]'},
        {"secrets": json.dumps(json.loads(secrets()) * 3)},
    ],
    ids=str,
)
def test_the_lines_that_are_told_mend_it_once_typed(changes: dict[str, object]) -> None:
    values = {key: each for key, each in (GOOD | changes).items() if each is not None}
    lines = re.findall(r"`(pulumi [^`]*)`", told(values, Standing(NOW, False, None)))
    mended = parse(typed(values, lines), STACK)
    mended.check_begun(STACK, NOW)
    mended.check_mail_proof(STACK, NOW)


@pytest.mark.parametrize(("key", "placeholder"), [*PLACEHOLDERS.items()])
def test_a_placeholder_that_is_typed_as_it_stands_is_refused(key: str, placeholder: str) -> None:
    values = typed({**GOOD}, [config_set(STACK, key, placeholder)])
    with pytest.raises(ConfigurationError, match=re.escape(placeholder)):
        parse(values, STACK)


@pytest.mark.parametrize("given", [None, "1"])
def test_the_uuid_of_a_stack_that_is_set_up_is_never_a_new_one(given: str | None) -> None:
    values = {key: each for key, each in ({**GOOD, "stackId": given}).items() if each is not None}
    assert f"`{config_set(STACK, 'stackId', str(BORNE))}`" in told(
        values, Standing(NOW, True, BORNE)
    )
    for untold in (Standing(NOW, True, None), Standing(NOW, None, None)):
        assert f"`{config_set(STACK, 'stackId', 'STACK_ID')}`" in told(values, untold)
    fresh = [told(values, Standing(NOW, False, None)) for _ in range(2)]
    assert fresh[0] != fresh[1]


@pytest.mark.parametrize(
    "wrong", [None, "[]", "{}", secrets(everyDays=0), secrets(overlapDays=150)]
)
def test_entries_that_secrets_were_made_by_are_brought_back(wrong: str | None) -> None:
    values = {key: each for key, each in ({**GOOD, "secrets": wrong}).items() if each is not None}
    step = told(values | {"mailbox": "x"}, Standing(NOW, True, BORNE))
    assert re.findall(r"`(pulumi [^`]*)`", step) == [config_set(STACK, "mailbox", "ADDRESS")]
    assert "undo the edit of `secrets`" in step
    stray = json.dumps([*json.loads(secrets()), None, 5])
    step = told(GOOD | {"secrets": stray}, Standing(NOW, True, BORNE))
    gone = [config_rm(STACK, f"secrets[{place}]") for place in (2, 1)]
    assert step == f"`{gone[0]}`, `{gone[1]}`, then try again."
    later = [*json.loads(secrets()), {"everyDays": 150, "overlapDays": 30}]
    step = told(GOOD | {"secrets": json.dumps(later)}, Standing(NOW, True, BORNE))
    assert (
        step == f"`{config_set(STACK, 'secrets[1].from', '2027-05-01T12:00:00Z')}`, then try again."
    )


@pytest.mark.parametrize("lengths", [(150, 150), (30, 30), (20, 25), (1, 1), (720, 30), (364, 700)])
def test_the_next_step_of_wrong_lengths_mends_them(lengths: tuple[int, int]) -> None:
    entry = dict(zip(("everyDays", "overlapDays"), lengths, strict=True))
    with pytest.raises(ConfigurationError) as refused:
        parse(GOOD | {"secrets": secrets(**entry)}, STACK)
    [(key, value)] = re.findall(r"'secrets\[0\]\.(\w+)' (\d+) --plaintext", refused.value.next_step)
    parse(GOOD | {"secrets": secrets(**(entry | {key: int(value)}))}, STACK)


def test_lengths_that_are_both_too_long_are_mended_one_after_the_other() -> None:
    entry = {"everyDays": 1500, "overlapDays": 740}
    for _ in range(2):
        with pytest.raises(ConfigurationError) as refused:
            parse(GOOD | {"secrets": secrets(**entry)}, STACK)
        told = re.findall(r"'secrets\[0\]\.(\w+)' (\d+) --plaintext", refused.value.next_step)
        entry |= {key: int(value) for key, value in told}
    parse(GOOD | {"secrets": secrets(**entry)}, STACK)


def test_the_entry_that_is_out_of_order_is_the_one_that_is_mended() -> None:
    months = ("2027-01-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-03-01T00:00:00Z")
    lengths = {"everyDays": 150, "overlapDays": 30}
    entries: list[dict[str, object]] = [{"from": month, **lengths} for month in months]
    with pytest.raises(ConfigurationError) as refused:
        parse(GOOD | {"secrets": json.dumps(entries)}, STACK)
    [value] = re.findall(r"'secrets\[1\]\.from' (\S+) --plaintext", refused.value.next_step)
    entries[1]["from"] = value
    parse(GOOD | {"secrets": json.dumps(entries)}, STACK)


@pytest.mark.parametrize("key", list(GOOD))
def test_what_is_missing_is_named_with_the_line_that_sets_it(key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse({name: value for name, value in GOOD.items() if name != key}, STACK)
    assert f"`{key}` is missing" in refused.value.cause
    assert "pulumi config set" in refused.value.next_step
    assert key in refused.value.next_step


def test_a_name_may_have_full_width_spaces_in_it() -> None:
    settings = good(displayName="情報システム部　Proself", secretDescription="本番　SMTP")
    assert settings.display_name == "情報システム部　Proself"
    assert settings.secret_description == "本番　SMTP"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(GOOD | {"server": "https://x", "mailbox": "y", "audience": "z"}, STACK)
    assert all(f"`{key}`" in refused.value.cause for key in ("server", "mailbox", "audience"))


def test_all_that_does_not_go_together_is_told_at_once() -> None:
    values: dict[str, object] = {
        **GOOD,
        "environment": "production",
        "deleteAfter": "2027-04-01T00:00:00Z",
        "mailboxTenantId": OTHER_TENANT,
        "permissions": '["SMTP.Send", "SMTP.Send"]',
        "proselfTenantId": "",
        "secrets": json.dumps(json.loads(secrets()) * 2),
    }
    with pytest.raises(ConfigurationError) as refused:
        parse(values, STACK)
    for cause in ("order of their `from`", "lacks Mail.Send", "SMTP.Send again", "for test stacks",
                  "needs `audience` multi", "AADSTS50194"):  # fmt: skip
        assert cause in refused.value.cause
    lines = re.findall(r"`(pulumi [^`]*)`", refused.value.next_step)
    assert parse(typed(values, lines), STACK).permissions == ("SMTP.Send", "Mail.Send")


def test_an_empty_configuration_leads_to_init() -> None:
    with pytest.raises(ConfigurationError, match=f"`proself-mail init --stack {re.escape(STACK)}`"):
        parse({}, STACK)


def test_a_stack_that_begins_later_has_no_secret_yet() -> None:
    with pytest.raises(ConfigurationError, match="still to come"):
        good().check_begun(STACK, parse_instant("2027-03-31T23:59:59Z"))
    good().check_begun(STACK, parse_instant("2027-04-01T00:00:00Z"))


@pytest.mark.parametrize(
    ("server", "host"),
    [
        ("Proself.Example.JP", "proself.example.jp"),
        ("proself.example.jp:443", "proself.example.jp"),
        ("proself.example.jp:8443", "proself.example.jp:8443"),
        ("proself", "proself"),
    ],
)
def test_the_redirect_uri_is_the_faqs(server: str, host: str) -> None:
    assert good(server=server).redirect_uri == f"https://{host}/proself/oauth2callback/smtp"


def test_what_proself_is_told_of_the_tenant() -> None:
    """FAQ 481: blank is fine for a multi-tenant application, never for a single-tenant one."""
    assert good().tenant_id_for_proself == TENANT
    assert good(audience="multi").tenant_id_for_proself == ""
    assert good(audience="multi", proselfTenantId=TENANT).tenant_id_for_proself == TENANT
    elsewhere = good(audience="multi", mailboxTenantId=OTHER_TENANT, proselfTenantId=OTHER_TENANT)
    assert elsewhere.tenant_id_for_proself == OTHER_TENANT


def test_a_grant_is_managed_only_in_the_own_tenant_and_only_if_asked() -> None:
    assert good().manages_grant
    assert not good(consent="by-administrator").manages_grant
    assert not good(audience="multi", mailboxTenantId=OTHER_TENANT).manages_grant


def test_the_config_file_has_a_place_of_its_own() -> None:
    root = Path("/project")
    assert good().config_file_path("dev", root) == root / "out/dev/proself.toml"
    assert good(configFile="/etc/x.toml").config_file_path("dev", root) == Path("/etc/x.toml")
    home = Path("~").expanduser()
    assert good(configFile="~/x.toml").config_file_path("dev", root) == home / "x.toml"
    assert good(configFile="none").config_file_path("dev", root) is None


def test_the_mending_line_can_be_pasted_into_a_shell() -> None:
    assert config_set("a b", "displayName", "Proself mail") == (
        "pulumi config set displayName 'Proself mail' --plaintext --stack 'a b'"
    )
    assert config_set("dev", "owners[0]", "x") == (
        "pulumi config set --path 'owners[0]' x --plaintext --stack dev"
    )
    assert config_rm("dev", "secrets[0].every") == (
        "pulumi config rm --path 'secrets[0].every' --stack dev"
    )


def test_the_mail_proof_opens_a_loopback_redirect_uri_for_a_time() -> None:
    settings = good(mailProofUntil="2027-04-02T00:00:00Z")
    before, after = parse_instant("2027-04-01T23:59:59Z"), parse_instant("2027-04-02T00:00:00Z")
    assert settings.redirect_uris(before) == (settings.redirect_uri, MAIL_PROOF_REDIRECT_URI)
    assert settings.redirect_uris(after) == (settings.redirect_uri,)
    assert good().redirect_uris(before) == (settings.redirect_uri,)
    settings.check_mail_proof(STACK, parse_instant("2027-04-01T00:00:00Z"))
    with pytest.raises(ConfigurationError, match="more than 24 hours ahead") as refused:
        settings.check_mail_proof(STACK, parse_instant("2027-03-31T23:59:59Z"))
    assert "pulumi config set mailProofUntil 2027-04-01T00:59:59Z" in refused.value.next_step


def test_a_mail_proof_without_an_instant_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an instant with a time zone"):
        good(mailProofUntil="tomorrow")


@pytest.mark.parametrize("repository", ["所有者/リポジトリ名", "contoso", "contoso/*", "a/b/c"])
def test_a_pipeline_s_repository_is_one_that_github_can_have(
    monkeypatch: pytest.MonkeyPatch, repository: str
) -> None:
    known = {"tenantId": TENANT, "target": "embedded", "owners": f'["{TENANT}"]'}
    known |= {"environments": '["contoso"]', "repository": repository}
    given = {f"{pipeline_settings.PROJECT}:{key}": value for key, value in known.items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(given))
    with pytest.raises(pulumi.RunError, match=r"`repository`: '.*' is neither GitHub's OWNER/NAME"):
        pipeline_settings.load()


@pytest.mark.parametrize(
    ("permissions", "wrong", "mending"),
    [
        (
            ["Mail.Send", "SMTP.Sennd"],
            "SMTP.Sennd",
            config_set(STACK, "permissions[1]", "SMTP.Send"),
        ),
        (["Mail.Send", "Mail.Sned"], "Mail.Sned", config_rm(STACK, "permissions[1]")),
        (["Mail.Snd", "SMTP.Send", "Mail.Send"], "Mail.Snd", config_rm(STACK, "permissions[0]")),
        (["Mail.Send", "Calendars.Foo"], "Calendars.Foo", config_rm(STACK, "permissions[1]")),
    ],
)
def test_a_mistyped_permission_is_mended_by_the_one_that_was_meant(
    permissions: list[str], wrong: str, mending: str
) -> None:
    """Never by one that would allow more than was asked for."""
    offered = ["Mail.Read", "Mail.ReadWrite", "Mail.Send", "Mail.Send.Shared", "SMTP.Send"]
    assert permission_not_offered(permissions, offered, STACK) == (wrong, mending)
