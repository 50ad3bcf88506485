"""Writes the README's paragraph on speed, from a run in which all of it was measured."""

from pathlib import Path
import textwrap

from .result import Result
from .run import Run

_README = Path(__file__).parents[2] / "README.md"
_HEADING = "### Speed\n"
_WIDTH = 89


def write(run: Run) -> bool:
    """Write it; tell whether everything was there, and in as many rounds as it should."""
    recovered = _find(run, "recovery", "times", "100 mappings")
    silent = _find(run, "recovery", "without ANNOUNCE")
    quiet = [_find(run, "quiet hour", detail=f"{count} mappings") for count in (1, 100)]
    idle = _find(run, "idle")
    set_up = _find(run, "set-up", "100 forwards, open")
    held_up = _find(run, "hold-up", "a thousand forwards on 1 ")
    needed = (recovered, silent, *quiet, idle, set_up, held_up)
    if run.quick or run.failed or None in needed:
        return False
    broken = sum(not result.kept for result in run.results)
    told = [f"{result.measured:.3g}" for result in needed if result is not None]
    text = (
        f"Against the real miniupnpd 2.3.1: 100 mappings lost in a reboot are made again in"
        f" {told[0]} times what 100 bare requests take, after the random wait of at most"
        f" 5 s; a reboot that nobody announces is found within {told[1]} s. A quiet hour"
        f" costs the router {told[2]} requests, {told[3]} with 100 mappings, and those cost"
        f" {told[4]} % of a core here. 100 open forwards are set up in {told[5]} times what"
        f" Home Assistant takes for as many idle entities; with a thousand, its event loop was"
        f" {_held_up(told[6])}."
        f" {_broken(broken)} How it was measured, and other clients beside ours:"
        " [docs/performance.md](docs/performance.md)."
    )
    before, _, after = _README.read_text(encoding="utf-8").partition(_HEADING)
    end = after.find("\n#")
    rest = "" if end == -1 else after[end:]
    paragraph = textwrap.fill(
        text, _WIDTH, break_long_words=False, break_on_hyphens=False
    )
    _README.write_text(f"{before}{_HEADING}\n{paragraph}\n{rest}", encoding="utf-8")
    return True


def _held_up(milliseconds: str) -> str:
    if float(milliseconds) == 0:
        return "not held up by us for 10 ms in this run"
    return f"held up by us for {milliseconds} ms at most"


def _broken(count: int) -> str:
    if count == 0:
        return "Every number is as promised."
    one = count == 1
    return (
        f"{count} number{'' if one else 's'} {'is' if one else 'are'} not as promised."
    )


def _find(run: Run, name: str, unit: str = "", detail: str = "") -> Result | None:
    return next(
        (
            result
            for result in run.results
            if result.name == name and unit in result.unit and detail in result.detail
        ),
        None,
    )
