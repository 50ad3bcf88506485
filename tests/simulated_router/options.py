"""The options of a MAP request as a router reads them. RFC 6887 7.3, 13; RFC 7220."""

from dataclasses import dataclass
from typing import assert_never

from custom_components.pcp.client.codec import (
    Description,
    Filter,
    IPAddress,
    MapRequest,
    Option,
    PortSet,
    PreferFailure,
    Prefix64,
    ResultCode,
    ThirdParty,
    UnknownOption,
)

from .personality import Honour, Personality
from .state import Refused

# RFC 6887 7.3: from here on a server may ignore what it does not know.
_FIRST_OPTIONAL = 128
_OPTION_HEADER = 4


@dataclass(slots=True, kw_only=True)
class MapOptions:
    """What a MAP request's options ask for."""

    internal_address: IPAddress | None = None
    """THIRD_PARTY's."""
    prefer_failure: bool = False
    filters: tuple[Filter, ...] = ()
    description: str | None = None
    port_count: int = 1
    """PORT_SET's, as far as the router knows the option."""
    processed: tuple[Option, ...] = ()
    """What a success answer returns."""


def read_options(
    personality: Personality,
    request: MapRequest,
    octets: bytes,
    source_address: IPAddress,
) -> MapOptions:
    """Return what the options ask for; raises Refused. `octets` is how they came."""
    if personality.odd_option_malformed and _has_odd_option(octets):
        raise Refused(ResultCode.MALFORMED_OPTION)
    options = MapOptions()
    for option in request.options:
        if personality.optional_refused and _is_optional(option):
            raise Refused(ResultCode.UNSUPP_OPTION)
        match option:
            case ThirdParty():
                _read_third_party(personality, options, option, source_address)
            case PreferFailure():
                _read_prefer_failure(personality, options, request)
            case Filter():
                _demand_support(personality.filter)
                if request.lifetime == 0 and personality.filter is Honour.ENFORCED:
                    raise Refused(ResultCode.MALFORMED_OPTION)
                if personality.filter is Honour.ENFORCED:
                    options.filters += (option,)
            case Description():
                if not personality.description:
                    continue
                options.description = option.text
            case Prefix64():
                options.processed += personality.nat64_prefixes
                continue
            case PortSet():
                _read_port_set(personality, options, option)
                continue
            case UnknownOption():
                if option.code < _FIRST_OPTIONAL:
                    raise Refused(ResultCode.UNSUPP_OPTION)
                continue
            case _ as unreachable:
                assert_never(unreachable)
        options.processed += (option,)
    return options


def _read_third_party(
    personality: Personality,
    options: MapOptions,
    option: ThirdParty,
    source_address: IPAddress,
) -> None:
    """Read THIRD_PARTY. RFC 6887 13.1."""
    if not personality.third_party:
        raise Refused(ResultCode.UNSUPP_OPTION)
    if options.internal_address is not None:
        raise Refused(ResultCode.MALFORMED_OPTION)
    if option.internal_address == source_address:
        raise Refused(ResultCode.MALFORMED_REQUEST)
    options.internal_address = option.internal_address


def _read_prefer_failure(
    personality: Personality, options: MapOptions, request: MapRequest
) -> None:
    """Read PREFER_FAILURE. RFC 6887 11.3, 13.2."""
    _demand_support(personality.prefer_failure)
    no_port = request.suggested_external_port == 0
    no_address = int(request.suggested_external_address) == 0
    if personality.loose_prefer_failure:
        malformed = no_port and no_address
    else:
        malformed = no_port or request.lifetime == 0
    if malformed or options.prefer_failure:
        raise Refused(ResultCode.MALFORMED_OPTION)
    options.prefer_failure = personality.prefer_failure is not Honour.IGNORED


def _read_port_set(
    personality: Personality, options: MapOptions, option: PortSet
) -> None:
    """Read PORT_SET; its own answer is made when the ports are. RFC 7753 4.2."""
    if personality.port_set_size == 1:
        return
    if options.port_count > 1 or options.prefer_failure:
        raise Refused(ResultCode.MALFORMED_OPTION)
    options.port_count = option.size


def _is_optional(option: Option) -> bool:
    match option:
        case Description() | PortSet() | Prefix64():
            return True
        case UnknownOption():
            return option.code >= _FIRST_OPTIONAL
        case _:
            return False


def _demand_support(honour: Honour) -> None:
    if honour is Honour.UNSUPPORTED:
        raise Refused(ResultCode.UNSUPP_OPTION)


def _has_odd_option(octets: bytes) -> bool:
    """Tell whether an option's length is no multiple of 4."""
    offset = 0
    while offset + _OPTION_HEADER <= len(octets):
        length = int.from_bytes(octets[offset + 2 : offset + 4])
        if length % 4:
            return True
        offset += _OPTION_HEADER + length
    return False
