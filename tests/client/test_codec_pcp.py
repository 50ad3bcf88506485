"""PCP messages against hand-made datagrams, both ways."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    DecodeError,
    DropReason,
    MapRequest,
    MapResponse,
    Opcode,
    PeerRequest,
    PeerResponse,
    PreferFailure,
    Request,
    Response,
    ResultCode,
    ThirdParty,
    UnknownRequest,
    UnknownResponse,
    decode_request,
    decode_response,
    encode,
)

from .vectors import (
    ANNOUNCE_REQUEST,
    ANNOUNCE_RESPONSE,
    MAP_REQUEST,
    MAP_REQUEST_IPV6,
    MAP_RESPONSE,
    NONCE,
    PEER_REQUEST,
    PEER_RESPONSE,
    rows,
)

CLIENT = IPv4Address("192.168.0.6")
OPTIONAL_HEADER = bytes.fromhex("c8000040")  # option 200, 64 octets that never come

ANNOUNCE = AnnounceRequest(client_address=CLIENT)
MAP = MapRequest(
    client_address=CLIENT,
    lifetime=1000,
    nonce=NONCE,
    protocol=6,
    internal_port=1234,
    suggested_external_port=1235,
    suggested_external_address=IPv4Address("0.0.0.0"),
)
PEER = PeerRequest(
    client_address=CLIENT,
    lifetime=1000,
    nonce=NONCE,
    protocol=6,
    internal_port=1234,
    suggested_external_address=IPv4Address("0.0.0.0"),
    remote_port=443,
    remote_address=IPv4Address("198.51.100.7"),
)
REQUESTS: list[tuple[bytes, AnnounceRequest | MapRequest | PeerRequest]] = [
    (ANNOUNCE_REQUEST, ANNOUNCE),
    (MAP_REQUEST, MAP),
    (
        MAP_REQUEST_IPV6,
        MapRequest(
            client_address=IPv6Address("2a10:1234:5678:9012::9abc"),
            lifetime=1000,
            nonce=NONCE,
            protocol=17,
            internal_port=1234,
            suggested_external_address=IPv6Address("::"),
        ),
    ),
    (PEER_REQUEST, PEER),
]

ANNOUNCED = AnnounceResponse(result_code=ResultCode.SUCCESS, epoch_time=0x720)
MAPPED = MapResponse(
    result_code=ResultCode.SUCCESS,
    lifetime=500,
    epoch_time=0x0BAD1DEA,
    nonce=NONCE,
    protocol=6,
    internal_port=1234,
    assigned_external_port=1235,
    assigned_external_address=IPv4Address("1.2.3.4"),
)
PEERED = PeerResponse(
    result_code=ResultCode.SUCCESS,
    lifetime=500,
    epoch_time=0x0BAD1DEA,
    nonce=NONCE,
    protocol=6,
    internal_port=1234,
    assigned_external_port=1235,
    assigned_external_address=IPv4Address("1.2.3.4"),
    remote_port=443,
    remote_address=IPv4Address("198.51.100.7"),
)
RESPONSES: list[tuple[bytes, AnnounceResponse | MapResponse | PeerResponse]] = [
    (ANNOUNCE_RESPONSE, ANNOUNCED),
    (MAP_RESPONSE, MAPPED),
    (PEER_RESPONSE, PEERED),
]


def with_octet(data: bytes, offset: int, value: int) -> bytes:
    """Return a datagram with one octet replaced."""
    return data[:offset] + bytes([value]) + data[offset + 1 :]


def refused_request(data: bytes) -> DropReason:
    """Return why a request is refused."""
    with pytest.raises(DecodeError) as error:
        decode_request(data)
    return error.value.reason


def refused_response(data: bytes) -> DropReason:
    """Return why a response is refused."""
    with pytest.raises(DecodeError) as error:
        decode_response(data)
    return error.value.reason


@pytest.mark.parametrize(("data", "message"), REQUESTS)
def test_request_encoded(data: bytes, message: Request) -> None:
    """7.1, 11.1, 12.1: a request's fields stand where the figures draw them."""
    assert encode(message) == data


@pytest.mark.parametrize(("data", "message"), REQUESTS)
def test_request_decoded(data: bytes, message: Request) -> None:
    """7.1, 11.1, 12.1: a request's fields are read where the figures draw them."""
    assert decode_request(data) == message


@pytest.mark.parametrize(("data", "message"), RESPONSES)
def test_response_encoded(data: bytes, message: Response) -> None:
    """7.2, 11.1, 12.1: a response's fields stand where the figures draw them."""
    assert encode(message) == data


