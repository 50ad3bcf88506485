"""The options of requests: what is sent, what servers make of it, what is believed."""

from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest

from custom_components.pcp.client.codec import (
    Description,
    Filter,
    MapRequest,
    Option,
    PortSet,
    PreferFailure,
    ResultCode,
    ThirdParty,
    UnknownOption,
)
from custom_components.pcp.client.events import LeaseGranted, LeaseRefused
from custom_components.pcp.client.mapping import (
    LeaseState,
    MappingWish,
    PortRange,
    RefusalReason,
)
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import LIFETIME, OTHER_CLIENT, START, key_of, wish_of

WAN = IPv4Address("11.22.33.44")
OPTION_ERRORS = [ResultCode.UNSUPP_OPTION, ResultCode.MALFORMED_OPTION]
SOURCES = (ip_network("198.51.100.0/24"), ip_network("203.0.113.7/32"))


def described(**changes: Any) -> MappingWish:
    """Return the wish for a mapping with a name."""
    return wish_of(**{"description": "Türe"} | changes)


def codes(request: MapRequest) -> list[type[Option]]:
    """Return which options a request has, in order."""
    return [type(option) for option in request.options]


def text_of(request: MapRequest) -> str:
    """Return the one text that a request has."""
    (text,) = (it.text for it in request.options if isinstance(it, Description))
    return text


# DESCRIPTION.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Game", "Game"),
        ("Games", "Games   "),
        ("Türe", "Türe   "),
        ("🎮" * 40, "🎮" * 32),
        ("a" + "ü" * 80, "a" + "ü" * 63 + " "),
        ("a\0b", "ab  "),
        ("a\udc80", "a   "),
    ],
)
def test_text_of_a_description(name: str, text: str) -> None:
    """RFC 7220 2, 3: UTF-8 without NUL, at most 128 octets, whole characters.

    A multiple of 4 octets, for miniupnpd before 2.3.11 refuses any other length.
    """
    world = started()
    world.want(described(description=name))
    (request,) = world.new_maps()
    assert text_of(request) == text
    assert len(text.encode()) % 4 == 0
    assert len(text.encode()) <= 128


def test_description_goes_with_every_renewal() -> None:
    """RFC 7220 3: also with a name that has changed meanwhile, and not before."""
    world = started(described())
    world.new()
    world.want(described(description="Other"))
    assert world.new_maps() == []
    world.run_for(LIFETIME * 5 / 8)
    (renewal,) = world.new_maps()
    assert text_of(renewal) == "Other   "


def test_no_description_without_a_name() -> None:
    """RFC 7220 3: an empty one would erase what is there."""
    world = started()
    world.want(described(description=" "))
    (request,) = world.new_maps()
    assert request.options == ()


def test_delete_has_no_description() -> None:
    """15.1: a delete has what it needs to name the mapping, and nothing personal."""
    world = started(described())
    world.new()
    world.release()
    (delete,) = world.new_maps()
    assert (delete.lifetime, delete.options) == (0, ())


def test_nat_pmp_has_no_options() -> None:
    """RFC 6886 3.3: a name is nothing that the mapping could not do without."""
    world = started_nat_pmp(described())
    assert world.state() is LeaseState.GRANTED
    view = world.lease()
    assert view is not None
    assert view.description_echoed is None


@pytest.mark.parametrize("echoed", [True, False])
def test_echoes_are_shown(*, echoed: bool) -> None:
    """RFC 7220 3: absence means unsupported; an echo is shown, and means nothing."""
    world = started()
    world.want(described(allowed_sources=SOURCES))
    (request,) = world.new_maps()
    view = world.lease()
    assert view is not None
    assert (view.description_echoed, view.filter_echoed) == (None, None)
    options = request.options if echoed else ()
    world.receive(world.success(request, options=options))
    view = world.lease()
    assert view is not None
    assert (view.description_echoed, view.filter_echoed) == (echoed, echoed)


