"""The one watch on this machine's network, and what routers do when it tells."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.pcp.client.routes import Gateway
from custom_components.pcp.network import async_watch_network
from custom_components.pcp.servers import Whereabouts

from .house import House
from .test_own_address import inside, with_own

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")


class Kernel:
    """Stands for the watch, and tells of changes."""

    def __init__(self) -> None:
        """Begin without a watch."""
        self.watches = 0
        self.is_watched = False
        self.tell: Callable[[], None] = lambda: None

    def __call__(self, tell: Callable[[], None]) -> Kernel:
        """Be made."""
        self.watches += 1
        self.tell = tell
        return self

    def start(self) -> None:
        """Begin."""
        self.is_watched = True

    def close(self) -> None:
        """End."""
        self.is_watched = False


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """Put it in the place of the real one."""
    kernel = Kernel()
    with (
        patch("custom_components.pcp.network.NetworkWatch", kernel),
        patch("custom_components.pcp.servers.default_gateways", return_value=[]),
    ):
        yield kernel


async def test_one_watch_for_all(house: House, kernel: Kernel) -> None:
    """It is made once, and ends with the last one that wants it."""
    told: list[str] = []
    first = async_watch_network(house.hass, lambda: told.append("first"))
    second = async_watch_network(house.hass, lambda: told.append("second"))
    assert (kernel.watches, kernel.is_watched) == (1, True)
    kernel.tell()
    assert told == ["first", "second"]
    first()
    assert kernel.is_watched
    kernel.tell()
    assert told == ["first", "second", "second"]
    second()
    assert not kernel.is_watched
    async_watch_network(house.hass, lambda: None)()
    assert kernel.watches == 1


async def test_a_router_is_watched_for_while_it_is_loaded(
    house: House, kernel: Kernel
) -> None:
    """And no longer."""
    await house.set_up()
    assert kernel.is_watched
    await house.stop()
    assert not kernel.is_watched
    await house.start()
    assert (kernel.watches, kernel.is_watched) == (1, True)


async def test_another_address_is_noticed_at_once(house: House, kernel: Kernel) -> None:
    """RFC 6887 11.5: nobody waits for the look of every minute."""
    await house.set_up()
    await house.add()
    with with_own("127.0.0.2"):
        kernel.tell()
        assert await house.until(lambda: inside(house) == {"127.0.0.2"}) < 5
        await house.stop()


async def test_events_that_change_nothing_ask_nothing(
    house: House, kernel: Kernel
) -> None:
    """A container that comes and goes is not the router's concern."""
    await house.set_up()
    await house.add()
    await house.settle()
    count = house.count()
    for _ in range(20):
        kernel.tell()
        await house.settle()
    assert house.count() == count


async def test_looks_do_not_pile_up(house: House, kernel: Kernel) -> None:
    """Of many events at once there is one look."""
    await house.set_up()
    looks: list[None] = []
    is_over = asyncio.Event()

    async def look(_: Whereabouts) -> None:
        looks.append(None)
        await is_over.wait()

    with patch.object(Whereabouts, "async_follow_network", look):
        for _ in range(20):
            kernel.tell()
        assert len(looks) == 1
        is_over.set()
        await house.settle()
        kernel.tell()
        assert len(looks) == 2
        await house.settle()


def gateway(interface: str) -> Gateway:
    """Return a default router on an interface."""
    address: Any = "192.0.2.1"
    return Gateway(address=address, interface=interface, interface_index=1, metric=0)


async def test_another_default_router_is_a_reason_to_look() -> None:
    """What is missing may be there now; another event is no reason."""
    where = Whereabouts("192.0.2.1", anycast=False)
    where._is_found = True
    missing = {6}

    def looks() -> bool:
        return where.must_look(missing, reachable=True)

    routers = [gateway("eth0")]
    with patch("custom_components.pcp.servers.default_gateways", lambda: routers):
        await where.async_follow_network()
        assert [looks(), looks(), looks()] == [True, False, False]
        await where.async_follow_network()
        assert not looks()
        routers = [gateway("eth1")]
        await where.async_follow_network()
        assert looks()
