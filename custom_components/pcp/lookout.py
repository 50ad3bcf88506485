"""Looks around for what nobody tells: another address of ours, a server that is missing."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
import logging

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval

from .const import DOMAIN
from .links import Links
from .network import async_watch_network
from .servers import Whereabouts, async_find_aliases

_LOGGER = logging.getLogger(__name__)

# How often our own address is compared, and servers are looked for that are missing.
LOOK_AROUND = timedelta(seconds=60)


class Lookout:
    """Watches the surroundings of one router's links."""

    def __init__(
        self,
        hass: HomeAssistant,
        links: Links,
        where: Whereabouts,
        *,
        name: str,
        needed_versions: Callable[[], set[int]],
        connect: Callable[[], Awaitable[None]],
        on_look: Callable[[], Awaitable[None]],
        on_change: CALLBACK_TYPE,
    ) -> None:
        """Begin at `start`; `name` is the router's, for people.

        `on_look` is called before each look of a minute, `connect` when servers are to
        be looked for, `on_change` when there may be something new to show.
        """
        self._hass = hass
        self._links = links
        self._where = where
        self._name = name
        self._needed_versions = needed_versions
        self._connect = connect
        self._on_look = on_look
        self._on_change = on_change
        self._unsubscribe: list[CALLBACK_TYPE] = []
        self._is_looking = False
        self._has_failed = False

    def start(self) -> None:
        """Look every minute, and when this machine's network changes."""
        self._unsubscribe = [
            async_track_time_interval(
                self._hass,
                self._async_look_around,
                LOOK_AROUND,
                cancel_on_shutdown=True,
            ),
            async_watch_network(self._hass, self._on_network_change),
        ]

    def stop(self) -> None:
        """Look no more; again is harmless."""
        while self._unsubscribe:
            self._unsubscribe.pop()()

    async def async_try(self, way: Awaitable[None]) -> None:
        """Make a way to servers; what nobody foresaw is told once, and tried again."""
        try:
            await way
        except Exception as err:
            if not self._has_failed:
                # A fault of the network is no fault of the program.
                trace = None if isinstance(err, OSError) else err
                _LOGGER.error("No way to %s: %r", self._name, err, exc_info=trace)
            self._has_failed = True
        else:
            if self._has_failed:
                _LOGGER.warning("There is a way to %s again", self._name)
            self._has_failed = False

    async def async_learn_aliases(self) -> None:
        """Learn from which other addresses the servers announce themselves."""
        for link in list(self._links):
            link.keeper.set_aliases(await async_find_aliases(link.server))

    async def _async_look_around(self, _: datetime) -> None:
        await self._on_look()
        self._links.refresh()
        await self._async_look_for_servers()

    @callback
    def _on_network_change(self) -> None:
        """Follow a change of this machine's network."""
        self._links.refresh()
        if not self._is_looking:
            self._hass.async_create_task(
                self._async_follow_network(), f"{DOMAIN} network"
            )

    async def _async_follow_network(self) -> None:
        self._is_looking = True
        try:
            await self._where.async_follow_network()
            await self._async_look_for_servers()
        finally:
            self._is_looking = False

    async def _async_look_for_servers(self) -> None:
        missing = self._needed_versions().difference(self._links.servers)
        must_look = self._where.must_look(missing, reachable=self._links.is_reachable)
        if must_look or self._has_failed:
            await self.async_try(self._connect())
        await self.async_learn_aliases()
        self._on_change()
