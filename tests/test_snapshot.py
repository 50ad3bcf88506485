"""The stored form: exact both ways, and damage is told from it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_network
import json
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.pcp.client.mapping import (
    Grant,
    MappingKey,
    MappingWish,
    Protocol,
)
from custom_components.pcp.snapshot import Snapshot, StoredLease

# When the run began, in seconds since 1970.
WALL_OFFSET = 1795300000.0
FIXTURE = Path(__file__).parent / "fixtures" / "store_v1.json"

EXAMPLE = Snapshot(
    servers=(IPv4Address("192.0.2.1"), IPv6Address("fe80::1%eth0")),
    internal_addresses=(IPv4Address("192.0.2.2"), IPv6Address("2001:db8::2")),
    wishes={
        "01JD4Q6K8Z0000000000000001": (True, 600.5),
        "01JD4Q6K8Z0000000000000002": (False, None),
    },
    leases=(
        StoredLease(
            wish=MappingWish(
                key=MappingKey(
                    internal_address=IPv4Address("192.0.2.2"),
                    protocol=Protocol.TCP,
                    internal_port=8123,
                ),
                nonce=bytes.fromhex("00112233445566778899aabb"),
                lifetime=3600,
                suggested_external_port=443,
                exact=True,
                allowed_sources=(IPv4Network("198.51.100.0/24"),),
            ),
            grant=Grant(
                assigned_external_address=IPv4Address("203.0.113.5"),
                assigned_external_port=443,
                lifetime=3600,
                expires_at=3600.25,
            ),
            open_until=3600.25,
        ),
        StoredLease(
            wish=MappingWish(
                key=MappingKey(
                    internal_address=IPv6Address("2001:db8::2"),
                    protocol=Protocol.UDP,
                    internal_port=51820,
                ),
                nonce=bytes.fromhex("ffeeddccbbaa998877665544"),
                lifetime=3600,
                suggested_external_port=51820,
            ),
            grant=None,
            open_until=None,
        ),
        StoredLease(
            wish=MappingWish(
                key=MappingKey(
                    internal_address=IPv4Address("192.0.2.9"),
                    protocol=Protocol.UDP,
                    internal_port=9000,
                ),
                nonce=bytes.fromhex("0123456789abcdef01234567"),
                lifetime=600,
                suggested_external_port=9000,
                third_party=True,
            ),
            grant=Grant(
                assigned_external_address=None,
                assigned_external_port=9001,
                lifetime=7200,
                expires_at=7200.0,
            ),
            open_until=7200.0,
        ),
    ),
)


def stored() -> dict[str, Any]:
    """Return what version 1 has stored, since its first release."""
    data: dict[str, Any] = json.loads(FIXTURE.read_text())["data"]
    return data


def read(data: object, *, wall_offset: float = WALL_OFFSET) -> Snapshot:
    """Return what is stored; raises ValueError when anything of it is damaged."""
    snapshot, damage = Snapshot.from_json(data, wall_offset=wall_offset)
    if damage:
        raise ValueError(f"damaged storage: {damage}")
    return snapshot


def salvaged(path: tuple[Any, ...], value: object) -> Snapshot:
    """Return what can be read with one member changed; there is one damage."""
    data = damaged(path, value)
    snapshot, (what,) = Snapshot.from_json(data, wall_offset=WALL_OFFSET)
    assert str(value) not in what
    return snapshot


def test_version_1_is_read() -> None:
    """What the first release has written can be read for ever."""
    assert read(stored()) == EXAMPLE


def test_version_1_is_written() -> None:
    """What changes this needs another version, and a migration."""
    assert EXAMPLE.as_json(wall_offset=WALL_OFFSET) == stored()


def test_nothing_is_something_to_store() -> None:
    """A router without forwards."""
    data = Snapshot().as_json(wall_offset=WALL_OFFSET)
    assert read(data) == Snapshot()


def test_times_are_of_the_wall_clock() -> None:
    """Monotonic time does not survive a restart."""
    data = EXAMPLE.as_json(wall_offset=WALL_OFFSET)
    later = read(data, wall_offset=WALL_OFFSET + 100)
    assert later.wishes["01JD4Q6K8Z0000000000000001"] == (True, 500.5)
    assert later.leases[0].grant
    assert later.leases[0].grant.expires_at == later.leases[0].open_until == 3500.25


@pytest.mark.parametrize(
    ("step", "passed", "left"),
    [
        pytest.param(0, 100, 500.5, id="nothing"),
        pytest.param(-10800, 100, 600.5, id="back"),
        pytest.param(-50, 100, 550.5, id="back by less than has passed"),
        pytest.param(7200, 100, 500.5 - 7200, id="forth"),
    ],
)
def test_a_clock_that_was_set_meanwhile(
    step: float, passed: float, left: float
) -> None:
    """It is never before what it was then: no duration is longer because of it."""
    snapshot = replace(EXAMPLE, taken_at=0.0)
    data = snapshot.as_json(wall_offset=WALL_OFFSET)
    after, damage = Snapshot.from_json(data, wall_offset=WALL_OFFSET + step, now=passed)
    assert damage == []
    _, closes_at = after.wishes["01JD4Q6K8Z0000000000000001"]
    assert closes_at is not None
    assert closes_at - passed == pytest.approx(left)


def test_a_damaged_time_of_storing() -> None:
    """The clock is believed then."""
    data = EXAMPLE.as_json(wall_offset=WALL_OFFSET) | {"saved_at": "damaged"}
    snapshot, (what,) = Snapshot.from_json(data, wall_offset=WALL_OFFSET, now=0.0)
    assert snapshot == EXAMPLE
    assert what.startswith("saved_at")


ports = st.integers(1, 65535)
# Eighths of a second are exact in memory, and in three decimals.
times = st.integers(-(10**9), 10**9).map(lambda eighths: eighths / 8)
lifetimes = st.integers(1, 86400)


@st.composite
def leases(draw: st.DrawFn, nonce: bytes) -> StoredLease:
    """Return any lease."""
    addresses = draw(st.sampled_from([st.ip_addresses(v=4), st.ip_addresses(v=6)]))
    grants = st.builds(
        Grant,
        assigned_external_address=st.none() | addresses,
        assigned_external_port=ports,
        lifetime=lifetimes,
        expires_at=times,
    )
    return StoredLease(
        wish=MappingWish(
            key=MappingKey(
                internal_address=draw(addresses),
                protocol=draw(st.sampled_from([*Protocol])),
                internal_port=draw(ports),
            ),
            nonce=nonce,
            lifetime=draw(lifetimes),
            suggested_external_port=draw(st.just(0) | ports),
            exact=draw(st.booleans()),
            third_party=draw(st.booleans()),
            allowed_sources=tuple(
                draw(st.lists(addresses.map(ip_network), max_size=2))
            ),
        ),
        grant=draw(st.none() | grants),
        open_until=draw(st.none() | times),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Return any snapshot; a nonce is there but once."""
    nonces = draw(
        st.lists(st.binary(min_size=12, max_size=12), max_size=3, unique=True)
    )
    return Snapshot(
        servers=tuple(draw(st.lists(st.ip_addresses(), max_size=2))),
        internal_addresses=tuple(draw(st.lists(st.ip_addresses(), max_size=2))),
        wishes=draw(
            st.dictionaries(
                st.text(), st.tuples(st.booleans(), st.none() | times), max_size=3
            )
        ),
        leases=tuple(draw(leases(nonce)) for nonce in nonces),
    )


