"""Real sockets on loopback, for the tests that ask for them."""

import pytest
import pytest_socket


@pytest.fixture
def loopback(socket_enabled: None) -> None:
    """Allow real sockets, on loopback addresses only."""
    pytest_socket.socket_allow_hosts(["127.0.0.0/8", "::1"])
