"""Whether a server answers, and which protocol it speaks with us. RFC 6887 9."""

from collections.abc import Callable
from dataclasses import replace

from .check import Check
from .codec import NAT_PMP_VERSION, PCP_VERSION, ResultCode
from .events import Event, ProtocolChanged, ServerProtocol, ServerReachable
from .hearsay import Hearsay
from .leases import Leases
from .refusals import refusal_of
from .server import Server
from .timing import CHECK_INTERVAL, PCP_RETRY_INTERVAL, SHORT_HOLD
from .wire import VersionAnswer


class Contact:
    """The contact with one server. All times are monotonic seconds."""

    def __init__(
        self,
        server: Server,
        leases: Leases,
        check: Check,
        hearsay: Hearsay,
        *,
        tell: Callable[[Event], None],
    ) -> None:
        """Begin with nothing heard."""
        self._server = server
        self._leases = leases
        self._check = check
        self._hearsay = hearsay
        self._tell = tell
        self.is_heard = False
        """Whether the server has answered since we have our address."""
        self._is_declined = False
        """It has said that it does not speak our version of PCP."""
        self._is_unheard = False
        """It was heard in NAT-PMP, and has not said whether it speaks PCP."""

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        self._judge(now=now)
        if self._server.silent_at is not None and now >= self._server.silent_at:
            self.fall_silent()

    # Whether it answers.

    def hear(self, *, now: float) -> None:
        """Note that the server is there; what it may have missed is asked again."""
        self.is_heard = True
        is_news = self._server.hear(now=now)
        is_nat_pmp = self._server.protocol is ServerProtocol.NAT_PMP
        self._check.put_off(nat_pmp=is_nat_pmp, now=now)
        if is_news:
            self._tell(ServerReachable(True))
            self._leases.ask_unanswered(now=now)
            if is_nat_pmp:
                # It may be another one by now; or it was never one of NAT-PMP, and a
                # forger has said so while it was silent.
                self._check.retry_pcp(now=now)

    def fall_silent(self) -> None:
        """Note that the server does not answer."""
        if self._server.fall_silent():
            self._tell(ServerReachable(False))

    # What it speaks.

    def hear_in(self, protocol: ServerProtocol, *, now: float) -> None:
        """Note an answer to a question of ours, and the protocol that it is in."""
        self.hear(now=now)
        if protocol is ServerProtocol.PCP:
            self._hearsay.pcp_answer()
            if self._is_declined:
                self._is_declined = False
                self._leases.ask_refused_in_pcp(now=now)
                self._leases.ask_unanswered(now=now)
            self._server.declines_pcp = False
        if self._server.protocol is not protocol:
            self._switch(protocol, now=now)

    def take_version_answer(self, answer: VersionAnswer, *, now: float) -> None:
        """Take the news that the server does not speak PCP version 2."""
        protocol = self._server.protocol
        is_nat_pmp = protocol is ServerProtocol.NAT_PMP
        if answer.version == PCP_VERSION:
            # The answer to a NAT-PMP question, of a server that speaks PCP alone.
            self._server.drop("version")
            if is_nat_pmp:
                self._hearsay.announcement(repeats=False, now=now)
        elif not self._check.awaits_pcp and (
            is_nat_pmp or not any(lease.is_unanswered for lease in self._leases.table)
        ):
            self._server.drop("unasked")
        elif is_nat_pmp:
            self.hear(now=now)
            if not self._server.declines_pcp:
                self._server.declines_pcp = True
                self._leases.delete_again(now=now)
            if self._is_unheard:
                self._is_unheard = False
                self._check.retry_pcp_interval = PCP_RETRY_INTERVAL
                self._check.retry_pcp_at = now + PCP_RETRY_INTERVAL
        elif protocol is None:
            self._server.declines_pcp = True
            self._speak_another(answer, now=now)
        else:
            self._take_denial(answer, now=now)

    def take_nat_pmp_answer(self, *, now: float) -> None:
        """Take the sign that a server that speaks PCP knows NAT-PMP.

        It does not speak PCP any more if it was asked for both in doubt, and gives no
        answer in PCP. One that was silent in PCP before is doubted for it.
        """
        if self._hearsay.is_in_doubt(now=now):
            self._testify(VersionAnswer(version=NAT_PMP_VERSION), now=now)
        elif self._server.reachable is False and (
            self._hearsay.doubt(silent=True, now=now)
        ):
            self._check.restart(now=now, doubt=True)
        else:
            self._server.drop("version")

    def _take_denial(self, answer: VersionAnswer, *, now: float) -> None:
        """Take the news that a server that has spoken PCP does not: verify it."""
        if self._is_declined and self._server.reachable:
            # It was verified before: this is no silence, after which all is asked anew.
            self._server.hear(now=now)
        if self._hearsay.is_in_doubt(now=now):
            if not self._is_nat_pmp(answer):
                # There is no more to be had: the next one is as good as an answer.
                self._testify(answer, now=now)
        elif self._hearsay.doubt(now=now):
            self._check.restart(now=now, doubt=True)

    def _testify(self, answer: VersionAnswer, *, now: float) -> None:
        self._hearsay.testify(answer, now=now)
        self._judge(now=now)

    def _judge(self, *, now: float) -> None:
        if (answer := self._hearsay.take_version(now=now)) is not None:
            self._speak_another(answer, now=now)

    def _is_nat_pmp(self, answer: VersionAnswer) -> bool:
        """Tell whether NAT-PMP is what the server speaks; it knows IPv4 only."""
        return answer.version == NAT_PMP_VERSION and self._server.address.version == 4

    def _switch(self, protocol: ServerProtocol, *, now: float) -> None:
        """Speak another protocol from now on, and ask for everything in it."""
        before = self._server.protocol
        self._server.protocol = protocol
        self._server.protocol_since = now
        self._tell(ProtocolChanged(protocol))
        self._check.retry_pcp_at = now + PCP_RETRY_INTERVAL
        if before is ServerProtocol.PCP:
            # NAT-PMP has no nonces: what says that it is spoken may be forged, and ends
            # with the first answer in PCP.
            self._check.retry_pcp_interval = CHECK_INTERVAL
            self._check.retry_pcp_at = now
        elif protocol is ServerProtocol.NAT_PMP and not self._server.declines_pcp:
            # It was only not heard in PCP, which may have got lost.
            self._is_unheard = True
            self._check.retry_pcp_interval = CHECK_INTERVAL
            self._check.retry_pcp_at = now + CHECK_INTERVAL
        if before is None and protocol is ServerProtocol.PCP:
            self._leases.ask_refused_in_pcp(now=now)
        else:
            self._leases.doubt_all()
            self._leases.ask_all(now=now, forced=True)
            self._check.restart(now=now)

    def _speak_another(self, answer: VersionAnswer, *, now: float) -> None:
        """Speak NAT-PMP if that is it, else wait for the server to learn PCP.

        Ours is the lowest version of PCP: there is no next lower one to try. A server
        that has spoken it is asked again with the next check, for a silent one cannot
        deny what is said in its name.
        """
        self.hear(now=now)
        if self._is_nat_pmp(answer):
            self._switch(ServerProtocol.NAT_PMP, now=now)
            return
        wait = _seconds_to_wait(answer)
        if self._server.protocol is ServerProtocol.PCP:
            wait = min(wait, CHECK_INTERVAL)
        self._is_declined = True
        refusal = refusal_of(ResultCode.UNSUPP_VERSION, lifetime=0, now=now)
        refusal = replace(refusal, retry_at=now + wait)
        self._leases.refuse_unanswered(refusal, now=now)
        self._check.give_up(until=now + wait)


def _seconds_to_wait(answer: VersionAnswer) -> float:
    """Return when PCP is tried again: the answer's lifetime, half an hour at most."""
    if not answer.lifetime:
        return PCP_RETRY_INTERVAL
    return max(SHORT_HOLD, min(answer.lifetime, PCP_RETRY_INTERVAL))
