"""NAT64 prefixes: asked for with the cheap question, told by the server, forgotten."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    MapRequest,
    Prefix64,
    ResultCode,
)
from custom_components.pcp.client.nat64 import Nat64Prefix
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started
from .scripted_server import (
    CLIENT6,
    EXTERNAL,
    OTHER_EXTERNAL,
    SERVER6,
    START,
    key_of,
    wish_of,
)

QUESTION = Prefix64(prefix=bytes(12), ipv4_prefixes=())
OPTION = Prefix64(prefix=bytes.fromhex("0064ff9b0000000000000000"))
OTHER_OPTION = Prefix64(prefix=bytes.fromhex("20010db80064"), suffix=bytes(6))
PREFIX = Nat64Prefix(network=IPv6Network("64:ff9b::/96"), suffix=b"", ipv4_networks=())
OTHER_PREFIX = Nat64Prefix(
    network=IPv6Network("2001:db8:64::/48"), suffix=bytes(6), ipv4_networks=()
)
DOOR = key_of(address=CLIENT6)


def over_ipv6(**changes: Any) -> World:
    """Return a world with a scripted server over IPv6, and a lease on it."""
    wish = wish_of(key=DOOR, lifetime=86_400)
    return started(wish, server=SERVER6, client=CLIENT6, **changes)


def prefixes(world: World) -> tuple[Nat64Prefix, ...]:
    """Return what is known."""
    return world.keeper.server_view().nat64_prefixes


def next_check(world: World) -> AnnounceRequest | MapRequest:
    """Let time pass up to the next cheap question; return it."""
    world.new()
    world.run_for(240.0)
    (check,) = (sent.message for sent in world.new() if sent.is_check)
    assert isinstance(check, AnnounceRequest | MapRequest)
    return check


def learnt() -> World:
    """Return a world with a server that has told a prefix."""
    world = over_ipv6()
    next_check(world)
    world.receive(world.announcement(options=(OPTION,)))
    assert prefixes(world) == (PREFIX,)
    return world


def test_question() -> None:
    """RFC 7225 4.3: ::/96 and no IPv4 list go with ANNOUNCE; no request more than ever."""
    world = over_ipv6()
    assert next_check(world) == AnnounceRequest(
        client_address=CLIENT6, options=(QUESTION,)
    )


def test_question_with_a_probe() -> None:
    """RFC 7225 4.3: without a lease it goes with the request for the external address."""
    world = started(server=SERVER6, client=CLIENT6)
    probe = next_check(world)
    assert isinstance(probe, MapRequest)
    assert probe.options == (QUESTION,)
    world.receive(world.success(probe, options=(OPTION,)))
    assert prefixes(world) == (PREFIX,)


def test_first_contact() -> None:
    """A server that has never answered is asked nothing that it may not know."""
    world = World(server=SERVER6, client=CLIENT6)
    world.run_for(600.0)
    probes = [sent.message for sent in world.new()]
    assert probes
    assert all(not probe.options for probe in probes)  # type: ignore[union-attr]


def test_no_question_over_ipv4() -> None:
    """RFC 7225: who reaches the server over IPv4 needs no NAT64."""
    world = started(wish_of(lifetime=86_400))
    assert next_check(world) == AnnounceRequest(client_address=world.source[0])


def test_prefixes_of_a_nat64() -> None:
    """RFC 7225 4.2: several prefixes in order, each with what it is for."""
    router = RouterCore(
        PERSONALITIES["nat64"], external_address=IPv4Address("11.22.33.44"), now=START
    )
    world = World(server=SERVER6, client=CLIENT6, router=router, latency=0.02)
    world.want(wish_of(key=DOOR))
    world.run_for(250.0)
    lists = (IPv4Network("192.0.2.0/24"), IPv4Network("198.51.100.0/24"))
    assert prefixes(world) == (
        Nat64Prefix(
            network=IPv6Network("2001:db8:122:300::/56"),
            suffix=bytes(5),
            ipv4_networks=lists,
        ),
        PREFIX,
    )
    assert world.lease(DOOR) is not None


def test_echoed_question() -> None:
    """Miniupnpd echoes what it does not know: that is no prefix."""
    world = over_ipv6()
    next_check(world)
    world.receive(world.announcement(options=(QUESTION,)))
    assert prefixes(world) == ()


def test_other_prefix() -> None:
    """RFC 7225 4.3: what is told last replaces all that was told before."""
    world = learnt()
    next_check(world)
    world.receive(world.announcement(options=(OTHER_OPTION,)))
    assert prefixes(world) == (OTHER_PREFIX,)
    next_check(world)
    world.receive(world.announcement())
    assert prefixes(world) == ()


def test_prefix_in_a_grant() -> None:
    """RFC 7225 4.2: a server may tell it in every MAP answer; the nonce proves it."""
    world = over_ipv6()
    world.run_for(10.0)
    world.renew_all()
    request = world.new_maps()[-1]
    world.receive(world.success(request, options=(OPTION,)))
    assert prefixes(world) == (PREFIX,)
    world.want(wish_of(key=key_of(2, address=CLIENT6)))
    world.receive(world.success(world.new_maps()[-1]))
    assert prefixes(world) == (PREFIX,)


@pytest.mark.parametrize(
    "code",
    [
        ResultCode.UNSUPP_OPTION,
        ResultCode.MALFORMED_OPTION,
        ResultCode.MALFORMED_REQUEST,
    ],
)
def test_server_that_refuses_the_option(code: ResultCode) -> None:
    """RFC 6887 8.3: what was refused once is not asked again, until a reset."""
    world = over_ipv6()
    next_check(world)
    world.receive(world.announcement(result_code=code))
    assert world.keeper.server_view().reachable is True
    for _ in range(5):
        check = next_check(world)
        assert check == AnnounceRequest(client_address=CLIENT6)
        world.receive(world.announcement())
    world.reboot()
    next_check(world)
    world.receive(world.announcement())
    world.answer_all()
    assert next_check(world).options == (QUESTION,)


def test_button_asks_again() -> None:
    """Renew asks for everything again, also for what was refused."""
    world = over_ipv6()
    next_check(world)
    world.receive(world.announcement(result_code=ResultCode.UNSUPP_OPTION))
    world.run_for(10.0)
    world.new()
    world.renew_all()
    (check,) = (sent.message for sent in world.new() if sent.is_check)
    assert check == AnnounceRequest(client_address=CLIENT6, options=(QUESTION,))


def test_other_refusals_are_not_the_options() -> None:
    """8.3: a server that is not authorised to answer does not mean the option."""
    world = learnt()
    next_check(world)
    world.receive(world.announcement(result_code=ResultCode.NOT_AUTHORIZED))
    assert prefixes(world) == (PREFIX,)
    assert next_check(world).options == (QUESTION,)


def test_server_that_is_silent_to_the_option() -> None:
    """A question that was never answered with the option is asked without it."""
    world = over_ipv6()
    next_check(world)
    world.run_for(239.0)
    assert world.keeper.server_view().reachable is False
    world.new()
    world.run_for(1.0)
    (check,) = (sent.message for sent in world.new() if sent.is_check)
    assert check == AnnounceRequest(client_address=CLIENT6)


def test_nat64_that_was_gone() -> None:
    """RFC 7225 4.3: cleared while it cannot be contacted, and asked for again."""
    world = learnt()
    world.run_for(300.0)
    assert world.keeper.server_view().reachable is False
    assert prefixes(world) == ()
    world.receive(world.announcement())
    assert next_check(world).options == (QUESTION,)
    world.receive(world.announcement(options=(OPTION,)))
    assert prefixes(world) == (PREFIX,)


def test_move_to_another_network() -> None:
    """RFC 7225 4.3: with another address of ours it is forgotten."""
    world = learnt()
    world.move_to(type(CLIENT6)("2001:db8::99"))
    assert prefixes(world) == ()


def test_announced_prefix_is_verified() -> None:
    """RFC 7225 4.3: a new prefix is announced; anybody can: one question tells."""
    world = learnt()
    world.run_for(60.0)
    world.new()
    world.announce(world.announcement(options=(OTHER_OPTION,)))
    assert prefixes(world) == (PREFIX,)
    world.run_for(5.0)
    assert prefixes(world) == (PREFIX,)
    (probe,) = (sent.message for sent in world.new())
    assert isinstance(probe, MapRequest)
    assert probe.options == (QUESTION,)
    world.receive(world.success(probe, options=(OTHER_OPTION,)))
    assert prefixes(world) == (OTHER_PREFIX,)


def test_forged_prefixes() -> None:
    """However many are announced: one question in ten seconds, and nothing changes."""
    world = learnt()
    world.run_for(60.0)
    world.new()
    for number in range(600):
        forged = Prefix64(prefix=number.to_bytes(4) + bytes(7) + b"\1")
        world.announce(world.announcement(options=(forged,)))
        world.run_for(0.1)
        for sent in world.new():
            answer = world.answer_to(sent.message)
            if isinstance(sent.message, MapRequest) and sent.is_check:
                answer = world.success(sent.message, options=(OPTION,))
            if isinstance(answer, AnnounceResponse):
                answer = world.announcement(options=(OPTION,))
            world.receive(answer)
        assert prefixes(world) == (PREFIX,)
    checks = [sent for sent in world.sent if sent.is_check and sent.at > START + 300.0]
    assert len(checks) <= 60 / 10 + 2


def test_known_prefix_in_an_announcement() -> None:
    """An announcement of what is known is one like any other: a mapping is renewed."""
    world = learnt()
    world.run_for(60.0)
    world.new()
    world.announce(world.announcement(options=(OPTION,)))
    world.run_for(5.0)
    (renewal,) = world.new_maps()
    assert not renewal.options


def test_prefix_of_a_forged_answer() -> None:
    """8.3: an answer that was not asked for tells nothing."""
    world = learnt()
    world.receive(world.announcement(options=(OTHER_OPTION,)))
    assert prefixes(world) == (PREFIX,)
    request = MapRequest(
        client_address=CLIENT6,
        lifetime=60,
        nonce=bytes(12),
        protocol=6,
        internal_port=1,
        suggested_external_address=EXTERNAL,
    )
    world.receive(world.success(request, options=(OTHER_OPTION,)))
    assert prefixes(world) == (PREFIX,)


def test_servers_are_kept_apart() -> None:
    """RFC 7225 4.3: the prefix is the one server's that told it."""
    worlds = [over_ipv6(), learnt()]
    assert [prefixes(world) for world in worlds] == [(), (PREFIX,)]


def test_announced_over_ipv4() -> None:
    """RFC 7225: over IPv4 it is not asked for, so what is announced is no news."""
    world = started(wish_of(1), wish_of(2))
    world.run_for(60.0)
    world.new()
    world.announce(world.announcement(options=(OPTION,)))
    world.run_for(5.0)
    (renewal,) = world.new_maps()
    world.receive(world.success(renewal, assigned_external_address=OTHER_EXTERNAL))
    assert prefixes(world) == ()
