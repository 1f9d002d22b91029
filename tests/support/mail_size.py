"""How much a mail is to read: rows of its text at 78 columns, and phone screens of its HTML."""

import textwrap
from collections.abc import Iterable

from support.chromium import find_browser, open_browser

COLUMNS = 78
PHONE = {"width": 390, "height": 844}


def count_rows(text: str) -> int:
    """Return the rows of a text at 78 columns, blank ones left out; a longer line takes several."""
    rows = (row for row in text.splitlines() if row.strip())
    return sum(max(1, len(textwrap.wrap(row, COLUMNS, break_long_words=False))) for row in rows)


def count_screens(pages: Iterable[str]) -> list[float]:
    """Return how many screens of a phone each page of HTML takes; nothing where there is no browser."""
    path = find_browser()
    if path is None:
        return []
    with open_browser(path) as browser:
        page = browser.new_page(viewport=PHONE)
        found = []
        for html in pages:
            page.set_content(html)
            found.append(round(page.evaluate("document.documentElement.scrollHeight") / PHONE["height"], 1))
        return found
