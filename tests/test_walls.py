"""The walls of the house, held by looking at what imports what.

They are what makes years of simulated time possible: what decides has no clock, no
network and no chance of its own.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
import sys

import pytest

ROOT = Path("custom_components/pcp")
PACKAGE = "custom_components.pcp"

# What decides about wishes, and all that it is made of.
LEDGER = (
    "ledger",
    "settlement",
    "wishes",
    "leases",
    "standing",
    "orders",
    "news",
    "snapshot",
    "forward",
    "fields",
)
# What touches the network or the machine in the client; the rest of it decides.
SHELL = {
    "announcements",
    "dhcp",
    "discovery",
    "netlink",
    "preference",
    "probing",
    "routes",
    "search",
    "transport",
    "udp",
    "watch",
    "ways",
}
# No clock, no timer, no network, no randomness, no files.
UNTOUCHED = {
    "asyncio",
    "concurrent",
    "os",
    "pathlib",
    "random",
    "sched",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
}
# Views and times of the wall clock are the glue's.
WALL_CLOCK = {"datetime", "zoneinfo"}
# What entities may know of the client: its words.
VOCABULARY = {"client.codec", "client.events", "client.mapping"}
THIN = ("binary_sensor", "button", "entity", "event", "sensor", "switch", "services")


def modules(folder: Path) -> list[Path]:
    """Return the modules below a folder."""
    return sorted(folder.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return what a module is called inside the integration."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports, also late and only for types; ours without the root.

    `from .client import x` may be a module or a name of one: both are yielded.
    """
    yield from imported_by(path.read_text(), path.relative_to(ROOT).parts[:-1])


def imported_by(source: str, folder: tuple[str, ...]) -> Iterator[str]:
    """Yield what a source imports that is in a folder of the integration."""
    package = [*PACKAGE.split("."), *folder]
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found = [name.name for name in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package[: len(package) - level + 1] if level else []
                origin = ".".join([*base, *([module] if module else [])])
                found = [origin, *(f"{origin}.{name.name}" for name in names)]
            case _:
                continue
        for imported in found:
            yield imported.removeprefix(f"{PACKAGE}.")


def roots(path: Path) -> set[str]:
    """Return the packages that a module imports from."""
    return {imported.partition(".")[0] for imported in imports(path)}


def ours(path: Path) -> set[str]:
    """Return the modules of ours that a module imports."""
    known = {name_of(module) for module in modules(ROOT)}
    return {imported for imported in imports(path) if imported in known}


@pytest.mark.parametrize("path", modules(ROOT / "client"), ids=str)
def test_the_client_knows_nothing_of_home_assistant(path: Path) -> None:
    """Nor of the house around it: it could be a package of its own."""
    allowed = {"client", *sys.stdlib_module_names}
    assert not {root for root in roots(path) if root not in allowed}
    assert all(name.startswith("client") for name in ours(path))


@pytest.mark.parametrize("path", modules(ROOT / "client" / "codec"), ids=str)
def test_the_codec_knows_nothing_of_the_rest(path: Path) -> None:
    """Bytes and dataclasses, nothing else."""
    assert all(name.startswith("client.codec") for name in ours(path))
    assert not roots(path) & (UNTOUCHED | WALL_CLOCK)


@pytest.mark.parametrize(
    "path",
    [it for it in modules(ROOT / "client") if it.stem not in SHELL],
    ids=str,
)
def test_the_keeper_touches_nothing(path: Path) -> None:
    """Nor does anything that it is made of: time and chance come in as arguments."""
    assert not roots(path) & (UNTOUCHED | WALL_CLOCK)
    assert not {name for name in ours(path) if name.split(".")[-1] in SHELL}


@pytest.mark.parametrize("name", LEDGER)
def test_the_ledger_touches_nothing(name: str) -> None:
    """It decides from what it is told."""
    path = ROOT / f"{name}.py"
    allowed = {"client", *LEDGER, *sys.stdlib_module_names}
    assert not {root for root in roots(path) if root not in allowed}
    assert not roots(path) & (UNTOUCHED | WALL_CLOCK)
    clients = {it for it in ours(path) if it.startswith("client.")}
    assert all(it in VOCABULARY or it.startswith("client.codec") for it in clients)


@pytest.mark.parametrize("name", THIN)
def test_entities_never_talk_to_the_client(name: str) -> None:
    """They know its words, and speak to the coordinator."""
    path = ROOT / f"{name}.py"
    clients = {it for it in ours(path) if it.startswith("client.")}
    assert clients <= VOCABULARY
    rooms = {"acts", "closing", "delivery", "engine", "ledger", "link", "links"}
    rooms |= {"records", "settlement", "storage"}
    assert not ours(path) & rooms


def test_no_room_calls_back_up() -> None:
    """The way through the house has one direction."""
    floors = [
        ("settlement", {"ledger", "engine"}),
        ("ledger", {"engine", "links", "link", "acts", "coordinator"}),
        ("link", {"engine", "links", "acts", "coordinator"}),
        ("links", {"engine", "acts", "coordinator"}),
        ("lookout", {"engine", "acts", "coordinator"}),
        ("records", {"delivery", "engine", "acts", "coordinator"}),
        ("delivery", {"engine", "acts", "coordinator"}),
        ("engine", {"acts", "coordinator"}),
        ("acts", {"coordinator"}),
        ("views", {"engine", "acts", "coordinator"}),
        ("definitions", {"engine", "acts", "coordinator"}),
        ("bulletin", {"engine", "acts", "coordinator"}),
        ("display", {"coordinator"}),
    ]
    for name, above in floors:
        assert not ours(ROOT / f"{name}.py") & above, name


def test_every_module_of_the_client_stands_on_a_side() -> None:
    """What is named here is there: a wall that was moved is no wall."""
    assert {it.stem for it in modules(ROOT / "client")} >= SHELL | {"keeper", "lease"}
    assert all((ROOT / f"{name}.py").exists() for name in (*LEDGER, *THIN))


def test_every_way_to_import_is_seen() -> None:
    """A wall is as good as who watches it."""
    source = """
import asyncio, os.path as p
from time import monotonic
from .codec import IPAddress
from . import keeper
from ..const import DOMAIN
from custom_components.pcp.ledger import Ledger
def late():
    from homeassistant.core import HomeAssistant
"""
    assert set(imported_by(source, ("client",))) >= {
        "asyncio",
        "os.path",
        "time",
        "client.codec",
        "client.keeper",
        "const",
        "ledger",
        "homeassistant.core",
    }
