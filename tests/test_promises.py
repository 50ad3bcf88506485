"""What the integration promises, seen from outside: states, disk and datagrams."""

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
import logging
from types import SimpleNamespace
from typing import Any

from homeassistant.core import CoreState
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest

from custom_components.pcp.client.codec import AnnounceRequest, ResultCode
from custom_components.pcp.client.mapping import RefusalReason
from custom_components.pcp.const import DOMAIN
from tests.simulated_router import PERSONALITIES

from .glue import MAC, forward_data
from .house import House, slow_disk
from .test_coordinator import occupy

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")

RFC = PERSONALITIES["rfc"]
REFUSING = replace(RFC, name="refusing", map_result=ResultCode.NOT_AUTHORIZED)

# Promise 2, in seconds.
AFTER_AN_ANNOUNCEMENT = 5.5
WITHOUT_ONE = 300.0


def router_events(house: House) -> list[dict[str, Any]]:
    """Listen to what is told of the router from now on."""
    events: list[dict[str, Any]] = []
    house.coordinator.async_add_router_event_listener(
        lambda event_type, attributes: events.append({"type": event_type} | attributes)
    )
    return events


async def disable_entity(house: House, entity_id: str, *, enable: bool = False) -> None:
    """Disable an entity, or enable it again."""
    er.async_get(house.hass).async_update_entity(
        entity_id, disabled_by=None if enable else er.RegistryEntryDisabler.USER
    )
    # Enabling reloads the entry, after a while.
    await house.wait(40)


# 1. Nothing opens without a deliberate act.


async def test_1_what_was_on_in_a_backup_is_on_again(house: House) -> None:
    """Restoring brings back the wishes in it, minus durations that have run out."""
    await house.set_up(
        *(forward_data(name, port) for port, name in enumerate("ABCD", start=81))
    )
    a, b, c, d = house.ids()
    await house.turn_on(a)
    for forward_id, minutes in ((b, 10), (c, 60)):
        await house.call(
            DOMAIN,
            "open_forward",
            entity_id=house.switch(forward_id),
            duration={"minutes": minutes},
        )
    await house.wait(2)
    backup = {**house.storage}
    for forward_id in (a, b, c, d):
        await house.turn_off(forward_id)
    await house.stop()
    await house.wait(1200)
    house.storage.update(backup)
    await house.start()
    assert [house.is_on(it) for it in (a, b, c, d)] == [True, False, True, False]
    assert house.open_ports() == [81, 83]


async def test_1_disabling_a_switch_closes(house: House) -> None:
    """Enabling it leaves it off."""
    await house.set_up()
    forward_id = await house.add()
    switch = house.switch(forward_id)
    await disable_entity(house, switch)
    assert house.open_ports() == []
    assert not house.view(forward_id).wanted
    await disable_entity(house, switch, enable=True)
    assert not house.is_on(forward_id)
    assert house.open_ports() == []


# 2. A wanted forward comes back by itself.


async def test_2_after_a_reboot_that_is_announced(house: House) -> None:
    """RFC 6887 14.1.3: the random wait, and the router's own time."""
    await house.set_up()
    forward_id = await house.add()
    events = router_events(house)
    await house.wait(1000)
    house.router.reboot()
    assert house.open_ports() == []
    took = await house.until(lambda: house.open_ports() == [8123])
    assert took <= AFTER_AN_ANNOUNCEMENT
    await house.settle()
    assert house.status(forward_id) == "open"
    assert [event["type"] for event in events] == [
        "restarted",
        "forward_lost",
        "forward_restored",
    ]
    assert events[1] == {
        "type": "forward_lost",
        "forward_id": forward_id,
        "name": "Game",
    }


async def test_2_after_a_reboot_that_was_not_heard(house: House) -> None:
    """A cheap unicast check finds it in five minutes."""
    await house.set_up()
    forward_id = await house.add()
    house.is_deaf = True
    await house.wait(1000)
    house.router.reboot()
    took = await house.until(lambda: house.open_ports() == [8123], within=WITHOUT_ONE)
    assert took <= WITHOUT_ONE
    await house.settle()
    assert house.status(forward_id) == "open"


