"""Whether the lab tells the truth, asked by hand-made octets and real connections."""

import asyncio
from collections.abc import Iterator
from functools import partial
import os
from pathlib import Path
import socket
import struct

import pytest

from .network import (
    EXTERNAL_ADDRESS,
    LAN_ADDRESS,
    LAN_ADDRESS_V6,
    NAS_ADDRESS,
    NAS_ADDRESS_V6,
    PLACES,
    ROUTER_ADDRESS,
    ROUTER_ADDRESS_V6,
    ROUTER_LINK_LOCAL,
    WAN_ADDRESS_V6,
    Network,
    Place,
    left_over,
)
from .raw import (
    NO_RESOURCES,
    NONCE,
    NOT_AUTHORIZED,
    PORT,
    SUCCESS,
    UDP,
    UNSUPP_OPTION,
    Ear,
    MapAnswer,
    announce_request,
    ask,
    connection,
    map_request,
    read_map_answer,
)
from .router import PRIVATE_ADDRESS, Router
from .rules import Mapping
from .waiting import wait_until

SERVICE = 8123
# A silence is judged by an answer that does not come; an answer comes in 0.01 s.
SILENCE = 0.5


@pytest.fixture
def service(network: Network) -> Iterator[None]:
    """Something in lan that greets whoever gets through to it."""
    with network.listen_tcp("lan", SERVICE):
        yield


def open_service(network: Network, lifetime: int = 3600) -> MapAnswer:
    """Ask for a mapping of the service; lifetime 0 closes it."""
    return read_map_answer(ask(network, map_request(SERVICE, lifetime=lifetime)))


def passes(network: Network, address: str = EXTERNAL_ADDRESS) -> bool:
    """Tell whether a real connection from wan gets through to the service."""
    return network.connect_tcp("wan", address, SERVICE, timeout=5) == b"hello"


def is_shut(network: Network, address: str = EXTERNAL_ADDRESS) -> bool:
    """Tell whether a connection from wan finds nothing but silence."""
    return network.connect_tcp("wan", address, SERVICE, timeout=SILENCE) is None


def epoch_time(network: Network) -> int:
    """Return the epoch the router tells in its answer to an ANNOUNCE."""
    return int.from_bytes(ask(network, announce_request())[8:12])


# A mapping


@pytest.mark.usefixtures("service")
def test_map_opens_and_delete_closes(network: Network, router: Router) -> None:
    """RFC 6887 11.1, 15: connections from wan pass exactly while it is mapped."""
    assert is_shut(network)

    answer = open_service(network)

    assert answer.result_code == SUCCESS
    assert answer.nonce == NONCE
    assert answer.assigned_external_address == EXTERNAL_ADDRESS
    assert answer.assigned_external_port == SERVICE
    assert passes(network)
    assert router.mappings() == [
        Mapping(
            protocol="tcp",
            internal_address=LAN_ADDRESS,
            internal_port=SERVICE,
            external_port=SERVICE,
        )
    ]

    assert open_service(network, lifetime=0).result_code == SUCCESS
    assert is_shut(network)
    assert router.mappings() == []


def test_udp_passes_while_mapped(network: Network, router: Router) -> None:
    """RFC 6887 11.1: the same for UDP, there and back."""
    request = map_request(SERVICE, lifetime=3600, protocol=UDP)
    with network.listen_udp("lan", SERVICE) as listener:
        call = partial(network.exchange_udp, "wan", EXTERNAL_ADDRESS, SERVICE)
        assert call(timeout=SILENCE) is None
        assert read_map_answer(ask(network, request)).result_code == SUCCESS
        assert call(b"there and back") == b"there and back"
        assert listener.callers == ["22.0.113.50"]
    assert [mapping.protocol for mapping in router.mappings()] == ["udp"]


