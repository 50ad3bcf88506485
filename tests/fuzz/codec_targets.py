"""The codecs under any octets: a value that comes back from its octets, or the error."""

from custom_components.pcp.client import wire
from custom_components.pcp.client.codec import (
    MAX_DATAGRAM,
    DecodeError,
    decode_nat_pmp_request,
    decode_nat_pmp_response,
    decode_request,
    decode_response,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.dhcp_messages import (
    Servers,
    decode_inform_answer,
    decode_information_answer,
)

HARDWARE_ADDRESS = bytes.fromhex("02005e007702")
TRANSACTION_ID_V4 = b"\x01\x02\x03\x04"
TRANSACTION_ID_V6 = b"\x01\x02\x03"


def pcp_request(data: bytes) -> None:
    """RFC 6887 8.2: what a server reads."""
    try:
        message = decode_request(data)
    except DecodeError:
        return
    assert decode_request(encode(message)) == message


def pcp_response(data: bytes) -> None:
    """RFC 6887 8.3: what a client reads."""
    try:
        message = decode_response(data)
    except DecodeError:
        return
    # UNSUPP_VERSION is recognised in any length.
    if len(data) <= MAX_DATAGRAM:
        assert decode_response(encode(message)) == message


def nat_pmp_request(data: bytes) -> None:
    """RFC 6886 3: what a server reads."""
    try:
        message = decode_nat_pmp_request(data)
    except DecodeError:
        return
    assert decode_nat_pmp_request(encode_nat_pmp(message)) == message


def nat_pmp_response(data: bytes) -> None:
    """RFC 6886 3: what a client reads; it comes back octet by octet."""
    try:
        message = decode_nat_pmp_response(data)
    except DecodeError:
        return
    assert encode_nat_pmp(message) == data


def answer(data: bytes) -> None:
    """An answer or an announcement in either protocol, as the keeper reads it."""
    try:
        known = wire.read(data)
    except DecodeError:
        return
    if isinstance(known, wire.MapAnswer | wire.StatusAnswer):
        assert 0 <= known.epoch_time < 2**32
    if isinstance(known, wire.MapAnswer):
        assert 0 <= known.lifetime < 2**32
        assert known.nonce is None or len(known.nonce) == 12


def dhcp_answer(data: bytes) -> None:
    """RFC 2131, RFC 7291: the answer to a DHCPINFORM; it raises nothing."""
    _look_at(
        decode_inform_answer(
            data,
            transaction_id=TRANSACTION_ID_V4,
            hardware_address=HARDWARE_ADDRESS,
        )
    )


def dhcpv6_answer(data: bytes) -> None:
    """RFC 8415, RFC 7291: the answer to an INFORMATION-REQUEST; it raises nothing."""
    _look_at(
        decode_information_answer(
            data,
            transaction_id=TRANSACTION_ID_V6,
            hardware_address=HARDWARE_ADDRESS,
        )
    )


def _look_at(servers: Servers | None) -> None:
    """Nothing that leads to ourselves or to many is taken for a server."""
    for addresses in servers or ():
        assert addresses
        for address in addresses:
            assert not address.is_multicast
            assert not address.is_loopback
            assert not address.is_unspecified
