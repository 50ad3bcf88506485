"""How a router behaves, as data: every quirk is a field, and its default is the RFC's."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from custom_components.pcp.client.codec import Prefix64, ResultCode


class WrongNonce(StrEnum):
    """What a renewal with another nonce than the mapping's meets."""

    REFUSED = "refused"
    """NOT_AUTHORIZED. RFC 6887 11.3."""
    TAKES_OVER = "takes_over"
    """SUCCESS, and the new nonce owns the mapping."""


class Renewal(StrEnum):
    """What a renewal that suggests another external port meets."""

    KEEPS_PORT = "keeps_port"
    """The existing mapping. RFC 6887 11.3."""
    ADDS_MAPPING = "adds_mapping"
    """A second mapping beside the first."""


class PinholeRenewal(StrEnum):
    """What the renewal of an IPv6 pinhole does."""

    WORKS = "works"
    LOSES_OWNER = "loses_owner"
    """It is renewed, and from then on nobody can delete it."""
    REFUSED = "refused"
    """NO_RESOURCES."""


class Honour(StrEnum):
    """What becomes of an option."""

    ENFORCED = "enforced"
    POLICY_ONLY = "policy_only"
    """PREFER_FAILURE: kept for a forbidden port or address, not for a taken port."""
    IGNORED = "ignored"
    """Accepted and not acted on."""
    UNSUPPORTED = "unsupported"
    """UNSUPP_OPTION."""


class LowPort(StrEnum):
    """What a suggested external port below the lowest one allowed meets."""

    REPLACED = "replaced"
    """The next port allowed is assigned."""
    REFUSED = "refused"
    """NOT_AUTHORIZED."""


class EpochSource(StrEnum):
    """What the epoch counts from."""

    START = "start"
    """The start of the service: a restart resets it. RFC 6887 8.5."""
    UPTIME = "uptime"
    """The start of the machine: a restart of the service does not show."""


