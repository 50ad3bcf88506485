"""The watch: one call for a burst, none lost; and a real kernel's events."""

import asyncio
from collections.abc import Callable, Iterator
import logging
import socket
import sys
from typing import Any, override

import pytest

from custom_components.pcp.client import watch
from custom_components.pcp.client.watch import NetworkWatch

from .sockets import PATIENCE, ip


class DrivenLoop:
    """The running loop with timers that the test lets go off."""

    def __init__(self) -> None:
        """Know no timer."""
        self._loop = asyncio.get_running_loop()
        self.timers: list[tuple[float, Callable[[], None], asyncio.TimerHandle]] = []
        self.armed = asyncio.Event()

    def call_later(
        self, delay: float, callback: Callable[[], None]
    ) -> asyncio.TimerHandle:
        """Keep a callback for `go_off`."""
        handle = self._loop.call_later(3600, callback)
        self.timers.append((delay, callback, handle))
        self.armed.set()
        return handle

    async def wait_until_armed(self) -> None:
        """Wait for the next timer."""
        async with asyncio.timeout(PATIENCE):
            await self.armed.wait()
        self.armed.clear()

    def go_off(self) -> None:
        """Let the one timer go off."""
        [(_, callback, handle)] = self.timers
        self.timers.clear()
        handle.cancel()
        callback()

    def __getattr__(self, name: str) -> Any:
        """Be the running loop for the rest."""
        return getattr(self._loop, name)


class Changes:
    """Count the calls."""

    def __init__(self) -> None:
        """Begin at none."""
        self.count = 0
        self.error: Exception | None = None
        self.came = asyncio.Event()

    def __call__(self) -> None:
        """Count one."""
        self.count += 1
        self.came.set()
        if self.error is not None:
            raise self.error

    async def wait(self) -> None:
        """Wait for the next one."""
        async with asyncio.timeout(PATIENCE):
            await self.came.wait()
        self.came.clear()


