"""Who asks for several ports at once, and who leaves it to him. RFC 7753.

Each port of a range has a lease of its own. The first one's requests are for those
that follow it, as many as the server grants; the others ask for themselves. So a set is
a matter between keeper and server, and everybody else sees one mapping for each port.
"""

from collections.abc import Iterator
from dataclasses import replace

from .events import ServerProtocol
from .lease import Lease
from .mapping import Grant
from .server import Server
from .table import Table


class PortSets:
    """The sets on one server."""

    def __init__(self, table: Table, server: Server) -> None:
        """Begin with the leases that are there."""
        self._table = table
        self._server = server

    def place(self, lease: Lease, *, now: float) -> bool:
        """Let a lease follow the one that asks for it, too, or nobody; tell if it changed."""
        leader = self._leader_of(lease, now=now)
        if leader is lease.leader:
            return False
        if lease.leader is not None:
            lease.leave(now=now)
        if leader is not None:
            lease.follow(leader)
        return True

    def members(self, lease: Lease) -> Iterator[Lease]:
        """Yield the other leases of the range that a lease is the first of."""
        ports = lease.wish.port_range
        if ports is None or not lease.leads:
            return
        for internal_port in range(ports.first + 1, ports.first + ports.count):
            key = replace(lease.key, internal_port=internal_port)
            if (member := self._table.get(key)) is not None:
                yield member

    def _leader_of(self, lease: Lease, *, now: float) -> Lease | None:
        current = lease.leader
        if (
            current is not None
            and (current.must_delete or not lease.wanted)
            and current.reaches(lease)
            and current.is_open(now=now)
        ):
            # What may be there, or is being deleted, is not let go of before.
            return current
        leader = self._first_of_range(lease)
        if leader is None or lease.followers or lease.giving_back:
            return None
        if leader.must_delete:
            is_in_set = leader.reaches(lease) and not lease.asks_singly
            return leader if is_in_set else None
        if leader.grant is not None:
            return leader if is_part(lease, leader.grant) else None
        return leader if self._may_join(lease, leader) else None

    def _may_join(self, lease: Lease, leader: Lease) -> bool:
        """Tell whether the leader's next request, or the one under way, is for both."""
        return (
            lease.wanted
            and (lease.grant is None or lease.grant.port_range is not None)
            and not lease.is_unanswered
            and not (lease.asks_singly or leader.asks_singly)
            and self._server.protocol is not ServerProtocol.NAT_PMP
            and self._server.manners.may_grant_sets
            and leader.plain_options is None
            and (not leader.is_unanswered or leader.reaches(lease))
        )

    def _first_of_range(self, lease: Lease) -> Lease | None:
        """Return the lease of the first port, if it is wished for on the same terms."""
        ports = lease.wish.port_range
        if ports is None or lease.leads:
            return None
        first = self._table.get(replace(lease.key, internal_port=ports.first))
        if first is None or _terms(first) != _terms(lease):
            return None
        return first


def is_part(lease: Lease, grant: Grant) -> bool:
    """Tell whether a grant to another is for a lease's port, too."""
    return grant.port_range is not None and lease.key.internal_port in grant.port_range


def part_of(grant: Grant, lease: Lease) -> Grant:
    """Return a set's grant as it is for one of its ports."""
    assert grant.port_range is not None
    offset = lease.key.internal_port - grant.port_range.first
    return replace(grant, assigned_external_port=grant.assigned_external_port + offset)


def _terms(lease: Lease) -> tuple[object, ...]:
    wish = lease.wish
    return wish.port_range, wish.third_party, wish.allowed_sources
