"""A real browser for the tests of the report: one Chromium for all of them, with nothing to reach on any network."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.chromium import insist_on_browser, open_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or any browser of its kind; without one the test is skipped, unless the environment forbids it."""
    with open_browser(insist_on_browser()) as browser:
        yield browser
