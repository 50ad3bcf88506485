"""What is wanted of one router: definitions, wishes, durations, trials and changes.

Nothing here knows what was granted. Times are monotonic seconds. Whatever changes says
at which places it does, for the ledger to settle them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .forward import Forward, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user wants of a forward."""

    wanted: bool = False
    closes_at: float | None = None
    """When it is to be closed by itself."""


class Wishes:
    """The forwards of one router, and what is wanted of them."""

    def __init__(self) -> None:
        """Begin without forwards."""
        self._forwards: dict[str, Forward] = {}
        self._forwards_at: dict[Place, list[str]] = {}
        self._wishes: dict[str, Wish] = {}
        self._trials: list[tuple[Forward, float]] = []
        self._changes: dict[str, float] = {}
        self._touched: set[str] = set()
        self._closed: set[str] = set()

    @property
    def forwards(self) -> Mapping[str, Forward]:
        """Return the defined forwards by their ids."""
        return self._forwards

    @property
    def by_forward(self) -> Mapping[str, Wish]:
        """Return what is wanted, by the ids of the forwards."""
        return self._wishes

    @property
    def tried(self) -> list[Forward]:
        """Return the forwards that are asked for and not defined yet."""
        return [forward for forward, _ in self._trials]

    def define(self, forwards: Mapping[str, Forward]) -> list[Place]:
        """Take all forwards as they are defined now.

        One that is new and was tried just before is wanted; any other new one is off.
        """
        before, self._forwards = self._forwards, dict(forwards)
        wishes, self._wishes = self._wishes, {}
        places: list[Place] = []
        for forward_id in {**before, **forwards}:
            old, new = before.get(forward_id), forwards.get(forward_id)
            if old is new or old == new:
                continue
            self.touch(forward_id)
            self._changes.pop(forward_id, None)
            for place in old.places() if old else ():
                self._forwards_at[place].remove(forward_id)
                places.append(place)
            for place in new.places() if new else ():
                self._forwards_at.setdefault(place, []).append(forward_id)
                places.append(place)
            if new is not None and self.end_trial(new) and old is None:
                wishes[forward_id] = Wish(wanted=True)
        self._closed &= forwards.keys()
        for place in places:
            if not self._forwards_at.get(place, True):
                del self._forwards_at[place]
        for forward_id in forwards:
            self._wishes[forward_id] = wishes.get(forward_id) or Wish()
        return places

    def set_wish(self, forward_id: str, wish: Wish) -> list[Place]:
        """Set what is wanted of a forward."""
        self._wishes[forward_id] = wish
        (self._closed.discard if wish.wanted else self._closed.add)(forward_id)
        self.touch(forward_id)
        return list(self._forwards[forward_id].places())

    def is_asked_for(self, forward_id: str) -> bool:
        """Tell whether a forward is wanted, and not about to be changed."""
        return self._wishes[forward_id].wanted and forward_id not in self._changes

    def wanted_at(self, place: Place) -> Iterator[Forward]:
        """Yield the forwards to ask for at a place, defined or tried."""
        for forward_id in self.ids_at(place):
            if self.is_asked_for(forward_id):
                yield self._forwards[forward_id]
        for forward, _ in self._trials:
            if forward.is_at(place):
                yield forward

    def ids_at(self, place: Place) -> Iterable[str]:
        """Return the ids of the forwards at a place."""
        return self._forwards_at.get(place, ())

    def places(self) -> list[Place]:
        """Return all places where anything is defined or tried."""
        tried = (place for forward, _ in self._trials for place in forward.places())
        return [*self._forwards_at, *tried]

    def finished(self, forward_ids: Iterable[str]) -> list[str]:
        """Return which are temporary and were closed, and so are to be removed.

        One of which nobody knows whether it was wanted stays.
        """
        return [
            forward_id
            for forward_id in forward_ids
            if self._forwards[forward_id].temporary and forward_id in self._closed
        ]

    # What is asked for, or not, while a form is still open.

    def begin_trial(self, forward: Forward, *, ends_at: float) -> None:
        """Want a forward before it is defined, until then at most."""
        self._trials.append((forward, ends_at))

    def end_trial(self, forward: Forward) -> bool:
        """End the trial of a forward; tell whether there was one."""
        before = len(self._trials)
        self._trials = [trial for trial in self._trials if trial[0] != forward]
        return len(self._trials) < before

    def begin_change(self, forward_id: str, *, ends_at: float) -> None:
        """Let a forward make way for its change, until then at most."""
        self._changes[forward_id] = ends_at
        self.touch(forward_id)

    def end_change(self, forward_id: str) -> None:
        """Go on with a forward that was to be changed, if it was."""
        if self._changes.pop(forward_id, None) is not None:
            self.touch(forward_id)

    def stop_all(self) -> None:
        """Stop wanting anything."""
        self._trials.clear()
        self._changes.clear()
        for forward_id in self._forwards:
            self.set_wish(forward_id, Wish())

    def stop_third_parties(self) -> list[Place]:
        """Stop wanting forwards to other hosts, also those that are tried."""
        places: list[Place] = []
        for forward, _ in self._trials.copy():
            if forward.target_host is not None:
                self.end_trial(forward)
                places += forward.places()
        for forward_id, forward in self._forwards.items():
            if forward.target_host is not None and self._wishes[forward_id].wanted:
                places += self.set_wish(forward_id, Wish())
        return places

    # Time.

    def next_end(self) -> float | None:
        """Return when the next duration, trial or change ends."""
        times = [wish.closes_at for wish in self._wishes.values() if wish.wanted]
        times += [ends_at for _, ends_at in self._trials]
        times += self._changes.values()
        return min((at for at in times if at is not None), default=None)

    def end(self, *, now: float) -> list[Place]:
        """End the durations, trials and changes whose time has come."""
        places: list[Place] = []
        for forward_id, wish in self._wishes.items():
            if wish.wanted and wish.closes_at is not None and wish.closes_at <= now:
                places += self.set_wish(forward_id, Wish())
        for forward, ends_at in self._trials.copy():
            if ends_at <= now:
                self.end_trial(forward)
                places += forward.places()
        for forward_id, ends_at in list(self._changes.items()):
            if ends_at <= now:
                self.end_change(forward_id)
                places += self._forwards[forward_id].places()
        return places

    # What is to be shown anew.

    def touch(self, forward_id: str) -> None:
        """Note that a forward may stand otherwise now."""
        self._touched.add(forward_id)

    def take_touched(self) -> set[str]:
        """Return the forwards that may stand otherwise than at the last call."""
        touched, self._touched = self._touched, set()
        return touched & self._forwards.keys()
