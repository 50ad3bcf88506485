"""What is known of miniupnpd beyond the recorded exchanges."""

from ipaddress import ip_network

import pytest

from custom_components.pcp.client.codec import (
    Description,
    Filter,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpResult,
    PortSet,
    PreferFailure,
    Prefix64,
    ResultCode,
    ThirdParty,
)

from .asking import CLIENT_6, EXTERNAL, OTHER_HOST, OTHER_NONCE, TCP, UDP, Asking


def _nat_pmp_map(asking: Asking, **fields: int) -> NatPmpMapResponse:
    values = {"protocol": TCP, "internal_port": 8123, "lifetime": 3600} | fields
    response = asking.nat_pmp(NatPmpMapRequest(**values))
    assert isinstance(response, NatPmpMapResponse)
    return response


@pytest.fixture(name="asking")
def _fixture_asking() -> Asking:
    return Asking("miniupnpd_2_3_1")


@pytest.mark.parametrize("length", [3, 23])
def test_cut_header(asking: Asking, length: int) -> None:
    """A cut header gets what looks like NAT-PMP, 24 octets long."""
    answer = asking.raw(bytes([2, *bytes(22)])[:length])
    assert answer == bytes([0, 0x80, 0, ResultCode.MALFORMED_REQUEST, *bytes(20)])


def test_version_1_knows_only_map(asking: Asking) -> None:
    """Of the draft only MAP is answered with more than UNSUPP_OPCODE."""
    answer = asking.raw(bytes([1, 2, *bytes(66)]))
    assert answer is not None
    assert (answer[0], answer[3]) == (1, ResultCode.UNSUPP_OPCODE)


def test_version_1_with_a_body_of_version_2(asking: Asking) -> None:
    """The nonce is taken for the draft's fields, and the rest for an option."""
    request = bytes.fromhex(
        "0101000000000e1000000000000000000000ffffc0a84d02"
        "0102030405060708090a0b0c060000001fbb000000000000000000000000ffff00000000"
    )
    answer = asking.raw(request)
    assert answer is not None
    assert (answer[0], answer[3]) == (1, ResultCode.MALFORMED_OPTION)


@pytest.mark.parametrize(
    "option", [PortSet(size=4, first_internal_port=8123), Prefix64(prefix=bytes(12))]
)
def test_odd_options(asking: Asking, option: PortSet | Prefix64) -> None:
    """PORT_SET and PREFIX64 have odd lengths, which are miscounted."""
    assert asking.map(option).result_code is ResultCode.MALFORMED_OPTION


@pytest.mark.parametrize("port", [5350, 5351])
def test_own_ports_are_given_away(asking: Asking, port: int) -> None:
    """19.1 is not kept."""
    response = asking.map(protocol=UDP, internal_port=8123, suggested_port=port)
    assert response.assigned_external_port == port


def test_delete_of_any_port(asking: Asking) -> None:
    """A delete of TCP port 0 ends one TCP mapping, if the nonce is its own."""
    asking.map(internal_port=1025)
    asking.map(internal_port=1026)
    asking.map(internal_port=1027, protocol=UDP)
    refused = asking.map(internal_port=0, lifetime=0, nonce=OTHER_NONCE)
    assert refused.result_code is ResultCode.NOT_AUTHORIZED
    granted = asking.map(internal_port=0, lifetime=0)
    assert granted.result_code is ResultCode.SUCCESS
    assert asking.ports() == [1026, 1027]


def test_no_external_address() -> None:
    """Without a WAN address a MAP is a NETWORK_FAILURE for 30 s."""
    response = Asking("miniupnpd_2_3_1", external_address=None).map()
    assert response.result_code is ResultCode.NETWORK_FAILURE
    assert response.lifetime == 30


def test_pinhole_of_all_protocols(asking: Asking) -> None:
    """A pinhole for protocol 0 is made."""
    response = asking.map(source=CLIENT_6, protocol=0, internal_port=0)
    assert response.result_code is ResultCode.SUCCESS


def test_pinhole_prefer_failure(asking: Asking) -> None:
    """PREFER_FAILURE with another port than the inside's is not refused."""
    response = asking.map(PreferFailure(), source=CLIENT_6, suggested_port=9999)
    assert response.result_code is ResultCode.SUCCESS
    assert response.assigned_external_port == 8123


def test_pinhole_with_another_nonce(asking: Asking) -> None:
    """Another nonce renews a pinhole as well as its own does."""
    asking.map(source=CLIENT_6)
    response = asking.map(source=CLIENT_6, nonce=OTHER_NONCE)
    assert response.result_code is ResultCode.SUCCESS


def test_prefer_failure_without_a_port(asking: Asking) -> None:
    """13.2 is kept only where no address is suggested either."""
    response = asking.map(PreferFailure(), suggested_address=EXTERNAL)
    assert response.result_code is ResultCode.SUCCESS


def test_pinhole_delete_of_nothing(asking: Asking) -> None:
    """Other than over IPv4, it is SUCCESS."""
    response = asking.map(source=CLIENT_6, lifetime=0)
    assert response.result_code is ResultCode.SUCCESS


def test_pinhole_that_nobody_can_delete(asking: Asking) -> None:
    """After a renewal a pinhole ends with its lifetime and not before."""
    asking.map(source=CLIENT_6, lifetime=600)
    asking.map(source=CLIENT_6, lifetime=600, suggested_port=8123)
    response = asking.map(source=CLIENT_6, lifetime=0)
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    assert asking.ports() == [8123]
    asking.now += 600
    assert asking.ports() == []


def test_one_table_for_both_protocols(asking: Asking) -> None:
    """PCP takes over a NAT-PMP mapping, and the reverse."""
    _nat_pmp_map(asking)
    asking.map()
    (mapping,) = asking.core.mappings
    assert not mapping.nat_pmp
    _nat_pmp_map(asking)
    (mapping,) = asking.core.mappings
    assert mapping.nat_pmp


def test_nat_pmp_port_0(asking: Asking) -> None:
    """NAT-PMP for internal port 0 is refused."""
    response = _nat_pmp_map(asking, internal_port=0, suggested_external_port=45000)
    assert response.result_code is NatPmpResult.NOT_AUTHORIZED


def test_nat_pmp_is_not_clamped(asking: Asking) -> None:
    """NAT-PMP grants what is asked for."""
    assert _nat_pmp_map(asking, lifetime=1).lifetime == 1


def test_options_echoed_and_ignored(asking: Asking) -> None:
    """FILTER and DESCRIPTION come back, and nothing is done about them."""
    options = (
        Filter.from_network(ip_network("198.51.100.0/24")),
        Description(text="Home"),
    )
    assert asking.map(*options).options == options
    (mapping,) = asking.core.mappings
    assert (mapping.filters, mapping.description) == ((), "")


def test_newer() -> None:
    """From 2.3.8 and 2.3.11: pinholes keep their owner, odd options are read."""
    asking = Asking("miniupnpd_newer")
    asking.map(source=CLIENT_6)
    asking.map(source=CLIENT_6, suggested_port=8123)
    response = asking.map(source=CLIENT_6, nonce=OTHER_NONCE)
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    asking.map(source=CLIENT_6, lifetime=0)
    assert asking.ports() == []
    response = asking.map(Description(text="Home Assistant"))
    assert response.result_code is ResultCode.SUCCESS
    response = asking.map(ThirdParty(internal_address=OTHER_HOST))
    assert response.result_code is ResultCode.UNSUPP_OPTION
