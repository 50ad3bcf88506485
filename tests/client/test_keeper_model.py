"""A keeper and a router through whatever may happen, watched after every step."""

from collections import deque
from dataclasses import replace
from ipaddress import IPv4Address
from random import Random
from typing import Any, override

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from custom_components.pcp.client.codec import (
    AnnounceResponse,
    MapRequest,
    NatPmpMapRequest,
    ResultCode,
)
from custom_components.pcp.client.events import (
    LeaseGranted,
    LeaseRefused,
    LeaseReleased,
    ProtocolChanged,
)
from custom_components.pcp.client.mapping import LeaseState, MappingWish, PortRange
from tests.simulated_router import PERSONALITIES, RouterCore

from .keeper_world import Answered, Reset, World
from .scripted_server import (
    CLIENT,
    OTHER_CLIENT,
    START,
    Sent,
    key_of,
    nonce_of,
    version_answer,
    wish_of,
)

PORTS = st.integers(2001, 2006)
SECONDS = st.sampled_from([0.0, 0.05, 1.0, 5.0, 11.0, 45.0, 300.0, 1000.0, 4000.0])
ADDRESSES = [IPv4Address("11.22.33.44"), IPv4Address("55.66.77.88")]
NAMES = [
    "rfc",
    "miniupnpd_2_3_1",
    "nat_pmp_only",
    "fritzbox",
    "lingering",
    "airport",
    "port_sets",
    "port_sets_of_two",
    "options_refused",
]
LATENCY = 0.02
# A refused request may be repeated after its hold only.
LONGEST_HOLD = 1800.0


