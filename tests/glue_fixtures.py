"""Fixtures: a Home Assistant beside a simulated router on loopback.

A test module that wants them says `pytest_plugins = ["tests.glue_fixtures"]`.
"""

from collections.abc import AsyncIterator, Iterator
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.pcp.const import DOMAIN
from tests.simulated_router import SimulatedRouter

from .glue import (
    EXTERNAL_ADDRESS,
    NETWORK,
    OTHER_HOST,
    ROUTER_HOST,
    UPTIME,
    pcp_entry,
    set_up,
)


@pytest.fixture
def loopback(socket_enabled: None) -> None:
    """Allow real sockets, on loopback addresses only."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1"])


@pytest.fixture
def quiet(loopback: None) -> Iterator[None]:
    """Join no multicast group, and find no server on the machine's own network."""
    with (
        patch("custom_components.pcp.client.announcements.AnnouncementListener.start"),
        patch("custom_components.pcp.client.watch.NetworkWatch.start"),
        patch("custom_components.pcp.config_flow.find_servers", return_value=[]),
        patch("custom_components.pcp.router.neighbour_mac", return_value=None),
    ):
        yield


@pytest.fixture
async def router(quiet: None) -> AsyncIterator[SimulatedRouter]:
    """A router that does all that RFC 6887 says, and is up for a day."""
    router = SimulatedRouter(
        ROUTER_HOST,
        EXTERNAL_ADDRESS,
        relay=False,
        other_address=f"{NETWORK}.3",
        epoch_time=UPTIME,
    )
    await router.start()
    yield router
    await router.stop()


@pytest.fixture
async def other_router(quiet: None) -> AsyncIterator[SimulatedRouter]:
    """Another such router."""
    router = SimulatedRouter(
        OTHER_HOST, "203.0.113.6", relay=False, other_address=f"{NETWORK}.4"
    )
    await router.start()
    yield router
    await router.stop()


@pytest.fixture
async def unload(hass: HomeAssistant) -> AsyncIterator[None]:
    """Unload all routers at the end, before the simulated ones stop."""
    yield
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.fixture
async def entry(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> MockConfigEntry:
    """A loaded entry for the router, without forwards."""
    return await set_up(hass, pcp_entry())


@pytest.fixture
def impatient() -> Iterator[None]:
    """Nobody waits for a silent router longer than it takes to see that it is."""
    acts = "custom_components.pcp.acts"
    with (
        patch(f"{acts}.ADD_WAIT", 0.1),
        patch(f"{acts}.OPEN_WAIT", 0.1),
        patch(f"{acts}.CLOSE_WAIT", 0.1),
    ):
        yield
