"""One demo and one Chromium for all browser tests, a logged-in page for each."""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    StorageState,
    expect,
    sync_playwright,
)
import pytest
import pytest_socket

from tests.demo import Demo, Places
from tests.real_ha.log import faults
from tests.real_ha.process import PYTHON

from . import chromium, frontend, second_router as routers
from .looking import SIZES, Look
from .second_router import SecondRouter

HERE = Path(__file__).parent
# Two processors of a busy machine.
SECONDS_FOR_A_TEST = 600

expect.set_options(timeout=frontend.MILLISECONDS_FOR_A_STEP)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(SECONDS_FOR_A_TEST))


# Playwright's synchronous interface keeps an event loop running in this thread, where
# the fixtures of the Home Assistant plugin want to run one of their own. Nothing here
# has a Home Assistant in this process, so there is nothing for them to do.


@pytest.fixture(autouse=True)
def configure_event_loop() -> None:
    """Replace the plugin's fixture."""


@pytest.fixture(autouse=True, scope="session")
def configure_session_event_loop() -> None:
    """Replace the plugin's fixture."""


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Replace the plugin's fixture."""


@pytest.fixture(autouse=True)
def verify_cleanup() -> None:
    """Replace the plugin's fixture."""


@pytest.fixture(scope="package", autouse=True)
def browser_requirements() -> None:
    """Skip where something is missing; where everything must run that is a failure."""
    if chromium.find() is None:
        pytest.skip("needs Chromium: apt-get install chromium fonts-noto-core")
    if not PYTHON.exists():
        pytest.skip("needs .venv-ha: scripts/setup ha")


@pytest.fixture(scope="package")
def demo(
    browser_requirements: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """The demo, with its own addresses and ports."""
    # What the plugin allows is too little, and is allowed again before each test.
    pytest_socket._remove_restrictions()
    folder = tmp_path_factory.mktemp("demo")
    with (
        (folder / "router.log").open("wb") as output,
        Demo(
            config_dir=folder / "config", places=Places.free(), output=output
        ) as running,
    ):
        yield running


@pytest.fixture(autouse=True)
def _real_sockets() -> None:
    """Lift the ban on sockets: everything is on loopback."""
    pytest_socket._remove_restrictions()


@pytest.fixture(scope="package")
def playwright(browser_requirements: None) -> Iterator[Playwright]:
    """What drives all browsers."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium."""
    with chromium.launch(playwright) as browser:
        yield browser


@pytest.fixture(scope="package")
def session(browser: Browser, demo: Demo) -> StorageState:
    """What a browser keeps after logging in."""
    with browser.new_context() as context:
        page = context.new_page()
        frontend.log_in(page, demo)
        return context.storage_state()


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> str:
    """The size of the screen, by its name."""
    name: str = request.param
    return name


@pytest.fixture
def context(
    browser: Browser, session: StorageState, size: str
) -> Iterator[BrowserContext]:
    """A browser that is logged in."""
    with frontend.context(browser, size, session) as context:
        yield context


@pytest.fixture
def look(
    context: BrowserContext, demo: Demo, size: str, request: pytest.FixtureRequest
) -> Iterator[Look]:
    """An empty page, looked at.

    At the end a picture is kept, and there may be no error in the browser's console
    that is not Home Assistant's own, and none of ours in its log.
    """
    log_before = len(demo.home_assistant.log())
    look = Look(page=context.new_page(), size=size)
    yield look
    look.at(request.node.originalname.removeprefix("test_"))
    assert not look.our_errors()
    assert not faults(demo.home_assistant.log()[log_before:])


@pytest.fixture
def page(look: Look, demo: Demo) -> Page:
    """A page on the demo's dashboard."""
    look.page.goto(demo.dashboard_url)
    return look.page


@pytest.fixture
def second_router(demo: Demo) -> Iterator[SecondRouter]:
    """Another simulated router; its entry is removed at the end."""
    with routers.run(demo) as router:
        yield router
