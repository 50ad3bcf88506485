"""A server that answers as it is told to, and the words of its conversations."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from custom_components.pcp.client.codec import (
    AnnounceRequest,
    AnnounceResponse,
    ExternalAddressRequest,
    ExternalAddressResponse,
    IPAddress,
    MapRequest,
    MapResponse,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpRequest,
    NatPmpResult,
    PeerRequest,
    PeerResponse,
    Request,
    Response,
    ResultCode,
    UnknownResponse,
)
from custom_components.pcp.client.codec.nat_pmp import NatPmpResponse
from custom_components.pcp.client.mapping import MappingKey, MappingWish, Protocol

SERVER = IPv4Address("192.168.1.1")
CLIENT = IPv4Address("192.168.1.10")
OTHER_CLIENT = IPv4Address("192.168.1.77")
EXTERNAL = IPv4Address("203.0.113.5")
OTHER_EXTERNAL = IPv4Address("203.0.113.99")
SERVER6 = IPv6Address("2001:db8::1")
CLIENT6 = IPv6Address("2001:db8::10")

# Any time will do, but not one that hides a mistake as 0 would.
START = 1000.0
LIFETIME = 3600

type Message = Request | NatPmpRequest


def key_of(
    port: int = 8123,
    *,
    protocol: Protocol = Protocol.TCP,
    address: IPAddress = CLIENT,
) -> MappingKey:
    """Return the key of a mapping."""
    return MappingKey(internal_address=address, protocol=protocol, internal_port=port)


def nonce_of(key: MappingKey) -> bytes:
    """Return the nonce that the wishes here have for a mapping."""
    return b"lease" + bytes((key.protocol,)) + key.internal_port.to_bytes(6)


def wish_of(port: int = 8123, **changes: Any) -> MappingWish:
    """Return a wish for a TCP port of ours, or as changed."""
    key = changes.pop("key", None) or key_of(port)
    fields: dict[str, Any] = {
        "nonce": nonce_of(key),
        "lifetime": LIFETIME,
        "suggested_external_port": key.internal_port,
    }
    return MappingWish(key=key, **(fields | changes))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of the keeper, and when it was sent."""

    at: float
    message: Message

    @property
    def is_delete(self) -> bool:
        """Tell whether it deletes a mapping of ours (and is no probe)."""
        return self.is_map and self.message.lifetime == 0  # type: ignore[union-attr]

    @property
    def is_map(self) -> bool:
        """Tell whether it is about a mapping of ours."""
        match self.message:
            case MapRequest(nonce=nonce):
                return nonce.startswith(b"lease")
            case NatPmpMapRequest():
                return True
            case _:
                return False

    @property
    def is_check(self) -> bool:
        """Tell whether it is the cheap question, in whatever form."""
        return not self.is_map


class ScriptedServer:
    """A server's clock, and its answers; nothing is remembered."""

    def __init__(self) -> None:
        self.now = START
        self.boot_at = START - 5000.0
        """When the epoch was 0."""

    def reboot(self) -> None:
        """Let the scripted server start anew."""
        self.boot_at = self.now

    def epoch(self) -> int:
        """Return the server's epoch time."""
        return int(self.now - self.boot_at)

    def success(self, request: MapRequest, **changes: Any) -> MapResponse:
        """Return the answer that grants a request, or confirms a delete."""
        return _success(request, self.epoch(), changes)

    def error(
        self, request: MapRequest, code: ResultCode | int, **changes: Any
    ) -> MapResponse:
        """Return the answer that refuses a request."""
        fields: dict[str, Any] = {"result_code": code, "lifetime": 0} | changes
        return _success(request, self.epoch(), fields)

    def peer_success(self, request: PeerRequest, **changes: Any) -> PeerResponse:
        """Return the answer that keeps a flow."""
        fields: dict[str, Any] = {
            "result_code": ResultCode.SUCCESS,
            "lifetime": request.lifetime,
            "epoch_time": self.epoch(),
            "nonce": request.nonce,
            "protocol": request.protocol,
            "internal_port": request.internal_port,
            "assigned_external_port": request.suggested_external_port or 40001,
            "assigned_external_address": EXTERNAL,
            "remote_port": request.remote_port,
            "remote_address": request.remote_address,
        }
        return PeerResponse(**(fields | changes))

    def nat_pmp_success(
        self, request: NatPmpMapRequest, **changes: Any
    ) -> NatPmpMapResponse:
        """Return NAT-PMP's answer that grants a request, or confirms a delete."""
        fields: dict[str, Any] = {
            "result_code": NatPmpResult.SUCCESS,
            "epoch_time": self.epoch(),
            "protocol": request.protocol,
            "internal_port": request.internal_port,
            "assigned_external_port": request.suggested_external_port,
            "lifetime": request.lifetime,
        }
        return NatPmpMapResponse(**(fields | changes))

    def nat_pmp_address(self, **changes: Any) -> ExternalAddressResponse:
        """Return NAT-PMP's answer about the external address."""
        fields: dict[str, Any] = {
            "result_code": NatPmpResult.SUCCESS,
            "epoch_time": self.epoch(),
            "external_address": EXTERNAL,
        }
        return ExternalAddressResponse(**(fields | changes))

    def announcement(self, **changes: Any) -> AnnounceResponse:
        """Return the answer to ANNOUNCE, or an announcement."""
        fields: dict[str, Any] = {
            "result_code": ResultCode.SUCCESS,
            "epoch_time": self.epoch(),
        }
        return AnnounceResponse(**(fields | changes))

    def answer_to(self, message: Message) -> Response | NatPmpResponse:
        """Return the success that answers a request."""
        match message:
            case MapRequest():
                return self.success(message)
            case PeerRequest():
                return self.peer_success(message)
            case NatPmpMapRequest():
                return self.nat_pmp_success(message)
            case ExternalAddressRequest():
                return self.nat_pmp_address()
            case AnnounceRequest():
                return self.announcement()
            case _:
                raise AssertionError(f"unexpected {message}")


def version_answer(opcode: int = 0) -> NatPmpErrorResponse:
    """Return a NAT-PMP server's answer to PCP: 8 octets that name nothing."""
    return NatPmpErrorResponse(
        opcode=opcode, result_code=NatPmpResult.UNSUPP_VERSION, epoch_time=0
    )


def pcp_version_answer(version: int) -> UnknownResponse:
    """Return a PCP server's answer to a version that it does not speak."""
    return UnknownResponse(
        opcode=1, result_code=ResultCode.UNSUPP_VERSION, version=version
    )


def _success(
    request: MapRequest, epoch_time: int, changes: dict[str, Any]
) -> MapResponse:
    fields: dict[str, Any] = {
        "result_code": ResultCode.SUCCESS,
        "lifetime": request.lifetime,
        "epoch_time": epoch_time,
        "nonce": request.nonce,
        "protocol": request.protocol,
        "internal_port": request.internal_port,
        "assigned_external_port": request.suggested_external_port,
        "assigned_external_address": request.suggested_external_address,
    }
    if request.lifetime and "result_code" not in changes:
        own = EXTERNAL if request.client_address.version == 4 else CLIENT6
        fields["assigned_external_address"] = own
    return MapResponse(**(fields | changes))
