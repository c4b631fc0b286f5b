"""Users sign in: the form, the code, PKCE, refresh tokens, and what was consented to."""

import base64
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import jwt
import pytest

from emulator.clock import Clock, parse_time
from emulator.directory.store import Kind, Record
from emulator.directory.tenant import Tenant as Home
from emulator.directory.tenant import TenantSpec
from emulator.sign_in.sign_in_view import Client, redirect_platform
from tests.emulator.browser import Page, answer, authorize, sign_in
from tests.emulator.mail_app import CALLBACK, MAIL_SEND, MailApp
from tests.emulator.objects import (
    EXCHANGE_APP_ID,
    GRAPH_APP_ID,
    created,
    make_application,
    make_principal,
    principal_of,
)
from tests.tenant import Tenant


@pytest.fixture
def mail(tenant: Tenant, graph: httpx.Client) -> MailApp:
    return MailApp(tenant, graph)


@pytest.fixture
def mailbox(tenant: Tenant) -> dict[str, str]:
    user: dict[str, str] = tenant.ready["users"][1]
    return user


def number(response: httpx.Response) -> int:
    assert response.status_code in (400, 401)
    [found] = response.json()["error_codes"]
    return int(found)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_the_code_becomes_tokens_with_what_was_consented_to(
    mail: MailApp, mailbox: dict[str, str]
) -> None:
    back = mail.authorize(mailbox)
    assert back["state"] == "xyz"
    reply = mail.redeem(back["code"]).json()
    claims = claims_of(reply["access_token"])
    assert claims["aud"] == "https://outlook.office.com"
    assert claims["scp"] == "Mail.Send"
    assert claims["upn"] == mailbox["user_principal_name"]
    assert claims["oid"] == mailbox["id"]
    identity = claims_of(reply["id_token"])
    assert identity["aud"] == mail.client_id
    assert identity["nonce"] == "n-1"
    assert identity["sub"] != claims["sub"]
    assert not {"oid", "name", "preferred_username", "email"} & set(identity)
    assert MAIL_SEND in reply["scope"].split()


def test_who_signed_in_is_told_to_whom_asks_for_it(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant
) -> None:
    scope = f"{MAIL_SEND} openid profile email"
    reply = mail.redeem(mail.authorize(mailbox, scope=scope)["code"]).json()
    identity = claims_of(reply["id_token"])
    name = mailbox["user_principal_name"]
    assert (identity["oid"], identity["preferred_username"]) == (mailbox["id"], name)
    assert identity["name"]
    assert identity["email"]
    without_mail = {"user_principal_name": "new@contoso.example", "password": "pass-word-1"}
    tenant.seed(users=[without_mail | {"mail": ""}])
    reply = mail.redeem(mail.authorize(without_mail, scope=scope)["code"]).json()
    assert "email" not in claims_of(reply["id_token"])


def test_the_older_endpoint_answers_in_its_own_form(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant
) -> None:
    form = {
        "grant_type": "authorization_code",
        "client_id": mail.client_id,
        "client_secret": mail.secret,
        "code": mail.authorize(mailbox)["code"],
        "redirect_uri": CALLBACK,
        "code_verifier": mail.verifier,
        "resource": "https://outlook.office.com",
    }
    with tenant.http() as http:
        reply = http.post(f"/{tenant.tenant_id}/oauth2/token", data=form).json()
    assert (reply["expires_in"], reply["scope"]) == ("3599", "Mail.Send")
    assert reply["resource"] == "https://outlook.office.com"
    identity = claims_of(reply["id_token"])
    assert (identity["ver"], identity["iss"].endswith("/v2.0")) == ("1.0", False)
    assert identity["upn"] == identity["unique_name"] == mailbox["user_principal_name"]
    assert "preferred_username" not in identity


def test_the_older_endpoints_know_the_resource_from_whichever_request_names_it(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant
) -> None:
    exchange = "https://outlook.office365.com/"
    client = {"client_id": mail.client_id, "client_secret": mail.secret}

    def redeem(asked: dict[str, str], **others: str) -> httpx.Response:
        params = {**mail.params(**asked), "scope": "ignored"}
        address = f"{tenant.tenant_id}/oauth2/authorize"
        code = authorize(tenant, mailbox, params, address=address)["code"]
        proof = {"code": code, "redirect_uri": CALLBACK, "code_verifier": mail.verifier}
        return post(grant_type="authorization_code", **proof, **others)

    def post(**form: str) -> httpx.Response:
        with tenant.http() as http:
            return http.post(f"/{tenant.tenant_id}/oauth2/token", data=client | form)

    reply = redeem({"resource": exchange}).json()
    again = post(grant_type="refresh_token", refresh_token=reply["refresh_token"]).json()
    late = redeem({}, resource=exchange).json()
    for one in (reply, again, late):
        assert (one["resource"], one["scope"]) == (exchange, "Mail.Send")
        assert claims_of(one["access_token"])["aud"] == exchange
        assert {"refresh_token", "id_token"} <= set(one)
    nowhere = redeem({})
    assert number(nowhere) == 900144
    assert "'resource'" in nowhere.json()["error_description"]


