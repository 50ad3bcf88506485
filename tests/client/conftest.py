"""Real sockets for the few tests here that need them, and nothing else."""

from collections.abc import Iterator
import os
import shutil

import pytest
import pytest_socket


@pytest.fixture
def loopback(socket_enabled: None) -> None:
    """Allow real sockets, on loopback addresses only."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1"])


@pytest.fixture
def namespace(socket_enabled: None) -> Iterator[None]:
    """Run the test in an empty network namespace of its own, and allow any address.

    Threads and processes that the test starts are in it too.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root and ip (Debian: iproute2)")
    pytest_socket.socket_allow_hosts(["0.0.0.0/0", "::/0"])
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.unshare(os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(outside, os.CLONE_NEWNET)
    finally:
        os.close(outside)
