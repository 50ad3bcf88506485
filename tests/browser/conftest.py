"""One demo and one Chromium for all browser tests, a logged-in page for each."""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect
import pytest
import pytest_socket

from tests.demo import Demo, Places
from tests.real_ha.process import PYTHON, ROOT

from . import chromium, frontend

HERE = Path(__file__).parent
SCREENSHOTS = ROOT / ".local" / "screenshots"
# Two processors of a busy machine.
SECONDS_FOR_A_TEST = 300
MILLISECONDS_FOR_A_STEP = 30_000

expect.set_options(timeout=MILLISECONDS_FOR_A_STEP)


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
def browser(browser_requirements: None) -> Iterator[Browser]:
    """One Chromium."""
    with chromium.run() as browser:
        yield browser


@pytest.fixture(scope="package")
def session(browser: Browser, demo: Demo) -> StorageState:
    """What a browser keeps after logging in."""
    with browser.new_context() as context:
        page = context.new_page()
        frontend.log_in(page, demo)
        return context.storage_state()


@pytest.fixture
def context(browser: Browser, session: StorageState) -> Iterator[BrowserContext]:
    """A browser that is logged in."""
    with browser.new_context(
        storage_state=session, viewport={"width": 1280, "height": 900}
    ) as context:
        context.set_default_timeout(MILLISECONDS_FOR_A_STEP)
        yield context


@pytest.fixture
def page(
    context: BrowserContext, demo: Demo, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A page on the demo's dashboard.

    At the end its picture is kept, and no error may have named the integration: not
    in the browser's console, not in Home Assistant's log.
    """
    page = context.new_page()
    errors = frontend.collect_errors(page)
    log_before = len(demo.home_assistant.log())
    page.goto(demo.dashboard_url)
    yield page
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
    # Home Assistant looks for pictures of brands on the Internet.
    errors = [error for error in errors if "/api/brands/" not in error]
    assert not [error for error in errors if "pcp" in error.lower()]
    new_log = demo.home_assistant.log()[log_before:]
    assert not [
        line for line in new_log.splitlines() if " ERROR " in line and "pcp" in line
    ]
