"""Checks of fields that both requests and responses have."""

from .constants import NONCE_LENGTH, RESPONSE_BIT


def checked_nonce(nonce: bytes) -> bytes:
    """Return a nonce of 12 octets; raises ValueError for another length."""
    if len(nonce) != NONCE_LENGTH:
        raise ValueError(f"nonce of {len(nonce)} octets")
    return nonce


def checked_opcode(opcode: int) -> int:
    """Return an opcode of 7 bits; raises ValueError for any other."""
    if not 0 <= opcode < RESPONSE_BIT:
        raise ValueError(f"opcode {opcode}")
    return opcode


def checked_words(octets: bytes) -> bytes:
    """Return octets that fill whole 32-bit words; raises ValueError for others."""
    if len(octets) % 4:
        raise ValueError(f"{len(octets)} octets are not a multiple of 4")
    return octets
