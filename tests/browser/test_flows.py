"""Adding routers and forwards in the dialogs of Home Assistant."""

from collections.abc import Iterator
import socket

from playwright.sync_api import Page, expect
import pytest

from tests.demo import Demo
from tests.demo.demo import WEB_PAGE
from tests.demo.knock import knock_web
from tests.real_ha.process import free_port

from . import frontend
from .second_router import SecondRouter


@pytest.fixture
def forwards_kept(demo: Demo) -> Iterator[None]:
    """Forwards that the test adds are removed at its end."""
    before = {each["subentry_id"] for each in demo.api.subentries(demo.entry_id)}
    yield
    for subentry in demo.api.subentries(demo.entry_id):
        if subentry["subentry_id"] not in before:
            demo.api.delete_subentry(demo.entry_id, subentry["subentry_id"])


def test_add_a_router(page: Page, demo: Demo, second_router: SecondRouter) -> None:
    """A wrong address is explained; the right one adds the router and opens nothing."""
    page.goto(f"{demo.home_assistant.url}/config/integrations/dashboard")
    page.get_by_role("button", name="Add integration").click()
    page.get_by_placeholder("Search for a brand name").fill("Port Control")
    page.get_by_role("option").or_(page.get_by_role("listitem")).filter(
        has_text="Port Control Protocol"
    ).click()
    frontend.name_router(page, "127.0.99.250")
    frontend.submit(page)
    not_supported = frontend.words("config.error.not_supported")
    expect(frontend.error(page)).to_contain_text(not_supported)
    frontend.name_router(page, second_router.address)
    frontend.submit(page)
    # It offers to add the first forward.
    expect(frontend.forward_field(page, "name")).to_be_visible()
    entry = second_router.entry()
    assert entry is not None
    assert entry["state"] == "loaded"
    assert demo.api.subentries(entry["entry_id"]) == []


@pytest.mark.usefixtures("forwards_kept")
def test_add_a_forward(page: Page, demo: Demo) -> None:
    """A forward that is added in its dialog is open at once."""
    # A second door to the same page would overlap: to another port, then.
    port = free_port()
    frontend.open_forward_dialog(page, demo)
    frontend.forward_field(page, "name").fill("Second page")
    frontend.forward_field(page, "internal_port").fill(str(port))
    frontend.submit(page)
    expect(page.get_by_text("Created configuration for Second page")).to_be_visible()
    page.get_by_role("button", name="Finish").click()
    expect(page.get_by_text("Second page").first).to_be_visible()
    state = demo.api.wait_for_state("sensor.second_page_status", "open")
    assert state
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(10)
        # Nobody answers: what counts is that somebody came in.
        assert knock_web(demo.places.outside, port) is None
        listener.accept()[0].close()


@pytest.mark.usefixtures("forwards_kept")
def test_refusals(page: Page, demo: Demo) -> None:
    """What cannot be is explained beside the field; nothing is added."""
    before = demo.api.subentries(demo.entry_id)
    frontend.open_forward_dialog(page, demo)
    port = frontend.forward_field(page, "internal_port")
    frontend.forward_field(page, "name").fill(WEB_PAGE)
    port.fill(str(demo.places.web_port))
    frontend.submit(page)
    errors = "config_subentries.forward.error"
    overlap = frontend.words(f"{errors}.overlap").format(forward=WEB_PAGE)
    expect(frontend.error(page)).to_contain_text(overlap)
    port.fill(str(free_port()))
    frontend.open_advanced(page)
    frontend.advanced_field(page, "external_port").fill("5351")
    frontend.submit(page)
    reserved = frontend.words(f"{errors}.invalid_external_port")
    expect(frontend.error(page)).to_contain_text(reserved)
    assert demo.api.subentries(demo.entry_id) == before
