"""How long what may take, and what a personality is excused from."""

from typing import TYPE_CHECKING

from custom_components.pcp.client.codec import PCP_VERSION
from custom_components.pcp.forward import Forward
from tests.simulated_router.personality import EpochSource, Personality, PinholeRenewal

from .box import Box, Inside

if TYPE_CHECKING:
    from .world import World

# design: five minutes from when the router answers again, and as much for the
# retransmission that is under way then.
HEALED = 300.0
# Seconds. Renewals are stored so much later, and a step of the clock is looked for.
STORED_WITHIN = 100.0
# Seconds between what the router counts and what we do: an answer takes its time.
SKEW = 6.0
# miniupnpd cuts ports to 8 bits, a CARP gateway answers from elsewhere: these grant, and
# we can never believe it.
UNHEARD = frozenset({"nat_pmp_truncating", "other_address", "silent", "closed"})
# A mapping of UDP opens TCP.
OPENS_ANOTHER = frozenset({"openwrt_mixed_up"})


class Bounds:
    """The bounds in one world."""

    def __init__(self, world: World) -> None:
        """Begin."""
        self.world = world
        self.stored_wrong_until = float("-inf")
        """Until when a lease may live whose time was stored by another clock."""
        self._clock_set: list[tuple[float, float]] = []

    def well_since(self, since: float) -> float:
        """Return from when on all has been well, and something was to be done."""
        return max(since, self.world.disturbed_at)

    def note_clock_set(self, by: float) -> None:
        """Note that the wall clock was set."""
        self._clock_set.append((self.world.now, abs(by)))

    def begin_life(self, fell_at: float) -> None:
        """Note whether the clock was set since the last times were stored."""
        if any(at > fell_at - STORED_WITHIN for at, _ in self._clock_set):
            self.stored_wrong_until = self.world.now + self.longest_lease

    def clock_slack(self) -> float:
        """Return by how much times may be off because the wall clock was set.

        What was stored by one clock and read by another is off until it is renewed.
        """
        since = self.world.now - 86_400.0
        return sum(by for at, by in self._clock_set if at > since)

    @property
    def longest_lease(self) -> float:
        """Return how long a lease on our router may be, in seconds."""
        return self.longest_lease_of(self.world.router.personality)

    def longest_lease_of(self, personality: Personality) -> float:
        """Return how long a lease on a router may be, in seconds."""
        if personality.fixed_lifetime is not None:
            return min(personality.fixed_lifetime, 86_400)
        return max(self.world.longest_lease_time, 120)

    def can_open(self, inside: Inside, forward: Forward) -> bool:
        """Tell whether the router could ever open it for a forward, and tell us."""
        personality = self.world.router.personality
        if personality.name in UNHEARD | OPENS_ANOTHER:
            return False
        if personality.pcp and personality.version == PCP_VERSION:
            return True
        # NAT-PMP has no IPv6, no other hosts and no filters.
        return (
            personality.nat_pmp
            and inside[0].version == 4
            and forward.target_host is None
            and not forward.allowed_sources
        )

    def opened_with(self, protocol: int) -> tuple[int, ...]:
        """Return the protocols for which asking opens this one, too."""
        is_mixed_up = self.world.router.personality.name in OPENS_ANOTHER
        return (17,) if is_mixed_up and protocol == 6 else ()

    @property
    def loses_silently(self) -> bool:
        """Tell whether a mapping may be lost, and only its renewal shows it."""
        personality = self.world.router.personality
        return (
            not personality.renewal_extends
            or personality.forgets_after is not None
            or personality.epoch_source is EpochSource.UPTIME
            or self.world.now - self.world.box.silent_loss_at
            < self.longest_lease + HEALED
        )

    def to_open(self) -> float:
        """Return in how many seconds what is wanted is open."""
        if self.loses_silently:
            return HEALED + self.longest_lease * 5 / 8
        return HEALED

    def to_close(self, inside: Inside, box: Box) -> float:
        """Return in how many seconds what is not wanted is closed on a router."""
        personality = box.router.personality
        if personality.name in UNHEARD | OPENS_ANOTHER or (
            inside[0].version == 6
            and personality.pinhole_renewal is PinholeRenewal.LOSES_OWNER
        ):
            return self.longest_lease_of(personality) + HEALED
        return HEALED + personality.delete_lingers

    @property
    def to_notice(self) -> float:
        """Return in how many seconds a mapping that was made behind us is shown."""
        return 2.0

    def to_lose(self, version: int, box: Box) -> float:
        """Return in how many seconds a loss is shown that an answer has told.

        Everything is made again 20 times in an hour, then every 4 minutes. RFC 6887
        8.5 counts an answer for a loss that was overtaken by the next by 2 s.
        """
        since = self.world.now - 3600.0
        losses = box.answers.losses_of(version, since=since)
        return 10.5 if losses < 20 else 250.5

    def forgets_mappings(self, box: Box) -> bool:
        """Tell whether a router keeps more than it was asked for, or other ports."""
        personality = box.router.personality
        fixed = personality.fixed_lifetime
        return personality.name in OPENS_ANOTHER or (
            fixed is not None and fixed > 86_400
        )
