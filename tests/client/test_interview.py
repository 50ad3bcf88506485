"""The probe's decisions: which answer means what, in numbers of rounds."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    ExternalAddressRequest,
    ExternalAddressResponse,
    IPAddress,
    MapRequest,
    MapResponse,
    NatPmpErrorResponse,
    NatPmpMapResponse,
    NatPmpRequest,
    NatPmpResult,
    Request,
    ResultCode,
    UnknownResponse,
    decode_nat_pmp_request,
    decode_request,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.interview import Interview, ProbeOutcome

CLIENT = IPv4Address("192.168.77.2")
CLIENT_V6 = IPv6Address("2001:db8:77::2")
EXTERNAL = IPv4Address("22.0.113.1")
NOWHERE = IPv4Address(0)
NONCE = bytes(range(12))

ANNOUNCE = AnnounceRequest(client_address=CLIENT)
MAP = MapRequest(
    client_address=CLIENT,
    lifetime=0,
    nonce=NONCE,
    protocol=17,
    internal_port=9,
    suggested_external_address=NOWHERE,
)
NAT_PMP = ExternalAddressRequest()

# RFC 6886 3.5 and 6887 9: any version but 0 gets these eight octets.
ONLY_VERSION_0 = encode_nat_pmp(
    NatPmpErrorResponse(
        opcode=0, result_code=NatPmpResult.UNSUPP_VERSION, epoch_time=77
    )
)


def new(client_address: IPAddress = CLIENT) -> Interview:
    """Return an interview that has not begun."""
    return Interview(client_address=client_address, nonce=NONCE)


def asked(datagrams: list[bytes]) -> list[Request | NatPmpRequest]:
    """Return what datagrams ask."""
    return [
        decode_request(data) if data[0] else decode_nat_pmp_request(data)
        for data in datagrams
    ]


def announced(result_code: int = 0) -> bytes:
    """Return an answer to ANNOUNCE."""
    return encode(AnnounceResponse(result_code=result_code, epoch_time=77))


def mapped(
    result_code: int = 0, *, external: IPAddress = NOWHERE, nonce: bytes = NONCE
) -> bytes:
    """Return an answer to the MAP of the probe."""
    return encode(
        MapResponse(
            result_code=result_code,
            lifetime=30,
            epoch_time=78,
            nonce=nonce,
            protocol=17,
            internal_port=9,
            assigned_external_port=0,
            assigned_external_address=external,
        )
    )


def told(result_code: int = 0, external_address: IPv4Address = EXTERNAL) -> bytes:
    """Return NAT-PMP's answer about the external address."""
    return encode_nat_pmp(
        ExternalAddressResponse(
            result_code=result_code, epoch_time=79, external_address=external_address
        )
    )


def test_rounds_of_silence() -> None:
    """RFC 6887 A: ANNOUNCE, then MAP too, and NAT-PMP when PCP had its chances."""
    interview = new()
    rounds = [asked(interview.requests()) for _ in range(4)]
    assert rounds == [
        [ANNOUNCE],
        [ANNOUNCE, MAP],
        [ANNOUNCE, MAP, NAT_PMP],
        [ANNOUNCE, MAP, NAT_PMP],
    ]
    assert interview.outcome is None
    assert interview.conclude() is ProbeOutcome.SILENT


def test_nat_pmp_knows_ipv4_only() -> None:
    """RFC 6886 3.2: over IPv6 there is no external address to ask for."""
    interview = new(CLIENT_V6)
    requests = [request for _ in range(4) for request in asked(interview.requests())]
    assert NAT_PMP not in requests
    assert asked(interview.receive(ONLY_VERSION_0)) == []


def test_map_follows_the_announce_at_once() -> None:
    """14.1.2: a PCP server is known by its ANNOUNCE answer; MAP asks the rest."""
    interview = new()
    interview.requests()
    assert asked(interview.receive(announced())) == [MAP]
    assert interview.outcome is None
    assert interview.epoch_time == 77


