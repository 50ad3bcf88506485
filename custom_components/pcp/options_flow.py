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
from .fields import whole_number

OPTIONS_SCHEMA = vol.Schema(
    {
        # Without bounds: what is out of them is told in translated words.
        vol.Required(CONF_LEASE_TIME, default=DEFAULT_LEASE_TIME): NumberSelector(
            NumberSelectorConfig(
                mode=NumberSelectorMode.BOX, unit_of_measurement=UnitOfTime.SECONDS
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
        errors: dict[str, str] = {}
        if user_input is not None:
            lease_time = whole_number(user_input[CONF_LEASE_TIME])
            if lease_time is not None and (
                MIN_LEASE_TIME <= lease_time <= MAX_LEASE_TIME
            ):
                return self.async_create_entry(
                    data={**user_input, CONF_LEASE_TIME: lease_time}
                )
            errors[CONF_LEASE_TIME] = "invalid_lease_time"
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, user_input or self.config_entry.options
            ),
            errors=errors,
        )
