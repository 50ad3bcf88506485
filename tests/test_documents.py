"""What the documents name is there: tests, and the functions that they are about."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))

# `tests/test_snapshot.py::test_name` or `client/keeper.py::Keeper.want`.
_REFERENCE = re.compile(r"`([\w/.-]+\.py)::([\w.]+)`")


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return what a file defines: functions, classes and, after a dot, their members."""
    return frozenset(_names(ast.parse(file.read_text())))


def _names(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for child in node.body:
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + child.name
            case ast.ClassDef():
                yield prefix + child.name
                yield from _names(child, f"{prefix}{child.name}.")
            case ast.Assign(targets=targets):
                yield from (
                    prefix + it.id for it in targets if isinstance(it, ast.Name)
                )
            case (
                ast.AnnAssign(target=ast.Name(id=name))
                | ast.TypeAlias(name=ast.Name(id=name))
            ):
                yield prefix + name


def lost_references(text: str) -> list[str]:
    """Return what a text names in backquotes and is not there.

    Tests are named from the root of the repository, other code from the integration's.
    """
    lost = []
    for path, name in _REFERENCE.findall(text):
        below = ROOT if path.startswith("tests/") else ROOT / "custom_components/pcp"
        file = below / path
        if not file.is_file() or name not in names_in(file):
            lost.append(f"{path}::{name}")
    return lost


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document: Path) -> None:
    """Whoever renames a test or a function sees who speaks of it."""
    assert lost_references(document.read_text()) == []


@pytest.mark.parametrize(
    ("reference", "is_there"),
    [
        ("tests/test_documents.py::lost_references", True),
        ("tests/test_documents.py::test_gone", False),
        ("tests/gone.py::test_gone", False),
        ("storage.py::LedgerStore.async_load", True),
        ("storage.py::LedgerStore.gone", False),
        ("client/keeper.py::Keeper", True),
    ],
)
def test_what_is_gone_is_seen(reference: str, is_there: bool) -> None:
    """The test above can fail."""
    assert lost_references(f"see `{reference}`") == ([] if is_there else [reference])


def test_security_is_held_by_tests() -> None:
    """What is promised there can be seen to break."""
    assert len(_REFERENCE.findall((ROOT / "docs/security.md").read_text())) > 20


def test_only_the_config_flow_asks_dhcp() -> None:
    """What `docs/security.md` says of a DHCP server that is a guest's."""
    integration = ROOT / "custom_components/pcp"
    users = {
        file.name
        for file in integration.rglob("*.py")
        if re.search(
            r"\bfind_servers\(|\bask_for_servers\(|dhcp=True", file.read_text()
        )
    }
    # The search itself, and who defines it; `dhcp=` is False for all others.
    assert users == {"config_flow.py", "dhcp.py", "discovery.py", "search.py"}
