"""What the people in the house want, as far as they can know it themselves.

While an act is under way nobody can say what holds; when it has returned, it holds, and
no crash may change that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

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

    def __iter__(self) -> Iterator[tuple[str, Intent]]:
        return iter(self.by_id.items())

    def begin(self, forward_id: str, act: str) -> tuple[bool | None, float | None]:
        """Note that an act begins; return what it goes back to when refused."""
        intent = self.by_id[forward_id]
        before = intent.want, intent.closes_at
        intent.overlapped = intent.acts > 0
        intent.acts += 1
        intent.last_act = act
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

    def settle(self, forward_id: str, want: bool, closes_at: float | None) -> None:
        """Take what the switch shows where nobody could say."""
        intent = self.by_id[forward_id]
        intent.acts = 0
        intent.may_be.clear()
        intent.want, intent.closes_at = want, closes_at

    def pass_time(self, now: float) -> None:
        """Let durations end."""
        for intent in self.by_id.values():
            if intent.closes_at is None or intent.want is False:
                continue
            if now >= intent.closes_at + intent.slack:
                if intent.acts == 0:
                    intent.want, intent.since = False, now
                    intent.closes_at = None
            elif now >= intent.closes_at - intent.slack:
                intent.want = None

    def permit(self, protocol: int, port: int) -> bool:
        """Tell whether a mapping may be asked for now."""
        return any(
            _has(forward, protocol, port)
            for intent in self.by_id.values()
            if intent.want is not False
            for forward in (intent.forward, *intent.may_be)
        ) or any(_has(forward, protocol, port) for forward in self.tried)


def _has(forward: Forward, protocol: int, port: int) -> bool:
    return (
        protocol in forward.protocol.protocols
        and 0 <= port - forward.internal_port < forward.port_count
    )
