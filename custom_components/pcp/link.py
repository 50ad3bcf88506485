"""The way to one server: its keeper, and the transport that runs it."""

import asyncio
from collections.abc import Callable, Mapping
import random
import secrets

from .client.announcements import AnnouncementListener
from .client.codec import NONCE_LENGTH, IPAddress
from .client.events import Event
from .client.keeper import Keeper
from .client.transport import Transport
from .client.ways import is_ours
from .host import can_be_opened
from .leases import Lease
from .orders import Ask, Order, Release, Restore


def new_nonce() -> bytes:
    """Return a nonce as RFC 6887 11.2 wants it: 12 octets that nobody can guess."""
    return secrets.token_bytes(NONCE_LENGTH)


class Link:
    """One server, reached over one IP version."""

    def __init__(
        self,
        server: IPAddress,
        *,
        on_event: Callable[[Event], None],
        on_pumped: Callable[[], None],
        source: IPAddress | None = None,
    ) -> None:
        """Make the keeper; nothing is sent before `async_start`.

        `source` is the address of ours to ask from, and no other.
        """
        self.keeper = Keeper(
            server,
            nonce=new_nonce,
            jitter=random.random,
            now=asyncio.get_running_loop().time(),
        )
        self.transport = Transport(
            self.keeper, on_event=on_event, on_pumped=on_pumped, source=source
        )
        self.is_ready = False
        """Whether it was handed what earlier runs left, so that orders can follow."""
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def server(self) -> IPAddress:
        """Return the server's address."""
        return self.keeper.server

    def new_address(self, known: Mapping[int, IPAddress]) -> IPAddress | None:
        """Return our address towards the server, if it is another one and to be used.

        As long as we have the one that is `known` for its IP version, only when the
        server has answered to the new: a VPN may have taken the way there and lead
        nowhere.
        """
        address = self.keeper.client_address
        before = known.get(self.server.version)
        if (
            address is None
            or address == before
            or not can_be_opened(address)
            or (before is not None and not self.keeper.is_heard and is_ours(before))
        ):
            return None
        return address

    async def async_start(self, listener: AnnouncementListener | None) -> None:
        """Open the socket, and hear what the server announces."""
        if listener is not None:
            self._unsubscribe = listener.subscribe(self.transport.feed_announcement)
        await self.transport.start()

    def stop(self) -> None:
        """Fall silent; leases are left alone."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self.transport.close()

    def carry_out(self, order: Order, lease: Lease) -> None:
        """Pass an order on to the keeper; `transport.pump` sends it."""
        now = self.transport.now()
        match order:
            case Ask(_, urgent):
                self.keeper.want(lease.wish, now=now, urgent=urgent)
            case Release(key):
                self.keeper.release(key, now=now)
            case Restore(_, grant):
                self.keeper.restore(
                    lease.wish,
                    wanted=lease.wanted,
                    grant=grant,
                    open_until=lease.open_until,
                    is_under_way=lease.is_under_way,
                    now=now,
                )
