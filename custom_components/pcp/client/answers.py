"""What becomes of the leases on one server by its answers.

What an answer says of the server itself is the keeper's matter.
"""

from collections.abc import Callable
from dataclasses import replace

from .codec import ResultCode
from .events import (
    Event,
    LeaseGranted,
    LeaseKept,
    LeaseLost,
    LeaseReappeared,
    LeaseRefused,
    ServerProtocol,
)
from .lease import Lease
from .leases import Leases
from .map_options import CANARY, codes_of, granted_set, has_optional, without_optional
from .mapping import MAXIMUM_LIFETIME, Grant
from .port_sets import is_part, part_of
from .refusals import port_taken, refusal_of
from .sending import Sender
from .server import Server
from .timing import PCP_RETRY_INTERVAL, Jitter
from .wire import MapAnswer

_OPTION_ERRORS = (ResultCode.UNSUPP_OPTION, ResultCode.MALFORMED_OPTION)


class Answers:
    """Takes a server's answers. All times are monotonic seconds."""

    def __init__(
        self,
        server: Server,
        sender: Sender,
        leases: Leases,
        *,
        jitter: Jitter,
        tell: Callable[[Event], None],
    ) -> None:
        """Begin with the leases that are there."""
        self._server = server
        self._sender = sender
        self._leases = leases
        self._jitter = jitter
        self._tell = tell

    def lease_of(self, answer: MapAnswer, *, now: float) -> Lease | None:
        """Return the lease that an answer is for, or None and count why not."""
        client_address = self._sender.client_address
        is_nat_pmp = answer.spoken is ServerProtocol.NAT_PMP
        if client_address is None:
            self._server.drop("unasked")
            return None
        if is_nat_pmp and self._server.protocol is not ServerProtocol.NAT_PMP:
            self._server.drop("version")
            return None
        address = answer.assigned_external_address
        if (
            answer.result_code == ResultCode.SUCCESS
            and address is not None
            and address.version != client_address.version
            # RFC 6887 12.4: behind a NAT64 the two may differ.
            and answer.remote is None
        ):
            self._server.drop("address")
            return None
        if lease := self._leases.table.of_answer(answer, client_address, now=now):
            return lease
        if lease := self._leases.table.revived_by(answer, client_address, now=now):
            self._tell(LeaseReappeared(lease.wish, now + _lifetime(answer)))
            return lease
        is_known = is_nat_pmp or self._leases.table.knows_nonce(answer.nonce)
        self._server.drop("mapping" if is_known else "nonce")
        return None

    def take(self, lease: Lease, answer: MapAnswer, *, now: float) -> None:
        """Take what the server says of a mapping. RFC 6887 11.4, RFC 6886 3.3."""
        if lease.leader is not None and lease.wanted:
            # It had asked for itself before.
            lease.leave(now=now)
        if answer.result_code != ResultCode.SUCCESS:
            self._on_error(lease, answer, now=now)
        elif lease.must_delete:
            self._on_success_unwanted(lease, answer, now=now)
        elif answer.lifetime and answer.assigned_external_port:
            self._on_success(lease, answer, now=now)
        else:
            # The late answer to a delete of what is wanted again, or it is gone.
            self._server.drop("stale")
            if lease.grant is not None:
                lease.ask_again(now=now)
        if answer.spoken is ServerProtocol.PCP:
            lease.note_pcp()
        self._leases.plan(lease, now=now)

    def _on_success(self, lease: Lease, answer: MapAnswer, *, now: float) -> None:
        if CANARY in answer.options:
            self._server.manners.echoes = True
        self._learn_manners(lease)
        previous = lease.grant
        grant = self._grant(lease, answer, now=now)
        if not lease.accepts(grant.assigned_external_port):
            self._give_back(lease, grant, now=now)
        elif previous is None or lease.is_unanswered or _differ(grant, previous):
            self._sender.settle(lease)
            lease.granted(grant, now=now, jitter=self._jitter)
            lease.echoed_options = codes_of(answer.options)
            self._tell(LeaseGranted(lease.key, grant, previous))
            self._share(lease, grant, now=now)
        # Else a copy, which must not make it seem to live longer. RFC 6887 8, 14.2.

    def _grant(self, lease: Lease, answer: MapAnswer, *, now: float) -> Grant:
        address = answer.assigned_external_address
        if answer.spoken is ServerProtocol.NAT_PMP:
            address = self._server.external_address
        port_range, before = granted_set(
            lease.asked_options,
            answer.options,
            internal_port=lease.key.internal_port,
            assigned_external_port=answer.assigned_external_port,
        )
        return Grant(
            assigned_external_address=address,
            assigned_external_port=answer.assigned_external_port + before,
            lifetime=_lifetime(answer),
            expires_at=now + _lifetime(answer),
            port_range=port_range,
        )

    def _share(self, leader: Lease, grant: Grant, *, now: float) -> None:
        """Let others have their part of a grant, or ask themselves. RFC 7753 4.2, 6.4.

        A set with a port that is not wanted any more is deleted, and made anew.
        """
        followers = sorted(leader.followers, key=lambda lease: lease.key.order)
        parts = [lease for lease in followers if is_part(lease, grant) and lease.wanted]
        if grant.port_range and len(parts) + 1 < grant.port_range.count:
            self._leases.remake(leader, now=now)
            return
        for lease in followers:
            if lease in parts:
                previous, part = lease.grant, part_of(grant, lease)
                lease.granted_along(part)
                self._tell(LeaseGranted(lease.key, part, previous))
            else:
                self._leases.lose(lease)

    def _give_back(self, lease: Lease, grant: Grant, *, now: float) -> None:
        refusal = port_taken(now=now)
        if lease.grant is not None:
            self._tell(LeaseLost(lease.key))
        lease.give_back(refusal, expires_at=grant.expires_at, now=now)
        self._tell(LeaseRefused(lease.key, refusal))

    def _on_success_unwanted(
        self, lease: Lease, answer: MapAnswer, *, now: float
    ) -> None:
        """Take the answer to a delete, or a grant that came too late. RFC 6887 15.1."""
        self._learn_manners(lease)
        self._sender.settle(lease)
        expires_at = now + _lifetime(answer)
        if (
            answer.lifetime == 0
            and now < lease.pcp_until
            and self._is_unproven(answer, now=now)
            and not lease.is_under_way(now=now)
        ):
            lease.deletion_lasts(expires_at=lease.pcp_until)
            self._tell(LeaseKept(lease.key))
        elif answer.lifetime == 0:
            lease.deleted(now=now)
        elif answer.assigned_external_port:
            lease.granted_unwanted(expires_at=expires_at, now=now)
        else:
            # The seconds that are left may have been cut to whole ones.
            lease.deletion_lasts(expires_at=expires_at + 1.0)
            self._tell(LeaseKept(lease.key))

    def _is_unproven(self, answer: MapAnswer, *, now: float) -> bool:
        """Tell whether one made in PCP may be there though NAT-PMP says it is not.

        A server that speaks both may have been heard in NAT-PMP first, and that knows
        nothing of what was made in PCP: such a mapping is deleted again in PCP. One that
        was asked for PCP with every check, and not heard in it, is deaf to it.
        """
        return (
            answer.spoken is ServerProtocol.NAT_PMP
            and not self._server.declines_pcp
            and now < self._server.protocol_since + PCP_RETRY_INTERVAL
        )

    def _on_error(self, lease: Lease, answer: MapAnswer, *, now: float) -> None:
        """Take a refusal. RFC 6887 8.3, 11.4.

        miniupnpd says NO_RESOURCES where there is nothing to delete; the hold of 11.4
        would punish the next wish for it. Of what was granted and should be there that
        is believed the second time: a server that means the error has it still.
        """
        if answer.result_code == ResultCode.MALFORMED_REQUEST and _was_read(lease):
            # It was damaged on its way: what was sent is not answered yet.
            self._server.drop("damaged")
            return
        if answer.result_code in _OPTION_ERRORS and (
            self._was_about_options(lease, answer, now=now)
        ):
            return
        is_full = answer.result_code == ResultCode.NO_RESOURCES
        refusal = refusal_of(answer.result_code, lifetime=answer.lifetime, now=now)
        if not lease.must_delete:
            if is_full:
                self._sender.create_hold = refusal
            if not self._asks_otherwise(lease, answer, now=now):
                self._leases.refuse(lease, refusal)
            return
        self._sender.settle(lease)
        if lease.wish.ends_by_itself:
            return
        if is_full and lease.may_be_gone(now=now):
            lease.deleted(now=now)
            return
        lease.deletion_refused(refusal)
        # Whoever waits for the deletion is asked for when nothing is left of it, too.
        at = min(refusal.retry_at, max(now, lease.open_until or now))
        for waiting in [lease, *lease.followers]:
            if waiting.wanted:
                waiting.refusal = replace(refusal, retry_at=at)
                self._tell(LeaseRefused(waiting.key, waiting.refusal))
        self._tell(LeaseKept(lease.key))
        if answer.result_code == ResultCode.NOT_AUTHORIZED:
            self._leases.limit_pinholes()

    def _asks_otherwise(self, lease: Lease, answer: MapAnswer, *, now: float) -> bool:
        """Ask for any address and port where PEER cannot have the ones it had.

        It implies PREFER_FAILURE; what it answers so was lost. RFC 6887 12.1, 12.3.
        """
        if not (
            answer.remote is not None
            and answer.result_code == ResultCode.CANNOT_PROVIDE_EXTERNAL
            and lease.forget_assigned()
        ):
            return False
        self._sender.settle(lease)
        if lease.grant is not None:
            self._tell(LeaseLost(lease.key))
        lease.lost()
        lease.ask_again(now=now)
        return True

    def _was_about_options(
        self, lease: Lease, answer: MapAnswer, *, now: float
    ) -> bool:
        """Ask again, once, without the options that a server may ignore.

        Late copies of such a refusal, which have the options that it was about
        (RFC 6887 7.3), mean nothing more.
        """
        if not lease.asked_optional:
            is_copy = has_optional(codes_of(answer.options))
            if is_copy:
                self._server.drop("stale")
            else:
                # It was about the others, which are this mapping's alone.
                lease.plain_options = None
            return is_copy
        lease.plain_options = without_optional(lease.asked_options)
        self._sender.settle(lease)
        lease.ask_otherwise(now=now)
        return True

    def _learn_manners(self, lease: Lease) -> None:
        """Leave out for all what a refused request was granted without.

        Only if it was the same one otherwise: the refusal may have been about THIRD_PARTY
        or FILTER.
        """
        if lease.plain_options == lease.asked_options:
            self._server.manners.refuses = True


def _lifetime(answer: MapAnswer) -> int:
    """Return a lifetime as we act on it. RFC 6887 15."""
    return min(answer.lifetime, MAXIMUM_LIFETIME)


def _was_read(lease: Lease) -> bool:
    """Tell whether the server has read the like of a lease's last request before.

    It has granted the mapping, or nobody would renew or delete it.
    """
    return lease.must_delete or (lease.grant is not None and not lease.is_doubtful)


def _differ(grant: Grant, other: Grant) -> bool:
    """Tell whether two grants are more than two copies of one answer."""
    return (
        grant.assigned_external_port,
        grant.assigned_external_address,
        grant.lifetime,
    ) != (
        other.assigned_external_port,
        other.assigned_external_address,
        other.lifetime,
    )
