"""The options that go with requests for mappings, and what servers make of them.

What a mapping means is in THIRD_PARTY and FILTER: they are never left out. DESCRIPTION
and PORT_SET a server may ignore; one that refuses them is asked without. RFC 6887 7.3.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .codec import (
    Description,
    Filter,
    IPAddress,
    Option,
    OptionCode,
    PortSet,
    PreferFailure,
    Prefix64,
    ThirdParty,
    UnknownOption,
)
from .mapping import MappingWish, PortRange

# RFC 6887 7.3: from here on a server may ignore what it does not know.
_FIRST_OPTIONAL = 128
# RFC 7220 3: what a server should at least be able to keep, octets.
_DESCRIPTION_LENGTH = 128
_LAST_PORT = 65535
# RFC 6887 19.4: for private use. A server that returns it returns what it has not
# processed, so that its PORT_SET is no grant (miniupnpd from 2.3.11 on).
CANARY = UnknownOption(code=231, data=b"")

_CODES: dict[type, int] = {
    ThirdParty: OptionCode.THIRD_PARTY,
    PreferFailure: OptionCode.PREFER_FAILURE,
    Filter: OptionCode.FILTER,
    Description: OptionCode.DESCRIPTION,
    Prefix64: OptionCode.PREFIX64,
    PortSet: OptionCode.PORT_SET,
}


@dataclass(slots=True, kw_only=True)
class OptionManners:
    """What a server was seen to make of options, since its last reset."""

    refuses: bool = False
    """It refuses requests for options that it could ignore."""

    echoes: bool = False
    """It returns options that it has not processed."""

    @property
    def may_grant_sets(self) -> bool:
        """Tell whether a PORT_SET is worth asking for."""
        return not (self.refuses or self.echoes)

    def forget(self) -> None:
        """Begin anew: another server may run there now."""
        self.refuses = self.echoes = False


def mapping_options(
    wish: MappingWish,
    *,
    client_address: IPAddress | None,
    port_count: int,
    removes_filters: bool,
    manners: OptionManners,
) -> tuple[Option, ...]:
    """Return the options of a request that makes or renews a mapping.

    `removes_filters` when it may have others than are wished for. RFC 6887 13.3.
    """
    options: list[Option] = [*_third_party(wish, client_address)]
    if removes_filters:
        options.append(_no_filter(wish.key.internal_address))
    options += (Filter.from_network(network) for network in wish.allowed_sources)
    if not manners.refuses and (text := _shortened(wish.description)):
        options.append(Description.padded(text))
    return (*options, *_port_set(wish, port_count, manners))


def deletion_options(
    wish: MappingWish,
    *,
    client_address: IPAddress | None,
    port_count: int,
    manners: OptionManners,
) -> tuple[Option, ...]:
    """Return the options of a request that deletes a mapping.

    A set is deleted with its PORT_SET (RFC 7753 4.4); FILTER is malformed there.
    """
    return (
        *_third_party(wish, client_address),
        *_port_set(wish, port_count, manners),
    )


def codes_of(options: Iterable[Option]) -> frozenset[int]:
    """Return the codes of options."""
    return frozenset(
        option.code if isinstance(option, UnknownOption) else _CODES[type(option)]
        for option in options
    )


def has_optional(codes: Iterable[int]) -> bool:
    """Tell whether a server may ignore any of them. RFC 6887 7.3."""
    return any(code >= _FIRST_OPTIONAL for code in codes)


def without_optional(options: Iterable[Option]) -> tuple[Option, ...]:
    """Return the options that a server may not ignore. RFC 6887 7.3."""
    return tuple(it for it in options if not has_optional(codes_of((it,))))


def granted_set(
    asked: Iterable[Option],
    answered: Iterable[Option],
    *,
    internal_port: int,
    assigned_external_port: int,
) -> tuple[PortRange | None, int]:
    """Return the ports from ours on that were granted, None for ours alone.

    And how many ports of the server's set come before ours: the first internal port
    of the answer may be another, and the assigned port is that one's. RFC 7753 4.
    A set with external ports that do not exist is none.
    """
    asked_set = _set_in(asked)
    granted = _set_in(answered)
    if asked_set is None or granted is None or CANARY in answered:
        return None, 0
    if assigned_external_port + granted.size - 1 > _LAST_PORT:
        return None, 0
    before = internal_port - granted.first_internal_port
    count = min(granted.size - before, asked_set.size)
    if before < 0 or count < 1:
        return None, 0
    if count == 1:
        return None, before
    return PortRange(first=internal_port, count=count), before


def _set_in(options: Iterable[Option]) -> PortSet | None:
    return next((it for it in options if isinstance(it, PortSet)), None)


def _third_party(
    wish: MappingWish, client_address: IPAddress | None
) -> tuple[Option, ...]:
    """Name another host. RFC 6887 13.1: one must not name itself.

    The other's address may be ours by now: what it had is deleted without the option.
    """
    if not wish.third_party or wish.key.internal_address == client_address:
        return ()
    return (ThirdParty(internal_address=wish.key.internal_address),)


def _no_filter(address: IPAddress) -> Filter:
    return Filter(prefix_length=0, remote_address=type(address)(0))


def _port_set(
    wish: MappingWish, port_count: int, manners: OptionManners
) -> tuple[Option, ...]:
    """Ask for more than one port. RFC 7753 4.1."""
    if port_count == 1 or not manners.may_grant_sets:
        return ()
    ports = PortSet(size=port_count, first_internal_port=wish.key.internal_port)
    return ports, CANARY


def _shortened(text: str) -> str:
    """Return what a server can keep of a text, in whole characters. RFC 7220 3."""
    octets = text.replace("\0", "").encode(errors="ignore")
    return octets[:_DESCRIPTION_LENGTH].decode(errors="ignore").rstrip()
