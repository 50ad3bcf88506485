"""A household for some days: people, automations, power cuts and a bad router.

Whatever happens, what was sent was on disk before; and when all is well again, what is
wanted is open and what is not is closed. A seed that fails replays with `-k`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from random import Random
from typing import Any

from homeassistant.exceptions import HomeAssistantError
import pytest

from custom_components.pcp.forward import Forward, ForwardError

from .house import House, slow_disk

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

ACTS = 60
PORTS = range(81, 87)
# Everything is renewed or checked by then.
HEALED_AFTER = 3 * 3600


class Household:
    """Does one thing after the other, and some at the same time."""

    def __init__(self, house: House, seed: int) -> None:
        """Begin with an empty house."""
        self.house = house
        self.random = Random(seed)
        self.under_way: list[asyncio.Task[Any]] = []
        self.told: list[str] = []

    async def live(self) -> None:
        """Do many things."""
        for _ in range(ACTS):
            act = self.random.choice(self.acts())
            self.told.append(act.__name__)
            await act()
            await self.house.settle()
            self.look()
        await self.come_home()

    def acts(self) -> list[Callable[[], Awaitable[None]]]:
        """Return what may happen; what comes twice happens oftener."""
        return [
            self.add,
            self.add,
            self.add,
            self.remove,
            self.switch,
            self.switch,
            self.switch,
            self.switch_quickly,
            self.change,
            self.pass_time,
            self.pass_time,
            self.pass_time,
            self.restart,
            self.cut_power,
            self.reboot,
            self.forget,
            self.be_silent,
            self.answer,
            self.get_address,
        ]

    def begin(self, act: Awaitable[Any]) -> None:
        """Begin what may be refused, and do not wait for it."""

        async def attempt() -> None:
            try:
                await act
            except ForwardError, HomeAssistantError:
                return

        self.under_way.append(self.house.begin(attempt()))

    def any_id(self) -> str | None:
        """Return one of the forwards."""
        ids = sorted(self.house.coordinator.data.forwards)
        return self.random.choice(ids) if ids else None

    def any_forward(self) -> Forward:
        """Return something to define."""
        return Forward.parse(
            {
                "name": "Door",
                "internal_port": self.random.choice(PORTS),
                "protocol": self.random.choice(["tcp", "udp", "tcp_udp"]),
                "port_count": self.random.choice([1, 1, 2]),
                "external_port": self.random.choice([None, 9000]),
            }
        )

    async def add(self) -> None:
        """An automation adds a forward, for a while or for good."""
        data = {
            "name": "Door",
            "internal_port": self.random.choice(PORTS),
            "protocol": self.random.choice(["tcp", "udp", "tcp_udp"]),
        }
        if self.random.random() < 0.3:
            data["duration"] = {"minutes": self.random.randrange(1, 100)}
        self.begin(
            self.house.hass.services.async_call(
                "pcp", "add_forward", data, blocking=True
            )
        )

    async def remove(self) -> None:
        """Somebody removes one."""
        if (forward_id := self.any_id()) is not None:
            self.begin(self.house.coordinator.async_remove_forward(forward_id))

    async def switch(self) -> None:
        """Somebody turns a switch."""
        if (forward_id := self.any_id()) is not None:
            coordinator = self.house.coordinator
            if self.random.random() < 0.5:
                self.begin(coordinator.async_open_forward(forward_id))
            else:
                self.begin(coordinator.async_close_forward(forward_id))

    async def switch_quickly(self) -> None:
        """A child finds the switches."""
        for _ in range(4):
            await self.switch()

    async def change(self) -> None:
        """Somebody changes one, as the flow does."""
        if (forward_id := self.any_id()) is None:
            return
        house, new = self.house, self.any_forward()

        async def change() -> None:
            await house.coordinator.async_try_forward(new, replacing=forward_id)
            if forward_id in house.entry.subentries:
                house.hass.config_entries.async_update_subentry(
                    house.entry, house.entry.subentries[forward_id], data=new.as_data()
                )

        self.begin(change())

    async def pass_time(self) -> None:
        """Nothing happens for a while."""
        await self.house.wait(self.random.choice([0.1, 3, 20, 300, 2000]))

    async def come_home(self) -> None:
        """Wait until nobody waits for anything."""
        await self.house.finish(asyncio.gather(*self.under_way))
        self.under_way.clear()

    async def restart(self) -> None:
        """Home Assistant is updated."""
        await self.come_home()
        await self.house.stop()
        await self.house.wait(self.random.choice([1, 30, 4000]))
        await self.house.start()

    async def cut_power(self) -> None:
        """The light goes out."""
        await self.come_home()
        await self.house.crash()
        await self.house.wait(self.random.choice([1, 30, 4000]))
        await self.house.start()

    async def reboot(self) -> None:
        """The router goes out, and its announcements may be lost."""
        self.house.is_deaf = self.random.random() < 0.5
        self.house.router.reboot()

    async def forget(self) -> None:
        """The router loses its mappings without a sign."""
        self.house.router.lose_mappings()

    async def be_silent(self) -> None:
        """The router is unplugged."""
        self.house.router.silence()

    async def answer(self) -> None:
        """The router is back."""
        self.house.router.unsilence()

    async def get_address(self) -> None:
        """The provider gives another address."""
        self.house.router.change_external_address(
            f"203.0.113.{self.random.randrange(1, 250)}"
        )

    def look(self) -> None:
        """See that nothing that is shown is wrong now."""
        for forward_id, view in self.house.coordinator.data.forwards.items():
            if view.status in ("open", "partly_open"):
                assert view.wanted
                assert view.expires_at is not None
                assert view.expires_at >= self.house.wall(-1)
            if view.status in ("closing", "closed"):
                assert not view.wanted
            if self.house.hass.states.get(self.house.switch(forward_id)) is not None:
                assert self.house.is_on(forward_id) is view.wanted


@pytest.mark.parametrize("disk", ["quick", "slow"])
@pytest.mark.parametrize("seed", [*range(60), 68, 83])
async def test_all_is_well_in_the_end(house: House, seed: int, disk: str) -> None:
    """What is wanted is open, what is not is closed, and all of it is on disk."""
    with nullcontext() if disk == "quick" else slow_disk(0.05):
        await house.set_up()
        household = Household(house, seed)
        await household.live()
        house.router.unsilence()
        house.is_deaf = False
        await house.wait(HEALED_AFTER)

        forwards = house.coordinator.data.forwards
        assert forwards.keys() == house.entry.subentries.keys()
        wanted = set()
        for forward_id, view in forwards.items():
            assert view.status == ("open" if view.wanted else "closed"), forward_id
            wanted |= {(it.protocol, it.internal_port) for it in view.mappings}
        protocols = {6: "tcp", 17: "udp"}
        there = {
            (protocols[it.protocol], it.internal_port) for it in house.router.mappings()
        }
        assert there == wanted
        await house.wait(60)
        on_disk = {
            (it["protocol"], it["internal_port"]) for it in house.stored()["leases"]
        }
        assert on_disk == wanted
        assert house.issues() == []

        for number, request in house.numbered_maps():
            if request.lifetime:
                nonces = {lease["nonce"] for lease in house.disk(number)["leases"]}
                assert request.nonce.hex() in nonces
        await house.stop()
