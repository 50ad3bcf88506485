"""Days in a house, simulated; and that the simulation sees what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from custom_components.pcp import engine
from custom_components.pcp.client import answers, check, hearsay, leases, wire
from custom_components.pcp.client.codec import DecodeError
from custom_components.pcp.client.events import LeaseLost
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.client.timing import Retransmission
from custom_components.pcp.forward import Forward
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.snapshot import Snapshot
from custom_components.pcp.wishes import Wish, Wishes
from tests.simulated_router import PERSONALITIES

from . import home
from .chance import script_of
from .runs import first_failure, play, play_all
from .script import Event, Script
from .shrink import shrunk
from .world import World

type Break = Callable[[pytest.MonkeyPatch], None]

# So many weeks are lived: the first seeds, in turn with every personality.
WEEKS = 500
# An invariant that is broken on purpose is to be seen within so many seeds.
SEEDS = range(len(PERSONALITIES))
# Those of the router that grants two ports together: for what the first do not show.
SETS = range(list(PERSONALITIES).index("port_sets_of_two"), 400, len(PERSONALITIES))


def test_a_seed_repeats_exactly() -> None:
    """The same story, to the last datagram."""
    worlds = [World(script_of(0, days=0.5), told=True) for _ in range(2)]
    for world in worlds:
        world.play()
    assert worlds[0].story == worlds[1].story
    assert worlds[0].story


def test_a_script_is_made_as_short_as_can_be() -> None:
    """Only the events stay without which it would not fail."""
    script = script_of(1, days=1.0)
    needed = script.events[3:20:8]

    def fails(shorter: Script) -> bool:
        return all(event in shorter.events for event in needed)

    assert shrunk(script, fails).events == needed


def test_events_are_told_for_people() -> None:
    """With the time of the run."""
    assert (
        str(Event(93_784.5, "close", {"slot": 2})) == "1d 02:03:04.500  close(slot=2)"
    )


# 1: what is wanted is open.
def nothing_is_made_again(patch: pytest.MonkeyPatch) -> None:
    """A router that lost its state is not asked again, and what it had is shown."""
    patch.setattr(leases.Leases, "lose_all", lambda *_, **__: None)
    patch.setattr(leases.Leases, "renew_granted", lambda *_, **__: None)


def nothing_is_asked_for_again_after_silence(patch: pytest.MonkeyPatch) -> None:
    """Requests that were lost wait for their retransmission."""
    patch.setattr(leases.Leases, "ask_unanswered", lambda *_, **__: None)


# 2: what is not wanted is closed.
def nothing_is_released(patch: pytest.MonkeyPatch) -> None:
    """The keeper keeps what nobody wants."""
    patch.setattr(Keeper, "release", lambda *_, **__: None)


def durations_do_not_end(patch: pytest.MonkeyPatch) -> None:
    """What was opened for a while stays open."""

    def end(self: Wishes, *, now: float) -> list[Any]:
        for forward_id, wish in self._wishes.items():
            if wish.closes_at is not None and wish.closes_at <= now:
                self._wishes[forward_id] = Wish(wanted=True)
        self._trials.clear()
        self._changes.clear()
        return []

    patch.setattr(Wishes, "end", end)


def nothing_is_closed_on_a_router_that_is_left(patch: pytest.MonkeyPatch) -> None:
    """An entry that is moved leaves the doors open that it had."""

    async def nothing(*_: Any, **__: Any) -> None:
        pass

    patch.setattr(engine, "async_close_leases", nothing)


def nothing_is_closed_for_a_disabled_entry(patch: pytest.MonkeyPatch) -> None:
    """Nor for one that is removed: what is stored is only forgotten."""

    async def nothing(*_: Any) -> None:
        pass

    patch.setattr(home, "async_close_from_storage", nothing)


# 3: what is shown is true.
def losses_are_not_told(patch: pytest.MonkeyPatch) -> None:
    """The ledger does not hear that a lease was lost."""
    handle = Ledger.handle_event

    def deaf(self: Ledger, event: Any) -> None:
        if not isinstance(event, LeaseLost):
            handle(self, event)

    patch.setattr(Ledger, "handle_event", deaf)


def ports_of_a_set_are_all_one(patch: pytest.MonkeyPatch) -> None:
    """Each port of a set is shown at the first one's external port."""
    patch.setattr(answers, "part_of", lambda grant, _: grant)


