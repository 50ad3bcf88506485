"""A disk that outlives Home Assistant.

Home Assistant's own Store writes to it: what is replaced is the one call that puts
octets into a file, and the one that reads them. A write takes effect at its end, for
the file is written aside and renamed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from homeassistant.util.file import WriteError
import orjson

# Ours: seconds after which a write is waited for no more.
PATIENCE = 10.0


class Disk:
    """The files, and how well they are written."""

    def __init__(self) -> None:
        """Begin empty and quick."""
        self.files: dict[str, str | bytes] = {}
        self.seconds = 0.0
        self.is_full = False
        self.has_failed = False
        self.behind_since: float | None = None
        """Since when nothing could be written that was to be."""
        self.before_write: Callable[[], None] = lambda: None
        self.after_write: Callable[[], None] = lambda: None

    async def write(
        self, key: str, octets: str | bytes, is_alive: Callable[[], bool]
    ) -> None:
        """Write a file; a dead Home Assistant writes nothing. Raises WriteError."""
        self.before_write()
        if 2 * self.seconds > PATIENCE:
            # Who waits for the write before, too, takes it for one that hangs.
            self.has_failed = True
        if self.seconds:
            await asyncio.sleep(self.seconds)
        if self.is_full:
            self.has_failed = True
            if self.behind_since is None:
                self.behind_since = asyncio.get_running_loop().time()
            raise WriteError("no space left on device")
        if is_alive():
            self.files[key] = octets
            self.behind_since = None
            self.after_write()

    def read(self, key: str) -> Any:
        """Return what a file holds; an empty dict when there is none."""
        octets = self.files.get(key)
        return {} if octets is None else orjson.loads(octets)
