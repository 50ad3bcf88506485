"""Waiting until a forward stands as it should."""

import asyncio
from collections.abc import Callable, Iterable


class Waiting:
    """Those who wait, by the forward that they wait for."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._looks: dict[str | None, set[Callable[[], None]]] = {}

    async def async_until(
        self, forward_id: str | None, is_so: Callable[[], bool], *, wait: float
    ) -> bool:
        """Wait until something is so, at most that many seconds; tell whether it is.

        None for the forward looks whenever anything has changed.
        """
        settled = asyncio.Event()

        def look() -> None:
            if is_so():
                settled.set()

        looks = self._looks.setdefault(forward_id, set())
        looks.add(look)
        look()
        try:
            async with asyncio.timeout(wait):
                await settled.wait()
        except TimeoutError:
            return False
        finally:
            looks.discard(look)
            if not looks:
                self._looks.pop(forward_id, None)
        return True

    def look(self, forward_ids: Iterable[str]) -> None:
        """Let those look whose forwards have changed."""
        for forward_id in (None, *forward_ids):
            for look in list(self._looks.get(forward_id, ())):
                look()
