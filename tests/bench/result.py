"""One line of the table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A number that was promised, and what was measured."""

    name: str
    measured: float
    limit: float
    unit: str
    detail: str

    @property
    def kept(self) -> bool:
        """Tell whether the promise is kept."""
        return self.measured <= self.limit
