"""The links to one router, by IP version."""

from collections.abc import Callable, Iterator

from homeassistant.core import HomeAssistant

from .announcements import async_get_listener, async_leave_listener
from .client.codec import IPAddress
from .client.events import Event
from .client.server import ServerView
from .link import Link


class Links:
    """The servers of one router, and the links to them."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry_id: str,
        *,
        on_event: Callable[[Event], None],
        on_pumped: Callable[[], None],
    ) -> None:
        """Begin without any."""
        self._hass = hass
        self._entry_id = entry_id
        self._on_event = on_event
        self._on_pumped = on_pumped
        self._links: dict[int, Link] = {}
        self.servers: dict[int, IPAddress] = {}
        """With whom the leases are, by IP version, whether there is a link or not."""

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
        await link.async_start(await async_get_listener(self._hass, self._entry_id))
        return link

    def disconnect(self, version: int) -> None:
        """Stop and forget the link of an IP version; leases are left alone."""
        self.servers.pop(version, None)
        if (link := self._links.pop(version, None)) is not None:
            link.stop()

    def pump(self) -> None:
        """Send what there is to send."""
        for link in self:
            link.transport.pump()

    def stop(self) -> None:
        """Stop all links; leases are left alone."""
        for link in self:
            link.stop()
        self._links.clear()
        async_leave_listener(self._hass, self._entry_id)
