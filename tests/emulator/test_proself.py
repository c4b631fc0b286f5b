"""The model of Proself: the FAQ's screens and labels, its sign-in, its mail; and what it hides."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.browser import Visit
from tests.emulator.mail_app import MailApp
from tests.proself_screens import ProselfScreens
from tests.tenant import Tenant

OTHER_SERVER = "other.localhost"


@pytest.fixture(scope="module")
def running_tenant() -> Iterator[Tenant]:
    names = ("proself.localhost", OTHER_SERVER)
    with Tenant("--tenant", "contoso", "fabrikam", "--proself-hostname", *names) as tenant:
        yield tenant


@pytest.fixture
def app(tenant: Tenant, graph: httpx.Client) -> MailApp:
    """The application that Proself signs in with."""
    callback = f"https://{tenant.ready['proself_server']}/proself/oauth2callback/smtp"
    return MailApp(tenant, graph, web={"redirectUris": [callback]})


class Client:
    """Posts forms to a Proself server, without a browser and its names."""

    def __init__(self, tenant: Tenant, http: httpx.Client, name: str = "proself.localhost") -> None:
        port = tenant.ready["proself_server"].partition(":")[2]
        self.http = http
        self._headers = {"host": f"{name}:{port}"}
        self._origin = f"https://127.0.0.1:{port}"

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **form: str
    ) -> httpx.Response:
        return self.http.request(
            method,
            f"{self._origin}{path}",
            headers=self._headers | dict(headers or {}),
            data=form or None,
            # A client by this name checks the certificate for it; `httpx` needs no resolver so.
            extensions={"sni_hostname": "proself.localhost"},
        )


@pytest.fixture
def client(tenant: Tenant) -> Iterator[Client]:
    with httpx.Client(verify=tenant.ssl_context, trust_env=False) as http:
        yield Client(tenant, http)


def values(tenant: Tenant, app: MailApp) -> dict[str, str]:
    return {
        "this_server.host_name": f"https://{tenant.ready['proself_server']}",
        "mail_server.smtp_server": "smtp.office365.com",
        "mail_server.port": "587",
        "mail_server.user_id": tenant.ready["mailbox"],
        "mail_server.tenant_id": tenant.tenant_id,
        "mail_server.client_id": app.client_id,
        "mail_server.client_secret": app.secret,
        "system_mail.mail_address": tenant.ready["mailbox"],
    }


def set_up(client: Client, tenant: Tenant, app: MailApp, **others: str) -> None:
    """Set everything by forms, as far as the dialog."""
    known = values(tenant, app)
    client("POST", "/proself/admin/server", host_name=known["this_server.host_name"])
    client("POST", "/proself/admin/system-mail", mail_address=tenant.ready["mailbox"])
    form = {name.partition(".")[2]: value for name, value in known.items() if "mail_server" in name}
    form |= {"starttls": "on", "smtp_authentication": "on", "authentication_method": "OAuth"}
    assert (
        "Sign in with Microsoft"
        in client("POST", "/proself/admin/mail-server", None, **form | others).text
    )


def sign_in(client: Client, tenant: Tenant) -> str:
    """Sign the mailbox's user in and return what the screen says then."""
    begun = client("POST", "/proself/admin/mail-server/sign-in")
    assert begun.status_code == 303
    ready = tenant.ready
    with tenant.http() as http:
        form = {"login": ready["mailbox"], "passwd": ready["mailbox_password"]}
        back = http.post(begun.headers["location"], data=form)
    assert back.status_code == 302, back.text
    address = httpx.URL(back.headers["location"])
    answered = client("GET", address.raw_path.decode())
    assert answered.status_code == 303
    assert "code=" not in answered.headers["location"]
    client("GET", answered.headers["location"])
    return said(tenant)


def shown(tenant: Tenant) -> dict[str, Any]:
    found: dict[str, Any] = tenant.admin("GET", "/proself").json()["proself.localhost"]
    return found


def said(tenant: Tenant) -> str:
    return str(shown(tenant)["shown"])


