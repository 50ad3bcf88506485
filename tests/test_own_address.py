"""Another address of ours: what was open moves there, and nothing is left behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
import socket
from typing import Any
from unittest.mock import patch

from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.pcp.client import udp
from custom_components.pcp.client.codec import SERVER_PORT

from .glue import NOBODY
from .house import House

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")


@contextmanager
def with_own(address: str, *, leads_to: str = "", had: bool = True) -> Iterator[None]:
    """Let the kernel choose an address of ours, and lead elsewhere if that is told.

    `had` is whether the address that we had is still ours.
    """

    def connect(server: Any, source: Any = None, interface: str = "") -> Any:
        if source is not None and not had:
            raise OSError("Cannot assign requested address")
        sock = udp._datagram_socket(socket.AF_INET)
        sock.bind((str(source or address), 0))
        there = server if source else leads_to or server
        sock.connect((str(there), SERVER_PORT))
        return sock, interface

    with (
        patch.object(udp, "_connect", connect),
        patch("custom_components.pcp.link.is_ours", lambda _: had),
    ):
        yield


def inside(house: House) -> set[str]:
    """Return for which addresses of ours something is open."""
    return {str(it.internal_address) for it in house.router.mappings()}


async def test_another_address_of_ours_is_noticed(house: House) -> None:
    """RFC 6887 11.5: within a minute everything is open from the new one, and only so."""
    await house.set_up()
    forward_id = await house.add()
    with with_own("127.0.0.2"):
        await house.until(
            lambda: house.view(forward_id).mappings[0].internal_address == "127.0.0.2",
            within=61,
        )
        await house.until(lambda: house.status(forward_id) == "open", within=1)
        assert inside(house) == {"127.0.0.2"}
        # That the old one is deleted is written a second later.
        await house.wait(2)
        (stored,) = house.stored()["leases"]
        assert stored["internal_address"] == "127.0.0.2"
        await house.turn_off(forward_id)
        assert house.status(forward_id) == "closed"
        await house.stop()


async def test_an_address_that_we_have_no_more(house: House) -> None:
    """8.1: nobody else may delete what it has; that ends by itself, and is shown."""
    await house.set_up()
    forward_id = await house.add()
    with with_own("127.0.0.2", had=False):
        await house.until(lambda: inside(house) == {"127.0.0.1", "127.0.0.2"})
        await house.turn_off(forward_id)
        assert inside(house) == {"127.0.0.1"}
        assert house.status(forward_id) == "closing"
        await house.wait(3600)
        assert inside(house) == set()
        assert house.status(forward_id) == "closed"
        assert house.stored()["leases"] == []
        await house.stop()


async def test_an_address_that_comes_back_beside_another(house: House) -> None:
    """What it has is deleted as soon as we have it again."""
    await house.set_up()
    forward_id = await house.add()
    with with_own("127.0.0.2", had=False):
        await house.until(lambda: inside(house) == {"127.0.0.1", "127.0.0.2"})
    with with_own("127.0.0.2"):
        await house.until(lambda: inside(house) == {"127.0.0.2"}, within=61)
        assert house.status(forward_id) == "open"
        await house.stop()


async def test_an_address_that_comes_back(house: House) -> None:
    """It is used again, and the one that was used meanwhile has nothing left."""
    await house.set_up()
    forward_id = await house.add()
    with with_own("127.0.0.2", had=False):
        await house.until(lambda: inside(house) == {"127.0.0.1", "127.0.0.2"})
    with with_own("127.0.0.1"):
        await house.until(lambda: inside(house) == {"127.0.0.1"}, within=61)
        await house.wait(7200)
        assert inside(house) == {"127.0.0.1"}
        assert house.status(forward_id) == "open"
        await house.stop()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody answers, as in a tunnel."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind((NOBODY, SERVER_PORT))
        yield NOBODY


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_way_that_leads_nowhere(
    house: House, nowhere: str, restarted: bool
) -> None:
    """A VPN takes the way to the router: no lease is given up for it."""
    await house.set_up()
    forward_id = await house.add()
    if restarted:
        await house.stop()
    with with_own("127.0.0.2", leads_to=nowhere):
        if restarted:
            await house.start()
        await house.until(
            lambda: not house.coordinator.data.router.reachable, within=300
        )
        await house.wait(600)
        assert inside(house) == {"127.0.0.1"}
        assert house.status(forward_id) == "open"
        (mapping,) = house.view(forward_id).mappings
        assert mapping.internal_address == "127.0.0.1"
        # Nobody keeps it: it runs out, and that is what is shown.
        await house.wait(3600)
        assert house.status(forward_id) == "unreachable"
        assert house.is_on(forward_id)
    await house.until(lambda: house.status(forward_id) == "open", within=61)
    assert inside(house) == {"127.0.0.1"}
    assert len(house.stored()["leases"]) == 1


async def test_another_address_of_ours_after_a_restart(house: House) -> None:
    """The machine was moved while it was off, and has the old address no more."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    with with_own("127.0.0.2", had=False):
        await house.start()
        assert house.status(forward_id) == "open"
        (mapping,) = house.view(forward_id).mappings
        assert mapping.internal_address == "127.0.0.2"
        await house.turn_off(forward_id)
        # It may be open for the address that we had.
        assert house.status(forward_id) == "closing"
        await house.stop()


async def test_another_address_of_ours_beside_the_old_one(house: House) -> None:
    """After a restart, too, nothing is left at the old one."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    with with_own("127.0.0.2"):
        await house.start()
        await house.until(lambda: inside(house) == {"127.0.0.2"}, within=10)
        assert house.status(forward_id) == "open"
        await house.stop()


async def test_a_closing_forward_of_a_former_address_outlives_a_restart(
    house: House,
) -> None:
    """Promise 3: what is owed is deleted when the address is there again."""
    await house.set_up()
    forward_id = await house.add()
    with with_own("127.0.0.2", had=False):
        await house.until(lambda: inside(house) == {"127.0.0.1", "127.0.0.2"})
        await house.turn_off(forward_id)
        await house.stop()
    with with_own("127.0.0.2"):
        await house.start()
        await house.until(lambda: inside(house) == set(), within=10)
        await house.until(lambda: house.status(forward_id) == "closed", within=1)
        await house.stop()


async def test_our_address_is_that_of_another_device(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 6887 13.1: our port is not opened in its name; said in words, and tried again."""
    nas = "127.0.0.2"
    # A loopback address is nobody else's; here it is.
    monkeypatch.setattr(
        "custom_components.pcp.forward.parse_target_host",
        lambda value: ip_address(value) if value else None,
    )
    await house.set_up(options={"third_party": True})
    house.router.set_personality("third_party")
    own = await house.add("Ours")
    with patch("custom_components.pcp.acts.is_ours", return_value=False):
        other = await house.add("NAS", target_host=nas)
    with with_own(nas):
        await house.until(lambda: house.status(other) == "refused", within=61)
        await house.until(lambda: house.status(own) == "open", within=1)
        assert house.issues() == ["forward_refused_own_address"]
        await house.wait(2)
        assert inside(house) == {nas}
        (stored,) = house.stored()["leases"]
        assert not stored["third_party"]
        with pytest.raises(HomeAssistantError) as caught:
            await house.turn_on(other)
        assert caught.value.translation_key == "own_address"
        assert house.is_on(other)
        await house.turn_off(own)
        assert inside(house) == set()
        assert house.status(own) == "closed"
    with with_own("127.0.0.1"):
        await house.until(lambda: house.status(other) == "open", within=61)
        assert house.issues() == []
        assert inside(house) == {nas}
        await house.stop()
