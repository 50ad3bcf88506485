"""How a forward stands: what the user wants, and what the router has granted of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .client.codec import IPAddress, ResultCode
from .client.mapping import Refusal, RefusalReason
from .forward import Forward, ForwardStatus
from .leases import Lease
from .wishes import Wish

type Reachable = Mapping[int, bool | None]
"""By IP version, whether the router answers; None while that is not known.

A version that the router is not reached over is missing.
"""


# RFC 6887 13.1: a host must not name itself as another one. It is asked for when one of
# the addresses has changed.
TO_OURSELVES = Refusal(
    reason=RefusalReason.OWN_ADDRESS,
    result_code=ResultCode.SUCCESS,
    retry_at=float("inf"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A forward as it stands."""

    forward: Forward
    wish: Wish
    status: ForwardStatus
    leases: tuple[Lease, ...]
    """In order; also those that are only owed a deletion."""

    refusal: Refusal | None
    """Of the first mapping that is wanted and was refused; or our own no."""

    expires_at: float | None
    """When the first lease of an open forward runs out; until when a closing one may
    be open. Monotonic seconds."""


def standing_of(
    forward: Forward,
    wish: Wish,
    leases: list[Lease],
    reachable: Reachable,
    internal_addresses: Mapping[int, IPAddress],
) -> Standing:
    """Return how a forward stands; `internal_addresses` are our own, by IP version."""
    wanted = [lease for lease in leases if lease.wanted]
    refusals = [
        lease.refusal for lease in wanted if lease.refusal and lease.grant is None
    ]
    if wish.wanted and forward.is_to_ourselves(internal_addresses):
        status, refusals, expires_at = ForwardStatus.REFUSED, [TO_OURSELVES], None
    elif wish.wanted:
        status = _status_of_wanted(forward, wanted, reachable)
        expires_at = min(
            (lease.grant.expires_at for lease in wanted if lease.grant), default=None
        )
    else:
        status = ForwardStatus.CLOSING if leases else ForwardStatus.CLOSED
        expires_at = max(
            (lease.open_until for lease in leases if lease.open_until), default=None
        )
    return Standing(
        forward=forward,
        wish=wish,
        status=status,
        leases=tuple(leases),
        refusal=refusals[0] if refusals else None,
        expires_at=expires_at,
    )


def is_complete(forward: Forward, leases: Iterable[Lease]) -> bool:
    """Tell whether every mapping that a forward needs is granted."""
    granted = sum(lease.wanted and lease.grant is not None for lease in leases)
    return granted >= forward.mapping_count


def _status_of_wanted(
    forward: Forward, leases: list[Lease], reachable: Reachable
) -> ForwardStatus:
    if is_complete(forward, leases):
        return ForwardStatus.OPEN
    if any(lease.grant for lease in leases):
        return ForwardStatus.PARTLY_OPEN
    versions = forward.ip_version.versions
    if all(reachable.get(version, False) is False for version in versions):
        return ForwardStatus.UNREACHABLE
    if any(lease.refusal for lease in leases):
        return ForwardStatus.REFUSED
    return ForwardStatus.OPENING
