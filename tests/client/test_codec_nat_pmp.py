"""NAT-PMP messages against hand-made datagrams, both ways."""

from ipaddress import IPv4Address

import pytest

from custom_components.pcp.client.codec import (
    DecodeError,
    DropReason,
    ExternalAddressRequest,
    ExternalAddressResponse,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpResult,
    decode_nat_pmp_request,
    decode_nat_pmp_response,
    encode_nat_pmp,
)
from custom_components.pcp.client.codec.nat_pmp import NatPmpRequest, NatPmpResponse

from .vectors import (
    EXTERNAL_ADDRESS_REQUEST,
    EXTERNAL_ADDRESS_RESPONSE,
    MAP_REQUEST,
    MAP_RESPONSE,
    NAT_PMP_MAP_REQUEST,
    NAT_PMP_MAP_RESPONSE,
)

REQUESTS: list[tuple[bytes, NatPmpRequest]] = [
    (EXTERNAL_ADDRESS_REQUEST, ExternalAddressRequest()),
    (
        NAT_PMP_MAP_REQUEST,
        NatPmpMapRequest(
            protocol=6,
            internal_port=1234,
            suggested_external_port=1235,
            lifetime=1000,
        ),
    ),
    (
        bytes.fromhex("0001 0000 04d2 0000 00000000"),
        NatPmpMapRequest(protocol=17, internal_port=1234, lifetime=0),
    ),
]
RESPONSES: list[tuple[bytes, NatPmpResponse]] = [
    (
        EXTERNAL_ADDRESS_RESPONSE,
        ExternalAddressResponse(
            result_code=NatPmpResult.SUCCESS,
            epoch_time=0x66FD6E9C,
            external_address=IPv4Address("1.2.3.4"),
        ),
    ),
    (
        NAT_PMP_MAP_RESPONSE,
        NatPmpMapResponse(
            result_code=NatPmpResult.SUCCESS,
            epoch_time=0x66FD6EA3,
            protocol=6,
            internal_port=1234,
            assigned_external_port=1235,
            lifetime=500,
        ),
    ),
    (
        bytes.fromhex("0081 0000 00000007 04d2 04d2 ffffffff"),
        NatPmpMapResponse(
            result_code=NatPmpResult.SUCCESS,
            epoch_time=7,
            protocol=17,
            internal_port=1234,
            assigned_external_port=1234,
            lifetime=2**32 - 1,
        ),
    ),
    (
        bytes.fromhex("0082 0002 00000007"),
        NatPmpErrorResponse(
            opcode=0x82, result_code=NatPmpResult.NOT_AUTHORIZED, epoch_time=7
        ),
    ),
    (
        bytes.fromhex("0080 0003 00000007"),
        NatPmpErrorResponse(
            opcode=0x80, result_code=NatPmpResult.NETWORK_FAILURE, epoch_time=7
        ),
    ),
    (
        bytes.fromhex("0000 0001 00000007"),  # RFC 6886 3.5: opcode 0
        NatPmpErrorResponse(
            opcode=0, result_code=NatPmpResult.UNSUPP_VERSION, epoch_time=7
        ),
    ),
    (
        bytes.fromhex("0081 0001 00000000"),  # to a PCP MAP, as routers send it
        NatPmpErrorResponse(
            opcode=0x81, result_code=NatPmpResult.UNSUPP_VERSION, epoch_time=0
        ),
    ),
    (
        bytes.fromhex("0089 0005 0000001a"),
        NatPmpErrorResponse(
            opcode=0x89, result_code=NatPmpResult.UNSUPP_OPCODE, epoch_time=26
        ),
    ),
    (
        bytes.fromhex("0089 0005 04d2 04d3 000003e8"),  # RFC 6886 3.5: an echo
        NatPmpErrorResponse(
            opcode=0x89,
            result_code=NatPmpResult.UNSUPP_OPCODE,
            epoch_time=0,
            echo=bytes.fromhex("04d204d3000003e8"),
        ),
    ),
    (
        bytes.fromhex("0089 0005"),
        NatPmpErrorResponse(
            opcode=0x89, result_code=NatPmpResult.UNSUPP_OPCODE, echo=b""
        ),
    ),
    (
        bytes.fromhex("00810001") + MAP_REQUEST[4:],  # a PCP MAP echoed whole
        NatPmpErrorResponse(
            opcode=0x81,
            result_code=NatPmpResult.UNSUPP_VERSION,
            echo=MAP_REQUEST[4:],
        ),
    ),
]


