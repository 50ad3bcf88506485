"""The form of a forward: its fields, and where it tells what is wrong with them."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
import voluptuous as vol

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
    ForwardProtocol,
    IPVersion,
)
from .proposals import Service

CONF_SERVICE = "service"
SECTION_ADVANCED = "advanced"

# Without bounds: Forward.parse tells in translated words what is out of them.
_NUMBER = NumberSelector(NumberSelectorConfig(mode=NumberSelectorMode.BOX))

ADVANCED_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_EXTERNAL_PORT): _NUMBER,
        vol.Optional(CONF_EXACT_EXTERNAL_PORT, default=False): BooleanSelector(),
        vol.Optional(CONF_TARGET_HOST): TextSelector(),
        # Suggested and no default: the family of another host decides where nothing
        # is said.
        vol.Optional(
            CONF_IP_VERSION, description={"suggested_value": IPVersion.IPV4.value}
        ): SelectSelector(
            SelectSelectorConfig(
                options=[version.value for version in IPVersion],
                translation_key=CONF_IP_VERSION,
                mode=SelectSelectorMode.DROPDOWN,
            )
        ),
        vol.Optional(CONF_PORT_COUNT, default=1): _NUMBER,
        vol.Optional(CONF_ALLOWED_SOURCES): TextSelector(
            TextSelectorConfig(multiple=True)
        ),
    }
)


# What the section's fields begin with, which says nothing.
_UNSAID = {
    CONF_EXACT_EXTERNAL_PORT: False,
    CONF_IP_VERSION: IPVersion.IPV4.value,
    CONF_PORT_COUNT: 1,
}
_PORTS_OUTSIDE = {CONF_EXTERNAL_PORT, CONF_EXACT_EXTERNAL_PORT}


def services_schema(known: Mapping[str, Service]) -> vol.Schema:
    """Return what offers the usual services, which are told by their keys."""
    return vol.Schema(
        {
            vol.Optional(CONF_SERVICE): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=key, label=service.label)
                        for key, service in known.items()
                    ],
                    mode=SelectSelectorMode.DROPDOWN,
                )
            )
        }
    )


def forward_schema(*, collapsed: bool = True, is_new: bool = True) -> vol.Schema:
    """Return the form of a forward."""
    # Without a default beside the services: one could not be told from a choice.
    protocol = (
        vol.Optional(CONF_PROTOCOL)
        if is_new
        else vol.Required(CONF_PROTOCOL, default=ForwardProtocol.TCP.value)
    )
    return vol.Schema(
        {
            # Optional where a service is chosen; Forward.parse tells what is missing.
            vol.Optional(CONF_NAME): TextSelector(),
            protocol: SelectSelector(
                SelectSelectorConfig(
                    options=[protocol.value for protocol in ForwardProtocol],
                    translation_key=CONF_PROTOCOL,
                    mode=SelectSelectorMode.DROPDOWN,
                )
            ),
            vol.Optional(CONF_INTERNAL_PORT): _NUMBER,
            vol.Optional(SECTION_ADVANCED): section(
                ADVANCED_SCHEMA, {"collapsed": collapsed}
            ),
        }
    )


def missing(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the errors of the fields that are empty and may not be."""
    if values.get(CONF_SERVICE):
        return {}
    needed = {CONF_NAME: "invalid_name", CONF_INTERNAL_PORT: "invalid_port"}
    return {
        field: key for field, key in needed.items() if values.get(field) in (None, "")
    }


def where(field: str | None, values: Mapping[str, Any]) -> str:
    """Return where a form shows an error: at the field, its section, or at the top.

    The frontend shows no errors at the fields inside a section. Whoever has said no
    external port there means the same one, and may never have seen the section.
    """
    if field is None:
        return "base"
    if field not in ADVANCED_SCHEMA.schema:
        return field
    if field in _PORTS_OUTSIDE and not said_in_section(values) & _PORTS_OUTSIDE:
        return CONF_INTERNAL_PORT
    return SECTION_ADVANCED


def said_in_section(values: Mapping[str, Any]) -> set[str]:
    """Return the fields of the section in which something was said."""
    return {
        field
        for field, value in values.get(SECTION_ADVANCED, {}).items()
        if value not in ("", []) and value != _UNSAID.get(field)
    }


def form_values(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return the values of the form that a stored forward would have come from."""
    values = {CONF_NAME: subentry.title, **subentry.data}
    return values | {
        SECTION_ADVANCED: {
            key: values[key]
            for key in map(str, ADVANCED_SCHEMA.schema)
            if key in values
        }
    }


def completed(data: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with what a service usually has, where nothing was said."""
    said = {key: value for key, value in data.items() if value not in (None, "")}
    # A form always has these; what it begins with says nothing.
    if not said.get(CONF_EXACT_EXTERNAL_PORT):
        said.pop(CONF_EXACT_EXTERNAL_PORT, None)
    if CONF_INTERNAL_PORT not in said and said.get(CONF_PORT_COUNT) == 1:
        del said[CONF_PORT_COUNT]
    return {**service, **said}
