"""Refusals of an application's proof of itself: its secret, and assertions of federated issuers."""

from datetime import datetime

from emulator.clock import graph_time
from emulator.sign_in.login_problems import LoginError


def wrong_secret(client_id: str) -> LoginError:
    """Refuse: the secret is none of the application's, or has not spread yet."""
    return LoginError(
        7000215,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
        f"secret value, not the client secret ID, for a secret added to app '{client_id}'.",
        status=401,
    )


def expired_secret(client_id: str) -> LoginError:
    """Refuse: the secret's end has passed."""
    return LoginError(
        7000222,
        "invalid_client",
        f"The provided client secret keys for app '{client_id}' are expired. Visit the Azure "
        "portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
        "certificate credentials for added security: https://aka.ms/certCreds.",
        status=401,
    )


def missing_credential() -> LoginError:
    """Refuse: a confidential client sent neither secret nor assertion."""
    return LoginError(
        7000218,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
        status=401,
    )


def missing_own_credential() -> LoginError:
    """Refuse: an application that asks for itself sent neither."""
    return LoginError(
        7000216,
        "invalid_client",
        "'client_assertion', 'client_secret' or 'request' is required for the "
        "'client_credentials' grant type.",
        status=401,
    )


def public_with_credential() -> LoginError:
    """Refuse: a public client sent a secret or assertion."""
    return LoginError(
        700025,
        "invalid_client",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
        status=401,
    )


def no_federation(client_id: str, name: str) -> LoginError:
    """Refuse: an assertion for an application that has no federated credential."""
    return LoginError(
        70025,
        "invalid_client",
        f"The client '{client_id}'({name}) has no configured federated identity credentials.",
        status=401,
    )


def no_matching_federation(number: int, part: str, value: str) -> LoginError:
    """No federated credential of the application fits that part of the assertion."""
    return LoginError(
        number,
        "invalid_client",
        f"No matching federated identity record found for presented assertion {part} '{value}'. "
        "Check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion. https://learn.microsoft.com/entra/workload-id/"
        "workload-identity-federation",
        status=401,
    )


def subject_in_other_case(subject: str) -> LoginError:
    """Refuse: a federated credential has the subject, but in other capitals."""
    return LoginError(
        7002138,
        "invalid_client",
        f"No matching federated identity record found for presented assertion subject '{subject}'. "
        "The subject matches with case-insensitive comparison, but not with case-sensitive "
        "comparison. Check your federated identity credential Subject, Audience and Issuer against "
        "the presented assertion. See documentation at: https://learn.microsoft.com/entra/"
        "workload-id/workload-identity-federation. See breaking change notification and "
        "remediation at: https://learn.microsoft.com/en-us/entra/identity-platform/"
        "reference-breaking-changes#august-2024.",
        status=401,
    )


def unknown_issuer_keys() -> LoginError:
    """Refuse: the keys of an assertion's issuer cannot be had."""
    return LoginError(50166, "invalid_request", "Request to External OIDC endpoint failed.")


def unpublished_key(key_id: str, issuer: str) -> LoginError:
    """Refuse: the assertion is signed by a key that its issuer does not show."""
    return LoginError(
        7000272,
        "invalid_client",
        f"The certificate with identifier {key_id} used to sign the federated credential could not "
        f"be found in the metadata of identity provider {issuer}. Please validate that your "
        "Identity Provider's metadata exposes the key used to sign the incoming token.",
        status=401,
    )


def bad_assertion_signature() -> LoginError:
    """Refuse: the assertion names a key of its issuer's and is not signed by it."""
    return LoginError(
        700027, "invalid_client", "Client assertion failed signature validation.", 401
    )


def malformed_assertion() -> LoginError:
    """Refuse: the assertion is no JSON Web Token."""
    return LoginError(50027, "invalid_request", "JWT token is invalid or malformed.", 400)


def assertion_out_of_time(now: datetime, starts: datetime, ends: datetime) -> LoginError:
    """Refuse: the assertion is too old or too new."""
    return LoginError(
        700024,
        "invalid_client",
        "Client assertion is not within its valid time range. "
        f"Current time: {graph_time(now)}, assertion valid from {graph_time(starts)}, "
        f"expiry time of assertion {graph_time(ends)}.",
        status=401,
    )
