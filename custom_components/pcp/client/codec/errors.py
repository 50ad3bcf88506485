"""What the codec raises about a datagram that is not what it should be."""

from enum import StrEnum


class DropReason(StrEnum):
    """Why a datagram cannot be decoded; the first rule it breaks."""

    LENGTH = "length"
    """Too short, too long, or not a length its kind of message can have."""
    RESPONSE_BIT = "response_bit"
    """A request where a response belongs, or the other way round."""
    VERSION = "version"
    """A protocol version that this decoder does not speak."""
    OPCODE = "opcode"
    """A NAT-PMP opcode that nobody defined."""
    OPTION = "option"
    """An option that runs past the end or, in a request, is malformed."""


class DecodeError(ValueError):
    """A datagram cannot be decoded; nothing of it is to be believed.

    `reason` is the DropReason to count it by.
    """

    def __init__(self, reason: DropReason, detail: str) -> None:
        """Keep the reason beside the words."""
        super().__init__(f"{reason}: {detail}")
        self.reason: DropReason = reason
