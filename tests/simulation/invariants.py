"""What must be true at every moment, whatever happens.

The numbers are those of the README: 1 wanted is open, 2 unwanted is closed, 3 shown is
true, 4 nothing twice and nothing forgotten, 5 no storm, 6 nothing unasked, 7 a bad
datagram changes nothing. 0 is what nobody may ever see: a stack trace.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
import re
from typing import TYPE_CHECKING

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.events import ServerProtocol
from custom_components.pcp.client.mapping import MappingKey, Protocol
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.leases import Lease
from tests.simulated_router.personality import Renewal
from tests.simulated_router.table import RouterMapping

from .answers import maps_asked_for
from .bounds import Bounds
from .forgery import WORTHLESS
from .home import ENTRY_ID, Home
from .intents import TOLERANCE

if TYPE_CHECKING:
    from .world import World

HOUR = 3600.0
# Seconds between what the router counts and what we do: an answer takes its time.
SKEW = 6.0
# So long an answer may be under way that tells of a mapping made by a late copy.
ON_ITS_WAY = 15.0


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, number: int, what: str) -> None:
        """Name it."""
        super().__init__(f"invariant {number}: {what}")
        self.number = number
        self.kind = re.sub(r"[0-9]+", "", what)
        """What is wrong, whichever mapping and moment it is about."""


type Inside = tuple[IPAddress, int, int]
"""Internal address, protocol, internal port: what one mapping is for."""


class Invariants:
    """Looks at a world after every step."""

    def __init__(self, world: World) -> None:
        """Look at a world."""
        self.world = world
        self.bounds = Bounds(world)
        self.sent: deque[float] = deque()
        self.sent_in_all = 0
        self.most = 0
        """Requests in the busiest hour."""
        self._forgotten_at: dict[Inside, float] = {}
        self._missing: dict[Inside, float] = {}
        self._unwanted: dict[Inside, float] = {}
        self._closed_but_there: dict[Inside, float] = {}

    def note_silent_loss(self) -> None:
        """Note that the router lost mappings, maybe without a sign."""
        self.bounds.silent_loss_at = self.world.now

    # While it happens.

    def on_sent(self, data: bytes) -> None:
        """Look at a request that leaves."""
        world = self.world
        for protocol, port in maps_asked_for(data):
            if not world.intents.permit(protocol, port, now=world.now):
                world.break_off(
                    Broken(6, f"{protocol}/{port} is asked for, and nobody wants it")
                )
        sent = self.sent
        sent.append(world.now)
        self.sent_in_all += 1
        while sent[0] <= world.now - HOUR:
            sent.popleft()
        self.most = max(self.most, len(sent))
        if len(sent) > self.bounds.requests():
            world.break_off(Broken(5, f"{len(sent)} requests in an hour"))

    def on_forged(self, kind: str, data: bytes, *, is_announcement: bool) -> None:
        """Deliver a forged datagram, and see that it changes nothing."""
        world = self.world
        world.tell(f"forged {kind}")
        if self._is_open_to(kind):
            return

        def deliver() -> None:
            if is_announcement:
                hear = world.network.hear_announcement
                if hear is not None:
                    hear(data, world.outside.servers[4], 5351)
            else:
                for take in world.network.inject(data):
                    take(data)

        if kind in WORTHLESS:
            self.on_worthless(kind, deliver)
            return
        before, home = self._state(sure=True), world.home
        deliver()
        # What is asked because of it may be what the power goes after.
        if world.home is home and self._state(sure=True) != before:
            world.break_off(Broken(7, f"a forged datagram ({kind}) changes a lease"))

    def on_worthless(self, kind: str, deliver: Callable[[], None]) -> None:
        """Deliver what fails a check, and see that nothing comes of it."""
        before, sent = self._state(), self.sent_in_all
        deliver()
        if self._state() != before:
            broken = Broken(7, f"a worthless datagram ({kind}) changes a lease")
            self.world.break_off(broken)
        if self.sent_in_all > sent:
            broken = Broken(7, f"a worthless datagram ({kind}) is answered")
            self.world.break_off(broken)

    def _state(self, *, sure: bool = False) -> object:
        """Return all that is believed of mappings; `sure` leaves out what may be."""
        home, now = self.world.home, self.world.now
        if home is None:
            return None
        views = [view for link in home.engine.links for view in link.keeper.leases()]
        return home.ledger.snapshot(), [
            (
                view.key,
                view.state,
                view.grant,
                view.refusal,
                # A keeper that was not asked for a while looks at an earlier time.
                view.open_until
                if not sure and (view.open_until or 0.0) > now
                else None,
            )
            for view in views
        ]

    def _is_open_to(self, kind: str) -> bool:
        """Tell whether a forgery can only be believed.

        Who has not spoken PCP with us yet may as well speak something else.
        """
        home = self.world.home
        return (
            kind == "version"
            and home is not None
            and any(
                link.keeper.server_view().protocol is not ServerProtocol.PCP
                for link in home.engine.links
            )
        )

    def after_start(self, home: Home) -> None:
        """See that what was settled before a restart still holds."""
        world = self.world
        for forward_id, intent in list(world.intents):
            if forward_id not in home.ledger.forwards:
                continue
            wish = home.ledger.wish(forward_id)
            if intent.want is None or intent.closes_at is not None:
                world.intents.settle(forward_id, wish.wanted, wish.closes_at)
            elif wish.wanted is not intent.want:
                raise Broken(
                    1 if intent.want else 2,
                    f"{forward_id} is {'on' if wish.wanted else 'off'} after a restart,"
                    f" and was {'on' if intent.want else 'off'}",
                )

    # When all is done that was due.

    def look(self) -> None:
        """Look at the router, the switches and the disk."""
        there = self._there()
        self._look_at_router(there)
        home = self.world.home
        if home is None or not home.is_up:
            self._missing.clear()
            self._unwanted.clear()
            return
        self._look_at_wanted(home, there)
        self._look_at_unwanted(home, there)
        self._look_at_shown(home, there)

    def _there(self) -> dict[Inside, RouterMapping]:
        """Return what is open on the router."""
        there: dict[Inside, RouterMapping] = {}
        now = self.world.now
        for mapping in self.world.router.mappings:
            if mapping.expires_at <= now:
                continue
            inside = (mapping.internal_address, mapping.protocol, mapping.internal_port)
            if inside in there and (
                self.world.router.personality.renewal is not Renewal.ADDS_MAPPING
            ):
                raise Broken(4, f"two mappings for {inside}")
            there[inside] = mapping
        return there

    def _look_at_router(self, there: dict[Inside, RouterMapping]) -> None:
        """4: each mapping is remembered."""
        world, home = self.world, self.world.home
        if self.bounds.forgets_mappings or (world.now < self.bounds.stored_wrong_until):
            self._forgotten_at.clear()
            return
        before, self._forgotten_at = self._forgotten_at, {}
        if home is not None and home.is_up:
            leases = home.ledger.leases
            for (address, protocol, port), mapping in there.items():
                lease = leases.get(_key(address, protocol, port))
                if mapping.expires_at <= world.now + SKEW:
                    continue
                if lease is None or (
                    not lease.wanted
                    and lease.open_until is not None
                    and lease.open_until <= world.now
                ):
                    self._forget((address, protocol, port), mapping, before)
        elif home is None and there:
            stored = world.disk.read(f"pcp.{ENTRY_ID}").get("data", {})
            stored = stored.get("leases", ())
            known = {
                # A port set is open in the name of its first mapping.
                it["nonce"]
                for it in stored
            }
            ports = {(it["internal_address"], it["internal_port"]) for it in stored}
            for (address, protocol, port), mapping in there.items():
                if mapping.nonce is None:
                    is_known = (str(address), port) in ports
                else:
                    is_known = mapping.nonce.hex() in known
                if not is_known:
                    self._forget((address, protocol, port), mapping, before)

    def _forget(
        self, inside: Inside, mapping: RouterMapping, before: dict[Inside, float]
    ) -> None:
        """Note what is forgotten; the answer that tells of it may be on its way."""
        now = self.world.now
        since = self._forgotten_at[inside] = before.get(inside, now)
        if now - since > ON_ITS_WAY and mapping.expires_at > now + SKEW:
            address, protocol, port = inside
            left = mapping.expires_at - now
            raise Broken(
                4,
                f"{protocol}/{port} of {address} is open for {left:.0f} s,"
                " and forgotten",
            )

    def _wanted(self) -> dict[Inside, str]:
        """Return what must be open, and for which forward."""
        wanted: dict[Inside, str] = {}
        addresses = self.world.network.addresses
        for forward_id, intent in self.world.intents:
            if intent.want and intent.acts == 0:
                forward = intent.forward
                for place in forward.places():
                    for mapping in forward.mappings_at(place, addresses):
                        inside = (mapping.key.internal_address, *place)
                        wanted[inside] = forward_id
        return wanted

    def _look_at_wanted(self, home: Home, there: dict[Inside, RouterMapping]) -> None:
        """1: what is wanted is open, soon after all is well."""
        now = self.world.now
        wanted = self._wanted()
        missing = {
            inside: self._missing.get(inside, now)
            for inside in wanted
            if inside not in there
        }
        for inside, since in self._missing.items() | missing.items():
            if inside not in wanted:
                continue
            if now - self.bounds.well_since(since) > self.bounds.to_open(inside):
                if self._is_held(home, inside):
                    missing[inside] = now
                    continue
                address, protocol, port = inside
                raise Broken(
                    1,
                    f"{protocol}/{port} of {address} is wanted, and not open for"
                    f" {now - since:.0f} s",
                )
        self._missing = missing

    def _is_held(self, home: Home, inside: Inside) -> bool:
        """Tell whether the router has told us to wait."""
        if not self.bounds.can_open(inside):
            return True
        lease = home.ledger.leases.get(_key(*inside))
        if lease is None or lease.refusal is None:
            return False
        retry_at = lease.refusal.retry_at
        return (
            self.world.now < retry_at + 300.0
            and retry_at <= self.world.answers.refused_until + 300.0
        )

    def _look_at_unwanted(self, home: Home, there: dict[Inside, RouterMapping]) -> None:
        """2: what is not wanted is closed, soon after all is well."""
        world, now = self.world, self.world.now
        unwanted: dict[Inside, float] = {}
        if now < self.bounds.stored_wrong_until:
            self._unwanted.clear()
            return
        for inside in there:
            address, protocol, port = inside
            if address not in world.network.addresses.values():
                continue
            protocols = {protocol, *self.bounds.opened_with(protocol)}
            if not any(world.intents.permit(it, port, now=now) for it in protocols):
                unwanted[inside] = self._unwanted.get(inside, now)
        for inside, since in unwanted.items():
            if now - self.bounds.well_since(since) > self.bounds.to_close(inside):
                address, protocol, port = inside
                raise Broken(
                    2,
                    f"{protocol}/{port} of {address} is not wanted, and open for"
                    f" {now - since:.0f} s",
                )
        self._unwanted = unwanted

    # What is shown.

    def _look_at_shown(self, home: Home, there: dict[Inside, RouterMapping]) -> None:
        """2 and 3: the status is true."""
        reachable = home.engine.links.reachable
        closed_but_there: dict[Inside, float] = {}
        for forward_id in home.ledger.forwards:
            standing = home.ledger.standing(forward_id, reachable)
            match standing.status:
                case ForwardStatus.OPEN | ForwardStatus.PARTLY_OPEN:
                    if not standing.wish.wanted:
                        raise Broken(3, f"{forward_id} is shown open and not wanted")
                    for lease in standing.leases:
                        if lease.wanted and lease.grant is not None:
                            self._look_at_lease(home, lease)
                case ForwardStatus.CLOSED if not self.bounds.forgets_mappings:
                    for inside in there:
                        if self._is_of(home, forward_id, inside):
                            since = self._closed_but_there.get(inside, self.world.now)
                            closed_but_there[inside] = since
                case _:
                    pass
        if self.world.now < self.bounds.stored_wrong_until:
            closed_but_there.clear()
        self._closed_but_there = closed_but_there
        for inside, since in closed_but_there.items():
            if self.world.now - since > self.bounds.to_notice and (
                there[inside].expires_at > self.world.now + SKEW
            ):
                raise Broken(2, f"{inside} is shown closed, and is open")

    def _is_of(self, home: Home, forward_id: str, inside: Inside) -> bool:
        address, protocol, port = inside
        forward = home.ledger.forwards[forward_id]
        return address.version in forward.ip_version.versions and (
            forward.covers(_key(address, protocol, port), third_party=False)
        )

    def _look_at_lease(self, home: Home, lease: Lease) -> None:
        """3: a grant is what the router said last, and lives."""
        world, grant = self.world, lease.grant
        assert grant is not None
        key = lease.key
        now = world.now
        name = f"{key.protocol}/{key.internal_port}"
        if grant.expires_at < now - 0.001:
            raise Broken(3, f"{name} is shown open, and has run out")
        nonce, offset = lease.wish.nonce, 0
        if grant.port_range is not None:
            # RFC 7753: granted with others, in the name of the first.
            offset = key.internal_port - grant.port_range.first
            first = replace(key, internal_port=grant.port_range.first)
            if (leader := home.ledger.leases.get(first)) is None:
                return
            nonce = leader.wish.nonce
        told = world.answers.about(
            nonce,
            key.internal_address.version,
            key.protocol,
            key.internal_port - offset,
        )
        if told is None:
            raise Broken(3, f"{name} is shown open, and was never granted")
        if grant.expires_at > told.expires_at + TOLERANCE + self.bounds.clock_slack():
            raise Broken(3, f"{name} is shown open for longer than it was granted")
        if grant.assigned_external_port != told.port + offset:
            raise Broken(
                3,
                f"{name} is shown at port {grant.assigned_external_port},"
                f" and the router said {told.port + offset}",
            )
        addresses = world.answers.addresses_of(told)
        # What was told last may have come too late for the disk.
        is_of_this_life = told.at > world.answers.life_began_at
        if is_of_this_life and (
            grant.assigned_external_address not in {*addresses, None}
        ):
            raise Broken(
                3,
                f"{name} is shown at {grant.assigned_external_address},"
                f" and the router said {', '.join(map(str, addresses))}",
            )
        if told.lost_at is not None and now - told.lost_at > self.bounds.to_lose(
            told.version
        ):
            raise Broken(3, f"{name} is shown open, and was lost")


def _key(address: IPAddress, protocol: int, port: int) -> MappingKey:
    return MappingKey(
        internal_address=address, protocol=Protocol(protocol), internal_port=port
    )
