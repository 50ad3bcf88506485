"""Where a demo listens."""

from collections.abc import Iterator
import socket

import pytest

from tests.demo import Places, places


@pytest.fixture
def reservations(
    monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> Iterator[None]:
    """Give back what the test reserves."""
    reserved: list[socket.socket] = []
    monkeypatch.setattr(places, "_reservations", reserved)
    yield
    for each in reserved:
        each.close()


@pytest.mark.usefixtures("reservations")
def test_two_demos_have_nothing_in_common() -> None:
    """Also when neither listens yet."""
    one, other = Places.free(), Places.free()
    assert one.router_address != other.router_address
    assert one.external_address != other.external_address
    ports = [
        port
        for each in (one, other)
        for port in (each.home_assistant_port, each.web_port, each.game_port)
    ]
    assert len(set(ports)) == len(ports)
