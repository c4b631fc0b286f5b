"""Finds the route of a Graph path."""

from collections.abc import Iterable

from emulator.graph.graph_call import Route
from emulator.odata.odata_path import Key, Segment, is_cast
from emulator.odata.problems import method_not_allowed, segment_not_found, uncontained


class Router:
    """All routes, by the number of their segments."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
        self._first: set[str] = set()
        for route in routes:
            pattern = tuple(route.pattern.strip("/").split("/"))
            self._routes.setdefault(len(pattern), []).append((pattern, route))
            self._first.add(pattern[0])
        for same_length in self._routes.values():
            # A literal segment goes before a parameter in the same place.
            same_length.sort(key=lambda item: [part.startswith(("{", "<")) for part in item[0]])

    def find(self, method: str, segments: tuple[Segment, ...]) -> tuple[Route, dict[str, Segment]]:
        """Return the route and its parameters. GraphError 400 or 405 if there is none."""
        allowed: list[str] = []
        for pattern, route in self._routes.get(len(segments), ()):
            params = _match(pattern, segments)
            if params is not None:
                if route.method == method:
                    return route, params
                allowed.append(route.method)
        references = self._routes.get(len(segments) + 1, ())
        if method != "GET" and any(
            route.method == method and _match(pattern, (*segments, "$ref")) is not None
            for pattern, route in references
        ):
            raise uncontained()
        if allowed:
            raise method_not_allowed(allowed)
        raise segment_not_found(self._unknown(segments))

    def _unknown(self, segments: tuple[Segment, ...]) -> str:
        names = [segment for segment in segments if isinstance(segment, str)]
        if not names:
            return ""
        return names[0] if names[0] not in self._first else names[-1]


def _match(pattern: tuple[str, ...], segments: tuple[Segment, ...]) -> dict[str, Segment] | None:
    params: dict[str, Segment] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if is_cast(segment) or (isinstance(segment, str) and segment.startswith("$")):
                return None
            params[expected[1:-1]] = segment
        elif expected.startswith("<"):
            if not is_cast(segment):
                return None
            params[expected[1:-1]] = segment
        elif isinstance(segment, Key) or _plain(segment) != expected.lower():
            return None
    return params


def _plain(segment: str) -> str:
    """Take the namespace off an action, as in `microsoft.graph.addPassword`; ignore case."""
    return (segment.rpartition(".")[2] if is_cast(segment) else segment).lower()
