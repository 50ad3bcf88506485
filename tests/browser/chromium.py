"""The Chromium of this machine, driven by Playwright."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
import shlex
import shutil
import tempfile

from playwright.sync_api import Browser, Playwright, sync_playwright

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
def run(network_prefix: Sequence[str] = ()) -> Iterator[Browser]:
    """Start Chromium without a screen; end it with the context."""
    with sync_playwright() as playwright, launch(playwright, network_prefix) as browser:
        yield browser


@contextmanager
def launch(
    playwright: Playwright, network_prefix: Sequence[str] = ()
) -> Iterator[Browser]:
    """Start one more: there is one Playwright at a time in a thread.

    `network_prefix` is put before the command, as `["ip", "netns", "exec", NAME]`.
    """
    path = find()
    if path is None:
        raise FileNotFoundError("no Chromium: apt-get install chromium fonts-noto-core")
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        if network_prefix:
            path = _wrapped(Path(folder, "chromium"), [*network_prefix, path])
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def _wrapped(script: Path, command: Sequence[str]) -> str:
    """Make a program that runs the command: Playwright starts a program alone."""
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    script.chmod(0o700)
    return str(script)
