"""Mappings of several ports, made and ended as one. RFC 7753 4.2, 4.4.

A set is mappings of consecutive ports that have `port_set` in common. A client that
renews or deletes one without PORT_SET is taken at its word: it gets its first port.
"""

from dataclasses import replace

from .rules import MappingRequest, create, delete, free_ports
from .state import RouterState
from .table import RouterMapping


def create_set(
    state: RouterState, request: MappingRequest, now: float
) -> tuple[RouterMapping, int]:
    """Make or renew what is asked for; return the first mapping, and how many there are.

    Raises Refused where not even the first can be had.
    """
    members = _members(state, request)
    count = len(members) or _count(state, request)
    if request.port_count == 1:
        for mapping in members[1:]:
            state.table.remove(mapping)
        count = 1
    first = create(state, request, now)
    if count == 1:
        return first, 1
    first = replace(first, port_set=request.internal_port)
    state.table.put(first)
    for offset in range(1, count):
        part = replace(
            request,
            internal_port=request.internal_port + offset,
            suggested_external_port=first.external_port + offset,
        )
        mapping = create(state, part, now)
        state.table.put(replace(mapping, port_set=request.internal_port))
    return first, count


def delete_set(state: RouterState, request: MappingRequest, now: float) -> int:
    """End a set or a mapping, or say in how many seconds; raises Refused."""
    members = _members(state, request) if request.port_count > 1 else []
    remaining = delete(state, request, now)
    for mapping in members[1:]:
        delete(state, replace(request, internal_port=mapping.internal_port), now)
    return remaining


def set_size(state: RouterState, mapping: RouterMapping) -> int:
    """Return how many ports the set has that a mapping is the first of, else 1."""
    if mapping.port_set != mapping.internal_port:
        return 1
    return sum(_is_with(mapping, other) for other in state.table)


def _members(state: RouterState, request: MappingRequest) -> list[RouterMapping]:
    existing = state.table.of_internal(
        request.protocol, request.internal_address, request.internal_port
    )
    if not existing or existing[0].port_set != request.internal_port:
        return []
    members = [it for it in state.table if _is_with(existing[0], it)]
    return sorted(members, key=lambda mapping: mapping.internal_port)


def _is_with(mapping: RouterMapping, other: RouterMapping) -> bool:
    return (
        other.port_set == mapping.port_set
        and other.nonce == mapping.nonce
        and other.protocol == mapping.protocol
        and other.internal_address == mapping.internal_address
    )


def _count(state: RouterState, request: MappingRequest) -> int:
    """Return how many ports can be had, from the first on."""
    wanted = min(request.port_count, state.personality.port_set_size)
    is_known = state.table.of_internal(
        request.protocol, request.internal_address, request.internal_port
    )
    if wanted < 2 or is_known:
        return 1
    count = 1
    while count < wanted and not state.table.of_internal(
        request.protocol, request.internal_address, request.internal_port + count
    ):
        count += 1
    return free_ports(state, request, count)
