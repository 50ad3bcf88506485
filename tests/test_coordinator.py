"""Acts on forwards: what is asked, what is waited for, and what is said."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, callback
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.const import SUBENTRY_FORWARD
from custom_components.pcp.errors import RefusedError
from custom_components.pcp.forward import Forward, ForwardError
from tests.simulated_router import PERSONALITIES, Reply, RouterMapping

from .glue import forward_data
from .house import House, slow_disk

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

RFC = PERSONALITIES["rfc"]
REFUSING = replace(RFC, name="refusing", map_result=ResultCode.NOT_AUTHORIZED)
ADD_WAIT, OPEN_WAIT, CLOSE_WAIT = 10.0, 5.0, 5.0
# Seconds until what the router said is on disk.
SAVE_SOON = 2.0


def forward(internal_port: int = 8123, **data: Any) -> Forward:
    """Return a forward; only the port has to be told."""
    return Forward.parse({"name": "Game", "internal_port": internal_port} | data)


def define(house: House, new: Forward) -> str:
    """Define a forward, as a flow does in the end; return its id."""
    subentry = ConfigSubentry(
        data=MappingProxyType(new.as_data()),
        subentry_type=SUBENTRY_FORWARD,
        title=new.name,
        unique_id=None,
    )
    house.hass.config_entries.async_add_subentry(house.entry, subentry)
    return subentry.subentry_id


def occupy(house: House, port: int = 8123, *, seconds: int = 86400) -> None:
    """Let another device have an external port already, for so many seconds."""
    house.router.core._state.table.put(
        RouterMapping(
            protocol=6,
            internal_address=IPv4Address("192.0.2.50"),
            internal_port=port,
            external_address=IPv4Address("203.0.113.5"),
            external_port=port,
            nonce=b"somebody's..",
            lifetime=seconds,
            expires_at=house.now() + seconds,
            client=(IPv4Address("192.0.2.50"), 5000),
        )
    )


async def refused(act: Any) -> str:
    """Return the key of what a refused act is told."""
    with pytest.raises(RefusedError) as caught:
        await act
    assert caught.value.translation_key == caught.value.key
    return caught.value.key


async def not_permitted(act: Any) -> str:
    """Return the key of what an act is told that cannot be asked for."""
    with pytest.raises(ForwardError) as caught:
        await act
    return caught.value.key


# Adding.


async def test_what_is_added_is_open(house: House) -> None:
    """Granted: the forward exists, wanted, open."""
    await house.set_up()
    view = await house.finish(house.coordinator.async_add_forward(forward()))
    assert house.ids() == [view.forward_id]
    assert view.wanted
    assert view.status == house.status(view.forward_id) == "open"
    assert house.open_ports() == [8123]
    assert dict(house.entry.subentries[view.forward_id].data) == {"internal_port": 8123}
    response = house.coordinator.forward_response(view.forward_id)
    assert response == {
        "forward_id": view.forward_id,
        "config_entry_id": house.entry.entry_id,
        "entity_id": "switch.game",
        "name": "Game",
        "wanted": True,
        "status": "open",
        "external_address": "203.0.113.5",
        "external_port": 8123,
        "closes_at": None,
        "mappings": [
            {
                "protocol": "tcp",
                "ip_version": "ipv4",
                "internal_address": "127.0.0.1",
                "internal_port": 8123,
                "external_address": "203.0.113.5",
                "external_port": 8123,
                "lifetime": 3600,
                "expires_at": house.wall(3600).isoformat(),
            }
        ],
    }


async def test_what_is_refused_is_not_added(house: House) -> None:
    """Error in words; nothing is kept, here or there."""
    await house.set_up()
    house.router.set_personality(REFUSING)
    begin = house.now()
    add = house.coordinator.async_add_forward(forward())
    assert await house.finish(refused(add)) == "not_authorized"
    assert house.now() == begin
    assert house.ids() == []
    await house.wait(SAVE_SOON)
    assert house.stored()["leases"] == []
    house.router.set_personality(RFC)
    count = house.count()
    await house.wait(4000)
    assert house.maps(count) == []


async def test_what_is_granted_in_part_is_given_back(house: House) -> None:
    """One mapping of two is no forward."""
    await house.set_up()
    house.router.set_personality(replace(RFC, mappings_in_all=1))
    add = house.coordinator.async_add_forward(forward(protocol="tcp_udp"))
    assert await house.finish(refused(add)) == "no_resources"
    await house.wait(SAVE_SOON)
    assert house.open_ports() == []
    assert house.stored()["leases"] == []


async def test_a_silent_router_adds_nothing(house: House) -> None:
    """After at most 10 s; what the router never said is still given back."""
    await house.set_up()
    house.router.silence()
    begin = house.now()
    add = house.coordinator.async_add_forward(forward())
    assert await house.finish(refused(add)) == "router_silent"
    assert house.now() - begin == pytest.approx(ADD_WAIT)
    assert house.ids() == []
    house.router.unsilence()
    await house.wait(600)
    assert house.maps()[-1].lifetime == 0
    assert house.open_ports() == []
    assert house.stored()["leases"] == []


async def test_a_late_grant_is_given_back(house: House) -> None:
    """All that the router said comes when nobody waits for it any more."""
    await house.set_up()
    said: list[Reply] = []
    with patch.object(house.router, "_send", said.append):
        add = house.coordinator.async_add_forward(forward())
        assert await house.finish(refused(add)) == "router_silent"
    assert len(said) > 1
    for reply in said:
        house.router._send(reply)
    await house.wait(60)
    assert house.open_ports() == []
    assert house.stored()["leases"] == []


async def test_an_exact_port_that_is_taken_is_refused(house: House) -> None:
    """Another port is given back; the form tells it at the field."""
    await house.set_up()
    occupy(house)
    add = house.coordinator.async_add_forward(forward(exact_external_port=True))
    with pytest.raises(RefusedError) as caught:
        await house.finish(add)
    assert caught.value.key in {"external_port_taken", "cannot_provide_external"}
    assert caught.value.field == "external_port"
    await house.wait(SAVE_SOON)
    assert house.open_ports() == [8123]
    assert house.ids() == []
    assert house.stored()["leases"] == []


async def test_another_port_is_accepted_and_shown(house: House) -> None:
    """The assigned port is checked, not assumed."""
    await house.set_up()
    occupy(house)
    view = await house.finish(house.coordinator.async_add_forward(forward()))
    assert view.status == "open"
    assert view.external_port == 8124
    assert view.mappings[0].external_port == 8124


async def test_what_overlaps_is_not_asked_for(house: House) -> None:
    """Neither with what is defined nor with what is tried just now."""
    await house.set_up()
    first = house.begin(house.coordinator.async_add_forward(forward()))
    count = house.count()
    for _ in range(2):
        with pytest.raises(ForwardError) as caught:
            await house.coordinator.async_add_forward(forward(protocol="tcp_udp"))
        assert caught.value.key == "overlap"
        await house.finish(first)
    assert {request.protocol for request in house.maps(count)} <= {6}


async def test_two_may_be_added_at_the_same_time(house: House) -> None:
    """One does not wait for the other's answer."""
    await house.set_up()
    acts = [
        house.coordinator.async_add_forward(forward(port, name=str(port)))
        for port in (81, 82)
    ]
    await house.finish(asyncio.gather(*acts))
    assert house.open_ports() == [81, 82]


