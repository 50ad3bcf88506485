"""The switch of a forward: what the user wants."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, override

from homeassistant.components.homeassistant.exposed_entities import (
    KNOWN_ASSISTANTS,
    async_expose_entity,
)
from homeassistant.components.switch import (
    DOMAIN as SWITCH_DOMAIN,
    SwitchEntity,
    SwitchEntityDescription,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import PcpConfigEntry, PcpCoordinator
from .entity import ForwardEntity, async_follow_definitions, async_follow_forwards
from .journal import Journal

# The keeper paces its requests itself; one forward must not wait for another one's
# answer.
PARALLEL_UPDATES = 0

# Not by the option that keeps new entities disabled: such a forward was just opened.
_BY_HAND = (er.RegistryEntryDisabler.USER, er.RegistryEntryDisabler.DEVICE)

DESCRIPTION = SwitchEntityDescription(key="forward", translation_key="forward")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PcpConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the switches of a router's forwards."""
    registry = er.async_get(hass)

    def create(
        coordinator: PcpCoordinator, subentry: ConfigSubentry
    ) -> Iterable[ForwardSwitch]:
        switch = ForwardSwitch(coordinator, subentry)
        entity_id = registry.async_get_entity_id(
            SWITCH_DOMAIN, DOMAIN, f"{subentry.subentry_id}_{DESCRIPTION.key}"
        )
        registered = registry.async_get(entity_id) if entity_id else None
        switch.is_new = registered is None
        if registered and registered.disabled_by in _BY_HAND and switch.is_on:
            # It was disabled while the entry was not loaded.
            entry.async_create_task(
                hass, coordinator.async_close_forward(subentry.subentry_id)
            )
        return [switch]

    await async_follow_forwards(entry, async_add_entities, create)
    async_follow_definitions(entry)


class ForwardSwitch(ForwardEntity, SwitchEntity):
    """What the user wants of a forward; its status tells what the router granted."""

    # The switch is the forward, so it carries the device's name.
    _attr_name = None

    is_new = False
    """Whether the entity is created now, rather than set up again."""

    _journal: Journal

    def __init__(self, coordinator: PcpCoordinator, subentry: ConfigSubentry) -> None:
        """Name the switch after its forward."""
        super().__init__(coordinator, subentry, DESCRIPTION)

    @property
    @override
    def is_on(self) -> bool:
        """Return the wish."""
        return self.forward.wanted

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Want the forward open; the router's refusal is an error."""
        await self.coordinator.async_open_forward(self.forward_id)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Want the forward closed."""
        await self.coordinator.async_close_forward(self.forward_id)

    @override
    async def async_added_to_hass(self) -> None:
        """Keep a new switch from the voice assistants; begin to tell what happens."""
        await super().async_added_to_hass()
        self._journal = Journal(
            self.hass, self.entity_id, self.forward, is_new=self.is_new
        )
        self._journal.async_look(self.forward)
        if TYPE_CHECKING:
            # It has a unique id.
            assert self.registry_entry is not None
        for assistant in KNOWN_ASSISTANTS:
            # An assistant that nobody has decided about would expose the switch by
            # itself, also one that was created disabled and is enabled now.
            options = self.registry_entry.options.get(assistant)
            if self.is_new or options is None or "should_expose" not in options:
                async_expose_entity(self.hass, assistant, self.entity_id, False)
        self.is_new = False

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Show it, and tell it."""
        super()._handle_coordinator_update()
        if self.available:
            self._journal.async_look(self.forward)

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Close the forward when its switch is disabled, not when HA stops."""
        if self.forward_id not in self.coordinator.config_entry.subentries:
            self._journal.async_end()
        await super().async_will_remove_from_hass()
        entry = self.registry_entry
        if (
            entry is not None
            and entry.disabled
            and entry.disabled_by is not er.RegistryEntryDisabler.CONFIG_ENTRY
            and self.forward_id in self.coordinator.data.forwards
        ):
            await self.coordinator.async_close_forward(self.forward_id)
