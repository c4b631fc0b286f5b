"""What clients read before they sign in: cloud metadata, OpenID and instance discovery, keys."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator.cloud import Cloud
from emulator.directory.tenant import Tenant
from emulator.json_text import Json
from emulator.sign_in.login_problems import (
    LoginError,
    no_instance,
    unknown_instance,
    unknown_tenant,
)
from emulator.sign_in.refusal import origin_of, refused
from emulator.sign_in.sign_in_view import ANY_TENANT

USER_INFO = "/oidc/userinfo"
"""The path of OpenID Connect's UserInfo endpoint, which Graph hosts."""


class Discovery:
    """Answers `/metadata/endpoints`, the OpenID configuration, instance discovery and keys."""

    def __init__(self, cloud: Cloud, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self._origins = origins

    def metadata(self, request: Request) -> Response:
        """Tell the endpoints of the cloud."""
        version = request.query_params.get("api-version", "")
        return JSONResponse(_cloud_metadata(origin_of(request), version))

    def configuration(self, request: Request) -> Response:
        """Tell the OpenID configuration of a tenant, or of `common` and its like."""
        name = request.path_params["tenant"]
        version = 2 if "/v2.0/" in request.url.path else 1
        tenant = self._cloud.tenant(name)
        if tenant is None and name not in ANY_TENANT:
            return refused(self._cloud, request, unknown_tenant(name, "invalid_tenant"))
        return JSONResponse(_openid_configuration(origin_of(request), name, tenant, version))

    def instances(self, request: Request) -> Response:
        """Tell which hosts are aliases of the one that is asked about."""
        origin, given = origin_of(request), request.query_params
        asked = [given[name] for name in ("issuer", "authorization_endpoint") if given.get(name)]
        try:
            return JSONResponse(_instance_discovery(origin, self._origins | {origin}, asked))
        except LoginError as problem:
            return refused(self._cloud, request, problem)

    def keys(self, _: Request) -> Response:
        """Tell the keys that tokens are signed with."""
        return JSONResponse(self._cloud.key.published)


def _cloud_metadata(origin: str, api_version: str) -> Json | list[Json]:
    """`/metadata/endpoints`, by which a client learns the endpoints of a cloud it does not know.

    One cloud, or a list of all where the Azure CLI asks for them by an older `api-version`.
    """
    cloud = {
        "name": "Emulator",
        "portal": origin,
        "authentication": {
            "loginEndpoint": origin,
            "audiences": [f"{origin}/", origin],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": f"{origin}/",
        "microsoftGraphResourceId": f"{origin}/",
        "graph": f"{origin}/",
        "graphAudience": f"{origin}/",
        "suffixes": {},
    }
    return [cloud] if api_version == "2019-05-01" else cloud


def issuer(origin: str, tenant_id: str, version: int) -> str:
    """Return the issuer of a tenant's tokens."""
    return f"{origin}/{tenant_id}/v2.0" if version == 2 else f"{origin}/{tenant_id}/"


def _openid_configuration(origin: str, name: str, tenant: Tenant | None, version: int) -> Json:
    """Return the OpenID provider metadata at `name`: a tenant, or `common` and its like."""
    path = f"{origin}/{tenant.id if tenant is not None else name}"
    oauth2 = f"{path}/oauth2/v2.0" if version == 2 else f"{path}/oauth2"
    keys = f"{path}/discovery/v2.0/keys" if version == 2 else f"{origin}/common/discovery/keys"
    return {
        "token_endpoint": f"{oauth2}/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": keys,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer(origin, tenant.id if tenant is not None else "{tenantid}", version),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{origin}{USER_INFO}",
        "authorization_endpoint": f"{oauth2}/authorize",
        "http_logout_supported": False,
        "claims_supported": [
            "sub",
            "iss",
            "aud",
            "exp",
            "iat",
            "nonce",
            "preferred_username",
            "name",
            "tid",
            "ver",
            "oid",
            "email",
        ],
        "tenant_region_scope": None,
        "cloud_instance_name": origin.partition("://")[2],
        "msgraph_host": origin.partition("://")[2],
    }


def _instance_discovery(origin: str, known: frozenset[str], addresses: list[str]) -> Json:
    """`/common/discovery/instance`: which hosts are aliases of this one.

    `addresses` are the issuer and the authorization endpoint that are asked about. LoginError if it
    is not one of both, or of none of the `known` origins.
    """
    if len(addresses) != 1:
        raise no_instance()
    scheme, _, rest = addresses[0].partition("://")
    asked, _, path = rest.partition("/")
    if f"{scheme}://{asked}".lower() not in {one.lower() for one in known}:
        raise unknown_instance()
    host = origin.partition("://")[2]
    tenant = path.partition("/")[0]
    found = f"{origin}/{tenant or 'common'}/v2.0/.well-known/openid-configuration"
    return {
        "tenant_discovery_endpoint": found,
        "api-version": "1.1",
        "metadata": [
            {"preferred_network": host, "preferred_cache": host, "aliases": [host]},
        ],
    }
