"""A tenant for a module's tests, and a project folder for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey import Journey
from tests.removing import STACK
from tests.tenant import Tenant


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    with Tenant() as running:
        yield running


@pytest.fixture
def journey(tenant: Tenant, tmp_path: Path) -> Journey:
    return Journey(tenant, tmp_path)


@pytest.fixture(scope="module")
def stack_that_is_up(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = Journey(tenant, tmp_path_factory.mktemp("standing"))
    journey.make_stack(STACK)
    done = journey.up(STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    journey.keep()
    return journey


@pytest.fixture
def standing(stack_that_is_up: Journey) -> Journey:
    """A test stack that is up, as new for each test that removes it or tries to."""
    return stack_that_is_up.as_kept()
