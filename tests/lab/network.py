"""Four network namespaces: a LAN with two hosts, its router, and the Internet.

    lan 192.168.77.2 --+
                       br0 [router] wan0 ---- wan
    nas 192.168.77.3 --+

Nothing in them reaches anything outside. Every name carries the lab's prefix, so
that several labs run side by side.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ipaddress import ip_interface
import itertools
import json
import os
from pathlib import Path
import shutil
import subprocess
from typing import Any, Literal, Self

from . import processes, traffic

type Place = Literal["router", "lan", "nas", "wan"]
PLACES: tuple[Place, ...] = ("router", "lan", "nas", "wan")

ROUTER_ADDRESS = "192.168.77.1"
ROUTER_ADDRESS_V6 = "2001:db8:77::1"
ROUTER_LINK_LOCAL = "fe80::1"
ROUTER_MAC = "02:00:5e:00:77:01"
LAN_ADDRESS = "192.168.77.2"
LAN_ADDRESS_V6 = "2001:db8:77::2"
NAS_ADDRESS = "192.168.77.3"
NAS_ADDRESS_V6 = "2001:db8:77::3"
# miniupnpd maps nothing behind a private, shared or documentation address, so the
# router has an ordinary one here; it exists inside the namespaces only.
EXTERNAL_ADDRESS = "22.0.113.1"
EXTERNAL_ADDRESS_V6 = "2001:db8:99::1"
WAN_ADDRESS_V6 = "2001:db8:99::50"

COMMAND_TIMEOUT = 30.0

_DEVICES: dict[Place, str] = {
    "router": "br0",
    "lan": "eth0",
    "nas": "eth0",
    "wan": "eth0",
}
_SETTINGS = {
    f"ipv6/conf/{which}/{name}": "0"
    for which in ("all", "default")
    for name in ("accept_dad", "dad_transmits", "accept_ra")
} | {
    # Removing an address must not take a younger one of the same network along.
    "ipv4/conf/all/promote_secondaries": "1",
}
_ROUTER_SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    # Every request to a closed port is refused, not only the first few a second.
    "ipv4/icmp_ratelimit": "0",
    "ipv6/icmp/ratelimit": "0",
}
_numbers = itertools.count(1)


def wan_address_for(external_address: str) -> str:
    """Return the address of the wan host in the network of the router's WAN side."""
    return str(ip_interface(f"{external_address}/24").network[50])


