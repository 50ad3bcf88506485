"""PCP messages: bytes <-> frozen values, requests and responses. RFC 6887 7.

A datagram whose first octet is 0 is NAT-PMP, see nat_pmp. Reserved fields are zero in
what is sent and ignored in what is received.
"""

from struct import error as StructError

from .constants import MAX_DATAGRAM
from .messages import (
    AnnounceRequest,
    MapRequest,
    PeerRequest,
    Request,
    Response,
    UnknownRequest,
)
from .requests import decode_request, encode_request
from .responses import decode_response, encode_response

__all__ = ["decode_request", "decode_response", "encode"]


def encode(message: Request | Response) -> bytes:
    """Return a message as the octets of one datagram.

    Raises ValueError for what the wire cannot express: a number out of its range, a
    nonce that is not 12 octets, a malformed option, more than 1100 octets.
    """
    try:
        match message:
            case MapRequest() | AnnounceRequest() | PeerRequest() | UnknownRequest():
                datagram = encode_request(message)
            case _:
                datagram = encode_response(message)
    except StructError as err:
        raise ValueError(f"out of range: {err}") from err
    if len(datagram) > MAX_DATAGRAM:
        raise ValueError(f"{len(datagram)} octets")
    return datagram
