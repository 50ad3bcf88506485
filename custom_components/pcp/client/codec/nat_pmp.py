"""NAT-PMP messages: bytes <-> frozen values. RFC 6886 3.

Its datagrams begin with the octet 0. The names are PCP's for the same things; its
addresses are IPv4 only. Lifetimes are seconds, epoch times the server's own seconds;
both are unsigned 32 bit.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import Struct, error as StructError
from typing import assert_never

from .constants import NAT_PMP_VERSION, RESPONSE_BIT, NatPmpOpcode, NatPmpResult
from .errors import DecodeError, DropReason

_HEADER = Struct("!BB")
_MAP_REQUEST = Struct("!BBxxHHI")
_RESULT = Struct("!BBH")
_ERROR = Struct("!BBHI")
_EXTERNAL_ADDRESS = Struct("!BBHI4s")
_MAP_RESPONSE = Struct("!BBHIHHI")

_RESULTS: dict[int, NatPmpResult] = {code.value: code for code in NatPmpResult}
# IANA protocol numbers of TCP and UDP.
_PROTOCOLS: dict[int, int] = {NatPmpOpcode.MAP_UDP: 17, NatPmpOpcode.MAP_TCP: 6}
_OPCODES: dict[int, int] = {protocol: opcode for opcode, protocol in _PROTOCOLS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAddressRequest:
    """Ask for the external address. RFC 6886 3.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatPmpMapRequest:
    """Ask for a mapping, its renewal or its end. RFC 6886 3.3, 3.4."""

    protocol: int
    """6 (TCP) or 17 (UDP)."""
    internal_port: int
    """0 with lifetime 0: all of the protocol's."""
    suggested_external_port: int = 0
    """0 where there is nothing to suggest, and to delete."""
    lifetime: int
    """Seconds; 0 deletes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAddressResponse:
    """The external address, asked for or announced. RFC 6886 3.2, 3.2.1."""

    result_code: NatPmpResult | int
    epoch_time: int
    external_address: IPv4Address
    """Means nothing in an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatPmpMapResponse:
    """An answer to a map request. RFC 6886 3.3."""

    result_code: NatPmpResult | int
    epoch_time: int
    protocol: int
    """6 (TCP) or 17 (UDP)."""
    internal_port: int
    assigned_external_port: int
    lifetime: int
    """Seconds the mapping lives from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NatPmpErrorResponse:
    """An error that does not have its opcode's fields. RFC 6886 3.5, RFC 6887 9."""

    opcode: int
    """The octet as it came: 128 added to what was asked for, or just 0."""
    result_code: NatPmpResult | int
    epoch_time: int = 0
    """Means nothing where `echo` is not None."""
    echo: bytes | None = None
    """What follows the result code where that is not the epoch alone.

    Some servers send the whole request back with the result written into it.
    """


type NatPmpRequest = ExternalAddressRequest | NatPmpMapRequest
type NatPmpResponse = ExternalAddressResponse | NatPmpMapResponse | NatPmpErrorResponse


def encode_nat_pmp(message: NatPmpRequest | NatPmpResponse) -> bytes:
    """Return a message as the octets of one datagram.

    Raises ValueError for what the wire cannot express: a number out of its range, a
    protocol that is neither TCP nor UDP.
    """
    try:
        return _encode(message)
    except StructError as err:
        raise ValueError(f"out of range: {err}") from err


def decode_nat_pmp_request(data: bytes) -> NatPmpRequest:
    """Return the request in a datagram; raises DecodeError for anything else."""
    opcode = _checked_opcode(data)
    if opcode & RESPONSE_BIT:
        raise DecodeError(DropReason.RESPONSE_BIT, "not a request")
    match opcode:
        case NatPmpOpcode.EXTERNAL_ADDRESS:
            _require(data, _HEADER)
            return ExternalAddressRequest()
        case NatPmpOpcode.MAP_UDP | NatPmpOpcode.MAP_TCP:
            _require(data, _MAP_REQUEST)
            _, _, internal_port, suggested_external_port, lifetime = (
                _MAP_REQUEST.unpack(data)
            )
            return NatPmpMapRequest(
                protocol=_PROTOCOLS[opcode],
                internal_port=internal_port,
                suggested_external_port=suggested_external_port,
                lifetime=lifetime,
            )
        case _:
            raise DecodeError(DropReason.OPCODE, f"NAT-PMP opcode {opcode}")


def decode_nat_pmp_response(data: bytes) -> NatPmpResponse:
    """Return the response in a datagram; raises DecodeError for anything else.

    An answer of its opcode's own length is that opcode's, whatever its result. Any
    other is an error answer: of 8 octets with the epoch, or for UNSUPP_VERSION and
    UNSUPP_OPCODE of any length with the request echoed.
    """
    opcode = _checked_opcode(data)
    if len(data) < _RESULT.size:
        raise DecodeError(DropReason.LENGTH, f"response of {len(data)} octets")
    match opcode ^ RESPONSE_BIT:
        case NatPmpOpcode.EXTERNAL_ADDRESS if len(data) == _EXTERNAL_ADDRESS.size:
            return _decode_external_address_response(data)
        case NatPmpOpcode.MAP_UDP | NatPmpOpcode.MAP_TCP if (
            len(data) == _MAP_RESPONSE.size
        ):
            return _decode_map_response(data)
        case _:
            return _decode_error_response(data)


