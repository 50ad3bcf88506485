"""The Store of a router: what is on disk, and when."""

from collections.abc import Iterator
from errno import ENOSPC
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, UnsupportedStorageVersionError
from homeassistant.helpers.storage import Store
import pytest

from custom_components.pcp.snapshot import Snapshot
from custom_components.pcp.storage import LedgerStore, Stored

from .house import House

pytest_plugins = ["tests.house_fixtures"]

KEY = "pcp.entry"
FULL = OSError(ENOSPC, "No space left on device")
# The tests' Home Assistant has its storage in memory.
REAL_STORE = {
    name: getattr(Store, name)
    for name in ("_async_load", "_async_write_data", "async_remove")
}


@pytest.mark.parametrize("error", [NotImplementedError, KeyError, TypeError])
async def test_what_is_no_document_is_lost(
    hass: HomeAssistant, error: type[Exception]
) -> None:
    """Whatever is wrong with what is around the data."""
    with patch.object(Store, "async_load", side_effect=error):
        stored = await LedgerStore(hass, "entry").async_load(wall_offset=0)
    assert stored == Stored(snapshot=Snapshot(), is_damaged=True)
    assert stored.is_lost


async def test_what_cannot_be_read_now_is_not_lost(hass: HomeAssistant) -> None:
    """A disk that fails, or a version to come: it is the owner's matter."""
    with (
        patch.object(Store, "async_load", side_effect=HomeAssistantError),
        pytest.raises(HomeAssistantError),
    ):
        await LedgerStore(hass, "entry").async_load(wall_offset=0)


async def test_what_was_never_written_is_none(
    hass: HomeAssistant, hass_storage: dict[str, Any]
) -> None:
    """A router that is new."""
    assert await LedgerStore(hass, "entry").async_load(wall_offset=0) is None


async def test_nobody_else_may_read_it(hass: HomeAssistant) -> None:
    """Nonces are in it."""
    made = patch.object(Store, "__init__", autospec=True, side_effect=Store.__init__)
    with made as init:
        LedgerStore(hass, "entry")
    assert init.call_args.kwargs["private"] is True


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


# On a real disk.


class Disk:
    """What is really written, below a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / ".storage" / KEY

    def read(self) -> str:
        """Return what is in the file."""
        return self.file.read_text()

    def data(self) -> Any:
        """Return the data in the file."""
        return json.loads(self.read())["data"]

    def write(self, **document: Any) -> str:
        """Write a document; return it as it is written."""
        self.file.parent.mkdir()
        self.file.write_text(text := json.dumps({"key": KEY, **document}))
        return text

    def others(self) -> list[Path]:
        """Return what else is there."""
        return [it for it in self.file.parent.iterdir() if it != self.file]


@pytest.fixture
def disk(hass: HomeAssistant, tmp_path: Path) -> Iterator[Disk]:
    """A disk for the store; nothing is on it yet."""
    hass.config.config_dir = str(tmp_path)
    with patch.multiple(Store, **REAL_STORE):
        yield Disk(tmp_path)


async def test_whether_it_is_on_disk_is_told(
    hass: HomeAssistant, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """Home Assistant's own store says nothing; one line when it breaks, one after."""
    store = LedgerStore(hass, "entry")
    assert await store.async_save({"number": 1})
    with patch("atomicwrites._proper_fsync", side_effect=FULL):
        assert not await store.async_save({"number": 2})
        assert not await store.async_save({"number": 3})
        assert store.is_failing
    assert disk.data() == {"number": 1}
    assert await store.async_save({"number": 4})
    assert not store.is_failing
    assert disk.data() == {"number": 4}
    ours = [it for it in caplog.records if it.name.startswith("custom_components.pcp")]
    assert [it.levelname for it in ours] == ["ERROR", "WARNING"]
    assert str(FULL) in ours[0].message
    assert not any(it.exc_info for it in ours)


async def test_a_folder_that_cannot_be_made_is_no_crash(
    hass: HomeAssistant, disk: Disk
) -> None:
    """Home Assistant's own store lets that through."""
    with patch("os.makedirs", side_effect=FULL):
        assert not await LedgerStore(hass, "entry").async_save({})


async def test_nothing_half_written_is_left(hass: HomeAssistant, disk: Disk) -> None:
    """The old file or the new one, and no other."""
    store = LedgerStore(hass, "entry")
    await store.async_save({"number": 1})
    with patch("atomicwrites._proper_fsync", side_effect=FULL):
        assert not await store.async_save({"number": 2})
    assert disk.others() == []
    assert disk.data() == {"number": 1}


DAMAGED = {"servers": [], "internal_addresses": [], "wishes": {"01": 5}, "leases": []}


async def test_a_damaged_file_is_kept(
    hass: HomeAssistant, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """Under the name that Home Assistant uses; nobody else may read it."""
    text = disk.write(version=1, data=DAMAGED)
    stored = await LedgerStore(hass, "entry").async_load(wall_offset=0)
    assert stored is not None
    assert stored.is_damaged
    (copy,) = disk.others()
    assert copy.name.startswith(f"{KEY}.corrupt.20")
    assert copy.read_text() == disk.read() == text
    assert copy.stat().st_mode & 0o777 == 0o600
    (line,) = [it.message for it in caplog.records if it.levelname == "ERROR"]
    assert copy.name in line
    assert "wishes[0]" in line


async def test_a_damaged_file_is_used_though_it_cannot_be_kept(
    hass: HomeAssistant, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """No room for a copy: half of one is none."""
    disk.write(version=1, data=DAMAGED)
    with patch("shutil.copyfile", side_effect=FULL):
        stored = await LedgerStore(hass, "entry").async_load(wall_offset=0)
    assert stored is not None
    assert disk.others() == []
    assert "no copy could be kept" in caplog.text


async def test_a_version_to_come_is_left_as_it_is(
    hass: HomeAssistant, disk: Disk
) -> None:
    """Whoever goes back to an older release loses nothing."""
    text = disk.write(version=2, data={"better": True})
    with pytest.raises(UnsupportedStorageVersionError):
        await LedgerStore(hass, "entry").async_load(wall_offset=0)
    assert disk.read() == text
    assert disk.others() == []