def test_a_users_token_of_version_2_has_none_of_version_1s_claims(
    mail: MailApp, mailbox: dict[str, str], graph: httpx.Client
) -> None:
    scope = {
        "id": "5d5e0a8e-0000-4000-8000-000000000001",
        "adminConsentDescription": "d",
        "adminConsentDisplayName": "d",
        "isEnabled": True,
        "type": "Admin",
        "value": "Read",
    }
    api = {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [scope]}
    application = make_application(graph, api=api, signInAudience="AzureADMyOrg")
    body = {
        "clientId": mail.principal["id"],
        "consentType": "AllPrincipals",
        "resourceId": make_principal(graph, application)["id"],
        "scope": "Read",
    }
    created(graph.post("/v1.0/oauth2PermissionGrants", json=body))
    asked = f"{application['appId']}/Read"
    claims = claims_of(mail.token(mailbox, scope=asked))
    assert (claims["ver"], claims["scp"], claims["oid"]) == ("2.0", "Read", mailbox["id"])
    others = {"upn", "unique_name", "amr", "app_displayname", "name", "preferred_username"}
    assert not others & set(claims)
    claims = claims_of(mail.token(mailbox, scope=f"{asked} profile"))
    assert claims["preferred_username"] == mailbox["user_principal_name"]


def test_the_form_works_without_scripts_and_keeps_out_of_frames(
    mail: MailApp, tenant: Tenant
) -> None:
    with tenant.http() as http:
        query = urlencode(mail.params(login_hint="proself@contoso.example"))
        response = http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}")
    page = Page(response)
    assert "<script" not in response.text
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert "Proself mail" in page.text
    assert page.fields["login"] == "proself@contoso.example"
    assert page.fields["state"] == "xyz"


def test_parameters_cannot_break_out_of_the_form(mail: MailApp, tenant: Tenant) -> None:
    with tenant.http() as http:
        query = urlencode(mail.params(state='"><script>alert(1)</script>'))
        response = http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}")
    assert "<script" not in response.text
    assert Page(response).fields["state"] == '"><script>alert(1)</script>'


def test_a_refresh_token_goes_on_without_the_user(mail: MailApp, mailbox: dict[str, str]) -> None:
    reply = mail.redeem(mail.authorize(mailbox)["code"]).json()
    again = mail.refresh(reply["refresh_token"]).json()
    assert claims_of(again["access_token"])["scp"] == "Mail.Send"
    assert again["refresh_token"] != reply["refresh_token"]


def test_what_a_client_learns_with_the_code(mail: MailApp, mailbox: dict[str, str]) -> None:
    first, second = mail.authorize(mailbox), mail.authorize(mailbox, client_info="1")
    assert set(first) == {"code", "session_state", "state"}
    assert str(UUID(first["session_state"])) == first["session_state"] != second["session_state"]
    reply = mail.redeem(second["code"], client_info="1").json()
    assert second["client_info"] == reply["client_info"]
    info = json.loads(base64.urlsafe_b64decode(second["client_info"] + "=="))
    assert info == {"uid": mailbox["id"], "utid": mail.tenant.tenant_id}


def test_no_refresh_token_without_offline_access(mail: MailApp, mailbox: dict[str, str]) -> None:
    reply = mail.redeem(mail.authorize(mailbox, scope=MAIL_SEND)["code"]).json()
    assert "refresh_token" not in reply
    assert "id_token" not in reply


def test_a_code_is_good_once_and_for_ten_minutes(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant
) -> None:
    code = mail.authorize(mailbox)["code"]
    assert mail.redeem(code).status_code == 200
    assert number(mail.redeem(code)) == 54005
    late = mail.authorize(mailbox)["code"]
    tenant.advance(601)
    assert number(mail.redeem(late)) == 70008


def test_a_wrong_verifier_is_refused_and_does_not_burn_the_code(
    mail: MailApp, mailbox: dict[str, str]
) -> None:
    code = mail.authorize(mailbox)["code"]
    assert number(mail.redeem(code, code_verifier="wrong")) == 501481
    assert number(mail.redeem(code, code_verifier="")) == 501481
    assert mail.redeem(code).status_code == 200


@pytest.mark.parametrize("method", ["plain", ""])
def test_a_challenge_without_a_method_is_the_verifier_itself(
    mail: MailApp, mailbox: dict[str, str], method: str
) -> None:
    others = {"code_challenge": mail.verifier, "code_challenge_method": method}
    assert mail.redeem(mail.authorize(mailbox, **others)["code"]).status_code == 200


def test_a_verifier_without_a_challenge_is_refused(mail: MailApp, mailbox: dict[str, str]) -> None:
    code = mail.authorize(mailbox, code_challenge="", code_challenge_method="")["code"]
    assert number(mail.redeem(code)) == 501481
    assert mail.redeem(code, code_verifier="").status_code == 200


def test_a_client_id_is_the_same_in_capitals(mail: MailApp, mailbox: dict[str, str]) -> None:
    other = mail.client_id.upper()
    reply = mail.redeem(mail.authorize(mailbox, client_id=other)["code"], client_id=other).json()
    assert mail.refresh(reply["refresh_token"], client_id=other).status_code == 200
    assert mail.redeem(mail.authorize(mailbox, client_id=other)["code"]).status_code == 200


