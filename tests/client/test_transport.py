"""The shell around a keeper: the pump, the timer, the socket and what may go wrong."""

import asyncio
from collections import deque
from collections.abc import Callable
import errno
from ipaddress import IPv4Address, IPv6Address
import logging
from typing import Any, cast

import pytest

from custom_components.pcp.client import transport as transport_module
from custom_components.pcp.client.codec import IPAddress
from custom_components.pcp.client.events import Event, ServerReachable
from custom_components.pcp.client.keeper import Keeper
from custom_components.pcp.client.transport import Transport
from custom_components.pcp.client.udp import ServerSocket

from .sockets import PATIENCE, LoopbackServer, ip, loopback_address

OURSELVES = IPv4Address("127.0.0.1")
UP = ServerReachable(reachable=True)
DOWN = ServerReachable(reachable=False)


class ScriptedKeeper:
    """Note the inputs; tell and send what a test has put there."""

    def __init__(self, server: IPAddress) -> None:
        """Have nothing to do."""
        self.server = server
        self.client_address: IPAddress | None = None
        self.inputs: list[tuple[Any, ...]] = []
        self.times: list[float] = []
        self.heard = asyncio.Event()
        self.events: deque[Event] = deque()
        self.news_of_sending: list[Event] = []
        self.outbox: list[bytes] = []
        self.wakeup: float | None = None
        self.fault: Exception | None = None

    def set_client_address(self, address: IPAddress | None, *, now: float) -> None:
        """Take our address."""
        self.client_address = address
        self._note(now, "address", address)

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """Take a datagram."""
        self._note(now, "datagram", data)

    def receive_announcement(
        self, data: bytes, source: IPAddress, source_port: int, *, now: float
    ) -> None:
        """Take an announcement."""
        self._note(now, "announcement", data, source, source_port)

    def connection_refused(self, *, now: float) -> None:
        """Take a refusal."""
        self._note(now, "refused")

    def handle_timer(self, *, now: float) -> None:
        """Take the time."""
        self.wakeup = None
        self._note(now, "timer")

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """Send what is there."""
        self.times.append(now)
        self.events.extend(self.news_of_sending)
        self.news_of_sending.clear()
        outbox, self.outbox = self.outbox, []
        return outbox

    def next_event(self) -> Event | None:
        """Tell what is there."""
        return self.events.popleft() if self.events else None

    def next_wakeup(self) -> float | None:
        """Want to be woken."""
        return self.wakeup

    def _note(self, now: float, *what: Any) -> None:
        self.times.append(now)
        self.inputs.append(what)
        self.heard.set()
        if self.fault is not None:
            raise self.fault

    async def input(self, *what: Any) -> None:
        """Wait for an input."""
        async with asyncio.timeout(PATIENCE):
            while what not in self.inputs:
                self.heard.clear()
                await self.heard.wait()


class Shell:
    """A transport with its keeper, and what it told."""

    def __init__(self, server: IPAddress) -> None:
        """Make both; nothing is open yet."""
        self.keeper = ScriptedKeeper(server)
        self.events: list[Event] = []
        self.pumped = 0
        self.on_event: Callable[[Event], None] = self.events.append
        self.on_pumped: Callable[[], None] = lambda: None
        self.transport = Transport(
            cast(Keeper, self.keeper),
            on_event=self._tell,
            on_pumped=self._pumped,
        )

    def let_the_retry_come(self) -> None:
        """Do what the loop will do when the time for another attempt has come."""
        assert self.transport._retry is not None
        self.transport._retry.cancel()
        self.transport._on_tick()

    def _tell(self, event: Event) -> None:
        self.on_event(event)

    def _pumped(self) -> None:
        self.pumped += 1
        self.on_pumped()


