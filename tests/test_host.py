"""From what somebody types to addresses."""

import asyncio
from ipaddress import ip_address
import socket
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.pcp.host import async_resolve, can_be_opened, normal_host


def _names(answer: list[tuple[str, int]] | Exception) -> Any:
    """Let a name have IPv4 addresses and IPv6 addresses with a scope index."""
    if isinstance(answer, Exception):
        return patch.object(
            asyncio.BaseEventLoop, "getaddrinfo", side_effect=answer, autospec=True
        )
    return patch.object(
        asyncio.BaseEventLoop,
        "getaddrinfo",
        autospec=True,
        return_value=[
            (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", (address, 0, 0, scope))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_DGRAM, 17, "", (address, 0))
            for address, scope in answer
        ],
    )


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (" 192.168.1.1 ", "192.168.1.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
        ("Router.LAN", "router.lan"),
    ],
)
def test_a_host_is_kept_in_one_form(text: str, host: str) -> None:
    """Two ways to write a host are the same host."""
    assert normal_host(text) == host


@pytest.mark.parametrize(
    "host",
    [
        *("x" * 64, f"{'x' * 60}." * 5, "x" * 1_000_000),
        *("two words", "<b>", "http://router.lan/", "a\0b", "a\nb", "a..b", "{{ x }}"),
        *("12", "10.1", "\N{VIDEO GAME}"),
    ],
)
async def test_what_is_no_name_is_not_looked_up(host: str) -> None:
    """RFC 1035 2.3.4: labels of 63 octets, 253 in all; and nothing but a name."""
    with _names([("192.168.1.1", 0)]) as look_up, pytest.raises(ValueError):
        await async_resolve(host)
    look_up.assert_not_called()


@pytest.mark.parametrize("host", ["router", "my-router.lan.", "rou_ter", "маршрут.рф"])
async def test_what_is_a_name_is_looked_up(host: str) -> None:
    """In the letters of all languages."""
    with _names([("192.168.1.1", 0)]):
        assert await async_resolve(host) == (ip_address("192.168.1.1"),)


@pytest.mark.parametrize("host", ["192.168.1.1", "2001:db8::1", "fe80::1%lo"])
async def test_an_address_is_itself(host: str) -> None:
    """Nothing is looked up for an address."""
    assert await async_resolve(host) == (ip_address(host),)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "::",
        "fe80::1",
        "fe80::1%nosuchinterface",
        "256.1.1.1",
        "10.1",
    ],
)
async def test_what_no_router_has_is_refused(host: str) -> None:
    """Addresses that cannot be a router's, and numbers that are no addresses."""
    with pytest.raises(ValueError, match="address"):
        await async_resolve(host)


async def test_a_name_gives_its_addresses_by_ip_version() -> None:
    """IPv4 comes first, else it is the resolver's order; each address once."""
    names = ["2001:db8::1", "192.0.2.2", "192.0.2.1", "192.0.2.2"]
    with _names([(name, 0) for name in names]):
        assert await async_resolve("router.lan") == tuple(
            map(ip_address, ("192.0.2.2", "192.0.2.1", "2001:db8::1"))
        )


async def test_a_name_gives_a_few_addresses_only() -> None:
    """However many it leads to: each would be asked."""
    names = [*(f"192.0.2.{n}" for n in range(1, 9)), "2001:db8::1"]
    with _names([(name, 0) for name in names]):
        found = await async_resolve("router.lan")
    assert [str(it) for it in found] == [*names[:4], "2001:db8::1"]


async def test_a_name_gives_link_local_addresses_with_their_interface() -> None:
    """A link-local address leads nowhere without its interface."""
    index = socket.if_nametoindex("lo")
    with _names([("fe80::1", index)]):
        assert await async_resolve("router.local") == (ip_address("fe80::1%lo"),)


@pytest.mark.parametrize(
    "error",
    [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError()],
)
async def test_an_unknown_name_is_refused(error: Exception) -> None:
    """A name that leads nowhere, and one that cannot be a name."""
    with _names(error), pytest.raises(ValueError, match="Unknown host"):
        await async_resolve("nowhere.lan")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.168.1.2", True),
        ("169.254.1.2", True),
        ("2001:db8::2", True),
        ("fe80::2", False),
        ("fc00::2", False),
        ("fdff::2", False),
        ("fe00::2", True),
    ],
)
def test_only_global_ipv6_addresses_can_be_opened(address: str, expected: bool) -> None:
    """RFC 6887 8.4; behind NAT any IPv4 address will do."""
    assert can_be_opened(ip_address(address)) is expected
