"""What an update left in the tenant and not in its state: adopt it, remove it, or stop and say so.

Decided purely, from the state, the tenant's listing and the update's journal. Only what bears this
stack's own UUID, letter by letter, is looked at; a name decides nothing. Removed is only what this
update made and what holds nothing worth keeping: an application without a secret, a secret that
reached no state, which one does of which the application's notes know. With doubt it stops.
"""

import base64
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from proself_mail.config import stamp
from proself_mail.config.settings import PROJECT
from proself_mail.config.stack_name import short_name
from proself_mail.entra.directory import (
    ApplicationRecord,
    GrantRecord,
    PasswordRecord,
    ServicePrincipalRecord,
)
from proself_mail.entra.ledger import Damaged, Ledger
from proself_mail.errors import Refused
from proself_mail.quantity import quantity
from proself_mail.schedule import format_instant
from proself_mail.stack import backend
from proself_mail.stack.output_names import APPLICATION_OBJECT_ID
from proself_mail.stack.state import APPLICATION, CONSENT, IDENTIFIER_URI, SERVICE_PRINCIPAL, State
from proself_mail.update.journal import Journal

_REMOVE = "remove it in Entra (App registrations → Certificates & secrets)"


@dataclass(frozen=True)
class Plan:
    """What to do about leftovers."""

    adopt: ApplicationRecord | None = None
    """The application that the state is to take in."""
    purge: tuple[ApplicationRecord, ...] = ()
    """Applications to delete for good."""
    remove: tuple[tuple[ApplicationRecord, PasswordRecord], ...] = ()
    """Secrets to remove from their application."""
    reports: tuple[str, ...] = field(default=())
    """What is left alone, and why."""


@dataclass(frozen=True)
class _Whose:
    """Who made a client secret that the state does not have."""

    record: Journal
    description: str
    recorded: Container[str]

    def is_ours(self, password: PasswordRecord, application: ApplicationRecord) -> bool:
        """Say whether this update made it, and nobody can have its value."""
        return (
            self.record.made(password.starts)
            and password.display_name.startswith(self.description)
            and not self.may_be_in_use(password, application)
        )

    def may_be_in_use(self, password: PasswordRecord, application: ApplicationRecord) -> bool:
        """Say whether it is known to have been in a state, or what was known cannot be read."""
        for notes in (application.notes, self.record.notes):
            try:
                ledger = Ledger.read(notes)
            except Damaged:
                return True
            if password.key_id in ledger.made or password.key_id == ledger.pasted:
                return True
        return password.key_id in self.recorded


def plan(
    state: State,
    stamped: Sequence[ApplicationRecord],
    stack_id: UUID,
    record: Journal,
    description: str,
    stack: str,
    recorded: Container[str],
) -> Plan:
    """Decide about live applications that a listing by the stack's stamp shows.

    `description` is what names of this stack's secrets begin with, `stack` its own name;
    `recorded` are key ids of what this state or one before it had. Raises `Refused` where nothing
    can be decided without a person.
    """
    whose = _Whose(record, description, recorded)
    replaced = [each for each in stamped if each.object_id in state.replaced_applications]
    to_go = [
        f"the application {_shown(each)} was replaced, and an update deletes it"
        for each in replaced
    ]
    own = [each for each in stamped if each.object_id == state.application_id]
    others = unknown(state, stamped, stack_id)
    if claimed := [each for each in others if stamp.read(each.tags) is None]:
        raise Refused(
            f"The application {_shown(claimed[0])} has this stack's tag beside another stack's, "
            f"or only some of our tags: {', '.join(claimed[0].tags)}.",
            "Take the tags that begin with `proself-mail` off it in its manifest if it is not "
            "this stack's, then try again.",
        )
    if state.application_id is not None:
        if doubtful := [each for each in others if not is_empty(each, record)]:
            raise _in_doubt([*own, *doubtful], state, stack)
        removals, reports = _secrets(own, state, whose)
        return Plan(purge=tuple(others), remove=removals, reports=(*reports, *to_go))
    keep = _to_adopt(others, state, whose, stack)
    if keep is None:
        return Plan()
    purge = tuple(each for each in others if each is not keep)
    removals, reports = _secrets([keep], state, whose)
    return Plan(keep, purge, removals, reports)


