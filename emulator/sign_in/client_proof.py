"""Proof that a client is who it says: its secret, or an assertion of an issuer that it trusts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from emulator.clock import parse_time
from emulator.cloud import Cloud
from emulator.directory.store import Record
from emulator.sign_in import client_problems as problems
from emulator.sign_in.login_problems import missing_parameter
from emulator.sign_in.sign_in_view import Client, SignInView

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def prove(cloud: Cloud, view: SignInView, client: Client, form: Mapping[str, str]) -> str:
    """Return the id of the credential that a confidential client came with.

    LoginError if there is none, or it proves nothing.
    """
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != _ASSERTION_TYPE:
            raise missing_parameter("client_assertion_type")
        return _prove_by_assertion(cloud, view, client, form["client_assertion"])
    if form.get("client_secret"):
        return _prove_by_secret(cloud, view, client, form["client_secret"])
    if form.get("grant_type") == "client_credentials":
        raise problems.missing_own_credential()
    raise problems.missing_credential()


def _prove_by_secret(cloud: Cloud, view: SignInView, client: Client, secret: str) -> str:
    now = cloud.clock.now()
    principal = view.principal(client.id)
    own = principal.body["passwordCredentials"] if principal else []
    for credential in (*client.registration.body["passwordCredentials"], *own):
        if cloud.vault.matches(credential["keyId"], secret):
            if parse_time(credential["endDateTime"]) <= now:
                raise problems.expired_secret(client.id)
            if parse_time(credential["startDateTime"]) > now:
                break
            return str(credential["keyId"])
    raise problems.wrong_secret(client.id)


def _prove_by_assertion(cloud: Cloud, view: SignInView, client: Client, assertion: str) -> str:
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise problems.malformed_assertion() from error
    credentials = view.federated_credentials(client)
    if not credentials:
        raise problems.no_federation(client.id, client.name)
    credential = _matching(credentials, claims)
    _check_signature(cloud, assertion, str(credential.body["issuer"]))
    _check_time(cloud.clock.now(), claims)
    return credential.id


def _matching(credentials: list[Record], claims: dict[str, Any]) -> Record:
    """Find the credential that trusts these claims. LoginError says which of them does not fit."""
    issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
    audience = claims.get("aud", "")
    audiences = audience if isinstance(audience, list) else [audience]
    trusted = [one for one in credentials if one.body["issuer"] == issuer]
    if not trusted:
        raise problems.no_matching_federation(700211, "issuer", issuer)
    fitting = [
        one for one in trusted if any(name in audiences for name in one.body["audiences"] or ())
    ]
    if not fitting:
        raise problems.no_matching_federation(700212, "audience", ", ".join(map(str, audiences)))
    for credential in fitting:
        if credential.body["subject"] == subject:
            return credential
    if any(str(one.body["subject"]).lower() == subject.lower() for one in fitting):
        raise problems.subject_in_other_case(subject)
    raise problems.no_matching_federation(700213, "subject", subject)


def _check_signature(cloud: Cloud, assertion: str, issuer: str) -> None:
    keys = cloud.issuers.get(issuer)
    if keys is None:
        raise problems.unknown_issuer_keys()
    key_id = jwt.get_unverified_header(assertion).get("kid")
    named = [key for key in keys.keys if key_id in (None, key.key_id)]
    if not named:
        raise problems.unpublished_key(str(key_id), issuer)
    for key in named:
        try:
            jwt.decode(
                assertion,
                key,
                algorithms=["RS256", "ES256"],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
        except jwt.InvalidTokenError:
            continue
        return
    raise problems.bad_assertion_signature()


def _check_time(now: datetime, claims: dict[str, Any]) -> None:
    try:
        ends = datetime.fromtimestamp(float(claims["exp"]), UTC)
        starts = datetime.fromtimestamp(float(claims.get("nbf", claims.get("iat", 0))), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        # The last two, of an instant that is outside of the calendar.
        raise problems.malformed_assertion() from error
    if not starts <= now < ends:
        raise problems.assertion_out_of_time(now, starts, ends)
