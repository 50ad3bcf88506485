"""The first five minutes, from an empty Home Assistant to an open door."""

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Playwright, expect
import pytest

from tests.lab import requirements
from tests.lab.network import EXTERNAL_ADDRESS, Network
from tests.real_ha.log import faults

from . import chromium, frontend
from .counting import count
from .looking import Look
from .newcomer import PORT, Newcomer, onboard

MOST_CLICKS = 6
MOST_TYPED_FIELDS = 2
OUTSIDE = f"{EXTERNAL_ADDRESS}:{PORT}"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """The lab's network."""
    if missing := requirements.missing():
        pytest.skip(f"the lab needs {', '.join(missing)}")
    with Network() as network:
        yield network


@pytest.fixture
def newcomer(network: Network, tmp_path: Path) -> Iterator[Newcomer]:
    """A Home Assistant that nobody has opened yet."""
    newcomer = Newcomer(network, tmp_path / "config")
    newcomer.router.reset()
    with newcomer.home_assistant:
        yield newcomer


@pytest.fixture
def browser_in_lan(playwright: Playwright, newcomer: Newcomer) -> Iterator[Browser]:
    """A Chromium in the namespace of Home Assistant."""
    with chromium.launch(playwright, newcomer.lan) as browser:
        yield browser


def test_first_five_minutes(
    browser_in_lan: Browser, newcomer: Newcomer, size: str
) -> None:
    """Onboarding; the router is found by SSDP and a probe; the first door is open.

    Real: the gateway's announcement, the probe, the door, and who comes in by it. At the
    desk a service is chosen that is proposed, on the phone name and port are typed.
    """
    with frontend.context(browser_in_lan, size) as context:
        counted = count(context)
        page = context.new_page()
        newcomer.home_assistant.take_token(onboard(page, newcomer.url))
        look = Look(page=page, size=size)
        look.at("newcomer-1-home")

        page.goto(f"{newcomer.url}/config/integrations/dashboard")
        card = frontend.discovered(page)
        expect(card.get_by_role("button", name="Add")).to_be_visible()
        look.at("newcomer-2-discovered")
        assert newcomer.page_from_outside(PORT) is None

        counted.begin()
        card.get_by_role("button", name="Add").click()
        frontend.dialog(page, "config.step.discovery_confirm.title")
        look.at("newcomer-3-confirm")
        frontend.submit(page)

        frontend.dialog(page, "config_subentries.forward.step.user.title")
        look.at("newcomer-4-first-forward")
        fill_in = {"desktop": choose, "phone": type_in}[size]
        fill_in(look)
        frontend.submit(page)

        step = "config_subentries.forward.step.plain_http"
        frontend.dialog(page, f"{step}.title")
        look.at("newcomer-6-are-you-sure")
        assert newcomer.page_from_outside(PORT) is None
        frontend.choose_from_menu(page, f"{step}.menu_options.open_anyway")

        expect(page.get_by_text(OUTSIDE)).to_be_visible()
        assert b"200 OK" in (newcomer.page_from_outside(PORT) or b"")
        assert 0 < counted.clicks <= MOST_CLICKS
        assert (size == "phone") <= counted.typed_fields <= MOST_TYPED_FIELDS
        look.at("newcomer-7-open")
        assert not look.our_errors()
    assert not faults(newcomer.home_assistant.log())


def choose(look: Look) -> None:
    """Choose Home Assistant's own port."""
    page = look.page
    frontend.choose_service(page, f"Home Assistant (TCP {PORT})")
    look.at("newcomer-5-service")


def type_in(look: Look) -> None:
    """Type a name and a port."""
    page = look.page
    for key, text in (("name", "My home"), ("internal_port", str(PORT))):
        frontend.forward_field(page, key).click()
        page.keyboard.type(text)
    look.at("newcomer-5-typed")
