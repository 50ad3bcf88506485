"""The config flow: a router is found or named, probed, and added; nothing opens."""

from dataclasses import replace
from functools import partial
from ipaddress import ip_address
import math
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_SSDP,
    SOURCE_USER,
    ConfigEntryDisabler,
    ConfigFlowResult,
    FlowType,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.selector import TextSelector
from homeassistant.helpers.service_info.ssdp import SsdpServiceInfo
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.client.codec import MapRequest, ResultCode
from custom_components.pcp.client.discovery import (
    FoundServer,
    ProbeOutcome,
    ProbeResult,
    probe,
)
from custom_components.pcp.client.routes import Gateway
from custom_components.pcp.const import DOMAIN
from tests.simulated_router import PERSONALITIES, Personality, SimulatedRouter

from .glue import (
    MAC,
    NOBODY,
    OTHER_HOST,
    OTHER_MAC,
    ROUTER_HOST,
    add_forward,
    external_ports,
    pcp_entry,
    schema_of,
    set_up,
    until_state,
    with_mac,
)

pytest_plugins = ["tests.glue_fixtures"]
pytestmark = pytest.mark.usefixtures("quiet", "unload")

REFUSING = replace(
    PERSONALITIES["rfc"],
    map_result=ResultCode.NOT_AUTHORIZED,
    delete_of_nothing=ResultCode.NOT_AUTHORIZED,
)
UDN = "uuid:11111111-2222-3333-4444-555555555555"


def gateway(**changes: Any) -> SsdpServiceInfo:
    """Return what an Internet gateway says of itself."""
    info: dict[str, Any] = {
        "ssdp_usn": f"{UDN}::urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "ssdp_st": "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "ssdp_location": f"http://{ROUTER_HOST}:49000/igddesc.xml",
        "ssdp_udn": UDN,
        "upnp": {"friendlyName": "Box 7590"},
    }
    return SsdpServiceInfo(**info | changes)


def found(address: str, interface: str) -> FoundServer:
    """Return a default router that answered."""
    server = ip_address(address)
    return FoundServer(
        gateway=Gateway(
            address=server, interface=interface, interface_index=2, metric=100
        ),
        mac=None,
        result=ProbeResult(outcome=ProbeOutcome.PCP, server=server),
    )


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    """Start adding a router."""
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )


async def name_host(hass: HomeAssistant, host: str) -> ConfigFlowResult:
    """Start adding a router, and name its host."""
    form = await start(hass)
    return await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": host}
    )


async def discover(hass: HomeAssistant, **changes: Any) -> ConfigFlowResult:
    """See an Internet gateway."""
    return await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_SSDP}, data=gateway(**changes)
    )


def maps_asked(router: SimulatedRouter) -> list[int]:
    """Return the lifetimes of all mappings that a router was asked for."""
    return [
        seen.request.lifetime
        for seen in router.requests
        if seen.request and isinstance(seen.request, MapRequest)
    ]


# The user names a router.


