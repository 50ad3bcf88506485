"""PCP messages as frozen values, flat: header, opcode fields, options. RFC 6887 7-14.

Lifetimes are seconds, epoch times the server's own seconds; both are unsigned 32 bit.
IPv4 addresses are IPv4Address here and v4-mapped on the wire only. An address that is
not known is the all-zeros one of its family: 0.0.0.0 or ::.
"""

from dataclasses import dataclass

from .address import IPAddress
from .constants import PCP_VERSION, ResultCode
from .options import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceRequest:
    """Ask for the epoch, and whether there is a server at all. RFC 6887 14.1."""

    client_address: IPAddress
    options: tuple[Option, ...] = ()
    lifetime: int = 0
    """Always 0 in a proper request."""
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """Ask for a mapping, its renewal or its end. RFC 6887 11.1."""

    client_address: IPAddress
    lifetime: int
    """Seconds; 0 deletes."""
    nonce: bytes
    """12 octets, one for the life of a mapping."""
    protocol: int
    """IANA protocol number; 0 is all protocols."""
    internal_port: int
    """0 is all ports."""
    suggested_external_port: int = 0
    """0 where there is nothing to suggest."""
    suggested_external_address: IPAddress
    """All zeros of the family where there is nothing to suggest."""
    options: tuple[Option, ...] = ()
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRequest:
    """Ask for a mapping towards one remote peer. RFC 6887 12.1."""

    client_address: IPAddress
    lifetime: int
    """Seconds; cannot shorten a mapping."""
    nonce: bytes
    """12 octets, one for the life of a mapping."""
    protocol: int
    internal_port: int
    suggested_external_port: int = 0
    """0 where there is nothing to suggest."""
    suggested_external_address: IPAddress
    """All zeros of the family where there is nothing to suggest."""
    remote_port: int
    remote_address: IPAddress
    options: tuple[Option, ...] = ()
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRequest:
    """A request of an opcode or a version that this codec does not know."""

    opcode: int
    lifetime: int
    client_address: IPAddress
    payload: bytes = b""
    """All that follows the header."""
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceResponse:
    """An answer to ANNOUNCE, or an announcement nobody asked for. RFC 6887 14.1."""

    result_code: ResultCode | int
    lifetime: int = 0
    epoch_time: int
    options: tuple[Option, ...] = ()
    trailing: bytes = b""
    """Of an error only: octets that are no whole option."""
    reserved: bytes = bytes(12)
    """12 octets, to be ignored."""
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class MapResponse:
    """An answer to MAP, or a mapping update nobody asked for. RFC 6887 11.1, 14.2."""

    result_code: ResultCode | int
    lifetime: int
    """Seconds the mapping lives from now on, or for which an error holds."""
    epoch_time: int
    nonce: bytes
    """12 octets."""
    protocol: int
    internal_port: int
    assigned_external_port: int
    """In an error what was suggested, or what the server made of it."""
    assigned_external_address: IPAddress
    """In an error what was suggested, or what the server made of it."""
    options: tuple[Option, ...] = ()
    trailing: bytes = b""
    """Of an error only: octets that are no whole option."""
    reserved: bytes = bytes(12)
    """12 octets, to be ignored."""
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerResponse:
    """An answer to PEER. RFC 6887 12.1."""

    result_code: ResultCode | int
    lifetime: int
    """Seconds the mapping lives from now on, or for which an error holds."""
    epoch_time: int
    nonce: bytes
    """12 octets."""
    protocol: int
    internal_port: int
    assigned_external_port: int
    """In an error what was suggested, or what the server made of it."""
    assigned_external_address: IPAddress
    """In an error what was suggested, or what the server made of it."""
    remote_port: int
    remote_address: IPAddress
    options: tuple[Option, ...] = ()
    trailing: bytes = b""
    """Of an error only: octets that are no whole option."""
    reserved: bytes = bytes(12)
    """12 octets, to be ignored."""
    version: int = PCP_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownResponse:
    """A response of which only the header is understood.

    Its opcode is unknown, or it is an error too short for its opcode's fields, or it
    says UNSUPP_VERSION, in which case even the header may be cut off. RFC 6887 8.3, 9.
    """

    opcode: int
    result_code: ResultCode | int
    lifetime: int = 0
    epoch_time: int = 0
    payload: bytes = b""
    """All that follows the header; all after the result code where that is cut off."""
    reserved: bytes = bytes(12)
    """12 octets, to be ignored."""
    truncated: bool = False
    """The header is cut off: lifetime, epoch_time and reserved mean nothing."""
    version: int = PCP_VERSION
    """With UNSUPP_VERSION the one the server speaks, or the nearest to it."""


type Request = AnnounceRequest | MapRequest | PeerRequest | UnknownRequest
type Response = AnnounceResponse | MapResponse | PeerResponse | UnknownResponse
