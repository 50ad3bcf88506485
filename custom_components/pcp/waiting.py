"""Waiting until a forward stands as it should."""

import asyncio
from collections.abc import Callable, Iterable

from homeassistant.const import Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import DOMAIN

ENTITY_WAIT = 5.0
"""Seconds that an action waits for the entities of what it has added."""


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


async def async_wait_for_switch(
    hass: HomeAssistant, waiting: Waiting, forward_id: str
) -> None:
    """Wait until a new forward's switch is there to be named."""

    @callback
    def on_registered(_: Event[er.EventEntityRegistryUpdatedData]) -> None:
        waiting.look([forward_id])

    unsubscribe = hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, on_registered)
    try:
        await waiting.async_until(
            forward_id,
            lambda: switch_id(hass, forward_id) is not None,
            wait=ENTITY_WAIT,
        )
    finally:
        unsubscribe()


@callback
def switch_id(hass: HomeAssistant, forward_id: str) -> str | None:
    """Return the entity id of a forward's switch, None where there is none."""
    return er.async_get(hass).async_get_entity_id(
        Platform.SWITCH, DOMAIN, f"{forward_id}_forward"
    )
