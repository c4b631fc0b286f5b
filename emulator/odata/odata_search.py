"""`$search`: clauses such as `"displayName:word"`, joined by AND, OR and parentheses.

Source: Graph's page "Use the $search query parameter". `displayName` and `description` are cut into
words, of everything else the beginning is compared. That a word is found by its beginning follows
from the page's own example (`Guthr`).
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from emulator.directory.entity_type import EntityType
from emulator.json_text import Json
from emulator.odata.odata import Options
from emulator.odata.problems import GraphError, bad_request, unsupported_query

Predicate = Callable[[Json], bool]

_TOKEN = re.compile(
    r'"(?P<clause>(?:[^"\\]|\\.)*)"|(?P<operator>(?:AND|OR)\b)|(?P<mark>[()])|\S', re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PIECE = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
"""Letters, digits, or one symbol."""
_PRECEDENCE = {"(": 0, "OR": 1, "AND": 2}
_CUT_INTO_WORDS = frozenset({"displayName", "description"})


def search(options: Options, entity: EntityType) -> Predicate | None:
    """Return what `$search` lets through; None without one.

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
    parts = _postfix(text, entity)

    def passes(item: Json) -> bool:
        stack: list[bool] = []
        for part in parts:
            if isinstance(part, str):
                right, left = stack.pop(), stack.pop()
                stack.append(left and right if part == "AND" else left or right)
            else:
                stack.append(part(item))
        return stack[0]

    return passes


def _postfix(text: str, entity: EntityType) -> list[Predicate | str]:
    """Return clauses, and after each two the operator that joins them.

    So no depth of parentheses needs a deep stack.
    """
    parts: list[Predicate | str] = []
    waiting: list[str] = []
    after_clause = False
    for token in _TOKEN.finditer(text):
        found = token[0]
        begins = token["clause"] is not None or found == "("
        if begins is after_clause or not any(token.group("clause", "operator", "mark")):
            raise _syntax_error(text, token.start())
        if token["clause"] is not None:
            parts.append(_clause(token["clause"], entity))
            after_clause = True
        elif found == "(":
            waiting.append(found)
        elif found == ")":
            parts += _taken(waiting, 1)
            if not waiting:
                raise _syntax_error(text, token.start())
            waiting.pop()
        else:
            parts += _taken(waiting, _PRECEDENCE[found])
            waiting.append(found)
            after_clause = False
    parts += _taken(waiting, 1)
    if not after_clause or waiting:
        raise _syntax_error(text, len(text))
    return parts


def _taken(waiting: list[str], precedence: int) -> list[str]:
    """Take the last operators that bind at least so strongly."""
    taken = []
    while waiting and _PRECEDENCE[waiting[-1]] >= precedence:
        taken.append(waiting.pop())
    return taken


def _syntax_error(text: str, position: int) -> GraphError:
    if position == len(text):
        return bad_request(f"Syntax error at position {position} in '{text}'.")
    return bad_request(
        f"Syntax error: character '{text[position]}' is not valid at position {position} in "
        f"'{text}'."
    )


def _clause(text: str, entity: EntityType) -> Predicate:
    name, colon, words = _ESCAPED.sub(r"\1", text).partition(":")
    if not colon or name not in entity.searches:
        raise unsupported_query(
            f"Property '{name}' is not supported for $search on resource '{entity.resource}'."
        )
    if name in _CUT_INTO_WORDS:
        wanted = [piece.casefold() for piece in _pieces(words)]
        return lambda item: _has_words(item.get(name), wanted)
    beginning = words.casefold()
    return lambda item: any(
        str(value).casefold().startswith(beginning) for value in _values(item.get(name))
    )


def _values(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _has_words(value: Any, wanted: list[str]) -> bool:
    """Whether each wanted word begins a word of the value, in whatever order."""
    words = _words(str(value or ""))
    return all(any(word.startswith(one) for word in words) for one in wanted)


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    """Return what can be found of a text; a search of many clauses asks for it as often."""
    words: set[str] = set()
    for chunk in text.split():
        pieces = list(_pieces(chunk))
        words.update(piece.casefold() for piece in pieces)
        if not chunk.isalnum():  # words that only symbols part are found as one, too
            words.add("".join(piece for piece in pieces if piece.isalnum()).casefold())
    return frozenset(words)


def _pieces(text: str) -> Iterator[str]:
    """Cut at spaces, symbols and digits, and where a small letter meets a capital one."""
    for match in _PIECE.finditer(text):
        run, start = match[0], 0
        for place in range(1, len(run)):
            if run[place - 1].islower() and run[place].isupper():
                yield run[start:place]
                start = place
        yield run[start:]
