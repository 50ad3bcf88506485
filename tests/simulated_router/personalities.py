"""Every kind of router we know, by name."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from custom_components.pcp.client.codec import Prefix64, ResultCode

from .miniupnpd import (
    DOUBLE_NAT_REFUSING,
    MINIUPNPD_2_3_1,
    MINIUPNPD_CLEANING,
    MINIUPNPD_NEWER,
    MINIUPNPD_QUIET,
    MINIUPNPD_UPTIME,
    OPNSENSE_PF,
    TOMATO,
)
from .personality import AddressChange, Honour, LowPort, Personality

RFC = Personality(
    name="rfc",
    about="a strict RFC 6887 server, with NAT-PMP beside it",
    evidence="RFC 6887 and RFC 6886",
)

NAT_PMP_ONLY = Personality(
    name="nat_pmp_only",
    about="NAT-PMP and nothing else",
    evidence="RFC 6886; reported to bitcoin of a Verizon CR1000A",
    pcp=False,
    max_lifetime=7200,
    nat_pmp_announce_count=10,
    address_change=AddressChange.NEW_EPOCH,
)

NAT_PMP_SPARSE = replace(
    NAT_PMP_ONLY,
    name="nat_pmp_sparse",
    about="NAT-PMP whose errors say as little as they can",
    evidence="read in mDNSResponder, which copes with it",
    version_reply_opcode_zero=True,
    nat_pmp_errors_without_port=True,
    lowest_internal_port=1024,
)

NAT_PMP_TRUNCATING = replace(
    NAT_PMP_ONLY,
    name="nat_pmp_truncating",
    about="old big-endian miniupnpd: ports in answers are cut to 8 bits",
    evidence="reported to miniupnp",
    nat_pmp_port_octet=True,
)

OPENWRT_MIXED_UP = replace(
    NAT_PMP_ONLY,
    name="openwrt_mixed_up",
    about="NAT-PMP for UDP opens a TCP port, and does not say so",
    evidence="reported to openwrt of miniupnpd 2.3.3",
    nat_pmp_makes_tcp=True,
)

MIKROTIK = replace(
    NAT_PMP_ONLY,
    name="mikrotik",
    about="RouterOS: NAT-PMP only, an external port must be suggested",
    evidence="reported to tailscale; the result code is a guess",
    needs_suggested_port=True,
)

PROTON_VPN = replace(
    NAT_PMP_ONLY,
    name="proton_vpn",
    about="a VPN's gateway: 60 s always, external port by the server",
    evidence="reported to gluetun, transmission and qBittorrent",
    fixed_lifetime=60,
    port_pool=40000,
    internal_port_0=True,
    nat_pmp_announce_count=0,
)

AIRPORT = Personality(
    name="airport",
    about="Apple AirPort: answers a PCP ANNOUNCE with NAT-PMP",
    evidence="read in offbynull's portmapper; which NAT-PMP answer is a guess",
    announce_with_nat_pmp=True,
)

FRITZBOX = Personality(
    name="fritzbox",
    about="FRITZ!Box with the device permitted: 13 s leases, no pinholes",
    evidence="reported to bitcoin of a 7530 AX",
    nat_pmp=False,
    fixed_lifetime=13,
    pinhole_result=ResultCode.NOT_AUTHORIZED,
)

FRITZBOX_LOCKED = replace(
    FRITZBOX,
    name="fritzbox_locked",
    about="FRITZ!Box before the device was permitted",
    evidence="the maker's knowledge base; reported to bitcoin",
    map_result=ResultCode.NOT_AUTHORIZED,
    long_error_lifetime=0,
)

DS_LITE = replace(
    FRITZBOX,
    name="ds_lite",
    about="FRITZ!Box without an IPv4 address of its own: IPv6 only",
    evidence="the maker's knowledge base; the result code is a guess",
    fixed_lifetime=None,
    nat_result=ResultCode.NETWORK_FAILURE,
    pinhole_result=ResultCode.SUCCESS,
)

REFUSES_ALL = Personality(
    name="refuses_all",
    about="NOT_AUTHORIZED to everything, ANNOUNCE too, lifetime 0",
    evidence="reported to tailscale and bitcoin",
    announce_result=ResultCode.NOT_AUTHORIZED,
    map_result=ResultCode.NOT_AUTHORIZED,
    long_error_lifetime=0,
)

CGNAT = Personality(
    name="cgnat",
    about="the WAN address is the provider's shared one",
    evidence="reported to tailscale and miniupnp",
    external_address=IPv4Address("100.64.0.7"),
)

DOUBLE_NAT = Personality(
    name="double_nat",
    about="the WAN is another router's LAN",
    evidence="reported to miniupnp and openwrt",
    external_address=IPv4Address("192.168.178.20"),
)

BRIDGED_DOCKER = Personality(
    name="bridged_docker",
    about="the client sits behind one more NAT: ADDRESS_MISMATCH",
    evidence="RFC 6887 8.2",
    sees_other_source=True,
)

LOW_PORTS_REFUSED = Personality(
    name="low_ports_refused",
    about="ports below 1024, inside or outside, are refused",
    evidence="reported to tailscale; the result code is a guess",
    lowest_internal_port=1024,
    lowest_external_port=1024,
    low_external_port=LowPort.REFUSED,
)

NO_OPTIONS = Personality(
    name="no_options",
    about="supports none of the options",
    evidence="RFC 6887 13, RFC 7220",
    filter=Honour.UNSUPPORTED,
    prefer_failure=Honour.UNSUPPORTED,
    description=False,
)

PORT_SETS = Personality(
    name="port_sets",
    about="grants consecutive ports as one, as many as are asked for",
    evidence="RFC 7753",
    third_party=True,
    port_set_size=65535,
)

PORT_SETS_OF_TWO = replace(
    PORT_SETS,
    name="port_sets_of_two",
    about="grants two consecutive ports as one, whatever is asked for",
    evidence="RFC 7753 6.4",
    port_set_size=2,
)

OPTIONS_REFUSED = Personality(
    name="options_refused",
    about="refuses even the options that a server should ignore",
    evidence="what RFC 6887 7.3 forbids",
    description=False,
    optional_refused=True,
)

THIRD_PARTY = Personality(
    name="third_party",
    about="a strict server that permits THIRD_PARTY",
    evidence="RFC 6887 13.1",
    third_party=True,
)

QUOTA = Personality(
    name="quota",
    about="two mappings for each client, then USER_EX_QUOTA",
    evidence="RFC 6887 7.4",
    mappings_per_client=2,
)

FULL_TABLE = Personality(
    name="full_table",
    about="two mappings in all, then NO_RESOURCES",
    evidence="RFC 6887 7.4",
    mappings_in_all=2,
)

ENDLESS_LEASES = Personality(
    name="endless_leases",
    about="grants 2^32-1 seconds whatever is asked for",
    evidence="RFC 6887 15",
    fixed_lifetime=0xFFFFFFFF,
)

ENDLESS_REFUSAL = Personality(
    name="endless_refusal",
    about="NOT_AUTHORIZED for 2^32-1 seconds",
    evidence="RFC 6887 8.3",
    map_result=ResultCode.NOT_AUTHORIZED,
    long_error_lifetime=0xFFFFFFFF,
)

LINGERING = Personality(
    name="lingering",
    about="a deleted mapping stays for 120 s more, and the answer says so",
    evidence="RFC 6887 15",
    delete_lingers=120,
)

NO_ANNOUNCE = Personality(
    name="no_announce",
    about="does not know ANNOUNCE, neither asked for nor by itself",
    evidence="RFC 6887 14",
    announce_result=ResultCode.UNSUPP_OPCODE,
    announce_count=0,
)

WANTS_AUTHENTICATION = Personality(
    name="wants_authentication",
    about="AUTHENTICATION_REQUIRED to every MAP (RFC 7652)",
    evidence="RFC 7652",
    map_result=ResultCode.AUTHENTICATION_REQUIRED,
)

VERSION_3_ONLY = Personality(
    name="version_3_only",
    about="a server of a PCP to come: UNSUPP_VERSION, version 3",
    evidence="RFC 6887 9",
    nat_pmp=False,
    version=3,
)

OTHER_ADDRESS = Personality(
    name="other_address",
    about="a virtual gateway: answers come from the real address",
    evidence="reported to tailscale of a CARP gateway",
    answers_from_other_address=True,
)

NAT64 = Personality(
    name="nat64",
    about="a NAT64 with a prefix of the provider's for one network, and the common one",
    evidence="RFC 7225",
    nat_pmp=False,
    nat64_prefixes=(
        Prefix64(
            prefix=bytes.fromhex("20010db8012203"),
            suffix=bytes(5),
            ipv4_prefixes=(IPv4Network("192.0.2.0/24"), IPv4Network("198.51.100.0/24")),
        ),
        Prefix64(prefix=bytes.fromhex("0064ff9b0000000000000000")),
    ),
)

SILENT = Personality(
    name="silent",
    about="hears and never answers",
    evidence="reported to openwrt",
    silent=True,
)

CLOSED = Personality(
    name="closed",
    about="nothing listens: ICMP port unreachable",
    evidence="reported to bitcoin of a Huawei HG8145V5",
    listens=False,
)

PERSONALITIES: dict[str, Personality] = {
    personality.name: personality
    for personality in (
        RFC,
        MINIUPNPD_2_3_1,
        MINIUPNPD_NEWER,
        MINIUPNPD_UPTIME,
        MINIUPNPD_QUIET,
        MINIUPNPD_CLEANING,
        TOMATO,
        OPNSENSE_PF,
        NAT_PMP_ONLY,
        NAT_PMP_SPARSE,
        NAT_PMP_TRUNCATING,
        OPENWRT_MIXED_UP,
        MIKROTIK,
        PROTON_VPN,
        AIRPORT,
        FRITZBOX,
        FRITZBOX_LOCKED,
        DS_LITE,
        REFUSES_ALL,
        CGNAT,
        DOUBLE_NAT,
        DOUBLE_NAT_REFUSING,
        BRIDGED_DOCKER,
        LOW_PORTS_REFUSED,
        NO_OPTIONS,
        PORT_SETS,
        PORT_SETS_OF_TWO,
        OPTIONS_REFUSED,
        THIRD_PARTY,
        QUOTA,
        FULL_TABLE,
        ENDLESS_LEASES,
        ENDLESS_REFUSAL,
        LINGERING,
        NO_ANNOUNCE,
        WANTS_AUTHENTICATION,
        VERSION_3_ONLY,
        OTHER_ADDRESS,
        NAT64,
        SILENT,
        CLOSED,
    )
}
