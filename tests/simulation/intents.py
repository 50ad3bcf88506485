"""What the people in the house want, as far as they can know it themselves.

While an act is under way nobody can say what holds; when it has returned, it holds, and
no crash may change that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.forward import Forward

# Seconds. A duration ends when its timer comes, and is rounded in storage.
TOLERANCE = 2.0


@dataclass(slots=True, kw_only=True)
class Intent:
    """What is wanted of one forward."""

    forward: Forward
    want: bool | None = False
    """None while nobody can say."""

    since: float = 0.0
    """When it last changed."""

    closes_at: float | None = None
    slack: float = TOLERANCE
    """By how much the wall clock was set meanwhile."""

    acts: int = 0
    """Under way."""

    overlapped: bool = False
    ended_by_itself: bool = False
    last_act: str = ""
    may_be: list[Forward] = field(default_factory=list)
    """What it is being changed to."""


class Intents:
    """What is wanted of all forwards."""

    def __init__(self) -> None:
        """Begin with none."""
        self.by_id: dict[str, Intent] = {}
        self.tried: list[Forward] = []
        """What is being added."""
        self.leaving: dict[str, Intent] = {}
        """What is removed already, by an act that has not returned, or by itself."""
        self.writing_takes = 0.0
        """So long a write takes: an off wish is on disk before anything comes of it."""

    def __iter__(self) -> Iterator[tuple[str, Intent]]:
        return iter(self.by_id.items())

    def define(self, forwards: Mapping[str, Forward], *, now: float) -> None:
        """Take the forwards as they are defined when the entry is loaded."""
        for forward_id, forward in forwards.items():
            # Nobody has seen the definition of one whose act has not returned.
            self.by_id.setdefault(forward_id, Intent(forward=forward, since=now))
            self.by_id[forward_id].forward = forward

    def begin(self, forward_id: str, act: str) -> tuple[bool | None, float | None]:
        """Note that an act begins; return what it goes back to when refused."""
        intent = self.by_id[forward_id]
        before = intent.want, intent.closes_at
        intent.overlapped = intent.acts > 0
        intent.acts += 1
        intent.last_act = act
        intent.ended_by_itself = False
        intent.want = None
        return before

    def end(
        self,
        forward_id: str,
        *,
        want: bool | None,
        closes_at: float | None,
        wished: bool | None,
        now: float,
    ) -> None:
        """Note that an act has returned, and what it has settled.

        `wished` is what the switch shows: it decides where acts overlapped.
        """
        if (leaving := self.leaving.get(forward_id)) is not None:
            leaving.acts -= 1
            if not leaving.acts:
                del self.leaving[forward_id]
        intent = self.by_id.get(forward_id)
        if intent is None:
            return
        intent.acts -= 1
        if intent.acts:
            return
        if intent.overlapped and not (intent.last_act == "close" and want is False):
            want = wished
        intent.want, intent.closes_at, intent.since = want, closes_at, now
        intent.slack = TOLERANCE
        intent.may_be.clear()

    def remove(self, forward_id: str, *, now: float) -> None:
        """Note that a forward is gone; what is under way with it may go on."""
        intent = self.by_id.pop(forward_id, None)
        if intent is not None:
            self.leaving[forward_id] = intent
            if not intent.acts:
                intent.want, intent.since = False, now
                intent.ended_by_itself = True

    def settle(self, forward_id: str, want: bool, closes_at: float | None) -> None:
        """Take what the switch shows where nobody could say."""
        intent = self.by_id[forward_id]
        intent.acts = 0
        intent.may_be.clear()
        intent.want, intent.closes_at = want, closes_at

    def stop_all(self, now: float, *, third_parties_only: bool = False) -> None:
        """Let nothing be wanted any more."""
        for intent in self.by_id.values():
            if intent.forward.target_host is not None or not third_parties_only:
                intent.want, intent.since, intent.closes_at = False, now, None

    def pass_time(self, now: float) -> None:
        """Let durations end."""
        for forward_id, intent in list(self.leaving.items()):
            if not intent.acts and not self._is_being_written(intent, now):
                del self.leaving[forward_id]
        for intent in self.by_id.values():
            if intent.closes_at is None or intent.want is False:
                continue
            if now >= intent.closes_at + intent.slack:
                if intent.acts == 0:
                    intent.want, intent.since = False, now
                    intent.closes_at = None
                    intent.ended_by_itself = True
            elif now >= intent.closes_at - intent.slack:
                intent.want = None

    def doubt_ends(self, *, since: float) -> None:
        """Let nobody say what has run out: by the clock on the wall it has not yet."""
        since -= 2 * self.writing_takes
        for intent in self.by_id.values():
            if intent.ended_by_itself and intent.since >= since:
                intent.want = None

    def permit(
        self, host: IPAddress | None, protocol: int, port: int, *, now: float
    ) -> bool:
        """Tell whether a mapping may be asked for now, for another host or for us."""
        return any(
            _has(forward, host, protocol, port)
            for intent in (*self.by_id.values(), *self.leaving.values())
            if intent.want is not False or self._is_being_written(intent, now)
            for forward in (intent.forward, *intent.may_be)
        ) or any(_has(forward, host, protocol, port) for forward in self.tried)

    def _is_being_written(self, intent: Intent, now: float) -> bool:
        """Tell whether the end of what ended by itself may not be on disk yet.

        Another write may have been under way.
        """
        ends_at = intent.since + 2 * self.writing_takes
        return intent.ended_by_itself and now <= ends_at


def _has(forward: Forward, host: IPAddress | None, protocol: int, port: int) -> bool:
    return (
        forward.target_host == host
        and protocol in forward.protocol.protocols
        and 0 <= port - forward.internal_port < forward.port_count
    )
