"""What is shown of a router, without Home Assistant."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from custom_components.pcp.client.mapping import Protocol
from custom_components.pcp.client.peer import PeerKey, PeerWish
from custom_components.pcp.diagnostics import _redact
from custom_components.pcp.link import Link
from custom_components.pcp.views import (
    is_carrier_grade_nat,
    is_double_nat,
    link_diagnostics,
)
from tests.client.keeper_world import World
from tests.client.scripted_server import CLIENT6, SERVER6, key_of, wish_of
from tests.simulated_router import PERSONALITIES, RouterCore

REDACTED = "**REDACTED**"


@pytest.mark.parametrize(
    ("address", "double_nat"),
    [
        ("10.1.2.3", True),
        ("172.31.255.255", True),
        ("192.168.178.20", True),
        ("100.64.0.7", True),
        ("169.254.0.1", True),
        ("169.254.255.254", True),
        ("192.0.0.2", True),
        ("169.253.255.255", False),
        ("169.255.0.0", False),
        ("203.0.113.5", False),
        ("2001:db8::1", None),
        (None, None),
    ],
)
def test_double_nat(address: str | None, double_nat: bool | None) -> None:
    """Promise 7: private, shared and self-made addresses are not the Internet's."""
    assert is_double_nat(ip_address(address) if address else None) is double_nat


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        ("100.63.255.255", False),
        ("100.64.0.0", True),
        ("100.127.255.255", True),
        ("100.128.0.0", False),
        ("192.0.0.0", True),
        ("192.0.0.8", False),
        ("10.0.0.1", False),
        ("203.0.113.5", False),
        ("2001:db8::1", None),
        (None, None),
    ],
)
def test_carrier_grade_nat(address: str | None, shared: bool | None) -> None:
    """RFC 6598, RFC 7335: what a provider shares is not another router of ours."""
    assert is_carrier_grade_nat(ip_address(address) if address else None) is shared


def diagnose(world: World) -> dict[str, Any]:
    """Return the diagnostics of a keeper's server."""
    link = SimpleNamespace(server=world.keeper.server, keeper=world.keeper)
    return link_diagnostics(cast("Link", link), now=world.now)


def test_flows_in_diagnostics() -> None:
    """A flow that a program keeps is shown as a door is, without its other end."""
    key = PeerKey(
        internal_address=key_of().internal_address,
        protocol=Protocol.UDP,
        internal_port=50000,
        remote_address=IPv4Address("198.51.100.7"),
        remote_port=4500,
    )
    router = RouterCore(
        PERSONALITIES["miniupnpd_2_3_1"],
        external_address=IPv4Address("11.22.33.44"),
        now=1000.0,
    )
    world = World(router=router)
    world.want(wish_of())
    world.want(PeerWish(key=key, nonce=b"one flow....", lifetime=600))
    world.run_for(10.0)
    diagnostics = diagnose(world)
    assert [lease["internal_port"] for lease in diagnostics["leases"]] == [8123]
    (peer,) = diagnostics["peers"]
    assert peer["protocol"] == "udp"
    assert peer["internal_port"] == 50000
    assert peer["state"] == "granted"
    assert 580 < peer["expires_in"] <= 600
    assert set(peer) == set(diagnostics["leases"][0])
    text = json.dumps(_redact(diagnostics))
    for secret in ("198.51.100.7", "11.22.33.44", "one flow"):
        assert secret not in text


def test_nat64_prefixes_in_diagnostics() -> None:
    """A provider's own prefix tells who you are with; everybody's tells nothing."""
    router = RouterCore(PERSONALITIES["nat64"], external_address=None, now=1000.0)
    world = World(server=SERVER6, client=CLIENT6, router=router)
    world.run_for(300.0)
    diagnostics = diagnose(world)
    lists = ["192.0.2.0/24", "198.51.100.0/24"]
    assert diagnostics["nat64_prefixes"] == [
        {"network": "2001:db8:122:300::/56", "ipv4_networks": lists},
        {"network": "64:ff9b::/96", "ipv4_networks": []},
    ]
    assert "64:ff9b::/96" in json.dumps(_redact(diagnostics))
    assert _redact({"network": "2a00:1450:64::/96"}) == {"network": REDACTED}
    assert _redact([IPv4Network("10.0.0.0/8"), IPv6Address("2a00::1")])[1] == REDACTED
