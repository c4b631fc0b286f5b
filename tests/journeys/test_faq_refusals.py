"""What goes wrong on the FAQ's way, and what `explain` makes of the words on the screen.

All in one tenant and at one Proself, which each test leaves as it needs it: each sets what it is
about, and `test_what_ends_by_itself` must stay the last one.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from proself_mail.diagnosis import explain
from proself_mail.diagnosis.sign_in_address import Expected
from proself_mail.proself import proself_file
from proself_mail.stack.stack import Stack
from tests.browser import enter
from tests.journey import Journey
from tests.proself_screens import Enter, ProselfScreens
from tests.tenant import Tenant

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

OTHER = ("other@contoso.example", "0ther-Pa55-w0rd")
BLOCKED = ("blocked@contoso.example", "B1ocked-Pa55-w0rd")
UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"
GRAPH = "00000003-0000-0000-c000-000000000000"
SCOPE = "https://outlook.office.com/Mail.Send offline_access"


@dataclass(frozen=True)
class Faq:
    """A stack whose values are in Proself, with somebody at its screens."""

    tenant: Tenant
    expected: Expected
    values: Mapping[str, str]
    screens: ProselfScreens
    graph: httpx.Client

    @property
    def user(self) -> tuple[str, str]:
        return self.tenant.ready["mailbox"], self.tenant.ready["mailbox_password"]

    def entering(self, **others: str) -> Enter:
        """Enter the config file's values, with others in the place of some."""

        def fill(field: "Locator", name: str) -> None:
            field.fill(others.get(name.partition(".")[2], self.values[name]))

        return fill

    def explained(self, text: str) -> str:
        """Return the key of the diagnosis of a text, as the screen had it."""
        explanation = explain.explain(text, self.expected)
        assert explanation.diagnoses, text
        first = explanation.diagnoses[0]
        assert first.cause.ja
        assert first.fix.ja
        return first.key


@pytest.fixture(scope="module")
def faq(
    tenant: Tenant, browser: "Browser", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faq]:
    """Bring everything up, enter it, sign in: all that follows is about one thing gone wrong."""
    journey = Journey(tenant, tmp_path_factory.mktemp("faq"))
    journey.make_stack(
        "dev", server=tenant.ready["proself_server"], mailbox=tenant.ready["mailbox"]
    )
    done = journey.up("dev")
    assert done.returncode == 0, done.stdout
    tenant.seed(
        users=[
            {"user_principal_name": OTHER[0], "password": OTHER[1]},
            {"user_principal_name": BLOCKED[0], "password": BLOCKED[1], "enabled": False},
        ]
    )
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        for name, value in journey.environment.items():
            patch.setenv(name, value)
        made = Stack("dev", journey.folder)
        # Playwright has a loop of its own in this thread.
        settings = thread.submit(made.settings).result()
        outputs = thread.submit(made.outputs).result()
    config = proself_file.read(journey.config_file, "dev").model_dump()
    values = {
        f"{screen}.{name}": str(value)
        for screen, fields in config.items()
        if isinstance(fields, dict)
        for name, value in fields.items()
    }
    visitor = enter(browser, embedded=True, width=600, height=500)  # less to paint
    screens = ProselfScreens(visitor.page(tenant.ready["proself_url"]))
    with tenant.http(tenant.token()) as graph:
        made_faq = Faq(
            tenant, explain.expected_of("dev", settings, outputs), values, screens, graph
        )
        start(made_faq)
        yield made_faq
    visitor.context.close()


def start(faq: Faq) -> None:
    """Let Proself be as the FAQ leaves it."""
    faq.screens.set_this_server(faq.entering())
    faq.screens.set_mail_server(faq.entering())
    faq.screens.sign_in(*faq.user)
    assert faq.screens.notice() == "認証に成功し、トークンを取得しました。"
    faq.screens.set_senders(faq.entering())


