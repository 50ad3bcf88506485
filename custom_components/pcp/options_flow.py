"""Options flow: how a router is asked."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
import voluptuous as vol

from .const import (
    CONF_ANYCAST,
    CONF_LEASE_TIME,
    CONF_THIRD_PARTY,
    DEFAULT_LEASE_TIME,
    MAX_LEASE_TIME,
    MIN_LEASE_TIME,
)

OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_LEASE_TIME, default=DEFAULT_LEASE_TIME): NumberSelector(
            NumberSelectorConfig(
                min=MIN_LEASE_TIME,
                max=MAX_LEASE_TIME,
                mode=NumberSelectorMode.BOX,
                unit_of_measurement=UnitOfTime.SECONDS,
            )
        ),
        vol.Required(CONF_THIRD_PARTY, default=False): BooleanSelector(),
        vol.Required(CONF_ANYCAST, default=False): BooleanSelector(),
    }
)


class PcpOptionsFlow(OptionsFlow):
    """Change the options of a router."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the options."""
        if user_input is not None:
            lease_time = int(user_input[CONF_LEASE_TIME])
            return self.async_create_entry(
                data={**user_input, CONF_LEASE_TIME: lease_time}
            )
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, self.config_entry.options
            ),
        )