async def test_a_version_without_a_server_is_refused(house: House) -> None:
    """There is no IPv6 address of the router to ask."""
    await house.set_up()
    for ip_version in ("ipv6", "both"):
        add = house.coordinator.async_add_forward(forward(ip_version=ip_version))
        with pytest.raises(ForwardError) as caught:
            await house.finish(add)
        assert (caught.value.key, caught.value.field) == (
            "no_ipv6_server",
            "ip_version",
        )


async def test_other_hosts_need_the_option(house: House) -> None:
    """And are no address of ours."""
    await house.set_up(options={"third_party": True})
    house.router.set_personality("third_party")
    add = house.coordinator.async_add_forward(forward(target_host="192.0.2.9"))
    assert (await house.finish(add)).status == "open"
    (lease,) = house.stored()["leases"]
    assert lease["third_party"]
    assert lease["internal_address"] == "192.0.2.9"

    own = replace(forward(81), target_host=IPv4Address("127.0.0.1"))
    with pytest.raises(ForwardError) as caught:
        await house.finish(house.coordinator.async_add_forward(own))
    assert caught.value.key == "own_address"

    house.hass.config_entries.async_update_entry(
        house.entry, options={"third_party": False}
    )
    await house.settle()
    (forward_id,) = house.ids()
    assert not house.is_on(forward_id)
    assert house.open_ports() == []
    with pytest.raises(ForwardError) as caught:
        await house.coordinator.async_try_forward(forward(82, target_host="192.0.2.9"))
    assert caught.value.key == "third_party_off"
    opening = house.coordinator.async_open_forward(forward_id)
    assert await house.finish(refused(opening)) == "third_party_off"


