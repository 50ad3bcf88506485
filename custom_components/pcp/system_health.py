"""What the system's health page says: how many routers answer, how many doors are open."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import PcpConfigEntry
from .forward import ForwardStatus


@callback
def async_register(
    hass: HomeAssistant, register: system_health.SystemHealthRegistration
) -> None:
    """Register what is to be shown."""
    register.async_register_info(async_system_health_info)


async def async_system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the counts, of loaded routers."""
    entries: list[PcpConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    routers = [entry.runtime_data.data for entry in entries]
    forwards = [each for router in routers for each in router.forwards.values()]
    return {
        "routers": len(routers),
        "reachable_routers": sum(each.router.reachable for each in routers),
        "forwards": len(forwards),
        "wanted_forwards": sum(each.wanted for each in forwards),
        "open_forwards": sum(each.status is ForwardStatus.OPEN for each in forwards),
    }