async def test_2_after_hours_of_silence(house: House) -> None:
    """Five minutes from when the router answers again."""
    await house.set_up()
    forward_id = await house.add()
    house.is_deaf = True
    house.router.silence()
    await house.wait(5 * 3600)
    assert house.status(forward_id) == "unreachable"
    assert house.is_on(forward_id)
    house.router.reboot()
    house.router.unsilence()
    await house.until(lambda: house.open_ports() == [8123], within=WITHOUT_ONE)


async def test_2_after_a_power_cut_of_both(house: House) -> None:
    """Home Assistant is up first, and the router needs its time."""
    await house.set_up()
    forward_id = await house.add()
    await house.wait(40)
    await house.crash()
    house.router.reboot()
    house.router.silence()
    await house.start()
    await house.wait(120)
    house.router.unsilence()
    house.router.reboot()
    took = await house.until(lambda: house.open_ports() == [8123])
    assert took <= AFTER_AN_ANNOUNCEMENT
    await house.settle()
    assert house.status(forward_id) == "open"


async def test_2_an_external_address_that_changes_is_shown(house: House) -> None:
    """By the forward, by the router, and by an event."""
    await house.set_up()
    forward_id = await house.add()
    events = router_events(house)
    house.router.change_external_address("203.0.113.77")
    await house.until(
        lambda: house.view(forward_id).external_address == "203.0.113.77",
        within=WITHOUT_ONE,
    )
    assert house.coordinator.data.router.external_ipv4 == "203.0.113.77"
    assert events == [
        {
            "type": "external_address_changed",
            "old_address": "203.0.113.5",
            "new_address": "203.0.113.77",
        }
    ]
    assert house.status(forward_id) == "open"


# 3. An unwanted forward is closed.


async def test_3_a_deletion_is_repeated_until_it_is_answered(house: House) -> None:
    """And no longer."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    await house.turn_off(forward_id)
    count = house.count()
    await house.wait(300)
    assert len([it for it in house.maps(count) if not it.lifetime]) > 2
    house.router.unsilence()
    await house.until(lambda: house.status(forward_id) == "closed", within=1100)
    count = house.count()
    await house.wait(3600)
    assert house.maps(count) == []


async def test_3_a_deletion_ends_with_the_lease(house: House) -> None:
    """Switched off while the router is silent: closed after at most `lease_time`."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    await house.turn_off(forward_id)
    ends_at = house.view(forward_id).expires_at
    assert ends_at == house.wall(3595)
    await house.wait(3590)
    assert house.status(forward_id) == "closing"
    await house.wait(6)
    assert house.status(forward_id) == "closed"
    await house.wait(2)
    assert house.stored()["leases"] == []


# 5. Durability.


@pytest.mark.parametrize("disk", ["quick", "slow"])
async def test_5_a_nonce_is_on_disk_before_it_is_sent(house: House, disk: str) -> None:
    """Whatever asks for a mapping: adding, opening, changing, another address."""
    with nullcontext() if disk == "quick" else slow_disk():
        await house.set_up(forward_data("Game", 8123), forward_data("Chess", 81))
        for forward_id in house.ids():
            await house.turn_on(forward_id)
        await house.add("More", 90, protocol="tcp_udp", port_count=5)
        house.router.reboot()
        await house.wait(60)
        await house.crash()
        await house.start()
        await house.turn_off(house.ids()[0])
        await house.turn_on(house.ids()[0])
        open_, close = (
            house.coordinator.async_open_forward,
            house.coordinator.async_close_forward,
        )
        one = house.ids()[1]
        acts = [close(one), open_(one), close(one), open_(one)]
        await house.finish(asyncio.gather(*acts))
        requests = [(number, it) for number, it in house.numbered_maps() if it.lifetime]
        assert len(requests) > 20
        for number, request in requests:
            nonces = {lease["nonce"] for lease in house.disk(number)["leases"]}
            assert request.nonce.hex() in nonces
        await house.stop()


