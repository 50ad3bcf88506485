"""Texts without the addresses that would tell strangers where somebody is."""

from ipaddress import IPv6Network, ip_network
import re

# As Home Assistant's diagnostics write it; they are not needed for the rest.
REDACTED = "**REDACTED**"
# What an address or a network may look like, alone or within a text: before a port, in
# a URL, at the end of a sentence.
_ADDRESS = re.compile(
    r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f:.]+(?:[0-9A-Fa-f]|::))(?:/\d+)?"
)
# RFC 6052: the NAT64 prefix that everybody may use tells nothing of anybody.
WELL_KNOWN_PREFIX = IPv6Network("64:ff9b::/96")


def without_addresses(text: str) -> str:
    """Return a text with every address redacted that is valid beyond the home."""
    return _ADDRESS.sub(
        lambda found: REDACTED if _is_global(found[0]) else found[0], text
    )


def _is_global(text: str) -> bool:
    """Tell whether an address or a network is of the Internet and not everybody's."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return network.is_global and network != WELL_KNOWN_PREFIX
