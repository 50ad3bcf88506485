"""A router on the network: its addresses, its inside, and what it has told us."""

from collections.abc import Iterator

from custom_components.pcp.client.codec import IPAddress
from tests.simulated_router import RouterCore
from tests.simulated_router.personality import Renewal
from tests.simulated_router.table import RouterMapping

from .answers import Answers
from .time_line import Timer

type Inside = tuple[IPAddress, int, int]
"""Internal address, protocol, internal port: what one mapping is for."""


class Box:
    """One of the routers that the entry may be for."""

    def __init__(self, servers: dict[int, IPAddress], router: RouterCore) -> None:
        """Put a router at its addresses, by IP version."""
        self.servers = servers
        self.router = router
        self.answers = Answers()
        self.timer: Timer | None = None
        self.is_changed = True
        """Whether its mappings may be others than `there` returned last."""
        self.silent_loss_at = float("-inf")
        self._there: dict[Inside, RouterMapping] = {}

    @property
    def host(self) -> str:
        """Return the address that people type."""
        return str(self.servers[4])

    def there(self, now: float) -> dict[Inside, RouterMapping]:
        """Return what is open on it; raises ValueError where something is twice."""
        if self.is_changed:
            self.is_changed = False
            self._there = dict(self._mappings(now))
        return self._there

    def _mappings(self, now: float) -> Iterator[tuple[Inside, RouterMapping]]:
        is_single = self.router.personality.renewal is not Renewal.ADDS_MAPPING
        seen: set[Inside] = set()
        for mapping in self.router.mappings:
            if mapping.expires_at > now:
                inside = (
                    mapping.internal_address,
                    mapping.protocol,
                    mapping.internal_port,
                )
                if inside in seen and is_single:
                    raise ValueError(f"two mappings for {inside}")
                seen.add(inside)
                yield inside, mapping
