"""Each kind of router shows what it is known for."""

from ipaddress import ip_address, ip_network

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    Description,
    ExternalAddressRequest,
    ExternalAddressResponse,
    Filter,
    MapRequest,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpResult,
    PreferFailure,
    ResultCode,
    decode_nat_pmp_response,
    decode_response,
    encode,
)
from tests.simulated_router import PERSONALITIES, Personality

from .asking import CLIENT, CLIENT_6, TCP, UDP, Asking

ANNOUNCE = AnnounceRequest(client_address=CLIENT)


def _nat_pmp_map(asking: Asking, **fields: int) -> NatPmpMapResponse:
    values = {"protocol": TCP, "internal_port": 8123, "lifetime": 3600} | fields
    response = asking.nat_pmp(NatPmpMapRequest(**values))
    assert isinstance(response, NatPmpMapResponse)
    return response


@pytest.mark.parametrize("name", PERSONALITIES)
def test_any_octets_are_survived(name: str) -> None:
    """No personality breaks on octets, whatever their length."""
    asking = Asking(name)
    whole = encode(
        MapRequest(
            client_address=CLIENT,
            lifetime=600,
            nonce=bytes(12),
            protocol=TCP,
            internal_port=8123,
            suggested_external_address=ip_address("0.0.0.0"),
            options=(Description(text="Home"), PreferFailure()),
        )
    )
    for version in (0, 1, 2, 3):
        for length in range(len(whole) + 1):
            asking.raw((bytes([version]) + whole[1:])[:length])


def test_names() -> None:
    """A personality is found by its own name and says what it is and how we know."""
    assert all(name == kind.name for name, kind in PERSONALITIES.items())
    assert all(kind.about and kind.evidence for kind in PERSONALITIES.values())


def test_defaults_are_the_rfc() -> None:
    """A personality of which nothing is said is the strict one."""
    kind = PERSONALITIES["rfc"]
    assert kind == Personality(name=kind.name, about=kind.about, evidence=kind.evidence)


def test_refuses_all() -> None:
    """NOT_AUTHORIZED to everything, ANNOUNCE too, with lifetime 0."""
    asking = Asking("refuses_all")
    assert asking.pcp(ANNOUNCE).result_code is ResultCode.NOT_AUTHORIZED
    response = asking.map()
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    assert response.lifetime == 0
    assert _nat_pmp_map(asking).result_code is NatPmpResult.NOT_AUTHORIZED


def test_fritzbox_locked() -> None:
    """ANNOUNCE is answered, MAP is NOT_AUTHORIZED."""
    asking = Asking("fritzbox_locked")
    assert asking.pcp(ANNOUNCE).result_code is ResultCode.SUCCESS
    response = asking.map()
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    assert response.lifetime == 0


def test_fritzbox() -> None:
    """13 s whatever is asked for; no IPv6; no NAT-PMP."""
    asking = Asking("fritzbox")
    assert asking.map(lifetime=3600).lifetime == 13
    asking.now += 13
    assert asking.ports() == []
    assert asking.map(source=CLIENT_6).result_code is ResultCode.NOT_AUTHORIZED
    answer = asking.raw(bytes(2))
    assert answer is not None
    assert decode_response(answer).result_code is ResultCode.UNSUPP_VERSION


def test_opnsense_pf() -> None:
    """Renewing a pinhole is NO_RESOURCES; delete and make anew works."""
    asking = Asking("opnsense_pf")
    asking.map(source=CLIENT_6)
    response = asking.map(source=CLIENT_6, suggested_port=8123)
    assert response.result_code is ResultCode.NO_RESOURCES
    assert response.lifetime == 30
    asking.map(source=CLIENT_6, lifetime=0)
    assert asking.map(source=CLIENT_6).result_code is ResultCode.SUCCESS


def test_tomato() -> None:
    """A renewal is granted and the mapping ends when it would have."""
    asking = Asking("tomato")
    asking.map(lifetime=600)
    asking.now += 300
    assert asking.map(lifetime=600, suggested_port=8123).lifetime == 600
    asking.now += 300
    assert asking.ports() == []


