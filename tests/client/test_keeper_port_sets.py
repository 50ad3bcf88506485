"""Several ports by one mapping where the server grants it, one by one elsewhere."""

from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest

from custom_components.pcp.client.codec import (
    MapRequest,
    Option,
    PortSet,
    ResultCode,
    UnknownOption,
)
from custom_components.pcp.client.events import (
    LeaseGranted,
    LeaseLost,
    LeaseRefused,
    LeaseReleased,
)
from custom_components.pcp.client.mapping import (
    Grant,
    LeaseState,
    MappingWish,
    PortRange,
)
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import World, started, started_nat_pmp
from .scripted_server import (
    EXTERNAL,
    LIFETIME,
    OTHER_CLIENT,
    START,
    key_of,
    nonce_of,
    wish_of,
)

WAN = IPv4Address("11.22.33.44")
FIRST = 8123
PORTS = range(FIRST, FIRST + 4)
TOGETHER = PortRange(first=FIRST, count=len(PORTS))
RANGES = [
    ("port_sets", 1),
    ("port_sets_of_two", 3),
    ("miniupnpd_2_3_1", 5),
    ("miniupnpd_newer", 4),
    ("options_refused", 5),
    ("rfc", 4),
]
"""Kinds of routers, and how many requests it takes to open four ports."""


def want(world: World, ports: range = PORTS, **changes: Any) -> None:
    """Wish for consecutive ports, as one act."""
    for port in ports:
        world.keeper.want(wish(port, **changes), now=world.now)
    world.pump()


def wish(port: int, **changes: Any) -> MappingWish:
    """Return the wish for one of them."""
    return wish_of(port, **{"port_range": TOGETHER} | changes)


def release(world: World, ports: range = PORTS) -> None:
    """Wish consecutive ports away."""
    for port in ports:
        world.keeper.release(key_of(port), now=world.now)
    world.pump()


def set_of(request: MapRequest) -> list[Option]:
    """Return the options that are about the number of ports."""
    return [it for it in request.options if isinstance(it, PortSet)]


def granted(world: World, request: MapRequest, size: int = 4, **changes: Any) -> None:
    """Let the server grant some ports as a set."""
    options = (PortSet(size=size, first_internal_port=request.internal_port),)
    world.receive(world.success(request, **{"options": options} | changes))


def opened(size: int = 4) -> World:
    """Return a world where so many of the ports are open as a set."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    granted(world, request, size)
    world.answer_all()
    world.new_events(LeaseGranted)
    return world


def reset(world: World) -> None:
    """Let the server begin anew, and announce it."""
    world.run_for(10.0)
    world.reboot()
    world.announce()
    world.run_for(5.0)


def states(world: World) -> list[LeaseState | None]:
    """Return the states of the leases."""
    return [world.state(key_of(port)) for port in PORTS]


def external_ports(world: World) -> list[int | None]:
    """Return what is open outside, port by port."""
    views = [world.lease(key_of(port)) for port in PORTS]
    return [
        it.grant.assigned_external_port if it and it.grant else None for it in views
    ]


def routed(name: str, **options: Any) -> tuple[World, RouterCore]:
    """Return a world with a router of some kind."""
    router = RouterCore(
        PERSONALITIES[name], external_address=WAN, now=START, epoch_time=9000
    )
    return World(router=router, **options), router


def open_ports(router: RouterCore) -> list[int]:
    """Return what a router has open towards us."""
    return sorted(mapping.internal_port for mapping in router.mappings)


# Asking.


def test_one_request_for_all() -> None:
    """RFC 7753 4.1: one PORT_SET, from the MAP's internal port on, without parity."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    assert (request.internal_port, request.nonce) == (FIRST, nonce_of(key_of(FIRST)))
    assert set_of(request) == [PortSet(size=4, first_internal_port=FIRST)]
    assert states(world) == [LeaseState.REQUESTING] * 4


