"""PCP (RFC 6887) and NAT-PMP (RFC 6886) messages: bytes <-> frozen values.

No I/O, no clock, no state, nothing outside the standard library. `encode`,
`decode_request` and `decode_response` are PCP's; a datagram whose first octet is 0 is
for `decode_nat_pmp_request` and `decode_nat_pmp_response`. Decoding raises DecodeError
and nothing else; encoding raises ValueError for what the wire cannot express.
"""

from .address import IPAddress
from .constants import (
    ANNOUNCE_PORT,
    MAX_DATAGRAM,
    NAT_PMP_VERSION,
    NONCE_LENGTH,
    PCP_VERSION,
    RESPONSE_BIT,
    SERVER_PORT,
    NatPmpOpcode,
    NatPmpResult,
    Opcode,
    OptionCode,
    ResultCode,
)
from .errors import DecodeError, DropReason
from .messages import (
    AnnounceRequest,
    AnnounceResponse,
    MapRequest,
    MapResponse,
    PeerRequest,
    PeerResponse,
    Request,
    Response,
    UnknownRequest,
    UnknownResponse,
)
from .nat_pmp import (
    ExternalAddressRequest,
    ExternalAddressResponse,
    NatPmpErrorResponse,
    NatPmpMapRequest,
    NatPmpMapResponse,
    NatPmpRequest,
    NatPmpResponse,
    decode_nat_pmp_request,
    decode_nat_pmp_response,
    encode_nat_pmp,
)
from .options import (
    Description,
    Filter,
    Option,
    PortSet,
    PreferFailure,
    Prefix64,
    ThirdParty,
    UnknownOption,
)
from .pcp import decode_request, decode_response, encode

__all__ = [
    "ANNOUNCE_PORT",
    "MAX_DATAGRAM",
    "NAT_PMP_VERSION",
    "NONCE_LENGTH",
    "PCP_VERSION",
    "RESPONSE_BIT",
    "SERVER_PORT",
    "AnnounceRequest",
    "AnnounceResponse",
    "DecodeError",
    "Description",
    "DropReason",
    "ExternalAddressRequest",
    "ExternalAddressResponse",
    "Filter",
    "IPAddress",
    "MapRequest",
    "MapResponse",
    "NatPmpErrorResponse",
    "NatPmpMapRequest",
    "NatPmpMapResponse",
    "NatPmpOpcode",
    "NatPmpRequest",
    "NatPmpResponse",
    "NatPmpResult",
    "Opcode",
    "Option",
    "OptionCode",
    "PeerRequest",
    "PeerResponse",
    "PortSet",
    "PreferFailure",
    "Prefix64",
    "Request",
    "Response",
    "ResultCode",
    "ThirdParty",
    "UnknownOption",
    "UnknownRequest",
    "UnknownResponse",
    "decode_nat_pmp_request",
    "decode_nat_pmp_response",
    "decode_request",
    "decode_response",
    "encode",
    "encode_nat_pmp",
]