def turn_other_hosts_off(house: House) -> None:
    """Turn the option off."""
    house.hass.config_entries.async_update_entry(
        house.entry, options={"third_party": False}
    )


async def test_the_option_for_other_hosts_goes_off_while_adding(house: House) -> None:
    """Whoever adds is told so at once; nothing is added, and nothing stays open."""
    await house.set_up(options={"third_party": True})
    house.router.set_personality("third_party")
    house.router.silence()
    begin = house.now()
    add = house.coordinator.async_add_forward(forward(target_host="192.0.2.9"))
    adding = house.begin(not_permitted(add))
    await house.wait(1)
    turn_other_hosts_off(house)
    assert await house.finish(adding) == "third_party_off"
    assert house.now() - begin < ADD_WAIT
    house.router.unsilence()
    await house.wait(300)
    assert house.ids() == []
    assert house.open_ports() == []


async def test_the_option_for_other_hosts_goes_off_while_opening(house: House) -> None:
    """No switch that was turned on ends off without a word."""
    await house.set_up(options={"third_party": True})
    house.router.set_personality("third_party")
    new = forward(target_host="192.0.2.9")
    forward_id = (
        await house.finish(house.coordinator.async_add_forward(new))
    ).forward_id
    await house.turn_off(forward_id)
    house.router.silence()
    opening = house.begin(refused(house.coordinator.async_open_forward(forward_id)))
    await house.wait(1)
    turn_other_hosts_off(house)
    assert await house.finish(opening) == "third_party_off"
    assert not house.is_on(forward_id)
    house.router.unsilence()
    await house.wait(300)
    assert house.open_ports() == []


async def test_the_option_for_other_hosts_goes_off_while_changing(house: House) -> None:
    """The change is refused in these words, and the old forward is open again."""
    await house.set_up(options={"third_party": True})
    house.router.set_personality("third_party")
    forward_id = await house.add()
    new = forward(target_host="192.0.2.9")
    house.router.silence()
    changing = house.begin(
        not_permitted(house.coordinator.async_try_forward(new, replacing=forward_id))
    )
    await house.wait(1)
    turn_other_hosts_off(house)
    house.router.unsilence()
    assert await house.finish(changing) == "third_party_off"
    await house.until(lambda: house.status(forward_id) == "open", within=300)
    assert [str(it.internal_address) for it in house.router.mappings()] == ["127.0.0.1"]


async def test_a_trial_that_nobody_defines_is_given_back(house: House) -> None:
    """The dialog was closed while the router was asked."""
    await house.set_up()
    await house.finish(house.coordinator.async_try_forward(forward()))
    assert house.open_ports() == [8123]
    await house.wait(20)
    assert house.open_ports() == []
    assert house.stored()["leases"] == []


async def test_a_trial_becomes_what_is_defined(house: House) -> None:
    """Nothing more is asked for."""
    await house.set_up()
    await house.finish(house.coordinator.async_try_forward(forward()))
    count = house.count()
    forward_id = define(house, forward())
    await house.settle()
    assert house.status(forward_id) == "open"
    assert house.maps(count) == []
    await house.wait(60)
    assert house.open_ports() == [8123]


async def test_an_add_that_is_cancelled_is_given_back(house: House) -> None:
    """Nobody waits for it any more."""
    await house.set_up()
    house.router.silence()
    act = house.begin(house.coordinator.async_add_forward(forward()))
    await house.wait(1)
    act.cancel()
    await house.settle()
    house.router.unsilence()
    await house.wait(60)
    assert house.open_ports() == []
    assert house.stored()["leases"] == []


# Opening and closing.