def test_announce_answered_once_more() -> None:
    """8: a second answer to the same request asks nothing anew."""
    interview = new()
    interview.requests()
    interview.receive(announced())
    assert interview.receive(announced()) == []


def test_lost_map_is_sent_again() -> None:
    """8.1.1: the same nonce again; a server that spoke PCP is not asked in NAT-PMP."""
    interview = new()
    interview.requests()
    interview.receive(announced())
    rounds = [asked(interview.requests()) for _ in range(3)]
    assert rounds == [[MAP]] * 3
    assert interview.conclude() is ProbeOutcome.PCP


@pytest.mark.parametrize(
    ("result_code", "outcome"),
    [
        (ResultCode.SUCCESS, ProbeOutcome.PCP),
        # miniupnpd's answer to the deletion of nothing.
        (ResultCode.NO_RESOURCES, ProbeOutcome.PCP),
        (ResultCode.NETWORK_FAILURE, ProbeOutcome.PCP),
        (ResultCode.MALFORMED_REQUEST, ProbeOutcome.PCP),
        (ResultCode.UNSUPP_PROTOCOL, ProbeOutcome.PCP),
        (200, ProbeOutcome.PCP),
        (ResultCode.NOT_AUTHORIZED, ProbeOutcome.NOT_AUTHORIZED),
        (ResultCode.AUTHENTICATION_REQUIRED, ProbeOutcome.NOT_AUTHORIZED),
        (ResultCode.ADDRESS_MISMATCH, ProbeOutcome.ADDRESS_MISMATCH),
    ],
)
def test_map_answer_decides(result_code: int, outcome: ProbeOutcome) -> None:
    """7.4: what the answer to MAP means, whatever ANNOUNCE got."""
    for answers in ([], [announced()], [announced(ResultCode.NOT_AUTHORIZED)]):
        interview = new()
        interview.requests()
        interview.requests()
        for answer in answers:
            interview.receive(answer)
        assert interview.receive(mapped(result_code)) == []
        assert interview.outcome is outcome
        assert interview.conclude() is outcome
        assert interview.requests() == []
        assert interview.epoch_time == 78


@pytest.mark.parametrize(
    ("result_code", "outcome"),
    [
        (ResultCode.NOT_AUTHORIZED, ProbeOutcome.NOT_AUTHORIZED),
        (ResultCode.ADDRESS_MISMATCH, ProbeOutcome.ADDRESS_MISMATCH),
        (ResultCode.UNSUPP_OPCODE, ProbeOutcome.PCP),
    ],
)
def test_announce_answer_decides_where_map_is_silent(
    result_code: int, outcome: ProbeOutcome
) -> None:
    """14.1.1: a refused ANNOUNCE is a refusal when there is no other answer."""
    interview = new()
    interview.requests()
    assert asked(interview.receive(announced(result_code))) == [MAP]
    assert interview.outcome is None
    assert interview.conclude() is outcome


@pytest.mark.parametrize("result_code", [ResultCode.SUCCESS, ResultCode.NO_RESOURCES])
def test_external_address(result_code: int) -> None:
    """11.6: an assigned external address is told, also in an error."""
    interview = new()
    interview.requests()
    interview.receive(announced())
    interview.receive(mapped(result_code, external=EXTERNAL))
    assert interview.external_address == EXTERNAL


@pytest.mark.parametrize("nowhere", [NOWHERE, IPv6Address(0)])
def test_zeros_are_no_external_address(nowhere: IPAddress) -> None:
    """15.1: the answer to a deletion may copy the zeros of the request."""
    interview = new()
    interview.requests()
    interview.receive(announced())
    interview.receive(mapped(external=nowhere))
    assert interview.external_address is None


def test_wrong_nonce() -> None:
    """11.4: an answer with another nonce is not for us, and proves nothing."""
    interview = new()
    interview.requests()
    interview.requests()
    assert interview.receive(mapped(nonce=bytes(12))) == []
    assert interview.conclude() is ProbeOutcome.SILENT


