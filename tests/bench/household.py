"""A ledger and a keeper joined, in simulated time, with a server that grants all."""

from ipaddress import IPv4Address
import random

from custom_components.pcp.client.codec import (
    AnnounceResponse,
    MapRequest,
    MapResponse,
    ResultCode,
    decode_request,
    encode,
)
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.forward import Forward
from custom_components.pcp.ledger import Ledger
from custom_components.pcp.orders import Ask

SERVER = IPv4Address("192.0.2.1")
CLIENT = IPv4Address("192.0.2.2")
EXTERNAL = IPv4Address("203.0.113.1")


class Household:
    """A ledger and a keeper joined, and a server that grants everything."""

    def __init__(self, *, lease_time: int = 3600) -> None:
        """Begin with nothing, at time 0."""
        self._random = random.Random(0)
        self.now = 0.0
        self.sent = 0
        self._booted_at = -1000.0
        self.ledger = Ledger(nonce=self._nonce, lease_time=lease_time)
        self.ledger.set_internal_address(CLIENT)
        self.keeper = Keeper(
            SERVER, nonce=self._nonce, jitter=self._random.random, now=self.now
        )
        self.keeper.set_client_address(CLIENT, now=self.now)

    def define(self, count: int) -> None:
        """Define so many forwards and want them all."""
        forwards = {
            f"forward {number}": Forward(name=f"{number}", internal_port=2000 + number)
            for number in range(count)
        }
        self.ledger.define(forwards)
        for forward_id in forwards:
            for order in self.ledger.open(forward_id):
                assert isinstance(order, Ask)
                wish = self.ledger.leases[order.key].wish
                self.keeper.want(wish, now=self.now)

    def exchange(self) -> None:
        """Send, be answered and listen until there is nothing more to say."""
        while True:
            while (event := self.keeper.next_event()) is not None:
                self.ledger.handle_event(event)
            datagrams = self.keeper.datagrams_to_send(now=self.now)
            if not datagrams:
                return
            self.sent += len(datagrams)
            for data in datagrams:
                self.keeper.receive_datagram(self._answer(data), now=self.now)

    def run_until(self, until: float) -> None:
        """Jump from wake-up to wake-up."""
        while (at := self.keeper.next_wakeup()) is not None and at <= until:
            self.now = max(self.now, at)
            self.keeper.handle_timer(now=self.now)
            self.exchange()
        self.now = until

    def reboot(self) -> None:
        """Let the server lose its state; nobody is told."""
        self._booted_at = self.now

    def epoch_seen(self) -> float:
        """Return when the server began, as far as its answers have told."""
        started_at = self.keeper.server_view().started_at
        return float("-inf") if started_at is None else started_at

    def _nonce(self) -> bytes:
        return self._random.randbytes(12)

    def _answer(self, data: bytes) -> bytes:
        request = decode_request(data)
        epoch_time = int(self.now - self._booted_at)
        if not isinstance(request, MapRequest):
            return encode(
                AnnounceResponse(result_code=ResultCode.SUCCESS, epoch_time=epoch_time)
            )
        return encode(
            MapResponse(
                result_code=ResultCode.SUCCESS,
                lifetime=request.lifetime,
                epoch_time=epoch_time,
                nonce=request.nonce,
                protocol=request.protocol,
                internal_port=request.internal_port,
                assigned_external_port=request.suggested_external_port,
                assigned_external_address=EXTERNAL,
            )
        )
