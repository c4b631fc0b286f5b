"""What one stack left in a tenant, live and deleted, as far as readers show it now.

Found by the stack's tag, which the tenant filters by; what of it is ours, `ownership` decides. It
only reads, and knows nothing of Pulumi.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from proself_mail.entra.directory import (
    ApplicationRecord,
    DeletedItem,
    Directory,
    ServicePrincipalRecord,
)
from proself_mail.entra.patience import Patience
from proself_mail.removal.ownership import Ours
from proself_mail.removal.removal_item import Item, Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Remains:
    """What one round of reads shows of a stack in the tenant, live and in the recycle bin."""

    applications: Sequence[ApplicationRecord]
    principals: Sequence[ServicePrincipalRecord]
    left_alone: Sequence[str]
    """What bears the tag and is not ours, a sentence each."""
    tagged: Sequence[tuple[str, Sequence[str]]] = ()
    """Object id and tags of everything that bears the tag, ours or not."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of ours."""
        return not self.applications and not self.principals

    @property
    def objects(self) -> tuple[ApplicationRecord | ServicePrincipalRecord, ...]:
        """All of it."""
        return (*self.applications, *self.principals)

    @property
    def clients(self) -> dict[str, str]:
        """Client IDs by object id."""
        return {each.object_id: each.client_id for each in self.objects}

    def items(self, ours: Ours) -> tuple[Item, ...]:
        """List it for a person."""
        applications = [
            Item(
                Kind.APPLICATION,
                each.object_id,
                each.display_name,
                ours.verdict(each.tags, each.created).why,
                each.created,
                each.deleted,
            )
            for each in self.applications
        ]
        of_ours = {each.client_id for each in self.applications}
        principals = [
            Item(
                Kind.SERVICE_PRINCIPAL,
                each.object_id,
                each.display_name,
                "is that of the application"
                if each.client_id in of_ours
                else ours.verdict(each.tags, None).why,
                None,
                each.deleted,
            )
            for each in self.principals
        ]
        return (*applications, *principals)


async def look(directory: Directory, patience: Patience, tag: str, ours: Ours) -> Remains:
    """Read what bears a stack's tag, live and deleted, and keep what is ours."""
    everything = await asyncio.gather(
        _all(patience, lambda: directory.applications_tagged(tag)),
        _all(patience, lambda: directory.deleted_applications_tagged(tag)),
        _all(patience, lambda: directory.service_principals_tagged(tag)),
        _all(patience, lambda: directory.deleted_service_principals_tagged(tag)),
    )
    applications = [*everything[0], *everything[1]]
    principals = [*everything[2], *everything[3]]
    principals += await _unstamped(directory, patience, applications, principals, ours)
    kept: dict[str, ApplicationRecord] = {}
    left: list[str] = []
    for each in applications:
        verdict = ours.verdict(each.tags, each.created)
        if verdict.ours:
            kept[each.object_id] = each  # one that two replicas show is in the recycle bin
        else:
            left.append(f"the application {each.display_name!r} ({each.object_id}): {verdict.why}")
    of_ours = {each.client_id for each in kept.values()}
    of_others = {each.client_id for each in applications} - of_ours
    kept_principals: dict[str, ServicePrincipalRecord] = {}
    for principal in principals:
        if principal.client_id in of_ours:
            kept_principals[principal.object_id] = principal
        elif principal.client_id not in of_others:
            why = await why_not(directory, patience, principal, ours)
            if not why:
                kept_principals[principal.object_id] = principal
            else:
                left.append(
                    f"the service principal {principal.display_name!r} ({principal.object_id}): "
                    f"{why}"
                )
    tagged = [(each.object_id, each.tags) for each in applications]
    tagged += [(each.object_id, each.tags) for each in principals]
    return Remains(tuple(kept.values()), tuple(kept_principals.values()), tuple(left), tagged)


async def why_not(
    directory: Directory,
    patience: Patience,
    principal: ServicePrincipalRecord | DeletedItem,
    ours: Ours,
) -> str:
    """Say why a service principal is not ours that no application of ours was seen for.

    It goes with its application. One whose application is gone for good has its own stamp alone;
    one whose application bears no stamp, or another one, is somebody else's by now.
    """
    verdict = ours.verdict(principal.tags, None)
    if not verdict.ours:
        return verdict.why
    for each in await patience.told(lambda: directory.applications_of(principal.client_id)):
        of_its_application = ours.verdict(each.tags, each.created)
        if not of_its_application.ours:
            return f"of its application {each.object_id}: {of_its_application.why}"
    return ""


async def _unstamped(
    directory: Directory,
    patience: Patience,
    applications: Sequence[ApplicationRecord],
    principals: Sequence[ServicePrincipalRecord],
    ours: Ours,
) -> list[ServicePrincipalRecord]:
    """Find service principals of ours that bear no tag: made by a person or a consent page."""
    seen = {each.client_id for each in principals}

    def find(application: ApplicationRecord) -> Awaitable[ServicePrincipalRecord | None]:
        ask = (
            directory.service_principal
            if application.deleted is None
            else directory.deleted_service_principal
        )
        return patience.told(lambda: ask(application.client_id))

    lacking = [
        each
        for each in applications
        if each.client_id not in seen and ours.verdict(each.tags, each.created).ours
    ]
    return [found for found in await asyncio.gather(*map(find, lacking)) if found]


async def _all(patience: Patience, listing: Callable[[], AsyncIterator[T]]) -> list[T]:
    async def ask() -> list[T]:
        return [each async for each in listing()]

    return await patience.told(ask)
