"""Count what a person does in a page: presses, and fields that are typed into.

The page itself counts, so that nothing that a test does is forgotten: presses of the
mouse or a finger wherever they go, and every field that receives what is typed.
"""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext

SCRIPT = """
addEventListener("pointerdown", event => {
  if (event.isTrusted) pcpCount({press: (event.composedPath()[0].textContent || "")});
}, true);
addEventListener("beforeinput", event => {
  const field = event.composedPath()[0];
  field.pcpNumber ??= crypto.randomUUID();
  if (event.isTrusted) pcpCount({field: field.pcpNumber});
}, true);
"""


@dataclass
class Count:
    """What was done since `begin`."""

    clicks: int = 0
    _fields: frozenset[str] = frozenset()

    @property
    def typed_fields(self) -> int:
        """How many fields were typed into."""
        return len(self._fields)

    def begin(self) -> None:
        """Count from nothing."""
        self.clicks, self._fields = 0, frozenset()

    def add(self, _: object, act: dict[str, Any]) -> None:
        """Take what the page tells."""
        if "press" in act:
            self.clicks += 1
        else:
            self._fields |= {act["field"]}


def count(context: BrowserContext) -> Count:
    """Count in all pages that the context opens from now on."""
    counted = Count()
    context.expose_binding("pcpCount", counted.add)
    context.add_init_script(SCRIPT)
    return counted
