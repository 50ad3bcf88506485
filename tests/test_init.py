"""Routers come and go: set-up, unload, restart, disabling, removal."""

import asyncio
from copy import deepcopy
from ipaddress import IPv4Address
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import (
    ConfigEntryDisabler,
    ConfigEntryState,
    ConfigSubentryDataWithId,
)
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.storage import Store
import pytest

from custom_components.pcp.client.codec import MapRequest
from custom_components.pcp.const import DOMAIN
from tests.simulated_router import SimulatedRouter

from .glue import MAC, NOBODY, forward_data, pcp_entry, set_up
from .house import House, slow_disk

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

STORE_V1 = Path(__file__).parent / "fixtures" / "store_v1.json"


async def disable(house: House, *, enable: bool = False) -> None:
    """Disable the router, or enable it again."""
    await house.finish(
        house.hass.config_entries.async_set_disabled_by(
            house.entry.entry_id, None if enable else ConfigEntryDisabler.USER
        )
    )
    await house.settle()


async def remove(house: House) -> None:
    """Remove the router."""
    await house.finish(house.hass.config_entries.async_remove(house.entry.entry_id))
    await house.settle()


async def fail_to_set_up(house: House) -> None:
    """Let the next set-up of the router fail, though it was one."""
    with patch(
        "custom_components.pcp.coordinator.PcpCoordinator.async_load",
        side_effect=RuntimeError,
    ):
        assert not await house.hass.config_entries.async_setup(house.entry.entry_id)
    assert house.entry.state is ConfigEntryState.SETUP_ERROR


# Set-up.


async def test_set_up_opens_nothing(house: House) -> None:
    """Also with forwards that are defined, and off."""
    await house.set_up(forward_data("Game", 8123), forward_data("Chess", 81))
    await house.wait(600)
    assert house.maps() == []
    for seen in house.router.requests:
        assert not isinstance(seen.request, MapRequest) or seen.request.lifetime == 0
    assert [house.status(forward_id) for forward_id in house.ids()] == ["closed"] * 2


async def test_the_router_is_a_device_known_by_its_mac_address(house: House) -> None:
    """Other integrations have it, too."""
    await house.set_up(data={"mac": MAC})
    (device,) = dr.async_entries_for_config_entry(
        dr.async_get(house.hass), house.entry.entry_id
    )
    assert device.id == house.coordinator.router_device_id
    assert device.identifiers == {(DOMAIN, house.entry.entry_id)}
    assert device.connections == {(dr.CONNECTION_NETWORK_MAC, MAC)}
    assert device.name == "Router"


async def test_a_silent_router_does_not_keep_the_entry_from_loading(
    house: House,
) -> None:
    """The switches are there at once, and take wishes."""
    house.router.silence()
    begin = house.now()
    await house.set_up(forward_data("Game", 8123))
    assert house.now() == begin
    (forward_id,) = house.ids()
    await house.turn_on(forward_id)
    assert house.is_on(forward_id)
    assert house.status(forward_id) == "unreachable"


async def test_a_name_that_leads_nowhere_does_not_either(house: House) -> None:
    """The router is found when the name is known again."""
    with patch("custom_components.pcp.servers.async_resolve", side_effect=ValueError):
        await house.set_up(forward_data("Game", 8123), data={"host": "router.example"})
        (forward_id,) = house.ids()
        begin = house.now()
        await house.turn_on(forward_id)
        assert house.now() - begin == pytest.approx(5)
        assert house.is_on(forward_id)
        assert house.status(forward_id) == "unreachable"
        await house.turn_off(forward_id)
        assert house.status(forward_id) == "closed"
        await house.turn_on(forward_id)
    with patch(
        "custom_components.pcp.servers.async_resolve",
        return_value=(IPv4Address(house.router.address),),
    ):
        await house.wait(61)
    assert house.status(forward_id) == "open"
    assert house.open_ports() == [8123]


