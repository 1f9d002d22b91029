"""A real browser for the tests of the report: one Chromium for all of them, with nothing to reach on any network."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.chromium import NAMES, find_browser, open_browser

REQUIRED = "MONITOR_BROWSER_TESTS"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or any browser of its kind; without one the test is skipped, unless the environment forbids it."""
    path = find_browser()
    if path is None:
        missing = f"no browser here (looked for {', '.join(NAMES)}); on Debian: apt-get install chromium"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(f"{REQUIRED}=required, and {missing}")
        pytest.skip(missing)
    with open_browser(path) as browser:
        yield browser