async def test_servers_that_answered_are_offered(hass: HomeAssistant) -> None:
    """The best one is the default, each is offered once, and others can be typed."""
    servers = [
        found("192.168.1.1", "eth0"),
        found("192.168.1.1", "wlan0"),
        found("fe80::1%eth0", "eth0"),
    ]
    with patch("custom_components.pcp.config_flow.find_servers", return_value=servers):
        form = await start(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert form["errors"] == {}
    [(field, select)] = schema_of(form).schema.items()
    assert field == "host"
    assert field.default() == "192.168.1.1"
    assert select.config["options"] == ["192.168.1.1", "fe80::1%eth0"]
    assert select.config["custom_value"] is True


async def test_a_text_is_asked_for_where_nothing_was_found(hass: HomeAssistant) -> None:
    """A list with nothing in it is no help."""
    form = await start(hass)
    [(field, text)] = schema_of(form).schema.items()
    assert field == "host"
    assert isinstance(text, TextSelector)


async def test_adding_a_router_opens_nothing(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """Promise 1: the entry is there, with no forward, and every port is closed."""
    result = await name_host(hass, ROUTER_HOST)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == f"Router ({ROUTER_HOST})"
    assert result["data"] == {"host": ROUTER_HOST}
    assert result["result"].unique_id is None
    assert result["result"].subentries == {}
    assert set(maps_asked(router)) <= {0}
    assert external_ports(router) == []


async def test_the_first_forward_is_offered(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """A new router's next step is a form, not a forward."""
    result = await name_host(hass, ROUTER_HOST)
    flow_type, flow_id = result["next_flow"]
    assert flow_type is FlowType.CONFIG_SUBENTRIES_FLOW
    form = hass.config_entries.subentries.async_get(flow_id)
    assert form["step_id"] == "user"
    assert form["handler"] == (result["result"].entry_id, "forward")


async def test_a_router_is_known_by_its_mac(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """The MAC address from the neighbour table is the entry's identity."""
    with with_mac({ROUTER_HOST: MAC}):
        result = await name_host(hass, f" {ROUTER_HOST} ")
    assert result["result"].unique_id == MAC
    assert result["data"] == {"host": ROUTER_HOST, "mac": MAC}


async def test_a_router_with_nat_pmp_only_is_taken(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """RFC 6886: a router may speak the older protocol alone."""
    router.set_personality("nat_pmp_only")
    result = await name_host(hass, ROUTER_HOST)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("personality", "error"),
    [
        ("silent", "cannot_connect"),
        ("closed", "not_supported"),
        (REFUSING, "not_authorized"),
        ("bridged_docker", "address_mismatch"),
    ],
)
async def test_a_router_that_does_not_serve_is_explained(
    hass: HomeAssistant,
    router: SimulatedRouter,
    personality: str | Personality,
    error: str,
) -> None:
    """What is wrong is told, what was typed is kept, and it works once mended."""
    router.set_personality(personality)
    with patch("custom_components.pcp.router.probe", partial(probe, wait=0.6)):
        form = await name_host(hass, ROUTER_HOST)
    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"base": error}
    [field] = schema_of(form).schema
    assert field.description == {"suggested_value": ROUTER_HOST}

    router.set_personality("rfc")
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": ROUTER_HOST}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("host", ["256.1.1.1", "fe80::1", ""])
async def test_what_is_no_host_is_told_at_the_field(
    hass: HomeAssistant, host: str
) -> None:
    """Nothing is sent for what cannot be a router."""
    with patch("custom_components.pcp.router.probe") as probing:
        form = await name_host(hass, host)
    assert form["errors"] == {"host": "invalid_host"}
    probing.assert_not_called()


async def test_a_name_is_tried_at_each_of_its_addresses(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """A name stays a name, and the address that answers gives the MAC."""
    addresses = (ip_address(NOBODY), ip_address(ROUTER_HOST))
    with (
        patch("custom_components.pcp.router.async_resolve", return_value=addresses),
        patch("custom_components.pcp.servers.async_resolve", return_value=addresses),
        with_mac({ROUTER_HOST: MAC}),
    ):
        result = await name_host(hass, "Router.lan")
        await hass.async_block_till_done(wait_background_tasks=True)
    assert result["data"] == {"host": "router.lan", "mac": MAC}


async def test_of_a_names_addresses_the_first_explains(hass: HomeAssistant) -> None:
    """The other IP version often does not lead to the router at all."""
    addresses = (ip_address(NOBODY), ip_address("2001:db8::1"))
    results = [
        ProbeResult(outcome=outcome, server=address)
        for outcome, address in zip(
            (ProbeOutcome.NOT_AUTHORIZED, ProbeOutcome.UNREACHABLE),
            addresses,
            strict=True,
        )
    ]
    with (
        patch("custom_components.pcp.router.async_resolve", return_value=addresses),
        patch("custom_components.pcp.router.probe", side_effect=results),
    ):
        form = await name_host(hass, "router.lan")
    assert form["errors"] == {"base": "not_authorized"}


@pytest.mark.parametrize(
    ("data", "macs"),
    [
        ({"host": ROUTER_HOST}, {}),
        ({"host": ROUTER_HOST, "mac": OTHER_MAC}, {ROUTER_HOST: MAC}),
        ({"host": "router.lan", "mac": MAC}, {ROUTER_HOST: MAC}),
    ],
)
async def test_a_router_is_added_once(
    hass: HomeAssistant,
    router: SimulatedRouter,
    data: dict[str, str],
    macs: dict[str, str],
) -> None:
    """The same host, or the same MAC elsewhere, is the same router."""
    pcp_entry(data=data).add_to_hass(hass)
    with with_mac(macs):
        result = await name_host(hass, ROUTER_HOST)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_a_new_router_at_the_same_host_is_the_same_entry(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """The id of the entry becomes the new MAC."""
    entry = pcp_entry(data={"mac": OTHER_MAC}, unique_id=OTHER_MAC)
    entry.add_to_hass(hass)
    with with_mac({ROUTER_HOST: MAC}):
        await name_host(hass, ROUTER_HOST)
    assert entry.unique_id == MAC
    assert entry.data == {"host": ROUTER_HOST, "mac": MAC}


async def test_an_ignored_router_can_be_added_by_hand(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """Ignoring is about discovery only."""
    pcp_entry(data={}, unique_id=MAC, source=SOURCE_IGNORE).add_to_hass(hass)
    with with_mac({ROUTER_HOST: MAC}):
        result = await name_host(hass, ROUTER_HOST)
    assert result["type"] is FlowResultType.CREATE_ENTRY


# A router is discovered.


async def test_a_discovered_router_is_added_when_confirmed(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """Promise 1: discovery asks, confirming adds, and every port stays closed."""
    with with_mac({ROUTER_HOST: MAC}):
        form = await discover(hass)
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "discovery_confirm"
    name = f"Box 7590 ({ROUTER_HOST})"
    assert form["description_placeholders"] == {"name": name}
    [progress] = hass.config_entries.flow.async_progress()
    assert progress["context"]["title_placeholders"] == {"name": name}
    assert not hass.config_entries.async_entries(DOMAIN)

    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    # Its address may change, and would be in the name of every entity.
    assert result["title"] == "Box 7590"
    assert result["data"] == {"host": ROUTER_HOST, "mac": MAC, "udn": UDN}
    assert result["result"].unique_id == MAC
    assert set(maps_asked(router)) <= {0}
    assert external_ports(router) == []


@pytest.mark.parametrize(
    ("friendly_name", "title"),
    [
        ("Box\n7590\a", "Box 7590"),
        ("x" * 1_000_000, "x" * 100),
        ("\N{ZERO WIDTH SPACE}", f"Router ({ROUTER_HOST})"),
        (None, f"Router ({ROUTER_HOST})"),
    ],
    ids=["two lines", "huge", "nothing to see", "nothing"],
)
async def test_what_a_router_calls_itself(
    hass: HomeAssistant,
    router: SimulatedRouter,
    friendly_name: str | None,
    title: str,
) -> None:
    """Anybody in the network may say anything: it becomes one line of text."""
    form = await discover(hass, upnp={"friendlyName": friendly_name})
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    assert result["title"] == title


async def test_a_discovered_router_without_a_mac_is_known_by_its_udn(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """The UDN is the second best identity; a router needs no friendly name."""
    form = await discover(hass, upnp={})
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    assert result["title"] == f"Router ({ROUTER_HOST})"
    assert result["result"].unique_id == UDN


async def test_a_router_added_by_hand_meanwhile_is_not_added_twice(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """The card may be shown for days."""
    form = await discover(hass)
    await name_host(hass, ROUTER_HOST)
    await hass.async_block_till_done()
    result = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


@pytest.mark.parametrize(
    ("personality", "reason"),
    [
        ("silent", "cannot_connect"),
        ("closed", "not_supported"),
        (REFUSING, "not_authorized"),
        ("bridged_docker", "address_mismatch"),
    ],
)
async def test_a_gateway_that_does_not_serve_is_passed_over(
    hass: HomeAssistant,
    router: SimulatedRouter,
    personality: str | Personality,
    reason: str,
) -> None:
    """No card is shown for a gateway that cannot be added."""
    router.set_personality(personality)
    with patch("custom_components.pcp.router.probe", partial(probe, wait=0.6)):
        result = await discover(hass)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason
    assert hass.config_entries.flow.async_progress() == []


@pytest.mark.parametrize(
    "location", [None, "", "http://[fe80::zz/", "http://[fe80::1%25nosuch]:80/"]
)
async def test_a_gateway_without_a_host_is_passed_over(
    hass: HomeAssistant, location: str | None
) -> None:
    """What anybody on the network may say need not make sense."""
    result = await discover(hass, ssdp_location=location)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "invalid_host"


async def test_one_card_for_all_announcements_of_a_gateway(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """A gateway announces several devices and services."""
    await discover(hass)
    again = await discover(hass, ssdp_st="urn:x:device:InternetGatewayDevice:2")
    assert again["type"] is FlowResultType.ABORT
    assert again["reason"] == "already_in_progress"


@pytest.mark.parametrize("ignored", [MAC, UDN])
async def test_an_ignored_router_is_not_shown_again(
    hass: HomeAssistant, router: SimulatedRouter, ignored: str
) -> None:
    """Whichever identity was known when it was ignored."""
    pcp_entry(data={}, unique_id=ignored, source=SOURCE_IGNORE).add_to_hass(hass)
    with with_mac({ROUTER_HOST: MAC}):
        result = await discover(hass)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_ignoring_offers_no_forward(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """An ignored router has no next step."""
    await discover(hass)
    result = await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": UDN, "title": "Box"},
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "next_flow" not in result


@pytest.mark.parametrize(
    ("data", "unique_id"),
    [
        ({"host": OTHER_HOST, "mac": MAC}, MAC),
        ({"host": OTHER_HOST, "udn": UDN}, UDN),
    ],
)
async def test_a_router_that_moved_is_followed(
    hass: HomeAssistant,
    router: SimulatedRouter,
    data: dict[str, str],
    unique_id: str,
) -> None:
    """The same router at a new address: the entry's host is updated."""
    entry = pcp_entry(data=data, unique_id=unique_id)
    entry.add_to_hass(hass)
    with with_mac({ROUTER_HOST: MAC}):
        result = await discover(hass)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data["host"] == ROUTER_HOST
    assert entry.unique_id == MAC


async def test_a_router_that_moved_is_asked_at_its_new_address(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """Loaded, it needs no reload: what is wanted opens there."""
    entry = await set_up(hass, pcp_entry(NOBODY, data={"mac": MAC}, unique_id=MAC))
    with with_mac({ROUTER_HOST: MAC}):
        await discover(hass)
    await until_state(hass, "binary_sensor", entry.entry_id, "reachable", "on")
    assert entry.data["host"] == ROUTER_HOST
    await add_forward(hass, internal_port=8123)
    assert external_ports(router) == [8123]


async def test_a_router_that_answers_is_not_left_for_its_other_address(
    hass: HomeAssistant, router: SimulatedRouter, other_router: SimulatedRouter
) -> None:
    """A router may be announced at an address in each of its networks."""
    entry = await set_up(hass, pcp_entry(OTHER_HOST, data={"mac": MAC}, unique_id=MAC))
    await add_forward(hass)
    with with_mac({ROUTER_HOST: MAC}):
        result = await discover(hass)
    assert result["reason"] == "already_configured"
    assert entry.data["host"] == OTHER_HOST


@pytest.mark.parametrize("host", ["router.lan", "fd00::1"])
async def test_a_name_or_an_ipv6_host_is_not_replaced_by_an_ipv4_address(
    hass: HomeAssistant, router: SimulatedRouter, host: str
) -> None:
    """A name follows by itself; the other IP version says nothing of this one."""
    entry = pcp_entry(data={"host": host, "mac": MAC}, unique_id=MAC)
    entry.add_to_hass(hass)
    with with_mac({ROUTER_HOST: MAC}):
        await discover(hass)
    assert entry.data["host"] == host


async def test_a_forged_udn_does_not_stand_against_a_mac(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """Promise 8: whoever says the UDN of a known router is another one still."""
    known = {"host": OTHER_HOST, "mac": OTHER_MAC, "udn": UDN}
    entry = pcp_entry(data=known, unique_id=OTHER_MAC)
    entry.add_to_hass(hass)
    with with_mac({ROUTER_HOST: MAC}):
        form = await discover(hass)
    assert form["step_id"] == "discovery_confirm"
    assert entry.data == known


# A router is changed.


async def test_changing_the_host_closes_on_the_old_router_first(
    hass: HomeAssistant, router: SimulatedRouter, other_router: SimulatedRouter
) -> None:
    """What was open there is open here afterwards."""
    entry = await set_up(hass, pcp_entry(title=f"Router ({ROUTER_HOST})"))
    forward = await add_forward(hass, internal_port=8123)
    form = await entry.start_reconfigure_flow(hass)
    assert form["step_id"] == "reconfigure"
    assert form["description_placeholders"] == {"name": entry.title}
    [field] = schema_of(form).schema
    assert field.description == {"suggested_value": ROUTER_HOST}

    with with_mac({OTHER_HOST: MAC}):
        result = await hass.config_entries.flow.async_configure(
            form["flow_id"], {"host": OTHER_HOST}
        )
    assert external_ports(router) == []
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {"host": OTHER_HOST, "mac": MAC}
    assert entry.unique_id == MAC
    assert entry.title == f"Router ({OTHER_HOST})"
    await until_state(hass, "sensor", forward["forward_id"], "status", "open")
    assert external_ports(other_router) == [8123]


async def test_naming_the_same_host_again_disturbs_nothing(
    hass: HomeAssistant, router: SimulatedRouter
) -> None:
    """The entry keeps its title and what it knows of the router."""
    known = {"host": ROUTER_HOST, "mac": MAC, "udn": UDN}
    entry = await set_up(hass, pcp_entry(title="Mine", data=known, unique_id=MAC))
    await add_forward(hass)
    deletes = maps_asked(router).count(0)
    form = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": ROUTER_HOST}
    )
    await hass.async_block_till_done()
    assert entry.title == "Mine"
    assert entry.data == known
    assert entry.unique_id == MAC
    # The probe asks for one deletion of nothing.
    assert maps_asked(router).count(0) == deletes + 1


async def test_a_host_that_does_not_serve_changes_nothing(
    hass: HomeAssistant, router: SimulatedRouter, other_router: SimulatedRouter
) -> None:
    """The form is shown again, and the old router is kept until one answers."""
    entry = await set_up(hass, pcp_entry())
    other_router.set_personality("closed")
    form = await entry.start_reconfigure_flow(hass)
    form = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": OTHER_HOST}
    )
    assert form["errors"] == {"base": "not_supported"}
    assert entry.data == {"host": ROUTER_HOST}

    other_router.set_personality("rfc")
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": OTHER_HOST}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_another_entrys_router_cannot_be_taken(
    hass: HomeAssistant, router: SimulatedRouter, other_router: SimulatedRouter
) -> None:
    """Two entries for one router would work against each other."""
    entry = await set_up(hass, pcp_entry())
    pcp_entry(OTHER_HOST).add_to_hass(hass)
    form = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": OTHER_HOST}
    )
    assert result["reason"] == "already_configured"
    assert entry.data == {"host": ROUTER_HOST}


async def test_a_disabled_router_can_be_changed(
    hass: HomeAssistant, other_router: SimulatedRouter
) -> None:
    """Nothing is open there, so nothing has to be closed first."""
    entry = pcp_entry(disabled_by=ConfigEntryDisabler.USER)
    entry.add_to_hass(hass)
    form = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"host": OTHER_HOST}
    )
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {"host": OTHER_HOST}


# Options.


async def test_options_have_their_defaults_and_are_stored(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Seconds are whole, and what is stored is shown the next time."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert form["step_id"] == "init"
    assert schema_of(form)({}) == {
        "lease_time": 3600,
        "third_party": False,
        "anycast": False,
    }
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], {"lease_time": 600.0, "third_party": True, "anycast": False}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {"lease_time": 600, "third_party": True, "anycast": False}
    assert type(entry.options["lease_time"]) is int

    form = await hass.config_entries.options.async_init(entry.entry_id)
    shown = {str(key): key.description for key in schema_of(form).schema}
    assert shown["lease_time"] == {"suggested_value": 600}
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "lease_time", [119, 86401, 600.5, -1, 1e30, math.nan, math.inf]
)
async def test_lease_time_has_bounds(
    hass: HomeAssistant, entry: MockConfigEntry, lease_time: float
) -> None:
    """120 to 86400 whole seconds; anything else is told at the field, and kept there."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(
        form["flow_id"],
        {"lease_time": lease_time, "third_party": True, "anycast": False},
    )
    assert form["errors"] == {"lease_time": "invalid_lease_time"}
    shown = {str(key): key.description for key in schema_of(form).schema}
    assert shown["third_party"] == {"suggested_value": True}
    assert dict(entry.options) == {}
