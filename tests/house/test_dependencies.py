"""What is imported is declared: what comes by another package's grace goes without a word."""

import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution, packages_distributions
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.test_rooms import ROOMS, ROOT, imported, modules

GROUPS: dict[str, tuple[str, ...]] = {
    "infra": (),
    "proself_mail": (),
    "scripts": (),
    "emulator": ("emulator",),
    "tools": ("dev",),
    "bench": ("emulator", "dev"),
    "tests": ("emulator", "dev"),
}
"""Groups that a room may rely on beside the product's own dependencies."""

NEVER_IMPORTED = {
    "pip",  # Pulumi's Python host runs it
    "aiohttp",  # azure-identity sends by it; `session.import_ahead` has its name as text
}
OF_THE_PRODUCT = {"tools/pulumi_cli.py"}
"""By what every command finds the Pulumi CLI, in a room that has the development's groups."""
TYPES_ALONE = {"_typeshed"}
"""What type checkers know and no package brings."""


@cache
def document() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared(*groups: str) -> set[str]:
    """Names of the distributions that the project and these groups of its declare."""
    lists = [document()["dependency-groups"][each] for each in groups]
    lines = [line for each in (document()["project"]["dependencies"], *lists) for line in each]
    return {canonicalize_name(Requirement(line).name) for line in lines}


brought = cache(packages_distributions)
"""Distributions by their modules' first names; it takes a second to find out."""


@cache
def files(name: str) -> frozenset[str]:
    return frozenset(path.as_posix() for path in distribution(name).files or ())


def bringing(module: str) -> set[str]:
    """Names of the distributions that a module is of; `azure` and `google` are of several."""
    top = module.partition(".")[0]
    found = set(brought().get(top, ()))
    if len(found) > 1:
        path = module.replace(".", "/")
        found = {each for each in found if {f"{path}.py", f"{path}/__init__.py"} & files(each)}
    return {canonicalize_name(each) for each in found}


def foreign(room: str) -> Iterator[tuple[str, str]]:
    """What a room's files import that is neither Python's nor ours, by the file's name."""
    for path in modules(room):
        for module in imported(path):
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names | TYPES_ALONE | {*ROOMS, "tests"}:
                yield path.relative_to(ROOT).as_posix(), module


@pytest.mark.parametrize("room", GROUPS)
def test_what_is_imported_is_declared(room: str) -> None:
    known = declared(*GROUPS[room])
    missing = {
        (name, module)
        for name, module in foreign(room)
        # Of a namespace, and of a name that is no module's, the distribution is told elsewhere.
        if (its := bringing(module)) and not its & known
    }
    assert missing == set()
    tops = {module.partition(".")[0] for _, module in foreign(room)}
    assert tops <= brought().keys()


def test_what_is_declared_is_imported() -> None:
    used = {
        name
        for room, groups in GROUPS.items()
        for path, module in foreign(room)
        if not groups or path in OF_THE_PRODUCT
        for name in bringing(module)
    }
    assert declared() - used == NEVER_IMPORTED
