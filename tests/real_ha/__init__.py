"""A real Home Assistant in a process of its own, and a client for it.

`RealHomeAssistant` prepares, starts and ends it, also inside a network namespace;
`HomeAssistantApi` speaks its REST and websocket API, blocking. Used by the demo, the
lab and the browser tests.
"""

from .client import HomeAssistantApi
from .connection import ApiError
from .process import RealHomeAssistant

__all__ = ["ApiError", "HomeAssistantApi", "RealHomeAssistant"]
