"""Home Assistant's frontend, as far as the tests walk through it.

Playwright's locators look into open shadow roots, so that roles and texts are enough.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
import json
import re
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    StorageState,
    expect,
)

from tests.demo import Demo, dashboard
from tests.real_ha.process import INTEGRATION

from .looking import SIZES

# A net against hangs: two processors of a busy machine.
MILLISECONDS_FOR_A_STEP = 60_000


@contextmanager
def context(
    browser: Browser, size: str, session: StorageState | None = None
) -> Iterator[BrowserContext]:
    """Open a browser of a size, with what an earlier one has kept."""
    is_phone = size == "phone"
    with browser.new_context(
        storage_state=session,
        viewport=SIZES[size],
        is_mobile=is_phone,
        has_touch=is_phone,
    ) as context:
        context.set_default_timeout(MILLISECONDS_FOR_A_STEP)
        yield context


def words(key: str, language: str = "en") -> str:
    """Return what the integration says; parts of the key end in dots."""
    texts = _translations(language)
    for part in key.split("."):
        texts = texts[part]
    assert isinstance(texts, str)
    return texts


@cache
def _translations(language: str) -> Any:
    file = INTEGRATION / "translations" / f"{language}.json"
    return json.loads(file.read_text(encoding="utf-8"))


def log_in(page: Page, demo: Demo) -> None:
    """Fill the log-in form; return on the demo's dashboard."""
    page.goto(demo.home_assistant.url)
    page.locator("input[name=username]").fill(demo.home_assistant.user)
    page.locator("input[name=password]").fill(demo.home_assistant.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/{dashboard.URL_PATH}/**")


def section(page: Page, heading: str) -> Locator:
    """Return the dashboard's section under a heading."""
    title = page.locator("hui-heading-card").get_by_text(heading, exact=True)
    return page.locator("hui-grid-section").filter(has=title)


def toggle(section: Locator) -> Locator:
    """Return the switch of a forward's section."""
    return section.get_by_role("switch")


def tile(section: Locator, name: str) -> Locator:
    """Return the tile of that name."""
    return section.locator("hui-tile-card").filter(
        has=section.page.locator(".primary", has_text=_exactly(name))
    )


def field(page: Page, label: str) -> Locator:
    """Return the input of a form's field."""
    return _selector(page, label).locator("input")


def name_router(page: Page, value: str) -> None:
    """Say where the router is: in a text or, where some were found, a drop-down."""
    label = words("config.step.user.data.host")
    selector = _selector(page, label)
    selector.wait_for()
    if selector.locator("ha-selector-text").count():
        selector.locator("input").fill(value)
        return
    selector.locator("button").first.click()
    page.get_by_placeholder("Search | Add custom item").fill(value)
    page.get_by_text("Add custom item", exact=True).click()


def go_to(page: Page, url: str) -> None:
    """Go to an address, whatever the page is about to do.

    A dialog that closes goes back in the browser's history, which may abort this.
    """
    try:
        page.goto(url)
    except Error as error:
        if "ERR_ABORTED" not in error.message:
            raise
        page.goto(url)


def go_to_integration(page: Page, demo: Demo) -> None:
    """Go to the page of the integration, with its routers and their forwards."""
    go_to(page, f"{demo.home_assistant.url}/config/integrations/integration/pcp")
    page.locator("ha-config-entry-row").first.wait_for()


def go_to_device(page: Page, demo: Demo, name: str) -> None:
    """Go to the page of a device."""
    (device_id,) = (
        device["id"]
        for device in demo.api.device_registry()
        if name in (device["name"], device["name_by_user"])
    )
    go_to(page, f"{demo.home_assistant.url}/config/devices/device/{device_id}")
    page.locator("ha-device-entities-card").first.wait_for()


def router_row(page: Page, address: str) -> Locator:
    """Return the row of a router on the page of the integration."""
    return page.locator("ha-config-entry-row").filter(has=page.get_by_text(address))


def forward_row(page: Page, name: str) -> Locator:
    """Return the row of a forward on the page of the integration."""
    title = page.get_by_text(name, exact=True)
    return page.locator("ha-config-sub-entry-row").filter(has=title)


def press_switch(page: Page) -> None:
    """Press the switch on a device's page."""
    # The input with the role lies below what is drawn of it.
    page.locator("ha-device-entities-card ha-switch").first.click()


def wait_for_status(page: Page, status: str) -> None:
    """Wait until a forward's page shows a status."""
    sensors = page.locator("ha-device-entities-card").filter(has_text="Status")
    # Of a row, the state comes before the name.
    expect(sensors).to_contain_text(re.compile(rf"\b{status}\s+Status"))


def choose(row: Locator, item: str) -> None:
    """Choose something in a row's menu."""
    row.get_by_role("button", name="Menu").first.click()
    row.get_by_role("menuitem", name=item, exact=True).first.click()


def confirm(page: Page, button: str) -> None:
    """Confirm what Home Assistant asks for certainty about."""
    page.locator("dialog-box").get_by_role("button", name=button).click()


def open_forward_dialog(page: Page, demo: Demo, address: str = "") -> None:
    """Open the dialog that adds a forward; where there are several, to one router."""
    go_to_integration(page, demo)
    add = words("config_subentries.forward.initiate_flow.user")
    if address:
        choose(router_row(page, address), add)
    else:
        page.get_by_role("button", name=add).click()
    forward_field(page, "name").wait_for()


def forward_field(page: Page, key: str) -> Locator:
    """Return the input of a field in the dialog of a forward."""
    return field(page, words(f"config_subentries.forward.step.user.data.{key}"))


def advanced_field(page: Page, key: str) -> Locator:
    """Return the input of a field in the section of that dialog."""
    advanced = "config_subentries.forward.step.user.sections.advanced"
    return field(page, words(f"{advanced}.data.{key}"))


def open_advanced(page: Page) -> None:
    """Open the section of that dialog."""
    name = words("config_subentries.forward.step.user.sections.advanced.name")
    page.get_by_text(name, exact=True).click()


def error(page: Page) -> Locator:
    """Return the errors of the form, as they stand above its fields."""
    return page.locator("ha-alert")


def submit(page: Page) -> None:
    """Press a form's button."""
    page.get_by_role("button", name="Submit").click()


def choose_from_menu(page: Page, key: str) -> None:
    """Choose one of the ways that a step offers instead of a form."""
    page.get_by_text(words(key), exact=True).click()


def _selector(page: Page, label: str) -> Locator:
    return page.locator("ha-selector").filter(has=page.get_by_text(_exactly(label)))


def _exactly(text: str) -> re.Pattern[str]:
    """A text that stands alone; required fields carry an asterisk."""
    return re.compile(rf"^\s*{re.escape(text)}\s*\*?\s*$")


def discovered(page: Page) -> Locator:
    """Return the card of a router that was found."""
    name = page.get_by_text("Port Control Protocol (PCP)")
    return page.locator("ha-config-flow-card").filter(has=name)


def dialog(page: Page, key: str) -> None:
    """Wait for the dialog whose title has a key."""
    page.get_by_role("heading", name=words(key)).or_(
        page.locator("ha-dialog-header, ha-dialog").get_by_text(words(key), exact=True)
    ).first.wait_for()


def choose_service(page: Page, label: str) -> None:
    """Choose one of the services that the dialog of a forward proposes."""
    key = "config_subentries.forward.step.user.data.service"
    _selector(page, words(key)).click()
    page.get_by_text(label, exact=True).click()
