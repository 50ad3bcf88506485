"""The one watch on this machine's network that all routers share."""

from collections.abc import Callable

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .client.watch import NetworkWatch
from .const import DOMAIN

_WATCH: HassKey[_SharedWatch] = HassKey(f"{DOMAIN}_network_watch")


class _SharedWatch:
    """Watches for as long as somebody wants to be told."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._listeners: list[CALLBACK_TYPE] = []
        self._watch = NetworkWatch(self._on_change)

    def subscribe(self, listener: CALLBACK_TYPE) -> None:
        """Tell somebody from now on."""
        self._listeners.append(listener)
        self._watch.start()

    def unsubscribe(self, listener: CALLBACK_TYPE) -> None:
        """Tell somebody no more; the last one ends the watch."""
        self._listeners.remove(listener)
        if not self._listeners:
            self._watch.close()

    def _on_change(self) -> None:
        for listener in self._listeners.copy():
            listener()


@callback
def async_watch_network(
    hass: HomeAssistant, on_change: CALLBACK_TYPE
) -> Callable[[], None]:
    """Call back after a change of links, addresses or routes; return what ends it.

    Where the kernel tells of none nobody is called.
    """
    if _WATCH not in hass.data:
        hass.data[_WATCH] = _SharedWatch()
    watch = hass.data[_WATCH]
    watch.subscribe(on_change)
    return lambda: watch.unsubscribe(on_change)
