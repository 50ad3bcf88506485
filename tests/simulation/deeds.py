"""What the events of a script do: people, power, the network, the router, forgers."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from custom_components.pcp.client.events import ServerProtocol
from custom_components.pcp.errors import RefusedError
from custom_components.pcp.forward import ForwardError
from tests.simulated_router import PERSONALITIES

from .answers import CHECKED_WITHIN
from .forgery import forged
from .home import Home
from .intents import TOLERANCE
from .network import FINE, Weather
from .script import Event

if TYPE_CHECKING:
    from .world import World


class Deeds:
    """Does what a script says; what cannot be done just now is passed over."""

    def __init__(self, world: World) -> None:
        """Do it in a world."""
        self.world = world
        self._crash_at_send = False
        self._is_unloading = False

    def do(self, event: Event) -> None:
        """Let an event happen."""
        getattr(self, event.kind)(**event.args)

    # People.

    def add(self, slot: int, seconds: int | None = None) -> None:
        """Add a forward, for a while or for good."""
        world = self.world
        if not self._home_is_up() or world.slots.get(slot) in world.intents.by_id:
            return
        world.numbers += 1
        forward_id = f"{slot}-{world.numbers}"
        world.slots[slot] = forward_id
        world.begin(self._add(forward_id, slot, seconds))

    async def _add(self, forward_id: str, slot: int, seconds: int | None) -> None:
        world, home = self.world, self.world.home
        assert home is not None
        forward = world.script.forwards[slot]
        if seconds is not None:
            forward = replace(forward, temporary=True)
        world.disturb()
        world.intents.tried.append(forward)
        begun_at = world.now
        try:
            await home.add(forward_id, forward, seconds)
        except (ForwardError, RefusedError) as err:
            world.tell(f"refused: {err!r}")
        finally:
            if world.home is home:
                if forward in world.intents.tried:
                    world.intents.tried.remove(forward)
                world.disturb()
                intent = world.intents.by_id.get(forward_id)
                if intent is not None and seconds is not None:
                    intent.slack += world.now - begun_at
                world.intents.end(
                    forward_id,
                    want=True,
                    closes_at=None if seconds is None else world.now + seconds,
                    wished=_wished(home, forward_id),
                    now=world.now,
                )

    def remove(self, slot: int) -> None:
        """Remove a forward."""
        self._act(slot, "close", lambda home, it: home.remove(it))

    def open(self, slot: int, seconds: int | None = None) -> None:
        """Switch a forward on."""
        self._act(slot, "open", lambda home, it: home.open(it, seconds), seconds)

    def close(self, slot: int) -> None:
        """Switch a forward off."""
        self._act(slot, "close", lambda home, it: home.close(it))

    def change(self, slot: int, to: int) -> None:
        """Change a forward into what another slot has."""
        forward = self.world.script.forwards[to]
        intent = self.world.intents.by_id.get(self.world.slots.get(slot, ""))
        if intent is not None and intent.acts == 0:
            forward = replace(forward, temporary=intent.forward.temporary)
            intent.may_be.append(forward)
            self._act(slot, "change", lambda home, it: home.change(it, forward))

    def renew(self) -> None:
        """Press the button."""
        if self._home_is_up():
            assert self.world.home is not None
            self.world.disturb()
            self.world.home.engine.renew()

    def set_lease_time(self, seconds: int) -> None:
        """Change the option."""
        world = self.world
        if (entry := world.entry) is not None and world.hass is not None:
            entry.lease_time = seconds
            world.longest_lease_time = max(world.longest_lease_time, seconds)
            world.shortest_lease_time = min(world.shortest_lease_time, seconds)
            self._change_options()

    def set_third_party(self, is_on: bool) -> None:
        """Permit forwards to other hosts, or not; then those that are on are off."""
        world = self.world
        if (entry := world.entry) is not None and world.hass is not None:
            entry.third_party = is_on
            if not is_on:
                for _, intent in world.intents:
                    if intent.forward.target_host is not None and intent.want:
                        intent.want = None
            self._change_options()

    def _change_options(self) -> None:
        self.world.save_entry()
        self.world.disturb()
        if self._home_is_up():
            assert self.world.home is not None
            self.world.begin(self._follow(self.world.home))

    async def _follow(self, home: Home) -> None:
        await home.follow()
        if self.world.home is home:
            self.world.disturb()
            if not home.ledger.third_party:
                self.world.intents.stop_all(self.world.now, third_parties_only=True)

    def _act(self, slot: int, act: str, do: Any, seconds: int | None = None) -> None:
        world = self.world
        forward_id = world.slots.get(slot)
        if (
            not self._home_is_up()
            or forward_id is None
            or forward_id not in world.intents.by_id
        ):
            return
        world.begin(self._doing(forward_id, act, do(world.home, forward_id), seconds))

    async def _doing(
        self,
        forward_id: str,
        act: str,
        coro: Coroutine[Any, Any, None],
        seconds: int | None,
    ) -> None:
        world, home, intents = self.world, self.world.home, self.world.intents
        assert home is not None
        world.disturb()
        before, closed_at = intents.begin(forward_id, act)
        begun_at = world.now
        want, closes_at = before, closed_at
        try:
            await coro
            if act == "open":
                want = True
                if seconds is not None:
                    closes_at = begun_at + seconds
                elif before is None and forward_id in home.ledger.forwards:
                    # Its duration may have ended before or meanwhile, and may not.
                    if closed_at is not None and closed_at - TOLERANCE <= world.now:
                        want = _wished(home, forward_id)
                    closes_at = home.ledger.wish(forward_id).closes_at
                elif not before:
                    closes_at = None
            elif act == "close":
                want, closes_at = False, None
        except (ForwardError, RefusedError) as err:
            world.tell(f"refused: {err!r}")
        finally:
            if world.home is home:
                world.disturb()
                intent = intents.by_id.get(forward_id)
                if intent and intent.overlapped and forward_id in home.ledger.forwards:
                    closes_at = home.ledger.wish(forward_id).closes_at
                intents.end(
                    forward_id,
                    want=want,
                    closes_at=closes_at,
                    wished=_wished(home, forward_id),
                    now=world.now,
                )

    def _home_is_up(self) -> bool:
        return self.world.home is not None and self.world.home.is_up

    # The entry.

    def disable(self, seconds: float) -> None:
        """Disable the entry, and enable it later."""
        world = self.world
        if self._home_is_up():
            assert world.entry is not None
            world.entry.is_disabled = True
            world.begin(self._unload(lambda home: home.unload()))
            world.time_line.call_later(seconds, self._enable)

    def _enable(self) -> None:
        world = self.world
        if world.hass is None or self._is_unloading:
            world.time_line.call_later(60.0, self._enable)
        elif world.entry is not None and world.entry.is_disabled:
            world.tell("enabled")
            world.entry.is_disabled = False
            world.save_entry()
            world.load()

    def remove_entry(self, seconds: float) -> None:
        """Remove the entry, and add it anew later."""
        world = self.world
        if self._home_is_up():
            world.begin(self._unload(lambda home: home.remove_entry()))
            world.time_line.call_later(seconds, self._add_entry)

    def _add_entry(self) -> None:
        world = self.world
        if world.hass is None or self._is_unloading:
            world.time_line.call_later(60.0, self._add_entry)
        elif world.entry is None:
            world.tell("added anew")
            world.entry = world.new_entry()
            world.save_entry()
            world.load()

    async def _unload(self, do: Callable[[Home], Coroutine[Any, Any, None]]) -> None:
        """Let nothing be wanted any more, and the entry not be loaded."""
        world, home = self.world, self.world.home
        assert home is not None
        home.is_up = False
        self._is_unloading = True
        world.disturb()
        for _, intent in world.intents:
            intent.want = None
        if home.entry.is_disabled:
            world.save_entry()
        await do(home)
        self._is_unloading = False
        if world.home is not home:
            return
        world.home = None
        world.disturb()
        world.intents.tried.clear()
        world.intents.stop_all(world.now)
        for _, intent in world.intents:
            intent.acts = 0
        if not home.entry.is_disabled:
            world.entry = None
            world.intents.by_id.clear()
            world.save_entry()

    def move(self, to: int) -> None:
        """Let the entry be for another router, which the flow has to find."""
        world = self.world
        if (
            self._home_is_up()
            and world.network.addresses
            and world.boxes[to] is not world.box
        ):
            world.box = world.boxes[to]
            world.moved_at = world.now
            world.is_moving = True
            world.disturb()
            world.begin(self._move(world.box.host))

    async def _move(self, host: str) -> None:
        world, home = self.world, self.world.home
        assert home is not None
        await home.move_to(host)
        if world.home is home:
            world.is_moving = False
            world.disturb()
            world.save_entry()

    # Power.

    def crash(self, when: str, down: float) -> None:
        """Cut the power now, or at the next write or datagram; it is back later."""
        world = self.world
        if world.hass is None:
            return
        hass = world.hass

        def crash() -> None:
            world.disk.before_write = world.disk.after_write = lambda: None
            self._crash_at_send = self._is_unloading = False
            if world.hass is hass:
                world.crash()

        match when:
            case "before_write":
                world.disk.before_write = crash
            case "after_write":
                world.disk.after_write = crash
            case "after_send":
                self._crash_at_send = True
            case _:
                crash()
        # What was waited for may never come.
        world.time_line.call_later(30.0, crash)
        world.time_line.call_later(30.0 + down, world.start)

    def on_sent(self) -> None:
        """Cut the power after a datagram, if that was asked for."""
        if self._crash_at_send:
            self._crash_at_send = self._is_unloading = False
            self.world.crash()

    def restart(self, down: float) -> None:
        """Stop Home Assistant, and start it later."""
        world = self.world
        if world.hass is not None and not self._is_unloading:
            world.begin(world.stop())
            world.time_line.call_later(10.0 + down, world.start)

    def slow_disk(self, write: float, seconds: float) -> None:
        """Let every write take its time, for a while."""
        self.world.disk.seconds = self.world.intents.writing_takes = write
        self.world.disturb(seconds)
        self.world.time_line.call_later(seconds, self._quick_disk)

    def _quick_disk(self) -> None:
        self.world.outside.changes += 1
        self.world.disk.seconds = self.world.intents.writing_takes = 0.0

    def full_disk(self, seconds: float) -> None:
        """Let no write succeed for a while."""
        self.world.disk.is_full = True
        self.world.disturb(seconds)
        self.world.time_line.call_later(seconds, self._empty_disk)

    def _empty_disk(self) -> None:
        self.world.outside.changes += 1
        self.world.disk.is_full = False
        self.world.disturb()

    def set_clock(self, by: float) -> None:
        """Step the wall clock."""
        world = self.world
        world.outside.wall_offset += by
        world.invariants.bounds.note_clock_set(by)
        world.outside.changes += 1
        for _, intent in world.intents:
            intent.slack += abs(by)
        if by < 0 and world.hass is None:
            world.intents.doubt_ends(since=world.fell_at)

    # The network.

    def weather(self, seconds: float, **kinds: float) -> None:
        """Let the network be bad for a while."""
        self.world.network.weather = Weather(**kinds)
        self.world.disturb(seconds)
        self.world.time_line.call_later(seconds, self._clear_up)

    def _clear_up(self) -> None:
        self.world.network.weather = FINE
        self.world.disturb()

    def get_address(self, last: int | None, seconds: float = 0.0) -> None:
        """Get another address of our own, or none for a while."""
        world = self.world
        world.disturb(60.0 + seconds)
        if last is None:
            addresses = dict(world.network.addresses)
            world.network.addresses.clear()

            def come_back() -> None:
                missing = addresses.keys() - world.network.addresses.keys()
                if missing:
                    world.network.addresses |= {it: addresses[it] for it in missing}
                    world.outside.changes += 1
                    world.disturb(60.0)

            world.time_line.call_later(seconds, come_back)
        else:
            world.network.addresses[4] = IPv4Address(f"192.0.2.{last}")
        world.outside.changes += 1

    # The router.

    def reboot(self, down: float, lose_mappings: bool = True) -> None:
        """Let the router be off for a while, and start again."""
        world, box = self.world, self.world.box
        box.router.silenced = True
        world.disturb(down)

        def up() -> None:
            box.router.silenced = False
            # RFC 6887 8.5, RFC 6886 3.6: so far it may be behind when it is asked next.
            part = 8 if world.speaks(ServerProtocol.NAT_PMP) else 16
            unseen = 2.0 + CHECKED_WITHIN / part
            if lose_mappings and box.router.epoch_time(world.now) <= unseen:
                box.silent_loss_at = world.now
            box.router.reboot(now=world.now, lose_mappings=lose_mappings)
            world.look_after(box)
            world.disturb()

        if lose_mappings:
            box.router.lose_mappings()
        world.time_line.call_later(down, up)

    def forget(self) -> None:
        """Let the router lose its mappings without a sign."""
        self.world.router.lose_mappings()
        self.world.box.silent_loss_at = self.world.now
        self.world.look_after(self.world.box)

    def silence(self, seconds: float) -> None:
        """Let the router neither hear nor speak for a while; nothing is lost."""
        world, router = self.world, self.world.router
        router.silenced = True
        world.disturb(seconds)

        def end() -> None:
            router.silenced = False
            world.disturb()

        world.time_line.call_later(seconds, end)

    def external_address(self, last: int | None) -> None:
        """Let the provider give another address, or none."""
        address = None if last is None else IPv4Address(f"11.22.33.{last}")
        self.world.router.change_external_address(address, now=self.world.now)
        self.world.disturb()
        self.world.look_after(self.world.box)

    def firmware(self, personality: str) -> None:
        """Let the router become another one; it starts anew."""
        self.world.router.personality = PERSONALITIES[personality]
        self.reboot(60.0)

    # Forgers.

    def forge(self, kind: str, count: int, gap: float) -> None:
        """Send what a host on the LAN can, so many times."""
        for number in range(count):
            self.world.time_line.call_later(gap * number, self._forge, kind)

    def _forge(self, kind: str) -> None:
        world = self.world
        data, is_announcement = forged(kind, world)
        if world.home is None or data is None:
            return
        world.invariants.traffic.on_forged(kind, data, is_announcement=is_announcement)


def _wished(home: Home, forward_id: str) -> bool:
    """Tell what the switch shows."""
    forwards = home.ledger.forwards
    return forward_id in forwards and home.ledger.wish(forward_id).wanted
