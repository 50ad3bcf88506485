"""The cheap question to a server: is it there, has it kept its state, where is it?

It is a request of its own every four minutes, not a retransmission, and any other
answer from the server puts it off.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from .codec import ResultCode
from .events import ServerProtocol
from .timing import (
    CHECK_INTERVAL,
    CHECK_TRANSMISSIONS,
    NAT_PMP_CHECK_TRANSMISSIONS,
    PCP_RETRY_INTERVAL,
    Jitter,
    Retransmission,
    nat_pmp_retransmission,
    pcp_retransmission,
)

# Some servers do not answer ANNOUNCE, or in NAT-PMP: so often it is tried.
_ANNOUNCE_CHANCES = 2
# What a server says that does not know PREFIX64, or has a bug with options.
_OPTION_REFUSED = frozenset(
    {
        ResultCode.MALFORMED_REQUEST,
        ResultCode.UNSUPP_OPTION,
        ResultCode.MALFORMED_OPTION,
    }
)


class Question(Enum):
    """What is asked."""

    ANNOUNCE = auto()
    """PCP's question for the epoch. RFC 6887 14.1."""

    PROBE = auto()
    """A PCP delete of nothing: its answer has a nonce, and maybe the external address."""

    EXTERNAL_ADDRESS = auto()
    """NAT-PMP's question for address and epoch. RFC 6886 3.2."""


