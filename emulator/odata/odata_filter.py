"""`$filter`: parsed by odata-query, checked against what the type supports, evaluated over JSON.

Strings compare without regard to case, as the directory compares them. An expression over a missing
value is false. Sources: OData 4.01 Part 2, and Graph's page on advanced queries.
"""

import re
from collections.abc import Callable, Collection
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from emulator.clock import parse_time
from emulator.directory.entity_type import EntityType
from emulator.json_text import Json
from emulator.odata import odata_types
from emulator.odata.problems import bad_syntax, unsupported_query

Predicate = Callable[[Json], bool]

_QUOTED = re.compile(r"('(?:[^']|'')*')")
_LIST = re.compile(r"('(?:[^']|'')*')|\bin\s*\(\s*('(?:[^']|'')*'|[^'(),\s]+)\s*\)")
"""A string, which is passed over, or a list of one value."""
_COUNT = "_count"
_OPERATORS: dict[type[ast._Node], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.GtE: "ge",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.Lt: "lt",
    ast.In: "in",
}
_KINDS = {
    "eq": "Equal",
    "ne": "NotEqual",
    "ge": "GreaterThanOrEqual",
    "le": "LessThanOrEqual",
    "gt": "GreaterThan",
    "lt": "LessThan",
}
"""What errors call the operators."""
_FUNCTIONS = ("startswith", "endswith")
_NO_SUCH_FUNCTION = (
    "Invalid filter clause: No function signature for the function with name '{0}' matches the "
    "specified arguments. The function signatures considered are: "
    "{0}(Edm.String Nullable=true, Edm.String Nullable=true)."
)
_ADVANCED = {"ne": "ne", "not": "not", "endswith": "endsWith"}


