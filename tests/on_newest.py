"""Run the unit tests on the newest Home Assistant, that of .venv-ha.

The plugin for tests pins an older one. The interpreter of .venv-ha finds all that it
lacks, the plugin and pytest among it, in .venv, and Home Assistant in its own packages.
As a plugin of pytest this makes ready what the plugin expects of the older one.

Usage:   scripts/test --newest [pytest arguments]
Example: scripts/test --newest tests/test_config_flow.py
"""

from pathlib import Path
import sys
import sysconfig
from unittest.mock import MagicMock

VENV = Path(__file__).resolve().parents[1] / ".venv"
OPTIONS = [
    *("-p", "tests.on_newest"),
    # Home Assistant is there before pytest, and with it a plugin that is not used here.
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
]


def borrow_packages() -> None:
    """Let packages that are not here be found in .venv."""
    here = Path(sysconfig.get_path("purelib"))
    packages = str(VENV / here.relative_to(sys.prefix))
    if packages not in sys.path:
        sys.path.append(packages)


def give_what_is_expected() -> None:
    """Import Home Assistant before anything else does, and add names that it lost."""
    from homeassistant.components import logger

    for name in ("_clear_logger_overwrites", "DOMAIN", "SERVICE_SET_LEVEL"):
        if not hasattr(logger, name):
            setattr(logger, name, MagicMock(name=f"logger.{name}"))


def pytest_report_header() -> str:
    """Say what this run is about."""
    from homeassistant.const import __version__

    return f"Home Assistant {__version__}"


borrow_packages()
give_what_is_expected()
if __name__ == "__main__":
    import pytest

    sys.exit(pytest.main([*OPTIONS, *sys.argv[1:]]))
