"""How the dialog of a forward ends: what the router has granted, in words."""

from dataclasses import dataclass

from .forward import Forward
from .listening import async_listens
from .markdown import as_it_is
from .proposals import PLAIN_HTTP, dangers
from .views import ForwardView


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What to tell: the key of the text, and what it names."""

    key: str
    placeholders: dict[str, str]


async def async_outcome(
    forward: Forward, view: ForwardView, plain_http_port: int | None
) -> Outcome:
    """Return what to tell about a forward that is open.

    Of several things the one to be told is that which needs most to be done about. The
    address is in all of them.
    """
    internal_address = view.mappings[0].internal_address
    if await async_listens(forward, internal_address) is False:
        key = "unanswered"
    elif PLAIN_HTTP in dangers(forward, plain_http_port):
        key = "plain"
    elif view.external_port != forward.first_external_port:
        key = "other_port"
    else:
        key = "opened"
    return Outcome(
        key=key,
        placeholders={
            "name": as_it_is(forward.name),
            "external_address": view.endpoint or "",
            "asked_port": str(forward.first_external_port),
            "internal_port": str(forward.internal_port),
            "internal_address": internal_address,
        },
    )
