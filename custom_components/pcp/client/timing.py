"""The numbers of the protocol's clocks, and the two schedules made of them.

All times are seconds; `jitter` is uniform in [0, 1) and comes from the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

type Jitter = Callable[[], float]

INITIAL_RETRANSMISSION = 3.0  # RFC 6887 8.1.1, IRT
MAXIMUM_RETRANSMISSION = 1024.0  # RFC 6887 8.1.1, MRT
NAT_PMP_INITIAL_RETRANSMISSION = 0.25  # RFC 6886 3.1
NAT_PMP_TRANSMISSIONS = 9  # RFC 6886 3.1: the last wait is 64 s

MINIMUM_RENEWAL_GAP = 4.0  # RFC 6887 11.2.1
# A renewal out of turn is repeated as in 8.1.1, and never after less than that gap:
# not even when the wait comes out a tenth shorter.
RENEWAL_RETRANSMISSION = 4.5

ANNOUNCE_WAIT = 5.0  # RFC 6887 14.1.3: 0 to 5 s before mappings are made again

# The next ones are ours. A gateway that lost its state while its ANNOUNCE was lost
# is found by the check; five minutes are promised, the rest is for a lost packet.
CHECK_INTERVAL = 240.0
CHECK_TRANSMISSIONS = 3
NAT_PMP_CHECK_TRANSMISSIONS = 6  # 16 s in all
# RFC 6887 9: a server that did not speak PCP may have learnt it.
PCP_RETRY_INTERVAL = 1800.0
# An answer that takes longer than this is taken to be lost.
ROUND_TRIP = 1.0
# A late copy of a request can make a mapping again after its delete was answered.
# So long is a request that was never answered taken to be under way.
LINGER = 10.0
# A request and its repetition were not answered: the server is silent.
SILENCE = 4.0
# What carries no nonce can be forged by anybody on the LAN: it is verified, seldom.
VERIFICATION_INTERVAL = 10.0

# Servers often send lifetime 0 with an error, so the holds have floors of our own.
SHORT_HOLD = 30.0
MEDIUM_HOLD = 300.0
LONG_HOLD = 1800.0


@dataclass(slots=True, kw_only=True)
class Retransmission:
    """When to send a request again. RFC 6887 8.1.1, RFC 6886 3.1.

    Both double the wait; PCP spreads it by a tenth either way, and does not give up.
    """

    jitter: Jitter
    initial: float = INITIAL_RETRANSMISSION
    maximum: float = MAXIMUM_RETRANSMISSION
    spread: float = 0.1
    limit: int | None = None
    """How often the request is sent at most; None is for ever."""

    transmissions: int = 0
    first_sent_at: float = 0.0
    last_sent_at: float = 0.0
    _wait: float = 0.0

    @property
    def is_exhausted(self) -> bool:
        """Tell whether it was sent as often as it may be."""
        return self.limit is not None and self.transmissions >= self.limit

    def sent(self, *, now: float) -> float | None:
        """Note a transmission; return when the next is due, None when it was the last."""
        self.transmissions += 1
        if self.transmissions == 1:
            self.first_sent_at = now
        self.last_sent_at = now
        base = min(2 * self._wait, self.maximum) if self._wait else self.initial
        self._wait = base * (1 + self.spread * (2 * self.jitter() - 1))
        return None if self.is_exhausted else now + self._wait


def pcp_retransmission(
    jitter: Jitter,
    *,
    initial: float = INITIAL_RETRANSMISSION,
    limit: int | None = None,
) -> Retransmission:
    """Return PCP's schedule. RFC 6887 8.1.1."""
    return Retransmission(jitter=jitter, initial=initial, limit=limit)


def nat_pmp_retransmission(
    jitter: Jitter, *, limit: int = NAT_PMP_TRANSMISSIONS
) -> Retransmission:
    """Return NAT-PMP's schedule. RFC 6886 3.1."""
    return Retransmission(
        jitter=jitter, initial=NAT_PMP_INITIAL_RETRANSMISSION, spread=0.0, limit=limit
    )


def renewal_at(
    *,
    granted_at: float,
    expires_at: float,
    step: int,
    earliest: float,
    jitter: Jitter,
) -> float | None:
    """Return when to send the renewal number `step` (from 0). RFC 6887 11.2.1.

    Between 1/2 and 5/8 of the lifetime, then 3/4 and 13/16, 7/8 and 29/32 and so on;
    not before `earliest`, and None when that is too late. Steps that lie in the past
    are passed over.
    """
    lifetime = expires_at - granted_at
    for number in count(step):
        left = 0.5 ** (number + 1)
        begin = expires_at - lifetime * left
        width = lifetime * left / 4
        if begin + width >= earliest:
            return max(begin + width * jitter(), earliest)
        if expires_at - begin < MINIMUM_RENEWAL_GAP:
            break
    return earliest if earliest < expires_at else None
