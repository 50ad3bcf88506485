"""The PCP half of a simulated router. RFC 6887 8.2, 11.3, 12.3, 14.1."""

from ipaddress import IPv6Address
from typing import assert_never

from custom_components.pcp.client.codec import (
    MAX_DATAGRAM,
    RESPONSE_BIT,
    AnnounceRequest,
    AnnounceResponse,
    DecodeError,
    DropReason,
    ExternalAddressResponse,
    IPAddress,
    MapRequest,
    MapResponse,
    NatPmpResult,
    Opcode,
    Option,
    PeerRequest,
    PeerResponse,
    PortSet,
    Prefix64,
    ResultCode,
    ThirdParty,
    UnknownRequest,
    UnknownResponse,
    decode_request,
    encode,
    encode_nat_pmp,
)

from .options import MapOptions, read_options
from .port_sets import create_set, delete_set, set_size
from .rules import MappingRequest
from .state import Refused, RouterState
from .table import RouterMapping, Source

_HEADER = 24
_MAP = 60
_PEER = 80
_NONCE = slice(24, 36)
_INTERNAL_PORT = slice(40, 42)


class PcpService:
    """Answers PCP requests out of a router's state."""

    def __init__(self, state: RouterState) -> None:
        self._state = state

    def answer(self, data: bytes, source: Source, now: float) -> bytes | None:
        """Return the answer to a request, None where there is none."""
        personality = self._state.personality
        if len(data) < 2 or data[1] & RESPONSE_BIT:
            return None
        if personality.malformed_as_version_0 and (
            len(data) < _HEADER or len(data) % 4
        ):
            return self._malformed_as_version_0(data, now)
        if data[0] == 1 and personality.version_1:
            return self._answer_version_1(data, source, now)
        if data[0] != personality.version:
            return self._unparsed(data, ResultCode.UNSUPP_VERSION, now)
        if len(data) < _HEADER:
            return None
        if personality.malformed_as_version_0:
            data = data[:MAX_DATAGRAM]
        return self._answer(data, source, now)

    def mapping_update(self, mapping: RouterMapping, now: float) -> bytes:
        """Return the MAP answer nobody asked for. RFC 6887 14.2."""
        options: list[Option] = []
        if mapping.third_party:
            options.append(ThirdParty(internal_address=mapping.internal_address))
        if (count := set_size(self._state, mapping)) > 1:
            options.append(_port_set(mapping.internal_port, count))
        return encode(
            MapResponse(
                result_code=ResultCode.SUCCESS,
                lifetime=max(0, int(mapping.expires_at - now)),
                epoch_time=self._state.epoch_time(now),
                nonce=mapping.nonce or bytes(12),
                protocol=mapping.protocol,
                internal_port=mapping.internal_port,
                assigned_external_port=mapping.external_port,
                assigned_external_address=mapping.external_address,
                options=(*options, *mapping.filters),
            )
        )

    def announcement(self, now: float) -> bytes:
        """Return the ANNOUNCE that goes out by itself. RFC 6887 14.1.3."""
        prefixes = self._state.personality.nat64_prefixes
        return self._announce_response(ResultCode.SUCCESS, now, prefixes)

    def _answer(self, data: bytes, source: Source, now: float) -> bytes:
        try:
            request = decode_request(data)
        except DecodeError as err:
            if err.reason is DropReason.OPTION:
                return self._copied(data, ResultCode.MALFORMED_OPTION, now)
            return self._unparsed(data, ResultCode.MALFORMED_REQUEST, now)
        match request:
            case MapRequest():
                return self._answer_map(request, data, source, now)
            case AnnounceRequest():
                return self._answer_announce(request, source, now)
            case PeerRequest():
                return self._answer_peer(request, data, source, now)
            case UnknownRequest():
                return self._copied(data, ResultCode.UNSUPP_OPCODE, now)
            case _ as unreachable:
                assert_never(unreachable)

    def _answer_announce(
        self, request: AnnounceRequest, source: Source, now: float
    ) -> bytes:
        personality = self._state.personality
        external_address = self._state.external_address
        if personality.announce_with_nat_pmp and external_address is not None:
            return encode_nat_pmp(
                ExternalAddressResponse(
                    result_code=NatPmpResult.SUCCESS,
                    epoch_time=self._state.epoch_time(now),
                    external_address=external_address,
                )
            )
        result = personality.announce_result
        if personality.checks_announce_address and (
            self._is_mismatch(request.client_address, source)
        ):
            result = ResultCode.ADDRESS_MISMATCH
        asked = any(isinstance(option, Prefix64) for option in request.options)
        prefixes = personality.nat64_prefixes if asked else ()
        return self._announce_response(result, now, prefixes)

    def _announce_response(
        self, result: ResultCode, now: float, options: tuple[Option, ...]
    ) -> bytes:
        lifetime = 0
        if result is not ResultCode.SUCCESS:
            lifetime = self._state.error_lifetime(result)
        return encode(
            AnnounceResponse(
                result_code=result,
                lifetime=lifetime,
                epoch_time=self._state.epoch_time(now),
                options=options if result is ResultCode.SUCCESS else (),
            )
        )

    def _answer_map(
        self, request: MapRequest, data: bytes, source: Source, now: float
    ) -> bytes:
        result = ResultCode.SUCCESS
        lifetime = 0
        processed: tuple[Option, ...] = ()
        address = request.suggested_external_address
        port = request.suggested_external_port
        try:
            options = self._checked_options(request, data, source)
            wanted = _mapping_request(request, options, source)
            address, port = self._shown(request, wanted, options)
            if request.lifetime == 0:
                lifetime = delete_set(self._state, wanted, now)
                count = options.port_count
            else:
                mapping, count = create_set(self._state, wanted, now)
                lifetime = mapping.lifetime
                address, port = mapping.external_address, mapping.external_port
            processed = options.processed
            if count > 1:
                processed = (*processed, _port_set(request.internal_port, count))
        except Refused as refused:
            result, lifetime = self._result(refused)
        echo = result is not ResultCode.SUCCESS or (
            self._state.personality.echoes_all_options
        )
        return encode(
            MapResponse(
                result_code=result,
                lifetime=lifetime,
                epoch_time=self._state.epoch_time(now),
                nonce=request.nonce,
                protocol=request.protocol,
                internal_port=request.internal_port,
                assigned_external_port=port,
                assigned_external_address=address,
                options=() if echo else processed,
                trailing=data[_MAP:] if echo else b"",
            )
        )

    def _checked_options(
        self, request: MapRequest, data: bytes, source: Source
    ) -> MapOptions:
        """Check all that is copied as it came where it is refused."""
        if self._is_mismatch(request.client_address, source):
            raise Refused(ResultCode.ADDRESS_MISMATCH)
        if request.protocol == 0 and request.internal_port != 0:
            raise Refused(ResultCode.MALFORMED_REQUEST)
        return read_options(self._state.personality, request, data[_MAP:], source[0])

    def _shown(
        self, request: MapRequest, wanted: MappingRequest, options: MapOptions
    ) -> tuple[IPAddress, int]:
        """Return the external address and port of errors and deletes."""
        address = request.suggested_external_address
        port = request.suggested_external_port
        internal_address = wanted.internal_address
        own: IPAddress | None = self._state.external_address
        if internal_address.version == 6:
            own = internal_address
        elif (
            options.prefer_failure
            and int(address) != 0
            and address != own
            and request.lifetime
        ):
            raise Refused(ResultCode.CANNOT_PROVIDE_EXTERNAL)
        if not self._state.personality.shows_external_address or own is None:
            return address, port
        if request.lifetime and port == 0:
            port = request.internal_port
        return own, port

    def _answer_peer(
        self, request: PeerRequest, data: bytes, source: Source, now: float
    ) -> bytes:
        """Answer PEER as miniupnpd does; what it makes opens nothing inward."""
        state = self._state
        personality = state.personality
        if not personality.peer:
            return self._copied(data, ResultCode.UNSUPP_OPCODE, now)
        if self._is_mismatch(request.client_address, source):
            return self._copied(data, ResultCode.ADDRESS_MISMATCH, now)
        result = ResultCode.SUCCESS
        lifetime = max(request.lifetime, personality.min_lifetime)
        lifetime = min(lifetime, personality.max_lifetime)
        port = request.suggested_external_port
        own: IPAddress | None = state.external_address
        if source[0].version == 6:
            own = _without_scope(source[0])
            result = ResultCode.UNSUPP_OPCODE
        elif request.lifetime == 0:
            result = ResultCode.NO_RESOURCES
        elif port == 0:
            port = request.internal_port
        if result is not ResultCode.SUCCESS:
            lifetime = state.error_lifetime(result)
        return encode(
            PeerResponse(
                result_code=result,
                lifetime=lifetime,
                epoch_time=state.epoch_time(now),
                nonce=request.nonce,
                protocol=request.protocol,
                internal_port=request.internal_port,
                assigned_external_port=port,
                assigned_external_address=own or request.suggested_external_address,
                remote_port=request.remote_port,
                remote_address=request.remote_address,
                trailing=data[_PEER:],
            )
        )

    def _answer_version_1(
        self, data: bytes, source: Source, now: float
    ) -> bytes | None:
        """Answer the draft as version 2 with a nonce of zeros put in and taken out."""
        if data[1] != Opcode.MAP:
            answer = self._copied(data, ResultCode.UNSUPP_OPCODE, now)
            return b"\x01" + answer[1:]
        version_2 = b"\x02" + data[1:_HEADER] + bytes(12) + data[_HEADER:]
        answer = self._answer(version_2, source, now)
        return b"\x01" + answer[1 : _NONCE.start] + answer[_NONCE.stop :]

    def _malformed_as_version_0(self, data: bytes, now: float) -> bytes | None:
        """Return what looks like a NAT-PMP network failure, with octets too many."""
        if len(data) < 3:
            return None
        answer = bytes([0, RESPONSE_BIT, 0, ResultCode.MALFORMED_REQUEST, 0, 0, 0, 0])
        answer += self._state.epoch_time(now).to_bytes(4)
        return answer.ljust(max(_HEADER, len(data) + -len(data) % 4), b"\0")

    def _is_mismatch(self, client_address: IPAddress, source: Source) -> bool:
        """Compare the header with where the datagram came from. RFC 6887 8.2."""
        return self._state.personality.sees_other_source or (
            client_address != _without_scope(source[0])
        )

    def _result(self, refused: Refused) -> tuple[ResultCode, int]:
        lifetime = refused.lifetime
        if lifetime is None:
            lifetime = self._state.error_lifetime(refused.result_code)
        return refused.result_code, lifetime

    def _copied(self, data: bytes, result: ResultCode, now: float) -> bytes:
        """Return an error that is a copy of the request. RFC 6887 8.2."""
        copied = data[:MAX_DATAGRAM].ljust(_HEADER, b"\0")
        copied += bytes(-len(copied) % 4)
        return encode(
            UnknownResponse(
                opcode=data[1],
                result_code=result,
                lifetime=self._state.error_lifetime(result),
                epoch_time=self._state.epoch_time(now),
                payload=copied[_HEADER:],
                version=self._state.personality.version,
            )
        )

    def _unparsed(self, data: bytes, result: ResultCode, now: float) -> bytes:
        """Return an error about a request of which no field was read."""
        copied = self._copied(data, result, now)
        if self._state.personality.unparsed_port_zeroed and data[1] == Opcode.MAP:
            zeroed = bytes(len(copied[_INTERNAL_PORT]))
            return (
                copied[: _INTERNAL_PORT.start] + zeroed + copied[_INTERNAL_PORT.stop :]
            )
        return copied


def _mapping_request(
    request: MapRequest, options: MapOptions, source: Source
) -> MappingRequest:
    return MappingRequest(
        protocol=request.protocol,
        internal_address=options.internal_address or _without_scope(source[0]),
        internal_port=request.internal_port,
        suggested_external_port=request.suggested_external_port,
        lifetime=request.lifetime,
        nonce=request.nonce,
        client=source,
        prefer_failure=options.prefer_failure,
        filters=options.filters,
        third_party=options.internal_address is not None,
        description=options.description,
        port_count=options.port_count,
    )


def _port_set(first_internal_port: int, count: int) -> PortSet:
    return PortSet(size=count, first_internal_port=first_internal_port)


def _without_scope(address: IPAddress) -> IPAddress:
    """Return an address as it is on the wire."""
    if isinstance(address, IPv6Address):
        return IPv6Address(address.packed)
    return address
