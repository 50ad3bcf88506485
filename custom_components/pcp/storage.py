"""The one Store of a router: wishes, durations and leases."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .snapshot import Snapshot

STORAGE_VERSION = 1

# Seconds. What a renewal changes is only how long a mapping lives; what a grant
# changes is which port is to be asked for after a crash.
_SAVE_SOON = 1.0
_SAVE_LATER = 30.0


class LedgerStore:
    """Snapshots of the ledger in storage."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the store after the entry."""
        self._loop = hass.loop
        self._store: Store[dict[str, Any]] = Store(
            hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True
        )
        self._save_at: float | None = None

    async def async_load(self, *, wall_offset: float) -> Snapshot | None:
        """Return the snapshot, None when there is none.

        Raises ValueError when it is damaged, or of a version to come.
        """
        try:
            data = await self._store.async_load()
        except (HomeAssistantError, NotImplementedError) as err:
            raise ValueError(f"unreadable storage: {err}") from err
        except (KeyError, TypeError) as err:
            raise ValueError(f"damaged storage: {err!r}") from err
        if data is None:
            return None
        return Snapshot.from_json(data, wall_offset=wall_offset)

    async def async_save(self, data: dict[str, Any]) -> None:
        """Write at once; returns when it is on disk."""
        self._save_at = None
        await self._store.async_save(data)

    def async_save_soon(
        self, data: Callable[[], dict[str, Any]], *, renewal: bool
    ) -> None:
        """Write in a while, what `data` returns then.

        The store would put off what is due soon for what is due later.
        """
        delay = _SAVE_LATER if renewal else _SAVE_SOON
        save_at = self._loop.time() + delay
        if self._save_at is not None and self._save_at <= save_at:
            return

        def data_now() -> dict[str, Any]:
            self._save_at = None
            return data()

        self._save_at = save_at
        self._store.async_delay_save(data_now, delay)

    async def async_remove(self) -> None:
        """Remove it for good."""
        await self._store.async_remove()
