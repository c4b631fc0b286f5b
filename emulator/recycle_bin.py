"""Soft deletion: what goes to the recycle bin together, comes back together, and counts."""

from dataclasses import replace

from emulator.clock import graph_time
from emulator.graph_call import Call
from emulator.problems import GraphProblem
from emulator.store import Change, Kind, Record
from emulator.tenant import RECYCLE_BIN, Tenant

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
    """Bring an object back; an application brings its service principal."""
    body = {**record.body, "deletedDateTime": None}
    restored = tenant.store.update(replace(record, body=body, deleted_at=None), Change.CREATED)
    if record.kind is Kind.APPLICATION:
        for principal in tenant.store.latest(Kind.SERVICE_PRINCIPAL, "appId", record.body["appId"]):
            if principal.deleted_at is not None:
                restore(tenant, principal)
    return restored


def purge(tenant: Tenant, record: Record) -> None:
    """Remove an object for good, with all that belongs to it."""
    store = tenant.store
    for kind in Kind:
        for other in list(store.latest(kind)):
            if other.parent == record.id or record.id in _endpoints(other):
                store.remove(other)
    if record.kind is Kind.APPLICATION:
        for principal in list(store.latest(Kind.SERVICE_PRINCIPAL, "appId", record.body["appId"])):
            if principal.deleted_at is not None:
                purge(tenant, principal)
    store.remove(record)


def _endpoints(record: Record) -> tuple[str, ...]:
    """The objects that a grant or assignment stands between."""
    if record.kind is Kind.GRANT:
        body = record.body
        return body["clientId"], body["resourceId"], body["principalId"]
    if record.kind is Kind.APP_ROLE_ASSIGNMENT:
        return record.body["principalId"], record.body["resourceId"]
    return ()


def empty_of_old(tenant: Tenant) -> None:
    """Purge what has lain in the recycle bin for 30 days."""
    horizon = tenant.clock.now() - RECYCLE_BIN
    for kind in BINNED_KINDS:
        for record in list(tenant.store.latest(kind)):
            if record.deleted_at is not None and record.deleted_at <= horizon:
                purge(tenant, record)


def check_quota(call: Call) -> None:
    """GraphProblem 400 if the caller has made as many objects as it may, deleted ones included."""
    limit = call.tenant.quota
    if not limit or call.caller.administrator:
        return
    made = sum(
        call.caller.object_id in record.linked("creator")
        for kind in BINNED_KINDS
        for record in call.tenant.store.latest(kind)
    )
    if made >= limit:
        raise GraphProblem(
            400,
            "Directory_QuotaExceeded",
            "The directory object quota limit for the Principal has been exceeded. Please ask "
            "your administrator to increase the quota limit or delete objects to reduce the used "
            "quota.",
        )