@pytest.fixture
def switch(faq: Faq) -> Iterator[Callable[..., None]]:
    """Give a way to switch Exchange; all is as at the start afterwards."""
    begun = faq.tenant.admin("GET", "/smtp").json()["tenants"][faq.tenant.tenant_id]
    yield faq.tenant.smtp
    mailbox = {"address": faq.user[0], "smtp_auth_disabled": None, "full": False, "blocked": False,
               "exists": True}  # fmt: skip
    back = {name: value for name, value in begun.items() if name != "mailboxes"}
    faq.tenant.smtp(**back, mailboxes=[mailbox], scripts=[])


@pytest.mark.parametrize(
    ("switches", "key"),
    [
        ({"mailbox": {"smtp_auth_disabled": True}}, "smtp-auth-disabled-for-mailbox"),
        ({"smtp_auth_disabled": True}, "smtp-auth-disabled-for-tenant"),
        ({"security_defaults": True}, "security-defaults"),
        ({"conditional_access": True}, "conditional-access"),
        ({"accepted_scopes": ["SMTP.Send"]}, "authentication-unsuccessful"),
        ({"mailbox": {"exists": False}}, "authentication-unsuccessful"),
        ({"connections_per_mailbox": 0}, "too-many-connections"),
        ({"recipients_per_day": 0}, "recipient-limit"),
        ({"mailbox": {"full": True}}, "mailbox-full"),
        ({"mailbox": {"blocked": True}}, "bad-outbound-sender"),
        (
            ("mail", "550 5.7.60 SMTP; Client does not have permissions to send as this sender"),
            "sender-is-not-user",
        ),
        (("rcpt", "451 4.7.500 Server busy"), "server-busy"),
        (
            ("message", "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded."),
            "too-many-threads",
        ),
        (
            ("auth", "550 5.7.30 Basic authentication is not supported for Client Submission."),
            "basic-authentication-removed",
        ),
        (
            ("auth", "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."),
            "password-instead-of-token",
        ),
        (("auth", "550 5.9.99 Something that nobody has seen"), "unknown"),
    ],
)
def test_what_exchange_refuses_is_read_from_the_screen_and_explained(
    faq: Faq, switch: Callable[..., None], switches: Any, key: str
) -> None:
    if isinstance(switches, tuple):
        switch(scripts=[{"at": switches[0], "reply": switches[1]}])
    elif "mailbox" in switches:
        switch(mailboxes=[{"address": faq.user[0], **switches["mailbox"]}])
    else:
        switch(**switches)
    before = len(faq.tenant.outbox())
    said = faq.screens.send()
    assert said.startswith("メールを送信できませんでした。")
    assert faq.explained(said) == key
    assert len(faq.tenant.outbox()) == before


def test_what_is_set_wrongly_for_sending_is_explained(faq: Faq) -> None:
    screens = faq.screens
    screens.set_senders(faq.entering(mail_address=OTHER[0]))
    assert faq.explained(screens.send()) == "send-as-denied"
    screens.set_senders(faq.entering())
    screens.open("メール文書設定", "Web公開/受取フォルダ", "Web公開メール送信のデフォルト文書設定")
    screens.page.get_by_label("ユーザーのメールアドレス").check()
    screens.press("設定")
    assert faq.explained(screens.send("Web公開メール")) == "send-as-denied"
    screens.open("メールサーバー情報の設定")
    screens.page.get_by_label("送信時にSMTP認証を行う").uncheck()
    screens.press("設定")
    assert faq.explained(screens.send()) == "not-authenticated"
    screens.open("メールサーバー情報の設定")
    screens.page.get_by_label("送信時にSMTP認証を行う").check()
    screens.page.get_by_label("STARTTLSを使用する").uncheck()
    screens.press("設定")
    screens.sign_in(*faq.user)
    assert faq.explained(screens.send()) == "oauth-not-offered"
    screens.set_mail_server(faq.entering(user_id=OTHER[0]))
    screens.sign_in(*faq.user)
    assert faq.explained(screens.send()) == "authentication-unsuccessful"
    screens.set_mail_server(faq.entering())
    screens.sign_in(*OTHER)
    assert faq.explained(screens.send()) == "authentication-unsuccessful"
    start(faq)
    assert screens.send().startswith("メールを送信しました。")


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"tenant_id": ""}, "tenant-blank-for-single-tenant"),
        ({"tenant_id": UNKNOWN_ID}, "tenant-unknown"),
        ({"client_id": UNKNOWN_ID}, "application-unknown"),
        ({"host_name": "https://proself.example.jp"}, "redirect-uri-mismatch"),
        ({"host_name": "http://{server}"}, "redirect-uri-mismatch"),
        ({"host_name": "https://{server}/"}, "redirect-uri-mismatch"),
    ],
)
def test_what_microsofts_page_refuses_at_once(faq: Faq, values: dict[str, str], key: str) -> None:
    server = faq.tenant.ready["proself_server"]
    wrong = {name: value.format(server=server) for name, value in values.items()}
    faq.screens.set_this_server(faq.entering(**wrong))
    faq.screens.set_mail_server(faq.entering(**wrong))
    faq.screens.begin_sign_in()
    try:
        assert faq.explained(faq.screens.refusal()) == key
        assert faq.explained(faq.screens.page.url) == key, "and by the page's address"
    finally:
        faq.screens.page.goto(faq.tenant.ready["proself_url"])
        faq.screens.set_this_server(faq.entering())


