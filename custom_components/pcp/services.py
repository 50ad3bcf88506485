"""The actions: forwards added, opened, listed and removed from automations."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    ATTR_CONFIG_ENTRY_ID,
    ATTR_ENTITY_ID,
    ATTR_NAME,
    ENTITY_MATCH_ALL,
)
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import (
    config_validation as cv,
    entity_registry as er,
    service,
    target,
)
import voluptuous as vol

from .const import (
    ATTR_DURATION,
    ATTR_FORWARD_ID,
    DOMAIN,
    MAX_DURATION,
    MIN_DURATION,
    SUBENTRY_FORWARD,
)
from .coordinator import PcpConfigEntry, PcpCoordinator
from .forward import (
    CONF_ALLOWED_SOURCES,
    CONF_EXACT_EXTERNAL_PORT,
    CONF_EXTERNAL_PORT,
    CONF_INTERNAL_PORT,
    CONF_IP_VERSION,
    CONF_NAME,
    CONF_PORT_COUNT,
    CONF_PROTOCOL,
    CONF_TARGET_HOST,
    CONF_TEMPORARY,
    Forward,
    ForwardError,
)

SERVICE_ADD_FORWARD = "add_forward"
SERVICE_LIST_FORWARDS = "list_forwards"
SERVICE_OPEN_FORWARD = "open_forward"
SERVICE_REMOVE_FORWARD = "remove_forward"

# Of what somebody gave, so many characters at most are repeated in an error.
MOST_QUOTED = 100

# What a value may be is decided in one place, by Forward.parse and below, so that
# whoever calls gets the same translated texts as whoever fills in the form.
ADD_FORWARD_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): object,
        vol.Optional(CONF_NAME): object,
        vol.Optional(CONF_PROTOCOL): object,
        vol.Optional(CONF_INTERNAL_PORT): object,
        vol.Optional(CONF_EXTERNAL_PORT): object,
        vol.Optional(CONF_EXACT_EXTERNAL_PORT): object,
        vol.Optional(CONF_TARGET_HOST): object,
        vol.Optional(CONF_IP_VERSION): object,
        vol.Optional(CONF_PORT_COUNT): object,
        vol.Optional(CONF_ALLOWED_SOURCES): object,
        vol.Optional(ATTR_DURATION): object,
    }
)
REMOVE_FORWARD_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): object,
        vol.Optional(ATTR_FORWARD_ID): object,
        vol.Optional(ATTR_NAME): object,
    }
)
OPEN_FORWARD_SCHEMA = cv.make_entity_service_schema(
    {vol.Optional(ATTR_DURATION): object}
)
LIST_FORWARDS_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): object})


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions; opening a port to the world is for administrators."""
    for name, handler, schema, supports_response in (
        (
            SERVICE_ADD_FORWARD,
            _async_add_forward,
            ADD_FORWARD_SCHEMA,
            SupportsResponse.OPTIONAL,
        ),
        (
            SERVICE_REMOVE_FORWARD,
            _async_remove_forward,
            REMOVE_FORWARD_SCHEMA,
            SupportsResponse.NONE,
        ),
        (
            SERVICE_OPEN_FORWARD,
            _async_open_forward,
            OPEN_FORWARD_SCHEMA,
            SupportsResponse.OPTIONAL,
        ),
        (
            SERVICE_LIST_FORWARDS,
            _async_list_forwards,
            LIST_FORWARDS_SCHEMA,
            SupportsResponse.ONLY,
        ),
    ):
        service.async_register_admin_service(
            hass,
            DOMAIN,
            name,
            handler,
            schema=schema,
            supports_response=supports_response,
        )


async def _async_add_forward(call: ServiceCall) -> ServiceResponse:
    """Add a forward and open it."""
    coordinator = _one_router(call)
    duration = _duration(call.data)
    try:
        forward = Forward.parse(
            {**call.data, CONF_TEMPORARY: duration is not None},
        )
        view = await coordinator.async_add_forward(forward, duration=duration)
    except ForwardError as err:
        raise _error(err.key, **err.placeholders) from err
    return coordinator.forward_response(view.forward_id)


async def _async_remove_forward(call: ServiceCall) -> None:
    """Close a forward and remove it."""
    forward_id, name = call.data.get(ATTR_FORWARD_ID), call.data.get(ATTR_NAME)
    if (forward_id is None) == (name is None):
        raise _error("forward_or_name")
    found = [
        (entry, subentry)
        for entry in _entries(call)
        for subentry in entry.get_subentries_of_type(SUBENTRY_FORWARD)
        if forward_id == subentry.subentry_id or name == subentry.title
    ]
    if not found:
        raise _error("unknown_forward", forward=forward_id or name)
    if len(found) > 1:
        raise _error("ambiguous_name", name=name)
    entry, subentry = found[0]
    await _router(entry).async_remove_forward(subentry.subentry_id)


