"""A tenant for a module's tests, and a project folder for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey import Journey
from tests.tenant import Tenant


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant() as running:
        yield running


@pytest.fixture
def journey(tenant: Tenant, tmp_path: Path) -> Journey:
    return Journey(tenant, tmp_path)
