"""The strict personality reads options as RFC 6887 7.3 and 13 say."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    Description,
    Filter,
    MapRequest,
    PortSet,
    PreferFailure,
    Prefix64,
    ResultCode,
    ThirdParty,
    UnknownOption,
    decode_response,
    encode,
)
from tests.simulated_router.personality import Honour

from .asking import CLIENT, NONCE, OTHER_HOST, TCP, Asking


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


def test_mandatory_option_unknown() -> None:
    """7.3: an unknown option below 128 is UNSUPP_OPTION, and is returned."""
    option = UnknownOption(code=100, data=b"abcd")
    response = Asking().map(option)
    assert response.result_code is ResultCode.UNSUPP_OPTION
    assert response.options == (option,)


def test_optional_options_unknown() -> None:
    """7.3: unprocessed optional options are ignored and not returned."""
    response = Asking().map(
        UnknownOption(code=200, data=b"abcd"),
        PortSet(size=4, first_internal_port=8123),
    )
    assert response.result_code is ResultCode.SUCCESS
    assert response.options == ()


def test_option_past_the_end() -> None:
    """7.3: an impossible option length is MALFORMED_OPTION."""
    answer = Asking().raw(_map() + b"\x80\x00\x00\x40")
    assert answer is not None
    assert decode_response(answer).result_code is ResultCode.MALFORMED_OPTION


def test_description_is_stored() -> None:
    """RFC 7220: a DESCRIPTION is stored and returned, also of an odd length."""
    asking = Asking()
    response = asking.map(Description(text="Home Assistant"))
    assert response.options == (Description(text="Home Assistant"),)
    assert asking.core.mappings[0].description == "Home Assistant"


def test_third_party_prohibited() -> None:
    """13.1: THIRD_PARTY that is not permitted is UNSUPP_OPTION."""
    response = Asking().map(ThirdParty(internal_address=OTHER_HOST))
    assert response.result_code is ResultCode.UNSUPP_OPTION


def test_third_party_permitted() -> None:
    """13.1: THIRD_PARTY names the inside, in the delete too."""
    asking = Asking("third_party")
    option = ThirdParty(internal_address=OTHER_HOST)
    response = asking.map(option)
    assert response.options == (option,)
    assert asking.core.mappings[0].internal_address == OTHER_HOST
    asking.map(lifetime=0)
    assert asking.ports() == [8123]
    asking.map(option, lifetime=0)
    assert asking.ports() == []


@pytest.mark.parametrize(
    ("addresses", "result"),
    [
        ((CLIENT,), ResultCode.MALFORMED_REQUEST),
        ((OTHER_HOST, OTHER_HOST), ResultCode.MALFORMED_OPTION),
    ],
)
def test_third_party_malformed(
    addresses: tuple[IPv4Address, ...], result: ResultCode
) -> None:
    """13.1: naming oneself, or two, is refused."""
    options = [ThirdParty(internal_address=address) for address in addresses]
    assert Asking("third_party").map(*options).result_code is result


def test_prefer_failure_taken() -> None:
    """13.2: with PREFER_FAILURE a taken port is CANNOT_PROVIDE_EXTERNAL."""
    asking = Asking()
    asking.map(internal_port=1, suggested_port=40123)
    response = asking.map(PreferFailure(), internal_port=2, suggested_port=40123)
    assert response.result_code is ResultCode.CANNOT_PROVIDE_EXTERNAL
    assert response.assigned_external_port == 40123
    assert asking.ports() == [40123]


def test_prefer_failure_existing() -> None:
    """11.3: PREFER_FAILURE with another port than the mapping's is refused."""
    asking = Asking()
    asking.map(suggested_port=40123)
    response = asking.map(PreferFailure(), suggested_port=50000)
    assert response.result_code is ResultCode.CANNOT_PROVIDE_EXTERNAL


def test_prefer_failure_address() -> None:
    """11.3: PREFER_FAILURE with an address that is not the router's is refused."""
    response = Asking().map(
        PreferFailure(), suggested_port=40123, suggested_address="198.51.100.9"
    )
    assert response.result_code is ResultCode.CANNOT_PROVIDE_EXTERNAL


