"""The lab for tests: one network for all of them, a router as new for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

from . import requirements
from .network import Network
from .router import Router

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session", autouse=True)
def lab_requirements() -> None:
    """Skip where something is missing; where everything must run that is a failure."""
    if missing := requirements.missing():
        pytest.skip(f"the lab needs {', '.join(missing)}")


@pytest.fixture(autouse=True)
def _real_sockets() -> None:
    """Lift the ban on sockets: the namespaces reach nothing outside."""
    pytest_socket._remove_restrictions()


@pytest.fixture(scope="session")
def network(lab_requirements: None) -> Iterator[Network]:
    """Four namespaces: router, lan, nas and wan. Tests take `router` with it."""
    with Network() as network:
        yield network


@pytest.fixture
def router(network: Network) -> Iterator[Router]:
    """A router as new, started: defaults, no mapping, no fault, first addresses."""
    router = Router(network)
    router.reset()
    yield router
    network.end_processes()