@pytest.fixture
async def loop_faults() -> list[dict[str, Any]]:
    """Return what reaches the loop's exception handler."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: faults.append(c))
    return faults


@pytest.mark.usefixtures("loopback")
async def test_start() -> None:
    """16.4: the keeper learns its address first, then its datagrams leave at once."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        shell.keeper.outbox = [b"one", b"two"]
        await shell.transport.start()
        assert shell.keeper.inputs == [("address", OURSELVES)]
        assert shell.keeper.outbox == []
        assert [await server.request() for _ in range(2)] == [b"one", b"two"]
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_answer_goes_to_the_keeper() -> None:
    """8.3: what the server sends is the keeper's; the pump follows."""
    with LoopbackServer(lambda _: [b"answer"]) as server:
        shell = Shell(server.address)
        shell.keeper.outbox = [b"request"]
        await shell.transport.start()
        shell.keeper.events.extend((UP, DOWN))
        pumped = shell.pumped
        await shell.keeper.input("datagram", b"answer")
        await asyncio.sleep(0)
        assert shell.events == [UP, DOWN]
        assert shell.pumped == pumped + 1
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_icmp_refusal() -> None:
    """RFC 6886 3.1: the ICMP message is the keeper's to judge."""
    shell = Shell(loopback_address())
    shell.keeper.outbox = [b"request"]
    await shell.transport.start()
    await shell.keeper.input("refused")
    shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_refusal_found_by_sending() -> None:
    """A refusal that a later send reports is told once, and that in the same pump."""
    shell = Shell(loopback_address())
    shell.keeper.outbox = [b"one", b"two", b"three"]
    await shell.transport.start()
    assert shell.keeper.inputs[1:] == [("refused",)]
    shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_other_errors_are_silence(caplog: pytest.LogCaptureFixture) -> None:
    """9: a fault of the network is a debug line, never more."""
    caplog.set_level(logging.DEBUG, transport_module.__name__)
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        shell.transport._on_error(OSError("No route to host"))
        assert shell.keeper.inputs == [("address", OURSELVES)]
        shell.transport.close()
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.usefixtures("loopback")
async def test_nobody_waits_for_the_pump() -> None:
    """`on_pumped` may be left out."""
    with LoopbackServer() as server:
        keeper = ScriptedKeeper(server.address)
        keeper.outbox = [b"request"]
        transport = Transport(cast(Keeper, keeper), on_event=print)
        await transport.start()
        assert await server.request() == b"request"
        transport.close()