def test_canary_goes_along() -> None:
    """6887 19.4: an option for private use that no server processes goes with it."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    (canary,) = (it for it in request.options if isinstance(it, UnknownOption))
    assert 224 <= canary.code <= 254
    assert len(canary.data) % 4 == 0


def test_single_port_has_no_port_set() -> None:
    """RFC 7753 4.1: not for a single port."""
    world = started()
    world.want()
    (request,) = world.new_maps()
    assert request.options == ()


def test_exact_ports_have_no_range() -> None:
    """RFC 7753 4.1: never together with what PREFER_FAILURE stands for."""
    with pytest.raises(ValueError, match="range"):
        wish(FIRST, exact=True)


@pytest.mark.parametrize(("first", "count"), [(1, 1), (0, 2), (65535, 2)])
def test_ranges_that_are_none(first: int, count: int) -> None:
    """RFC 7753 4: a set has two ports at least, and all of them exist."""
    with pytest.raises(ValueError, match="range"):
        PortRange(first=first, count=count)


def test_port_outside_of_its_range() -> None:
    """RFC 7753 4: a port is asked for together with its neighbours only."""
    with pytest.raises(ValueError, match="range"):
        wish(FIRST + 4)


def test_other_options_go_along() -> None:
    """6887 13.1, 13.3: the set is another host's, and for some only."""
    world = started()
    for port in PORTS:
        key = key_of(port, address=OTHER_CLIENT)
        sources = (ip_network("198.51.100.0/24"),)
        world.keeper.want(
            wish(port, key=key, third_party=True, allowed_sources=sources),
            now=world.now,
        )
    world.pump()
    (request,) = world.new_maps()
    assert len(request.options) == 4


def test_nat_pmp_has_no_sets() -> None:
    """RFC 6886 3.3: port by port, and each at once."""
    world = started_nat_pmp()
    want(world)
    world.answer_all()
    assert states(world) == [LeaseState.GRANTED] * 4
    assert {len(world.times_of_maps(port)) for port in PORTS} == {1}


def test_server_turns_out_to_speak_nat_pmp() -> None:
    """9: a set that was asked for in PCP is asked for port by port, at once."""
    world, router = routed("nat_pmp_only")
    want(world)
    assert states(world) == [LeaseState.GRANTED] * 4
    assert open_ports(router) == list(PORTS)


# What the server grants.


def test_all_are_granted() -> None:
    """RFC 7753 4: the external ports are consecutive, from the assigned one on."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    granted(world, request, assigned_external_port=40000)
    assert states(world) == [LeaseState.GRANTED] * 4
    assert external_ports(world) == [40000, 40001, 40002, 40003]
    events = world.new_events(LeaseGranted)
    assert [it.key.internal_port for it in events] == list(PORTS)
    assert {it.grant.assigned_external_address for it in events} == {EXTERNAL}
    assert {it.grant.expires_at for it in events} == {START + LIFETIME}
    assert world.new_maps() == []


def test_fewer_are_granted() -> None:
    """RFC 7753 6.4: what is granted is taken, and the rest asked for one by one."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    granted(world, request, 2)
    rest = world.new_maps()
    assert [it.internal_port for it in rest] == [FIRST + 2, FIRST + 3]
    assert [it.nonce for it in rest] == [nonce_of(key_of(it)) for it in PORTS[2:]]
    assert [set_of(it) for it in rest] == [[], []]
    for it in rest:
        world.receive(world.success(it))
    assert states(world) == [LeaseState.GRANTED] * 4


def test_more_than_asked_for_is_not_believed() -> None:
    """RFC 7753 4.2: a server must not map more; nobody would have wished for it."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    granted(world, request, 9)
    view = world.lease(key_of(FIRST))
    assert view is not None
    assert view.grant is not None
    assert view.grant.port_range == TOGETHER
    assert [view.key.internal_port for view in world.keeper.leases()] == list(PORTS)


@pytest.mark.parametrize(
    "options",
    [
        (),
        (PortSet(size=1, first_internal_port=FIRST),),
        (PortSet(size=4, first_internal_port=FIRST + 1),),
        (PortSet(size=4, first_internal_port=FIRST - 4),),
    ],
)
def test_no_set_in_the_answer(options: tuple[Option, ...]) -> None:
    """RFC 7753 4.3: no option, or one that is not for our port: a single port."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    world.receive(world.success(request, options=options))
    assert [it.internal_port for it in world.new_maps()] == list(PORTS[1:])


