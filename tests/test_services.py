"""The actions, with routers on loopback."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
    UnknownUser,
)
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.const import DOMAIN
from tests.simulated_router import PERSONALITIES, SimulatedRouter

from .glue import (
    EXTERNAL_ADDRESS,
    OTHER_HOST,
    ROUTER_HOST,
    add_forward,
    entity_id,
    external_ports,
    forward_data,
    pcp_entry,
    set_up,
    state_of,
)

pytest_plugins = ["tests.glue_fixtures"]


async def act(
    hass: HomeAssistant,
    action: str,
    data: dict[str, Any] | None = None,
    *,
    context: Context | None = None,
) -> Any:
    """Call an action and return its answer."""
    response = await hass.services.async_call(
        DOMAIN,
        action,
        data or {},
        blocking=True,
        return_response=action != "remove_forward",
        context=context,
    )
    await hass.async_block_till_done()
    return response


async def refused(
    hass: HomeAssistant, action: str, data: dict[str, Any]
) -> tuple[str | None, dict[str, str] | None]:
    """Call an action with bad input; return the key of the error, and what it names."""
    with pytest.raises(ServiceValidationError) as caught:
        await act(hass, action, data)
    assert caught.value.translation_domain == DOMAIN
    return caught.value.translation_key, caught.value.translation_placeholders


@pytest.fixture
async def two_entries(
    hass: HomeAssistant,
    router: SimulatedRouter,
    other_router: SimulatedRouter,
    unload: None,
) -> tuple[MockConfigEntry, MockConfigEntry]:
    """Two loaded routers."""
    return (
        await set_up(hass, pcp_entry(title="First")),
        await set_up(hass, pcp_entry(OTHER_HOST, title="Second")),
    )


# pcp.add_forward


async def test_add_answers_with_the_forward(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The contract's answer, whole; the switch is there already."""
    response: Any = await hass.services.async_call(
        DOMAIN,
        "add_forward",
        {"name": "Game", "internal_port": 8123, "external_port": 9000},
        blocking=True,
        return_response=True,
    )
    [forward_id] = entry.subentries
    [mapping] = response["mappings"]
    assert 3590 <= mapping["lifetime"] <= 3600
    expires_at = dt_util.parse_datetime(mapping["expires_at"], raise_on_error=True)
    assert expires_at.utcoffset() == timedelta(0)
    [held] = router.mappings()
    assert response == {
        "forward_id": forward_id,
        "config_entry_id": entry.entry_id,
        "entity_id": entity_id(hass, "switch", forward_id, "forward"),
        "name": "Game",
        "wanted": True,
        "status": "open",
        "external_address": EXTERNAL_ADDRESS,
        "external_port": 9000,
        "closes_at": None,
        "mappings": [
            {
                "protocol": "tcp",
                "ip_version": "ipv4",
                "internal_address": str(held.internal_address),
                "internal_port": 8123,
                "external_address": EXTERNAL_ADDRESS,
                "external_port": 9000,
                "lifetime": mapping["lifetime"],
                "expires_at": mapping["expires_at"],
            }
        ],
    }
    assert hass.states.is_state(response["entity_id"], "on")


async def test_add_takes_all_of_a_forward(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The same fields as the form, and the mappings in the contract's order."""
    forward = await add_forward(
        hass,
        protocol="tcp_udp",
        external_port="9000",
        exact_external_port=True,
        ip_version="ipv4",
        port_count=2,
        allowed_sources="198.51.100.0/24",
    )
    assert [(m["protocol"], m["external_port"]) for m in forward["mappings"]] == [
        ("tcp", 9000),
        ("tcp", 9001),
        ("udp", 9000),
        ("udp", 9001),
    ]
    assert entry.subentries[forward["forward_id"]].data["allowed_sources"] == [
        "198.51.100.0/24"
    ]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"internal_port": 80}, "invalid_name"),
        ({"name": "Game"}, "invalid_port"),
        ({"name": "", "internal_port": 80}, "invalid_name"),
        ({"name": "Game", "internal_port": 70000}, "invalid_port"),
        ({"name": "Game", "internal_port": "http"}, "invalid_port"),
        ({"name": "Game", "internal_port": 80, "protocol": "x"}, "invalid_protocol"),
        (
            {"name": "Game", "internal_port": 80, "external_port": 5350},
            "invalid_external_port",
        ),
        (
            {"name": "Game", "internal_port": 80, "target_host": "192.168.1.9"},
            "third_party_off",
        ),
        ({"name": "Game", "internal_port": 80, "duration": 9}, "invalid_duration"),
        ({"name": "Game", "internal_port": 80, "duration": "x"}, "invalid_duration"),
        ({"name": "Game", "internal_port": 80, "duration": 1e300}, "invalid_duration"),
        (
            {"name": "Game", "internal_port": 80, "duration": {"days": 31}},
            "invalid_duration",
        ),
    ],
)
async def test_add_explains_bad_input(
    hass: HomeAssistant, entry: MockConfigEntry, data: dict[str, Any], key: str
) -> None:
    """In the same words as the form; nothing is kept."""
    assert await refused(hass, "add_forward", data) == (key, {})
    assert not entry.subentries