async def test_a_refused_opening_goes_back(house: House) -> None:
    """Error in words; the wish is what it was, on disk too; no repair issue flashes."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    house.router.set_personality(REFUSING)
    issues: list[str] = []

    @callback
    def on_issue(event: Event[Any]) -> None:
        if event.data["issue_id"].startswith("forward_refused"):
            issues.append(event.data["issue_id"])

    house.hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, on_issue)
    opening = house.coordinator.async_open_forward(
        forward_id, duration=timedelta(minutes=1)
    )
    assert await house.finish(refused(opening)) == "not_authorized"
    assert not house.is_on(forward_id)
    assert house.status(forward_id) == "closed"
    assert house.stored()["wishes"][forward_id] == {"wanted": False, "closes_at": None}
    assert house.view(forward_id).closes_at is None
    assert issues == []


async def test_a_silent_router_is_no_error(house: House) -> None:
    """The wish stays; it opens when the router is back."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    house.router.silence()
    begin = house.now()
    await house.turn_on(forward_id)
    assert house.now() - begin == pytest.approx(OPEN_WAIT)
    assert house.is_on(forward_id)
    assert house.status(forward_id) == "unreachable"
    await house.wait(60)
    house.router.unsilence()
    await house.until(lambda: house.status(forward_id) == "open", within=300)
    assert house.open_ports() == [8123]


async def test_opening_twice_at_once_is_refused_twice(house: House) -> None:
    """Both are told, and the wish is what it was before the first."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    house.router.set_personality(REFUSING)
    acts = [refused(house.coordinator.async_open_forward(forward_id)) for _ in "12"]
    begin = house.now()
    assert await house.finish(asyncio.gather(*acts)) == ["not_authorized"] * 2
    assert house.now() == begin
    assert not house.is_on(forward_id)


@pytest.mark.parametrize("acts", ["on off", "off on", "on off on", "on on off"])
async def test_the_last_of_quick_acts_wins(house: House, acts: str) -> None:
    """Whatever was under way; nobody is told an error."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    if acts.startswith("off"):
        await house.turn_on(forward_id)
    coordinator = house.coordinator
    under_way = [
        coordinator.async_open_forward(forward_id)
        if act == "on"
        else coordinator.async_close_forward(forward_id)
        for act in acts.split()
    ]
    await house.finish(asyncio.gather(*under_way))
    wanted = acts.endswith("on")
    assert house.is_on(forward_id) is wanted
    assert house.status(forward_id) == ("open" if wanted else "closed")
    assert house.open_ports() == ([8123] if wanted else [])
    await house.wait(60)
    assert house.open_ports() == ([8123] if wanted else [])


async def test_closing_ends_the_waiting_of_an_opening(house: House) -> None:
    """It is not told an error: somebody wanted it so."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    house.router.silence()
    opening = house.begin(house.coordinator.async_open_forward(forward_id))
    await house.wait(1)
    closing = house.begin(house.coordinator.async_close_forward(forward_id))
    await house.settle()
    assert opening.done()
    await opening
    await house.finish(closing)
    assert not house.is_on(forward_id)


@pytest.mark.parametrize("title", ["", "two\nlines", "x" * 101])
async def test_a_title_closes_nothing(house: House, title: str) -> None:
    """Whatever Home Assistant lets a forward be called, its port stays open."""
    await house.set_up()
    define(house, forward())
    await house.wait(1)
    (forward_id,) = house.ids()
    await house.finish(house.coordinator.async_open_forward(forward_id))
    subentry = house.entry.subentries[forward_id]
    house.hass.config_entries.async_update_subentry(house.entry, subentry, title=title)
    await house.wait(1)
    assert house.open_ports() == [8123]
    assert house.coordinator.data.forwards[forward_id].wanted
    await house.finish(house.coordinator.async_open_forward(forward_id))


async def test_opening_what_is_gone_is_told(house: House) -> None:
    """A forward that is not there any more is an error in words."""
    await house.set_up()
    opening = house.coordinator.async_open_forward("gone")
    assert await refused(house.finish(opening)) == "unknown_forward"


async def test_removing_ends_the_waiting_of_an_opening(house: House) -> None:
    """The forward is gone, and nobody is told an error."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    house.router.silence()
    opening = house.begin(house.coordinator.async_open_forward(forward_id))
    await house.wait(1)
    house.hass.config_entries.async_remove_subentry(house.entry, forward_id)
    assert await house.until(opening.done) < 1
    await opening
    house.router.unsilence()
    await house.wait(60)
    assert house.open_ports() == []


