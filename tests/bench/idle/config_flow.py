"""Home Assistant wants a flow where there is an entry."""

from homeassistant.config_entries import ConfigFlow

from . import DOMAIN


class IdleConfigFlow(ConfigFlow, domain=DOMAIN):
    """Nobody is asked anything."""
