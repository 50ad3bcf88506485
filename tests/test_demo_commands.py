"""What can be typed in a demo."""

import re

from tests.demo.__main__ import COMMANDS
from tests.simulated_router.control import HELP


def test_every_command_is_listed() -> None:
    """All that the simulated router obeys, which those who try it cannot guess."""
    words = set(re.findall(r"\w+", COMMANDS))
    assert words >= {command.split()[0] for command in HELP.split("|")}