def test_nat_pmp_mapping_that_nobody_asked_for() -> None:
    """A NAT-PMP map answer has no nonce and is none of ours."""
    interview = new()
    interview.requests()
    forged = NatPmpMapResponse(
        result_code=0,
        epoch_time=1,
        protocol=17,
        internal_port=9,
        assigned_external_port=9,
        lifetime=60,
    )
    assert interview.receive(encode_nat_pmp(forged)) == []
    assert interview.conclude() is ProbeOutcome.SILENT


def test_nat_pmp_server() -> None:
    """9: version 0 to ANNOUNCE and to MAP, and NAT-PMP's own answer verifies it."""
    interview = new()
    interview.requests()
    assert asked(interview.receive(ONLY_VERSION_0)) == [MAP, NAT_PMP]
    assert asked(interview.receive(ONLY_VERSION_0)) == [NAT_PMP]
    assert interview.outcome is None
    assert interview.receive(told()) == []
    assert interview.outcome is ProbeOutcome.NAT_PMP
    assert interview.external_address == EXTERNAL
    assert interview.epoch_time == 79


def test_nat_pmp_answer_before_the_refused_map() -> None:
    """The same, when the answers come in another order."""
    interview = new()
    interview.requests()
    interview.receive(ONLY_VERSION_0)
    assert interview.receive(told()) == []
    assert interview.outcome is None
    assert interview.receive(ONLY_VERSION_0) == []
    assert interview.outcome is ProbeOutcome.NAT_PMP


def test_nat_pmp_to_announce_and_pcp_to_map() -> None:
    """9: AirPort base stations answer ANNOUNCE in NAT-PMP and MAP in PCP."""
    for first in (ONLY_VERSION_0, told()):
        interview = new()
        interview.requests()
        assert MAP in asked(interview.receive(first))
        interview.receive(mapped())
        assert interview.outcome is ProbeOutcome.PCP


def test_external_address_survives_an_answer_without_one() -> None:
    """What NAT-PMP told is not forgotten for PCP's zeros."""
    interview = new()
    interview.requests()
    interview.receive(told())
    interview.receive(mapped())
    assert interview.external_address == EXTERNAL


def test_nat_pmp_server_that_drops_pcp() -> None:
    """RFC 6886 3.5 is kept by most only: an answer alone counts after two MAPs."""
    interview = new()
    for _ in range(3):
        interview.requests()
    assert interview.receive(told()) == []
    assert interview.outcome is None
    assert interview.requests() == []
    assert interview.outcome is ProbeOutcome.NAT_PMP


def test_nat_pmp_answer_that_came_before_the_map() -> None:
    """9: one unanswered MAP proves nothing; it may have been lost."""
    interview = new()
    interview.requests()
    assert asked(interview.receive(told())) == [MAP]
    assert asked(interview.requests()) == [ANNOUNCE, MAP]
    assert interview.requests() == []
    assert interview.outcome is ProbeOutcome.NAT_PMP


def test_nat_pmp_answer_is_not_asked_for_twice() -> None:
    """RFC 6886 3.1: what was answered is not sent again."""
    interview = new()
    interview.requests()
    interview.receive(told())
    interview.receive(announced())
    for _ in range(3):
        assert asked(interview.requests()) == [MAP]
    assert interview.conclude() is ProbeOutcome.PCP


@pytest.mark.parametrize(
    ("result_code", "outcome"),
    [
        (NatPmpResult.NOT_AUTHORIZED, ProbeOutcome.NOT_AUTHORIZED),
        (NatPmpResult.NETWORK_FAILURE, ProbeOutcome.NAT_PMP),
        (NatPmpResult.OUT_OF_RESOURCES, ProbeOutcome.NAT_PMP),
    ],
)
def test_nat_pmp_refusals(result_code: int, outcome: ProbeOutcome) -> None:
    """RFC 6886 3.5: refused is refused; a router without an address still maps."""
    interview = new()
    interview.requests()
    interview.receive(ONLY_VERSION_0)
    interview.receive(ONLY_VERSION_0)
    interview.receive(told(result_code, NOWHERE))
    assert interview.outcome is outcome
    assert interview.external_address is None


