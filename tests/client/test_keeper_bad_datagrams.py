"""Every way in which a datagram can be bad, one by one: counted, and nothing changes."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from custom_components.pcp.client.codec import (
    Description,
    Filter,
    MapRequest,
    MapResponse,
    NatPmpMapRequest,
    Option,
    UnknownOption,
    encode,
)
from custom_components.pcp.client.events import LeaseRefused, ServerRestarted
from custom_components.pcp.client.mapping import LeaseState, RefusalReason

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import CLIENT6, EXTERNAL, LIFETIME, wish_of

LONGEST = 1100


def settled() -> World:
    """Return a world with a lease on a PCP server, a minute old, all answered."""
    world = started(wish_of())
    world.run_for(60.0)
    world.new()
    world.events.clear()
    return world


def renewal(world: World, **changes: Any) -> MapResponse:
    """Return the answer that would renew the lease, or as changed."""
    request = next(
        sent.message for sent in world.sent if isinstance(sent.message, MapRequest)
    )
    request = replace(
        request,
        nonce=wish_of().nonce,
        lifetime=LIFETIME,
        protocol=6,
        internal_port=8123,
        suggested_external_port=8123,
    )
    return world.success(request, **changes)


def octets(**changes: Any) -> bytes:
    """Return the octets of that answer."""
    return encode(renewal(settled(), **changes))


def cut(length: int) -> bytes:
    """Return that answer cut off, or drawn out with zeros."""
    return octets()[:length].ljust(length, b"\0")


def patched(offset: int, octet: int) -> bytes:
    """Return that answer with one octet replaced."""
    data = bytearray(octets())
    data[offset] = octet
    return bytes(data)


def with_tail(tail: str) -> bytes:
    """Return that answer with octets behind it."""
    return octets() + bytes.fromhex(tail)


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "length"),
    **{f"{n} octets": (cut(n), "length") for n in (1, 3, 4, 8, 20, 23)},
    **{f"truncated to {n}": (cut(n), "length") for n in (24, 36, 40, 56, 59)},
    **{f"not a multiple of 4, {n}": (cut(n), "length") for n in (61, 62, 63, 1099)},
    "too long": (cut(LONGEST + 4), "length"),
    "very much too long": (cut(9000), "length"),
    "option header cut": (with_tail("03000014"), "option"),
    "option past the end": (with_tail("c8000008" + "00" * 4), "option"),
    "option of 65535 octets": (with_tail("8000ffff" + "00" * 16), "option"),
    "second option past the end": (with_tail("c8000000" + "03000014"), "option"),
    "wrong family": (octets(assigned_external_address=CLIENT6), "address"),
    "no family": (octets(assigned_external_address=CLIENT6.__class__(5)), "address"),
    "wrong nonce": (octets(nonce=bytes(12)), "nonce"),
    "one bit of the nonce": (patched(24, octets()[24] ^ 1), "nonce"),
    "wrong protocol": (octets(protocol=17), "mapping"),
    "all protocols": (octets(protocol=0), "mapping"),
    "wrong internal port": (octets(internal_port=8124), "mapping"),
    "R bit clear": (patched(1, 0x01), "response_bit"),
    "another opcode": (patched(1, 0x83), "opcode"),
    "the last opcode": (patched(1, 0xFF), "opcode"),
    "version 0": (patched(0, 0), "length"),
    **{f"version {n}": (patched(0, n), "version") for n in (1, 3, 255)},
    "miniupnpd's version 0, malformed": (
        bytes.fromhex("0080000300000000").ljust(24, b"\0"),
        "length",
    ),
    "announcement that nobody asked for": (
        bytes.fromhex("0280000000000000") + settled().epoch().to_bytes(4) + bytes(12),
        "unasked",
    ),
    "version answer, R bit clear": (
        bytes.fromhex("0200000100000000"),
        "response_bit",
    ),
    "NAT-PMP version answer that nobody asked for": (
        bytes.fromhex("0000000100000000"),
        "unasked",
    ),
    "NAT-PMP mapping": (
        bytes.fromhex("0082000000001388" + "1fbb270f" + "00000e10"),
        "version",
    ),
    "NAT-PMP address": (bytes.fromhex("0080000000001388cb007163"), "unasked"),
    "NAT-PMP opcode": (bytes.fromhex("0085000000001388"), "opcode"),
    "NAT-PMP request": (bytes.fromhex("000200001fbb1fbb00000e10"), "response_bit"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_datagram(name: str) -> None:
    """8.3, 11.4: dropped, counted by reason; no state, no news, no request of it."""
    data, reason = BAD[name]
    world = settled()
    lease, view = world.lease(), world.keeper.server_view()
    wakeup = world.keeper.next_wakeup()
    world.receive(data)
    assert world.drops == {reason: 1}
    assert replace(world.keeper.server_view(), drops={}) == view
    assert world.events == []
    assert world.lease() == lease
    assert world.keeper.next_wakeup() == wakeup
    assert world.new() == []


@pytest.mark.parametrize("changes", [{"lifetime": 0}, {"assigned_external_port": 0}])
def test_answer_to_a_delete_of_long_ago(changes: dict[str, int]) -> None:
    """11.4, 15: a success that grants nothing is not believed: it is asked about."""
    world = settled()
    world.receive(renewal(world, **changes))
    assert world.drops == {"stale": 1}
    assert world.state() is LeaseState.GRANTED
    assert world.events == []
    assert len(world.new_maps()) == 1


def test_bad_datagrams_pile_up() -> None:
    """8.3: each is counted, whatever came before it."""
    world = settled()
    for data, _ in BAD.values():
        world.receive(data)
    assert sum(world.drops.values()) == len(BAD)
    assert world.state() is LeaseState.GRANTED


@pytest.mark.parametrize("name", BAD)
def test_bad_announcement(name: str) -> None:
    """14.1.3: none of them is taken for an announcement but two that are none to us."""
    data, _ = BAD[name]
    world = settled()
    lease = world.lease()
    world.announce(data)
    if name in {"announcement that nobody asked for", "NAT-PMP address"}:
        assert world.drops == {}
        return
    assert sum(world.drops.values()) == 1
    world.run_for(30.0)
    assert world.new() == []
    assert world.lease() == lease


def test_wrong_source() -> None:
    """8.3: another address or another port is not the server."""
    world = settled()
    world.announce(source=IPv4Address("192.168.1.2"))
    world.announce(source_port=5352)
    world.run_for(30.0)
    assert world.new() == []
    assert world.drops == {"source": 2}


ODD_OPTIONS: dict[str, tuple[Option, ...]] = {
    "unknown and optional": (UnknownOption(code=200, data=b"what"),),
    "unknown and mandatory": (UnknownOption(code=100, data=b""),),
    "repeated": (Description(text="one "), Description(text="two ")),
    "repeated unknown": (UnknownOption(code=200, data=b""),) * 20,
    "malformed": (UnknownOption(code=1, data=b"\1\2\3\4"),),
    "nobody asked for": (
        Filter.from_network(IPv4Network("198.51.100.0/24")),
        Description(text="Game"),
    ),
}


@pytest.mark.parametrize("name", ODD_OPTIONS)
def test_odd_options_are_ignored(name: str) -> None:
    """7.3: options that a client does not know do not spoil the answer."""
    world = settled()
    world.receive(encode(renewal(world, lifetime=999, options=ODD_OPTIONS[name])))
    assert world.drops == {}
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.lifetime == 999


def test_reserved_octets_are_ignored() -> None:
    """7.2: what is reserved may be anything."""
    world = settled()
    data = bytearray(encode(renewal(world, lifetime=999, reserved=b"\xff" * 12)))
    data[2] = data[37] = data[38] = data[39] = 0xFF
    world.receive(bytes(data))
    assert world.drops == {}
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.lifetime == 999


@pytest.mark.parametrize("lifetime", [86_401, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_absurd_lifetimes(lifetime: int) -> None:
    """15: longer than a day is a day, granted or refused."""
    world = settled()
    world.receive(renewal(world, lifetime=lifetime))
    view = world.lease()
    assert view is not None
    assert view.grant is not None
    assert view.grant.expires_at == world.now + 86_400
    world.want(wish_of(2))
    request = world.new_maps()[-1]
    world.receive(world.error(request, 2, lifetime=lifetime))
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.retry_at == world.now + 86_400


@pytest.mark.parametrize("lifetime", [1, 2, 3])
def test_lifetimes_of_no_time(lifetime: int) -> None:
    """11.2.1, 15: seconds of life are no reason to ask more often than every 4 s."""
    world = settled()
    world.receive(renewal(world, lifetime=lifetime))
    begin = world.now
    for _ in range(60):
        world.run_for(1.0)
        for sent in world.new():
            if isinstance(sent.message, MapRequest) and sent.is_map:
                world.receive(world.success(sent.message, lifetime=lifetime))
            else:
                world.receive(world.answer_to(sent.message))
    assert len([at for at in world.times_of_maps() if at > begin]) <= 60 / 4 + 1


@pytest.mark.parametrize("epoch_time", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_absurd_epochs(epoch_time: int) -> None:
    """8.5: an epoch that cannot be is a new one; everything is asked for again, once."""
    world = settled()
    world.receive(renewal(world, epoch_time=epoch_time))
    assert len(world.new_events(ServerRestarted)) == 1
    assert world.keeper.server_view().epoch_time == epoch_time
    assert len(world.new_maps()) <= 1
    world.run_for(30.0)
    assert len(world.new_events(ServerRestarted)) == 0


@pytest.mark.parametrize("code", [27, 66, 128, 191, 254, 255])
def test_unknown_result_codes(code: int) -> None:
    """7.4: a code that nobody knows is a long error."""
    world = settled()
    world.want(wish_of(2))
    request = world.new_maps()[-1]
    world.receive(world.error(request, code))
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.reason is RefusalReason.ROUTER_REFUSED
    assert refused.refusal.retry_at == world.now + 1800.0


NAT_PMP_BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "length"),
    "1 octet": (b"\0", "length"),
    "3 octets": (b"\0\x82\0", "length"),
    "address cut off": (bytes.fromhex("0080000000001388cb0071"), "length"),
    "mapping cut off": (bytes.fromhex("0082000000001388" + "1fbb1fbb0000"), "length"),
    "mapping too long": (
        bytes.fromhex("0082000000001388" + "1fbb1fbb00000e10" + "00"),
        "length",
    ),
    "mapping of nobody": (
        bytes.fromhex("0082000000001388" + "00091fbb00000e10"),
        "mapping",
    ),
    "mapping that is not asked for": (
        bytes.fromhex("0082000000001388" + "1fbb270f00000e10"),
        "mapping",
    ),
    "address that is not asked for": (
        bytes.fromhex("0080000000001388cb007163"),
        "unasked",
    ),
    "request": (bytes.fromhex("000200001fbb1fbb00000e10"), "response_bit"),
    "opcode": (bytes.fromhex("0083000000001388"), "opcode"),
    "version 1": (bytes.fromhex("0182000000001388" + "1fbb270f00000e10"), "length"),
    "PCP": (octets(nonce=bytes(12)), "nonce"),
}


@pytest.mark.parametrize("name", NAT_PMP_BAD)
def test_bad_nat_pmp_datagram(name: str) -> None:
    """RFC 6886 3: likewise where NAT-PMP is spoken, which has no nonces."""
    data, reason = NAT_PMP_BAD[name]
    world = started_nat_pmp()
    world.want(wish_of(2))
    (request,) = world.new_maps()
    assert isinstance(request, NatPmpMapRequest)
    world.receive(world.nat_pmp_success(request))
    world.events.clear()
    leases, view = world.keeper.leases(), world.keeper.server_view()
    world.receive(data)
    assert world.drops == {reason: 1}
    assert world.keeper.leases() == leases
    assert replace(world.keeper.server_view(), drops={}) == view
    assert world.events == []
    assert world.keeper.server_view().external_address == EXTERNAL