async def test_a_name_that_is_looked_up_for_ever_does_not_either(house: House) -> None:
    """It is loaded at once; after three seconds the server of the last time is asked."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    house.hass.config_entries.async_update_entry(
        house.entry, data={"host": "router.example"}
    )

    async def never(_: str) -> None:
        await house.hass.loop.create_future()

    with patch("custom_components.pcp.servers.async_resolve", never):
        begin, seen = house.now(), house.count()
        await house.start()
        assert house.now() == begin
        assert house.status(forward_id) == "open"
        await house.until(lambda: house.count() > seen)
    assert house.now() - begin == pytest.approx(3)


async def test_what_is_done_before_the_router_is_found_is_on_disk(house: House) -> None:
    """A switch is turned off while the name is looked up: it is closed when it is known."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    house.hass.config_entries.async_update_entry(
        house.entry, data={"host": "router.example"}
    )

    async def slowly(_: str) -> tuple[IPv4Address]:
        await asyncio.sleep(2)
        return (IPv4Address(house.router.address),)

    with patch("custom_components.pcp.servers.async_resolve", slowly):
        seen = house.count()
        await house.start()
        closing = house.begin(house.coordinator.async_close_forward(forward_id))
        await house.settle()
        assert house.stored()["wishes"][forward_id]["wanted"] is False
        assert house.status(forward_id) == "closing"
        assert house.count() == seen
        await house.finish(closing)
    assert house.status(forward_id) == "closed"
    assert house.open_ports() == []


async def test_what_is_unloaded_while_it_looks_for_the_router_stays_so(
    house: House,
) -> None:
    """Also where the router turned out to be another one meanwhile."""
    macs = [{"host": "router.example", "mac": f"00:00:5e:00:53:0{it}"} for it in (1, 2)]
    await house.set_up()
    await house.add()
    await house.stop()
    house.hass.config_entries.async_update_entry(house.entry, data=macs[0])

    async def slowly(_: str) -> tuple[IPv4Address]:
        await asyncio.sleep(2)
        return (IPv4Address(house.router.address),)

    with patch("custom_components.pcp.servers.async_resolve", slowly):
        await house.start()
        house.hass.config_entries.async_update_entry(house.entry, data=macs[1])
        await house.settle()
        await house.stop()
        seen = house.count()
        await house.wait(3000)
    assert house.count() == seen


async def test_a_set_up_that_fails_leaves_no_socket(house: House) -> None:
    """Nobody would stop it."""
    await house.set_up()
    await house.add()
    await house.stop()
    with patch.object(
        house.hass.config_entries,
        "async_forward_entry_setups",
        side_effect=RuntimeError,
    ):
        assert not await house.finish(
            house.hass.config_entries.async_setup(house.entry.entry_id)
        )
    assert house.entry.state is ConfigEntryState.SETUP_ERROR
    await house.settle()
    count = house.count()
    await house.wait(3000)
    assert house.count() == count


async def test_two_routers_are_two(house: House, other_router: SimulatedRouter) -> None:
    """Each has its own forwards, also at the same port."""
    await house.set_up(title="One")
    other = pcp_entry(other_router.address, title="Two")
    await set_up(house.hass, other)
    for entry in (house.entry, other):
        await house.call(
            DOMAIN,
            "add_forward",
            config_entry_id=entry.entry_id,
            name=entry.title,
            internal_port=8123,
        )
    assert len(house.router.mappings()) == len(other_router.mappings()) == 1
    assert house.router.mappings()[0].nonce != other_router.mappings()[0].nonce
    other_router.silence()
    await house.wait(10)
    await remove(house)
    assert house.router.mappings() == ()
    assert len(other_router.mappings()) == 1
    assert other.state is ConfigEntryState.LOADED


# Unload, restart and crash.


async def test_unloading_leaves_leases_alone(house: House) -> None:
    """HA merely stops or reloads: nothing is said to the router."""
    await house.set_up()
    await house.add()
    count = house.count()
    await house.stop()
    assert house.entry.state is ConfigEntryState.NOT_LOADED
    await house.wait(60)
    assert house.count() == count
    assert house.open_ports() == [8123]


@pytest.mark.parametrize("ending", ["stop", "crash"])
async def test_leases_are_taken_up_with_the_same_nonce(
    house: House, ending: str
) -> None:
    """After a restart and after a power cut, as soon as the router is there."""
    await house.set_up()
    forward_id = await house.add()
    nonce = house.maps()[-1].nonce
    await house.wait(10)
    await getattr(house, ending)()
    await house.wait(100)
    count = house.count()
    await house.start()
    assert house.is_on(forward_id)
    assert house.status(forward_id) == "open"
    (request,) = house.maps(count)
    assert request.nonce == nonce
    assert request.lifetime == 3600
    assert house.view(forward_id).expires_at == house.wall(3600)


