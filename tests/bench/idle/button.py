"""A button for nothing."""

from homeassistant.components.button import ButtonEntity
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .entity import IdleEntity, add


class IdleButtonEntity(IdleEntity, ButtonEntity):
    """One that never changes."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add them."""
    add(entry, async_add_entities, IdleButtonEntity, ("a",))