async def test_a_silent_router_closes_later(house: House) -> None:
    """No error: closing, until the router has answered for it."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    begin = house.now()
    await house.turn_off(forward_id)
    assert house.now() - begin == pytest.approx(CLOSE_WAIT)
    assert not house.is_on(forward_id)
    assert house.status(forward_id) == "closing"
    assert house.view(forward_id).expires_at == house.wall(3600 - CLOSE_WAIT)
    house.router.unsilence()
    await house.until(lambda: house.status(forward_id) == "closed", within=600)
    assert house.open_ports() == []
    assert house.view(forward_id).expires_at is None


async def test_what_was_decided_is_done_though_nobody_waits(house: House) -> None:
    """A script that is stopped does not leave the ledger alone with its decision."""
    await house.set_up()
    forward_id = await house.add()
    act = house.begin(house.coordinator.async_close_forward(forward_id))
    act.cancel()
    await house.settle()
    assert act.cancelled()
    assert house.open_ports() == []
    assert house.stored()["wishes"][forward_id]["wanted"] is False

    act = house.begin(house.coordinator.async_open_forward(forward_id))
    act.cancel()
    await house.settle()
    assert act.cancelled()
    assert house.open_ports() == [8123]
    assert house.status(forward_id) == "open"


async def test_what_was_never_asked_for_is_not_kept_on_disk(house: House) -> None:
    """Closed before its request was sent, it is nothing that anybody owes."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    with slow_disk():
        opening = house.begin(house.coordinator.async_open_forward(forward_id))
        await house.settle()
        await house.finish(house.coordinator.async_close_forward(forward_id))
        await house.finish(opening)
        await house.wait(60)
    assert house.maps() == []
    assert house.stored()["leases"] == []


async def test_opening_what_is_refused_asks_anew(house: House) -> None:
    """On stays on where it was on, and what the router says now is told."""
    await house.set_up()
    forward_id = await house.add()
    house.router.set_personality(REFUSING)
    house.router.reboot()
    await house.until(lambda: house.status(forward_id) == "refused")
    count = house.count()
    opening = house.coordinator.async_open_forward(forward_id)
    assert await house.finish(refused(opening)) == "not_authorized"
    assert len(house.maps(count)) == 1
    assert house.is_on(forward_id)
    house.router.set_personality(RFC)
    await house.turn_on(forward_id)
    assert house.status(forward_id) == "open"


async def test_closing_what_is_gone_is_nothing(house: House) -> None:
    """Its entity may outlive it for a moment."""
    await house.set_up()
    await house.coordinator.async_close_forward("gone")


async def test_renewing_asks_for_everything(house: House) -> None:
    """At once, holds or not."""
    await house.set_up()
    for port in (81, 82):
        await house.add(str(port), port)
    await house.wait(10)
    count = house.count()
    await house.coordinator.async_renew()
    await house.settle()
    assert [request.internal_port for request in house.maps(count)] == [81, 82]


# Removing.


async def test_removing_closes(house: House) -> None:
    """The definition goes, and so do its entities."""
    await house.set_up()
    forward_id = await house.add()
    await house.finish(house.coordinator.async_remove_forward(forward_id))
    assert house.ids() == []
    assert house.open_ports() == []
    assert house.coordinator.data.forwards == {}
    assert house.hass.states.async_entity_ids("switch") == []
    await house.finish(house.coordinator.async_remove_forward(forward_id))


async def test_what_is_removed_while_the_router_is_silent_stays_owed(
    house: House,
) -> None:
    """The deletion is remembered without the forward."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    begin = house.now()
    await house.finish(house.coordinator.async_remove_forward(forward_id))
    assert house.now() - begin == pytest.approx(CLOSE_WAIT)
    assert house.ids() == []
    assert house.stored_nonces()
    house.router.unsilence()
    await house.wait(600)
    assert house.open_ports() == []
    assert house.stored()["leases"] == []


# One forward never disturbs another.


async def test_nothing_is_said_about_others(house: House) -> None:
    """No datagram and no update for a forward that nobody acts on."""
    await house.set_up()
    other = await house.add("Other", 99)
    written: list[str] = []

    @callback
    def on_state(event: Event[Any]) -> None:
        written.append(event.data["entity_id"])

    house.hass.bus.async_listen("state_changed", on_state)
    house.hass.bus.async_listen(
        "state_reported", on_state, event_filter=callback(lambda _: True)
    )
    coordinator = house.coordinator
    count = house.count()

    forward_id = await house.add("Game", 8123)
    await house.turn_off(forward_id)
    await house.turn_on(forward_id)
    changed = forward(8124)
    await house.finish(coordinator.async_try_forward(changed, replacing=forward_id))
    house.hass.config_entries.async_update_subentry(
        house.entry, house.entry.subentries[forward_id], data=changed.as_data()
    )
    await house.settle()
    assert house.status(forward_id) == "open"
    await house.finish(coordinator.async_remove_forward(forward_id))
    await house.settle()

    assert {request.internal_port for request in house.maps(count)} == {8123, 8124}
    others = er.async_entries_for_config_entry(
        er.async_get(house.hass), house.entry.entry_id
    )
    assert others
    assert not {it.entity_id for it in others} & set(written)
    assert house.coordinator is coordinator
    assert house.status(other) == "open"


async def test_being_asked_for_an_update_is_harmless(house: House) -> None:
    """There is nothing to poll."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    await house.coordinator.async_refresh()
    assert house.coordinator.last_update_success
    assert house.count() == count
    assert house.status(forward_id) == "open"