@pytest.mark.parametrize("disk", ["quick", "slow"])
@pytest.mark.parametrize("act", ["off", "remove", "duration", "disable"])
async def test_5_an_off_wish_is_on_disk_before_the_delete(
    house: House, act: str, disk: str
) -> None:
    """However it comes to be off, and before the action returns."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await house.coordinator.async_open_forward(
        forward_id, duration=timedelta(minutes=1)
    )
    count = house.count()
    with nullcontext() if disk == "quick" else slow_disk():
        match act:
            case "off":
                await house.turn_off(forward_id)
            case "remove":
                await house.call(DOMAIN, "remove_forward", forward_id=forward_id)
            case "duration":
                await house.wait(61)
            case "disable":
                await disable_entity(house, house.switch(forward_id))
        await house.wait(1)
    deletes = [number for number, it in house.numbered_maps(count) if not it.lifetime]
    assert deletes
    for number in deletes:
        wish = house.disk(number)["wishes"].get(forward_id, {"wanted": False})
        assert wish["wanted"] is False


async def test_5_an_off_wish_is_on_disk_when_the_action_returns(house: House) -> None:
    """Though the router is silent."""
    await house.set_up()
    forward_id = await house.add()
    house.router.silence()
    await house.turn_off(forward_id)
    assert house.stored()["wishes"][forward_id] == {"wanted": False, "closes_at": None}
    (lease,) = house.stored()["leases"]
    assert lease["open_until"] is not None


async def test_2_a_forward_whose_entities_are_disabled_from_the_start(
    house: House,
) -> None:
    """By an option of the router's entry: nobody has disabled its switch to close it."""
    await house.set_up(pref_disable_new_entities=True)
    await house.add()
    await house.stop()
    await house.start()
    await house.wait(60)
    assert house.open_ports() == [8123]


@pytest.mark.parametrize("wanted", [False, True])
async def test_5_it_is_on_disk_also_while_home_assistant_stops(
    house: House, wanted: bool
) -> None:
    """Its own Store would write at the very end, and may be killed before."""
    await house.set_up()
    forward_id = await house.add()
    if wanted:
        await house.turn_off(forward_id)
    count = house.count()
    house.hass.set_state(CoreState.stopping)
    await (house.turn_on if wanted else house.turn_off)(forward_id)
    house.hass.set_state(CoreState.running)
    ((number, request),) = house.numbered_maps(count)
    assert house.disk(number)["wishes"][forward_id]["wanted"] is wanted
    assert request.nonce.hex() in {it["nonce"] for it in house.disk(number)["leases"]}


async def test_5_what_the_router_said_is_on_disk_soon(house: House) -> None:
    """The assigned port after a grant; renewals of others do not put it off."""
    await house.set_up()
    for port in range(81, 86):
        await house.add(str(port), port)
        await house.wait(300)
    await house.wait(600)
    await house.turn_off(house.ids()[0])
    await house.turn_on(house.ids()[0])
    await house.wait(1.5)
    assert all(lease["grant"] for lease in house.stored()["leases"])


async def test_5_a_loss_is_on_disk_soon(house: House) -> None:
    """After a power cut it is not shown open, while the router refuses it."""
    await house.set_up()
    await house.add()
    await house.wait(60)
    house.router.set_personality(REFUSING)
    house.router.reboot()
    await house.wait(300)
    (lease,) = house.stored()["leases"]
    assert lease["grant"] is None
    assert lease["asked_for"]
    (forward_id,) = house.ids()
    await house.crash()
    await house.start()
    assert house.status(forward_id) != "open"


async def test_5_a_shorter_lease_is_on_disk_soon(house: House) -> None:
    """Another lease time counts from the renewal on, also after a crash."""
    await house.set_up(options={"lease_time": 86_400})
    await house.add()
    house.hass.config_entries.async_update_entry(
        house.entry, options={"lease_time": 3600}
    )
    await house.settle()
    house.coordinator._engine.renew()
    await house.wait(10)
    (lease,) = house.stored()["leases"]
    assert lease["grant"]["lifetime"] == 3600


# 6. The router is asked as little as the RFC allows.


