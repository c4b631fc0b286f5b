"""Soft deletion: what goes to the recycle bin together, what comes back, and what counts."""

from dataclasses import replace

from emulator.clock import graph_time
from emulator.directory.store import Change, Kind, Record
from emulator.directory.tenant import RECYCLE_BIN, Tenant
from emulator.graph.permissions import Caller
from emulator.odata.problems import bad_request, duplicate, quota_exceeded

BINNED_KINDS = (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL, Kind.USER)


def soft_delete(tenant: Tenant, record: Record) -> None:
    """Put an object into the recycle bin; an application takes its service principal along."""
    now = tenant.clock.now()
    body = {**record.body, "deletedDateTime": graph_time(now)}
    tenant.store.update(replace(record, body=body, deleted_at=now), Change.DELETED)
    if record.kind is Kind.APPLICATION:
        principal = tenant.principal_of(record.body["appId"])
        if principal is not None:
            soft_delete(tenant, principal)


def restore(tenant: Tenant, record: Record) -> Record:
    """Bring one object back; an application's service principal is restored by itself.

    GraphError if a living object has taken its names, or if the application behind a service
    principal is not there.
    """
    if record.kind is Kind.APPLICATION:
        _check_uris_free(tenant, record)
    if record.kind is Kind.SERVICE_PRINCIPAL:
        _check_principal_can_return(tenant, record)
    body = {**record.body, "deletedDateTime": None}
    return tenant.store.update(replace(record, body=body, deleted_at=None), Change.CREATED)


def _check_uris_free(tenant: Tenant, record: Record) -> None:
    taken = {uri for other in tenant.live(Kind.APPLICATION) for uri in other.body["identifierUris"]}
    if taken & set(record.body["identifierUris"]):
        raise bad_request(
            "Another object with the same value for property identifierUris already exists."
        )


def _check_principal_can_return(tenant: Tenant, record: Record) -> None:
    app_id = record.body["appId"]
    if tenant.principal_of(app_id) is not None:
        raise duplicate(
            "The service principal cannot be created, updated, or restored because the service "
            f"principal name {app_id} is already in use."
        )
    is_local = record.body["appOwnerOrganizationId"] == tenant.id
    if is_local and next(tenant.live(Kind.APPLICATION, "appId", app_id), None) is None:
        raise bad_request(f"Cannot restore ServicePrincipal without backing Application {app_id}")


def purge(tenant: Tenant, record: Record) -> None:
    """Remove an object for good, with all that belongs to it alone."""
    store = tenant.store
    for kind in (Kind.FEDERATED_CREDENTIAL, Kind.GRANT, Kind.APP_ROLE_ASSIGNMENT):
        for other in list(store.latest(kind)):
            if other.parent == record.id or record.id in _ends(other):
                store.remove(other)
    store.remove(record)


def _ends(record: Record) -> tuple[str | None, ...]:
    """Return the objects that a grant or assignment stands between."""
    if record.kind is Kind.GRANT:
        body = record.body
        return body["clientId"], body["resourceId"], body["principalId"]
    if record.kind is Kind.APP_ROLE_ASSIGNMENT:
        return record.body["principalId"], record.body["resourceId"]
    return ()


def purge_old(tenant: Tenant) -> None:
    """Purge what has lain in the recycle bin for 30 days, looking once a minute."""
    if not tenant.purge_is_due():
        return
    horizon = tenant.clock.now() - RECYCLE_BIN
    for kind in BINNED_KINDS:
        for record in list(tenant.store.latest(kind)):
            if record.deleted_at is not None and record.deleted_at <= horizon:
                purge(tenant, record)


def check_quota(tenant: Tenant, caller: Caller) -> None:
    """Raise GraphError 403 if the caller made as many objects as it may, deleted ones included."""
    if caller.administrator:
        return
    made = sum(
        caller.object_id in record.linked("creator")
        for kind in BINNED_KINDS
        for record in tenant.store.latest(kind)
    )
    if made >= tenant.quota:
        raise quota_exceeded()
