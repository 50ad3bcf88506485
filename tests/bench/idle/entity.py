"""Entities that never change, added as most integrations with subentries add theirs."""

from collections.abc import Callable

from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import DOMAIN


class IdleEntity(Entity):
    """An entity of the entry's device, or of a subentry's."""

    _attr_has_entity_name = True
    _attr_should_poll = False

    def __init__(self, owner: str, key: str, *, title: str | None = None) -> None:
        """Belong to a device."""
        self._attr_unique_id = f"{owner}_{key}"
        self._attr_name = key
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, owner)})
        if title is not None:
            self._attr_device_info = DeviceInfo(
                identifiers={(DOMAIN, owner)},
                name=title,
                entry_type=DeviceEntryType.SERVICE,
            )


def add(
    entry: ConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    kind: Callable[..., Entity],
    of_router: tuple[str, ...],
    of_forward: tuple[str, ...] = (),
) -> None:
    """Add the entities of the entry, and those of its subentries."""
    async_add_entities(kind(entry.entry_id, key) for key in of_router)
    if not of_forward:
        return
    for subentry in entry.subentries.values():
        async_add_entities(
            [
                kind(subentry.subentry_id, key, title=subentry.title)
                for key in of_forward
            ],
            config_subentry_id=subentry.subentry_id,
        )
