"""The probe over real sockets on loopback."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from custom_components.pcp.client import probing
from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    ExternalAddressResponse,
    MapRequest,
    MapResponse,
    NatPmpErrorResponse,
    NatPmpResult,
    ResultCode,
    decode_request,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.interview import ProbeOutcome
from custom_components.pcp.client.probing import ProbeResult, probe
from custom_components.pcp.client.udp import ServerSocket

from .sockets import LoopbackServer, ip, loopback_address

EXTERNAL = IPv4Address("22.0.113.1")
OURSELVES = IPv4Address("127.0.0.1")


def pcp(result_code: int) -> Callable[[bytes], list[bytes]]:
    """Answer as a PCP server does, MAP with a result."""

    def answer(data: bytes) -> list[bytes]:
        match decode_request(data):
            case AnnounceRequest():
                return [encode(AnnounceResponse(result_code=0, epoch_time=77))]
            case MapRequest() as request:
                return [
                    encode(
                        MapResponse(
                            result_code=result_code,
                            lifetime=30,
                            epoch_time=78,
                            nonce=request.nonce,
                            protocol=request.protocol,
                            internal_port=request.internal_port,
                            assigned_external_port=0,
                            assigned_external_address=EXTERNAL,
                        )
                    )
                ]
            case _:
                return []

    return answer


def nat_pmp(data: bytes) -> list[bytes]:
    """Answer as a NAT-PMP server does. RFC 6886 3.2, 3.5."""
    if data[0]:
        return [
            encode_nat_pmp(
                NatPmpErrorResponse(
                    opcode=0, result_code=NatPmpResult.UNSUPP_VERSION, epoch_time=79
                )
            )
        ]
    return [
        encode_nat_pmp(
            ExternalAddressResponse(
                result_code=0, epoch_time=79, external_address=EXTERNAL
            )
        )
    ]


@pytest.mark.usefixtures("loopback")
async def test_pcp_server() -> None:
    """14.1, 11.6: two requests tell all there is to know, and open nothing."""
    with LoopbackServer(pcp(ResultCode.NO_RESOURCES)) as server:
        assert await probe(server.address) == ProbeResult(
            outcome=ProbeOutcome.PCP,
            server=server.address,
            client_address=OURSELVES,
            external_address=EXTERNAL,
            epoch_time=78,
        )
        announce, deletion = (
            decode_request(server.requests.get_nowait()) for _ in range(2)
        )
        assert server.requests.empty()
    assert announce == AnnounceRequest(client_address=OURSELVES)
    assert isinstance(deletion, MapRequest)
    assert deletion == MapRequest(
        client_address=OURSELVES,
        lifetime=0,
        nonce=deletion.nonce,
        protocol=17,
        internal_port=9,
        suggested_external_address=IPv4Address(0),
    )


@pytest.mark.usefixtures("loopback")
async def test_nonce_is_fresh() -> None:
    """11.2: every probe has its own random nonce."""
    nonces = set()
    with LoopbackServer(pcp(ResultCode.SUCCESS)) as server:
        for _ in range(2):
            await probe(server.address)
            await server.request()
            deletion = decode_request(await server.request())
            assert isinstance(deletion, MapRequest)
            nonces.add(deletion.nonce)
    assert len(nonces) == 2


@pytest.mark.usefixtures("loopback")
async def test_nat_pmp_server() -> None:
    """9: a NAT-PMP server is known by its version answer and asked in NAT-PMP."""
    with LoopbackServer(nat_pmp) as server:
        assert await probe(server.address) == ProbeResult(
            outcome=ProbeOutcome.NAT_PMP,
            server=server.address,
            client_address=OURSELVES,
            external_address=EXTERNAL,
            epoch_time=79,
        )


@pytest.mark.parametrize(
    ("result_code", "outcome"),
    [
        (ResultCode.NOT_AUTHORIZED, ProbeOutcome.NOT_AUTHORIZED),
        (ResultCode.ADDRESS_MISMATCH, ProbeOutcome.ADDRESS_MISMATCH),
    ],
)
@pytest.mark.usefixtures("loopback")
async def test_refusal(result_code: int, outcome: ProbeOutcome) -> None:
    """7.4: what a form can explain is told apart."""
    with LoopbackServer(pcp(result_code)) as server:
        assert (await probe(server.address)).outcome is outcome


@pytest.mark.usefixtures("loopback")
async def test_icmp_refusal() -> None:
    """RFC 6886 3.1: refused by ICMP, the probe is over."""
    server = loopback_address()
    assert await probe(server) == ProbeResult(
        outcome=ProbeOutcome.NOT_SUPPORTED, server=server, client_address=OURSELVES
    )


@pytest.mark.usefixtures("loopback")
async def test_silence_ends() -> None:
    """A silent host takes as long as it is given; nothing stays behind."""
    with LoopbackServer() as server:
        result = await probe(server.address, wait=0.01)
    assert result.outcome is ProbeOutcome.SILENT
    assert result.client_address == OURSELVES


@pytest.mark.usefixtures("loopback")
async def test_lost_requests_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """8.1.1: the first round lost, the next is answered."""
    monkeypatch.setattr(probing, "_ROUNDS_AT", (0.0, 0.0, 0.0))
    requests = 0

    def deaf_at_first(data: bytes) -> list[bytes]:
        nonlocal requests
        requests += 1
        return pcp(ResultCode.SUCCESS)(data) if requests > 3 and data[0] else []

    with LoopbackServer(deaf_at_first) as server:
        assert (await probe(server.address)).outcome is ProbeOutcome.PCP


def test_rounds_fit_into_the_wait() -> None:
    """A PCP server whose first request is lost is known within half a second."""
    assert probing._ROUNDS_AT[0] < 0.5
    assert max(probing._ROUNDS_AT) < 4.0


@pytest.mark.parametrize(
    ("wait", "rounds"),
    [
        (4.0, [0.25, 0.75, 1.5, 2.5, 3.25]),
        (2.0, [0.25, 0.75, 1.5]),
        (1.0, [0.125, 0.375, 0.75]),
        (0.2, [0.025, 0.075, 0.15]),
    ],
)
@pytest.mark.usefixtures("loopback")
async def test_four_transmissions_in_any_wait(
    monkeypatch: pytest.MonkeyPatch, wait: float, rounds: list[float]
) -> None:
    """RFC 7488 3: with the first one, four at least, however short the time is."""
    loop = asyncio.get_running_loop()
    later = loop.call_later
    delays: list[float] = []

    def call_later(
        delay: float, callback: Callable[..., None], *args: object
    ) -> asyncio.TimerHandle:
        delays.append(delay)
        return later(0, callback, *args)

    conversations: list[probing._Conversation] = []

    class Conversation(probing._Conversation):
        def __init__(self, server: IPv4Address, *, pace: float, **options: Any) -> None:
            with monkeypatch.context() as patch:
                patch.setattr(loop, "call_later", call_later)
                super().__init__(server, pace=pace, **options)
            conversations.append(self)
            self.settled.set()

    monkeypatch.setattr(probing, "_Conversation", Conversation)
    with LoopbackServer() as server:
        await probe(server.address, wait=wait)
    assert [delay for delay in delays if delay < wait] == pytest.approx(rounds)


@pytest.mark.usefixtures("loopback")
async def test_given_nonce() -> None:
    """RFC 7488 3: the addresses of one server are asked with the same nonce."""
    with LoopbackServer(pcp(ResultCode.SUCCESS)) as server:
        await probe(server.address, nonce=b"twelve bytes")
        await server.request()
        deletion = decode_request(await server.request())
    assert isinstance(deletion, MapRequest)
    assert deletion.nonce == b"twelve bytes"


@pytest.mark.usefixtures("loopback")
async def test_refusal_found_by_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ICMP refusal that only the next send reports is one as well."""
    monkeypatch.setattr(ServerSocket, "send", _raise(ConnectionRefusedError))
    result = await probe(loopback_address())
    assert result.outcome is ProbeOutcome.NOT_SUPPORTED


