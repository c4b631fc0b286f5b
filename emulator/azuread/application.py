"""azuread:index/application:Application: the order of its calls, and what it retries.

After creating, it patches the name twice (a temporary one, then the right one): the answers tell
whether the object has reached the replica that answers. Only these two and later updates are
repeated on 404 and 409. The caller, made owner by the creation, is removed unless it is listed.
"""

from typing import Any, ClassVar
from uuid import uuid4

from emulator.azuread import ids, owners
from emulator.azuread.application_shape import FIELDS, from_graph, to_graph
from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.graph import GraphError
from emulator.azuread.plan import differs
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.schema import Fields, Timeouts
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import Properties

KIND = "azuread_application"


class Application(Resource):
    """An application registration."""

    token = "azuread:index/application:Application"  # noqa: S105 a type token
    fields: ClassVar[Fields] = FIELDS
    timeouts = Timeouts()
    version = 2
    import_id = ids.APPLICATION

    def create(self, tenant: Tenant, instance: Instance) -> None:
        """Create, name again, settle owners."""
        if instance["preventDuplicateNames"]:
            _refuse_duplicate(tenant, instance["displayName"], but="")
        body = to_graph(instance.planned)
        body["owners@odata.bind"], rest = owners.at_creation(tenant, instance)
        # Graph refuses acceptMappedClaims at creation to who may only write what it owns.
        mapped_claims = body["api"]["acceptMappedClaims"]
        body["api"]["acceptMappedClaims"] = False
        try:
            made = tenant.graph.post("/applications", body)
        except PluginError as failure:
            raise DiagnosticError("Could not create application", failure) from failure
        object_id: str = made["id"]
        instance.id = f"/applications/{object_id}"
        for name in (f"TERRAFORM_UPDATE_{uuid4()}", instance["displayName"]):
            _patch_new(tenant, object_id, {"displayName": name})
        if mapped_claims:
            _patch_new(tenant, object_id, {"api": {**body["api"], "acceptMappedClaims": True}})
        owners.complete(tenant, instance, instance.id, ids.shown_application(object_id), rest)

    def read(self, tenant: Tenant, instance: Instance) -> Properties | None:
        """Read v1.0, then what only beta tells, then the owners."""
        (object_id,) = ids.parse(ids.APPLICATION, instance.id)
        app = get_application(tenant, object_id)
        if app is None:
            return None
        shown = ids.shown_application(object_id)
        path = f"/applications/{object_id}"
        try:
            extra = tenant.graph.get(path, version="beta", select="oauth2RequirePostResponse")
        except PluginError as failure:
            raise DiagnosticError(
                f"Retrieving additional properties for {shown}", failure
            ) from failure
        try:
            owner_ids = sorted(owner["id"] for owner in tenant.graph.list(f"{path}/owners"))
        except PluginError as failure:
            raise DiagnosticError(f"Could not retrieve owners for {shown}", failure) from failure
        return {
            **from_graph(app),
            "logoImage": instance.planned.get("logoImage") or "",
            "oauth2PostResponseRequired": bool(extra.get("oauth2RequirePostResponse")),
            "owners": owner_ids,
            "preventDuplicateNames": bool(instance.planned.get("preventDuplicateNames")),
        }

    def update(self, tenant: Tenant, instance: Instance, changed: frozenset[str]) -> None:
        """Disable what is going to change or go, then patch."""
        (object_id,) = ids.parse(ids.APPLICATION, instance.id)
        shown = ids.shown_application(object_id)
        if instance["preventDuplicateNames"]:
            _refuse_duplicate(tenant, instance["displayName"], but=object_id)
        if _scopes_differ(instance.prior, instance.planned):
            changed |= {"api.oauth2PermissionScopes"}
        body = to_graph(instance.planned, changed)
        if "appRoles" in body:
            _disable(tenant, object_id, ("appRoles",), body["appRoles"])
        if "oauth2PermissionScopes" in body["api"]:
            scopes = body["api"]["oauth2PermissionScopes"]
            _disable(tenant, object_id, ("api", "oauth2PermissionScopes"), scopes)
        try:
            tenant.graph.patch(f"/applications/{object_id}", body, retry=_is_behind)
        except PluginError as failure:
            raise DiagnosticError(f"Could not update {shown}", failure) from failure
        if "owners" in changed:
            owners.settle(tenant, instance, f"/applications/{object_id}", shown)

    def delete(self, tenant: Tenant, instance: Instance) -> None:
        """Delete, and wait until it is gone; one that is gone already is an error."""
        (object_id,) = ids.parse(ids.APPLICATION, instance.id)
        shown = ids.shown_application(object_id)
        try:
            tenant.graph.delete(f"/applications/{object_id}")
        except PluginError as failure:
            raise DiagnosticError(f"Deleting {shown}", failure) from failure
        try:
            tenant.poll.until(lambda: get_application(tenant, object_id) is None)
        except PluginError as failure:
            raise DiagnosticError(f"Waiting for deletion of {shown}", failure) from failure

    def recomputed(self, prior: Properties, planned: Properties) -> tuple[str, ...]:
        """Name the maps of ids, which follow the roles and scopes."""
        names = []
        if differs(FIELDS["appRoles"], prior.get("appRoles"), planned["appRoles"]):
            names.append("appRoleIds")
        if _scopes_differ(prior, planned):
            names.append("oauth2PermissionScopeIds")
        return tuple(names)


