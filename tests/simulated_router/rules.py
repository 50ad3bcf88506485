"""Making and ending mappings, for PCP and NAT-PMP alike. RFC 6887 11.3, 13, 15.

Here, and nowhere else, a personality decides about mappings.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from itertools import chain

from custom_components.pcp.client.codec import (
    ANNOUNCE_PORT,
    SERVER_PORT,
    Filter,
    IPAddress,
    ResultCode,
)

from .personality import Honour, LowPort, PinholeRenewal, Renewal, WrongNonce
from .state import Refused, RouterState
from .table import RouterMapping, Source

_UDP = 17
_MAX_PORT = 65535
_OWN_PORTS = (ANNOUNCE_PORT, SERVER_PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRequest:
    """What a client asks for, whichever protocol it speaks."""

    protocol: int
    internal_address: IPAddress
    internal_port: int
    suggested_external_port: int
    lifetime: int
    nonce: bytes | None
    client: Source
    prefer_failure: bool = False
    """Also False where the router ignores the option; so is an ignored filter."""
    filters: tuple[Filter, ...] = ()
    third_party: bool = False
    description: str | None = None
    """None leaves what is there."""
    port_count: int = 1
    """Of a PORT_SET that the router knows."""
    nat_pmp: bool = False


def create(state: RouterState, request: MappingRequest, now: float) -> RouterMapping:
    """Make or renew a mapping and return it; raises Refused."""
    personality = state.personality
    if personality.map_result is not ResultCode.SUCCESS:
        raise Refused(personality.map_result)
    if request.protocol not in personality.protocols:
        raise Refused(ResultCode.UNSUPP_PROTOCOL)
    if request.internal_port == 0 and not personality.internal_port_0:
        raise Refused(personality.no_port_result)
    if not state.is_local(request.internal_address):
        raise Refused(ResultCode.NOT_AUTHORIZED)
    existing = next(
        iter(
            state.table.of_internal(
                request.protocol, request.internal_address, request.internal_port
            )
        ),
        None,
    )
    if request.internal_address.version == 6:
        return _create_pinhole(state, request, existing, now)
    return _create_nat(state, request, existing, now)


def delete(state: RouterState, request: MappingRequest, now: float) -> int:
    """End a mapping, or say in how many seconds; raises Refused. RFC 6887 15."""
    personality = state.personality
    is_nat = request.internal_address.version == 4
    any_port = personality.delete_port_0_any and is_nat and request.internal_port == 0
    mappings = state.table.of_internal(
        request.protocol,
        request.internal_address,
        None if any_port else request.internal_port,
    )
    if not mappings:
        if is_nat:
            _demand_success(personality.delete_of_nothing)
        return 0
    mapping = mappings[0]
    if mapping.nonce != request.nonce:
        raise _not_the_owner(state, mapping, now)
    if personality.delete_lingers:
        expires_at = min(mapping.expires_at, now + personality.delete_lingers)
        state.table.put(replace(mapping, expires_at=expires_at))
        return int(expires_at - now)
    state.table.remove(mapping)
    return 0


def _create_nat(
    state: RouterState,
    request: MappingRequest,
    existing: RouterMapping | None,
    now: float,
) -> RouterMapping:
    personality = state.personality
    _demand_success(personality.nat_result)
    external_address = state.external_address
    if external_address is None:
        raise Refused(ResultCode.NETWORK_FAILURE)
    if not is_public(external_address):
        _demand_success(personality.private_address_result)
    if 0 < request.internal_port < personality.lowest_internal_port:
        raise Refused(ResultCode.NOT_AUTHORIZED)
    if existing is not None and personality.wrong_nonce is WrongNonce.REFUSED:
        _demand_owner(state, request, existing, now)
    if existing is not None and personality.renewal is Renewal.KEEPS_PORT:
        if (
            _wants_exactly(state, request)
            and request.suggested_external_port != existing.external_port
        ):
            raise Refused(ResultCode.CANNOT_PROVIDE_EXTERNAL)
        external_port = existing.external_port
    else:
        external_port = _choose_port(state, request)
    replaced = state.table.holder(request.protocol, external_port)
    if replaced is None:
        _check_quota(state, request)
    mapping = _granted(
        state, request, replaced, now, external_address, external_port, request.nonce
    )
    state.table.put(mapping)
    return mapping


def _create_pinhole(
    state: RouterState,
    request: MappingRequest,
    existing: RouterMapping | None,
    now: float,
) -> RouterMapping:
    personality = state.personality
    _demand_success(personality.pinhole_result)
    if _wants_exactly(state, request) and (
        request.suggested_external_port != request.internal_port
    ):
        raise Refused(ResultCode.CANNOT_PROVIDE_EXTERNAL)
    nonce = request.nonce
    if existing is None:
        _check_quota(state, request)
    else:
        if personality.pinhole_wrong_nonce is WrongNonce.REFUSED:
            _demand_owner(state, request, existing, now)
        if personality.pinhole_renewal is PinholeRenewal.REFUSED:
            raise Refused(ResultCode.NO_RESOURCES)
        if personality.pinhole_renewal is PinholeRenewal.LOSES_OWNER:
            nonce = None
    mapping = _granted(
        state,
        request,
        existing,
        now,
        request.internal_address,
        request.internal_port,
        nonce,
    )
    state.table.put(mapping)
    if existing is not None and personality.pinhole_renewal_copies_port:
        return replace(mapping, external_port=request.suggested_external_port)
    return mapping


def _granted(
    state: RouterState,
    request: MappingRequest,
    replaced: RouterMapping | None,
    now: float,
    external_address: IPAddress,
    external_port: int,
    nonce: bytes | None,
) -> RouterMapping:
    """Return the mapping as it is from now on."""
    personality = state.personality
    lifetime = _lifetime(state, request)
    expires_at = now + lifetime
    if personality.forgets_after is not None:
        expires_at = min(expires_at, now + personality.forgets_after)
    if replaced is not None and not personality.renewal_extends:
        expires_at = replaced.expires_at
    description = "" if replaced is None else replaced.description
    if request.description is not None:
        description = request.description
    return RouterMapping(
        protocol=request.protocol,
        internal_address=request.internal_address,
        internal_port=request.internal_port,
        external_address=external_address,
        external_port=external_port,
        nonce=nonce,
        lifetime=lifetime,
        expires_at=expires_at,
        client=request.client,
        filters=_filters(state, request, replaced),
        third_party=request.third_party,
        description=description,
        nat_pmp=request.nat_pmp,
    )


def _lifetime(state: RouterState, request: MappingRequest) -> int:
    personality = state.personality
    if personality.fixed_lifetime is not None:
        return personality.fixed_lifetime
    if request.nat_pmp and not personality.nat_pmp_clamps:
        return request.lifetime
    longest = min(request.lifetime, personality.max_lifetime)
    return max(longest, personality.min_lifetime)


def _filters(
    state: RouterState, request: MappingRequest, replaced: RouterMapping | None
) -> tuple[Filter, ...]:
    """Add the request's filters, in order; prefix 0 removes all. RFC 6887 13.3."""
    filters = [] if replaced is None else list(replaced.filters)
    for wanted in request.filters:
        if wanted.prefix_length == 0:
            filters.clear()
        elif wanted not in filters:
            filters.append(wanted)
    if len(filters) > state.personality.max_filters:
        raise Refused(ResultCode.EXCESSIVE_REMOTE_PEERS)
    return tuple(filters)


