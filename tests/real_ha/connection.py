"""Blocking requests to a Home Assistant, over TCP on loopback or over a Unix socket.

Every request runs in a thread of its own that ends with it: nothing is left running
between two calls, and the caller may be inside of an event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import queue
import threading
from types import TracebackType
from typing import Any, Self

import aiohttp

REQUEST_TIMEOUT = 60.0


class ApiError(Exception):
    """Home Assistant refused a request.

    `code` is an HTTP status as text, or the code of a websocket error.
    """

    def __init__(self, code: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details

    @property
    def translation_key(self) -> str | None:
        """The key of a translated error."""
        return self.details.get("translation_key")

    @property
    def translation_placeholders(self) -> dict[str, str]:
        """What is filled into a translated error."""
        return self.details.get("translation_placeholders") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a Home Assistant listens, and the token that opens it."""

    token: str
    port: int
    unix_socket: Path | None = None

    def request(
        self, method: str, path: str, data: dict[str, Any] | None = None
    ) -> Any:
        """Make one REST request below /api/; return what its JSON says.

        Raises ApiError for any answer but 2xx, OSError or aiohttp.ClientError when
        there is none.
        """
        return _run(lambda: self._request(method, path, data))

    def command(self, message: dict[str, Any]) -> Any:
        """Send one websocket command; return its result. Raises as `request`."""
        return _run(lambda: self._command(message))

    def subscribe(self, message: dict[str, Any]) -> Subscription:
        """Send a websocket command whose result is a stream of events."""
        return Subscription(self, message)

    async def _request(
        self, method: str, path: str, data: dict[str, Any] | None
    ) -> Any:
        async with (
            self._session() as session,
            session.request(method, f"/api/{path}", json=data) as response,
        ):
            is_json = response.content_type == "application/json"
            answer = await (response.json() if is_json else response.text())
            if not response.ok:
                details = answer if isinstance(answer, dict) else {}
                raise ApiError(
                    str(response.status), details.get("message", str(answer)), details
                )
            return answer

    async def _command(self, message: dict[str, Any]) -> Any:
        async with asyncio.timeout(REQUEST_TIMEOUT), self._websocket() as websocket:
            await websocket.send_json({"id": 1} | message)
            return _result(await websocket.receive_json())

    @asynccontextmanager
    async def _websocket(self) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """Open a websocket and authenticate. Messages may be of any size."""
        async with (
            self._session() as session,
            session.ws_connect("/api/websocket", max_msg_size=0) as websocket,
        ):
            await websocket.receive_json()
            await websocket.send_json({"type": "auth", "access_token": self.token})
            answer = await websocket.receive_json()
            if answer["type"] != "auth_ok":
                raise ApiError("auth", answer.get("message", ""), answer)
            yield websocket

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self.port}",
            connector=aiohttp.UnixConnector(str(self.unix_socket))
            if self.unix_socket
            else aiohttp.TCPConnector(),
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT),
        )


class Subscription:
    """Events of one websocket command, collected from `with` on until its end."""

    def __init__(self, connection: Connection, message: dict[str, Any]) -> None:
        self._connection = connection
        self._message = message
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._started: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="subscription")

    def __enter__(self) -> Self:
        """Subscribe; return when Home Assistant has confirmed."""
        self._thread.start()
        error = self._started.get(timeout=REQUEST_TIMEOUT)
        if error is not None:
            self._thread.join()
            raise error
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the connection and its thread."""
        if self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def next(self, timeout: float = 10.0) -> Any:
        """Return the next event; raise TimeoutError when there is none in time."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no event within {timeout} s") from None

    def next_that(
        self, condition: Callable[[Any], object], timeout: float = 10.0
    ) -> Any:
        """Return the next event that fulfils `condition`, dropping those before it."""
        while not condition(event := self.next(timeout)):
            pass
        return event

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._collect())
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001 - raised in the other thread
                self._started.put(error)

    async def _collect(self) -> None:
        self._task = asyncio.current_task()
        async with self._connection._websocket() as websocket:
            await websocket.send_json({"id": 1} | self._message)
            _result(await websocket.receive_json())
            self._started.put(None)
            async for message in websocket:
                answer = message.json()
                if answer["type"] == "event":
                    self._events.put(answer["event"])


def _result(answer: dict[str, Any]) -> Any:
    if answer["success"]:
        return answer["result"]
    error = answer["error"]
    raise ApiError(error["code"], error["message"], error)


def _run[T](make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(lambda: asyncio.run(make())).result()
