"""5: how many requests an hour may see, from what has happened in it.

Each part is a rule of the protocol or of ours that lets a request be sent. What happened
two hours ago still counts, for the longest pause of a repeated request is 17 minutes.
"""

from collections import deque
from collections.abc import Collection, Iterable
from math import ceil, log2
from typing import TYPE_CHECKING

from custom_components.pcp.client.codec import IPAddress

from .answers import Name
from .bounds import UNHEARD

if TYPE_CHECKING:
    from .world import World

HOUR = 3600.0
_REMEMBERED = 2 * HOUR
# Seconds. An act begins and ends, a router goes and comes: what is so near is one.
_ONE = 1.0
# RFC 6887 8.1.1: 3 s, doubled up to 1024 s: so often in an hour, with the first.
_REPETITIONS = 12
# RFC 6886 3.1: 9 times in two minutes; ours: begun anew after four minutes.
_NAT_PMP_REPETITIONS = 9
_NAT_PMP_SILENCE = 90
# Ours: a server is asked every 4 minutes; that is repeated, in NAT-PMP more often, and
# every half hour in PCP, too.
_CHECKS = 15 + 2
_CHECK_REPETITIONS = 7
# Ours: what is refused is asked for again after 30 s at the soonest.
_AFTER_REFUSALS = 120
# Ours: what is granted at another port than the exact one is given back, and asked for
# again after five minutes.
_EXACT = 12 * 2
# Ours: a loss is believed 20 times in an hour, and then every 4 minutes.
_LOSSES = 35
# Ours: an announcement is verified every 10 s, and begins three rounds in 15 minutes.
_VERIFICATIONS = 360
_ROUNDS = 12
# Ours: when these are used up, a mapping is renewed every 5 s.
_TURNS = 720


class Causes:
    """What has happened that lets requests be sent."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.disturbances: deque[float] = deque()
        self.doubtful: deque[float] = deque()
        """What was announced or forged: it may be verified."""

    def disturb(self, now: float) -> None:
        """Note that somebody did something, or that all was not well."""
        if not self.disturbances or now > self.disturbances[-1] + _ONE:
            self.disturbances.append(now)

    def count(self, now: float, *, disturbed_until: float) -> tuple[int, int]:
        """Return how many disturbances and doubtful datagrams there were lately."""
        for times in (self.disturbances, self.doubtful):
            while times and times[0] < now - _REMEMBERED:
                times.popleft()
        lasts = not self.disturbances and disturbed_until > now - _REMEMBERED
        return len(self.disturbances) + lasts, len(self.doubtful)


def most_in_an_hour(
    world: World,
    sent: Collection[tuple[float, Name | None, IPAddress]],
    causes: Causes,
) -> int:
    """Return how many requests may have been sent in the last hour."""
    now = world.now
    disturbances, doubtful = causes.count(now, disturbed_until=world.disturbed_at)
    answers = [box.answers for box in world.boxes]
    names = {name for _, name, _ in sent if name is not None}
    servers = {server for *_, server in sent}
    losses = min(_LOSSES, sum(it.losses_lately(now - HOUR) for it in answers))
    verifications = min(_VERIFICATIONS, doubtful)
    rounds = min(_ROUNDS, verifications + disturbances)
    is_refused = any(it.is_refused_since(now - _REMEMBERED) for it in answers)
    is_unheard = any(box.router.personality.name in UNHEARD for box in world.boxes)
    is_troubled = bool(disturbances or losses) or is_unheard
    lifetimes = _lifetimes(it.lifetimes_since(now - _REMEMBERED) for it in answers)
    shortest = min([*lifetimes, world.shortest_lease_time])

    # One mapping.
    lives = ceil(HOUR / shortest) + 1
    most = ceil(2 * HOUR / shortest) + 1
    if is_troubled:
        # RFC 6887 11.2.1: at 1/2, 3/4, 7/8 and so on, until 4 s are left.
        most += lives * max(1, int(log2(shortest)) - 2)
    if is_refused:
        most += _AFTER_REFUSALS
    if is_troubled or is_refused:
        most += _repetitions(world)
    most += (disturbances + losses + rounds) * _REPETITIONS

    # The server.
    checks = _CHECKS + disturbances + losses + verifications
    if is_troubled:
        checks += lives * len(names)
    each = _CHECK_REPETITIONS if is_troubled or is_refused else 2
    turns = _TURNS if doubtful and names else 0
    asked = checks * each * max(1, len(servers))
    return most * len(names) + _exact(world, names) + asked + verifications + turns


def _exact(world: World, names: Collection[Name]) -> int:
    """Return how many requests ports cost that are wanted as they are and not granted."""
    leases = () if world.home is None else world.home.ledger.leases.values()
    exact = {lease.wish.nonce for lease in leases if lease.wish.exact}
    return _EXACT * len(exact.intersection(names))


def _repetitions(world: World) -> int:
    speaks = (box.router.personality.nat_pmp for box in world.boxes)
    return _NAT_PMP_SILENCE if any(speaks) else _REPETITIONS


def _lifetimes(each: Iterable[Iterable[int]]) -> list[int]:
    return [lifetime for lifetimes in each for lifetime in lifetimes]
