"""The life of a router and of a forward, by clicks alone, and its doors knocked at."""

import socket

from playwright.sync_api import expect

from tests.demo import Demo
from tests.lab.waiting import wait_until
from tests.real_ha.process import free_port

from . import frontend
from .looking import Look
from .second_router import SecondRouter

NAME = "Second page"
# What waits for the router as well as for the browser.
PATIENCE = 60.0


def door(router: SecondRouter, port: int) -> bool:
    """Tell whether somebody from outside gets in."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(PATIENCE)
        try:
            with socket.create_connection((router.outside, port), PATIENCE):
                listener.accept()[0].close()
        except ConnectionRefusedError:
            return False
    return True


def test_life_of_a_forward(look: Look, demo: Demo, second_router: SecondRouter) -> None:
    """Added, switched, changed, refused, explained, disabled, removed: nothing is left."""
    page, router = look.page, second_router
    port, other_port = free_port(), free_port()
    router.add()

    frontend.open_forward_dialog(page, demo, router.address)
    frontend.forward_field(page, "name").fill(NAME)
    frontend.forward_field(page, "internal_port").fill(str(port))
    frontend.submit(page)
    expect(page.get_by_text(f"{router.outside}:{port}")).to_be_visible()
    look.at("life-01-added")
    assert door(router, port)

    frontend.go_to_integration(page, demo)
    expect(frontend.forward_row(page, NAME)).to_be_visible()
    look.at("life-02-integration")

    frontend.go_to_device(page, demo, NAME)
    expect(page.get_by_role("switch").first).to_be_checked()
    look.at("life-03-device-on")
    frontend.press_switch(page)
    frontend.wait_for_status(page, "Closed")
    look.at("life-04-device-off")
    assert not door(router, port)
    frontend.press_switch(page)
    frontend.wait_for_status(page, "Open")
    assert door(router, port)

    frontend.go_to_integration(page, demo)
    change = frontend.words("config_subentries.forward.initiate_flow.reconfigure")
    frontend.forward_row(page, NAME).get_by_role("button", name=change).click()
    changed = frontend.field(page, "Port")
    expect(changed).to_have_value(str(port))
    look.at("life-05-change")
    changed.fill(str(other_port))
    frontend.submit(page)
    # It ends with the address.
    told = page.locator("ha-markdown").filter(has_text=f"{NAME} was changed.")
    expect(told).to_contain_text(f":{other_port}")
    look.at("life-06-changed")
    assert not door(router, port)
    assert door(router, other_port)

    # A refusal of something that is asked for is told at once.
    router.tell("personality refuses_all")
    frontend.open_forward_dialog(page, demo, router.address)
    frontend.forward_field(page, "name").fill("Third page")
    frontend.forward_field(page, "internal_port").fill(str(port))
    frontend.submit(page)
    refused = frontend.words("config_subentries.forward.error.not_authorized")
    expect(frontend.error(page)).to_contain_text(refused)
    look.at("life-07-refused-in-dialog")

    # One that comes by itself is a repair, until it is over.
    router.tell("reboot")
    frontend.go_to(page, f"{demo.home_assistant.url}/config/repairs")
    title = f"The router refuses the forward {NAME}"
    repair = page.get_by_text(title)
    expect(repair).to_be_visible()
    look.at("life-08-repairs")
    repair.click()
    expect(page.get_by_text("independent port sharing")).to_be_visible()
    look.at("life-09-repair")
    assert not door(router, other_port)
    router.tell("personality rfc")
    frontend.go_to_device(page, demo, f"Router ({router.address})")
    look.at("life-10-router")
    page.get_by_role("button", name="Press").click()
    wait_until(lambda: door(router, other_port), "the door", timeout=PATIENCE)
    frontend.go_to(page, f"{demo.home_assistant.url}/config/repairs")
    expect(page.get_by_text("There are currently no repairs pending")).to_be_visible()
    look.at("life-11-no-repairs")

    # A switch that is turned on in vain says why, and is off again.
    frontend.go_to_device(page, demo, NAME)
    frontend.press_switch(page)
    frontend.wait_for_status(page, "Closed")
    router.tell("personality refuses_all")
    frontend.press_switch(page)
    said = frontend.words("exceptions.not_authorized.message")
    expect(page.locator("notification-manager")).to_contain_text(said)
    expect(page.get_by_role("switch").first).not_to_be_checked()
    look.at("life-12-refused-switch")
    # Home Assistant's frontend shows the refusal, and throws it besides.
    look.forget_refusals()
    router.tell("personality rfc")
    frontend.press_switch(page)
    frontend.wait_for_status(page, "Open")

    frontend.go_to_integration(page, demo)
    row = frontend.router_row(page, router.address)
    frontend.choose(row, "Disable")
    frontend.confirm(page, "Disable")
    wait_until(router.holds_nothing, "nothing to be left", timeout=PATIENCE)
    row.get_by_role("button", name="Enable").wait_for()
    look.at("life-13-disabled")
    row.get_by_role("button", name="Enable").click()
    expect(row.get_by_role("button", name="Enable")).to_be_hidden()
    expect(frontend.forward_row(page, NAME)).to_be_visible()
    assert router.holds_nothing()
    frontend.go_to_device(page, demo, NAME)
    frontend.press_switch(page)
    frontend.wait_for_status(page, "Open")
    assert door(router, other_port)

    frontend.go_to_integration(page, demo)
    frontend.choose(frontend.forward_row(page, NAME), "Delete")
    look.at("life-14-delete-forward")
    frontend.confirm(page, "Delete")
    expect(frontend.forward_row(page, NAME)).to_be_hidden()
    wait_until(router.holds_nothing, "the forward to be gone", timeout=PATIENCE)
    assert not door(router, other_port)


def test_remove_a_router(look: Look, demo: Demo, second_router: SecondRouter) -> None:
    """Removed with two open forwards: the doors are closed, the table is empty."""
    page, router = look.page, second_router
    entry = router.add()
    for name in ("One", "Two"):
        demo.api.call_service(
            "pcp",
            "add_forward",
            {
                "config_entry_id": entry["entry_id"],
                "name": name,
                "internal_port": free_port(),
            },
            return_response=True,
        )
    assert len(router.tell("mappings").splitlines()) == 2
    frontend.go_to_integration(page, demo)
    row = frontend.router_row(page, router.address)
    frontend.choose(row, "Delete")
    look.at("remove-1-sure")
    frontend.confirm(page, "Delete")
    expect(row).to_be_hidden()
    wait_until(router.holds_nothing, "nothing to be left", timeout=PATIENCE)
    assert router.entry() is None
