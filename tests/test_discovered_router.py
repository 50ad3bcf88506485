"""What a gateway says of itself over SSDP, and what of it is believed."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.loader import async_get_integration
import pytest

from custom_components.pcp.const import DOMAIN
from tests.simulated_router import SimulatedRouter

from .glue import ROUTER_HOST, pcp_entry, set_up
from .test_config_flow import discover

pytest_plugins = ["tests.glue_fixtures"]
pytestmark = pytest.mark.usefixtures("quiet", "unload")

BOX = {
    "friendlyName": "Box 7590",
    "manufacturer": "Maker",
    "modelName": "Box",
    "presentationURL": f"http://{ROUTER_HOST}/",
}


def router_device(hass: HomeAssistant, entry: ConfigEntry) -> dr.DeviceEntry:
    """Return the device of a router."""
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert device is not None
    return device


async def test_a_discovered_router_tells_its_maker(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """Its device has maker, model, and a link to the router's own page."""
    form = await discover(hass, upnp=BOX)
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    await hass.async_block_till_done()
    device = router_device(hass, result["result"])
    assert (device.manufacturer, device.model) == ("Maker", "Box")
    assert device.configuration_url == f"http://{ROUTER_HOST}/"


async def test_a_router_added_by_hand_learns_what_it_is(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """When it is seen; nothing is reloaded, and what is not said again stays."""
    entry = await set_up(hass, pcp_entry())
    assert router_device(hass, entry).manufacturer is None
    coordinator = entry.runtime_data
    for upnp in (BOX, {}):
        result = await discover(hass, upnp=upnp)
        assert result["reason"] == "already_configured"
        await hass.async_block_till_done()
        device = router_device(hass, entry)
        assert (device.manufacturer, device.model) == ("Maker", "Box")
        assert device.configuration_url == f"http://{ROUTER_HOST}/"
    assert entry.runtime_data is coordinator


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (f"https://{ROUTER_HOST}:8443/ui", f"https://{ROUTER_HOST}:8443/ui"),
        ("/ui", f"http://{ROUTER_HOST}:49000/ui"),
        ("http://evil.example/", None),
        (f"http://{ROUTER_HOST}@evil.example/", None),
        (f"javascript:alert('{ROUTER_HOST}')", None),
        (f"ftp://{ROUTER_HOST}/", None),
        (f"http://{ROUTER_HOST}/" + "a" * 1000, None),
        ("http://[::1", None),
        ("", None),
        (None, None),
        (7, None),
    ],
    # The router's address is another one in each worker.
    ids=map(str, range(11)),
)
async def test_only_a_routers_own_page_is_linked_to(
    hass: HomeAssistant, router: SimulatedRouter, url: Any, page: str | None
) -> None:
    """Anybody in the network can say what a gateway is."""
    form = await discover(hass, upnp=BOX | {"presentationURL": url})
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    await hass.async_block_till_done()
    assert router_device(hass, result["result"]).configuration_url == page


async def test_hostile_names_are_cut(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """One line, and not a thousand of them."""
    upnp = BOX | {"friendlyName": "a\n b" * 1000, "modelName": 7, "manufacturer": " "}
    form = await discover(hass, upnp=upnp)
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    await hass.async_block_till_done()
    assert "\n" not in result["title"]
    assert len(result["title"]) < 130
    device = router_device(hass, result["result"])
    assert (device.manufacturer, device.model) == (None, None)


async def test_loading_never_waits_for_ssdp(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """A router that was added is there whether SSDP is set up or not."""
    await set_up(hass, pcp_entry())
    assert "ssdp" not in hass.config.components
    integration = await async_get_integration(hass, DOMAIN)
    assert "ssdp" not in {
        *integration.dependencies,
        *(integration.after_dependencies or ()),
    }