def test_a_user_who_is_blocked(faq: Faq) -> None:
    assert refused_after_the_password(faq, BLOCKED) == "user-disabled"


def test_what_is_typed_wrongly_is_typed_again(faq: Faq) -> None:
    user, password = faq.user
    faq.screens.set_mail_server(faq.entering())
    faq.screens.sign_in("nobody@contoso.example", password)
    assert "does not exist" in faq.screens.refusal()
    faq.screens.type_account(user, "wrong")
    assert "invalid username or password" in faq.screens.refusal()
    faq.screens.type_account(user, password)
    assert faq.screens.notice() == "認証に成功し、トークンを取得しました。"


def test_a_cancelled_sign_in(faq: Faq) -> None:
    faq.screens.set_mail_server(faq.entering())
    faq.screens.begin_sign_in()
    faq.screens.press("別のアカウントを使用する")
    faq.screens.press("キャンセル")
    assert faq.explained(faq.screens.notice()) == "sign-in-cancelled"


def test_a_user_who_is_not_assigned(faq: Faq) -> None:
    principal = principal_of(faq, faq.values["mail_server.client_id"])
    url = f"/v1.0/servicePrincipals/{principal['id']}"
    faq.graph.patch(url, json={"appRoleAssignmentRequired": True}).raise_for_status()
    try:
        assert refused_after_the_password(faq) == "user-not-assigned"
    finally:
        faq.graph.patch(url, json={"appRoleAssignmentRequired": False}).raise_for_status()


def test_what_nobody_consented_to(faq: Faq) -> None:
    [grant] = grants_of(faq)
    faq.graph.delete(f"/v1.0/oauth2PermissionGrants/{grant['id']}").raise_for_status()
    try:
        assert refused_after_the_password(faq) == "consent-missing"
    finally:
        kept = {key: grant[key] for key in ("clientId", "consentType", "resourceId", "scope")}
        faq.graph.post("/v1.0/oauth2PermissionGrants", json=kept).raise_for_status()


@pytest.mark.parametrize(
    ("scope", "key", "address"),
    [
        (
            "https://outlook.office.com/SMTP.Send offline_access",
            "consent-missing",
            "permission-not-in-stack",
        ),
        (
            "https://graph.microsoft.com/Mail.Send offline_access",
            "consent-missing",
            "scope-of-another-resource",
        ),
    ],
)
def test_another_scope_than_was_consented_to_is_seen_in_the_address(
    faq: Faq, scope: str, key: str, address: str
) -> None:
    faq.tenant.admin("POST", "/proself", {"scope": scope})
    try:
        faq.screens.set_mail_server(faq.entering())
        faq.screens.begin_sign_in()
        assert faq.explained(faq.screens.page.url) == address
        faq.screens.page.goto(faq.tenant.ready["proself_url"])
        assert refused_after_the_password(faq) == key
    finally:
        faq.tenant.admin("POST", "/proself", {"scope": SCOPE})


