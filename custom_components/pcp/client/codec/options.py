"""PCP options: bytes <-> frozen dataclasses. RFC 6887 7.3 and 13, RFC 7220, 7225, 7753.

An option of unknown code is an UnknownOption, and so is a malformed option of a
known code in a response. In a request a malformed one is an error.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from struct import Struct
from typing import assert_never

from .address import IPAddress, pack_address, unpack_address
from .constants import OptionCode
from .errors import DecodeError, DropReason

_HEADER = Struct("!BxH")
_FILTER = Struct("!xBH16s")
_PORT_SET = Struct("!HHB")
_PREFIX64 = Struct("!H12s")
_COUNT = Struct("!H")
_IPV4_PREFIX = Struct("!H4s")

# RFC 7220 3 and RFC 6887 7: what fits beside a MAP in 1100 octets.
_MAX_DESCRIPTION = 1016
# RFC 7225 4.1: octets of a NAT64 prefix.
_PREFIX64_LENGTHS = frozenset({4, 5, 6, 7, 8, 12})
_PREFIX64_OCTETS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdParty:
    """The mapping is for another host than the one that asks. RFC 6887 13.1."""

    internal_address: IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferFailure:
    """Rather an error than another external address or port. RFC 6887 13.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Only these remote hosts may use the mapping. RFC 6887 13.3."""

    prefix_length: int
    """Bits as on the wire: 96-128 for IPv4, 1-128 for IPv6, 0 removes all filters."""
    remote_port: int = 0
    """1-65535, 0 for all."""
    remote_address: IPAddress

    @classmethod
    def from_network(
        cls, network: IPv4Network | IPv6Network, remote_port: int = 0
    ) -> Filter:
        """Return the filter that admits a network.

        ::/0 comes out as prefix length 0, which removes all filters: also anyone.
        """
        return cls(
            prefix_length=network.prefixlen + (96 if network.version == 4 else 0),
            remote_port=remote_port,
            remote_address=network.network_address,
        )

    @property
    def network(self) -> IPv4Network | IPv6Network | None:
        """The network that is admitted, or None where all filters are removed."""
        if self.prefix_length == 0:
            return None
        if isinstance(self.remote_address, IPv4Address):
            return IPv4Network(
                (self.remote_address, self.prefix_length - 96), strict=False
            )
        return IPv6Network((self.remote_address, self.prefix_length), strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A text for the server's list of mappings; empty erases. RFC 7220."""

    text: str
    """At most 1016 octets of UTF-8, without NUL."""

    @classmethod
    def padded(cls, text: str) -> Description:
        """Return the text with spaces added to a multiple of 4 octets.

        miniupnpd before 2.3.11 refuses any other length as MALFORMED_OPTION.
        """
        return cls(text=text + " " * (-len(text.encode()) % 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix64:
    """A NAT64 prefix; ::/96 asks for it. RFC 7225 4.1."""

    prefix: bytes = bytes(12)
    """4, 5, 6, 7, 8 or 12 octets."""
    suffix: bytes = b""
    """The octets that fill prefix and suffix up to 12."""
    ipv4_prefixes: tuple[IPv4Network, ...] | None = None
    """What the prefix is for; None where the list is left out, not just empty."""

    @property
    def network(self) -> IPv6Network:
        """The prefix as a network."""
        return IPv6Network((self.prefix.ljust(16, b"\0"), len(self.prefix) * 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSet:
    """A mapping of consecutive ports. RFC 7753 4."""

    size: int
    """1-65535 ports; 65535 in a request: as many as possible."""
    first_internal_port: int
    parity: bool = False
    """Keep odd ports odd and even ports even."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOption:
    """An option this codec has no class for, or a malformed one in a response."""

    code: int
    data: bytes


type Option = (
    ThirdParty
    | PreferFailure
    | Filter
    | Description
    | Prefix64
    | PortSet
    | UnknownOption
)


def encode_options(options: tuple[Option, ...]) -> bytes:
    """Return options as they stand behind a message's body.

    Raises ValueError, or struct.error for a number out of its range.
    """
    encoded = []
    for option in options:
        code, data = _encode_option(option)
        encoded.append(_HEADER.pack(code, len(data)) + data + bytes(-len(data) % 4))
    return b"".join(encoded)


def decode_request_options(data: bytes, offset: int) -> tuple[Option, ...]:
    """Return the options from an offset on; raises DecodeError for a malformed one."""
    if offset == len(data):
        return ()
    found, end = _split(data, offset)
    if end != len(data):
        raise DecodeError(DropReason.OPTION, f"past the end at octet {end}")
    options = []
    for code, option_data in found:
        option = _decode_option(code, option_data)
        if option is None:
            raise DecodeError(DropReason.OPTION, f"malformed option {code}")
        options.append(option)
    return tuple(options)


def decode_response_options(
    data: bytes, offset: int
) -> tuple[tuple[Option, ...], bytes]:
    """Return the options from an offset on, and the octets that are no whole option.

    A client must ignore what it does not know, so nothing is refused here.
    RFC 6887 7.3.
    """
    if offset == len(data):
        return (), b""
    found, end = _split(data, offset)
    options = tuple(
        _decode_option(code, option_data) or UnknownOption(code=code, data=option_data)
        for code, option_data in found
    )
    return options, data[end:]


def _split(data: bytes, offset: int) -> tuple[list[tuple[int, bytes]], int]:
    """Return (code, data) of each whole option, and the offset where they end."""
    found = []
    while offset < len(data):
        code, length = _HEADER.unpack_from(data, offset)
        start = offset + _HEADER.size
        if start + length > len(data):
            break
        found.append((code, data[start : start + length]))
        offset = start + length + -length % 4
    return found, offset


def _encode_option(option: Option) -> tuple[int, bytes]:
    match option:
        case ThirdParty(internal_address=address):
            return OptionCode.THIRD_PARTY, pack_address(address)
        case PreferFailure():
            return OptionCode.PREFER_FAILURE, b""
        case Filter():
            return OptionCode.FILTER, _encode_filter(option)
        case Description(text=text):
            return OptionCode.DESCRIPTION, _encode_description(text)
        case Prefix64():
            return OptionCode.PREFIX64, _encode_prefix64(option)
        case PortSet():
            return OptionCode.PORT_SET, _encode_port_set(option)
        case UnknownOption(code=code, data=data):
            return code, data
        case _ as unreachable:
            assert_never(unreachable)


def _decode_option(code: int, data: bytes) -> Option | None:
    """Return an option, or None where its data is not what its code demands."""
    decode = _DECODERS.get(code)
    return UnknownOption(code=code, data=data) if decode is None else decode(data)


def _decode_third_party(data: bytes) -> ThirdParty | None:
    if len(data) != 16:
        return None
    return ThirdParty(internal_address=unpack_address(data))


def _decode_prefer_failure(data: bytes) -> PreferFailure | None:
    return None if data else PreferFailure()


def _is_filter(prefix_length: int, remote_address: IPAddress) -> bool:
    if remote_address.version == 4:
        return prefix_length == 0 or 96 <= prefix_length <= 128
    return 0 <= prefix_length <= 128


def _encode_filter(option: Filter) -> bytes:
    if not _is_filter(option.prefix_length, option.remote_address):
        raise ValueError(f"FILTER prefix length {option.prefix_length}")
    return _FILTER.pack(
        option.prefix_length, option.remote_port, pack_address(option.remote_address)
    )


def _decode_filter(data: bytes) -> Filter | None:
    if len(data) != _FILTER.size:
        return None
    prefix_length, remote_port, octets = _FILTER.unpack(data)
    remote_address = unpack_address(octets)
    if not _is_filter(prefix_length, remote_address):
        return None
    return Filter(
        prefix_length=prefix_length,
        remote_port=remote_port,
        remote_address=remote_address,
    )


def _encode_description(text: str) -> bytes:
    data = text.encode()
    if len(data) > _MAX_DESCRIPTION:
        raise ValueError(f"DESCRIPTION of {len(data)} octets")
    if 0 in data:
        raise ValueError("DESCRIPTION with NUL")
    return data


def _decode_description(data: bytes) -> Description | None:
    if len(data) > _MAX_DESCRIPTION or 0 in data:
        return None
    try:
        return Description(text=data.decode())
    except UnicodeDecodeError:
        return None


def _encode_prefix64(option: Prefix64) -> bytes:
    octets = option.prefix + option.suffix
    if len(option.prefix) not in _PREFIX64_LENGTHS or len(octets) != _PREFIX64_OCTETS:
        raise ValueError(
            f"PREFIX64 of {len(option.prefix)} and {len(option.suffix)} octets"
        )
    data = _PREFIX64.pack(len(option.prefix), octets)
    if option.ipv4_prefixes is None:
        return data
    return (
        data
        + _COUNT.pack(len(option.ipv4_prefixes))
        + b"".join(
            _IPV4_PREFIX.pack(network.prefixlen, network.network_address.packed)
            for network in option.ipv4_prefixes
        )
    )


def _decode_prefix64(data: bytes) -> Prefix64 | None:
    if len(data) < _PREFIX64.size:
        return None
    length, octets = _PREFIX64.unpack_from(data)
    if length not in _PREFIX64_LENGTHS:
        return None
    ipv4_prefixes: tuple[IPv4Network, ...] | None = None
    if len(data) > _PREFIX64.size:
        try:
            ipv4_prefixes = _decode_ipv4_prefixes(data[_PREFIX64.size :])
        except ValueError:
            return None
    return Prefix64(
        prefix=octets[:length], suffix=octets[length:], ipv4_prefixes=ipv4_prefixes
    )


def _decode_ipv4_prefixes(data: bytes) -> tuple[IPv4Network, ...]:
    """Return the list behind a NAT64 prefix; raises ValueError where it is none.

    What is no prefix in it is passed over, unless nothing else is in it. RFC 7225 4.3.
    """
    entries = data[_COUNT.size :]
    count = int.from_bytes(data[: _COUNT.size])
    if len(data) < _COUNT.size or len(entries) != count * _IPV4_PREFIX.size:
        raise ValueError("IPv4 prefix count")
    prefixes = []
    for prefix_length, octets in _IPV4_PREFIX.iter_unpack(entries):
        with suppress(ValueError):
            prefixes.append(IPv4Network((octets, prefix_length)))
    if entries and not prefixes:
        raise ValueError("no IPv4 prefix")
    return tuple(prefixes)


def _encode_port_set(option: PortSet) -> bytes:
    if option.size == 0:
        raise ValueError("PORT_SET of no port")
    return _PORT_SET.pack(option.size, option.first_internal_port, option.parity)


def _decode_port_set(data: bytes) -> PortSet | None:
    if len(data) != _PORT_SET.size:
        return None
    size, first_internal_port, flags = _PORT_SET.unpack(data)
    if size == 0:
        return None
    return PortSet(
        size=size, first_internal_port=first_internal_port, parity=bool(flags & 1)
    )


_DECODERS: dict[int, Callable[[bytes], Option | None]] = {
    OptionCode.THIRD_PARTY: _decode_third_party,
    OptionCode.PREFER_FAILURE: _decode_prefer_failure,
    OptionCode.FILTER: _decode_filter,
    OptionCode.DESCRIPTION: _decode_description,
    OptionCode.PREFIX64: _decode_prefix64,
    OptionCode.PORT_SET: _decode_port_set,
}
