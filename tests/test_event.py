"""The event entity of a router, with a router on loopback."""

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.const import RouterEvent
from tests.simulated_router import SimulatedRouter

from .glue import EXTERNAL_ADDRESS, add_forward, entity_id, until, until_state

pytest_plugins = ["tests.glue_fixtures"]

ATTRIBUTES = ("forward_id", "name", "old_address", "new_address")

type Seen = list[dict[str, object]]


@pytest.fixture
def seen(hass: HomeAssistant, entry: MockConfigEntry) -> Seen:
    """What the event entity has told since the start."""
    events: Seen = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        assert state is not None
        events.append(
            {
                key: state.attributes[key]
                for key in ("event_type", *ATTRIBUTES)
                if key in state.attributes
            }
        )

    async_track_state_change_event(
        hass, entity_id(hass, "event", entry.entry_id, "router"), note
    )
    return events


async def test_it_knows_the_contracts_types(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """What automations may wait for. The first reading is a bearing, not news."""
    state = hass.states.get(entity_id(hass, "event", entry.entry_id, "router"))
    assert state is not None
    assert state.state == "unknown"
    assert state.attributes["event_types"] == list(RouterEvent)


async def test_a_reboot_is_told_with_its_consequences(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter, seen: Seen
) -> None:
    """The router restarts, the forward is lost and comes back."""
    forward = await add_forward(hass)
    assert seen == []
    router.reboot()
    # No announcement is heard here; what is asked next carries the new epoch.
    await hass.services.async_call(
        "button",
        "press",
        {"entity_id": entity_id(hass, "button", entry.entry_id, "renew")},
        blocking=True,
    )
    await until(lambda: len(seen) == 3)
    names = {"forward_id": forward["forward_id"], "name": "Game"}
    assert {"event_type": "restarted"} in seen
    assert {"event_type": "forward_lost", **names} in seen
    assert seen[-1] == {"event_type": "forward_restored", **names}
    await until_state(hass, "sensor", forward["forward_id"], "status", "open")


async def test_a_new_external_address_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter, seen: Seen
) -> None:
    """RFC 6887 14.2; for dynamic DNS."""
    await add_forward(hass)
    router.change_external_address("203.0.113.77")
    await until_state(hass, "sensor", entry.entry_id, "external_ipv4", "203.0.113.77")
    assert {
        "event_type": "external_address_changed",
        "old_address": EXTERNAL_ADDRESS,
        "new_address": "203.0.113.77",
    } in seen


async def test_a_removed_event_entity_listens_no_more(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter, seen: Seen
) -> None:
    """Unloaded, nothing is told."""
    await add_forward(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    seen.clear()
    router.change_external_address("203.0.113.77")
    await hass.async_block_till_done()
    assert seen == []
