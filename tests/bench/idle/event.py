"""An event that never happens."""

from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import IdleEntity, add


class IdleEventEntity(IdleEntity, EventEntity):
    """One that never changes."""

    @property
    @override
    def event_types(self) -> list[str]:
        """Return what never happens."""
        return ["never"]


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add them."""
    add(entry, async_add_entities, IdleEventEntity, ("a",))
