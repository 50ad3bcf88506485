"""What is made of a server's datagrams: is it the answer, and what does it tell of it?

Here are the server's epoch, its address, and what could be forged. What an answer says
of one mapping is in `answers`; who is asked what is the keeper's matter.
"""

from collections.abc import Callable

from . import wire
from .answers import Answers
from .check import Check, Question
from .codec import IPAddress, ResultCode
from .contact import Contact
from .events import Event, ExternalAddressChanged, ServerProtocol, ServerRestarted
from .external_address import is_another, told_by
from .hearsay import Hearsay
from .leases import Leases
from .pace import LossPace
from .rounds import Rounds
from .server import Server


class Reception:
    """Takes what one server says. All times are monotonic seconds."""

    def __init__(
        self,
        server: Server,
        leases: Leases,
        answers: Answers,
        check: Check,
        hearsay: Hearsay,
        contact: Contact,
        rounds: Rounds,
        *,
        tell: Callable[[Event], None],
    ) -> None:
        """Begin with nothing heard."""
        self._server = server
        self._leases = leases
        self._answers = answers
        self._check = check
        self._hearsay = hearsay
        self._contact = contact
        self._tell = tell
        self._rounds = rounds
        self._losses = LossPace()
        self._are_prefixes_doubted = False

    def take(self, answer: wire.Answer, *, now: float) -> None:
        """Take what came from the server's address and port. RFC 6887 8.3."""
        match answer:
            case wire.MapAnswer():
                self._on_map_answer(answer, now=now)
            case wire.StatusAnswer():
                self._on_status_answer(answer, now=now)
            case wire.VersionAnswer():
                self._contact.take_version_answer(answer, now=now)

    def take_announcement(self, answer: wire.StatusAnswer, *, now: float) -> None:
        """Let an announcement be verified.

        One of NAT-PMP by a server that speaks PCP: miniupnpd sends these beside PCP's,
        with an epoch of another count, or the server lost its PCP. RFC 6886 3.2.1.
        """
        spoken = answer.spoken
        repeats = self._server.is_repeating(answer.epoch_time, spoken, now=now)
        if (
            spoken is ServerProtocol.PCP
            and self._server.protocol is ServerProtocol.NAT_PMP
        ):
            # Who is asked in NAT-PMP has learnt PCP, or knew it all the time.
            repeats = False
        known = self._server.nat64_prefixes
        if self._server.address.version == 6 and answer.nat64_prefixes not in (
            (),
            known,
        ):
            repeats = False
            self._check.allow_prefix64()
            self._are_prefixes_doubted = True
        self._hearsay.announcement(repeats=repeats, now=now)

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        if self._hearsay.take_verification(now=now):
            self._verify(now=now)
        self._rounds.handle_timer(now=now)

    def forget_prefixes(self) -> None:
        """Ask anew for NAT64 prefixes: we may be in another network. RFC 7225 4.3."""
        self._server.nat64_prefixes = ()
        self._check.allow_prefix64()

    # Answers.

    def _on_map_answer(self, answer: wire.MapAnswer, *, now: float) -> None:
        if answer.nonce == self._check.nonce:
            self._on_trusted(answer.spoken, answer.epoch_time, now=now)
            self._set_external_address(answer.assigned_external_address, now=now)
            self._take_prefixes(answer)
            self._check.answered(Question.PROBE, now=now)
            return
        lease = self._answers.lease_of(answer, now=now)
        if lease is None:
            return
        self._on_trusted(answer.spoken, answer.epoch_time, now=now)
        known = self._server.external_address
        if is_another(answer, lease, known):
            self._rounds.begin(since=now, now=now)
        self._set_external_address(told_by(answer, lease, known), now=now)
        if answer.nat64_prefixes:
            self._take_prefixes(answer)
        self._answers.take(lease, answer, now=now)

    def _on_status_answer(self, answer: wire.StatusAnswer, *, now: float) -> None:
        spoken, epoch_time = answer.spoken, answer.epoch_time
        in_line = self._server.epoch_is_valid(epoch_time, spoken, now=now)
        is_pcp = spoken is ServerProtocol.PCP
        question = Question.ANNOUNCE if is_pcp else Question.EXTERNAL_ADDRESS
        if not self._check.asked(question):
            # RFC 6887 14.1.3: a restart may be announced by unicast, too.
            if is_pcp and not in_line and answer.result_code == ResultCode.SUCCESS:
                self.take_announcement(answer, now=now)
            else:
                self._server.drop("unasked")
            return
        if not is_pcp and self._server.protocol is ServerProtocol.PCP:
            self._contact.take_nat_pmp_answer(now=now)
            return
        if is_pcp and not in_line:
            # This answer has no nonce: one that has is asked for.
            self._check.answered(question, now=now)
            self._contact.hear(now=now)
            self._verify(now=now)
            return
        self._on_trusted(spoken, epoch_time, now=now)
        self._set_external_address(answer.external_address, now=now)
        self._take_prefixes(answer)
        self._check.answered(question, now=now)

    def _on_trusted(
        self, spoken: ServerProtocol, epoch_time: int, *, now: float
    ) -> None:
        """Take the protocol and the epoch of an answer to a question of ours."""
        self._contact.hear_in(spoken, now=now)
        has_slept = self._server.runs_ahead(epoch_time, spoken, now=now)
        if not self._server.take_epoch(epoch_time, spoken, now=now):
            self._lose_all(now=now)
        elif (since := self._hearsay.answered()) is not None or has_slept:
            self._rounds.begin(since=now if since is None else since, now=now)

    # The server as a whole.

    def _set_external_address(self, address: IPAddress | None, *, now: float) -> None:
        old = self._server.external_address
        if address in (None, old) or address.version != self._server.address.version:
            return
        self._server.external_address = address
        self._tell(ExternalAddressChanged(old, address))
        if self._server.protocol is ServerProtocol.NAT_PMP:
            self._leases.tell_address(address)
        elif old is not None:
            self._rounds.begin(since=now, now=now)

    def _lose_all(self, *, now: float) -> None:
        """Make every mapping again, for the server lost its state. RFC 6887 8.5."""
        self._check.allow_prefix64()
        self._hearsay.loss(epoch_time=self._server.epoch_time, now=now)
        self._rounds.end()
        ask_at = self._losses.next_at(now)
        if ask_at > now:
            # So soon after the last one that everything is just being made again.
            self._leases.renew_granted(at=ask_at, now=now)
            self._leases.end_holds(at=ask_at, now=now)
            return
        if self._server.protocol is ServerProtocol.NAT_PMP:
            # It may have learnt PCP at its restart.
            self._check.retry_pcp(now=now)
        assert self._server.started_at is not None
        self._tell(ServerRestarted(self._server.started_at))
        self._leases.lose_all(now=now)

    def _verify(self, *, now: float) -> None:
        """Ask one question whose answer cannot be forged from outside our traffic."""
        if (
            self._are_prefixes_doubted
            or self._server.protocol is not ServerProtocol.PCP
            or not self._leases.renew_one(now=now)
        ):
            self._are_prefixes_doubted = False
            self._check.retry_pcp_at = now
            self._check.restart(now=now, probe=True)

    def _take_prefixes(self, answer: wire.MapAnswer | wire.StatusAnswer) -> None:
        """Take the NAT64 prefixes of an answer in place of what was known."""
        prefixes = answer.nat64_prefixes
        if self._check.takes_prefixes(answer.result_code, told=bool(prefixes)):
            self._server.nat64_prefixes = prefixes
