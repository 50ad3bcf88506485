"""What nobody foresaw goes wrong on the way to the router: nothing is lost by it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from ipaddress import IPv4Address
import logging
from typing import Any, override
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
import pytest

from custom_components.pcp.client.announcements import AnnouncementListener
from custom_components.pcp.delivery import Delivery
from custom_components.pcp.forward import Forward
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.link import Link
from custom_components.pcp.orders import Order
from custom_components.pcp.records import Records
from tests.simulated_router import SimulatedRouter

from .glue import MAC, OTHER_MAC, forward_data
from .house import House, slow_disk

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

# The look around comes every minute.
A_MINUTE = 61.0


class FailsOnce:
    """A method of the delivery that fails at its first call."""

    def __init__(self, method: Callable[[Delivery, Order], None]) -> None:
        self._method = method
        self._has_failed = False

    def __get__(self, delivery: Delivery, owner: type) -> Callable[[Order], None]:
        return lambda order: self._call(delivery, order)

    def _call(self, delivery: Delivery, order: Order) -> None:
        if not self._has_failed:
            self._has_failed = True
            raise RuntimeError("the first one")
        self._method(delivery, order)


class BrokenLink(Link):
    """A link that cannot be started."""

    @override
    async def async_start(self, listener: AnnouncementListener | None) -> None:
        raise OSError("no files")


def fails_half_way(ledger: Ledger, *args: Any, **kwargs: Any) -> Iterator[Any]:
    """Take up some leases, and raise."""
    yield next(RESUME(ledger, *args, **kwargs))
    raise RuntimeError("half-way")


RESUME = Ledger.resume_in_steps
FAILURES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "name": lambda: patch(
        "custom_components.pcp.servers.async_resolve", side_effect=OSError("no files")
    ),
    "servers": lambda: patch(
        "custom_components.pcp.servers.async_find_servers", side_effect=RuntimeError
    ),
    "take_over": lambda: patch(
        "custom_components.pcp.engine.async_take_over", side_effect=RuntimeError
    ),
    "listener": lambda: patch(
        "custom_components.pcp.links.async_get_listener",
        side_effect=OSError("no files"),
    ),
    "socket": lambda: patch("custom_components.pcp.links.Link", BrokenLink),
    "first_lease": lambda: patch.object(
        Ledger, "resume_in_steps", side_effect=RuntimeError
    ),
    "half_way": lambda: patch.object(Ledger, "resume_in_steps", fails_half_way),
}


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is told."""
    caplog.set_level(logging.WARNING)
    return caplog


def told(log: pytest.LogCaptureFixture) -> list[str]:
    """Return what was told of warnings and errors since the last call."""
    messages = [
        f"{record.name} {record.getMessage()}"
        for record in log.records
        if record.levelno >= logging.WARNING
    ]
    log.clear()
    return messages


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_start_that_fails_is_made_up_for(
    house: House, log: pytest.LogCaptureFixture, failure: str
) -> None:
    """Wishes are taken meanwhile; all of it is carried out a minute after the last."""
    await house.set_up()
    stays, opened, closed = [await house.add(str(port), port) for port in (81, 82, 83)]
    await house.turn_off(opened)
    nonces = house.stored_nonces()
    await house.stop()
    told(log)
    with FAILURES[failure]():
        await house.start()
        count = house.count()
        assert house.entry.state is ConfigEntryState.LOADED
        await house.turn_on(opened)
        await house.turn_off(closed)
        assert (house.is_on(opened), house.is_on(closed)) == (True, False)
        assert house.status(closed) == "closing"
        await house.wait(300)
        assert house.maps(count) == []
        assert house.stored()["wishes"][opened]["wanted"] is True
        (line,) = told(log)
        assert "custom_components.pcp" in line
    took = await house.until(lambda: house.status(opened) == "open")
    assert took <= A_MINUTE
    await house.settle()
    assert [house.status(it) for it in (stays, closed)] == ["open", "closed"]
    assert house.open_ports() == [81, 82]
    assert house.stored_nonces()[81] == nonces[81]
    assert {it.nonce.hex() for it in house.maps(count) if it.internal_port == 83} == {
        nonces[83]
    }
    (line,) = told(log)
    assert "custom_components.pcp" in line
    # All is as ever.
    count = house.count()
    await house.wait(200)
    assert house.count() == count


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_first_start_that_fails(house: House, failure: str) -> None:
    """The router is found a minute later, and nothing is opened by it."""
    with FAILURES[failure]():
        await house.set_up()
        await house.wait(130)
    await house.wait(A_MINUTE)
    assert house.coordinator.data.router.reachable
    assert house.open_ports() == []
    await house.add()
    assert house.open_ports() == [8123]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_start_that_fails_and_is_stopped(house: House, failure: str) -> None:
    """It is not tried again, and the next one finds everything."""
    await house.set_up()
    forward_id = await house.add()
    nonces = house.stored_nonces()
    await house.stop()
    with FAILURES[failure]():
        await house.start()
        await house.stop()
    count = house.count()
    await house.wait(200)
    assert house.count() == count
    await house.start()
    assert house.status(forward_id) == "open"
    assert house.stored_nonces() == nonces


