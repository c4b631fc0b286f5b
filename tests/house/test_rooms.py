"""The rooms of docs/architecture.md, and which may know of which."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from proself_mail import facts
from tools import pulumi_cli

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("infra", "proself_mail", "emulator", "tools", "scripts", "bench")

MAY_IMPORT = {
    "infra": {"proself_mail"},
    "proself_mail": {"tools", "emulator"},
    "emulator": set(),
    "tools": {"proself_mail"},
    "scripts": {"proself_mail"},
    "bench": {"proself_mail", "tools"},
}
"""Rooms beside its own that a room may import from."""

ONLY = {
    ("proself_mail", "emulator"): {"proself_mail/stack/plugin.py"},
    ("tools", "proself_mail"): {
        *("tools/browser.py", "tools/failures.py", "tools/pulumi_cli.py", "tools/setup.py"),
    },
}
"""Where an edge is allowed for a few files, those."""

INSIDE = (
    *("files", "text", "config", "stack", "entra", "proself", "browser", "diagnosis", "update"),
    *("removal", "rotation", "verification", "mail", "sheet", "rehearsal", "cli"),
)
"""The rooms of `proself_mail`, each above those that it may import; all may import what lies
beside them, which imports none of them."""

PURE = {
    *("check", "errors", "facts", "quantity", "schedule", "secret"),
    *("config.configuration", "config.forms", "config.lifetime", "config.mending"),
    *("config.settings", "config.stack_name", "config.stamp"),
    *("entra.directory", "entra.secret_policy", "proself.proself"),
    *("stack.client_secret", "stack.engine_environment", "stack.failure", "stack.foreign"),
    *("stack.integrity", "stack.output_names", "stack.secrets_provider", "stack.state"),
    *("stack.taint", "stack.urn"),
}
"""Modules without I/O. What `infra` may know of beside them is named here."""
INFRA_MAY = PURE | {
    *("clock", "config.identity", "entra.target", "proself.proself_file", "stack.project"),
}
INFRA_ASKS = {"infra/questions.py": {"entra.credentials", "entra.graph"}}
"""Where `infra` itself asks the tenant something as the signed-in identity, and by what."""


def modules(room: str) -> Iterator[Path]:
    yield from (ROOT / room).rglob("*.py")


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, at its top or inside a function."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively, which Pulumi's runpy cannot"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", [room for room in ROOMS if (ROOT / room).exists()])
def test_a_room_knows_only_the_rooms_below_it(room: str) -> None:
    for path in modules(room):
        name = path.relative_to(ROOT).as_posix()
        for module in imported(path):
            other = module.partition(".")[0]
            if other in ROOMS and other != room:
                assert other in MAY_IMPORT[room], f"{name} imports {module}"
                if allowed := ONLY.get((room, other)):
                    assert name in allowed, f"{name} imports {module}"


def test_a_room_of_the_product_knows_only_those_below_it() -> None:
    folders = {path.parent.name for path in (ROOT / "proself_mail").glob("*/__init__.py")}
    assert folders == set(INSIDE)
    for path in modules("proself_mail"):
        name = path.relative_to(ROOT).as_posix()
        room = path.parent.name
        below = INSIDE[: INSIDE.index(room) + 1] if room in INSIDE else ()
        for module in imported(path):
            other = module.removeprefix("proself_mail.").partition(".")[0]
            if module.startswith("proself_mail.") and other in INSIDE and path.stem != "__main__":
                assert other in below, f"{name} imports {module}"


def test_no_room_of_the_embedded_tenant_is_known_by_what_it_knows() -> None:
    """Its files beside the rooms count as rooms; CycleError names those of a circle."""
    below: dict[str, set[str]] = {}
    for path in modules("emulator"):
        room = path.relative_to(ROOT / "emulator").parts[0].removesuffix(".py")
        found = (module.split(".") for module in imported(path))
        below.setdefault(room, set()).update(
            parts[1] for parts in found if parts[0] == "emulator" and parts[1:] and parts[1] != room
        )
    assert len([*TopologicalSorter(below).static_order()]) > 20


def test_the_program_knows_of_the_product_what_does_no_work_of_its_own() -> None:
    for path in modules("infra"):
        for module in imported(path):
            room, _, rest = module.partition(".")
            if room == "proself_mail" and rest and rest not in INSIDE:
                allowed = INFRA_MAY | INFRA_ASKS.get(path.relative_to(ROOT).as_posix(), set())
                depth = 2 if rest.partition(".")[0] in INSIDE else 1
                assert ".".join(rest.split(".")[:depth]) in allowed, f"{path.name} imports {module}"


@pytest.mark.parametrize("name", sorted(PURE))
def test_what_is_called_pure_is(name: str) -> None:
    """No network, no process, no file: nothing that a test would have to stand in for."""
    impure = {"os", "subprocess", "socket", "httpx", "urllib", "pulumi", "msgraph", "azure", "time"}
    found = {
        module.partition(".")[0]
        for module in imported(ROOT / f"proself_mail/{name.replace('.', '/')}.py")
    }
    assert not found & impure


OPENS_OUTPUT = (
    *("print", "sys.stdout.write", "sys.stderr.write", "os.write"),
    *("report.output", "report.commentary", "output", "commentary", "Console"),
)
"""What is shown elsewhere, is shown on a console that was handed over."""


def test_only_the_command_line_prints_or_exits() -> None:
    command_line = ROOT / "proself_mail/cli"
    for path in modules("proself_mail"):
        prints = () if path.parent == command_line else OPENS_OUTPUT
        exits = () if path == command_line / "__init__.py" else ("sys.exit", "exit", "os._exit")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in (*prints, *exits), f"{path} calls {called}"


def test_the_sdk_is_imported_by_the_adapter_alone() -> None:
    for room in ("proself_mail", "infra", "tools"):
        for path in modules(room):
            if path.name not in ("graph.py", "graph_transport.py"):
                assert not any(
                    m.split(".")[0] in ("msgraph", "kiota_abstractions") for m in imported(path)
                )


def test_the_supported_engine_is_the_same_everywhere() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert project["requiredPulumiVersion"] == facts.PULUMI_SUPPORTED
    assert pulumi_cli.is_supported(pulumi_cli.VERSION)
    assert f"pkg/v3 v{pulumi_cli.VERSION}" in (ROOT / "tools/pulumi/go.mod").read_text(
        encoding="utf-8"
    )
    assert f'"pulumi=={pulumi_cli.VERSION}"' in (ROOT / "pyproject.toml").read_text(
        encoding="utf-8"
    )


def test_the_page_of_the_architecture_names_what_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = page.partition("## Rooms inside `proself_mail`")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)/` \|", rooms, re.MULTILINE)) == INSIDE
    named = set(re.findall(r"`([\w./]+\.(?:py|md|toml))`", page))
    assert len(named) > 50
    roots = (ROOT, ROOT / "proself_mail")
    assert [each for each in sorted(named) if not any((r / each).exists() for r in roots)] == []


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    written = sorted(path.name for path in (ROOT / "docs/adr").glob("0*.md"))
    assert written
    assert all(name in index for name in written), "docs/adr/README.md lacks one"


def test_every_room_says_what_it_owns() -> None:
    for room in ROOMS:
        for path in modules(room):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} has no docstring"
