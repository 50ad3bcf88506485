"""The Store of a router: what is on disk, and when."""

from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
import pytest

from custom_components.pcp.storage import LedgerStore

from .house import House

pytest_plugins = ["tests.house_fixtures"]

KEY = "pcp.entry"


@pytest.mark.parametrize(
    "error", [HomeAssistantError, NotImplementedError, KeyError, TypeError]
)
async def test_what_cannot_be_read_is_damage(
    hass: HomeAssistant, error: type[Exception]
) -> None:
    """Whatever is wrong with the file, its owner has one thing to catch."""
    with (
        patch.object(Store, "async_load", side_effect=error),
        pytest.raises(ValueError, match="storage"),
    ):
        await LedgerStore(hass, "entry").async_load(wall_offset=0)


async def test_what_was_never_written_is_none(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """A router that is new."""
    assert await LedgerStore(hass, "entry").async_load(wall_offset=0) is None


async def test_nobody_else_may_read_it(hass: HomeAssistant) -> None:
    """Nonces are in it."""
    assert LedgerStore(hass, "entry")._store._private


@pytest.mark.freeze_time("2026-11-22 12:00:00")
async def test_what_is_due_soon_is_not_put_off(house: House) -> None:
    """A thousand renewals in a row do not keep a grant from the disk."""
    store = LedgerStore(house.hass, "entry")
    begin = house.now()

    def data() -> dict[str, Any]:
        return {"written_after": round(house.now() - begin)}

    store.async_save_soon(data, renewal=False)
    for _ in range(100):
        store.async_save_soon(data, renewal=True)
        await house.wait(0.5)
    # The first renewal after it waits for the others, and they do not put it off.
    assert house.storage[KEY]["data"] == {"written_after": 31}


@pytest.mark.freeze_time("2026-11-22 12:00:00")
async def test_what_is_due_later_comes_sooner_with_something_new(house: House) -> None:
    """A renewal may wait for half a minute, a grant for a second."""
    store = LedgerStore(house.hass, "entry")
    store.async_save_soon(lambda: {"number": 1}, renewal=True)
    await house.wait(10)
    assert KEY not in house.storage
    store.async_save_soon(lambda: {"number": 2}, renewal=False)
    await house.wait(1.1)
    assert house.storage[KEY]["data"] == {"number": 2}
    await house.wait(60)


@pytest.mark.freeze_time("2026-11-22 12:00:00")
async def test_saving_at_once_includes_what_was_to_come(house: House) -> None:
    """It is not written a second time."""
    store = LedgerStore(house.hass, "entry")
    store.async_save_soon(lambda: {"number": 1}, renewal=False)
    await store.async_save({"number": 2})
    assert house.storage[KEY]["data"] == {"number": 2}
    await house.wait(60)
    assert house.storage[KEY]["data"] == {"number": 2}
