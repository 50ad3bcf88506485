"""The subentry flow: a forward is defined, tried on the router, and kept if granted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.mapping import Protocol
from custom_components.pcp.const import DOMAIN
from custom_components.pcp.forward import ForwardStatus
from tests.simulated_router import PERSONALITIES, SimulatedRouter

from .glue import (
    EXTERNAL_ADDRESS,
    ROUTER_HOST,
    add_forward,
    external_ports,
    forward_data,
    pcp_entry,
    schema_of,
    set_up,
    state_of,
    until_state,
)

pytest_plugins = ["tests.glue_fixtures"]

GAME = {"name": "Game", "protocol": "tcp", "internal_port": 8123}


async def start(hass: HomeAssistant, entry: MockConfigEntry) -> SubentryFlowResult:
    """Start adding a forward."""
    return await hass.config_entries.subentries.async_init(
        (entry.entry_id, "forward"), context={"source": SOURCE_USER}
    )


async def add(
    hass: HomeAssistant, entry: MockConfigEntry, data: Mapping[str, Any]
) -> SubentryFlowResult:
    """Start adding a forward, and fill in the form."""
    form = await start(hass, entry)
    return await submit(hass, form, data)


async def change(hass: HomeAssistant, entry: MockConfigEntry, forward_id: str) -> Any:
    """Start changing a forward."""
    return await entry.start_subentry_reconfigure_flow(hass, forward_id)


async def submit(
    hass: HomeAssistant, form: SubentryFlowResult, data: Mapping[str, Any]
) -> SubentryFlowResult:
    """Fill in a form that is shown."""
    result = await hass.config_entries.subentries.async_configure(
        form["flow_id"], dict(data)
    )
    await hass.async_block_till_done()
    return result


def shown(form: SubentryFlowResult) -> dict[str, Any]:
    """Return the values that a form shows, and the defaults of the others."""
    return _values(schema_of(form))


def _values(schema: vol.Schema) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, field in schema.schema.items():
        suggested = (key.description or {}).get("suggested_value")
        if isinstance(getattr(field, "schema", None), vol.Schema):
            values[str(key)] = _values(field.schema)
        elif suggested is not None:
            values[str(key)] = suggested
        elif not isinstance(key.default, vol.Undefined):
            values[str(key)] = key.default()
    return values


def is_collapsed(form: SubentryFlowResult) -> bool:
    """Tell whether the section of a form is closed."""
    return bool(schema_of(form).schema["advanced"].options["collapsed"])


# Adding.


async def test_the_form_has_the_contracts_defaults(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Name and port are for the user to say; the protocol is TCP where none is said."""
    form = await start(hass, entry)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert form["errors"] == {}
    assert form["description_placeholders"] == {"router": entry.title}
    assert is_collapsed(form)
    assert shown(form) == {
        "advanced": {
            "exact_external_port": False,
            "ip_version": "ipv4",
            "port_count": 1,
        },
    }
    await submit(hass, form, {"name": "Web", "internal_port": 8080})
    assert [mapping.protocol for mapping in router.mappings()] == [Protocol.TCP]