def test_what_was_not_asked_for_is_no_echo() -> None:
    """7.3: nothing asked for, nothing to be told."""
    world = started(wish_of())
    view = world.lease()
    assert view is not None
    assert (view.description_echoed, view.filter_echoed) == (None, None)


# Servers that refuse what they could ignore.


@pytest.mark.parametrize("code", OPTION_ERRORS)
def test_refused_options_are_left_out_at_once(code: ResultCode) -> None:
    """7.3: one more request, with the same nonce; nobody hears of a refusal."""
    world = started()
    world.want(described())
    (first,) = world.new_maps()
    world.receive(world.error(first, code, options=first.options))
    (second,) = world.new_maps()
    assert (second.nonce, second.lifetime) == (first.nonce, LIFETIME)
    assert (codes(first), codes(second)) == ([Description], [])
    world.receive(world.success(second))
    assert world.state() is LeaseState.GRANTED
    assert world.new_events(LeaseRefused) == []


@pytest.mark.parametrize("code", OPTION_ERRORS)
def test_second_refusal_counts(code: ResultCode) -> None:
    """7.3: who refuses a request without options means something else."""
    world = started()
    world.want(described())
    for _ in range(2):
        (request,) = world.new_maps()
        world.receive(world.error(request, code, options=request.options))
    assert world.new_maps() == []
    assert world.state() is LeaseState.REFUSED
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.result_code is code
    world.run_for(1799.0)
    assert world.new_maps() == []


def test_refused_options_are_remembered() -> None:
    """7.3: the server is not asked with them again, for whichever mapping."""
    world = started()
    world.want(described())
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.MALFORMED_OPTION))
    world.answer_all()
    world.want(described(key=key_of(9000)))
    (other,) = world.new_maps()
    world.receive(world.success(other))
    assert other.options == ()
    world.run_for(LIFETIME * 5 / 8)
    assert [it.options for it in world.new_maps()] == [(), ()]


@pytest.mark.parametrize("code", OPTION_ERRORS)
@pytest.mark.parametrize(
    "changes",
    [
        {"key": key_of(address=OTHER_CLIENT), "third_party": True},
        {"allowed_sources": SOURCES},
    ],
)
def test_refused_mandatory_option_is_one_mappings(
    code: ResultCode, changes: dict[str, Any]
) -> None:
    """7.3: who refuses THIRD_PARTY or FILTER is asked with names and sets as before."""
    world = started()
    world.want(described(**changes))
    for _ in range(2):
        (request,) = world.new_maps()
        world.receive(world.error(request, code, options=request.options))
    assert world.new_maps() == []
    ports = PortRange(first=9000, count=2)
    for port in (9000, 9001):
        wish = described(key=key_of(port), port_range=ports)
        world.keeper.want(wish, now=world.now)
    world.pump()
    (other,) = world.new_maps()
    assert codes(other) == [Description, PortSet, UnknownOption]


def test_refused_mandatory_option_that_is_taken_away() -> None:
    """7.3: what is asked for after a second refusal has its name again."""
    world = started()
    world.want(described(allowed_sources=SOURCES))
    for _ in range(2):
        (request,) = world.new_maps()
        world.receive(world.error(request, ResultCode.UNSUPP_OPTION))
    world.want(described(), urgent=False)
    world.run_for(1800.0)
    assert codes(world.new_maps()[0]) == [Description]


def test_grant_of_another_request_than_the_refused_one() -> None:
    """7.3: without THIRD_PARTY or FILTER, too, it tells nothing of names."""
    world = started()
    world.want(described(allowed_sources=SOURCES))
    (first,) = world.new_maps()
    world.receive(world.error(first, ResultCode.UNSUPP_OPTION))
    (second,) = world.new_maps()
    world.receive(world.error(second, ResultCode.NETWORK_FAILURE))
    world.want(described(), urgent=False)
    world.run_for(60.0)
    third = world.new_maps()[-1]
    assert Description not in codes(third)
    world.receive(world.success(third))
    assert world.state() is LeaseState.GRANTED
    world.want(described(key=key_of(9000)))
    (other,) = world.new_maps()
    assert codes(other) == [Description]


