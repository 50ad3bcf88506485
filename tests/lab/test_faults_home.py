"""What befalls Home Assistant and its disk while forwards are toggled."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
import json
from pathlib import Path
import shutil
import subprocess
import threading
import time

import aiohttp
import pytest

from tests.real_ha import ApiError

from .faults import Doors, rounds
from .home import QUICK_LOOK, Home
from .router import Router
from .waiting import wait_until

pytestmark = pytest.mark.timeout(1200 + 40 * rounds(0))

SHORT_LEASE = 14


@pytest.fixture(scope="module")
def quick() -> bool:
    """Look around often."""
    return True


def store(home: Home) -> Path:
    """Return the file with wishes and leases."""
    return home.process.config_dir / ".storage" / f"pcp.{home.entry_id}"


def copies(home: Home) -> list[Path]:
    """Return what was kept of damaged files."""
    return sorted(store(home).parent.glob(f"{store(home).name}.corrupt.*"))


def issues(home: Home) -> list[str]:
    """Return the translation keys of the integration's repair issues."""
    return [it["translation_key"] for it in home.api.issues() if it["domain"] == "pcp"]


def toggle_until_dead(doors: Doors) -> set[int]:
    """Toggle until Home Assistant is killed; return of what nobody knows the wish."""
    unknown: set[int] = set()

    def toggle() -> None:
        with suppress(
            ApiError, OSError, aiohttp.ClientError, aiohttp.WSMessageTypeError
        ):
            while True:
                port = doors.random.choice(sorted(doors.doors))
                unknown.add(port)
                doors.doors[port].turn("off" if doors.wanted[port] else "on")
                doors.wanted[port] = not doors.wanted[port]
                unknown.remove(port)

    thread = threading.Thread(target=toggle)
    thread.start()
    time.sleep(doors.random.uniform(0, 1.5))
    doors.home.kill()
    thread.join()
    return unknown


def test_home_assistant_killed(home: Home, router: Router) -> None:
    """At any moment: every act that had returned holds, and one under way either way."""
    doors = Doors.added(home, router)
    for _ in range(rounds(3)):
        for port in toggle_until_dead(doors):
            doors.wanted.pop(port)
        home.start()
        for port, door in doors.doors.items():
            doors.wanted.setdefault(port, door.switch == "on")
        doors.wait_until_right()
    doors.close_all()


