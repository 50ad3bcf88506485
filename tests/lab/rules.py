"""The router's nftables rules, as text in and as mappings out.

miniupnpd fills the three chains named *miniupnpd* and never creates or hooks them.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address
import json
from typing import Any

# Loading this again, in one transaction, is the flush of a reboot.
BASE = """
table inet filter
delete table inet filter
table inet filter {
    chain miniupnpd {
    }
    chain prerouting_miniupnpd {
    }
    chain postrouting_miniupnpd {
    }
    chain input {
        type filter hook input priority 0; policy accept;
        iifname "wan0" ct state established,related accept
        iifname "wan0" meta l4proto { icmp, ipv6-icmp } accept
        iifname "wan0" drop
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "br0" accept
        meta l4proto ipv6-icmp accept
        jump miniupnpd
    }
    chain prerouting {
        type nat hook prerouting priority -100; policy accept;
        jump prerouting_miniupnpd
    }
    chain postrouting {
        type nat hook postrouting priority 100; policy accept;
        jump postrouting_miniupnpd
        oifname "wan0" meta nfproto ipv4 masquerade
    }
}
"""


ANNOUNCEMENTS_DROPPED = """
    chain announcements {
        type filter hook output priority 0;
        oifname "br0" udp sport 5351 udp dport { 5350, 5351 } ip daddr 224.0.0.1 drop
        oifname "br0" udp sport 5351 udp dport { 5350, 5351 } ip6 daddr ff02::1 drop
    }
"""

# Any version but 0 goes to the responder, statelessly: conntrack would pin the
# flow. The router then has no PCP over IPv6 and announces none.
NAT_PMP_ONLY = """
    chain requests {
        type filter hook prerouting priority -300;
        meta nfproto ipv4 iifname "br0" udp dport 5351 @th,64,8 != 0 \
            notrack udp dport set 5361
    }
    chain answers {
        type filter hook output priority -300;
        meta nfproto ipv4 udp sport 5361 notrack udp sport set 5351
    }
    chain ipv6 {
        type filter hook input priority -10;
        meta nfproto ipv6 iifname "br0" udp dport 5351 reject
    }
    chain announcements {
        type filter hook output priority 0;
        oifname "br0" udp sport 5351 udp dport 5350 @th,64,8 == 2 drop
    }
"""


def silence(ip_version: int | None = None) -> str:
    """Lose all requests, or those over one IP version (4, 6).

    Before the shim of NAT-PMP only, which sits at raw (-300).
    """
    over = f"meta nfproto ipv{ip_version} " if ip_version else ""
    return f"""
    chain requests {{
        type filter hook prerouting priority -310;
        iifname "br0" {over}udp dport 5351 drop
    }}
"""


def loss(percent: float) -> str:
    """Lose that share of the PCP datagrams, each way and announcements too."""
    lost = f"numgen random mod 10000 <= {round(percent * 100) - 1} drop"
    return f"""
    chain requests {{
        type filter hook prerouting priority -310;
        iifname "br0" udp dport 5351 {lost}
    }}
    chain answers {{
        type filter hook output priority 10;
        oifname "br0" udp sport 5351 {lost}
    }}
"""


_PROTOCOLS: dict[object, str] = {6: "tcp", 17: "udp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A port that nftables really forwards (IPv4) or lets through (IPv6)."""

    protocol: str
    """`tcp`, `udp`, or the number."""
    internal_address: str
    internal_port: int
    external_port: int


def parse_mappings(ruleset: str) -> list[Mapping]:
    """Return the mappings in the JSON of `nft -j list table inet filter`."""
    rules = [item["rule"] for item in json.loads(ruleset)["nftables"] if "rule" in item]
    found = (
        _mapping(rule["expr"])
        for rule in rules
        if rule["chain"] in ("prerouting_miniupnpd", "miniupnpd")
    )
    mappings = [mapping for mapping in found if mapping is not None]
    return sorted(
        mappings, key=lambda m: (m.internal_address, m.protocol, m.external_port)
    )


def _mapping(expressions: list[dict[str, Any]]) -> Mapping | None:
    """Read one rule: a DNAT, or a pinhole; None for the accept beside a DNAT."""
    dnat: dict[str, Any] | None = None
    protocol, internal_address, external_port = "any", None, 0
    for expression in expressions:
        match expression:
            case {"dnat": target}:
                dnat = target
            case {"match": {"left": {"payload": {"field": "dport", **rest}}} as found}:
                external_port = found["right"]
                if rest["protocol"] in ("tcp", "udp"):
                    protocol = rest["protocol"]
            # miniupnpd compares octets of the header; nft shows some by name:
            # the protocol in IPv4 and IPv6, and the IPv6 destination.
            case {
                "match": {
                    "left": {"payload": {"base": "nh", "offset": 72 | 48, "len": 8}}
                    | {"payload": {"field": "protocol" | "nexthdr"}}
                    | {"meta": {"key": "l4proto"}},
                    "right": value,
                }
            }:
                protocol = _PROTOCOLS.get(value, str(value))
            case {
                "match": {
                    "left": {"payload": {"base": "nh", "offset": 192, "len": 128}}
                    | {"payload": {"protocol": "ip6", "field": "daddr"}},
                    "right": value,
                }
            }:
                internal_address = _ipv6(value)
    if dnat is not None:
        return Mapping(
            protocol=protocol,
            internal_address=dnat["addr"],
            internal_port=dnat["port"],
            external_port=external_port,
        )
    if internal_address is None:
        return None
    return Mapping(
        protocol=protocol,
        internal_address=internal_address,
        internal_port=external_port,
        external_port=external_port,
    )


def _ipv6(value: str | int) -> str:
    if isinstance(value, str) and value.startswith("0x"):
        value = int(value, 16)
    return str(IPv6Address(value))
