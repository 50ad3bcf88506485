"""Config flow: routers are found or named, probed, and added. Nothing is opened."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
    SubentryFlowContext,
)
from homeassistant.const import CONF_HOST, CONF_MAC
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
from homeassistant.helpers.service_info.ssdp import SsdpServiceInfo
import voluptuous as vol

from .client.discovery import find_servers
from .const import CONF_MANUFACTURER, CONF_MODEL, CONF_UDN, DOMAIN, SUBENTRY_FORWARD
from .coordinator import PcpConfigEntry
from .forward_flow import ForwardSubentryFlow
from .gateway import described, gateway_host, gateway_name
from .markdown import as_it_is
from .options_flow import PcpOptionsFlow
from .router import Router, RouterError, async_find_router, default_title


class PcpConfigFlow(ConfigFlow, domain=DOMAIN):
    """Add a router, or change how it is reached."""

    VERSION = 1
    MINOR_VERSION = 1

    _found: list[str] | None = None
    _router: Router
    _title: str
    _shown: str

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: PcpConfigEntry) -> PcpOptionsFlow:
        """Return the flow for the options."""
        return PcpOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: ConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return what a router can have: forwards."""
        return {SUBENTRY_FORWARD: ForwardSubentryFlow}

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add a router that was found, or that the user names."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                router = await async_find_router(user_input[CONF_HOST])
            except RouterError as err:
                errors[err.field] = err.key
            else:
                self._abort_if_known(router)
                await self.async_set_unique_id(
                    router.unique_id, raise_on_progress=False
                )
                return self.async_create_entry(
                    title=default_title(router.host), data=router.as_data()
                )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                await self._async_user_schema(), user_input
            ),
            errors=errors,
        )

    @override
    async def async_step_ssdp(
        self, discovery_info: SsdpServiceInfo
    ) -> ConfigFlowResult:
        """Look at an Internet gateway; whether it can be added is found out silently."""
        udn = discovery_info.ssdp_udn
        host = gateway_host(discovery_info)
        if host is None:
            return self.async_abort(reason="invalid_host")
        # A gateway announces itself in several ways; one probe is enough.
        await self._async_identify(udn or host)
        try:
            router = await async_find_router(host, udn=udn)
        except RouterError as err:
            return self.async_abort(reason=err.key)
        router = described(router, discovery_info)
        self._abort_if_known(router)
        await self._async_identify(router.unique_id)
        self._router = router
        self._title = self._shown = default_title(host)
        if name := gateway_name(discovery_info):
            self._title, self._shown = name, f"{name} ({host})"
        self.context["title_placeholders"] = {"name": self._shown}
        return await self.async_step_discovery_confirm()

    async def async_step_discovery_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Add the router that was seen, when the user wants it."""
        if user_input is not None:
            # It may have been added by hand while the card was shown.
            self._abort_if_known(self._router)
            return self.async_create_entry(
                title=self._title, data=self._router.as_data()
            )
        return self.async_show_form(
            step_id="discovery_confirm",
            description_placeholders={"name": as_it_is(self._shown)},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Reach the router elsewhere; what is open is closed on the old one first."""
        errors: dict[str, str] = {}
        entry: PcpConfigEntry = self._get_reconfigure_entry()
        if user_input is not None:
            try:
                router = await async_find_router(user_input[CONF_HOST])
            except RouterError as err:
                errors[err.field] = err.key
            else:
                return await self._async_move(entry, router)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                await self._async_user_schema(), user_input or entry.data
            ),
            errors=errors,
            description_placeholders={"name": as_it_is(entry.title)},
        )

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Offer to add the first forward."""
        entry = result["result"]
        # An ignored router is an entry that is never loaded.
        if entry.state is not ConfigEntryState.LOADED:
            return result
        forward_flow = await self.hass.config_entries.subentries.async_init(
            (entry.entry_id, SUBENTRY_FORWARD),
            context=SubentryFlowContext(source=SOURCE_USER),
        )
        result["next_flow"] = (
            FlowType.CONFIG_SUBENTRIES_FLOW,
            forward_flow["flow_id"],
        )
        return result

    async def _async_user_schema(self) -> vol.Schema:
        """Return the schema that offers the servers found, the best one first."""
        if self._found is None:
            # A router may be reached over more than one interface.
            self._found = list(
                dict.fromkeys(
                    str(found.gateway.address) for found in await find_servers()
                )
            )
        if not self._found:
            return vol.Schema({vol.Required(CONF_HOST): TextSelector()})
        return vol.Schema(
            {
                vol.Required(CONF_HOST, default=self._found[0]): SelectSelector(
                    SelectSelectorConfig(
                        options=self._found,
                        custom_value=True,
                        mode=SelectSelectorMode.DROPDOWN,
                    )
                )
            }
        )

    async def _async_identify(self, unique_id: str | None) -> None:
        """Be the only flow for a router, and none for one that the user ignores."""
        if unique_id == self.unique_id:
            return
        known = await self.async_set_unique_id(unique_id)
        if known is not None and known.source == SOURCE_IGNORE:
            raise AbortFlow("already_configured")

    @callback
    def _abort_if_known(self, router: Router) -> None:
        """Abort if there is an entry for the router, after bringing it up to date."""
        for entry in self._async_current_entries(include_ignore=False):
            if router.is_in(entry):
                self._update(entry, router)
                raise AbortFlow("already_configured")

    @callback
    def _update(self, entry: PcpConfigEntry, router: Router) -> None:
        """Take over the router's new address or, at the same address, its new MAC.

        A router has several addresses: one that answers is not left for another one.
        """
        data = dict(entry.data)
        if not _is_reachable(entry) and _is_successor(entry.data[CONF_HOST], router):
            data[CONF_HOST] = router.host
        if router.mac is not None:
            data[CONF_MAC] = router.mac
        data |= {key: value for key, value in router.description.items() if value}
        self.hass.config_entries.async_update_entry(
            entry, data=data, unique_id=router.mac or entry.unique_id
        )

    async def _async_move(
        self, entry: PcpConfigEntry, router: Router
    ) -> ConfigFlowResult:
        """Make an entry be for the router that the user names."""
        for other in self._async_current_entries(include_ignore=False):
            if other.entry_id != entry.entry_id and router.is_in(other):
                return self.async_abort(reason="already_configured")
        if router.is_in(entry):
            router = replace(
                router,
                mac=router.mac or entry.data.get(CONF_MAC),
                udn=entry.data.get(CONF_UDN),
                manufacturer=entry.data.get(CONF_MANUFACTURER),
                model=entry.data.get(CONF_MODEL),
            )
        moves = router.host != entry.data[CONF_HOST]
        if moves and entry.state is ConfigEntryState.LOADED:
            await entry.runtime_data.async_move_to(router.host)
        is_untitled = entry.title == default_title(entry.data[CONF_HOST])
        return self.async_update_and_abort(
            entry,
            unique_id=router.unique_id,
            title=default_title(router.host) if is_untitled else entry.title,
            data=router.as_data(),
        )


def _is_reachable(entry: PcpConfigEntry) -> bool:
    return (
        entry.state is ConfigEntryState.LOADED
        and entry.runtime_data.data.router.reachable
    )


def _is_successor(host: str, router: Router) -> bool:
    """Tell whether a router's address can stand for another one of it.

    A name follows the router by itself, and an address of the other IP version does
    not say that the old one is gone.
    """
    try:
        return ip_address(host).version == ip_address(router.host).version
    except ValueError:
        return False
