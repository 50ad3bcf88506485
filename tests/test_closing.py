"""Closing in the background, of routers that nobody has any more."""

from collections.abc import Coroutine
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
import pytest

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.mapping import (
    Grant,
    MappingKey,
    MappingWish,
    Protocol,
)
from custom_components.pcp.client.timing import LINGER
from custom_components.pcp.clock import Clock
from custom_components.pcp.closing import (
    async_close_from_storage,
    async_close_leases,
    async_take_over,
)
from custom_components.pcp.snapshot import StoredLease
from tests.simulated_router import SimulatedRouter

from .house import House

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")


def stored(house: House, internal_port: int, *, left: float = 3600) -> StoredLease:
    """Return what is stored of a lease that is granted for so many seconds more."""
    expires_at = house.now() + left
    return StoredLease(
        wish=MappingWish(
            key=MappingKey(
                internal_address=IPv4Address("127.0.0.1"),
                protocol=Protocol.TCP,
                internal_port=internal_port,
            ),
            nonce=internal_port.to_bytes(12),
            lifetime=3600,
            suggested_external_port=internal_port,
        ),
        grant=Grant(
            assigned_external_address=None,
            assigned_external_port=internal_port,
            lifetime=3600,
            expires_at=expires_at,
        ),
        open_until=expires_at,
    )


async def test_it_takes_as_long_as_the_router_does(house: House) -> None:
    """Every deletion with its nonce, and no longer than that."""
    clock = Clock(house.hass.loop)
    servers = [IPv4Address(house.router.address)]
    begin = house.now()
    leases = [stored(house, 81), stored(house, 82)]
    await house.finish(async_close_leases(house.hass, servers, leases, clock=clock))
    assert house.now() == begin
    assert [(it.nonce, it.lifetime) for it in house.maps()] == [
        ((81).to_bytes(12), 0),
        ((82).to_bytes(12), 0),
    ]
    assert async_take_over(house.hass, servers[0]) == []


async def test_what_is_left_can_be_taken_over(house: House) -> None:
    """As far as it is not answered for."""
    clock = Clock(house.hass.loop)
    server = IPv4Address(house.router.address)
    house.router.silence()
    short, long = stored(house, 81, left=20), stored(house, 82)
    await house.finish(
        async_close_leases(house.hass, [server], [short, long], clock=clock)
    )
    await house.wait(30)
    assert async_take_over(house.hass, IPv4Address("192.0.2.1")) == []
    assert async_take_over(house.hass, server) == [long]
    assert async_take_over(house.hass, server) == []
    count = house.count()
    await house.wait(600)
    assert house.count() == count


async def test_what_was_not_even_begun_can_be_taken_over(house: House) -> None:
    """A great many are begun a few at a time."""
    clock = Clock(house.hass.loop)
    server = IPv4Address(house.router.address)
    leases = [stored(house, port) for port in range(2000, 2200)]
    await async_close_leases(house.hass, [server], leases, clock=clock, wait=0)
    assert async_take_over(house.hass, server) == leases
    count = house.count()
    await house.wait(600)
    assert house.count() == count


async def test_each_server_is_asked_for_its_own(house: House) -> None:
    """A server of a version without leases is asked for nothing."""
    clock = Clock(house.hass.loop)
    servers: list[IPAddress] = [
        IPv6Address("::1"),
        IPv4Address(house.router.address),
    ]
    await house.finish(
        async_close_leases(house.hass, servers, [stored(house, 81)], clock=clock)
    )
    assert [request.internal_port for request in house.maps()] == [81]
    await house.finish(async_close_leases(house.hass, servers, [], clock=clock))
    await house.finish(
        async_close_leases(house.hass, [], [stored(house, 81)], clock=clock)
    )


async def test_without_a_memory_there_is_nothing_to_do(house: House) -> None:
    """Nor is anything written."""
    await async_close_from_storage(house.hass, "gone")
    assert "pcp.gone" not in house.storage
    house.storage["pcp.gone"] = {"version": 1, "data": {"leases": "garbage"}}
    await async_close_from_storage(house.hass, "gone")
    assert house.storage["pcp.gone"]["data"] == {"leases": "garbage"}


async def test_it_ends_when_home_assistant_does(house: House) -> None:
    """After that the leases end by themselves."""
    clock = Clock(house.hass.loop)
    server = IPv4Address(house.router.address)
    house.router.silence()
    await house.finish(
        async_close_leases(house.hass, [server], [stored(house, 81)], clock=clock)
    )
    await house.finish(house.hass.async_stop(force=True))
    count = house.count()
    await house.wait(600)
    assert house.count() == count


@pytest.mark.parametrize("act", ["remove", "disable", "move"])
async def test_a_renewal_under_way_does_not_open_it_again(
    house: House, other_router: SimulatedRouter, act: str
) -> None:
    """Where the deletion has overtaken it, it is deleted once more. RFC 6887 15.1."""
    await house.set_up()
    await house.add()
    count = house.count()
    # A renewal of RFC 6887 11.2.1 is one packet: the router has not answered it.
    house.router.silence()
    await house.until(lambda: len(house.maps(count)) == 1, within=3600)
    renewal = house.router.requests[-1]
    house.router.unsilence()
    entries = house.hass.config_entries
    closing: Coroutine[Any, Any, object]
    match act:
        case "remove":
            closing = entries.async_remove(house.entry.entry_id)
        case "disable":
            closing = entries.async_set_disabled_by(
                house.entry.entry_id, ConfigEntryDisabler.USER
            )
        case _:
            closing = house.coordinator.async_move_to(other_router.address)
    await house.finish(closing)
    assert house.open_ports() == []
    house.router.core.receive(renewal.data, renewal.source, now=house.now())
    assert house.open_ports() == [8123]
    await house.wait(LINGER)
    assert house.open_ports() == []
