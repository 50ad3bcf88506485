"""Diagnostics, without what would tell strangers where and who you are."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
import re
from typing import Any

from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant

from .coordinator import PcpConfigEntry

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
# What an address or a network may look like, alone or within a text: before a port, in
# a URL, at the end of a sentence.
_ADDRESS = re.compile(
    r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]+(?:[0-9A-Fa-f]|::))(?:/\d+)?"
)
# RFC 6052: the NAT64 prefix that everybody may use tells nothing of anybody.
WELL_KNOWN_PREFIX = IPv6Network("64:ff9b::/96")


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
            return _ADDRESS.sub(
                lambda found: REDACTED if _is_global(found[0]) else found[0], value
            )
        case _:
            return value


def _is_global(text: str) -> bool:
    """Tell whether an address or a network is of the Internet and not everybody's."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return network.is_global and network != WELL_KNOWN_PREFIX
