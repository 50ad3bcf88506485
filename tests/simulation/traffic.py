"""5, 6 and 7: what is sent, and what comes of what is heard from strangers."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.events import ServerProtocol

from .answers import Name, mapping_of, maps_asked_for
from .bounds import HEALED, UNHEARD
from .box import Box
from .broken import Broken
from .forgery import WORTHLESS
from .requests import Causes, most_in_an_hour

if TYPE_CHECKING:
    from .world import World

HOUR = 3600.0
# RFC 6887 11.2.1: nothing is renewed before half of its lease; a second for rounding.
_EARLY = 1.0
# Seconds. A forged datagram may cost one question in so many.
_PACE = 10.0
# Rounds of renewals, and in how many seconds, that announcements may begin.
_ROUNDS = 3
_ROUND_PERIOD = 900.0
# When these are used up the mappings are renewed by turns, one in so many seconds.
_TURN = 5.0
# Seconds after which the server is asked whether it is still there.
_CHECKED_EVERY = 239.0
# So soon after a move the old router may still be asked.
_MOVING = 15.0


class Traffic:
    """Looks at the wire."""

    def __init__(self, world: World) -> None:
        """Look at a world."""
        self.world = world
        self.sent: deque[tuple[float, Name | None, IPAddress]] = deque()
        self.sent_in_all = 0
        self.most = 0
        """Requests in the busiest hour."""
        self.nearest = 0.0
        """How much of what is permitted was used, at most."""
        self.causes = Causes()
        self._most_permitted = 0
        self._counted_at = float("-inf")
        self._forged_at = float("-inf")
        self._early: dict[IPAddress, deque[tuple[float, Name | None]]] = {}

    # 5 and 6.

    def on_sent(self, data: bytes, box: Box, server: IPAddress) -> None:
        """Look at a request that leaves."""
        world, now = self.world, self.world.now
        for host, protocol, port in maps_asked_for(data):
            if not world.intents.permit(host, protocol, port, now=now):
                self._break(6, f"{protocol}/{port} is asked for, and nobody wants it")
            elif box is not world.box and now > world.moved_at + _MOVING:
                self._break(6, f"{protocol}/{port} is asked of another router")
        name = mapping_of(data)
        sent = self.sent
        sent.append((now, name, server))
        self.sent_in_all += 1
        while sent[0][0] <= now - HOUR:
            sent.popleft()
        self.most = max(self.most, len(sent))
        # What is permitted changes slowly: it is counted once a minute, or at its end.
        if len(sent) > self._most_permitted or now > self._counted_at + 60.0:
            self._counted_at = now
            self._most_permitted = most = most_in_an_hour(world, sent, self.causes)
            self.nearest = max(self.nearest, len(sent) / most)
            if len(sent) > most:
                self._break(5, f"{len(sent)} requests in an hour, {most} are permitted")
        self._count_early(name, box, server)

    # 7: what fails a check changes nothing.

    def on_forged(self, kind: str, data: bytes, *, is_announcement: bool) -> None:
        """Deliver a forged datagram, and see that it changes nothing."""
        world = self.world
        world.tell(f"forged {kind}")
        if self._is_open_to(kind):
            return

        if world.home is not None:
            # What is due by itself does not come of it.
            world.home.engine.links.pump()

        def deliver() -> None:
            if is_announcement:
                hear = world.network.hear_announcement
                if hear is not None:
                    hear(data, world.box.servers[4], 5351)
            else:
                for take in world.network.hearers():
                    take(data)

        if kind in WORTHLESS:
            self.on_worthless(kind, deliver)
            return
        self._forged_at = world.now
        self.causes.doubtful.append(world.now)
        before, home = self._state(sure=True), world.home
        deliver()
        # What is asked because of it may be what the power goes after.
        if world.home is home and self._state(sure=True) != before:
            self._break(7, f"a forged datagram ({kind}) changes a lease")

    def on_worthless(self, kind: str, deliver: Callable[[], None]) -> None:
        """Deliver what fails a check, and see that nothing comes of it."""
        before, sent = self._state(), self.sent_in_all
        deliver()
        if self._state() != before:
            self._break(7, f"a worthless datagram ({kind}) changes a lease")
        if self.sent_in_all > sent:
            self._break(7, f"a worthless datagram ({kind}) is answered")

    def _state(self, *, sure: bool = False) -> object:
        """Return all that is believed of mappings, or what is `sure` of it."""
        home, now = self.world.home, self.world.now
        if home is None:
            return None
        views = [view for link in home.engine.links for view in link.keeper.leases()]
        if sure:
            # Of one that is not granted it may be refused, in the router's name.
            return home.ledger.snapshot(), [(it.key, it.grant) for it in views]
        return home.ledger.snapshot(), [
            (
                view.key,
                view.state,
                view.grant,
                view.refusal,
                # A keeper that was not asked for a while looks at an earlier time.
                view.open_until if (view.open_until or 0.0) > now else None,
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

    # 7: what has no nonce costs one question in 10 s, and three rounds in 15 minutes.

    def _count_early(self, name: Name | None, box: Box, server: IPAddress) -> None:
        """Count what is asked before its time while somebody forges, and all is well."""
        now = self.world.now
        early = self._early.setdefault(server, deque())
        if not self._is_quiet():
            early.clear()
            return
        if now > self._forged_at + 2 * _PACE or not self._is_early(name, box, server):
            return
        if name is None and early and early[-1] == (now, None):
            # In NAT-PMP one question may be two: the address, and whether PCP is spoken.
            return
        early.append((now, name))
        while early[0][0] <= now - _ROUND_PERIOD:
            early.popleft()
        mappings = len(box.answers.told)
        lately = sum(at > now - _PACE for at, _ in early)
        if lately > 1 + 2 * mappings + _PACE / _TURN:
            self._break(7, f"forged datagrams cost {lately} requests in {_PACE:.0f} s")
        questions = _ROUND_PERIOD / _PACE + 1 + _ROUND_PERIOD / _TURN
        if len(early) > questions + (_ROUNDS + 1) * mappings:
            self._break(7, f"forged datagrams cost {len(early)} requests in 15 minutes")

    def _is_early(self, name: Name | None, box: Box, server: IPAddress) -> bool:
        now = self.world.now
        if name is None:
            return now < box.answers.heard_at(server) + _CHECKED_EVERY
        told = box.answers.told.get(name)
        if told is None or told.lost_at is not None:
            return False
        return now < told.at + (told.expires_at - told.at) / 2 - _EARLY

    def _is_quiet(self) -> bool:
        world = self.world
        home = world.home
        return (
            home is not None
            and home.is_up
            and world.now > world.disturbed_at + HEALED
            and not world.router.silent
            and world.router.personality.name not in UNHEARD
        )

    def _break(self, number: int, what: str) -> None:
        self.world.break_off(Broken(number, what))
