"""One run: a house, a router, a network, and what the script lets happen to them."""

from collections.abc import Coroutine
from ipaddress import IPv4Address, IPv6Address
import logging
from random import Random
from typing import Any, override

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.events import Event as News, ServerProtocol
from custom_components.pcp.errors import RefusedError
from custom_components.pcp.forward import Forward, ForwardError
from tests.simulated_router import PERSONALITIES, RouterCore

from .answers import Name
from .box import Box
from .broken import Broken
from .deeds import Deeds
from .disk import Disk
from .entry import Entry
from .home import Hass, Home
from .intents import Intent, Intents
from .invariants import Invariants
from .network import Network, Socket
from .product import Outside, tied_to
from .script import Event, Script, clock
from .time_line import StandstillError, TimeLine, Timer

DAY = 86_400.0
START = 100_000.0
SERVERS: tuple[dict[int, IPAddress], ...] = (
    {4: IPv4Address("192.0.2.1"), 6: IPv6Address("2001:db8::1")},
    {4: IPv4Address("192.0.2.9"), 6: IPv6Address("2001:db8::9")},
)
OWN: dict[int, IPAddress] = {4: IPv4Address("192.0.2.2"), 6: IPv6Address("2001:db8::2")}
EXTERNAL = IPv4Address("11.22.33.44")
# Ours: seconds after which a loss is on disk.
SAVED_SOON = 1.0