async def test_a_crash_before_the_answer_was_stored(house: House) -> None:
    """The nonce was on disk before it was sent: the mapping is ours."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await house.turn_on(forward_id)
    ((number, request),) = house.numbered_maps()
    await house.crash(at=number)
    assert house.stored()["leases"][0]["grant"] is None
    await house.start()
    assert house.status(forward_id) == "open"
    assert house.maps()[-1].nonce == request.nonce


async def test_an_open_forward_is_shown_open_while_the_router_is_silent(
    house: House,
) -> None:
    """Its lease lives, as far as anybody knows."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    house.router.silence()
    await house.start()
    await house.wait(60)
    assert house.status(forward_id) == "open"
    assert not house.coordinator.data.router.reachable
    await house.wait(3600)
    assert house.status(forward_id) == "unreachable"


async def test_the_external_port_is_asked_for_again_after_a_long_time(
    house: House,
) -> None:
    """The lease has run out meanwhile, and the port was not the one suggested."""
    await house.set_up()
    forward_id = await house.add(external_port=9000)
    mapping = house.router.mappings()[0]
    house.router.lose_mappings()
    await house.stop()
    (lease,) = house.stored()["leases"]
    lease["grant"]["external_port"] = 9007
    await house.wait(4000)
    await house.start()
    assert mapping.external_port == 9000
    assert house.open_ports() == [9007]
    assert house.status(forward_id) == "open"


