"""Any value comes back from its octets; any octets are a value or a DecodeError."""

from ipaddress import IPv4Network, IPv6Address

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.pcp.client.codec import (
    MAX_DATAGRAM,
    AnnounceRequest,
    AnnounceResponse,
    DecodeError,
    Description,
    ExternalAddressRequest,
    ExternalAddressResponse,
    Filter,
    IPAddress,
    MapRequest,
    MapResponse,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    Option,
    OptionCode,
    PeerRequest,
    PeerResponse,
    PortSet,
    PreferFailure,
    Prefix64,
    Request,
    Response,
    ResultCode,
    ThirdParty,
    UnknownOption,
    UnknownRequest,
    UnknownResponse,
    decode_nat_pmp_request,
    decode_nat_pmp_response,
    decode_request,
    decode_response,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.codec.nat_pmp import NatPmpRequest, NatPmpResponse

from .vectors import recorded_exchanges

UINT8 = st.integers(0, 2**8 - 1)
UINT16 = st.integers(0, 2**16 - 1)
UINT32 = st.integers(0, 2**32 - 1)
NONCES = st.binary(min_size=12, max_size=12)
# The options whose data decides whether they are what their code says.
KNOWN = {
    OptionCode.THIRD_PARTY,
    OptionCode.PREFER_FAILURE,
    OptionCode.FILTER,
    OptionCode.DESCRIPTION,
    OptionCode.PREFIX64,
    OptionCode.PORT_SET,
}


def has_other_form(address: IPAddress) -> bool:
    """Tell a v4-mapped IPv6 address, which comes back as IPv4."""
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


ADDRESSES = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda a: not has_other_form(a))
)


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Return a FILTER with a prefix length that its family has."""
    remote_address = draw(ADDRESSES)
    lengths = st.integers(0, 128)
    if remote_address.version == 4:
        lengths = st.just(0) | st.integers(96, 128)
    return Filter(
        prefix_length=draw(lengths),
        remote_port=draw(UINT16),
        remote_address=remote_address,
    )


@st.composite
def ipv4_networks(draw: st.DrawFn) -> IPv4Network:
    """Return any IPv4 network."""
    return IPv4Network(
        (draw(st.ip_addresses(v=4)), draw(st.integers(0, 32))), strict=False
    )


@st.composite
def prefixes64(draw: st.DrawFn) -> Prefix64:
    """Return a PREFIX64 of one of the six lengths."""
    length = draw(st.sampled_from([4, 5, 6, 7, 8, 12]))
    networks = st.lists(ipv4_networks(), max_size=4).map(tuple)
    return Prefix64(
        prefix=draw(st.binary(min_size=length, max_size=length)),
        suffix=draw(st.binary(min_size=12 - length, max_size=12 - length)),
        ipv4_prefixes=draw(st.none() | networks),
    )


OPTION_KINDS: dict[type[Option], st.SearchStrategy[Option]] = {
    ThirdParty: st.builds(ThirdParty, internal_address=ADDRESSES),
    PreferFailure: st.builds(PreferFailure),
    Filter: filters(),
    Description: st.builds(
        Description,
        text=st.text(
            st.characters(codec="utf-8", exclude_characters="\0"), max_size=50
        ),
    ),
    Prefix64: prefixes64(),
    PortSet: st.builds(
        PortSet,
        size=st.integers(1, 2**16 - 1),
        first_internal_port=UINT16,
        parity=st.booleans(),
    ),
    UnknownOption: st.builds(
        UnknownOption,
        code=UINT8.filter(lambda code: code not in KNOWN),
        data=st.binary(max_size=40),
    ),
}
OPTIONS = st.lists(st.one_of(*OPTION_KINDS.values()), max_size=4).map(tuple)

MAP_FIELDS = {"nonce": NONCES, "protocol": UINT8, "internal_port": UINT16}
REQUEST_FIELDS = {"client_address": ADDRESSES, "lifetime": UINT32, "options": OPTIONS}
SUGGESTED = {
    "suggested_external_port": UINT16,
    "suggested_external_address": ADDRESSES,
}
# UNSUPP_VERSION is an UnknownResponse whatever the opcode.
RESULTS = UINT8.filter(lambda code: code != ResultCode.UNSUPP_VERSION)
RESPONSE_FIELDS = {
    "result_code": RESULTS,
    "lifetime": UINT32,
    "epoch_time": UINT32,
    "options": OPTIONS,
    "reserved": NONCES,
}
ASSIGNED = {"assigned_external_port": UINT16, "assigned_external_address": ADDRESSES}
REMOTE = {"remote_port": UINT16, "remote_address": ADDRESSES}
WORDS = st.binary(max_size=100).map(lambda octets: octets[: len(octets) // 4 * 4])
UNKNOWN_OPCODES = st.integers(3, 127)

REQUEST_KINDS: dict[str, st.SearchStrategy[Request]] = {
    "announce": st.builds(AnnounceRequest, **REQUEST_FIELDS),
    "map": st.builds(MapRequest, **REQUEST_FIELDS, **MAP_FIELDS, **SUGGESTED),
    "peer": st.builds(
        PeerRequest, **REQUEST_FIELDS, **MAP_FIELDS, **SUGGESTED, **REMOTE
    ),
    "unknown opcode": st.builds(
        UnknownRequest,
        opcode=UNKNOWN_OPCODES,
        lifetime=UINT32,
        client_address=ADDRESSES,
        payload=WORDS,
        version=st.integers(1, 255),
    ),
    "other version": st.builds(
        UnknownRequest,
        opcode=st.integers(0, 127),
        lifetime=UINT32,
        client_address=ADDRESSES,
        payload=WORDS,
        version=st.integers(3, 255),
    ),
}
RESPONSE_KINDS: dict[str, st.SearchStrategy[Response]] = {
    "announce": st.builds(AnnounceResponse, **RESPONSE_FIELDS),
    "map": st.builds(MapResponse, **RESPONSE_FIELDS, **MAP_FIELDS, **ASSIGNED),
    "peer": st.builds(
        PeerResponse, **RESPONSE_FIELDS, **MAP_FIELDS, **ASSIGNED, **REMOTE
    ),
    "unknown opcode": st.builds(
        UnknownResponse,
        opcode=UNKNOWN_OPCODES,
        result_code=RESULTS,
        lifetime=UINT32,
        epoch_time=UINT32,
        payload=WORDS,
        reserved=NONCES,
    ),
    "unsupported version": st.builds(
        UnknownResponse,
        opcode=st.integers(0, 127),
        result_code=st.just(ResultCode.UNSUPP_VERSION),
        lifetime=UINT32,
        epoch_time=UINT32,
        payload=st.binary(max_size=100),
        reserved=NONCES,
        version=st.integers(1, 255),
    ),
    "unsupported version cut off": st.builds(
        UnknownResponse,
        opcode=st.integers(0, 127),
        result_code=st.just(ResultCode.UNSUPP_VERSION),
        payload=st.binary(max_size=19),
        truncated=st.just(True),
        version=st.integers(1, 255),
    ),
}

TCP_OR_UDP = st.sampled_from([6, 17])
NAT_PMP_REQUEST_KINDS: dict[str, st.SearchStrategy[NatPmpRequest]] = {
    "external address": st.builds(ExternalAddressRequest),
    "map": st.builds(
        NatPmpMapRequest,
        protocol=TCP_OR_UDP,
        internal_port=UINT16,
        suggested_external_port=UINT16,
        lifetime=UINT32,
    ),
}
NAT_PMP_RESPONSE_KINDS: dict[str, st.SearchStrategy[NatPmpResponse]] = {
    "external address": st.builds(
        ExternalAddressResponse,
        result_code=UINT16,
        epoch_time=UINT32,
        external_address=st.ip_addresses(v=4),
    ),
    "map": st.builds(
        NatPmpMapResponse,
        result_code=UINT16,
        epoch_time=UINT32,
        protocol=TCP_OR_UDP,
        internal_port=UINT16,
        assigned_external_port=UINT16,
        lifetime=UINT32,
    ),
    "error": st.builds(
        NatPmpErrorResponse,
        opcode=st.integers(128, 255),
        result_code=st.integers(1, 2**16 - 1),
        epoch_time=UINT32,
    ),
    "echo": st.builds(
        NatPmpErrorResponse,
        opcode=st.integers(131, 255),
        result_code=st.sampled_from([1, 5]),
        echo=st.binary(max_size=60).filter(lambda octets: len(octets) != 4),
    ),
}

RECORDED = [
    data
    for exchange in recorded_exchanges()
    for data in (exchange.request, exchange.response)
    if data is not None
]


@st.composite
def damaged_datagrams(draw: st.DrawFn) -> bytes:
    """Return a recorded datagram with some octets changed, cut off or added."""
    data = bytearray(draw(st.sampled_from(RECORDED)))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(UINT8)
    length = draw(st.integers(0, len(data)) | st.just(len(data)))
    return bytes(data[:length]) + draw(st.binary(max_size=24) | st.just(b""))


ANY_OCTETS = st.one_of(
    st.binary(max_size=MAX_DATAGRAM + 8),
    damaged_datagrams(),
    st.builds(
        lambda opcode, rest: bytes([2, opcode]) + rest,
        st.sampled_from([0, 1, 2, 3, 0x80, 0x81, 0x82, 0x83]),
        st.binary(min_size=22, max_size=150).map(lambda o: o[: len(o) // 4 * 4 - 2]),
    ),
)


@pytest.mark.parametrize("kind", REQUEST_KINDS)
@given(data=st.data())
def test_request_comes_back(data: st.DataObject, kind: str) -> None:
    """7.1: whatever can be asked is asked unchanged."""
    message = data.draw(REQUEST_KINDS[kind])
    datagram = encode(message)
    assert decode_request(datagram) == message
    assert len(datagram) % 4 == 0


@pytest.mark.parametrize("kind", RESPONSE_KINDS)
@given(data=st.data())
def test_response_comes_back(data: st.DataObject, kind: str) -> None:
    """7.2: whatever can be answered is answered unchanged."""
    message = data.draw(RESPONSE_KINDS[kind])
    assert decode_response(encode(message)) == message


@pytest.mark.parametrize("kind", OPTION_KINDS)
@given(data=st.data())
def test_option_comes_back(data: st.DataObject, kind: type[Option]) -> None:
    """7.3: whatever an option says comes back unchanged, in both directions."""
    options = (data.draw(OPTION_KINDS[kind]),)
    request = AnnounceRequest(client_address=IPv6Address("::1"), options=options)
    response = AnnounceResponse(result_code=0, epoch_time=0, options=options)
    assert decode_request(encode(request)) == request
    assert decode_response(encode(response)) == response


@pytest.mark.parametrize("kind", NAT_PMP_REQUEST_KINDS)
@given(data=st.data())
def test_nat_pmp_request_comes_back(data: st.DataObject, kind: str) -> None:
    """RFC 6886 3: whatever can be asked is asked unchanged."""
    message = data.draw(NAT_PMP_REQUEST_KINDS[kind])
    assert decode_nat_pmp_request(encode_nat_pmp(message)) == message


@pytest.mark.parametrize("kind", NAT_PMP_RESPONSE_KINDS)
@given(data=st.data())
def test_nat_pmp_response_comes_back(data: st.DataObject, kind: str) -> None:
    """RFC 6886 3: whatever can be answered is answered unchanged."""
    message = data.draw(NAT_PMP_RESPONSE_KINDS[kind])
    assert decode_nat_pmp_response(encode_nat_pmp(message)) == message


@given(data=ANY_OCTETS)
@settings(max_examples=500)
def test_any_octets_as_request(data: bytes) -> None:
    """8.2: any octets are a request or a DecodeError, nothing else."""
    try:
        message = decode_request(data)
    except DecodeError:
        return
    assert decode_request(encode(message)) == message


@given(data=ANY_OCTETS)
@settings(max_examples=500)
def test_any_octets_as_response(data: bytes) -> None:
    """8.3: any octets are a response or a DecodeError, nothing else."""
    try:
        message = decode_response(data)
    except DecodeError:
        return
    if len(data) <= MAX_DATAGRAM:
        assert decode_response(encode(message)) == message


@given(data=ANY_OCTETS)
@settings(max_examples=500)
def test_any_octets_as_nat_pmp_request(data: bytes) -> None:
    """RFC 6886 3: any octets are a request or a DecodeError, nothing else."""
    try:
        message = decode_nat_pmp_request(b"\0" + data[1:])
    except DecodeError:
        return
    assert decode_nat_pmp_request(encode_nat_pmp(message)) == message


@given(data=ANY_OCTETS)
@settings(max_examples=500)
def test_any_octets_as_nat_pmp_response(data: bytes) -> None:
    """RFC 6886 3: any octets are a response or a DecodeError, nothing else."""
    try:
        message = decode_nat_pmp_response(b"\0" + data[1:])
    except DecodeError:
        return
    assert encode_nat_pmp(message) == b"\0" + data[1:]
