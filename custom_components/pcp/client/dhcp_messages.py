"""The DHCP messages that ask for PCP servers, and what their answers name. No I/O.

RFC 7291: option 158 of DHCPv4, option 86 of DHCPv6. Any octets may come in: what is no
answer to the question is None, and what is not encoded as it must be names nothing.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
import struct

from .codec import IPAddress

type Servers = list[tuple[IPAddress, ...]]
"""Servers, each with all its addresses, in the order of the answer."""

TRANSACTION_ID_LENGTH_V4 = 4
TRANSACTION_ID_LENGTH_V6 = 3

# RFC 2131 2: op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr,
# chaddr, sname, file; then the magic cookie of RFC 2132 2.
_HEADER = struct.Struct("!4B4s2H4s12x16s64s128s4s")
_COOKIE = bytes((99, 130, 83, 99))
_BOOT_REQUEST, _BOOT_REPLY = 1, 2
_ETHERNET = 1
# RFC 951 3: servers and relays may drop shorter messages.
_SHORTEST = 300
# RFC 2132
_PAD, _END = 0, 255
_OVERLOAD, _MESSAGE_TYPE, _PARAMETER_REQUEST_LIST = 52, 53, 55
_ACK, _INFORM = 5, 8
_FILE_HOLDS_OPTIONS, _SNAME_HOLDS_OPTIONS = 1, 2
# RFC 7291 4.1
_V4_PCP_SERVER = 158

# RFC 8415 7.3, 21
_REPLY, _INFORMATION_REQUEST = 7, 11
_CLIENT_ID, _SERVER_ID, _OPTION_REQUEST, _ELAPSED_TIME = 1, 2, 6, 8
_INFORMATION_REFRESH_TIME, _INF_MAX_RT = 32, 83
_DUID_LINK_LAYER = 3
# RFC 7291 3.1
_V6_PCP_SERVER = 86


def encode_inform(
    *,
    transaction_id: bytes,
    client_address: IPv4Address,
    hardware_address: bytes,
    seconds: int = 0,
) -> bytes:
    """Return a DHCPINFORM. RFC 2131 4.4.3.

    The transaction id has 4 octets, the hardware address is an Ethernet one, `seconds`
    counts from the first request.
    """
    header = _HEADER.pack(
        _BOOT_REQUEST,
        _ETHERNET,
        len(hardware_address),
        0,
        transaction_id,
        seconds,
        0,
        client_address.packed,
        hardware_address,
        b"",
        b"",
        _COOKIE,
    )
    options = (_MESSAGE_TYPE, 1, _INFORM, _PARAMETER_REQUEST_LIST, 1, _V4_PCP_SERVER)
    return (header + bytes((*options, _END))).ljust(_SHORTEST, b"\0")


def decode_inform_answer(
    data: bytes, *, transaction_id: bytes, hardware_address: bytes
) -> Servers | None:
    """Return the servers that a DHCPACK names, None if it is not ours. RFC 7291 4."""
    if len(data) < _HEADER.size:
        return None
    op, _, _, _, xid, _, _, _, chaddr, sname, file, cookie = _HEADER.unpack_from(data)
    if (op, xid, cookie) != (_BOOT_REPLY, transaction_id, _COOKIE):
        return None
    if chaddr[: len(hardware_address)] != hardware_address:
        return None
    options: dict[int, bytes] = {}
    _collect(options, data[_HEADER.size :])
    # RFC 3396 5: these fields in this order, whatever their order in the message.
    overload = int.from_bytes(options.get(_OVERLOAD, b"")[:1])
    if overload & _FILE_HOLDS_OPTIONS:
        _collect(options, file)
    if overload & _SNAME_HOLDS_OPTIONS:
        _collect(options, sname)
    if options.get(_MESSAGE_TYPE) != bytes((_ACK,)):
        return None
    return _servers(
        map(IPv4Address, _split(addresses, 4))
        for addresses in _lists(options.get(_V4_PCP_SERVER, b""))
    )


def encode_information_request(
    *, transaction_id: bytes, hardware_address: bytes, seconds: int = 0
) -> bytes:
    """Return a DHCPv6 INFORMATION-REQUEST. RFC 8415 18.2.6.

    The transaction id has 3 octets, the hardware address is an Ethernet one, `seconds`
    counts from the first request.
    """
    # The first two are a MUST; what they say is of no use to somebody who asks once.
    wanted = struct.pack("!3H", _INFORMATION_REFRESH_TIME, _INF_MAX_RT, _V6_PCP_SERVER)
    return b"".join(
        (
            bytes((_INFORMATION_REQUEST,)),
            transaction_id,
            _option(_CLIENT_ID, _client_id(hardware_address)),
            _option(_ELAPSED_TIME, struct.pack("!H", seconds * 100)),
            _option(_OPTION_REQUEST, wanted),
        )
    )


def decode_information_answer(
    data: bytes, *, transaction_id: bytes, hardware_address: bytes
) -> Servers | None:
    """Return the servers that a DHCPv6 Reply names, None if it is not ours.

    RFC 7291 3, RFC 8415 16.10.
    """
    if data[:4] != bytes((_REPLY,)) + transaction_id:
        return None
    options = list(_options(data[4:]))
    client_ids = [value for code, value in options if code == _CLIENT_ID]
    if client_ids != [_client_id(hardware_address)]:
        return None
    if not any(code == _SERVER_ID for code, _ in options):
        return None
    return _servers(
        map(_unmapped, _split(value, 16))
        for code, value in options
        if code == _V6_PCP_SERVER and not len(value) % 16
    )


def _servers(lists: Iterable[Iterable[IPAddress]]) -> Servers:
    servers = (tuple(filter(_is_usable, addresses)) for addresses in lists)
    return [addresses for addresses in servers if addresses]


def _is_usable(address: IPAddress) -> bool:
    """RFC 7291 3.2, 4.2; and "any address" would lead to ourselves."""
    return not (address.is_multicast or address.is_loopback or address.is_unspecified)


def _unmapped(packed: bytes) -> IPAddress:
    address = IPv6Address(packed)
    return address.ipv4_mapped or address


def _split(data: bytes, length: int) -> Iterator[bytes]:
    return (data[at : at + length] for at in range(0, len(data), length))


def _collect(options: dict[int, bytes], field: bytes) -> None:
    """Add a field's options; the parts of a long one are put together. RFC 3396 7."""
    at = 0
    while at < len(field) and (code := field[at]) != _END:
        if code == _PAD:
            at += 1
            continue
        begin = at + 2
        at = begin + field[at + 1] if at + 1 < len(field) else len(field) + 1
        if at > len(field):
            return
        options[code] = options.get(code, b"") + field[begin:at]


def _lists(data: bytes) -> list[bytes]:
    """Split the value of option 158; not as RFC 7291 4.1 says, it holds nothing."""
    lists = []
    while data:
        length = data[0]
        if not length or length % 4 or length >= len(data):
            return []
        lists.append(data[1 : 1 + length])
        data = data[1 + length :]
    return lists


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the options of a DHCPv6 message, as far as they are whole."""
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("!HH", data, at)
        begin, at = at + 4, at + 4 + length
        if at <= len(data):
            yield code, data[begin:at]


def _client_id(hardware_address: bytes) -> bytes:
    """Return the DUID of RFC 8415 11.4; it needs nothing to be remembered."""
    return struct.pack("!HH", _DUID_LINK_LAYER, _ETHERNET) + hardware_address