def test_truncated_storage(home: Home, router: Router) -> None:
    """All is off, and told; the old doors shut at the end of their leases."""
    router.configure(min_lifetime=1, max_lifetime=SHORT_LEASE)
    doors = Doors.added(home, router, 2)
    home.stop()
    whole = store(home).read_bytes()
    store(home).write_bytes(whole[: len(whole) // 2])
    home.start()
    assert issues(home) == ["store_lost"]
    (copy,) = copies(home)
    assert copy.read_bytes() == whole[: len(whole) // 2]
    # Home Assistant's own storage tells it with a stack trace.
    home.forget_log()
    for port, door in doors.doors.items():
        assert door.switch == "off"
        doors.wanted[port] = False
        home.wait_until_shut(port, timeout=SHORT_LEASE + 20)
    doors.toggle()
    doors.wait_until_right()
    assert issues(home) == []
    doors.close_all()


def test_damaged_lease(home: Home, router: Router) -> None:
    """One nonce is no nonce: the other wishes and leases are as they were."""
    doors = Doors.added(home, router, 3)
    first, second, third = doors.doors
    home.stop()
    document = json.loads(store(home).read_text())
    leases = {it["internal_port"]: it for it in document["data"]["leases"]}
    leases[first]["nonce"] = "damaged"
    # Nobody wants the lease of another one any more.
    document["data"]["wishes"][doors.doors[second].forward_id] = "damaged"
    damaged = json.dumps(document)
    store(home).write_text(damaged)
    home.start()
    assert issues(home) == ["store_damaged"]
    (copy,) = copies(home)
    assert copy.read_text() == damaged
    assert copy.stat().st_mode & 0o077 == 0
    (line,) = (it for it in home.log().splitlines() if " ERROR " in it and "pcp" in it)
    assert copy.name in line
    home.forget_log()
    doors.wanted[second] = False
    home.wait_until_shut(second)
    door = doors.doors[third]
    door.wait_for("open", switch="on")
    assert home.passes(third)
    assert doors.doors[first].switch == "on"
    stored = json.loads(store(home).read_text())["data"]["leases"]
    assert leases[third]["nonce"] in {it["nonce"] for it in stored}


def test_full_disk(home: Home, router: Router) -> None:
    """A door can be closed, none opened; when there is room again all is as ever."""
    doors = Doors.added(home, router, 2)
    on, off = doors.doors
    doors.doors[off].turn("off")
    with small_disk(home, store(home).parent) as fill:
        home.start()
        doors.doors[on].wait_for("open")
        with fill():
            doors.doors[on].turn("off")
            assert doors.doors[on].switch == "off"
            assert not home.passes(on)
            with pytest.raises(ApiError) as refused:
                doors.doors[off].turn("on")
            assert refused.value.translation_key == "storage_failed"
            assert doors.doors[off].switch == "off"
            assert not home.passes(off)
            assert issues(home) == ["storage_failed"]
            time.sleep(2 * QUICK_LOOK)
        wait_until(lambda: not issues(home), "the wishes to be on disk")
        ours = [it for it in home.log().splitlines() if "[custom_components.pcp" in it]
        assert sum(" ERROR " in line for line in ours) == 1
        assert sum("again" in line for line in ours if " WARNING " in line) == 1
        # The stack traces are of Home Assistant's own storage.
        home.forget_log()
        doors.doors[off].turn("on")
        home.kill()
        home.start()
        doors.wanted = {on: False, off: True}
        doors.wait_until_right()
        home.stop()


def test_restored_backup(home: Home, router: Router) -> None:
    """The wishes of then, without durations that are over; leases go on."""
    doors = Doors.added(home, router, 4)
    kept, closed, timed, off = doors.doors
    doors.doors[timed].turn("off")
    doors.doors[timed].open_for(10)
    doors.doors[off].turn("off")
    home.wait_until_saved()
    ends_at = time.monotonic() + 10
    time.sleep(1.5)
    home.stop()
    backup = store(home).parent.with_name("backup")
    shutil.copytree(store(home).parent, backup)
    nonces = stored_nonces(home)
    home.start()
    doors.doors[closed].turn("off")
    doors.doors[timed].turn("off")
    home.stop()
    time.sleep(max(0.0, ends_at - time.monotonic()))
    shutil.rmtree(store(home).parent)
    backup.rename(store(home).parent)
    home.start()
    doors.wanted = {kept: True, closed: True, timed: False, off: False}
    doors.wait_until_right()
    assert stored_nonces(home)[kept] == nonces[kept]
    assert len(router.mappings()) == 2
    doors.close_all()


def stored_nonces(home: Home) -> dict[int, str]:
    """Return the nonces on disk, by internal port."""
    leases = json.loads(store(home).read_text())["data"]["leases"]
    return {it["internal_port"]: it["nonce"] for it in leases}


@contextmanager
def small_disk(
    home: Home, folder: Path
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Stop Home Assistant, and put a folder on a disk of its own.

    Gives what makes another block, in which that disk is full. At the end it is stopped,
    and the folder is as it was then.
    """
    filler = folder / "filler"

    @contextmanager
    def fill() -> Iterator[None]:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        # Room for less than a page is none.
        assert shutil.disk_usage(folder).free == 0
        try:
            yield
        finally:
            filler.unlink()

    home.stop()
    contents = folder.with_name("contents")
    folder.rename(contents)
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True
    )
    try:
        shutil.copytree(contents, folder, dirs_exist_ok=True)
        shutil.rmtree(contents)
        yield fill
    finally:
        home.process.kill()
        shutil.copytree(folder, contents, dirs_exist_ok=True)
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()
        contents.rename(folder)
