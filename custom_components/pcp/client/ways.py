"""On which interface a server is asked, and which addresses are ours.

A server in a network of ours is asked there, whatever routes a VPN brings; any other one
wherever the kernel's routes lead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
import socket

from .codec import IPAddress
from .netlink import Entry, Kind, dump

# <linux/if_addr.h>
_IFA_ADDRESS, _IFA_LOCAL = 1, 2


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An address of this host, and the network that is reached by it."""

    address: IPAddress
    peer: IPAddress
    """The other end of a point-to-point link, else the address itself."""

    prefix_length: int
    interface_index: int

    def is_towards(self, server: IPAddress) -> bool:
        """Tell whether a server is in the address's network."""
        bits = self.peer.max_prefixlen - self.prefix_length
        return self.peer.version == server.version and (
            int(self.peer) >> bits == int(server) >> bits
        )


def own_addresses() -> list[OwnAddress]:
    """Return the addresses of this host; none where there is no netlink."""
    return [own for entry in dump(Kind.ADDRESSES) if (own := _own(entry)) is not None]


def interfaces_to(server: IPAddress, source: IPAddress | None = None) -> list[str]:
    """Return the interfaces on which a server is to be asked; none: on any.

    Those of the smallest network of ours that the server is in, or of the address of
    ours (`source`) from which it is to be asked.
    """
    if source is None and server.version == 6 and server.is_link_local:
        # Its scope says it.
        return []
    own = own_addresses()
    if source is not None:
        return _names(it for it in own if it.address.packed == source.packed)
    if any(it.address.packed == server.packed for it in own):
        return []
    near = [it for it in own if it.is_towards(server)]
    longest = max((it.prefix_length for it in near), default=0)
    return _names(it for it in near if it.prefix_length == longest)


def is_ours(address: IPAddress) -> bool:
    """Tell whether this host has an address now."""
    is_v4 = isinstance(address, IPv4Address)
    family = socket.AF_INET if is_v4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
    return True


def _own(entry: Entry) -> OwnAddress | None:
    _, prefix_length, _, _, index = entry.fields
    peer = entry.address(_IFA_ADDRESS)
    address = entry.address(_IFA_LOCAL) or peer
    if address is None or peer is None:
        return None
    return OwnAddress(address, peer, prefix_length, index)


def _names(own: Iterable[OwnAddress]) -> list[str]:
    """Return the interfaces' names, without the one that leads to this host itself."""
    names: list[str] = []
    for it in own:
        if not it.address.is_loopback:
            try:
                names.append(socket.if_indextoname(it.interface_index))
            except OSError:
                continue
    return list(dict.fromkeys(names))