def test_set_that_begins_before_our_port() -> None:
    """RFC 7753 4: the assigned port is that of the answer's first internal port."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    options = (PortSet(size=4, first_internal_port=FIRST - 2),)
    world.receive(world.success(request, options=options, assigned_external_port=40000))
    assert external_ports(world) == [40002, 40003, None, None]


@pytest.mark.parametrize(
    ("first_internal_port", "size", "assigned_external_port"),
    [
        (FIRST, 4, 65533),
        (FIRST, 2, 65535),
        (FIRST - 1, 2, 65535),
        (FIRST - 3, 8, 65535),
    ],
)
def test_set_with_ports_that_do_not_exist(
    first_internal_port: int, size: int, assigned_external_port: int
) -> None:
    """RFC 7753 4: a set beyond port 65535 is none: the assigned port alone is taken."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    options = (PortSet(size=size, first_internal_port=first_internal_port),)
    world.receive(
        world.success(
            request, options=options, assigned_external_port=assigned_external_port
        )
    )
    rest = world.new_maps()
    assert [it.internal_port for it in rest] == list(PORTS[1:])
    assert external_ports(world) == [assigned_external_port, None, None, None]
    world.run_for(LIFETIME * 5 / 8)
    renewals = [it for it in world.new_maps() if it.internal_port == FIRST]
    assert renewals[0].suggested_external_port == assigned_external_port


@pytest.mark.parametrize(
    ("first_internal_port", "ports"),
    [(FIRST, [65532, 65533, 65534, 65535]), (FIRST - 2, [65534, 65535, None, None])],
)
def test_set_that_ends_with_the_last_port(
    first_internal_port: int, ports: list[int | None]
) -> None:
    """RFC 7753 4: port 65535 may be the last one of a set."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    options = (PortSet(size=4, first_internal_port=first_internal_port),)
    world.receive(world.success(request, options=options, assigned_external_port=65532))
    assert external_ports(world) == ports


def test_blind_echo_is_no_grant() -> None:
    """Promise 7: where the canary comes back, PORT_SET is an echo, for ever."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    world.receive(world.success(request, options=request.options))
    rest = world.new_maps()
    assert [it.internal_port for it in rest] == list(PORTS[1:])
    for it in rest:
        world.receive(world.success(it))
    assert external_ports(world) == list(PORTS)
    ports = range(9000, 9002)
    want(world, ports, port_range=PortRange(first=9000, count=2))
    assert [it.options for it in world.new_maps()] == [(), ()]


@pytest.mark.parametrize(
    "code", [ResultCode.UNSUPP_OPTION, ResultCode.MALFORMED_OPTION]
)
def test_refused_port_set(code: ResultCode) -> None:
    """7.3: a server that refuses the option is asked once more, port by port."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    world.receive(world.error(request, code, options=request.options))
    requests = world.new_maps()
    assert sorted(it.internal_port for it in requests) == list(PORTS)
    assert all(it.lifetime and not it.options for it in requests)
    for it in requests:
        world.receive(world.success(it))
    assert states(world) == [LeaseState.GRANTED] * 4
    assert world.new_events(LeaseRefused) == []


def test_refused_set_is_tried_port_by_port() -> None:
    """11.4: a server that cannot give them all may give some of them."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    world.receive(world.error(request, ResultCode.NOT_AUTHORIZED))
    rest = world.new_maps()
    assert [it.internal_port for it in rest] == list(PORTS[1:])
    assert world.state(key_of(FIRST)) is LeaseState.REFUSED


# Keeping it.


