"""A resource's life: create, read, update and delete with the state that each leaves.

Between the provider protocol (`provider`) and a resource type. What the real plugin leaves behind
when something fails is decided here:

- an object that a read does not find right after its creation is lost: an error, and no state;
- a failure after the object exists keeps it in the state, marked as failed.
"""

from emulator.azuread.diff import Change, compare, parse_path
from emulator.azuread.errors import DiagnosticError, InitializationError, PluginError
from emulator.azuread.ids import parse
from emulator.azuread.imports import imported_inputs, refreshed_inputs
from emulator.azuread.plan import changed_properties, ignore_changes, plan
from emulator.azuread.resource import Instance, Resource
from emulator.azuread.state import (
    after_apply,
    after_failure,
    after_refresh,
    previewed,
    properties_of,
    stored,
)
from emulator.azuread.tenant import Tenant
from emulator.azuread.values import UNKNOWN, Properties, contains_unknown


def diff(resource: Resource, state: Properties, inputs: Properties, ignored: list[str]) -> Change:
    """Compare a state with new inputs."""
    prior = properties_of(resource.fields, state)
    return compare(resource.fields, prior, _plan_update(resource, prior, inputs, ignored))


def preview_create(resource: Resource, inputs: Properties) -> Properties:
    """Plan a new resource."""
    return previewed(resource, None, plan(resource.fields, inputs, None))


def create(
    resource: Resource, tenant: Tenant, inputs: Properties, urn: str
) -> tuple[str, Properties]:
    """Create; gives id and state. Raises InitializationError when the object exists but failed."""
    instance = Instance(plan(resource.fields, inputs, None))
    try:
        resource.create(tenant, instance)
        read = resource.read(tenant, instance)
    except PluginError as failure:
        if not instance.id:
            raise
        state = after_failure(resource.fields, instance.planned, {})
        raise _initialization_error(resource, instance.id, state, f"creating {urn}", failure) from (
            failure
        )
    if read is None:
        raise PluginError(f"expected non-nil error with nil state during Create of {urn}")
    properties = after_apply(resource.fields, read, instance.planned)
    return instance.id, stored(resource, instance.id, properties)


def preview_update(
    resource: Resource, resource_id: str, state: Properties, inputs: Properties, ignored: list[str]
) -> Properties:
    """Plan a change in place."""
    prior = properties_of(resource.fields, state)
    return previewed(resource, resource_id, _plan_update(resource, prior, inputs, ignored))


def update(
    resource: Resource,
    tenant: Tenant,
    resource_id: str,
    state: Properties,
    inputs: Properties,
    ignored: list[str],
    urn: str,
) -> Properties:
    """Change in place; gives the state. Raises InitializationError when the change failed."""
    prior = properties_of(resource.fields, state)
    planned = _plan_update(resource, prior, inputs, ignored)
    instance = Instance(planned, prior, resource_id)
    try:
        resource.update(tenant, instance, changed_properties(resource.fields, prior, planned))
        read = resource.read(tenant, instance)
    except PluginError as failure:
        kept = after_failure(resource.fields, planned, prior)
        raise _initialization_error(resource, resource_id, kept, f"updating {urn}", failure) from (
            failure
        )
    if read is None:
        raise PluginError(
            f"Resource provider reported that the resource did not exist while updating {urn}.\n\n"
            f"This is usually a result of the resource having been deleted outside of Pulumi, and "
            f"can often be fixed by running `pulumi refresh` before updating."
        )
    return stored(resource, resource_id, after_apply(resource.fields, read, planned))


def refresh(
    resource: Resource, tenant: Tenant, resource_id: str, state: Properties, inputs: Properties
) -> tuple[Properties, Properties] | None:
    """Read what a state holds; gives state and inputs, or None when the object is gone."""
    prior = properties_of(resource.fields, state)
    read = resource.read(tenant, Instance(prior, prior, resource_id))
    if read is None:
        return None
    properties = after_refresh(resource.fields, read, prior)
    return stored(resource, resource_id, properties), refreshed_inputs(inputs, properties)


def import_existing(
    resource: Resource, tenant: Tenant, resource_id: str
) -> tuple[Properties, Properties] | None:
    """Read an object by id; None when there is none, or the type cannot be imported.

    Raises DiagnosticError for an id of another form.
    """
    if resource.import_id is None:
        return None
    parse(resource.import_id, resource_id)
    read = resource.read(tenant, Instance({}, {}, resource_id))
    if read is None:
        return None
    properties = after_refresh(resource.fields, read, {})
    return (
        stored(resource, resource_id, properties),
        imported_inputs(resource.fields, properties),
    )


def delete(resource: Resource, tenant: Tenant, resource_id: str, state: Properties) -> None:
    """Delete the object."""
    prior = properties_of(resource.fields, state)
    resource.delete(tenant, Instance(prior, prior, resource_id))


def _plan_update(
    resource: Resource, prior: Properties, inputs: Properties, ignored: list[str]
) -> Properties:
    planned = plan(resource.fields, inputs, prior)
    planned = ignore_changes(planned, prior, [parse_path(path) for path in ignored])
    for name in resource.recomputed(prior, planned):
        if not contains_unknown(planned[name]):
            planned[name] = UNKNOWN
    return planned


def _initialization_error(
    resource: Resource, resource_id: str, state: Properties, doing: str, failure: PluginError
) -> InitializationError:
    text = failure.listed if isinstance(failure, DiagnosticError) else str(failure)
    return InitializationError(
        resource_id, stored(resource, resource_id, state), [f"{doing}: {text}"]
    )