def get_application(tenant: Tenant, object_id: str) -> dict[str, Any] | None:
    """Read one application, or None when it is not found; raises DiagnosticError."""
    try:
        app: dict[str, Any] = tenant.graph.get(f"/applications/{object_id}")
    except GraphError as failure:
        if failure.status == 404:
            return None
        raise DiagnosticError(
            f"Retrieving {ids.shown_application(object_id)}", failure
        ) from failure
    return app


def _is_behind(error: GraphError) -> bool:
    return error.status in (404, 409) or (
        error.status == 400
        and error.matches(
            r"Permission \(scope or role\) cannot be deleted or updated unless disabled first"
        )
    )


def _patch_new(tenant: Tenant, object_id: str, change: dict[str, Any]) -> None:
    body = {"@odata.type": "#microsoft.graph.application", **change}
    try:
        tenant.graph.patch(f"/applications/{object_id}", body, retry=_is_behind)
    except GraphError as failure:
        if failure.status == 404:
            raise DiagnosticError(
                "Timed out whilst waiting for new application to be replicated in Azure AD",
                failure,
            ) from failure
        raise DiagnosticError(
            f"Failed to patch {ids.shown_application(object_id)} after creating", failure
        ) from failure


def _refuse_duplicate(tenant: Tenant, name: str, *, but: str) -> None:
    escaped = name.replace("'", "''")
    for found in tenant.graph.list("/applications", filter=f"displayName eq '{escaped}'"):
        if found.get("displayName") == name and found["id"] != but:
            raise DiagnosticError(
                f'An existing "{KIND}" with name "{name}" (ID: "{found["id"]}") was found and '
                f"`prevent_duplicate_names` was specified",
                f"To be managed via Terraform, this resource needs to be imported into the State. "
                f'Please see the resource documentation for "{KIND}" for more information.',
            )


def _scopes_differ(prior: Properties, planned: Properties) -> bool:
    field = FIELDS["api"].fields["oauth2PermissionScopes"]
    before, after = ((block or {}).get("oauth2PermissionScopes") for block in _apis(prior, planned))
    return differs(field, before, after)


def _apis(prior: Properties, planned: Properties) -> tuple[Any, Any]:
    planned_api = planned["api"]
    return prior.get("api"), planned_api if isinstance(planned_api, dict) else {}


def _disable(
    tenant: Tenant, object_id: str, path: tuple[str, ...], wanted: list[dict[str, Any]]
) -> None:
    """Disable roles or scopes that change or go: Graph lets no enabled one be changed."""
    kept = {item["id"]: item for item in wanted}

    def current() -> list[dict[str, Any]]:
        value: Any = get_application(tenant, object_id) or {}
        for step in path:
            value = value.get(step) or {}
        return list(value)

    def must_go(item: dict[str, Any]) -> bool:
        after = kept.get(item["id"])
        return bool(item.get("isEnabled")) and (
            after is None or any(item.get(name) != value for name, value in after.items())
        )

    present = current()
    going = {item["id"] for item in present if must_go(item)}
    if not going:
        return
    disabled = [{**item, "isEnabled": False} if item["id"] in going else item for item in present]
    body: dict[str, Any] = {path[-1]: disabled}
    for step in reversed(path[:-1]):
        body = {step: body}
    tenant.graph.patch(f"/applications/{object_id}", body, retry=_is_behind)
    tenant.poll.until(
        lambda: not any(item.get("isEnabled") for item in current() if item["id"] in going)
    )
