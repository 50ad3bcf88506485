"""The subentry flow proposes services, warns of dangerous ones, and says what came out."""

import asyncio
import socket
from typing import Any

from homeassistant.components.http import ApiConfig
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.pcp.forward import Forward
from custom_components.pcp.listening import async_listens
from custom_components.pcp.proposals import _DANGEROUS, dangers, services
from tests.simulated_router import SimulatedRouter

from .glue import EXTERNAL_ADDRESS, external_ports, schema_of
from .test_forward_flow import GAME, add, change, shown, start, submit

pytest_plugins = ["tests.glue_fixtures"]

# What the form posts where nobody touched it.
UNTOUCHED: dict[str, Any] = {
    "advanced": {
        "exact_external_port": False,
        "ip_version": "ipv4",
        "port_count": 1,
    },
}
ANYWAY = {"next_step_id": "open_anyway"}
BACK = {"next_step_id": "go_back"}


def speak_http(hass: HomeAssistant, *, port: int = 8123, ssl: bool = False) -> None:
    """Let Home Assistant believe that its web server listens there."""
    hass.config.api = ApiConfig("127.0.0.1", "127.0.0.1", port, ssl)


async def test_this_home_assistant_is_proposed_first(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """With the port on which it really listens."""
    speak_http(hass, port=8199)
    form = await start(hass, entry)
    options = schema_of(form).schema["service"].config["options"]
    assert options[0]["label"] == "Home Assistant (TCP 8199)"
    assert {"value": "valheim", "label": "Valheim (UDP 2456-2457)"} in options
    assert {"value": "bittorrent", "label": "BitTorrent (TCP+UDP 6881)"} in options


@pytest.mark.parametrize("key", list(services(None)))
async def test_a_service_is_all_that_has_to_be_said(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter, key: str
) -> None:
    """Name, protocol and ports are the service's."""
    service = services(None)[key]
    result = await add(hass, entry, UNTOUCHED | {"service": key})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [subentry] = entry.subentries.values()
    assert subentry.title == service.name
    assert subentry.data == Forward.parse(service.as_data()).as_data()
    assert set(external_ports(router)) == set(
        range(service.internal_port, service.internal_port + service.port_count)
    )


async def test_what_is_said_counts_more_than_the_service(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Another name and port than usual; the protocol is the service's, or that said."""
    said = {"service": "valheim", "name": "Valhalla", "internal_port": 2500}
    await add(hass, entry, UNTOUCHED | said)
    [subentry] = entry.subentries.values()
    assert subentry.title == "Valhalla"
    assert subentry.data == {"protocol": "udp", "internal_port": 2500}
    said = {"service": "wireguard", "protocol": "tcp_udp"}
    await add(hass, entry, UNTOUCHED | said)
    *_, subentry = entry.subentries.values()
    assert subentry.data == {"protocol": "tcp_udp", "internal_port": 51820}
    said = {"service": "openvpn", "protocol": "tcp"}
    await add(hass, entry, UNTOUCHED | said)
    *_, subentry = entry.subentries.values()
    assert subentry.data == {"internal_port": 1194}


async def test_a_service_for_which_no_other_port_will_do(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """A certificate's issuer asks port 80: another one would be of no use."""
    result = await add(hass, entry, UNTOUCHED | {"service": "letsencrypt"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [forward] = entry.subentries.values()
    assert forward.data["exact_external_port"] is True
    await add(hass, entry, UNTOUCHED | {"service": "https"})
    *_, forward = entry.subentries.values()
    assert not forward.data.get("exact_external_port")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"internal_port": 80}, {"name": "invalid_name"}),
        ({"name": "Door"}, {"internal_port": "invalid_port"}),
        ({}, {"name": "invalid_name", "internal_port": "invalid_port"}),
        (
            {"advanced": {"target_host": "nas"}},
            {
                "advanced": "invalid_address",
                "name": "invalid_name",
                "internal_port": "invalid_port",
            },
        ),
    ],
)
async def test_without_a_service_name_and_port_are_needed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    said: dict[str, Any],
    error: dict[str, str],
) -> None:
    """All that is missing is told at its field, beside what is wrong otherwise."""
    form = await add(hass, entry, UNTOUCHED | said)
    assert form["errors"] == error


