"""OData query options: which objects of a collection, which properties, and in which pages."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from emulator.entity_type import EntityType
from emulator.problems import GraphError, bad_request, bad_syntax, unsupported_query
from emulator.store import Json

_KNOWN = frozenset(
    {"$select", "$filter", "$top", "$skiptoken", "$count", "$search", "$orderby", "$expand"}
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The query options of one request, read but not yet judged."""

    pairs: tuple[tuple[str, str], ...] = ()
    eventual: bool = False
    """Whether `ConsistencyLevel: eventual` was sent."""

    @classmethod
    def parse(cls, query: str, headers: Mapping[str, str]) -> "Options":
        """From a query string and headers with lower-case names. GraphError 400 if malformed."""
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        for name, _ in pairs:
            if name.startswith("$") and name not in _KNOWN:
                raise bad_syntax(f"The query parameter '{name}' is not supported.")
        eventual = headers.get("consistencylevel", "").lower() == "eventual"
        return cls(pairs=pairs, eventual=eventual)

    def get(self, name: str) -> str | None:
        """Return the value of an option; GraphError 400 if it is given twice."""
        values = [value for other, value in self.pairs if other == name]
        if len(values) > 1:
            raise bad_syntax(
                f"Query option '{name}' was specified more than once, but it must be specified at "
                "most once."
            )
        return values[0] if values else None

    @property
    def count(self) -> bool:
        """Whether `$count=true`."""
        return (self.get("$count") or "").lower() == "true"

    @property
    def advanced(self) -> bool:
        """Whether both advanced query parameters are there."""
        return self.eventual and self.count

    def with_skip_token(self, token: str) -> str:
        """Return the query string of the next page."""
        pairs = [pair for pair in self.pairs if pair[0] != "$skiptoken"]
        return urlencode([*pairs, ("$skiptoken", token)], safe="$()',:/")


def selected(options: Options, entity: EntityType, version: str) -> frozenset[str] | None:
    """Return the properties that a reply shows; None for all that the version knows."""
    text = options.get("$select")
    if text is None:
        return entity.shown
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if "*" in names:
        return None
    for name in sorted(names):
        known = name in entity.properties and (version == "beta" or name not in entity.beta)
        if not known and name not in entity.navigations:
            raise bad_syntax(
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name}' on type '{entity.full_name}'."
            )
    return names


def expanded(options: Options, entity: EntityType) -> dict[str, frozenset[str] | None]:
    """Return the relationships of `$expand`, each with the properties of its nested `$select`.

    GraphError 400 for one that the type does not have, and with advanced query parameters.
    """
    text = options.get("$expand")
    if text is None:
        return {}
    if options.advanced:
        raise unsupported_query("The $expand query option is not supported with advanced queries.")
    found: dict[str, frozenset[str] | None] = {}
    for name, nested in re.findall(r"([A-Za-z0-9]+)\s*(?:\(([^)]*)\))?", text):
        if name not in entity.navigations:
            raise bad_syntax(
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name}' on type '{entity.full_name}'."
            )
        columns = nested.strip().removeprefix("$select=") if nested else ""
        found[name] = frozenset(columns.split(",")) if columns else None
    return found


def project(body: Json, entity: EntityType, names: frozenset[str] | None, version: str) -> Json:
    """Those properties of `body` that a reply shows; annotations stay."""
    hidden = entity.beta if version != "beta" else frozenset()
    return {
        name: value
        for name, value in body.items()
        if name.startswith("@") or (name not in hidden and (names is None or name in names))
    }


@dataclass(frozen=True)
class Page:
    """A part of a collection."""

    items: list[Json]
    count: int | None
    skip_token: str | None


def page_size(options: Options, entity: EntityType) -> int:
    """How many objects a page holds. GraphError 400 for a `$top` that is none."""
    text = options.get("$top")
    if text is None:
        return entity.page_size
    if not text.isdecimal():
        raise bad_syntax(
            f"Invalid value '{text}' for $top query option found. The $top query option requires "
            "a non-negative integer value."
        )
    size = int(text)
    if not 1 <= size <= entity.max_page_size:
        raise unsupported_query(
            f"Invalid page size specified: '{size}'. Must be between 1 and "
            f"{entity.max_page_size} inclusive."
        )
    return size


