"""The owners of an application or a service principal, which the plugin sets alike.

The caller owns what it has just created, whether it is listed or not: it is removed last.
"""

from collections.abc import Sequence

from emulator.azuread.errors import DiagnosticError, PluginError
from emulator.azuread.ids import Shown
from emulator.azuread.resource import Instance
from emulator.azuread.tenant import Tenant

_AT_CREATION = 20
"""Graph takes no more; the rest is added afterwards."""


def at_creation(tenant: Tenant, instance: Instance) -> tuple[list[str], list[str]]:
    """Return the references to create an object with, and the ids of owners to add then."""
    others = [owner for owner in instance["owners"] or [] if owner != tenant.caller_id]
    first, rest = others[: _AT_CREATION - 1], others[_AT_CREATION - 1 :]
    return [tenant.reference(owner) for owner in (tenant.caller_id, *first)], rest


def complete(
    tenant: Tenant, instance: Instance, path: str, shown: Shown, rest: Sequence[str]
) -> None:
    """Bring the owners of a new object to what is listed; raises DiagnosticError."""
    _change(tenant, path, shown, add=rest, remove=[])
    if tenant.caller_id not in (instance["owners"] or []):
        _change(tenant, path, shown, add=[], remove=[tenant.caller_id])


def settle(tenant: Tenant, instance: Instance, path: str, shown: Shown) -> None:
    """Bring the owners of an object to what is listed; raises PluginError."""
    wanted = set(instance["owners"] or [])
    present = {owner["id"] for owner in tenant.graph.list(f"{path}/owners")}
    add, remove = sorted(wanted - present), sorted(present - wanted)
    _change(tenant, path, shown, add=add, remove=remove)


def _change(
    tenant: Tenant, path: str, shown: Shown, *, add: Sequence[str], remove: Sequence[str]
) -> None:
    try:
        for owner in add:
            tenant.graph.post(f"{path}/owners/$ref", {"@odata.id": tenant.reference(owner)})
        for owner in remove:
            tenant.graph.delete(f"{path}/owners/{owner}/$ref")
    except PluginError as failure:
        raise DiagnosticError(f"Could not set owners of {shown}", failure) from failure
