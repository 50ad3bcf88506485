"""What is found to be wrong."""

import re


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, number: int, what: str) -> None:
        """Name it."""
        super().__init__(f"invariant {number}: {what}")
        self.number = number
        self.kind = re.sub(r"[0-9]+", "", what)
        """What is wrong, whichever mapping and moment it is about."""
