"""The fields of a forward: their names, and what may stand in them."""

from enum import StrEnum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
import unicodedata

from .client.codec import IPAddress
from .client.mapping import Protocol

type IPNetwork = IPv4Network | IPv6Network

CONF_NAME = "name"
CONF_PROTOCOL = "protocol"
CONF_INTERNAL_PORT = "internal_port"
CONF_EXTERNAL_PORT = "external_port"
CONF_EXACT_EXTERNAL_PORT = "exact_external_port"
CONF_TARGET_HOST = "target_host"
CONF_IP_VERSION = "ip_version"
CONF_PORT_COUNT = "port_count"
CONF_ALLOWED_SOURCES = "allowed_sources"
CONF_TEMPORARY = "temporary"

MAX_NAME_LENGTH = 100
MAX_PORT_COUNT = 256
MAX_ALLOWED_SOURCES = 32

# What turns the direction of a text, and can make a name look like another one.
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

# What stands for yes and no in Home Assistant's configuration.
_WORDS = dict.fromkeys(("true", "yes", "on", "enable", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "disable", "0"), False
)


class ForwardProtocol(StrEnum):
    """The protocols of a forward, as the user chooses them."""

    TCP = "tcp"
    UDP = "udp"
    TCP_UDP = "tcp_udp"

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Return the protocols one by one, TCP first."""
        match self:
            case ForwardProtocol.TCP:
                return (Protocol.TCP,)
            case ForwardProtocol.UDP:
                return (Protocol.UDP,)
            case ForwardProtocol.TCP_UDP:
                return (Protocol.TCP, Protocol.UDP)


class IPVersion(StrEnum):
    """The IP versions of a forward, as the user chooses them."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    BOTH = "both"

    @property
    def versions(self) -> tuple[int, ...]:
        """Return the version numbers one by one, IPv4 first."""
        match self:
            case IPVersion.IPV4:
                return (4,)
            case IPVersion.IPV6:
                return (6,)
            case IPVersion.BOTH:
                return (4, 6)


class ForwardError(ValueError):
    """A forward that cannot be: the key of the text that says why, and the field."""

    def __init__(self, key: str, field: str, **placeholders: str) -> None:
        """Keep the translation key, the name of the field, and what the text names."""
        super().__init__(f"{field}: {key}")
        self.key = key
        self.field = field
        self.placeholders = placeholders


def parse_name(value: object) -> str:
    """Return a name that can be shown on one line. All here raise ForwardError."""
    text = value if isinstance(value, str) else ""
    name = text.replace("\N{NO-BREAK SPACE}", " ").strip()
    is_plain = name.isascii() and name.isprintable()
    if not is_plain and any(map(_breaks_the_line, name)):
        raise ForwardError("invalid_name", CONF_NAME)
    if not any(map(_can_be_seen, name)) or len(name) > MAX_NAME_LENGTH:
        raise ForwardError("invalid_name", CONF_NAME)
    return name


def as_name(title: str, default: str = "Forward") -> str:
    """Return what to call something whose title somebody else has let through."""
    try:
        return parse_name(title)
    except ForwardError:
        kept = (" " if _breaks_the_line(letter) else letter for letter in title)
        name = " ".join("".join(kept).split())[:MAX_NAME_LENGTH]
        return name if any(map(_can_be_seen, name)) else default


def _can_be_seen(letter: str) -> bool:
    """Tell whether a character is more than a space or a joiner of others."""
    return unicodedata.category(letter) not in {"Zs", "Cf", "Mn"}


def _breaks_the_line(letter: str) -> bool:
    """Tell whether a character is a control, or turns the direction of a text."""
    return (
        unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(letter) in _TURNS
    )


def parse_port(value: object, field: str, *, key: str = "invalid_port") -> int:
    """Return a port, 1 to 65535; `key` is the text for what is none."""
    number = whole_number(value)
    if number is None or not 1 <= number <= 65535:
        raise ForwardError(key, field)
    return number


