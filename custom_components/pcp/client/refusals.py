"""What a server's no means, and for how long. RFC 6887 7.4, 8.3, 15."""

from .codec import ResultCode
from .mapping import MAXIMUM_LIFETIME, Refusal, RefusalReason
from .timing import LONG_HOLD, MEDIUM_HOLD, SHORT_HOLD

_REASONS: dict[int, RefusalReason] = {
    ResultCode.NOT_AUTHORIZED: RefusalReason.NOT_AUTHORIZED,
    ResultCode.UNSUPP_OPTION: RefusalReason.UNSUPPORTED_OPTION,
    ResultCode.UNSUPP_PROTOCOL: RefusalReason.UNSUPPORTED_PROTOCOL,
    ResultCode.NETWORK_FAILURE: RefusalReason.NETWORK_FAILURE,
    ResultCode.NO_RESOURCES: RefusalReason.NO_RESOURCES,
    ResultCode.USER_EX_QUOTA: RefusalReason.QUOTA_EXCEEDED,
    ResultCode.CANNOT_PROVIDE_EXTERNAL: RefusalReason.CANNOT_PROVIDE_EXTERNAL,
    ResultCode.ADDRESS_MISMATCH: RefusalReason.ADDRESS_MISMATCH,
    # RFC 7652: we have no way to authenticate.
    **dict.fromkeys(
        range(ResultCode.INITIATION, ResultCode.AUTHENTICATION_REPLY + 1),
        RefusalReason.AUTHENTICATION_REQUIRED,
    ),
    # RFC 7843: nor to name the network that another device is in.
    **dict.fromkeys(
        range(
            ResultCode.THIRD_PARTY_ID_UNKNOWN,
            ResultCode.UNSUPP_THIRD_PARTY_ID_LENGTH + 1,
        ),
        RefusalReason.THIRD_PARTY_ID,
    ),
}
_FLOORS: dict[int, float] = {
    ResultCode.NETWORK_FAILURE: SHORT_HOLD,
    ResultCode.NO_RESOURCES: SHORT_HOLD,
    ResultCode.USER_EX_QUOTA: SHORT_HOLD,
    ResultCode.CANNOT_PROVIDE_EXTERNAL: MEDIUM_HOLD,
}


def refusal_of(result_code: ResultCode | int, *, lifetime: int, now: float) -> Refusal:
    """Return the refusal that an error answer means. RFC 6887 8.3, 15.

    `lifetime` is the answer's, in seconds; it is raised to a floor of our own and
    capped at 24 hours.
    """
    floor = _FLOORS.get(result_code, LONG_HOLD)
    return Refusal(
        reason=_REASONS.get(result_code, RefusalReason.ROUTER_REFUSED),
        result_code=result_code,
        retry_at=now + max(floor, min(lifetime, MAXIMUM_LIFETIME)),
    )


def port_taken(*, now: float) -> Refusal:
    """Return our own no to a mapping with another external port than the exact one."""
    return Refusal(
        reason=RefusalReason.EXTERNAL_PORT_TAKEN,
        result_code=ResultCode.SUCCESS,
        retry_at=now + MEDIUM_HOLD,
    )
