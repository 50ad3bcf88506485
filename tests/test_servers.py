"""Where a router is asked: both IP versions of it, or a server beyond it."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.discovery import ProbeOutcome, ProbeResult
from custom_components.pcp.client.probing import FOUR_ROUNDS
from custom_components.pcp.client.routes import Gateway, Neighbour
from custom_components.pcp.client.search import ANYCAST_ADDRESSES
from custom_components.pcp.servers import (
    Whereabouts,
    async_find_aliases,
    async_find_servers,
)

V4 = IPv4Address("192.0.2.1")
V6 = IPv6Address("2001:db8::1")
SIBLING = IPv6Address("fe80::1%eth0")
NEAREST = ANYCAST_ADDRESSES[0]


def named(*addresses: IPAddress) -> Any:
    """Let a name lead to these addresses."""
    return patch("custom_components.pcp.servers.async_resolve", return_value=addresses)


def sibling(address: IPAddress | None) -> Any:
    """Let this be the address of the other IP version."""
    return patch(
        "custom_components.pcp.servers.other_family_server", return_value=address
    )


def answering(*addresses: IPAddress, asked: list[Any] | None = None) -> Any:
    """Let these servers answer to a probe, and no others."""

    async def probe(
        server: IPAddress, *, wait: float = 4.0, nonce: bytes | None = None
    ) -> ProbeResult:
        if asked is not None:
            asked.append((server, wait, nonce))
        outcome = ProbeOutcome.PCP if server in addresses else ProbeOutcome.SILENT
        return ProbeResult(outcome=outcome, server=server)

    return patch("custom_components.pcp.servers.probe", probe)


async def test_an_address_tells_its_own_version() -> None:
    """The other one is not even looked for when nothing needs it."""
    with sibling(SIBLING):
        assert await async_find_servers([V4], {4}, known={}) == {4: V4}
        assert await async_find_servers([V4], set(), known={}) == {4: V4}


@pytest.mark.parametrize(
    ("found", "needed", "expected"),
    [
        (SIBLING, {4, 6}, {4: V4, 6: SIBLING}),
        (None, {4, 6}, {4: V4, 6: V6}),
        (SIBLING, {4}, {4: V4, 6: V6}),
    ],
)
async def test_the_other_version_is_the_same_device(
    found: IPAddress | None, needed: Collection[int], expected: dict[int, IPAddress]
) -> None:
    """The default router with the same MAC address, else the other address of a name."""
    with sibling(found):
        assert await async_find_servers([V4, V6], needed, known={}) == expected


async def test_a_name_that_leads_nowhere_leads_nowhere() -> None:
    """It is no exception to whoever asks."""
    where = Whereabouts("router", anycast=False)
    with patch("custom_components.pcp.servers.async_resolve", side_effect=ValueError):
        assert await where.async_find({4}, silent=False) == {}


def test_an_address_that_was_found_is_not_looked_for_again() -> None:
    """However silent it is: it cannot be another one."""
    where = Whereabouts("192.0.2.1", anycast=False)
    assert where.must_look((), reachable=True)
    where._is_found = True
    assert not where.must_look((), reachable=True)
    assert not where.must_look((), reachable=False)


def test_a_name_is_looked_up_when_the_router_is_silent() -> None:
    """It may be elsewhere now."""
    where = Whereabouts("router", anycast=False)
    where._is_found = True
    assert not where.must_look((), reachable=True)
    assert where.must_look((), reachable=False)


def test_a_missing_version_is_looked_for_seldom() -> None:
    """Every ten minutes: others than our router have to be asked for it."""
    where = Whereabouts("192.0.2.1", anycast=False)
    where._is_found = True
    assert [where.must_look({6}, reachable=True) for _ in range(12)] == [
        number % 10 == 0 for number in range(12)
    ]


async def test_a_silent_router_is_passed_over_if_that_is_wanted() -> None:
    """RFC 7723: the nearest server, for as long as it answers."""
    where = Whereabouts("192.0.2.1", anycast=True)
    with named(V4), answering(NEAREST):
        assert await where.async_find({4}, silent=False) == {4: V4}
        assert not where.must_look((), reachable=True)
        assert where.must_look((), reachable=False)
        assert await where.async_find({4}, silent=True) == {4: NEAREST}
        assert where.is_beyond
        assert not where.must_look((), reachable=True)
        assert await where.async_find({4}, silent=False) == {}
        # Silent in its turn: the router is looked at again.
        assert where.must_look((), reachable=False)
        assert await where.async_find({4}, silent=True) == {4: V4}
        assert not where.is_beyond


async def test_nobody_is_passed_over_where_nobody_is_beyond() -> None:
    """The router is waited for."""
    where = Whereabouts("192.0.2.1", anycast=True)
    with named(V4), answering():
        assert await where.async_find({4}, silent=True) == {4: V4}
        assert not where.is_beyond


async def test_nobody_is_passed_over_unless_that_is_wanted() -> None:
    """The provider is not asked behind anybody's back."""
    where = Whereabouts("192.0.2.1", anycast=False)
    with named(V4), answering(NEAREST):
        assert await where.async_find({4}, silent=True) == {4: V4}


async def test_the_way_back_when_it_is_not_wanted_any_more() -> None:
    """The option was turned off."""
    where = Whereabouts("192.0.2.1", anycast=True)
    with named(V4), answering(NEAREST):
        await where.async_find({4}, silent=True)
        where.anycast = False
        assert where.must_look((), reachable=True)
        assert await where.async_find({4}, silent=False) == {4: V4}


