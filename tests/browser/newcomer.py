"""Somebody who has just started Home Assistant for the first time, at a real router.

The lab's network: Home Assistant and the browser are in `lan`, and the router is
Debian's miniupnpd, which announces itself over SSDP and speaks PCP. So nothing of the
discovery is made up: Home Assistant's own ssdp hears the gateway, reads its description,
and starts our flow, which probes it.
"""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.demo.knock import knock_web
from tests.lab.network import EXTERNAL_ADDRESS, Network
from tests.lab.router import Router
from tests.real_ha import RealHomeAssistant

PORT = 8123
NAME, PASSWORD = "Ada", "correct horse battery"
WELCOME = "Create my smart home"
CREATE = "Create account"
NEXT, FINISH = "Next", "Finish"


class Newcomer:
    """A home where nobody has set up anything yet."""

    def __init__(self, network: Network, config_dir: Path) -> None:
        """Describe it; `home_assistant` is to be started."""
        self.network = network
        self.router = Router(network)
        self.lan = ("ip", "netns", "exec", network.namespace("lan"))
        self.home_assistant = RealHomeAssistant(
            config_dir,
            port=PORT,
            network_prefix=self.lan,
            # As in everybody's configuration, by default_config.
            configuration="ssdp:\n",
            is_onboarded=False,
        )

    @property
    def url(self) -> str:
        """Where a browser in `lan` finds Home Assistant."""
        return self.home_assistant.url

    def page_from_outside(self, port: int) -> bytes | None:
        """Ask for a page at the router's external address, from `wan`."""
        return self.network.call("wan", knock_web, EXTERNAL_ADDRESS, port)


def onboard(page: Page, url: str) -> str:
    """Go through Home Assistant's onboarding; return an access token."""
    page.goto(url)
    page.get_by_role("button", name=WELCOME).click()
    for field, value in (
        ("name", NAME),
        ("username", NAME.lower()),
        ("password", PASSWORD),
        ("password_confirm", PASSWORD),
    ):
        page.locator(f"input[name={field}]").fill(value)
    page.get_by_role("button", name=CREATE).click()
    # Location, country, analytics; then what was found.
    for step in (
        "onboarding-location",
        "onboarding-core-config",
        "onboarding-analytics",
    ):
        page.locator(step).get_by_role("button", name=NEXT).click()
    page.get_by_role("button", name=FINISH).click()
    expect(page.locator("home-assistant-main")).to_be_visible()
    token: str = page.evaluate("JSON.parse(localStorage.hassTokens).access_token")
    return token
