"""What the ledger tells a keeper to do, when what it has decided is on disk.

An order names a mapping; its terms are the ledger's lease of that name.
"""

from dataclasses import dataclass

from .client.mapping import Grant, MappingKey


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the router for a mapping and keep it."""

    key: MappingKey
    urgent: bool
    """Somebody waits for it."""


@dataclass(frozen=True, slots=True)
class Release:
    """Delete a mapping."""

    key: MappingKey


@dataclass(frozen=True, slots=True)
class Restore:
    """Take up a mapping that an earlier run of ours asked for."""

    key: MappingKey
    grant: Grant | None
    """The last one, also when it has run out: the same port is asked for again."""


type Order = Ask | Release | Restore
