"""What the entities of a router and of a forward have in common."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import PcpConfigEntry, PcpCoordinator
from .forward import Forward
from .views import ForwardView, RouterView


class RouterEntity(CoordinatorEntity[PcpCoordinator]):
    """An entity of the router itself."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: PcpCoordinator, description: EntityDescription
    ) -> None:
        """Belong to the router's device."""
        super().__init__(coordinator)
        self.entity_description = description
        entry = coordinator.config_entry
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, entry.entry_id)})

    @property
    def router(self) -> RouterView:
        """Return the router as it is now."""
        return self.coordinator.data.router

    @property
    @override
    def available(self) -> bool:
        """Know nothing for certain of a router that is silent."""
        return self.router.reachable


class ForwardEntity(CoordinatorEntity[PcpCoordinator]):
    """An entity of a forward; available as long as its entry is loaded."""

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: PcpCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Belong to the forward's device, and follow this forward only."""
        super().__init__(coordinator, context=subentry.subentry_id)
        self.entity_description = description
        self.forward_id = subentry.subentry_id
        self._attr_unique_id = f"{self.forward_id}_{description.key}"
        if TYPE_CHECKING:
            # The entry's set-up makes the router's device before the platforms.
            assert coordinator.router_device_id is not None
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, self.forward_id)},
            model=coordinator.definition(self.forward_id).summary,
            name=subentry.title,
            entry_type=DeviceEntryType.SERVICE,
            via_device_id=coordinator.router_device_id,
        )

    @property
    def forward(self) -> ForwardView:
        """Return the forward as it is now."""
        return self.coordinator.data.forwards[self.forward_id]

    @property
    @override
    def available(self) -> bool:
        """Stay, also while the router is silent: the wish is ours.

        But not between the removal of a forward and of its entities.
        """
        return self.forward_id in self.coordinator.data.forwards

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Let others have their turn: Home Assistant removes all of a platform in one."""
        await super().async_will_remove_from_hass()
        await asyncio.sleep(0)

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Stay as it is between the removal of a forward and of its entities."""
        if self.forward_id in self.coordinator.data.forwards:
            super()._handle_coordinator_update()


async def async_follow_forwards(
    entry: PcpConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: Callable[[PcpCoordinator, ConfigSubentry], Iterable[Entity]],
) -> None:
    """Add the entities of every forward, of those that are there and that will come.

    Those that are there are added one forward in a turn of the event loop: a thousand
    at once would hold it up for seconds. Home Assistant removes the entities of a
    removed forward by itself.
    """
    coordinator = entry.runtime_data
    added: set[str] = set()

    def missing() -> list[ConfigSubentry]:
        return [
            subentry
            for forward_id, subentry in entry.subentries.items()
            if forward_id in coordinator.data.forwards and forward_id not in added
        ]

    def add(subentry: ConfigSubentry) -> None:
        added.add(subentry.subentry_id)
        async_add_entities(
            create(coordinator, subentry), config_subentry_id=subentry.subentry_id
        )

    @callback
    def follow() -> None:
        added.intersection_update(entry.subentries)
        for subentry in missing():
            add(subentry)

    for subentry in missing():
        if subentry.subentry_id in entry.subentries:
            add(subentry)
            await asyncio.sleep(0)
    entry.async_on_unload(coordinator.async_add_forwards_listener(follow))
    follow()


@callback
def async_follow_definitions(entry: PcpConfigEntry) -> None:
    """Keep the forwards' devices what the forwards are, and are called."""
    coordinator = entry.runtime_data
    devices = dr.async_get(coordinator.hass)
    seen: dict[str, Forward] = {}

    @callback
    def follow() -> None:
        for forward_id in coordinator.data.forwards:
            forward = coordinator.definition(forward_id)
            if seen.get(forward_id) is forward:
                continue
            seen[forward_id] = forward
            device = devices.async_get_device_by_identifier(
                (DOMAIN, forward_id), entry.entry_id
            )
            name, model = forward.name, forward.summary
            if device is not None and (device.name, device.model) != (name, model):
                devices.async_update_device(device.id, model=model, name=name)

    entry.async_on_unload(coordinator.async_add_forwards_listener(follow))
