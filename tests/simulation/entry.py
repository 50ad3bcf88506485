"""A router's entry as Home Assistant keeps it: what a form can change, and removing."""

from dataclasses import dataclass, field, replace

from custom_components.pcp.forward import Forward


@dataclass(slots=True, kw_only=True)
class Entry:
    """The entry in Home Assistant's memory, or as it was written last."""

    entry_id: str
    host: str
    lease_time: int
    third_party: bool
    is_disabled: bool = False
    definitions: dict[str, Forward] = field(default_factory=dict)

    def copy(self) -> Entry:
        """Return it as it is now."""
        return replace(self, definitions=dict(self.definitions))
