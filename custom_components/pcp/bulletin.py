"""What happens to a router and to its forwards by itself, told to those who listen."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import CALLBACK_TYPE, callback

from .client.events import Event, ExternalAddressChanged, ServerRestarted
from .const import RouterEvent
from .ledger import Ledger
from .news import ForwardLost, News

type Listener = Callable[[str, dict[str, Any]], None]
"""Gets the type of what happened, and its attributes."""


class Bulletin:
    """Tells the keepers' and the ledger's news in the words of the event entity."""

    def __init__(self, ledger: Ledger) -> None:
        """Begin with nobody who listens."""
        self._ledger = ledger
        self._listeners: list[Listener] = []

    @callback
    def listen(self, listener: Listener) -> CALLBACK_TYPE:
        """Add a listener; return what removes it."""
        return subscribe(self._listeners, listener)

    @callback
    def on_event(self, event: Event) -> None:
        """Tell what is of interest outside."""
        match event:
            case ServerRestarted():
                self._tell(RouterEvent.RESTARTED)
            case ExternalAddressChanged(old, new) if old is not None:
                self._tell(
                    RouterEvent.EXTERNAL_ADDRESS_CHANGED,
                    old_address=str(old),
                    new_address=str(new),
                )

    @callback
    def on_news(self, news: News) -> None:
        """Tell what happened to a forward by itself, if it is still there."""
        if (forward := self._ledger.forwards.get(news.forward_id)) is None:
            return
        lost = isinstance(news, ForwardLost)
        self._tell(
            RouterEvent.FORWARD_LOST if lost else RouterEvent.FORWARD_RESTORED,
            forward_id=news.forward_id,
            name=forward.name,
        )

    def _tell(self, event_type: RouterEvent, **attributes: Any) -> None:
        for listener in list(self._listeners):
            listener(event_type, attributes)


def subscribe[ListenerT](
    listeners: list[ListenerT], listener: ListenerT
) -> CALLBACK_TYPE:
    """Add a listener; return what removes it."""
    listeners.append(listener)
    return lambda: listeners.remove(listener)