def test_moving_begins_with_the_router_itself() -> None:
    """Whoever names a router means it."""
    where = Whereabouts("192.0.2.1", anycast=True)
    where.is_beyond = True
    where.move_to("192.0.2.7")
    assert (where.host, where.is_beyond) == ("192.0.2.7", False)


async def test_a_server_announces_itself_from_its_link_local_address() -> None:
    """14.1.3: the one of the same device on the same link, and of no other."""
    mac = "02:00:00:00:00:01"
    link_local, other = IPv6Address("fe80::1"), IPv6Address("fe80::2")
    known = [
        Neighbour(address=V6, interface_index=1, mac=mac),
        Neighbour(address=link_local, interface_index=1, mac=mac),
        Neighbour(address=V4, interface_index=1, mac=mac),
        Neighbour(address=other, interface_index=1, mac="02:00:00:00:00:02"),
        Neighbour(address=other, interface_index=2, mac=mac),
    ]
    with patch("custom_components.pcp.servers.neighbours", return_value=known):
        assert await async_find_aliases(V6) == {IPv6Address("fe80::1%lo")}
        assert await async_find_aliases(V4) == set()
        assert await async_find_aliases(SIBLING) == set()


# Several addresses of one server. RFC 7488.


FIRST, SECOND, THIRD = (IPv4Address(f"192.0.2.{number}") for number in (1, 2, 3))


async def test_the_first_address_is_asked_first() -> None:
    """RFC 7488 3: in the resolver's order."""
    where = Whereabouts("router", anycast=False)
    with named(SECOND, FIRST):
        assert await where.async_find({4}, silent=False) == {4: SECOND}


async def test_the_address_that_answers_stays() -> None:
    """RFC 7488 3: however the resolver turns them."""
    where = Whereabouts("router", anycast=False)
    known = {4: FIRST}
    with named(SECOND, FIRST), answering(SECOND):
        assert await where.async_find({4}, silent=False, known=known) == known


async def test_the_next_address_of_a_silent_server() -> None:
    """RFC 7488 3: each in turn with four transmissions, until one answers."""
    where = Whereabouts("router", anycast=False)
    asked: list[Any] = []
    with named(FIRST, SECOND, THIRD, V6), answering(THIRD, V6, asked=asked):
        found = await where.async_find({4}, silent=True, known={4: FIRST})
    assert found == {4: THIRD, 6: V6}
    assert [server for server, *_ in asked] == [SECOND, THIRD]
    assert {wait for _, wait, _ in asked} == {FOUR_ROUNDS}


async def test_all_addresses_are_asked_with_one_nonce() -> None:
    """RFC 7488 3: another server has another one."""
    where = Whereabouts("router", anycast=False)
    asked: list[Any] = []
    with named(FIRST, SECOND, THIRD), answering(asked=asked):
        await where.async_find({4}, silent=True, known={4: FIRST})
        one = {nonce for *_, nonce in asked}
        assert len(one) == 1
        asked.clear()
        where.move_to("another")
        await where.async_find({4}, silent=True, known={4: FIRST})
        assert len(one | {nonce for *_, nonce in asked}) == 2


async def test_all_addresses_were_silent() -> None:
    """RFC 7488 3: they are tried again after a quarter of an hour."""
    where = Whereabouts("router", anycast=False)
    asked: list[Any] = []
    with named(FIRST, SECOND), answering(asked=asked):
        times = []
        for minute in range(40):
            assert where.must_look((), reachable=False)
            await where.async_find({4}, silent=True, known={4: FIRST})
            if asked:
                times.append(minute)
            asked.clear()
    assert times == [0, 15, 30]


async def test_other_addresses_are_tried_at_once() -> None:
    """When the name leads elsewhere there is something new to try."""
    where = Whereabouts("router", anycast=False)
    with named(FIRST, SECOND), answering():
        await where.async_find({4}, silent=True, known={4: FIRST})
    with named(FIRST, THIRD), answering(THIRD):
        found = await where.async_find({4}, silent=True, known={4: FIRST})
    assert found == {4: THIRD}


async def test_what_one_server_is() -> None:
    """The addresses of one name are; what another name had is another server."""
    where = Whereabouts("router", anycast=False)
    with named(FIRST, SECOND):
        await where.async_find({4}, silent=False)
    assert where.is_one(FIRST, SECOND)
    assert not where.is_one(FIRST, THIRD)
    where.move_to("192.0.2.3")
    assert not where.is_one(FIRST, SECOND)


async def test_an_unknown_router_on_the_link_is_asked_who_it_is() -> None:
    """14.1.3: the kernel learns MAC addresses of those it talks to."""
    mac = "02:00:00:00:00:01"
    router = IPv6Address("fe80::1%lo")
    known = [Neighbour(address=V6, interface_index=1, mac=mac)]
    gateways = [
        Gateway(address=router, interface="lo", interface_index=1, metric=0),
        Gateway(address=V4, interface="lo", interface_index=1, metric=0),
        Gateway(address=SIBLING, interface="eth0", interface_index=2, metric=0),
    ]
    asked = []

    async def probe(server: IPAddress, *, wait: float) -> None:
        asked.append(server)
        known.append(
            Neighbour(address=IPv6Address("fe80::1"), interface_index=1, mac=mac)
        )

    with (
        patch("custom_components.pcp.servers.neighbours", lambda: known),
        patch("custom_components.pcp.servers.default_gateways", lambda: gateways),
        patch("custom_components.pcp.servers.probe", probe),
    ):
        assert await async_find_aliases(V6) == {router}
        assert asked == [router]
        assert await async_find_aliases(V6) == {router}
        assert asked == [router]
