"""Another router, another address of it or of ours, other options."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
import pytest

from custom_components.pcp.client import udp
from custom_components.pcp.errors import RefusedError
from custom_components.pcp.forward import Forward
from custom_components.pcp.link import Link
from tests.simulated_router import SimulatedRouter

from .glue import MAC, OTHER_MAC, forward_data
from .house import House

pytest_plugins = ["tests.house_fixtures"]
RESOLVE = "custom_components.pcp.servers.async_resolve"
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")


def update(house: House, **data: Any) -> None:
    """Change what the entry stores, as flows do."""
    house.hass.config_entries.async_update_entry(
        house.entry, data={**house.entry.data, **data}
    )


def ports(router: SimulatedRouter) -> list[int]:
    """Return what is open on a router."""
    return sorted(mapping.external_port for mapping in router.mappings())


async def test_moving_closes_on_the_old_server_first(
    house: House, other_router: SimulatedRouter
) -> None:
    """Then all that is wanted is asked for on the new one, with other nonces."""
    await house.set_up()
    wanted, unwanted = await house.add("Game", 81), await house.add("Chess", 82)
    await house.turn_off(unwanted)
    nonce = house.stored_nonces()[81]
    await house.finish(house.coordinator.async_move_to(other_router.address))
    await house.settle()
    assert house.open_ports() == []
    assert ports(other_router) == [81]
    assert other_router.requests[0].at >= house.router.requests[-1].at
    assert house.status(wanted) == "open"
    assert not house.is_on(unwanted)
    assert house.stored()["servers"] == [other_router.address]
    assert house.stored_nonces()[81] != nonce
    # The flow brings the entry up to date; nothing more is to be done.
    counts = house.count(), len(other_router.requests)
    update(house, host=other_router.address, mac=OTHER_MAC)
    await house.settle()
    assert counts == (house.count(), len(other_router.requests))


async def test_moving_away_from_a_nat(
    house: House, other_router: SimulatedRouter
) -> None:
    """What was told of the old router is not told of the new one."""
    house.router.change_external_address("100.64.0.7")
    await house.set_up()
    await house.add()
    assert house.issues() == ["carrier_grade_nat"]
    other_router.silence()
    await house.finish(house.coordinator.async_move_to(other_router.address))
    await house.settle()
    assert house.issues() == []


async def test_moving_away_from_a_silent_router(
    house: House, other_router: SimulatedRouter
) -> None:
    """Five seconds, then in the background until it answers."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    begin = house.now()
    await house.finish(house.coordinator.async_move_to(other_router.address))
    assert house.now() - begin == pytest.approx(5)
    await house.settle()
    assert house.status(forward_id) == "open"
    assert ports(other_router) == [8123]
    house.router.unsilence()
    await house.wait(120)
    assert house.open_ports() == []
    assert ports(other_router) == [8123]


async def test_moving_there_and_back_goes_on_with_the_old_nonce(
    house: House, other_router: SimulatedRouter
) -> None:
    """The old router was silent, and still has the mapping."""
    await house.set_up()
    forward_id = await house.add()
    nonce = house.stored_nonces()[8123]
    house.router.silence()
    await house.finish(house.coordinator.async_move_to(other_router.address))
    house.router.unsilence()
    await house.finish(house.coordinator.async_move_to(house.router.address))
    await house.settle()
    assert house.status(forward_id) == "open"
    assert house.stored_nonces()[8123] == nonce
    assert ports(other_router) == []
    await house.wait(120)
    assert house.open_ports() == [8123]


async def test_a_wish_during_the_move_counts(
    house: House, other_router: SimulatedRouter
) -> None:
    """What is switched on meanwhile is asked for on the new router."""
    await house.set_up(forward_data("Game", 81), forward_data("Chess", 82))
    game, chess = house.ids()
    await house.turn_on(game)
    house.router.silence()
    move = house.begin(house.coordinator.async_move_to(other_router.address))
    await house.settle()
    assert house.status(game) == "unreachable"
    await house.turn_off(game)
    await house.turn_on(chess)
    await house.finish(move)
    await house.settle()
    assert ports(other_router) == [82]
    assert house.status(chess) == "open"
    assert house.status(game) == "closed"


