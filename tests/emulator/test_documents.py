"""FIDELITY.md and README.md keep up with the code."""

import re
from pathlib import Path

import pytest

import emulator
from emulator.faults import STATUSES, Strike
from emulator.graph import graph

ROOM = Path(emulator.__file__).parent
FIDELITY = (ROOM / "FIDELITY.md").read_text(encoding="utf-8")
README = (ROOM / "README.md").read_text(encoding="utf-8")
SOURCES = {
    path.name: path.read_text(encoding="utf-8")
    for path in ROOM.rglob("*.py")
    if "azuread" not in path.relative_to(ROOM).parts
}


def test_every_refusal_of_the_sign_in_names_its_source() -> None:
    refusals = SOURCES["login_problems.py"] + SOURCES["client_problems.py"]
    numbers = re.findall(r"LoginError\(\s*(\d{5,7}),", refusals)
    numbers += re.findall(r"no_matching_federation\((\d+)", SOURCES["client_proof.py"])
    assert len(numbers) > 30
    assert [one for one in numbers if one not in FIDELITY] == []


def test_every_code_of_graph_names_its_source() -> None:
    codes = {
        code
        for text in SOURCES.values()
        for code in re.findall(r'GraphError\(\s*\d{3},\s*"(\w+)"', text)
    }
    assert len(codes) > 8
    common = {"Request_BadRequest", "BadRequest", "Request_UnsupportedQuery", "TooManyRequests"}
    assert [one for one in sorted(codes - common) if one not in FIDELITY] == []


def test_every_row_is_marked() -> None:
    rows = [line for line in FIDELITY.splitlines() if line.startswith("| ")]
    body = [row for row in rows if row not in ("| mark | meaning |", "| behaviour | source | |")]
    legend = [row for row in body if row.startswith("| **")]
    marks = [row.rstrip("|").rpartition("|")[2].strip() for row in body if row not in legend]
    assert len(marks) > 60
    assert [one for one in marks if not re.fullmatch(r"[MSCFU](, [MSCFU])*|M, text U", one)] == []


@pytest.mark.parametrize("word", [*Strike, *map(str, STATUSES)])
def test_every_fault_is_described(word: str) -> None:
    assert re.search(rf"\b{re.escape(word)}\b", README)


def test_every_module_is_placed() -> None:
    names = {name.removesuffix(".py") for name in SOURCES} - {"__init__", "__main__"}
    section = README.partition("## Where things are")[2]
    starts = [one.rstrip("*") for one in re.findall(r"`(\w+\*?)`", section)]
    small = {"clock", "config", "ids", "randomness", "history", "throttle", "tls", "vault"}
    small |= {"admin", "admin_input", "entities", "entity_type", "faults", "first_party"}
    small |= {"permissions", "principals"}
    unplaced = [one for one in names - small if not one.startswith(tuple(starts))]
    assert unplaced == []


def test_every_route_needs_a_permission() -> None:
    routes = graph._ROUTES
    assert len({(route.method, route.pattern) for route in routes}) == len(routes)
    open_to_nobody = [r.pattern for r in routes if not r.needs.delegated]
    assert open_to_nobody == []
