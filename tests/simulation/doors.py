"""1, 2 and 4: what is open on the routers, against what is wanted and remembered."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.mapping import MappingKey, Protocol
from custom_components.pcp.closing import _CLOSERS
from custom_components.pcp.forward import Forward
from tests.simulated_router.table import RouterMapping

from .bounds import SKEW, Bounds
from .box import Box, Inside
from .broken import Broken
from .home import Home

if TYPE_CHECKING:
    from .world import World

# So long an answer may be under way that tells of a mapping made by a late copy.
ON_ITS_WAY = 15.0

type Door = tuple[Box, Inside]
type _Addresses = tuple[IPAddress | None, IPAddress | None]


class Doors:
    """Looks at the routers."""

    def __init__(self, world: World, bounds: Bounds) -> None:
        """Look at a world."""
        self.world = world
        self.bounds = bounds
        self._forgotten: dict[Door, float] = {}
        self._missing: dict[Inside, float] = {}
        self._unwanted: dict[Door, float] = {}
        self._left: dict[Door, float] = {}
        """What ends by itself, and when: nobody was left to close it."""
        self._insides: dict[int, tuple[Forward, _Addresses, list[Inside]]] = {}

    def note_fall(self) -> None:
        """Note what is closed in the background only: that ends with Home Assistant.

        For an entry that is removed or disabled there is nobody else.
        """
        world = self.world
        closing = self._closing()
        for box in world.boxes:
            for inside, mapping in box.there(world.now).items():
                if (
                    world.entry is None
                    or world.entry.is_disabled
                    or (box, inside) in closing
                ):
                    self._left[box, inside] = mapping.expires_at

    def look(self) -> None:
        """Look at the routers, and what is known of them."""
        world = self.world
        try:
            there = {box: box.there(world.now) for box in world.boxes}
        except ValueError as err:
            raise Broken(4, str(err)) from None
        if self._left:
            self._left = {
                door: ends_at
                for door, ends_at in self._left.items()
                if ends_at > world.now
            }
        self._look_at_remembered(there)
        self._look_at_unwanted(there)
        home = world.home
        if home is None or not home.is_up:
            self._missing.clear()
        else:
            self._look_at_wanted(home, there[world.box])

    def _doors(
        self, there: dict[Box, dict[Inside, RouterMapping]]
    ) -> Iterator[tuple[Door, RouterMapping]]:
        """Yield what is open, and is to be closed or kept by somebody."""
        for box, mappings in there.items():
            for inside, mapping in mappings.items():
                # A second is lost where a lease is told in whole ones.
                if self._left.get((box, inside), 0.0) < mapping.expires_at - 1.0:
                    yield (box, inside), mapping

    # 4: each mapping is remembered.

    def _look_at_remembered(
        self, there: dict[Box, dict[Inside, RouterMapping]]
    ) -> None:
        world = self.world
        now, home = world.now, world.home
        before, self._forgotten = self._forgotten, {}
        is_changing = home is not None and not home.is_up
        if now < self.bounds.stored_wrong_until or is_changing:
            return
        closing: set[Door] | None = None
        stored: tuple[set[str], set[tuple[str, int]]] | None = None
        for door, mapping in self._doors(there):
            box, inside = door
            if (
                self.bounds.forgets_mappings(box)
                or mapping.expires_at <= now + SKEW
                or (home is not None and self._is_in_ledger(home, door))
            ):
                continue
            if world.hass is not None:
                closing = self._closing() if closing is None else closing
                is_known = door in closing
            else:
                is_known = False
            if not is_known and home is None:
                stored = self._stored() if stored is None else stored
                nonces, ports = stored
                if mapping.nonce is None:
                    is_known = (str(inside[0]), inside[2]) in ports
                else:
                    # A port set is open in the name of its first mapping.
                    is_known = mapping.nonce.hex() in nonces
            if not is_known:
                self._forget(door, mapping, before)

    def _is_in_ledger(self, home: Home, door: Door) -> bool:
        box, inside = door
        lease = home.ledger.leases.get(key_of(inside))
        server = home.engine.links.servers.get(inside[0].version)
        return (
            lease is not None
            and (server is None or server in box.servers.values())
            and (
                lease.wanted
                or lease.open_until is None
                or lease.open_until > self.world.now
            )
        )

    def _closing(self) -> set[Door]:
        """Return what is closed in the background, without a ledger."""
        hass = self.world.hass
        if hass is None:
            return set()
        return {
            (
                self.world.box_at(closer.server),
                (key.internal_address, key.protocol, key.internal_port),
            )
            for closer in hass.data.get(_CLOSERS, ())
            for key in closer._left
        }

    def _stored(self) -> tuple[set[str], set[tuple[str, int]]]:
        """Return the nonces and the ports that are on disk."""
        stored = [
            lease
            for key in self.world.disk.files
            for lease in self.world.disk.read(key)["data"]["leases"]
        ]
        return {it["nonce"] for it in stored}, {
            (it["internal_address"], it["internal_port"]) for it in stored
        }

    def _forget(
        self, door: Door, mapping: RouterMapping, before: dict[Door, float]
    ) -> None:
        """Note what is forgotten; the answer that tells of it may be on its way."""
        now = self.world.now
        since = self._forgotten[door] = before.get(door, now)
        if now - since > ON_ITS_WAY and mapping.expires_at > now + SKEW:
            address, protocol, port = door[1]
            left = mapping.expires_at - now
            raise Broken(
                4,
                f"{protocol}/{port} of {address} is open for {left:.0f} s,"
                " and forgotten",
            )

    # 1: what is wanted is open, soon after all is well.

    def _wanted(self) -> dict[Inside, Forward]:
        """Return what must be open, and for which forward."""
        known = self.world.network.addresses
        addresses = known.get(4), known.get(6)
        wanted: dict[Inside, Forward] = {}
        for _, intent in self.world.intents:
            if intent.want and intent.acts == 0:
                insides = self._insides_of(intent.forward, addresses)
                wanted.update(dict.fromkeys(insides, intent.forward))
        return wanted

    def _insides_of(self, forward: Forward, addresses: _Addresses) -> list[Inside]:
        known = self._insides.get(id(forward))
        if known is not None and known[0] is forward and known[1] == addresses:
            return known[2]
        ours = {it.version: it for it in addresses if it is not None}
        insides: list[Inside] = [
            (mapping.key.internal_address, *place)
            for place in forward.places()
            for mapping in forward.mappings_at(place, ours)
        ]
        self._insides[id(forward)] = forward, addresses, insides
        return insides

    def _look_at_wanted(self, home: Home, there: dict[Inside, RouterMapping]) -> None:
        now = self.world.now
        wanted = self._wanted()
        missing = {
            inside: self._missing.get(inside, now)
            for inside in wanted
            if inside not in there
        }
        for inside, since in list(missing.items()):
            if now - self.bounds.well_since(since) > self.bounds.to_open():
                if self._is_held(home, inside, wanted[inside]):
                    missing[inside] = now
                    continue
                address, protocol, port = inside
                raise Broken(
                    1,
                    f"{protocol}/{port} of {address} is wanted, and not open for"
                    f" {now - since:.0f} s",
                )
        self._missing = missing

    def _is_held(self, home: Home, inside: Inside, forward: Forward) -> bool:
        """Tell whether the router has told us to wait."""
        if not self.bounds.can_open(inside, forward):
            return True
        lease = home.ledger.leases.get(key_of(inside))
        if lease is not None and lease.grant is not None and lease.grant.port_range:
            # RFC 7753: it is asked for by the first of its set.
            first = inside[0], inside[1], lease.grant.port_range.first
            lease = home.ledger.leases.get(key_of(first))
        if lease is None or lease.refusal is None:
            return False
        retry_at = asked_at = lease.refusal.retry_at
        if lease.grant is not None and self.bounds.loses_silently:
            # RFC 6887 11.2.1: as what is not known to be lost, till it runs out.
            asked_at = max(retry_at, lease.grant.expires_at)
        return (
            self.world.now < asked_at + 300.0
            and retry_at <= self.world.box.answers.refused_until + 300.0
        )

    # 2: what is not wanted is closed, soon after all is well.

    def _look_at_unwanted(self, there: dict[Box, dict[Inside, RouterMapping]]) -> None:
        world, now = self.world, self.world.now
        before, self._unwanted = self._unwanted, {}
        if now < self.bounds.stored_wrong_until or world.hass is None:
            return
        ours = world.network.addresses.values()
        for door, mapping in self._doors(there):
            box, inside = door
            address, protocol, port = inside
            if not mapping.third_party and address not in ours:
                continue
            host = address if mapping.third_party else None
            protocols = {protocol, *self.bounds.opened_with(protocol)}
            if box is world.box and any(
                world.intents.permit(host, it, port, now=now) for it in protocols
            ):
                continue
            since = self._unwanted[door] = before.get(door, now)
            if now - self.bounds.well_since(since) > self.bounds.to_close(inside, box):
                raise Broken(
                    2,
                    f"{protocol}/{port} of {address} is not wanted, and open for"
                    f" {now - since:.0f} s",
                )

    def is_left(self, door: Door) -> bool:
        """Tell whether nobody was left to close it."""
        return door in self._left


def key_of(inside: Inside) -> MappingKey:
    """Return the name of a mapping."""
    address, protocol, port = inside
    return MappingKey(
        internal_address=address, protocol=Protocol(protocol), internal_port=port
    )
