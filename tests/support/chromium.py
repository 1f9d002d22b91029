"""One Chromium for the tests that look at a page, with nothing to reach on any network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge")
REQUIRED = "MONITOR_BROWSER_TESTS"
QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def find_browser() -> str | None:
    """Return Chromium, or any browser of its kind, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def insist_on_browser() -> str:
    """Return a browser; skip the test, or fail it where the environment forbids that, if there is none."""
    path = find_browser()
    if path is None:
        missing = f"no browser here (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(f"{REQUIRED}=required, and {missing}")
        pytest.skip(missing)
    return path


@contextmanager
def open_browser(path: str) -> Iterator[Browser]:
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *root])
        yield browser
        browser.close()