async def test_add_explains_an_overlap(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """It names the other forward, and never ends in an aborted flow."""
    await add_forward(hass, "First")
    data = {"name": "Second", "internal_port": 8123}
    named = {"forward": "First"}
    assert await refused(hass, "add_forward", data) == ("overlap", named)
    assert len(entry.subentries) == 1


@pytest.mark.parametrize(
    ("code", "key", "placeholders"),
    [
        (ResultCode.NOT_AUTHORIZED, "not_authorized", None),
        (ResultCode.NO_RESOURCES, "no_resources", None),
        (
            ResultCode.EXCESSIVE_REMOTE_PEERS,
            "router_refused",
            {"code": "13 EXCESSIVE_REMOTE_PEERS"},
        ),
    ],
)
async def test_add_explains_a_refusal(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    router: SimulatedRouter,
    code: ResultCode,
    key: str,
    placeholders: dict[str, str] | None,
) -> None:
    """Refused: an error in words; nothing kept. It was no bad input."""
    router.set_personality(replace(PERSONALITIES["rfc"], map_result=code))
    with pytest.raises(HomeAssistantError) as caught:
        await add_forward(hass)
    assert not isinstance(caught.value, ServiceValidationError)
    assert caught.value.translation_domain == DOMAIN
    assert caught.value.translation_key == key
    assert caught.value.translation_placeholders == placeholders
    assert not entry.subentries


@pytest.mark.usefixtures("impatient")
async def test_add_explains_silence(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Silent: the same."""
    router.silence()
    with pytest.raises(HomeAssistantError) as caught:
        await add_forward(hass)
    assert caught.value.translation_key == "router_silent"
    assert not entry.subentries


async def test_add_needs_to_know_which_router(
    hass: HomeAssistant,
    two_entries: tuple[MockConfigEntry, MockConfigEntry],
    other_router: SimulatedRouter,
) -> None:
    """With several loaded, the entry must be named."""
    data = {"name": "Game", "internal_port": 8123}
    assert await refused(hass, "add_forward", data) == ("several_routers", {})
    _, second = two_entries
    forward = await add_forward(hass, config_entry_id=second.entry_id)
    assert forward["config_entry_id"] == second.entry_id
    assert external_ports(other_router) == [8123]


async def test_the_only_loaded_router_is_meant(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """A disabled one beside it is no reason to ask."""
    pcp_entry(OTHER_HOST, disabled_by=ConfigEntryDisabler.USER).add_to_hass(hass)
    assert (await add_forward(hass))["config_entry_id"] == entry.entry_id


async def test_a_router_must_be_there_and_loaded(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Unknown, of another integration, not loaded, none at all."""
    stranger = MockConfigEntry(domain="other")
    stranger.add_to_hass(hass)
    data = {"name": "Game", "internal_port": 8123}
    entry_ids: list[Any] = ["nonsense", stranger.entry_id, [], {}]
    for entry_id in entry_ids:
        assert await refused(
            hass, "add_forward", data | {"config_entry_id": entry_id}
        ) == ("unknown_router", {"config_entry_id": str(entry_id)})

    await hass.config_entries.async_unload(entry.entry_id)
    not_loaded = ("not_loaded", {"router": entry.title})
    named = data | {"config_entry_id": entry.entry_id}
    assert await refused(hass, "add_forward", named) == not_loaded
    assert await refused(hass, "add_forward", data) == not_loaded

    await hass.config_entries.async_remove(entry.entry_id)
    assert await refused(hass, "add_forward", data) == ("no_router", {})


async def test_a_forward_with_a_duration_removes_itself_when_switched_off(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Temporary forwards leave nothing behind, also when switched off by hand."""
    before = dt_util.utcnow()
    forward = await add_forward(hass, duration="01:00:00")
    closes_at = dt_util.parse_datetime(forward["closes_at"], raise_on_error=True)
    assert abs(closes_at - before - timedelta(hours=1)) < timedelta(minutes=1)
    await hass.services.async_call(
        "switch", "turn_off", {"entity_id": forward["entity_id"]}, blocking=True
    )
    await hass.async_block_till_done()
    assert not entry.subentries
    assert hass.states.get(forward["entity_id"]) is None
    assert external_ports(router) == []


# pcp.remove_forward


@pytest.mark.parametrize("field", ["forward_id", "name"])
async def test_remove_closes_and_removes(
    hass: HomeAssistant, entry: MockConfigEntry, router: SimulatedRouter, field: str
) -> None:
    """By its id or by its name; its entities go with it."""
    forward = await add_forward(hass)
    await act(hass, "remove_forward", {field: forward[field]})
    assert not entry.subentries
    assert external_ports(router) == []
    assert hass.states.get(forward["entity_id"]) is None


async def test_remove_needs_to_know_which_forward(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Neither, both, unknown."""
    forward = await add_forward(hass)
    both = {"forward_id": forward["forward_id"], "name": "Game"}
    for data in ({}, both):
        assert await refused(hass, "remove_forward", data) == ("forward_or_name", {})
    for data in ({"forward_id": "nonsense"}, {"name": "nonsense"}):
        assert await refused(hass, "remove_forward", data) == (
            "unknown_forward",
            {"forward": "nonsense"},
        )
    # An error does not say a megabyte again.
    _, told = await refused(hass, "remove_forward", {"name": "x" * 1_000_000})
    assert told == {"forward": "x" * 99 + "…"}
    assert list(entry.subentries) == [forward["forward_id"]]


async def test_remove_takes_no_ambiguous_name(
    hass: HomeAssistant, two_entries: tuple[MockConfigEntry, MockConfigEntry]
) -> None:
    """The router decides between two forwards of one name."""
    first, second = two_entries
    for router in two_entries:
        await add_forward(hass, config_entry_id=router.entry_id)
    assert await refused(hass, "remove_forward", {"name": "Game"}) == (
        "ambiguous_name",
        {"name": "Game"},
    )
    await act(
        hass, "remove_forward", {"name": "Game", "config_entry_id": second.entry_id}
    )
    assert len(first.subentries) == 1
    assert not second.subentries


async def test_remove_needs_a_loaded_router(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Nobody is there to close the forward."""
    forward = await add_forward(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    assert await refused(
        hass, "remove_forward", {"forward_id": forward["forward_id"]}
    ) == ("not_loaded", {"router": entry.title})


# pcp.open_forward


@pytest.fixture
async def closed(
    hass: HomeAssistant, router: SimulatedRouter, unload: None
) -> MockConfigEntry:
    """A loaded router with two closed forwards, Game and Web."""
    return await set_up(
        hass,
        pcp_entry(ROUTER_HOST, forward_data("Game", 8001), forward_data("Web", 8002)),
    )


async def test_open_answers_for_each_switch(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """All are opened at the same time."""
    switches = ["switch.game", "switch.web"]
    response = await act(hass, "open_forward", {"entity_id": switches})
    assert list(response) == switches
    assert [forward["status"] for forward in response.values()] == ["open", "open"]
    assert [forward["entity_id"] for forward in response.values()] == switches
    assert response["switch.game"]["closes_at"] is None
    assert external_ports(router) == [8001, 8002]


async def test_open_for_a_while(hass: HomeAssistant, closed: MockConfigEntry) -> None:
    """Opening again replaces the end; a forward that was not temporary stays."""
    for duration in ({"minutes": 10}, 7200):
        response = await act(
            hass, "open_forward", {"entity_id": "switch.game", "duration": duration}
        )
    closes_at = dt_util.parse_datetime(
        response["switch.game"]["closes_at"], raise_on_error=True
    )
    left = closes_at - dt_util.utcnow()
    assert timedelta(minutes=119) < left <= timedelta(minutes=121)
    [game, _] = closed.subentries
    assert state_of(hass, "sensor", game, "closes_at") == closes_at.isoformat()


async def test_open_takes_devices_areas_and_all(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """What else is in an area or on a device is passed over."""
    devices = dr.async_get(hass)
    game, web = (
        devices.async_get_device_by_identifier((DOMAIN, forward_id), closed.entry_id)
        for forward_id in closed.subentries
    )
    assert game is not None
    assert web is not None
    response = await act(hass, "open_forward", {"device_id": game.id})
    assert list(response) == ["switch.game"]

    area = ar.async_get(hass).async_create("Hall")
    devices.async_update_device(web.id, area_id=area.id)
    response = await act(hass, "open_forward", {"area_id": area.id})
    assert list(response) == ["switch.web"]

    response = await act(hass, "open_forward", {"entity_id": "all"})
    assert list(response) == ["switch.game", "switch.web"]


async def test_open_takes_forwards_only(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """What is named must be the switch of a forward, enabled and loaded."""
    status = entity_id(hass, "sensor", next(iter(closed.subentries)), "status")
    for stranger in (status, "switch.nonsense", "light.hall"):
        assert await refused(hass, "open_forward", {"entity_id": stranger}) == (
            "not_a_forward",
            {"entity_id": stranger},
        )
    assert await refused(hass, "open_forward", {"area_id": "nowhere"}) == (
        "no_forward_targeted",
        {},
    )
    with pytest.raises(vol.Invalid):
        await act(hass, "open_forward", {})

    er.async_get(hass).async_update_entity(
        "switch.web", disabled_by=er.RegistryEntryDisabler.USER
    )
    await hass.async_block_till_done()
    assert await refused(hass, "open_forward", {"entity_id": "switch.web"}) == (
        "switch_disabled",
        {"entity_id": "switch.web"},
    )
    await hass.config_entries.async_unload(closed.entry_id)
    assert await refused(hass, "open_forward", {"entity_id": "switch.game"}) == (
        "not_loaded",
        {"router": closed.title},
    )
    assert external_ports(router) == []


@pytest.mark.parametrize("duration", [9, {"days": 30, "seconds": 1}, "soon", -20])
async def test_open_has_bounds(
    hass: HomeAssistant, closed: MockConfigEntry, duration: Any
) -> None:
    """The contract: 10 seconds to 30 days."""
    data = {"entity_id": "switch.game", "duration": duration}
    assert await refused(hass, "open_forward", data) == ("invalid_duration", {})


async def test_open_explains_a_refusal(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """The wish goes back to what it was; the others are opened all the same."""
    router.set_personality(replace(PERSONALITIES["rfc"], lowest_internal_port=8002))
    with pytest.raises(HomeAssistantError) as caught:
        await act(hass, "open_forward", {"entity_id": ["switch.game", "switch.web"]})
    assert caught.value.translation_key == "not_authorized"
    assert hass.states.is_state("switch.game", "off")
    assert hass.states.is_state("switch.web", "on")


@pytest.mark.usefixtures("impatient")
async def test_open_takes_silence_for_later(
    hass: HomeAssistant, closed: MockConfigEntry, router: SimulatedRouter
) -> None:
    """Silent: no error, the wish stays."""
    router.silence()
    response = await act(hass, "open_forward", {"entity_id": "switch.game"})
    assert response["switch.game"]["wanted"] is True
    assert response["switch.game"]["status"] in {"opening", "unreachable"}
    assert response["switch.game"]["external_address"] is None


# pcp.list_forwards


async def test_list_tells_all_or_one_routers_forwards(
    hass: HomeAssistant, two_entries: tuple[MockConfigEntry, MockConfigEntry]
) -> None:
    """Forwards of a router that is not loaded are not known."""
    added = [
        await add_forward(hass, config_entry_id=entry.entry_id) for entry in two_entries
    ]
    first, second = two_entries
    assert await act(hass, "list_forwards") == {"forwards": added}
    assert await act(hass, "list_forwards", {"config_entry_id": second.entry_id}) == {
        "forwards": added[1:]
    }
    await hass.config_entries.async_unload(first.entry_id)
    assert await act(hass, "list_forwards") == {"forwards": added[1:]}
    assert await refused(
        hass, "list_forwards", {"config_entry_id": first.entry_id}
    ) == (
        "not_loaded",
        {"router": "First"},
    )


# Who may.


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("add_forward", {"name": "Web", "internal_port": 80}),
        ("remove_forward", {"name": "Game"}),
        ("open_forward", {"entity_id": "switch.game"}),
        ("list_forwards", {}),
    ],
)
async def test_actions_are_for_administrators(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_read_only_user: MockUser,
    hass_admin_user: MockUser,
    action: str,
    data: dict[str, Any],
) -> None:
    """An administrator, or a context without a user; nobody else."""
    await add_forward(hass)
    with pytest.raises(Unauthorized):
        await act(hass, action, data, context=Context(user_id=hass_read_only_user.id))
    with pytest.raises(UnknownUser):
        await act(hass, action, data, context=Context(user_id="nobody"))
    await act(hass, action, data, context=Context(user_id=hass_admin_user.id))