def send(client: Client, tenant: Tenant, kind: str = "system") -> str:
    client("POST", "/proself/admin/test-mail", kind=kind, recipient="someone@example.org")
    return said(tenant)


_BROKEN = """() => {
  const broken = []
  for (const each of document.querySelectorAll("h1, .trail")) {
    for (const word of (each.firstChild?.data ?? "").matchAll(/[ァ-ヶー]+/g)) {
      const range = document.createRange()
      range.setStart(each.firstChild, word.index)
      range.setEnd(each.firstChild, word.index + word[0].length)
      const lines = new Set([...range.getClientRects()].map(one => Math.round(one.top)))
      if (lines.size > 1) broken.push(word[0])
    }
  }
  return broken
}"""
"""Words of katakana in a screen's name, or its way, that are broken over two lines."""


def test_the_screens_of_the_faq_lead_to_a_mail(tenant: Tenant, app: MailApp, visit: Visit) -> None:
    visitor = visit(embedded=True)
    proself = ProselfScreens(visitor.page(tenant.ready["proself_url"]))
    known = values(tenant, app)
    proself.set_this_server(lambda field, name: field.fill(known[name]))
    proself.set_mail_server(lambda field, name: field.fill(known[name]))
    proself.sign_in(tenant.ready["mailbox"], tenant.ready["mailbox_password"])
    assert proself.notice() == "認証に成功し、トークンを取得しました。"
    assert "code=" not in proself.page.url
    proself.set_senders(lambda field, name: field.fill(known[name]))
    assert proself.send().startswith("メールを送信しました。\n250 2.0.0 OK <")
    [mail] = tenant.outbox()
    assert mail["from"] == mail["envelope_from"] == tenant.ready["mailbox"]
    proself.page.set_viewport_size({"width": 360, "height": 800})
    too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    for path in ("", "server", "mail-server", "mail-texts/web/default", "test-mail"):
        proself.page.goto(f"{tenant.ready['proself_url']}admin/{path}")
        assert proself.page.evaluate(too_wide) is False, path
        assert proself.page.evaluate(_BROKEN) == [], path
    assert visitor.complaints == []


def test_no_page_and_no_history_shows_a_secret(
    tenant: Tenant, app: MailApp, client: Client
) -> None:
    set_up(client, tenant, app)
    assert sign_in(client, tenant) == "認証に成功し、トークンを取得しました。"
    secrets = tenant.secrets()
    asked = [one for one in tenant.history() if one["path"].endswith("/oauth2/v2.0/token")]
    assert asked[-1]["client"] == app.client_id
    assert app.secret in secrets
    assert sum(len(one) > 500 for one in secrets) >= 1, "the access token is among them"
    pages = client("GET", "/proself/admin/mail-server").text
    everything = pages + str(tenant.history()) + str(tenant.admin("GET", "/proself").json())
    assert [one for one in secrets if one in everything] == []
    assert "/proself/admin/mail-server" in {one["path"] for one in tenant.history()}


def test_a_token_that_has_run_out_is_refreshed(
    tenant: Tenant, app: MailApp, client: Client
) -> None:
    set_up(client, tenant, app)
    sign_in(client, tenant)
    tenant.advance(4000)
    since = tenant.history()[-1]["n"]
    assert send(client, tenant).startswith("メールを送信しました。")
    [refreshed] = [one for one in tenant.history(since) if one["path"].endswith("/token")]
    assert refreshed["request"]["grant_type"] == "refresh_token"
    tenant.advance(91 * 24 * 3600)
    assert "AADSTS700082" in send(client, tenant)


def test_from_is_the_users_own_where_web_mail_is_set_so(
    tenant: Tenant, app: MailApp, client: Client
) -> None:
    set_up(client, tenant, app)
    sign_in(client, tenant)
    assert "554 5.2.252 SendAsDenied" in send(client, tenant, "web")
    client("POST", "/proself/admin/mail-texts/web/default", from_address="system")
    assert send(client, tenant, "web").startswith("メールを送信しました。")