def page(options: Options, entity: EntityType, items: Iterable[tuple[int, Json]]) -> Page:
    """Return the asked page of `items`: ordinals and bodies, oldest first and already filtered.

    A page begins after the last object of the one before by rank, not by number, so that objects
    deleted between two pages make no other one be skipped.
    """
    name, descending = _sort(options, entity)
    ranked = [(_rank(body.get(name)) if name else "", ordinal, body) for ordinal, body in items]
    ranked.sort(key=lambda item: item[0], reverse=descending)
    count = len(ranked) if options.count and options.eventual else None
    token = options.get("$skiptoken")
    if token is not None:
        rank, ordinal = _decode(token)
        ranked = [
            item
            for item in ranked
            if (item[0] < rank if descending else item[0] > rank)
            or (item[0] == rank and item[1] > ordinal)
        ]
    size = page_size(options, entity)
    shown = ranked[:size]
    more = _encode(*shown[-1][:2]) if len(ranked) > size else None
    return Page([body for _, _, body in shown], count, more)


def _sort(options: Options, entity: EntityType) -> tuple[str, bool]:
    """Return the property to sort by ("" for none), and whether downwards."""
    text = options.get("$orderby")
    if not text:
        return "", False
    name, _, direction = text.strip().partition(" ")
    if name not in entity.properties:
        raise bad_syntax(f"Could not find a property named '{name}' on type '{entity.full_name}'.")
    allowed = entity.sorts | (entity.advanced_sorts if options.advanced else frozenset())
    if name not in allowed or (options.get("$filter") and not options.advanced):
        raise unsupported_query("Sorting not supported for current query.")
    return name, direction.strip().lower() == "desc"


def _rank(value: Any) -> str:
    """Return what orders values: case is ignored, and nothing comes before something."""
    return "" if value is None else f"1{str(value).casefold()}"


def search(options: Options, entity: EntityType) -> Callable[[Json], bool] | None:
    """Return what `$search` lets through: `"displayName:word"`, joined by AND or OR.

    GraphError 400 without the ConsistencyLevel header, or if it is malformed.
    """
    text = options.get("$search")
    if text is None:
        return None
    if not options.eventual:
        raise unsupported_query(
            "Request with $search query parameter only works through MSGraph with a special "
            "request header: 'ConsistencyLevel: eventual'"
        )
    alternatives = [
        [_search_term(term, entity) for term in alternative.split(" AND ")]
        for alternative in text.split(" OR ")
    ]
    return lambda item: any(all(term(item) for term in terms) for terms in alternatives)


def _search_term(text: str, entity: EntityType) -> Callable[[Json], bool]:
    quoted = text.strip()
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        raise bad_request(
            f"Syntax error: character '{quoted[:1]}' is not valid at position 0 in '{text}'."
        )
    name, colon, words = quoted[1:-1].partition(":")
    if not colon or name not in entity.searches:
        raise unsupported_query(
            f"Property '{name}' is not supported for $search on resource '{entity.resource}'."
        )
    wanted = words.casefold().split()

    def passes(item: Json) -> bool:
        value = item.get(name)
        values = value if isinstance(value, list) else [value]
        tokens = [token for one in values for token in str(one or "").casefold().split()]
        return all(any(token.startswith(word) for token in tokens) for word in wanted)

    return passes


def _encode(rank: str, ordinal: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([rank, ordinal]).encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[str, int]:
    try:
        rank, ordinal = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return str(rank), int(ordinal)
    except (ValueError, TypeError) as error:
        raise GraphError(
            400,
            "Directory_ExpiredPageToken",
            "The specified page token value has expired and can no longer be included in your "
            "request.",
        ) from error
