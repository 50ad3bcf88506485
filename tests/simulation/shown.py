"""2 and 3: what the entities show is true."""

from typing import TYPE_CHECKING

from custom_components.pcp.client.mapping import Grant, MappingKey
from custom_components.pcp.forward import ForwardStatus
from tests.simulated_router.table import RouterMapping

from .answers import Answers, Told
from .bounds import SKEW, Bounds
from .box import Inside
from .broken import Broken
from .doors import Doors, key_of
from .home import Home
from .intents import TOLERANCE

if TYPE_CHECKING:
    from .world import World

_OPEN = (ForwardStatus.OPEN, ForwardStatus.PARTLY_OPEN)


# Seconds. What makes a lease shorter is stored so much later: after a power cut in between
# it is shown as it was, until it is renewed.
STORED_SOON = 1.0


class Displays:
    """Looks at what is shown, when that or what the routers said has changed.

    In between only time goes by: what it can make untrue is looked at when it does.
    """

    def __init__(self, world: World, bounds: Bounds, doors: Doors) -> None:
        """Look at a world."""
        self.world = world
        self.bounds = bounds
        self._doors = doors
        self._seen: object = None
        self._due = float("inf")
        self._there: dict[Inside, RouterMapping] | None = None
        self._closed_but_there: dict[Inside, float] = {}

    def look(self) -> None:
        """Look at what is shown."""
        world, home = self.world, self.world.home
        if home is None or not home.is_up:
            self._seen = None
            self._closed_but_there.clear()
            return
        seen = (
            id(home),
            home.shown_changes,
            tuple(box.answers.changes for box in world.boxes),
        )
        there = world.box.there(world.now)
        is_new = seen != self._seen
        if is_new or there is not self._there:
            self._find_closed(home, there)
            self._there = there
        if is_new or world.now >= self._due:
            self._seen, self._due = seen, float("inf")
            for forward_id in home.ledger.forwards:
                self._look_at(home, forward_id)
        self._look_at_closed(there)

    def _look_at(self, home: Home, forward_id: str) -> None:
        shown = home.shown[forward_id]
        if shown.status in _OPEN:
            if not shown.is_on:
                raise Broken(3, f"{forward_id} is shown open and not wanted")
            for key, nonce, grant in shown.grants:
                self._look_at_lease(home, key, nonce, grant)

    # 2: closed is never shown for a mapping that is there.

    def _find_closed(self, home: Home, there: dict[Inside, RouterMapping]) -> None:
        world = self.world
        before, self._closed_but_there = self._closed_but_there, {}
        if self.bounds.forgets_mappings(world.box):
            return
        for inside, mapping in there.items():
            for forward_id, shown in home.shown.items():
                if shown.status is not ForwardStatus.CLOSED:
                    continue
                forward = home.ledger.forwards.get(forward_id)
                if (
                    forward is not None
                    and inside[0].version in forward.ip_version.versions
                    and forward.covers(key_of(inside), third_party=mapping.third_party)
                    and not self._doors.is_left((world.box, inside))
                ):
                    since = before.get(inside, world.now)
                    self._closed_but_there[inside] = since

    def _look_at_closed(self, there: dict[Inside, RouterMapping]) -> None:
        now = self.world.now
        if now < self.bounds.stored_wrong_until:
            self._closed_but_there.clear()
        for inside, since in self._closed_but_there.items():
            if now - since > self.bounds.to_notice and (
                there[inside].expires_at > now + SKEW
            ):
                raise Broken(2, f"{inside} is shown closed, and is open")

    # 3: a grant is what the router said last, and lives.

    def _look_at_lease(
        self, home: Home, key: MappingKey, nonce: bytes, grant: Grant
    ) -> None:
        now = self.world.now
        name = f"{key.protocol}/{key.internal_port}"
        if grant.expires_at < now - 0.001:
            raise Broken(3, f"{name} is shown open, and has run out")
        self._due = min(self._due, grant.expires_at + 0.001)
        version = key.internal_address.version
        server = home.engine.links.servers.get(version)
        box = self.world.box if server is None else self.world.box_at(server)
        told, offset = self._told(box.answers, home, key, nonce, grant)
        if told is None:
            raise Broken(3, f"{name} is shown open, and was never granted")
        is_of_this_life = told.at > box.answers.life_began_at
        stored_at = told.at + STORED_SOON + 2 * self.world.intents.writing_takes
        known_until = min(self.world.fell_at, box.answers.stored_until)
        is_on_disk = is_of_this_life or known_until > stored_at
        slack = TOLERANCE + self.bounds.clock_slack()
        if grant.expires_at > told.expires_at + slack and is_on_disk:
            raise Broken(3, f"{name} is shown open for longer than it was granted")
        if offset >= told.count:
            raise Broken(3, f"{name} is shown open in a set of {told.count} ports")
        if self.world.now < told.uncertain_until:
            return
        if grant.assigned_external_port != told.port + offset:
            raise Broken(
                3,
                f"{name} is shown at port {grant.assigned_external_port},"
                f" and the router said {told.port + offset}",
            )
        addresses = box.answers.addresses_of(told)
        # What was told last may have come too late for the disk.
        if is_of_this_life and (
            grant.assigned_external_address not in {*addresses, None}
        ):
            raise Broken(
                3,
                f"{name} is shown at {grant.assigned_external_address},"
                f" and the router said {', '.join(map(str, addresses))}",
            )
        if told.lost_at is not None:
            known_at = told.lost_at + self.bounds.to_lose(version, box)
            if now > known_at:
                raise Broken(3, f"{name} is shown open, and was lost")
            self._due = min(self._due, known_at)

    def _told(
        self,
        answers: Answers,
        home: Home,
        key: MappingKey,
        nonce: bytes,
        grant: Grant,
    ) -> tuple[Told | None, int]:
        """Return the router's last word, and how many ports it is before this one."""
        version = key.internal_address.version
        if grant.port_range is None:
            return answers.about(nonce, version, key.protocol, key.internal_port), 0
        # RFC 7753: granted with others, in the name of the first.
        offset = key.internal_port - grant.port_range.first
        for other in home.ledger.leases.values():
            if (
                other.key.internal_port == grant.port_range.first
                and other.key.protocol == key.protocol
                and other.key.internal_address == key.internal_address
            ):
                return answers.about(
                    other.wish.nonce, version, key.protocol, other.key.internal_port
                ), offset
        return None, offset
