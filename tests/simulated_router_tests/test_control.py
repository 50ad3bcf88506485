"""The words that steer a running router, and the program itself."""

import asyncio
from collections.abc import AsyncIterator
import sys

import pytest

from tests.simulated_router import PERSONALITIES, SimulatedRouter
from tests.simulated_router.control import HELP, describe, obey

from .asking import CLIENT_6, Asking

ROUTER = "127.0.77.85"
EXTERNAL = "127.0.99.85"


@pytest.fixture(name="router")
async def _fixture_router(loopback: None) -> AsyncIterator[SimulatedRouter]:
    router = SimulatedRouter(ROUTER, EXTERNAL)
    await router.start()
    yield router
    await router.stop()


async def test_words(router: SimulatedRouter) -> None:
    """Each word does what it says."""
    assert obey(router, "mappings") == "no mappings"
    obey(router, "silence")
    assert router.core.silenced
    obey(router, "unsilence")
    assert not router.core.silenced
    obey(router, "personality fritzbox")
    assert router.personality is PERSONALITIES["fritzbox"]
    obey(router, "address 127.0.99.86\n")
    assert str(router.core.external_address) == "127.0.99.86"
    for line in ("reboot", "restart", "forget", "personalities"):
        assert obey(router, line) != HELP


@pytest.mark.parametrize("line", ["help", "personality nobody", "address", "reboot 1"])
async def test_unknown_words(router: SimulatedRouter, line: str) -> None:
    """What is not understood is answered with help."""
    assert obey(router, line) == HELP


async def test_bad_address(router: SimulatedRouter) -> None:
    """An address that is none changes nothing."""
    assert obey(router, "address here").startswith("no IPv4 address")
    assert str(router.core.external_address) == EXTERNAL


def test_mappings_in_words() -> None:
    """A mapping is told as it would be written in a URL."""
    asking = Asking()
    asking.map()
    asking.map(source=CLIENT_6)
    assert [describe(mapping) for mapping in asking.core.mappings] == [
        "tcp 127.0.99.1:8123 -> 192.168.77.2:8123 for 3600 s",
        "tcp [2001:db8:77::2]:8123 -> [2001:db8:77::2]:8123 for 3600 s",
    ]


async def test_program(loopback: None) -> None:
    """The program starts, obeys stdin, and ends when told."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.simulated_router", "--address", "127.0.77.86"),
        *("--external", "127.0.99.86", "--personality", "airport"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdin is not None
    assert program.stdout is not None
    async with asyncio.timeout(30):
        first = await program.stdout.readline()
        program.stdin.write(b"mappings\n")
        second = await program.stdout.readline()
        program.terminate()
        assert await program.wait() == 0
    assert first == b"router: airport at 127.0.77.86, outside 127.0.99.86\n"
    assert second == b"router: no mappings\n"