@pytest.mark.usefixtures("service")
def test_pinhole_opens_and_closes(network: Network, router: Router) -> None:
    """RFC 6887 11.1: IPv6 is let through to the host's own address and port."""
    request = partial(
        map_request,
        SERVICE,
        client_address=LAN_ADDRESS_V6,
        suggested_external_port=SERVICE,
    )
    assert is_shut(network, LAN_ADDRESS_V6)

    for lifetime, open_now in ((600, True), (0, False)):
        answer = ask(network, request(lifetime=lifetime), server=ROUTER_ADDRESS_V6)
        assert read_map_answer(answer).result_code == SUCCESS
        check = passes if open_now else is_shut
        assert check(network, LAN_ADDRESS_V6)
        assert [m.internal_address for m in router.mappings()] == (
            [LAN_ADDRESS_V6] if open_now else []
        )


@pytest.mark.usefixtures("router")
@pytest.mark.parametrize("target", [NAS_ADDRESS, NAS_ADDRESS_V6])
def test_third_party_opens_another_host(network: Network, target: str) -> None:
    """RFC 6887 13.1: lan asks, nas is reached."""
    request = map_request(SERVICE, lifetime=600, third_party=target)
    external_address = target if ":" in target else EXTERNAL_ADDRESS
    with network.listen_tcp("nas", SERVICE, greeting=b"this is nas"):
        assert read_map_answer(ask(network, request)).result_code == SUCCESS
        greeting = network.connect_tcp("wan", external_address, SERVICE)
    assert greeting == b"this is nas"


def test_third_party_can_be_off(network: Network, router: Router) -> None:
    """RFC 6887 13.1: a server that does not support it says UNSUPP_OPTION."""
    router.configure(third_party=False)
    request = map_request(SERVICE, lifetime=600, third_party=NAS_ADDRESS)
    assert read_map_answer(ask(network, request)).result_code == UNSUPP_OPTION


def test_options_reach_the_daemon(network: Network, router: Router) -> None:
    """Lifetime bounds and permissions are those that were configured."""
    router.configure(
        max_lifetime=900,
        permissions=[
            "allow 9000-65535 192.168.77.0/24 9000-65535",
            "deny 0-65535 0.0.0.0/0 0-65535",
        ],
    )

    def granted(internal_port: int, lifetime: int) -> tuple[int, int]:
        request = map_request(internal_port, lifetime=lifetime)
        answer = read_map_answer(ask(network, request))
        return answer.result_code, answer.lifetime

    assert granted(9000, 1) == (SUCCESS, 120)
    assert granted(9001, 10_000) == (SUCCESS, 900)
    assert granted(SERVICE, 600) == (NOT_AUTHORIZED, 0)


def test_mapping_ends_with_its_lifetime(network: Network, router: Router) -> None:
    """RFC 6886 3.6: a mapping that nobody renews is gone. Here after one second."""
    # By NAT-PMP, for which the daemon has no shortest lifetime.
    request = struct.pack("!BBHHHI", 0, 2, 0, SERVICE, SERVICE, 1)
    assert ask(network, request)[:4] == bytes.fromhex("00820000")
    assert router.mappings()
    wait_until(lambda: not router.mappings(), "the end of the mapping")


# Restarts


@pytest.mark.usefixtures("service")
def test_reboot_loses_everything(network: Network, router: Router) -> None:
    """A reboot loses mappings and established connections, and begins the epoch."""
    open_service(network)
    assert passes(network)
    router.reboot()
    assert is_shut(network)
    assert router.mappings() == []
    assert router.uptime < 5
    assert epoch_time(network) < 5


@pytest.mark.usefixtures("service")
def test_reboot_cuts_translated_connections(network: Network, router: Router) -> None:
    """What conntrack knew is forgotten too: an open UDP exchange does not go on."""
    request = map_request(SERVICE, lifetime=3600, protocol=UDP)
    ask(network, request)
    with (
        network.listen_udp("lan", SERVICE),
        network.inside("wan"),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as calling,
    ):
        calling.settimeout(SILENCE)
        calling.connect((EXTERNAL_ADDRESS, SERVICE))
        calling.send(b"before")
        assert calling.recv(100) == b"before"
        router.reboot()
        calling.send(b"after")
        with pytest.raises(TimeoutError):
            calling.recv(100)


