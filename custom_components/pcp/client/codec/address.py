"""The 16-octet form of an address, IPv4 mapped into IPv6. RFC 6887 5."""

from ipaddress import IPv4Address, IPv6Address

type IPAddress = IPv4Address | IPv6Address

_V4_MAPPED = bytes(10) + b"\xff\xff"


def pack_address(address: IPAddress) -> bytes:
    """Return the 16 octets of an address; a scope id has no place on the wire."""
    if address.version == 4:
        return _V4_MAPPED + address.packed
    return address.packed


def unpack_address(octets: bytes) -> IPAddress:
    """Return the address in 16 octets: IPv4 where all 96 bits of the prefix say so.

    ::ffff:0:0 is 0.0.0.0 and :: is ::, each the all-zeros address of its family.
    """
    if octets.startswith(_V4_MAPPED):
        return IPv4Address(octets[12:])
    return IPv6Address(octets)
