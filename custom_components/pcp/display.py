"""Brings what is shown of a router up to date, a few forwards at a time.

It looks at ledger and links, makes views, and passes on what has changed: to the
entities, to the repairs, to those who wait, to the log.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import islice
import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from . import issues
from .acts import Acts
from .engine import Engine
from .news import News
from .redaction import without_addresses
from .views import ForwardView, PcpData, RouterView, forward_view, router_view
from .waiting import Waiting

_LOGGER = logging.getLogger(__name__)

# So many forwards are shown at a time, and so much news is told: a few milliseconds of
# the event loop.
_AT_ONCE = 16


class Display:
    """What is shown of one router and its forwards."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        engine: Engine,
        acts: Acts,
        waiting: Waiting,
        *,
        publish: Callable[[PcpData, Collection[str | None]], None],
        tell: Callable[[News], None],
        remove: Callable[[str], None],
    ) -> None:
        """Begin with nothing to see.

        `publish` gets what is to be seen and the forwards that have changed, None among
        them for the router; `tell` gets news of forwards; `remove` gets the forwards
        that have had their time.
        """
        self.data = PcpData(router=RouterView(), forwards={})
        self._hass = hass
        self._entry = entry
        self._engine = engine
        self._ledger = engine.ledger
        self._acts = acts
        self._waiting = waiting
        self._publish = publish
        self._tell = tell
        self._remove = remove
        self._unshown: dict[str, None] = {}
        self._untold: deque[News] = deque()
        self._rest: asyncio.Handle | None = None
        self._is_silence_told = False

    async def async_begin(self) -> None:
        """Show every forward: the platforms ask for them."""
        self.catch_up()
        while self._unshown:
            await asyncio.sleep(0)
            self.catch_up()

    @callback
    def catch_up(self) -> None:
        """Show what has changed, tell it, and wake those who wait for it.

        That of a few forwards at once; the rest follows in the loop's next turns.
        """
        self._unshown.update(dict.fromkeys(self._ledger.take_touched()))
        self._untold += self._ledger.take_news()
        forward_ids = []
        for forward_id in list(islice(self._unshown, _AT_ONCE)):
            del self._unshown[forward_id]
            if forward_id in self._ledger.forwards:
                forward_ids.append(forward_id)
        issues.async_look_at_storage(
            self._hass, self._entry, is_failing=self._engine.is_storage_failing
        )
        self.show(forward_ids)
        for _ in range(min(len(self._untold), _AT_ONCE)):
            self._tell(self._untold.popleft())
        self._waiting.look(forward_ids)
        reachable = self._engine.links.reachable
        for forward_id in self._ledger.finished(forward_ids, reachable):
            self._remove(forward_id)
        if (self._unshown or self._untold) and self._rest is None:
            self._rest = self._hass.loop.call_soon(self._on_rest)

    @callback
    def show(self, forward_ids: Collection[str]) -> None:
        """Bring what is shown up to date, for these forwards and the router."""
        for forward_id in forward_ids:
            self._unshown.pop(forward_id, None)
        before = self.data
        reachable = self._engine.links.reachable
        fresh = {
            forward_id: forward_view(
                forward_id,
                self._ledger.standing(forward_id, reachable),
                self._engine.clock,
            )
            for forward_id in forward_ids
        }
        forwards = {**before.forwards, **fresh}
        known = self._ledger.forwards
        if forwards.keys() != before.forwards.keys() or forwards.keys() - known.keys():
            forwards = {it: forwards[it] for it in known if it in forwards}
        router = router_view(self._engine.links, self._engine.clock)
        changed: set[str | None] = {
            forward_id
            for forward_id, view in fresh.items()
            if view != before.forwards.get(forward_id)
        }
        self._look_for_issues(fresh.values())
        if router != before.router:
            changed.add(None)
            issues.async_look_at_router(self._hass, self._entry, router)
        if changed or forwards.keys() != before.forwards.keys():
            self.data = PcpData(router=router, forwards=forwards)
            self._publish(self.data, changed)
        self._log_silence(reachable.values())

    @callback
    def forward(self, forward_id: str) -> ForwardView:
        """Return a forward as it is now."""
        if forward_id in self._unshown:
            self.show([forward_id])
        return self.data.forwards[forward_id]

    @callback
    def silence(self) -> None:
        """Show nothing more."""
        if self._rest is not None:
            self._rest.cancel()

    @callback
    def _on_rest(self) -> None:
        self._rest = None
        self.catch_up()

    def _look_for_issues(self, forwards: Iterable[ForwardView]) -> None:
        for view in forwards:
            # Who is opening it is told as an error.
            if not self._acts.is_opening(view.forward_id):
                issues.async_look_at_forward(self._hass, view)

    def _log_silence(self, reachable: Iterable[bool | None]) -> None:
        """Log the first silence, and the first answer after it."""
        known = [answers for answers in reachable if answers is not None]
        is_silent = not any(known)
        if not known or is_silent is self._is_silence_told:
            return
        self._is_silence_told = is_silent
        # A router is called by its address until it gets a name.
        title = without_addresses(self._entry.title)
        # Both are warnings, for Home Assistant's log has nothing less by itself.
        if is_silent:
            _LOGGER.warning("%s does not answer", title)
        else:
            _LOGGER.warning("%s answers again", title)