def test_a_web_client_must_prove_itself(mail: MailApp, mailbox: dict[str, str]) -> None:
    code = mail.authorize(mailbox)["code"]
    assert number(mail.redeem(code, client_secret="")) == 7000218
    assert number(mail.redeem(code, client_secret="wrong")) == 7000215
    other = mail.redeem(code, redirect_uri="https://other.example/")
    assert (number(other), other.json()["error"]) == (500112, "invalid_client")
    assert f"the reply address '{CALLBACK}' provided" in other.json()["error_description"]
    assert mail.redeem(code).status_code == 200


def test_a_public_client_must_not(tenant: Tenant) -> None:
    user = tenant.ready["users"][0]
    with pytest.raises(httpx.HTTPStatusError) as caught:
        tenant.token(
            grant_type="authorization_code",
            client_id="04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            code=authorize(
                tenant,
                user,
                {
                    "client_id": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
                    "response_type": "code",
                    "redirect_uri": "http://localhost:1",
                    "scope": "https://graph.microsoft.com/.default",
                },
            )["code"],
            redirect_uri="http://localhost:1",
        )
    assert number(caught.value.response) == 700025


def test_a_single_page_application_redeems_by_scripts_alone(
    tenant: Tenant, graph: httpx.Client, mailbox: dict[str, str]
) -> None:
    app = MailApp(tenant, graph, web={}, spa={"redirectUris": [CALLBACK]})
    code = app.authorize(mailbox)["code"]
    no_script = app.redeem(code, client_secret="")
    assert (number(no_script), no_script.json()["error"]) == (9002327, "invalid_request")
    reply = by_script(app, grant_type="authorization_code", code=code, client_secret="").json()
    token = reply["refresh_token"]
    assert number(app.refresh(token, client_secret="")) == 9002327
    again = by_script(app, grant_type="refresh_token", refresh_token=token, client_secret="")
    assert again.status_code == 200


def test_all_refresh_tokens_of_a_single_page_application_end_a_day_after_the_first(
    tenant: Tenant, graph: httpx.Client, mailbox: dict[str, str]
) -> None:
    app = MailApp(tenant, graph, web={}, spa={"redirectUris": [CALLBACK]})

    def refresh(token: str) -> httpx.Response:
        return by_script(app, grant_type="refresh_token", refresh_token=token, client_secret="")

    code = app.authorize(mailbox)["code"]
    reply = by_script(app, grant_type="authorization_code", code=code, client_secret="").json()
    tenant.advance(23 * 3600)
    later = refresh(reply["refresh_token"]).raise_for_status().json()["refresh_token"]
    last = refresh(later).raise_for_status().json()["refresh_token"]
    tenant.advance(3600)
    for token in (reply["refresh_token"], later, last):
        refusal = refresh(token)
        assert (refusal.status_code, number(refusal)) == (400, 700084)
        body = refusal.json()
        assert (body["error"], body["suberror"]) == ("invalid_grant", "bad_token")
        assert "fixed, limited lifetime of 1.00:00:00, which" in body["error_description"]


def test_a_script_gets_nothing_for_another_application(
    mail: MailApp, mailbox: dict[str, str]
) -> None:
    code = mail.authorize(mailbox)["code"]
    refusal = by_script(mail, grant_type="authorization_code", code=code)
    assert (number(refusal), refusal.json()["error"]) == (9002326, "invalid_request")
    assert "Request origin: 'https://spa.example'." in refusal.json()["error_description"]
    token = mail.redeem(code).json()["refresh_token"]
    assert number(by_script(mail, grant_type="refresh_token", refresh_token=token)) == 9002326
    asked = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
    assert number(by_script(mail, **asked)) == 9002326


def by_script(app: MailApp, **form: str) -> httpx.Response:
    """Ask the token endpoint as a script of a web page does."""
    usual = {
        "client_id": app.client_id,
        "client_secret": app.secret,
        "redirect_uri": CALLBACK,
        "code_verifier": app.verifier,
    }
    data = {name: value for name, value in (usual | form).items() if value}
    with app.tenant.http() as http:
        return http.post(
            f"/{app.tenant.tenant_id}/oauth2/v2.0/token",
            data=data,
            headers={"origin": "https://spa.example"},
        )


def test_user_info_tells_what_the_scopes_allow(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant, graph: httpx.Client
) -> None:
    with tenant.http() as http:
        found = http.get(f"/{tenant.tenant_id}/v2.0/.well-known/openid-configuration").json()
    url = found["userinfo_endpoint"]
    assert url == f"{tenant.graph}/oidc/userinfo"
    code = mail.authorize(mailbox, scope="openid profile email")["code"]
    reply = mail.redeem(code).json()
    with tenant.http(reply["access_token"]) as user:
        told = user.get(url).json()
        assert user.post(url).json() == told
        assert user.put(url).status_code == 405
    identity = claims_of(reply["id_token"])
    assert told["sub"] == identity["sub"]
    assert (told["name"], told["email"]) == (identity["name"], identity["email"])
    assert told["picture"] == f"{tenant.graph}/v1.0/me/photo/$value"
    with tenant.http(mail.token(mailbox, scope="openid")) as user:
        assert user.get(url).json() == {"sub": identity["sub"]}
    assert graph.get(url).status_code == 403
    with tenant.http() as nobody:
        assert nobody.get(url).json()["error"]["code"] == "InvalidAuthenticationToken"


