"""Subentry flow: a forward is defined, tried on the router, and kept if it opens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)
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

from .coordinator import PcpConfigEntry
from .errors import RefusedError
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
    ForwardProtocol,
    IPVersion,
)
from .markdown import as_it_is
from .outcome import async_outcome
from .proposals import PLAIN_HTTP, dangers, services

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


class ForwardSubentryFlow(ConfigSubentryFlow):
    """Add a forward, or change it."""

    _input: dict[str, Any] | None = None
    _told: frozenset[str] = frozenset()
    _accepted: frozenset[str] = frozenset()

    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Add a forward and open it."""
        return await self._async_step("user", user_input)

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change a forward: close what it was, open what it is to be."""
        if self._reconfigure_subentry_id not in self._get_entry().subentries:
            return self.async_abort(reason="forward_gone")
        return await self._async_step("reconfigure", user_input)

    async def async_step_dangerous(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask again before something is opened that should not be."""
        is_http = self._told == {PLAIN_HTTP}
        return self.async_show_menu(
            step_id="plain_http" if is_http else "dangerous",
            menu_options=["open_anyway", "go_back"],
            description_placeholders={"services": ", ".join(sorted(self._told))},
        )

    async_step_plain_http = async_step_dangerous

    async def async_step_open_anyway(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Open it, now that the user knows."""
        self._accepted = self._told
        return await self._async_step(self._form, self._input)

    async def async_step_go_back(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Show the form again, with what was typed."""
        return await self._async_step(self._form, None)

    @property
    def _form(self) -> str:
        """The step with the form."""
        return "user" if self.source == SOURCE_USER else "reconfigure"

    async def _async_step(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> SubentryFlowResult:
        """Ask for a forward until the router grants it."""
        entry: PcpConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="config_entry_not_loaded")
        subentry = None if step_id == "user" else self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {"router": as_it_is(entry.title)}
        values = user_input
        if user_input is not None:
            self._input = user_input
            try:
                return await self._async_submit(entry, user_input, subentry)
            except (ForwardError, RefusedError) as err:
                errors = _missing(user_input)
                errors[_where(err.field, user_input)] = err.key
                placeholders |= err.placeholders or {}
        elif self._input is not None:
            values = self._input
        elif subentry is not None:
            values = _form_values(subentry)
        schema = forward_schema(
            collapsed=not _said(values or {}), is_new=subentry is None
        )
        if subentry is None:
            schema = self._services_schema().extend(schema.schema)
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_submit(
        self,
        entry: PcpConfigEntry,
        user_input: dict[str, Any],
        subentry: ConfigSubentry | None,
    ) -> SubentryFlowResult:
        """Try the forward. Raises ForwardError and RefusedError."""
        data = {**user_input, **user_input.get(SECTION_ADVANCED, {})}
        coordinator = entry.runtime_data
        known = services(self._home_assistant_port)
        service = known.get(data.pop(CONF_SERVICE, None))
        if service is not None:
            data = _completed(data, service.as_data())
        if subentry is not None:
            data[CONF_TEMPORARY] = subentry.data.get(CONF_TEMPORARY)
        forward = Forward.parse(data)
        # Another name alone leaves the doors as they are.
        is_known = subentry is not None and forward.as_data() == dict(subentry.data)
        if not is_known:
            self._told = frozenset(dangers(forward, self._plain_http_port))
            if not self._told <= self._accepted:
                return await self.async_step_dangerous()
        if subentry is None:
            try:
                view = await coordinator.async_try_forward(forward)
            except RefusedError as err:
                is_said = CONF_EXACT_EXTERNAL_PORT in _said(user_input)
                is_forced = forward.exact_external_port and not is_said
                if err.field == CONF_EXTERNAL_PORT and service and is_forced:
                    raise ForwardError(
                        "service_port_taken",
                        CONF_EXTERNAL_PORT,
                        service=service.name,
                        port=str(forward.first_external_port),
                    ) from err
                raise
            if TYPE_CHECKING:
                assert view is not None
            outcome = await async_outcome(forward, view, self._plain_http_port)
            return self.async_create_entry(
                title=forward.name,
                data=forward.as_data(),
                description=outcome.key,
                description_placeholders=outcome.placeholders,
            )
        view = None
        if not is_known:
            view = await coordinator.async_try_forward(
                forward, replacing=subentry.subentry_id
            )
        if subentry.subentry_id not in entry.subentries:
            return self.async_abort(reason="forward_gone")
        changed = self.async_update_and_abort(
            entry, subentry, title=forward.name, data=forward.as_data()
        )
        if view is None:
            return changed
        outcome = await async_outcome(forward, view, self._plain_http_port)
        return self.async_abort(
            reason=outcome.key, description_placeholders=outcome.placeholders
        )

    def _services_schema(self) -> vol.Schema:
        """Return what offers the usual services."""
        return vol.Schema(
            {
                vol.Optional(CONF_SERVICE): SelectSelector(
                    SelectSelectorConfig(
                        options=[
                            SelectOptionDict(value=key, label=service.label)
                            for key, service in services(
                                self._home_assistant_port
                            ).items()
                        ],
                        mode=SelectSelectorMode.DROPDOWN,
                    )
                )
            }
        )

    @property
    def _home_assistant_port(self) -> int | None:
        return self.hass.config.api.port if self.hass.config.api else None

    @property
    def _plain_http_port(self) -> int | None:
        api = self.hass.config.api
        return api.port if api and not api.use_ssl else None


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


def _missing(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the errors of the fields that are empty and may not be."""
    if values.get(CONF_SERVICE):
        return {}
    needed = {CONF_NAME: "invalid_name", CONF_INTERNAL_PORT: "invalid_port"}
    return {
        field: key for field, key in needed.items() if values.get(field) in (None, "")
    }


def _where(field: str | None, values: Mapping[str, Any]) -> str:
    """Return where a form shows an error: at the field, its section, or at the top.

    The frontend shows no errors at the fields inside a section; and whoever has said
    nothing there has not seen it.
    """
    if field is None:
        return "base"
    if field not in ADVANCED_SCHEMA.schema:
        return field
    return SECTION_ADVANCED if field in _said(values) else "base"


def _said(values: Mapping[str, Any]) -> set[str]:
    """Return the fields of the section in which something was said."""
    return {
        field
        for field, value in values.get(SECTION_ADVANCED, {}).items()
        if value not in ("", []) and value != _UNSAID.get(field)
    }


def _form_values(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return the values of the form that a stored forward would have come from."""
    values = {CONF_NAME: subentry.title, **subentry.data}
    return values | {
        SECTION_ADVANCED: {
            key: values[key]
            for key in map(str, ADVANCED_SCHEMA.schema)
            if key in values
        }
    }


def _completed(data: dict[str, Any], service: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with what a service usually has, where nothing was said."""
    said = {key: value for key, value in data.items() if value not in (None, "")}
    # A form always has these; what it begins with says nothing.
    if not said.get(CONF_EXACT_EXTERNAL_PORT):
        said.pop(CONF_EXACT_EXTERNAL_PORT, None)
    if CONF_INTERNAL_PORT not in said and said.get(CONF_PORT_COUNT) == 1:
        del said[CONF_PORT_COUNT]
    return {**service, **said}
