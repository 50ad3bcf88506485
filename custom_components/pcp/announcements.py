"""The one announcement listener that all routers of this Home Assistant share."""

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from .client.announcements import AnnouncementListener
from .const import DOMAIN

LISTENER: HassKey[AnnouncementListener] = HassKey(f"{DOMAIN}_announcements")
_USERS: HassKey[set[str]] = HassKey(f"{DOMAIN}_announcement_users")


async def async_get_listener(
    hass: HomeAssistant, entry_id: str
) -> AnnouncementListener:
    """Return the listener, started, and note that an entry uses it."""
    listener = hass.data.setdefault(LISTENER, AnnouncementListener())
    hass.data.setdefault(_USERS, set()).add(entry_id)
    await listener.start()
    return listener


def async_leave_listener(hass: HomeAssistant, entry_id: str) -> None:
    """Note that an entry needs it no more; the last one closes it."""
    users = hass.data.get(_USERS, set())
    users.discard(entry_id)
    if not users and LISTENER in hass.data:
        hass.data[LISTENER].close()
