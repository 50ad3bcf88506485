"""What the tests of doors look at besides Home Assistant."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
import json
import socket
import struct
from typing import Self

from .network import Network
from .router import PCP_PORT, Router
from .rules import Mapping
from .waiting import wait_until

CONVERSATION_TIMEOUT = 10.0

# An epoch that went back by less may be the clocks' inexactness.
EPOCH_SEEN = 4.0

# Before everything that loses requests or leads them elsewhere.
_COUNT_REQUESTS = """
table inet count_requests
delete table inet count_requests
table inet count_requests {{
    chain requests {{
        type filter hook prerouting priority -320;
        ip saddr {address} udp dport 5351 counter
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Both ends of a connection that stays."""

    caller: socket.socket
    called: socket.socket

    def goes_on(self) -> bool:
        """Tell whether each end hears the other."""
        try:
            self.caller.sendall(b"ping")
            heard = self.called.recv(4)
            self.called.sendall(b"pong")
            return (heard, self.caller.recv(4)) == (b"ping", b"pong")
        except OSError:
            return False


class RequestCount:
    """Counts what `lan` sends to the router's PCP port, whatever becomes of it."""

    def __init__(self, network: Network) -> None:
        """Begin with none."""
        self._network = network
        rules = _COUNT_REQUESTS.format(address=network.address("lan"))
        network.run("router", "nft", "-f", "-", stdin=rules)

    @property
    def value(self) -> int:
        """How many there were."""
        answer = self._network.run(
            *("router", "nft", "-j", "list", "table", "inet", "count_requests")
        ).stdout
        (count,) = (
            expression["counter"]["packets"]
            for item in json.loads(answer)["nftables"]
            for expression in item.get("rule", {}).get("expr", ())
            if "counter" in expression
        )
        return int(count)


class MapRequests:
    """Hears what `lan` asks of servers, from its beginning on."""

    # linux/if_ether.h: also what is sent.
    _EVERYTHING = 3

    def __init__(self, network: Network) -> None:
        """Begin."""
        with network.inside("lan"):
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self._EVERYTHING)
            )
            self._socket.bind(("eth0", self._EVERYTHING))

    def __enter__(self) -> Self:
        """Hear."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hear no more."""
        self._socket.close()

    def about(self, internal_port: int) -> list[tuple[str, bool]]:
        """Return who was asked about a port over IPv4, and whether to delete it."""
        heard = []
        with suppress(BlockingIOError):
            while True:
                packet = self._socket.recv(2048, socket.MSG_DONTWAIT)
                # No options in the header of IP; UDP to 5351; PCP's MAP. RFC 6887 11.1
                if (packet[0], packet[9]) != (0x45, socket.IPPROTO_UDP):
                    continue
                (to,), data = struct.unpack_from("!H", packet, 22), packet[28:]
                if to != PCP_PORT or len(data) < 60 or data[:2] != b"\x02\x01":
                    continue
                lifetime, port = *struct.unpack_from("!I", data, 4), data[40:42]
                if int.from_bytes(port) == internal_port:
                    heard.append((socket.inet_ntoa(packet[16:20]), lifetime == 0))
        return heard


@contextmanager
def converse(network: Network, port_number: int) -> Iterator[Conversation]:
    """Keep one TCP connection from outside to a port of `lan`."""
    with network.inside("lan"):
        server = socket.create_server(("", port_number))
    with server:
        server.settimeout(CONVERSATION_TIMEOUT)
        with network.inside("wan"):
            caller = socket.create_connection(
                (network.external_address, port_number), CONVERSATION_TIMEOUT
            )
        with caller, closing(server.accept()[0]) as called:
            called.settimeout(CONVERSATION_TIMEOUT)
            yield Conversation(caller, called)


def let_pass(router: Router) -> None:
    """Let so much time pass that a new epoch is seen to be one. RFC 6887 8.5."""
    begin = router.uptime
    wait_until(lambda: router.uptime > begin + EPOCH_SEEN, "time to pass")


def ports(mappings: list[Mapping]) -> list[tuple[str, int, int]]:
    """Return protocol, external and internal port of each mapping."""
    return [
        (mapping.protocol, mapping.external_port, mapping.internal_port)
        for mapping in mappings
    ]