@pytest.mark.parametrize("blank", ["common", "organizations"])
def test_where_a_blank_tenant_leads_and_what_is_asked_for_are_habits(
    tenant: Tenant, app: MailApp, client: Client, blank: str
) -> None:
    scope = "https://outlook.office365.com/SMTP.Send"
    tenant.admin("POST", "/proself", {"scope": scope, "blank_tenant": blank})
    set_up(client, tenant, app, tenant_id="")
    address = httpx.URL(client("POST", "/proself/admin/mail-server/sign-in").headers["location"])
    assert address.path == f"/{blank}/oauth2/v2.0/authorize"
    assert address.params["scope"] == scope
    assert set(address.params) == {"client_id", "response_type", "redirect_uri", "scope", "state"}
    tenant.reset()
    assert shown(tenant)["habits"]["blank_tenant"] == "common"
    assert shown(tenant)["values"]["client_id"] == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"authentication_method": ""}, "「認証方式」を入力してください。"),
        ({"client_secret": ""}, "「シークレット」を入力してください。"),
        ({"smtp_server": ""}, "「SMTPサーバー」を入力してください。"),
        ({"port": "x"}, "「ポート」には 1 から 65535 までの数値を入力してください。"),
        ({"port": "65536"}, "「ポート」には 1 から 65535 までの数値を入力してください。"),
    ],
)
def test_a_form_that_lacks_something_keeps_what_was_typed_and_sets_nothing(
    tenant: Tenant, client: Client, changes: dict[str, str], said: str
) -> None:
    form = {
        "smtp_server": "smtp.office365.com", "port": "587", "smtp_authentication": "on",
        "authentication_method": "OAuth", "user_id": "typed@contoso.example", "client_id": "c",
        "client_secret": "s",
    }  # fmt: skip
    page = client("POST", "/proself/admin/mail-server", None, **form | changes).text
    assert said in page
    assert "typed@contoso.example" in page
    assert "Sign in with Microsoft" not in page
    assert shown(tenant)["values"]["user_id"] == ""


def test_an_answer_to_no_sign_in_of_its_own_changes_nothing(tenant: Tenant, client: Client) -> None:
    client("GET", "/proself/oauth2callback/smtp?code=x&state=foreign")
    assert "このサーバーが始めたサインインの応答ではありません。" in said(tenant)
    assert shown(tenant)["token_ends"] is None
    assert [one for one in tenant.history() if one["path"].endswith("/token")] == []


