"""Check the integration's files against the rules of hassfest and of HACS.

Both are the judges of a release, and need the network: the workflow *Validate* runs them.
This is a stand-in that needs none, of the rules that bite a custom integration, written
after their newest texts that could be read (manifest: autumn 2026, with the others older).
Where it and they differ, they are right.

Usage:   check_integration.py [ROOT]
Example: .venv/bin/python scripts/check_integration.py
"""

import ast
from collections.abc import Callable, Iterator
import json
from pathlib import Path
import re
import sys
from typing import Any

import homeassistant.const
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util.yaml import load_yaml_dict
from integration_rules import ACTIONS, DOMAIN, HACS, ICONS, MANIFEST, QUALITY, TEXTS
import voluptuous as vol

# Integrations of Home Assistant that may be imported from without naming them.
ALWAYS_THERE = {"homeassistant", "persistent_notification", "system_health"}


class Integration:
    """What is checked: a repository, and the integration in it."""

    def __init__(self, root: Path) -> None:
        """Read nothing yet."""
        self.root = root
        self.folder = root / "custom_components" / DOMAIN

    def json(self, name: str) -> Any:
        """Read one of the integration's files."""
        return json.loads((self.folder / name).read_text("utf-8"))

    def yaml(self, name: str) -> Any:
        """Read one of the integration's files as Home Assistant does."""
        return load_yaml_dict(str(self.folder / name))

    def modules(self) -> Iterator[tuple[Path, ast.Module]]:
        """Yield the Python files, relative to the integration."""
        for file in sorted(self.folder.rglob("*.py")):
            yield file.relative_to(self.folder), ast.parse(file.read_text("utf-8"))


def manifest_faults(it: Integration) -> Iterator[str]:
    """Hassfest: manifest, config_flow, config_schema. HACS: integration_manifest."""
    manifest = it.json("manifest.json")
    MANIFEST(manifest)
    rest = sorted(set(manifest) - {"domain", "name"})
    if list(manifest) != ["domain", "name", *rest]:
        yield "the keys are not in order: domain, name, the rest by the alphabet"
    for requirement in manifest.get("requirements", ()):
        if not re.fullmatch(r"[\w.-]+(\[\w+\])?(==|>=)[\w.,<>=!]+", requirement):
            yield f"{requirement!r} says no version"
    flow = it.folder / "config_flow.py"
    if manifest.get("config_flow", False) != flow.is_file():
        yield "config_flow and config_flow.py do not agree"
    elif manifest.get("ssdp") and "self.async_set_unique_id(" not in flow.read_text():
        yield "a flow that can be discovered has no unique id"
    (init,) = (tree for path, tree in it.modules() if str(path) == "__init__.py")
    names = {
        getattr(node, "name", None) or getattr(node.targets[0], "id", None)
        for node in init.body
        if isinstance(node, ast.Assign | ast.AsyncFunctionDef)
    }
    if "async_setup" in names and "CONFIG_SCHEMA" not in names:
        yield "__init__.py has async_setup and no CONFIG_SCHEMA"


def dependency_faults(it: Integration) -> Iterator[str]:
    """Hassfest: dependencies."""
    manifest = it.json("manifest.json")
    dependencies = manifest.get("dependencies", [])
    after = manifest.get("after_dependencies", [])
    components = Path(homeassistant.const.__file__).with_name("components")
    for name in dependencies:
        if not (components / name).is_dir():
            yield f"there is no integration {name}"
        if name in after:
            yield f"{name} is both a dependency and an after_dependency"
    allowed = {*dependencies, *after, *ALWAYS_THERE, *homeassistant.const.Platform}
    allowed |= {"ssdp"} if "ssdp" in manifest else set()
    for path, tree in it.modules():
        for name in sorted(imported_components(tree) - allowed):
            if not (it.folder / f"{name}.py").is_file():
                yield f"{path} imports from {name}, which is no dependency"