class Filter:
    """A checked expression: which records pass, and a shortcut to them where there is one."""

    def __init__(self, text: str, entity: EntityType, *, advanced: bool) -> None:
        """GraphError 400 if it is no expression, or not one that `entity` supports."""
        self._text = text
        self._entity = entity
        self._advanced = advanced
        self.relationships: set[str] = set()
        """Those whose number of objects the expression asks for."""
        self._tree = self._parse()
        self.passes: Predicate = self._compile(self._tree, None)

    def required_equality(self, is_indexed: Callable[[str], bool]) -> tuple[str, str] | None:
        """Return a property and the one value of it that can pass, if the expression shows one."""
        conjuncts = [self._tree]
        while conjuncts:
            node = conjuncts.pop()
            if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
                conjuncts += [node.left, node.right]
            elif (
                isinstance(node, ast.Compare)
                and isinstance(node.comparator, ast.Eq)
                and isinstance(node.left, ast.Identifier)
                and isinstance(node.right, ast.String | ast.GUID)
                and is_indexed(node.left.name)
            ):
                return node.left.name, node.right.val
        return None

    def _parse(self) -> ast._Node:
        try:
            tree = ODataParser().parse(ODataLexer().tokenize(_normalised(self._text)))
        except ODataException:
            tree = None
        if tree is None:
            raise bad_syntax(f"Invalid filter clause: Syntax error in '{self._text}'.")
        return tree  # type: ignore[no-any-return]

    def _compile(self, node: ast._Node, variable: str | None) -> Predicate:
        match node:
            case ast.BoolOp(op, left, right):
                one, other = self._compile(left, variable), self._compile(right, variable)
                if isinstance(op, ast.And):
                    return lambda item: one(item) and other(item)
                return lambda item: one(item) or other(item)
            case ast.UnaryOp(ast.Not(), operand):
                self._need_advanced("not")
                inner = self._compile(operand, variable)
                for name in _names(operand):
                    self._check(name, "not")
                return lambda item: not inner(item)
            case ast.Compare(comparator, left, right):
                return self._comparison(_OPERATORS[type(comparator)], left, right, variable)
            case ast.Call(ast.Identifier(name), [subject, ast.String(prefix)]) if (
                name in _FUNCTIONS
            ):
                if self._type(subject, variable) not in (odata_types.STRING, None):
                    raise bad_syntax(_NO_SUCH_FUNCTION.format(name))
                read = self._reader(subject, name, variable)
                wanted = prefix.casefold()
                holds = str.startswith if name == "startswith" else str.endswith
                return lambda item: (text := _text(read(item))) is not None and holds(text, wanted)
            case ast.CollectionLambda(owner, ast.Any(), ast.Lambda(identifier, expression)):
                return self._any(owner, identifier.name, expression)
            case ast.Identifier() | ast.Attribute():
                read = self._reader(node, "eq", variable)
                if self._type(node, variable) != odata_types.BOOLEAN:
                    raise bad_syntax(
                        "Invalid filter clause: The $filter expression must evaluate to a single "
                        "boolean value."
                    )
                return lambda item: read(item) is True
        raise unsupported_query("Unsupported Query.")

    def _comparison(
        self, operator: str, left: ast._Node, right: ast._Node, variable: str | None
    ) -> Predicate:
        self._check_types(operator, left, right, variable)
        if isinstance(left, ast._Literal):
            left, right = right, left
        if isinstance(left, ast.Attribute) and left.attr == _COUNT:
            return self._count(operator, left, right)
        read = self._reader(left, operator, variable)
        wanted = _literal(right)
        nullable = wanted if isinstance(wanted, list) else [wanted]
        if None in nullable and self._entity.directory_object and not self._advanced:
            raise self._unsupported(_root(left))
        if operator == "in":
            values = wanted if isinstance(wanted, list) else []
            return lambda item: any(_equal(read(item), value) for value in values)
        if operator == "eq":
            return lambda item: _equal(read(item), wanted)
        if operator == "ne":
            return lambda item: not _equal(read(item), wanted)
        return lambda item: _ordered(operator, read(item), wanted)

    def _check_types(
        self, operator: str, left: ast._Node, right: ast._Node, variable: str | None
    ) -> None:
        """Refuse what OData refuses before anything is looked up: values of incompatible types."""
        types = [
            odata_types.of_literal(each) or self._type(each, variable) for each in (left, right)
        ]
        if not odata_types.compares(*types):
            raise bad_syntax(
                "Invalid filter clause: A binary operator with incompatible types was detected. "
                f"Found operand types '{types[0]}' and '{types[1]}' for operator kind "
                f"'{_KINDS[operator]}'."
            )
        members = right.val if isinstance(right, ast.List) else ()
        if not all(
            odata_types.compares(types[0], odata_types.of_literal(member)) for member in members
        ):
            raise bad_syntax("Invalid filter clause")

    def _type(self, node: ast._Node, variable: str | None) -> str | None:
        """Return the type of what is read there; None where it is not known."""
        if not isinstance(node, ast.Identifier) or node.name == variable:
            return None
        return odata_types.of_property(node.name, self._entity)

    def _any(self, owner: ast._Node, variable: str, expression: ast._Node) -> Predicate:
        name = _root(owner)
        self._check_exists(name)
        if name not in self._entity.filters:
            raise self._unsupported(name)
        for operator in _operators(expression):
            self._check(name, operator)
        read = _path(owner)
        inner = self._compile(expression, variable)
        return lambda item: any(inner({variable: one}) for one in read(item) or ())

    def _count(self, operator: str, left: ast.Attribute, right: ast._Node) -> Predicate:
        if not self._advanced or operator not in ("eq", "ne"):
            raise unsupported_query("$count is not currently supported.")
        name = _root(left.owner)
        self._check_exists(name)
        if name in self._entity.navigations:
            self.relationships.add(name)
        read = _path(left.owner)
        wanted = _literal(right)
        return lambda item: (len(read(item) or ()) == wanted) is (operator == "eq")

    def _reader(
        self, node: ast._Node, operator: str, variable: str | None
    ) -> Callable[[Json], Any]:
        if not isinstance(node, ast.Identifier | ast.Attribute):
            raise unsupported_query("Unsupported Query.")
        name = _root(node)
        if name != variable:
            self._check_exists(name)
            self._check(name, operator)
            if isinstance(self._entity.properties.get(name), list):
                raise self._unsupported(name)  # collections are asked with any()
        return _path(node)

    def _check_exists(self, name: str) -> None:
        if name not in self._entity.properties and name not in self._entity.navigations:
            raise bad_syntax(
                f"Invalid filter clause: Could not find a property named '{name}' "
                f"on type '{self._entity.full_name}'."
            )

    def _check(self, name: str, operator: str) -> None:
        if name in self._entity.properties:
            if operator not in self._entity.filters.get(name, ()):
                raise self._unsupported(name)
            self._need_advanced(operator)

    def _need_advanced(self, operator: str) -> None:
        if operator in _ADVANCED and self._entity.directory_object and not self._advanced:
            raise unsupported_query(
                f"Operator '{_ADVANCED[operator]}' is not supported because the required "
                "parameters might be missing. Try adding $count=true query parameter and "
                "ConsistencyLevel:eventual header. Refer to "
                "https://aka.ms/graph-docs/advanced-queries for more information"
            )

    def _unsupported(self, name: str) -> Exception:
        return unsupported_query(
            "Unsupported or invalid query filter clause specified for property "
            f"'{name}' of resource '{self._entity.resource}'."
        )