@pytest.mark.parametrize(
    ("server", "port", "why"),
    [
        ("smtp.example.org", "587", "この模型から届くのは"),
        ("smtp.office365.com", "25", "この模型から届くのは"),
        ("127.0.0.1", "1", "SMTPサーバーと通信できません"),
    ],
)
def test_a_server_that_is_not_there(
    tenant: Tenant, client: Client, server: str, port: str, why: str
) -> None:
    client("POST", "/proself/admin/system-mail", mail_address="a@contoso.example")
    client("POST", "/proself/admin/mail-server", smtp_server=server, port=port)
    assert why in send(client, tenant)


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("user_id", "proself＠contoso.example", "「ユーザーID」に、SMTPで送れない文字"),
        ("mail_address", "ｐｒｏｓｅｌｆ@contoso.example", "「差出人のメールアドレス」に、SMTPで"),
        ("mail_address", "proself@", "メールを送信できませんでした。\n5"),
        ("recipient", "someone@example.org　", "「宛先」に、SMTPで送れない文字"),
        ("recipient", "someone@[", "メールを送信できません"),
        ("smtp_server", "ｓｍｔｐ．ｏｆｆｉｃｅ３６５．ｃｏｍ", "この模型から届くのは"),
        ("smtp_server", "メール..localhost", "SMTPサーバーと通信できません"),
        ("port", "５８７", "「ポート」には 1 から 65535 までの数値を入力してください。"),
        ("tenant_id", "１１１１", "AADSTS90002"),
        ("client_id", "ｃｌｉｅｎｔ", "AADSTS700016"),
        ("client_secret", "シークレット", "AADSTS7000215"),
        ("host_name", "ｈｔｔｐｓ：／／ｐｒｏｓｅｌｆ", "AADSTS50011"),
    ],
)
def test_what_is_typed_full_width_or_wrong_is_refused_and_breaks_nothing(
    tenant: Tenant, app: MailApp, client: Client, field: str, typed: str, told: str
) -> None:
    """Whatever is typed, each page answers, and what is wrong is said by it or by the sign-in."""
    known = values(tenant, app)
    form = {name.partition(".")[2]: value for name, value in known.items()}
    form |= {"starttls": "on", "smtp_authentication": "on", "authentication_method": "OAuth"}
    form |= {field: typed}
    replies = [
        client("POST", f"/proself/admin/{path}", None, **form)
        for path in ("server", "system-mail", "mail-server")
    ]
    replies.append(client("POST", "/proself/admin/mail-server/sign-in"))
    with tenant.http() as http:
        signed = {"login": tenant.ready["mailbox"], "passwd": tenant.ready["mailbox_password"]}
        replies.append(http.post(replies[-1].headers["location"], data=signed))
    if "code=" in replies[-1].headers.get("location", ""):
        address = httpx.URL(replies[-1].headers["location"])
        replies.append(client("GET", address.raw_path.decode()))
        replies.append(client("GET", replies[-1].headers["location"]))
    recipient = form.get("recipient", "someone@example.org")
    replies.append(client("POST", "/proself/admin/test-mail", kind="system", recipient=recipient))
    assert max(reply.status_code for reply in replies) < 500
    assert told in " ".join(reply.text for reply in replies)


def test_without_authentication_exchange_takes_no_mail(tenant: Tenant, client: Client) -> None:
    client("POST", "/proself/admin/system-mail", mail_address="a@contoso.example")
    form = {"smtp_server": "smtp.office365.com", "port": "587", "starttls": "on"}
    client("POST", "/proself/admin/mail-server", None, **form)
    assert "530 5.7.57" in send(client, tenant)


def test_a_certificate_that_is_not_to_be_trusted_ends_it_before_the_token(
    tenant: Tenant, app: MailApp, client: Client
) -> None:
    set_up(client, tenant, app)
    sign_in(client, tenant)
    tenant.smtp(certificate="untrusted")
    assert "SMTPサーバーと通信できません" in send(client, tenant)
    assert not any("AUTH" in line for line in tenant.dialogues()[-1] if line.startswith("C:"))


def test_each_name_is_a_server_of_its_own_and_no_other_page_may_post(
    tenant: Tenant, client: Client
) -> None:
    other = Client(tenant, client.http, OTHER_SERVER)
    other("POST", "/proself/admin/server", host_name="https://other.localhost")
    assert shown(tenant)["values"]["host_name"] == ""
    assert tenant.admin("GET", "/proself").json()[OTHER_SERVER]["values"]["host_name"]
    assert (
        Client(tenant, client.http, "third.localhost")("GET", "/proself/admin/").status_code == 404
    )
    foreign = {"sec-fetch-site": "cross-site"}
    assert client("POST", "/proself/admin/server", foreign, host_name="x").status_code == 403
    assert shown(tenant)["values"]["host_name"] == ""
    assert [one.partition(":")[0] for one in tenant.ready["proself_servers"]] == [
        "proself.localhost",
        OTHER_SERVER,
    ]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"blank_tenant": "consumers"}, "must be one of: common, organizations"),
        ({"scope": 1}, "scope must be a string"),
        ({"server": "unknown"}, "server must be one of"),
        ({"tenant_id": "x"}, "tenant_id: no such field"),
    ],
)
def test_habits_that_are_none_are_refused(tenant: Tenant, body: Any, why: str) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        tenant.admin("POST", "/proself", body)
    assert why in refusal.value.response.json()["error"]
