"""What people usually open, and what nobody should open without thinking.

Ports are those that IANA lists or that the makers document.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .forward import (
    CONF_INTERNAL_PORT,
    CONF_NAME,
    CONF_PORT_COUNT,
    CONF_PROTOCOL,
    Forward,
    ForwardProtocol,
)

HOME_ASSISTANT = "home_assistant"
HOME_ASSISTANT_PORT = 8123


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that listens on the same ports nearly everywhere."""

    name: str
    protocol: ForwardProtocol
    internal_port: int
    port_count: int = 1

    @property
    def label(self) -> str:
        """What a list of services shows."""
        ports = str(self.internal_port)
        if self.port_count > 1:
            ports += f"-{self.internal_port + self.port_count - 1}"
        return f"{self.name} ({self.protocol.replace('_', '+').upper()} {ports})"

    def as_data(self) -> dict[str, Any]:
        """Return it as the fields of a forward."""
        return {
            CONF_NAME: self.name,
            CONF_PROTOCOL: self.protocol.value,
            CONF_INTERNAL_PORT: self.internal_port,
            CONF_PORT_COUNT: self.port_count,
        }


def _service(name: str, protocol: str, port: int, count: int = 1) -> Service:
    return Service(
        name=name,
        protocol=ForwardProtocol(protocol),
        internal_port=port,
        port_count=count,
    )


_OTHERS = {
    "wireguard": _service("WireGuard", "udp", 51820),
    "openvpn": _service("OpenVPN", "udp", 1194),
    "https": _service("HTTPS", "tcp", 443),
    "letsencrypt": _service("Let's Encrypt", "tcp", 80),
    "ssh": _service("SSH", "tcp", 22),
    "plex": _service("Plex", "tcp", 32400),
    "minecraft": _service("Minecraft", "tcp", 25565),
    "minecraft_bedrock": _service("Minecraft Bedrock", "udp", 19132),
    "factorio": _service("Factorio", "udp", 34197),
    "valheim": _service("Valheim", "udp", 2456, 2),
    "teamspeak": _service("TeamSpeak", "udp", 9987),
    "bittorrent": _service("BitTorrent", "tcp_udp", 6881),
}

# What speaks in the clear, or was never made for the Internet.
_DANGEROUS = {
    21: "FTP",
    23: "Telnet",
    111: "RPC",
    135: "Windows RPC",
    139: "NetBIOS",
    445: "SMB",
    502: "Modbus",
    1433: "Microsoft SQL Server",
    1521: "Oracle Database",
    1883: "MQTT",
    2049: "NFS",
    3306: "MySQL / MariaDB",
    3389: "RDP",
    5432: "PostgreSQL",
    5900: "VNC",
    6379: "Redis",
    8086: "InfluxDB",
    9200: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}


def services(home_assistant_port: int | None) -> dict[str, Service]:
    """Return the services by key, this Home Assistant first."""
    own = _service("Home Assistant", "tcp", home_assistant_port or HOME_ASSISTANT_PORT)
    return {HOME_ASSISTANT: own} | _OTHERS


def dangers(forward: Forward) -> Collection[str]:
    """Return the names of what usually listens there and is not to be exposed."""
    first = forward.internal_port
    last = first + forward.port_count - 1
    return [name for port, name in _DANGEROUS.items() if first <= port <= last]