def test_renewal_is_one_request() -> None:
    """RFC 7753 4.4: a set is renewed as one, with the option."""
    world = opened()
    world.run_until(START + LIFETIME * 9 / 16)
    (renewal,) = world.new_maps()
    assert set_of(renewal) == [PortSet(size=4, first_internal_port=FIRST)]
    granted(world, renewal)
    events = world.new_events(LeaseGranted)
    assert len(events) == 4
    assert all(it.previous is not None for it in events)
    assert {it.grant.expires_at for it in events} == {world.now + LIFETIME}
    world.run_for(LIFETIME / 2)
    assert states(world) == [LeaseState.GRANTED] * 4


def test_renewal_asks_for_what_was_granted() -> None:
    """RFC 7753 4.4: the ports that are mapped one by one are not asked for again."""
    world = opened(2)
    world.new()
    world.run_until(START + LIFETIME * 9 / 16)
    renewals = {it.internal_port: set_of(it) for it in world.new_maps()}
    assert renewals == {
        FIRST: [PortSet(size=2, first_internal_port=FIRST)],
        FIRST + 2: [],
        FIRST + 3: [],
    }


def test_set_that_shrinks() -> None:
    """RFC 7753 4.3: what a renewal does not grant is lost, and asked for by itself."""
    world = opened()
    world.run_until(START + LIFETIME * 9 / 16)
    (renewal,) = world.new_maps()
    granted(world, renewal, 3)
    (lost,) = world.new_events(LeaseLost)
    assert lost.key == key_of(FIRST + 3)
    (request,) = world.new_maps()
    assert (request.internal_port, request.options) == (FIRST + 3, ())


def test_set_that_is_lost_is_made_again() -> None:
    """8.5: after a reset the request that finds it out makes all of it again."""
    world = opened()
    reset(world)
    (renewal,) = world.new_maps()
    granted(world, renewal)
    assert set_of(renewal) == [PortSet(size=4, first_internal_port=FIRST)]
    assert len(world.new_events(LeaseLost)) == 4
    assert states(world) == [LeaseState.GRANTED] * 4
    assert world.new_maps() == []


