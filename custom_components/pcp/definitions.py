"""The forwards as they are defined: what an entry's subentries say."""

import logging

from homeassistant.config_entries import ConfigEntry, ConfigSubentry

from .const import SUBENTRY_FORWARD
from .fields import as_name
from .forward import CONF_NAME, Forward, ForwardError

_LOGGER = logging.getLogger(__name__)


class Definitions:
    """Reads the forwards of an entry, and only what is new of them."""

    def __init__(self, entry: ConfigEntry) -> None:
        """Begin with nothing read."""
        self._entry = entry
        self._read: dict[str, tuple[object, Forward | None]] = {}
        self._damaged: set[str] = set()

    def read(self) -> dict[str, Forward]:
        """Return the forwards by id; of those that are damaged, none."""
        read, self._read = self._read, {}
        for subentry in self._entry.get_subentries_of_type(SUBENTRY_FORWARD):
            forward_id = subentry.subentry_id
            # A subentry that is changed stays the same object.
            source = subentry.title, subentry.data
            known = read.get(forward_id)
            if known is None or known[0] != source:
                known = source, self._read_forward(subentry)
            self._read[forward_id] = known
        return {
            forward_id: forward
            for forward_id, (_, forward) in self._read.items()
            if forward is not None
        }

    def _read_forward(self, subentry: ConfigSubentry) -> Forward | None:
        try:
            return Forward.parse({**subentry.data, CONF_NAME: as_name(subentry.title)})
        except ForwardError as err:
            if subentry.subentry_id not in self._damaged:
                self._damaged.add(subentry.subentry_id)
                _LOGGER.error("The forward %s is damaged: %s", subentry.title, err)
            return None