def free_ports(state: RouterState, request: MappingRequest, count: int) -> int:
    """Return how many consecutive external ports there are, up to `count`."""
    if request.internal_address.version == 6:
        return count
    first = _choose_port(state, request)
    for offset in range(1, count):
        external_port = first + offset
        if (
            external_port > _MAX_PORT
            or _is_own(state, request.protocol, external_port)
            or state.table.holder(request.protocol, external_port) is not None
        ):
            return offset
    return count


def _choose_port(state: RouterState, request: MappingRequest) -> int:
    """Return the external port to give, counting up from what was suggested."""
    personality = state.personality
    first = request.suggested_external_port
    if first == 0 and personality.needs_suggested_port:
        raise Refused(ResultCode.NO_RESOURCES)
    if first == 0:
        first = request.internal_port
    if personality.port_pool is not None:
        first = personality.port_pool + request.protocol
    if first == 0:
        raise Refused(personality.no_port_result)
    if (
        first < personality.lowest_external_port
        and personality.low_external_port is LowPort.REFUSED
    ):
        raise Refused(ResultCode.NOT_AUTHORIZED)
    for external_port in _upward(first, personality.lowest_external_port):
        forbidden = external_port < personality.lowest_external_port or _is_own(
            state, request.protocol, external_port
        )
        if forbidden:
            if request.prefer_failure:
                raise Refused(ResultCode.CANNOT_PROVIDE_EXTERNAL)
            continue
        holder = state.table.holder(request.protocol, external_port)
        if holder is None or _same_inside(holder, request):
            return external_port
        if _wants_exactly(state, request):
            raise Refused(ResultCode.CANNOT_PROVIDE_EXTERNAL)
    raise Refused(ResultCode.NO_RESOURCES)


def _upward(first: int, lowest: int) -> Iterator[int]:
    return chain(range(first, _MAX_PORT + 1), range(lowest, first))


def _is_own(state: RouterState, protocol: int, external_port: int) -> bool:
    """Tell whether a port is PCP's own and kept. RFC 6887 11.3, 19.1."""
    return (
        protocol == _UDP
        and external_port in _OWN_PORTS
        and not state.personality.grants_own_ports
    )


def _same_inside(mapping: RouterMapping, request: MappingRequest) -> bool:
    return (
        mapping.internal_address == request.internal_address
        and mapping.internal_port == request.internal_port
    )


def _wants_exactly(state: RouterState, request: MappingRequest) -> bool:
    return (
        request.prefer_failure and state.personality.prefer_failure is Honour.ENFORCED
    )


def _check_quota(state: RouterState, request: MappingRequest) -> None:
    personality = state.personality
    in_all = personality.mappings_in_all
    if in_all is not None and len(state.table) >= in_all:
        raise Refused(ResultCode.NO_RESOURCES)
    per_client = personality.mappings_per_client
    if per_client is not None and (
        state.table.of_client(request.internal_address) >= per_client
    ):
        raise Refused(ResultCode.USER_EX_QUOTA)


def _demand_owner(
    state: RouterState, request: MappingRequest, existing: RouterMapping, now: float
) -> None:
    if existing.nonce is not None and existing.nonce != request.nonce:
        raise _not_the_owner(state, existing, now)


def _not_the_owner(state: RouterState, mapping: RouterMapping, now: float) -> Refused:
    """Return the refusal; it lasts as long as the mapping. RFC 6887 11.3."""
    if not state.personality.refusal_tells_remaining:
        return Refused(ResultCode.NOT_AUTHORIZED)
    remaining = max(0, int(mapping.expires_at - now))
    return Refused(ResultCode.NOT_AUTHORIZED, remaining)


def _demand_success(result_code: ResultCode) -> None:
    if result_code is not ResultCode.SUCCESS:
        raise Refused(result_code)


def is_public(address: IPv4Address) -> bool:
    """Tell whether a router takes a WAN address for one of the Internet's.

    Loopback is the Internet of tests and of the demo.
    """
    return address.is_global or address.is_loopback
