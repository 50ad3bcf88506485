"""The binary sensors of a router."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import PcpConfigEntry
from .entity import RouterEntity
from .views import RouterView

# The coordinator does the talking; the sensors only show what it was told.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class RouterBinarySensorDescription(BinarySensorEntityDescription):
    """A binary sensor of the router and where its value comes from."""

    is_on_fn: Callable[[RouterView], bool | None]
    always_available: bool = False


DESCRIPTIONS = (
    RouterBinarySensorDescription(
        key="reachable",
        translation_key="reachable",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda router: router.reachable,
        always_available=True,
    ),
    RouterBinarySensorDescription(
        key="double_nat",
        translation_key="double_nat",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        is_on_fn=lambda router: router.double_nat,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PcpConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of a router."""
    async_add_entities(
        RouterBinarySensor(entry.runtime_data, description)
        for description in DESCRIPTIONS
    )


class RouterBinarySensor(RouterEntity, BinarySensorEntity):
    """A yes or no about the router."""

    entity_description: RouterBinarySensorDescription

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the state as it is now."""
        return self.entity_description.is_on_fn(self.router)

    @property
    @override
    def available(self) -> bool:
        """Tell of silence rather than fall silent."""
        return self.entity_description.always_available or super().available
