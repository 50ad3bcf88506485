"""What an Internet gateway says of itself over SSDP: words of a stranger."""

from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from homeassistant.helpers.service_info.ssdp import (
    ATTR_UPNP_FRIENDLY_NAME,
    ATTR_UPNP_MANUFACTURER,
    ATTR_UPNP_MODEL_NAME,
    ATTR_UPNP_PRESENTATION_URL,
    SsdpServiceInfo,
)

from .fields import as_name
from .router import Router

# Nobody needs a longer one.
_LONGEST_URL = 500


def gateway_host(info: SsdpServiceInfo) -> str | None:
    """Return the host at which a gateway describes itself, None where it tells none."""
    return _host(info.ssdp_location)


def gateway_name(info: SsdpServiceInfo) -> str | None:
    """Return what a gateway is called."""
    return _text(info.upnp.get(ATTR_UPNP_FRIENDLY_NAME))


def described(router: Router, info: SsdpServiceInfo) -> Router:
    """Return a router with what it says of itself."""
    return replace(
        router,
        manufacturer=_text(info.upnp.get(ATTR_UPNP_MANUFACTURER)),
        model=_text(info.upnp.get(ATTR_UPNP_MODEL_NAME)),
        page=_page(info),
    )


def _page(info: SsdpServiceInfo) -> str | None:
    """Return where a gateway has its own page, and not where somebody else has one."""
    told = info.upnp.get(ATTR_UPNP_PRESENTATION_URL)
    if not isinstance(told, str) or not told.strip():
        return None
    try:
        url = urljoin(info.ssdp_location or "", told.strip())
        is_web = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return None
    is_its_own = _host(url) is not None and _host(url) == gateway_host(info)
    return url if is_web and is_its_own and len(url) <= _LONGEST_URL else None


def _host(url: str | None) -> str | None:
    """Return the host of a URL, None where there is none."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    # The scope of a link-local address is quoted in a URL. RFC 6874.
    return unquote(host) if host else None


def _text(told: Any) -> str | None:
    """Return a name that can be shown, None where there is none."""
    return as_name(told, "") or None if isinstance(told, str) else None