@pytest.mark.parametrize(("data", "message"), RESPONSES)
def test_response_decoded(data: bytes, message: Response) -> None:
    """7.2, 11.1, 12.1: a response's fields are read where the figures draw them."""
    assert decode_response(data) == message


@pytest.mark.parametrize(
    ("octets", "address"),
    [
        ("00000000000000000000ffff00000000", IPv4Address("0.0.0.0")),
        ("00000000000000000000ffffffffffff", IPv4Address("255.255.255.255")),
        ("00000000000000000000000000000000", IPv6Address("::")),
        ("000000000000000000000000c0a80006", IPv6Address("::c0a8:6")),
        ("000000000000000000000001ffff0000", IPv6Address("::1:ffff:0")),
        ("80000000000000000000ffffc0a80006", IPv6Address("8000::ffff:c0a8:6")),
        ("00000000000000000001ffffc0a80006", IPv6Address("::1:ffff:c0a8:6")),
    ],
)
def test_all_96_bits_tell_ipv4(octets: str, address: IPv4Address | IPv6Address) -> None:
    """5: IPv4 only where all 96 bits are the v4-mapped prefix, and zeros of either."""
    data = MAP_RESPONSE[:44] + bytes.fromhex(octets)
    message = decode_response(data)
    assert message == replace(MAPPED, assigned_external_address=address)
    assert encode(message) == data


def test_mapped_ipv6_address_goes_out_as_ipv4() -> None:
    """5: ::ffff:192.168.0.6 and 192.168.0.6 are the same 16 octets."""
    message = AnnounceRequest(client_address=IPv6Address("::ffff:192.168.0.6"))
    assert encode(message) == ANNOUNCE_REQUEST


def test_scope_is_not_sent() -> None:
    """5: a link-local address loses its scope, which means nothing to the server."""
    scoped = AnnounceRequest(client_address=IPv6Address("fe80::6%eth0"))
    assert encode(scoped)[8:] == IPv6Address("fe80::6").packed


@pytest.mark.parametrize("offset", [2, 3, 37, 38, 39])
def test_reserved_octets_of_a_request_are_ignored(offset: int) -> None:
    """7.1: reserved fields are ignored on receipt."""
    assert decode_request(with_octet(MAP_REQUEST, offset, 0xFF)) == MAP


@pytest.mark.parametrize("offset", [2, 37, 38, 39])
def test_reserved_octets_of_a_response_are_ignored(offset: int) -> None:
    """7.2: reserved fields are ignored on receipt."""
    assert decode_response(with_octet(MAP_RESPONSE, offset, 0xFF)) == MAPPED


def test_reserved_96_bits_of_a_response_are_kept() -> None:
    """7.2: they may hold the end of the client's address, so they come back."""
    data = MAP_RESPONSE[:12] + NONCE + MAP_RESPONSE[24:]
    message = decode_response(data)
    assert message == replace(MAPPED, reserved=NONCE)
    assert encode(message) == data


@pytest.mark.parametrize("code", list(ResultCode))
def test_every_result_code(code: ResultCode) -> None:
    """7.4: each result code comes in as its name, but for the version's own form."""
    data = with_octet(MAP_RESPONSE, 3, code)
    message = decode_response(data)
    assert message.result_code is code
    assert isinstance(message, MapResponse) is (code != ResultCode.UNSUPP_VERSION)
    assert encode(message) == data


def test_unknown_result_code_is_a_number() -> None:
    """7.4: a result code that nobody defined is kept as its number."""
    for code in range(len(ResultCode), 256):
        data = with_octet(MAP_RESPONSE, 3, code)
        message = decode_response(data)
        assert message == replace(MAPPED, result_code=code)
        assert not isinstance(message.result_code, ResultCode)
        assert encode(message) == data


@pytest.mark.parametrize("data", [ANNOUNCE_REQUEST, MAP_REQUEST, PEER_REQUEST])
def test_request_cut_off(data: bytes) -> None:
    """8.2: a request cut off anywhere is refused for its length."""
    for length in range(len(data)):
        assert refused_request(data[:length]) is DropReason.LENGTH


@pytest.mark.parametrize("data", [ANNOUNCE_RESPONSE, MAP_RESPONSE, PEER_RESPONSE])
def test_success_cut_off(data: bytes) -> None:
    """8.3: a success cut off anywhere is refused for its length."""
    for length in range(len(data)):
        assert refused_response(data[:length]) is DropReason.LENGTH