async def test_what_changed_during_a_start_that_fails(house: House) -> None:
    """An option that was changed while the platforms were set up counts all the same."""
    await house.set_up()
    await house.add()
    await house.stop()
    forward = house.hass.config_entries.async_forward_entry_setups

    async def change(*args: Any) -> None:
        await forward(*args)
        house.hass.config_entries.async_update_entry(
            house.entry, options={"lease_time": 600}
        )

    with (
        patch.object(house.hass.config_entries, "async_forward_entry_setups", change),
        FAILURES["socket"](),
    ):
        await house.start()
    await house.wait(A_MINUTE)
    assert house.maps()[-1].lifetime == 600


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_move_that_fails_is_made_up_for(
    house: House, other_router: SimulatedRouter, failure: str
) -> None:
    """What was open at the old router is closed there, and open at the new one."""
    await house.set_up()
    await house.add("Game", 81)
    with FAILURES[failure]():
        await house.finish(house.coordinator.async_move_to(other_router.address))
        await house.wait(130)
    await house.wait(A_MINUTE)
    assert house.open_ports() == []
    assert [mapping.external_port for mapping in other_router.mappings()] == [81]


async def test_the_act_that_makes_the_way_is_cancelled(house: House) -> None:
    """As when a script is stopped: the way is made all the same, and leads somewhere."""
    resolve = "custom_components.pcp.servers.async_resolve"
    with patch(resolve, side_effect=ValueError):
        await house.set_up(forward_data("Game", 81), data={"host": "router.example"})
        (forward_id,) = house.ids()
        await house.turn_on(forward_id)
    address = IPv4Address(house.router.address)
    with patch(resolve, return_value=(address,)), slow_disk(3.0):
        # Something else is just being saved.
        house.begin(house.coordinator._engine.async_carry_out([]))
        await asyncio.sleep(0)
        act = house.begin(
            house.coordinator.async_try_forward(
                Forward.parse({"name": "Chess", "internal_port": 82})
            )
        )
        await house.wait(1)
        act.cancel()
        await house.wait(10)
    assert act.cancelled()
    assert house.status(forward_id) == "open"
    assert house.open_ports() == [81]


@pytest.mark.parametrize("failure", ["take_over", "listener", "socket", "half_way"])
async def test_another_router_at_the_same_address(house: House, failure: str) -> None:
    """Everything is asked for with new nonces, though the first attempt fails."""
    await house.set_up(data={"mac": MAC})
    await house.add()
    nonces = house.stored_nonces()
    with FAILURES[failure]():
        house.hass.config_entries.async_update_entry(
            house.entry, data={**house.entry.data, "mac": OTHER_MAC}
        )
        await house.wait(130)
    house.router.reboot(lose_mappings=True)
    await house.wait(A_MINUTE)
    assert house.open_ports() == [8123]
    assert house.stored_nonces() != nonces


@pytest.mark.parametrize(
    "fails",
    [
        lambda: patch.object(Records, "async_save", side_effect=RuntimeError),
        lambda: patch.object(Delivery, "pass_on", FailsOnce(Delivery.pass_on)),
    ],
    ids=["save", "first_order"],
)
async def test_an_act_that_fails(
    house: House, fails: Callable[[], AbstractContextManager[object]]
) -> None:
    """What was decided with it is carried out within a minute."""
    await house.set_up()
    forward_id = await house.add(protocol="tcp_udp")
    with fails(), pytest.raises(RuntimeError):
        await house.finish(house.coordinator.async_close_forward(forward_id))
    await house.wait(A_MINUTE)
    assert house.router.mappings() == ()
    assert house.status(forward_id) == "closed"
