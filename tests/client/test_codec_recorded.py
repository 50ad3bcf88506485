"""Exchanges recorded from miniupnpd 2.3.1: decoded and encoded again, octet by octet."""

import pytest

from custom_components.pcp.client.codec import (
    DecodeError,
    DropReason,
    Request,
    Response,
    decode_nat_pmp_request,
    decode_nat_pmp_response,
    decode_request,
    decode_response,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.codec.nat_pmp import NatPmpRequest, NatPmpResponse

from .vectors import Exchange, recorded_exchanges

EXCHANGES = recorded_exchanges()

REFUSED_REQUESTS = {
    10: DropReason.RESPONSE_BIT,  # sent to see it dropped
    11: DropReason.LENGTH,  # 8 octets are no header
    12: DropReason.LENGTH,  # 2 octets are no header
    13: DropReason.LENGTH,  # 25 octets are not whole words
    14: DropReason.LENGTH,  # 1104 octets are above the limit
    15: DropReason.LENGTH,  # a MAP cut off at 44 octets
    72: DropReason.OPTION,  # an option of 64 octets where none follow
    107: DropReason.OPCODE,  # NAT-PMP opcode 9 does not exist
}
REFUSED_RESPONSES = {
    6: DropReason.VERSION,  # version 1, an old draft that is not spoken here
    7: DropReason.VERSION,  # the same, its MAP has no nonce
    8: DropReason.VERSION,  # the same
    11: DropReason.LENGTH,  # version octet 0: no NAT-PMP answer has 24 octets
    13: DropReason.LENGTH,  # the same, 28 octets
}


def read_request(data: bytes) -> Request | NatPmpRequest:
    """Decode as a server does that speaks both protocols."""
    return decode_request(data) if data[0] else decode_nat_pmp_request(data)


def read_response(data: bytes) -> Response | NatPmpResponse:
    """Decode as a client does that speaks both protocols."""
    return decode_response(data) if data[0] else decode_nat_pmp_response(data)


def test_all_exchanges_are_found() -> None:
    """The file holds 107 exchanges, two of them without an answer."""
    assert [exchange.number for exchange in EXCHANGES] == list(range(1, 108))
    assert [e.number for e in EXCHANGES if e.response is None] == [10, 12]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: f"{e.number} {e.title}")
def test_recorded_request(exchange: Exchange) -> None:
    """What can be decoded comes out as the same octets again."""
    reason = REFUSED_REQUESTS.get(exchange.number)
    if reason is not None:
        with pytest.raises(DecodeError) as error:
            read_request(exchange.request)
        assert error.value.reason is reason
        return
    if exchange.request[0]:
        assert encode(decode_request(exchange.request)) == exchange.request
    else:
        request = decode_nat_pmp_request(exchange.request)
        assert encode_nat_pmp(request) == exchange.request


@pytest.mark.parametrize(
    "exchange",
    [exchange for exchange in EXCHANGES if exchange.response is not None],
    ids=lambda e: f"{e.number} {e.title}",
)
def test_recorded_response(exchange: Exchange) -> None:
    """What can be decoded comes out as the same octets again."""
    data = exchange.response
    assert data is not None
    reason = REFUSED_RESPONSES.get(exchange.number)
    if reason is not None:
        with pytest.raises(DecodeError) as error:
            read_response(data)
        assert error.value.reason is reason
        return
    if data[0]:
        assert encode(decode_response(data)) == data
    else:
        assert encode_nat_pmp(decode_nat_pmp_response(data)) == data
