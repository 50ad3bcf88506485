"""The few words that steer a running router, one command a line."""

from ipaddress import AddressValueError

from .personalities import PERSONALITIES
from .server import SimulatedRouter
from .table import RouterMapping

HELP = (
    "reboot | restart | forget | silence | unsilence | mappings"
    " | address A.B.C.D | personality NAME | personalities | help"
)
_PROTOCOLS = {6: "tcp", 17: "udp"}


def obey(router: SimulatedRouter, line: str) -> str:
    """Carry out one line and return what to say about it."""
    match line.split():
        case []:
            return ""
        case ["reboot"]:
            router.reboot()
            return "rebooted, all mappings lost"
        case ["restart"]:
            router.reboot(lose_mappings=False)
            return "restarted, mappings kept"
        case ["forget"]:
            router.lose_mappings()
            return "mappings lost without a sign"
        case ["silence"]:
            router.silence()
            return "silent"
        case ["unsilence"]:
            router.unsilence()
            return "answering"
        case ["mappings"]:
            return "\n".join(map(describe, router.mappings())) or "no mappings"
        case ["address", address]:
            try:
                router.change_external_address(address)
            except AddressValueError as err:
                return f"no IPv4 address: {err}"
            return f"external address {address}"
        case ["personality", name] if name in PERSONALITIES:
            router.set_personality(name)
            return f"{name}: {PERSONALITIES[name].about}"
        case ["personalities"]:
            return "\n".join(
                f"{name}: {personality.about}"
                for name, personality in PERSONALITIES.items()
            )
        case _:
            return HELP


def describe(mapping: RouterMapping) -> str:
    """Return a mapping as a line for people."""
    protocol = _PROTOCOLS.get(mapping.protocol, str(mapping.protocol))
    outside = f"[{mapping.external_address}]:{mapping.external_port}"
    inside = f"[{mapping.internal_address}]:{mapping.internal_port}"
    if not mapping.pinhole:
        outside, inside = (
            end.replace("[", "").replace("]", "") for end in (outside, inside)
        )
    return f"{protocol} {outside} -> {inside} for {mapping.lifetime} s"