async def test_a_forward_is_added_open(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Granted: the forward exists, wanted, open."""
    result = await add(hass, entry, {**GAME, "name": " Game "})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [subentry] = entry.subentries.values()
    assert subentry.title == "Game"
    assert subentry.subentry_type == "forward"
    assert subentry.unique_id is None
    assert subentry.data == {"internal_port": 8123}
    assert external_ports(router) == [8123]
    assert state_of(hass, "switch", subentry.subentry_id, "forward") == "on"
    assert state_of(hass, "sensor", subentry.subentry_id, "status") == "open"


async def test_the_section_is_part_of_the_forward(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """What was said in the section is stored and asked for."""
    await add(
        hass,
        entry,
        {
            **GAME,
            "protocol": "tcp_udp",
            "advanced": {
                "external_port": 9000.0,
                "exact_external_port": True,
                "ip_version": "ipv4",
                "port_count": 2.0,
                "allowed_sources": ["198.51.100.7/24"],
            },
        },
    )
    [subentry] = entry.subentries.values()
    assert subentry.data == {
        "protocol": "tcp_udp",
        "internal_port": 8123,
        "external_port": 9000,
        "exact_external_port": True,
        "port_count": 2,
        "allowed_sources": ["198.51.100.0/24"],
    }
    assert external_ports(router) == [9000, 9000, 9001, 9001]


@pytest.mark.parametrize(
    ("data", "where", "error"),
    [
        ({"name": "  "}, "name", "invalid_name"),
        ({"internal_port": 70000}, "internal_port", "invalid_port"),
        ({"internal_port": 0}, "internal_port", "invalid_port"),
        ({"internal_port": 80.5}, "internal_port", "invalid_port"),
        ({"internal_port": 5350}, "internal_port", "invalid_external_port"),
        (
            {"internal_port": 5350, "advanced": {"exact_external_port": True}},
            "advanced",
            "invalid_external_port",
        ),
        ({"advanced": {"external_port": 70000}}, "advanced", "invalid_external_port"),
        ({"advanced": {"external_port": 5351}}, "advanced", "invalid_external_port"),
        ({"advanced": {"port_count": 257}}, "advanced", "invalid_port_count"),
        (
            {"internal_port": 65535, "advanced": {"port_count": 2}},
            "advanced",
            "port_range",
        ),
        ({"advanced": {"target_host": "pc.lan"}}, "advanced", "invalid_address"),
        ({"advanced": {"target_host": "192.168.1.9"}}, "advanced", "third_party_off"),
        (
            {"advanced": {"target_host": "192.168.1.9", "ip_version": "both"}},
            "advanced",
            "both_with_target",
        ),
        (
            {"advanced": {"target_host": "fd00::9", "ip_version": "ipv4"}},
            "advanced",
            "family_mismatch",
        ),
        (
            {"advanced": {"allowed_sources": ["2001:db8::/32"]}},
            "advanced",
            "family_mismatch",
        ),
        ({"advanced": {"ip_version": "ipv6"}}, "advanced", "no_ipv6_server"),
        ({"advanced": {"allowed_sources": ["me"]}}, "advanced", "invalid_network"),
        (
            {"advanced": {"allowed_sources": [f"198.51.100.{n}" for n in range(33)]}},
            "advanced",
            "too_many_sources",
        ),
    ],
)
async def test_what_cannot_be_is_told_where_it_is(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    router: SimulatedRouter,
    data: dict[str, Any],
    where: str,
    error: str,
) -> None:
    """At the field; for the fields of the section there, if it was said there.

    Otherwise at the top: nobody looks into a section that he has not opened. It is open
    where something was said. Nothing is asked of the router, and what was typed is kept.
    """
    await hass.async_block_till_done()
    asked = len(router.requests)
    form = await add(hass, entry, GAME | data)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {where: error}
    assert is_collapsed(form) is ("advanced" not in data)
    typed: dict[str, Any] = dict(GAME | data)
    advanced = typed.pop("advanced", {})
    values = shown(form)
    assert values.items() >= typed.items()
    assert values["advanced"].items() >= advanced.items()
    assert [
        seen
        for seen in router.requests[asked:]
        if isinstance(seen.request, MapRequest) and seen.request.lifetime
    ] == []
    assert not entry.subentries


async def test_a_forward_overlaps_no_other(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """A port of this host belongs to one forward, which is named as it is."""
    await add_forward(hass, "*First* {router}", 8120, port_count=8)
    form = await add(hass, entry, GAME)
    assert form["errors"] == {"internal_port": "overlap"}
    # Errors are no Markdown.
    assert (form["description_placeholders"] or {})["forward"] == "*First* {router}"


async def test_the_family_of_another_host_decides(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> None:
    """Where no IP version is said, it is that of the other host's address."""
    entry = await set_up(hass, pcp_entry(options={"third_party": True}))
    form = await add(hass, entry, GAME | {"advanced": {"target_host": "fd00::9"}})
    assert form["errors"] == {"advanced": "no_ipv6_server"}


@pytest.mark.parametrize(
    ("code", "where", "error", "placeholders"),
    [
        (ResultCode.NOT_AUTHORIZED, "base", "not_authorized", {}),
        (ResultCode.NO_RESOURCES, "base", "no_resources", {}),
        (ResultCode.USER_EX_QUOTA, "base", "quota_exceeded", {}),
        (ResultCode.NETWORK_FAILURE, "base", "network_failure", {}),
        (
            ResultCode.EXCESSIVE_REMOTE_PEERS,
            "base",
            "router_refused",
            {"code": "13 EXCESSIVE_REMOTE_PEERS"},
        ),
    ],
)
async def test_a_refusal_is_told_in_words_and_nothing_is_kept(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    router: SimulatedRouter,
    code: ResultCode,
    where: str,
    error: str,
    placeholders: dict[str, str],
) -> None:
    """Refused: an error in words; nothing is kept, and it may be tried again."""
    router.set_personality(replace(PERSONALITIES["rfc"], map_result=code))
    form = await add(hass, entry, GAME)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {where: error}
    assert form["description_placeholders"] == {"router": entry.title, **placeholders}
    assert shown(form).items() >= GAME.items()
    assert not entry.subentries

    router.set_personality("rfc")
    result = await submit(hass, form, GAME | {"internal_port": 8124})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert external_ports(router) == [8124]


async def test_a_taken_external_port_is_told_at_the_section(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Another port is no good where exactly this one is wanted."""
    await add_forward(hass, "First", 8000, external_port=9000)
    advanced = {"external_port": 9000, "exact_external_port": True}
    form = await add(hass, entry, GAME | {"advanced": advanced})
    assert list(form["errors"] or {}) == ["advanced"]
    assert external_ports(router) == [9000]


@pytest.mark.usefixtures("impatient")
async def test_silence_is_told_and_nothing_is_kept(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """A silent router: the same as a refusal."""
    router.silence()
    form = await add(hass, entry, GAME)
    assert form["errors"] == {"base": "router_silent"}
    assert not entry.subentries


async def test_a_router_that_is_not_loaded_takes_no_forward(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Nobody is there to ask the router."""
    await hass.config_entries.async_unload(entry.entry_id)
    result = await start(hass, entry)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "config_entry_not_loaded"


# Changing.


async def test_a_changed_forward_is_closed_and_opened(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The form shows what is stored; the same forward gets the new ports."""
    forward = await add_forward(hass, internal_port=8123, external_port=9000)
    forward_id = forward["forward_id"]
    form = await change(hass, entry, forward_id)
    assert form["step_id"] == "reconfigure"
    assert not is_collapsed(form)
    assert shown(form) == {
        "name": "Game",
        "protocol": "tcp",
        "internal_port": 8123,
        "advanced": {
            "external_port": 9000,
            "exact_external_port": False,
            "ip_version": "ipv4",
            "port_count": 1,
        },
    }
    result = await submit(
        hass, form, {"name": "Web", "protocol": "udp", "internal_port": 8124}
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert entry.subentries[forward_id].title == "Web"
    assert entry.subentries[forward_id].data == {
        "protocol": "udp",
        "internal_port": 8124,
    }
    assert external_ports(router) == [8124]
    await until_state(hass, "sensor", forward_id, "status", "open")
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, forward_id), entry.entry_id
    )
    assert device is not None
    assert (device.name, device.model) == ("Web", "UDP 8124")


async def test_another_name_leaves_the_door_open(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Nothing is asked of the router for a name."""
    forward = await add_forward(hass)
    asked = len(router.requests)
    form = await change(hass, entry, forward["forward_id"])
    await submit(hass, form, GAME | {"name": "Web"})
    assert entry.subentries[forward["forward_id"]].title == "Web"
    assert len(router.requests) == asked
    assert state_of(hass, "switch", forward["forward_id"], "forward") == "on"


async def test_a_refused_change_leaves_the_forward_as_it_was(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """It is opened again."""
    forward = await add_forward(hass, internal_port=8123)
    router.set_personality("low_ports_refused")
    form = await change(hass, entry, forward["forward_id"])
    form = await submit(hass, form, GAME | {"internal_port": 80})
    assert form["errors"] == {"base": "not_authorized"}
    await until_state(hass, "sensor", forward["forward_id"], "status", "open")
    assert entry.subentries[forward["forward_id"]].data == {"internal_port": 8123}
    assert external_ports(router) == [8123]


async def test_a_closed_forward_is_changed_without_opening(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> None:
    """Promise 1: a change is no wish to open."""
    entry = await set_up(hass, pcp_entry(ROUTER_HOST, forward_data("Game", 8123)))
    [forward_id] = entry.subentries
    form = await change(hass, entry, forward_id)
    result = await submit(hass, form, GAME | {"internal_port": 8124})
    assert result["reason"] == "reconfigure_successful"
    assert entry.subentries[forward_id].data == {"internal_port": 8124}
    assert state_of(hass, "switch", forward_id, "forward") == "off"
    assert external_ports(router) == []


async def test_a_temporary_forward_stays_temporary(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """A form does not say it, so it must not be lost."""
    forward = await add_forward(hass, duration={"hours": 1})
    form = await change(hass, entry, forward["forward_id"])
    await submit(hass, form, GAME | {"internal_port": 8124})
    assert entry.subentries[forward["forward_id"]].data == {
        "internal_port": 8124,
        "temporary": True,
    }


async def test_a_forward_that_is_open_in_part_can_be_renamed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """The address is that of the part which the router has granted."""
    forward_id = (await add_forward(hass))["forward_id"]
    view = entry.runtime_data.data.forwards[forward_id]
    (granted,) = view.mappings
    refused = replace(
        granted, external_address=None, external_port=None, expires_at=None
    )
    pinhole = replace(
        granted, ip_version="ipv6", external_address="2001:db8::2", external_port=8123
    )
    partly = replace(
        view,
        status=ForwardStatus.PARTLY_OPEN,
        mappings=(refused, pinhole),
        external_address="2001:db8::2",
    )
    form = await change(hass, entry, forward_id)
    entry.runtime_data.data.forwards[forward_id] = partly
    result = await submit(hass, form, GAME | {"name": "Web"})
    assert result["description_placeholders"] == {
        "name": "Web",
        "external_address": "[2001:db8::2]:8123",
    }


async def test_a_forward_that_went_away_cannot_be_changed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """A temporary forward may remove itself while its form is shown."""
    forward = await add_forward(hass)
    form = await change(hass, entry, forward["forward_id"])
    hass.config_entries.async_remove_subentry(entry, forward["forward_id"])
    result = await submit(hass, form, GAME)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "forward_gone"


async def test_a_forward_that_goes_away_meanwhile_cannot_be_changed(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """A temporary forward may also remove itself while the router is asked."""
    forward = await add_forward(hass)
    form = await change(hass, entry, forward["forward_id"])

    async def remove(*_: object, **__: object) -> None:
        hass.config_entries.async_remove_subentry(entry, forward["forward_id"])

    with patch.object(entry.runtime_data, "async_try_forward", remove):
        result = await submit(hass, form, GAME | {"internal_port": 8124})
    assert result["reason"] == "forward_gone"


async def test_the_answer_is_where_the_forward_can_be_reached(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Promise 7: the port that was assigned, not the one that was suggested."""
    await add_forward(hass, "First", 8000, external_port=9000)
    second = await add_forward(hass, "Second", 8001, external_port=9000)
    address = state_of(hass, "sensor", second["forward_id"], "external_address")
    assert address == f"{EXTERNAL_ADDRESS}:{second['external_port']}"
    assert second["external_port"] != 9000
