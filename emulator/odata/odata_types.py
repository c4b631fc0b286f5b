"""Types of OData's entity data model: of the properties of an entity, and of literals.

Sources: the types of Graph's reference, as msgraph-sdk has them, and OData 4.01 Part 2 on literals.
"""

import re

from odata_query import ast

from emulator.directory.complex_types import PROPERTIES, Member
from emulator.directory.entity_type import EntityType

BOOLEAN = "Edm.Boolean"
STRING = "Edm.String"

_LITERALS: dict[type[ast._Node], str] = {
    ast.Boolean: BOOLEAN,
    ast.Date: "Edm.Date",
    ast.DateTime: "Edm.DateTimeOffset",
    ast.Duration: "Edm.Duration",
    ast.Float: "Edm.Double",
    ast.GUID: "Edm.Guid",
    ast.Integer: "Edm.Int32",
    ast.String: STRING,
    ast.Time: "Edm.TimeOfDay",
}


def of_property(name: str, entity: EntityType) -> str | None:
    """Return the type of a property; None for a collection, a complex one or a relationship."""
    if name in entity.guids:
        return "Edm.Guid"
    if name.endswith("DateTime"):
        return "Edm.DateTimeOffset"
    default = entity.properties.get(name, ())
    if isinstance(default, bool) or PROPERTIES.get(name, Member()).type == BOOLEAN:
        return BOOLEAN
    return STRING if default is None or isinstance(default, str) else None


def of_literal(node: ast._Node) -> str | None:
    """Return the type of a literal; None for null, which is of any, for a list, and for no literal.

    A whole number above 32 bits is called one of 32 bits too; no property here is a number.
    """
    return _LITERALS.get(type(node))


def whole_number(text: str) -> int | None:
    """Read a number that is not negative, of ASCII digits and within 32 bits; None for no such."""
    number = int(text) if _DIGITS.fullmatch(text) else _TOO_LARGE
    return number if number < _TOO_LARGE else None


def compares(one: str | None, other: str | None) -> bool:
    """Say whether values of two types can be compared; those that are not known can."""
    return one is None or other is None or one == other or {one, other} == _INSTANTS


_DIGITS = re.compile(r"[0-9]{1,10}")
_TOO_LARGE = 2**31
_INSTANTS = {"Edm.Date", "Edm.DateTimeOffset"}
"""A day is the instant of its beginning."""