def consent_to_graph(mail: MailApp, graph: httpx.Client, scope: str) -> None:
    """Give admin consent to delegated permissions of Microsoft Graph."""
    grant = {
        "clientId": mail.principal["id"],
        "consentType": "AllPrincipals",
        "resourceId": principal_of(graph, GRAPH_APP_ID)["id"],
        "scope": scope,
    }
    created(graph.post("/v1.0/oauth2PermissionGrants", json=grant))


def test_a_granted_scope_is_named_once(
    mail: MailApp, mailbox: dict[str, str], graph: httpx.Client
) -> None:
    consent_to_graph(mail, graph, "User.Read openid profile email offline_access")
    code = mail.authorize(mailbox, scope="User.Read openid profile")["code"]
    reply = mail.redeem(code).json()
    assert reply["scope"] == "email openid profile User.Read"
    scopes = claims_of(reply["access_token"])["scp"].split()
    assert sorted(scopes) == ["User.Read", "email", "openid", "profile"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("https://graph.microsoft.com/User.Read", "openid https://graph.microsoft.com/User.Read"),
        (
            "https://graph.microsoft.com/.default",
            "openid https://graph.microsoft.com/User.Read https://graph.microsoft.com/.default",
        ),
        (
            "https://graph.microsoft.com//.default",
            "openid https://graph.microsoft.com//User.Read https://graph.microsoft.com//.default",
        ),
        ("User.Read", "openid User.Read"),
        ("openid", "openid User.Read"),
        (MAIL_SEND, MAIL_SEND),
        (
            "https://outlook.office.com/.default",
            f"{MAIL_SEND} https://outlook.office.com/.default",
        ),
    ],
)
def test_the_scopes_of_a_token_are_told_as_they_were_asked_for(
    mail: MailApp, mailbox: dict[str, str], graph: httpx.Client, asked: str, told: str
) -> None:
    consent_to_graph(mail, graph, "User.Read")
    code = mail.authorize(mailbox, scope=f"{asked} openid offline_access")["code"]
    assert mail.redeem(code).json()["scope"] == told


def test_the_code_of_another_client_is_worthless(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant, graph: httpx.Client
) -> None:
    other = MailApp(tenant, graph)
    code = mail.authorize(mailbox)["code"]
    assert number(other.redeem(code, code_verifier=mail.verifier)) == 9002313
    assert number(mail.redeem("1.made-up")) == 9002313
    assert number(mail.refresh("1.made-up")) == 9002313


@pytest.mark.parametrize(
    ("login", "password"),
    [("proself@contoso.example", "wrong"), ("nobody@contoso.example", "x"), ("", "")],
)
def test_a_wrong_account_or_password_shows_the_form_again(
    mail: MailApp, tenant: Tenant, login: str, password: str
) -> None:
    with tenant.http() as http:
        url = f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{urlencode(mail.params())}"
        response = Page(http.get(url)).submit(http, login=login, passwd=password)
        assert response.status_code == 401
        user = tenant.ready["users"][1]
        again = Page(response).submit(
            http, login=user["user_principal_name"], passwd=user["password"]
        )
        assert "code" in answer(again)


def test_cancel_is_told_to_the_application(mail: MailApp, tenant: Tenant) -> None:
    with tenant.http() as http:
        url = f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{urlencode(mail.params())}"
        back = answer(Page(http.get(url)).submit(http, cancel="1"))
    assert back["error"] == "access_denied"
    assert back["error_description"].startswith("AADSTS65004: ")
    assert back["state"] == "xyz"


def test_a_disabled_user_may_not_sign_in(mail: MailApp, tenant: Tenant) -> None:
    user = {"user_principal_name": "left@contoso.example", "password": "pass-word-1"}
    tenant.seed(users=[user | {"enabled": False}])
    assert "AADSTS50057" in mail.authorize(user)["error_description"]


def test_silent_sign_in_finds_nobody(mail: MailApp, tenant: Tenant) -> None:
    with tenant.http() as http:
        query = urlencode(mail.params(prompt="none"))
        back = answer(http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}"))
    assert back["error"] == "login_required"