class KeeperAndRouter(RuleBasedStateMachine):
    """What people, routers, networks and forgers do."""

    def __init__(self) -> None:
        super().__init__()
        self.wishes: dict[int, MappingWish] = {}
        self.asked: dict[int, MappingWish] = {}
        self.holds: dict[int, float] = {}
        self.acts: deque[float] = deque(maxlen=1000)

    @initialize(name=st.sampled_from(NAMES), seed=st.integers(0, 1000))
    def begin(self, name: str, seed: int) -> None:
        """Set up a router of some kind, and us."""
        self.random = Random(seed)
        self.personality = PERSONALITIES[name]
        self.router = RouterCore(
            self.personality, external_address=ADDRESSES[0], now=START, epoch_time=9000
        )
        self.loss = 0.0
        self.new_life(START)

    def new_life(self, now: float) -> None:
        """Begin with a keeper that knows nothing."""
        self.world = World(
            router=self.router, latency=LATENCY, jitter=self.random.random
        )
        self.world.now = now
        self.world.loses = lambda: self.random.random() < self.loss
        self.world.after_step = self.look
        self.holds.clear()

    # People.

    @rule(port=PORTS, urgent=st.booleans(), exact=st.booleans())
    def want(self, port: int, *, urgent: bool, exact: bool) -> None:
        """Open a door, by hand or by itself."""
        wish = wish_of(port, lifetime=1200, exact=exact)
        self.wishes[port] = self.asked[port] = wish
        if urgent or self.world.state(key_of(port)) is not LeaseState.REFUSED:
            self.act(port)
        self.world.want(wish, urgent=urgent)

    @rule(port=PORTS)
    def release(self, port: int) -> None:
        """Close a door."""
        self.wishes.pop(port, None)
        self.act(port)
        self.world.release(key_of(port))

    @rule(first=st.integers(2001, 2005), count=st.integers(2, 4), urgent=st.booleans())
    def want_together(self, first: int, count: int, *, urgent: bool) -> None:
        """Open consecutive doors, as many as there are here. RFC 7753."""
        ports = range(first, min(first + count, 2007))
        together = PortRange(first=first, count=len(ports))
        for port in ports:
            wish = wish_of(port, lifetime=1200, port_range=together)
            self.wishes[port] = self.asked[port] = wish
            if urgent or self.world.state(key_of(port)) is not LeaseState.REFUSED:
                self.act(port)
            self.world.keeper.want(wish, now=self.world.now, urgent=urgent)
        self.world.pump()

    @rule(first=st.integers(2001, 2005), count=st.integers(2, 4))
    def release_together(self, first: int, count: int) -> None:
        """Close consecutive doors."""
        for port in range(first, min(first + count, 2007)):
            self.wishes.pop(port, None)
            self.act(port)
            self.world.keeper.release(key_of(port), now=self.world.now)
        self.world.pump()

    @rule()
    def renew_all(self) -> None:
        """Press the button."""
        self.act(*range(2001, 2007))
        self.world.renew_all()

    def act(self, *ports: int) -> None:
        """Note what ends holds."""
        self.acts.append(self.world.now)
        for port in ports:
            self.holds.pop(port, None)

    # Time, and our own restarts.

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run_for(seconds)

    @rule(pause=st.sampled_from([0.0, 30.0, 2000.0]))
    def restart(self, pause: float) -> None:
        """Stop, and take up what was shown."""
        views = self.world.keeper.leases()
        self.router.tick(now=self.world.now + pause)
        self.acts.clear()
        self.new_life(self.world.now + pause)
        for view in views:
            port = view.key.internal_port
            self.world.keeper.restore(
                self.asked.get(port) or wish_of(port, lifetime=1200),
                wanted=port in self.wishes,
                grant=view.grant,
                open_until=view.open_until,
                now=self.world.now,
            )
        self.world.pump()

    @rule(address=st.sampled_from([CLIENT, OTHER_CLIENT, None]))
    def move(self, address: IPv4Address | None) -> None:
        """Get another address of our own."""
        self.act(*range(2001, 2007))
        self.world.move_to(address)

    # Routers and networks.

    @rule(lose_mappings=st.booleans())
    def reboot(self, *, lose_mappings: bool) -> None:
        """Start the router anew, with or without its mappings."""
        self.router.reboot(now=self.world.now, lose_mappings=lose_mappings)

    @rule(address=st.sampled_from(ADDRESSES))
    def change_external_address(self, address: IPv4Address) -> None:
        """Give the router another WAN address."""
        self.router.change_external_address(address, now=self.world.now)

    @rule(silenced=st.booleans(), loss=st.sampled_from([0.0, 0.0, 0.3]))
    def disturb(self, *, silenced: bool, loss: float) -> None:
        """Lose all, some or no datagrams."""
        self.router.silenced = silenced
        self.loss = loss

    @rule(
        code=st.sampled_from(
            [
                ResultCode.SUCCESS,
                ResultCode.NOT_AUTHORIZED,
                ResultCode.NO_RESOURCES,
                ResultCode.NETWORK_FAILURE,
            ]
        )
    )
    def refuse(self, code: ResultCode) -> None:
        """Refuse every mapping from now on, or none."""
        self.router.personality = replace(self.personality, map_result=code)

    @rule()
    def refuse_connection(self) -> None:
        """Let ICMP say that nobody listens."""
        self.world.refuse_connection()

    # Forgers.

    @rule(epoch_time=st.integers(0, 20_000))
    def forge_announcement(self, epoch_time: int) -> None:
        """Announce a server with any epoch."""
        forged = AnnounceResponse(result_code=0, epoch_time=epoch_time)
        self.world.announce(forged)

    @precondition(lambda self: self.personality.pcp)
    @rule(data=st.sampled_from(["version", "garbage", "grant"]))
    def forge(self, data: str) -> None:
        """Send what a host on the LAN can; no lease changes."""
        # As they are now: one may have run out since the last step.
        self.world.pump()
        before = self.world.keeper.leases()
        request = MapRequest(
            client_address=CLIENT,
            lifetime=9999,
            nonce=bytes(12),
            protocol=6,
            internal_port=1,
            suggested_external_port=666,
            suggested_external_address=ADDRESSES[1],
        )
        forged: dict[str, Any] = {
            "version": version_answer(),
            "garbage": bytes(range(60)),
            "grant": self.world.success(request),
        }
        if self.world.keeper.server_view().protocol is not None or data != "version":
            self.world.receive(forged[data])
            assert self.world.keeper.leases() == before

    # What must be true, after every step.

    def look(self) -> None:
        """Look at what was sent, what is shown, and what is open."""
        world = self.world
        for entry in world.log:
            match entry:
                case Sent(is_map=True):
                    self.look_at_request(entry)
                case Answered(sent):
                    self.hear_answer(sent.message)
                case _:
                    self.hear(entry)
        world.log.clear()
        for view in world.keeper.leases():
            assert (view.key.internal_port in self.wishes) == (
                view.state is not LeaseState.RELEASING
            )
            if view.grant is not None:
                assert world.now <= view.grant.expires_at
                assert view.open_until is not None
        self.look_at_doors()

    def hear(self, event: object) -> None:
        """Note when a hold begins and ends."""
        match event:
            case LeaseRefused(key, refusal):
                self.holds[key.internal_port] = refusal.retry_at
            case LeaseGranted(key) | LeaseReleased(key):
                self.holds.pop(key.internal_port, None)
            case Reset() | ProtocolChanged():
                self.holds.clear()

    def hear_answer(self, request: object) -> None:
        """Note that what is given back is asked for once its deletion is answered.

        The refusal of a deletion does not forbid that.
        """
        match request:
            case (
                MapRequest(lifetime=0, internal_port=port)
                | NatPmpMapRequest(lifetime=0, internal_port=port)
            ):
                self.holds.pop(port, None)

    def look_at_request(self, sent: Sent) -> None:
        """Look at one request for a mapping."""
        message = sent.message
        assert isinstance(message, MapRequest | NatPmpMapRequest)
        port = message.internal_port
        if isinstance(message, MapRequest):
            assert message.nonce == nonce_of(key_of(port))
        if message.lifetime:
            assert port in self.wishes, "an unwanted mapping is asked for"
            assert self.holds.get(port, 0.0) <= sent.at, "asked for during a hold"
        recent = [at for at in self.world.times_of_maps(port) if at > sent.at - 60.0]
        acts = sum(at > sent.at - 60.0 for at in self.acts)
        # NAT-PMP's eight repetitions in a minute, twice where a round comes between.
        assert len(recent) <= 30 + 10 * acts, "a storm"

    def look_at_doors(self) -> None:
        """No door is open on the router that we do not know of.

        A server counts whole seconds, and an answer takes its time.
        """
        for mapping in self.router.mappings:
            if mapping.expires_at < self.world.now + 2.0:
                continue
            view = self.world.lease(key_of(mapping.internal_port))
            assert view is not None
            assert view.open_until is not None
            assert view.open_until > mapping.expires_at - 10.0

    @override
    def teardown(self) -> None:
        """When all is well again: what is wanted is open, and nothing else."""
        if not hasattr(self, "world"):
            return
        self.loss = 0.0
        self.router.silenced = False
        self.router.personality = self.personality
        self.move(CLIENT)
        self.world.run_for(300.0 + 2 * LONGEST_HOLD)
        views = self.world.keeper.leases()
        assert {view.key.internal_port for view in views} == set(self.wishes)
        assert all(view.state is LeaseState.GRANTED for view in views)
        assert {m.internal_port for m in self.router.mappings} == set(self.wishes)


TestKeeperAndRouter = KeeperAndRouter.TestCase
TestKeeperAndRouter.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
