"""A PCP and NAT-PMP server for tests and for the demo, with the quirks of real ones.

`RouterCore` is the server without sockets and without a clock, for simulated time.
`SimulatedRouter` runs one on real UDP and makes its mappings real doors. How a router
behaves is told by a `Personality`; `PERSONALITIES` has one for every kind known.
"""

from .core import Reply, RouterCore
from .personalities import PERSONALITIES
from .personality import Personality
from .server import SeenRequest, SimulatedRouter
from .table import RouterMapping, Source

__all__ = [
    "PERSONALITIES",
    "Personality",
    "Reply",
    "RouterCore",
    "RouterMapping",
    "SeenRequest",
    "SimulatedRouter",
    "Source",
]
