"""The strict personality keeps the rules RFC 6887 and RFC 6886 have for servers."""

from ipaddress import ip_address

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    MapRequest,
    PreferFailure,
    ResultCode,
    UnknownRequest,
    UnknownResponse,
    decode_response,
    encode,
)

from .asking import (
    CLIENT,
    CLIENT_6,
    EXTERNAL,
    NONCE,
    OTHER_HOST,
    OTHER_NONCE,
    TCP,
    UDP,
    Asking,
)


def _map() -> bytes:
    return encode(
        MapRequest(
            client_address=CLIENT,
            lifetime=3600,
            nonce=NONCE,
            protocol=TCP,
            internal_port=8123,
            suggested_external_address=ip_address("0.0.0.0"),
        )
    )


def test_announce_tells_the_epoch() -> None:
    """14.1.2: ANNOUNCE is answered with SUCCESS, lifetime 0 and the epoch."""
    asking = Asking(epoch_time=77)
    asking.now += 5
    assert asking.pcp(AnnounceRequest(client_address=CLIENT)) == AnnounceResponse(
        result_code=ResultCode.SUCCESS, epoch_time=82
    )


def test_announce_address_is_checked() -> None:
    """14.1.1: ANNOUNCE with another client address is an ADDRESS_MISMATCH."""
    response = Asking().pcp(AnnounceRequest(client_address=OTHER_HOST))
    assert response.result_code is ResultCode.ADDRESS_MISMATCH


def test_map_address_is_checked() -> None:
    """8.2: a client address that is not the source's is an ADDRESS_MISMATCH."""
    asking = Asking()
    response = asking.map(client_address=OTHER_HOST)
    assert response.result_code is ResultCode.ADDRESS_MISMATCH
    assert response.lifetime == 1800
    assert asking.ports() == []


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x02\x81" + bytes(58), b"\x02\x01"])
def test_silently_dropped(data: bytes) -> None:
    """8.2: less than 2 octets, responses and cut headers are not answered."""
    assert Asking().raw(data) is None


def test_other_version() -> None:
    """9: another version gets UNSUPP_VERSION in the version that is spoken."""
    answer = Asking().raw(b"\x03" + _map()[1:])
    assert answer is not None
    response = decode_response(answer)
    assert response.result_code is ResultCode.UNSUPP_VERSION
    assert response.version == 2
    assert answer[24:] == _map()[24:]


@pytest.mark.parametrize("length", [25, 44, 58, 62])
def test_wrong_length(length: int) -> None:
    """8.2: an odd length, or one too short for MAP, is a MALFORMED_REQUEST."""
    answer = Asking().raw((_map() + bytes(8))[:length])
    assert answer is not None
    assert decode_response(answer).result_code is ResultCode.MALFORMED_REQUEST
    assert len(answer) == length + -length % 4


def test_too_long() -> None:
    """8.2: more than 1100 octets is a MALFORMED_REQUEST, cut to 1100."""
    answer = Asking().raw(_map() + bytes(1060))
    assert answer is not None
    assert decode_response(answer).result_code is ResultCode.MALFORMED_REQUEST
    assert len(answer) == 1100


def test_unknown_opcode() -> None:
    """8.2: an unknown opcode is UNSUPP_OPCODE, with the payload copied."""
    response = Asking().pcp(
        UnknownRequest(opcode=42, lifetime=9, client_address=CLIENT, payload=b"abcd")
    )
    assert isinstance(response, UnknownResponse)
    assert response.result_code is ResultCode.UNSUPP_OPCODE
    assert response.opcode == 42
    assert response.payload == b"abcd"


def test_suggested_port_is_assigned() -> None:
    """11.3: where the suggested port can be had, it is assigned."""
    response = Asking().map(suggested_port=40123)
    assert response.result_code is ResultCode.SUCCESS
    assert response.assigned_external_port == 40123
    assert response.assigned_external_address == EXTERNAL
    assert response.lifetime == 3600


def test_taken_port_gets_another() -> None:
    """11.3: where the suggested port is taken, another one is assigned."""
    asking = Asking()
    asking.map(internal_port=1, suggested_port=40123)
    response = asking.map(internal_port=2, suggested_port=40123)
    assert response.result_code is ResultCode.SUCCESS
    assert response.assigned_external_port != 40123
    assert len(asking.ports()) == 2


def test_protocols_have_ports_of_their_own() -> None:
    """11.3: the same port may be assigned once for each protocol."""
    asking = Asking()
    asking.map(protocol=TCP, suggested_port=40123)
    response = asking.map(protocol=UDP, suggested_port=40123)
    assert response.assigned_external_port == 40123


@pytest.mark.parametrize("port", [5350, 5351])
def test_own_ports_are_kept(port: int) -> None:
    """19.1: UDP 5350 and 5351 are never assigned."""
    response = Asking().map(protocol=UDP, internal_port=port, suggested_port=port)
    assert response.result_code is ResultCode.SUCCESS
    assert response.assigned_external_port not in {5350, 5351}


def test_renewal_keeps_the_port() -> None:
    """11.3: a renewal returns the existing port whatever it suggests."""
    asking = Asking()
    asking.map(suggested_port=40123)
    response = asking.map(suggested_port=50000, lifetime=7200)
    assert response.assigned_external_port == 40123
    assert response.lifetime == 7200
    assert asking.ports() == [40123]


