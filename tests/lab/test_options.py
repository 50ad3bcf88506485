"""Options of MAP on a real router: what miniupnpd 2.3.1 makes of them."""

import asyncio
from ipaddress import ip_address
import secrets

from custom_components.pcp.client.events import LeaseGranted
from custom_components.pcp.client.mapping import (
    MappingKey,
    MappingWish,
    PortRange,
    Protocol,
)

from .network import LAN_ADDRESS, Network
from .program import client
from .router import Router
from .watching import RequestCount


def wish_for(internal_port: int, port_range: PortRange | None = None) -> MappingWish:
    """Return the wish for one TCP port, alone or as one of a range."""
    return MappingWish(
        key=MappingKey(
            internal_address=ip_address(LAN_ADDRESS),
            protocol=Protocol.TCP,
            internal_port=internal_port,
        ),
        nonce=secrets.token_bytes(12),
        lifetime=600,
        suggested_external_port=internal_port,
        description="Spiel für drei",
        port_range=port_range,
    )


def test_port_set_that_is_rejected(
    in_lan: None, router: Router, network: Network
) -> None:
    """RFC 7753, 7.3: MALFORMED_OPTION costs one request more, and no door."""
    ports = range(9000, 9003)
    together = PortRange(first=ports.start, count=len(ports))

    async def run() -> None:
        async with client() as program:
            requests = RequestCount(network)
            program.keep(*(wish_for(port, together) for port in ports))
            await program.heard(LeaseGranted, times=len(ports))
            assert requests.value == len(ports) + 1
            program.keep(wish_for(9100))
            await program.heard(LeaseGranted, times=len(ports) + 1)
            assert requests.value == len(ports) + 2

    asyncio.run(run())
    assert len(router.mappings()) == len(ports) + 1


def test_description(in_lan: None, router: Router, network: Network) -> None:
    """RFC 7220: padded to a multiple of 4 octets it is accepted, and echoed."""

    async def run() -> None:
        async with client() as program:
            requests = RequestCount(network)
            program.keep(wish_for(9100))
            await program.heard(LeaseGranted)
            assert requests.value == 1
            (lease,) = program.keeper.leases()
            assert lease.description_echoed

    asyncio.run(run())
    assert len(router.mappings()) == 1
