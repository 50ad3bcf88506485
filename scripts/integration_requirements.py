"""Print what integrations of Home Assistant require, read from their manifests.

Usage:   integration_requirements.py ENVIRONMENT PATH_OF_HOMEASSISTANT
Example: integration_requirements.py ha .venv-ha/lib/python3.14/site-packages/homeassistant

The integrations are those that pyproject.toml names for the environment, and those
that they depend on. With them goes what Home Assistant's second factor requires: it is
no integration, but loaded at every start. `scripts/pin` uses this.
"""

import ast
import json
from pathlib import Path
import sys
import tomllib


def requirements_of(integrations: list[str], components: Path) -> set[str]:
    """Return the requirements of the integrations and of their dependencies."""
    requirements: set[str] = set()
    seen: set[str] = set()
    waiting = list(integrations)
    while waiting:
        integration = waiting.pop()
        if integration in seen:
            continue
        seen.add(integration)
        manifest = json.loads((components / integration / "manifest.json").read_text())
        requirements.update(manifest.get("requirements", []))
        waiting.extend(manifest.get("dependencies", []))
    return requirements


def requirements_of_second_factor(home_assistant: Path) -> set[str]:
    """Return the list REQUIREMENTS of the one-time password module."""
    source = (home_assistant / "auth/mfa_modules/totp.py").read_text()
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="REQUIREMENTS")], value=value):
                return set(ast.literal_eval(value))
    return set()


def main() -> None:
    """Print one requirement a line, sorted."""
    environment, path = sys.argv[1:]
    home_assistant = Path(path)
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    integrations = project["tool"]["pcp"]["integrations"][environment]
    found = requirements_of(integrations, home_assistant / "components")
    found |= requirements_of_second_factor(home_assistant)
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
