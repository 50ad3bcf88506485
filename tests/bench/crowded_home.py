"""A real Home Assistant with many forwards, measured from within.

Usage: PYTHON crowded_home.py FOLDER PORT SCENARIO ADDRESS…

It runs in the environment of Home Assistant and knows nothing of the repository but
the integrations in the folder. It prints one JSON object. PORT steers the routers.
"""

import asyncio
from collections.abc import Callable
import gc
import json
import os
from pathlib import Path
import sys
import time
import traceback
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from homeassistant.bootstrap import async_setup_hass
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.runner import RuntimeConfig
import quiet_home  # type: ignore[import-not-found]
from watchdog import Watchdog  # type: ignore[import-not-found]

OURS, IDLE = "pcp", "pcp_bench_idle"
FOLDER = "/custom_components/pcp/"
# How many forwards, and how many rounds: the fewer milliseconds, the more of them.
SIZES = {10: 31, 100: 11, 1000: 5}
# Seconds of work in a tenth of a second in which nothing happens.
QUIET = 0.005
PATIENCE = 120.0


class Home:
    """Home Assistant, what is watched in it, and what was measured."""

    def __init__(self, hass: HomeAssistant, port: int, addresses: list[str]) -> None:
        """Begin to watch."""
        self.hass = hass
        self.port = port
        self.addresses = addresses
        self.watchdog = Watchdog()
        self.measured: dict[str, Any] = {}

    async def steer(self, line: str) -> str:
        """Say a word to the routers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{line}\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    async def add(self, domain: str, address: str, forwards: int) -> ConfigEntry:
        """Add an entry with so many forwards, all off; they are set up at once."""
        entry: ConfigEntry = ConfigEntry(
            data={"host": address},
            discovery_keys=MappingProxyType({}),
            domain=domain,
            minor_version=1,
            options={},
            source=SOURCE_USER,
            subentries_data=[
                {
                    "data": {"internal_port": 2000 + number},
                    "subentry_type": "forward",
                    "title": f"Forward {number}",
                    "unique_id": None,
                }
                for number in range(forwards)
            ],
            title=f"Router {address}",
            unique_id=None,
            version=1,
        )
        await self.hass.config_entries.async_add(entry)
        await self.settle()
        assert entry.state is ConfigEntryState.LOADED, (domain, entry.reason)
        return entry

    async def set_up_again(self, entry: ConfigEntry) -> tuple[float, float]:
        """Unload and set up; return how long the set-up took, and worked, in seconds.

        The difference is waiting: for the disk, and for what else the machine does.
        """
        with self.watchdog.during("unloading"):
            assert await self.hass.config_entries.async_unload(entry.entry_id)
            await self.settle()
        gc.collect()
        with self.watchdog.during("set-up"):
            started, worked = time.perf_counter(), time.thread_time()
            assert await self.hass.config_entries.async_setup(entry.entry_id)
            seconds = time.perf_counter() - started, time.thread_time() - worked
            await self.quiet()
        assert entry.state is ConfigEntryState.LOADED
        return seconds

    async def quiet(self) -> None:
        """Let everything come to its end that was begun, also beside the set-up."""
        await self.settle()
        worked = float("inf")
        while worked > QUIET:
            before = time.thread_time()
            await asyncio.sleep(0.1)
            worked = time.thread_time() - before

    async def open(self, entry: ConfigEntry) -> None:
        """Switch everything on of an entry."""
        await open_all(self, [entry])

    async def settle(self) -> None:
        """Let what was begun come to its end."""
        await self.hass.async_block_till_done()

    def switches(self, entries: list[ConfigEntry]) -> list[str]:
        """Return the switches of the forwards of some entries."""
        registry = er.async_get(self.hass)
        return [
            found.entity_id
            for entry in entries
            for found in er.async_entries_for_config_entry(registry, entry.entry_id)
            if found.domain == "switch"
        ]

    async def until(self, is_so: Callable[[], bool]) -> float:
        """Wait until something is so; return for how many seconds."""
        started = time.perf_counter()
        while not is_so():
            if time.perf_counter() - started > PATIENCE:
                raise TimeoutError("it does not happen")
            await asyncio.sleep(0.02)
        return time.perf_counter() - started

    def is_each(self, status: str, entries: list[ConfigEntry]) -> bool:
        """Tell whether every forward of some entries stands so."""
        return all(
            forward.status == status
            for entry in entries
            for forward in entry.runtime_data.data.forwards.values()
        )


async def set_up_times(home: Home) -> None:
    """Set up entries of several sizes, ours and the idle one in turns."""
    address = home.addresses[0]
    cases = home.measured["cases"] = {}
    for size, rounds in SIZES.items():
        entries = {
            domain: await home.add(domain, address, size) for domain in (OURS, IDLE)
        }
        for state in ("off", "open"):
            if state == "open":
                await home.open(entries[OURS])
            seconds: dict[str, list[tuple[float, float]]] = {OURS: [], IDLE: []}
            for _ in range(rounds):
                for domain, entry in entries.items():
                    seconds[domain].append(await home.set_up_again(entry))
            cases[f"{size} {state}"] = seconds
        for entry in entries.values():
            await home.hass.config_entries.async_remove(entry.entry_id)
            await home.quiet()


async def memory(home: Home) -> None:
    """Add a thousand forwards, idle and ours, in a home that has had some before."""
    for domain in (IDLE, OURS):
        entry = await home.add(domain, home.addresses[0], 10)
        before = _resident()
        crowd = await home.add(domain, home.addresses[1], 1000)
        home.measured[domain] = _resident() - before
        if domain == OURS:
            await open_all(home, [crowd])
            home.measured["open"] = _resident() - before
        for each in (entry, crowd):
            await home.hass.config_entries.async_remove(each.entry_id)
            await home.settle()


async def crowd(home: Home) -> None:
    """Open, renew, restart and remove: as many forwards as there are, at once."""
    count = 1000 // len(home.addresses)
    before = _resident()
    with home.watchdog.during("adding"):
        entries = [await home.add(OURS, address, count) for address in home.addresses]
    await home.steer("busiest")
    await open_all(home, entries)
    home.measured["busiest second, opening"] = int(await home.steer("busiest"))
    home.measured["memory"] = _resident() - before
    times = [await home.set_up_again(it) for it in entries]
    home.measured["set-up"] = sum(seconds for seconds, _ in times)
    home.measured["busiest second, start"] = int(await home.steer("busiest"))
    with home.watchdog.during("recovery"):
        await home.steer("reboot")
        for entry in entries:
            await entry.runtime_data.async_renew()
        mappings = count * len(entries)
        started = time.perf_counter()
        while len((await home.steer("mappings")).splitlines()) < mappings:
            if time.perf_counter() - started > PATIENCE:
                raise TimeoutError("the mappings do not come back")
            await asyncio.sleep(0.1)
        await home.until(lambda: home.is_each("open", entries))
        home.measured["recovered"] = time.perf_counter() - started
    home.measured["busiest second, recovery"] = int(await home.steer("busiest"))
    with home.watchdog.during("one more"):
        for _ in range(3):
            await one_more(home, entries[0])
    with home.watchdog.during("a minute"):
        await asyncio.sleep(65)
    with home.watchdog.during("closing"):
        await home.hass.services.async_call(
            "switch", "turn_off", {"entity_id": home.switches(entries)}, blocking=True
        )
        home.measured["closed"] = await home.until(
            lambda: home.is_each("closed", entries)
        )
    with home.watchdog.during("removing"):
        for entry in entries:
            await home.hass.config_entries.async_remove(entry.entry_id)
            await home.settle()


async def open_all(home: Home, entries: list[ConfigEntry]) -> None:
    """Switch everything on in one call, as a scene does."""
    with home.watchdog.during("opening"):
        started = time.perf_counter()
        await home.hass.services.async_call(
            "switch", "turn_on", {"entity_id": home.switches(entries)}, blocking=True
        )
        await home.until(lambda: home.is_each("open", entries))
        home.measured["opened"] = time.perf_counter() - started
        await home.settle()


async def idle(home: Home) -> None:
    """Live for some quiet hours."""
    await quiet_home.idle(home, OURS, IDLE)


async def one_more(home: Home, entry: ConfigEntry) -> None:
    """Close and open one of many; add one and remove it."""
    switch = home.switches([entry])[0]
    for action in ("turn_off", "turn_on"):
        await home.hass.services.async_call(
            "switch", action, {"entity_id": switch}, blocking=True
        )
    await home.hass.services.async_call(
        OURS,
        "add_forward",
        {"config_entry_id": entry.entry_id, "name": "More", "internal_port": 60000},
        blocking=True,
        return_response=True,
    )
    await home.hass.services.async_call(
        OURS,
        "remove_forward",
        {"config_entry_id": entry.entry_id, "name": "More"},
        blocking=True,
    )
    await home.settle()


SCENARIOS = {
    "set-up": set_up_times,
    "memory": memory,
    "crowd": crowd,
    "idle": idle,
}


async def main() -> None:
    """Start Home Assistant, play a scenario and print what was measured."""
    folder, port, scenario, *addresses = sys.argv[1:]
    hass = await async_setup_hass(
        RuntimeConfig(
            config_dir=folder,
            skip_pip=True,
            log_no_color=True,
            log_file=str(Path(folder, "home.log")),
        )
    )
    assert hass is not None
    await hass.async_start()
    home = Home(hass, int(port), addresses)
    try:
        await SCENARIOS[scenario](home)
    except Exception:
        # Home Assistant would keep it to its log.
        traceback.print_exc()
        raise
    blocks: dict[str, list[dict[str, Any]]] = {}
    for block in home.watchdog.blocks:
        ours = block.is_of(FOLDER)
        blocks.setdefault(block.phase, []).append(
            {
                "seconds": block.seconds,
                "collecting": block.collecting,
                "ours": ours,
                "stack": _telling(block.stacks) if ours else [],
            }
        )
    sys.stdout.write(json.dumps({"measured": home.measured, "blocks": blocks}))
    sys.stdout.flush()
    os._exit(0)


def _telling(stacks: list[list[str]]) -> list[str]:
    """Return the stack in the middle of those with our files: innermost first."""
    ours = [stack for stack in stacks if any(FOLDER in frame for frame in stack)]
    return [_short(frame) for frame in ours[len(ours) // 2]][:14]


def _short(frame: str) -> str:
    return frame.rpartition("site-packages/")[2].rpartition("custom_components/")[2]


def _resident() -> int:
    """Return the octets of memory in use, after the garbage has gone."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    asyncio.run(main())
