"""The Chromium of this machine, driven by Playwright."""

from collections.abc import Iterator
from contextlib import contextmanager
import shutil

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    # Root has no sandbox of its own here; the only pages are ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # It shall not look for anything on the Internet.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    return None


@contextmanager
def run() -> Iterator[Browser]:
    """Start Chromium without a screen; end it with the context."""
    path = find()
    if path is None:
        raise FileNotFoundError("no Chromium: apt-get install chromium fonts-noto-core")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