# Changing.


async def change(house: House, forward_id: str, new: Forward) -> None:
    """Change a forward, as the flow does."""
    await house.finish(house.coordinator.async_try_forward(new, replacing=forward_id))
    house.hass.config_entries.async_update_subentry(
        house.entry,
        house.entry.subentries[forward_id],
        data=new.as_data(),
        title=new.name,
    )
    await house.settle()


async def test_changing_is_close_then_open(house: House) -> None:
    """The router hears of the end of the old before it is asked for the new."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    await change(house, forward_id, forward(8124))
    assert [(it.internal_port, it.lifetime) for it in house.maps(count)] == [
        (8123, 0),
        (8124, 3600),
    ]
    assert house.open_ports() == [8124]
    assert house.is_on(forward_id)
    assert house.status(forward_id) == "open"


async def test_a_refused_change_restores_the_old(house: House) -> None:
    """The error is told; the switch was never off."""
    await house.set_up()
    forward_id = await house.add()
    occupy(house, 9000)
    new = forward(external_port=9000, exact_external_port=True)
    changing = house.coordinator.async_try_forward(new, replacing=forward_id)
    assert await house.finish(refused(changing)) in {
        "external_port_taken",
        "cannot_provide_external",
    }
    await house.settle()
    assert house.is_on(forward_id)
    assert house.open_ports() == [8123, 9000]
    assert house.status(forward_id) == "open"
    assert house.view(forward_id).external_port == 8123


async def test_a_change_that_a_silent_router_does_not_hear_is_an_error(
    house: House,
) -> None:
    """The old forward is asked for again, and open while its lease lives."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    changing = house.coordinator.async_try_forward(forward(8124), replacing=forward_id)
    begin = house.now()
    assert await house.finish(refused(changing)) == "router_silent"
    assert house.now() - begin <= ADD_WAIT
    assert house.is_on(forward_id)
    house.router.unsilence()
    await house.until(lambda: house.status(forward_id) == "open", within=300)
    assert house.open_ports() == [8123]


async def test_a_change_does_not_wait_for_what_the_router_keeps(house: House) -> None:
    """15: a router that keeps the old mapping for a while has answered: no silence."""
    await house.set_up()
    forward_id = await house.add()
    house.router.set_personality("lingering")
    begin = house.now()
    await change(house, forward_id, forward(8124))
    assert house.now() - begin < CLOSE_WAIT
    assert house.status(forward_id) == "open"
    assert house.open_ports() == [8123, 8124]
    begin = house.now()
    await house.turn_off(forward_id)
    assert house.now() - begin < CLOSE_WAIT
    assert house.status(forward_id) == "closing"


async def test_what_is_off_is_changed_without_asking(house: House) -> None:
    """And stays off."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await house.settle()
    count = house.count()
    await change(house, forward_id, forward(8124))
    assert house.maps(count) == []
    assert not house.is_on(forward_id)
    await house.turn_on(forward_id)
    assert house.open_ports() == [8124]


@pytest.mark.parametrize("silence", [1, 10])
async def test_what_is_switched_off_during_its_change(
    house: House, silence: int
) -> None:
    """It is changed as what is off is: nothing is asked for any more."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    house.router.silence()
    changing = house.begin(
        house.coordinator.async_try_forward(forward(8124), replacing=forward_id)
    )
    await house.wait(1)
    house.begin(house.coordinator.async_close_forward(forward_id))
    await house.wait(silence)
    house.router.unsilence()
    assert await house.finish(changing) is None
    await house.wait(60)
    assert {(it.internal_port, it.lifetime) for it in house.maps(count)} == {(8123, 0)}
    assert house.open_ports() == []
    assert house.status(forward_id) == "closed"


