"""A router that may be added: found by its host, recognised by its MAC address."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from homeassistant.const import CONF_HOST, CONF_MAC

from .client.discovery import ProbeOutcome, probe
from .client.probing import FOUR_ROUNDS, new_nonce
from .client.routes import neighbour_mac
from .const import CONF_MANUFACTURER, CONF_MODEL, CONF_PAGE, CONF_UDN
from .host import async_resolve, normal_host

if TYPE_CHECKING:
    from .coordinator import PcpConfigEntry

ERRORS = {
    ProbeOutcome.NOT_AUTHORIZED: "not_authorized",
    ProbeOutcome.ADDRESS_MISMATCH: "address_mismatch",
    ProbeOutcome.NOT_SUPPORTED: "not_supported",
    ProbeOutcome.SILENT: "cannot_connect",
    ProbeOutcome.UNREACHABLE: "cannot_connect",
}


class RouterError(Exception):
    """No router that can be added: the key of the text that says why, and the field."""

    def __init__(self, key: str, field: str = "base") -> None:
        """Keep the translation key and the name of the field."""
        super().__init__(key)
        self.key = key
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A router that answered, and what it is recognised by."""

    host: str
    mac: str | None
    udn: str | None = None
    manufacturer: str | None = None
    """What it says of itself, likewise the model and where its own page is."""

    model: str | None = None
    page: str | None = None

    @property
    def unique_id(self) -> str | None:
        """Return what no other router has, where it is known."""
        return self.mac or self.udn

    def as_data(self) -> dict[str, str]:
        """Return what an entry stores."""
        data = {
            CONF_HOST: self.host,
            CONF_MAC: self.mac,
            CONF_UDN: self.udn,
            **self.description,
        }
        return {key: value for key, value in data.items() if value is not None}

    @property
    def description(self) -> dict[str, str | None]:
        """Return what it says of itself, as an entry stores it."""
        return {
            CONF_MANUFACTURER: self.manufacturer,
            CONF_MODEL: self.model,
            CONF_PAGE: self.page,
        }

    def is_in(self, entry: PcpConfigEntry) -> bool:
        """Tell whether an entry is for this router.

        A UDN is only what somebody on the network says: it counts for nothing against
        a MAC address.
        """
        mac, udn = entry.data.get(CONF_MAC), entry.data.get(CONF_UDN)
        if entry.data.get(CONF_HOST) == self.host:
            return True
        if mac and self.mac:
            return bool(mac == self.mac)
        return udn is not None and udn == self.udn


async def async_find_router(text: str, *, udn: str | None = None) -> Router:
    """Return the router that answers at the host somebody named.

    Raises RouterError when none answers, with what the first address of it said.
    """
    host = normal_host(text)
    try:
        addresses = await async_resolve(host)
    except ValueError as err:
        raise RouterError("invalid_host", CONF_HOST) from err
    # RFC 7488 3: in turn, and the same nonce for all addresses of one server.
    nonce = new_nonce()
    is_multihomed = len({it.version for it in addresses}) < len(addresses)
    ask = partial(probe, wait=FOUR_ROUNDS) if is_multihomed else probe
    outcomes = []
    for address in addresses:
        outcomes.append((await ask(address, nonce=nonce)).outcome)
        if outcomes[-1] not in ERRORS:
            mac = await asyncio.to_thread(neighbour_mac, address)
            return Router(host=host, mac=mac, udn=udn)
    raise RouterError(ERRORS[outcomes[0]])


def default_title(host: str) -> str:
    """Return what a router is called where it does not say so itself."""
    return f"Router ({host})"
