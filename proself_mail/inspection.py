"""What hangs on applications that are to be removed, and which of it the program did not make.

Reads only. An identity that may not see grants is no hindrance: they go with their service
principal. Whatever else cannot be read stops the command, because it might be somebody's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from proself_mail import ownership
from proself_mail.directory import (
    ApplicationRecord,
    Directory,
    Forbidden,
    GrantRecord,
    NotFound,
)
from proself_mail.patience import SETTLING, Patience
from proself_mail.remains import Remains
from proself_mail.removal_item import Item, Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Inspected:
    """What was found on the live applications of one stack."""

    items: tuple[Item, ...]
    """What goes with them."""
    additions: tuple[str, ...]
    """What the program did not give them, a sentence each."""
    notes: tuple[str, ...]
    """What could not be seen and stands in nobody's way."""


async def inspect(
    directory: Directory,
    patience: Patience,
    seen: Remains,
    *,
    key_ids: Mapping[str, str] | None = None,
    owners: Collection[str] | None = None,
) -> Inspected:
    """Look at everything that hangs on what was seen.

    `key_ids`, by their windows, are those that a stack's state knows; `owners` those that its file
    names. Without them, the service principal's are the ones that the program gave.
    """
    found = await asyncio.gather(
        *(
            _application(directory, patience, each, seen, key_ids or {}, owners)
            for each in seen.applications
            if each.deleted is None
        ),
        *(
            _grants(directory, patience, each.object_id)
            for each in seen.principals
            if each.deleted is None
        ),
    )
    return Inspected(
        tuple(item for each in found for item in each.items),
        tuple(addition for each in found for addition in each.additions),
        tuple(dict.fromkeys(note for each in found for note in each.notes)),
    )


async def _application(
    directory: Directory,
    patience: Patience,
    application: ApplicationRecord,
    seen: Remains,
    key_ids: Mapping[str, str],
    owners: Collection[str] | None,
) -> Inspected:
    object_id = application.object_id
    shown = partial(_shown, directory, patience, object_id)
    try:
        actual, certificates, federated, expected = await asyncio.gather(
            shown(lambda: directory.owners(object_id)),
            shown(lambda: directory.certificates(object_id)),
            shown(lambda: directory.federated_credentials(object_id)),
            _expected_owners(directory, patience, application, seen, owners),
        )
    except NotFound:
        if not await _is_deleted(directory, patience, object_id):
            raise
        return Inspected((), (), ())
    additions = ownership.additions(
        secrets=ownership.foreign_secrets(application, key_ids),
        certificates=certificates,
        federated=federated,
        owners=actual,
        expected_owners=actual if expected is None else expected,
    )
    items = tuple(
        Item(Kind.FEDERATED_CREDENTIAL, f"{object_id}/{name}", name, "goes with the application")
        for name in federated
    )
    return Inspected(items, additions, ())


async def _expected_owners(
    directory: Directory,
    patience: Patience,
    application: ApplicationRecord,
    seen: Remains,
    owners: Collection[str] | None,
) -> Collection[str] | None:
    """Return whom the program made an owner; None where nobody can tell."""
    if owners is not None:
        return owners
    found = [e.object_id for e in seen.principals if e.client_id == application.client_id]
    if application.deleted is not None or not found:
        return None
    principal_id = found[0]
    return await _shown(
        directory,
        patience,
        principal_id,
        lambda: directory.service_principal_owners(principal_id),
    )


async def _grants(directory: Directory, patience: Patience, principal_id: str) -> Inspected:
    try:
        found: Sequence[GrantRecord] = await patience.told(lambda: directory.grants(principal_id))
    except Forbidden:
        note = (
            "grants cannot be listed (needs DelegatedPermissionGrant.Read.All); they go with the "
            "service principal"
        )
        return Inspected((), (), (note,))
    except NotFound:  # the principal went since a listing showed it, and they with it
        return Inspected((), (), ())
    items = tuple(
        Item(
            Kind.GRANT,
            each.grant_id,
            " ".join(sorted(each.scopes)),
            "goes with the service principal",
        )
        for each in found
    )
    return Inspected(items, (), ())


async def _is_deleted(directory: Directory, patience: Patience, object_id: str) -> bool:
    """Look whether an object that a listing showed is in the recycle bin by now."""
    try:
        await patience.told(lambda: directory.deleted_item(object_id))
    except NotFound:
        return False
    return True


async def _shown(
    directory: Directory, patience: Patience, object_id: str, ask: Callable[[], Awaitable[T]]
) -> T:
    """Ask until a reader shows what hangs on an object that a listing showed.

    Raises `NotFound` where none does, and where the object has been deleted since.
    """
    clock = asyncio.get_running_loop()
    ends = clock.time() + SETTLING.total_seconds()
    while True:
        try:
            return await patience.told(ask)
        except NotFound:
            if clock.time() > ends or await _is_deleted(directory, patience, object_id):
                raise
        await patience.moment(0.3)