@pytest.mark.usefixtures("loopback")
async def test_failed_send(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed send is a lost datagram; where nothing else changed the socket stays."""
    caplog.set_level(logging.DEBUG, transport_module.__name__)
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        before = shell.transport._socket
        monkeypatch.setattr(ServerSocket, "send", _raise(OSError("No buffers")))
        shell.keeper.outbox = [b"lost"]
        shell.transport.pump()
        assert shell.transport._socket is before
        assert shell.keeper.inputs == [("address", OURSELVES)]
        shell.transport.close()
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.usefixtures("loopback")
async def test_failed_send_finds_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """11.5: after a failed send our address may be another one; that goes out at once."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        with monkeypatch.context() as patch:
            patch.setattr(ServerSocket, "send", _raise(OSError("Invalid argument")))
            assert shell.transport._socket is not None
            shell.transport._socket.path = (OURSELVES, "", "another")
            shell.keeper.outbox = [b"lost"]
            shell.events.clear()
            shell.keeper.set_client_address = _and_then(  # type: ignore[method-assign]
                shell.keeper.set_client_address,
                lambda: shell.keeper.events.append(UP),
            )
            shell.transport.pump()
        assert shell.keeper.inputs == [("address", OURSELVES)] * 2
        assert shell.events == [UP]
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_timer_is_the_keepers() -> None:
    """The keeper is woken when it wants to be, and not before."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        deadline = shell.transport.now() + 0.001
        shell.keeper.wakeup = deadline
        await shell.transport.start()
        await shell.keeper.input("timer")
        assert shell.keeper.times[-1] >= deadline
        assert shell.transport._timer is None
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_woken_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that wakes up too early does not let the keeper see that, ever after."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        early = shell.transport.now()
        monkeypatch.setattr(shell.transport._loop, "time", lambda: early)
        shell.keeper.times.clear()
        shell.transport._on_timer(early + 5.0)
        assert ("timer",) in shell.keeper.inputs
        assert shell.keeper.times[-1] == early + 5.0
        assert shell.keeper.times == sorted(shell.keeper.times)
        assert shell.transport.now() == early + 5.0
        monkeypatch.undo()
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_timer_is_set_anew_only_when_it_moved() -> None:
    """The same deadline keeps its timer; another, or none, cancels it."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        shell.keeper.wakeup = shell.transport.now() + 1000.0
        await shell.transport.start()
        first = shell.transport._timer
        assert first is not None
        assert first.when() == shell.keeper.wakeup
        shell.transport.pump()
        assert shell.transport._timer is first
        shell.keeper.wakeup += 1.0
        shell.transport.pump()
        second = shell.transport._timer
        assert second is not None
        assert second.when() == shell.keeper.wakeup
        assert first.cancelled()
        shell.keeper.wakeup = None
        shell.transport.pump()
        assert shell.transport._timer is None
        assert second.cancelled()
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_pump_within_the_pump() -> None:
    """A wish made while an event is told goes out in the same pump, after it."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        depth = 0

        def wish(event: Event) -> None:
            nonlocal depth
            depth += 1
            assert depth == 1
            shell.events.append(event)
            shell.keeper.outbox.append(b"wish")
            shell.transport.pump()
            depth -= 1

        shell.on_event = wish
        shell.keeper.events.append(UP)
        pumped = shell.pumped
        shell.transport.pump()
        assert await server.request() == b"wish"
        assert shell.events == [UP]
        assert shell.pumped == pumped + 1
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_pump_after_the_pump() -> None:
    """A wish made by `on_pumped` goes out in the loop's next turn."""
    with LoopbackServer() as server:
        shell = Shell(server.address)

        def wish_once() -> None:
            if shell.pumped == 1:
                shell.keeper.outbox.append(b"wish")
                shell.transport.pump()

        shell.on_pumped = wish_once
        await shell.transport.start()
        assert await server.request() == b"wish"
        assert shell.pumped == 2
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_news_of_sending() -> None:
    """What becomes known while datagrams are fetched is told in the same pump."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        shell.keeper.news_of_sending.append(UP)
        shell.transport.pump()
        assert shell.events == [UP]
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_endless_news() -> None:
    """A keeper that is never done leaves the loop its turns, and is not forgotten."""
    with LoopbackServer() as server:
        shell = Shell(server.address)

        def more(event: Event) -> None:
            shell.events.append(event)
            if len(shell.events) < 40:
                shell.keeper.outbox.append(b"more")
                shell.keeper.news_of_sending.append(UP)

        shell.on_event = more
        shell.keeper.events.append(UP)
        await shell.transport.start()
        assert 1 < len(shell.events) < 40
        for _ in range(39):
            assert await server.request() == b"more"
        assert len(shell.events) == 40
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_failing_listeners(
    loop_faults: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A listener's bug is logged; the events after it are told, the timer is set."""

    def fail_on_down(event: Event) -> None:
        shell.events.append(event)
        if event is DOWN:
            raise ZeroDivisionError

    with LoopbackServer() as server:
        shell = Shell(server.address)
        shell.on_event = fail_on_down
        shell.on_pumped = _raise(ZeroDivisionError())
        shell.keeper.events.extend((DOWN, UP))
        shell.keeper.wakeup = shell.transport.now() + 1000.0
        await shell.transport.start()
        assert shell.events == [DOWN, UP]
        assert shell.transport._timer is not None
        assert shell.transport._retry is None
        shell.transport.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert loop_faults == []


@pytest.mark.usefixtures("loopback")
async def test_failing_keeper(
    loop_faults: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the keeper is logged, once; it is pumped again after a while."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        deadline = shell.transport.now() + 0.001
        shell.keeper.wakeup = deadline
        await shell.transport.start()
        shell.keeper.fault = ZeroDivisionError()
        await shell.keeper.input("timer")
        await asyncio.sleep(0)
        retry = shell.transport._retry
        assert isinstance(retry, asyncio.TimerHandle)
        assert retry.when() >= deadline + transport_module._RETRY_INTERVAL
        shell.keeper.fault = None
        shell.keeper.wakeup = deadline + 1000.0
        shell.let_the_retry_come()
        assert shell.transport._timer is not None
        shell.transport.close()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert loop_faults == []


@pytest.mark.usefixtures("loopback")
async def test_close_leaves_nothing() -> None:
    """After `close` there is no task, no timer, no reader; nothing is said or sent."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks()
    with LoopbackServer() as server:
        shell = Shell(server.address)
        shell.keeper.wakeup = shell.transport.now() + 1000.0
        await shell.transport.start()
        timer, sock = shell.transport._timer, shell.transport._socket
        assert timer is not None
        assert sock is not None
        descriptor = sock._sock.fileno()
        shell.transport.close()
        shell.transport.close()
        assert timer.cancelled()
        assert not loop.remove_reader(descriptor)
        assert asyncio.all_tasks() == tasks
        inputs, pumped = list(shell.keeper.inputs), shell.pumped
        shell.keeper.outbox = [b"too late"]
        shell.keeper.events.append(UP)
        shell.transport.pump()
        shell.transport.refresh_local_address()
        shell.transport.feed_announcement(b"announced", OURSELVES, 5351)
        assert shell.keeper.inputs == inputs
        assert (shell.events, shell.pumped) == ([], pumped)
        assert shell.transport._socket is None


@pytest.mark.usefixtures("loopback")
async def test_close_while_an_event_is_told() -> None:
    """A listener may close the transport; nothing is sent or set after that."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()

        def close(event: Event) -> None:
            shell.events.append(event)
            shell.transport.close()
            raise ZeroDivisionError

        shell.on_event = close
        shell.keeper.events.extend((DOWN, UP))
        shell.keeper.outbox = [b"too late"]
        shell.keeper.wakeup = shell.transport.now() + 1000.0
        shell.transport.feed_announcement(b"announced", OURSELVES, 5351)
        assert shell.events == [DOWN]
        assert shell.keeper.outbox == [b"too late"]
        assert shell.transport._timer is None
        assert shell.transport._retry is None


@pytest.mark.usefixtures("loopback")
async def test_close_after_a_wish() -> None:
    """A wish and then the end, both out of `on_pumped`: no timer is left behind."""
    with LoopbackServer() as server:
        shell = Shell(server.address)

        def wish_and_close() -> None:
            shell.transport.pump()
            shell.transport.close()

        shell.on_pumped = wish_and_close
        await shell.transport.start()
        assert shell.transport._retry is None


@pytest.mark.usefixtures("loopback")
async def test_nothing_before_the_start() -> None:
    """Before `start` the network is left alone."""
    shell = Shell(loopback_address())
    shell.keeper.outbox = [b"request"]
    shell.transport.pump()
    shell.transport.feed_announcement(b"announced", OURSELVES, 5351)
    assert shell.keeper.inputs == []
    assert shell.keeper.outbox == [b"request"]
    assert shell.transport._socket is None


@pytest.mark.usefixtures("loopback")
async def test_announcement() -> None:
    """14.1.3: announcements go to the keeper with their source, then the pump."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        pumped = shell.pumped
        shell.transport.feed_announcement(b"announced", OURSELVES, 5351)
        assert shell.keeper.inputs[-1] == (
            "announcement",
            b"announced",
            OURSELVES,
            5351,
        )
        assert shell.pumped == pumped + 1
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_no_network_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """4: no network is no error; it is looked for at each pump and every 15 s."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        with monkeypatch.context() as patch:
            patch.setattr(transport_module, "ServerSocket", _raise(OSError("No way")))
            begin = shell.transport.now()
            await shell.transport.start()
            shell.transport.refresh_local_address()
            assert shell.keeper.client_address is None
            retry = shell.transport._retry
            assert isinstance(retry, asyncio.TimerHandle)
            assert retry.when() - begin >= 15.0
        shell.keeper.outbox = [b"request"]
        shell.let_the_retry_come()
        assert shell.keeper.client_address == OURSELVES
        assert await server.request() == b"request"
        assert shell.transport._retry is None
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_network_is_back_at_a_pump(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wish does not wait for the 15 s."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        with monkeypatch.context() as patch:
            patch.setattr(transport_module, "ServerSocket", _raise(OSError("No way")))
            shell.keeper.outbox = [b"lost"]
            await shell.transport.start()
            assert shell.keeper.outbox == []
        shell.keeper.outbox = [b"request"]
        shell.transport.pump()
        assert await server.request() == b"request"
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_network_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no way any more, the keeper is told, and again when there is."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        with monkeypatch.context() as patch:
            patch.setattr(transport_module, "ServerSocket", _raise(OSError("No way")))
            shell.transport.refresh_local_address()
            assert shell.keeper.client_address is None
            assert shell.transport._retry is not None
        shell.transport.refresh_local_address()
        assert shell.keeper.client_address == OURSELVES
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    "code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]
)
async def test_a_lack_of_sockets_keeps_the_one_that_is_there(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Home Assistant has no file handles left: that is no news of the network."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        with monkeypatch.context() as patch:
            patch.setattr(
                transport_module, "ServerSocket", _raise(OSError(code, "No more"))
            )
            shell.keeper.outbox = [b"request"]
            shell.transport.refresh_local_address()
            assert shell.keeper.inputs == [("address", OURSELVES)]
            assert await server.request() == b"request"
        shell.transport.close()


@pytest.mark.usefixtures("loopback")
async def test_same_address_keeps_its_socket() -> None:
    """11.5: while our address is the same, so is the source port."""
    with LoopbackServer() as server:
        shell = Shell(server.address)
        await shell.transport.start()
        before = shell.transport._socket
        shell.transport.refresh_local_address()
        assert shell.transport._socket is before
        assert shell.keeper.inputs == [("address", OURSELVES)]
        shell.transport.close()


@pytest.mark.lab
@pytest.mark.parametrize("noticed", ["told", "wakes up", "fails to send"])
@pytest.mark.usefixtures("namespace")
async def test_address_changes(noticed: str) -> None:
    """11.5: our address changes: a new socket, and the keeper knows."""
    ip(
        "link set lo up",
        "link add home type veth peer name router",
        "link set home up",
        "link set router up",
        "addr add 192.0.2.2/24 dev home",
    )
    shell = Shell(IPv4Address("192.0.2.1"))
    await shell.transport.start()
    assert shell.keeper.client_address == IPv4Address("192.0.2.2")
    before = shell.transport._socket
    ip("addr add 192.0.2.3/24 dev home", "addr del 192.0.2.2/24 dev home")
    ip("addr flush dev home", "addr add 192.0.2.3/24 dev home")
    match noticed:
        case "told":
            shell.transport.refresh_local_address()
        case "wakes up":
            shell.transport._on_timer(shell.transport.now())
        case _:
            shell.keeper.outbox = [b"request"]
            shell.transport.pump()
    assert shell.keeper.client_address == IPv4Address("192.0.2.3")
    assert shell.transport._socket is not before
    ip("addr flush dev home")
    shell.transport._on_timer(shell.transport.now())
    assert shell.keeper.client_address is None
    ip("addr add 192.0.2.4/24 dev home")
    shell.let_the_retry_come()
    assert shell.keeper.client_address == IPv4Address("192.0.2.4")
    shell.transport.close()


@pytest.mark.lab
@pytest.mark.usefixtures("namespace")
async def test_interface_comes_back_anew() -> None:
    """A link-local server is reached again when its interface has a new number."""
    link = (
        "link add home type veth peer name router",
        "link set home addrgenmode none up",
        "link set router addrgenmode none up",
        "addr add fe80::2/64 dev home nodad",
    )
    ip("link set lo up", *link)
    shell = Shell(IPv6Address("fe80::1%home"))
    await shell.transport.start()
    before = shell.transport._socket
    ip("link del home", *link)
    shell.transport.refresh_local_address()
    assert shell.transport._socket is not before
    assert shell.keeper.client_address == IPv6Address("fe80::2")
    shell.transport.close()


def _raise(error: Exception) -> Callable[..., Any]:
    def function(*_: object, **__: object) -> None:
        raise error

    return function


def _and_then(function: Callable[..., None], then: Callable[[], None]) -> Any:
    def both(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        then()

    return both
