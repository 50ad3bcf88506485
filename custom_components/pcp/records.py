"""What must survive, on disk: when it is written, and whether it is."""

from dataclasses import replace

from homeassistant.core import HomeAssistant

from .clock import Clock
from .ledger import Ledger
from .links import Links
from .snapshot import Snapshot
from .storage import Form, LedgerStore, Stored, form_of


class Records:
    """The ledger and the servers of one router, as they are stored."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        ledger: Ledger,
        links: Links,
        clock: Clock,
    ) -> None:
        """Begin with nothing written."""
        self._store = LedgerStore(hass, entry_id)
        self._ledger = ledger
        self._links = links
        self._clock = clock
        self._written: tuple[Snapshot, float] | None = None

    @property
    def is_failing(self) -> bool:
        """Tell whether the last writing failed."""
        return self._store.is_failing

    @property
    def is_up_to_date(self) -> bool:
        """Tell whether what was written last is so now."""
        return self._snapshot() == self._written

    async def async_load(self) -> Stored | None:
        """Return what was stored, as far as it can be read.

        Raises HomeAssistantError when it cannot be read now, and
        UnsupportedStorageVersionError when it is of a version to come.
        """
        return await self._store.async_load(wall_offset=self._clock.wall_offset)

    async def async_save(self) -> bool:
        """Write, and remember what; tell whether it is on disk."""
        snapshot, wall_offset = now = self._snapshot()
        self._written = None
        form = form_of(snapshot, wall_offset=wall_offset)
        if not await self._store.async_save(form):
            return False
        self._written = now
        return True

    def save_soon(self, *, renewal: bool) -> None:
        """Write in a while; what only a renewal changes, later."""
        self._written = None
        self._store.async_save_soon(self._stored_form, renewal=renewal)

    def _snapshot(self) -> tuple[Snapshot, float]:
        """Return what must survive, and the wall clock's offset."""
        if self._clock.follow():
            self._ledger.touch()
        servers = tuple(self._links.servers.values())
        snapshot = replace(
            self._ledger.snapshot(),
            servers=servers,
            host=self._links.host,
            pinhole_keepers=self._links.pinhole_keepers,
            taken_at=self._clock.now(),
        )
        return snapshot, self._clock.wall_offset

    def _stored_form(self) -> Form:
        self._written = None
        snapshot, wall_offset = self._snapshot()
        return form_of(snapshot, wall_offset=wall_offset)
