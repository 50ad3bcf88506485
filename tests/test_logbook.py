"""The logbook tells in plain words what becomes of forwards."""

from homeassistant.core import Event, HomeAssistant, split_entity_id
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.pcp.const import EVENT_FORWARD
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.logbook import _MESSAGES, async_describe_events

from .house import House

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")


@pytest.fixture
def told(hass: HomeAssistant) -> list[str]:
    """What the logbook would say, as it comes."""
    lines: list[str] = []

    def describe(_domain: str, _type: str, function: object) -> None:
        assert callable(function)

        def on_event(event: Event) -> None:
            entry = function(event)
            assert split_entity_id(entry["entity_id"])[0] == "switch"
            assert entry["icon"].startswith("mdi:")
            lines.append(f"{entry['name']} {entry['message']}")

        hass.bus.async_listen(EVENT_FORWARD, on_event)

    async_describe_events(hass, describe)
    return lines


async def test_a_day_of_a_forward(house: House, told: list[str]) -> None:
    """Added, moved, refused, open again, switched off."""
    await house.set_up()
    forward_id = await house.add("Minecraft", 25565)
    assert told == ["Minecraft opened at 203.0.113.5:25565"]
    house.router.change_external_address("203.0.113.9")
    await house.wait(60)
    assert told[1:] == ["Minecraft opened at 203.0.113.9:25565"]
    house.router.set_personality("refuses_all")
    house.router.reboot()
    await house.wait(60)
    assert told[2:] == ["Minecraft is refused by the router"]
    house.router.set_personality("rfc")
    house.router.reboot()
    await house.wait(60)
    assert told[3:] == ["Minecraft opened at 203.0.113.9:25565"]
    await house.turn_off(forward_id)
    assert told[4:] == ["Minecraft closed"]


async def test_a_start_is_no_news(house: House, told: list[str]) -> None:
    """What was open before is open still; what opens only now is told."""
    await house.set_up()
    await house.add("Kept", 8123)
    await house.add("Off", 8124)
    await house.turn_off(house.ids()[1])
    told.clear()
    await house.stop()
    await house.start()
    await house.wait(300)
    assert told == []
    await house.stop()
    house.router.reboot()
    await house.wait(4000)
    await house.start()
    await house.wait(300)
    assert told == ["Kept opened at 203.0.113.5:8123"]


async def test_silence(house: House, told: list[str]) -> None:
    """A lease that runs out while the router is silent is told."""
    await house.set_up()
    await house.add("Game", 8123)
    house.router.silence()
    await house.wait(4000)
    assert told[1:] == ["Game is not open: the router does not answer"]


async def test_an_address_that_is_not_told(
    hass: HomeAssistant, told: list[str]
) -> None:
    """A forward may be open, or in part, and nobody knows at which address."""
    switch = er.async_get(hass).async_get_or_create("switch", "pcp", "game")
    for status in ("open", "partly_open", "closed"):
        hass.bus.async_fire(
            EVENT_FORWARD,
            {
                "entity_id": switch.entity_id,
                "name": "Game",
                "status": status,
                "external_address": None,
            },
        )
    await hass.async_block_till_done()
    assert told == ["Game opened", "Game opened in part", "Game closed"]


def test_every_news_has_words() -> None:
    """What is told on the bus, the logbook can say."""
    assert set(ForwardStatus) - set(_MESSAGES) == {ForwardStatus.OPENING}


async def test_the_end_of_a_temporary_forward(house: House, told: list[str]) -> None:
    """It is removed when the router has closed it, so that is told."""
    await house.set_up()
    await house.add("Game", 8123, duration={"seconds": 10})
    await house.wait(11)
    assert house.ids() == []
    assert told[1:] == ["Game closed"]


@pytest.mark.parametrize("is_temporary", [False, True])
async def test_a_forward_that_is_removed_while_it_is_open(
    house: House, hass: HomeAssistant, is_temporary: bool
) -> None:
    """By its menu; or because its time is over, and the router is silent."""
    await house.set_up()
    duration = {"duration": {"seconds": 10}} if is_temporary else {}
    forward_id = await house.add("Game", 8123, **duration)
    events = async_capture_events(hass, EVENT_FORWARD)
    if is_temporary:
        house.router.silence()
        await house.wait(20)
    else:
        hass.config_entries.async_remove_subentry(house.entry, forward_id)
        await house.settle()
    assert house.ids() == []
    (event,) = events
    assert (event.data["status"], event.data["name"]) == ("closing", "Game")
    assert event.data["external_address"] is None


async def test_what_is_on_its_way_is_no_news(house: House, told: list[str]) -> None:
    """One port after the other comes up, and one that never was open is switched off."""
    await house.set_up()
    forward_id = await house.add("Game", 8123, protocol="tcp_udp")
    assert told == ["Game opened at 203.0.113.5:8123"]
    await house.turn_off(forward_id)
    house.router.set_personality("refuses_all")
    with pytest.raises(HomeAssistantError):
        await house.turn_on(forward_id)
    await house.settle()
    assert told[1:] == ["Game closed", "Game is refused by the router"]


async def test_other_programs_may_listen(house: House, hass: HomeAssistant) -> None:
    """The event names the forward and its switch."""
    events = async_capture_events(hass, EVENT_FORWARD)
    await house.set_up()
    forward_id = await house.add("Game", 8123)
    assert [event.data for event in events] == [
        {
            "forward_id": forward_id,
            "entity_id": "switch.game",
            "name": "Game",
            "status": "open",
            "external_address": "203.0.113.5:8123",
        }
    ]
