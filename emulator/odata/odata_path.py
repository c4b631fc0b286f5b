"""Paths of OData resources: segments, keys in parentheses, type casts."""

from dataclasses import dataclass
from urllib.parse import unquote

from emulator.odata.problems import bad_syntax


@dataclass(frozen=True, slots=True)
class Key:
    """An alternate key: `(appId='…')`. The primary key, `('…')`, is a plain segment."""

    name: str
    value: str


Segment = str | Key


def parse(path: str) -> tuple[Segment, ...]:
    """Split an encoded path without its query: `/a/b(c='d')` is `a`, `b`, `Key`."""
    segments: list[Segment] = []
    for raw in path.split("/"):
        if not raw:
            continue
        text = unquote(raw)
        name, parenthesis, rest = text.partition("(")
        if not parenthesis:
            segments.append(text)
            continue
        key = _key(rest[:-1]) if rest != ")" else None
        if not name or not rest.endswith(")") or key == "":
            raise bad_syntax(f"Bad Request - Error in query syntax near '{text}'.")
        segments += [name] if key is None else [name, key]
    return tuple(segments)


def _key(text: str) -> Segment:
    name, equals, value = text.partition("=")
    if text.startswith("'") or not equals:
        return _literal(text)
    return Key(name.strip(), _literal(value.strip()))


def _literal(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def is_cast(segment: Segment) -> bool:
    """Whether a segment names a type, such as `microsoft.graph.user`."""
    return isinstance(segment, str) and segment.startswith(("microsoft.graph.", "graph."))
