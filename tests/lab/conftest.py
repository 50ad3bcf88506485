"""The lab for tests: one network for all of them, a router as new for each."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
import shutil

import pytest
import pytest_socket

from . import requirements
from .home import Home
from .network import Network
from .router import Router
from .wall_clock import WallClock

HERE = Path(__file__).parent

# With the start of a Home Assistant and the waits of a real protocol in it.
SECONDS_FOR_A_DOOR = 600


def pytest_configure(config: pytest.Config) -> None:
    """Register a marker."""
    config.addinivalue_line("markers", "slow: waits for minutes of real time")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; those that wait for minutes come first.

    Where several run at a time, the others are run meanwhile.
    """
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if item.path.name.startswith("test_doors_"):
                item.add_marker(pytest.mark.timeout(SECONDS_FOR_A_DOOR))


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


@pytest.fixture
def in_lan(router: Router, network: Network) -> Iterator[None]:
    """Run the test in lan, its event loop with it."""
    with network.inside("lan"):
        yield


@pytest.fixture(scope="module")
def quick() -> bool:
    """Whether Home Assistant checks often; a module may have it otherwise."""
    return False


@pytest.fixture(scope="module")
def clock() -> WallClock | None:
    """Home Assistant's own wall clock; a module may give it one."""
    return None


@pytest.fixture(scope="session")
def onboarded(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration folder, two days old: a token is of no use before it was made."""
    folder = tmp_path_factory.mktemp("onboarded")
    clock = WallClock(folder / "clock")
    clock.set(timedelta(days=-2))
    home = Home(network, folder / "config", quick=False, clock=clock)
    home.process.prepare()
    return home.process.config_dir


@pytest.fixture(scope="module")
def running_home(
    network: Network,
    quick: bool,
    clock: WallClock | None,
    onboarded: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Home]:
    """One Home Assistant in `lan` for all tests of a module."""
    pytest_socket._remove_restrictions()
    folder = tmp_path_factory.mktemp("home")
    home = Home(network, folder / "config", quick=quick, clock=clock)
    shutil.copytree(onboarded, home.process.config_dir, symlinks=True)
    home.process.prepare()
    yield home
    if home.process.is_running:
        home.stop()


@pytest.fixture
def empty_home(router: Router, running_home: Home) -> Iterator[Home]:
    """A Home Assistant that runs and has no router yet."""
    running_home.begin()
    yield running_home
    # What a test took from the router it gets back, or nothing could be closed.
    router.unsilence()
    router.loss(0)
    router.start()
    running_home.end()
    running_home.check_log()


@pytest.fixture
def home(empty_home: Home) -> Home:
    """A Home Assistant that has the router, and no forward."""
    empty_home.add_router()
    return empty_home
