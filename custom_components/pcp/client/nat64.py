"""NAT64 prefixes that a server tells: PREFIX64. RFC 7225.

A host behind a NAT64 reaches IPv4 through IPv6 addresses that begin with the prefix.
They are the server's own: another server's are kept apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from .codec import Option, Prefix64

# RFC 7225 4.3: ::/96 asks. With the empty list it is a multiple of 4 octets, for
# miniupnpd before 2.3.11 refuses any other length as MALFORMED_OPTION.
PREFIX64_QUESTION = Prefix64(ipv4_prefixes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat64Prefix:
    """One prefix, and what it is for."""

    network: IPv6Network
    suffix: bytes
    """The octets behind the IPv4 address, mostly zeros. RFC 6052 2.2."""

    ipv4_networks: tuple[IPv4Network, ...]
    """What is to be reached through it; empty is all that no other prefix is for."""


def nat64_prefixes(options: Iterable[Option]) -> tuple[Nat64Prefix, ...]:
    """Return the prefixes that an answer's options tell, in order. RFC 7225 4.2.

    Many servers echo what they do not know: our own question is no prefix.
    """
    return tuple(
        Nat64Prefix(
            network=option.network,
            suffix=option.suffix,
            ipv4_networks=option.ipv4_prefixes or (),
        )
        for option in options
        if isinstance(option, Prefix64) and any(option.prefix)
    )