async def test_what_is_dangerous_is_asked_twice(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Nothing is opened before the user has seen the warning."""
    form = await add(hass, entry, {"name": "Shares", "internal_port": 445})
    assert form["step_id"] == "dangerous"
    assert form["description_placeholders"] == {"services": "SMB"}
    assert external_ports(router) == []
    assert not entry.subentries
    result = await submit(hass, form, ANYWAY)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert external_ports(router) == [445]


async def test_whoever_is_not_sure_goes_back(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """To the form with all that was typed; nothing is opened or changed."""
    said = UNTOUCHED | {"name": "Shares", "internal_port": 445}
    menu = await add(hass, entry, said)
    assert menu["type"] is FlowResultType.MENU
    assert menu["menu_options"] == ["open_anyway", "go_back"]
    form = await submit(hass, menu, BACK)
    assert (form["step_id"], form["errors"]) == ("user", {})
    assert shown(form) == said
    menu = await submit(hass, form, said)
    assert menu["step_id"] == "dangerous"
    form = await submit(hass, await submit(hass, menu, BACK), GAME)
    assert form["type"] is FlowResultType.CREATE_ENTRY

    [forward_id] = entry.subentries
    form = await change(hass, entry, forward_id)
    form = await submit(hass, await submit(hass, form, said), BACK)
    assert (form["step_id"], form["errors"]) == ("reconfigure", {})
    assert shown(form).items() >= said.items()
    assert external_ports(router) == [8123]


async def test_a_refusal_after_the_warning_leads_back_to_the_form(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """What was accepted is not asked again, another danger is."""
    router.set_personality("refuses_all")
    said = {"name": "Desk", "internal_port": 3389}
    form = await submit(hass, await add(hass, entry, said), ANYWAY)
    assert form["step_id"] == "user"
    assert form["errors"] == {"base": "not_authorized"}
    assert shown(form).items() >= said.items()
    router.set_personality("rfc")
    form = await submit(hass, form, said | {"internal_port": 23})
    assert form["step_id"] == "dangerous"
    form = await submit(hass, form, ANYWAY)
    assert form["type"] is FlowResultType.CREATE_ENTRY


async def test_a_change_to_what_is_dangerous_is_asked_twice(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The forward stays as it is until then."""
    await add(hass, entry, GAME)
    [forward_id] = entry.subentries
    form = await change(hass, entry, forward_id)
    form = await submit(hass, form, GAME | {"internal_port": 3306})
    assert form["step_id"] == "dangerous"
    assert external_ports(router) == [8123]
    result = await submit(hass, form, ANYWAY)
    assert result["reason"] == "reconfigure_successful"
    assert external_ports(router) == [3306]
    # Another name for it is no new danger.
    form = await change(hass, entry, forward_id)
    result = await submit(hass, form, {"name": "Data", "internal_port": 3306})
    assert result["reason"] == "reconfigure_successful"


@pytest.mark.parametrize("choice", [ANYWAY, BACK])
async def test_a_forward_may_go_away_while_somebody_thinks(
    hass: HomeAssistant, entry: MockConfigEntry, choice: dict[str, str]
) -> None:
    """A temporary one removes itself."""
    await add(hass, entry, GAME)
    [forward_id] = entry.subentries
    form = await change(hass, entry, forward_id)
    menu = await submit(hass, form, GAME | {"internal_port": 3306})
    hass.config_entries.async_remove_subentry(entry, forward_id)
    result = await submit(hass, menu, choice)
    assert result["reason"] == "forward_gone"


def test_every_port_of_a_range_is_looked_at() -> None:
    """A danger in the middle counts, one beside the range does not."""
    data = {"name": "Range", "internal_port": 440, "port_count": 6}
    assert list(dangers(Forward.parse(data), None)) == ["SMB"]
    assert list(dangers(Forward.parse(data | {"port_count": 5}), None)) == []


@pytest.mark.parametrize(
    ("port", "tcp", "udp"),
    [
        (21, "FTP", None),
        (22, None, None),
        (23, "Telnet", None),
        (53, "DNS", "DNS"),
        (139, "NetBIOS", None),
        (161, None, "SNMP"),
        (445, "SMB", None),
        (502, "Modbus", None),
        (554, "RTSP", "RTSP"),
        (1883, "MQTT", None),
        (2375, "Docker", None),
        (3306, "MySQL / MariaDB", None),
        (3389, "RDP", "RDP"),
        (5432, "PostgreSQL", None),
        (5901, "VNC", None),
        (6379, "Redis", None),
        (27017, "MongoDB", None),
        (47808, None, "BACnet/IP"),
        (8883, None, None),
        (51820, None, None),
    ],
)
def test_dangers_by_protocol(port: int, tcp: str | None, udp: str | None) -> None:
    """What speaks TCP only is no danger over UDP, and the other way round."""

    def told(protocol: str) -> list[str]:
        data = {"name": "It", "protocol": protocol, "internal_port": port}
        return list(dangers(Forward.parse(data), None))

    assert told("tcp") == ([tcp] if tcp else [])
    assert told("udp") == ([udp] if udp else [])
    assert told("tcp_udp") == list(dict.fromkeys(filter(None, (tcp, udp))))


def test_what_is_proposed_is_not_dangerous() -> None:
    """Nobody is offered what he is then warned of; the table has no slips."""
    for service in services(8123).values():
        assert not dangers(Forward.parse(service.as_data()), None), service
    rows = [(first, last) for first, last, _, _ in _DANGEROUS]
    assert all(0 < first <= last <= 65535 for first, last in rows)
    assert len(set(rows)) == len(rows)


HTTP = {"services": "Home Assistant (http)"}
DOOR: dict[str, Any] = {"name": "Door", "internal_port": 8199}


@pytest.mark.parametrize(
    "said",
    [
        {"service": "home_assistant"},
        DOOR,
        DOOR | {"protocol": "tcp_udp"},
        DOOR | {"internal_port": 8190, "advanced": {"port_count": 10}},
        DOOR | {"advanced": {"external_port": 443}},
    ],
)
async def test_home_assistant_in_the_clear_is_asked_twice(
    hass: HomeAssistant, entry: MockConfigEntry, said: dict[str, Any]
) -> None:
    """Over plain http, however it was said; with https it is added at once."""
    speak_http(hass, port=8199)
    form = await add(hass, entry, said)
    assert form["step_id"] == "plain_http"
    assert form["description_placeholders"] == HTTP
    assert not entry.subentries
    speak_http(hass, port=8199, ssl=True)
    form = await add(hass, entry, said)
    assert form["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "said",
    [
        DOOR | {"protocol": "udp"},
        DOOR | {"internal_port": 8190, "advanced": {"port_count": 9}},
        DOOR | {"internal_port": 8200},
    ],
)
async def test_beside_home_assistants_port_is_not_home_assistant(
    hass: HomeAssistant, entry: MockConfigEntry, said: dict[str, Any]
) -> None:
    """Neither another protocol nor another port."""
    speak_http(hass, port=8199)
    form = await add(hass, entry, said)
    assert form["type"] is FlowResultType.CREATE_ENTRY


def test_another_device_is_not_home_assistant() -> None:
    """Whatever it has at the port of the same number."""
    forward = Forward.parse(DOOR | {"target_host": "192.168.1.20"})
    assert not dangers(forward, 8199)


async def test_a_change_to_home_assistant_in_the_clear_is_asked_twice(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The forward stays as it is until then."""
    speak_http(hass, port=8199)
    await add(hass, entry, GAME)
    [forward_id] = entry.subentries
    form = await change(hass, entry, forward_id)
    form = await submit(hass, form, DOOR)
    assert form["step_id"] == "plain_http"
    assert form["description_placeholders"] == HTTP
    assert external_ports(router) == [8123]
    result = await submit(hass, form, ANYWAY)
    assert result["reason"] == "reconfigure_successful"
    assert external_ports(router) == [8199]


# How it ends.


async def serve(address: str, port: int) -> asyncio.Server:
    """Listen there, and hang up on everybody."""
    return await asyncio.start_server(
        lambda _, writer: writer.close(), address, port, reuse_address=True
    )


def free_port() -> int:
    """Return a port on which nothing listens, on no address of this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_the_end_tells_where_it_is_reached(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """With the external port that the router really gave."""
    said = GAME | {"advanced": {"external_port": 9000}}
    result = await add(hass, entry, said | {"protocol": "udp"})
    assert result["description"] == "opened"
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["name"] == "Game"
    assert placeholders["external_address"] == f"{EXTERNAL_ADDRESS}:9000"


async def test_the_end_tells_that_nothing_listens(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The door is open, but nobody is at home; and then somebody is."""
    port = free_port()
    result = await add(hass, entry, GAME | {"internal_port": port})
    assert result["description"] == "unanswered"
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["internal_port"] == str(port)
    port = free_port()
    server = await serve(placeholders["internal_address"], port)
    async with server:
        result = await add(hass, entry, GAME | {"internal_port": port})
    assert result["description"] == "opened"


async def test_the_end_tells_of_plain_http(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Home Assistant's own port, however it was chosen; with what a browser takes."""
    speak_http(hass, port=8125)
    result = await add(hass, entry, GAME | {"protocol": "udp"})
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    async with await serve(placeholders["internal_address"], 8125):
        form = await add(hass, entry, GAME | {"internal_port": 8125})
        result = await submit(hass, form, ANYWAY)
    assert result["description"] == "plain"
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    assert placeholders["external_address"] == f"http://{EXTERNAL_ADDRESS}:8125"


async def test_what_cannot_be_told_is_not_told(loopback: None) -> None:
    """A host that is silent, or unreachable, may still answer to others."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    forward = Forward.parse(GAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("custom_components.pcp.listening.WAIT", 0.0)
        patch.setattr("asyncio.open_connection", never)
        assert await async_listens(forward, "127.0.0.1") is None

    async def unreachable(*_: object) -> None:
        raise OSError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncio.open_connection", unreachable)
        assert await async_listens(forward, "127.0.0.1") is None
