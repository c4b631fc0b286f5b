"""MSAL: an application by itself, and a user through the browser with PKCE and a refresh token."""

from collections.abc import Iterator

import msal
import pytest
import requests

from tests.emulator.browser import AZURE_CLI, Page
from tests.tenant import Tenant


@pytest.fixture
def session(tenant: Tenant) -> Iterator[requests.Session]:
    with requests.Session() as http:
        http.verify = tenant.ca_file
        yield http


def test_an_application(tenant: Tenant, session: requests.Session) -> None:
    client = msal.ConfidentialClientApplication(
        tenant.client_id,
        client_credential=tenant.client_secret,
        authority=f"{tenant.authority}/{tenant.tenant_id}",
        instance_discovery=False,
        http_client=session,
    )
    scopes = ["https://graph.microsoft.com/.default"]
    assert client.acquire_token_for_client(scopes)["access_token"]
    assert client.acquire_token_for_client(scopes)["token_source"] == "cache"


def test_a_user_as_with_the_azure_cli(tenant: Tenant, session: requests.Session) -> None:
    client = msal.PublicClientApplication(
        AZURE_CLI,
        authority=f"{tenant.authority}/{tenant.tenant_id}",
        instance_discovery=False,
        http_client=session,
    )
    scopes = ["https://graph.microsoft.com/User.Read"]
    flow = client.initiate_auth_code_flow(
        scopes, redirect_uri="http://localhost:8400", response_mode="form_post"
    )
    user = tenant.ready["users"][0]
    with tenant.http() as http:
        page = Page(http.get(flow["auth_uri"]))
        form = {"login": user["user_principal_name"], "passwd": user["password"]}
        back = Page(page.submit(http, **form)).fields
    result = client.acquire_token_by_auth_code_flow(flow, back)
    assert result["id_token_claims"]["preferred_username"] == user["user_principal_name"]
    with tenant.http(result["access_token"]) as graph:
        assert graph.get("/v1.0/me").json()["id"] == user["id"]
    [account] = client.get_accounts()
    assert account["username"] == user["user_principal_name"]
    tenant.advance(7200)
    again = client.acquire_token_silent(scopes, account, force_refresh=True)
    assert again is not None
    with tenant.http(again["access_token"]) as graph:
        assert graph.get("/v1.0/me").status_code == 200
