"""What a person sees at the sign-in: languages, known accounts, refusals to read."""

from urllib.parse import urlencode

import httpx
import pytest

from tests.emulator.browser import Page, answer
from tests.emulator.mail_app import MailApp
from tests.emulator.objects import principal_of
from tests.tenant import Tenant


@pytest.fixture
def mail(tenant: Tenant, graph: httpx.Client) -> MailApp:
    return MailApp(tenant, graph)


def opened(mail: MailApp, http: httpx.Client, language: str = "en", **params: str) -> Page:
    address = f"/{mail.tenant.tenant_id}/oauth2/v2.0/authorize"
    headers = {"accept-language": language}
    return Page(http.get(f"{address}?{urlencode(mail.params(**params))}", headers=headers))


def typed(mail: MailApp) -> dict[str, str]:
    ready = mail.tenant.ready
    return {"login": ready["mailbox"], "passwd": ready["mailbox_password"]}


@pytest.mark.parametrize(
    ("accepted", "heading"),
    [
        ("ja,en-US;q=0.7", "サインイン"),
        ("en;q=0.5, ja-JP;q=0.9", "サインイン"),
        ("en-US,ja;q=0.3", "Sign in"),
        ("fr", "Sign in"),
        ("ja;q=x", "Sign in"),
    ],
)
def test_the_page_speaks_the_browsers_language(
    tenant: Tenant, mail: MailApp, accepted: str, heading: str
) -> None:
    with tenant.http() as http:
        assert heading in opened(mail, http, accepted).text


def test_it_names_the_tenant_and_the_application(tenant: Tenant, mail: MailApp) -> None:
    with tenant.http() as http:
        page = opened(mail, http, "ja", login_hint="someone@contoso.example")
    assert "Contoso" in page.text
    assert "「Proself mail」に進みます" in page.text
    assert page.fields["login"] == "someone@contoso.example"


def test_a_browser_is_offered_the_accounts_that_it_has_used(tenant: Tenant, mail: MailApp) -> None:
    with tenant.http() as http:
        assert "passwd" in opened(mail, http).fields
        assert "code" in answer(opened(mail, http).submit(http, **typed(mail)))
        choice = opened(mail, http)
        assert "Pick an account" in choice.text
        form = Page(choice.submit(http, pick=tenant.ready["mailbox"]))
        assert form.fields["login"] == tenant.ready["mailbox"]
        assert "code" in answer(form.submit(http, passwd=tenant.ready["mailbox_password"]))
        assert Page(choice.submit(http, pick="")).fields["login"] == ""
        for params in ({"prompt": "login"}, {"login_hint": "a@contoso.example"}):
            assert "Pick an account" not in opened(mail, http, **params).text
        asked = opened(mail, http, prompt="select_account", login_hint="a@contoso.example")
        assert "Pick an account" in asked.text


def test_a_wrong_password_is_mended_in_the_form_whatever_the_browser_knows(
    tenant: Tenant, mail: MailApp
) -> None:
    with tenant.http() as http:
        assert "code" in answer(opened(mail, http).submit(http, **typed(mail)))
        form = Page(opened(mail, http).submit(http, pick=tenant.ready["mailbox"]))
        again = Page(form.submit(http, passwd="wrong-pass-word"))
        assert again.status == 401
        assert again.languages["alert"] == "en"
        assert "invalid username or password" in again.text
        assert again.fields["login"] == tenant.ready["mailbox"]
        assert "code" in answer(again.submit(http, passwd=tenant.ready["mailbox_password"]))


def test_a_password_never_comes_back(tenant: Tenant, mail: MailApp) -> None:
    with tenant.http() as http:
        page = opened(mail, http).submit(http, **typed(mail) | {"passwd": "wrong-pass-word"})
        assert page.status_code == 401
        assert "wrong-pass-word" not in page.text


def test_missing_consent_is_read_before_the_application_hears_of_it(
    tenant: Tenant, mail: MailApp, graph: httpx.Client
) -> None:
    graph.delete(f"/v1.0/oauth2PermissionGrants/{mail.grant['id']}").raise_for_status()
    with tenant.http() as http:
        response = opened(mail, http, "ja").submit(http, **typed(mail))
        page = Page(response)
        assert response.status_code == 200
        assert "管理者の承認が必要" in page.text or "Need admin approval" in page.text
        assert "AADSTS65001" in page.text
        assert page.languages["alert"] == "en"
        back = answer(page.submit(http))
    assert back["error"] == "consent_required"
    assert back["error_description"].startswith("AADSTS65001: ")
    assert back["state"] == "xyz"


def test_who_is_not_assigned_stays_out_where_assignment_is_required(
    tenant: Tenant, mail: MailApp, administrator: httpx.Client
) -> None:
    url = f"/v1.0/servicePrincipals/{mail.principal['id']}"
    administrator.patch(url, json={"appRoleAssignmentRequired": True}).raise_for_status()
    user = tenant.ready["users"][1]
    assert mail.authorize(user)["error_description"].startswith(
        f"AADSTS50105: The signed in user '{user['user_principal_name']}' is not assigned to a "
        f"role for the application '{mail.client_id}'(Proself mail)."
    )
    assignment = {
        "principalId": user["id"],
        "resourceId": mail.principal["id"],
        "appRoleId": "00000000-0000-0000-0000-000000000000",
    }
    made = administrator.post(f"{url}/appRoleAssignedTo", json=assignment)
    assert made.status_code == 201, made.text
    assert "code" in mail.authorize(user)


def test_a_users_administrator_role_is_no_assignment(
    tenant: Tenant, mail: MailApp, administrator: httpx.Client
) -> None:
    url = f"/v1.0/servicePrincipals/{mail.principal['id']}"
    administrator.patch(url, json={"appRoleAssignmentRequired": True}).raise_for_status()
    refused = mail.authorize(tenant.ready["users"][0])
    assert "AADSTS50105" in refused["error_description"]
    assert principal_of(administrator, mail.client_id)["appRoleAssignmentRequired"] is True