async def test_stored_leases_that_nobody_wants_are_closed(house: House) -> None:
    """At every set-up: a definition that was lost with a backup, say."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    house.hass.config_entries.async_remove_subentry(house.entry, forward_id)
    await house.start()
    assert house.open_ports() == []
    assert house.maps()[-1].lifetime == 0
    await house.wait(2)
    assert house.stored()["leases"] == []


async def test_deletions_owed_survive(house: House) -> None:
    """Nonce and all, over crashes, until they are answered."""
    await house.set_up()
    forward_id = await house.add()
    nonce = house.maps()[-1].nonce
    house.router.silence()
    await house.turn_off(forward_id)
    for _ in range(2):
        await house.crash()
        await house.start()
        assert house.status(forward_id) == "closing"
    house.router.unsilence()
    await house.until(lambda: house.status(forward_id) == "closed", within=600)
    assert house.maps()[-1].nonce == nonce
    assert house.open_ports() == []


# Removal.


async def test_removing_closes(house: House) -> None:
    """And forgets: on disk, and in the repairs."""
    await house.set_up()
    await house.add()
    begin = house.now()
    await remove(house)
    assert house.now() == begin
    assert house.open_ports() == []
    assert f"{DOMAIN}.{house.entry.entry_id}" not in house.storage
    assert house.issues() == []
    count = house.count()
    await house.wait(600)
    assert house.count() == count


async def test_removing_closes_a_silent_router_in_the_background(
    house: House,
) -> None:
    """Five seconds are waited for it; it is gone on until it answers."""
    await house.set_up()
    await house.add()
    house.router.silence()
    begin = house.now()
    await remove(house)
    assert house.now() - begin == pytest.approx(5)
    assert f"{DOMAIN}.{house.entry.entry_id}" not in house.storage
    await house.wait(60)
    house.router.unsilence()
    await house.wait(120)
    assert house.open_ports() == []
    count = house.count()
    await house.wait(600)
    assert house.count() == count


async def test_closing_in_the_background_ends_with_the_lease(house: House) -> None:
    """There is nothing left to close then."""
    await house.set_up()
    await house.add()
    house.router.silence()
    await remove(house)
    await house.wait(3600)
    count = house.count()
    await house.wait(3600)
    assert house.count() == count


async def test_removing_closes_from_storage_alone(house: House) -> None:
    """The entry is not loaded."""
    await house.set_up()
    await house.add()
    await house.stop()
    await remove(house)
    assert house.open_ports() == []


async def test_removing_closes_in_a_state_of_error(house: House) -> None:
    """The entry could not be set up."""
    await house.set_up()
    await house.add()
    await house.stop()
    await fail_to_set_up(house)
    await remove(house)
    assert house.open_ports() == []


@pytest.mark.parametrize("stored", [None, {"leases": "garbage"}])
async def test_removing_needs_no_memory(house: House, stored: Any) -> None:
    """What is lost or damaged cannot be closed; the leases end by themselves."""
    await house.set_up()
    await house.stop()
    key = f"{DOMAIN}.{house.entry.entry_id}"
    if stored is None:
        del house.storage[key]
    else:
        house.storage[key]["data"] = stored
    await remove(house)
    assert house.hass.config_entries.async_entries(DOMAIN) == []
    assert key not in house.storage


async def test_a_router_that_is_added_again_goes_on_with_what_is_left(
    house: House,
) -> None:
    """The old nonces are still known: the router would refuse others."""
    await house.set_up()
    await house.add()
    nonce = house.maps()[-1].nonce
    house.router.silence()
    await remove(house)
    house.router.unsilence()
    await house.set_up()
    forward_id = await house.add()
    assert house.status(forward_id) == "open"
    assert house.open_ports() == [8123]
    assert house.maps()[-1].nonce in {
        nonce,
        *(m.nonce for m in house.router.mappings()),
    }
    await house.wait(600)
    assert house.open_ports() == [8123]


# Disabling.


async def test_disabling_closes_and_enabling_leaves_off(house: House) -> None:
    """What was wanted then is not wanted any more."""
    await house.set_up()
    forward_id = await house.add()
    await disable(house)
    assert house.open_ports() == []
    assert house.stored()["wishes"].get(forward_id, {"wanted": False})["wanted"] is (
        False
    )
    await house.wait(60)
    count = house.count()
    await disable(house, enable=True)
    await house.settle()
    assert not house.coordinator.data.forwards[forward_id].wanted
    assert not [request for request in house.maps(count) if request.lifetime]
    assert house.open_ports() == []


async def test_disabling_asks_once(house: House) -> None:
    """Each mapping is deleted once, also when the disabled entry is renamed later."""
    await house.set_up()
    await house.add()
    count = house.count()
    await disable(house)
    house.hass.config_entries.async_update_entry(house.entry, title="Old router")
    await house.wait(3600)
    assert [request.lifetime for request in house.maps(count)] == [0]


@pytest.mark.parametrize("is_loaded", [False, True])
@pytest.mark.parametrize("is_silent", [False, True])
async def test_what_is_opened_right_after_enabling_stays_open(
    house: House, is_silent: bool, is_loaded: bool
) -> None:
    """What closed the disabled entry does not come late, on a slow disk."""
    await house.set_up()
    forward_id = await house.add()
    if not is_loaded:
        await house.stop()
    if is_silent:
        house.router.silence()
    with slow_disk(2.0):
        await disable(house)
        await disable(house, enable=True)
        await house.finish(house.coordinator.async_open_forward(forward_id))
        await house.wait(20)
    house.router.unsilence()
    await house.wait(300)
    assert house.status(forward_id) == "open"
    assert house.open_ports() == [8123]


async def test_disabling_closes_in_a_state_of_error(house: House) -> None:
    """From storage alone: Home Assistant does not unload what is not loaded."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    await fail_to_set_up(house)
    await disable(house)
    assert house.open_ports() == []
    assert house.stored()["wishes"] == {}
    await disable(house, enable=True)
    assert not house.coordinator.data.forwards[forward_id].wanted
    assert house.open_ports() == []


async def test_disabling_ends_what_was_told(house: House) -> None:
    """A router that is not used needs no repairs."""
    house.router.set_personality("double_nat")
    await house.set_up()
    await house.add()
    assert house.issues() == ["double_nat"]
    await disable(house)
    assert house.issues() == []


