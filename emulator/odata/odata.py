"""OData query options: which objects of a collection, which properties, and in which pages."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from emulator import json_text
from emulator.directory.entities import TYPES
from emulator.directory.entity_type import EntityType
from emulator.json_text import Json
from emulator.odata.odata_types import whole_number
from emulator.odata.problems import GraphError, bad_syntax, unsupported_query

_KNOWN = frozenset(
    {
        "$count",
        "$expand",
        "$filter",
        "$format",
        "$orderby",
        "$search",
        "$select",
        "$skiptoken",
        "$top",
    }
)
_FORMATS = ("json", "application/json")

_EXPANDED = re.compile(r"\s*([A-Za-z0-9]+)\s*(?:\(([^()]*)\)\s*)?(?:,(?!\s*$)|$)")
_DIRECTIONS = ("", "asc", "desc")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The query options of one request, read but not yet judged."""

    pairs: tuple[tuple[str, str], ...] = ()
    eventual: bool = False
    """Whether `ConsistencyLevel: eventual` was sent."""

    @classmethod
    def parse(cls, query: str, headers: Mapping[str, str], version: str) -> "Options":
        """From a query string and headers with lower-case names. GraphError 400 if malformed.

        On beta an option's name may lack its `$`.
        """
        pairs = parse_qsl(query, keep_blank_values=True)
        if version == "beta":
            pairs = [(f"${name}" if f"${name}" in _KNOWN else name, text) for name, text in pairs]
        for name, _ in pairs:
            if name.startswith("$") and name not in _KNOWN:
                raise bad_syntax(f"The query parameter '{name}' is not supported.")
        eventual = headers.get("consistencylevel", "").lower() == "eventual"
        options = cls(pairs=tuple(pairs), eventual=eventual)
        format_ = options.get("$format")
        if format_ is not None and format_ not in _FORMATS:
            raise bad_syntax(f"The format '{format_}' is not supported.")
        return options

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
        """Whether `$count=true`; GraphError 400 for what is neither true nor false."""
        text = self.get("$count") or "false"
        if text.lower() not in ("true", "false"):
            raise bad_syntax(
                f"Invalid value '{text}' for $count query option found. Valid values are "
                "'true, false'."
            )
        return text.lower() == "true"

    @property
    def advanced(self) -> bool:
        """Whether both advanced query parameters are there."""
        return self.eventual and self.count

    def with_skip_token(self, token: str) -> str:
        """Return the query string of the next page."""
        pairs = [pair for pair in self.pairs if pair[0] != "$skiptoken"]
        return urlencode([*pairs, ("$skiptoken", token)], safe="$()',:/")


def selected(options: Options, entity: EntityType, version: str) -> frozenset[str] | None:
    """Return the properties that a reply shows; None for all that the version knows.

    An empty `$select` is none.
    """
    text = options.get("$select")
    return _names(text, entity, version) if text else entity.shown


def _names(text: str, entity: EntityType, version: str) -> frozenset[str] | None:
    """Return the properties of a selection, None for all; GraphError 400 for an unknown one."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if "*" in names:
        # Objects of the types derived from it would show their default properties for None.
        return entity.derived or None
    for name in sorted(names):
        known = name in entity.properties or name in entity.derived
        if name in entity.navigations or (known and (version == "beta" or name not in entity.beta)):
            continue
        raise _unknown(name, entity)
    return names


def _unknown(name: str, entity: EntityType) -> GraphError:
    return bad_syntax(
        "Parsing OData Select and Expand failed: Could not find a property named "
        f"'{name}' on type '{entity.full_name}'."
    )


def expanded(
    options: Options, entity: EntityType, version: str
) -> dict[str, frozenset[str] | None]:
    """Return the relationship of `$expand`, if any, with the properties of its nested `$select`.

    GraphError 400 for one that the type does not have, for several, for any other nested option,
    and with advanced query parameters.
    """
    text = options.get("$expand")
    if text is None:
        return {}
    if options.advanced or options.get("$search") is not None:
        raise unsupported_query("The $expand query option is not supported with advanced queries.")
    found: dict[str, frozenset[str] | None] = {}
    position = 0
    while position < len(text) or not found:
        match = _EXPANDED.match(text, position)
        if match is None:
            raise bad_syntax(
                "Parsing OData Select and Expand failed: Syntax error at position "
                f"{position} in '{text}'."
            )
        position = match.end()
        name, nested = match.groups()
        if found:
            raise bad_syntax(
                "The result of parsing $expand contained at least 2 items, but the maximum allowed "
                "is 1."
            )
        if name not in entity.navigations:
            raise _unknown(name, entity)
        found[name] = None
        if nested is not None:
            option, _, columns = nested.strip().partition("=")
            if option != "$select" or not columns or ";" in columns:
                raise unsupported_query("Unsupported Query.")
            found[name] = _names(columns, TYPES[entity.navigations[name]], version)
    return found


def project(body: Json, entity: EntityType, names: frozenset[str] | None, version: str) -> Json:
    """Those properties of `body` that a reply shows; annotations stay, keys of certificates go."""
    hidden = entity.beta if version != "beta" else frozenset()
    return {
        name: [{**one, "key": None} for one in value] if name == "keyCredentials" else value
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
    size = whole_number(text)
    if size is None:
        raise bad_syntax(
            f"Invalid value '{text}' for $top query option found. The $top query option requires "
            "a non-negative integer value."
        )
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
    token = options.get("$skiptoken")
    # The number stands on the first page alone.
    count = len(ranked) if options.count and options.eventual and token is None else None
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
    first, *others = [one.strip().partition(" ") for one in text.split(",")]
    for name, _, direction in (first, *others):
        if direction.strip().lower() not in _DIRECTIONS:
            raise bad_syntax(f"Syntax error at position {text.index(direction)} in '{text}'.")
        if name not in entity.properties:
            raise bad_syntax(
                f"Could not find a property named '{name}' on type '{entity.full_name}'."
            )
    name, _, direction = first
    allowed = entity.sorts | (entity.advanced_sorts if options.advanced else frozenset())
    if others or name not in allowed or (options.get("$filter") and not options.advanced):
        raise unsupported_query("Sorting not supported for current query.")
    return name, direction.strip().lower() == "desc"


def _rank(value: Any) -> str:
    """Return what orders values: case is ignored, and nothing comes before something."""
    return "" if value is None else f"1{str(value).casefold()}"


def _encode(rank: str, ordinal: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([rank, ordinal]).encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[str, int]:
    try:
        rank, ordinal = json_text.read(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if type(rank) is not str or type(ordinal) is not int or ordinal < 0:
            raise ValueError
        return rank, ordinal
    except (ValueError, TypeError) as error:
        raise GraphError(
            400,
            "Directory_ExpiredPageToken",
            "The specified page token value has expired and can no longer be included in your "
            "request.",
        ) from error
