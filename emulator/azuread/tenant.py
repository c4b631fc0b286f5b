"""The tenant that a configured provider works on: found, signed in to, ready for requests."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from emulator.azuread.configuration import Configuration
from emulator.azuread.errors import ConfigurationError, PluginError
from emulator.azuread.graph import GraphClient
from emulator.azuread.retries import Retries
from emulator.azuread.signin import TokenSource, choose_credential
from emulator.azuread.transport import LoopbackTransport, loopback_addresses, origin_of
from emulator.azuread.waits import Poll

METADATA = "/metadata/endpoints?api-version=2022-09-01"


@dataclass
class Tenant:
    """Graph, who we are there, and one lock for each application.

    The real plugin changes an application's collections (passwords, identifier URIs, ...) one at
    a time, because Graph has no way to change them conditionally.
    """

    graph: GraphClient
    tenant_id: str
    client_id: str
    caller_id: str
    poll: Poll = field(default_factory=Poll)
    _locks: defaultdict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))
    _guard: Lock = field(default_factory=Lock)

    def lock(self, application_id: str) -> Lock:
        """Give the lock of one application, by object id."""
        with self._guard:
            return self._locks[application_id]

    def reference(self, object_id: str) -> str:
        """Give the URL that names a directory object in `@odata.bind` and `$ref`."""
        return f"{self.graph.base_url}/v1.0/directoryObjects/{object_id}"


def connect(configuration: Configuration, retries: Retries | None = None) -> Tenant:
    """Find the tenant by its metadata host and sign in.

    Raises ConfigurationError when the configuration cannot work, PluginError when the tenant
    refuses.
    """
    if not configuration.metadata_host:
        raise ConfigurationError(
            "This is the stand-in azuread plugin, which serves an embedded tenant on this machine "
            "only, and no tenant was named: set azuread:metadataHost or ARM_METADATA_HOSTNAME to "
            "what the started tenant prints. For a tenant in the cloud install the real plugin: "
            "pulumi plugin install resource azuread 6.10.0."
        )
    credential = choose_credential(configuration)
    retries = retries or Retries()
    transport = LoopbackTransport()
    metadata = _metadata(transport, retries, configuration.metadata_host)
    graph_url = _endpoint(metadata, "microsoftGraphResourceId")
    login_url = _endpoint(metadata, "authentication", "loginEndpoint")
    tokens = TokenSource(
        transport,
        f"{login_url}/{configuration.tenant_id}/oauth2/v2.0/token",
        f"{graph_url}/.default",
        configuration.client_id,
        credential,
        retries,
    )
    try:
        claims = tokens.claims()
    except PluginError as failure:
        raise PluginError(f"building client: unable to obtain access token: {failure}") from failure
    graph = GraphClient(transport, graph_url, tokens.token, retries)
    caller_id = claims.get("oid") or _find_caller(graph, configuration.client_id)
    return Tenant(graph, configuration.tenant_id, configuration.client_id, caller_id)


def _metadata(transport: LoopbackTransport, retries: Retries, host: str) -> dict[str, Any]:
    url = f"https://{host}{METADATA}"
    answer = retries.answer(
        lambda: transport.send("GET", url, headers={"Accept": "application/json"}), repeatable=True
    )
    if answer.status != 200:
        raise ConfigurationError(
            f"{url} answered with HTTP status {answer.status}: "
            f"azuread:metadataHost must name an embedded tenant."
        )
    try:
        metadata: dict[str, Any] = json.loads(answer.body.decode("utf-8-sig"))
    except ValueError as failure:
        raise ConfigurationError(f"{url} did not answer in JSON.") from failure
    return metadata


def _endpoint(metadata: dict[str, Any], *path: str) -> str:
    value: Any = metadata
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"The tenant's metadata names no {'.'.join(path)}.")
    # The socket would refuse a foreign host as well; here it is said before a token is asked for.
    loopback_addresses(*origin_of(urlsplit(value)))
    return value.rstrip("/")


def _find_caller(graph: GraphClient, client_id: str) -> str:
    found = list(graph.list("/servicePrincipals", filter=f"appId eq '{client_id}'"))
    if len(found) != 1:
        raise PluginError(
            f"attempting to discover object ID for authenticated service principal: unexpected "
            f"number of results, expected 1, received {len(found)}"
        )
    return str(found[0]["id"])