def test_refused_options_stay_out_while_nothing_is_known() -> None:
    """8.3: another error to the request without them is no answer about options."""
    world = started()
    world.want(described())
    (first,) = world.new_maps()
    world.receive(world.error(first, ResultCode.UNSUPP_OPTION))
    (second,) = world.new_maps()
    world.receive(world.error(second, ResultCode.NETWORK_FAILURE))
    world.want(described(key=key_of(9000)))
    (other,) = world.new_maps()
    assert codes(other) == [Description]
    world.receive(world.error(other, ResultCode.NETWORK_FAILURE))
    world.run_for(1800.0)
    later = [it for it in world.new_maps() if it.internal_port == 8123]
    assert codes(later[0]) == []


def test_reset_forgets_what_was_refused() -> None:
    """8.5: a server that begins anew may be a newer one."""
    world = started()
    world.want(described())
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.MALFORMED_OPTION))
    world.answer_all()
    world.reboot()
    world.announce()
    world.run_for(5.0)
    world.answer_all()
    requests = [it.message for it in world.sent if it.is_map]
    assert codes(requests[-1]) == [Description]  # type: ignore[arg-type]
    assert world.state() is LeaseState.GRANTED


def test_copy_of_a_refusal_is_late() -> None:
    """8.3: a second answer to the first request is no refusal of the second one."""
    world = started()
    world.want(described())
    (first,) = world.new_maps()
    refusal = world.error(first, ResultCode.MALFORMED_OPTION, options=first.options)
    world.receive(refusal)
    (second,) = world.new_maps()
    world.receive(refusal)
    assert world.drops["stale"] == 1
    assert world.state() is LeaseState.REQUESTING
    world.receive(world.success(second))
    assert world.state() is LeaseState.GRANTED


@pytest.mark.parametrize("code", OPTION_ERRORS)
def test_mandatory_options_are_never_left_out(code: ResultCode) -> None:
    """13.1, 13.3: without them another door would open, to anybody."""
    wish = described(
        key=key_of(address=OTHER_CLIENT), third_party=True, allowed_sources=SOURCES
    )
    world = started()
    world.want(wish)
    (first,) = world.new_maps()
    assert codes(first) == [ThirdParty, Filter, Filter, Description]
    world.receive(world.error(first, code, options=first.options))
    (second,) = world.new_maps()
    assert codes(second) == [ThirdParty, Filter, Filter]
    world.receive(world.error(second, code, options=second.options))
    assert world.new_maps() == []
    (refused,) = world.new_events(LeaseRefused)
    assert refused.key == wish.key


def test_refused_mandatory_option_is_the_users() -> None:
    """7.3: nothing is left out, so nothing is asked again."""
    world = started()
    world.want(wish_of(allowed_sources=SOURCES))
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.UNSUPP_OPTION))
    assert world.new_maps() == []
    (refused,) = world.new_events(LeaseRefused)
    assert refused.refusal.reason is RefusalReason.UNSUPPORTED_OPTION


def test_refused_renewal_keeps_its_distance() -> None:
    """11.2.1: requests for a mapping that lives are 4 seconds apart."""
    world = started(wish_of())
    world.new()
    world.want(described())
    world.run_until(START + LIFETIME * 9 / 16)
    (renewal,) = world.new_maps()
    world.receive(world.error(renewal, ResultCode.MALFORMED_OPTION))
    assert world.new_maps() == []
    world.run_for(4.0)
    (again,) = world.new_maps()
    assert again.options == ()
    world.receive(world.success(again))
    assert world.new_events(LeaseRefused) == []
    first, second = world.times_of_maps()[-2:]
    assert second - first >= 4.0