@pytest.mark.parametrize("endpoint", ["oauth2/v2.0/authorize", "v2.0/adminconsent"])
def test_a_parameter_that_comes_twice_is_told_on_a_page(
    mail: MailApp, tenant: Tenant, endpoint: str
) -> None:
    query = urlencode(mail.params(prompt="login"))
    with tenant.http() as http:
        response = http.get(f"/{tenant.tenant_id}/{endpoint}?{query}&prompt=consent")
    assert response.status_code == 400
    assert "AADSTS9000411: The request is not properly formatted. The parameter " in response.text


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"redirect_uri": "https://evil.example/"}, "AADSTS50011"),
        ({"client_id": "5d5e0a8e-0000-0000-0000-000000000000"}, "AADSTS700016"),
        ({"client_id": ""}, "AADSTS900144"),
    ],
)
def test_what_cannot_be_trusted_is_never_redirected_to(
    mail: MailApp, tenant: Tenant, others: dict[str, str], expected: str
) -> None:
    with tenant.http() as http:
        query = urlencode(mail.params(**others))
        response = http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}")
    assert response.status_code == 400
    assert expected in response.text


@pytest.mark.parametrize(
    ("registered", "given", "matches"),
    [
        ("http://localhost/cb", "http://localhost:5001/cb", True),
        ("http://localhost:8899/cb", "http://localhost/cb", True),
        ("http://localhost", "http://localhost:5001/", True),
        ("http://127.0.0.1", "http://127.0.0.1:5001", True),
        ("http://localhost/cb", "http://localhost:5001/cb/", False),
        ("http://localhost/cb", "http://localhost:x@evil.example/cb", False),
        ("http://localhost/cb", "http://localhost:1@evil.example/cb", False),
        ("http://localhost/cb", "http://localhost:1\\@evil.example/cb", False),
        ("http://localhost/cb", "http://localhost:1/cb\nx", False),
        ("http://localhost", "http://localhost:1?x", False),
        ("http://localhost", "http://localhost.evil.example", False),
        ("http://localhost", "http://127.0.0.1", False),
        ("https://a.example/cb", "https://a.example:443/cb", False),
        ("https://a.example", "https://a.example/", False),
    ],
)
def test_of_a_loopback_redirect_uri_nothing_but_the_port_may_vary(
    registered: str, given: str, matches: bool
) -> None:
    none: dict[str, list[str]] = {"redirectUris": []}
    body = {"web": none, "spa": none, "publicClient": {"redirectUris": [registered]}}
    spec = TenantSpec(id="t", display_name="t", domains=("t.example",))
    home = Home(spec, Clock(), 1, timedelta())
    client = Client(Record(Kind.APPLICATION, "a", body), home)
    assert redirect_platform(client, given) == ("publicClient" if matches else None)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"response_type": "token"}, "AADSTS700051: response_type 'token' is not enabled"),
        ({"response_type": "code id_token"}, "AADSTS700054: response_type 'id_token' is not"),
        ({"response_type": "id_token token"}, "AADSTS700054: response_type 'id_token' is not"),
        ({"response_type": "none"}, "AADSTS70005: "),
        ({"response_type": ""}, "AADSTS900144"),
        ({"scope": ""}, "AADSTS900144"),
        ({"response_mode": "post"}, "AADSTS70007: 'post' is not a supported value of"),
        ({"prompt": "consent select_account"}, "AADSTS90023: Unsupported 'prompt' value."),
        ({"prompt": "admin_consent"}, "AADSTS90023"),  # of version 1.0
        ({"code_challenge": "abc"}, "AADSTS501491"),
        ({"code_challenge": "a" * 44}, "AADSTS501491"),  # with the padding
        ({"code_challenge": "a" * 129, "code_challenge_method": "plain"}, "AADSTS501491"),
        ({"code_challenge_method": "foo"}, "AADSTS50149"),
        ({"code_challenge": ""}, "AADSTS50147"),
    ],
)
def test_other_mistakes_go_back_to_the_application(
    mail: MailApp, tenant: Tenant, others: dict[str, str], expected: str
) -> None:
    with tenant.http() as http:
        query = urlencode(mail.params(**others))
        back = answer(http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}"))
    assert back["error_description"].startswith(expected)


def test_addresses_of_other_tenants(mail: MailApp, tenant: Tenant) -> None:
    other = tenant.ready["tenants"][1]["tenant_id"]
    with tenant.http() as http:
        for name, expected in ((other, "AADSTS700016"), ("nowhere.example", "AADSTS90002")):
            response = http.get(f"/{name}/oauth2/v2.0/authorize?{urlencode(mail.params())}")
            assert (response.status_code, expected in response.text) == (400, True)


def test_a_refresh_token_belongs_to_one_client_and_one_tenant(
    mail: MailApp, tenant: Tenant, mailbox: dict[str, str], graph: httpx.Client
) -> None:
    reply = mail.redeem(mail.authorize(mailbox)["code"]).json()
    other = MailApp(tenant, graph)
    assert number(other.refresh(reply["refresh_token"])) == 9002313
    wrong_tenant = mail.refresh(
        reply["refresh_token"], tenant=tenant.ready["tenants"][1]["tenant_id"]
    )
    assert number(wrong_tenant) == 9002313


def test_a_single_tenant_application_is_refused_on_common(mail: MailApp, tenant: Tenant) -> None:
    with tenant.http() as http:
        response = http.get(f"/common/oauth2/v2.0/authorize?{urlencode(mail.params())}")
    assert response.status_code == 400
    assert "AADSTS50194" in response.text


