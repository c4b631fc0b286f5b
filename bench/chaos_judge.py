"""What a run under faults left in a tenant: one of each that is ours, and nothing else changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

Objects = Mapping[str, Mapping[str, Any]]


@dataclass
class Verdict:
    """What the tenant has of a stack."""

    live: Sequence[Mapping[str, Any]]
    """The applications with the stack's stamp, without those in the recycle bin."""
    applications: int
    """With the stack's stamp, live and in the recycle bin."""
    secrets_left: int
    """Client secrets beyond the one that is wanted."""
    problems: list[str] = field(default_factory=list)
    """What is not as it should be; empty is right in all respects."""


class Judge:
    """Asks a tenant without faults; knows what it had when the judge was made, before the run."""

    def __init__(self, graph: httpx.Client, stack_id: UUID) -> None:
        self._graph = graph
        self._tag = f"proself-mail:stack={stack_id}"
        self._foreign_before = self._foreign()
        self._grants_before = self._grants()

    def verdict(self) -> Verdict:
        """Judge what is there now."""
        live = self._stamped("/v1.0/applications")
        in_bin = {
            kind: self._stamped(f"/v1.0/directory/deletedItems/microsoft.graph.{kind}")
            for kind in ("application", "servicePrincipal")
        }
        held = sum(len(each["passwordCredentials"]) for each in [*live, *in_bin["application"]])
        verdict = Verdict(live, len(live) + len(in_bin["application"]), max(0, held - 1))
        found = verdict.problems
        if len(live) != 1:
            found.append(f"{len(live)} applications")
        found += [f"{len(of)} {kind} in the recycle bin" for kind, of in in_bin.items() if of]
        if self._foreign_before != self._foreign():
            found.append("a foreign object was touched")
        if len(live) == 1 and held != 1:
            found.append(f"{held} client secrets")
        # Neither is looked for by our application alone: what is left over may be another's.
        principals = self._stamped("/v1.0/servicePrincipals")
        if [each["appId"] for each in principals] != [each["appId"] for each in live]:
            found.append(f"{len(principals)} service principals, or not the application's")
        self._judge_grants([each["id"] for each in principals], found)
        return verdict

    def _judge_grants(self, principals: Sequence[str], found: list[str]) -> None:
        after = self._grants()
        if any(after.get(id_) != grant for id_, grant in self._grants_before.items()):
            found.append("a foreign grant was touched")
        new = [grant for id_, grant in after.items() if id_ not in self._grants_before]
        if [(each["clientId"], each["scope"]) for each in new] != [
            (principal, "Mail.Send") for principal in principals
        ]:
            found.append(f"new grants {[(each['clientId'], each['scope']) for each in new]}")

    def _foreign(self) -> Objects:
        return {
            each["id"]: each
            for kind in ("applications", "servicePrincipals")
            for each in self._list(f"/v1.0/{kind}")
            if self._tag not in each["tags"]
        }

    def _grants(self) -> Objects:
        return {each["id"]: each for each in self._list("/v1.0/oauth2PermissionGrants")}

    def _stamped(self, path: str) -> list[dict[str, Any]]:
        return [each for each in self._list(path) if self._tag in each["tags"]]

    def _list(self, path: str) -> list[dict[str, Any]]:
        page = self._graph.get(path, params={"$top": 999}).raise_for_status().json()
        if "@odata.nextLink" in page:
            raise ValueError(f"more than one page of {path}")
        found: list[dict[str, Any]] = page["value"]
        return found
