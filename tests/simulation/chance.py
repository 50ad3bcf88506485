"""From a seed to a script: busy times, with all that can go wrong, and quiet ones."""

from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

from custom_components.pcp.forward import Forward, ForwardProtocol, IPVersion
from tests.simulated_router import PERSONALITIES
from tests.simulated_router.personality import Personality

from .forgery import DOUBTFUL, WORTHLESS
from .script import Event, Script

DAY = 86_400.0
SLOTS = 5
# Where leases live for seconds a week is a million datagrams: a shorter time will do.
DAYS_OF_SHORT_LEASES = {13: 0.2, 60: 1.0}

_EVENTS: tuple[tuple[str, int], ...] = (
    # People.
    ("add", 10),
    ("open", 12),
    ("close", 12),
    ("remove", 4),
    ("change", 4),
    ("renew", 2),
    ("set_lease_time", 1),
    ("set_third_party", 2),
    ("disable", 1),
    ("remove_entry", 1),
    ("move", 2),
    # Power.
    ("crash", 8),
    ("restart", 4),
    ("slow_disk", 2),
    ("full_disk", 1),
    ("set_clock", 2),
    # The network.
    ("weather", 10),
    ("get_address", 2),
    # The router.
    ("reboot", 5),
    ("forget", 2),
    ("silence", 5),
    ("external_address", 3),
    ("firmware", 1),
    # Forgers.
    ("forge", 5),
)
# What a router may turn into, or be moved to.
_LASTING = [
    name
    for name, personality in PERSONALITIES.items()
    if personality.fixed_lifetime is None and name != "openwrt_mixed_up"
]
_OTHER_HOST = {"ipv4": ip_address("192.0.2.50"), "ipv6": ip_address("2001:db8::50")}

_KINDS = [kind for kind, _ in _EVENTS]
_WEIGHTS = [weight for _, weight in _EVENTS]


def script_of(seed: int, *, days: float = 7.0) -> Script:
    """Return the script of a seed; the personalities take turns."""
    random = Random(seed)
    names = list(PERSONALITIES)
    name = names[seed % len(names)]
    personality = PERSONALITIES[name]
    days = min(days, DAYS_OF_SHORT_LEASES.get(personality.fixed_lifetime or 0, days))
    can_change = personality.fixed_lifetime is None
    events = [
        # Something is there from the beginning.
        Event(random.uniform(10, 60), "add", {"slot": 0}),
    ]
    at = 100.0
    while at < days * DAY:
        for _ in range(random.randint(1, 7)):
            at += random.choice([0.0, 0.01, 0.5, 3.0, 8.0, 20.0, 60.0, 300.0])
            at += random.random()
            [kind] = random.choices(_KINDS, _WEIGHTS)
            if kind == "firmware" and not can_change:
                kind = "reboot"
            events.append(Event(at, kind, _args(kind, random)))
        at += random.choice([60.0, 700.0, 2000.0, 4000.0, 9000.0, 40_000.0])
        at += 100.0 * random.random()
    return Script(
        seed=seed,
        personality=name,
        other_personality=random.choice(_LASTING),
        third_party=random.random() < 0.5,
        days=days,
        lease_time=random.choice([3600, 3600, 7200, 1200, 600]),
        forwards=tuple(_forward(slot, random, personality) for slot in range(SLOTS)),
        events=tuple(sorted(events, key=lambda it: it.at)),
    )


def _forward(slot: int, random: Random, personality: Personality) -> Forward:
    sources = random.random() < 0.1
    is_third = random.random() < (0.4 if personality.third_party else 0.1)
    counts = [1, 1, 1, 3] if personality.port_set_size == 1 else [1, 2, 3, 5]
    version = random.choice([*["ipv4"] * 4, "ipv6" if is_third else "both", "ipv6"])
    return Forward(
        name=f"slot {slot}",
        protocol=ForwardProtocol(random.choice(["tcp", "tcp", "udp", "tcp_udp"])),
        # Mostly apart, sometimes in each other's way.
        internal_port=2000 + 10 * slot + random.choice([0, 0, 0, 9]),
        external_port=random.choice([None, None, 3000 + slot, 80]),
        exact_external_port=random.random() < 0.2,
        ip_version=IPVersion("ipv4" if sources else version),
        port_count=random.choice(counts),
        allowed_sources=(ip_network("198.51.100.0/24"),) if sources else (),
        target_host=_OTHER_HOST["ipv4" if sources else version] if is_third else None,
    )


def _args(kind: str, random: Random) -> dict[str, Any]:
    """Draw what an event needs."""
    slot = {"slot": random.randrange(SLOTS)}
    some_time = random.choice([5.0, 30.0, 100.0, 400.0, 1500.0, 6000.0])
    match kind:
        case "add" | "open":
            duration = random.choice([None, None, 10, 60, 1000, 10_000, 100_000])
            return slot | ({} if duration is None else {"seconds": duration})
        case "close" | "remove":
            return slot
        case "change":
            return slot | {"to": random.randrange(SLOTS)}
        case "set_lease_time":
            return {"seconds": random.choice([120, 600, 3600, 7200])}
        case "set_third_party":
            return {"is_on": random.random() < 0.7}
        case "disable" | "remove_entry":
            return {"seconds": random.choice([1.0, 10.0, 100.0, 4000.0])}
        case "move":
            return {"to": random.randrange(2)}
        case "crash":
            moments = ["now", "before_write", "after_write", "after_send"]
            return {"when": random.choice(moments), "down": some_time}
        case "restart":
            return {"down": some_time}
        case "slow_disk":
            return {"write": random.choice([0.05, 1.0, 7.0]), "seconds": some_time}
        case "full_disk":
            return {"seconds": some_time}
        case "set_clock":
            return {"by": random.choice([-7200.0, -60.0, 5.0, 3600.0])}
        case "weather":
            return _weather(random) | {"seconds": some_time}
        case "get_address":
            if random.random() < 0.5:
                return {"last": None, "seconds": some_time}
            return {"last": random.choice([2, 2, 3, 4])}
        case "reboot":
            down = random.choice([0.0, 2.0, 60.0, 400.0])
            return {"down": down, "lose_mappings": random.random() < 0.8}
        case "silence":
            return {"seconds": some_time}
        case "external_address":
            return {"last": random.choice([44, 45, 46, None])}
        case "firmware":
            return {"personality": random.choice(_LASTING)}
        case "forge":
            return {
                "kind": random.choice([*WORTHLESS, *DOUBTFUL, *DOUBTFUL]),
                "count": random.choice([1, 3, 30, 100]),
                "gap": random.choice([0.0, 0.1, 3.0, 20.0]),
            }
    return {}


def _weather(random: Random) -> dict[str, float]:
    weather: dict[str, float] = {}
    loss = random.choice([0.1, 0.3, 0.7, 1.0])
    match random.randrange(6):
        case 0:
            weather = {"loss_up": loss, "loss_down": loss}
        case 1:
            weather = {"loss_up": loss}
        case 2:
            weather = {"loss_down": loss}
        case 3:
            weather = {"delay": random.choice([0.3, 1.5, 4.0]), "duplicates": 0.3}
        case 4:
            weather = {"corrupted": loss}
        case _:
            weather = {"loss_up": 0.3, "delay": 2.0, "duplicates": 0.5}
    if random.random() < 0.5:
        weather["loss_of_announcements"] = 1.0
    return weather
