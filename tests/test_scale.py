"""A thousand forwards: what is done for one is not done for all."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
import pytest

from custom_components.pcp import PLATFORMS
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.client.transport import Transport
from custom_components.pcp.entity import ForwardEntity
from custom_components.pcp.forward import Forward
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.orders import Release, Restore
from custom_components.pcp.snapshot import Snapshot
from custom_components.pcp.storage import LedgerStore, form_of

from .bookkeeping import OWN, Bookkeeping, asked, forward, key
from .client.scripted_server import SERVER
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


def test_what_is_sent_at_a_time() -> None:
    """A thousand are asked for at once: a few dozen requests, and the rest at once."""
    books = thousand()
    keeper = Keeper(SERVER, nonce=lambda: b"check nonce.", jitter=lambda: 0.5, now=0.0)
    keeper.set_client_address(OWN, now=0.0)
    for lease in books.ledger.leases.values():
        keeper.want(lease.wish, now=0.0)
    sent: list[bytes] = []
    while keeper.next_wakeup() == 0.0:
        keeper.handle_timer(now=0.0)
        assert keeper.next_event() is None
        some = keeper.datagrams_to_send(now=0.0)
        assert 0 < len(some) <= 33
        sent += some
    # And the question whether the server lives.
    assert len(set(sent)) == len(sent) == MANY + 1


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_what_one_turn_of_the_loop_does(house: House) -> None:
    """Datagrams sent and news told in one pump, when all is lost and made again."""
    ports = range(1, 3 * SOME)
    await house.set_up(*(forward_data(str(port), port) for port in ports))
    most: Counter[str] = Counter()
    pump = Transport.pump

    def counting(transport: Transport) -> None:
        with (
            counted(Transport, "_send_one") as sent,
            counted(Ledger, "handle_event") as told,
        ):
            pump(transport)
        most["sent"] = max(most["sent"], sent.total())
        most["told"] = max(most["told"], told.total())

    with patch.object(Transport, "pump", counting):
        acts = map(house.coordinator.async_open_forward, house.ids())
        await house.finish(asyncio.gather(*acts))
        house.router.reboot()
        await house.coordinator.async_renew()
        await house.wait(10)
    assert house.open_ports() == list(ports)
    assert 0 < most["sent"] <= 64
    assert 0 < most["told"] <= 64


def test_a_start_in_steps() -> None:
    """No step looks at more than some of a thousand; together they are the whole."""
    books = thousand()
    forwards, snapshot = books.ledger.forwards, books.ledger.snapshot()
    after = Bookkeeping(own=False)
    steps = after.ledger.restore_in_steps(snapshot, forwards, now=0.0)
    known = 0
    for _ in steps:
        assert len(after.ledger.leases) - known <= 64
        known = len(after.ledger.leases)
    assert len(after.ledger.leases) == MANY
    orders = []
    with counted(Forward, "mappings_at") as calls:
        for some in after.ledger.resume_in_steps(4, OWN, now=0.0):
            assert calls.total() <= 64
            calls.clear()
            orders += some
    grant = books.granted
    assert orders == [Restore(it, grant(it)) for it in books.ledger.leases]


def test_an_act_between_the_steps() -> None:
    """What is closed and opened meanwhile is handed over as it is then wanted."""
    books = thousand()
    after = Bookkeeping(own=False)
    forwards = books.ledger.forwards
    after.ledger.restore(books.ledger.snapshot(), forwards, now=0.0)
    steps = after.ledger.resume_in_steps(4, OWN, now=0.0)
    orders = next(steps)
    assert after.ledger.close("1") == [Release(key(1))]
    after.ledger.close("999")
    for some in steps:
        orders += some
    assert Restore(key(1), books.granted(key(1))) in orders
    assert not any(after.ledger.leases[key(port)].wanted for port in (1, 999))
    assert after.ledger.leases[key(500)].wanted


async def test_much_is_stored_in_another_thread(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """What is written is what was so when it was asked for."""
    books = thousand()
    snapshot = books.ledger.snapshot()
    threads: set[int] = set()
    as_json, from_json = Snapshot.as_json, Snapshot.from_json

    def making(self: Snapshot, **options: float) -> dict[str, Any]:
        threads.add(get_ident())
        return as_json(self, **options)

    def reading(data: object, **options: float) -> tuple[Snapshot, list[str]]:
        threads.add(get_ident())
        return from_json(data, **options)

    with (
        patch.object(Snapshot, "as_json", making),
        patch.object(Snapshot, "from_json", reading),
    ):
        saving = LedgerStore(hass, "entry").async_save(form_of(snapshot, wall_offset=0))
        task = hass.async_create_task(saving)
        books.ledger.close("500")
        books.release()
        assert await task
        stored = await LedgerStore(hass, "entry").async_load(wall_offset=0)
    assert stored is not None
    assert len(stored.snapshot.leases) == MANY
    assert threads
    assert get_ident() not in threads


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_what_is_on_disk_is_not_written_again(house: House) -> None:
    """A start writes once, and a change of the entry that is none of ours not at all."""
    await house.set_up(forward_data("Camera", 8123))
    one = house.ids()[0]
    await house.turn_on(one)
    await house.wait(60)
    await house.stop()
    with slow_disk(0) as writes:
        await house.start()
    assert len(writes) == 1
    await house.wait(60)
    await house.turn_on(one)
    with slow_disk(0) as writes:
        await house.finish(house.coordinator.async_follow_entry())
    assert writes == []


@pytest.mark.freeze_time("2026-11-22 12:00:00.25")
async def test_others_have_their_turn_while_it_is_unloaded(house: House) -> None:
    """Home Assistant would remove all entities of a platform in one turn of its loop."""
    await house.set_up(*(forward_data(str(port), port) for port in range(1, SOME + 1)))
    removed: Counter[int] = Counter()
    turns = 0
    real = ForwardEntity.async_will_remove_from_hass

    async def removing(entity: ForwardEntity) -> None:
        removed[turns] += 1
        await real(entity)

    entries = house.hass.config_entries
    with patch.object(ForwardEntity, "async_will_remove_from_hass", removing):
        unloading = house.begin(entries.async_unload(house.entry.entry_id))
        while not unloading.done():
            turns += 1
            await asyncio.sleep(0)
    assert removed.total() == 4 * SOME + SOME
    assert max(removed.values()) <= len(PLATFORMS)
