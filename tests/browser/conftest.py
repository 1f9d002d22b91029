"""A real browser for the tests of the report: one Chromium for all of them, with nothing to reach on any network."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge")
QUIET = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
REQUIRED = "MONITOR_BROWSER_TESTS"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or any browser of its kind; without one the test is skipped, unless the environment forbids it."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = f"no browser here (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(f"{REQUIRED}=required, and {missing}")
        pytest.skip(missing)
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *root])
        yield browser
        browser.close()
