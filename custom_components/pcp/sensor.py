"""The sensors of a router and of its forwards."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .client.events import ServerProtocol
from .coordinator import PcpConfigEntry
from .entity import ForwardEntity, RouterEntity, async_follow_forwards
from .forward import ForwardStatus
from .views import ForwardView, RouterView

# The coordinator does the talking; the sensors only show what it was told.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class RouterSensorDescription(SensorEntityDescription):
    """A sensor of the router and where its value comes from."""

    value_fn: Callable[[RouterView], StateType | datetime]


@dataclass(frozen=True, kw_only=True)
class ForwardSensorDescription(SensorEntityDescription):
    """A sensor of a forward and where its value comes from."""

    value_fn: Callable[[ForwardView], StateType | datetime]


ROUTER_SENSORS = (
    RouterSensorDescription(
        key="external_ipv4",
        translation_key="external_ipv4",
        value_fn=lambda router: router.external_ipv4,
    ),
    RouterSensorDescription(
        key="external_ipv6",
        translation_key="external_ipv6",
        value_fn=lambda router: router.external_ipv6,
    ),
    RouterSensorDescription(
        key="protocol",
        translation_key="protocol",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(ServerProtocol),
        value_fn=lambda router: router.protocol,
    ),
    RouterSensorDescription(
        key="router_started",
        translation_key="router_started",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda router: router.started_at,
    ),
)

FORWARD_SENSORS = (
    ForwardSensorDescription(
        key="external_address",
        translation_key="external_address",
        value_fn=lambda forward: forward.endpoint,
    ),
    ForwardSensorDescription(
        key="status",
        translation_key="status",
        device_class=SensorDeviceClass.ENUM,
        options=list(ForwardStatus),
        value_fn=lambda forward: forward.status,
    ),
    ForwardSensorDescription(
        key="closes_at",
        translation_key="closes_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda forward: forward.closes_at,
    ),
    ForwardSensorDescription(
        key="expires_at",
        translation_key="expires_at",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda forward: forward.expires_at,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PcpConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of a router and of its forwards."""
    async_add_entities(
        RouterSensor(entry.runtime_data, description) for description in ROUTER_SENSORS
    )
    await async_follow_forwards(
        entry,
        async_add_entities,
        lambda coordinator, subentry: [
            ForwardSensor(coordinator, subentry, description)
            for description in FORWARD_SENSORS
        ],
    )


class RouterSensor(RouterEntity, SensorEntity):
    """Something that the router has told."""

    entity_description: RouterSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value as it is now."""
        return self.entity_description.value_fn(self.router)


class ForwardSensor(ForwardEntity, SensorEntity):
    """Something about a forward."""

    entity_description: ForwardSensorDescription

    @property
    @override
    def native_value(self) -> StateType | datetime:
        """Return the value as it is now."""
        return self.entity_description.value_fn(self.forward)
