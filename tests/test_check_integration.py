"""The stand-in for hassfest and HACS finds what it should: each rule is broken once."""

from collections.abc import Callable
import importlib
import json
from pathlib import Path
import shutil
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
COMPONENT = Path("custom_components", "pcp")

type Json = dict[str, Any]


@pytest.fixture
def faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Check a copy of the repository, which is in the working folder."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    checks = importlib.import_module("check_integration")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / COMPONENT, tmp_path / COMPONENT, ignore=ignored)
    for name in ("hacs.json", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)

    def check() -> list[str]:
        found: list[str] = checks.faults(tmp_path)
        return found

    return check


def change(name: str, change: Callable[[Json], object]) -> None:
    """Change a JSON file of the copy."""
    file = Path(name)
    value: Json = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def replace(name: str, old: str, new: str) -> None:
    """Change the text of a file of the copy."""
    file = Path(name)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_nothing_is_wrong(faults: Callable[[], list[str]]) -> None:
    """The integration as it is passes."""
    assert faults() == []


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (lambda it: it.update(domain=it.pop("domain")), "not in order"),
        (lambda it: it.update(requirements=["pyroute2"]), "says no version"),
        (lambda it: it.update(categories=["network"]), "categories"),
        (lambda it: it.update(codeowners=[]), "codeowners"),
        (lambda it: it.update(documentation="http://example.org"), "https"),
        (
            lambda it: it.update(
                documentation="https://www.home-assistant.io/integrations/pcp"
            ),
            "Home Assistant",
        ),
        (lambda it: it.update(iot_class="local"), "iot_class"),
        (lambda it: it.update(integration_type="router"), "integration_type"),
        (lambda it: it.update(version="one"), "is no version"),
        (lambda it: it.pop("issue_tracker"), "issue_tracker"),
        (lambda it: it.update(ssdp=[{}]), "ssdp"),
        (lambda it: it.pop("config_flow"), "do not agree"),
        (lambda it: it.update(dependencies=["pcp_core"]), "no integration pcp_core"),
        (lambda it: it.update(after_dependencies=["homeassistant"]), "both"),
    ],
)
def test_manifest(
    mutation: Callable[[Json], object], told: str, faults: Callable[[], list[str]]
) -> None:
    """Keys, their order and what they may say."""
    change(f"{COMPONENT}/manifest.json", mutation)
    assert any(told in fault for fault in faults()), faults()


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (lambda it: it.update(titel="PCP"), "titel"),
        (lambda it: it["issues"]["store_lost"].pop("description"), "description"),
        (lambda it: it["issues"]["store_lost"].pop("title"), "title"),
        (lambda it: it["exceptions"]["no_router"].clear(), "message"),
        (lambda it: it["exceptions"].update(No={"message": "No"}), "translation key"),
        (lambda it: it["exceptions"]["no_router"].update(message=" No"), "a space"),
        (lambda it: it["exceptions"]["no_router"].update(message="<b>"), "HTML"),
        (
            lambda it: it["exceptions"]["no_router"].update(message="'{name}'"),
            "single quotes",
        ),
        (
            lambda it: it["exceptions"]["no_router"].update(message="[%key:a%]"),
            "refers to another",
        ),
        (
            lambda it: it["config"]["step"]["user"]["data_description"].update(x="X"),
            "is no field",
        ),
        (
            lambda it: it["config_subentries"]["forward"].pop("entry_type"),
            "entry_type",
        ),
        (lambda it: it["services"].pop("list_forwards"), "not in en.json"),
        (lambda it: it["selector"].pop("ip_version"), "ip_version"),
    ],
)
def test_texts(
    mutation: Callable[[Json], object], told: str, faults: Callable[[], list[str]]
) -> None:
    """What is translated has the form that Home Assistant reads."""
    change(f"{COMPONENT}/translations/en.json", mutation)
    assert any(told in fault for fault in faults()), faults()


def test_every_language_is_looked_at(faults: Callable[[], list[str]]) -> None:
    """Hassfest looks at English only."""
    change(f"{COMPONENT}/translations/de.json", lambda it: it.update(titel="PCP"))
    assert len(faults()) == 1
    assert "de.json" in faults()[0]


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("icons.json", '"mdi:', '"md:', "no icon"),
        ("services.yaml", "list_forwards:", "list:", "the action list is not in"),
        ("services.yaml", "selector:", "selektor:", "selektor"),
        ("quality_scale.yaml", "  devices: done", "  device: done", "device"),
        ("quality_scale.yaml", "  devices: done", "  devices: perhaps", "devices"),
        ("quality_scale.yaml", "  devices: done", "", "devices"),
        ("__init__.py", "CONFIG_SCHEMA", "SCHEMA", "no CONFIG_SCHEMA"),
        ("config_flow.py", "async_set_unique_id", "set_unique_id", "no unique id"),
        (
            "entity.py",
            "import asyncio",
            "import asyncio\nfrom homeassistant.components import zeroconf",
            "entity.py imports from zeroconf",
        ),
    ],
)
def test_other_files(
    name: str, old: str, new: str, told: str, faults: Callable[[], list[str]]
) -> None:
    """Icons, actions, the quality scale and the code."""
    replace(f"{COMPONENT}/{name}", old, new)
    assert any(told in fault for fault in faults()), faults()


def test_default_icon_for_a_state(faults: Callable[[], list[str]]) -> None:
    """A state's icon is another one."""

    def repeat(icons: Json) -> None:
        status = icons["entity"]["sensor"]["status"]
        status["state"]["open"] = status["default"]

    change(f"{COMPONENT}/icons.json", repeat)
    assert any("default icon" in fault for fault in faults())


@pytest.mark.parametrize(
    ("mutation", "told"),
    [
        (lambda it: it.pop("filename"), "names no zip file"),
        (lambda it: it.update(domains=["pcp"]), "domains"),
        (lambda it: it.pop("name"), "name"),
        (lambda it: it.update(homeassistant="newest"), "is no version"),
    ],
)
def test_hacs_json(
    mutation: Callable[[Json], object], told: str, faults: Callable[[], list[str]]
) -> None:
    """What HACS and the Marketplace are told."""
    change("hacs.json", mutation)
    assert any(told in fault for fault in faults()), faults()


@pytest.mark.parametrize(
    "name", ["README.md", "LICENSE", f"{COMPONENT}/brand/icon.png"]
)
def test_files_that_hacs_wants(name: str, faults: Callable[[], list[str]]) -> None:
    """Somebody who looks at the repository finds them."""
    Path(name).unlink()
    assert len(faults()) == 1
    assert Path(name).name in faults()[0]


def test_one_integration(faults: Callable[[], list[str]]) -> None:
    """HACS installs the first of several, whichever that is."""
    other = Path("custom_components", "other")
    other.mkdir()
    (other / "manifest.json").write_text("{}")
    assert faults() == ["HACS: there is more than one integration"]