@pytest.mark.parametrize(
    "result_code", [NatPmpResult.UNSUPP_VERSION, NatPmpResult.UNSUPP_OPCODE]
)
def test_answers_and_speaks_neither(result_code: int) -> None:
    """It answers, and neither protocol works."""
    interview = new()
    interview.requests()
    interview.receive(ONLY_VERSION_0)
    interview.receive(ONLY_VERSION_0)
    interview.receive(told(result_code, NOWHERE))
    assert interview.outcome is None
    assert interview.conclude() is ProbeOutcome.NOT_SUPPORTED


def test_version_answer_that_nothing_verifies() -> None:
    """9: a version answer can be forged; alone it is no NAT-PMP server."""
    interview = new()
    interview.requests()
    interview.receive(ONLY_VERSION_0)
    interview.receive(ONLY_VERSION_0)
    assert interview.conclude() is ProbeOutcome.NOT_SUPPORTED


def test_older_pcp() -> None:
    """9: a server of PCP version 1 only does not serve us."""
    old = UnknownResponse(
        opcode=0, result_code=ResultCode.UNSUPP_VERSION, version=1, epoch_time=1
    )
    interview = new()
    interview.requests()
    assert asked(interview.receive(encode(old))) == [MAP, NAT_PMP]
    assert interview.conclude() is ProbeOutcome.NOT_SUPPORTED


def test_pcp_without_map() -> None:
    """11: a PCP server that does not know MAP serves us by NAT-PMP or not at all."""
    interview = new()
    interview.requests()
    interview.receive(announced())
    unsupported = mapped(ResultCode.UNSUPP_OPCODE)
    assert asked(interview.receive(unsupported)) == [NAT_PMP]
    assert [asked(interview.requests()) for _ in range(2)] == [[], [NAT_PMP]]
    assert interview.conclude() is ProbeOutcome.NOT_SUPPORTED


def test_pcp_without_map_and_nat_pmp() -> None:
    """11: NAT-PMP's answer settles it, whichever comes first."""
    for late, early in ((0, 1), (1, 0)):
        answers = [told(), mapped(ResultCode.UNSUPP_OPCODE)]
        interview = new()
        interview.requests()
        interview.receive(announced())
        interview.receive(answers[early])
        assert interview.outcome is None
        assert interview.receive(answers[late]) == []
        assert interview.outcome is ProbeOutcome.NAT_PMP


def test_icmp_refusal() -> None:
    """RFC 6886 3.1: refused by ICMP, there is no server."""
    interview = new()
    interview.requests()
    interview.refuse()
    assert interview.outcome is ProbeOutcome.NOT_SUPPORTED
    assert interview.requests() == []


def test_no_way() -> None:
    """What the kernel says of the way there is the outcome."""
    interview = new()
    interview.requests()
    interview.lose_way()
    assert interview.outcome is ProbeOutcome.UNREACHABLE


def test_faults_of_a_host_that_answered() -> None:
    """Once a host has answered, a stray ICMP message changes nothing."""
    interview = new()
    interview.requests()
    interview.receive(announced())
    interview.refuse()
    interview.lose_way()
    assert interview.outcome is None
    interview.receive(mapped())
    assert interview.outcome is ProbeOutcome.PCP


@pytest.mark.parametrize("garbage", [b"", b"\x02", bytes(1200), b"\x02\x00" * 12])
def test_something_else_on_the_port(garbage: bytes) -> None:
    """8.3: a host that sends what is no answer has no server for us."""
    interview = new()
    interview.requests()
    assert interview.receive(garbage) == []
    assert interview.conclude() is ProbeOutcome.NOT_SUPPORTED
