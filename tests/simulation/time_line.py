"""One line of time for everything: an event loop whose clock jumps to what is next.

It is what asyncio's tasks, locks and timeouts need of a loop, and no more: no sockets,
no threads, no sleeping. What is due at the same time runs in the order it was asked for,
so that a run repeats exactly.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from typing import Any, override

# So many things may be done at one time; more is a loop that does not come to rest.
_PATIENCE = 100_000


class StandstillError(Exception):
    """Time does not go on, for there is always something to be done at once."""


class Timer:
    """Something to be done; what asyncio calls a handle."""

    __slots__ = ("_when", "args", "callback")

    def __init__(
        self, when: float, callback: Callable[..., Any] | None, args: tuple[Any, ...]
    ) -> None:
        self._when = when
        self.callback = callback
        self.args = args

    def cancel(self) -> None:
        """Do not do it."""
        self.callback = None
        self.args = ()

    def cancelled(self) -> bool:
        """Tell whether it will not be done."""
        return self.callback is None

    def when(self) -> float:
        """Return when it is due."""
        return self._when


class TimeLine(asyncio.AbstractEventLoop):
    """The loop of everybody in one simulation."""

    def __init__(self, start: float) -> None:
        """Begin at a time, monotonic seconds."""
        self.now = start
        self.steps = 0
        self.between: Callable[[], None] = lambda: None
        """Called when all that was due is done, before time goes on."""
        self.faults: list[BaseException] = []
        """What tasks raised that nobody waited for."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()

    def run_until(self, end: float) -> None:
        """Do what is due until then."""
        asyncio._set_running_loop(self)
        try:
            heap = self._heap
            steps_until = self.steps + _PATIENCE
            while heap and heap[0][0] <= end:
                when, _, timer = heappop(heap)
                if timer.callback is None:
                    continue
                if when > self.now:
                    # It may be due after what this finds out.
                    heappush(heap, (when, -1, timer))
                    self.between()
                    if heap[0][2] is not timer:
                        continue
                    heappop(heap)
                    if timer.callback is None:
                        continue
                    self.now = when
                    steps_until = self.steps + _PATIENCE
                self.steps += 1
                if self.steps > steps_until:
                    raise StandstillError
                timer.callback(*timer.args)
            self.between()
            self.now = end
        finally:
            asyncio._set_running_loop(None)

    # What asyncio asks of a loop.

    @override
    def time(self) -> float:
        return self.now

    @override
    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> Timer:
        timer = Timer(when, callback, args)
        heappush(self._heap, (max(when, self.now), next(self._numbers), timer))
        return timer

    @override
    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> Timer:
        return self.call_at(self.now + delay, callback, *args)

    @override
    def call_soon(  # type: ignore[override]
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: Context | None = None,
    ) -> Timer:
        return self.call_at(self.now, callback, *args)

    @override
    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    @override
    def create_task(
        self, coro: Coroutine[Any, Any, Any], **kwargs: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, eager_start=True)

    @override
    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        future.set_result(func(*args))
        return future

    @override
    def get_debug(self) -> bool:
        return False

    @override
    def is_running(self) -> bool:
        return True

    @override
    def is_closed(self) -> bool:
        return False

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if isinstance(error := context.get("exception"), BaseException):
            self.faults.append(error)