@given(snapshots())
def test_the_round_trip_is_exact(snapshot: Snapshot) -> None:
    """Through JSON as it is on disk."""
    text = json.dumps(snapshot.as_json(wall_offset=WALL_OFFSET))
    assert read(json.loads(text)) == snapshot


def members(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to all that is in some JSON."""
    items = list(data.items() if isinstance(data, dict) else enumerate(data))
    for name, value in items:
        yield (*path, name)
        if isinstance(value, dict | list):
            yield from members(value, (*path, name))


def damaged(path: tuple[Any, ...], value: object) -> dict[str, Any]:
    """Return what is stored, with one member changed."""
    data = deepcopy(stored())
    inside: Any = data
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    return data


ANYTHING: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    1e300,
    10**400,
    float("nan"),
    "",
    "x",
    [],
    [1],
    {},
    {"": 0},
)
PATHS = [path for path in members(stored()) if path != ("wishes", *path[1:2])]


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_damage_is_told_and_nothing_else_raised(path: tuple[Any, ...]) -> None:
    """Another value in any place is damage, or a value that could be meant."""
    for value in ANYTHING:
        try:
            read(damaged(path, value))
        except ValueError:
            continue


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_what_is_missing_is_damage(path: tuple[Any, ...]) -> None:
    """Every member is needed."""
    if isinstance(path[-1], int):
        return
    data = deepcopy(stored())
    inside: Any = data
    for name in path[:-1]:
        inside = inside[name]
    del inside[path[-1]]
    with pytest.raises(ValueError, match="damaged storage"):
        read(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("servers",), {}),
        (("servers", 0), 5),
        (("servers", 0), "router.example"),
        (("internal_addresses",), None),
        (("wishes",), []),
        (("wishes", "01JD4Q6K8Z0000000000000001"), True),
        (("wishes", "01JD4Q6K8Z0000000000000001", "wanted"), "on"),
        (("wishes", "01JD4Q6K8Z0000000000000001", "wanted"), 1),
        (("wishes", "01JD4Q6K8Z0000000000000001", "closes_at"), "soon"),
        (("wishes", "01JD4Q6K8Z0000000000000001", "closes_at"), float("nan")),
        (("wishes", "01JD4Q6K8Z0000000000000001", "closes_at"), 10**400),
        (("leases",), {}),
        (("leases", 0), None),
        (("leases", 0, "internal_address"), 3221225986),
        (("leases", 0, "protocol"), "sctp"),
        (("leases", 0, "protocol"), 6),
        (("leases", 0, "internal_port"), 0),
        (("leases", 0, "internal_port"), 65536),
        (("leases", 0, "internal_port"), 80.0),
        (("leases", 0, "internal_port"), True),
        (("leases", 0, "nonce"), "0011"),
        (("leases", 0, "nonce"), "not hexadecimal figures "),
        (("leases", 0, "nonce"), "ffeeddccbbaa998877665544"),
        (("leases", 0, "lifetime"), 0),
        (("leases", 0, "lifetime"), 2**32),
        (("leases", 0, "suggested_external_port"), -1),
        (("leases", 0, "exact"), None),
        (("leases", 0, "third_party"), "false"),
        (("leases", 0, "allowed_sources"), None),
        (("leases", 0, "allowed_sources"), ["198.51.100.1/24"]),
        (("leases", 0, "allowed_sources"), ["2001:db8::/32"]),
        (("leases", 0, "grant"), 0),
        (("leases", 0, "grant"), {}),
        (("leases", 0, "grant", "external_address"), ""),
        (("leases", 0, "grant", "external_port"), 0),
        (("leases", 0, "grant", "expires_at"), None),
        (("leases", 0, "open_until"), "2026-11-22"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_damage(path: tuple[Any, ...], value: object) -> None:
    """It is told with one kind of error."""
    with pytest.raises(ValueError, match="damaged storage"):
        read(damaged(path, value))


@pytest.mark.parametrize("data", [None, [], "x", 5, {}])
def test_what_is_no_snapshot_at_all_is_damage(data: object) -> None:
    """Another file in its place."""
    with pytest.raises(ValueError, match="damaged storage"):
        read(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda some: (
            st.lists(some, max_size=3)
            | st.dictionaries(
                st.sampled_from(["servers", "wishes", "leases", "wanted"]), some
            )
        ),
    )
)
def test_any_json_is_a_snapshot_or_damage(data: object) -> None:
    """Nothing but ValueError is raised."""
    try:
        read(data)
    except ValueError:
        return


# What is damaged costs only itself.

FIRST, SECOND = EXAMPLE.wishes
MEMBERS = ("internal_address", "protocol", "internal_port", "nonce", "lifetime")


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("member", [*MEMBERS, "exact", "allowed_sources"])
def test_a_damaged_lease_costs_one(number: int, member: str) -> None:
    """What is wanted, and what else was granted, is known as before."""
    snapshot = salvaged(("leases", number, member), "what 203.0.113.66 is not")
    others = [lease for lease in EXAMPLE.leases if lease != EXAMPLE.leases[number]]
    assert snapshot == replace(EXAMPLE, leases=tuple(others))


@pytest.mark.parametrize("value", [True, {}, {"wanted": True, "closes_at": "soon"}])
def test_a_damaged_wish_costs_one(value: object) -> None:
    """Wanted until nobody knows when is not known to be wanted."""
    snapshot = salvaged(("wishes", FIRST), value)
    assert snapshot == replace(EXAMPLE, wishes={SECOND: EXAMPLE.wishes[SECOND]})


@pytest.mark.parametrize("member", ["servers", "internal_addresses"])
def test_a_damaged_address_costs_one(member: str) -> None:
    """It is not told: the log is for everybody."""
    snapshot = salvaged((member, 0), "203.0.113.66.")
    assert getattr(snapshot, member) == getattr(EXAMPLE, member)[1:]


@pytest.mark.parametrize(
    ("member", "value"),
    [("grant", {}), ("grant", "203.0.113.66"), ("open_until", "a day, maybe")],
)
def test_without_its_grant_a_lease_can_still_be_deleted(
    member: str, value: object
) -> None:
    """The nonce is all that it takes."""
    snapshot = salvaged(("leases", 0, member), value)
    changes: dict[str, Any] = {member: None}
    known = replace(EXAMPLE.leases[0], **changes)
    assert snapshot == replace(EXAMPLE, leases=(known, *EXAMPLE.leases[1:]))


@pytest.mark.parametrize("member", [*stored()])
def test_what_is_missing_costs_nothing_else(member: str) -> None:
    """Servers, addresses, wishes or leases."""
    data = stored()
    del data[member]
    snapshot, (_,) = Snapshot.from_json(data, wall_offset=WALL_OFFSET)
    empty = getattr(Snapshot(), member)
    assert snapshot == replace(EXAMPLE, **{member: empty})


def test_of_two_leases_with_one_nonce_the_first_is_meant() -> None:
    """Which of them has it, nobody can know."""
    nonce = stored()["leases"][0]["nonce"]
    snapshot = salvaged(("leases", 1, "nonce"), nonce)
    assert snapshot.leases == (EXAMPLE.leases[0], EXAMPLE.leases[2])


def test_routers_that_keep_pinholes() -> None:
    """Promise 7 outlives a restart; other routers' storage is as it always was."""
    server = EXAMPLE.servers[1]
    snapshot = replace(EXAMPLE, pinhole_keepers=(server,))
    data = snapshot.as_json(wall_offset=WALL_OFFSET)
    assert data["pinhole_keepers"] == [str(server)]
    assert Snapshot.from_json(data, wall_offset=WALL_OFFSET) == (snapshot, [])
    assert "pinhole_keepers" not in EXAMPLE.as_json(wall_offset=WALL_OFFSET)


@pytest.mark.parametrize("value", [None, "fe80::1", ["nonsense"], [7]])
def test_damaged_pinhole_keepers(value: object) -> None:
    """What cannot be read of it costs nothing else."""
    data = EXAMPLE.as_json(wall_offset=WALL_OFFSET) | {"pinhole_keepers": value}
    snapshot, damage = Snapshot.from_json(data, wall_offset=WALL_OFFSET)
    assert snapshot == EXAMPLE
    assert len(damage) == 1


def test_whose_servers_they_are() -> None:
    """What was stored before that was known says nothing of it."""
    snapshot = replace(EXAMPLE, host="router.example")
    data = snapshot.as_json(wall_offset=WALL_OFFSET)
    assert data["host"] == "router.example"
    assert read(data) == snapshot
    assert "host" not in EXAMPLE.as_json(wall_offset=WALL_OFFSET)


@pytest.mark.parametrize("value", [5, ["router.example"], True, {}])
def test_damaged_host(value: object) -> None:
    """Then nobody knows; the rest is as it was."""
    data = EXAMPLE.as_json(wall_offset=WALL_OFFSET) | {"host": value}
    snapshot, (what,) = Snapshot.from_json(data, wall_offset=WALL_OFFSET)
    assert snapshot == EXAMPLE
    assert what.startswith("host")