def test_nat_pmp_truncating() -> None:
    """Ports in answers have lost their upper 8 bits."""
    response = _nat_pmp_map(Asking("nat_pmp_truncating"))
    assert response.internal_port == 8123 & 0xFF
    assert response.assigned_external_port == 8123 & 0xFF


def test_airport() -> None:
    """ANNOUNCE is answered with NAT-PMP, MAP with PCP."""
    asking = Asking("airport")
    answer = asking.raw(encode(ANNOUNCE))
    assert answer is not None
    assert isinstance(decode_nat_pmp_response(answer), ExternalAddressResponse)
    assert asking.map().result_code is ResultCode.SUCCESS


def test_nat_pmp_sparse() -> None:
    """Errors without the port; version replies with opcode 0."""
    asking = Asking("nat_pmp_sparse")
    response = _nat_pmp_map(asking, internal_port=80)
    assert response.result_code is NatPmpResult.NOT_AUTHORIZED
    assert response.internal_port == 0
    assert asking.raw(encode(ANNOUNCE)) == bytes.fromhex("0000000100000000")


def test_openwrt_mixed_up() -> None:
    """UDP is asked for and granted, and it is a TCP port that is open."""
    asking = Asking("openwrt_mixed_up")
    response = _nat_pmp_map(asking, protocol=UDP)
    assert (response.protocol, response.result_code) == (UDP, NatPmpResult.SUCCESS)
    assert [mapping.protocol for mapping in asking.core.mappings] == [TCP]


def test_mikrotik() -> None:
    """Without a suggested external port there is no mapping."""
    asking = Asking("mikrotik")
    response = _nat_pmp_map(asking)
    assert response.result_code is NatPmpResult.OUT_OF_RESOURCES
    response = _nat_pmp_map(asking, suggested_external_port=8123)
    assert response.result_code is NatPmpResult.SUCCESS


def test_other_address() -> None:
    """The answer leaves from another address than was asked."""
    asking = Asking("other_address")
    (reply,) = asking.core.receive(bytes(2), (CLIENT, 40000), now=asking.now)
    assert reply.from_other_address


@pytest.mark.parametrize(
    ("name", "address"), [("cgnat", "100.64.0.7"), ("double_nat", "192.168.178.20")]
)
def test_private_external_address(name: str, address: str) -> None:
    """The external address is none of the Internet's."""
    asking = Asking(name)
    assert asking.map().assigned_external_address == ip_address(address)
    response = asking.nat_pmp(ExternalAddressRequest())
    assert isinstance(response, ExternalAddressResponse)
    assert response.external_address == ip_address(address)


def test_double_nat_refusing() -> None:
    """Miniupnpd on 10.0.0.1: IPv4 NO_RESOURCES, NAT-PMP 3, IPv6 works."""
    asking = Asking("double_nat_refusing")
    response = asking.map()
    assert response.result_code is ResultCode.NO_RESOURCES
    assert response.lifetime == 30
    assert response.assigned_external_address == ip_address("10.0.0.1")
    answer = asking.nat_pmp(ExternalAddressRequest())
    assert answer.result_code is NatPmpResult.NETWORK_FAILURE
    assert asking.pcp(ANNOUNCE).result_code is ResultCode.SUCCESS
    assert asking.map(source=CLIENT_6).result_code is ResultCode.SUCCESS


def test_proton_vpn() -> None:
    """60 s always, the server's own port, another one for each protocol."""
    asking = Asking("proton_vpn")
    tcp = _nat_pmp_map(asking, internal_port=0, suggested_external_port=1)
    udp = _nat_pmp_map(asking, internal_port=0, suggested_external_port=1, protocol=UDP)
    assert tcp.lifetime == udp.lifetime == 60
    assert tcp.assigned_external_port >= 40000
    assert udp.assigned_external_port != tcp.assigned_external_port
    assert asking.core.announcements(now=asking.now) == []


@pytest.mark.parametrize(("inside", "outside"), [(1023, 8080), (8080, 1023)])
def test_low_ports_refused(inside: int, outside: int) -> None:
    """A port below 1024 is refused, on either side."""
    response = Asking("low_ports_refused").map(
        internal_port=inside, suggested_port=outside
    )
    assert response.result_code is ResultCode.NOT_AUTHORIZED


