"""What people usually open, and what nobody should open without thinking.

Ports are those that IANA lists or that the makers document.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .client.mapping import Protocol
from .forward import (
    CONF_EXACT_EXTERNAL_PORT,
    CONF_INTERNAL_PORT,
    CONF_NAME,
    CONF_PORT_COUNT,
    CONF_PROTOCOL,
    Forward,
    ForwardProtocol,
)

HOME_ASSISTANT = "home_assistant"
HOME_ASSISTANT_PORT = 8123
PLAIN_HTTP = "Home Assistant (http)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that listens on the same ports nearly everywhere."""

    name: str
    protocol: ForwardProtocol
    internal_port: int
    port_count: int = 1
    exact_external_port: bool = False
    """Whether those who connect know no other port."""

    @property
    def label(self) -> str:
        """What a list of services shows."""
        return f"{self.name} ({Forward.parse(self.as_data()).summary})"

    def as_data(self) -> dict[str, Any]:
        """Return it as the fields of a forward."""
        return {
            CONF_NAME: self.name,
            CONF_PROTOCOL: self.protocol.value,
            CONF_INTERNAL_PORT: self.internal_port,
            CONF_PORT_COUNT: self.port_count,
            CONF_EXACT_EXTERNAL_PORT: self.exact_external_port,
        }


def _service(
    name: str, protocol: str, port: int, count: int = 1, *, exact: bool = False
) -> Service:
    return Service(
        name=name,
        protocol=ForwardProtocol(protocol),
        internal_port=port,
        port_count=count,
        exact_external_port=exact,
    )


_OTHERS = {
    "wireguard": _service("WireGuard", "udp", 51820),
    "openvpn": _service("OpenVPN", "udp", 1194),
    "https": _service("HTTPS", "tcp", 443),
    "letsencrypt": _service("Let's Encrypt", "tcp", 80, exact=True),
    "ssh": _service("SSH", "tcp", 22),
    "plex": _service("Plex", "tcp", 32400),
    "minecraft": _service("Minecraft", "tcp", 25565),
    "minecraft_bedrock": _service("Minecraft Bedrock", "udp", 19132),
    "factorio": _service("Factorio", "udp", 34197),
    "valheim": _service("Valheim", "udp", 2456, 2),
    "teamspeak": _service("TeamSpeak", "udp", 9987),
    "bittorrent": _service("BitTorrent", "tcp_udp", 6881),
}

_TCP = frozenset({Protocol.TCP})
_UDP = frozenset({Protocol.UDP})
_BOTH = _TCP | _UDP

# What speaks in the clear, asks for no password, or was never made for the Internet: the
# first port, the last one, over what, and what it is.
_DANGEROUS: tuple[tuple[int, int, frozenset[Protocol], str], ...] = (
    # Files and remote control.
    (21, 21, _TCP, "FTP"),
    (23, 23, _TCP, "Telnet"),
    (69, 69, _UDP, "TFTP"),
    (111, 111, _BOTH, "RPC"),
    (135, 135, _TCP, "Windows RPC"),
    (137, 138, _UDP, "NetBIOS"),
    (139, 139, _TCP, "NetBIOS"),
    (445, 445, _TCP, "SMB"),
    (512, 514, _TCP, "rexec, rlogin, rsh"),
    (548, 548, _TCP, "AFP"),
    (873, 873, _TCP, "rsync"),
    (2049, 2049, _BOTH, "NFS"),
    (3389, 3389, _BOTH, "RDP"),
    (5555, 5555, _TCP, "Android Debug Bridge"),
    (5800, 5800, _TCP, "VNC"),
    (5900, 5903, _TCP, "VNC"),
    (5985, 5985, _TCP, "WinRM"),
    (6000, 6000, _TCP, "X11"),
    # The network's own services: strangers use them against others, too.
    (53, 53, _BOTH, "DNS"),
    (161, 162, _UDP, "SNMP"),
    (389, 389, _BOTH, "LDAP"),
    (623, 623, _UDP, "IPMI"),
    (1900, 1900, _UDP, "SSDP"),
    (5353, 5353, _UDP, "mDNS"),
    # Mail in the clear, and printers.
    (110, 110, _TCP, "POP3"),
    (143, 143, _TCP, "IMAP"),
    (515, 515, _TCP, "LPD"),
    (631, 631, _TCP, "IPP"),
    (9100, 9100, _TCP, "JetDirect"),
    # Databases.
    (1433, 1433, _TCP, "Microsoft SQL Server"),
    (1434, 1434, _UDP, "Microsoft SQL Server"),
    (1521, 1521, _TCP, "Oracle Database"),
    (2379, 2380, _TCP, "etcd"),
    (3306, 3306, _TCP, "MySQL / MariaDB"),
    (5432, 5432, _TCP, "PostgreSQL"),
    (5984, 5984, _TCP, "CouchDB"),
    (6379, 6379, _TCP, "Redis"),
    (8086, 8086, _TCP, "InfluxDB"),
    (9042, 9042, _TCP, "Cassandra"),
    (9200, 9200, _TCP, "Elasticsearch"),
    (9300, 9300, _TCP, "Elasticsearch"),
    (11211, 11211, _BOTH, "memcached"),
    (27017, 27019, _TCP, "MongoDB"),
    # Machines that run others.
    (2375, 2375, _TCP, "Docker"),
    (10250, 10250, _TCP, "Kubernetes kubelet"),
    # What belongs to a home, or to a plant.
    (102, 102, _TCP, "Siemens S7"),
    (502, 502, _TCP, "Modbus"),
    (554, 554, _BOTH, "RTSP"),
    (1880, 1880, _TCP, "Node-RED"),
    (1883, 1884, _TCP, "MQTT"),
    (1984, 1984, _TCP, "go2rtc"),
    (3000, 3000, _TCP, "Z-Wave JS"),
    (3671, 3671, _BOTH, "KNXnet/IP"),
    (5000, 5000, _TCP, "Frigate"),
    (5580, 5580, _TCP, "Matter Server"),
    (6052, 6052, _TCP, "ESPHome Device Builder"),
    (8554, 8554, _BOTH, "RTSP"),
    (10200, 10200, _TCP, "Wyoming"),
    (10300, 10300, _TCP, "Wyoming"),
    (10400, 10400, _TCP, "Wyoming"),
    (47808, 47808, _UDP, "BACnet/IP"),
)


def services(home_assistant_port: int | None) -> dict[str, Service]:
    """Return the services by key, this Home Assistant first."""
    own = _service("Home Assistant", "tcp", home_assistant_port or HOME_ASSISTANT_PORT)
    return {HOME_ASSISTANT: own} | _OTHERS


def dangers(forward: Forward, plain_http_port: int | None) -> Collection[str]:
    """Return the names of what usually listens there and is not to be exposed.

    `plain_http_port` is where this Home Assistant speaks http without encryption.
    """
    first = forward.internal_port
    last = first + forward.port_count - 1
    over = frozenset(forward.protocol.protocols)
    known = _DANGEROUS
    if plain_http_port is not None and forward.target_host is None:
        known = ((plain_http_port, plain_http_port, _TCP, PLAIN_HTTP), *known)
    return dict.fromkeys(
        name
        for begin, end, protocols, name in known
        if begin <= last and first <= end and protocols & over
    )
