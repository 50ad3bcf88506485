"""What every test here may count on."""

from collections.abc import Iterator
from unittest.mock import patch

import hypothesis
import pytest

pytest_plugins = ["tests.no_skips"]

# No timing is asserted here: a slow machine is no fault.
hypothesis.settings.register_profile("pcp", deadline=None)
hypothesis.settings.load_profile("pcp")


@pytest.fixture(autouse=True)
def _home_assistant(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let Home Assistant, where a test has one, find the integration and stay silent."""
    if "hass" not in request.fixturenames:
        yield
        return
    # A recorder has to be prepared before the first Home Assistant.
    if "recorder_mock" in request.fixturenames:
        request.getfixturevalue("recorder_mock")
    request.getfixturevalue("enable_custom_integrations")
    # The integration depends on ssdp, which would search the network of the machine.
    ssdp = "homeassistant.components.ssdp"
    with (
        patch(f"{ssdp}.scanner.Scanner._async_start_ssdp_listeners"),
        patch(f"{ssdp}.server.Server.async_start"),
    ):
        yield
