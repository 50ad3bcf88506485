"""The order of a server's addresses: the RFC's own examples, and a real kernel."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from custom_components.pcp.client import preference
from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.preference import by_preference

from .sockets import ip

# Destinations in the order expected, each with the source that the kernel chooses.
EXAMPLES: dict[str, list[tuple[str, str | None]]] = {
    "prefer matching scope": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("198.51.100.121", "169.254.13.78"),
    ],
    "prefer matching scope, IPv4": [
        ("198.51.100.121", "198.51.100.117"),
        ("2001:db8:1::1", "fe80::1"),
    ],
    "prefer higher precedence": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("10.1.2.3", "10.1.2.4"),
    ],
    "prefer smaller scope": [
        ("fe80::1", "fe80::2"),
        ("2001:db8:1::1", "2001:db8:1::2"),
    ],
    "longest matching prefix": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("2001:db8:3ffe::1", "2001:db8:3f44::2"),
    ],
    "prefer matching label": [
        ("2002:c633:6401::1", "2002:c633:6401::2"),
        ("2001:db8:1::1", "2002:c633:6401::2"),
    ],
    "prefer higher precedence, 6to4": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("2002:c633:6401::1", "2002:c633:6401::2"),
    ],
    # Not among the RFC's: what it says about private, site-local and unusable ones.
    "IPv4 before unique local": [
        ("192.168.1.1", "192.168.1.2"),
        ("fd00::1", "fd00::2"),
    ],
    "loopback before others": [("::1", "::1"), ("2001:db8:1::1", "2001:db8:1::2")],
    "site-local is a scope": [
        ("2001:db8:1::1", "2001:db8:1::2"),
        ("fec0::1", "fec0::2"),
    ],
    "avoid unusable": [
        ("10.1.2.3", "10.1.2.4"),
        ("2001:db8:1::1", None),
        ("198.51.100.1", None),
    ],
}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_rfc_examples(
    monkeypatch: pytest.MonkeyPatch, name: str, is_reversed: bool
) -> None:
    """RFC 6724 10.2: whichever comes first in the list."""
    sources = {
        ip_address(destination): None if source is None else ip_address(source)
        for destination, source in EXAMPLES[name]
    }
    monkeypatch.setattr(preference, "_source", sources.__getitem__)
    expected = list(sources)
    given = expected[::-1] if is_reversed else expected
    assert by_preference(given) == expected


def test_otherwise_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6724 6, rule 10; of IPv4 addresses, rule 9 would prefer neighbours only."""
    monkeypatch.setattr(preference, "_source", lambda _: IPv4Address("192.0.2.2"))
    addresses: list[IPAddress] = [
        IPv4Address("198.51.100.1"),
        IPv4Address("192.0.2.1"),
        IPv4Address("203.0.113.1"),
    ]
    assert by_preference(addresses) == addresses


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%gone", None),
    ],
)
@pytest.mark.usefixtures("loopback")
def test_source(destination: str, source: str | None) -> None:
    """RFC 6724 5: the kernel's choice; where there is no way, there is none."""
    chosen = preference._source(ip_address(destination))
    assert (None if chosen is None else str(chosen)) == source


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
def test_real_kernel() -> None:
    """RFC 7488 3: what can be reached before what cannot, IPv6 before IPv4."""
    ip(
        "link set lo up",
        "link add home type veth peer name router",
        "link set home up",
        "link set router up",
        "addr add 192.0.2.2/24 dev home",
        "addr add 2001:db8::2/64 dev home nodad",
    )
    addresses: list[IPAddress] = [
        IPv4Address("198.51.100.1"),
        IPv4Address("192.0.2.1"),
        IPv6Address("2001:db8::1"),
    ]
    assert by_preference(addresses) == addresses[::-1]