def test_a_multi_tenant_application_finds_the_tenant_by_the_account(
    tenant: Tenant, graph: httpx.Client, mailbox: dict[str, str]
) -> None:
    mail = MailApp(tenant, graph, signInAudience="AzureADMultipleOrgs")
    back = authorize(tenant, mailbox, mail.params(), address="common/oauth2/v2.0/authorize")
    reply = mail.redeem(back["code"], tenant="common").json()
    assert claims_of(reply["access_token"])["tid"] == tenant.tenant_id


def test_nobody_has_a_personal_account(
    tenant: Tenant, graph: httpx.Client, mailbox: dict[str, str]
) -> None:
    for audience, expected in (
        ("AzureADMultipleOrgs", "AADSTS70002"),
        ("AzureADandPersonalMicrosoftAccount", "does not exist in the consumers directory"),
    ):
        mail = MailApp(tenant, graph, signInAudience=audience)
        code = authorize(tenant, mailbox, mail.params())["code"]
        assert number(mail.redeem(code, tenant="consumers")) == 9002313
        with tenant.http() as http:
            page = http.get(f"/consumers/oauth2/v2.0/authorize?{urlencode(mail.params())}")
            if page.status_code == 200:
                login, password = mailbox["user_principal_name"], mailbox["password"]
                page = Page(page).submit(http, login=login, passwd=password)
        assert expected in page.text


@pytest.mark.parametrize("mode", ["fragment", "form_post"])
def test_the_other_ways_of_answering(
    mail: MailApp, tenant: Tenant, mailbox: dict[str, str], mode: str
) -> None:
    with tenant.http() as http:
        query = urlencode(mail.params(response_mode=mode))
        page = Page(http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}"))
        response = page.submit(
            http, login=mailbox["user_principal_name"], passwd=mailbox["password"]
        )
    if mode == "fragment":
        assert response.headers["location"].startswith(f"{CALLBACK}#")
        back = answer(response)
    else:
        assert Page(response).action == CALLBACK
        back = Page(response).fields
    assert mail.redeem(back["code"]).status_code == 200


@pytest.mark.parametrize(
    ("uri", "mode", "beginning"),
    [
        ("http://localhost:7071", "query", "http://localhost:7071/?error="),
        ("http://localhost:7071", "fragment", "http://localhost:7071/#error="),
        ("https://a.example", "query", "https://a.example/?error="),
        ("https://a.example?b=c", "query", "https://a.example/?b=c&error="),
        ("https://a.example/b", "query", "https://a.example/b?error="),
        ("myapp://auth", "query", "myapp://auth?error="),
    ],
)
def test_an_address_without_a_path_gets_a_slash(
    tenant: Tenant, graph: httpx.Client, uri: str, mode: str, beginning: str
) -> None:
    uris = ["http://localhost", "https://a.example", "https://a.example?b=c"]
    uris += ["https://a.example/b", "myapp://auth"]
    public = {"redirectUris": uris}
    app = make_application(graph, publicClient=public, signInAudience="AzureADMyOrg")
    asked = {"client_id": app["appId"], "redirect_uri": uri, "response_mode": mode}
    with tenant.http() as http:
        query = urlencode({**asked, "response_type": "code", "scope": "openid", "prompt": "none"})
        response = http.get(f"/{tenant.tenant_id}/oauth2/v2.0/authorize?{query}")
    assert response.headers["location"].startswith(beginning)


def test_what_nobody_consented_to_is_refused(
    mail: MailApp, mailbox: dict[str, str], graph: httpx.Client
) -> None:
    smtp = mail.authorize(mailbox, scope="https://outlook.office.com/SMTP.Send")
    assert smtp["error"] == "consent_required"
    assert smtp["error_description"].startswith("AADSTS65001: ")
    assert "AADSTS650053" in mail.authorize(
        mailbox, scope="https://outlook.office.com/Fly.Away"
    ).get("error_description", "")
    reply = mail.redeem(mail.authorize(mailbox)["code"]).json()
    graph.delete(f"/v1.0/oauth2PermissionGrants/{mail.grant['id']}")
    assert "AADSTS65001" in mail.authorize(mailbox)["error_description"]
    refusal = mail.refresh(reply["refresh_token"])
    assert number(refusal) == 65001
    assert refusal.json()["suberror"] == "consent_required"


def test_a_users_own_consent_holds_for_him_alone(
    mail: MailApp, tenant: Tenant, mailbox: dict[str, str], graph: httpx.Client
) -> None:
    graph.delete(f"/v1.0/oauth2PermissionGrants/{mail.grant['id']}")
    response = graph.post(
        "/v1.0/oauth2PermissionGrants",
        json={
            "clientId": mail.principal["id"],
            "consentType": "Principal",
            "principalId": mailbox["id"],
            "resourceId": mail.grant["resourceId"],
            "scope": "Mail.Send",
        },
    )
    assert response.status_code == 201
    assert "code" in mail.authorize(mailbox)
    assert "AADSTS65001" in mail.authorize(tenant.ready["users"][0])["error_description"]