def test_prefer_failure_ignored() -> None:
    """13.2: a server that ignores the option assigns another port all the same."""
    asking = Asking(prefer_failure=Honour.IGNORED)
    asking.map(internal_port=1, suggested_port=40123)
    response = asking.map(
        PreferFailure(),
        internal_port=2,
        suggested_port=40123,
        suggested_address="198.51.100.9",
    )
    assert response.result_code is ResultCode.SUCCESS
    assert response.assigned_external_port != 40123


@pytest.mark.parametrize(("port", "lifetime"), [(0, 600), (40123, 0)])
def test_prefer_failure_malformed(port: int, lifetime: int) -> None:
    """11.3, 13.2: PREFER_FAILURE needs a port and makes no sense in a delete."""
    response = Asking().map(PreferFailure(), suggested_port=port, lifetime=lifetime)
    assert response.result_code is ResultCode.MALFORMED_OPTION


def test_filters_add_up_and_are_removed() -> None:
    """13.3: filters add to those there are; prefix length 0 removes all."""
    asking = Asking()
    one, two, three = (
        Filter.from_network(ip_network(network))
        for network in ("198.51.100.0/24", "203.0.113.7/32", "192.0.2.0/28")
    )
    assert asking.map(one).options == (one,)
    asking.map(two)
    assert asking.core.mappings[0].filters == (one, two)
    none = Filter(prefix_length=0, remote_address=ip_address("0.0.0.0"))
    asking.map(none, three)
    (mapping,) = asking.core.mappings
    assert mapping.filters == (three,)


def test_too_many_filters() -> None:
    """13.3: more filters than there is room for are EXCESSIVE_REMOTE_PEERS."""
    asking = Asking(max_filters=1)
    filters = [
        Filter.from_network(ip_network(network))
        for network in ("198.51.100.0/24", "203.0.113.0/24")
    ]
    response = asking.map(*filters)
    assert response.result_code is ResultCode.EXCESSIVE_REMOTE_PEERS
    assert asking.ports() == []
    assert asking.map(filters[0]).result_code is ResultCode.SUCCESS


def test_filter_in_a_delete() -> None:
    """13.3: FILTER with lifetime 0 is MALFORMED_OPTION."""
    option = Filter.from_network(ip_network("198.51.100.0/24"))
    response = Asking().map(option, lifetime=0)
    assert response.result_code is ResultCode.MALFORMED_OPTION


def test_errors_change_nothing() -> None:
    """7.3: a request that is refused leaves the mapping as it was."""
    asking = Asking()
    asking.map(suggested_port=40123)
    before = asking.core.mappings
    asking.map(UnknownOption(code=100, data=b""), lifetime=120)
    asking.map(PreferFailure(), lifetime=120, suggested_port=1)
    assert asking.core.mappings == before


def test_nat64_prefixes() -> None:
    """RFC 7225 4.2: they are told to who asks, in MAP and ANNOUNCE, and to nobody else."""
    asking = Asking("nat64")
    prefixes = asking.core.personality.nat64_prefixes
    assert len(prefixes) == 2
    question = Prefix64(ipv4_prefixes=())
    assert asking.map(question).options == prefixes
    assert asking.map().options == ()
    announce = AnnounceRequest(client_address=CLIENT)
    for options, told in (((), ()), ((question,), prefixes)):
        answer = asking.pcp(replace(announce, options=options))
        assert isinstance(answer, AnnounceResponse)
        assert answer.options == told


def test_nat64_prefixes_are_announced() -> None:
    """RFC 7225 4.2: a new prefix is told by an ANNOUNCE that nobody asked for."""
    asking = Asking("nat64")
    (data,) = asking.core.announcements(now=asking.now)
    announcement = decode_response(data)
    assert isinstance(announcement, AnnounceResponse)
    assert announcement.options == asking.core.personality.nat64_prefixes


def test_server_without_a_nat64() -> None:
    """RFC 7225 4.2: who knows no prefix tells none."""
    assert Asking().map(Prefix64(ipv4_prefixes=())).options == ()
