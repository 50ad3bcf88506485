"""What a keeper tells: the whole outward vocabulary.

Events are news, not state: whoever needs the state asks the keeper for a view.
"""

from dataclasses import dataclass
from enum import StrEnum

from .codec import IPAddress
from .mapping import Grant, MappingKey, MappingWish, Refusal


class ServerProtocol(StrEnum):
    """The protocol a server speaks with us."""

    PCP = "pcp"
    NAT_PMP = "nat_pmp"


@dataclass(frozen=True, slots=True)
class LeaseGranted:
    """A mapping was granted or renewed."""

    key: MappingKey
    grant: Grant
    previous: Grant | None
    """The grant that this one replaces; None when there was no live one."""


@dataclass(frozen=True, slots=True)
class LeaseRefused:
    """The server said no, or assigned a port that was not acceptable."""

    key: MappingKey
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """A live mapping ran out, or the server lost its state. It is asked for again."""

    key: MappingKey


@dataclass(frozen=True, slots=True)
class LeaseReleased:
    """Nothing of an unwanted mapping is left: deleted, or run out."""

    key: MappingKey


@dataclass(frozen=True, slots=True)
class LeaseKept:
    """The server does not delete an unwanted mapping now: it may stay to its end."""

    key: MappingKey


@dataclass(frozen=True, slots=True)
class LeaseReappeared:
    """A late answer shows that a released mapping was made again. It is deleted."""

    wish: MappingWish
    open_until: float
    """Until when it may exist, monotonic seconds."""


@dataclass(frozen=True, slots=True)
class ServerReachable:
    """The server fell silent, or answers again."""

    reachable: bool


@dataclass(frozen=True, slots=True)
class ServerRestarted:
    """The server's epoch shows that it lost its state. RFC 6887 8.5."""

    started_at: float
    """When the new epoch began, monotonic seconds."""


@dataclass(frozen=True, slots=True)
class ProtocolChanged:
    """The first answer, or a change between PCP and NAT-PMP."""

    protocol: ServerProtocol


@dataclass(frozen=True, slots=True)
class ExternalAddressChanged:
    """An answer told another external address than the last."""

    old: IPAddress | None
    new: IPAddress


type Event = (
    LeaseGranted
    | LeaseRefused
    | LeaseLost
    | LeaseReleased
    | LeaseKept
    | LeaseReappeared
    | ServerReachable
    | ServerRestarted
    | ProtocolChanged
    | ExternalAddressChanged
)
