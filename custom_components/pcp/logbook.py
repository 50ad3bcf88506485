"""What the logbook says of a forward."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_ICON,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.core import Event, HomeAssistant, callback

from .const import DOMAIN, EVENT_FORWARD
from .forward import ForwardStatus

_MESSAGES = {
    ForwardStatus.OPEN: "opened",
    ForwardStatus.PARTLY_OPEN: "opened in part",
    ForwardStatus.CLOSED: "closed",
    ForwardStatus.CLOSING: "was removed, and the router is asked to close it",
    ForwardStatus.REFUSED: "is refused by the router",
    ForwardStatus.UNREACHABLE: "is not open: the router does not answer",
}
# Those of the status sensor: the logbook shows none by itself.
_ICONS = {
    ForwardStatus.OPEN: "mdi:lock-open-variant",
    ForwardStatus.PARTLY_OPEN: "mdi:lock-open-minus",
    ForwardStatus.CLOSED: "mdi:lock",
    ForwardStatus.CLOSING: "mdi:lock-clock",
    ForwardStatus.REFUSED: "mdi:lock-alert",
    ForwardStatus.UNREACHABLE: "mdi:lan-disconnect",
}
# Told with where the forward is reached.
_AT = (ForwardStatus.OPEN, ForwardStatus.PARTLY_OPEN)


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[[str, str, Callable[[Event], dict[str, Any]]], None],
) -> None:
    """Describe the events of forwards."""

    @callback
    def async_describe_forward(event: Event) -> dict[str, Any]:
        status = ForwardStatus(event.data["status"])
        address = event.data["external_address"]
        message = _MESSAGES[status]
        # A router may open a port and not tell at which address.
        if address and status in _AT:
            message += f" at {address}"
        return {
            LOGBOOK_ENTRY_NAME: event.data["name"],
            LOGBOOK_ENTRY_MESSAGE: message,
            LOGBOOK_ENTRY_ENTITY_ID: event.data["entity_id"],
            LOGBOOK_ENTRY_ICON: _ICONS[status],
        }

    async_describe_event(DOMAIN, EVENT_FORWARD, async_describe_forward)