def unknown(
    state: State, stamped: Sequence[ApplicationRecord], stack_id: UUID
) -> Sequence[ApplicationRecord]:
    """Return the live applications of the stack that its state does not know."""
    known = {state.application_id, *state.replaced_applications}
    return [
        each
        for each in stamped  # Graph compares without regard to case
        if each.object_id not in known and stamp.stack_tag(stack_id) in each.tags
    ]


def instead_of_making(others: Sequence[ApplicationRecord], gone: str, stack: str) -> str:
    """Say what leads out where the state's application is gone and `others` are alive: sentences.

    To make what is missing would make one more each time, whichever of them is deleted.
    """
    alive = "; ".join(map(_shown, others))
    return (
        f"{_ANOTHERS} If there is none, and Proself has the client ID of {alive}, "
        f"{_known_again(stack)}, then `proself-mail up --stack {stack}`; where the history has no "
        "such state, move Proself to a new stack. If Proself has another, delete what is alive in "
        f"Entra's App registrations, then try again: what to do about {gone} is told then."
    )


def binned(
    state: State, deleted: Sequence[ApplicationRecord], stack_id: UUID, record: Journal
) -> tuple[ApplicationRecord, ...]:
    """Choose from the recycle bin what this update had made, and was killed in removing."""
    return tuple(
        each
        for each in deleted
        if each.object_id != state.application_id
        and stamp.stack_tag(stack_id) in each.tags
        and stamp.read(each.tags) is not None
        and is_empty(each, record)
    )


def _to_adopt(
    found: Sequence[ApplicationRecord],
    state: State,
    whose: _Whose,
    stack: str,
) -> ApplicationRecord | None:
    """Choose the application that the state is to take in, if any."""
    if len(found) == 1:
        [only] = found
        secrets = [p for p in only.passwords if not whose.is_ours(p, only)]
        # One that the stack's outputs tell of was in its state, and is no other stack's.
        if secrets and state.outputs.get(APPLICATION_OBJECT_ID) != only.object_id:
            raise Refused(
                f"The application {_shown(only)} has this stack's tags and holds "
                f"{quantity(len(secrets), 'client secret')} not in the stack's state: another "
                "stack has this `stackId` and the application is that one's, or the state is lost "
                "or older than the tenant.",
                "If this stack's file was copied, remove it, and `proself-mail init --stack "
                f"{short_name(stack)}` writes it anew with a UUID of its own. If the stack is on "
                f"another backend, {backend.how_to_change()}. If it is neither, bring the state "
                "back from the backend's history; if there is none, look whether Proself has this "
                "client ID. If it has, move Proself to a new stack. If it has not, the run that "
                "made the application could not write its state, and nobody uses it: delete it by "
                "its object ID in Entra's App registrations (in a test tenant `proself-mail "
                f"teardown --stack {stack} --keep-stack` does so), then try again.",
            )
        return only
    record = whose.record
    if any(not is_empty(each, record) for each in found):
        raise _in_doubt(found, state, stack)
    # All made by this update and empty: the oldest has been replicated the longest.
    return min(found, key=lambda each: (each.created or record.since, each.object_id), default=None)


def is_empty(application: ApplicationRecord, record: Journal) -> bool:
    """Say whether this update made it, and nothing is lost with it."""
    return record.made(application.created) and not application.passwords