@pytest.mark.parametrize("data", [MAP_RESPONSE, PEER_RESPONSE])
def test_error_too_short_for_its_opcode(data: bytes) -> None:
    """8.3: an error of whole words is heard even without its opcode's fields."""
    for length in range(24, len(data), 4):
        error = with_octet(data, 3, ResultCode.MALFORMED_REQUEST)[:length]
        message = decode_response(error)
        assert message == UnknownResponse(
            opcode=data[1] & 0x7F,
            result_code=ResultCode.MALFORMED_REQUEST,
            lifetime=500,
            epoch_time=0x0BAD1DEA,
            payload=error[24:],
        )
        assert encode(message) == error


def test_error_not_of_whole_words() -> None:
    """8.3: an error of a length that is no multiple of 4 is refused."""
    error = with_octet(MAP_RESPONSE, 3, ResultCode.MALFORMED_REQUEST) + bytes(4)
    for length in range(len(error)):
        if length < 24 or length % 4:
            assert refused_response(error[:length]) is DropReason.LENGTH


def test_longest_message() -> None:
    """7: 1100 octets are a message, 1104 are none."""
    longest = MAP_RESPONSE + bytes(1100 - len(MAP_RESPONSE))
    assert encode(decode_response(longest)) == longest
    assert refused_response(longest + bytes(4)) is DropReason.LENGTH


def test_longest_request() -> None:
    """7: 1100 octets are a message, 1104 are none."""
    longest = MAP_REQUEST + bytes(1100 - len(MAP_REQUEST))
    assert encode(decode_request(longest)) == longest
    assert refused_request(longest + bytes(4)) is DropReason.LENGTH


def test_response_bit_in_a_request() -> None:
    """8.2: a response is no request, however short it is."""
    assert refused_request(MAP_RESPONSE) is DropReason.RESPONSE_BIT
    assert refused_request(MAP_RESPONSE[:2]) is DropReason.RESPONSE_BIT


def test_no_response_bit_in_a_response() -> None:
    """8.3: a request is no response."""
    assert refused_response(MAP_REQUEST) is DropReason.RESPONSE_BIT


def test_version_0_is_nat_pmp() -> None:
    """9: version 0 is read by the other decoder, in requests and in responses."""
    assert refused_request(bytes(24)) is DropReason.VERSION
    assert refused_response(bytes.fromhex("0081000100000000")) is DropReason.VERSION


@pytest.mark.parametrize("version", [1, 3, 255])
def test_other_version_in_a_response(version: int) -> None:
    """9: nothing but UNSUPP_VERSION is understood in another version."""
    data = with_octet(MAP_RESPONSE, 0, version)
    assert refused_response(data) is DropReason.VERSION


@pytest.mark.parametrize("version", [1, 3, 255])
def test_other_version_in_a_request(version: int) -> None:
    """9: a server learns the version, and the opcode to answer to."""
    data = with_octet(MAP_REQUEST, 0, version)
    message = decode_request(data)
    assert message == UnknownRequest(
        opcode=Opcode.MAP,
        lifetime=1000,
        client_address=CLIENT,
        payload=data[24:],
        version=version,
    )
    assert encode(message) == data


@pytest.mark.parametrize("version", [1, 2, 3, 255])
def test_short_unsupp_version(version: int) -> None:
    """8.3: UNSUPP_VERSION is heard from 4 octets on, and tells no epoch then."""
    for length in range(4, 24):
        data = with_octet(with_octet(MAP_RESPONSE, 3, 1), 0, version)[:length]
        message = decode_response(data)
        assert message == UnknownResponse(
            opcode=Opcode.MAP,
            result_code=ResultCode.UNSUPP_VERSION,
            lifetime=0,
            epoch_time=0,
            payload=data[4:],
            truncated=True,
            version=version,
        )
        assert encode(message) == data


@pytest.mark.parametrize("length", [24, 25, 44, 59, 60, 1099, 1100])
def test_unsupp_version_of_any_length(length: int) -> None:
    """8.3: UNSUPP_VERSION is heard before the length is judged."""
    data = (with_octet(MAP_RESPONSE, 3, 1) + bytes(1100))[:length]
    message = decode_response(data)
    assert message == UnknownResponse(
        opcode=Opcode.MAP,
        result_code=ResultCode.UNSUPP_VERSION,
        lifetime=500,
        epoch_time=0x0BAD1DEA,
        payload=data[24:],
    )
    assert encode(message) == data


def test_unsupp_version_above_the_limit() -> None:
    """8.3: UNSUPP_VERSION is heard even in a datagram that could not be sent."""
    message = decode_response(with_octet(MAP_RESPONSE, 3, 1) + bytes(1100))
    assert message.result_code is ResultCode.UNSUPP_VERSION
    with pytest.raises(ValueError, match="1160 octets"):
        encode(message)