def test_a_token_of_another_audience_is_refused_by_exchange(faq: Faq) -> None:
    [grant] = grants_of(faq)
    other = {key: grant[key] for key in ("clientId", "consentType", "scope")}
    other |= {"resourceId": principal_of(faq, GRAPH)["id"]}
    made = faq.graph.post("/v1.0/oauth2PermissionGrants", json=other).raise_for_status().json()
    scope = "https://graph.microsoft.com/Mail.Send offline_access"
    faq.tenant.admin("POST", "/proself", {"scope": scope})
    try:
        faq.screens.set_mail_server(faq.entering())
        faq.screens.sign_in(*faq.user)
        assert faq.explained(faq.screens.send()) == "authentication-unsuccessful"
    finally:
        faq.graph.delete(f"/v1.0/oauth2PermissionGrants/{made['id']}").raise_for_status()
        faq.tenant.admin("POST", "/proself", {"scope": SCOPE})


def test_a_permission_that_exchange_does_not_have(faq: Faq) -> None:
    faq.tenant.admin("POST", "/proself", {"scope": "https://outlook.office.com/Mail.Sent"})
    try:
        faq.screens.set_mail_server(faq.entering())
        faq.screens.sign_in(*faq.user)
        assert faq.explained(faq.screens.notice()) == "permission-not-offered"
    finally:
        faq.tenant.admin("POST", "/proself", {"scope": SCOPE})


@pytest.mark.parametrize("secret", ["the key ID", "cut short"])
def test_a_secret_that_is_none(faq: Faq, secret: str) -> None:
    wrong = {
        "the key ID": faq.values["mail_server.client_secret_key_id"],
        "cut short": faq.values["mail_server.client_secret"][:-1],
    }[secret]
    faq.screens.set_mail_server(faq.entering(client_secret=wrong))
    faq.screens.sign_in(*faq.user)
    assert faq.explained(faq.screens.notice()) == "secret-wrong"


def test_an_application_that_is_disabled(faq: Faq) -> None:
    principal = principal_of(faq, faq.values["mail_server.client_id"])
    url = f"/v1.0/servicePrincipals/{principal['id']}"
    faq.graph.patch(url, json={"accountEnabled": False}).raise_for_status()
    try:
        faq.screens.set_mail_server(faq.entering())
        faq.screens.sign_in(*faq.user)
        assert faq.explained(faq.screens.notice()) == "application-disabled"
    finally:
        faq.graph.patch(url, json={"accountEnabled": True}).raise_for_status()


def test_what_ends_by_itself(faq: Faq) -> None:
    """Last, for it moves the tenant's clock: a refresh token, and then the secret."""
    start(faq)
    faq.tenant.advance(91 * 24 * 3600)
    assert faq.explained(faq.screens.send()) == "refresh-token-ended"
    faq.tenant.advance(90 * 24 * 3600)
    faq.screens.set_mail_server(faq.entering())
    faq.screens.sign_in(*faq.user)
    assert faq.explained(faq.screens.notice()) == "secret-expired"


def refused_after_the_password(faq: Faq, user: tuple[str, str] | None = None) -> str:
    """Sign in, and be refused on Microsoft's page and then, in the same words, on Proself's."""
    faq.screens.set_mail_server(faq.entering())
    faq.screens.sign_in(*user or faq.user)
    read = faq.screens.refusal()
    faq.screens.press("アプリに戻る")
    assert read in faq.screens.notice()
    key = faq.explained(read)
    assert faq.explained(faq.screens.notice()) == key
    return key


def principal_of(faq: Faq, app_id: str) -> dict[str, Any]:
    found = faq.graph.get("/v1.0/servicePrincipals", params={"$filter": f"appId eq '{app_id}'"})
    [principal] = found.json()["value"]
    return dict(principal)


def grants_of(faq: Faq) -> list[dict[str, Any]]:
    """List what was consented to for the stack's application."""
    principal = principal_of(faq, faq.values["mail_server.client_id"])
    found = faq.graph.get(
        "/v1.0/oauth2PermissionGrants", params={"$filter": f"clientId eq '{principal['id']}'"}
    )
    return list(found.json()["value"])
