"""What the fuzzer begins with: the recorded exchanges, and answers that fit."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
import itertools
import struct

from custom_components.pcp.client.codec import (
    ExternalAddressResponse,
    MapRequest,
    NatPmpErrorResponse,
    NatPmpMapResponse,
    NatPmpResponse,
    Response,
    ResultCode,
    encode,
    encode_nat_pmp,
)
from custom_components.pcp.client.dhcp_messages import (
    encode_inform,
    encode_information_request,
)
from tests.client.keeper_world import World
from tests.client.scripted_server import pcp_version_answer, version_answer
from tests.client.vectors import recorded_exchanges

from .codec_targets import HARDWARE_ADDRESS, TRANSACTION_ID_V4, TRANSACTION_ID_V6
from .keeper_targets import STATES, arrival

_REQUESTS = ("pcp-request", "nat-pmp-request")
_UNICAST, _ANNOUNCED = 0, 4


def seeds_of(target: str) -> list[bytes]:
    """Return the first inputs of a target."""
    exchanges = recorded_exchanges()
    requests = [exchange.request for exchange in exchanges]
    responses = [exchange.response for exchange in exchanges if exchange.response]
    if target in STATES:
        answers = responses + list(_fitting(STATES[target]()))
        return [
            arrival(data, entry=entry, pause=pause)
            for data in answers
            for entry, pause in ((_UNICAST, 0), (_ANNOUNCED, 0), (_UNICAST, 2))
        ] + [
            arrival(first) + arrival(second, entry=_ANNOUNCED, pause=2)
            for first, second in itertools.pairwise(answers)
        ]
    match target:
        case "dhcp-answer":
            return list(_acks())
        case "dhcpv6-answer":
            return list(_replies())
        case _ if target in _REQUESTS:
            return requests
        case _:
            return responses


def _fitting(world: World) -> Iterator[bytes]:
    """Yield answers to all that a keeper has asked, grants and refusals."""
    for booted_at in (world.boot_at, world.now - 1):
        world.boot_at = booted_at
        yield encode(world.announcement())
        yield encode_nat_pmp(world.nat_pmp_address())
        for sent in world.sent:
            yield _encoded(world.answer_to(sent.message))
            if isinstance(sent.message, MapRequest):
                for code in (ResultCode.NO_RESOURCES, ResultCode.NOT_AUTHORIZED):
                    yield encode(world.error(sent.message, code, lifetime=30))
    yield encode_nat_pmp(version_answer())
    yield encode(pcp_version_answer(1))


def _encoded(answer: Response | NatPmpResponse) -> bytes:
    match answer:
        case ExternalAddressResponse() | NatPmpMapResponse() | NatPmpErrorResponse():
            return encode_nat_pmp(answer)
        case _:
            return encode(answer)


def _acks() -> Iterator[bytes]:
    """Yield DHCPACKs: options in their place, in `file`, and of any length."""
    inform = encode_inform(
        transaction_id=TRANSACTION_ID_V4,
        client_address=IPv4Address("192.168.77.2"),
        hardware_address=HARDWARE_ADDRESS,
    )
    header = b"\x02" + inform[1:240]
    servers = bytes.fromhex("9e0a 04c0a84d01 04c0a84d02".replace(" ", ""))
    yield header + b"\x35\x01\x05" + servers + b"\xff"
    yield header + b"\x35\x01\x05\x34\x01\x01\xff"
    overloaded = header[:108] + servers.ljust(128, b"\xff") + header[236:]
    yield overloaded + b"\x35\x01\x05\x34\x01\x01\xff"


def _replies() -> Iterator[bytes]:
    """Yield DHCPv6 Replies with one server and with two."""
    request = encode_information_request(
        transaction_id=TRANSACTION_ID_V6, hardware_address=HARDWARE_ADDRESS
    )
    server_id = struct.pack("!HH10s", 2, 10, b"\0\3\0\1" + HARDWARE_ADDRESS)
    address = IPv6Address("2001:db8:77::1").packed
    for value in (address, address + IPv6Address("::ffff:192.0.2.1").packed):
        option = struct.pack("!HH", 86, len(value)) + value
        yield b"\7" + request[1:] + server_id + option
