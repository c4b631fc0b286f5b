"""What a tenant is filled with before something is removed from it: ours, and what looks like it.

Described for the embedded tenant's POST /seed; how many of each follows from the seed. What is ours
is known by having been planted as ours, so no judgement of the product's is used to judge it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from proself_mail.config.stamp import stack_tag

_NAME = "Proself mail"
_RESOURCE = "00000002-0000-0ff1-ce00-000000000000"  # Exchange Online


@dataclass(frozen=True)
class Planted:
    """What was put into a tenant."""

    ours: frozenset[str]
    """Object ids of our applications and their service principals."""
    foreign: Sequence[str]
    """Object ids of the applications that are not."""


def grant_mail(graph: httpx.Client, service_principal_id: str) -> None:
    """Give a service principal the consent that ours has: Mail.Send, for all users."""
    query = {"$filter": f"appId eq '{_RESOURCE}'"}
    found = graph.get("/v1.0/servicePrincipals", params=query).raise_for_status().json()
    grant = {
        "clientId": service_principal_id,
        "consentType": "AllPrincipals",
        "resourceId": found["value"][0]["id"],
        "scope": "Mail.Send",
    }
    graph.post("/v1.0/oauth2PermissionGrants", json=grant).raise_for_status()


class LookAlikes:
    """One tenant's inhabitants."""

    def __init__(self, chance: random.Random, stack_id: UUID) -> None:
        self._chance = chance
        self._ours = stack_id
        self._other = UUID(int=chance.getrandbits(128))
        now = datetime.now(UTC)
        self._past, self._future = (now + timedelta(days=days) for days in (-1, 1))

    def plant(self, admin: httpx.Client, graph: httpx.Client) -> Planted:
        """Put all of it into the tenant, with credentials, owners and grants on what is foreign."""
        described = [*self._of_ours(), *self._of_others()]
        body = [what for _, what in described]
        made = admin.post("/seed", json={"applications": body}).raise_for_status().json()
        mine = [is_ours for is_ours, what in described for _ in range(what["count"])]
        ours: set[str] = set()
        foreign: list[dict[str, str]] = []
        for is_ours, found in zip(mine, made["applications"], strict=True):
            if is_ours:
                ours |= {found["id"], found.get("servicePrincipalId", found["id"])}
            else:
                foreign.append(found)
            if is_ours and "servicePrincipalId" in found and self._chance.random() < 0.3:
                # As a consent page makes one: it bears no stamp.
                path = f"/v1.0/servicePrincipals/{found['servicePrincipalId']}"
                graph.patch(path, json={"tags": []})  # those in the recycle bin keep theirs
        self._adorn(graph, foreign)
        return Planted(frozenset(ours), [each["id"] for each in foreign])

    def _of_ours(self) -> list[tuple[bool, dict[str, Any]]]:
        tags = self._tags(self._ours)
        live = self._some({"tags": tags}, 3) | {"deleted": None}
        return [(True, each) for each in (live, self._some({"tags": tags}, 2))]

    def _of_others(self) -> list[tuple[bool, dict[str, Any]]]:
        ours, other = self._tags(self._ours), self._tags(self._other, ends=self._future)
        secret = {"keyId": str(uuid4()), "displayName": f"{_NAME} {self._past:%Y-%m-%d}"}
        found = [
            self._some({"passwordCredentials": [secret]}, 20),
            self._some({"tags": ["proself-mail"], "notes": "proself-mail"}, 20),
            self._some({"tags": other, "passwordCredentials": [secret]}, 20),
            self._some({"tags": self._tags(self._other, "production")}, 3),
            self._some({"tags": self._tags(self._ours, "production")}, 3),
            self._some({"tags": [*ours, stack_tag(self._other)]}, 3),
            self._some({"tags": ours[:2]}, 3),
            self._some({"tags": [each.upper() for each in ours]}, 3),
            # Ours by its service principal's stamp alone; `_adorn` takes the application's away.
            {"display_name": "taken over", "count": 1, "service_principal": True,
             "body": {"tags": ours}},
        ]  # fmt: skip
        return [(False, each) for each in found]

    def _adorn(self, graph: httpx.Client, foreign: Sequence[dict[str, str]]) -> None:
        """Give some of what is foreign what a person would: a federated credential, a grant."""
        taken = foreign[-1]
        path = f"/v1.0/applications/{taken['id']}"
        tags = self._tags(self._other, ends=self._future)
        graph.patch(path, json={"tags": tags}).raise_for_status()
        federated = {
            "name": "theirs",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:theirs/mail:environment:test",
            "audiences": ["api://AzureADTokenExchange"],
        }
        graph.post(f"{path}/federatedIdentityCredentials", json=federated).raise_for_status()
        grant_mail(graph, taken["servicePrincipalId"])

    def _tags(
        self, stack: UUID, environment: str = "test", ends: datetime | None = None
    ) -> list[str]:
        ends = ends or self._past
        return [
            "proself-mail",
            stack_tag(stack),
            f"proself-mail:environment={environment}",
            f"proself-mail:deleteAfter={ends:%Y-%m-%dT%H:%M:%SZ}",
        ]

    def _some(self, body: dict[str, Any], most: int) -> dict[str, Any]:
        chance = self._chance
        deleted = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" if chance.random() < 0.3 else None
        return {
            "display_name": _NAME,
            "body": body,
            "owners": [str(UUID(int=chance.getrandbits(128)))],
            "count": chance.randint(1, most),
            "service_principal": chance.random() < 0.7,
            "deleted": deleted,
        }