def test_low_ports_end_at_1024() -> None:
    """The first port allowed is 1024, on both sides."""
    response = Asking("low_ports_refused").map(internal_port=1024, suggested_port=1024)
    assert response.result_code is ResultCode.SUCCESS


def test_miniupnpd_cleaning() -> None:
    """The mapping goes before its lifetime is over."""
    asking = Asking("miniupnpd_cleaning")
    assert asking.map(lifetime=3600).lifetime == 3600
    asking.now += 600
    assert asking.ports() == []


def test_bridged_docker() -> None:
    """The header never matches the source."""
    asking = Asking("bridged_docker")
    assert asking.map().result_code is ResultCode.ADDRESS_MISMATCH


@pytest.mark.parametrize(
    "option",
    [Filter.from_network(ip_network("198.51.100.0/24")), PreferFailure()],
)
def test_no_options(option: Filter | PreferFailure) -> None:
    """Options may be unsupported one and all."""
    response = Asking("no_options").map(option, suggested_port=40123)
    assert response.result_code is ResultCode.UNSUPP_OPTION


def test_no_description() -> None:
    """RFC 7220 3: a DESCRIPTION that is not returned was not stored."""
    response = Asking("no_options").map(Description(text="Home"))
    assert response.result_code is ResultCode.SUCCESS
    assert response.options == ()


@pytest.mark.parametrize(
    ("name", "result"),
    [("quota", ResultCode.USER_EX_QUOTA), ("full_table", ResultCode.NO_RESOURCES)],
)
def test_room_for_two(name: str, result: ResultCode) -> None:
    """7.4: a third mapping is refused for a short time; renewals are not."""
    asking = Asking(name)
    for internal_port in (1, 2):
        asking.map(internal_port=internal_port)
    response = asking.map(internal_port=3)
    assert response.result_code is result
    assert response.lifetime == 30
    assert asking.map(internal_port=2).result_code is ResultCode.SUCCESS
    assert len(asking.ports()) == 2


@pytest.mark.parametrize("name", ["silent", "closed"])
def test_nothing_said(name: str) -> None:
    """No answer and no announcement."""
    asking = Asking(name)
    assert asking.raw(encode(ANNOUNCE)) is None
    assert asking.core.announcements(now=asking.now) == []


def test_ds_lite() -> None:
    """IPv4 is a NETWORK_FAILURE, pinholes are made."""
    asking = Asking("ds_lite")
    assert asking.map().result_code is ResultCode.NETWORK_FAILURE
    assert asking.map(source=CLIENT_6).lifetime == 3600


def test_endless() -> None:
    """15: absurd lifetimes, of grants and of refusals."""
    assert Asking("endless_leases").map().lifetime == 0xFFFFFFFF
    response = Asking("endless_refusal").map()
    assert response.result_code is ResultCode.NOT_AUTHORIZED
    assert response.lifetime == 0xFFFFFFFF


def test_lingering() -> None:
    """15: a delete may leave the mapping for a while, and says how long."""
    asking = Asking("lingering")
    asking.map(lifetime=600)
    response = asking.map(lifetime=0)
    assert response.result_code is ResultCode.SUCCESS
    assert response.lifetime == 120
    assert asking.ports() == [8123]
    asking.now += 120
    assert asking.ports() == []


def test_no_announce() -> None:
    """14: a server need not know ANNOUNCE."""
    asking = Asking("no_announce")
    assert asking.pcp(ANNOUNCE).result_code is ResultCode.UNSUPP_OPCODE
    assert asking.core.announcements(now=asking.now) == []
    assert asking.map().result_code is ResultCode.SUCCESS


def test_wants_authentication() -> None:
    """RFC 7652: AUTHENTICATION_REQUIRED."""
    response = Asking("wants_authentication").map()
    assert response.result_code is ResultCode.AUTHENTICATION_REQUIRED


def test_version_3_only() -> None:
    """9: UNSUPP_VERSION in a version that the client does not speak."""
    asking = Asking("version_3_only")
    response = asking.pcp(ANNOUNCE)
    assert response.result_code is ResultCode.UNSUPP_VERSION
    assert response.version == 3
    answer = asking.raw(bytes(2))
    assert answer is not None
    assert decode_response(answer).version == 3
