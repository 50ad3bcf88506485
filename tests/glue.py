"""What the tests of the glue do with Home Assistant and a simulated router."""

import asyncio
from collections.abc import Callable, Mapping
import os
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState, ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.pcp.const import DOMAIN, SUBENTRY_FORWARD
from tests.simulated_router import SimulatedRouter

# Every run has routers of its own, so that two runs on one machine do not meet.
NETWORK = f"127.{80 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
ROUTER_HOST = f"{NETWORK}.1"
OTHER_HOST = f"{NETWORK}.2"
NOBODY = f"{NETWORK}.9"
EXTERNAL_ADDRESS = "203.0.113.5"
# Seconds.
UPTIME = 86400
MAC = "02:00:5e:00:53:01"
OTHER_MAC = "02:00:5e:00:53:02"


def pcp_entry(
    host: str = ROUTER_HOST,
    *forwards: ConfigSubentryData,
    title: str = "Router",
    **changes: Any,
) -> MockConfigEntry:
    """Return an entry for a router, with the forwards that it has already."""
    data = {"host": host} | changes.pop("data", {})
    return MockConfigEntry(
        domain=DOMAIN, title=title, data=data, subentries_data=forwards, **changes
    )


def forward_data(name: str, internal_port: int, **data: Any) -> ConfigSubentryData:
    """Return what is stored of a forward."""
    return ConfigSubentryData(
        data={"internal_port": internal_port, **data},
        subentry_type=SUBENTRY_FORWARD,
        title=name,
        unique_id=None,
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Add an entry and load it."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    # The router is asked beside the set-up.
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    return entry


async def add_forward(
    hass: HomeAssistant, name: str = "Game", internal_port: int = 8123, **data: Any
) -> dict[str, Any]:
    """Add a forward by the action; return its answer."""
    response = await hass.services.async_call(
        DOMAIN,
        "add_forward",
        {"name": name, "internal_port": internal_port, **data},
        blocking=True,
        return_response=True,
    )
    assert response is not None
    await hass.async_block_till_done()
    return dict(response)


def entity_id(hass: HomeAssistant, platform: str, owner: str, key: str) -> str:
    """Return the entity id of an entity of a router (entry id) or forward."""
    found = er.async_get(hass).async_get_entity_id(platform, DOMAIN, f"{owner}_{key}")
    assert found is not None, f"{platform} {key}"
    return found


def state_of(hass: HomeAssistant, platform: str, owner: str, key: str) -> str:
    """Return the state of an entity of a router (entry id) or forward."""
    state = hass.states.get(entity_id(hass, platform, owner, key))
    assert state is not None, f"{platform} {key}"
    return state.state


async def until(condition: Callable[[], bool]) -> None:
    """Wait until what the routers and Home Assistant say to each other is said."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - two ends of a socket are watched
            await asyncio.sleep(0.01)


async def until_state(
    hass: HomeAssistant, platform: str, owner: str, key: str, state: str
) -> None:
    """Wait until an entity of a router (entry id) or forward has a state."""
    watched = entity_id(hass, platform, owner, key)
    await until(lambda: hass.states.is_state(watched, state))


def schema_of(form: Any) -> vol.Schema:
    """Return the schema of a form that a flow shows."""
    schema = form["data_schema"]
    assert isinstance(schema, vol.Schema)
    return schema


def external_ports(router: SimulatedRouter) -> list[int]:
    """Return what is open on a router."""
    return sorted(mapping.external_port for mapping in router.mappings())


def with_mac(macs: Mapping[str, str]) -> Any:
    """Let the kernel know neighbours: MAC addresses by host."""
    return patch(
        "custom_components.pcp.router.neighbour_mac",
        side_effect=lambda address: macs.get(str(address)),
    )
