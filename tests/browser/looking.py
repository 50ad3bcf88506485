"""Looking at a page as a person would: a picture of it, and what is wrong with it."""

from dataclasses import dataclass, field
import re

from playwright.sync_api import ConsoleMessage, Error, Page, ViewportSize

from tests.real_ha.process import ROOT

SCREENSHOTS = ROOT / ".local" / "screenshots"

SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
}

# Until a page is drawn.
MOST_PICTURES = 20
MILLISECONDS_BETWEEN = 250

# Errors of Home Assistant's own, each by what it is about.
FOREIGN = re.compile(
    # Pictures that it looks for on the Internet; ours it has itself.
    r"/api/brands/integration/(?!pcp/)"
    # Maps of the Internet, on the map and in the onboarding.
    r"|/api/map_tiles/"
)

# What is wider than what it is in, and can be moved sideways. Shadow roots are entered.
OVERFLOWING = """
(width) => {
  const found = [];
  const visit = root => {
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) visit(element.shadowRoot);
      if (!element.checkVisibility() || element.clientWidth === 0) continue;
      const moves = ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
      if (moves && element.scrollWidth > element.clientWidth + 1) {
        found.push(element.localName + "." + element.className);
      }
    }
  };
  visit(document);
  if (document.documentElement.scrollWidth > width) found.unshift("the page");
  return found;
}
"""


@dataclass(kw_only=True)
class Look:
    """One page, its size by name, and the errors in it since it was opened."""

    page: Page
    size: str
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to listen."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_page_error)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} {message.location}")

    def _on_page_error(self, error: Error) -> None:
        self.errors.append(f"{error} {error.stack}")

    def at(self, name: str) -> None:
        """Keep a picture of it under a name; nothing may be wider than the page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / f"{name}-{self.size}.png").write_bytes(drawn(self.page))
        overflowing = self.page.evaluate(OVERFLOWING, SIZES[self.size]["width"])
        assert not overflowing, f"{name} is too wide: {overflowing}"

    def forget_refusals(self) -> None:
        """Forget the answers that the page threw: an object, and no stack."""
        self.errors = [error for error in self.errors if error.strip() != "Object"]

    def our_errors(self) -> list[str]:
        """Return the errors that Home Assistant does not have of its own."""
        return [error for error in self.errors if not FOREIGN.search(error)]


def drawn(page: Page) -> bytes:
    """Return a picture of a page once it no longer changes, as far as it ever does."""
    last = b""
    for _ in range(MOST_PICTURES):
        picture = page.screenshot(animations="disabled")
        if picture == last:
            break
        last = picture
        page.wait_for_timeout(MILLISECONDS_BETWEEN)
    return last
