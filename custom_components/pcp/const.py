"""Names and numbers that more than one module of the integration needs."""

from datetime import timedelta
from enum import StrEnum

DOMAIN = "pcp"

SUBENTRY_FORWARD = "forward"

# What an entry stores beside Home Assistant's own CONF_HOST and CONF_MAC.
CONF_UDN = "udn"

# And what the router has told of itself: its maker, its model, its own page.
CONF_MANUFACTURER = "manufacturer"
CONF_MODEL = "model"
CONF_PAGE = "page"

# Options.
CONF_LEASE_TIME = "lease_time"
CONF_THIRD_PARTY = "third_party"
CONF_ANYCAST = "anycast"

# RFC 6887 15: a server should not grant less than 120 s. A day is what the hold of an
# error is capped at too, so nothing of ours outlives it.
MIN_LEASE_TIME = 120
MAX_LEASE_TIME = 86400
DEFAULT_LEASE_TIME = 3600

# On Home Assistant's bus: a forward has opened, closed, or was refused or lost.
EVENT_FORWARD = f"{DOMAIN}_forward"

ATTR_DURATION = "duration"
ATTR_FORWARD_ID = "forward_id"
MIN_DURATION = timedelta(seconds=10)
MAX_DURATION = timedelta(days=30)


class RouterEvent(StrEnum):
    """What the event entity of a router tells."""

    RESTARTED = "restarted"
    EXTERNAL_ADDRESS_CHANGED = "external_address_changed"
    FORWARD_LOST = "forward_lost"
    FORWARD_RESTORED = "forward_restored"


class Issue(StrEnum):
    """The repair issues, by translation key.

    Refused forwards have a key for each reason: `forward_refused_<reason>`.
    """

    FORWARD_REFUSED = "forward_refused"
    STORE_LOST = "store_lost"
    STORE_DAMAGED = "store_damaged"
    STORAGE_FAILED = "storage_failed"
    DOUBLE_NAT = "double_nat"
    CARRIER_GRADE_NAT = "carrier_grade_nat"
