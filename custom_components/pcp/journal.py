"""What becomes of a forward, told on Home Assistant's bus; the logbook shows it."""

from homeassistant.core import HomeAssistant, callback

from .const import EVENT_FORWARD
from .forward import ForwardStatus
from .views import ForwardView

# What is only on its way to something else is no news.
_NEWS = {
    ForwardStatus.OPEN,
    ForwardStatus.PARTLY_OPEN,
    ForwardStatus.CLOSED,
    ForwardStatus.REFUSED,
    ForwardStatus.UNREACHABLE,
}


class Journal:
    """Tells of one forward, and nothing twice."""

    def __init__(
        self, hass: HomeAssistant, entity_id: str, known: ForwardView | None
    ) -> None:
        """Begin with what is known of a forward; of a new one it is nothing."""
        self._hass = hass
        self._entity_id = entity_id
        self._known = (
            (known.status, known.endpoint) if known else (ForwardStatus.CLOSED, None)
        )

    @callback
    def async_look(self, forward: ForwardView) -> None:
        """Tell where a forward has got to."""
        now = (forward.status, forward.endpoint)
        if forward.status not in _NEWS or now == self._known:
            return
        self._known = now
        self._hass.bus.async_fire(
            EVENT_FORWARD,
            {
                "forward_id": forward.forward_id,
                "entity_id": self._entity_id,
                "name": forward.name,
                "status": forward.status.value,
                "external_address": forward.endpoint,
            },
        )
