"""miniupnpd, the server of most routers, and what is built on it.

2.3.1 is told as it was measured. Not told: the second ANNOUNCE after most changes of
the address, notices that still carry the old address, and what lease files garble.
"""

from dataclasses import replace
from ipaddress import IPv4Address

from custom_components.pcp.client.codec import ResultCode

from .personality import (
    AddressChange,
    EpochSource,
    Honour,
    Personality,
    PinholeRenewal,
    Renewal,
    WrongNonce,
)

MINIUPNPD_2_3_1 = Personality(
    name="miniupnpd_2_3_1",
    about="miniupnpd 2.3.1 as Debian 12 has it, measured",
    evidence="measured; the record is in tests/client/recorded",
    checks_announce_address=False,
    version_1=True,
    malformed_as_version_0=True,
    unparsed_port_zeroed=True,
    nat_pmp_clamps=False,
    long_error_lifetime=0,
    cannot_provide_lifetime=0,
    protocols=frozenset(range(256)),
    internal_port_0=True,
    no_port_result=ResultCode.MALFORMED_REQUEST,
    lowest_external_port=1024,
    grants_own_ports=True,
    private_address_result=ResultCode.NO_RESOURCES,
    address_change=AddressChange.NEW_EPOCH,
    wrong_nonce=WrongNonce.TAKES_OVER,
    refusal_tells_remaining=False,
    renewal=Renewal.ADDS_MAPPING,
    delete_of_nothing=ResultCode.NO_RESOURCES,
    delete_port_0_any=True,
    shows_external_address=True,
    pinhole_wrong_nonce=WrongNonce.TAKES_OVER,
    pinhole_renewal=PinholeRenewal.LOSES_OWNER,
    pinhole_renewal_copies_port=True,
    third_party=True,
    filter=Honour.IGNORED,
    prefer_failure=Honour.POLICY_ONLY,
    loose_prefer_failure=True,
    description=False,
    echoes_all_options=True,
    odd_option_malformed=True,
    peer=True,
    nat_pmp_unsupported_echoes=False,
    nat_pmp_private_refused=True,
    announce_count=1,
)

MINIUPNPD_NEWER = replace(
    MINIUPNPD_2_3_1,
    name="miniupnpd_newer",
    about="miniupnpd 2.3.11, read and not measured; third parties off",
    evidence="read in the source of 2.3.11",
    pinhole_wrong_nonce=WrongNonce.REFUSED,
    pinhole_renewal=PinholeRenewal.WORKS,
    odd_option_malformed=False,
    third_party=False,
)

MINIUPNPD_UPTIME = replace(
    MINIUPNPD_2_3_1,
    name="miniupnpd_uptime",
    about="miniupnpd with Debian's system_uptime=yes: a restart keeps the epoch",
    evidence="measured",
    epoch_source=EpochSource.UPTIME,
)

MINIUPNPD_QUIET = replace(
    MINIUPNPD_2_3_1,
    name="miniupnpd_quiet",
    about="miniupnpd without UPnP: a new WAN address is not announced",
    evidence="measured",
    address_change=AddressChange.SILENT,
)

MINIUPNPD_CLEANING = replace(
    MINIUPNPD_2_3_1,
    name="miniupnpd_cleaning",
    about="removes idle mappings before their time",
    evidence="reported to miniupnp",
    forgets_after=600,
)

TOMATO = replace(
    MINIUPNPD_2_3_1,
    name="tomato",
    about="old miniupnpd whose renewals do not extend the lifetime",
    evidence="reported to miniupnp",
    renewal_extends=False,
)

OPNSENSE_PF = replace(
    MINIUPNPD_2_3_1,
    name="opnsense_pf",
    about="miniupnpd on pf: renewing an IPv6 pinhole is NO_RESOURCES",
    evidence="reported to opnsense, miniupnp and bitcoin",
    pinhole_renewal=PinholeRenewal.REFUSED,
)

DOUBLE_NAT_REFUSING = replace(
    MINIUPNPD_2_3_1,
    name="double_nat_refusing",
    about="miniupnpd on a private WAN address: IPv4 is refused",
    evidence="measured",
    external_address=IPv4Address("10.0.0.1"),
)
