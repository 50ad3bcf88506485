"""Writes docs/performance.md and its plot from one run."""

from collections.abc import Iterator
from pathlib import Path

from .clients import ACTS, BARE, RECOVERY_WAIT, Times
from .plot import bars
from .result import Result
from .run import Run
from .scale import Crowd

_DOCS = Path(__file__).parents[2] / "docs"
_PLOT = "images/clients.svg"
_BUSIEST = [f"busiest second, {it}" for it in ("opening", "start", "recovery")]

_HEAD = """\
# Performance

Written by `scripts/bench --write`, in one run, against the real miniupnpd 2.3.1 in
network namespaces and Home Assistant 2026.11.0. Milliseconds differ from machine to
machine and from hour to hour; the ratios within one run say more. No test asserts a time.
The machine: {machine}.
{rounds}
## What is promised

| what | measured | promised | kept |
|---|---|---|---|
"""

_QUICK = """
These are of `--quick`: few rounds, some reboots only. What takes milliseconds is then as
much the machine's other work as ours.
"""

_CLIENTS = """
## Beside other clients

![The table as a plot](images/clients.svg)

Medians in milliseconds; in brackets the ratio to a bare socket in the same run. Ours is
a process that runs anyway, without Home Assistant's own part of an act. `natpmpc` and
`upnpc` are started for each act: what a process costs that does nothing is in the last
line. They come from Debian's packages (`apt install natpmpc miniupnpc`). In the last
column all had a mapping when the router was rebooted: whose was there again within
{wait:.0f} s, and when, in each of the reboots.

| client | create | renew | delete | after a reboot of the router |
|---|---|---|---|---|
"""

_CROWD = """
## A thousand forwards

| what | on {routers} |
|---|{rule}
"""

_CROWD_ROWS = (
    ("opened: by one action, until all are open", "opened", "{:.1f} s"),
    (
        "memory: what all of Home Assistant takes more with them, open",
        "memory",
        "{} MB",
    ),
    ("set-up: with all open, one router after the other", "set-up", "{:.2f} s"),
    ("recovery: after a reboot, until all are open again", "recovered", "{:.1f} s"),
    ("closed: by one action, until all are closed", "closed", "{:.1f} s"),
    ("requests in the busiest second of a router: opening", _BUSIEST[0], "{}"),
    ("requests in the busiest second of a router: set-up", _BUSIEST[1], "{}"),
    ("requests in the busiest second of a router: recovery", _BUSIEST[2], "{}"),
)
"""Name, what it is, and how it is shown."""

_TAIL = """
A tool that asks once does not recover: somebody has to run it again, which takes as long
as to create. With a line in cron every five minutes it would, after five minutes at most.

Measured earlier in the same kind of lab, not in this run: libplum 0.5.3 made a mapping in
6.45 ms (ANNOUNCE and MAP) and libpcpnatpmp (November 2025) in 5.6 ms; neither made it
again within 12 to 15 s of a restart that lost the rules, in 14 trials each.

## How it is measured

- **add**, **remake**: keeper and transport against a bare socket, in turns.
- **recovery**: the router is rebooted and its rules are flushed. The wait counts from
  its ANNOUNCE to our first request (RFC 6887 14.1.3: random, at most 5 s); the rest from
  there to the last grant, against as many bare requests, one after the other, to the
  router as long after another reboot; the two take turns. *Without ANNOUNCE*: ledger and
  keeper in driven time, over the whole schedule.
- **set-up**: a real Home Assistant sets up an entry, again and in turns with an
  integration that does nothing but has as many subentries, devices and entities. The
  devices and entities are registered already, as at any start but the first. What is not
  work is waiting: for the thread that reads the stored file, for its turn in the event
  loop, and on a busy machine for a processor. The router is asked beside the set-up, so
  that is not in it.
- **idle**: a real Home Assistant in which time passes 60 times faster, with a hundred
  open forwards: an hour in which each is renewed twice, with checks and looks around, and
  one without us. Told is what the whole process takes more: ledger, keeper, transport and
  coordinator, and what was not promised, too: entities, storing and Home Assistant's own
  work for them.
- **quiet hour**, **memory**: driven time; ledger and keeper.
- **import**: from byte code, as at any start but the first. More than half of ours is
  Python making the frozen dataclasses of the protocol, which `upnp` has few of. Home
  Assistant imports in a thread, so its event loop does not wait for it.
- **simulation**: three days are lived with the codec and with notes of what it returned;
  what they take apart is the codec's time, the rest ledger's and keeper's. The codec is
  `client/codec` with `client/wire.py`, which fills in requests and reads answers. Measured
  once against `client/codec` alone, it was about five times that.
- **hold-up**: every callback of Home Assistant's event loop is timed while a thousand
  forwards are added, opened, set up again, lost in a reboot, made again, closed and
  removed. Counted is the processor time of those over 10 ms with a file of ours anywhere
  in the stack, less what the garbage collector took, which runs in anybody's callback.
- **A thousand forwards**: against simulated routers, which answer at once. So the busiest
  second shows what leaves us at most: what somebody waits for goes out at once, of
  everything else eight requests are unanswered at a time, so that a slower router is asked
  as slowly as it answers.

What is compared in one run is hardly touched by other work of the machine as long as a
core is free: processor time is counted for **idle**, **simulation**, **codec** and
**hold-up**, and medians of turns for the rest. With more to do than cores, **add** and
**set-up** of ten forwards are the first to show it, for they take milliseconds and wait
for a thread or a turn in between.
"""


def write(run: Run) -> None:
    """Write the document, and the plot where the clients were measured."""
    text = _HEAD.format(machine=run.machine, rounds=_QUICK if run.quick else "")
    text += "".join(map(_row, run.results))
    text += "".join(
        f"| {name} | not measured: it failed | | **no** |\n" for name in run.failed
    )
    if run.crowds:
        text += "".join(_crowd_table(run.crowds))
    if times := run.times:
        text += _CLIENTS.format(wait=RECOVERY_WAIT)
        text += "".join(_client_row(it, times) for it in times)
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
    return f"| {it.name}: {it.note} | {cells} | {it.recovered} |\n"


def _crowd_table(crowds: list[Crowd]) -> Iterator[str]:
    names = (
        "one router" if it.routers == 1 else f"{it.routers} routers" for it in crowds
    )
    yield _CROWD.format(routers=" | on ".join(names), rule="---|" * len(crowds))
    for what, key, form in _CROWD_ROWS:
        values = (it.measured[key] for it in crowds)
        cells = (form.format(round(it / 1e6) if "MB" in form else it) for it in values)
        yield f"| {what} | {' | '.join(cells)} |\n"