@pytest.mark.usefixtures("loopback")
async def test_network_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A send that fails says that nothing leads there."""
    monkeypatch.setattr(ServerSocket, "send", _raise(OSError))
    result = await probe(loopback_address())
    assert result.outcome is ProbeOutcome.UNREACHABLE


async def test_no_way() -> None:
    """A host to which nothing leads is an outcome, not an exception."""
    server = IPv6Address("fe80::1%gone")
    assert await probe(server) == ProbeResult(
        outcome=ProbeOutcome.UNREACHABLE, server=server
    )


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_host_that_is_not_there() -> None:
    """The kernel's "no route to host" ends the probe."""
    ip(
        "link set lo up",
        "addr add 192.0.2.2/24 dev lo",
        "route add unreachable 198.51.100.1",
        "route add prohibit 198.51.100.2",
    )
    for server in ("198.51.100.1", "198.51.100.2", "203.0.113.1"):
        result = await probe(IPv4Address(server))
        assert result.outcome is ProbeOutcome.UNREACHABLE


@pytest.mark.usefixtures("loopback")
async def test_unreachable_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """ICMP host unreachable, as the kernel reports it when ARP has failed."""
    with LoopbackServer() as server:
        conversation = probing._Conversation(
            server.address, pace=1.0, nonce=probing.new_nonce(), interface=""
        )
        conversation._on_error(OSError("No route to host"))
        assert conversation.settled.is_set()
        assert conversation.result().outcome is ProbeOutcome.UNREACHABLE
        conversation.close()


def _raise(error: type[OSError]) -> Callable[..., None]:
    def send(*_: object) -> None:
        raise error

    return send
