"""What happens to forwards by itself: lost, and restored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ForwardLost:
    """A wanted forward that was open is not any more."""

    forward_id: str


@dataclass(frozen=True, slots=True)
class ForwardRestored:
    """A forward that was lost is open again."""

    forward_id: str


type News = ForwardLost | ForwardRestored


class Watch:
    """Tells which wanted forwards lost what they had, and which have it again."""

    def __init__(self) -> None:
        """Begin without having seen any."""
        self._open: set[str] = set()
        self._lost: set[str] = set()
        self._news: list[News] = []

    def look(self, forward_id: str, *, is_open: bool) -> None:
        """Take how a wanted forward is now."""
        if is_open:
            if forward_id in self._lost:
                self._lost.remove(forward_id)
                self._news.append(ForwardRestored(forward_id))
            self._open.add(forward_id)
        elif forward_id in self._open:
            self._open.remove(forward_id)
            self._lost.add(forward_id)
            self._news.append(ForwardLost(forward_id))

    def forget(self, forward_id: str) -> None:
        """Begin anew with a forward: what comes now is somebody's doing."""
        self._open.discard(forward_id)
        self._lost.discard(forward_id)

    def take_news(self) -> list[News]:
        """Return what happened since the last call."""
        news, self._news = self._news, []
        return news