@pytest.fixture
def kernel(
    monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> Iterator[socket.socket]:
    """What is sent here is an event of the kernel."""
    ours, theirs = socket.socketpair(type=socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    monkeypatch.setattr(watch, "_open", lambda: ours)
    with ours, theirs:
        yield theirs


def driven(changes: Changes) -> tuple[NetworkWatch, DrivenLoop]:
    """Return a watch that was started, and its loop."""
    watching = NetworkWatch(changes)
    loop = DrivenLoop()
    watching._loop = loop  # type: ignore[assignment]
    watching.start()
    return watching, loop


async def test_burst_is_one_call(kernel: socket.socket) -> None:
    """A dozen events are one call, 0.75 s after the first one."""
    changes = Changes()
    watching, loop = driven(changes)
    for _ in range(12):
        kernel.send(b"an event of more than sixteen octets")
    await loop.wait_until_armed()
    for _ in range(3):
        await asyncio.sleep(0)
    assert [delay for delay, *_ in loop.timers] == [0.75]
    assert changes.count == 0
    loop.go_off()
    assert changes.count == 1
    with pytest.raises(BlockingIOError):
        watching._sock.recv(1)  # type: ignore[union-attr]
    watching.close()


async def test_next_burst_is_another_call(kernel: socket.socket) -> None:
    """What comes after the call is told again."""
    changes = Changes()
    watching, loop = driven(changes)
    for count in (1, 2):
        kernel.send(b"event")
        await loop.wait_until_armed()
        loop.go_off()
        assert changes.count == count
    watching.close()


async def test_change_during_the_call_is_told_again(kernel: socket.socket) -> None:
    """What changes while somebody looks is not lost."""

    def on_change() -> None:
        if changes.count == 0:
            kernel.send(b"event")
        changes()

    changes = Changes()
    watching = NetworkWatch(on_change)
    loop = DrivenLoop()
    watching._loop = loop  # type: ignore[assignment]
    watching.start()
    kernel.send(b"event")
    for count in (1, 2):
        await loop.wait_until_armed()
        loop.go_off()
        assert changes.count == count
    watching.close()


async def test_flood_is_left_to_the_next_burst(
    monkeypatch: pytest.MonkeyPatch, kernel: socket.socket
) -> None:
    """No more than so many events are read in one turn of the loop."""
    monkeypatch.setattr(watch, "_BURST", 3)
    changes = Changes()
    watching, loop = driven(changes)
    for _ in range(4):
        kernel.send(b"event")
    for count in (1, 2):
        await loop.wait_until_armed()
        loop.go_off()
        assert changes.count == count
    with pytest.raises(BlockingIOError):
        watching._sock.recv(1)  # type: ignore[union-attr]
    watching.close()


async def test_lost_events_are_a_change(kernel: socket.socket) -> None:
    """When the kernel could not keep up (ENOBUFS) something has changed, too."""
    changes = Changes()
    watching, loop = driven(changes)

    class Overflowing:
        def __init__(self) -> None:
            self.errors: list[OSError] = [OSError("No buffer space"), BlockingIOError()]

        def recv(self, _: int) -> bytes:
            raise self.errors.pop(0)

    overflowing = Overflowing()
    watch._drain(overflowing)  # type: ignore[arg-type]
    assert overflowing.errors == []
    kernel.send(b"event")
    await loop.wait_until_armed()
    loop.go_off()
    assert changes.count == 1
    watching.close()


async def test_what_the_callback_raises_is_logged(
    kernel: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the callback neither reaches the loop nor ends the watch."""
    changes = Changes()
    changes.error = ZeroDivisionError()
    watching, loop = driven(changes)
    for count in (1, 2):
        kernel.send(b"event")
        await loop.wait_until_armed()
        loop.go_off()
        assert changes.count == count
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    watching.close()


async def test_no_call_after_close(kernel: socket.socket) -> None:
    """Closed while a burst is on, nothing of it stays in the loop."""
    changes = Changes()
    watching, loop = driven(changes)
    kernel.send(b"event")
    await loop.wait_until_armed()
    watching.close()
    watching.close()
    assert not watching.watching
    [(_, _, handle)] = loop.timers
    assert handle.cancelled()


async def test_callback_may_close(kernel: socket.socket) -> None:
    """The callback may be the end of it."""
    watching, loop = driven(Changes())
    watching._on_change = watching.close
    descriptor = watching._sock.fileno()  # type: ignore[union-attr]
    kernel.send(b"event")
    await loop.wait_until_armed()
    loop.go_off()
    assert not watching.watching
    assert not asyncio.get_running_loop().remove_reader(descriptor)


async def test_start_again(kernel: socket.socket) -> None:
    """Started twice it watches once."""
    changes = Changes()
    watching, loop = driven(changes)
    assert watching.watching
    first = watching._sock
    watching.start()
    assert watching._sock is first
    kernel.send(b"event")
    await loop.wait_until_armed()
    loop.go_off()
    assert changes.count == 1
    watching.close()


async def test_elsewhere_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no netlink it works without."""
    monkeypatch.setattr(sys, "platform", "darwin")
    watching = NetworkWatch(Changes())
    watching.start()
    assert not watching.watching
    watching.close()


@pytest.mark.usefixtures("socket_enabled")
async def test_netlink_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel gives us no events nothing leaks."""
    opened: list[socket.socket] = []

    class Refused(socket.socket):
        @override
        def bind(self, _: object) -> None:
            opened.append(self)
            raise PermissionError

    watching = NetworkWatch(Changes())
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Refused)
        watching.start()
    assert not watching.watching
    assert [sock.fileno() for sock in opened] == [-1]
    watching.close()


@pytest.mark.lab
@pytest.mark.parametrize(
    "change",
    [
        "link set lo down",
        "link add home type veth peer name router",
        "addr add 192.0.2.3/24 dev lo",
        "addr del 192.0.2.2/24 dev lo",
        "addr add 2001:db8::3/64 dev lo nodad",
        "route add 198.51.100.0/24 dev lo",
        "route add 2001:db8:1::/48 dev lo",
    ],
)
@pytest.mark.usefixtures("namespace")
async def test_real_kernel(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Links, addresses and routes of both IP versions; not what was there before."""
    ip("link set lo up", "addr add 192.0.2.2/24 dev lo")
    monkeypatch.setattr(watch, "_DEBOUNCE", 0)
    changes = Changes()
    watching = NetworkWatch(changes)
    watching.start()
    with pytest.raises(BlockingIOError):
        watching._sock.recv(1)  # type: ignore[union-attr]
    ip(change)
    await changes.wait()
    watching.close()