def test_renewal_extends() -> None:
    """11.3: a renewal moves the end of the mapping."""
    asking = Asking()
    asking.map(lifetime=120)
    asking.now += 100
    asking.map(lifetime=120)
    asking.now += 100
    assert asking.ports() == [8123]
    asking.now += 21
    assert asking.ports() == []


def test_other_nonce_is_refused() -> None:
    """11.3: another nonce is NOT_AUTHORIZED for as long as the mapping lives."""
    asking = Asking()
    asking.map(lifetime=600)
    asking.now += 100
    response = asking.map(nonce=OTHER_NONCE, suggested_port=8123)
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    assert response.lifetime == 500
    assert asking.core.mappings[0].nonce == NONCE


@pytest.mark.parametrize(
    ("asked", "granted"), [(1, 120), (119, 120), (600, 600), (2**32 - 1, 86400)]
)
def test_lifetime_limits(asked: int, granted: int) -> None:
    """15: lifetimes are granted between a minimum and a maximum."""
    assert Asking().map(lifetime=asked).lifetime == granted


def test_delete() -> None:
    """15.1: a delete ends the mapping, and its answer copies zeros."""
    asking = Asking()
    asking.map()
    response = asking.map(lifetime=0)
    assert response.result_code is ResultCode.SUCCESS
    assert response.lifetime == 0
    assert response.assigned_external_port == 0
    assert response.assigned_external_address == ip_address("0.0.0.0")
    assert asking.ports() == []


def test_delete_of_nothing() -> None:
    """15.1: deleting what is not there is SUCCESS."""
    assert Asking().map(lifetime=0).result_code is ResultCode.SUCCESS


def test_delete_needs_the_nonce() -> None:
    """11.3: a delete with another nonce is NOT_AUTHORIZED and ends nothing."""
    asking = Asking()
    asking.map(lifetime=600)
    response = asking.map(lifetime=0, nonce=OTHER_NONCE)
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    assert response.lifetime == 600
    assert asking.ports() == [8123]


@pytest.mark.parametrize(
    ("protocol", "internal_port", "result"),
    [
        (0, 5, ResultCode.MALFORMED_REQUEST),
        (0, 0, ResultCode.UNSUPP_PROTOCOL),
        (6, 0, ResultCode.UNSUPP_PROTOCOL),
        (132, 9000, ResultCode.UNSUPP_PROTOCOL),
    ],
)
def test_protocol_and_port(
    protocol: int, internal_port: int, result: ResultCode
) -> None:
    """11.3: wildcards and protocols that are not supported are UNSUPP_PROTOCOL."""
    response = Asking().map(protocol=protocol, internal_port=internal_port)
    assert response.result_code is result


def test_all_ports_with_a_suggestion() -> None:
    """11.3: a suggested external port makes no wildcard acceptable."""
    response = Asking().map(internal_port=0, suggested_port=45000)
    assert response.result_code is ResultCode.UNSUPP_PROTOCOL


def test_no_port_left() -> None:
    """7.4: with every external port taken a MAP is NO_RESOURCES."""
    asking = Asking(lowest_external_port=65534)
    for internal_port in (1, 2):
        response = asking.map(internal_port=internal_port)
        assert response.result_code is ResultCode.SUCCESS
    assert asking.map(internal_port=3).result_code is ResultCode.NO_RESOURCES


def test_no_external_address() -> None:
    """7.4: without an external address a MAP is a NETWORK_FAILURE, and short."""
    response = Asking(external_address=None).map()
    assert response.result_code is ResultCode.NETWORK_FAILURE
    assert response.lifetime == 30


def test_pinhole() -> None:
    """11.1: a pinhole's outside is its inside, whatever was suggested."""
    asking = Asking()
    response = asking.map(source=CLIENT_6, suggested_port=9999)
    assert response.assigned_external_address == CLIENT_6
    assert response.assigned_external_port == 8123
    asking.map(source=CLIENT_6)
    asking.map(source=CLIENT_6, lifetime=0)
    assert asking.ports() == []


def test_pinhole_prefer_failure() -> None:
    """11.3: PREFER_FAILURE with another port than the inside's is refused."""
    asking = Asking()
    refused = asking.map(PreferFailure(), source=CLIENT_6, suggested_port=9999)
    assert refused.result_code is ResultCode.CANNOT_PROVIDE_EXTERNAL
    granted = asking.map(PreferFailure(), source=CLIENT_6, suggested_port=8123)
    assert granted.result_code is ResultCode.SUCCESS


def test_pinhole_of_a_scoped_source() -> None:
    """5: a scope id has no place on the wire and does not count."""
    source = ip_address("fe80::2%eth0")
    response = Asking().map(source=source, client_address=ip_address("fe80::2"))
    assert response.result_code is ResultCode.SUCCESS
    assert response.assigned_external_address == ip_address("fe80::2")


def test_pinhole_needs_the_nonce() -> None:
    """11.3: the nonce guards pinholes too."""
    asking = Asking()
    asking.map(source=CLIENT_6)
    response = asking.map(source=CLIENT_6, nonce=OTHER_NONCE)
    assert response.result_code is ResultCode.NOT_AUTHORIZED
