"""The switch of a forward, with a router on loopback."""

from dataclasses import replace
from types import MappingProxyType

from homeassistant.components.homeassistant.exposed_entities import (
    KNOWN_ASSISTANTS,
    async_expose_entity,
    async_get_entity_settings,
    async_should_expose,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.const import DOMAIN
from tests.simulated_router import PERSONALITIES, SimulatedRouter

from .glue import (
    ROUTER_HOST,
    add_forward,
    external_ports,
    forward_data,
    pcp_entry,
    set_up,
    state_of,
    until_state,
)

pytest_plugins = ["tests.glue_fixtures"]

SWITCH = "switch.game"


async def turn(hass: HomeAssistant, what: str) -> None:
    """Turn the switch on or off."""
    await hass.services.async_call(
        "switch", f"turn_{what}", {"entity_id": SWITCH}, blocking=True
    )
    await hass.async_block_till_done()


@pytest.fixture
async def closed(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> MockConfigEntry:
    """A loaded router with a closed forward."""
    return await set_up(hass, pcp_entry(ROUTER_HOST, forward_data("Game", 8123)))


async def test_the_switch_is_the_forward(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It carries the device's name, and hides in no category."""
    forward = await add_forward(hass)
    registered = er.async_get(hass).async_get(SWITCH)
    assert registered is not None
    assert registered.unique_id == f"{forward['forward_id']}_forward"
    assert registered.translation_key == "forward"
    assert registered.config_subentry_id == forward["forward_id"]
    assert registered.entity_category is None
    devices = dr.async_get(hass)
    device = devices.async_get_device_by_identifier(
        (DOMAIN, forward["forward_id"]), entry.entry_id
    )
    router = devices.async_get_device_by_identifier(
        (DOMAIN, entry.entry_id), entry.entry_id
    )
    assert device is not None
    assert router is not None
    assert registered.device_id == device.id
    assert (device.name, device.model) == ("Game", "TCP 8123")
    assert device.via_device_id == router.id
    state = hass.states.get(SWITCH)
    assert state is not None
    assert state.attributes["friendly_name"] == "Game"


async def test_nothing_opens_by_set_up(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Promise 1: a forward that nobody switched on is off."""
    assert hass.states.is_state(SWITCH, "off")
    assert external_ports(router) == []


async def test_on_opens_and_off_closes(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The switch is what the user wants, and the router follows."""
    [forward_id] = closed.subentries
    await turn(hass, "on")
    assert hass.states.is_state(SWITCH, "on")
    assert state_of(hass, "sensor", forward_id, "status") == "open"
    assert external_ports(router) == [8123]
    await turn(hass, "off")
    assert hass.states.is_state(SWITCH, "off")
    assert state_of(hass, "sensor", forward_id, "status") == "closed"
    assert external_ports(router) == []


async def test_a_refusal_turns_it_back(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Refused: an error in words; the wish goes back to what it was."""
    router.set_personality(
        replace(PERSONALITIES["rfc"], map_result=ResultCode.NOT_AUTHORIZED)
    )
    with pytest.raises(HomeAssistantError) as caught:
        await turn(hass, "on")
    assert caught.value.translation_domain == DOMAIN
    assert caught.value.translation_key == "not_authorized"
    assert hass.states.is_state(SWITCH, "off")


async def test_a_forward_that_may_not_be_any_more_is_told(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> None:
    """The option for other devices was turned off since."""
    await set_up(
        hass,
        pcp_entry(ROUTER_HOST, forward_data("Game", 8123, target_host="192.168.1.9")),
    )
    for domain, action in (("switch", "turn_on"), (DOMAIN, "open_forward")):
        with pytest.raises(HomeAssistantError) as caught:
            await hass.services.async_call(
                domain, action, {"entity_id": SWITCH}, blocking=True
            )
        assert caught.value.translation_domain == DOMAIN
        assert caught.value.translation_key == "third_party_off"
    assert hass.states.is_state(SWITCH, "off")


async def test_a_damaged_forward_has_no_entities_and_harms_no_other(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> None:
    """What cannot be read can be removed, and opens nothing."""
    await set_up(
        hass,
        pcp_entry(ROUTER_HOST, forward_data("Bad", 99999), forward_data("Game", 8123)),
    )
    assert hass.states.is_state(SWITCH, "off")
    assert hass.states.async_entity_ids("switch") == [SWITCH]
    registry = er.async_get(hass)
    assert registry.async_get("switch.bad") is None


@pytest.mark.usefixtures("impatient")
async def test_silence_is_no_error(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Silent: the wish stays, the entities too, and it opens when it is answered."""
    [forward_id] = closed.subentries
    router.silence()
    await turn(hass, "on")
    assert hass.states.is_state(SWITCH, "on")
    router.unsilence()
    await until_state(hass, "sensor", forward_id, "status", "open")
    assert external_ports(router) == [8123]


@pytest.mark.usefixtures("impatient")
async def test_off_while_the_router_is_silent_is_closing(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Promise 3: the status says that the port may still be open, and until when."""
    [forward_id] = closed.subentries
    await turn(hass, "on")
    router.silence()
    await turn(hass, "off")
    assert hass.states.is_state(SWITCH, "off")
    assert state_of(hass, "sensor", forward_id, "status") == "closing"
    assert state_of(hass, "sensor", forward_id, "expires_at") != "unknown"
    router.unsilence()
    await until_state(hass, "sensor", forward_id, "status", "closed")
    assert external_ports(router) == []


@pytest.mark.parametrize("what", ["switch", "device"])
async def test_disabling_closes_and_enabling_leaves_it_off(
    hass: HomeAssistant,
    closed: MockConfigEntry,
    router: SimulatedRouter,
    what: str,
) -> None:
    """Promise 1: a switch that cannot be seen keeps no port open."""
    await turn(hass, "on")
    entities = er.async_get(hass)
    [forward_id] = closed.subentries
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, forward_id), closed.entry_id
    )
    assert device is not None

    def disable(by: str | None) -> None:
        if what == "switch":
            entities.async_update_entity(
                SWITCH, disabled_by=er.RegistryEntryDisabler(by) if by else None
            )
        else:
            dr.async_get(hass).async_update_device(
                device.id,
                disabled_by=dr.DeviceEntryDisabler(by) if by else None,
            )

    disable("user")
    await hass.async_block_till_done()
    assert hass.states.get(SWITCH) is None
    assert external_ports(router) == []

    disable(None)
    await hass.config_entries.async_reload(closed.entry_id)
    await hass.async_block_till_done()
    assert hass.states.is_state(SWITCH, "off")
    assert external_ports(router) == []


async def test_a_switch_disabled_while_home_assistant_was_away_closes(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Promise 1: the same, found at the next set-up."""
    await turn(hass, "on")
    await hass.config_entries.async_unload(closed.entry_id)
    assert external_ports(router) == [8123]
    er.async_get(hass).async_update_entity(
        SWITCH, disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.config_entries.async_setup(closed.entry_id)
    await hass.async_block_till_done()
    assert external_ports(router) == []


async def test_reloading_leaves_the_door_open(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Promise 3: leases are left alone and taken up again, with the same nonce."""
    await turn(hass, "on")
    [before] = router.mappings()
    await hass.config_entries.async_reload(closed.entry_id)
    await until_state(hass, "switch", next(iter(closed.subentries)), "forward", "on")
    [after] = router.mappings()
    assert after.nonce == before.nonce


async def test_a_removed_forward_takes_its_entities_with_it(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Removed in the UI: closed, and no other forward is disturbed."""
    await turn(hass, "on")
    await add_forward(hass, "Web", 8124)
    hass.config_entries.async_remove_subentry(closed, next(iter(closed.subentries)))
    await hass.async_block_till_done()
    assert hass.states.get(SWITCH) is None
    assert hass.states.is_state("switch.web", "on")
    assert (
        len(dr.async_entries_for_config_entry(dr.async_get(hass), closed.entry_id)) == 2
    )


# Voice assistants.


@pytest.mark.parametrize("assistant", KNOWN_ASSISTANTS)
async def test_a_new_switch_is_exposed_to_no_assistant(
    hass: HomeAssistant, entry: MockConfigEntry, assistant: str
) -> None:
    """Not by voice, not by accident."""
    await add_forward(hass)
    assert async_should_expose(hass, assistant, SWITCH) is False


async def test_an_assistant_that_is_quick_does_not_keep_a_new_switch(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """One that takes new entities decides as soon as they are registered."""

    @callback
    def take(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        if event.data["action"] == "create" and event.data["entity_id"] == SWITCH:
            assert async_should_expose(hass, "conversation", SWITCH) is True

    hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, take)
    await add_forward(hass)
    assert async_should_expose(hass, "conversation", SWITCH) is False


async def test_it_is_not_hidden_again_once_the_user_exposed_it(
    hass: HomeAssistant, closed: MockConfigEntry
) -> None:
    """Once, at creation: what the user decides stays."""
    async_expose_entity(hass, "conversation", SWITCH, True)
    await hass.config_entries.async_reload(closed.entry_id)
    await hass.async_block_till_done()
    assert async_get_entity_settings(hass, SWITCH)["conversation"] == {
        "should_expose": True
    }


async def test_a_switch_created_disabled_is_not_exposed_when_enabled(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """The user may have new entities disabled."""
    hass.config_entries.async_update_entry(entry, pref_disable_new_entities=True)
    await hass.async_block_till_done()
    game = ConfigSubentry(
        data=MappingProxyType({"internal_port": 8123}),
        subentry_type="forward",
        title="Game",
        unique_id=None,
    )
    hass.config_entries.async_add_subentry(entry, game)
    await hass.async_block_till_done()
    er.async_get(hass).async_update_entity(SWITCH, disabled_by=None)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.is_state(SWITCH, "off")
    assert async_should_expose(hass, "conversation", SWITCH) is False