class World:
    """All that there is in one run."""

    def __init__(self, script: Script, *, told: bool = False) -> None:
        """Build it; `told` keeps the story."""
        self.script = script
        self.story: list[str] | None = [] if told else None
        self.random = Random(script.seed)
        self.time_line = TimeLine(START)  # type: ignore[abstract]
        self.boxes = [
            Box(
                servers,
                RouterCore(
                    PERSONALITIES[personality],
                    external_address=EXTERNAL,
                    now=START,
                    epoch_time=9000,
                ),
            )
            for servers, personality in zip(
                SERVERS, (script.personality, script.other_personality), strict=True
            )
        ]
        self.box = self.boxes[0]
        """The router that the entry is for."""
        self._box_at = {it: box for box in self.boxes for it in box.servers.values()}
        routers = {server: box.router for server, box in self._box_at.items()}
        self.network = Network(self.time_line, routers, self.random, dict(OWN))
        self.outside = Outside(self.time_line, self.network, self.random)
        self.outside.boxes = self.boxes
        self.disk = Disk()
        self.numbers = 0
        self.entry: Entry | None = self.new_entry()
        self.entry_on_disk: Entry | None = self.entry.copy()
        self.hass: Hass | None = None
        """Home Assistant, while it runs."""
        self.home: Home | None = None
        """The entry in it, while it is loaded."""
        self.longest_lease_time = self.shortest_lease_time = script.lease_time
        """That were asked for in this run."""
        self.intents = Intents()
        self.slots: dict[int, str] = {}
        self.disturbed_at = START
        self.moved_at = START
        self.is_moving = False
        self.broken: Broken | None = None
        self.deeds = Deeds(self)
        self.invariants = Invariants(self)
        self.is_dirty = False
        self.fell_at = START
        """When Home Assistant ended last."""
        self._behind_since: float | None = None
        self._saving: Timer | None = None
        self.time_line.between = self._between
        for box in self.boxes:
            box.answers.is_known = self._is_known
            box.answers.speaks_pcp = lambda: self.speaks(ServerProtocol.PCP)
        self.network.on_sent = self._on_sent
        self.network.on_router_heard = self._on_router_heard
        self.network.on_deliver = self._deliver
        self.network.on_corrupted = self._deliver_corrupted

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.time_line.now

    @property
    def router(self) -> RouterCore:
        """The router that the entry is for."""
        return self.box.router

    def box_at(self, server: IPAddress) -> Box:
        """Return whom we ask at an address."""
        return self._box_at[server]

    def new_entry(self) -> Entry:
        """Return an entry as the flow makes it."""
        self.numbers += 1
        return Entry(
            entry_id=f"entry{self.numbers}",
            host=str(SERVERS[0][4]),
            lease_time=self.script.lease_time,
            third_party=self.script.third_party,
        )

    def play(self) -> Broken | None:
        """Play the script; return what was found to be wrong first."""
        for event in self.script.events:
            self.time_line.call_at(START + event.at, self._happen, event)
        handler = _Errors(self)
        logger = logging.getLogger("custom_components.pcp")
        logger.addHandler(handler)
        propagates, logger.propagate = logger.propagate, False
        logging.getLogger("homeassistant.helpers.storage").disabled = True
        try:
            with tied_to(self.outside):
                self.time_line.call_soon(self.start)
                self.look_after_routers()
                try:
                    self.time_line.run_until(START + self.script.days * DAY)
                except Broken as broken:
                    self.broken = broken
                except StandstillError:
                    self.broken = Broken(5, "time does not go on")
                    return self.broken
                self._end()
        finally:
            logger.removeHandler(handler)
            logger.propagate = propagates
            logging.getLogger("homeassistant.helpers.storage").disabled = False
        return self.broken

    def tell(self, what: object) -> None:
        """Add to the story."""
        if self.story is not None:
            self.story.append(f"{clock(self.now - START)}  {what}")

    def disturb(self, seconds: float = 0.0) -> None:
        """Note that all is not well, for so long from now on."""
        self.disturbed_at = max(self.disturbed_at, self.now + seconds)
        self.invariants.traffic.causes.disturb(self.now)
        self.is_dirty = True
        for box in self.boxes:
            box.is_changed = True

    # Home Assistant.

    def start(self) -> None:
        """Start Home Assistant, if it does not run."""
        if self.hass is not None:
            return
        self.hass = self.network.life = Hass(self.time_line, self.disk)
        self.entry = self.entry_on_disk.copy() if self.entry_on_disk else None
        self.invariants.bounds.begin_life(self.fell_at)
        self.load()

    def load(self) -> None:
        """Load the entry, if there is one that is not disabled."""
        entry, hass = self.entry, self.hass
        self.disturb()
        self.outside.changes += 1
        if entry is None or hass is None or entry.is_disabled:
            return
        [self.box] = [box for box in self.boxes if box.host == entry.host]
        for box in self.boxes:
            box.answers.begin_life(self.now, disk_is_behind_since=self._behind_since)
        self._behind_since = None
        self.home = home = Home(
            hass,
            entry,
            random=self.random,
            on_change=self._on_change,
            on_event=self._on_event,
            on_defined=self._on_defined,
            on_removed=self._on_removed,
        )
        self.intents.define(entry.definitions, now=self.now)
        self.begin(self._load(home))

    async def _load(self, home: Home) -> None:
        await home.start()
        if self.home is home:
            self.tell("the entry is loaded")
            self.disturb()
            self.invariants.after_start(home)

    def crash(self) -> None:
        """Let the light go out: from now on nothing has an effect."""
        if self.hass is not None:
            self.tell("CRASH")
            self._fall()
            # What nobody waits for is written soon, after a write that is under way.
            soon = self.now - SAVED_SOON - 2 * self.intents.writing_takes
            self._behind_since = min(self._behind_since or soon, soon)

    async def stop(self) -> None:
        """Stop Home Assistant in order."""
        hass, home = self.hass, self.home
        if hass is None or (home is not None and not home.is_up):
            return
        self.disturb()
        if home is not None:
            await home.stop()
        if self.hass is hass:
            self.entry_on_disk = self.entry.copy() if self.entry else None
            self.tell("Home Assistant has stopped")
            self._fall()

    def _fall(self) -> None:
        """Let everything end that is in Home Assistant's memory only."""
        hass, home = self.hass, self.home
        assert hass is not None
        self.invariants.note_fall()
        self.hass = self.network.life = self.home = None
        hass.is_alive = False
        self.fell_at = self.now
        self._behind_since = self.disk.behind_since
        if self.is_moving and self._behind_since is None:
            # What is closed on the old router is not on disk before the new one is asked.
            self._behind_since = self.moved_at
        self.is_moving = False
        self.disturb()
        self.network.sockets.clear()
        self.intents.tried.clear()
        self.intents.leaving.clear()
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        on_disk = self.entry_on_disk
        for forward_id, intent in list(self.intents):
            if intent.acts or (home is not None and home.engine.is_storage_failing):
                # An act may be on disk that has not returned.
                intent.acts, intent.want, intent.closes_at = 0, None, None
            if on_disk is None or forward_id not in on_disk.definitions:
                # Home Assistant writes definitions a second later: they are lost.
                intent.want = False
                del self.intents.by_id[forward_id]
        self.time_line.call_soon(self._bury, hass, home)

    def _bury(self, hass: Hass, home: Home | None) -> None:
        """End what was under way."""
        if home is not None:
            home.engine.silence()
        for task in list(hass.tasks):
            task.cancel()

    def begin(self, coro: Coroutine[Any, Any, Any]) -> None:
        """Let something happen in this life of Home Assistant."""
        assert self.hass is not None
        self.hass.async_create_task(self._guarded(coro))

    async def _guarded(self, coro: Coroutine[Any, Any, Any]) -> None:
        try:
            await coro
        except ForwardError, RefusedError:
            pass
        except Broken as broken:
            self.break_off(broken)

    def break_off(self, broken: Broken) -> None:
        """Note what is wrong; the run ends."""
        if self.broken is None:
            self.broken = broken
        self.is_dirty = True

    def save_entry(self) -> None:
        """Write the entry a second later, as Home Assistant does."""
        hass = self.hass
        if hass is None or self._saving is not None:
            return

        def save() -> None:
            self._saving = None
            if self.hass is hass:
                self.entry_on_disk = self.entry.copy() if self.entry else None

        self._saving = self.time_line.call_later(1.0, save)

    def _on_change(self) -> None:
        self.is_dirty = True

    def _on_event(self, event: News) -> None:
        if self.story is not None:
            self.tell(f"    {event}")

    def _on_defined(self, forward_id: str, forward: Forward) -> None:
        if self.home is None:
            return
        if (intent := self.intents.by_id.get(forward_id)) is None:
            # Nobody can say before the act returns.
            self.intents.by_id[forward_id] = Intent(
                forward=forward, want=None, since=self.now, acts=1
            )
        else:
            intent.may_be.append(intent.forward)
            intent.forward = forward
        self.save_entry()

    def _on_removed(self, forward_id: str) -> None:
        if self.home is None:
            # It died in the midst of it.
            return
        self.tell(f"forward {forward_id} is removed")
        self.intents.remove(forward_id, now=self.now)
        self.save_entry()

    # The routers.

    def look_after_routers(self) -> None:
        """Let the routers announce what is due, and wake them when something is."""
        for box in self.boxes:
            self.look_after(box)

    def look_after(self, box: Box) -> None:
        """Let a router announce what is due, and wake it when something is."""
        now = self.now
        router = box.router
        router.tick(now=now)
        for reply in router.updates(now=now):
            self.network.reply(reply.data, reply.destination)
        for data in router.announcements(now=now):
            self.invariants.traffic.causes.doubtful.append(now)
            for server in box.servers.values():
                self.network.announce(data, server)
        box.is_changed = self.is_dirty = True
        self._arm_router(box)

    def _arm_router(self, box: Box) -> None:
        at = box.router.next_wakeup()
        if box.timer is not None:
            if box.timer.when() == at:
                return
            box.timer.cancel()
            box.timer = None
        if at is not None:
            box.timer = self.time_line.call_at(at, self._on_router_timer, box)

    def _on_router_timer(self, box: Box) -> None:
        box.timer = None
        self.look_after(box)

    def _on_router_heard(self, server: IPAddress) -> None:
        box = self.box_at(server)
        box.is_changed = self.is_dirty = True
        self._arm_router(box)

    # The wire.

    def _on_sent(self, data: bytes, server: IPAddress) -> None:
        if self.story is not None:
            self.tell(f"    > {server} {describe(data)}")
        self.invariants.traffic.on_sent(data, self.box_at(server), server)
        self.deeds.on_sent()

    def _deliver(self, data: bytes, socket: Socket) -> None:
        if self.story is not None:
            self.tell(f"    < {socket.server} {describe(data)}")
        self.box_at(socket.server).answers.take(
            data, own=socket.local_address, server=socket.server, now=self.now
        )
        socket.on_datagram(data)
        self.is_dirty = True

    def _deliver_corrupted(self, data: bytes, socket: Socket) -> None:
        if self.story is not None:
            self.tell(f"    < corrupted: {describe(data)}")
        self.invariants.traffic.on_worthless(
            "corrupted", lambda: socket.on_datagram(data)
        )

    def _is_known(self, name: Name) -> bool:
        if self.home is None:
            return False
        if isinstance(name, tuple):
            return self.speaks(ServerProtocol.NAT_PMP)
        leases = self.home.ledger.leases.values()
        return any(lease.wish.nonce == name for lease in leases)

    def speaks(self, protocol: ServerProtocol) -> bool:
        """Tell whether it is what is spoken over IPv4."""
        link = None if self.home is None else self.home.engine.links.get(4)
        return link is not None and link.keeper.server_view().protocol is protocol

    # The run.

    def _happen(self, event: Event) -> None:
        self.tell(str(event)[len(clock(0)) + 2 :])
        self.is_dirty = True
        self.deeds.do(event)

    def _between(self) -> None:
        if self.broken is not None:
            raise self.broken
        if self.time_line.faults:
            fault = self.time_line.faults[0]
            raise Broken(0, f"nobody expected {fault!r}") from fault
        if self.is_dirty:
            self.is_dirty = False
            self.intents.pass_time(self.now)
            self.invariants.look()

    def _end(self) -> None:
        """Let the tasks end that are under way."""
        self.time_line.between = lambda: None
        if self.hass is not None:
            self._fall()
            self.time_line.run_until(self.now)


class _Errors(logging.Handler):
    """Takes a stack trace in the log for what it is."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self.world = world

    @override
    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        if cause is None and self.world.disk.has_failed:
            # That it cannot be written is told once.
            return
        if isinstance(cause, Broken):
            self.world.break_off(cause)
        else:
            message = f"logged: {record.getMessage()} {cause!r}"
            broken = Broken(0, message)
            broken.__cause__ = cause
            self.world.break_off(broken)


def describe(data: bytes) -> str:
    """Return a datagram in short, for the story."""
    if len(data) >= 60 and data[0] == 2 and data[1] & 0x7F == 1:
        answer = f" result {data[3]} epoch {int.from_bytes(data[8:12])}"
        return (
            f"MAP{answer if data[1] & 0x80 else ''} lifetime"
            f" {int.from_bytes(data[4:8])} nonce {data[24:28].hex()}"
            f" {data[36]}/{int.from_bytes(data[40:42])}"
            f" external {int.from_bytes(data[42:44])}"
        )
    if len(data) >= 24 and data[0] == 2 and data[1] & 0x7F == 0:
        return f"ANNOUNCE {f'result {data[3]} epoch {int.from_bytes(data[8:12])}' if data[1] & 0x80 else ''}"
    return data.hex()
