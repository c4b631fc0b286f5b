"""Who calls: the bearer token of a Graph request, judged by signature, audience, time and tenant."""

from typing import Any

import jwt

from emulator.cloud import Cloud
from emulator.first_party import GRAPH_APP_ID
from emulator.permissions import ADMINISTRATOR_ROLES, Caller
from emulator.problems import unauthenticated

GRAPH_AUDIENCES = frozenset(
    {GRAPH_APP_ID, "https://graph.microsoft.com", "https://graph.microsoft.com/"}
)


def caller_of(cloud: Cloud, authorization: str | None, own_audiences: frozenset[str]) -> Caller:
    """The bearer of the token in an Authorization header. GraphProblem 401 if it is not accepted."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated("Access token is empty.")
    claims = _claims(cloud, token.strip())
    if claims.get("aud") not in GRAPH_AUDIENCES | own_audiences:
        raise unauthenticated("Access token validation failure. Invalid audience.")
    if float(claims.get("exp", 0)) <= cloud.clock.now().timestamp():
        raise unauthenticated("Lifetime validation failed, the token is expired.")
    if claims.get("tid") not in cloud.tenants:
        raise unauthenticated("Access token validation failure.")
    scopes = frozenset(str(claims.get("scp", "")).split())
    return Caller(
        tenant_id=claims["tid"],
        client_id=claims.get("appid") or claims.get("azp", ""),
        object_id=claims["oid"],
        roles=frozenset(claims.get("roles", ())),
        scopes=scopes,
        user=claims.get("idtyp") != "app",
        administrator=bool(ADMINISTRATOR_ROLES & frozenset(claims.get("wids", ()))),
    )


def _claims(cloud: Cloud, token: str) -> dict[str, Any]:
    try:
        return cloud.key.verify(token)
    except jwt.InvalidSignatureError as error:
        raise unauthenticated("Signature is invalid.") from error
    except jwt.InvalidTokenError as error:
        raise unauthenticated("CompactToken parsing failed with error code: 80049217") from error
