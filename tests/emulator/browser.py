"""A browser just good enough to fill in the tenant's forms: no JavaScript, no cookies."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx

from tests.tenant import Tenant

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


class Page(HTMLParser):
    """The one form of a page, and the page's text."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.url = str(response.url)
        self.status = response.status_code
        self.fields: dict[str, str] = {}
        self.action = ""
        self.languages: dict[str, str | None] = {}
        """What a screen reader speaks by: of the page, and of the alert on it."""
        self.text = ""
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "html" or attributes.get("role") == "alert":
            self.languages[attributes.get("role") or tag] = attributes.get("lang")
        if tag == "form":
            self.action = attributes.get("action") or ""
        if tag == "input" and (name := attributes.get("name")):
            self.fields[name] = attributes.get("value") or ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def submit(self, http: httpx.Client, **typed: str) -> httpx.Response:
        return http.post(urljoin(self.url, self.action), data=self.fields | typed)


def answer(response: httpx.Response) -> dict[str, str]:
    """Read what a redirect hands to the application."""
    assert response.status_code == 302, response.text
    parts = urlsplit(response.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}


def authorize(
    tenant: Tenant,
    user: Mapping[str, str],
    params: Mapping[str, str],
    *,
    address: str = "organizations/oauth2/v2.0/authorize",
) -> dict[str, str]:
    """Go through the sign-in form as a user and return what the application gets."""
    with tenant.http() as http:
        page = Page(http.get(f"/{address}?{urlencode(params)}"))
        login, password = user["user_principal_name"], user["password"]
        response = page.submit(http, login=login, passwd=password)
        if response.status_code == 200:  # a refusal or a consent, read before going on
            assert re.search("AADSTS|Permissions requested", response.text)
            response = Page(response).submit(http)
        return answer(response)


def challenge(verifier: str) -> str:
    """PKCE, S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def sign_in(tenant: Tenant, user: Mapping[str, str], client_id: str = AZURE_CLI) -> str:
    """Return a user's token for Graph, as the Azure CLI gets it."""
    verifier = secrets.token_urlsafe(48)
    redirect_uri = "http://localhost:54321"
    scope = "https://graph.microsoft.com/.default offline_access"
    params = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": "s",
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    code = authorize(tenant, user, params)["code"]
    return tenant.token(
        grant_type="authorization_code",
        client_id=client_id,
        client_secret="",
        code=code,
        redirect_uri=redirect_uri,
        code_verifier=verifier,
        scope=scope,
    )
