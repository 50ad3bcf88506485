"""What anybody on the LAN can say, and how seldom it makes us ask.

ANNOUNCE and version answers carry no nonce. Nothing in them is believed: they are a
reason to ask the server, at most once in ten seconds however many there are.
"""

from .epoch import REPETITIONS
from .timing import ANNOUNCE_WAIT, SILENCE, VERIFICATION_INTERVAL, Jitter
from .wire import VersionAnswer

# RFC 6887 14.1.3: a restart is announced up to ten times.
LAST_REPETITION = REPETITIONS[-1] + 1.0 + ANNOUNCE_WAIT
# A server that counts from its restart has counted so far at most when that is found.
FRESH = 2 * ANNOUNCE_WAIT
# So long the questions of a doubt are repeated, and a little longer. RFC 6887 8.1.1.
DOUBT = 12.0
# Where datagrams are lost, one in NAT-PMP may come through and three in PCP may not.
ANSWERS_OF_SILENT = 2


class Hearsay:
    """What was heard and is not verified yet. All times are monotonic seconds."""

    def __init__(self, jitter: Jitter) -> None:
        """Begin with nothing heard."""
        self._jitter = jitter
        self._verify_at: float | None = None
        self._verified_at = float("-inf")
        self._loss_at = float("-inf")
        self._is_open = False
        """A verification was asked for, and is not answered yet."""
        self._doubted_at = float("-inf")
        self._is_in_doubt = False
        self._testimony: VersionAnswer | None = None
        self._lacking = 0
        """So many more testimonies are needed."""
        self._judge_at: float | None = None

    def next_at(self) -> float | None:
        """Return when one of the methods below has something to tell."""
        times = (self._verify_at, self._judge_at)
        return min((at for at in times if at is not None), default=None)

    # Announcements: the server may have lost its mappings. RFC 6887 14.1.3.

    def announcement(self, *, repeats: bool, now: float) -> None:
        """Take an announcement; `repeats` when it looks like one that was seen to.

        An epoch that is in line proves nothing, for some routers announce a restart and
        count on from their uptime.
        """
        if self._verify_at is None and not (
            repeats and now < self._loss_at + LAST_REPETITION
        ):
            self._verify_at = max(
                now + ANNOUNCE_WAIT * self._jitter(),
                self._verified_at + VERIFICATION_INTERVAL,
            )

    def take_verification(self, *, now: float) -> bool:
        """Tell whether the server is to be asked now; `answered` tells of its answer."""
        if self._verify_at is None or now < self._verify_at:
            return False
        self._verify_at = None
        self._verified_at = now
        self._is_open = True
        return True

    def answered(self) -> float | None:
        """Note an answer that shows no loss; return since when there may be one yet.

        None when no verification was open.
        """
        if not self._is_open:
            return None
        self._is_open = False
        return self._verified_at

    def loss(self, *, epoch_time: int | None, now: float) -> None:
        """Note that everything is made again: what was heard before is seen to.

        And what repeats it, from a server that has just begun to count.
        """
        is_fresh = epoch_time is not None and epoch_time <= FRESH
        self._loss_at = now if is_fresh else float("-inf")
        self._is_open = False

    # Versions: the server may not speak PCP any more. RFC 6887 9.

    def doubt(self, *, silent: bool = False, now: float) -> bool:
        """Doubt that the server speaks PCP; tell whether it is to be asked now.

        `silent` when its silence is why: then two testimonies are needed. A router that
        comes back without PCP announces itself, and then declines the question for
        which it was: the doubt does not wait for ten seconds after that, but the
        announcement after it waits for twenty.
        """
        earliest = self._verified_at
        if self._verify_at is not None:
            earliest += VERIFICATION_INTERVAL
        if now < max(earliest, self._doubted_at + VERIFICATION_INTERVAL):
            return False
        self._verified_at = max(now, self._verified_at + VERIFICATION_INTERVAL)
        if self._verify_at is not None:
            self._verify_at = max(
                self._verify_at, self._verified_at + VERIFICATION_INTERVAL
            )
        self._doubted_at = now
        self._is_in_doubt = True
        self._lacking = ANSWERS_OF_SILENT if silent else 1
        return True

    def is_in_doubt(self, *, now: float) -> bool:
        """Tell whether it was doubted a while ago, and no answer in PCP has come."""
        return self._is_in_doubt and now < self._doubted_at + DOUBT

    def testify(self, answer: VersionAnswer, *, now: float) -> None:
        """Note what the server seems to speak instead of PCP."""
        self._lacking -= 1
        if self._lacking == 0:
            self._judge_at = max(now, self._doubted_at + SILENCE)
        self._testimony = answer

    def pcp_answer(self) -> None:
        """Note that the server speaks PCP."""
        self._is_in_doubt = False
        self._testimony = self._judge_at = None

    def take_version(self, *, now: float) -> VersionAnswer | None:
        """Return what the server speaks instead of PCP, once it is sure."""
        if self._judge_at is None or now < self._judge_at:
            return None
        answer = self._testimony
        self.pcp_answer()
        return answer
