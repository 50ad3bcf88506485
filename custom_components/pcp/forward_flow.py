"""Subentry flow: a forward is defined, tried on the router, and kept if it opens."""

from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntryState,
    ConfigSubentry,
    ConfigSubentryFlow,
    SubentryFlowResult,
)

from .coordinator import PcpConfigEntry
from .errors import RefusedError
from .forward import (
    CONF_EXACT_EXTERNAL_PORT,
    CONF_EXTERNAL_PORT,
    CONF_TEMPORARY,
    Forward,
    ForwardError,
)
from .forward_form import (
    CONF_SERVICE,
    SECTION_ADVANCED,
    completed,
    form_values,
    forward_schema,
    missing,
    said_in_section,
    services_schema,
    where,
)
from .markdown import as_it_is
from .outcome import address_outside, async_outcome
from .proposals import PLAIN_HTTP, dangers, services
from .views import ForwardView


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
        subentry = None
        if step_id == "reconfigure":
            if self._reconfigure_subentry_id not in entry.subentries:
                return self.async_abort(reason="forward_gone")
            subentry = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {"router": as_it_is(entry.title)}
        values = user_input
        if user_input is not None:
            self._input = user_input
            try:
                return await self._async_submit(entry, user_input, subentry)
            except (ForwardError, RefusedError) as err:
                if subentry and subentry.subentry_id not in entry.subentries:
                    return self.async_abort(reason="forward_gone")
                errors = missing(user_input)
                errors[where(err.field, user_input)] = err.key
                placeholders |= err.placeholders or {}
        elif self._input is not None:
            values = self._input
        elif subentry is not None:
            values = form_values(subentry)
        is_open = SECTION_ADVANCED in errors or said_in_section(values or {})
        schema = forward_schema(collapsed=not is_open, is_new=subentry is None)
        if subentry is None:
            known = services(self._home_assistant_port)
            schema = services_schema(known).extend(schema.schema)
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
            data = completed(data, service.as_data())
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
                granted = await coordinator.async_try_forward(forward)
            except RefusedError as err:
                is_said = CONF_EXACT_EXTERNAL_PORT in said_in_section(user_input)
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
                assert granted is not None
            outcome = await async_outcome(forward, granted, self._plain_http_port)
            return self.async_create_entry(
                title=forward.name,
                data=forward.as_data(),
                description=outcome.key,
                description_placeholders=outcome.placeholders,
            )
        view: ForwardView | None = coordinator.data.forwards.get(subentry.subentry_id)
        if not is_known:
            view = await coordinator.async_try_forward(
                forward, replacing=subentry.subentry_id
            )
        if subentry.subentry_id not in entry.subentries:
            return self.async_abort(reason="forward_gone")
        self.async_update_and_abort(
            entry, subentry, title=forward.name, data=forward.as_data()
        )
        address = None
        if view is not None and view.endpoint is not None:
            address = address_outside(forward, view, self._plain_http_port)
        return self.async_abort(
            reason="reconfigure_successful",
            description_placeholders={
                "name": as_it_is(forward.name),
                "external_address": address or "–",
            },
        )

    @property
    def _home_assistant_port(self) -> int | None:
        return self.hass.config.api.port if self.hass.config.api else None

    @property
    def _plain_http_port(self) -> int | None:
        api = self.hass.config.api
        return api.port if api and not api.use_ssl else None
