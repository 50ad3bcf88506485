"""The probe: finding out what a host speaks, opening nothing on it.

`Interview` decides; the probe lends it a socket and a timer. Failures are outcomes,
never exceptions.
"""

import asyncio
from contextlib import closing, suppress
from dataclasses import dataclass
import secrets

from .codec import NONCE_LENGTH, IPAddress
from .interview import Interview, ProbeOutcome
from .udp import ServerSocket

# Seconds after the first request. RFC 6886 3.1 begins with a quarter of a second, too;
# the 3 s of RFC 6887 8.1.1 are too long for somebody who waits for a form.
_ROUNDS_AT = (0.25, 0.75, 1.5, 2.5, 3.25)
# Seconds, in which a request is sent four times. RFC 7488 3 (MRC); a shorter wait has
# them closer together.
FOUR_ROUNDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What is known of a host after a probe."""

    outcome: ProbeOutcome
    server: IPAddress
    client_address: IPAddress | None = None
    """Our address towards it."""

    external_address: IPAddress | None = None
    """None where it did not reveal one."""

    epoch_time: int | None = None
    """The server's seconds, from its last answer."""


def new_nonce() -> bytes:
    """Return a nonce for probes of one server. RFC 6887 11.2."""
    return secrets.token_bytes(NONCE_LENGTH)


async def probe(
    server: IPAddress,
    *,
    wait: float = 4.0,
    nonce: bytes | None = None,
    interface: str = "",
) -> ProbeResult:
    """Find out what a host speaks, opening nothing on it.

    An answer ends it at once, silence after `wait` seconds. Probes of several addresses
    of one server share a nonce (RFC 7488 3); it is a new one unless given. `interface`
    is the one to ask on (RFC 7291 7), else it is as the routes lead.
    """
    pace = min(1.0, wait / FOUR_ROUNDS)
    try:
        conversation = _Conversation(
            server, pace=pace, nonce=nonce or new_nonce(), interface=interface
        )
    except OSError:
        return ProbeResult(outcome=ProbeOutcome.UNREACHABLE, server=server)
    with closing(conversation), suppress(TimeoutError):
        async with asyncio.timeout(wait):
            await conversation.settled.wait()
    return conversation.result()


class _Conversation:
    """One interview over a socket; raises OSError where there is no way to the host."""

    def __init__(
        self, server: IPAddress, *, pace: float, nonce: bytes, interface: str
    ) -> None:
        self.settled = asyncio.Event()
        self._server = server
        self._socket = ServerSocket(
            server,
            on_datagram=self._on_datagram,
            on_error=self._on_error,
            interface=interface,
        )
        self._interview = Interview(
            client_address=self._socket.local_address, nonce=nonce
        )
        loop = asyncio.get_running_loop()
        self._rounds = [loop.call_later(pace * at, self._ask) for at in _ROUNDS_AT]
        self._ask()

    def close(self) -> None:
        for handle in self._rounds:
            handle.cancel()
        self._socket.close()

    def result(self) -> ProbeResult:
        return ProbeResult(
            outcome=self._interview.conclude(),
            server=self._server,
            client_address=self._socket.local_address,
            external_address=self._interview.external_address,
            epoch_time=self._interview.epoch_time,
        )

    def _ask(self) -> None:
        self._send(self._interview.requests())

    def _on_datagram(self, data: bytes) -> None:
        self._send(self._interview.receive(data))

    def _on_error(self, err: OSError) -> None:
        if isinstance(err, ConnectionRefusedError):
            self._interview.refuse()
        else:
            self._interview.lose_way()
        self._send([])

    def _send(self, datagrams: list[bytes]) -> None:
        for data in datagrams:
            try:
                self._socket.send(data)
            except ConnectionRefusedError:
                self._interview.refuse()
            except OSError:
                self._interview.lose_way()
        if self._interview.outcome is not None:
            self.settled.set()
