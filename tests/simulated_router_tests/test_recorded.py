"""The miniupnpd personality against what the real one answered, octet for octet."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
import re

import pytest

from custom_components.pcp.client.codec import IPAddress
from tests.simulated_router import PERSONALITIES, RouterCore

_RECORDED = Path(__file__).parents[1] / "client/recorded/miniupnpd-2.3.1-exchanges.txt"
_EXCHANGE = re.compile(
    r"^\[(?P<number>\d+)\] (?P<title>.*?)(?:   # .*)?\n"
    r"  to +(?P<server>\S+)\n"
    r"  req +(?P<request>\S+)\n"
    r"  (?:resp (?P<answer>\S+)|\(no answer.*\))$",
    re.MULTILINE,
)
_LOCAL_NETWORKS = (
    ip_network("192.168.77.0/24"),
    ip_network("2001:db8:77::/64"),
    ip_network("fe80::/10"),
)

DEPARTURES: dict[int, str] = {}
"""Exchanges that the personality answers otherwise, and why."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to the real server, and what came back."""

    number: int
    title: str
    server: str
    request: bytes
    answer: bytes | None

    @property
    def source(self) -> IPAddress:
        """The address the request came from."""
        if self.server == "192.168.77.1":
            return IPv4Address("192.168.77.2")
        return IPv6Address(self.request[8:24])

    @property
    def epoch_time(self) -> int | None:
        """The server's seconds when it answered."""
        if self.answer is None:
            return None
        is_nat_pmp = self.answer[0] == 0 and self.request[0] == 0
        offset = 4 if is_nat_pmp else 8
        return int.from_bytes(self.answer[offset : offset + 4])


def _exchanges() -> list[Exchange]:
    return [
        Exchange(
            number=int(found["number"]),
            title=found["title"],
            server=found["server"],
            request=bytes.fromhex(found["request"]),
            answer=bytes.fromhex(found["answer"]) if found["answer"] else None,
        )
        for found in _EXCHANGE.finditer(_RECORDED.read_text())
    ]


def _replayed() -> dict[int, bytes | None]:
    """Play the whole record, in order, at the times the epochs tell."""
    core = RouterCore(
        PERSONALITIES["miniupnpd_2_3_1"],
        external_address=IPv4Address("22.0.113.1"),
        now=0.0,
        local_networks=_LOCAL_NETWORKS,
    )
    now = 0.0
    answers: dict[int, bytes | None] = {}
    for exchange in _exchanges():
        if exchange.epoch_time is not None:
            now = float(exchange.epoch_time)
        replies = core.receive(exchange.request, (exchange.source, 40000), now=now)
        assert len(replies) <= 1
        answers[exchange.number] = replies[0].data if replies else None
    return answers


@pytest.fixture(name="replayed", scope="module")
def _fixture_replayed() -> dict[int, bytes | None]:
    return _replayed()


def test_record_is_whole() -> None:
    """The record has the 107 exchanges it is known to have."""
    assert [exchange.number for exchange in _exchanges()] == list(range(1, 108))


@pytest.mark.parametrize(
    "exchange", _exchanges(), ids=lambda exchange: f"{exchange.number:03}"
)
def test_same_octets(exchange: Exchange, replayed: dict[int, bytes | None]) -> None:
    """The personality answers what the real miniupnpd answered, epoch included."""
    same = replayed[exchange.number] == exchange.answer
    assert same is (exchange.number not in DEPARTURES), exchange.title