@pytest.mark.usefixtures("service")
def test_daemon_restart_keeps_the_rules(network: Network, router: Router) -> None:
    """With keep_rules only the daemon restarts: connections go on passing."""
    open_service(network)
    router.restart(keep_rules=True)
    assert passes(network)
    assert epoch_time(network) < 5


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("hard", [False, True])
def test_lease_files_bring_mappings_back(
    network: Network, router: Router, hard: bool
) -> None:
    """With lease files a restart brings the mapping back, after TERM and KILL."""
    router.configure(lease_files=True)
    open_service(network)
    router.restart(lose_mappings=False, hard=hard)
    assert passes(network)
    router.restart()
    assert is_shut(network)


def test_system_uptime_hides_a_restart(network: Network, router: Router) -> None:
    """With system_uptime the epoch does not begin anew."""
    router.restart(system_uptime=True)
    before = epoch_time(network)
    machine_uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert before == pytest.approx(machine_uptime, abs=5)
    router.reboot()
    assert epoch_time(network) >= before


@pytest.mark.parametrize(
    ("place", "ip_version", "source"),
    [
        ("lan", 4, ROUTER_ADDRESS),
        ("nas", 4, ROUTER_ADDRESS),
        ("lan", 6, ROUTER_LINK_LOCAL),
    ],
)
def test_restart_is_announced(
    network: Network, router: Router, place: Place, ip_version: int, source: str
) -> None:
    """RFC 6887 14.1.1: an ANNOUNCE with epoch 0 to all hosts, from port 5351."""
    with Ear(network, place, ip_version=ip_version) as ear:
        router.reboot()
        assert ear.hear() == (bytes.fromhex("0280") + bytes(22), source, PORT)


def test_announcements_can_be_lost(network: Network, router: Router) -> None:
    """Lost announcements are not heard, and the router still serves."""
    router.drop_announcements()
    with Ear(network, "lan") as ear, Ear(network, "lan", ip_version=6) as ear6:
        router.reboot()
        assert epoch_time(network) < 5
        for each in (ear, ear6):
            with pytest.raises(TimeoutError):
                each.hear(timeout=SILENCE)
        router.pass_announcements()
        router.reboot()
        assert ear.hear()
        assert ear6.hear()


# Silence, refusal, loss


@pytest.mark.parametrize(
    ("server", "client_address"),
    [(ROUTER_ADDRESS, LAN_ADDRESS), (ROUTER_ADDRESS_V6, LAN_ADDRESS_V6)],
)
def test_silence(
    network: Network, router: Router, server: str, client_address: str
) -> None:
    """A silent router answers neither PCP nor by ICMP, and a reboot does not help."""
    request = announce_request(client_address)
    router.silence()
    router.reboot()
    with pytest.raises(TimeoutError):
        ask(network, request, server=server, timeout=SILENCE)
    assert router.faults() == ["silence"]
    router.unsilence()
    assert ask(network, request, server=server)
    assert router.faults() == []


@pytest.mark.parametrize(
    ("server", "client_address"),
    [(ROUTER_ADDRESS, LAN_ADDRESS), (ROUTER_ADDRESS_V6, LAN_ADDRESS_V6)],
)
def test_refusal(
    network: Network, router: Router, server: str, client_address: str
) -> None:
    """A stopped daemon is told by ICMP, every time, until it starts."""
    request = announce_request(client_address)
    router.refuse()
    for _ in range(20):
        with pytest.raises(ConnectionRefusedError):
            ask(network, request, server=server)
    router.start()
    assert ask(network, request, server=server)


def test_natpmp_disabled_is_refused(network: Network, router: Router) -> None:
    """Without enable_natpmp nothing listens on port 5351."""
    router.configure(enable_natpmp=False)
    assert router.is_running
    with pytest.raises(ConnectionRefusedError):
        ask(network, announce_request())


def test_loss_loses_some(network: Network, router: Router) -> None:
    """Of many requests some are answered and some are not; all are again after it."""
    # All lost or none lost by chance: less than 1e-17.
    assert 0 < answered(network, router, percent=30.0) < 200
    assert answered(network, router, percent=0.0) == 200
    assert answered(network, router, percent=100.0) == 0