async def test_what_was_taken_during_a_change_that_is_off(house: House) -> None:
    """Two forwards of one port would both be the other's: the change is refused."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    changing = house.begin(
        house.coordinator.async_try_forward(forward(8124), replacing=forward_id)
    )
    await house.wait(1)
    house.begin(house.coordinator.async_close_forward(forward_id))
    other = ConfigSubentry(
        data=MappingProxyType(forward(8124).as_data()),
        subentry_type=SUBENTRY_FORWARD,
        title="Other",
        unique_id=None,
    )
    house.hass.config_entries.async_add_subentry(house.entry, other)
    house.router.unsilence()
    with pytest.raises(ForwardError, match="overlap"):
        await house.finish(changing)


async def test_a_change_keeps_the_duration(house: House) -> None:
    """A forward that closes in an hour closes in an hour, at another port, too."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await house.finish(
        house.coordinator.async_open_forward(forward_id, duration=timedelta(minutes=10))
    )
    closes_at = house.view(forward_id).closes_at
    await change(house, forward_id, forward(8124))
    assert house.view(forward_id).closes_at == closes_at == house.wall(600)
    await house.wait(600)
    assert not house.is_on(forward_id)
    assert house.open_ports() == []


async def test_a_change_does_not_overlap(house: House) -> None:
    """With others; with itself it may."""
    await house.set_up()
    forward_id = await house.add()
    await house.add("Other", 99)
    with pytest.raises(ForwardError) as caught:
        await house.coordinator.async_try_forward(forward(99), replacing=forward_id)
    assert caught.value.key == "overlap"
    assert house.open_ports() == [99, 8123]
    await change(house, forward_id, forward(port_count=2))
    assert house.open_ports() == [99, 8123, 8124]


async def test_another_name_asks_nothing(house: House) -> None:
    """The doors stay, and the new name is shown."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    house.hass.config_entries.async_update_subentry(
        house.entry, house.entry.subentries[forward_id], title="Chess"
    )
    await house.settle()
    assert house.view(forward_id).name == "Chess"
    assert house.maps(count) == []


async def test_a_change_right_after_the_opening(house: House) -> None:
    """That a copy of the request may be under way yet keeps nobody waiting."""
    house.router.set_personality("nat_pmp_only")
    send = house.router._send
    # RFC 6886 3.1: the first copy goes out after 0.25 s.
    with patch.object(
        house.router, "_send", lambda it: house.hass.loop.call_later(0.3, send, it)
    ):
        await house.set_up()
        await house.wait(120)
        forward_id = await house.add()
        await house.finish(
            house.coordinator.async_try_forward(forward(8124), replacing=forward_id)
        )
        await house.wait(1)
    assert house.open_ports() == [8124]


async def test_removed_while_its_change_is_saved(house: House) -> None:
    """Nothing is tried in its place, and whoever changes it is told why."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    with slow_disk():
        changing = house.begin(
            refused(
                house.coordinator.async_try_forward(forward(8124), replacing=forward_id)
            )
        )
        await house.settle()
        house.hass.config_entries.async_remove_subentry(house.entry, forward_id)
        assert await house.finish(changing) == "unknown_forward"
        await house.wait(60)
    asked = [(it.internal_port, it.lifetime) for it in house.maps(count)]
    assert asked == [(8123, 0)]
    assert house.stored()["leases"] == []


async def test_removed_during_its_change(house: House) -> None:
    """Nothing is asked for in its place, also when the router answers again."""
    await house.set_up()
    forward_id = await house.add()
    count = house.count()
    with patch.object(house.router, "_send"):
        changing = house.begin(
            refused(
                house.coordinator.async_try_forward(forward(8124), replacing=forward_id)
            )
        )
        await house.wait(1)
        house.hass.config_entries.async_remove_subentry(house.entry, forward_id)
    assert await house.finish(changing) == "unknown_forward"
    await house.wait(600)
    assert {it.lifetime for it in house.maps(count)} == {0}
    assert house.open_ports() == []
    assert house.stored()["leases"] == []
