"""PCP and NAT-PMP behind one face, so that lease and keeper are written once.

Requests are built from a wish; an answer of either protocol becomes one of three
values. What makes an answer ours (nonce, having been asked) is the keeper's to judge.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from .codec import (
    NAT_PMP_VERSION,
    AnnounceRequest,
    AnnounceResponse,
    DecodeError,
    DropReason,
    ExternalAddressRequest,
    ExternalAddressResponse,
    IPAddress,
    MapRequest,
    MapResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpResult,
    Option,
    PeerRequest,
    PeerResponse,
    ResultCode,
    ThirdParty,
    decode_nat_pmp_response,
    decode_response,
    encode,
    encode_nat_pmp,
)
from .events import ServerProtocol
from .mapping import MappingWish, Protocol
from .nat64 import PREFIX64_QUESTION, Nat64Prefix, nat64_prefixes
from .peer import PeerWish

# RFC 6887 11.6: the discard port, to learn the external address and open nothing.
_DISCARD_PORT = 9

_NAT_PMP_RESULTS: dict[int, ResultCode] = {
    NatPmpResult.SUCCESS: ResultCode.SUCCESS,
    NatPmpResult.UNSUPP_VERSION: ResultCode.UNSUPP_VERSION,
    NatPmpResult.NOT_AUTHORIZED: ResultCode.NOT_AUTHORIZED,
    NatPmpResult.NETWORK_FAILURE: ResultCode.NETWORK_FAILURE,
    NatPmpResult.OUT_OF_RESOURCES: ResultCode.NO_RESOURCES,
    NatPmpResult.UNSUPP_OPCODE: ResultCode.UNSUPP_OPCODE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAnswer:
    """What a server says of one mapping, in either protocol."""

    spoken: ServerProtocol
    result_code: ResultCode | int
    epoch_time: int
    nonce: bytes | None
    """None in NAT-PMP, which has none."""
    protocol: int
    internal_port: int
    assigned_external_port: int
    assigned_external_address: IPAddress | None
    """None where the answer does not tell it."""
    lifetime: int
    remote: tuple[IPAddress, int] | None = None
    """The other end that PEER is for; None in an answer to MAP."""
    nat64_prefixes: tuple[Nat64Prefix, ...] = ()
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    """What a server says of itself: to ANNOUNCE, or of its external address."""

    spoken: ServerProtocol
    result_code: ResultCode | int
    epoch_time: int
    external_address: IPAddress | None
    nat64_prefixes: tuple[Nat64Prefix, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionAnswer:
    """The server does not speak the version it was asked in. RFC 6887 9."""

    version: int
    """What it speaks; 0 is NAT-PMP."""
    lifetime: int = 0
    """Seconds for which it is so; 0 where the answer does not tell."""


type Answer = MapAnswer | StatusAnswer | VersionAnswer


def map_request(
    spoken: ServerProtocol,
    wish: MappingWish,
    *,
    client_address: IPAddress,
    lifetime: int,
    suggested_external_port: int,
    suggested_external_address: IPAddress | None,
    options: tuple[Option, ...] = (),
) -> bytes:
    """Return the request that makes or renews a mapping.

    RFC 6887 11.2 and, of a PeerWish, 12.2; RFC 6886 3.3, which has no options.
    """
    key = wish.key
    if spoken is ServerProtocol.NAT_PMP:
        return encode_nat_pmp(
            NatPmpMapRequest(
                protocol=key.protocol,
                internal_port=key.internal_port,
                # MikroTik's server refuses to choose a port itself.
                suggested_external_port=suggested_external_port or key.internal_port,
                lifetime=lifetime,
            )
        )
    if isinstance(wish, PeerWish):
        return encode(
            PeerRequest(
                client_address=client_address,
                lifetime=lifetime,
                nonce=wish.nonce,
                protocol=key.protocol,
                internal_port=key.internal_port,
                suggested_external_port=suggested_external_port,
                suggested_external_address=suggested_external_address
                or unspecified(key.internal_address),
                remote_port=wish.key.remote_port,
                remote_address=wish.key.remote_address,
                options=_about_others(options, client_address),
            )
        )
    return encode(
        MapRequest(
            client_address=client_address,
            lifetime=lifetime,
            nonce=wish.nonce,
            protocol=key.protocol,
            internal_port=key.internal_port,
            suggested_external_port=suggested_external_port,
            suggested_external_address=suggested_external_address
            or unspecified(key.internal_address),
            options=_about_others(options, client_address),
        )
    )


def delete_request(
    spoken: ServerProtocol,
    wish: MappingWish,
    *,
    client_address: IPAddress,
    options: tuple[Option, ...] = (),
) -> bytes:
    """Return the request that deletes a mapping. RFC 6887 15.1, RFC 6886 3.4.

    NAT-PMP's "delete all" (port 0) is never asked for: it would close what other
    programs of this host have opened.
    """
    key = wish.key
    if spoken is ServerProtocol.NAT_PMP:
        return encode_nat_pmp(
            NatPmpMapRequest(
                protocol=key.protocol, internal_port=key.internal_port, lifetime=0
            )
        )
    return encode(
        MapRequest(
            client_address=client_address,
            lifetime=0,
            nonce=wish.nonce,
            protocol=key.protocol,
            internal_port=key.internal_port,
            suggested_external_address=unspecified(key.internal_address),
            options=_about_others(options, client_address),
        )
    )


def announce_request(*, client_address: IPAddress, prefix64: bool = False) -> bytes:
    """Return PCP's question for the epoch. RFC 6887 14.1.2.

    `prefix64` asks for NAT64 prefixes, too. RFC 7225 4.3.
    """
    return encode(
        AnnounceRequest(client_address=client_address, options=_prefix64(prefix64))
    )


def external_address_request() -> bytes:
    """Return NAT-PMP's question for the external address. RFC 6886 3.2."""
    return encode_nat_pmp(ExternalAddressRequest())


