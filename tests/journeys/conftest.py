"""Stacks that are up, each made once for a module's tests."""

import pytest

from tests import rotating
from tests.journey import Journey
from tests.removing import STACK
from tests.tenant import Tenant


@pytest.fixture(scope="module")
def stack_that_is_up(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = Journey(tenant, tmp_path_factory.mktemp("standing"))
    journey.make_stack(STACK)
    done = journey.up(STACK)
    assert done.returncode == 0, done.stdout + done.stderr
    journey.keep()
    return journey


@pytest.fixture(scope="module")
def stack_to_rotate(tenant: Tenant, tmp_path_factory: pytest.TempPathFactory) -> Journey:
    journey = Journey(tenant, tmp_path_factory.mktemp("rotating"))
    rotating.set_up(journey)
    journey.keep()
    return journey


@pytest.fixture
def standing(stack_that_is_up: Journey) -> Journey:
    """A test stack that is up, as new for each test that removes it or tries to."""
    return stack_that_is_up.as_kept()
