"""Writes docs/performance.md and its plot from one run."""

from pathlib import Path

from .clients import ACTS, BARE, OURS, Times
from .plot import bars
from .result import Result

_DOCS = Path(__file__).parents[2] / "docs"
_PLOT = "images/clients.svg"

_HEAD = """\
# Performance

Written by `scripts/bench --write`, in one run: on two cores of a virtual machine,
against the real miniupnpd 2.3.1 in network namespaces. Milliseconds differ from machine
to machine and from hour to hour; the ratios within one run say more. No test asserts a
time.
{rounds}
## What is promised

| what | measured | promised | kept |
|---|---|---|---|
"""

_QUICK = """
These are of `--quick`: few rounds, a single reboot for each number of mappings. What
takes milliseconds is then as much the machine's other work as ours.
"""

_CLIENTS = """
## Beside other clients

![The table as a plot](images/clients.svg)

Medians in milliseconds; in brackets the ratio to a bare socket in the same run. Ours is
a process that runs anyway, without Home Assistant's own part of an act. `natpmpc` and
`upnpc` are started for each act: what a process costs that does nothing is in the last
line. They come from Debian's packages (`apt install natpmpc miniupnpc`).

| client | create | renew | delete | after a reboot of the router |
|---|---|---|---|---|
"""

_TAIL = """
A tool that asks once does not recover: somebody has to run it again. With a line in cron
every five minutes it would, after five minutes at most.

Measured earlier in the same kind of lab, not in this run: libplum 0.5.3 made a mapping in
6.45 ms (ANNOUNCE and MAP) and libpcpnatpmp (November 2025) in 5.6 ms; neither made it
again within 12 to 15 s of a restart that lost the rules, in 14 trials each.

## How it is measured

- **recovery**: the router is rebooted and its rules are flushed. The wait counts from
  its ANNOUNCE to our first request (RFC 6887 14.1.3: random, at most 5 s); the rest from
  there to the last grant, against as many bare requests to the router in the same state.
  *Without ANNOUNCE*: ledger and keeper in driven time, over the whole schedule.
- **set-up** (in the table when asked for): a real Home Assistant sets up an entry, again and in turns with an
  integration that does nothing but has as many subentries, devices and entities. The
  devices and entities are registered already, as at any start but the first.
- **idle**: the processor time of ledger and keeper over ten driven hours of renewals and
  checks. Transport, coordinator and Home Assistant's entities are not in it.
- **quiet hour**, **memory**: driven time; ledger and keeper.
- **hold-up** (in the table when asked for): every callback of Home Assistant's event loop is timed while a thousand
  forwards are added, opened, set up again, lost in a reboot, made again, closed and
  removed. Counted is the processor time of those over 10 ms with a file of ours anywhere
  in the stack, less what the garbage collector took, which runs in anybody's callback.
  Unloading is Home Assistant's own removal of five thousand entities in one go, for any
  integration; it is listed apart.
"""


def write(results: list[Result], times: list[Times], *, quick: bool) -> None:
    """Write the document, and the plot where the clients were measured."""
    text = _HEAD.format(rounds=_QUICK if quick else "") + "".join(map(_row, results))
    if times:
        text += _CLIENTS + "".join(_client_row(it, times) for it in times)
        values = {it.name: {act: it.median(act) * 1e3 for act in ACTS} for it in times}
        plot = bars("Milliseconds to create, renew and delete a mapping", values)
        (_DOCS / _PLOT).write_text(plot, encoding="utf-8")
    (_DOCS / "performance.md").write_text(text + _TAIL, encoding="utf-8")


def _row(result: Result) -> str:
    kept = "yes" if result.kept else "**no**"
    return (
        f"| {result.name}: {result.unit} ({result.detail}) | {result.measured:.3g}"
        f" | {result.limit:g} | {kept} |\n"
    )


def _client_row(it: Times, times: list[Times]) -> str:
    (bare,) = (each for each in times if each.name == BARE)
    cells = " | ".join(
        f"{it.median(act) * 1e3:.3g} ({it.median(act) / bare.median(act):.2g}×)"
        for act in ACTS
    )
    recovers = "by itself, see above" if it.name == OURS else "not by itself"
    return f"| {it.name}: {it.note} | {cells} | {recovers} |\n"