class AddressChange(StrEnum):
    """How a new external address is made known."""

    MAPPING_UPDATES = "mapping_updates"
    """Unicast MAP answers nobody asked for. RFC 6887 14.2."""
    NEW_EPOCH = "new_epoch"
    """Epoch 0, and announcements as after a start.

    Where PCP is spoken, a NAT-PMP notice with the old epoch goes before.
    """
    SILENT = "silent"
    """Not at all: the next MAP answer carries it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """One kind of router. Lifetimes are seconds."""

    name: str
    about: str
    """For people, one line."""
    evidence: str
    """How we know: measured, read, or reported, and to which project."""

    # What it speaks.
    listens: bool = True
    """False: nothing is bound to the port, so that ICMP says so."""
    silent: bool = False
    """It hears and never answers."""
    pcp: bool = True
    ignores_pcp: bool = False
    """What is not NAT-PMP is not even refused. RFC 6887 appendix A."""
    nat_pmp: bool = True
    answers_from_other_address: bool = False
    """Answers come from another address than the one that was asked."""
    announce_with_nat_pmp: bool = False
    """A PCP ANNOUNCE is answered with the NAT-PMP external address."""
    checks_announce_address: bool = True
    sees_other_source: bool = False
    """The client seems to sit behind one more NAT."""
    version: int = 2
    """The only version of PCP it speaks; not 2: UNSUPP_VERSION to all we can say."""
    version_1: bool = False
    """It also speaks the draft without a nonce."""
    malformed_as_version_0: bool = False
    """Requests of a wrong length get MALFORMED_REQUEST with version octet 0."""
    unparsed_port_zeroed: bool = False
    """Errors about what was not parsed have no internal port."""
    version_reply_opcode_zero: bool = False
    """NAT-PMP only: to another version it answers with opcode 0."""

    # Lifetimes.
    min_lifetime: int = 120
    max_lifetime: int = 86400
    fixed_lifetime: int | None = None
    """Granted whatever is asked for."""
    nat_pmp_clamps: bool = True
    renewal_extends: bool = True
    """False: a renewal is answered and the old end stays."""
    forgets_after: int | None = None
    """Mappings go after this time, whatever was granted."""
    long_error_lifetime: int = 1800
    short_error_lifetime: int = 30
    cannot_provide_lifetime: int = 30

    # Refusals.
    announce_result: ResultCode = ResultCode.SUCCESS
    map_result: ResultCode = ResultCode.SUCCESS
    """Anything else: the answer to every MAP and NAT-PMP map."""
    nat_result: ResultCode = ResultCode.SUCCESS
    """Anything else: the answer to every mapping that concerns IPv4."""
    pinhole_result: ResultCode = ResultCode.SUCCESS
    """Anything else: the answer to every MAP that concerns IPv6."""
    mappings_per_client: int | None = None
    """More: USER_EX_QUOTA."""
    mappings_in_all: int | None = None
    """More: NO_RESOURCES."""
    protocols: frozenset[int] = frozenset({6, 17})
    """What else is asked for gets UNSUPP_PROTOCOL."""
    internal_port_0: bool = False
    """All-ports mappings are made where an external port is suggested."""
    no_port_result: ResultCode = ResultCode.UNSUPP_PROTOCOL
    """The answer to all-ports mappings that are not made."""

    # Ports.
    lowest_internal_port: int = 1
    lowest_external_port: int = 1
    low_external_port: LowPort = LowPort.REPLACED
    grants_own_ports: bool = False
    """UDP 5350 and 5351 are given away. RFC 6887 19.1 forbids."""
    port_pool: int | None = None
    """External ports are counted up from here, suggestions ignored."""
    needs_suggested_port: bool = False
    """A suggested external port of 0 is an error."""

    # External address.
    external_address: IPv4Address | None = None
    """What it believes its WAN address to be, where that is not the real one."""
    private_address_result: ResultCode = ResultCode.SUCCESS
    """The answer to MAP over IPv4 while the WAN address is not a public one."""
    address_change: AddressChange = AddressChange.MAPPING_UPDATES

    # Mappings, their owners, their end.
    wrong_nonce: WrongNonce = WrongNonce.REFUSED
    refusal_tells_remaining: bool = True
    """NOT_AUTHORIZED for a wrong nonce has the mapping's remaining lifetime."""
    renewal: Renewal = Renewal.KEEPS_PORT
    delete_of_nothing: ResultCode = ResultCode.SUCCESS
    delete_lingers: int = 0
    """Seconds that a mapping stays after its delete, told in the answer. RFC 6887 15."""
    delete_port_0_any: bool = False
    """A delete of internal port 0 deletes any one mapping of the protocol."""
    shows_external_address: bool = False
    """Errors and deletes show the external address, not a copy of the request."""
    pinhole_wrong_nonce: WrongNonce = WrongNonce.REFUSED
    pinhole_renewal: PinholeRenewal = PinholeRenewal.WORKS
    pinhole_renewal_copies_port: bool = False
    """A renewal's answer has the suggested port, also where that is 0."""

    # Options and other opcodes.
    third_party: bool = False
    filter: Honour = Honour.ENFORCED
    max_filters: int = 64
    prefer_failure: Honour = Honour.ENFORCED
    loose_prefer_failure: bool = False
    """PREFER_FAILURE is malformed only where neither port nor address is suggested."""
    description: bool = True
    port_set_size: int = 1
    """Ports that a PORT_SET gets at most; 1: the option is ignored. RFC 7753."""
    optional_refused: bool = False
    """UNSUPP_OPTION for DESCRIPTION, PORT_SET and unknown optional options."""
    echoes_all_options: bool = False
    """Success answers carry every option, processed or not."""
    odd_option_malformed: bool = False
    """An option of a length that is no multiple of 4 is MALFORMED_OPTION."""
    peer: bool = False
    nat64_prefixes: tuple[Prefix64, ...] = ()
    """Told to who asks with PREFIX64, and in announcements. RFC 7225 4.2."""

    # NAT-PMP's own.
    nat_pmp_unsupported_echoes: bool = True
    """RFC 6886 3.5: an unknown opcode gets the whole request back."""
    nat_pmp_errors_without_port: bool = False
    """Errors have internal port 0."""
    nat_pmp_port_octet: bool = False
    """Ports in answers are cut to 8 bits."""
    nat_pmp_makes_tcp: bool = False
    """Whatever protocol is asked for, the mapping is TCP's; the answer hides it."""
    nat_pmp_private_refused: bool = False
    """Network failure while the WAN address is not a public one."""

    # Epoch and announcements.
    epoch_source: EpochSource = EpochSource.START
    announce_count: int = 10
    """ANNOUNCE packets after a start; RFC 6887 14.1.3 allows 10."""
    nat_pmp_announce_count: int = 0
    """External address notices after a start or a change. RFC 6886 3.2.1."""