def answered(network: Network, router: Router, *, percent: float) -> int:
    """Return how many of 200 requests are answered at that loss."""
    router.loss(percent)
    count = 0
    with connection(network, timeout=SILENCE) as asking:
        for _ in range(200):
            asking.send(announce_request())
        while count < 200:
            try:
                asking.recv(1100)
            except TimeoutError:
                break
            count += 1
    return count


# Addresses


def test_external_address_change(network: Network, router: Router) -> None:
    """A change is announced with the epoch begun anew; mappings get the new address."""
    open_service(network)
    wait_until(lambda: epoch_time(network) >= 1, "an epoch that can be seen to reset")
    with Ear(network, "lan") as ear:
        router.change_external_address("23.0.113.9")
        assert ear.hear_pcp() == (
            bytes.fromhex("0280") + bytes(22),
            ROUTER_ADDRESS,
            PORT,
        )
    assert network.external_address == "23.0.113.9"
    assert open_service(network).assigned_external_address == "23.0.113.9"
    with network.listen_tcp("lan", SERVICE):
        assert passes(network, "23.0.113.9")
        assert is_shut(network, EXTERNAL_ADDRESS)


def test_change_within_the_network(network: Network, router: Router) -> None:
    """The new address may be a neighbour of the old one."""
    router.change_external_address("22.0.113.77")
    assert network.addresses("router", device="wan0") == ["22.0.113.77"]
    with network.listen_tcp("lan", SERVICE):
        open_service(network)
        assert passes(network, "22.0.113.77")


def test_private_external_address(network: Network, router: Router) -> None:
    """Behind another NAT nothing is granted, and the private address is shown."""
    router.private_external_address()
    answer = open_service(network)
    assert answer.result_code == NO_RESOURCES
    assert answer.lifetime == 30
    assert answer.assigned_external_address == PRIVATE_ADDRESS


@pytest.mark.usefixtures("router")
def test_client_address_change(network: Network) -> None:
    """A host of the LAN may get another address and still reach the router."""
    network.set_address("lan", "192.168.77.22")
    assert network.addresses("lan") == ["192.168.77.22"]
    request = map_request(SERVICE, lifetime=600, client_address="192.168.77.22")
    assert read_map_answer(ask(network, request)).result_code == SUCCESS
    with network.listen_tcp("lan", SERVICE):
        assert passes(network)


# NAT-PMP only


def test_nat_pmp_only(network: Network, router: Router) -> None:
    """RFC 6886 3.5: PCP gets 8 octets of version 0, NAT-PMP on the same socket works."""
    router.nat_pmp_only()
    with connection(network) as asking:
        asking.send(announce_request())
        refusal = asking.recv(1100)
        assert (len(refusal), refusal[:4]) == (8, bytes.fromhex("00800001"))

        asking.send(map_request(SERVICE, lifetime=600))
        assert asking.recv(1100)[:4] == bytes.fromhex("00810001")

        asking.send(bytes(2))
        public_address = asking.recv(1100)
        assert public_address[:4] == bytes.fromhex("00800000")
        assert public_address[8:] == bytes([22, 0, 113, 1])
        epoch, told = (int.from_bytes(data[4:8]) for data in (public_address, refusal))
        assert 0 <= epoch - told <= 1

        asking.send(struct.pack("!BBHHHI", 0, 2, 0, SERVICE, SERVICE, 600))
        assert asking.recv(1100)[:4] == bytes.fromhex("00820000")
    with network.listen_tcp("lan", SERVICE):
        assert passes(network)


def test_nat_pmp_only_has_no_pcp_anywhere(network: Network, router: Router) -> None:
    """Neither IPv6 nor an announcement betrays PCP, also after a reboot; off again it is back."""
    announce_v6 = announce_request(LAN_ADDRESS_V6)
    with Ear(network, "lan") as ear:
        router.configure(nat_pmp_only=True)
        with pytest.raises(ConnectionRefusedError):
            ask(network, announce_v6, server=ROUTER_ADDRESS_V6)
        with pytest.raises(TimeoutError):
            ear.hear_pcp(timeout=SILENCE)
    assert ask(network, announce_request())[:4] == bytes.fromhex("00800001")
    router.nat_pmp_only(False)
    assert ask(network, announce_request())[:4] == bytes.fromhex("02800000")
    assert ask(network, announce_v6, server=ROUTER_ADDRESS_V6)[:2] == b"\x02\x80"