class Network:
    """The namespaces, and what is done inside them."""

    def __init__(self, prefix: str | None = None) -> None:
        """Choose the names; nothing is made before `up`.

        With a prefix of its own choice the lab outlives the process that made it.
        """
        self._is_owned = prefix is None
        self.prefix = prefix or f"pcp{os.getpid()}-{next(_numbers)}-"
        self.folder = Path(f"/run/{self.prefix}lab")
        self._started: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        """Bring it up."""
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it down."""
        self.down()

    def namespace(self, place: Place) -> str:
        """Return the namespace's name, as `ip netns` lists it."""
        return f"{self.prefix}{place}"

    @property
    def is_up(self) -> bool:
        """Whether it was brought up completely."""
        return self._mark.exists() and all(map(self._exists, PLACES))

    @property
    def _mark(self) -> Path:
        return self.folder / "network-is-up"

    def _exists(self, place: Place) -> bool:
        return Path("/run/netns", self.namespace(place)).exists()

    # Up and down

    def up(self) -> None:
        """Build it. Where it is up already, nothing happens."""
        if self.is_up:
            return
        self.down()
        self.folder.mkdir(mode=0o700)
        if self._is_owned:
            (self.folder / "owner").write_text(str(os.getpid()))
        try:
            self._build()
        except BaseException:
            self.down()
            raise
        self._mark.touch()

    def down(self) -> None:
        """End the lab's processes; remove its namespaces and files."""
        self.end_processes()
        for pid_file in self.folder.glob("*.pid"):
            processes.end(pid_file)
        for place in PLACES:
            if self._exists(place):
                _command("ip", "netns", "delete", self.namespace(place))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _build(self) -> None:
        for place in PLACES:
            _command("ip", "netns", "add", self.namespace(place))
            self._set(place, _SETTINGS)
        self._set("router", _ROUTER_SETTINGS)
        router = self.namespace("router")
        for place, peer in (("lan", "lan0"), ("nas", "nas0"), ("wan", "wan0")):
            host = f"{self.prefix}{place}"
            _command(
                *("ip", "link", "add", "eth0", "netns", host, "type", "veth"),
                *("peer", "name", peer, "netns", router),
            )
        self._ip(
            "router",
            "link set lo up",
            f"link add br0 address {ROUTER_MAC} type bridge"
            " stp_state 0 forward_delay 0 mcast_snooping 0",
            # fe80::1 is to be the only link-local address, hence the source of
            # the announcements.
            "link set br0 addrgenmode none",
            "link set lan0 master br0 up",
            "link set nas0 master br0 up",
            "link set br0 up",
            "link set wan0 up",
            f"address add {ROUTER_ADDRESS}/24 dev br0",
            f"address add {ROUTER_ADDRESS_V6}/64 dev br0 nodad",
            f"address add {ROUTER_LINK_LOCAL}/64 dev br0 nodad",
            f"address add {EXTERNAL_ADDRESS}/24 dev wan0",
            f"address add {EXTERNAL_ADDRESS_V6}/64 dev wan0 nodad",
        )
        self._build_host("lan", LAN_ADDRESS, LAN_ADDRESS_V6)
        self._build_host("nas", NAS_ADDRESS, NAS_ADDRESS_V6)
        self._build_host("wan", wan_address_for(EXTERNAL_ADDRESS), WAN_ADDRESS_V6)
        for place in ("lan", "nas"):
            self._ip(
                place,
                f"route add default via {ROUTER_ADDRESS}",
                f"route add ::/0 via {ROUTER_LINK_LOCAL} dev eth0",
            )
        self._ip("wan", f"route add 2001:db8:77::/64 via {EXTERNAL_ADDRESS_V6}")

    def _build_host(self, place: Place, address: str, address_v6: str) -> None:
        self._ip(
            place,
            "link set lo up",
            "link set eth0 up",
            f"address add {address}/24 dev eth0",
            f"address add {address_v6}/64 dev eth0 nodad",
        )

    def _set(self, place: Place, settings: dict[str, str]) -> None:
        with self.inside(place):
            for name, value in settings.items():
                Path("/proc/sys/net", name).write_text(value)

    def _ip(self, place: Place, *lines: str) -> None:
        _command(
            *("ip", "-n", self.namespace(place), "-batch", "-"),
            stdin="\n".join(lines) + "\n",
        )

    # Addresses

    def addresses(self, place: Place, *, device: str | None = None) -> list[str]:
        """Return the IPv4 addresses a host has now (of the router: on br0)."""
        answer = _command(
            *("ip", "-n", self.namespace(place), "-j", "-4", "address", "show"),
            *("dev", device or _DEVICES[place]),
        )
        return [
            entry["local"]
            for link in json.loads(answer)
            for entry in link.get("addr_info", ())
        ]

    def address(self, place: Place) -> str:
        """Return the one IPv4 address a host has now (of the router: on br0)."""
        return self.addresses(place)[0]

    @property
    def external_address(self) -> str:
        """The IPv4 address the router has on its WAN side now."""
        return self.addresses("router", device="wan0")[0]

    def set_address(self, place: Place, address: str) -> None:
        """Give lan, nas or wan another IPv4 address in place of those it has."""
        self._replace_addresses(place, "eth0", address)
        if place in ("lan", "nas"):
            self._ip(place, f"route replace default via {ROUTER_ADDRESS}")

    def set_external_address(self, external_address: str) -> None:
        """Give the router's WAN side another IPv4 address; wan follows as .50."""
        wan_address = wan_address_for(external_address)
        if wan_address not in self.addresses("wan"):
            self._ip("wan", f"address add {wan_address}/24 dev eth0")
        self._replace_addresses("router", "wan0", external_address)
        self._replace_addresses("wan", "eth0", wan_address)

    def _replace_addresses(self, place: Place, device: str, address: str) -> None:
        # Only what differs: even the same address put back makes the server announce.
        present = self.addresses(place, device=device)
        lines = [f"address del {old}/24 dev {device}" for old in present]
        if address in present:
            lines.remove(f"address del {address}/24 dev {device}")
        else:
            lines.insert(0, f"address add {address}/24 dev {device}")
        if lines:
            self._ip(place, *lines)

    def reset_addresses(self) -> None:
        """Put the IPv4 addresses back that the lab began with."""
        self.set_external_address(EXTERNAL_ADDRESS)
        self.set_address("lan", LAN_ADDRESS)
        self.set_address("nas", NAS_ADDRESS)

    # Doing things inside

    @contextmanager
    def inside(self, place: Place) -> Iterator[None]:
        """Move this thread into the namespace for the length of the block.

        Sockets opened in it stay there; threads, processes and event loops started
        in it too. In a coroutine: no `await` within the block, unless the loop
        was itself started inside.
        """
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(
                f"/run/netns/{self.namespace(place)}", os.O_RDONLY | os.O_CLOEXEC
            )
            try:
                os.setns(there, os.CLONE_NEWNET)
            finally:
                os.close(there)
            try:
                yield
            finally:
                os.setns(here, os.CLONE_NEWNET)
        finally:
            os.close(here)

    def call[**P, R](
        self, place: Place, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a function inside a namespace, in this thread."""
        with self.inside(place):
            return function(*args, **kwargs)

    def run(
        self, place: Place, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside a namespace until it ends; its output is kept.

        Raises CalledProcessError, with what it said on stderr as a note.
        """
        return _run(
            *("ip", "netns", "exec", self.namespace(place), *arguments),
            stdin=stdin,
            check=check,
        )

    def popen(
        self, place: Place, *arguments: str, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command inside a namespace; `down` ends it at the latest."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace(place), *arguments],
            text=True,
            **options,
        )
        self._started.append(process)
        return process

    def end_processes(self) -> None:
        """End what `popen` started: TERM, then KILL."""
        for process in self._started:
            if process.poll() is None:
                process.terminate()
        for process in self._started:
            try:
                process.wait(processes.TERMINATION_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._started.clear()

    # Traffic: the best proof of a mapping is a connection from wan that passes

    def listen_tcp(
        self, place: Place, port_number: int, *, greeting: bytes = b"hello"
    ) -> AbstractContextManager[traffic.Listener]:
        """Greet every TCP connection to that port, IPv4 and IPv6, in a thread."""
        with self.inside(place):
            return traffic.TcpListener(port_number, greeting)

    def listen_udp(
        self, place: Place, port_number: int
    ) -> AbstractContextManager[traffic.Listener]:
        """Echo every UDP datagram to that port, IPv4 and IPv6, in a thread."""
        with self.inside(place):
            return traffic.UdpListener(port_number)

    def connect_tcp(
        self, place: Place, address: str, port_number: int, *, timeout: float = 1.0
    ) -> bytes | None:
        """Connect from a host; return the greeting, or None: silence or refusal."""
        with self.inside(place):
            return traffic.connect_tcp(address, port_number, timeout)

    def exchange_udp(
        self,
        place: Place,
        address: str,
        port_number: int,
        data: bytes = b"hello",
        *,
        timeout: float = 1.0,
    ) -> bytes | None:
        """Send one datagram from a host; return the answer, or None."""
        with self.inside(place):
            return traffic.exchange_udp(address, port_number, data, timeout)


def left_over() -> list[Network]:
    """Return the labs whose process is gone without having taken them down."""
    return [
        Network(folder.name.removesuffix("lab"))
        for folder in Path("/run").glob("pcp*-*-lab")
        if (owner := folder / "owner").exists()
        and not Path("/proc", owner.read_text()).exists()
    ]


def _command(*arguments: str, stdin: str = "") -> str:
    return _run(*arguments, stdin=stdin, check=True).stdout


def _run(*arguments: str, stdin: str, check: bool) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            arguments,
            input=stdin,
            capture_output=True,
            text=True,
            check=check,
            timeout=COMMAND_TIMEOUT,
        )
    except subprocess.CalledProcessError as error:
        error.add_note(error.stderr)
        raise