@pytest.mark.parametrize("opcode", [3, 42, 127])
def test_unknown_opcode_in_a_request(opcode: int) -> None:
    """7.1: a request of an unknown opcode keeps what follows its header."""
    data = with_octet(MAP_REQUEST, 1, opcode)
    message = decode_request(data)
    assert message == UnknownRequest(
        opcode=opcode, lifetime=1000, client_address=CLIENT, payload=data[24:]
    )
    assert encode(message) == data


@pytest.mark.parametrize("opcode", [3, 42, 127])
@pytest.mark.parametrize("code", [ResultCode.SUCCESS, ResultCode.UNSUPP_OPCODE])
def test_unknown_opcode_in_a_response(opcode: int, code: ResultCode) -> None:
    """7.2: a response of an unknown opcode keeps what follows its header."""
    data = with_octet(with_octet(MAP_RESPONSE, 1, 0x80 | opcode), 3, code)
    message = decode_response(data)
    assert message == UnknownResponse(
        opcode=opcode,
        result_code=code,
        lifetime=500,
        epoch_time=0x0BAD1DEA,
        payload=data[24:],
    )
    assert encode(message) == data


def test_options_follow_the_fields() -> None:
    """7.3: options stand behind the opcode's fields, in the order they were given."""
    options = (ThirdParty(internal_address=IPv4Address("192.168.0.9")), PreferFailure())
    octets = rows("""
        01000010                          # THIRD_PARTY, 16 octets
        00000000000000000000ffffc0a80009  # internal address 192.168.0.9
        02000000                          # PREFER_FAILURE, no octets
    """)
    for data, request in REQUESTS:
        with_options = replace(request, options=options)
        assert encode(with_options) == data + octets
        assert decode_request(data + octets) == with_options
    for data, response in RESPONSES:
        answer_with_options = replace(response, options=options)
        assert encode(answer_with_options) == data + octets
        assert decode_response(data + octets) == answer_with_options


@pytest.mark.parametrize("data", [data for data, _ in REQUESTS])
def test_option_past_the_end_of_a_request(data: bytes) -> None:
    """7.3: a request whose option runs past its end is refused."""
    assert refused_request(data + OPTIONAL_HEADER) is DropReason.OPTION


@pytest.mark.parametrize("data", [data for data, _ in RESPONSES])
def test_option_past_the_end_of_a_success(data: bytes) -> None:
    """7.3: a success whose option runs past its end is refused."""
    assert refused_response(data + OPTIONAL_HEADER) is DropReason.OPTION


@pytest.mark.parametrize(("data", "message"), RESPONSES)
def test_option_past_the_end_of_an_error(
    data: bytes, message: AnnounceResponse | MapResponse | PeerResponse
) -> None:
    """7.3: an error may give back the broken option that it complains about."""
    code = ResultCode.MALFORMED_OPTION
    whole = bytes.fromhex("02000000")
    data = with_octet(data, 3, code) + whole + OPTIONAL_HEADER
    expected = replace(
        message,
        result_code=code,
        options=(PreferFailure(),),
        trailing=OPTIONAL_HEADER,
    )
    assert decode_response(data) == expected
    assert encode(expected) == data


@pytest.mark.parametrize(
    "message",
    [
        replace(MAP, nonce=NONCE[:11]),
        replace(MAP, nonce=NONCE + b"\0"),
        replace(PEER, nonce=b""),
        replace(MAPPED, nonce=NONCE[:11]),
        replace(PEERED, nonce=NONCE[:11]),
        replace(MAPPED, reserved=bytes(11)),
        replace(ANNOUNCED, reserved=bytes(13)),
        replace(MAP, internal_port=65536),
        replace(MAP, internal_port=-1),
        replace(MAP, suggested_external_port=65536),
        replace(MAP, protocol=256),
        replace(MAP, lifetime=2**32),
        replace(MAP, lifetime=-1),
        replace(MAP, version=256),
        replace(PEER, remote_port=65536),
        replace(MAPPED, result_code=256),
        replace(MAPPED, epoch_time=2**32),
        replace(MAPPED, trailing=b"\0"),
        UnknownRequest(opcode=128, lifetime=0, client_address=CLIENT),
        UnknownRequest(opcode=-1, lifetime=0, client_address=CLIENT),
        UnknownRequest(opcode=3, lifetime=0, client_address=CLIENT, payload=b"\0"),
        UnknownResponse(opcode=128, result_code=1),
        UnknownResponse(opcode=3, result_code=0, payload=b"\0"),
        replace(MAP, options=(PreferFailure(),) * 261),
    ],
)
def test_not_expressible(message: Request | Response) -> None:
    """7: what the wire has no room for is a ValueError, not another datagram."""
    with pytest.raises(ValueError, match=r"octets|opcode|out of range"):
        encode(message)
