"""PCP responses: bytes <-> frozen values. RFC 6887 7.2, 8.3."""

from collections.abc import Callable
from struct import Struct
from typing import assert_never

from .address import pack_address, unpack_address
from .constants import (
    MAX_DATAGRAM,
    NAT_PMP_VERSION,
    PCP_VERSION,
    RESPONSE_BIT,
    Opcode,
    ResultCode,
)
from .errors import DecodeError, DropReason
from .fields import checked_nonce, checked_opcode, checked_words
from .messages import (
    AnnounceResponse,
    MapResponse,
    PeerResponse,
    Response,
    UnknownResponse,
)
from .options import Option, decode_response_options, encode_options

_RESPONSE = Struct("!BBxBII12s")
_CUT_RESPONSE = Struct("!BBxB")
_MAP_RESPONSE = Struct("!BBxBII12s12sB3xHH16s")
_PEER_RESPONSE = Struct("!BBxBII12s12sB3xHH16sHxx16s")

_RESERVED_LENGTH = 12
_RESULT_CODES: dict[int, ResultCode] = {code.value: code for code in ResultCode}


def encode_response(message: Response) -> bytes:
    """Return a response's octets; raises ValueError or struct.error, see encode."""
    match message:
        case MapResponse():
            return _encode_map_response(message)
        case AnnounceResponse():
            return _encode_announce_response(message)
        case PeerResponse():
            return _encode_peer_response(message)
        case UnknownResponse():
            return _encode_unknown_response(message)
        case _ as unreachable:
            assert_never(unreachable)


def decode_response(data: bytes) -> Response:
    """Return the response in a datagram; raises DecodeError for anything else.

    UNSUPP_VERSION is recognised in any version and length, before all other checks.
    An error that is too short for its opcode's fields is an UnknownResponse.
    RFC 6887 8.3.
    """
    if len(data) < _CUT_RESPONSE.size:
        raise DecodeError(DropReason.LENGTH, f"response of {len(data)} octets")
    version, opcode, result = data[0], data[1] ^ RESPONSE_BIT, data[3]
    if opcode & RESPONSE_BIT:
        raise DecodeError(DropReason.RESPONSE_BIT, "not a response")
    if version == NAT_PMP_VERSION:
        raise DecodeError(DropReason.VERSION, "NAT-PMP")
    if result == ResultCode.UNSUPP_VERSION:
        return _decode_unknown_response(data)
    if len(data) < _RESPONSE.size or len(data) > MAX_DATAGRAM or len(data) % 4:
        raise DecodeError(DropReason.LENGTH, f"response of {len(data)} octets")
    if version != PCP_VERSION:
        raise DecodeError(DropReason.VERSION, f"version {version}")
    if opcode not in _DECODERS:
        return _decode_unknown_response(data)
    size, decode = _DECODERS[opcode]
    if len(data) < size:
        if result == ResultCode.SUCCESS:
            raise DecodeError(DropReason.LENGTH, f"response of {len(data)} octets")
        return _decode_unknown_response(data)
    options, trailing = decode_response_options(data, size)
    if trailing and result == ResultCode.SUCCESS:
        raise DecodeError(DropReason.OPTION, "past the end")
    return decode(data, options, trailing)


def _encode_announce_response(message: AnnounceResponse) -> bytes:
    return _RESPONSE.pack(
        message.version,
        RESPONSE_BIT | Opcode.ANNOUNCE,
        message.result_code,
        message.lifetime,
        message.epoch_time,
        _reserved(message.reserved),
    ) + _encode_tail(message)


def _decode_announce_response(
    data: bytes, options: tuple[Option, ...], trailing: bytes
) -> AnnounceResponse:
    version, _, result, lifetime, epoch_time, reserved = _RESPONSE.unpack_from(data)
    return AnnounceResponse(
        result_code=_RESULT_CODES.get(result, result),
        lifetime=lifetime,
        epoch_time=epoch_time,
        options=options,
        trailing=trailing,
        reserved=reserved,
        version=version,
    )


def _encode_map_response(message: MapResponse) -> bytes:
    return _MAP_RESPONSE.pack(
        message.version,
        RESPONSE_BIT | Opcode.MAP,
        message.result_code,
        message.lifetime,
        message.epoch_time,
        _reserved(message.reserved),
        checked_nonce(message.nonce),
        message.protocol,
        message.internal_port,
        message.assigned_external_port,
        pack_address(message.assigned_external_address),
    ) + _encode_tail(message)


