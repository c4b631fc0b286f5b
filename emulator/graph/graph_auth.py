"""Who calls: the bearer token of a Graph request, judged by signature, audience and time."""

from functools import lru_cache
from typing import Any

import jwt

from emulator.cloud import Cloud
from emulator.directory.first_party import GRAPH_APP_ID
from emulator.directory.roles import ADMINISTRATOR_ROLES
from emulator.graph.permissions import Caller
from emulator.odata.problems import unauthenticated

_AUDIENCES = frozenset(
    {GRAPH_APP_ID, "https://graph.microsoft.com", "https://graph.microsoft.com/"}
)
_CLOCK_SKEW_SECONDS = 300
"""By which a token may be ahead of the tenant's clock."""


def caller_of(cloud: Cloud, authorization: str, own_audiences: frozenset[str]) -> Caller:
    """Return the bearer of the token in an Authorization header.

    GraphError 401 if there is none, or it is not accepted.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated("Access token is empty.")
    claims = _claims(cloud, token.strip())
    if claims.get("aud") not in _AUDIENCES | own_audiences:
        raise unauthenticated("Access token validation failure. Invalid audience.")
    now = cloud.clock.now().timestamp()
    if float(claims["exp"]) <= now:
        raise expired()
    if float(claims["nbf"]) - _CLOCK_SKEW_SECONDS > now:
        raise unauthenticated("Lifetime validation failed, the token is not yet valid.")
    return Caller(
        tenant_id=claims["tid"],
        client_id=claims["appid"],
        object_id=claims["oid"],
        roles=frozenset(claims.get("roles", ())),
        scopes=frozenset(str(claims.get("scp", "")).split()),
        user=claims.get("idtyp") != "app",
        administrator=bool(ADMINISTRATOR_ROLES & frozenset(claims.get("wids", ()))),
    )


def expired() -> Exception:
    """Make the refusal of a token whose time is over."""
    return unauthenticated("Lifetime validation failed, the token is expired.")


def _claims(cloud: Cloud, token: str) -> dict[str, Any]:
    if "." not in token:
        raise unauthenticated(
            "IDX14100: JWT is not well formed, there are no dots (.).\nThe token needs to be in "
            "JWS or JWE Compact Serialization Format. (JWS): "
            "'EncodedHeader.EncodedPayload.EncodedSignature'. (JWE): "
            "'EncodedProtectedHeader.EncodedEncryptedKey.EncodedInitializationVector."
            "EncodedCiphertext.EncodedAuthenticationTag'."
        )
    try:
        return cloud.key.verify(token)
    except jwt.InvalidSignatureError as error:
        raise unauthenticated("Signature is invalid.") from error
    except jwt.InvalidTokenError as error:
        raise unauthenticated("InvalidAuthenticationToken") from error


@lru_cache(256)
def claimed_client(authorization: str) -> str | None:
    """Read which application a token says it is for, without believing it."""
    token = authorization.partition(" ")[2].strip()
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    client_id = claims.get("appid")
    return client_id if isinstance(client_id, str) and client_id.isprintable() else None