@dataclass(slots=True, kw_only=True)
class Check:
    """When to ask, and what was asked."""

    jitter: Jitter
    new_nonce: Callable[[], bytes]
    due_at: float
    """When to ask, or to ask again; monotonic seconds."""

    retry_pcp_at: float
    """When to ask a NAT-PMP server whether it has learnt PCP. RFC 6887 9."""

    retry_pcp_interval: float = PCP_RETRY_INTERVAL
    """How long after that to ask it again, seconds."""

    nonce: bytes = b""
    """Of the PROBE that may still be answered, else empty."""

    asks_prefix64: bool = False
    """What was asked last asks for NAT64 prefixes, too. RFC 7225 4.3."""

    _prefix64_is_known: bool = False
    """The server has told prefixes: its silence is not the option's fault."""
    _prefix64_is_refused: bool = False
    _request: Retransmission | None = None
    _asked: set[Question] = field(default_factory=set)
    _is_needed: bool = False
    _wants_probe: bool = False
    _is_in_doubt: bool = False
    _announces_in_vain: int = 0

    @property
    def awaits_pcp(self) -> bool:
        """Tell whether a PCP question may still be answered."""
        return bool(self._asked & {Question.ANNOUNCE, Question.PROBE})

    def asked(self, question: Question) -> bool:
        """Tell whether a question may still be answered."""
        return question in self._asked

    def begin_by(self, at: float) -> None:
        """Ask at `at`, unless that is going on or due before."""
        if self._request is None:
            self.due_at = min(self.due_at, at)

    def restart(self, *, now: float, probe: bool = False, doubt: bool = False) -> None:
        """Ask afresh at once; `probe` when the answer must carry a nonce.

        `doubt` when the server may not speak PCP any more: one that does not answer
        the first question is asked in NAT-PMP, too.
        """
        nonce = self.nonce
        self._end(due_at=now)
        # What was asked before may yet be answered.
        self.nonce = nonce
        self._is_needed = True
        self._wants_probe = probe or doubt
        self._is_in_doubt = doubt

    def retry_pcp(self, *, now: float) -> None:
        """Ask a NAT-PMP server at once whether it has learnt PCP."""
        self.retry_pcp_at = now
        self.begin_by(now)

    def put_off(self, *, nat_pmp: bool, now: float) -> None:
        """Wait for the full interval again, unless a question is open or needed."""
        if self._request is None and not self._is_needed:
            self.due_at = self._next_at(nat_pmp=nat_pmp, now=now)

    def give_up(self, *, until: float) -> None:
        """Ask nothing before `until`."""
        self._end(due_at=until)

    def questions(
        self,
        protocol: ServerProtocol | None,
        *,
        over_ipv4: bool,
        granted: bool,
        silent: bool,
        now: float,
    ) -> tuple[Question, ...]:
        """Return what to ask now; `sent` is to be told.

        `granted` when the external address is known from leases, `silent` when the
        server has left questions unanswered.
        """
        first = self._request is None
        if first:
            self._begin(protocol, over_ipv4=over_ipv4)
        questions: tuple[Question, ...]
        match protocol:
            case ServerProtocol.NAT_PMP if first and now >= self.retry_pcp_at:
                self.retry_pcp_at = now + self.retry_pcp_interval
                # With a nonce: nobody but the server can say that it speaks PCP.
                questions = (Question.PROBE, Question.EXTERNAL_ADDRESS)
            case ServerProtocol.NAT_PMP:
                questions = (Question.EXTERNAL_ADDRESS,)
            case ServerProtocol.PCP if first and granted and self._can_announce():
                questions = (Question.ANNOUNCE,)
            case _ if (
                over_ipv4
                and not first
                and (protocol is None or self._is_in_doubt or silent)
            ):
                # Some NAT-PMP servers do not answer PCP at all. RFC 6887 appendix A.
                questions = (Question.PROBE, Question.EXTERNAL_ADDRESS)
            case _:
                questions = (Question.PROBE,)
        self._asked.update(questions)
        return questions

    def sent(self, *, now: float) -> Retransmission:
        """Note that it was sent; an answer may still come when it is given up."""
        request = self._request
        assert request is not None
        due_at = request.sent(now=now)
        if due_at is None:
            self._request = None
            self._prefix64_is_refused |= (
                self.asks_prefix64 and not self._prefix64_is_known
            )
            due_at = request.first_sent_at + CHECK_INTERVAL
        self.due_at = due_at
        return request

    def answered(self, question: Question, *, now: float) -> None:
        """Note that a question is answered, and with it the check."""
        if question is Question.ANNOUNCE:
            self._announces_in_vain = 0
        elif Question.ANNOUNCE in self._asked:
            self._announces_in_vain += 1
        is_nat_pmp, nonce = question is Question.EXTERNAL_ADDRESS, self.nonce
        self._end(due_at=self._next_at(nat_pmp=is_nat_pmp, now=now))
        if is_nat_pmp:
            # The question in PCP may yet be answered.
            self.nonce = nonce

    def takes_prefixes(self, result_code: int, *, told: bool) -> bool:
        """Note an answer; tell whether the prefixes in it are all there are.

        `told` when there are any. A server that refuses to be asked for them is not
        asked again before `allow_prefix64`.
        """
        self._prefix64_is_known |= told
        if self.asks_prefix64 and result_code in _OPTION_REFUSED:
            self._prefix64_is_refused = True
        return told or (self.asks_prefix64 and result_code == ResultCode.SUCCESS)

    def allow_prefix64(self) -> None:
        """Ask for NAT64 prefixes again, for it may be another server by now."""
        self._prefix64_is_refused = False

    def _begin(self, protocol: ServerProtocol | None, *, over_ipv4: bool) -> None:
        self._is_needed = False
        self._asked = set()
        self.nonce = self.new_nonce()
        # Not before it has answered: what it does not answer must not be the option.
        self.asks_prefix64 = (
            protocol is ServerProtocol.PCP
            and not over_ipv4
            and not self._prefix64_is_refused
        )
        self._request = (
            nat_pmp_retransmission(self.jitter, limit=NAT_PMP_CHECK_TRANSMISSIONS)
            if protocol is ServerProtocol.NAT_PMP
            else pcp_retransmission(self.jitter, limit=CHECK_TRANSMISSIONS)
        )

    def _next_at(self, *, nat_pmp: bool, now: float) -> float:
        """Return when to ask next; not later than a NAT-PMP server is asked in PCP."""
        at = now + CHECK_INTERVAL
        return min(at, max(now, self.retry_pcp_at)) if nat_pmp else at

    def _can_announce(self) -> bool:
        return not self._wants_probe and self._announces_in_vain < _ANNOUNCE_CHANCES

    def _end(self, *, due_at: float) -> None:
        self.due_at = due_at
        self.nonce = b""
        self._request = None
        self._asked = set()
        self._is_needed = False
        self._wants_probe = False
        self._is_in_doubt = False