def _secrets(
    applications: Sequence[ApplicationRecord], state: State, whose: _Whose
) -> tuple[tuple[tuple[ApplicationRecord, PasswordRecord], ...], tuple[str, ...]]:
    """Tell secrets that a cut-off update doubled from those that may be in use.

    A doubled one ends with the same window as another that the state knows.
    """
    known = frozenset(state.key_ids.values())
    windows = frozenset(state.ends.values())
    removals: list[tuple[ApplicationRecord, PasswordRecord]] = []
    reports: list[str] = []
    for application in applications:
        for password in application.passwords:
            if password.key_id in known:
                continue
            if whose.is_ours(password, application) and password.expires in windows:
                removals.append((application, password))
            elif whose.may_be_in_use(password, application):
                reports.append(
                    f"the client secret {password.shown} is this stack's, or may be, and no longer "
                    f"in its state; it is left alone: once Proself has the newest, {_REMOVE}"
                )
            else:
                reports.append(
                    f"the client secret {password.shown} is not in the stack's state and is left "
                    f"alone: once nobody uses it, {_REMOVE}"
                )
    return tuple(removals), tuple(reports)


_ANOTHERS = (
    "Look first whether another stack has this `stackId`: its file was copied, or it is on another "
    "backend. Then leave its application alone."
)


def _known_again(stack: str) -> str:
    """Say how a state comes back that knows another application: a clause."""
    own = short_name(stack)
    return (
        "bring the state that knows it back from the backend's history, which has its client "
        f"secrets (on a file backend the newest `*.checkpoint.json` of `.pulumi/history/{PROJECT}/"
        f"{own}` in which its object ID stands, put in the place of `.pulumi/stacks/{PROJECT}/"
        f"{own}.json`)"
    )


def _in_doubt(found: Sequence[ApplicationRecord], state: State, stack: str) -> Refused:
    known = state.application_id or "none"
    bearing = f"{quantity(len(found), 'application')} {'has' if len(found) == 1 else 'have'}"
    if state.application_id and state.application_id not in {each.object_id for each in found}:
        next_step = instead_of_making(found, known, stack)
    else:
        next_step = (
            f"{_ANOTHERS} If there is none, delete the one that Proself does not use in Entra's "
            "App registrations, then try again."
        )
        if state.application_id:
            next_step += (
                " If that is the one which the state knows, do not make another in its place: "
                f"{_known_again(stack)}."
            )
    return Refused(
        f"{bearing} this stack's tags, and the state knows {known}: "
        f"{'; '.join(map(_shown, found))}. Which of them Proself uses cannot be told from here.",
        next_step,
    )


def _shown(application: ApplicationRecord) -> str:
    made = format_instant(application.created) if application.created else "at an unknown time"
    return (
        f"{application.display_name!r} (client ID {application.client_id}, object ID "
        f"{application.object_id}, made {made}, {quantity(len(application.passwords), 'secret')})"
    )


def import_ids(
    state: State,
    application: ApplicationRecord | None,
    principal: ServicePrincipalRecord | None,
    grants: Sequence[GrantRecord],
    exchange_id: str,
    *,
    uri_is_there: bool,
) -> Mapping[str, str]:
    """Return what the program is to import, by resource name: there, and not in the state.

    The ids are those that the azuread plugin takes. Secrets cannot be imported. `uri_is_there`
    says that the Application ID URI was set, whatever a trailing reader shows of the application.
    """
    found: dict[str, str] = {}
    object_id, client_id = state.application_id, state.client_id
    if application is not None:
        object_id, client_id = application.object_id, application.client_id
        found[APPLICATION] = f"/applications/{object_id}"
        uri_is_there |= f"api://{client_id}" in application.identifier_uris
    if uri_is_there and client_id is not None:
        encoded = base64.b64encode(f"api://{client_id}".encode()).decode()
        found[IDENTIFIER_URI] = f"/applications/{object_id}/identifierUris/{encoded}"
    if principal is not None:
        found[SERVICE_PRINCIPAL] = f"/servicePrincipals/{principal.object_id}"
    for grant in grants:
        if grant.is_consent_to(exchange_id):
            found[CONSENT] = f"/oauth2PermissionGrants/{grant.grant_id}"
    return {name: each for name, each in found.items() if name not in state.resources}
