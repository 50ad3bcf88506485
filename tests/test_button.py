"""The button of a router, with a router on loopback."""

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.client.codec import MapRequest
from tests.simulated_router import SimulatedRouter

from .glue import add_forward, entity_id, until, until_state

pytest_plugins = ["tests.glue_fixtures"]


async def press(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Press the button."""
    await hass.services.async_call(
        "button",
        "press",
        {"entity_id": entity_id(hass, "button", entry.entry_id, "renew")},
        blocking=True,
    )
    await hass.async_block_till_done()


async def test_the_button_asks_again_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """What the router lost without a sign is open again."""
    forward = await add_forward(hass)
    router.lose_mappings()
    asked = len(router.requests)
    await press(hass, entry)
    await until(lambda: len(router.mappings()) == 1)
    [request] = [
        seen.request
        for seen in router.requests[asked:]
        if isinstance(seen.request, MapRequest)
    ]
    assert request.internal_port == 8123
    assert request.lifetime == 3600
    await until_state(hass, "sensor", forward["forward_id"], "status", "open")
    assert [mapping.external_port for mapping in router.mappings()] == [8123]


async def test_the_button_opens_nothing_that_is_off(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Promise 1: renewing is no wish."""
    await add_forward(hass)
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": "switch.game"}, blocking=True
    )
    await press(hass, entry)
    assert router.mappings() == ()
