"""The sensors and binary sensors, with a router on loopback."""

from datetime import UTC, datetime
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.binary_sensor import DESCRIPTIONS
from custom_components.pcp.forward import ForwardStatus
from custom_components.pcp.sensor import FORWARD_SENSORS, ROUTER_SENSORS
from custom_components.pcp.views import ForwardView, RouterView
from tests.simulated_router import SimulatedRouter

from .glue import (
    EXTERNAL_ADDRESS,
    ROUTER_HOST,
    UPTIME,
    add_forward,
    forward_data,
    pcp_entry,
    set_up,
    state_of,
    until_state,
)

pytest_plugins = ["tests.glue_fixtures"]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def forward_view(**changes: Any) -> ForwardView:
    """Return a forward that is closed, with changes."""
    values: dict[str, Any] = {
        "forward_id": "id",
        "name": "Game",
        "wanted": False,
        "status": ForwardStatus.CLOSED,
        "external_address": None,
        "external_port": None,
        "closes_at": None,
        "expires_at": None,
        "mappings": (),
        "refusal": None,
    }
    return ForwardView(**values | changes)


# What each sensor shows of what there is to see.


@pytest.mark.parametrize(
    ("key", "changes", "value"),
    [
        ("external_address", {}, None),
        (
            "external_address",
            {"external_address": "203.0.113.5", "external_port": 8123},
            "203.0.113.5:8123",
        ),
        (
            "external_address",
            {"external_address": "2001:db8::2", "external_port": 8123},
            "[2001:db8::2]:8123",
        ),
        (
            "external_address",
            {"external_address": None, "external_port": 8123},
            None,
        ),
        ("status", {"status": ForwardStatus.PARTLY_OPEN}, "partly_open"),
        ("closes_at", {"closes_at": NOON}, NOON),
        ("expires_at", {"expires_at": NOON}, NOON),
    ],
)
def test_a_forwards_sensor_shows(
    key: str, changes: dict[str, Any], value: object
) -> None:
    """An IPv6 address is in brackets; what is not known is no value."""
    [description] = [item for item in FORWARD_SENSORS if item.key == key]
    assert description.value_fn(forward_view(**changes)) == value


@pytest.mark.parametrize(
    ("key", "router", "value"),
    [
        ("external_ipv4", RouterView(external_ipv4="203.0.113.5"), "203.0.113.5"),
        ("external_ipv6", RouterView(external_ipv6="2001:db8::2"), "2001:db8::2"),
        ("protocol", RouterView(protocol="nat_pmp"), "nat_pmp"),
        ("router_started", RouterView(started_at=NOON), NOON),
        ("external_ipv4", RouterView(), None),
    ],
)
def test_a_routers_sensor_shows(key: str, router: RouterView, value: object) -> None:
    """One field each."""
    [description] = [item for item in ROUTER_SENSORS if item.key == key]
    assert description.value_fn(router) == value


@pytest.mark.parametrize(
    ("key", "router", "is_on"),
    [
        ("reachable", RouterView(reachable=True), True),
        ("reachable", RouterView(), False),
        ("double_nat", RouterView(double_nat=True), True),
        ("double_nat", RouterView(), None),
    ],
)
def test_a_routers_binary_sensor_shows(
    key: str, router: RouterView, is_on: bool | None
) -> None:
    """One field each."""
    [description] = [item for item in DESCRIPTIONS if item.key == key]
    assert description.is_on_fn(router) is is_on


# With a router.