def test_two_resources_may_be_signed_in_for_but_a_token_is_for_one(
    mail: MailApp, mailbox: dict[str, str], graph: httpx.Client
) -> None:
    scope = f"{MAIL_SEND} https://graph.microsoft.com/User.Read"
    assert "AADSTS65001" in mail.authorize(mailbox, scope=scope)["error_description"]
    consent_to_graph(mail, graph, "User.Read")
    code = mail.authorize(mailbox, scope=scope)["code"]
    both = mail.redeem(code, scope=scope)
    assert number(both) == 28000
    assert f"Scope {scope} is not valid." in both.json()["error_description"]
    one = mail.redeem(code, scope="https://graph.microsoft.com/User.Read").json()
    assert claims_of(one["access_token"])["scp"] == "User.Read"


def test_a_refresh_token_ends_after_ninety_days(
    mail: MailApp, mailbox: dict[str, str], tenant: Tenant
) -> None:
    reply = mail.redeem(mail.authorize(mailbox)["code"]).json()
    tenant.advance(89 * 86400)
    assert mail.refresh(reply["refresh_token"]).status_code == 200
    tenant.advance(2 * 86400)
    refusal = mail.refresh(reply["refresh_token"])
    assert (refusal.status_code, number(refusal)) == (400, 700082)
    body = refusal.json()
    assert (body["error"], body["suberror"]) == ("invalid_grant", "bad_token")
    told = r"issued on (\S+) and was inactive for 90\.00:00:00\. Trace ID"
    issued = re.search(told, body["error_description"])
    assert issued is not None
    age = parse_time(body["timestamp"].replace(" ", "T")) - parse_time(issued[1])
    assert abs(age - timedelta(days=91)) < timedelta(minutes=5)


