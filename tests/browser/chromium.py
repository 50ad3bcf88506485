"""The Chromium of this machine, driven by Playwright."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
import shlex
import shutil
import tempfile

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
def run(network_prefix: Sequence[str] = ()) -> Iterator[Browser]:
    """Start Chromium without a screen; end it with the context.

    `network_prefix` is put before the command, as `["ip", "netns", "exec", NAME]`.
    """
    path = find()
    if path is None:
        raise FileNotFoundError("no Chromium: apt-get install chromium fonts-noto-core")
    with ExitStack() as stack:
        if network_prefix:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="chromium-")
            )
            path = _wrapped(Path(folder, "chromium"), [*network_prefix, path])
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        stack.callback(browser.close)
        yield browser


def _wrapped(script: Path, command: Sequence[str]) -> str:
    """Make a program that runs the command: Playwright starts a program alone."""
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    script.chmod(0o700)
    return str(script)