def probe_request(
    *, client_address: IPAddress, nonce: bytes, prefix64: bool = False
) -> bytes:
    """Return a PCP request that opens nothing and may tell the external address.

    It deletes what was never made: UDP port 9 with a fresh nonce. RFC 6887 11.6.
    `prefix64` asks for NAT64 prefixes, too. RFC 7225 4.3.
    """
    return encode(
        MapRequest(
            client_address=client_address,
            lifetime=0,
            nonce=nonce,
            protocol=Protocol.UDP,
            internal_port=_DISCARD_PORT,
            suggested_external_address=unspecified(client_address),
            options=_prefix64(prefix64),
        )
    )


def read(data: bytes) -> Answer:
    """Return what a server's datagram says; raises DecodeError for anything else."""
    if data[:1] == bytes((NAT_PMP_VERSION,)):
        return _read_nat_pmp(data)
    response = decode_response(data)
    if response.result_code == ResultCode.UNSUPP_VERSION:
        return VersionAnswer(version=response.version, lifetime=response.lifetime)
    match response:
        case MapResponse() | PeerResponse():
            remote = None
            if isinstance(response, PeerResponse):
                remote = (response.remote_address, response.remote_port)
            return MapAnswer(
                spoken=ServerProtocol.PCP,
                result_code=response.result_code,
                epoch_time=response.epoch_time,
                nonce=response.nonce,
                protocol=response.protocol,
                internal_port=response.internal_port,
                assigned_external_port=response.assigned_external_port,
                assigned_external_address=_specified(
                    response.assigned_external_address
                ),
                lifetime=response.lifetime,
                remote=remote,
                nat64_prefixes=nat64_prefixes(response.options),
                options=response.options,
            )
        case AnnounceResponse():
            return StatusAnswer(
                spoken=ServerProtocol.PCP,
                result_code=response.result_code,
                epoch_time=response.epoch_time,
                external_address=None,
                nat64_prefixes=nat64_prefixes(response.options),
            )
        case _:
            raise DecodeError(DropReason.OPCODE, "an answer to nothing that we ask")


def unspecified(address: IPAddress) -> IPAddress:
    """Return the all-zeros address of the same family. RFC 6887 5."""
    return IPv4Address(0) if address.version == 4 else IPv6Address(0)


def _read_nat_pmp(data: bytes) -> Answer:
    response = decode_nat_pmp_response(data)
    if response.result_code == NatPmpResult.UNSUPP_VERSION:
        return VersionAnswer(version=NAT_PMP_VERSION)
    match response:
        case NatPmpMapResponse():
            return MapAnswer(
                spoken=ServerProtocol.NAT_PMP,
                result_code=_result_code(response.result_code),
                epoch_time=response.epoch_time,
                nonce=None,
                protocol=response.protocol,
                internal_port=response.internal_port,
                assigned_external_port=response.assigned_external_port,
                assigned_external_address=None,
                # An error's lifetime means nothing here. RFC 6886 3.4.
                lifetime=0 if response.result_code else response.lifetime,
            )
        case ExternalAddressResponse():
            succeeded = response.result_code == NatPmpResult.SUCCESS
            return StatusAnswer(
                spoken=ServerProtocol.NAT_PMP,
                result_code=_result_code(response.result_code),
                epoch_time=response.epoch_time,
                external_address=_specified(response.external_address)
                if succeeded
                else None,
            )
        case _:
            raise DecodeError(DropReason.OPCODE, "an error that names no mapping")


def _about_others(
    options: tuple[Option, ...], client_address: IPAddress
) -> tuple[Option, ...]:
    """Leave out a THIRD_PARTY that names ourselves. RFC 6887 13.1."""
    ourselves = ThirdParty(internal_address=client_address)
    return tuple(option for option in options if option != ourselves)


def _prefix64(asked: bool) -> tuple[Option, ...]:
    return (PREFIX64_QUESTION,) if asked else ()


def _specified(address: IPAddress) -> IPAddress | None:
    return None if address.is_unspecified else address


def _result_code(result: NatPmpResult | int) -> ResultCode | int:
    """Return PCP's code of the same meaning; unknown NAT-PMP codes are kept apart."""
    return _NAT_PMP_RESULTS.get(result, result + 0x10000)