async def test_6_an_open_forward_is_left_alone_for_half_its_lease(
    house: House,
) -> None:
    """RFC 6887 11.2.1; but for the cheap check every four minutes."""
    await house.set_up()
    await house.add()
    count = house.count()
    await house.wait(1795)
    assert house.maps(count) == []
    checks = house.router.requests[count:]
    assert 0 < len(checks) <= 8
    assert all(isinstance(it.request, AnnounceRequest) for it in checks)
    await house.wait(460)
    (renewal,) = house.maps(count)
    assert renewal.lifetime == 3600


async def test_6_without_forwards_there_is_a_check_only(house: House) -> None:
    """One question in four minutes."""
    await house.set_up()
    await house.wait(10)
    count = house.count()
    await house.wait(3600)
    assert house.count() - count <= 16


# 7. The truth about the answer.


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("192.168.1.5", "double_nat"),
        ("10.0.0.5", "double_nat"),
        ("172.16.0.5", "double_nat"),
        ("169.254.7.7", "double_nat"),
        ("100.64.0.7", "carrier_grade_nat"),
        ("100.127.255.254", "carrier_grade_nat"),
        ("192.0.0.4", "carrier_grade_nat"),
        ("203.0.113.5", None),
        ("100.128.0.1", None),
    ],
)
async def test_7_a_router_behind_another_is_told(
    house: House, address: str, told: str | None
) -> None:
    """A private external address is another router's, a shared one the provider's."""
    house.router.change_external_address(address)
    await house.set_up()
    await house.add()
    assert house.coordinator.data.router.external_ipv4 == address
    assert house.coordinator.data.router.double_nat is (told is not None)
    assert house.issues() == ([told] if told else [])
    if told:
        registry = ir.async_get(house.hass)
        issue = registry.async_get_issue(DOMAIN, f"{told}_{house.entry.entry_id}")
        assert issue is not None
        assert issue.translation_placeholders == {
            "router": "Router",
            "plain_router": "Router",
            "external_address": address,
            "plain_external_address": address,
        }
        assert issue.severity is ir.IssueSeverity.WARNING
        assert issue.learn_more_url is not None
        assert "/docs/routers.md#" in issue.learn_more_url
        house.router.change_external_address("203.0.113.9")
        await house.wait(600)
        assert house.issues() == []


async def test_7_one_nat_in_place_of_another(house: House) -> None:
    """The other router is gone, and behind it was the provider's."""
    house.router.change_external_address("192.168.178.20")
    await house.set_up()
    await house.add()
    assert house.issues() == ["double_nat"]
    house.router.change_external_address("100.64.0.7")
    await house.wait(600)
    assert house.issues() == ["carrier_grade_nat"]


