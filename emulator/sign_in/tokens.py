"""Tokens: which claims say what, for applications and for users."""

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass

from emulator.cloud import Cloud
from emulator.directory.store import Record
from emulator.directory.tenant import Tenant
from emulator.json_text import Json
from emulator.sign_in.discovery import issuer


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """For whom tokens are made, and at whose request."""

    tenant: Tenant
    origin: str
    """Scheme, host and port of this server as the client knows it."""
    client: Record
    """The service principal of the application."""
    proof: str
    """How the application proved itself: 0 not at all, 1 by a secret, 2 by an assertion."""
    user: Record | None = None

    @property
    def client_id(self) -> str:
        """The application's client id."""
        return str(self.client.body["appId"])


def access_token(
    cloud: Cloud,
    bearer: Bearer,
    resource: Record,
    audience: str,
    *,
    roles: list[str] | None = None,
    scopes: frozenset[str] = frozenset(),
    sign_in: frozenset[str] = frozenset(),
) -> str:
    """Sign a token for a resource, in the version that the resource wants.

    `scopes` are those of the resource, `sign_in` those of OpenID Connect that were asked for.
    """
    version = _version(cloud, resource)
    claims = _shared(cloud, bearer, version)
    if version == 2:
        claims |= {
            "aud": resource.body["appId"],
            "azp": bearer.client_id,
            "azpacr": bearer.proof,
        }
    else:
        claims |= {
            "aud": audience,
            "appid": bearer.client_id,
            "appidacr": bearer.proof,
            "app_displayname": bearer.client.body["displayName"],
        }
    if bearer.user is None:
        claims |= {"idtyp": "app", "oid": bearer.client.id, "sub": bearer.client.id}
        claims |= {"roles": roles} if roles else {}
    else:
        claims |= {
            "idtyp": "user",
            "oid": bearer.user.id,
            "sub": pairwise(bearer.user.id, resource.body["appId"]),
            "scp": " ".join(sorted(scopes)),
            "wids": list(bearer.user.linked("directoryRoles")),
            **_names(bearer.user, version, sign_in),
        }
    return _signed(cloud, claims)


def id_token(
    cloud: Cloud, bearer: Bearer, user: Record, nonce: str, version: int, sign_in: frozenset[str]
) -> str:
    """Sign the token that tells an application who signed in, in the endpoint's version."""
    claims = _shared(cloud, bearer, version) | {
        "aud": bearer.client_id,
        "sub": pairwise(user.id, bearer.client_id),
        **_names(user, version, sign_in),
    }
    if version == 1 or "profile" in sign_in:
        claims["oid"] = user.id
    if "email" in sign_in and user.body["mail"]:
        claims["email"] = user.body["mail"]
    return _signed(cloud, claims | ({"nonce": nonce} if nonce else {}))


def client_info(user_id: str, tenant_id: str) -> str:
    """Write what MSAL asks for to tell accounts apart."""
    text = json.dumps({"uid": user_id, "utid": tenant_id})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _version(cloud: Cloud, resource: Record) -> int:
    found = cloud.registration(resource.body["appId"])
    wanted = found[1].body["api"]["requestedAccessTokenVersion"] if found is not None else None
    return 2 if wanted == 2 else 1


def _names(user: Record, version: int, sign_in: frozenset[str]) -> Json:
    """Say who a user is: always in version 1, for the scope `profile` in version 2."""
    name, account = user.body["displayName"], user.body["userPrincipalName"]
    if version == 1:
        return {"name": name, "upn": account, "unique_name": account, "amr": ["pwd"]}
    return {"name": name, "preferred_username": account} if "profile" in sign_in else {}


def _shared(cloud: Cloud, bearer: Bearer, version: int) -> Json:
    now = int(cloud.clock.now().timestamp())
    return {
        "iss": issuer(bearer.origin, bearer.tenant.id, version),
        "iat": now,
        "nbf": now,
        "exp": now + int(cloud.config.token_lifetime.total_seconds()),
        "tid": bearer.tenant.id,
        "uti": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        "ver": f"{version}.0",
    }


def pairwise(user_id: str, audience: str) -> str:
    """Make a subject that differs from one application to the next."""
    digest = hashlib.sha256(f"{user_id}|{audience}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _signed(cloud: Cloud, claims: Json) -> str:
    token = cloud.key.sign(claims)
    cloud.vault.note(token)
    return token
