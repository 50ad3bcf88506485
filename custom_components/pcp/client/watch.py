"""Telling that the network of this host has changed, as the kernel tells it.

What has changed is not read out of the events: whoever is told looks for himself.
"""

import asyncio
from collections.abc import Callable
import logging
import socket
import sys

_LOGGER = logging.getLogger(__name__)

# <linux/rtnetlink.h>: RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
# Seconds. A cable put in is a dozen events, within some tenths of a second.
_DEBOUNCE = 0.75
# The start of an event is read and the rest of it dropped: only that it came counts.
_RECEIVE_SIZE = 16
# Events dropped in one turn of the loop, so that a flood leaves the loop its other work.
_BURST = 256


class NetworkWatch:
    """Call back after links, addresses or routes have changed. Linux only.

    A burst of events is one call, 0.75 s after the first one; what comes later is
    another call. To be used inside the running event loop.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def watching(self) -> bool:
        """Tell whether changes are noticed; without netlink they are not."""
        return self._sock is not None

    def start(self) -> None:
        """Watch, where the kernel lets us; again is harmless."""
        if self._sock is not None:
            return
        try:
            self._sock = _open()
        except OSError as err:
            _LOGGER.debug("Changes of the network are not noticed: %s", err)
        else:
            self._loop.add_reader(self._sock, self._on_readable)

    def close(self) -> None:
        """Stop; no call comes after it. Again is harmless."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def _on_readable(self) -> None:
        assert self._sock is not None
        # Deaf until the burst is over. What does not fit the kernel's buffer is lost,
        # which costs nothing: one event is as good as many.
        self._loop.remove_reader(self._sock)
        self._timer = self._loop.call_later(_DEBOUNCE, self._tell)

    def _tell(self) -> None:
        self._timer = None
        assert self._sock is not None
        _drain(self._sock)
        # Before the call: what changes from now on is another change.
        self._loop.add_reader(self._sock, self._on_readable)
        try:
            self._on_change()
        except Exception:
            _LOGGER.exception("Unexpected error after a change of the network")


def _open() -> socket.socket:
    if sys.platform != "linux":
        raise OSError("There is no netlink")
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
    )
    try:
        sock.bind((0, _GROUPS))
    except OSError:
        sock.close()
        raise
    return sock


def _drain(sock: socket.socket) -> None:
    for _ in range(_BURST):
        try:
            sock.recv(_RECEIVE_SIZE)
        except BlockingIOError:
            return
        except OSError as err:
            # The kernel tells that events were lost.
            _LOGGER.debug("Events of the network were lost: %s", err)