def _decode_map_response(
    data: bytes, options: tuple[Option, ...], trailing: bytes
) -> MapResponse:
    (
        version,
        _,
        result,
        lifetime,
        epoch_time,
        reserved,
        nonce,
        protocol,
        internal_port,
        assigned_external_port,
        assigned_external_address,
    ) = _MAP_RESPONSE.unpack_from(data)
    return MapResponse(
        result_code=_RESULT_CODES.get(result, result),
        lifetime=lifetime,
        epoch_time=epoch_time,
        nonce=nonce,
        protocol=protocol,
        internal_port=internal_port,
        assigned_external_port=assigned_external_port,
        assigned_external_address=unpack_address(assigned_external_address),
        options=options,
        trailing=trailing,
        reserved=reserved,
        version=version,
    )


def _encode_peer_response(message: PeerResponse) -> bytes:
    return _PEER_RESPONSE.pack(
        message.version,
        RESPONSE_BIT | Opcode.PEER,
        message.result_code,
        message.lifetime,
        message.epoch_time,
        _reserved(message.reserved),
        checked_nonce(message.nonce),
        message.protocol,
        message.internal_port,
        message.assigned_external_port,
        pack_address(message.assigned_external_address),
        message.remote_port,
        pack_address(message.remote_address),
    ) + _encode_tail(message)


def _decode_peer_response(
    data: bytes, options: tuple[Option, ...], trailing: bytes
) -> PeerResponse:
    (
        version,
        _,
        result,
        lifetime,
        epoch_time,
        reserved,
        nonce,
        protocol,
        internal_port,
        assigned_external_port,
        assigned_external_address,
        remote_port,
        remote_address,
    ) = _PEER_RESPONSE.unpack_from(data)
    return PeerResponse(
        result_code=_RESULT_CODES.get(result, result),
        lifetime=lifetime,
        epoch_time=epoch_time,
        nonce=nonce,
        protocol=protocol,
        internal_port=internal_port,
        assigned_external_port=assigned_external_port,
        assigned_external_address=unpack_address(assigned_external_address),
        remote_port=remote_port,
        remote_address=unpack_address(remote_address),
        options=options,
        trailing=trailing,
        reserved=reserved,
        version=version,
    )


def _encode_unknown_response(message: UnknownResponse) -> bytes:
    opcode_octet = RESPONSE_BIT | checked_opcode(message.opcode)
    if message.truncated:
        cut = _CUT_RESPONSE.pack(message.version, opcode_octet, message.result_code)
        return cut + message.payload
    header = _RESPONSE.pack(
        message.version,
        opcode_octet,
        message.result_code,
        message.lifetime,
        message.epoch_time,
        _reserved(message.reserved),
    )
    if message.result_code == ResultCode.UNSUPP_VERSION:
        return header + message.payload
    return header + checked_words(message.payload)


def _decode_unknown_response(data: bytes) -> UnknownResponse:
    if len(data) < _RESPONSE.size:
        version, opcode_octet, result = _CUT_RESPONSE.unpack_from(data)
        return UnknownResponse(
            opcode=opcode_octet & ~RESPONSE_BIT,
            result_code=_RESULT_CODES.get(result, result),
            payload=data[_CUT_RESPONSE.size :],
            truncated=True,
            version=version,
        )
    version, opcode_octet, result, lifetime, epoch_time, reserved = (
        _RESPONSE.unpack_from(data)
    )
    return UnknownResponse(
        opcode=opcode_octet & ~RESPONSE_BIT,
        result_code=_RESULT_CODES.get(result, result),
        lifetime=lifetime,
        epoch_time=epoch_time,
        payload=data[_RESPONSE.size :],
        reserved=reserved,
        version=version,
    )


def _encode_tail(message: AnnounceResponse | MapResponse | PeerResponse) -> bytes:
    return encode_options(message.options) + checked_words(message.trailing)


def _reserved(reserved: bytes) -> bytes:
    if len(reserved) != _RESERVED_LENGTH:
        raise ValueError(f"reserved field of {len(reserved)} octets")
    return reserved


_DECODERS: dict[int, tuple[int, Callable[[bytes, tuple[Option, ...], bytes], Response]]]
_DECODERS = {
    Opcode.ANNOUNCE: (_RESPONSE.size, _decode_announce_response),
    Opcode.MAP: (_MAP_RESPONSE.size, _decode_map_response),
    Opcode.PEER: (_PEER_RESPONSE.size, _decode_peer_response),
}
