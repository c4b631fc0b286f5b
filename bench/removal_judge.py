"""What a removal left and touched, told by the tenant itself and not by its readers.

Two witnesses. What the tenant holds, every property, owner, credential and grant of every object,
recycle bin included, must be what it held before, less what is ours. And its history must hold no
write to anything but what is ours, though the write changed nothing or was undone.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import httpx

Objects = Mapping[str, Mapping[str, Any]]


def objects(admin: httpx.Client) -> dict[str, dict[str, Any]]:
    """Return all that the tenant holds, by id."""
    return {each["id"]: each for each in admin.get("/objects").raise_for_status().json()}


@dataclass(frozen=True)
class Judge:
    """Knows what there was before."""

    before: Objects
    ours: Set[str]
    """Ids of what is to go, and of what goes with it."""
    since: int
    """Number of the last exchange before the removal."""

    @classmethod
    def of(cls, admin: httpx.Client, applications_and_principals: Set[str]) -> "Judge":
        """Look at the tenant before anything is removed."""
        before = objects(admin)
        ours = applications_and_principals
        hanging = {
            each["id"]
            for each in before.values()
            if {each["parent"], each["body"].get("clientId"), each["body"].get("principalId")}
            & ours
        }
        history = admin.get("/history").json()
        return cls(before, ours | hanging, history[-1]["n"] if history else 0)

    def problems(self, admin: httpx.Client) -> list[str]:
        """Say what is wrong now; nothing where all is as it should be."""
        after = objects(admin)
        found = [f"ours is left: {self._shown(id_)}" for id_ in sorted(self.ours & set(after))]
        for id_ in sorted((set(self.before) | set(after)) - self.ours):
            if self.before.get(id_) != after.get(id_):
                what = "is gone" if id_ not in after else "differs"
                found.append(
                    f"foreign {self._shown(id_)} {what if id_ in self.before else 'is new'}"
                )
        for each in admin.get(f"/history?since={self.since}").json():
            written = each["method"] != "GET" and each["path"].startswith(("/v1.0/", "/beta/"))
            if written and not self._is_about_ours(each["path"]):
                found.append(f"wrote elsewhere: {each['method']} {each['path']}")
        return found

    def _is_about_ours(self, path: str) -> bool:
        parts = path.partition("?")[0].split("/")
        return bool(self.ours & set(parts))

    def _shown(self, id_: str) -> str:
        return f"{self.before[id_]['kind']} {id_}" if id_ in self.before else id_