# 4: nothing is forgotten.
def leases_are_not_stored(patch: pytest.MonkeyPatch) -> None:
    """After a crash nobody knows what was asked for."""
    as_json = Snapshot.as_json

    def without(self: Snapshot, **options: Any) -> dict[str, Any]:
        return as_json(self, **options) | {"leases": []}

    patch.setattr(Snapshot, "as_json", without)


# 5: no storm.
def requests_are_repeated_without_end(patch: pytest.MonkeyPatch) -> None:
    """Waits do not double."""
    sent = Retransmission.sent

    def soon(self: Retransmission, *, now: float) -> float | None:
        return None if sent(self, now=now) is None else now + 0.3

    patch.setattr(Retransmission, "sent", soon)


def the_server_is_asked_every_20_s(patch: pytest.MonkeyPatch) -> None:
    """A storm that nobody would call one: three requests a minute."""
    patch.setattr(check, "CHECK_INTERVAL", 20.0)


# 6: nothing is opened that no user asked for.
def all_that_is_defined_is_wanted(patch: pytest.MonkeyPatch) -> None:
    """A switch means nothing."""
    patch.setattr(Wishes, "is_asked_for", lambda *_: True)


def third_parties_stay(patch: pytest.MonkeyPatch) -> None:
    """Forwards to other hosts are asked for when the option is off."""
    patch.setattr(Wishes, "stop_third_parties", lambda _: [])


# 7: a bad datagram changes nothing, and a forged one costs little.
def garbage_is_believed(patch: pytest.MonkeyPatch) -> None:
    """What cannot be read is taken for a version answer."""

    def read(self: Keeper, data: bytes) -> object:
        try:
            return wire.read(data)
        except DecodeError:
            return wire.VersionAnswer(version=0)

    patch.setattr(Keeper, "_read", read)


def whatever_is_announced_is_verified(patch: pytest.MonkeyPatch) -> None:
    """Who forges sees each datagram answered."""
    patch.setattr(hearsay, "VERIFICATION_INTERVAL", 0.0)
    patch.setattr(hearsay, "ANNOUNCE_WAIT", 0.0)


@pytest.mark.parametrize(
    ("number", "breaks"),
    [
        (3, nothing_is_made_again),
        (1, nothing_is_asked_for_again_after_silence),
        (2, nothing_is_released),
        (2, durations_do_not_end),
        (4, nothing_is_closed_on_a_router_that_is_left),
        (2, nothing_is_closed_for_a_disabled_entry),
        (3, losses_are_not_told),
        (3, ports_of_a_set_are_all_one),
        (4, leases_are_not_stored),
        (5, requests_are_repeated_without_end),
        (5, the_server_is_asked_every_20_s),
        (6, all_that_is_defined_is_wanted),
        (7, garbage_is_believed),
        (7, whatever_is_announced_is_verified),
    ],
)
def test_what_is_broken_on_purpose_is_seen(
    number: int, breaks: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each invariant can fail."""
    breaks(monkeypatch)
    is_rare = breaks in (ports_of_a_set_are_all_one, whatever_is_announced_is_verified)
    seeds = SETS if is_rare else SEEDS
    assert first_failure(seeds, number, days=1.0) is not None


@pytest.mark.parametrize("is_broken", [False, True])
def test_other_hosts_that_stay_open_are_seen(
    is_broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6: of a forward to another host, whose option goes off while it is open."""
    if is_broken:
        third_parties_stay(monkeypatch)
    script = script_of(list(PERSONALITIES).index("third_party"), days=0.2)
    host = Forward(
        name="host", internal_port=2000, target_host=ip_address("192.0.2.50")
    )
    events = (
        Event(20.0, "add", {"slot": 0}),
        Event(1000.0, "set_third_party", {"is_on": False}),
    )
    script = replace(script, third_party=True, forwards=(host,), events=events)
    broken = World(script).play()
    assert (broken.number if broken else None) == (6 if is_broken else None)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_is_well_with_every_router(seed: int) -> None:
    """A day with each personality."""
    assert play(seed, 1.0).what == ""


@pytest.mark.timeout(3600)
def test_all_is_well_for_weeks() -> None:
    """Seven days from each seed, on two processors."""
    outcomes = list(play_all(range(WEEKS), processes=2))
    assert len(outcomes) == WEEKS
    assert [f"{it.seed}: {it.what}" for it in outcomes if it.broken is not None] == []
