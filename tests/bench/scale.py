"""A thousand forwards in a real Home Assistant: set-up, memory, and who holds it up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from tests.real_ha.process import INTEGRATION, PYTHON, ROOT, free_port

from .result import Result

SET_UP_LIMIT = 1.5
LINEAR_LIMIT = 1.2
# Percent of a core.
IDLE_LIMIT = 0.1
BLOCK_LIMIT = 10.0
_CONFIGURATION = "homeassistant:\n  name: Home\nlogger:\n  default: critical\n"
_IDLE = Path(__file__).with_name("idle")


def play(scenario: str, routers: int) -> dict[str, Any]:
    """Play a scenario of `crowded_home` with so many routers; return what it told."""
    network = f"127.{80 + os.getpid() % 100}.{70 + routers}"
    addresses = [f"{network}.{number}" for number in range(1, routers + 1)]
    with tempfile.TemporaryDirectory() as folder, _routers(addresses) as port:
        components = Path(folder, "custom_components")
        components.mkdir()
        (components / "pcp").symlink_to(INTEGRATION, target_is_directory=True)
        shutil.copytree(_IDLE, components / "pcp_bench_idle")
        Path(folder, "configuration.yaml").write_text(_CONFIGURATION, encoding="utf-8")
        child = Path(__file__).with_name("crowded_home.py")
        output = subprocess.run(
            [PYTHON, "-P", child, folder, str(port), scenario, *addresses],
            check=True,
            # Two of them run side by side: a port of their own for the frontend.
            env=os.environ | {"SETUP_PORT": str(free_port())},
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    told: dict[str, Any] = json.loads(output.splitlines()[-1])
    return told


@contextmanager
def _routers(addresses: list[str]) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.routers", *addresses]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield port
        finally:
            process.stdin.close()
            process.wait(10)


def set_up() -> Iterator[Result]:
    """Compare the set-up of 10, 100 and 1000 forwards with an idle integration's."""
    measured = play("set-up", 1)["measured"]["cases"]
    each = {}
    for case, rounds in measured.items():
        (ours, our_work), (idle, idle_work) = (
            [statistics.median(seconds) for seconds in zip(*times, strict=True)]
            for times in (rounds["pcp"], rounds["pcp_bench_idle"])
        )
        size, state = case.split()
        each[case] = ours / int(size)
        yield Result(
            name="set-up",
            measured=ours / idle,
            limit=SET_UP_LIMIT,
            unit=f"times an idle integration's, {size} forwards, {state}",
            detail=f"medians of {len(rounds['pcp'])}: {ours * 1e3:.1f} ms, of which"
            f" {our_work * 1e3:.1f} work, against {idle * 1e3:.1f} ms, of which"
            f" {idle_work * 1e3:.1f} work",
        )
    yield Result(
        name="set-up",
        measured=each["1000 open"] / each["100 open"],
        limit=LINEAR_LIMIT,
        unit="times as long for each of 1000 forwards as for each of 100",
        detail=f"{each['1000 open'] * 1e3:.2f} ms against"
        f" {each['100 open'] * 1e3:.2f} ms, open",
    )


def idle() -> list[Result]:
    """Tell what an hour with 100 forwards costs."""
    measured = play("idle", 1)["measured"]
    ours = measured["with"] - measured["without"]
    return [
        Result(
            name="idle",
            measured=100 * ours / 3600,
            limit=IDLE_LIMIT,
            unit="percent of a core for 100 open forwards",
            detail=f"an hour of {measured['requests']} requests: {ours * 1e3:.0f} ms more"
            f" than the {measured['without'] * 1e3:.0f} ms that Home Assistant takes"
            " without us",
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A thousand forwards on so many routers, and what was measured."""

    routers: int
    measured: dict[str, float]
    blocks: dict[str, list[dict[str, Any]]]


def crowds() -> list[Crowd]:
    """Play with a thousand forwards, on 1 and 20 routers."""
    counts = (1, 20)
    with ThreadPoolExecutor() as pool:
        # Side by side: processor time is what counts.
        told = list(pool.map(lambda routers: play("crowd", routers), counts))
    return [
        Crowd(routers=routers, measured=it["measured"], blocks=it["blocks"])
        for routers, it in zip(counts, told, strict=True)
    ]


def hold_ups(crowds: list[Crowd]) -> Iterator[Result]:
    """Tell who holds up Home Assistant's loop."""
    for crowd in crowds:
        ours = [
            (block["seconds"], phase, block["stack"])
            for phase, blocks in crowd.blocks.items()
            for block in blocks
            if block["ours"]
        ]
        seconds, phase, stack = max(ours, default=(0.0, "", []))
        where = next((frame for frame in stack if frame.startswith("pcp/")), "?")
        yield Result(
            name="hold-up",
            measured=seconds * 1e3,
            limit=BLOCK_LIMIT,
            unit=f"ms, a thousand forwards on {crowd.routers} routers",
            detail=f"{len(ours)} above 10 ms, the longest in: {phase}, {where}"
            if ours
            else "none above 10 ms",
        )


if __name__ == "__main__":
    json.dump(play(sys.argv[1], int(sys.argv[2])), sys.stdout, indent=1)
