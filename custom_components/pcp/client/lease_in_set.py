"""What becomes of a mapping together with those of other ports. RFC 7753.

One lease of a set leads: its requests are for the ports that follow, too. The others
follow it and ask for nothing themselves, until they leave it. What becomes of a lease by
itself is in `lease`.
"""

from typing import Self

from .lease_facts import LeaseFacts
from .mapping import Grant


class LeaseInSet(LeaseFacts):
    """One mapping, which may lead others or follow one. Times are monotonic seconds."""

    __slots__ = ()

    def begin_request(self, *, may_be_set: bool, now: float) -> None:
        """Decide on a new request: for how many ports, and whether filters go first.

        A set is deleted as one: what may be there of more ports than are wanted now
        is given back first, unless the protocol knows no sets.
        """
        if not may_be_set:
            self.port_count = 1
        elif self.creates:
            count = self._wanted_count()
            if self.port_count_to_delete > count and self.is_open(now=now):
                self.giving_back = True
            else:
                self.port_count = count
        if self.is_open(now=now) and self._asked_sources != self.wish.allowed_sources:
            self.removes_filters = True

    def follow(self, leader: Self) -> None:
        """Leave the asking to another one."""
        self.pause()
        self.leader = leader
        leader.followers.append(self)
        if leader.has_granted(self) and not self.has_asked:
            self._granted_until = None

    def leave(self, *, now: float) -> None:
        """Ask for itself from now on."""
        leader = self.leader
        assert leader is not None
        self._stop_following(leader)
        may_last = leader.open_until
        if self.grant is not None:
            self._granted_until = self.grant.expires_at
        elif may_last is not None and leader.reaches(self):
            self._granted_until = max(self._granted_until or 0.0, may_last)
        if self.refusal is not None and now < self.refusal.retry_at:
            # It was refused along with the one that it followed.
            self._held_until = self.action_at = self.refusal.retry_at
        else:
            self.ask_afresh(now=now)

    def separate(self) -> None:
        """Follow nobody, and ask for nothing because of it."""
        if self.leader is not None:
            self._granted_until = self.open_until
            self._stop_following(self.leader)

    def _stop_following(self, leader: LeaseFacts) -> None:
        leader.followers = [it for it in leader.followers if it is not self]
        self.leader = None

    def granted_along(self, grant: Grant) -> None:
        """Take what was granted to the one that it follows."""
        self._answered()
        self._free()
        self.grant = grant
        self.is_attested = True
        self.is_doubtful = False
        self.is_urgent = False
        self.asks_singly = False
        self.suggested_external_port = grant.assigned_external_port
        self.suggested_external_address = grant.assigned_external_address
        self._granted_until = None
        self._granted_lifetime = self._beyond_request(grant)

    def remake(self, *, now: float) -> None:
        """Delete a set of which not all is wanted any more, and ask for the rest."""
        self._granted_until = self.open_until
        self._answered()
        self.grant = None
        self.giving_back = True
        self._ask_at(now)

    # When it is asked for.

    def pause(self) -> None:
        """Ask nothing more until `ask_again`, for there is no way to ask."""
        self.awaiting = None
        self.action_at = None

    def ask_afresh(self, *, now: float) -> None:
        """Ask again when a hold or a long wait is over."""
        self.refusal = None
        self._ask_at(now)

    def _free(self) -> None:
        """End all holds, and begin anew with options."""
        self.refusal = None
        self.plain_options = None
        self._held_until = float("-inf")

    def _ask_at(self, at: float) -> None:
        self.awaiting = None
        waits = self.leader is not None or (
            self.must_delete and self.wish.ends_by_itself
        )
        self.action_at = None if waits else at

    def _answered(self, expires_at: float | None = None) -> None:
        self.pause()
        if expires_at is None or not self.may_precede_request(expires_at):
            if self._copies > 1:
                self._copied_at = self._unanswered_at
            self._copies = 0
            self._unanswered_at = None
            self._asked_until = None
