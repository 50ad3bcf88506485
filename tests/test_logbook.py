"""The logbook tells in plain words what becomes of forwards."""

from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.pcp.const import EVENT_FORWARD
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.journal import _NEWS
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
            assert er.async_get(hass).async_get(entry["entity_id"])
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
    assert set(_MESSAGES) == _NEWS
    assert ForwardStatus.CLOSING not in _NEWS


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
