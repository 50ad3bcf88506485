"""Home Assistant's frontend, as far as the tests walk through it.

Playwright's locators look into open shadow roots, so that roles and texts are enough.
"""

from functools import cache
import json
import re
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page

from tests.demo import Demo, dashboard
from tests.real_ha.process import INTEGRATION


def words(key: str) -> str:
    """Return what the integration says in English; parts of the key end in dots."""
    texts = _translations()
    for part in key.split("."):
        texts = texts[part]
    assert isinstance(texts, str)
    return texts


@cache
def _translations() -> Any:
    return json.loads((INTEGRATION / "translations" / "en.json").read_text())


def log_in(page: Page, demo: Demo) -> None:
    """Fill the log-in form; return on the demo's dashboard."""
    page.goto(demo.home_assistant.url)
    page.locator("input[name=username]").fill(demo.home_assistant.user)
    page.locator("input[name=password]").fill(demo.home_assistant.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/{dashboard.URL_PATH}/**")


def collect_errors(page: Page) -> list[str]:
    """Return a list that gets every error of the page from now on."""
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} {message.location}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


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


def open_forward_dialog(page: Page, demo: Demo) -> None:
    """Open the dialog that adds a forward."""
    page.goto(f"{demo.home_assistant.url}/config/integrations/integration/pcp")
    add = words("config_subentries.forward.initiate_flow.user")
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


def _selector(page: Page, label: str) -> Locator:
    return page.locator("ha-selector").filter(has=page.get_by_text(_exactly(label)))


def _exactly(text: str) -> re.Pattern[str]:
    """A text that stands alone; required fields carry an asterisk."""
    return re.compile(rf"^\s*{re.escape(text)}\s*\*?\s*$")
