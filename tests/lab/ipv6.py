"""What befalls the IPv6 of a host of the LAN, and how all is put back."""

import json
from pathlib import Path
from typing import Any, Literal

from .network import LAN_ADDRESS_V6, NAS_ADDRESS_V6, ROUTER_LINK_LOCAL, Network
from .waiting import wait_until

type Host = Literal["lan", "nas"]

# RFC 4193: good within the LAN only.
LAN_UNIQUE_LOCAL = "fd77::2"

_ADDRESSES: dict[Host, str] = {"lan": LAN_ADDRESS_V6, "nas": NAS_ADDRESS_V6}
_USE_TEMPORARY = "ipv6/conf/eth0/use_tempaddr"


def add_unique_local(network: Network) -> None:
    """Give lan a unique local address besides those it has."""
    _ip(network, "lan", "address", "replace", f"{LAN_UNIQUE_LOCAL}/64", "nodad")


def add_temporary(network: Network) -> str:
    """Give lan a privacy address as RFC 8981 has it, which it prefers; return it."""
    _set_use_temporary(network, "lan", "2")
    template = f"{LAN_ADDRESS_V6}/64"
    _ip(network, "lan", "address", "change", template, "nodad", "mngtmpaddr")
    wait_until(lambda: _temporary(network, "lan"), "a temporary address")
    return _temporary(network, "lan")[0]


def lose_addresses(network: Network) -> None:
    """Take all global addresses from lan, the unique local ones too."""
    _ip(network, "lan", "-6", "address", "flush", "scope", "global")


def change_address(network: Network, address: str) -> None:
    """Give lan another global address in place of those it has."""
    lose_addresses(network)
    _ip(network, "lan", "address", "add", f"{address}/64", "nodad")


def lose_default_router(network: Network) -> None:
    """Let lan have no way to the IPv6 Internet."""
    network.run("lan", "ip", "-6", "route", "del", "default")


def reset(network: Network) -> None:
    """Give lan and nas what the lab began with, and no more."""
    for place, address in _ADDRESSES.items():
        present = _global_addresses(network, place)
        # Only where something differs: removing an address is a change of its own.
        if _set_use_temporary(network, place, "0") or present != [address]:
            _ip(network, place, "-6", "address", "flush", "scope", "global")
            _ip(network, place, "address", "add", f"{address}/64", "nodad")
        network.run(
            *(place, "ip", "-6", "route", "replace", "default"),
            *("via", ROUTER_LINK_LOCAL, "dev", "eth0"),
        )


def _set_use_temporary(network: Network, place: Host, value: str) -> bool:
    """Write the setting; tell whether it was another one."""
    setting = Path("/proc/sys/net", _USE_TEMPORARY)
    with network.inside(place):
        if setting.read_text().strip() == value:
            return False
        setting.write_text(value)
    return True


def _temporary(network: Network, place: Host) -> list[str]:
    return [it["local"] for it in _present(network, place) if it.get("temporary")]


def _global_addresses(network: Network, place: Host) -> list[str]:
    return [it["local"] for it in _present(network, place)]


def _present(network: Network, place: Host) -> list[dict[str, Any]]:
    shown = network.run(
        *(place, "ip", "-j", "-6", "address", "show"),
        *("dev", "eth0", "scope", "global"),
    ).stdout
    # What the scope leaves out is there all the same, empty.
    told = [it for link in json.loads(shown) for it in link.get("addr_info", ())]
    return [it for it in told if it]


def _ip(network: Network, place: Host, *arguments: str) -> None:
    network.run(place, "ip", *arguments, "dev", "eth0")
