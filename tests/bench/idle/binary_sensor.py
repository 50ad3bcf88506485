"""Binary sensors of nothing."""

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import IdleEntity, add


class IdleBinarySensorEntity(IdleEntity, BinarySensorEntity):
    """One that never changes."""

    _attr_is_on = False


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add them."""
    add(entry, async_add_entities, IdleBinarySensorEntity, ("a", "b"))
