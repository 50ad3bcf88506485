"""How the dialog of a forward ends: what the router has granted, in words."""

from collections.abc import Sequence
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
    first = forward.first_external_port
    asked = _ports(range(first, first + forward.port_count))
    is_http = PLAIN_HTTP in dangers(forward, plain_http_port)
    if await async_listens(forward, internal_address) is False:
        key = "unanswered"
    elif is_http:
        key = "plain"
    elif _external_ports(view) != asked:
        key = "other_port"
    else:
        key = "opened"
    return Outcome(
        key=key,
        placeholders={
            "name": as_it_is(forward.name),
            "external_address": address_outside(forward, view, plain_http_port),
            "asked_port": asked,
            "internal_port": str(forward.internal_port),
            "internal_address": internal_address,
        },
    )


def address_outside(
    forward: Forward, view: ForwardView, plain_http_port: int | None
) -> str:
    """Return where a forward that is open is reached, of plain http as a URL."""
    address = f"{_external_host(view)}:{_external_ports(view)}"
    is_http = PLAIN_HTTP in dangers(forward, plain_http_port)
    return f"http://{address}" if is_http and forward.port_count == 1 else address


def _external_host(view: ForwardView) -> str:
    address = view.external_address or "?"
    return f"[{address}]" if ":" in address else address


def _external_ports(view: ForwardView) -> str:
    """Return the ports of the IP version whose address is shown."""
    version = next(it.ip_version for it in view.mappings if it.expires_at)
    ports = dict.fromkeys(
        mapping.external_port
        for mapping in view.mappings
        if mapping.ip_version == version and mapping.external_port is not None
    )
    return _ports(list(ports))


def _ports(ports: Sequence[int]) -> str:
    """Return ports as a range such as 2456-2457, else one by one."""
    first, last = ports[0], ports[-1]
    if first < last and list(ports) == list(range(first, last + 1)):
        return f"{first}-{last}"
    return ", ".join(map(str, ports))
