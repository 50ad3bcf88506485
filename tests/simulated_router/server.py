"""A simulated router on real UDP, with doors that are real."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
import logging
import socket

from custom_components.pcp.client.codec import (
    ANNOUNCE_PORT,
    NAT_PMP_VERSION,
    SERVER_PORT,
    DecodeError,
    IPAddress,
    NatPmpRequest,
    Request,
    decode_nat_pmp_request,
    decode_request,
)

from .core import Reply, RouterCore
from .personalities import PERSONALITIES
from .personality import Honour, Personality
from .relay import Relay
from .state import LocalNetwork
from .table import RouterMapping, Source

_LOGGER = logging.getLogger(__name__)

_ALL_HOSTS = "224.0.0.1"
_MAX_DATAGRAM = 65535


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A datagram that came in, whatever became of it."""

    at: float
    """Seconds of the event loop's clock."""
    source: Source
    data: bytes
    request: Request | NatPmpRequest | None
    """None where it could not be decoded."""


class SimulatedRouter:
    """One router on one address (or one of each family) of this machine.

    Not started, it holds nothing; after `stop` it may be started again. `mapping_log`
    is called with a line for every door that opens or closes.
    """

    def __init__(
        self,
        address: str = "127.0.77.1",
        external_address: str = "127.0.99.1",
        personality: str | Personality = "rfc",
        *,
        ipv6_address: str | None = None,
        other_address: str = "127.0.77.3",
        server_port: int = SERVER_PORT,
        relay: bool = True,
        relay_address: str | None = None,
        local_networks: Sequence[LocalNetwork] = (),
        epoch_time: int = 0,
        announce: Callable[[bytes], None] | None = None,
        multicast: bool = False,
        mapping_log: Callable[[str], None] | None = None,
    ) -> None:
        """Describe the router; nothing is opened yet.

        `announce` is given every multicast datagram; with `multicast` they are also
        sent, to 224.0.0.1:5350 on the interface of the server's address. Doors are
        opened on `relay_address`, or on the external address where there is none.
        """
        self._addresses = [ip_address(address)]
        if ipv6_address is not None:
            self._addresses.append(ip_address(ipv6_address))
        self._other_address = ip_address(other_address)
        self._server_port = server_port
        self._external_address: IPv4Address | None = IPv4Address(external_address)
        self._personality = _personality(personality)
        self._local_networks = local_networks
        self._epoch_time = epoch_time
        self._announce = announce
        self._multicast = multicast
        self._sockets: dict[int, socket.socket] = {}
        self._other_socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._core: RouterCore | None = None
        self._relay: Relay | None = None
        if relay:
            door_address = IPv4Address(relay_address) if relay_address else None
            self._relay = Relay(door_address, mapping_log or _LOGGER.debug)
        self.requests: list[SeenRequest] = []

    @property
    def address(self) -> str:
        """The IPv4 address it serves on."""
        return str(self._addresses[0])

    @property
    def core(self) -> RouterCore:
        """The router itself, while it is started."""
        if self._core is None:
            raise RuntimeError("the simulated router is not started")
        return self._core

    @property
    def personality(self) -> Personality:
        """How it behaves now."""
        return self._personality

    async def start(self) -> None:
        """Open the port and announce the start; raises OSError where that fails."""
        self._loop = asyncio.get_running_loop()
        self._core = RouterCore(
            self._personality,
            external_address=self._external_address,
            now=self._loop.time(),
            epoch_time=self._epoch_time,
            local_networks=self._local_networks,
        )
        try:
            self._apply_personality()
        except OSError:
            await self.stop()
            raise
        self._pump()

    async def stop(self) -> None:
        """Close the port and all doors, and forget the mappings."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close_sockets()
        self._core = None
        if self._relay is not None:
            await self._relay.close()

    def mappings(self) -> tuple[RouterMapping, ...]:
        """Return what the router holds now."""
        self.core.tick(now=self._loop.time())
        return self.core.mappings

    def silence(self) -> None:
        """Hear everything and answer nothing, until `unsilence`."""
        self.core.silenced = True

    def unsilence(self) -> None:
        """Answer again; what was asked meanwhile is lost."""
        self.core.silenced = False

    def set_personality(self, personality: str | Personality) -> None:
        """Behave otherwise from now on; mappings and epoch stay."""
        self._personality = _personality(personality)
        self.core.personality = self._personality
        self._apply_personality()
        self._pump()

    def reboot(self, *, lose_mappings: bool = True) -> None:
        """Start again: new epoch, announcement, and mostly the mappings gone."""
        self.core.reboot(now=self._loop.time(), lose_mappings=lose_mappings)
        self._pump()

    def lose_mappings(self) -> None:
        """Forget the mappings without a sign."""
        self.core.lose_mappings()
        self._pump()

    def change_external_address(self, external_address: str | None) -> None:
        """Get another WAN address, or none."""
        self._external_address = (
            None if external_address is None else IPv4Address(external_address)
        )
        self.core.change_external_address(self._external_address, now=self._loop.time())
        self._pump()

    def _apply_personality(self) -> None:
        """Open or close the port, as the personality listens or does not."""
        if not self._personality.listens:
            self._close_sockets()
        elif not self._sockets:
            for address in self._addresses:
                self._sockets[address.version] = self._open(address)
        if self._other_socket is not None:
            self._close(self._other_socket)
            self._other_socket = None
        if self._personality.answers_from_other_address:
            self._other_socket = self._open(self._other_address)

    def _open(self, address: IPAddress) -> socket.socket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.bind((str(address), self._server_port))
        except OSError:
            opened.close()
            raise
        self._loop.add_reader(opened, self._on_readable, opened)
        return opened

    def _close_sockets(self) -> None:
        for opened in self._sockets.values():
            self._close(opened)
        self._sockets.clear()
        if self._other_socket is not None:
            self._close(self._other_socket)
            self._other_socket = None

    def _close(self, opened: socket.socket) -> None:
        self._loop.remove_reader(opened)
        opened.close()

    def _on_readable(self, opened: socket.socket) -> None:
        try:
            data, name = opened.recvfrom(_MAX_DATAGRAM)
        except OSError:
            return
        source = (ip_address(name[0]), name[1])
        now = self._loop.time()
        self.requests.append(SeenRequest(now, source, data, _decoded(data)))
        replies = self.core.receive(data, source, now=now)
        self._pump()
        for reply in replies:
            self._send(reply)

    def _pump(self) -> None:
        """Send what is due, make doors as the mappings are, set the timer."""
        now = self._loop.time()
        self.core.tick(now=now)
        if self._relay is not None:
            enforces = self._personality.filter is Honour.ENFORCED
            self._relay.sync(self.core.mappings, enforce_filters=enforces)
        for data in self.core.announcements(now=now):
            self._send_announcement(data)
        for reply in self.core.updates(now=now):
            self._send(reply)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wakeup = self.core.next_wakeup()
        if wakeup is not None:
            self._timer = self._loop.call_at(wakeup, self._pump)

    def _send(self, reply: Reply) -> None:
        address, port = reply.destination
        sender = self._sockets.get(address.version)
        if reply.from_other_address and self._other_socket is not None:
            sender = self._other_socket
        if sender is not None:
            self._send_to(sender, reply.data, (str(address), port))

    def _send_announcement(self, data: bytes) -> None:
        if self._announce is not None:
            self._announce(data)
        sender = self._sockets.get(4)
        if not self._multicast or sender is None:
            return
        interface = self._addresses[0].packed
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        self._send_to(sender, data, (_ALL_HOSTS, ANNOUNCE_PORT))

    def _send_to(
        self, sender: socket.socket, data: bytes, destination: tuple[str, int]
    ) -> None:
        try:
            sender.sendto(data, destination)
        except OSError as err:
            _LOGGER.debug("Sending to %s failed: %s", destination, err)


def _personality(personality: str | Personality) -> Personality:
    if isinstance(personality, Personality):
        return personality
    return PERSONALITIES[personality]


def _decoded(data: bytes) -> Request | NatPmpRequest | None:
    try:
        if data[:1] == bytes([NAT_PMP_VERSION]):
            return decode_nat_pmp_request(data)
        return decode_request(data)
    except DecodeError:
        return None
