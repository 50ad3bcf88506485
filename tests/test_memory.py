"""A memory that is damaged, of a version to come, or cannot be written."""

from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
import pytest

from custom_components.pcp.const import DOMAIN
from custom_components.pcp.errors import RefusedError
from custom_components.pcp.forward import Forward

from .glue import forward_data
from .house import House, full_disk, slow_disk

pytest_plugins = ["tests.house_fixtures"]
pytestmark = pytest.mark.freeze_time("2026-11-22 12:00:00.25")


def document(house: House) -> dict[str, Any]:
    """Return what is on disk of the router."""
    found: dict[str, Any] = house.storage[f"{DOMAIN}.{house.entry.entry_id}"]
    return found


async def set_up_in_vain(house: House) -> ConfigEntryState:
    """Try to set the router up; return its state then."""
    entry_id = house.entry.entry_id
    assert not await house.finish(house.hass.config_entries.async_setup(entry_id))
    await house.settle()
    return house.entry.state


async def refusal(house: House, act: str, **data: Any) -> str | None:
    """Perform an action that is refused; return the key of the error."""
    with pytest.raises(HomeAssistantError) as refused:
        await house.call(*act.split("."), **data)
    return refused.value.translation_key


# Damaged.


async def test_a_damaged_lease_costs_no_other(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """All wishes are as they were, and what was granted is not asked for again."""
    await house.set_up()
    ids = [await house.add(str(port), port) for port in (81, 82, 83)]
    await house.stop()
    nonces = house.stored_nonces()
    (lease,) = (it for it in house.stored()["leases"] if it["internal_port"] == 82)
    lease["nonce"] = "00"
    count = house.count()
    await house.start()
    assert [house.is_on(it) for it in ids] == [True, True, True]
    assert [house.status(it) for it in (ids[0], ids[2])] == ["open", "open"]
    assert house.issues().count("store_damaged") == 1
    # The lost lease is another mapping now: the router keeps the old one to its end.
    asked = {it.internal_port: it.nonce.hex() for it in house.maps(count)}
    assert asked[82] != nonces[82]
    assert {**asked, 82: nonces[82]}.items() <= nonces.items()
    assert {81, 83} <= {*house.open_ports()}
    errors = [it.message for it in caplog.records if it.levelname == "ERROR"]
    assert len(errors) == 1
    assert "a nonce has 12 octets" in errors[0]
    # It is not told for ever: all is well at the next start.
    await house.stop()
    await house.start()
    assert "store_damaged" not in house.issues()


async def test_what_nobody_is_known_to_want_is_closed(house: House) -> None:
    """A wish that cannot be read is none; its lease is known, and given back."""
    await house.set_up()
    lost, kept = [await house.add(str(port), port) for port in (81, 82)]
    await house.stop()
    house.stored()["wishes"][lost] = {"wanted": "perhaps"}
    await house.start()
    assert (house.is_on(lost), house.is_on(kept)) == (False, True)
    assert house.status(lost) == "closed"
    assert house.open_ports() == [82]


async def test_removing_closes_what_can_be_read(house: House) -> None:
    """From storage alone."""
    await house.set_up()
    for port in (81, 82):
        await house.add(str(port), port)
    await house.stop()
    house.stored()["leases"][0]["nonce"] = "00"
    await house.finish(house.hass.config_entries.async_remove(house.entry.entry_id))
    assert house.open_ports() == [81]


# Not to be understood, or not to be read now.


async def test_a_version_to_come_is_not_written_over(house: House) -> None:
    """Whoever goes back to an older release is told, and loses nothing."""
    await house.set_up()
    await house.add()
    await house.stop()
    document(house)["version"] = 2
    before = repr(document(house))
    count = house.count()
    assert await set_up_in_vain(house) is ConfigEntryState.SETUP_ERROR
    assert house.entry.error_reason_translation_key == "storage_too_new"
    await house.wait(3600)
    assert house.count() == count
    assert repr(document(house)) == before


async def test_a_version_to_come_can_be_disabled_and_removed(house: House) -> None:
    """Its leases are left to end; disabling leaves it as it is."""
    await house.set_up()
    await house.add()
    await house.stop()
    document(house)["version"] = 2
    before = repr(document(house))
    await set_up_in_vain(house)
    entries = house.hass.config_entries
    await house.finish(
        entries.async_set_disabled_by(house.entry.entry_id, ConfigEntryDisabler.USER)
    )
    await house.settle()
    assert repr(document(house)) == before
    await house.finish(entries.async_remove(house.entry.entry_id))
    assert entries.async_entries(DOMAIN) == []
    assert f"{DOMAIN}.{house.entry.entry_id}" not in house.storage


async def test_what_cannot_be_read_now_is_tried_again(house: House) -> None:
    """A disk that fails is not an empty one."""
    await house.set_up()
    forward_id = await house.add()
    await house.stop()
    before = repr(document(house))
    with patch.object(Store, "_async_load", side_effect=HomeAssistantError("EIO")):
        assert await set_up_in_vain(house) is ConfigEntryState.SETUP_RETRY
    assert house.entry.error_reason_translation_key == "storage_unreadable"
    assert repr(document(house)) == before
    await house.until(lambda: house.entry.state is ConfigEntryState.LOADED)
    assert house.is_on(forward_id)
    assert house.status(forward_id) == "open"


# A full disk.


async def test_a_disk_that_hangs_keeps_no_door_open(house: House) -> None:
    """It is as good as one that is full; when it answers, all is as it was told."""
    await house.set_up()
    forward_id = await house.add()
    with slow_disk(7200.0):
        house.begin(house.coordinator.async_close_forward(forward_id))
        await house.wait(20)
        assert house.open_ports() == []
        assert "storage_failed" in house.issues()
        with pytest.raises(RefusedError):
            await house.finish(house.coordinator.async_open_forward(forward_id))
        assert house.open_ports() == []
    await house.wait(7300)
    assert house.issues() == []
    assert house.stored()["wishes"][forward_id]["wanted"] is False
    assert house.status(forward_id) == "closed"


async def test_a_full_disk_keeps_no_door_open(house: House) -> None:
    """Closing is safer than durability; it is told that it could not be saved."""
    await house.set_up()
    forward_id = await house.add()
    with full_disk():
        await house.turn_off(forward_id)
        assert house.open_ports() == []
        assert not house.is_on(forward_id)
        assert house.status(forward_id) == "closed"
        assert house.issues() == ["storage_failed"]
        assert house.stored()["wishes"][forward_id]["wanted"] is True
    await house.wait(61)
    assert house.stored()["wishes"][forward_id]["wanted"] is False
    assert house.issues() == []
    await house.crash()
    await house.start()
    assert not house.is_on(forward_id)
    assert house.open_ports() == []


@pytest.mark.parametrize(
    ("act", "data"),
    [
        ("switch.turn_on", {}),
        ("pcp.open_forward", {"duration": 60}),
        ("pcp.add_forward", {"name": "More", "internal_port": 82}),
    ],
)
async def test_what_cannot_be_saved_is_not_opened(
    house: House, act: str, data: dict[str, Any]
) -> None:
    """A nonce is on disk before its first request; an error says why it is not."""
    await house.set_up(forward_data("Game", 8123))
    (forward_id,) = house.ids()
    if "name" not in data:
        data = data | {"entity_id": house.switch(forward_id)}
    count = house.count()
    with full_disk():
        assert await refusal(house, act, **data) == "storage_failed"
        assert house.ids() == [forward_id]
        assert not house.is_on(forward_id)
        assert house.status(forward_id) == "closed"
    # And not later by itself.
    await house.wait(120)
    assert house.maps(count) == []
    assert "storage_failed" not in house.issues()
    await house.call(*act.split("."), **data)
    assert len(house.open_ports()) == 1


async def test_a_form_says_that_nothing_can_be_saved(house: House) -> None:
    """A changed forward stays what it was, and open."""
    await house.set_up()
    forward_id = await house.add()
    changed = Forward.parse({"name": "Game", "internal_port": 82})
    with full_disk():
        for replacing in (forward_id, None):
            with pytest.raises(RefusedError) as refused:
                await house.finish(
                    house.coordinator.async_try_forward(changed, replacing=replacing)
                )
            assert refused.value.key == "storage_failed"
        assert house.status(forward_id) == "open"
        assert house.open_ports() == [8123]
    assert house.open_ports() == [8123]


async def test_what_is_open_stays_open_without_a_disk(house: House) -> None:
    """Nothing of it is new: renewals, reboots, and switching on once more."""
    await house.set_up()
    forward_id = await house.add()
    with full_disk():
        await house.turn_on(forward_id)
        house.router.reboot()
        await house.until(lambda: house.open_ports() == [8123])
        await house.wait(2 * 3600)
        assert house.status(forward_id) == "open"


async def test_a_new_nonce_waits_for_the_disk(house: House) -> None:
    """Another router at the same address: everything is asked for anew, then."""
    await house.set_up()
    wanted, unwanted = [await house.add(str(port), port) for port in (81, 82)]
    await house.turn_off(unwanted)
    count = house.count()
    with full_disk():
        house.router.reboot()
        await house.finish(house.coordinator._engine.async_start_anew())
        await house.wait(300)
        # It may be the old router: what that has is closed all the same.
        assert {it.lifetime for it in house.maps(count)} == {0}
        assert house.status(wanted) == "opening"
    count = house.count()
    await house.until(lambda: house.status(wanted) == "open", within=61)
    assert [it.internal_port for it in house.maps(count)] == [81]


async def test_what_was_withheld_is_asked_for_when_something_else_was_saved(
    house: House,
) -> None:
    """A write of its own, as after the answer to a deletion, is not that of the orders."""
    await house.set_up()
    forward_id = await house.add()
    engine = house.coordinator._engine
    with full_disk():
        house.router.reboot()
        await house.finish(engine.async_start_anew())
    engine._records.save_soon(renewal=False)
    await house.wait(5)
    assert not engine.is_storage_failing
    await house.until(lambda: house.status(forward_id) == "open", within=61)


async def test_what_was_given_up_meanwhile_is_not_asked_for(house: House) -> None:
    """It waited for the disk, and was switched off."""
    await house.set_up()
    forward_id = await house.add()
    with full_disk():
        await house.finish(house.coordinator._engine.async_start_anew())
        count = house.count()
        await house.turn_off(forward_id)
    await house.wait(120)
    assert not [it for it in house.maps(count) if it.lifetime]
    assert house.status(forward_id) == "closed"


async def test_one_line_when_it_breaks_and_one_when_it_works(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """However often it is tried."""
    await house.set_up()
    forward_id = await house.add()
    with full_disk():
        await house.turn_off(forward_id)
        await house.wait(600)
    await house.wait(61)
    ours = [it for it in caplog.records if it.name.startswith("custom_components.pcp")]
    told = [it.levelname for it in ours if it.levelname in ("WARNING", "ERROR")]
    assert told == ["ERROR", "WARNING"]


async def test_a_reload_goes_on_with_what_could_not_be_written(house: House) -> None:
    """What was switched off is not switched on by it."""
    await house.set_up()
    kept, closed = [await house.add(str(port), port) for port in (81, 82)]
    with full_disk():
        await house.turn_off(closed)
        await house.stop()
        await house.start()
        assert (house.is_on(kept), house.is_on(closed)) == (True, False)
        assert house.open_ports() == [81]
    await house.wait(61)
    wishes = house.stored()["wishes"]
    assert [wishes[it]["wanted"] for it in (kept, closed)] == [True, False]


@pytest.mark.parametrize("is_full", [False, True])
async def test_disabling_with_a_full_disk(house: House, is_full: bool) -> None:
    """What cannot be rewritten can be removed: enabled again, all is off."""
    await house.set_up()
    forward_id = await house.add()
    entries, entry_id = house.hass.config_entries, house.entry.entry_id
    with full_disk() if is_full else nullcontext():
        await house.finish(
            entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
        )
        await house.settle()
        assert house.open_ports() == []
    await house.wait(60)
    await house.finish(entries.async_set_disabled_by(entry_id, None))
    await house.settle()
    assert not house.is_on(forward_id)
    assert house.open_ports() == []
    assert house.issues() == (["store_lost"] if is_full else [])


async def test_what_runs_out_while_it_is_saved_is_not_shown_open(house: House) -> None:
    """A lease that lived when it was taken up has run out when a slow disk is done."""
    await house.set_up(options={"lease_time": 120})
    forward_id = await house.add()
    house.router.silence()
    await house.stop()
    await house.wait(115)
    with slow_disk(8.0):
        await house.start()
        assert house.status(forward_id) == "open"
        await house.wait(20)
    assert house.status(forward_id) == "unreachable"
