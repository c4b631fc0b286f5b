"""The token endpoint: proves the client, finds what it may do, and signs tokens that say so."""

import base64
import json
import uuid
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import Response

from emulator import login_problems as problems
from emulator.clock import parse_time
from emulator.cloud import Cloud
from emulator.discovery import issuer
from emulator.first_party import GRAPH_APP_ID
from emulator.history import Exchange
from emulator.login_problems import LoginProblem
from emulator.replicas import View
from emulator.store import Json, Kind, Record
from emulator.tenant import Tenant

_ANY_TENANT = ("common", "organizations", "consumers")


@dataclass(frozen=True)
class TokenRequest:
    """A request for tokens, as it came."""

    form: dict[str, str]
    tenant_name: str
    origin: str
    version: int
    """1 for `/oauth2/token` with `resource`, 2 for `/oauth2/v2.0/token` with `scope`."""

    def need(self, name: str) -> str:
        """A parameter that must be there. LoginProblem AADSTS900144 if not."""
        if not (value := self.form.get(name, "")):
            raise problems.missing_parameter(name)
        return value


class TokenEndpoint:
    """Answers `POST /{tenant}/oauth2/v2.0/token` and its older form."""

    def __init__(self, cloud: Cloud, origins: frozenset[str]) -> None:
        self._cloud = cloud
        self._origins = origins

    async def respond(self, request: Request) -> Response:
        """Answer one HTTP request."""
        exchange: Exchange = request.scope["emulator.exchange"]
        origin = f"{request.url.scheme}://{request.headers['host']}"
        correlation_id = request.headers.get("client-request-id", str(uuid.uuid4()))
        asked = TokenRequest(
            form=_form(await request.body(), request.headers.get("authorization", "")),
            tenant_name=request.path_params["tenant"],
            origin=origin,
            version=2 if "/v2.0/" in request.url.path else 1,
        )
        exchange.client_id = asked.form.get("client_id")
        try:
            body, status = self._answer(asked, exchange), 200
        except LoginProblem as problem:
            now, trace_id = self._cloud.clock.now(), str(uuid.uuid4())
            body, status = problem.body(now, trace_id, correlation_id, origin), problem.status
        headers = {
            "content-type": "application/json; charset=utf-8",
            "cache-control": "no-store, no-cache",
            "pragma": "no-cache",
            "client-request-id": correlation_id,
            "x-ms-request-id": str(uuid.uuid4()),
        }
        return Response(json.dumps(body), status_code=status, headers=headers)

    def _answer(self, asked: TokenRequest, exchange: Exchange) -> Json:
        grant_type = asked.need("grant_type")
        if grant_type != "client_credentials":
            raise problems.unsupported_grant_type(grant_type)
        client_id = asked.need("client_id")
        tenant = self._cloud.tenant(asked.tenant_name)
        if tenant is None:
            if asked.tenant_name not in _ANY_TENANT:
                raise problems.unknown_tenant(asked.tenant_name)
            raise self._on_common(client_id, asked.tenant_name)
        exchange.tenant_id = tenant.id
        view = self._cloud.replicas.for_sign_in()
        registration = self._registration(tenant, view, client_id)
        exchange.credential = self._prove_by_secret(asked, registration)
        principal = tenant.seen_by_app_id(view, Kind.SERVICE_PRINCIPAL, client_id)
        if principal is None:
            raise problems.missing_principal(client_id, tenant.id)
        if not principal.body["accountEnabled"]:
            raise problems.disabled_application(client_id, principal.body["displayName"])
        exchange.caller_id = principal.id
        audience, resource = self._resource(tenant, view, asked)
        return self._application_token(asked, tenant, view, principal, audience, resource)

    def _on_common(self, client_id: str, name: str) -> LoginProblem:
        found = self._cloud.registration(client_id)
        if found is None:
            return problems.unknown_application(client_id, name)
        body = found[1].body
        if body["signInAudience"] == "AzureADMyOrg":
            return problems.single_tenant_on_common(client_id, body["displayName"])
        return problems.unknown_tenant(name)

    def _registration(self, tenant: Tenant, view: View, client_id: str) -> Record:
        """The application of a client, if the tenant knows it."""
        found = self._cloud.registration(client_id)
        if found is None:
            raise problems.unknown_application(client_id, tenant.spec.display_name)
        home, registration = found
        seen = home.seen(view, Kind.APPLICATION, registration.id)
        if seen is None:
            raise problems.unknown_application(client_id, tenant.spec.display_name)
        if home is not tenant and tenant.principal_of(client_id) is None:
            raise problems.unknown_application(client_id, tenant.spec.display_name)
        return seen

    def _prove_by_secret(self, asked: TokenRequest, registration: Record) -> str:
        """The key id of the secret that came. LoginProblem if it is none of the application's."""
        client_id = registration.body["appId"]
        secret = asked.form.get("client_secret")
        if not secret:
            raise problems.missing_credential()
        now = self._cloud.clock.now()
        for credential in registration.body["passwordCredentials"]:
            if self._cloud.vault.matches(credential["keyId"], secret):
                if parse_time(credential["endDateTime"]) <= now:
                    raise problems.expired_secret(client_id)
                if parse_time(credential["startDateTime"]) > now:
                    raise problems.wrong_secret(client_id)
                return str(credential["keyId"])
        raise problems.wrong_secret(client_id)

    def _resource(self, tenant: Tenant, view: View, asked: TokenRequest) -> tuple[str, Record]:
        """The audience as it was written, and the resource's service principal."""
        if asked.version == 1:
            name = asked.need("resource")
        else:
            scope = asked.need("scope")
            names = scope.split()
            if len(names) != 1 or not names[0].endswith("/.default"):
                raise problems.not_default_scope(scope)
            name = names[0].removesuffix("/.default")
        resource = self._principal_named(tenant, view, name)
        if resource is None:
            raise problems.unknown_resource(name, tenant.spec.display_name)
        return name, resource

    def _principal_named(self, tenant: Tenant, view: View, name: str) -> Record | None:
        if name.rstrip("/") in self._origins:
            return tenant.seen_by_app_id(view, Kind.SERVICE_PRINCIPAL, GRAPH_APP_ID)
        for entry in tenant.store.entries(Kind.SERVICE_PRINCIPAL):
            record = view.record(entry)
            if record is not None and record.deleted_at is None:
                if name in record.body["servicePrincipalNames"]:
                    return record
        return None

    def _application_token(
        self,
        asked: TokenRequest,
        tenant: Tenant,
        view: View,
        principal: Record,
        audience: str,
        resource: Record,
    ) -> Json:
        roles = _app_roles(tenant, view, principal, resource)
        claims = self._common_claims(asked, tenant, audience, resource) | {
            "appid": principal.body["appId"],
            "appidacr": "1",
            "app_displayname": principal.body["displayName"],
            "idtyp": "app",
            "oid": principal.id,
            "sub": principal.id,
        }
        if roles:
            claims["roles"] = roles
        token = self._cloud.key.sign(claims)
        self._cloud.vault.note(token)
        seconds = claims["exp"] - claims["iat"]
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        }

    def _common_claims(
        self, asked: TokenRequest, tenant: Tenant, audience: str, resource: Record
    ) -> Json:
        now = int(self._cloud.clock.now().timestamp())
        return {
            "aud": audience,
            "iss": issuer(asked.origin, tenant.id, 1),
            "iat": now,
            "nbf": now,
            "exp": now + int(self._cloud.config.token_lifetime.total_seconds()),
            "tid": tenant.id,
            "uti": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
            "ver": "1.0",
        }


def _app_roles(tenant: Tenant, view: View, principal: Record, resource: Record) -> list[str]:
    """The values of the app roles of `resource` that are assigned to `principal`."""
    values = {role["id"]: role["value"] for role in resource.body["appRoles"]}
    entries = tenant.store.entries(Kind.APP_ROLE_ASSIGNMENT, "principalId", principal.id)
    return [
        values[assignment.body["appRoleId"]]
        for _, assignment in view.records(entries)
        if assignment.body["resourceId"] == resource.id and assignment.body["appRoleId"] in values
    ]


def _form(body: bytes, authorization: str) -> dict[str, str]:
    """The form's fields; client id and secret may come by HTTP Basic authentication instead."""
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return form
        form |= {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}
    return form
