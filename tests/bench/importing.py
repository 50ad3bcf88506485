"""What it costs Home Assistant to import the integration, against HA's own `upnp`.

Each in a fresh interpreter that has Home Assistant loaded, in turns, from byte code as
after any first start.
"""

import os
from pathlib import Path
import statistics
import subprocess

from .result import Result

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv-ha/bin/python"

_COMMON = """
import sys, time, importlib
import homeassistant.bootstrap, homeassistant.helpers.entity_platform
import homeassistant.helpers.update_coordinator, homeassistant.helpers.target
import homeassistant.components.homeassistant.exposed_entities
import homeassistant.components.repairs
for platform in ("binary_sensor", "button", "event", "sensor", "switch", "diagnostics"):
    importlib.import_module(f"homeassistant.components.{platform}")
started = time.perf_counter()
for name in sys.argv[1:]:
    importlib.import_module(name)
print(time.perf_counter() - started)
"""
_OURS = [
    f"custom_components.pcp{module}"
    for module in (
        "",
        ".config_flow",
        ".binary_sensor",
        ".button",
        ".diagnostics",
        ".event",
        ".sensor",
        ".switch",
    )
]
_UPNP = [
    f"homeassistant.components.upnp{module}"
    for module in ("", ".config_flow", ".binary_sensor", ".sensor")
]


def measure(rounds: int = 15) -> list[Result]:
    """Measure both in turns and compare the medians."""
    ours, upnp = [], []
    _import(_UPNP + _OURS)
    for _ in range(rounds):
        upnp.append(_import(_UPNP))
        ours.append(_import(_OURS))
    mine, theirs = statistics.median(ours), statistics.median(upnp)
    return [
        Result(
            name="import",
            measured=mine / theirs,
            limit=1.0,
            unit="times upnp's",
            detail=f"{mine * 1e3:.0f} ms against {theirs * 1e3:.0f} ms",
        )
    ]


def _import(names: list[str]) -> float:
    output = subprocess.run(
        [_PYTHON, "-c", _COMMON, *names],
        cwd=_ROOT,
        check=True,
        capture_output=True,
        env={
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONDONTWRITEBYTECODE"
        },
        text=True,
    )
    return float(output.stdout)
