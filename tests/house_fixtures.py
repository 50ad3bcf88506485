"""Fixtures: a house, in a time that is moved by hand.

A test module that wants them says `pytest_plugins = ["tests.house_fixtures"]`, and marks
itself with `freeze_time`.
"""

import asyncio
from collections.abc import AsyncIterator
import time
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
import pytest

from custom_components.pcp.const import DOMAIN
from tests.simulated_router import SimulatedRouter

from .glue import EXTERNAL_ADDRESS, NETWORK, ROUTER_HOST, UPTIME
from .house import BOOTED_AT, House

pytest_plugins = ["tests.glue_fixtures"]


@pytest.fixture
async def still(
    freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> set[asyncio.Future[Any]]:
    """Let the loop's clock stand still with the wall's, and begin elsewhere.

    Returns what is done in threads just now: that is not to be overtaken by time.
    """
    loop = asyncio.get_running_loop()
    # A jump is not a slow callback.
    loop.slow_callback_duration = float("inf")
    monkeypatch.setattr(loop, "time", lambda: time.time() - BOOTED_AT)
    jobs: set[asyncio.Future[Any]] = set()
    run_in_executor = loop.run_in_executor

    def run(*args: Any) -> asyncio.Future[Any]:
        job = run_in_executor(*args)
        jobs.add(job)
        job.add_done_callback(jobs.discard)
        return job

    monkeypatch.setattr(loop, "run_in_executor", run)
    return jobs


@pytest.fixture
async def house(
    still: set[asyncio.Future[Any]],
    freezer: FrozenDateTimeFactory,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    quiet: None,
) -> AsyncIterator[House]:
    """A Home Assistant and a router that does all that RFC 6887 says."""

    def announce(data: bytes) -> None:
        home.announce(data)

    router = SimulatedRouter(
        ROUTER_HOST,
        EXTERNAL_ADDRESS,
        relay=False,
        other_address=f"{NETWORK}.3",
        epoch_time=UPTIME,
        announce=announce,
    )
    home = House(hass, hass_storage, router, freezer, still)
    home.watch()
    await router.start()
    # It has said by now that it has started.
    await home.wait(600)
    with patch("custom_components.pcp.servers.other_family_server", return_value=None):
        yield home
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await home.finish(hass.config_entries.async_unload(entry.entry_id))
    await home.settle()
    await router.stop()
