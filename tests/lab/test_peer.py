"""Flows that are kept on a real router: what it grants, and what it really holds.

miniupnpd 2.3.1 grants PEER, but the rule that it makes has the two ends of the flow
mixed up and never goes: a flow is neither translated nor kept by it. So the protocol
is judged here, and what the router holds is written down.
"""

import asyncio
from ipaddress import ip_address
import re
import secrets
import socket

import pytest

from custom_components.pcp.client.events import LeaseGranted, LeaseRefused
from custom_components.pcp.client.mapping import LeaseState, Protocol
from custom_components.pcp.client.peer import PeerKey, PeerWish

from .network import (
    EXTERNAL_ADDRESS,
    LAN_ADDRESS,
    LAN_ADDRESS_V6,
    ROUTER_ADDRESS_V6,
    WAN_ADDRESS_V6,
    Network,
)
from .program import PATIENCE, client
from .router import Router
from .watching import RequestCount

# RFC 6887 11.2.1: two requests for one mapping keep this distance.
RENEWAL_GAP = 4.0
INTERNAL_PORT, EXTERNAL_PORT, REMOTE_PORT = 50000, 40001, 7000


def wish_for(remote: str, *, client_address: str = LAN_ADDRESS) -> PeerWish:
    """Return the wish to keep the flow of these tests."""
    key = PeerKey(
        internal_address=ip_address(client_address),
        protocol=Protocol.UDP,
        internal_port=INTERNAL_PORT,
        remote_address=ip_address(remote),
        remote_port=REMOTE_PORT,
    )
    return PeerWish(
        key=key,
        nonce=secrets.token_bytes(12),
        lifetime=120,
        suggested_external_port=EXTERNAL_PORT,
    )


def rules(network: Network) -> list[str]:
    """Return what the router would translate outgoing flows to, rule by rule."""
    chain = ("list", "chain", "inet", "filter", "postrouting_miniupnpd")
    listing = network.run("router", "nft", *chain).stdout
    return re.findall(r"snat ip to (\S+)", listing)


def seen_from(network: Network, remote: str) -> str:
    """Let one datagram of the flow leave; return whence it seems to come."""
    with (
        network.inside("wan"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside,
    ):
        outside.settimeout(PATIENCE)
        outside.bind((remote, REMOTE_PORT))
        with (
            network.inside("lan"),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow,
        ):
            flow.bind((LAN_ADDRESS, INTERNAL_PORT))
            flow.sendto(b"x", (remote, REMOTE_PORT))
        source: tuple[str, int] = outside.recvfrom(16)[1]
    return f"{source[0]}:{source[1]}"


def test_flow_is_kept_and_let_go(in_lan: None, network: Network) -> None:
    """12.1, 11.2.1: granted, renewed while no packet flows, then let go in silence."""
    remote = network.address("wan")
    wish = wish_for(remote)

    async def run() -> None:
        async with client() as program:
            program.keep(wish)
            granted = await program.heard(LeaseGranted)
            assert granted.key == wish.key
            assert str(granted.grant.assigned_external_address) == EXTERNAL_ADDRESS
            assert granted.grant.assigned_external_port == EXTERNAL_PORT
            assert granted.grant.lifetime == 120
            assert rules(network) == [f"{EXTERNAL_ADDRESS}:{EXTERNAL_PORT}"]

            program.keeper.renew_all(now=program.transport.now())
            program.transport.pump()
            again = await program.heard(LeaseGranted, times=2)
            assert again.grant.expires_at > granted.grant.expires_at
            assert again.grant.assigned_external_port == EXTERNAL_PORT

            requests = RequestCount(network)
            program.release(wish)
            await asyncio.sleep(1.0)
            assert requests.value == 0
            (view,) = program.keeper.peers()
            assert view.state is LeaseState.RELEASING
            assert view.open_until == again.grant.expires_at

    asyncio.run(run())
    # One for each request, and none of them goes: a renewal is not for nothing here.
    assert rules(network) == [f"{EXTERNAL_ADDRESS}:{EXTERNAL_PORT}"] * 2


def test_restarted_router_is_asked_again(
    in_lan: None, router: Router, network: Network
) -> None:
    """16.3.1: a router that lost its rules gets the flow again, where it was."""
    wish = wish_for(network.address("wan"))

    async def run() -> None:
        async with client() as program:
            program.keep(wish)
            granted = await program.heard(LeaseGranted)
            await asyncio.sleep(RENEWAL_GAP)
            router.reboot()
            assert rules(network) == []
            program.keeper.renew_all(now=program.transport.now())
            program.transport.pump()
            again = await program.heard(LeaseGranted, times=2)
            assert again.grant.assigned_external_port == EXTERNAL_PORT
            assert again.grant.expires_at > granted.grant.expires_at

    asyncio.run(run())
    assert f"{EXTERNAL_ADDRESS}:{EXTERNAL_PORT}" in rules(network)


def test_what_miniupnpd_makes_of_it(in_lan: None, network: Network) -> None:
    """What was granted is not what happens: the flow leaves by another port."""
    remote = network.address("wan")

    async def run() -> None:
        async with client() as program:
            program.keep(wish_for(remote))
            await program.heard(LeaseGranted)

    asyncio.run(run())
    assert seen_from(network, remote) == f"{EXTERNAL_ADDRESS}:{INTERNAL_PORT}"


def test_no_flows_over_ipv6(in_lan: None) -> None:
    """8.3: UNSUPP_OPCODE is a refusal that holds for half an hour, asked for once."""
    wish = wish_for(WAN_ADDRESS_V6, client_address=LAN_ADDRESS_V6)

    async def run() -> None:
        async with client(ROUTER_ADDRESS_V6) as program:
            program.keep(wish)
            refused = await program.heard(LeaseRefused)
            wait = refused.refusal.retry_at - program.transport.now()
            assert wait == pytest.approx(1800.0, abs=PATIENCE)
            assert program.keeper.server_view().reachable is True

    asyncio.run(run())
