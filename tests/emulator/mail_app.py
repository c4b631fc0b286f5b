"""An application such as Proself's, made through Graph, and its users' sign-ins."""

import secrets
from collections.abc import Mapping
from typing import Any

import httpx

from tests.emulator.browser import authorize, challenge
from tests.emulator.objects import make_application, make_grant, make_principal
from tests.tenant import Tenant

CALLBACK = "https://proself.example.jp/proself/oauth2callback/smtp"
MAIL_SEND = "https://outlook.office.com/Mail.Send"


class MailApp:
    """An application such as Proself's: a web client with a secret and consent to Mail.Send."""

    def __init__(self, tenant: Tenant, graph: httpx.Client, **properties: Any) -> None:
        usual = {
            "displayName": "Proself mail",
            "signInAudience": "AzureADMyOrg",
            "web": {"redirectUris": [CALLBACK]},
        }
        self.tenant = tenant
        self.application = make_application(graph, **(usual | properties))
        self.principal = make_principal(graph, self.application)
        self.grant = make_grant(graph, self.principal["id"])
        url = f"/v1.0/applications/{self.application['id']}/addPassword"
        self.secret = graph.post(url, json={}).json()["secretText"]
        self.client_id = self.application["appId"]
        self.verifier = secrets.token_urlsafe(48)

    def params(self, **others: str) -> dict[str, str]:
        return {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": f"{MAIL_SEND} offline_access openid",
            "state": "xyz",
            "nonce": "n-1",
            "code_challenge": challenge(self.verifier),
            "code_challenge_method": "S256",
        } | others

    def authorize(self, user: Mapping[str, str], **others: str) -> dict[str, str]:
        address = f"{self.tenant.tenant_id}/oauth2/v2.0/authorize"
        return authorize(self.tenant, user, self.params(**others), address=address)

    def redeem(self, code: str, **others: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "client_secret": self.secret,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
            "scope": "",
        }
        return self.tenant.sign_in(**(form | others))

    def refresh(self, token: str, **others: str) -> httpx.Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.secret,
            "refresh_token": token,
            "scope": "",
        }
        return self.tenant.sign_in(**(form | others))

    def token(self, user: Mapping[str, str] | None = None, **others: str) -> str:
        """Sign a user in, the tenant's mailbox by default, and return the access token."""
        signed_in = self.authorize(user or self.tenant.ready["users"][-1], **others)
        return str(self.redeem(signed_in["code"]).raise_for_status().json()["access_token"])
