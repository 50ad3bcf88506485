"""What becomes of a forward, told on Home Assistant's bus; the logbook shows it."""

from homeassistant.core import HomeAssistant, callback

from .const import EVENT_FORWARD
from .forward import ForwardStatus
from .views import ForwardView

_OPEN = (ForwardStatus.OPEN, ForwardStatus.PARTLY_OPEN)


class Journal:
    """Tells of one forward, and nothing twice."""

    def __init__(
        self,
        hass: HomeAssistant,
        entity_id: str,
        forward: ForwardView,
        *,
        is_new: bool,
    ) -> None:
        """Begin with what is known of a forward; of a new one it is nothing."""
        self._hass = hass
        self._entity_id = entity_id
        self._forward = forward
        self._known = (
            (ForwardStatus.CLOSED, None)
            if is_new
            else (forward.status, forward.endpoint)
        )

    @callback
    def async_look(self, forward: ForwardView) -> None:
        """Tell where a forward has got to."""
        self._forward = forward
        now = (forward.status, forward.endpoint)
        if now == self._known or _is_on_its_way(forward):
            return
        was_open = self._known[0] in _OPEN
        self._known = now
        if was_open or forward.status is not ForwardStatus.CLOSED:
            self._tell(*now)

    @callback
    def async_end(self) -> None:
        """Tell of a forward that was open and is removed: the router is asked."""
        if self._known[0] in _OPEN:
            self._tell(ForwardStatus.CLOSING, None)

    def _tell(self, status: ForwardStatus, external_address: str | None) -> None:
        self._hass.bus.async_fire(
            EVENT_FORWARD,
            {
                "forward_id": self._forward.forward_id,
                "entity_id": self._entity_id,
                "name": self._forward.name,
                "status": status.value,
                "external_address": external_address,
            },
        )


def _is_on_its_way(forward: ForwardView) -> bool:
    """Tell whether it will soon be something else, and so is no news."""
    match forward.status:
        case ForwardStatus.OPENING | ForwardStatus.CLOSING:
            return True
        case ForwardStatus.PARTLY_OPEN:
            return forward.refusal is None
        case _:
            return False
