"""Which Application ID URIs a tenant accepts."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from emulator.graph_call import Call
from emulator.problems import GraphProblem, bad_request
from emulator.store import Json, Kind

_LONGEST = 255


def check_identifier_uris(call: Call, body: Json, *, added: Iterable[str]) -> None:
    """GraphProblem 400 if one of the URIs that are `added` to the application may not be."""
    for uri in added:
        _check_form(uri)
        _check_verified(call, body, uri)
        _check_unique(call, body, uri)


def _check_form(uri: object) -> None:
    if not isinstance(uri, str) or "*" in uri or len(uri) > _LONGEST or not urlsplit(uri).scheme:
        raise bad_request(
            "Invalid value specified for property 'identifierUris' of resource 'Application'."
        )


def _check_verified(call: Call, body: Json, uri: str) -> None:
    parts = urlsplit(uri)
    names = [parts.netloc, *parts.path.split("/")]
    if parts.scheme == "api" and (body["appId"] in names or call.tenant.id in names):
        return
    host = (parts.hostname or "").lower()
    if parts.scheme in ("https", "http", "api") and any(
        host == domain or host.endswith(f".{domain}") for domain in call.tenant.domains
    ):
        return
    if parts.scheme in ("api", "http", "https"):
        raise GraphProblem(
            400,
            "HostNameNotOnVerifiedDomain",
            "Values of identifierUris property must use a verified domain of the organization or "
            f"its subdomain: '{uri}'",
        )


def _check_unique(call: Call, body: Json, uri: str) -> None:
    for other in call.tenant.store.latest(Kind.APPLICATION):
        if other.id != body["id"] and uri in other.body["identifierUris"]:
            raise bad_request(
                "Another object with the same value for property identifierUris already exists."
            )
