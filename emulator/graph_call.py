"""One call of Graph as its handlers see it, and the replies they give."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator import odata
from emulator.cloud import Cloud
from emulator.entities import EntityType
from emulator.odata_filter import Filter
from emulator.odata_path import Key, Segment
from emulator.permissions import Caller, Needs
from emulator.problems import bad_request, forbidden, not_found
from emulator.replicas import View
from emulator.store import Entry, Json, Kind, Record
from emulator.tenant import Tenant


@dataclass(frozen=True)
class Reply:
    """What a handler answers. The body is a JSON object, or plain text."""

    status: int
    body: Json | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


NO_CONTENT = Reply(204)


@dataclass(kw_only=True)
class Call:
    """A request that has been authenticated and found a route."""

    cloud: Cloud
    tenant: Tenant
    caller: Caller
    view: View
    method: str
    version: str
    """`v1.0` or `beta`."""
    base: str
    """Graph's own address as this client knows it, with the version."""
    path: str
    """The path below the version, as it was sent."""
    options: odata.Options
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any = None
    """The request's JSON; None without one."""
    params: dict[str, Segment] = field(default_factory=dict)
    needs: Needs | None = None

    def param(self, name: str) -> str:
        """A path parameter that is an id."""
        value = self.params[name]
        if isinstance(value, Key):
            raise bad_request(f"Unsupported key '{value.name}'.")
        return value

    def json(self) -> Json:
        """The request's body. GraphProblem 400 if it is no JSON object."""
        if not isinstance(self.body, dict):
            raise bad_request("Empty Payload. JSON content expected.")
        return self.body

    def seen(self, kind: Kind, id_: str) -> Record:
        """A live object as this call sees it. GraphProblem 404 if it does not."""
        record = self.tenant.seen(self.view, kind, id_)
        if record is None:
            raise not_found(id_)
        return record

    def latest(self, record: Record) -> Record:
        """The present version of an object that this call has seen.

        A write goes to the present state even if the replica that let it pass shows an older one.
        GraphProblem 404 if it is gone by now.
        """
        entry = self.tenant.store.entry(record.kind, record.id)
        latest = entry.latest if entry is not None else None
        if latest is None or latest.deleted_at is not None:
            raise not_found(record.id)
        return latest

    def require_ownership(self, record: Record) -> None:
        """GraphProblem 403 if the caller may change only its own, and `record` is not."""
        if self.needs is not None and self.needs.only_if_owned(self.caller):
            if self.caller.object_id not in record.linked("owners"):
                raise forbidden()

    def candidates(self, entity: EntityType, kind: Kind) -> list[Entry]:
        """The entries of a kind that `$filter` cannot exclude beforehand."""
        text = self.options.get("$filter")
        if text is not None:
            wanted = Filter(text, entity, advanced=self.options.advanced)
            store = self.tenant.store
            found = wanted.required_equality(lambda name: store.is_indexed(kind, name))
            if found is not None:
                return store.entries(kind, *found)
        return self.tenant.store.entries(kind)

    def context(self, fragment: str) -> str:
        """The `@odata.context` of a reply."""
        return f"{self.base}/$metadata#{fragment}"

    def entity(self, record: Record, entity: EntityType, status: int = 200) -> Reply:
        """A reply that shows one object."""
        names = odata.selected(self.options, entity, self.version)
        body = odata.project(record.body, entity, names, self.version)
        fragment = f"{entity.collection}/$entity"
        return Reply(status, {"@odata.context": self.context(fragment), **body})

    def collection(
        self,
        entity: EntityType,
        entries: Iterable[Entry],
        *,
        keep: Callable[[Record], bool] | None = None,
    ) -> Reply:
        """A reply that shows a page of those of `entries` that are seen, kept and asked for."""
        options = self.options
        names = odata.selected(options, entity, self.version)
        text = options.get("$filter")
        wanted = Filter(text, entity, advanced=options.advanced) if text is not None else None
        searched = odata.search(options, entity)
        found = []
        for entry, record in self.view.records(entries):
            if record.deleted_at is not None if keep is None else not keep(record):
                continue
            if wanted is not None and not wanted.passes(record.body):
                continue
            if searched is not None and not searched(record.body):
                continue
            found.append((entry.ordinal, record.body))
        page = odata.page(options, entity, found)
        body: Json = {"@odata.context": self.context(entity.collection)}
        if page.count is not None:
            body["@odata.count"] = page.count
        if page.skip_token is not None:
            query = options.with_skip_token(page.skip_token)
            body["@odata.nextLink"] = f"{self.base}{self.path}?{query}"
        body["value"] = [odata.project(item, entity, names, self.version) for item in page.items]
        return Reply(200, body)


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Route:
    """A method and a pattern of segments, such as `/applications/{application}/owners`."""

    method: str
    pattern: str
    handler: Handler
    needs: Needs
