"""A thousand forwards: what is done for one is not done for all."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import pytest

from custom_components.pcp.forward import Forward
from custom_components.pcp.ledger import Ledger

from .bookkeeping import Bookkeeping, asked, forward, key
from .glue import forward_data
from .house import House, slow_disk

pytest_plugins = ["tests.house_fixtures"]

MANY = 1000
# Entities take their time to be made.
SOME = 60


@contextmanager
def counted(kind: type, *names: str) -> Iterator[Counter[str]]:
    """Count the calls of some methods."""
    calls: Counter[str] = Counter()

    def counting(name: str) -> object:
        real = getattr(kind, name)

        def call(*args: object, **kwargs: object) -> object:
            calls[name] += 1
            return real(*args, **kwargs)

        return call

    with ExitStack() as patches:
        for name in names:
            patches.enter_context(patch.object(kind, name, counting(name)))
        yield calls


def thousand() -> Bookkeeping:
    """Return a ledger with a thousand forwards that are open."""
    books = Bookkeeping()
    books.ledger.define({str(port): forward(port) for port in range(1, MANY + 1)})
    for forward_id in books.ledger.forwards:
        books.ledger.open(forward_id)
    books.grant()
    books.ledger.take_touched()
    return books


def test_the_ledger_looks_at_one_forward_only() -> None:
    """An act on it, and news of it."""
    books = thousand()
    with counted(Forward, "mappings_at", "covers") as calls:
        books.ledger.close("500")
        books.release()
        assert asked(books.ledger.open("500")) == [key(500)]
        books.grant(key(500))
        books.lose(key(500))
        books.refuse(key(500))
        books.standing("500")
    assert calls.total() < 50
    assert books.ledger.take_touched() == {"500"}


def test_what_ends_together_is_settled_together() -> None:
    """A thousand durations at the same moment."""
    books = thousand()
    for forward_id in books.ledger.forwards:
        books.ledger.open(forward_id, closes_at=60.0)
    with counted(Forward, "mappings_at", "covers") as calls:
        assert len(books.ledger.handle_timer(now=60.0)) == MANY
    assert calls.total() < 5 * MANY


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_all_at_once(house: House) -> None:
    """A scene switches everything: few writes, and every forward is shown for itself."""
    await house.set_up(*(forward_data(str(port), port) for port in range(1, SOME + 1)))
    with counted(Ledger, "standing") as shown, slow_disk() as writes:
        acts = map(house.coordinator.async_open_forward, house.ids())
        await house.finish(asyncio.gather(*acts))
    assert house.open_ports() == list(range(1, SOME + 1))
    assert len(writes) < 10
    assert shown.total() < 12 * SOME


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_one_of_many(house: House) -> None:
    """An act, and an answer, make one forward be looked at, and its entities updated."""
    await house.set_up(*(forward_data(str(port), port) for port in range(1, SOME + 1)))
    for forward_id in house.ids():
        await house.coordinator.async_open_forward(forward_id)
    await house.settle()
    updated: Counter[str] = Counter()

    def listen(forward_id: str) -> None:
        house.coordinator.async_add_listener(
            lambda: updated.update([forward_id]), forward_id
        )

    for forward_id in house.ids():
        listen(forward_id)
    with counted(Ledger, "standing") as shown:
        one = house.ids()[SOME // 2]
        await house.turn_off(one)
        await house.turn_on(one)
    assert set(updated) == {one}
    assert shown.total() < 30


def test_what_is_defined_anew_is_what_changed() -> None:
    """One forward more of a thousand: the others are not looked at."""
    books = thousand()
    forwards = dict(books.ledger.forwards)
    with counted(Forward, "places", "mappings_at", "covers") as calls:
        books.ledger.define(forwards | {"more": forward(MANY + 1)})
    assert calls.total() < 20
    assert books.ledger.take_touched() == {"more"}


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_only_the_new_forward_is_read(house: House) -> None:
    """One more is added: the definitions of the others are not read again."""
    await house.set_up(*(forward_data(str(port), port) for port in range(1, SOME + 1)))
    with counted(Forward, "_check_ranges") as calls:
        await house.add("More", 9999)
    assert calls.total() < 10


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_all_that_changes_is_shown_in_order(house: House) -> None:
    """More than is shown in one turn: all of it is shown, as it was defined."""
    await house.set_up(*(forward_data(str(port), port) for port in range(1, SOME + 1)))
    acts = map(house.coordinator.async_open_forward, house.ids())
    await house.finish(asyncio.gather(*acts))
    await house.settle()
    shown = house.coordinator.data.forwards
    assert [view.name for view in shown.values()] == [
        str(port) for port in range(1, SOME + 1)
    ]
    assert {view.status.value for view in shown.values()} == {"open"}
