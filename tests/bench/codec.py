"""What the codec costs: building a MAP request and parsing its answer, against struct.

The bare side packs and unpacks the same fields of the same 60 octets, without looking at
what they say. The fastest of several rounds on both sides, in turns, by processor time.
"""

from ipaddress import IPv4Address
import struct
from time import thread_time
from timeit import repeat

from custom_components.pcp.client.codec import (
    MapRequest,
    MapResponse,
    decode_response,
    encode,
)

from .result import Result

LIMIT = 20.0
NUMBER = 2000
REQUEST = struct.Struct(">BBHI16s12sB3xHH16s")
RESPONSE = struct.Struct(">BBBBII12x12sB3xHH16s")
NONCE = bytes(range(12))
MAPPED = bytes(10) + b"\xff\xff"
CLIENT, EXTERNAL = IPv4Address("192.168.77.2"), IPv4Address("203.0.113.5")


def measure(rounds: int) -> list[Result]:
    """Measure both sides in turns."""
    answer = encode(
        MapResponse(
            result_code=0,
            lifetime=3600,
            epoch_time=12345,
            nonce=NONCE,
            protocol=6,
            internal_port=8123,
            assigned_external_port=8123,
            assigned_external_address=EXTERNAL,
        )
    )
    client, external = MAPPED + CLIENT.packed, MAPPED + EXTERNAL.packed

    request = MapRequest(
        client_address=CLIENT,
        lifetime=3600,
        nonce=NONCE,
        protocol=6,
        internal_port=8123,
        suggested_external_port=8123,
        suggested_external_address=EXTERNAL,
    )

    def ours() -> None:
        encode(request)
        decode_response(answer)

    def bare() -> None:
        REQUEST.pack(2, 1, 0, 3600, client, NONCE, 6, 8123, 8123, external)
        RESPONSE.unpack(answer)

    pairs = [
        (
            repeat(ours, number=NUMBER, repeat=1, timer=thread_time)[0],
            repeat(bare, number=NUMBER, repeat=1, timer=thread_time)[0],
        )
        for _ in range(rounds)
    ]
    codec, struct_ = (min(side) / NUMBER * 1e6 for side in zip(*pairs, strict=True))
    return [
        Result(
            name="codec",
            measured=codec / struct_,
            limit=LIMIT,
            unit="times struct",
            detail=f"build a MAP request, parse its answer: {codec:.1f} us against {struct_:.2f} us",
        )
    ]
