"""What is ours to remove: decided from a stamp, an object's id and the time, never from a name.

Pure. Whatever cannot be told for sure is not ours: a stamp that is missing, doubled, damaged or of
another stack, production, a time that has not come, an age that nobody knows. Finding objects is
`remains`', who may remove anything at all is `guards`'.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from proself_mail.config import stamp
from proself_mail.config.settings import Environment
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import (
    ApplicationRecord,
    DeletedItem,
    PasswordRecord,
    ServicePrincipalRecord,
)
from proself_mail.entra.ledger import Ledger
from proself_mail.schedule import format_instant

_OUR_SECRET = re.compile(r".+ \d{4}-\d\d-\d\d")
"""How the program names a client secret: a description and the day on which its window opens."""
_ONE_UPDATE = timedelta(minutes=10)
"""As long as an update takes at most, which makes the application and its first secret."""


@dataclass(frozen=True)
class Verdict:
    """Whether an object is ours to remove."""

    ours: bool
    why: str
    """In a few words, for a person; the reason either way."""


@dataclass(frozen=True)
class OfStack:
    """Ours is what bears one test stack's stamp."""

    stack_id: UUID

    def verdict(self, tags: Collection[str], created: datetime | None) -> Verdict:  # noqa: ARG002
        """Judge an object by its tags; how old it is does not matter."""
        found = _whole(tags)
        if found is None:
            return Verdict(False, "its tags are missing, doubled or damaged")
        if found.stack_id != self.stack_id:
            return Verdict(False, f"it has the tags of another stack, {found.stack_id}")
        if found.environment is not Environment.TEST:
            return Verdict(False, f"its tags say {found.environment}")
        return Verdict(True, "has this stack's tags")


@dataclass(frozen=True)
class Due:
    """Ours is what was made for tests and is past the time that its own stamp gives it."""

    now: datetime
    """By the tenant's clock."""
    older_than: timedelta | None = None
    """Only what was made at least so long ago."""
    stacks: frozenset[UUID] = frozenset()
    """Only what is of these stacks; of any where it is empty."""

    def verdict(self, tags: Collection[str], created: datetime | None) -> Verdict:
        """Judge an object by its tags and when it was made; None is unknown."""
        found = _whole(tags)
        if found is None:
            return Verdict(False, "its tags are missing, doubled or damaged")
        if found.environment is not Environment.TEST:
            return Verdict(False, f"its tags say {found.environment}")
        if self.stacks and found.stack_id not in self.stacks:
            return Verdict(False, "it is of a stack that was not asked for")
        if found.delete_after is None:
            return Verdict(False, "its tags name no end")
        if found.delete_after > self.now:
            return Verdict(
                False, f"its time is not over before {format_instant(found.delete_after)}"
            )
        if self.older_than is not None:
            if created is None:
                return Verdict(False, "nobody knows when it was made")
            if self.now - created < self.older_than:
                return Verdict(
                    False, f"it was made at {format_instant(created)}, which is too recent"
                )
        return Verdict(
            True, f"made for tests, its time was over at {format_instant(found.delete_after)}"
        )


Ours = OfStack | Due
"""What is ours, in one command."""


def of_production(tags: Collection[str], stack_id: UUID) -> bool:
    """Say whether tags claim a stack's object for production, or may do so."""
    claims = {tag for tag in tags if tag.startswith(stamp.ENVIRONMENT_PREFIX)}
    test = f"{stamp.ENVIRONMENT_PREFIX}{Environment.TEST}"
    return stamp.stack_tag(stack_id) in tags and bool(claims - {test})


def additions(
    *,
    secrets: Iterable[PasswordRecord],
    certificates: Sequence[str],
    federated: Sequence[str] = (),
    owners: Collection[str] = (),
    expected_owners: Collection[str] = (),
) -> tuple[str, ...]:
    """Say what an application got that the program did not give it: credentials and owners.

    `secrets` are the foreign ones. Each sentence names one addition.
    """
    found = [*_credentials(secrets, certificates)]
    found += [f"a federated credential {name!r}" for name in federated]
    found += [f"an owner {owner}" for owner in sorted(set(owners) - set(expected_owners))]
    return tuple(found)


def principal_additions(found: ServicePrincipalRecord | DeletedItem) -> tuple[str, ...]:
    """Say what a service principal got, a sentence each: the program gives it no credential."""
    return tuple(
        f"{each} of the service principal"
        for each in _credentials(found.passwords, found.certificates)
    )


def _credentials(secrets: Iterable[PasswordRecord], certificates: Iterable[str]) -> Iterator[str]:
    for each in secrets:
        yield f"a client secret {each.display_name!r} (key ID {each.key_id})"
    for key in certificates:
        yield f"a certificate (key ID {key})"


def foreign_secrets(
    application: ApplicationRecord | DeletedItem, key_ids: Mapping[str, str]
) -> tuple[PasswordRecord, ...]:
    """Return the client secrets that the program did not make.

    `key_ids`, by their windows, are those that the state knows; the application's notes may know
    more (`ledger`). Where nobody knows any of this application's, because no state is left, or it
    knows those of one that replaced it, and no rotation has come yet, the one is ours that bears
    our name and came into being with the application.
    """
    held = {each.key_id for each in application.passwords}
    its_own = {key: window for window, key in key_ids.items() if key in held}
    known, damaged = Ledger.known(application.notes, its_own)
    foreign = known.foreign(application.passwords)
    if known.made or damaged:
        return foreign
    first = [each for each in foreign if _came_with(application, each)]
    return tuple(each for each in foreign if [each] != first)


def _came_with(application: ApplicationRecord | DeletedItem, secret: PasswordRecord) -> bool:
    named, made = _OUR_SECRET.fullmatch(secret.display_name), application.created
    return (
        named is not None
        and made is not None
        and secret.starts is not None
        and timedelta() <= secret.starts - made <= _ONE_UPDATE
    )


def _whole(tags: Collection[str]) -> Stamp | None:
    """Read a stamp that stands there letter by letter as the program writes it."""
    found = stamp.read(tags)
    if found is None or not set(found.tags()) <= set(tags):
        return None
    return found