async def test_a_router_is_shown(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """All of a router's entities, once it has told what there is to tell."""
    await add_forward(hass)
    router_id = entry.entry_id
    assert state_of(hass, "binary_sensor", router_id, "reachable") == "on"
    assert state_of(hass, "binary_sensor", router_id, "double_nat") == "off"
    assert state_of(hass, "sensor", router_id, "external_ipv4") == EXTERNAL_ADDRESS
    assert state_of(hass, "sensor", router_id, "external_ipv6") == "unknown"
    assert state_of(hass, "sensor", router_id, "protocol") == "pcp"
    started = datetime.fromisoformat(
        state_of(hass, "sensor", router_id, "router_started")
    )
    assert abs((datetime.now(UTC) - started).total_seconds() - UPTIME) < 60


async def test_a_forward_is_shown(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """All of a forward's sensors, open and with a duration."""
    forward = await add_forward(hass, duration={"hours": 1})
    forward_id = forward["forward_id"]
    assert state_of(hass, "sensor", forward_id, "external_address") == (
        f"{EXTERNAL_ADDRESS}:8123"
    )
    assert state_of(hass, "sensor", forward_id, "status") == "open"
    assert state_of(hass, "sensor", forward_id, "closes_at") == forward["closes_at"]
    expires_at = forward["mappings"][0]["expires_at"]
    assert state_of(hass, "sensor", forward_id, "expires_at") == expires_at


async def test_a_private_external_address_is_double_nat(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Promise 7: behind another router, the port leads nowhere."""
    router.set_personality("double_nat")
    await add_forward(hass)
    assert state_of(hass, "binary_sensor", entry.entry_id, "double_nat") == "on"


async def test_a_new_external_address_is_shown(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """RFC 6887 14.2: the router tells it by itself."""
    forward = await add_forward(hass)
    router.change_external_address("203.0.113.77")
    await until_state(hass, "sensor", entry.entry_id, "external_ipv4", "203.0.113.77")
    await until_state(
        hass,
        "sensor",
        forward["forward_id"],
        "external_address",
        "203.0.113.77:8123",
    )


@pytest.mark.usefixtures("impatient")
async def test_a_silent_router_hides_no_forward(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> None:
    """Promise 4: the entry loads, and what is ours is never unavailable."""
    router.silence()
    entry = await set_up(hass, pcp_entry(ROUTER_HOST, forward_data("Game", 8123)))
    [forward_id] = entry.subentries
    assert state_of(hass, "switch", forward_id, "forward") == "off"
    assert state_of(hass, "sensor", forward_id, "status") == "closed"
    assert state_of(hass, "sensor", forward_id, "closes_at") == "unknown"
    assert state_of(hass, "sensor", forward_id, "expires_at") == "unknown"
    assert state_of(hass, "binary_sensor", entry.entry_id, "reachable") == "off"
    assert state_of(hass, "button", entry.entry_id, "renew") == "unknown"
    assert state_of(hass, "event", entry.entry_id, "router") == "unknown"
    # Of the router itself nothing is known.
    assert state_of(hass, "sensor", entry.entry_id, "external_ipv4") == "unavailable"
    assert state_of(hass, "binary_sensor", entry.entry_id, "double_nat") == (
        "unavailable"
    )


# In the registry.


async def test_entities_are_registered_as_the_contract_says(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Unique ids, translation keys, owners and categories."""
    forward = await add_forward(hass)
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    by_owner: dict[str | None, dict[str, er.RegistryEntry]] = {}
    for entity in entities:
        owner = entity.config_subentry_id or entry.entry_id
        key = entity.unique_id.removeprefix(f"{owner}_")
        assert entity.translation_key == key
        assert not entity.disabled
        by_owner.setdefault(owner, {})[f"{entity.domain}.{key}"] = entity
    assert set(by_owner[entry.entry_id]) == {
        "binary_sensor.double_nat",
        "binary_sensor.reachable",
        "button.renew",
        "event.router",
        "sensor.external_ipv4",
        "sensor.external_ipv6",
        "sensor.protocol",
        "sensor.router_started",
    }
    forwards = by_owner[forward["forward_id"]]
    assert set(forwards) == {
        "sensor.closes_at",
        "sensor.expires_at",
        "sensor.external_address",
        "sensor.status",
        "switch.forward",
    }
    diagnostic = {
        key
        for key, entity in forwards.items()
        if entity.entity_category is EntityCategory.DIAGNOSTIC
    }
    assert diagnostic == {"sensor.closes_at", "sensor.expires_at"}
    assert forwards["sensor.closes_at"].original_device_class == (
        SensorDeviceClass.TIMESTAMP
    )
    assert forwards["sensor.status"].capabilities == {"options": list(ForwardStatus)}
