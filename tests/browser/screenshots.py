"""Make the pictures of the documentation; scripts/screenshots runs it."""

from dataclasses import replace
from pathlib import Path
import tempfile

from playwright.sync_api import Page, ViewportSize

from tests.demo import Demo, Places
from tests.real_ha.process import ROOT

from . import chromium, frontend

IMAGES = ROOT / "docs" / "images"
SIZE: ViewportSize = {"width": 1260, "height": 410}
# An address for documentation (RFC 5737): the picture shall not look like loopback.
EXTERNAL_ADDRESS = "203.0.113.5"


def main() -> None:
    """Start a demo and take its pictures."""
    places = Places.free()
    places = replace(
        places,
        external_address=EXTERNAL_ADDRESS,
        doors_address=places.external_address,
        web_port=8080,
        game_port=25565,
    )
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        config_dir = Path(folder) / "config"
        # A router that believes in its address, whatever it is.
        demo = Demo(
            config_dir=config_dir, places=places, personality="rfc", hints=False
        )
        with demo, chromium.run() as browser:
            page = browser.new_page(viewport=SIZE, device_scale_factor=2)
            # The sidebar as a strip of icons.
            page.add_init_script("localStorage.dockedSidebar = '\"auto\"'")
            frontend.log_in(page, demo)
            take_dashboard(page)


def take_dashboard(page: Page) -> None:
    """Take the dashboard once everything is drawn."""
    router = frontend.section(page, "Router")
    frontend.tile(router, "External address").get_by_text(EXTERNAL_ADDRESS).wait_for()
    page.wait_for_load_state("networkidle")
    page.mouse.move(0, 0)
    IMAGES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=IMAGES / "dashboard.png")


if __name__ == "__main__":
    main()