async def test_7_what_the_user_ignores_stays_ignored(house: House) -> None:
    """While the router is silent its NAT is not over, nor told of again after it."""
    house.router.change_external_address("100.64.0.7")
    await house.set_up()
    await house.add()
    issue_id = f"carrier_grade_nat_{house.entry.entry_id}"
    ir.async_ignore_issue(house.hass, DOMAIN, issue_id, True)
    await house.stop()
    house.router.silence()
    await house.start()
    await house.wait(4000)
    assert not house.coordinator.data.router.reachable
    house.router.unsilence()
    await house.wait(600)
    assert house.coordinator.data.router.double_nat
    issue = ir.async_get(house.hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.dismissed_version is not None


async def test_7_home_assistant_in_a_bridged_container(house: House) -> None:
    """The router sees another address than ours; told until it sees ours."""
    await house.set_up()
    forward_id = await house.add()
    house.router.set_personality("bridged_docker")
    house.router.reboot()
    await house.until(lambda: house.status(forward_id) == "refused")
    assert house.issues() == ["forward_refused_address_mismatch"]
    house.router.set_personality(RFC)
    await house.until(lambda: house.status(forward_id) == "open", within=86400)
    assert house.issues() == []


async def test_7_an_external_port_that_somebody_else_took(house: House) -> None:
    """Told where only that port will do, until it is free again."""
    await house.set_up()
    forward_id = await house.add(exact_external_port=True)
    house.router.reboot()
    occupy(house, 8123, seconds=1000)
    await house.until(lambda: house.status(forward_id) == "refused")
    [issue] = house.issues()
    assert issue in {
        "forward_refused_external_port_taken",
        "forward_refused_cannot_provide_external",
    }
    await house.until(lambda: house.status(forward_id) == "open", within=86400)
    assert house.issues() == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"map_result": ResultCode.NOT_AUTHORIZED}, "not_authorized"),
        ({"map_result": ResultCode.NETWORK_FAILURE}, "network_failure"),
        ({"map_result": ResultCode.NO_RESOURCES}, "no_resources"),
        ({"map_result": ResultCode.USER_EX_QUOTA}, "quota_exceeded"),
        ({"map_result": ResultCode.UNSUPP_PROTOCOL}, "unsupported_protocol"),
        ({"map_result": ResultCode.UNSUPP_OPTION}, "unsupported_option"),
        (
            {"map_result": ResultCode.CANNOT_PROVIDE_EXTERNAL},
            "cannot_provide_external",
        ),
        ({"map_result": ResultCode.EXCESSIVE_REMOTE_PEERS}, "router_refused"),
    ],
)
async def test_7_a_refusal_that_comes_by_itself(
    house: House, changes: dict[str, Any], reason: str
) -> None:
    """The wish stays on; a repair issue tells it in words until it is over."""
    await house.set_up()
    forward_id = await house.add()
    house.router.set_personality(replace(RFC, **changes))
    house.router.reboot()
    await house.until(lambda: house.status(forward_id) == "refused")
    assert house.is_on(forward_id)
    assert house.issues() == [f"forward_refused_{reason}"]
    assert reason in list(RefusalReason)
    issue = ir.async_get(house.hass).async_get_issue(
        DOMAIN, f"forward_refused_{forward_id}"
    )
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["plain_name"] == "Game"
    assert issue.severity is ir.IssueSeverity.ERROR
    assert issue.learn_more_url is not None
    assert issue.learn_more_url.startswith("https://")
    # It is tried again by itself, and the issue is gone with what it told.
    house.router.set_personality(RFC)
    await house.until(lambda: house.status(forward_id) == "open", within=86400)
    assert house.issues() == []


@pytest.mark.parametrize("end", ["off", "remove"])
async def test_7_a_refusal_is_over_when_nobody_wants_it(house: House, end: str) -> None:
    """Switched off or removed."""
    await house.set_up()
    forward_id = await house.add()
    house.router.set_personality(REFUSING)
    house.router.reboot()
    await house.until(lambda: house.issues() != [])
    if end == "off":
        await house.turn_off(forward_id)
        assert house.status(forward_id) == "closed"
    else:
        await house.call(DOMAIN, "remove_forward", forward_id=forward_id)
    assert house.issues() == []


async def test_7_a_part_that_is_refused_is_told(house: House) -> None:
    """The rest is open."""
    await house.set_up()
    forward_id = await house.add(protocol="tcp_udp")
    house.router.set_personality(replace(RFC, mappings_in_all=1))
    house.router.reboot()
    await house.until(lambda: house.status(forward_id) == "partly_open")
    await house.settle()
    assert house.issues() == ["forward_refused_no_resources"]


async def test_7_a_silent_router_that_refused_is_still_one_that_refused(
    house: House,
) -> None:
    """The status is what is so now; the repair is not done."""
    await house.set_up()
    forward_id = await house.add()
    house.router.set_personality(REFUSING)
    house.router.reboot()
    await house.until(lambda: house.status(forward_id) == "refused")
    house.router.silence()
    await house.until(lambda: house.status(forward_id) == "unreachable", within=600)
    assert house.issues() == ["forward_refused_not_authorized"]


# 9. One log line when it breaks, one when it works again.