async def test_the_entry_is_followed_to_another_host(
    house: House, other_router: SimulatedRouter
) -> None:
    """The router was seen at another address; no reload."""
    await house.set_up()
    forward_id = await house.add()
    coordinator = house.coordinator
    update(house, host=other_router.address)
    await house.settle()
    assert house.open_ports() == []
    assert ports(other_router) == [8123]
    assert house.status(forward_id) == "open"
    assert house.coordinator is coordinator


async def test_a_host_that_was_changed_while_not_loaded(
    house: House, other_router: SimulatedRouter
) -> None:
    """What was with the old server is closed there at the next start."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    update(house, host=other_router.address)
    begin = house.now()
    await house.start()
    assert house.now() == begin
    assert house.status(forward_id) == "open"
    assert ports(other_router) == [8123]
    assert house.open_ports() == []


async def test_a_name_that_leads_nowhere_after_the_host_was_changed(
    house: House, other_router: SimulatedRouter
) -> None:
    """Nothing is kept open on the router that was left, and nothing opened there."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    update(house, host="router.example")
    count = house.count()
    with patch(RESOLVE, side_effect=ValueError):
        await house.start()
        assert house.status(forward_id) == "unreachable"
        await house.wait(120)
        assert house.open_ports() == []
    assert {request.lifetime for request in house.maps(count)} == {0}
    found = [IPv4Address(other_router.address)]
    with patch(RESOLVE, return_value=found):
        await house.until(lambda: ports(other_router) == [8123], within=60)
    assert house.open_ports() == []
    assert house.status(forward_id) == "open"
    assert house.stored()["host"] == "router.example"


async def test_moving_to_a_name_that_leads_nowhere(house: House) -> None:
    """The old router is left all the same; the same router is found by another name."""
    await house.set_up()
    forward_id = await house.add()
    with patch(RESOLVE, side_effect=ValueError):
        await house.finish(house.coordinator.async_move_to("router.example"))
        assert house.open_ports() == []
        assert house.status(forward_id) == "unreachable"
    found = [IPv4Address(house.router.address)]
    with patch(RESOLVE, return_value=found):
        await house.until(lambda: house.open_ports() == [8123], within=60)
        count = house.count()
        await house.finish(house.coordinator.async_move_to("same.example"))
        assert house.count() == count
        await house.wait(1)
    assert house.stored()["host"] == "same.example"


async def test_a_name_that_leads_nowhere_at_a_start(house: House) -> None:
    """The router is asked where it was last: nobody has said that it is another one."""
    found = [IPv4Address(house.router.address)]
    with patch(RESOLVE, return_value=found):
        await house.set_up(data={"host": "router.example"})
        forward_id = await house.add()
        await house.stop()
    count = house.count()
    with patch(RESOLVE, side_effect=ValueError):
        await house.start()
        assert house.status(forward_id) == "open"
    assert {request.lifetime for request in house.maps(count)} == {3600}


async def test_moving_to_a_router_of_the_other_ip_version(house: House) -> None:
    """What is with the old one is closed there, though nobody else takes it."""
    await house.set_up()
    forward_id = await house.add()
    await house.finish(house.coordinator.async_move_to("::1"))
    await house.settle()
    assert house.open_ports() == []
    assert house.status(forward_id) == "unreachable"
    assert house.stored()["servers"] == ["::1"]


async def test_another_mac_address_is_another_router(house: House) -> None:
    """The same host: every lease is made anew."""
    await house.set_up(data={"mac": MAC})
    forward_id = await house.add()
    nonce = house.stored_nonces()[8123]
    house.router.lose_mappings()
    count = house.count()
    update(house, mac=OTHER_MAC)
    await house.settle()
    assert house.open_ports() == [8123]
    assert house.status(forward_id) == "open"
    assert house.stored_nonces()[8123] != nonce
    assert [request.lifetime for request in house.maps(count)] == [0, 3600]


