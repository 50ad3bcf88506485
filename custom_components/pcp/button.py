"""The button of a router."""

from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import PcpConfigEntry
from .entity import RouterEntity

# The keeper paces its requests itself.
PARALLEL_UPDATES = 0

DESCRIPTION = ButtonEntityDescription(
    key="renew",
    translation_key="renew",
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PcpConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the button of a router."""
    async_add_entities([RenewButton(entry.runtime_data, DESCRIPTION)])


class RenewButton(RouterEntity, ButtonEntity):
    """Asks the router again at once, for all that is wanted."""

    @property
    @override
    def available(self) -> bool:
        """Be there for a silent router, too: asking again is what helps then."""
        return True

    @override
    async def async_press(self) -> None:
        """Ask again."""
        await self.coordinator.async_renew()
