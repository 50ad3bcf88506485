"""What an answer about one mapping tells of the server's own external address.

A server may have several. The one that we call its own is that of the leases that
moved with it.
"""

from .codec import IPAddress, ResultCode
from .lease import Lease
from .wire import MapAnswer


def told_by(
    answer: MapAnswer, lease: Lease, known: IPAddress | None
) -> IPAddress | None:
    """Return the server's address that an answer tells, None where it tells none.

    A server behind another NAT maps nothing, and may tell the address it has:
    miniupnpd does; RFC 6887 11.1 copies our suggestion.
    """
    address, before = answer.assigned_external_address, lease.suggested_external_address
    match answer.result_code:
        case ResultCode.SUCCESS if _is_its_own(lease) and (
            known in (None, before) or _is_better(address, known)
        ):
            return address
        case ResultCode.NO_RESOURCES if address != before:
            return address
        case _:
            return None


def is_another(answer: MapAnswer, lease: Lease, known: IPAddress | None) -> bool:
    """Tell whether a mapping moved to an address that is a reason to look at all."""
    address, before = answer.assigned_external_address, lease.suggested_external_address
    return (
        answer.result_code == ResultCode.SUCCESS
        and _is_its_own(lease)
        and known not in (None, before)
        and address not in (None, known, before)
    )


def _is_better(address: IPAddress | None, known: IPAddress | None) -> bool:
    """Tell whether a mapping is outside of the NAT that the server was behind."""
    return (
        address is not None
        and known is not None
        and address.is_global
        and not known.is_global
    )


def _is_its_own(lease: Lease) -> bool:
    """Tell whether it is not the address of another host's pinhole."""
    return not (lease.wish.third_party and lease.key.internal_address.version == 6)