class TestAdminConsent:
    """`/adminconsent`: an administrator of any tenant lets a multi-tenant application in."""

    @pytest.fixture
    def mail(self, tenant: Tenant, graph: httpx.Client) -> MailApp:
        exchange = principal_of(graph, EXCHANGE_APP_ID)
        scope = next(s for s in exchange["oauth2PermissionScopes"] if s["value"] == "Mail.Send")
        required = {
            "resourceAppId": EXCHANGE_APP_ID,
            "resourceAccess": [{"id": scope["id"], "type": "Scope"}],
        }
        return MailApp(
            tenant, graph, signInAudience="AzureADMultipleOrgs", requiredResourceAccess=[required]
        )

    def consent(self, tenant: Tenant, mail: MailApp, user: int, **others: str) -> dict[str, str]:
        other = tenant.ready["tenants"][1]
        params = {"client_id": mail.client_id, "state": "s", "redirect_uri": CALLBACK} | others
        address = f"{other['tenant_id']}/v2.0/adminconsent"
        return authorize(tenant, other["users"][user], params, address=address)

    def test_another_tenant_lets_it_in(self, tenant: Tenant, mail: MailApp) -> None:
        other = tenant.ready["tenants"][1]
        address = f"{other['tenant_id']}/oauth2/v2.0/authorize"
        before = authorize(tenant, other["users"][1], mail.params(), address=address)
        assert "AADSTS65001" in before["error_description"]
        back = self.consent(tenant, mail, 0, scope=MAIL_SEND)
        assert back == {
            "admin_consent": "True",
            "tenant": other["tenant_id"],
            "scope": MAIL_SEND,
            "state": "s",
        }
        code = authorize(tenant, other["users"][1], mail.params(), address=address)["code"]
        reply = mail.redeem(code, tenant=other["tenant_id"]).json()
        claims = claims_of(reply["access_token"])
        assert (claims["tid"], claims["scp"]) == (other["tenant_id"], "Mail.Send")

    def question(self, tenant: Tenant, mail: MailApp, http: httpx.Client, **others: str) -> Page:
        """Sign in as the other tenant's administrator and return what there is to consent to."""
        other = tenant.ready["tenants"][1]
        params = {"client_id": mail.client_id, "state": "s", "redirect_uri": CALLBACK} | others
        form = Page(http.get(f"/{other['tenant_id']}/v2.0/adminconsent?{urlencode(params)}"))
        user = other["users"][0]
        return Page(form.submit(http, login=user["user_principal_name"], passwd=user["password"]))

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("en", "Permissions requested Proself mail asks for these permissions, for everyone"),
            ("ja", "要求されているアクセス許可 「Proself mail」が、組織全体について次の"),
        ],
    )
    def test_the_permissions_are_read_before_they_are_granted(
        self, tenant: Tenant, mail: MailApp, language: str, words: str
    ) -> None:
        smtp = "https://outlook.office.com/SMTP.Send"
        other = tenant.ready["tenants"][1]
        with tenant.http() as http:
            http.headers["accept-language"] = language
            page = self.question(tenant, mail, http, scope=f"{MAIL_SEND} {smtp} User.Read")
            assert page.status == 200
            shown = " ".join(page.text.split())
            assert words in shown
            assert "Office 365 Exchange Online Mail.Send SMTP.Send Microsoft Graph User" in shown
            address = f"{other['tenant_id']}/oauth2/v2.0/authorize"
            refused = authorize(tenant, other["users"][1], mail.params(), address=address)
            assert "AADSTS65001" in refused["error_description"], "nothing is granted yet"
            assert answer(page.submit(http))["admin_consent"] == "True"
        assert self.grants(tenant, mail)["Microsoft Graph"] == "User.Read"

    def test_a_consent_that_is_declined_grants_nothing(self, tenant: Tenant, mail: MailApp) -> None:
        with tenant.http() as http:
            page = self.question(tenant, mail, http)
            back = answer(page.submit(http, cancel="1"))
            assert back.pop("error_description").startswith(
                "AADSTS65004: The resource owner or authorization server denied the request."
            )
            other = tenant.ready["tenants"][1]["tenant_id"]
            expected = {"error": "consent_required", "admin_consent": "True", "tenant": other}
            assert back == expected | {"state": "s"}
            again = page.submit(http)  # after the Back button
        assert again.status_code == 200
        assert "passwd" in Page(again).fields

    def test_what_was_shown_is_what_is_granted(self, tenant: Tenant, mail: MailApp) -> None:
        with tenant.http() as http:
            page = self.question(tenant, mail, http, scope=MAIL_SEND)
            answer(page.submit(http, scope=f"{MAIL_SEND} User.Read"))
            assert self.grants(tenant, mail) == {"Office 365 Exchange Online": "Mail.Send"}
            page = self.question(tenant, mail, http, scope="User.Read")
            tenant.advance(601)
            late = page.submit(http)
        assert late.status_code == 200
        assert "passwd" in Page(late).fields

    def test_the_registered_permissions_are_the_default(
        self, tenant: Tenant, mail: MailApp
    ) -> None:
        assert self.consent(tenant, mail, 0)["admin_consent"] == "True"
        other = tenant.ready["tenants"][1]
        with tenant.http(
            tenant.token(
                tenant=other["tenant_id"],
                client_id=other["client_id"],
                client_secret=other["client_secret"],
            )
        ) as graph:
            principal = principal_of(graph, mail.client_id)
            assert principal["appOwnerOrganizationId"] == tenant.tenant_id
            url = f"/v1.0/servicePrincipals/{principal['id']}/oauth2PermissionGrants"
            [grant] = graph.get(url).json()["value"]
        assert (grant["scope"], grant["consentType"]) == ("Mail.Send", "AllPrincipals")

    def grants(self, tenant: Tenant, mail: MailApp) -> dict[str, str]:
        """Read what the other tenant granted: scopes by the resource's name."""
        other = tenant.ready["tenants"][1]
        token = tenant.token(
            tenant=other["tenant_id"],
            client_id=other["client_id"],
            client_secret=other["client_secret"],
        )
        with tenant.http(token) as graph:
            principal = principal_of(graph, mail.client_id)
            names = {
                one["id"]: one["displayName"]
                for one in graph.get("/v1.0/servicePrincipals").json()["value"]
            }
            url = f"/v1.0/servicePrincipals/{principal['id']}/oauth2PermissionGrants"
            found = graph.get(url).json()["value"]
        return {names[one["resourceId"]]: one["scope"] for one in found}

    def test_named_scopes_add_up_and_the_registered_ones_replace(
        self, tenant: Tenant, mail: MailApp
    ) -> None:
        smtp = "https://outlook.office.com/SMTP.Send"
        self.consent(tenant, mail, 0, scope=f"{MAIL_SEND} offline_access")
        self.consent(tenant, mail, 0, scope=f"{smtp} User.Read")
        assert self.grants(tenant, mail) == {
            "Office 365 Exchange Online": "Mail.Send SMTP.Send",
            "Microsoft Graph": "User.Read",
        }
        self.consent(tenant, mail, 0, scope="https://outlook.office.com/.default")
        assert self.grants(tenant, mail) == {"Office 365 Exchange Online": "Mail.Send"}

    @pytest.mark.parametrize(
        ("scope", "expected"),
        [
            ("https://outlook.office.com/Fly.Away", "AADSTS650053"),
            ("https://nobody.example/x", "AADSTS500011"),
        ],
    )
    def test_what_cannot_be_granted(
        self, tenant: Tenant, mail: MailApp, scope: str, expected: str
    ) -> None:
        back = self.consent(tenant, mail, 0, scope=scope)
        assert back["error_description"].startswith(expected)

    def test_a_stranger_gets_an_error_page(self, tenant: Tenant, mail: MailApp) -> None:
        params = {"client_id": mail.client_id, "redirect_uri": "https://evil.example/"}
        with tenant.http() as http:
            response = http.get(f"/{tenant.tenant_id}/adminconsent?{urlencode(params)}")
        assert response.status_code == 400
        assert "AADSTS50011" in response.text

    def test_only_an_administrator_may(self, tenant: Tenant, mail: MailApp) -> None:
        back = self.consent(tenant, mail, 1)
        assert back["error"] == "access_denied"


def test_the_administrators_cli_session_can_read_me(tenant: Tenant) -> None:
    with tenant.http(sign_in(tenant, tenant.ready["users"][0])) as graph:
        assert graph.get("/v1.0/me").json()["userPrincipalName"] == "admin@contoso.onmicrosoft.com"