def refused_request(data: bytes) -> DropReason:
    """Return why a request is refused."""
    with pytest.raises(DecodeError) as error:
        decode_nat_pmp_request(data)
    return error.value.reason


def refused_response(data: bytes) -> DropReason:
    """Return why a response is refused."""
    with pytest.raises(DecodeError) as error:
        decode_nat_pmp_response(data)
    return error.value.reason


@pytest.mark.parametrize(("data", "message"), [*REQUESTS, *RESPONSES])
def test_encoded(data: bytes, message: NatPmpRequest | NatPmpResponse) -> None:
    """RFC 6886 3.2, 3.3, 3.5: fields stand where the figures draw them."""
    assert encode_nat_pmp(message) == data


@pytest.mark.parametrize(("data", "message"), REQUESTS)
def test_request_decoded(data: bytes, message: NatPmpRequest) -> None:
    """RFC 6886 3.2, 3.3: a request's fields are read where the figures draw them."""
    assert decode_nat_pmp_request(data) == message


@pytest.mark.parametrize(("data", "message"), RESPONSES)
def test_response_decoded(data: bytes, message: NatPmpResponse) -> None:
    """RFC 6886 3.2, 3.3, 3.5: a response's fields are read where the figures say."""
    assert decode_nat_pmp_response(data) == message


def test_reserved_field_is_ignored() -> None:
    """RFC 6886 3.3: the reserved field of a request is ignored."""
    data = NAT_PMP_MAP_REQUEST[:2] + b"\xff\xff" + NAT_PMP_MAP_REQUEST[4:]
    assert decode_nat_pmp_request(data) == decode_nat_pmp_request(NAT_PMP_MAP_REQUEST)


@pytest.mark.parametrize("code", [*NatPmpResult, 6, 0x42, 0x100, 0xFFFF])
@pytest.mark.parametrize(
    "data", [EXTERNAL_ADDRESS_RESPONSE, NAT_PMP_MAP_RESPONSE], ids=["address", "map"]
)
def test_result_code_in_an_answer_of_full_length(data: bytes, code: int) -> None:
    """RFC 6886 3.5: a result code comes in as its name, or else as its number."""
    data = data[:2] + code.to_bytes(2) + data[4:]
    message = decode_nat_pmp_response(data)
    assert message.result_code == code
    assert isinstance(message.result_code, NatPmpResult) is (code in NatPmpResult)
    assert not isinstance(message, NatPmpErrorResponse)
    assert encode_nat_pmp(message) == data


@pytest.mark.parametrize("opcode", [0x80, 0x81, 0x82, 0x83, 0xFF])
@pytest.mark.parametrize("code", [*list(NatPmpResult)[1:], 6, 0x42, 0x100, 0xFFFF])
def test_result_code_in_an_error_of_8_octets(opcode: int, code: int) -> None:
    """RFC 6886 3.5: an error of any opcode may be no more than result and epoch."""
    data = bytes([0, opcode]) + code.to_bytes(2) + bytes.fromhex("00000007")
    message = decode_nat_pmp_response(data)
    assert message == NatPmpErrorResponse(opcode=opcode, result_code=code, epoch_time=7)
    assert isinstance(message.result_code, NatPmpResult) is (code in NatPmpResult)
    assert encode_nat_pmp(message) == data


@pytest.mark.parametrize("data", [EXTERNAL_ADDRESS_REQUEST, NAT_PMP_MAP_REQUEST])
def test_request_cut_off(data: bytes) -> None:
    """RFC 6886 3.2, 3.3: a request cut off anywhere is refused for its length."""
    for length in range(len(data)):
        assert refused_request(data[:length]) is DropReason.LENGTH


@pytest.mark.parametrize(
    "data", [EXTERNAL_ADDRESS_REQUEST + b"\0", NAT_PMP_MAP_REQUEST + b"\0"]
)
def test_request_too_long(data: bytes) -> None:
    """RFC 6886 3.2, 3.3: a request has its opcode's length and no other."""
    assert refused_request(data) is DropReason.LENGTH


@pytest.mark.parametrize("data", [EXTERNAL_ADDRESS_RESPONSE, NAT_PMP_MAP_RESPONSE])
def test_success_of_another_length(data: bytes) -> None:
    """RFC 6886 3.2, 3.3: a success has its opcode's length and no other."""
    for length in range(len(data) + 12):
        if length != len(data):
            answer = (data + bytes(12))[:length]
            assert refused_response(answer) is DropReason.LENGTH


