"""Make the pictures of the documentation; scripts/screenshots runs it."""

from dataclasses import replace
from pathlib import Path
import tempfile

from playwright.sync_api import Browser, Page, ViewportSize

from tests.demo import Demo, Places
from tests.lab.network import Network
from tests.real_ha.process import ROOT

from . import chromium, frontend
from .looking import SIZES, drawn
from .newcomer import Newcomer, onboard

IMAGES = ROOT / "docs" / "images"
# Down to the end of the history.
DASHBOARD: ViewportSize = {"width": 1260, "height": 540}
# An address for documentation (RFC 5737): the picture shall not look like loopback.
EXTERNAL_ADDRESS = "203.0.113.5"
# Of the game server, for the history to have something to show.
MILLISECONDS_OPEN = 20_000


def main() -> None:
    """Take all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        take_dashboards(Path(folder) / "demo")
        take_first_steps(Path(folder) / "newcomer")


def take_dashboards(config_dir: Path) -> None:
    """Take the demo's dashboard, at a desk and on a phone."""
    places = Places.free()
    places = replace(
        places,
        external_address=EXTERNAL_ADDRESS,
        doors_address=places.external_address,
        web_port=8080,
        game_port=25565,
    )
    # A router that believes in its address, whatever it is.
    demo = Demo(
        config_dir=config_dir,
        places=places,
        personality="rfc",
        hints=False,
        history_hours=0.025,
    )
    with demo, chromium.run() as browser:
        page = browser.new_page(viewport=DASHBOARD, device_scale_factor=1.5)
        # The sidebar as a strip of icons.
        page.add_init_script("localStorage.dockedSidebar = '\"auto\"'")
        frontend.log_in(page, demo)
        game = frontend.section(page, "Example game server")
        frontend.tile(game, "Open for two hours").click()
        page.wait_for_timeout(MILLISECONDS_OPEN)
        frontend.toggle(game).click()
        page.wait_for_timeout(MILLISECONDS_OPEN)
        # The history is drawn up to now.
        page.reload()
        take_dashboard(page, "dashboard")
        frontend.tile(game, "Open for two hours").click()
        phone = browser.new_context(
            viewport=SIZES["phone"],
            is_mobile=True,
            storage_state=page.context.storage_state(),
        ).new_page()
        phone.goto(demo.dashboard_url)
        take_dashboard(phone, "phone")


def take_dashboard(page: Page, name: str) -> None:
    """Take the dashboard once everything is drawn."""
    web = frontend.section(page, "Example web page")
    frontend.tile(web, "From outside").get_by_text(EXTERNAL_ADDRESS).wait_for()
    page.locator("state-history-chart-timeline").first.wait_for()
    take(page, name)


def take_first_steps(config_dir: Path) -> None:
    """Take what a newcomer sees: the router that was found, and the first forward."""
    with Network() as network:
        newcomer = Newcomer(network, config_dir)
        newcomer.router.reset()
        with newcomer.home_assistant, chromium.run(newcomer.lan) as browser:
            page = first_page(browser, newcomer)
            card = frontend.discovered(page)
            card.get_by_role("button", name="Add").wait_for()
            take(page, "discovered", height=400)
            card.get_by_role("button", name="Add").click()
            frontend.dialog(page, "config.step.discovery_confirm.title")
            frontend.submit(page)
            frontend.dialog(page, "config_subentries.forward.step.user.title")
            frontend.choose_service(page, "WireGuard (UDP 51820)")
            take(page, "add-forward")


def first_page(browser: Browser, newcomer: Newcomer) -> Page:
    """Return the page of integrations, after the onboarding."""
    page = browser.new_page(viewport=SIZES["desktop"])
    page.add_init_script("localStorage.dockedSidebar = '\"auto\"'")
    onboard(page, newcomer.url)
    page.goto(f"{newcomer.url}/config/integrations/dashboard")
    return page


def take(page: Page, name: str, *, height: int | None = None) -> None:
    """Keep a picture once everything is drawn."""
    if height is not None:
        page.set_viewport_size({"width": SIZES["desktop"]["width"], "height": height})
    page.mouse.move(0, 0)
    (IMAGES / f"{name}.png").write_bytes(drawn(page))
    if height is not None:
        page.set_viewport_size(SIZES["desktop"])


if __name__ == "__main__":
    main()
