"""Watches an event loop: which callbacks hold it up for long, and who is in them.

Every callback and every step of a task is timed; a thread looks at the loop's stack
while one lasts. It slows the loop by about a percent.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import gc
import sys
import threading
import time
from types import FrameType
from typing import Any

THRESHOLD = 0.010
_INTERVAL = 0.002


@dataclass(slots=True)
class Block:
    """One callback that lasted too long."""

    phase: str
    seconds: float
    """Of the processor: what other processes take is no fault of the callback."""

    collecting: float
    """More seconds in the garbage collector, which runs in anybody's callback."""

    stacks: list[list[str]] = field(default_factory=list)
    """Innermost first, as `file:line function`; one each few milliseconds."""

    def is_of(self, folder: str) -> bool:
        """Tell whether a file of a folder was seen in the stack."""
        return any(folder in frame for stack in self.stacks for frame in stack)


class Watchdog:
    """Times the callbacks of the loop of the thread that makes it."""

    def __init__(self) -> None:
        """Begin to watch."""
        self.phase = ""
        self.blocks: list[Block] = []
        self._thread_id = threading.get_ident()
        self._began_at = 0.0
        self._collecting = 0.0
        self._collection_began_at = 0.0
        self._stacks: list[list[str]] = []
        self._run = asyncio.Handle._run
        asyncio.Handle._run = self._timed()  # type: ignore[method-assign]
        gc.callbacks.append(self._on_collection)
        # So that the thread comes to its turn while a callback goes on.
        sys.setswitchinterval(0.001)
        threading.Thread(target=self._look, daemon=True).start()

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Give what happens within a name."""
        before, self.phase = self.phase, phase
        try:
            yield
        finally:
            self.phase = before

    def longest(self, folder: str, phase: str | None = None) -> Block | None:
        """Return the longest block with a folder's files in its stack."""
        blocks = [
            block
            for block in self.blocks
            if block.is_of(folder) and phase in (None, block.phase)
        ]
        return max(blocks, key=lambda block: block.seconds, default=None)

    def _timed(self) -> Any:
        run = self._run

        def timed(handle: asyncio.Handle) -> None:
            self._stacks = []
            self._collecting = 0.0
            self._began_at = time.perf_counter()
            worked = time.thread_time()
            try:
                run(handle)
            finally:
                self._began_at = 0.0
                seconds = time.thread_time() - worked - self._collecting
                if seconds > THRESHOLD:
                    self.blocks.append(
                        Block(self.phase, seconds, self._collecting, self._stacks)
                    )

        return timed

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        if threading.get_ident() != self._thread_id:
            return
        if phase == "start":
            self._collection_began_at = time.thread_time()
        else:
            self._collecting += time.thread_time() - self._collection_began_at

    def _look(self) -> None:
        while True:
            time.sleep(_INTERVAL)
            began_at, stacks = self._began_at, self._stacks
            if began_at and time.perf_counter() - began_at > THRESHOLD / 2:
                frame = sys._current_frames().get(self._thread_id)
                if self._began_at == began_at:
                    stacks.append(_stack(frame))


def _stack(frame: FrameType | None) -> list[str]:
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append(f"{code.co_filename}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return stack