@pytest.mark.parametrize("code", [2, 3, 4, 6])
@pytest.mark.parametrize(("opcode", "own_length"), [(0x80, 12), (0x82, 16)])
def test_error_of_another_length(code: int, opcode: int, own_length: int) -> None:
    """RFC 6886 3.5: an error that is no echo is 8 octets or its opcode's length.

    miniupnpd answers PCP requests of wrong length with 24 and 28 octets that look
    like a network failure of NAT-PMP.
    """
    for length in range(4, 61):
        if length not in (8, own_length):
            data = bytes([0, opcode, 0, code]) + bytes(length - 4)
            assert refused_response(data) is DropReason.LENGTH


def test_answers_of_one_opcode_with_the_length_of_another() -> None:
    """RFC 6886 3.2, 3.3: 12 octets are no map answer, 16 no address."""
    twelve = b"\0\x82" + EXTERNAL_ADDRESS_RESPONSE[2:]
    sixteen = b"\0\x80" + NAT_PMP_MAP_RESPONSE[2:]
    assert refused_response(twelve) is DropReason.LENGTH
    assert refused_response(sixteen) is DropReason.LENGTH


@pytest.mark.parametrize("version", [1, 2, 255])
def test_other_versions(version: int) -> None:
    """RFC 6886 3.1: only version 0 is NAT-PMP."""
    for data in (EXTERNAL_ADDRESS_RESPONSE, MAP_RESPONSE):
        assert refused_response(bytes([version]) + data[1:]) is DropReason.VERSION
    for data in (EXTERNAL_ADDRESS_REQUEST, MAP_REQUEST):
        assert refused_request(bytes([version]) + data[1:]) is DropReason.VERSION


@pytest.mark.parametrize("opcode", [3, 9, 127])
def test_unknown_opcode(opcode: int) -> None:
    """RFC 6886 3.5: an opcode that nobody defined is told as such, at any length."""
    for tail in (b"", bytes(6), bytes(10)):
        assert refused_request(bytes([0, opcode]) + tail) is DropReason.OPCODE
    for tail in (bytes(6), bytes(10), bytes(14)):
        answer = bytes([0, 0x80 | opcode]) + tail
        assert refused_response(answer) is DropReason.OPCODE


def test_response_is_no_request() -> None:
    """RFC 6886 3: an opcode with 128 added is an answer."""
    for data, _ in RESPONSES:
        if data[1]:
            assert refused_request(data) is DropReason.RESPONSE_BIT


@pytest.mark.parametrize(
    "data",
    [
        NAT_PMP_MAP_REQUEST,
        bytes.fromhex("0000 0000 00000007"),
        bytes.fromhex("0000 0002 00000007"),
        bytes.fromhex("0002 0001 00000007"),
        bytes.fromhex("0009 0005 00000007"),
        bytes.fromhex("0001 0000 00000007 04d2 04d2 000003e8"),
    ],
)
def test_request_is_no_response(data: bytes) -> None:
    """RFC 6886 3.5: only the answer to an unknown version may lack the 128."""
    assert refused_response(data) is DropReason.RESPONSE_BIT


@pytest.mark.parametrize("length", range(4))
def test_response_shorter_than_a_result(length: int) -> None:
    """RFC 6886 3.5: without a result code there is no answer."""
    assert refused_response(b"\0\x80\0\0"[:length]) is DropReason.LENGTH


@pytest.mark.parametrize(
    "message",
    [
        NatPmpMapRequest(protocol=132, internal_port=1, lifetime=0),
        NatPmpMapRequest(protocol=6, internal_port=65536, lifetime=0),
        NatPmpMapRequest(protocol=6, internal_port=-1, lifetime=0),
        NatPmpMapRequest(protocol=6, internal_port=1, lifetime=2**32),
        NatPmpMapRequest(
            protocol=6, internal_port=1, suggested_external_port=65536, lifetime=0
        ),
        NatPmpMapResponse(
            result_code=0,
            epoch_time=0,
            protocol=0,
            internal_port=1,
            assigned_external_port=1,
            lifetime=0,
        ),
        ExternalAddressResponse(
            result_code=65536, epoch_time=0, external_address=IPv4Address(0)
        ),
        NatPmpErrorResponse(opcode=256, result_code=2),
        NatPmpErrorResponse(opcode=0x80, result_code=2, epoch_time=2**32),
        NatPmpErrorResponse(opcode=0x80, result_code=65536, echo=b""),
    ],
)
def test_not_expressible(message: NatPmpRequest | NatPmpResponse) -> None:
    """RFC 6886 3: what the wire has no room for is a ValueError."""
    with pytest.raises(ValueError, match=r"out of range|NAT-PMP has no protocol"):
        encode_nat_pmp(message)