async def test_9_one_line_down_one_line_up(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """However long it takes and however much is asked meanwhile.

    A router is called by its address until it gets a name.
    """
    caplog.set_level(logging.INFO)
    await house.set_up(data={"mac": MAC})
    title = "Router (2a00:1450::1)"
    house.hass.config_entries.async_update_entry(house.entry, title=title)
    forward_id = await house.add()
    caplog.clear()
    house.router.silence()
    await house.turn_off(forward_id)
    await house.turn_on(forward_id)
    await house.wait(2 * 3600)
    house.router.unsilence()
    await house.wait(600)
    assert house.status(forward_id) == "open"
    lines = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("custom_components.pcp")
        and record.levelno > logging.DEBUG
    ]
    assert lines == [
        ("WARNING", "Router (**REDACTED**) does not answer"),
        ("WARNING", "Router (**REDACTED**) answers again"),
    ]


async def test_9_a_router_that_was_never_there_is_one_line(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Its first answer is no news."""
    caplog.set_level(logging.INFO)
    house.router.silence()
    await house.set_up()
    await house.wait(3600)
    assert caplog.text.count("does not answer") == 1
    house.router.unsilence()
    await house.wait(600)
    assert caplog.text.count("answers again") == 1


async def test_9_logs_tell_no_secrets(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """No external address, MAC or nonce above debug, and no stack trace at all."""
    caplog.set_level(logging.DEBUG)
    await house.set_up(data={"mac": MAC})
    forward_id = await house.add()
    house.router.set_personality("closed")
    await house.wait(600)
    house.router.set_personality(REFUSING)
    house.router.reboot()
    await house.wait(600)
    house.router.set_personality(RFC)
    house.router.change_external_address("192.168.7.7")
    await house.wait(4000)
    assert house.status(forward_id) == "open"
    secrets = ["203.0.113.5", "192.168.7.7", MAC]
    secrets += {map_.nonce.hex() for map_ in house.maps()}
    for record in caplog.records:
        assert not record.exc_info
        if record.levelno > logging.DEBUG and "pcp" in record.name:
            for secret in secrets:
                assert secret not in record.getMessage()


# Durations.


async def open_for(house: House, forward_id: str, **duration: int) -> None:
    """Open a forward for a while, by the action."""
    await house.call(
        DOMAIN, "open_forward", entity_id=house.switch(forward_id), duration=duration
    )


async def test_a_duration_is_elapsed_time(house: House) -> None:
    """While HA runs, whatever the wall clock does."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await open_for(house, forward_id, minutes=10)
    assert house.view(forward_id).closes_at == house.wall(600)
    await house.wait(599)
    assert house.is_on(forward_id)
    await house.wait(1.1)
    assert not house.is_on(forward_id)
    assert house.open_ports() == []
    assert house.view(forward_id).closes_at is None


async def test_opening_again_replaces_the_end(house: House) -> None:
    """A plain on keeps it, off clears it, and without one it stays open."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await open_for(house, forward_id, minutes=10)
    await open_for(house, forward_id, minutes=20)
    assert house.view(forward_id).closes_at == house.wall(1200)
    await house.turn_on(forward_id)
    assert house.view(forward_id).closes_at == house.wall(1200)
    await house.turn_off(forward_id)
    assert house.view(forward_id).closes_at is None
    await house.turn_on(forward_id)
    assert house.view(forward_id).closes_at is None
    await house.wait(86400)
    assert house.status(forward_id) == "open"


async def test_a_duration_goes_on_over_a_restart(house: House) -> None:
    """By the wall clock."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await open_for(house, forward_id, minutes=10)
    closes_at = house.view(forward_id).closes_at
    await house.crash()
    await house.wait(300)
    await house.start()
    assert house.view(forward_id).closes_at == closes_at
    await house.wait(299)
    assert house.is_on(forward_id)
    await house.wait(2)
    assert not house.is_on(forward_id)


async def test_a_duration_that_ran_out_while_down_closes_at_start(
    house: House,
) -> None:
    """And the router is told so at once."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await open_for(house, forward_id, minutes=10)
    await house.crash()
    await house.wait(601)
    assert house.open_ports() == [8123]
    await house.start()
    assert not house.is_on(forward_id)
    assert house.open_ports() == []


@pytest.mark.parametrize("step", [7200, -7200])
async def test_a_step_of_the_wall_clock_changes_what_is_shown_only(
    house: House, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Durations and leases go on; a restart finds the new time on disk."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    await open_for(house, forward_id, minutes=10)
    closes_at = house.view(forward_id).closes_at
    assert closes_at is not None
    stored = house.stored()["wishes"][forward_id]["closes_at"]
    real = house.coordinator._engine.clock

    def stepped() -> float:
        return house.now() + real_offset + step

    real_offset = real.wall_offset
    monkeypatch.setattr(
        "custom_components.pcp.clock.time", SimpleNamespace(time=stepped)
    )
    await house.wait(62)
    assert house.view(forward_id).closes_at == closes_at + timedelta(seconds=step)
    assert house.stored()["wishes"][forward_id]["closes_at"] == stored + step
    assert house.status(forward_id) == "open"
    await house.wait(537)
    assert house.is_on(forward_id)
    await house.wait(2)
    assert not house.is_on(forward_id)


async def test_what_is_stored_is_by_the_wall_clock_of_now(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may follow the step before anybody has looked at the clock."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    offset = house.coordinator._engine.clock.wall_offset + 7200
    monkeypatch.setattr(
        "custom_components.pcp.clock.time",
        SimpleNamespace(time=lambda: house.now() + offset),
    )
    await open_for(house, forward_id, minutes=10)
    stored = house.stored()["wishes"][forward_id]["closes_at"]
    assert stored == pytest.approx(house.now() + offset + 600, abs=10)


@pytest.mark.parametrize("step", [7200, -7200])
async def test_a_step_of_the_wall_clock_just_before_a_power_cut(
    house: House, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """What is owed is closed all the same, and a duration is not longer."""
    await house.set_up(forward_data("Game", 8123), forward_data("Guest", 8124))
    game, guest = house.ids()
    await open_for(house, game, minutes=10)
    await house.turn_on(guest)
    house.router.silence()
    await house.turn_off(guest)
    offset = house.coordinator._engine.clock.wall_offset + step
    await house.crash()
    monkeypatch.setattr(
        "custom_components.pcp.clock.time",
        SimpleNamespace(time=lambda: house.now() + offset),
    )
    house.router.unsilence()
    await house.start()
    await house.wait(30)
    assert house.status(guest) == "closed"
    assert house.open_ports() == ([] if step > 0 else [8123])
    await house.wait(580)
    assert not house.is_on(game)
    assert house.open_ports() == []


# Temporary forwards.


@pytest.mark.parametrize("by_hand", [False, True])
async def test_a_temporary_forward_removes_itself(house: House, by_hand: bool) -> None:
    """When it has run its time, and when it is switched off."""
    await house.set_up()
    forward_id = await house.add(duration={"minutes": 10})
    assert house.view(forward_id).closes_at == house.wall(600)
    assert house.open_ports() == [8123]
    if by_hand:
        await house.turn_off(forward_id)
    else:
        await house.wait(601)
    assert house.ids() == []
    assert house.open_ports() == []
    assert house.hass.states.async_entity_ids("switch") == []
    await house.wait(2)
    assert house.stored()["wishes"] == {}
    assert house.stored()["leases"] == []


async def test_a_temporary_forward_that_ran_out_while_down_is_gone(
    house: House,
) -> None:
    """At the next start; what is left of it is closed."""
    await house.set_up()
    await house.add(duration={"minutes": 10})
    await house.crash()
    await house.wait(601)
    await house.start()
    assert house.ids() == []
    assert house.open_ports() == []
    assert house.hass.states.async_entity_ids("switch") == []


async def test_a_temporary_forward_goes_while_the_router_is_silent(
    house: House,
) -> None:
    """What it is owed stays."""
    await house.set_up()
    forward_id = await house.add(duration={"minutes": 10})
    house.router.silence()
    await house.turn_off(forward_id)
    assert house.ids() == []
    house.router.unsilence()
    await house.wait(120)
    assert house.open_ports() == []


async def test_a_temporary_forward_is_kept_over_a_restart(house: House) -> None:
    """And goes when its time has come."""
    await house.set_up()
    forward_id = await house.add(duration={"minutes": 10})
    await house.stop()
    await house.start()
    assert house.status(forward_id) == "open"
    await house.wait(601)
    assert house.ids() == []