def test_no_prefer_failure() -> None:
    """13.2: the exact port is looked at in the answer, not asked for by an option."""
    world = started()
    world.want(wish_of(exact=True))
    (request,) = world.new_maps()
    assert PreferFailure not in codes(request)


# FILTER.


def test_sources_go_with_every_renewal_and_no_delete() -> None:
    """13.3: a renewal has the same ones, a delete none."""
    world = started()
    world.want(wish_of(allowed_sources=SOURCES))
    (request,) = world.new_maps()
    filters = tuple(Filter.from_network(network) for network in SOURCES)
    assert request.options == filters
    world.receive(world.success(request))
    world.run_for(LIFETIME * 5 / 8)
    (renewal,) = world.new_maps()
    assert renewal.options == filters
    world.receive(world.success(renewal))
    world.release()
    (delete,) = world.new_maps()
    assert delete.options == ()


def test_other_sources_replace_those_before() -> None:
    """13.3: filters add up; what is still there with others has them removed first."""
    world = started(wish_of(allowed_sources=SOURCES))
    world.release()
    world.new()
    world.want(wish_of(allowed_sources=SOURCES[:1]))
    (request,) = world.new_maps()
    first, second = request.options
    assert isinstance(first, Filter)
    assert first.network is None
    assert second == Filter.from_network(SOURCES[0])
    world.receive(world.success(request))
    world.run_for(LIFETIME * 5 / 8)
    (renewal,) = world.new_maps()
    assert renewal.options == (second,)


def test_no_sources_any_more() -> None:
    """13.3: a door that is for anyone again is told so."""
    world = started(wish_of(allowed_sources=SOURCES))
    world.release()
    world.new()
    world.want(wish_of())
    (request,) = world.new_maps()
    (option,) = request.options
    assert isinstance(option, Filter)
    assert option.network is None


def test_wider_door_than_asked_for() -> None:
    """13.3: a router that enforces filters has only those of the last wish."""
    router = RouterCore(
        PERSONALITIES["rfc"], external_address=WAN, now=START, epoch_time=9000
    )
    world = World(router=router)
    world.want(wish_of(allowed_sources=SOURCES))
    router.silenced = True
    world.release()
    world.want(wish_of(allowed_sources=SOURCES[1:]))
    router.silenced = False
    world.run_for(60.0)
    (mapping,) = router.mappings
    assert [it.network for it in mapping.filters] == [SOURCES[1]]


# All of them together, at real routers' manners.


@pytest.mark.parametrize(
    ("name", "requests"),
    [("rfc", 1), ("no_options", 1), ("miniupnpd_2_3_1", 1), ("options_refused", 2)],
)
def test_named_forward_opens_everywhere(name: str, requests: int) -> None:
    """RFC 7220: whatever a router makes of the name, the door opens."""
    router = RouterCore(
        PERSONALITIES[name], external_address=WAN, now=START, epoch_time=9000
    )
    world = World(router=router)
    world.want(described())
    assert world.state() is LeaseState.GRANTED
    assert len([it for it in world.sent if it.is_map]) == requests
    assert world.new_events(LeaseRefused) == []


def test_longest_request_leaves_room() -> None:
    """7: all options at once fit into 1100 octets, and so does the answer."""
    networks = tuple(ip_network(f"198.51.{number}.0/24") for number in range(32))
    ports = PortRange(first=8123, count=2)
    address = OTHER_CLIENT
    world = started()
    for port in (8123, 8124):
        world.keeper.want(
            wish_of(
                key=key_of(port, address=address),
                third_party=True,
                allowed_sources=networks,
                description="x" * 200,
                port_range=ports,
            ),
            now=world.now,
        )
    world.pump()
    (request,) = world.new_maps()
    assert {PortSet, UnknownOption, Description, Filter, ThirdParty} == set(
        codes(request)
    )
    world.receive(world.success(request, options=request.options))
    assert len(world.new_events(LeaseGranted)) == 1
