"""What a refusal means, and for how long it holds."""

import pytest

from custom_components.pcp.client.codec import ResultCode
from custom_components.pcp.client.mapping import RefusalReason
from custom_components.pcp.client.refusals import refusal_of

NOW = 1000.0


@pytest.mark.parametrize(
    ("code", "reason", "floor"),
    [
        (ResultCode.NETWORK_FAILURE, RefusalReason.NETWORK_FAILURE, 30.0),
        (ResultCode.NO_RESOURCES, RefusalReason.NO_RESOURCES, 30.0),
        (ResultCode.USER_EX_QUOTA, RefusalReason.QUOTA_EXCEEDED, 30.0),
        (
            ResultCode.CANNOT_PROVIDE_EXTERNAL,
            RefusalReason.CANNOT_PROVIDE_EXTERNAL,
            300.0,
        ),
        (ResultCode.NOT_AUTHORIZED, RefusalReason.NOT_AUTHORIZED, 1800.0),
        (ResultCode.UNSUPP_PROTOCOL, RefusalReason.UNSUPPORTED_PROTOCOL, 1800.0),
        (ResultCode.UNSUPP_OPTION, RefusalReason.UNSUPPORTED_OPTION, 1800.0),
        (ResultCode.ADDRESS_MISMATCH, RefusalReason.ADDRESS_MISMATCH, 1800.0),
        (ResultCode.MALFORMED_REQUEST, RefusalReason.ROUTER_REFUSED, 1800.0),
        *(
            (code, RefusalReason.AUTHENTICATION_REQUIRED, 1800.0)
            for code in range(14, 24)
        ),
        *((code, RefusalReason.THIRD_PARTY_ID, 1800.0) for code in range(24, 27)),
        (27, RefusalReason.ROUTER_REFUSED, 1800.0),
        (200, RefusalReason.ROUTER_REFUSED, 1800.0),
    ],
)
def test_floors_of_holds(
    code: ResultCode | int, reason: RefusalReason, floor: float
) -> None:
    """7.4: 30 s for short errors and 30 min for long ones, whatever the server says.

    RFC 7652 and 7843: codes of authentication and of third-party ids are long ones.
    """
    refusal = refusal_of(code, lifetime=0, now=NOW)
    assert (refusal.reason, refusal.result_code) == (reason, code)
    assert refusal.retry_at == NOW + floor


def test_hold_of_the_server() -> None:
    """8.3: a hold that is longer than the floor is the server's."""
    refusal = refusal_of(ResultCode.NO_RESOURCES, lifetime=3000, now=NOW)
    assert refusal.retry_at == NOW + 3000.0


def test_absurd_hold() -> None:
    """15: a hold of years is acted on as 24 hours."""
    refusal = refusal_of(ResultCode.NOT_AUTHORIZED, lifetime=0xFFFFFFFF, now=NOW)
    assert refusal.retry_at == NOW + 86_400.0
