"""The NAT-PMP half of a simulated router. RFC 6886 3."""

from ipaddress import IPv4Address
from typing import assert_never

from custom_components.pcp.client.codec import (
    NAT_PMP_VERSION,
    RESPONSE_BIT,
    DecodeError,
    DropReason,
    ExternalAddressRequest,
    ExternalAddressResponse,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpResult,
    ResultCode,
    decode_nat_pmp_request,
    encode_nat_pmp,
)

from .rules import MappingRequest, create, is_public
from .state import Refused, RouterState
from .table import Source

_TCP = 6
_RESULTS = {
    ResultCode.NOT_AUTHORIZED: NatPmpResult.NOT_AUTHORIZED,
    ResultCode.NETWORK_FAILURE: NatPmpResult.NETWORK_FAILURE,
    ResultCode.NO_RESOURCES: NatPmpResult.OUT_OF_RESOURCES,
    ResultCode.USER_EX_QUOTA: NatPmpResult.OUT_OF_RESOURCES,
}


class NatPmpService:
    """Answers NAT-PMP requests out of a router's state."""

    def __init__(self, state: RouterState) -> None:
        self._state = state

    def answer(self, data: bytes, source: Source, now: float) -> bytes | None:
        """Return the answer to a request, None where there is none."""
        if len(data) < 2 or data[1] & RESPONSE_BIT:
            return None
        if data[0] != NAT_PMP_VERSION:
            return self._unsupported_version(data, now)
        try:
            request = decode_nat_pmp_request(data)
        except DecodeError as err:
            if err.reason is DropReason.OPCODE:
                return self._unsupported_opcode(data, now)
            return None
        match request:
            case ExternalAddressRequest():
                return self._external_address(now)
            case NatPmpMapRequest():
                return self._map(request, source, now)
            case _ as unreachable:
                assert_never(unreachable)

    def notice(self, now: float) -> bytes:
        """Return the external address notice that goes out by itself. RFC 6886 3.2.1."""
        return self._external_address(now)

    def _external_address(self, now: float) -> bytes:
        external_address = self._state.external_address
        result = NatPmpResult.SUCCESS
        if external_address is None or (
            self._state.personality.nat_pmp_private_refused
            and not is_public(external_address)
        ):
            result = NatPmpResult.NETWORK_FAILURE
        return encode_nat_pmp(
            ExternalAddressResponse(
                result_code=result,
                epoch_time=self._state.epoch_time(now),
                external_address=external_address or IPv4Address(0),
            )
        )

    def _map(self, request: NatPmpMapRequest, source: Source, now: float) -> bytes:
        personality = self._state.personality
        result = NatPmpResult.SUCCESS
        internal_port = request.internal_port
        external_port = request.suggested_external_port
        lifetime = request.lifetime
        if request.lifetime == 0:
            self._delete(request, source)
            external_port = 0
        else:
            try:
                external_port, lifetime = self._create(request, source, now)
            except Refused as refused:
                result = _RESULTS.get(refused.result_code, NatPmpResult.NOT_AUTHORIZED)
                lifetime = 0
                external_port = 0
                if personality.nat_pmp_errors_without_port:
                    internal_port = 0
        if personality.nat_pmp_port_octet:
            internal_port, external_port = internal_port & 0xFF, external_port & 0xFF
        return encode_nat_pmp(
            NatPmpMapResponse(
                result_code=result,
                epoch_time=self._state.epoch_time(now),
                protocol=request.protocol,
                internal_port=internal_port,
                assigned_external_port=external_port,
                lifetime=lifetime,
            )
        )

    def _create(
        self, request: NatPmpMapRequest, source: Source, now: float
    ) -> tuple[int, int]:
        """Return the external port and the lifetime granted; raises Refused."""
        if request.internal_port == 0 and self._state.personality.port_pool is None:
            raise Refused(ResultCode.NOT_AUTHORIZED)
        mixed_up = self._state.personality.nat_pmp_makes_tcp
        mapping = create(
            self._state,
            MappingRequest(
                protocol=_TCP if mixed_up else request.protocol,
                internal_address=source[0],
                internal_port=request.internal_port,
                suggested_external_port=request.suggested_external_port,
                lifetime=request.lifetime,
                nonce=None,
                client=source,
                nat_pmp=True,
            ),
            now,
        )
        return mapping.external_port, mapping.lifetime

    def _delete(self, request: NatPmpMapRequest, source: Source) -> None:
        """End NAT-PMP's own mappings; of nothing is success. RFC 6886 3.4."""
        table = self._state.table
        internal_port = request.internal_port or None
        for mapping in table.of_internal(request.protocol, source[0], internal_port):
            if mapping.nat_pmp:
                table.remove(mapping)

    def _unsupported_version(self, data: bytes, now: float) -> bytes:
        opcode = data[1] | RESPONSE_BIT
        if self._state.personality.version_reply_opcode_zero:
            opcode = 0
        return encode_nat_pmp(
            NatPmpErrorResponse(
                opcode=opcode,
                result_code=NatPmpResult.UNSUPP_VERSION,
                epoch_time=self._state.epoch_time(now),
            )
        )

    def _unsupported_opcode(self, data: bytes, now: float) -> bytes:
        echo = None
        if self._state.personality.nat_pmp_unsupported_echoes:
            echo = data[4:]
        return encode_nat_pmp(
            NatPmpErrorResponse(
                opcode=data[1] | RESPONSE_BIT,
                result_code=NatPmpResult.UNSUPP_OPCODE,
                epoch_time=self._state.epoch_time(now),
                echo=echo,
            )
        )