def imported_components(tree: ast.AST) -> set[str]:
    """Return the integrations that are imported from, but for the types' sake only."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            if name.startswith("homeassistant.components."):
                found.add(name.split(".")[2])
        found |= imported_components(node)
    return found


def action_faults(it: Integration) -> Iterator[str]:
    """Hassfest: services; more than it asks of a custom integration."""
    actions = it.yaml("services.yaml")
    ACTIONS(actions)
    texts = it.json("translations/en.json")
    icons = it.json("icons.json").get("services", {})
    told = texts.get("services", {})
    for name in sorted({*actions, *told, *icons}):
        for place, known in (
            ("services.yaml", actions),
            ("en.json", told),
            ("icons.json", icons),
        ):
            if name not in known:
                yield f"the action {name} is not in {place}"
    for name, action in actions.items():
        seen: set[str] = set()
        for field, value in (action or {}).get("fields", {}).items():
            for inner, what in value.get("fields", {field: value}).items():
                if inner in seen:
                    yield f"{name} has the field {inner} twice"
                seen.add(inner)
                chosen = what.get("selector", {}).get("select") or {}
                words = chosen.get("translation_key")
                if words and words not in texts.get("selector", {}):
                    yield f"the words of {name}.{inner}, {words}, are not in en.json"


def text_faults(it: Integration) -> Iterator[str]:
    """Hassfest: translations; here of every language."""
    if (it.folder / "strings.json").exists():
        yield "strings.json is a copy that nobody reads"
    for file in sorted((it.folder / "translations").glob("*.json")):
        name = f"translations/{file.name}"
        texts = it.json(name)
        try:
            TEXTS(texts)
        except vol.Invalid as error:
            yield f"{name}: {error}"
            continue
        flows = [texts.get("config"), texts.get("options")]
        flows += texts.get("config_subentries", {}).values()
        for step, form in (
            pair for flow in flows if flow for pair in flow["step"].items()
        ):
            for part in (form, *form.get("sections", {}).values()):
                for field in set(part.get("data_description", ())) - set(
                    part.get("data", ())
                ):
                    yield f"{name}: {step} describes {field}, which is no field"


def icon_faults(it: Integration) -> Iterator[str]:
    """Hassfest: icons."""
    icons = it.json("icons.json")
    ICONS(icons)
    for platform, entities in icons.get("entity", {}).items():
        for name, entity in entities.items():
            for part in (entity, *entity.get("state_attributes", {}).values()):
                if part.get("default") in part.get("state", {}).values():
                    yield f"{platform}.{name} has its default icon for a state, too"


def quality_faults(it: Integration) -> Iterator[str]:
    """Hassfest: quality_scale, which it does not ask of a custom integration."""
    QUALITY(it.yaml("quality_scale.yaml"))
    yield from ()


def hacs_faults(it: Integration) -> Iterator[str]:
    """HACS: hacsjson, brands, information, license, and one integration only."""
    said = json.loads((it.root / "hacs.json").read_text("utf-8"))
    HACS(said)
    if said.get("zip_release") and not said.get("filename", "").endswith(".zip"):
        yield "hacs.json has zip_release and names no zip file"
    folders = [
        each
        for each in it.folder.parent.iterdir()
        if (each / "manifest.json").is_file()
    ]
    if folders != [it.folder]:
        yield "there is more than one integration"
    for name in ("README.md", "LICENSE"):
        if not (it.root / name).is_file():
            yield f"there is no {name}"
    if not (it.folder / "brand" / "icon.png").is_file():
        yield "there is no brand/icon.png"


CHECKS: dict[str, Callable[[Integration], Iterator[str]]] = {
    "manifest.json": manifest_faults,
    "dependencies": dependency_faults,
    "services.yaml": action_faults,
    "translations": text_faults,
    "icons.json": icon_faults,
    "quality_scale.yaml": quality_faults,
    "HACS": hacs_faults,
}


def faults(root: Path) -> list[str]:
    """Return what is wrong, in words."""
    found = []
    for name, check in CHECKS.items():
        try:
            found += [f"{name}: {fault}" for fault in check(Integration(root))]
        except (vol.Invalid, HomeAssistantError, OSError, ValueError) as error:
            found.append(f"{name}: {error}")
    return found


def main() -> int:
    """Print each fault, return 1 where there is one."""
    found = faults(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