@pytest.mark.parametrize("fault", ["silence", "refuse"])
def test_nat_pmp_only_can_fail_too(
    network: Network, router: Router, fault: str
) -> None:
    """Silence and refusal hold for every version."""
    router.nat_pmp_only()
    if fault == "silence":
        router.silence()
    else:
        router.refuse()
    for request in (announce_request(), bytes(2)):
        with pytest.raises((TimeoutError, ConnectionRefusedError)) as error:
            ask(network, request, timeout=SILENCE)
        assert error.type is (
            TimeoutError if fault == "silence" else ConnectionRefusedError
        )


# The lab as such


@pytest.mark.usefixtures("router")
def test_nothing_reaches_outside(network: Network) -> None:
    """No namespace has a device besides those of the lab."""
    for place in PLACES:
        with network.inside(place):
            devices = {
                line.split(":")[0].strip()
                for line in Path("/proc/thread-self/net/dev")
                .read_text()
                .splitlines()[2:]
            }
        assert devices <= {"lo", "eth0", "br0", "lan0", "nas0", "wan0"}


def test_ipv6_passes_outward(network: Network, router: Router) -> None:
    """The LAN reaches wan in both families; IPv4 arrives from the router's address."""
    with network.listen_tcp("wan", SERVICE) as listener:
        assert network.connect_tcp("nas", "22.0.113.50", SERVICE) == b"hello"
        assert network.connect_tcp("nas", WAN_ADDRESS_V6, SERVICE) == b"hello"
        assert listener.callers == [network.external_address, NAS_ADDRESS_V6]


@pytest.mark.usefixtures("router")
def test_an_event_loop_runs_inside(network: Network) -> None:
    """A whole event loop can be run in a host; this thread is outside again after it."""

    async def ask_router() -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.setblocking(False)
            await loop.sock_connect(asking, (ROUTER_ADDRESS, PORT))
            await loop.sock_sendall(asking, announce_request())
            return await loop.sock_recv(asking, 1100)

    def devices() -> set[str]:
        return {name for _, name in socket.if_nameindex()}

    outside = devices()
    assert network.call("lan", asyncio.run, ask_router())[:2] == b"\x02\x80"
    assert network.call("router", devices) == {"lo", "br0", "lan0", "nas0", "wan0"}
    assert devices() == outside


def test_up_twice_changes_nothing(network: Network, router: Router) -> None:
    """Bringing up what is up is a no-op; starting what runs too."""
    open_service(network)
    network.up()
    router.start()
    Router(network).start()
    assert len(router.mappings()) == 1


def test_down_leaves_nothing() -> None:
    """After `down` there is no namespace, process or file; a second one is a no-op."""
    with Network() as network:
        router = Router(network)
        router.start()
        router.nat_pmp_only()
        tail = network.popen("lan", "tail", "-f", "/dev/null")
        assert processes_naming(network) >= 2
    assert tail.poll() is not None
    assert not network.folder.exists()
    assert not list(Path("/run/netns").glob(f"{network.prefix}*"))
    assert processes_naming(network) == 0
    network.down()


def processes_naming(network: Network) -> int:
    """Count the processes whose command line names the lab's folder."""
    folder = os.fsencode(network.folder)
    count = 0
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += folder in command_line.read_bytes()
        except OSError:
            continue
    return count


def test_labs_side_by_side(network: Network, router: Router) -> None:
    """A second lab has its own router, and its end leaves the first one alone."""
    open_service(network)
    with Network() as second:
        second_router = Router(second)
        second_router.start()
        assert second_router.mappings() == []
        assert ask(second, announce_request())
    assert ask(network, announce_request())
    assert len(router.mappings()) == 1


def test_left_over_is_found() -> None:
    """A lab whose process is gone can be found and taken down."""
    with Network() as network:
        assert network.prefix not in {each.prefix for each in left_over()}
        (network.folder / "owner").write_text("999999999")
        (found,) = [each for each in left_over() if each.prefix == network.prefix]
        found.down()
        assert not network.is_up
