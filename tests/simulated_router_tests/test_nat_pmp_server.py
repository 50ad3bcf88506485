"""NAT-PMP as RFC 6886 has it for servers, and beside PCP."""

from ipaddress import ip_address

from custom_components.pcp.client.codec import (
    ExternalAddressRequest,
    ExternalAddressResponse,
    MapRequest,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpResult,
    ResultCode,
    decode_nat_pmp_response,
    decode_response,
    encode,
)

from .asking import CLIENT, EXTERNAL, NONCE, TCP, UDP, Asking


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


def test_nat_pmp_external_address() -> None:
    """RFC 6886 3.2: the external address and the epoch."""
    response = Asking(epoch_time=9).nat_pmp(ExternalAddressRequest())
    assert response == ExternalAddressResponse(
        result_code=NatPmpResult.SUCCESS, epoch_time=9, external_address=EXTERNAL
    )


def _nat_pmp_map(**fields: int) -> NatPmpMapRequest:
    values = {"protocol": TCP, "internal_port": 8123, "lifetime": 3600} | fields
    return NatPmpMapRequest(**values)


def test_nat_pmp_map_and_delete() -> None:
    """RFC 6886 3.3, 3.4: a mapping is made, and deleted with port 0."""
    asking = Asking()
    response = asking.nat_pmp(_nat_pmp_map(suggested_external_port=40123))
    assert isinstance(response, NatPmpMapResponse)
    assert response.assigned_external_port == 40123
    assert asking.ports() == [40123]
    response = asking.nat_pmp(_nat_pmp_map(lifetime=0))
    assert isinstance(response, NatPmpMapResponse)
    assert response.result_code is NatPmpResult.SUCCESS
    assert (response.assigned_external_port, response.lifetime) == (0, 0)
    assert asking.ports() == []


def test_nat_pmp_delete_all() -> None:
    """RFC 6886 3.4: all zeros delete all of the client's of one protocol."""
    asking = Asking()
    asking.nat_pmp(_nat_pmp_map(internal_port=1))
    asking.nat_pmp(_nat_pmp_map(internal_port=2))
    asking.nat_pmp(_nat_pmp_map(internal_port=3, protocol=UDP))
    asking.nat_pmp(_nat_pmp_map(internal_port=0, lifetime=0))
    assert asking.ports() == [3]


def test_nat_pmp_does_not_take_over_pcp() -> None:
    """11.3: what has no nonce cannot renew or end a PCP mapping."""
    asking = Asking()
    asking.map(lifetime=600)
    response = asking.nat_pmp(_nat_pmp_map())
    assert response.result_code is NatPmpResult.NOT_AUTHORIZED
    asking.nat_pmp(_nat_pmp_map(lifetime=0))
    assert asking.ports() == [8123]


def test_nat_pmp_unsupported_opcode() -> None:
    """RFC 6886 3.5: an unknown opcode comes back whole, with result 5."""
    answer = Asking().raw(b"\x00\x09abcdef")
    assert answer == b"\x00\x89\x00\x05cdef"


def test_nat_pmp_only_refuses_pcp() -> None:
    """RFC 6886 3.5: to a PCP request, 8 octets of version 0 with result 1."""
    asking = Asking("nat_pmp_only", epoch_time=5)
    answer = asking.raw(_map())
    assert answer == bytes.fromhex("0081000100000005")
    assert decode_nat_pmp_response(answer) == NatPmpErrorResponse(
        opcode=0x81, result_code=NatPmpResult.UNSUPP_VERSION, epoch_time=5
    )


def test_pcp_only_refuses_nat_pmp() -> None:
    """9: a PCP server without NAT-PMP answers version 0 with UNSUPP_VERSION."""
    answer = Asking(nat_pmp=False).raw(bytes(2))
    assert answer is not None
    assert decode_response(answer).result_code is ResultCode.UNSUPP_VERSION


def test_nat_pmp_only_lifetime() -> None:
    """RFC 6886 3.3: a server may grant less than is asked for."""
    response = Asking("nat_pmp_only").nat_pmp(_nat_pmp_map(lifetime=86400))
    assert isinstance(response, NatPmpMapResponse)
    assert response.lifetime == 7200