def _checked_opcode(data: bytes) -> int:
    """Return the opcode octet of a NAT-PMP datagram; raises DecodeError for others."""
    if len(data) < _HEADER.size:
        raise DecodeError(DropReason.LENGTH, f"{len(data)} octets")
    version, opcode = data[0], data[1]
    if version != NAT_PMP_VERSION:
        raise DecodeError(DropReason.VERSION, f"version {version}")
    return opcode


def _require(data: bytes, struct: Struct) -> None:
    if len(data) != struct.size:
        raise DecodeError(DropReason.LENGTH, f"request of {len(data)} octets")


def _encode(message: NatPmpRequest | NatPmpResponse) -> bytes:
    match message:
        case ExternalAddressRequest():
            return _HEADER.pack(NAT_PMP_VERSION, NatPmpOpcode.EXTERNAL_ADDRESS)
        case NatPmpMapRequest():
            return _MAP_REQUEST.pack(
                NAT_PMP_VERSION,
                _opcode(message.protocol),
                message.internal_port,
                message.suggested_external_port,
                message.lifetime,
            )
        case ExternalAddressResponse():
            return _EXTERNAL_ADDRESS.pack(
                NAT_PMP_VERSION,
                RESPONSE_BIT | NatPmpOpcode.EXTERNAL_ADDRESS,
                message.result_code,
                message.epoch_time,
                message.external_address.packed,
            )
        case NatPmpMapResponse():
            return _MAP_RESPONSE.pack(
                NAT_PMP_VERSION,
                RESPONSE_BIT | _opcode(message.protocol),
                message.result_code,
                message.epoch_time,
                message.internal_port,
                message.assigned_external_port,
                message.lifetime,
            )
        case NatPmpErrorResponse():
            return _encode_error_response(message)
        case _ as unreachable:
            assert_never(unreachable)


def _opcode(protocol: int) -> int:
    if protocol not in _OPCODES:
        raise ValueError(f"NAT-PMP has no protocol {protocol}")
    return _OPCODES[protocol]


def _decode_external_address_response(data: bytes) -> ExternalAddressResponse:
    _, _, result, epoch_time, external_address = _EXTERNAL_ADDRESS.unpack(data)
    return ExternalAddressResponse(
        result_code=_RESULTS.get(result, result),
        epoch_time=epoch_time,
        external_address=IPv4Address(external_address),
    )


def _decode_map_response(data: bytes) -> NatPmpMapResponse:
    (
        _,
        opcode,
        result,
        epoch_time,
        internal_port,
        assigned_external_port,
        lifetime,
    ) = _MAP_RESPONSE.unpack(data)
    return NatPmpMapResponse(
        result_code=_RESULTS.get(result, result),
        epoch_time=epoch_time,
        protocol=_PROTOCOLS[opcode ^ RESPONSE_BIT],
        internal_port=internal_port,
        assigned_external_port=assigned_external_port,
        lifetime=lifetime,
    )


def _encode_error_response(message: NatPmpErrorResponse) -> bytes:
    if message.echo is None:
        return _ERROR.pack(
            NAT_PMP_VERSION, message.opcode, message.result_code, message.epoch_time
        )
    head = _RESULT.pack(NAT_PMP_VERSION, message.opcode, message.result_code)
    return head + message.echo


def _decode_error_response(data: bytes) -> NatPmpErrorResponse:
    _, opcode, result = _RESULT.unpack_from(data)
    echoes = result in (NatPmpResult.UNSUPP_VERSION, NatPmpResult.UNSUPP_OPCODE)
    if not opcode & RESPONSE_BIT and not (
        opcode == 0 and result == NatPmpResult.UNSUPP_VERSION
    ):
        raise DecodeError(DropReason.RESPONSE_BIT, "not a response")
    if result == NatPmpResult.SUCCESS:
        if opcode ^ RESPONSE_BIT in NatPmpOpcode:
            raise DecodeError(DropReason.LENGTH, f"response of {len(data)} octets")
        raise DecodeError(DropReason.OPCODE, f"NAT-PMP opcode {opcode}")
    if len(data) == _ERROR.size:
        _, _, _, epoch_time = _ERROR.unpack(data)
        return NatPmpErrorResponse(
            opcode=opcode,
            result_code=_RESULTS.get(result, result),
            epoch_time=epoch_time,
        )
    if not echoes:
        raise DecodeError(DropReason.LENGTH, f"response of {len(data)} octets")
    return NatPmpErrorResponse(
        opcode=opcode,
        result_code=_RESULTS.get(result, result),
        echo=data[_RESULT.size :],
    )
