"""A thousand forwards in a real Home Assistant: set-up, memory, and who holds it up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
BLOCK_LIMIT = 10.0
UNLOADING = {"unloading", "removing"}
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
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
    told: dict[str, Any] = json.loads(output.splitlines()[-1])
    return told


@contextmanager
def _routers(addresses: list[str]) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.routers", str(port), *addresses]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield port
        finally:
            process.stdin.close()
            process.wait(10)


def set_up() -> list[Result]:
    """Compare the set-up of 10, 100 and 1000 forwards with an idle integration's."""
    measured = play("set-up", 1)["measured"]
    results = []
    for size, seconds in measured.items():
        ours, idle = (
            statistics.median(seconds[domain]) for domain in ("pcp", "pcp_bench_idle")
        )
        results.append(
            Result(
                name="set-up",
                measured=ours / idle,
                limit=SET_UP_LIMIT,
                unit=f"times an idle integration's, {size} forwards",
                detail=f"{ours * 1e3:.0f} ms against {idle * 1e3:.0f} ms",
            )
        )
    return results


def hold_ups() -> list[Result]:
    """Tell who holds up Home Assistant's loop: a thousand forwards, on 1 and 20 routers.

    Unloading is told apart: there Home Assistant removes all entities in one go.
    """
    counts = (1, 20)
    with ThreadPoolExecutor() as pool:
        # Side by side: processor time is what counts.
        told = list(pool.map(lambda routers: play("crowd", routers), counts))
    results = []
    for routers, blocks in zip(counts, (it["blocks"] for it in told), strict=True):
        for unit, phases in (
            ("at work", blocks.keys() - UNLOADING),
            ("unloading", blocks.keys() & UNLOADING),
        ):
            ours = [
                (block["seconds"], phase)
                for phase in phases
                for block in blocks[phase]
                if block["ours"]
            ]
            seconds, phase = max(ours, default=(0.0, ""))
            results.append(
                Result(
                    name="hold-up",
                    measured=seconds * 1e3,
                    limit=BLOCK_LIMIT,
                    unit=f"ms {unit}, a thousand forwards on {routers} routers",
                    detail=f"{len(ours)} above 10 ms, the longest in: {phase}"
                    if ours
                    else "none above 10 ms",
                )
            )
    return results


if __name__ == "__main__":
    json.dump(play(sys.argv[1], int(sys.argv[2])), sys.stdout, indent=1)