async def test_enabling_goes_on_with_what_is_being_closed(house: House) -> None:
    """One closes, not two: the deletion owed is in the ledger again."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    await disable(house)
    await house.wait(10)
    await disable(house, enable=True)
    await house.settle()
    assert house.coordinator.data.forwards[forward_id].status == "closing"
    house.router.unsilence()
    await house.wait(120)
    assert house.coordinator.data.forwards[forward_id].status == "closed"
    assert house.open_ports() == []


# The memory.


def damage(house: House, how: str) -> None:
    """Damage what is on disk."""
    key = f"{DOMAIN}.{house.entry.entry_id}"
    match how:
        case "lost":
            del house.storage[key]
        case "garbage":
            house.storage[key]["data"] = {"servers": "garbage"}
        case "no object":
            house.storage[key]["data"] = ["garbage"]


@pytest.mark.parametrize("how", ["lost", "garbage", "no object"])
async def test_a_lost_memory_leaves_forwards_off(house: House, how: str) -> None:
    """They stay defined; one repair issue tells it, and old leases are left to end."""
    await house.set_up()
    forward_id = await house.add()
    await house.add("Chess", 81)
    await house.stop()
    damage(house, how)
    count = house.count()
    await house.start()
    assert [house.is_on(it) for it in house.ids()] == [False, False]
    assert house.issues() == ["store_lost"]
    assert house.maps(count) == []
    assert house.open_ports() == [81, 8123]
    # It is not told for ever: here, when all is well at the next start.
    await house.stop()
    await house.start()
    assert house.issues() == []
    assert house.stored()["wishes"][forward_id]["wanted"] is False


async def test_a_lost_memory_is_told_until_somebody_acts(house: House) -> None:
    """Who switches a forward on has seen it."""
    await house.set_up(forward_data("Game", 8123))
    assert house.issues() == ["store_lost"]
    (forward_id,) = house.ids()
    await house.turn_on(forward_id)
    assert house.issues() == []


async def test_without_forwards_nothing_was_lost(house: House) -> None:
    """A router that has just been added."""
    await house.set_up()
    assert house.issues() == []


async def test_a_file_that_cannot_be_read_is_a_lost_memory(house: House) -> None:
    """Whatever the reason."""
    house.entry = pcp_entry(house.router.address, forward_data("Game", 8123))
    house.entry.add_to_hass(house.hass)
    real = Store.async_load

    async def load(store: Store[Any]) -> Any:
        if store.key.startswith(DOMAIN):
            raise NotImplementedError
        return await real(store)

    with patch.object(Store, "async_load", load):
        await house.start()
    assert house.issues() == ["store_lost"]


async def test_version_1_of_the_memory_is_understood(house: House) -> None:
    """What the first release has stored is taken up, now and for ever."""
    kept, gone = "01JD4Q6K8Z0000000000000001", "01JD4Q6K8Z0000000000000002"
    document = json.loads(STORE_V1.read_text())
    document["data"]["servers"] = [house.router.address]
    document["data"]["internal_addresses"] = ["127.0.0.1"]
    for lease in document["data"]["leases"]:
        if lease["internal_address"] == "192.0.2.2":
            lease["internal_address"] = "127.0.0.1"
    kept_data = forward_data(
        "Kept",
        8123,
        external_port=443,
        exact_external_port=True,
        allowed_sources=["198.51.100.0/24"],
    )
    house.entry = pcp_entry(
        house.router.address,
        ConfigSubentryDataWithId(subentry_id=kept, **kept_data),
        ConfigSubentryDataWithId(subentry_id=gone, **forward_data("Gone", 81)),
    )
    house.entry.add_to_hass(house.hass)
    house.storage[f"{DOMAIN}.{house.entry.entry_id}"] = deepcopy(document)
    # Two minutes before the first of them closes by itself.
    house.freezer.move_to("2026-11-21 22:34:40")
    await house.start()
    assert house.is_on(kept)
    assert not house.is_on(gone)
    assert house.status(kept) == "open"
    assert house.issues() == []
    (request,) = [it for it in house.maps() if it.lifetime]
    assert request.nonce.hex() == "00112233445566778899aabb"
    await house.wait(121)
    assert not house.is_on(kept)


async def test_no_host_no_device_entry_is_left(house: House) -> None:
    """A router that nobody ever reached can be removed, too."""
    await house.set_up(data={"host": NOBODY})
    await house.wait(10)
    await remove(house)
    devices = dr.async_get(house.hass)
    assert not dr.async_entries_for_config_entry(devices, house.entry.entry_id)