def _normalised(text: str) -> str:
    """Write what Graph takes and the parser does not in the one form that both know."""
    pieces = _QUOTED.split(text.strip())
    for place in range(0, len(pieces), 2):
        piece = re.sub(r"\s+", " ", pieces[place]).replace("/$count", f"/{_COUNT}")
        piece = re.sub(
            r"\b(startswith|endswith)\s*\(\s*", lambda m: m[1].lower() + "(", piece, flags=re.I
        )
        piece = re.sub(r"\bnot\s*\(", "not (", piece, flags=re.I)
        pieces[place] = re.sub(r"\bin\(", "in (", piece)
    return _LIST.sub(lambda m: m[1] or f"in ({m[2]},)", "".join(pieces))


def _root(node: ast._Node) -> str:
    while isinstance(node, ast.Attribute):
        node = node.owner
    return node.name if isinstance(node, ast.Identifier) else ""


def _path(node: ast._Node) -> Callable[[Json], Any]:
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.insert(0, node.attr)
        node = node.owner
    steps.insert(0, _root(node))

    def read(item: Json) -> Any:
        value: Any = item
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    return read


def _names(node: ast._Node) -> set[str]:
    """Return the properties that an expression mentions, lambda variables aside."""
    match node:
        case ast.BoolOp(_, left, right):
            return _names(left) | _names(right)
        case ast.Compare(_, left, right):
            return {_root(left) or _root(right)}
        case ast.UnaryOp(_, operand):
            return _names(operand)
        case ast.Call(_, [subject, *_]):
            return {_root(subject)}
        case ast.CollectionLambda(owner, _, _):
            return {_root(owner)}
    return {_root(node)}


def _operators(node: ast._Node) -> Collection[str]:
    """Return the operators that an expression uses."""
    match node:
        case ast.BoolOp(_, left, right):
            return [*_operators(left), *_operators(right)]
        case ast.UnaryOp(ast.Not(), operand):
            return ["not", *_operators(operand)]
        case ast.Compare(comparator, _, _):
            return [_OPERATORS[type(comparator)]]
        case ast.Call(ast.Identifier(name), _):
            return [name]
    return []


def _literal(node: ast._Node) -> Any:
    match node:
        case ast.Null():
            return None
        case ast.List(values):
            return [_literal(value) for value in values]
        case ast.Boolean(text):
            return text.lower() == "true"
        case ast.Integer(text):
            return int(text)
        case ast.Float(text):
            return float(text)
        case ast._Literal():
            return getattr(node, "val", None)
    raise unsupported_query("Unsupported Query.")


def _text(value: Any) -> str | None:
    return value.casefold() if isinstance(value, str) else None


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value.casefold() == wanted.casefold() or _compare_instants(value, wanted) == 0
    return type(value) is type(wanted) and bool(value == wanted)


def _ordered(operator: str, value: Any, wanted: Any) -> bool:
    if type(value) is not type(wanted) or not isinstance(value, str | int | float):
        return False
    if isinstance(value, str):
        order = _compare_instants(value, wanted)
        if order is None:
            one, other = value.casefold(), wanted.casefold()
            order = (one > other) - (one < other)
    else:
        order = (value > wanted) - (value < wanted)
    return {"ge": order >= 0, "le": order <= 0, "gt": order > 0, "lt": order < 0}[operator]


def _compare_instants(one: str, other: str) -> int | None:
    """-1, 0 or 1 if both are dates or instants, else None."""
    if not (one[:4].isdigit() and other[:4].isdigit() and one[4:5] == other[4:5] == "-"):
        return None
    try:
        first, second = (
            parse_time(text if "T" in text else f"{text}T00:00:00Z") for text in (one, other)
        )
    except ValueError:
        return None
    return (first > second) - (first < second)
