"""The demo: a real Home Assistant, a simulated router, and two doors to try.

`python -m tests.demo` (scripts/develop) runs it for people; `Demo` is what the
browser tests and the screenshots start.
"""

from .demo import Demo
from .places import Places

__all__ = ["Demo", "Places"]
