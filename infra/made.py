"""What the engine's state says is made, before the program declares anything.

Two refusals are drawn from it that no provider gives: of another stack's UUID, and of an update
that would delete or drop what lives and is not declared.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pulumi

from infra import targets
from proself_mail.config import identity, stamp
from proself_mail.config.mending import undeclared
from proself_mail.config.settings import Settings
from proself_mail.errors import Refused, sentence
from proself_mail.schedule import vanishing
from proself_mail.stack.foreign import Foreign, foreign_in_state, without_foreign
from proself_mail.stack.output_names import APPLICATION_OBJECT_ID
from proself_mail.stack.state import (
    APPLICATION,
    COMPONENT,
    KINDS,
    SECRET_KIND,
    SECRET_PREFIX,
    foreign_of,
    is_foreign,
)
from proself_mail.stack.urn import Urn

_ABOVE_SECRETS = {
    *("pulumi:pulumi:Stack", COMPONENT, f"{COMPONENT}$pulumi:providers:azuread"),
    f"{COMPONENT}${KINDS[APPLICATION]}",
}
"""What a secret depends on, by types with their parents' as in a URN."""
_ABOVE_FOREIGN = ("pulumi:pulumi:Stack", "pulumi:providers:")


@dataclass(frozen=True)
class Made:
    """What the state says is made."""

    application_id: str | None
    ends: Mapping[str, datetime]
    """When each secret ends, by its window's id."""
    stack_id: UUID | None = None
    """The UUID that the application bears; None where its stamp is damaged, or without one."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """The URN of each secret, by its window's id."""
    above_secrets: Sequence[str] = ()
    """The URNs of what they depend on."""
    foreign: Sequence[Foreign] = ()
    """What this program never declares and this run would delete; parents come first."""
    told_application_id: str | None = None
    """The application that the outputs tell of."""

    @classmethod
    def read(cls, stack: str) -> Self | None:
        """Ask the engine what is in this stack's state; None where it cannot tell.

        No resource of it reaches the state, as a `pulumi.StackReference` would, but the engine's
        own provider.
        """
        # The engine is writing the state just now, and a file that is half written reads as an
        # error. A backend of the CLI's oldest layout never knows the name.
        for wait in (0.02, 0.1, 0):
            try:
                told = _outputs_and_resources(stack)
            except Exception:  # the engine's are of no closer class
                time.sleep(wait)
            else:
                # What cannot be made out of it ends the run: None would let it pass every guard.
                return cls._of(*told)
        return None

    def check_identity(self, settings: Settings, stack: str, folder: Path | None) -> None:
        """Refuse a `stackId` that is not this stack's own. Raises `Refused`.

        `folder` is where the project's stack files lie; None where that cannot be told.
        """
        is_set_up = self.application_id is not None
        identity.check(stack, settings.stack_id, self.stack_id, folder, is_set_up=is_set_up)

    def check(self, settings: Settings, stack: str, now: datetime) -> None:
        """Refuse to have what lives and is not declared deleted or dropped. Raises `Refused`.

        That is a secret, or whatever somebody imported into the stack.
        """
        if self.foreign:
            mending = sentence(without_foreign(stack, self.foreign))
            raise Refused(sentence(foreign_in_state(self.foreign)), f"{mending} Then try again.")
        undeclared_ones = vanishing(self.ends, settings.entries, now)
        if lost := [each for each in undeclared_ones if not self._is_kept(each)]:
            told = undeclared(stack, lost, self.ends, settings.entries, now)
            raise Refused(*map(sentence, told))

    def _is_kept(self, window: str) -> bool:
        return targets.keeps(self.secrets[window], self.above_secrets)

    @classmethod
    def _of(cls, outputs: Mapping[str, Any], resources: Mapping[Urn, Mapping[str, Any]]) -> Self:
        application_id, ends, borne, secrets = None, {}, None, {}
        for urn, resource in resources.items():
            if is_foreign(urn):
                continue
            if resource["type"] == KINDS[APPLICATION]:
                application_id = resource["outputs"].get("objectId")
                borne = stamp.read(resource["outputs"].get("tags") or ())
            elif resource["type"] == SECRET_KIND:
                window = urn.name.removeprefix(SECRET_PREFIX)
                ends[window] = datetime.fromisoformat(resource["outputs"]["endDate"])
                secrets[window] = urn
        above = [urn for urn in resources if urn.types in _ABOVE_SECRETS]
        return cls(
            application_id,
            ends,
            borne.stack_id if borne else None,
            secrets,
            above,
            _foreign(outputs, resources),
            outputs.get(APPLICATION_OBJECT_ID),
        )


def _foreign(
    outputs: Mapping[str, Any], resources: Mapping[Urn, Mapping[str, Any]]
) -> Sequence[Foreign]:
    """Return what this program never declares and this run would delete."""
    # What was imported depends on these, and else on what was imported.
    above = [urn for urn in resources if urn.types.startswith(_ABOVE_FOREIGN)]
    found = [urn for urn in resources if is_foreign(urn) and not targets.keeps(urn, above)]
    ids = {urn: _graph_id(resources[urn]) for urn in sorted(found, key=lambda urn: urn.depth)}
    return foreign_of(ids, outputs, resources)


def _graph_id(resource: Mapping[str, Any]) -> str:
    """Return a resource's id at Graph: an object's, or a secret's key id; blank for another."""
    told = resource["outputs"]
    return str(told.get("keyId") or told.get("objectId") or "")


def _outputs_and_resources(
    stack: str,
) -> tuple[Mapping[str, Any], Mapping[Urn, Mapping[str, Any]]]:
    """Return the outputs in the state, and type and outputs of each resource, by URN."""
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    # On a stack that has no state yet the second question would end the engine.
    if not (outputs := _ask_engine("readStackOutputs", name=name)):
        return {}, {}
    resources = _ask_engine("readStackResourceOutputs", stackName=name)
    return outputs, {Urn(urn): resource for urn, resource in resources.items()}


def _ask_engine(function: str, **arguments: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = pulumi.runtime.invoke(f"pulumi:pulumi:{function}", arguments).value
    outputs: Mapping[str, Any] = found["outputs"]
    return outputs
