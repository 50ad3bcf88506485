"""PCP requests: bytes <-> frozen values. RFC 6887 7.1, 8.2."""

from collections.abc import Callable
from struct import Struct
from typing import assert_never

from .address import pack_address, unpack_address
from .constants import MAX_DATAGRAM, NAT_PMP_VERSION, PCP_VERSION, RESPONSE_BIT, Opcode
from .errors import DecodeError, DropReason
from .fields import checked_nonce, checked_opcode, checked_words
from .messages import AnnounceRequest, MapRequest, PeerRequest, Request, UnknownRequest
from .options import Option, decode_request_options, encode_options

_REQUEST = Struct("!BBxxI16s")
_MAP_REQUEST = Struct("!BBxxI16s12sB3xHH16s")
_PEER_REQUEST = Struct("!BBxxI16s12sB3xHH16sHxx16s")


def encode_request(message: Request) -> bytes:
    """Return a request's octets; raises ValueError or struct.error, see encode."""
    match message:
        case MapRequest():
            return _encode_map_request(message)
        case AnnounceRequest():
            return _encode_announce_request(message)
        case PeerRequest():
            return _encode_peer_request(message)
        case UnknownRequest():
            return _encode_unknown_request(message)
        case _ as unreachable:
            assert_never(unreachable)


def decode_request(data: bytes) -> Request:
    """Return the request in a datagram; raises DecodeError for anything else.

    A version above 2 is an UnknownRequest, so that it can be refused in words; the
    header is taken to be that of version 2. RFC 6887 8.2.
    """
    if len(data) < 2:
        raise DecodeError(DropReason.LENGTH, f"request of {len(data)} octets")
    version, opcode = data[0], data[1]
    if opcode & RESPONSE_BIT:
        raise DecodeError(DropReason.RESPONSE_BIT, "not a request")
    if version == NAT_PMP_VERSION:
        raise DecodeError(DropReason.VERSION, "NAT-PMP")
    if len(data) < _REQUEST.size or len(data) > MAX_DATAGRAM or len(data) % 4:
        raise DecodeError(DropReason.LENGTH, f"request of {len(data)} octets")
    if version != PCP_VERSION or opcode not in _DECODERS:
        return _decode_unknown_request(data)
    size, decode = _DECODERS[opcode]
    if len(data) < size:
        raise DecodeError(DropReason.LENGTH, f"request of {len(data)} octets")
    return decode(data, decode_request_options(data, size))


def _encode_announce_request(message: AnnounceRequest) -> bytes:
    return _REQUEST.pack(
        message.version,
        Opcode.ANNOUNCE,
        message.lifetime,
        pack_address(message.client_address),
    ) + encode_options(message.options)


def _decode_announce_request(
    data: bytes, options: tuple[Option, ...]
) -> AnnounceRequest:
    version, _, lifetime, client_address = _REQUEST.unpack_from(data)
    return AnnounceRequest(
        client_address=unpack_address(client_address),
        options=options,
        lifetime=lifetime,
        version=version,
    )


def _encode_map_request(message: MapRequest) -> bytes:
    return _MAP_REQUEST.pack(
        message.version,
        Opcode.MAP,
        message.lifetime,
        pack_address(message.client_address),
        checked_nonce(message.nonce),
        message.protocol,
        message.internal_port,
        message.suggested_external_port,
        pack_address(message.suggested_external_address),
    ) + encode_options(message.options)


def _decode_map_request(data: bytes, options: tuple[Option, ...]) -> MapRequest:
    (
        version,
        _,
        lifetime,
        client_address,
        nonce,
        protocol,
        internal_port,
        suggested_external_port,
        suggested_external_address,
    ) = _MAP_REQUEST.unpack_from(data)
    return MapRequest(
        client_address=unpack_address(client_address),
        lifetime=lifetime,
        nonce=nonce,
        protocol=protocol,
        internal_port=internal_port,
        suggested_external_port=suggested_external_port,
        suggested_external_address=unpack_address(suggested_external_address),
        options=options,
        version=version,
    )


def _encode_peer_request(message: PeerRequest) -> bytes:
    return _PEER_REQUEST.pack(
        message.version,
        Opcode.PEER,
        message.lifetime,
        pack_address(message.client_address),
        checked_nonce(message.nonce),
        message.protocol,
        message.internal_port,
        message.suggested_external_port,
        pack_address(message.suggested_external_address),
        message.remote_port,
        pack_address(message.remote_address),
    ) + encode_options(message.options)


def _decode_peer_request(data: bytes, options: tuple[Option, ...]) -> PeerRequest:
    (
        version,
        _,
        lifetime,
        client_address,
        nonce,
        protocol,
        internal_port,
        suggested_external_port,
        suggested_external_address,
        remote_port,
        remote_address,
    ) = _PEER_REQUEST.unpack_from(data)
    return PeerRequest(
        client_address=unpack_address(client_address),
        lifetime=lifetime,
        nonce=nonce,
        protocol=protocol,
        internal_port=internal_port,
        suggested_external_port=suggested_external_port,
        suggested_external_address=unpack_address(suggested_external_address),
        remote_port=remote_port,
        remote_address=unpack_address(remote_address),
        options=options,
        version=version,
    )


def _encode_unknown_request(message: UnknownRequest) -> bytes:
    return _REQUEST.pack(
        message.version,
        checked_opcode(message.opcode),
        message.lifetime,
        pack_address(message.client_address),
    ) + checked_words(message.payload)


def _decode_unknown_request(data: bytes) -> UnknownRequest:
    version, opcode, lifetime, client_address = _REQUEST.unpack_from(data)
    return UnknownRequest(
        opcode=opcode,
        lifetime=lifetime,
        client_address=unpack_address(client_address),
        payload=data[_REQUEST.size :],
        version=version,
    )


_DECODERS: dict[int, tuple[int, Callable[[bytes, tuple[Option, ...]], Request]]]
_DECODERS = {
    Opcode.ANNOUNCE: (_REQUEST.size, _decode_announce_request),
    Opcode.MAP: (_MAP_REQUEST.size, _decode_map_request),
    Opcode.PEER: (_PEER_REQUEST.size, _decode_peer_request),
}
