"""The event entity of a router."""

from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import RouterEvent
from .coordinator import PcpConfigEntry
from .entity import RouterEntity

# The coordinator does the talking; the entity only passes on what it was told.
PARALLEL_UPDATES = 0

DESCRIPTION = EventEntityDescription(
    key="router",
    translation_key="router",
    event_types=list(RouterEvent),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PcpConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entity of a router."""
    async_add_entities([RouterEventEntity(entry.runtime_data, DESCRIPTION)])


class RouterEventEntity(RouterEntity, EventEntity):
    """What happens to the router and, through it, to the forwards."""

    @property
    @override
    def available(self) -> bool:
        """Keep the last event in sight while the router is silent."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Listen for events."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self.coordinator.async_add_router_event_listener(self._async_on_event)
        )

    @callback
    def _async_on_event(self, event_type: str, attributes: dict[str, Any]) -> None:
        """Show an event."""
        self._trigger_event(event_type, attributes)
        self.async_write_ha_state()