async def test_another_mac_address_of_the_same_router(house: House) -> None:
    """It has what was open yet, and gives it to no other nonce: that is closed first."""
    await house.set_up(data={"mac": MAC})
    wanted, unwanted = await house.add("Game", 81), await house.add("Chess", 82)
    house.router.silence()
    await house.turn_off(unwanted)
    assert house.status(unwanted) == "closing"
    house.router.unsilence()
    nonce = house.stored_nonces()[81]
    update(house, mac=OTHER_MAC)
    await house.settle()
    assert house.open_ports() == [81]
    assert house.stored_nonces().keys() == {81}
    assert house.stored_nonces()[81] != nonce
    assert (house.status(wanted), house.status(unwanted)) == ("open", "closed")


async def test_another_mac_address_of_a_silent_router(house: House) -> None:
    """What it does not answer for stays owed."""
    await house.set_up(data={"mac": MAC})
    wanted, unwanted = await house.add("Game", 81), await house.add("Chess", 82)
    house.router.silence()
    await house.turn_off(unwanted)
    update(house, mac=OTHER_MAC)
    await house.wait(60)
    assert house.status(unwanted) == "closing"
    house.router.unsilence()
    await house.until(lambda: house.open_ports() == [81], within=300)
    await house.settle()
    assert (house.status(wanted), house.status(unwanted)) == ("open", "closed")


async def test_a_mac_address_that_was_not_known_changes_nothing(house: House) -> None:
    """It is only learnt."""
    await house.set_up()
    await house.add()
    count = house.count()
    update(house, mac=MAC)
    await house.settle()
    assert house.count() == count


async def test_a_name_follows_the_router(
    house: House, other_router: SimulatedRouter
) -> None:
    """When the old address falls silent the name is looked up again."""
    found = [IPv4Address(house.router.address)]
    with patch("custom_components.pcp.servers.async_resolve", return_value=found):
        await house.set_up(data={"host": "router.example"})
        forward_id = await house.add()
        found[:] = [IPv4Address(other_router.address)]
        await house.wait(600)
        assert ports(other_router) == []
        house.router.silence()
        await house.until(lambda: ports(other_router) == [8123], within=600)
        await house.settle()
    assert house.status(forward_id) == "open"


async def test_another_address_of_the_same_server(
    house: House, other_router: SimulatedRouter
) -> None:
    """RFC 7488 3: of two addresses of a name the one that answers; the nonce stays."""
    found = [IPv4Address(house.router.address), IPv4Address(other_router.address)]
    with patch("custom_components.pcp.servers.async_resolve", return_value=found):
        await house.set_up(data={"host": "router.example"})
        forward_id = await house.add()
        nonce = house.stored_nonces()[8123]
        house.router.silence()
        await house.until(lambda: ports(other_router) == [8123], within=600)
        await house.settle()
        assert house.status(forward_id) == "open"
        assert house.stored_nonces()[8123] == nonce
        assert house.stored()["servers"] == [other_router.address]
        # The first one answers again: who serves us stays, and nothing is taken back.
        house.router.unsilence()
        count = house.count()
        await house.wait(1200)
        assert house.count() == count
        assert ports(other_router) == [8123]
        await house.stop()


async def test_a_server_of_the_other_version_is_looked_for(house: House) -> None:
    """When a forward needs it; nobody has to restart anything."""
    await house.set_up()
    with patch(
        "custom_components.pcp.servers.other_family_server",
        return_value=IPv6Address("::1"),
    ):
        add = Forward.parse({"name": "Six", "internal_port": 81, "ip_version": "ipv6"})
        task = house.begin(house.coordinator.async_try_forward(add))
        await house.settle()
        assert house.coordinator.diagnostics()["servers"][1]["server"] == "::1"
        with pytest.raises(RefusedError) as caught:
            await house.finish(task)
        assert caught.value.key == "router_silent"
    assert house.stored()["servers"] == [house.router.address, "::1"]


