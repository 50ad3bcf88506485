"""Diagnostics, without what would tell strangers where and who you are."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant

from .coordinator import PcpConfigEntry
from .redaction import without_addresses

TO_REDACT = {
    "allowed_sources",
    "assigned_external_address",
    "external_address",
    "external_ipv4",
    "external_ipv6",
    "mac",
    "new_address",
    "nonce",
    "old_address",
    "udn",
    "unique_id",
}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: PcpConfigEntry
) -> dict[str, Any]:
    """Return what helps to find a fault."""
    coordinator = entry.runtime_data
    data = {
        "entry": entry.as_dict(),
        "router": asdict(coordinator.data.router),
        "forwards": [asdict(forward) for forward in coordinator.data.forwards.values()],
        "client": coordinator.diagnostics(),
    }
    redacted: dict[str, Any] = _redact(data)
    return redacted


def _redact(value: Any) -> Any:
    """Redact by key, and every address that is valid beyond the home by its value.

    Also one within a text: a router is called by its address until it gets a name.
    """
    match value:
        case Mapping():
            return {
                key: REDACTED if key in TO_REDACT and item else _redact(item)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_redact(item) for item in value]
        case datetime():
            return value.isoformat()
        case IPv4Address() | IPv6Address():
            return _redact(str(value))
        case str():
            return without_addresses(value)
        case _:
            return value
