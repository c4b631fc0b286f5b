"""One embedded tenant for all tests of a process, as new for each of them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import forked_python
from tests.emulator.browser import sign_in
from tests.emulator.plugin_process import Plugin
from tests.emulator.scripted_graph import ScriptedGraph
from tests.tenant import Tenant


@pytest.fixture(scope="session")
def running_tenant() -> Iterator[Tenant]:
    with Tenant("--seed", "1", "--tenant", "contoso", "fabrikam") as tenant:
        yield tenant


@pytest.fixture
def tenant(running_tenant: Tenant) -> Tenant:
    running_tenant.reset()
    return running_tenant


@pytest.fixture
def graph(tenant: Tenant) -> Iterator[httpx.Client]:
    """Graph as the deployer: Application.ReadWrite.OwnedBy and DelegatedPermissionGrant."""
    with tenant.http(tenant.token()) as client:
        yield client


@pytest.fixture
def administrator(tenant: Tenant) -> Iterator[httpx.Client]:
    """Graph as the administrator, signed in with the Azure CLI."""
    with tenant.http(sign_in(tenant, tenant.ready["users"][0])) as client:
        yield client


@pytest.fixture(scope="session")
def executable() -> Path:
    """The stand-in azuread plugin, forked; `test_azuread_plugin_process` has it afresh."""
    return forked_python.plugin()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedGraph]:
    """Serve a script that creates and reads one application and one service principal."""
    with ScriptedGraph(tmp_path) as graph:
        graph.serve_objects()
        yield graph


@pytest.fixture
def plugin(executable: Path, scripted: ScriptedGraph) -> Iterator[Plugin]:
    """Serve a plugin that is not configured yet, and asks that script."""
    with Plugin(executable, scripted.environment) as plugin:
        yield plugin
