"""Sensors of nothing."""

from homeassistant.components.sensor import SensorEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import IdleEntity, add


class IdleSensorEntity(IdleEntity, SensorEntity):
    """One that never changes."""

    _attr_native_value = None


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add them."""
    add(
        entry,
        async_add_entities,
        IdleSensorEntity,
        ("a", "b", "c", "d"),
        ("a", "b", "c", "d"),
    )