async def _async_open_forward(call: ServiceCall) -> ServiceResponse:
    """Open forwards, all at the same time; the first refusal is the error."""
    duration = _duration(call.data)
    forwards = _targeted_forwards(call)
    results = await asyncio.gather(
        *(
            coordinator.async_open_forward(forward_id, duration=duration)
            for coordinator, forward_id in forwards.values()
        ),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return {
        entity_id: coordinator.forward_response(forward_id)
        for entity_id, (coordinator, forward_id) in forwards.items()
        # One of them may have been removed meanwhile.
        if forward_id in coordinator.data.forwards
    }


async def _async_list_forwards(call: ServiceCall) -> ServiceResponse:
    """List the forwards of one router or of all that are loaded."""
    entries = _entries(call)
    if call.data.get(ATTR_CONFIG_ENTRY_ID) is None:
        entries = [entry for entry in entries if _is_loaded(entry)]
    return {
        "forwards": [
            coordinator.forward_response(forward_id)
            for coordinator in map(_router, entries)
            for forward_id in coordinator.data.forwards
        ]
    }


def _error(key: str, **placeholders: object) -> ServiceValidationError:
    """Return an error that names what it is about, in a few words of it."""
    return ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={
            name: _in_short(value) for name, value in placeholders.items()
        },
    )


def _in_short(value: object) -> str:
    text = str(value)
    return text if len(text) <= MOST_QUOTED else f"{text[: MOST_QUOTED - 1]}…"


def _entries(call: ServiceCall) -> list[PcpConfigEntry]:
    """Return the entry that a call names, else all."""
    if (entry_id := call.data.get(ATTR_CONFIG_ENTRY_ID)) is None:
        return call.hass.config_entries.async_entries(DOMAIN)
    is_id = isinstance(entry_id, str)
    entry = call.hass.config_entries.async_get_entry(entry_id) if is_id else None
    if entry is None or entry.domain != DOMAIN:
        raise _error("unknown_router", config_entry_id=entry_id)
    return [entry]


def _is_loaded(entry: PcpConfigEntry) -> bool:
    return entry.state is ConfigEntryState.LOADED


def _router(entry: PcpConfigEntry) -> PcpCoordinator:
    if not _is_loaded(entry):
        raise _error("not_loaded", router=entry.title)
    return entry.runtime_data


def _one_router(call: ServiceCall) -> PcpCoordinator:
    """Return the router that a call names, else the only one that is loaded."""
    entries = _entries(call)
    if call.data.get(ATTR_CONFIG_ENTRY_ID) is None:
        # With one router only, it is the one that is meant, loaded or not.
        entries = [entry for entry in entries if _is_loaded(entry)] or entries
    match entries:
        case [entry]:
            return _router(entry)
        case []:
            raise _error("no_router")
        case _:
            raise _error("several_routers")


def _duration(data: Mapping[str, Any]) -> timedelta | None:
    """Return for how long a forward is to be open, None for as long as it is wanted."""
    if (value := data.get(ATTR_DURATION)) is None:
        return None
    try:
        duration: timedelta = cv.time_period(value)
    except (vol.Invalid, OverflowError) as err:
        raise _error("invalid_duration") from err
    if not MIN_DURATION <= duration <= MAX_DURATION:
        raise _error("invalid_duration")
    return duration


def _targeted_forwards(call: ServiceCall) -> dict[str, tuple[PcpCoordinator, str]]:
    """Return the forwards whose switches a call targets, by the switches' entity ids.

    What is named must be a forward's switch; areas, devices and labels may hold other
    things, too.
    """
    switches = _switches(call.hass)
    enabled = {entity_id for entity_id in switches if not switches[entity_id].disabled}
    config = dict(call.data)
    if config.get(ATTR_ENTITY_ID) == ENTITY_MATCH_ALL:
        config[ATTR_ENTITY_ID] = list(enabled)
    selected = target.async_extract_referenced_entity_ids(
        call.hass, target.TargetSelection(config)
    )
    for entity_id in sorted(selected.referenced - enabled):
        key = "switch_disabled" if entity_id in switches else "not_a_forward"
        raise _error(key, entity_id=entity_id)
    targeted = selected.referenced | (selected.indirectly_referenced & enabled)
    if not targeted:
        raise _error("no_forward_targeted")
    forwards = {}
    for entity_id in sorted(targeted):
        entry_id = switches[entity_id].config_entry_id
        forward_id = switches[entity_id].config_subentry_id
        if TYPE_CHECKING:
            assert entry_id is not None
            assert forward_id is not None
        entry = call.hass.config_entries.async_get_known_entry(entry_id)
        forwards[entity_id] = (_router(entry), forward_id)
    return forwards


def _switches(hass: HomeAssistant) -> dict[str, er.RegistryEntry]:
    """Return the registered switches of all forwards."""
    registry = er.async_get(hass)
    return {
        entity.entity_id: entity
        for entry in hass.config_entries.async_entries(DOMAIN)
        for entity in er.async_entries_for_config_entry(registry, entry.entry_id)
        if entity.domain == SWITCH_DOMAIN and entity.config_subentry_id is not None
    }
