"""What the dialog of a forward says, and where, so that it is seen and understood."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.client.codec import ResultCode
from tests.simulated_router import PERSONALITIES, SimulatedRouter

from .glue import EXTERNAL_ADDRESS, add_forward, external_ports
from .test_forward_flow import GAME, add, change, is_collapsed, submit
from .test_forward_flow_services import UNTOUCHED

pytest_plugins = ["tests.glue_fixtures"]


@pytest.mark.parametrize(
    ("said", "is_open"),
    [
        (UNTOUCHED | {"service": "letsencrypt"}, False),
        # The section as Home Assistant's frontend posts it when it was emptied again.
        (
            GAME
            | {
                "service": "letsencrypt",
                "internal_port": 80,
                "advanced": UNTOUCHED["advanced"]
                | {"target_host": "", "allowed_sources": []},
            },
            False,
        ),
        (
            UNTOUCHED | {"service": "letsencrypt", "advanced": {"external_port": 80}},
            True,
        ),
    ],
)
async def test_an_error_is_not_told_in_a_closed_section(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    router: SimulatedRouter,
    said: dict[str, Any],
    is_open: bool,
) -> None:
    """The external port is told of at the section only where it was said there."""
    await add_forward(hass, "First", 8000, external_port=80)
    form = await add(hass, entry, said)
    assert list(form["errors"] or {}) == ["advanced" if is_open else "internal_port"]
    assert is_collapsed(form) is not is_open


@pytest.mark.parametrize(
    ("advanced", "error"),
    [
        ({}, "service_port_taken"),
        ({"exact_external_port": True}, "external_port_taken"),
    ],
)
async def test_a_service_that_takes_no_other_port_is_named(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    router: SimulatedRouter,
    advanced: dict[str, Any],
    error: str,
) -> None:
    """Nobody is told to turn off what he has not turned on."""
    await add_forward(hass, "First", 8000, external_port=80)
    advanced = UNTOUCHED["advanced"] | advanced
    said = {"service": "letsencrypt", "advanced": advanced}
    form = await add(hass, entry, said)
    is_said = advanced["exact_external_port"]
    assert form["errors"] == {"advanced" if is_said else "internal_port": error}
    placeholders = form["description_placeholders"] or {}
    if not advanced["exact_external_port"]:
        assert placeholders["service"] == "Let's Encrypt"
        assert placeholders["port"] == "80"


async def test_a_service_that_takes_any_port_is_not_blamed(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Where a router gives no other one although it may."""
    code = ResultCode.CANNOT_PROVIDE_EXTERNAL
    router.set_personality(replace(PERSONALITIES["rfc"], map_result=code))
    form = await add(hass, entry, UNTOUCHED | {"service": "plex"})
    assert form["errors"] == {"internal_port": "cannot_provide_external"}


# How it ends.


def told(result: SubentryFlowResult) -> tuple[str, Mapping[str, str]]:
    """Return the key of the text at the end, and what it names."""
    key = result.get("description") or result.get("reason")
    return key or "", result["description_placeholders"] or {}


async def test_another_port_than_asked_for_is_told(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Whoever reads only "open" would try the port that he has asked for."""
    await add_forward(hass, "First", 8000, external_port=9000, protocol="udp")
    said = {"name": "Game", "protocol": "udp", "internal_port": 8001}
    key, named = told(
        await add(hass, entry, said | {"advanced": {"external_port": 9000}})
    )
    assert key == "other_port"
    assert named["asked_port"] == "9000"
    [port] = set(external_ports(router)) - {9000}
    assert named["external_address"] == f"{EXTERNAL_ADDRESS}:{port}"


RANGE = {"name": "Range", "protocol": "udp", "internal_port": 2456}


@pytest.mark.parametrize(
    ("taken", "external_port", "key", "ports"),
    [
        (None, 2456, "opened", "2456-2458"),
        (None, 9000, "opened", "9000-9002"),
        (2457, 2456, "other_port", "2456, 2458, 2459"),
    ],
)
async def test_all_ports_are_told(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    router: SimulatedRouter,
    taken: int | None,
    external_port: int,
    key: str,
    ports: str,
) -> None:
    """As a range where they stay together."""
    if taken:
        await add_forward(hass, "First", 8000, protocol="udp", external_port=taken)
    advanced = {"port_count": 3, "external_port": external_port}
    result = await add(hass, entry, RANGE | {"advanced": advanced})
    assert told(result)[0] == key
    assert told(result)[1]["external_address"] == f"{EXTERNAL_ADDRESS}:{ports}"


async def test_two_protocols_with_the_same_ports_are_one_range(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Where TCP and UDP got the same."""
    said = RANGE | {"protocol": "tcp_udp", "advanced": {"port_count": 2}}
    _, named = told(await add(hass, entry, said))
    assert named["external_address"] == f"{EXTERNAL_ADDRESS}:2456-2457"


async def test_a_change_ends_with_the_address(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Under which the forward is reached from now on, where it is open."""
    await add(hass, entry, RANGE)
    [forward_id] = entry.subentries
    form = await change(hass, entry, forward_id)
    said = RANGE | {"advanced": {"external_port": 9000}}
    key, named = told(await submit(hass, form, said))
    assert key == "reconfigure_successful"
    assert named == {"name": "Range", "external_address": f"{EXTERNAL_ADDRESS}:9000"}
    await add_forward(hass, "Taken", 8000, protocol="udp", external_port=9001)
    form = await change(hass, entry, forward_id)
    said = RANGE | {"name": "Moved", "advanced": {"external_port": 9001}}
    key, named = told(await submit(hass, form, said))
    assert named["name"] == "Moved"
    assert named["external_address"] != f"{EXTERNAL_ADDRESS}:9001"
    form = await change(hass, entry, forward_id)
    key, named = told(await submit(hass, form, said | {"name": "Moved again"}))
    assert key == "reconfigure_successful"
    assert named["external_address"].startswith(f"{EXTERNAL_ADDRESS}:")
    await entry.runtime_data.async_close_forward(forward_id)
    form = await change(hass, entry, forward_id)
    key, named = told(await submit(hass, form, said))
    assert key == "reconfigure_successful"
    assert named == {"name": "Moved", "external_address": "–"}
    assert entry.subentries[forward_id].title == "Moved"
