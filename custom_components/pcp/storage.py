"""The one Store of a router: wishes, durations and leases.

Home Assistant's Store logs what it cannot write, and goes on. Here nothing may be asked
for that is not on disk, so this one knows. What is damaged is read as far as it can be.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import logging
from pathlib import Path
import shutil
from typing import Any, override

from homeassistant.core import CoreState, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util
from homeassistant.util.file import WriteError
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .snapshot import Snapshot

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION = 1

# Seconds. What a renewal changes is only how long a mapping lives; what a grant
# changes is which port is to be asked for after a crash.
_SAVE_SOON = 1.0
_SAVE_LATER = 30.0
# A disk that does not answer for so long must not keep a door open.
_PATIENCE = 10.0

# So many leases are read and made into what is stored in the event loop; of more, which
# is milliseconds, it is done in another thread.
_FEW = 64

type Form = dict[str, Any] | Callable[[], dict[str, Any]]
"""What is stored, or what makes it, in another thread, of what does not change."""

# What the disk did not take, by key: a reload goes on with that.
_UNWRITTEN: HassKey[dict[str, Form]] = HassKey(f"{DOMAIN}_unwritten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was on disk."""

    snapshot: Snapshot
    is_damaged: bool = False

    @property
    def is_lost(self) -> bool:
        """Tell whether it is damaged, and nothing of it could be read."""
        snapshot = self.snapshot
        return self.is_damaged and not (snapshot.wishes or snapshot.leases)


def form_of(snapshot: Snapshot, *, wall_offset: float) -> Form:
    """Return a snapshot in the form in which it is stored."""
    if len(snapshot.leases) > _FEW:
        return lambda: snapshot.as_json(wall_offset=wall_offset)
    return snapshot.as_json(wall_offset=wall_offset)


class LedgerStore:
    """Snapshots of the ledger in storage."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Name the store after the entry."""
        self._hass = hass
        self._store = _Store(hass, f"{DOMAIN}.{entry_id}")
        self._unwritten = hass.data.setdefault(_UNWRITTEN, {})
        self._save_at: float | None = None

    @property
    def is_failing(self) -> bool:
        """Tell whether the last writing failed."""
        return self._store.is_failing

    async def async_load(self, *, wall_offset: float) -> Stored | None:
        """Return what can be read, None when there is nothing.

        A damaged file is kept under another name. Raises HomeAssistantError when it
        cannot be read now, UnsupportedStorageVersionError when it is of a version to
        come; then it is left as it is.
        """
        try:
            data = self._unwritten.pop(self._store.key, None)
            if data is None:
                data = await self._store.async_load()
            elif callable(data):
                data = data()
        except (KeyError, TypeError, NotImplementedError) as err:
            snapshot, damage = Snapshot(), [repr(err)]
        else:
            if data is None:
                return None
            snapshot, damage = await self._async_read(data, wall_offset)
        if damage:
            copy = await self._hass.async_add_executor_job(_keep, self._store.path)
            _LOGGER.error(
                "What was stored in %s is damaged (%s); what can be read is used, %s",
                self._store.key,
                "; ".join(damage),
                f"the file was kept as {copy}" if copy else "no copy could be kept",
            )
        return Stored(snapshot=snapshot, is_damaged=bool(damage))

    async def _async_read(
        self, data: dict[str, Any], wall_offset: float
    ) -> tuple[Snapshot, list[str]]:
        now = self._hass.loop.time()

        def read() -> tuple[Snapshot, list[str]]:
            return Snapshot.from_json(data, wall_offset=wall_offset, now=now)

        leases = data.get("leases") if isinstance(data, dict) else None
        if isinstance(leases, list) and len(leases) > _FEW:
            return await self._hass.async_add_executor_job(read)
        return read()

    async def async_save(self, data: Form) -> bool:
        """Write at once; tell whether it is on disk.

        A disk that takes too long is one that takes nothing, until it does.
        """
        self._save_at = None
        writing = self._hass.async_create_task(
            self._store.async_save(data), f"{DOMAIN} save"
        )
        done, _ = await asyncio.wait([writing], timeout=_PATIENCE)
        if done:
            writing.result()
        else:
            self._store.fail(f"it takes more than {_PATIENCE:.0f} s")
        self._unwritten.pop(self._store.key, None)
        if self.is_failing:
            self._unwritten[self._store.key] = data
        return not self.is_failing

    def async_save_soon(self, data: Callable[[], Form], *, renewal: bool) -> None:
        """Write in a while, what `data` returns then; before Home Assistant stops.

        The store would put off what is due soon for what is due later.
        """
        delay = _SAVE_LATER if renewal else _SAVE_SOON
        save_at = self._hass.loop.time() + delay
        if self._save_at is not None and self._save_at <= save_at:
            return

        def data_now() -> Form:
            self._save_at = None
            return data()

        self._save_at = save_at
        self._store.async_delay_save(data_now, delay)

    async def async_remove(self) -> None:
        """Remove it for good."""
        self._unwritten.pop(self._store.key, None)
        await self._store.async_remove()


class _Store(Store[Any]):
    """A store that tells whether it could write."""

    def __init__(self, hass: HomeAssistant, key: str) -> None:
        # Atomic: a power cut leaves the old file or the new one.
        super().__init__(hass, STORAGE_VERSION, key, private=True, atomic_writes=True)
        self.is_failing = False

    @override
    async def async_save(self, data: Any) -> None:
        """Write at once, also while Home Assistant stops: not only at its end."""
        await super().async_save(data)
        if self.hass.state is CoreState.stopping:
            await self._async_handle_write_data()  # type: ignore[no-untyped-call]

    def fail(self, reason: object) -> None:
        """Note that it cannot be written, and tell it once."""
        if not self.is_failing:
            _LOGGER.error("%s cannot be written: %s", self.key, reason)
        self.is_failing = True

    @override
    async def _async_write_data(self, data: dict[str, Any]) -> None:
        """Write, and note how that went: once when it fails, once when it works."""
        if "data_func" in data:
            data["data"] = data.pop("data_func")()
        if callable(data["data"]):
            data["data"] = await self.hass.async_add_executor_job(data["data"])
        try:
            await super()._async_write_data(data)
        except (HomeAssistantError, OSError) as err:
            self.fail(err)
            raise WriteError(str(err)) from err
        if self.is_failing:
            _LOGGER.warning("%s can be written again", self.key)
        self.is_failing = False


def _keep(path: str) -> str | None:
    """Copy a damaged file, as Home Assistant names those; return the copy's name."""
    copy = Path(f"{path}.corrupt.{dt_util.utcnow().isoformat()}")
    try:
        # There are nonces in it.
        copy.touch(mode=0o600)
        shutil.copyfile(path, copy)
    except OSError:
        copy.unlink(missing_ok=True)
        return None
    return copy.name
