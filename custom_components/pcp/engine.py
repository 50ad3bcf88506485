"""Runs one router: saves what the ledger has decided, and then carries it out.

It decides nothing. A wish goes to the ledger, which answers with orders; the ledger is
saved; then the orders go to the keepers. What the keepers tell goes to the ledger.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .client.codec import IPAddress
from .client.events import (
    Event,
    LeaseGranted,
    LeaseKept,
    LeaseLost,
    LeaseReappeared,
    LeaseReleased,
    ServerReachable,
)
from .client.search import ANYCAST_ADDRESSES
from .clock import Clock
from .closing import CLOSING_WAIT, async_close_leases, async_take_over
from .const import DOMAIN
from .delivery import Delivery
from .forward import Forward
from .ledger import Ledger
from .links import Links
from .lookout import Lookout
from .orders import Ask, Order
from .records import Records
from .servers import Whereabouts
from .snapshot import Snapshot
from .storage import Stored

# So many orders are passed on at a time: a few milliseconds of the event loop.
_AT_ONCE = 64


class Engine:
    """The ledger, the store and the links of one router."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        ledger: Ledger,
        where: Whereabouts,
        *,
        name: str,
        on_event: Callable[[Event], None],
        on_change: CALLBACK_TYPE,
    ) -> None:
        """Make the rooms; nothing is loaded before `async_load`.

        `name` is the router's, for the log. `on_event` gets the keepers' news when the
        ledger has them; `on_change` is called when there may be something new to show.
        """
        self.ledger = ledger
        self.links = Links(
            hass,
            entry_id,
            on_event=self._on_event,
            on_former_event=self._on_former_event,
            on_pumped=self._on_pumped,
        )
        self.clock = Clock(hass.loop)
        self._where = where
        self._lookout = Lookout(
            hass,
            self.links,
            where,
            name=name,
            needed_versions=self._needed_versions,
            connect=self._async_connect,
            on_look=self._async_on_look,
            on_change=on_change,
        )
        self._hass = hass
        self._records = Records(hass, entry_id, ledger, self.links, self.clock)
        self._delivery = Delivery(ledger, self.links, self._records)
        self._tell = on_event
        self._on_change = on_change
        self._orders: list[Order] = []
        self._is_saved = True
        self._committing = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    # From start to stop.

    async def async_load(self, forwards: dict[str, Forward]) -> Stored | None:
        """Take up what was stored, as far as it can be read, and return it.

        Orders are saved from then on, and carried out when there is a link. Raises
        HomeAssistantError when it cannot be read now, and UnsupportedStorageVersionError
        when it is of a version to come.
        """
        stored = await self._records.async_load()
        snapshot = stored.snapshot if stored else Snapshot()
        self.links.restore(snapshot)
        self._where.is_beyond = (
            self._where.anycast
            and snapshot.host in (None, self._where.host)
            and any(server in ANYCAST_ADDRESSES for server in snapshot.servers)
        )
        now = self.clock.now()
        for _ in self.ledger.restore_in_steps(snapshot, forwards, now=now):
            await asyncio.sleep(0)
        self._running = True
        return stored

    async def async_start(self) -> None:
        """Find the router, and take up all leases again.

        It waits while the router's name is looked up, and for the disk.
        """
        self._lookout.start()
        await self._lookout.async_try(self._async_connect(wait=0))
        await self.async_catch_up([])

    async def async_stop(self) -> None:
        """Fall silent and save, if that is possible; leases are left alone."""
        # What is being carried out just now is finished first.
        async with self._committing:
            self.silence()
            self._orders.clear()
            await self._records.async_save()

    @callback
    def silence(self) -> None:
        """Close the sockets and forget the timers; again is harmless."""
        self._running = False
        if self._hass.is_stopping and self._records.is_failing:
            # Home Assistant's last writing is another chance.
            self._records.save_soon(renewal=False)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lookout.stop()
        self.ledger.note_under_way(self.links.under_way())
        self.links.stop()

    async def async_move_to(self, host: str) -> None:
        """Close everything on the old server, then ask the new one for what is wanted.

        What the old server does not answer for in 5 s is closed in the background.
        """
        self._where.move_to(host)
        await self._async_make_way(self._async_connect())

    async def async_start_anew(self) -> None:
        """Close everything, and ask anew: the same host may be another router.

        Or the same one with another MAC address, that has all of it yet. What it does not
        answer for in 5 s goes on as it was.
        """
        await self._async_make_way(self._async_start_anew())

    @callback
    def renew(self) -> None:
        """Ask the router for everything again, holds or not."""
        for link in self.links:
            link.keeper.renew_all(now=link.transport.now())
        self.links.pump()

    async def async_look_for(self, versions: Iterable[int]) -> None:
        """Look for the router's servers of some IP versions, if they are missing."""
        if any(version not in self.links for version in versions):
            await self._async_make_way(self._async_connect(versions))

    async def _async_make_way(self, way: Coroutine[Any, Any, None]) -> None:
        """Make a way to servers, also if whoever waits for it is cancelled."""
        task = self._hass.async_create_task(
            self._lookout.async_try(way), f"{DOMAIN} way"
        )
        await asyncio.shield(task)

    async def _async_on_look(self) -> None:
        """Notice a step of the clock, and whether it can be written again."""
        if self.clock.follow():
            self.ledger.touch()
            self._records.save_soon(renewal=False)
        if self._records.is_failing or not self._is_saved:
            # What was withheld is not asked for because something else could be saved.
            await self.async_carry_out([])

    async def _async_start_anew(self) -> None:
        async with self._connecting:
            if not self._running:
                return
            servers = list(self.links.servers.values())
            await self._async_leave(servers, wait=CLOSING_WAIT)
            for server in servers:
                if self._running:
                    await self._async_use(server)

    async def _async_connect(
        self, needed: Iterable[int] = (), *, wait: float = CLOSING_WAIT
    ) -> None:
        """Make a link to each server of the router that has none yet.

        What is with another server than before is closed there, and asked for here; with
        a router that was left it is, too, when the new one cannot be found.
        """
        async with self._connecting:
            host = self._where.host
            silent = False in self.links.reachable.values()
            servers = await self._where.async_find(
                self._needed_versions().union(needed),
                silent=silent and not self.links.is_reachable,
                known=self.links.servers,
            )
            if not self._running:
                # What was found is for the next run.
                return
            for version, server in list(self.links.servers.items()):
                other = servers.get(version, server)
                if other != server and self._where.is_one(server, other):
                    # RFC 7488 3: the same server, so the same nonces.
                    self.links.disconnect(version)
            moved = self.links.left_for(host, servers)
            if host != self.links.host:
                self.links.host = host
                self._records.save_soon(renewal=False)
            await self._async_leave(moved.values(), wait=wait)
            for server in {**self.links.servers, **servers}.values():
                if server.version not in self.links and self._running:
                    await self._async_use(server)

    async def _async_leave(
        self, servers: Collection[IPAddress], *, wait: float
    ) -> None:
        """Close everything on some servers, after `wait` seconds in the background."""
        if not servers:
            return
        self.ledger.note_under_way(self.links.under_way())
        leases = [it for s in servers for it in self.ledger.forget_leases(s.version)]
        for server in servers:
            self.links.disconnect(server.version)
        self._on_change()
        await async_close_leases(
            self._hass, servers, leases, clock=self.clock, wait=wait
        )

    async def _async_use(self, server: IPAddress) -> None:
        """Make the link to a server, and hand it all that was asked for before."""
        left = async_take_over(self._hass, server)
        self.ledger.adopt(left, now=self.clock.now())
        try:
            link = await self.links.async_connect(server)
            async with self._committing:
                if not self._running:
                    link.stop()
                    return
                orders: list[Order] = []
                for some in self.ledger.resume_in_steps(
                    server.version,
                    link.new_address(self.ledger.internal_addresses),
                    now=self.clock.now(),
                ):
                    orders += some
                    await asyncio.sleep(0)
                self._orders[:0] = orders
                link.is_ready = True
        except BaseException:
            # So that the next look around tries again.
            self.links.drop(server.version)
            raise
        await self.async_carry_out([])

    # The way down: orders.

    @property
    def is_storage_failing(self) -> bool:
        """Tell whether what was decided cannot be written to disk."""
        return self._records.is_failing

    async def async_carry_out(self, orders: Iterable[Order]) -> bool:
        """Save, then pass the orders on, in the order of decision.

        Tells whether it could be saved. If not, nothing new is asked for until it is;
        what is to be closed is closed all the same: a full disk keeps no door open.
        Whoever waits for it may be cancelled: what was decided is carried out.
        """
        self._orders += orders
        self._is_saved = False
        self._arm()
        return await asyncio.shield(
            self._hass.async_create_task(self._async_commit(), f"{DOMAIN} orders")
        )

    async def async_catch_up(self, orders: list[Order]) -> None:
        """Carry out orders; with none, save if what was written last is not so now."""
        if orders or not self._records.is_up_to_date:
            await self.async_carry_out(orders)

    async def _async_commit(self) -> bool:
        """Save and carry out all that was decided until now, for all who wait for it."""
        async with self._committing:
            if self._is_saved or not self._running:
                return True
            self._is_saved = True
            orders, self._orders = deque(self._orders), []
            try:
                is_saved = await self._records.async_save()
                if not is_saved:
                    self._is_saved = False
                    withheld = dict.fromkeys(it for it in orders if isinstance(it, Ask))
                    self._orders[:0] = withheld
                    orders = deque(it for it in orders if it not in withheld)
                while orders:
                    for _ in range(min(len(orders), _AT_ONCE)):
                        self._pass_on(orders)
                    if orders:
                        await asyncio.sleep(0)
            except BaseException:
                # The next look around goes on with the rest.
                self._orders[:0] = orders
                self._is_saved = False
                self.links.pump()
                raise
            await self.links.async_start_former()
            self.links.pump()
        self._on_change()
        return is_saved

    def _pass_on(self, orders: deque[Order]) -> None:
        """Pass on the first order; one that fails comes last, if it is the last word."""
        order = orders.popleft()
        try:
            self._delivery.pass_on(order)
        except BaseException:
            if all(other.key != order.key for other in orders):
                orders.append(order)
            raise

    def _carry_out_soon(self, orders: list[Order]) -> None:
        self._hass.async_create_task(self.async_carry_out(orders), f"{DOMAIN} orders")

    def _arm(self) -> None:
        """Set the timer for the next thing that ends by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self.ledger.next_wakeup()
        if at is not None and self._running:
            self._timer = self._hass.loop.call_at(at, self._on_timer, at)

    def _on_timer(self, at: float) -> None:
        self._timer = None
        now = self.clock.now(at_least=at)
        self._carry_out_soon(self.ledger.handle_timer(now=now))

    # The way up: news.

    @callback
    def _on_event(self, event: Event) -> None:
        """Pass the keeper's news on to the ledger, and tell them."""
        self.ledger.handle_event(event)
        match event:
            case LeaseGranted(_, grant, previous):
                # What ends sooner than before must not be taken for open after a crash.
                goes_on = previous is not None and (
                    grant.expires_at >= previous.expires_at
                )
                self._records.save_soon(renewal=goes_on)
            case LeaseReleased() | LeaseReappeared() | LeaseKept() | LeaseLost():
                self._records.save_soon(renewal=False)
            case ServerReachable(is_reachable):
                self.ledger.touch()
                if is_reachable:
                    self._hass.async_create_task(
                        self._lookout.async_learn_aliases(), f"{DOMAIN} aliases"
                    )
        self._tell(event)

    @callback
    def _on_former_event(self, event: Event) -> None:
        """Take the news of mappings that are closed from an address that we had."""
        if isinstance(event, LeaseReleased | LeaseReappeared):
            self.ledger.handle_event(event)
            self._records.save_soon(renewal=False)
            self._on_change()

    @callback
    def _on_pumped(self) -> None:
        """Notice our own address, and show what has changed."""
        if not self._running:
            return
        for link in self.links:
            if (
                link.is_ready
                and (address := link.new_address(self.ledger.internal_addresses))
                is not None
            ):
                self._carry_out_soon(self.ledger.set_internal_address(address))
        self._on_change()

    def _needed_versions(self) -> set[int]:
        return {
            version
            for forward in self.ledger.forwards.values()
            for version in forward.ip_version.versions
        }
