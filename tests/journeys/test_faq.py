"""The whole FAQ by machine: from `up` over the sheet and Proself's screens to the mail."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import Visit, Visitor
from tests.journey import Journey
from tests.proself_screens import Enter, ProselfScreens
from tests.tenant import Tenant

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant("--tenant", "contoso", "fabrikam") as running:
        yield running


@pytest.fixture
def journey(tenant: Tenant, tmp_path: Path) -> Journey:
    made = Journey(tenant, tmp_path)
    # A browser that does not come up: the sheet's address is told, for ours to open.
    made.environment |= {"BROWSER": shutil.which("false") or "false", "COLUMNS": "80"}
    return made


@contextmanager
def sheet(journey: Journey, visitor: Visitor) -> "Iterator[Page]":
    """Open the setup sheet as a person does; the command ends when the page is closed."""
    with journey.started("sheet", "--stack", "dev", "--timeout", "1") as process:
        assert process.stderr is not None
        said = (line.strip() for line in iter(process.stderr.readline, ""))
        address = next((line for line in said if line.startswith("http://127.0.0.1:")), "")
        assert address, "the command ended without an address"
        page = visitor.page(address)
        yield page
        page.close(run_before_unload=True)
        assert process.wait(30) == 0


def copied_from(sheet: "Page") -> Enter:
    """Let each value come from the sheet by its own copy button and the clipboard."""

    def enter(field: "Locator", name: str) -> None:
        row = sheet.locator(f'[data-value="{name}"]')
        if name == "mail_server.tenant_id" and "空欄のまま" in row.inner_text():
            field.fill("")
            return
        sheet.bring_to_front()
        sheet.evaluate("document.querySelector('#said').textContent = ''")  # of the one before
        sheet.locator(f'[data-copy="{name}"]').click()
        sheet.locator("#said").get_by_text("をコピーしました").wait_for()
        field.page.bring_to_front()
        field.press("ControlOrMeta+a")
        field.press("ControlOrMeta+v")

    return enter


def consent(page: "Page", user: dict[str, str]) -> None:
    """Consent as an administrator at Microsoft's page."""
    microsoft = ProselfScreens(page)
    microsoft.type_account(user["user_principal_name"], user["password"])
    microsoft.press("承諾")


@pytest.mark.parametrize("kind", ["single-tenant", "multi-tenant, blank", "mailbox elsewhere"])
def test_the_faq_ends_with_a_mail_from_the_user(journey: Journey, visit: Visit, kind: str) -> None:
    tenant = journey.tenant
    home, elsewhere = tenant.ready["tenants"]
    where = elsewhere if kind == "mailbox elsewhere" else home
    changes: dict[str, Any] = {"server": tenant.ready["proself_server"]}
    changes |= {"mailbox": where["mailbox"]}
    changes |= {} if kind == "single-tenant" else {"audience": "multi"}
    changes |= {} if where is home else {"mailboxTenantId": where["tenant_id"]}
    journey.make_stack("dev", **changes)
    done = journey.up("dev")
    assert done.returncode == 0, done.stdout
    before = len(tenant.outbox())
    visitor = visit(embedded=True, permissions=["clipboard-read", "clipboard-write"])
    with sheet(journey, visitor) as page:
        enter = copied_from(page)
        if where is not home:
            consent(
                visitor.page(page.locator('[data-value="consent.url"]').inner_text()),
                where["users"][0],
            )
        proself = ProselfScreens(visitor.page(tenant.ready["proself_url"]))
        proself.set_this_server(enter)
        proself.set_mail_server(enter)
        proself.sign_in(where["mailbox"], where["mailbox_password"])
        assert proself.notice() == "認証に成功し、トークンを取得しました。"
        proself.set_senders(enter)
        for mail in ("システムメール", "Web公開メール"):
            assert proself.send(mail).startswith("メールを送信しました。\n250 2.0.0 OK <")
    mails = tenant.outbox()[before:]
    assert [(mail["from"], mail["envelope_from"]) for mail in mails] == [
        (where["mailbox"], where["mailbox"])
    ] * 2
    assert {mail["tenant"] for mail in mails} == {where["tenant_id"]}
    entered = tenant.admin("GET", "/proself").json()["proself.localhost"]["values"]
    assert entered["tenant_id"] == (home["tenant_id"] if kind == "single-tenant" else "")
    assert visitor.complaints == []
