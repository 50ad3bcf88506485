"""The links to one router, by IP version, and from addresses that we had before."""

from collections.abc import Callable, Iterator, Mapping

from homeassistant.core import HomeAssistant

from .announcements import async_get_listener, async_leave_listener
from .client.codec import IPAddress
from .client.events import Event
from .client.mapping import MappingKey
from .client.server import ServerView
from .link import Link
from .snapshot import Snapshot


class Links:
    """The servers of one router, and the links to them."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        *,
        on_event: Callable[[Event], None],
        on_former_event: Callable[[Event], None],
        on_pumped: Callable[[], None],
    ) -> None:
        """Begin without any."""
        self._hass = hass
        self._entry_id = entry_id
        self._on_event = on_event
        self._on_former_event = on_former_event
        self._on_pumped = on_pumped
        self._links: dict[int, Link] = {}
        self._former: dict[IPAddress, Link] = {}
        self.servers: dict[int, IPAddress] = {}
        """With whom the leases are, by IP version, whether there is a link or not."""

        self.host: str | None = None
        """The router that they are of, as the entry named it; None is not known."""

        self._pinhole_keepers: frozenset[IPAddress] = frozenset()

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def __contains__(self, version: int) -> bool:
        return version in self._links

    def get(self, version: int) -> Link | None:
        """Return the link of an IP version, None where there is none."""
        return self._links.get(version)

    def ready(self, version: int) -> Link | None:
        """Return the link of an IP version, if it takes orders."""
        link = self._links.get(version)
        return link if link is not None and link.is_ready else None

    @property
    def reachable(self) -> dict[int, bool | None]:
        """Tell by IP version whether the router answers; None is not known yet."""
        return {version: view.reachable for version, view in self.views().items()}

    @property
    def is_reachable(self) -> bool:
        """Tell whether the router answers over any IP version."""
        return any(self.reachable.values())

    @property
    def pinhole_keepers(self) -> tuple[IPAddress, ...]:
        """Return the servers that were seen failing to delete an IPv6 pinhole."""
        self._pinhole_keepers |= {
            link.server for link in self if link.keeper.server_view().keeps_pinholes
        }
        known = self._pinhole_keepers
        return tuple(server for server in self.servers.values() if server in known)

    def under_way(self) -> list[MappingKey]:
        """Return for which mappings a request may still come to a router."""
        return [
            key
            for link in self._all()
            for key in link.keeper.under_way(now=link.transport.now())
        ]

    def restore(self, snapshot: Snapshot) -> None:
        """Take up what an earlier run knew of the servers; there are no links yet."""
        self.servers = {server.version: server for server in snapshot.servers}
        self.host = snapshot.host
        self._pinhole_keepers = frozenset(snapshot.pinhole_keepers)

    def left_for(
        self, host: str, servers: Mapping[int, IPAddress]
    ) -> dict[int, IPAddress]:
        """Return with whom the leases are that is none of a router's servers now.

        `servers` are those that were found of it, maybe none. What is not among them
        stays where it is, unless the router goes by another name now and is not known
        to be the same, or one of its servers has moved: then it is another router's.
        """
        known = self.servers
        others = {v: it for v, it in known.items() if servers.get(v) != it}
        is_renamed = self.host not in (None, host) and len(others) == len(known)
        return others if is_renamed or others.keys() & servers.keys() else {}

    def views(self) -> dict[int, ServerView]:
        """Return the servers as they are now, IPv4 first."""
        return {
            version: self._links[version].keeper.server_view()
            for version in sorted(self._links)
        }

    async def async_connect(self, server: IPAddress) -> Link:
        """Make the link to a server; it is given orders when it is ready."""
        link = Link(server, on_event=self._on_event, on_pumped=self._on_pumped)
        self._links[server.version] = link
        self.servers[server.version] = server
        if server in self._pinhole_keepers:
            link.keeper.limit_pinholes()
        await link.async_start(await async_get_listener(self._hass, self._entry_id))
        return link

    def drop(self, version: int) -> None:
        """Stop a link that was not made in full; with whom the leases are stays known."""
        if (link := self._links.pop(version, None)) is not None:
            link.stop()

    def disconnect(self, version: int) -> None:
        """Stop and forget the links of an IP version; leases are left alone.

        What was learnt of its server goes, too, for another one may come in its place.
        """
        self._pinhole_keepers -= {self.servers.pop(version, None)}
        self.drop(version)
        for address in [it for it in self._former if it.version == version]:
            self._former.pop(address).stop()

    def from_address(self, address: IPAddress) -> Link:
        """Return the link from an address that we had before; it only closes.

        A new one is started by `async_start_former`.
        """
        if address not in self._former:
            self._former[address] = Link(
                self.servers[address.version],
                on_event=self._on_former_event,
                on_pumped=self._end_former,
                source=address,
            )
        return self._former[address]

    def reclaim(self, key: MappingKey) -> None:
        """Close a mapping no more from an address that we had and have again."""
        if (former := self._former.get(key.internal_address)) is not None:
            former.keeper.let_go(key)
            self._end_former()

    async def async_start_former(self) -> None:
        """Start the links from addresses that we had before, as far as they are new."""
        for link in list(self._former.values()):
            if not link.is_ready:
                link.is_ready = True
                await link.async_start(None)

    def _end_former(self) -> None:
        """Stop those that have nothing left to close."""
        for address, link in list(self._former.items()):
            if link.is_ready and not link.keeper.leases():
                del self._former[address]
                link.stop()

    def pump(self) -> None:
        """Send what there is to send."""
        for link in self._all():
            link.transport.pump()

    def refresh(self) -> None:
        """Look how to reach the servers now."""
        for link in self._all():
            link.transport.refresh_local_address()

    def stop(self) -> None:
        """Stop all links; leases are left alone."""
        self._pinhole_keepers = frozenset(self.pinhole_keepers)
        for link in self._all():
            link.stop()
        self._links.clear()
        self._former.clear()
        async_leave_listener(self._hass, self._entry_id)

    def _all(self) -> list[Link]:
        return [*self._links.values(), *self._former.values()]