def parse_external_port(value: object) -> int | None:
    """Return a port, None where none is told."""
    if value is None or value == "":
        return None
    return parse_port(value, CONF_EXTERNAL_PORT, key="invalid_external_port")


def parse_port_count(value: object) -> int:
    """Return how many ports, 1 where nothing is told."""
    number = 1 if value is None else whole_number(value)
    if number is None or not 1 <= number <= MAX_PORT_COUNT:
        raise ForwardError("invalid_port_count", CONF_PORT_COUNT)
    return number


def parse_exact_external_port(value: object) -> bool:
    """Return yes or no, no where nothing is told; also from what templates make."""
    match value:
        case None:
            return False
        case bool():
            return value
        case str() if (word := value.strip().lower()) in _WORDS:
            return _WORDS[word]
        case _:
            raise ForwardError("invalid_exact_external_port", CONF_EXACT_EXTERNAL_PORT)


def parse_protocol(value: object) -> ForwardProtocol:
    """Return the protocols, TCP where nothing is told."""
    return _choice(ForwardProtocol, value, ForwardProtocol.TCP, CONF_PROTOCOL)


def parse_ip_version(value: object, target_host: IPAddress | None) -> IPVersion:
    """Return the IP version; the family of another host decides where none is told."""
    if target_host is None:
        return _choice(IPVersion, value, IPVersion.IPV4, CONF_IP_VERSION)
    own = IPVersion.IPV4 if target_host.version == 4 else IPVersion.IPV6
    chosen = _choice(IPVersion, value, own, CONF_IP_VERSION)
    if chosen is IPVersion.BOTH:
        raise ForwardError("both_with_target", CONF_IP_VERSION)
    if chosen is not own:
        raise ForwardError("family_mismatch", CONF_IP_VERSION)
    return chosen


def parse_target_host(value: object) -> IPAddress | None:
    """Return another host's address, None for this Home Assistant."""
    if value is None or value == "":
        return None
    try:
        address = ip_address(str(value).strip())
    except ValueError:
        raise ForwardError("invalid_address", CONF_TARGET_HOST) from None
    unusable = (
        address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address == IPv4Address("255.255.255.255")
        # Behind NAT nobody at home has one; in IPv6 everybody may.
        or (address.version == 4 and address.is_global)
        or _is_mixed(address)
    )
    if unusable:
        raise ForwardError("invalid_address", CONF_TARGET_HOST)
    return address


def parse_allowed_sources(value: object) -> tuple[IPNetwork, ...]:
    """Return networks, from a list or from text between commas or blanks."""
    match value:
        case None | "":
            return ()
        case str():
            texts = value.replace(",", " ").split()
        case list() | tuple():
            texts = [str(text).strip() for text in value if str(text).strip()]
        case _:
            raise ForwardError("invalid_network", CONF_ALLOWED_SOURCES)
    if len(texts) > MAX_ALLOWED_SOURCES:
        raise ForwardError("too_many_sources", CONF_ALLOWED_SOURCES)
    try:
        networks = dict.fromkeys(ip_network(text, strict=False) for text in texts)
    except ValueError:
        raise ForwardError("invalid_network", CONF_ALLOWED_SOURCES) from None
    if any(_is_mixed(network.network_address) for network in networks):
        raise ForwardError("invalid_network", CONF_ALLOWED_SOURCES)
    return tuple(networks)


def whole_number(value: object) -> int | None:
    """Return a whole number, also from a float or digits, else None."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if value.strip().isascii() and value.strip().isdigit():
            return int(value) if len(value.strip()) < 10 else None
        case _:
            return None


def _choice[ChoiceT: StrEnum](
    choices: type[ChoiceT], value: object, default: ChoiceT, field: str
) -> ChoiceT:
    if value is None:
        return default
    try:
        return choices(str(value))
    except ValueError:
        raise ForwardError(f"invalid_{field}", field) from None


def _is_mixed(address: IPAddress) -> bool:
    """Tell whether an IPv6 address is an IPv4 one in disguise, or has a scope."""
    return isinstance(address, IPv6Address) and bool(
        address.ipv4_mapped or address.scope_id
    )
