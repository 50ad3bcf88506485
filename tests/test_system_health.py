"""The system's health page counts routers and doors."""

from typing import Any

from homeassistant.components.system_health import get_info
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.simulated_router import SimulatedRouter

from .glue import add_forward
from .test_integration_files import TRANSLATIONS

pytest_plugins = ["tests.glue_fixtures"]


async def test_system_health(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """How many routers answer, what is wanted, and what is open."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    await add_forward(hass, "Game", 8123)
    info: dict[str, Any] = (await get_info(hass))["pcp"]
    assert info == {
        "routers": 1,
        "reachable_routers": 1,
        "forwards": 1,
        "wanted_forwards": 1,
        "open_forwards": 1,
    }
    assert info.keys() == TRANSLATIONS["system_health"]["info"].keys()