def test_reset_forgets_the_echo() -> None:
    """8.5: what only echoed sets may be another server now."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    world.receive(world.success(request, options=request.options))
    world.answer_all()
    reset(world)
    world.answer_all()
    want(world, range(9000, 9002), port_range=PortRange(first=9000, count=2))
    (request,) = world.new_maps()
    assert set_of(request) == [PortSet(size=2, first_internal_port=9000)]


def test_set_that_runs_out() -> None:
    """15: all of it is gone at the same time, and asked for as one again."""
    world = opened()
    world.new()
    world.run_for(LIFETIME + 1.0)
    assert len(world.new_events(LeaseLost)) == 4
    assert world.new_maps()[-1].internal_port == FIRST
    assert states(world) == [LeaseState.REQUESTING] * 4
    assert {it.message.internal_port for it in world.sent if it.is_map} == {FIRST}  # type: ignore[union-attr]


# Deleting it.


def test_delete_is_one_request() -> None:
    """RFC 7753 4.4: a set is deleted as one, with the option."""
    world = opened()
    world.new()
    release(world)
    (delete,) = world.new_maps()
    assert (delete.lifetime, delete.internal_port) == (0, FIRST)
    assert set_of(delete) == [PortSet(size=4, first_internal_port=FIRST)]
    assert states(world) == [LeaseState.RELEASING] * 4
    world.receive(world.success(delete))
    assert world.keeper.leases() == ()
    assert len(world.new_events(LeaseReleased)) == 4


def test_closing_set_may_be_open_all_the_same() -> None:
    """Promise 3: until the delete is answered each port is told to be open, perhaps."""
    world = opened()
    release(world)
    views = world.keeper.leases()
    assert [view.open_until for view in views] == [START + LIFETIME] * 4


def test_release_of_a_part() -> None:
    """RFC 7753 4.4: no port leaves a set: it is deleted, and the rest made again."""
    world = opened()
    world.new()
    world.release(key_of(FIRST + 3))
    (delete,) = world.new_maps()
    assert (delete.lifetime, set_of(delete)) == (
        0,
        [PortSet(size=4, first_internal_port=FIRST)],
    )
    assert len(world.new_events(LeaseLost)) == 3
    world.receive(world.success(delete))
    (request,) = world.new_maps()
    assert set_of(request) == [PortSet(size=3, first_internal_port=FIRST)]
    granted(world, request, 3)
    assert states(world) == [LeaseState.GRANTED] * 3 + [None]


def test_release_of_the_first() -> None:
    """RFC 7753 4.4: those that followed ask for themselves when the set is gone."""
    world = opened()
    world.new()
    world.release(key_of(FIRST))
    (delete,) = world.new_maps()
    world.receive(world.success(delete))
    assert [it.internal_port for it in world.new_maps()] == list(PORTS[1:])


def test_release_before_the_answer() -> None:
    """RFC 7753 4.4: a set that is granted with an unwanted port is given back."""
    world = started()
    want(world)
    (request,) = world.new_maps()
    world.release(key_of(FIRST + 1))
    assert world.new_maps() == []
    granted(world, request)
    (delete,) = world.new_maps()
    assert (delete.lifetime, len(set_of(delete))) == (0, 1)
    world.receive(world.success(delete))
    world.answer_all()
    assert states(world) == [
        LeaseState.GRANTED,
        None,
        LeaseState.GRANTED,
        LeaseState.GRANTED,
    ]


def test_release_while_there_is_no_way_to_the_server() -> None:
    """Promise 3: what may have been granted is remembered until it has run out."""
    world = started()
    want(world)
    world.release(key_of(FIRST + 1))
    world.move_to(None)
    world.run_for(10.0)
    view = world.lease(key_of(FIRST + 1))
    assert view is not None
    assert view.state is LeaseState.RELEASING
    assert view.open_until == START + LIFETIME


def test_port_that_leaves_a_set_under_way() -> None:
    """Promise 3: a set that may have been granted is not forgotten by those in it."""
    world = started()
    want(world)
    world.move_to(OTHER_CLIENT)
    world.want(wish_of(FIRST), urgent=False)
    view = world.lease(key_of(FIRST + 1))
    assert view is not None
    assert view.open_until == START + LIFETIME


def test_open_again_while_closing() -> None:
    """11.2: what is wanted again before the delete is answered is asked for as one."""
    world = opened()
    release(world)
    world.new()
    want(world)
    (request,) = world.new_maps()
    assert set_of(request) == [PortSet(size=4, first_internal_port=FIRST)]
    granted(world, request)
    assert states(world) == [LeaseState.GRANTED] * 4


def test_other_range_than_before() -> None:
    """RFC 7753 4.4: a set of other ports is another set; the first one goes before."""
    world = opened()
    world.new()
    for port in PORTS[2:]:
        world.keeper.release(key_of(port), now=world.now)
    want(world, PORTS[:2], port_range=PortRange(first=FIRST, count=2))
    (delete,) = world.new_maps()
    assert (delete.lifetime, set_of(delete)) == (
        0,
        [PortSet(size=4, first_internal_port=FIRST)],
    )
    world.receive(world.success(delete))
    (request,) = world.new_maps()
    assert set_of(request) == [PortSet(size=2, first_internal_port=FIRST)]


def test_second_answer_to_the_delete_of_a_set() -> None:
    """8.1.1: it is none to the request after it, which may be granted all the same."""
    world = opened()
    world.new()
    want(world, PORTS[:2], port_range=PortRange(first=FIRST, count=2))
    delete = world.new_maps()[0]
    assert (delete.internal_port, delete.lifetime) == (FIRST, 0)
    world.receive(world.success(delete))
    request = world.new_maps()[0]
    assert (request.internal_port, request.lifetime) == (FIRST, LIFETIME)
    # miniupnpd: there is nothing to delete any more.
    world.receive(world.error(delete, ResultCode.NO_RESOURCES))
    view = world.lease(key_of(FIRST))
    assert view is not None
    assert view.open_until == world.now + LIFETIME


def test_single_port_is_not_deleted_along_with_a_set() -> None:
    """Promise 3: what was mapped apart is not gone with a set that was to have it."""
    together = PortRange(first=FIRST, count=2)
    world = started()
    want(world, PORTS[:2], port_range=together)
    world.new()
    world.want(wish_of(FIRST))
    delete, single = world.new_maps()
    assert (delete.internal_port, delete.lifetime) == (FIRST, 0)
    assert (single.internal_port, single.lifetime) == (FIRST + 1, LIFETIME)
    world.receive(world.success(single))
    want(world, PORTS[:2], port_range=together)
    release(world, PORTS[:2])
    deletes = [it for it in world.new_maps() if it.internal_port == FIRST + 1]
    assert [it.lifetime for it in deletes] == [0]


# Over restarts.


def restored(
    *, wanted: bool, known: bool, backwards: bool = False
) -> tuple[World, list[MapRequest]]:
    """Return a world that takes up an open set, and what it asks first."""
    world = started()
    for port in reversed(PORTS) if backwards else PORTS:
        grant = Grant(
            assigned_external_address=EXTERNAL,
            assigned_external_port=port,
            lifetime=LIFETIME,
            expires_at=START + 1800.0,
            port_range=TOGETHER,
        )
        world.keeper.restore(
            wish(port),
            wanted=wanted,
            grant=grant if known else None,
            open_until=START + 1800.0,
            now=world.now,
        )
    world.pump()
    return world, world.new_maps()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("backwards", [True, False])
def test_restored_set_is_renewed_as_one(*, known: bool, backwards: bool) -> None:
    """RFC 7753 4.4: also when the answer was never stored."""
    world, (request,) = restored(wanted=True, known=known, backwards=backwards)
    assert set_of(request) == [PortSet(size=4, first_internal_port=FIRST)]
    granted(world, request)
    assert states(world) == [LeaseState.GRANTED] * 4


@pytest.mark.parametrize("backwards", [True, False])
def test_restored_set_is_deleted_as_one(*, backwards: bool) -> None:
    """RFC 7753 4.4: an entry that is removed has its sets deleted, with the option."""
    world, (request,) = restored(wanted=False, known=True, backwards=backwards)
    assert (request.lifetime, len(set_of(request))) == (0, 1)
    world.receive(world.success(request))
    assert world.new_maps() == []
    assert world.keeper.leases() == ()


def test_restored_set_that_is_not_known_to_be_one() -> None:
    """Promise 3: first as a set, then port by port: one of them is right."""
    world, (request,) = restored(wanted=False, known=False)
    assert (request.lifetime, len(set_of(request))) == (0, 1)
    world.receive(world.success(request))
    rest = world.new_maps()
    assert [(it.internal_port, it.lifetime) for it in rest] == [
        (port, 0) for port in PORTS[1:]
    ]
    for it in rest:
        world.receive(world.success(it))
    assert world.keeper.leases() == ()


def test_restored_set_of_which_a_part_is_wanted() -> None:
    """Promise 3: what may be there of more ports is deleted, for a renewal is of all."""
    world = started()
    for port in PORTS:
        world.keeper.restore(
            wish(port),
            wanted=port != PORTS[-1],
            grant=None,
            open_until=START + 1800.0,
            now=world.now,
        )
    world.pump()
    delete = world.new_maps()[0]
    assert (delete.internal_port, delete.lifetime) == (FIRST, 0)
    assert set_of(delete) == [PortSet(size=4, first_internal_port=FIRST)]
    world.receive(world.success(delete))
    request = world.new_maps()[0]
    assert (request.internal_port, request.lifetime) == (FIRST, LIFETIME)
    assert set_of(request) == [PortSet(size=3, first_internal_port=FIRST)]


def test_restored_port_that_joins_another_set_before_the_answer() -> None:
    """Promise 3: it may be mapped apart from before, whatever was asked for since."""
    world, (request,) = restored(wanted=True, known=False)
    together = PortRange(first=FIRST, count=2)
    for port in PORTS[:2]:
        other = wish(port, port_range=together)
        world.keeper.want(other, now=world.now, urgent=False)
    world.release(key_of(PORTS[1]))
    world.new_maps()
    world.receive(world.success(request))
    deletes = [it for it in world.new_maps() if it.lifetime == 0]
    assert [it.internal_port for it in deletes] == [PORTS[1]]


def test_restored_single_ports_stay_single() -> None:
    """RFC 7753 4.3: what is mapped one by one is renewed so."""
    world = started()
    for port in PORTS:
        grant = Grant(
            assigned_external_address=EXTERNAL,
            assigned_external_port=port,
            lifetime=LIFETIME,
            expires_at=START + 1800.0,
        )
        world.keeper.restore(
            wish(port),
            wanted=True,
            grant=grant,
            open_until=START + 1800.0,
            now=world.now,
        )
    world.pump()
    assert [it.options for it in world.new_maps()] == [()] * 4


# With routers.


@pytest.mark.parametrize(("name", "requests"), RANGES)
def test_range_opens_and_closes_everywhere(name: str, requests: int) -> None:
    """RFC 7753: whatever a router makes of sets, every port opens, and closes."""
    world, router = routed(name)
    want(world)
    assert states(world) == [LeaseState.GRANTED] * 4
    assert len([it for it in world.sent if it.is_map]) == requests
    assert open_ports(router) == list(PORTS)
    world.run_for(2 * LIFETIME)
    assert states(world) == [LeaseState.GRANTED] * 4
    assert open_ports(router) == list(PORTS)
    release(world)
    world.run_for(1.0)
    assert world.keeper.leases() == ()
    assert open_ports(router) == []
    assert world.new_events(LeaseRefused) == []


@pytest.mark.parametrize("name", [name for name, _ in RANGES])
def test_answers_that_are_lost(name: str) -> None:
    """8.1.1: the request is repeated as it was, and nothing is left open in the end."""
    world, router = routed(name)
    world.loses = iter([False, True] + [False] * 1000).__next__
    want(world)
    world.run_for(30.0)
    assert states(world) == [LeaseState.GRANTED] * 4
    first, second, *_ = (it.message for it in world.sent if it.is_map)
    assert first == second
    release(world)
    world.run_for(30.0)
    assert open_ports(router) == []


def test_set_that_cannot_be_given_back() -> None:
    """8.3: who waits for the deletion of what may be there is told why it is refused."""
    world = World()
    want(world)
    world.run_for(4.0)
    request = world.new_maps()[-1]
    release(world, PORTS[3:])
    world.receive(world.error(request, ResultCode.ADDRESS_MISMATCH))
    reset(world)
    world.keeper.renew_all(now=world.now)
    world.pump()
    deletion = next(it for it in world.new_maps() if it.lifetime == 0)
    world.new_events(LeaseRefused)
    world.receive(world.error(deletion, ResultCode.ADDRESS_MISMATCH))
    waiting = [key_of(port) for port in PORTS[:3]]
    assert [world.state(key) for key in waiting] == [LeaseState.REFUSED] * 3
    assert [refused.key for refused in world.new_events(LeaseRefused)] == waiting


def test_set_that_runs_out_while_it_is_refused() -> None:
    """8.3: its ports are tried one by one then, and each is told why it is refused."""
    world = opened()
    world.run_for(LIFETIME * 5 / 8)
    renewal = world.new_maps()[-1]
    world.receive(world.error(renewal, ResultCode.NOT_AUTHORIZED, lifetime=86_400))
    world.run_for(LIFETIME * 3 / 8)
    requests = world.new_maps()
    assert [it.internal_port for it in requests] == list(PORTS[1:])
    world.receive(world.error(requests[0], ResultCode.NOT_AUTHORIZED))
    world.receive(world.success(requests[1]))
    assert states(world)[:3] == [
        LeaseState.REFUSED,
        LeaseState.REFUSED,
        LeaseState.GRANTED,
    ]
