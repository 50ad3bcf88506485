"""Diagnostics, with a router on loopback."""

from ipaddress import ip_address
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import ExtendedJSONEncoder
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.diagnostics import (
    _redact,
    async_get_config_entry_diagnostics,
)
from tests.simulated_router import SimulatedRouter

from .glue import EXTERNAL_ADDRESS, MAC, ROUTER_HOST, add_forward, pcp_entry, set_up

pytest_plugins = ["tests.glue_fixtures"]

UDN = "uuid:11111111-2222-3333-4444-555555555555"
REDACTED = "**REDACTED**"


async def diagnose(hass: HomeAssistant, entry: MockConfigEntry) -> tuple[Any, str]:
    """Return the diagnostics, as they are and as they are downloaded."""
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    return diagnostics, json.dumps(diagnostics, cls=ExtendedJSONEncoder)


async def test_diagnostics_help_to_find_a_fault(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """The entry, what is shown, and what the client knows."""
    await add_forward(hass)
    diagnostics, _ = await diagnose(hass, entry)
    assert set(diagnostics) == {"client", "entry", "forwards", "router"}
    assert diagnostics["entry"]["data"] == {"host": ROUTER_HOST}
    assert diagnostics["router"]["protocol"] == "pcp"
    assert diagnostics["router"]["external_ipv4"] == REDACTED
    [forward] = diagnostics["forwards"]
    assert forward["name"] == "Game"
    assert forward["status"] == "open"
    assert forward["external_port"] == 8123
    assert forward["mappings"][0]["external_address"] == REDACTED
    assert diagnostics["client"]


async def test_diagnostics_tell_nobody_who_and_where_you_are(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> None:
    """Promise 9: no external address, no MAC, no nonce; nor who may come in."""
    entry = await set_up(hass, pcp_entry(data={"mac": MAC, "udn": UDN}, unique_id=MAC))
    await add_forward(hass, allowed_sources=["198.51.100.0/24"])
    _, text = await diagnose(hass, entry)
    [mapping] = router.mappings()
    assert mapping.nonce is not None
    for secret in (
        EXTERNAL_ADDRESS,
        MAC,
        UDN,
        "198.51.100",
        mapping.nonce.hex(),
        str(mapping.nonce),
    ):
        assert secret not in text, secret


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450::1", ip_address("8.8.8.8")])
def test_addresses_of_the_internet_are_redacted_wherever_they_are(
    address: object,
) -> None:
    """Also an IPv6 address of our own, which is valid everywhere."""
    found = {"x": [{"internal_address": address}], "y": (address,)}
    assert _redact(found) == {
        "x": [{"internal_address": REDACTED}],
        "y": [REDACTED],
    }


def test_addresses_within_a_text_are_redacted() -> None:
    """As in the name of a router that nobody has given a name."""
    assert _redact("Router (2a00:1450::1)") == f"Router ({REDACTED})"
    assert _redact("Router (192.168.1.1)") == "Router (192.168.1.1)"
    assert _redact("to 8.8.8.0/24, face/ab: 1.2") == f"to {REDACTED}, face/ab: 1.2"
    assert _redact("http://8.8.8.8:80/x") == f"http://{REDACTED}:80/x"
    assert _redact("http://192.168.1.1:80/x") == "http://192.168.1.1:80/x"
    assert _redact("[2a00:1450::1]:80") == f"[{REDACTED}]:80"
    assert _redact("It is 8.8.8.8.") == f"It is {REDACTED}."


@pytest.mark.parametrize("value", ["192.168.1.1", "fe80::1", "Game", 8123, None, ""])
def test_the_rest_is_kept(value: object) -> None:
    """Addresses at home, names and numbers are what helps."""
    assert _redact({"value": value}) == {"value": value}
    assert _redact({"mac": None}) == {"mac": None}
