"""On which interface a server is asked, and from which address of ours."""

from ipaddress import IPv4Address, ip_address
import socket
from typing import Any, override

import pytest

from custom_components.pcp.client import ways
from custom_components.pcp.client.udp import ServerSocket
from custom_components.pcp.client.ways import OwnAddress, interfaces_to, is_ours

from .sockets import ip

HOME, OTHER, SMALL = "home", "other", "small"
NAMES = {2: HOME, 3: OTHER, 4: SMALL}


def own(network: str, index: int, *, peer: str | None = None) -> OwnAddress:
    """Return an address of ours; the network is written with it."""
    address, _, length = network.partition("/")
    return OwnAddress(
        ip_address(address), ip_address(peer or address), int(length), index
    )


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> list[OwnAddress]:
    """A host with these addresses."""
    addresses = [
        own("127.0.0.1/8", 1),
        own("192.0.2.2/24", 2),
        own("192.0.2.130/25", 4),
        own("198.51.100.2/24", 2),
        own("198.51.100.3/24", 3),
        own("10.0.0.2/32", 3, peer="10.0.0.1"),
        own("2001:db8::2/64", 2),
        own("fe80::2/64", 3),
    ]
    monkeypatch.setattr(ways, "own_addresses", lambda: addresses)
    monkeypatch.setattr(socket, "if_indextoname", NAMES.__getitem__)
    return addresses


@pytest.mark.parametrize(
    ("server", "interfaces"),
    [
        ("192.0.2.1", [HOME]),
        ("192.0.2.129", [SMALL]),
        ("198.51.100.1", [HOME, OTHER]),
        ("10.0.0.1", [OTHER]),
        ("203.0.113.1", []),
        ("2001:db8::1", [HOME]),
        ("2001:db8:1::1", []),
        ("fe80::1%other", []),
        ("127.0.0.9", []),
        ("192.0.2.2", []),
    ],
)
@pytest.mark.usefixtures("host")
def test_where_a_server_is_asked(server: str, interfaces: list[str]) -> None:
    """Q25: in the smallest network of ours that has it, whatever the routes say.

    A scope says it all, and what is on this host is asked as the kernel likes.
    """
    assert interfaces_to(ip_address(server)) == interfaces


@pytest.mark.parametrize(
    ("server", "source", "interfaces"),
    [
        ("203.0.113.1", "192.0.2.2", [HOME]),
        ("fe80::1%home", "2001:db8::2", [HOME]),
        ("192.0.2.1", "198.51.100.3", [OTHER]),
        ("192.0.2.1", "192.0.2.99", []),
        ("127.0.0.9", "127.0.0.1", []),
    ],
)
@pytest.mark.usefixtures("host")
def test_from_an_address_of_ours(
    server: str, source: str, interfaces: list[str]
) -> None:
    """On the interface that has it, wherever the server is."""
    assert interfaces_to(ip_address(server), ip_address(source)) == interfaces


@pytest.mark.usefixtures("host")
def test_interface_that_went_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no way."""

    def gone(_: int) -> str:
        raise OSError("No such device")

    monkeypatch.setattr(socket, "if_indextoname", gone)
    assert interfaces_to(ip_address("192.0.2.1")) == []


@pytest.mark.usefixtures("loopback")
def test_is_ours() -> None:
    """An address that can be bound."""
    assert is_ours(ip_address("127.0.0.1"))
    assert is_ours(ip_address("::1"))
    assert not is_ours(ip_address("192.0.2.99"))


TWO_LINKS = (
    "link set lo up",
    *(
        line
        for number in (0, 1)
        for line in (
            f"link add up{number} type veth peer name far{number}",
            f"link set up{number} up",
            f"link set far{number} up",
        )
    ),
)


def way(server: str, **options: Any) -> tuple[str, str]:
    """Return from which address, and on which interface, a server is asked."""
    sock = ServerSocket(
        ip_address(server),
        on_datagram=lambda _: None,
        on_error=lambda _: None,
        **options,
    )
    address, interface, _ = sock.path
    sock.close()
    return str(address), interface


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_tunnel_that_takes_every_way() -> None:
    """Q25: a router on our link is asked there; a distant server as the routes lead."""
    ip(
        *TWO_LINKS,
        "addr add 192.0.2.2/24 dev up0",
        "route add default via 192.0.2.1",
        "addr add 10.8.0.2/24 dev up1",
        "route add default dev up1 table 52",
        "rule add pref 100 lookup 52",
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ordinary:
        ordinary.connect(("192.0.2.1", 5351))
        assert ordinary.getsockname()[0] == "10.8.0.2"
    assert way("192.0.2.1") == ("192.0.2.2", "up0")
    assert way("203.0.113.1") == ("10.8.0.2", "")
    source = IPv4Address("192.0.2.2")
    assert way("203.0.113.1", source=source) == ("192.0.2.2", "up0")
    assert way("203.0.113.1", interface="up0") == ("192.0.2.2", "up0")


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_two_interfaces_in_one_network() -> None:
    """Of a cable and a radio the kernel tells which is better, and the other is there."""
    ip(
        *TWO_LINKS,
        "addr add 192.0.2.2/24 dev up0 noprefixroute",
        "addr add 192.0.2.3/24 dev up1 noprefixroute",
        "route add 192.0.2.0/24 dev up0 src 192.0.2.2 metric 600",
        "route add 192.0.2.0/24 dev up1 src 192.0.2.3 metric 100",
    )
    assert way("192.0.2.1") == ("192.0.2.3", "up1")
    ip("link set up1 down")
    assert way("192.0.2.1") == ("192.0.2.2", "up0")
    ip("link set up0 down")
    with pytest.raises(OSError, match="unreachable"):
        way("192.0.2.1")


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_our_own_address_as_server() -> None:
    """A server on this host is asked within it."""
    ip(*TWO_LINKS, "addr add 192.0.2.2/24 dev up0")
    assert way("192.0.2.2") == ("192.0.2.2", "")


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_deprecated_address() -> None:
    """8.4: a new prefix is used as soon as the old one is not to be used any more."""
    ip(
        *TWO_LINKS,
        "addr add 2001:db8:a::2/64 dev up0 nodad",
        "addr add 2001:db8:b::2/64 dev up0 nodad",
        "route add ::/0 via fe80::1 dev up0",
    )
    for old, new in (("a", "b"), ("b", "a")):
        ip(
            f"addr change 2001:db8:{new}::2/64 dev up0 preferred_lft forever",
            f"addr change 2001:db8:{old}::2/64 dev up0 preferred_lft 0",
        )
        assert way("fe80::1%up0")[0] == f"2001:db8:{new}::2"
        source = ip_address(f"2001:db8:{old}::2")
        assert way("fe80::1%up0", source=source) == (str(source), "up0")


@pytest.mark.usefixtures("loopback")
async def test_no_right_to_bind_to_an_interface(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the routes decide."""

    class Refusing(socket.socket):
        @override
        def setsockopt(self, level: int, option: int, value: Any) -> None:  # type: ignore[override]
            if option == socket.SO_BINDTODEVICE:
                raise PermissionError
            super().setsockopt(level, option, value)

    monkeypatch.setattr(socket, "socket", Refusing)
    assert way("127.0.0.1", interface="lo") == ("127.0.0.1", "lo")
