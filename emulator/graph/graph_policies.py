"""App management policies: the tenant's default one, others, and what they are assigned to."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from emulator.directory.entities import APP_MANAGEMENT_POLICY, DEFAULT_POLICY
from emulator.directory.entity_type import EntityType, merge
from emulator.directory.store import Entry, Kind, Record
from emulator.directory.tenant import DEFAULT_POLICY_ID
from emulator.graph.graph_applications import application
from emulator.graph.graph_call import NO_CONTENT, Call, Reply, Route
from emulator.graph.graph_listing import directory_objects, one, page
from emulator.graph.graph_owners import add_reference, referenced_id, remove_reference
from emulator.graph.graph_principals import principal
from emulator.graph.graph_writing import writable
from emulator.graph.permissions import APPLICATION_READ, POLICY_READ, POLICY_WRITE
from emulator.json_text import Json
from emulator.odata.problems import bad_request, invalid_value

_LINK = "appManagementPolicies"


def get_default(call: Call) -> Reply:
    """GET /policies/defaultAppManagementPolicy."""
    return one(call, call.seen(Kind.DEFAULT_POLICY, DEFAULT_POLICY_ID), DEFAULT_POLICY)


def update_default(call: Call) -> Reply:
    """PATCH /policies/defaultAppManagementPolicy."""
    record = call.latest(call.seen(Kind.DEFAULT_POLICY, DEFAULT_POLICY_ID))
    body = merge(record.body, _written(call, DEFAULT_POLICY))
    call.tenant.store.update(replace(record, body=body))
    return NO_CONTENT


def _policy(call: Call) -> Record:
    return call.seen(Kind.APP_MANAGEMENT_POLICY, call.param("policy"))


def list_policies(call: Call) -> Reply:
    """GET /policies/appManagementPolicies."""
    return page(call, APP_MANAGEMENT_POLICY, Kind.APP_MANAGEMENT_POLICY)


def get_policy(call: Call) -> Reply:
    """GET /policies/appManagementPolicies/{id}."""
    return one(call, _policy(call), APP_MANAGEMENT_POLICY)


def create_policy(call: Call) -> Reply:
    """POST /policies/appManagementPolicies."""
    given = _written(call, APP_MANAGEMENT_POLICY)
    if not given.get("displayName"):
        raise invalid_value("displayName", "AppManagementPolicy")
    body = merge(APP_MANAGEMENT_POLICY.properties, given)
    body["id"] = call.tenant.ids.new("appManagementPolicy")
    record = call.tenant.store.add(Record(Kind.APP_MANAGEMENT_POLICY, body["id"], body))
    return one(call, record, APP_MANAGEMENT_POLICY, status=201)


def update_policy(call: Call) -> Reply:
    """PATCH /policies/appManagementPolicies/{id}."""
    record = call.latest(_policy(call))
    given = _written(call, APP_MANAGEMENT_POLICY)
    call.tenant.store.update(replace(record, body=merge(record.body, given)))
    return NO_CONTENT


def delete_policy(call: Call) -> Reply:
    """DELETE /policies/appManagementPolicies/{id}. GraphError 400 while it is assigned."""
    record = call.latest(_policy(call))
    if _assigned(call, record):
        raise bad_request("The policy is assigned to one or more objects and cannot be deleted.")
    call.tenant.store.remove(record)
    return NO_CONTENT


def list_assigned(call: Call) -> Reply:
    """GET /policies/appManagementPolicies/{id}/appliesTo."""
    return directory_objects(call, _assigned(call, _policy(call)))


def _assigned(call: Call, policy: Record) -> list[Record]:
    return [
        record
        for kind in (Kind.APPLICATION, Kind.SERVICE_PRINCIPAL)
        for _, record in call.view.records(call.tenant.store.entries(kind))
        if record.deleted_at is None and policy.id in record.linked(_LINK)
    ]


def _written(call: Call, entity: EntityType) -> Json:
    """Return the properties to write. GraphError 400 for what makes no policy."""
    given = writable(call.json(), entity, call.version, ("id", "deletedDateTime"))
    for restriction in _lifetimes(given):
        if restriction["maxLifetime"] is None:
            raise bad_request(
                "Invalid value specified for policy: a lifetime needs a maxLifetime, an ISO 8601 "
                "duration such as P180D"
            )
    return given


def _lifetimes(value: object) -> Iterator[Json]:
    """Find every restriction of a lifetime in a policy, however deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _lifetimes(each)
    if isinstance(value, dict) and str(value.get("restrictionType")).endswith("Lifetime"):
        yield value


def _assignment_routes(prefix: str, find: Callable[[Call], Record]) -> tuple[Route, ...]:
    """Make the routes of the policies assigned to what `find` finds below `prefix`."""

    def list_links(call: Call) -> Reply:
        return page(call, APP_MANAGEMENT_POLICY, _entries(call, find(call)))

    def add_link(call: Call) -> Reply:
        seen = find(call)
        call.require_ownership(seen)
        id_ = referenced_id(call, call.json().get("@odata.id"))
        policy = call.seen(Kind.APP_MANAGEMENT_POLICY, id_)
        return add_reference(call, seen, _LINK, policy.id)

    def remove_link(call: Call) -> Reply:
        seen = find(call)
        call.require_ownership(seen)
        return remove_reference(call, seen, _LINK, call.param("policy"))

    links = f"{prefix}/{_LINK}"
    return (
        Route("GET", links, list_links, APPLICATION_READ),
        Route("POST", f"{links}/$ref", add_link, POLICY_WRITE),
        Route("DELETE", f"{links}/{{policy}}/$ref", remove_link, POLICY_WRITE),
    )


def _entries(call: Call, record: Record) -> list[Entry]:
    entries = (
        call.tenant.store.entry(Kind.APP_MANAGEMENT_POLICY, id_) for id_ in record.linked(_LINK)
    )
    return [entry for entry in entries if entry is not None]


_ALL = "/policies/appManagementPolicies"
_ONE = f"{_ALL}/{{policy}}"

ROUTES = (
    Route("GET", "/policies/defaultAppManagementPolicy", get_default, POLICY_READ),
    Route("PATCH", "/policies/defaultAppManagementPolicy", update_default, POLICY_WRITE),
    Route("GET", _ALL, list_policies, POLICY_READ),
    Route("POST", _ALL, create_policy, POLICY_WRITE),
    Route("GET", _ONE, get_policy, POLICY_READ),
    Route("PATCH", _ONE, update_policy, POLICY_WRITE),
    Route("DELETE", _ONE, delete_policy, POLICY_WRITE),
    Route("GET", f"{_ONE}/appliesTo", list_assigned, POLICY_READ),
    *_assignment_routes("/applications/{application}", application),
    *_assignment_routes("/servicePrincipals/{principal}", principal),
)