async def test_a_router_that_keeps_pinholes_is_remembered(house: House) -> None:
    """Promise 7: what it was seen to do counts after a restart; another one is another."""

    def keeps_pinholes() -> list[bool]:
        servers = house.coordinator.diagnostics()["servers"]
        return [server["keeps_pinholes"] for server in servers]

    def link() -> Link:
        found = house.coordinator._engine.links.get(6)
        assert found is not None
        return found

    await house.set_up()
    await house.add()
    with patch(
        "custom_components.pcp.servers.other_family_server",
        return_value=IPv6Address("::1"),
    ):
        add = Forward.parse({"name": "Six", "internal_port": 81, "ip_version": "ipv6"})
        task = house.begin(house.coordinator.async_try_forward(add))
        await house.settle()
        with pytest.raises(RefusedError):
            await house.finish(task)
        link().keeper.limit_pinholes()
        await house.stop()
        assert house.stored()["pinhole_keepers"] == ["::1"]
        await house.start()
        assert keeps_pinholes() == [False, True]
        await house.stop()
        assert house.stored()["pinhole_keepers"] == ["::1"]
        await house.start()
        await house.finish(house.coordinator._engine.async_start_anew())
        assert keeps_pinholes() == [False, False]
        await house.stop()
        assert "pinhole_keepers" not in house.stored()


# Without a network.


async def test_no_network_at_start(house: House) -> None:
    """Leases are taken up when there is a way to the router."""
    await house.set_up()
    forward_id = await house.add()
    nonce = house.stored_nonces()[8123]
    await house.stop()
    with patch.object(udp, "_connect", side_effect=OSError):
        await house.start()
        assert house.entry.state is ConfigEntryState.LOADED
        assert house.status(forward_id) == "open"
        await house.wait(30)
        count = house.count()
    await house.wait(60)
    assert house.maps(count)[0].nonce.hex() == nonce
    assert house.status(forward_id) == "open"


async def test_no_network_ever(house: House) -> None:
    """A first start without any way to the router takes wishes, too."""
    with patch.object(udp, "_connect", side_effect=OSError):
        await house.set_up(forward_data("Game", 8123))
        (forward_id,) = house.ids()
        await house.turn_on(forward_id)
        assert house.status(forward_id) == "unreachable"
    await house.until(lambda: house.status(forward_id) == "open", within=60)


# Options.


async def test_a_longer_lease_time_counts_from_the_next_renewal(house: House) -> None:
    """Nothing is asked for at once."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    house.hass.config_entries.async_update_entry(
        house.entry, options={"lease_time": 7200}
    )
    await house.settle()
    assert house.maps(count) == []
    await house.wait(2300)
    assert house.maps(count)[0].lifetime == 7200
    assert house.status(forward_id) == "open"


async def test_a_shorter_lease_time_counts_at_once(house: House) -> None:
    """Or the door could stay open for longer than is promised."""
    await house.set_up(options={"lease_time": 86_400})
    forward_id = await house.add()
    await house.wait(60)
    count = house.count()
    house.hass.config_entries.async_update_entry(
        house.entry, options={"lease_time": 120}
    )
    await house.settle()
    assert [it.lifetime for it in house.maps(count)] == [120]
    assert house.view(forward_id).expires_at == house.wall(120)
    house.router.silence()
    await house.turn_off(forward_id)
    await house.wait(120)
    assert house.status(forward_id) == "closed"
    assert house.open_ports() == []


async def test_the_lease_time_is_what_is_asked_for(house: House) -> None:
    """Also after it was changed while the router was not loaded."""
    await house.set_up(options={"lease_time": 600})
    await house.add()
    assert house.maps()[-1].lifetime == 600
    await house.stop()
    house.hass.config_entries.async_update_entry(
        house.entry, options={"lease_time": 1200}
    )
    await house.start()
    assert house.maps()[-1].lifetime == 1200
