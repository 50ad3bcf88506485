"""What can be sent to us by somebody who is not the router."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import World

# These must change nothing at all.
WORTHLESS = ("garbage", "other_nonce", "request", "empty", "long", "other_version")
# These have no nonce to check: they may cost a verification.
DOUBTFUL = ("announce", "announce_old", "version", "unicast_announce")


def forged(kind: str, world: World) -> tuple[bytes | None, bool]:
    """Return a datagram of a kind, and whether it comes as a multicast."""
    random = world.random
    epoch_time = world.router.epoch_time(world.now)
    match kind:
        case "garbage":
            # An opcode that we never ask for.
            return b"\x02\x83" + random.randbytes(58), False
        case "empty":
            return b"", False
        case "long":
            return b"\x02\x81" + bytes(1200), False
        case "request":
            return b"\x02\x01" + bytes(58), False
        case "other_version":
            return b"\x07\x81\x00\x00" + bytes(56), False
        case "other_nonce":
            return _grant(random.randbytes(12), epoch_time), False
        case "announce":
            return _announce(epoch_time), True
        case "announce_old":
            return _announce(random.randrange(1000)), True
        case "unicast_announce":
            return _announce(random.randrange(1000)), False
        case "version":
            return b"\x00\x80\x00\x01" + epoch_time.to_bytes(4), False
    raise ValueError(kind)


def _announce(epoch_time: int) -> bytes:
    return b"\x02\x80" + bytes(6) + epoch_time.to_bytes(4) + bytes(12)


def _grant(nonce: bytes, epoch_time: int) -> bytes:
    header = b"\x02\x81\x00\x00" + (3600).to_bytes(4) + epoch_time.to_bytes(4)
    body = nonce + b"\x06" + bytes(3) + (8123).to_bytes(2) * 2
    return header + bytes(12) + body + bytes(10) + b"\xff\xff\x06\x06\x06\x06"
