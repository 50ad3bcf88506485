"""The demo's dashboard: doors that open and close at a click."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Browser, Locator, Page, expect
import pytest
import yaml

from tests.demo import Demo
from tests.demo.demo import GAME_SERVER, WEB_PAGE
from tests.lab.waiting import wait_until
from tests.real_ha.process import ROOT

from . import frontend

SETTLED = timedelta(seconds=5)


@pytest.fixture(autouse=True)
def _game_server_closed(demo: Demo) -> Iterator[None]:
    """Leave the forward closed, whatever a test has come to."""
    yield
    switch = {"entity_id": "switch.example_game_server"}
    demo.api.call_service("switch", "turn_off", target=switch)


def test_log_in(browser: Browser, demo: Demo) -> None:
    """Whoever logs in sees the dashboard with both forwards."""
    with browser.new_context() as context:
        page = context.new_page()
        frontend.log_in(page, demo)
        expect(frontend.section(page, WEB_PAGE)).to_be_visible()
        expect(frontend.section(page, GAME_SERVER)).to_be_visible()


def test_what_it_tells(page: Page, demo: Demo) -> None:
    """What is open, where it is from outside, and how the router is: all true."""
    web = frontend.section(page, WEB_PAGE)
    outside = f"{demo.places.external_address}:{demo.places.web_port}"
    expect(frontend.toggle(web)).to_be_checked()
    expect(status(web, "Open")).to_be_visible()
    expect(frontend.tile(web, "From outside")).to_contain_text(outside)
    game = frontend.section(page, GAME_SERVER)
    expect(frontend.toggle(game)).not_to_be_checked()
    expect(status(game, "Closed")).to_be_visible()
    router = frontend.section(page, "Router")
    expect(frontend.tile(router, "Router")).to_contain_text("Connected")
    expect(frontend.tile(router, "Protocol")).to_contain_text("PCP")
    history = frontend.section(page, "When it was open")
    expect(history.locator("state-history-chart-timeline")).to_be_visible()
    assert demo.web_page_from_outside()
    assert demo.game_server_from_outside() == (None, None)


def test_open_and_close(page: Page, demo: Demo) -> None:
    """A click opens the door, really; another one closes it."""
    game = frontend.section(page, GAME_SERVER)
    frontend.toggle(game).click()
    expect(status(game, "Open")).to_be_visible()
    assert all(demo.game_server_from_outside())
    frontend.toggle(game).click()
    expect(status(game, "Closed")).to_be_visible()
    assert demo.game_server_from_outside() == (None, None)


def test_open_for_two_hours(page: Page, demo: Demo) -> None:
    """“Open for two hours” opens the door and tells when it closes."""
    game = frontend.section(page, GAME_SERVER)
    frontend.tile(game, "Open for two hours").click()
    expect(frontend.tile(game, "Closes")).to_contain_text("In 2 hours")
    expect(status(game, "Open")).to_be_visible()
    assert all(demo.game_server_from_outside())
    frontend.toggle(game).click()
    expect(status(game, "Closed")).to_be_visible()
    expect(frontend.tile(game, "Closes")).to_be_hidden()


def test_reboot(page: Page, demo: Demo) -> None:
    """A router that was rebooted has forgotten the door; it is asked for it again."""
    started = demo.api.get_state(demo.router_entity("router_started"))
    assert started is not None
    # By its whole seconds, one start cannot be told from another right before it.
    wait_until(
        lambda: datetime.now(UTC) - datetime.fromisoformat(started["state"]) > SETTLED,
        "the router's last start to be a while ago",
    )
    demo.tell_router("reboot")
    # Whoever is asked again answers with a new epoch.
    demo.api.wait_for_state(
        demo.router_entity("router_started"),
        lambda state: state["state"] != started["state"],
        timeout=60,
    )
    wait_until(demo.web_page_from_outside, "the door to be back")
    router = frontend.section(page, "Router")
    expect(frontend.tile(router, "Last event")).to_be_visible()
    expect(status(frontend.section(page, WEB_PAGE), "Open")).to_be_visible()


def test_dashboard_of_the_documentation(page: Page, demo: Demo) -> None:
    """The example can be pasted: every card is drawn, with the history of the door."""
    text = (ROOT / "docs" / "automations.md").read_text(encoding="utf-8")
    example = text.partition("## A dashboard")[2].partition("```yaml")[2]
    example = example.partition("```")[0].replace(".minecraft", ".example_game_server")
    router, _, key = demo.router_entity("reachable").partition(".")[2].rpartition("_")
    assert key == "reachable"
    example = example.replace(".router_", f".{router}_")
    if "from-docs" not in dashboards(demo):
        demo.api.command(
            "lovelace/dashboards/create",
            url_path="from-docs",
            title="From docs",
            require_admin=False,
            show_in_sidebar=False,
        )
    demo.api.save_dashboard({"views": [yaml.safe_load(example)]}, url_path="from-docs")
    page.goto(f"{demo.home_assistant.url}/from-docs")
    history = frontend.section(page, "When it was open")
    expect(history.locator("state-history-chart-timeline")).to_be_visible()
    expect(history.locator("hui-logbook-card")).to_be_visible()
    expect(frontend.section(page, "Minecraft")).to_be_visible()
    expect(page.locator("hui-error-card, hui-warning")).to_have_count(0)


def status(section: Locator, text: str) -> Locator:
    """Return a forward's status that is just that: “Opening” is not “Open”."""
    return frontend.tile(section, "Status").get_by_text(text, exact=True)


def dashboards(demo: Demo) -> list[str]:
    """Return the paths of all dashboards."""
    return [each["url_path"] for each in demo.api.command("lovelace/dashboards/list")]
