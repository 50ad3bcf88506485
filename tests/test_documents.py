"""What the documents name is there: tests, and the functions that they are about."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
import re
from urllib.parse import parse_qsl, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*DOCUMENTS, *sorted(ROOT.glob("*.md"))]
REPOSITORY = "https://github.com/ha-pcp/pcp/blob/main/"
MY = "https://my.home-assistant.io/redirect/"

# [text](where "title"), and not what stands between backquotes.
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)

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


def anchors(text: str) -> set[str]:
    """Return the names of the sections of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", _CODE.sub(_kept, text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def _kept(code: re.Match[str]) -> str:
    """Return what of code stands in a heading: its words, but no blocks."""
    return "" if code[0].startswith("```") else code[0]


def broken_links(text: str, page: Path) -> list[str]:
    """Return the links of a page that lead to nothing of ours."""
    links = _LINK.findall(_CODE.sub("", text))
    return [link for link in links if not _leads_somewhere(link, page)]


def _leads_somewhere(link: str, page: Path) -> bool:
    if link.startswith(MY):
        url = urlsplit(link)
        query = dict(parse_qsl(url.query))
        match url.path.split("/")[2]:
            case "blueprint_import":
                return _leads_somewhere(query["blueprint_url"], page)
            case "config_flow_start":
                return query == {"domain": "pcp"}
            case "hacs_repository":
                own = {"owner": "ha-pcp", "repository": "pcp"}
                return query == own | {"category": "integration"}
        return False
    if link.startswith(REPOSITORY):
        return (ROOT / link.removeprefix(REPOSITORY)).is_file()
    if "://" in link:
        return link.startswith("https://")
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file, to a section of it, to a blueprint."""
    assert broken_links(page.read_text(), page) == []


def test_links_that_lead_nowhere_are_seen() -> None:
    """The test above can fail."""
    page = ROOT / "docs/routers.md"
    good = ["#which-routers", "troubleshooting.md#refused", "../README.md"]
    good.append(REPOSITORY + "blueprints/automation/pcp/renew_certificate.yaml")
    bad = ["#gone", "gone.md", "troubleshooting.md#gone", REPOSITORY + "gone.yaml"]
    bad += ["http://example.com", MY + "gone/?domain=pcp"]
    bad.append(MY + "config_flow_start/?domain=gone")
    text = " ".join(f"[it]({link})" for link in good + bad)
    assert broken_links(text, page) == bad


def test_every_blueprint_can_be_imported_from_the_documents() -> None:
    """By one click."""
    text = (ROOT / "docs/automations.md").read_text()
    links = [link for link in _LINK.findall(text) if link.startswith(MY)]
    imported = {dict(parse_qsl(urlsplit(it).query))["blueprint_url"] for it in links}
    assert {Path(url).name for url in imported} == {
        path.name for path in (ROOT / "blueprints").rglob("*.yaml")
    }


def test_the_readme_leads_to_everything() -> None:
    """Each document, and what would be a page of its own on Home Assistant's site."""
    links = set(_LINK.findall((ROOT / "README.md").read_text()))
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert {link.partition("#")[0] for link in links} >= pages
    assert "docs/reference.md#how-data-is-updated" in links


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
