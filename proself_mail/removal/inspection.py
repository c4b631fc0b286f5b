"""What hangs on applications that are to be removed, and which of it the program did not make.

Reads only. An identity that may not see grants is no hindrance: they go with their service
principal. Whatever else cannot be read stops the command, because it might be somebody's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from proself_mail.entra.directory import (
    ApplicationRecord,
    DeletedItem,
    Directory,
    Forbidden,
    GrantRecord,
    NotFound,
    ServicePrincipalRecord,
)
from proself_mail.entra.patience import AGREEING, SETTLING, Patience
from proself_mail.removal import ownership
from proself_mail.removal.remains import Remains
from proself_mail.removal.removal_item import Item, Kind

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


_NOTHING = Inspected((), (), ())


class _Deleted(NotFound):
    """A reader showed the object in the recycle bin."""


class Inspector:
    """Looks for what hangs on one stack's objects, in a plan and again before each deletion.

    `key_ids`, by their windows, are those that a stack's state knows; `owners` those that its file
    names. Without them, the service principal's are the ones that the program gave.
    """

    def __init__(
        self,
        directory: Directory,
        patience: Patience,
        key_ids: Mapping[str, str] | None = None,
        owners: Collection[str] | None = None,
    ) -> None:
        self._directory = directory
        self._patience = patience
        self._key_ids = key_ids or {}
        self._owners = owners

    async def inspect(self, seen: Remains) -> Inspected:
        """Look at everything that hangs on what was seen."""
        applications = [each for each in seen.applications if each.deleted is None]
        principals = [each for each in seen.principals if each.deleted is None]
        with_application = {each.client_id for each in applications}
        found = await asyncio.gather(
            *(self._application(each) for each in applications),
            *(self._binned(each) for each in seen.objects if each.deleted is not None),
            *(self._principal(e) for e in principals if e.client_id not in with_application),
            *(_grants(self._directory, self._patience, each.object_id) for each in principals),
        )
        return Inspected(
            tuple(item for each in found for item in each.items),
            tuple(addition for each in found for addition in each.additions),
            tuple(dict.fromkeys(note for each in found for note in each.notes)),
        )

    async def added(self, application: ApplicationRecord) -> tuple[str, ...]:
        """Say what a live application and its service principal got, a sentence each.

        Raises `NotFound` where no reader shows what hangs on it, or it has been deleted since.
        """
        _, additions = await self._hanging(application)
        return additions

    async def added_in_bin(self, application: DeletedItem) -> tuple[str, ...]:
        """Say what an application in the recycle bin got; its owners are told of no more.

        A list is asked for what judges its secrets: what one item tells of that by itself is
        nowhere written down.
        """
        client_id = application.client_id
        for listed in await self._patience.told(lambda: self._directory.applications_of(client_id)):
            if listed.object_id == application.object_id:
                return self._added_in_bin(application, listed)
        return self._added_in_bin(application, application)

    def _added_in_bin(
        self, application: DeletedItem, listed: ApplicationRecord | DeletedItem
    ) -> tuple[str, ...]:
        return ownership.additions(
            secrets=ownership.foreign_secrets(listed, self._key_ids),
            certificates=application.certificates,
        )

    async def _application(self, application: ApplicationRecord) -> Inspected:
        object_id = application.object_id
        try:
            federated, additions = await self._hanging(application)
        except _Deleted:  # which the reader that is asked next may not know again
            return _NOTHING
        except NotFound:
            if await self._is_live(object_id):
                raise
            return _NOTHING
        items = tuple(
            Item(
                Kind.FEDERATED_CREDENTIAL, f"{object_id}/{name}", name, "goes with the application"
            )
            for name in federated
        )
        return Inspected(items, additions, ())

    async def _is_live(self, object_id: str) -> bool:
        """Look whether any reader has an application still, on which none shows anything.

        Another teardown or sweep may have purged it since a listing showed it.
        """
        for _ in range(AGREEING):
            if await self._patience.shown(lambda: self._directory.application(object_id)):
                return True
        return False

    async def _hanging(
        self, application: ApplicationRecord
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of an application's federated credentials, and what it got."""
        directory, object_id = self._directory, application.object_id
        shown = partial(_shown, directory, self._patience, object_id)
        actual, certificates, federated, (principal, expected) = await asyncio.gather(
            shown(lambda: directory.owners(object_id)),
            shown(lambda: directory.certificates(object_id)),
            shown(lambda: directory.federated_credentials(object_id)),
            self._principal_and_owners(application.client_id),
        )
        additions = ownership.additions(
            secrets=ownership.foreign_secrets(application, self._key_ids),
            certificates=certificates,
            federated=federated,
            owners=actual,
            expected_owners=actual if expected is None else expected,
        )
        if principal is not None:
            additions += ownership.principal_additions(principal)
        return federated, additions

    async def _principal_and_owners(
        self, client_id: str
    ) -> tuple[ServicePrincipalRecord | None, Collection[str] | None]:
        """Return a live service principal and whom the program made an owner.

        None where there is none, and where nobody can tell.
        """
        directory = self._directory
        principal = await self._patience.told(lambda: directory.service_principal(client_id))
        if self._owners is not None or principal is None:
            return principal, self._owners
        object_id = principal.object_id
        try:
            owners = await _shown(
                directory,
                self._patience,
                object_id,
                lambda: directory.service_principal_owners(object_id),
            )
        except NotFound:  # gone since
            return None, None
        return principal, owners

    async def _principal(self, principal: ServicePrincipalRecord) -> Inspected:
        """Look at a live service principal whose application is not."""
        object_id = principal.object_id
        try:
            found = await self._patience.told(
                lambda: self._directory.service_principal_by_id(object_id)
            )
        except NotFound:  # gone since a listing showed it
            return _NOTHING
        return Inspected((), ownership.principal_additions(found), ())

    async def _binned(self, seen: ApplicationRecord | ServicePrincipalRecord) -> Inspected:
        object_id = seen.object_id
        try:
            found = await self._patience.told(lambda: self._directory.deleted_item(object_id))
        except NotFound:  # gone since a listing showed it, or not shown yet
            return _NOTHING
        if isinstance(seen, ServicePrincipalRecord):
            return Inspected((), ownership.principal_additions(found), ())
        return Inspected((), self._added_in_bin(found, seen), ())


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
        return _NOTHING
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


async def _shown(
    directory: Directory, patience: Patience, object_id: str, ask: Callable[[], Awaitable[T]]
) -> T:
    """Ask until a reader shows what hangs on an object that a listing showed.

    Raises `NotFound` where none does, and `_Deleted` where it was seen in the recycle bin since.
    """
    clock = asyncio.get_running_loop()
    ends = clock.time() + SETTLING.total_seconds()
    while True:
        try:
            return await patience.told(ask)
        except NotFound as error:
            if await patience.shown(lambda: directory.deleted_item(object_id)):
                raise _Deleted(error.status, error.code, error.message) from error
            if clock.time() > ends:
                raise
        await patience.moment(0.3)
