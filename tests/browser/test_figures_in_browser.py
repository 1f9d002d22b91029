"""The page of every authority's figures on a desk and on a phone, in a real Chromium."""

import datetime as dt
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from monitor.fleet.authority_nights import NO_NIGHT, UNREAD, AuthorityNight
from monitor.fleet.figures_by_authority import lay_out, withhold_small_counts
from monitor.fleet.figures_page import MOST_BESIDE, write_page
from monitor.messages.templates import open_templates

TODAY = dt.date(2026, 3, 2)
LATE = "rule:plan-late"
CUT = """() => [...document.querySelectorAll('table:not([id$="-beside"]) tr > *')].filter((cell) =>
    cell.offsetParent && (cell.getBoundingClientRect().right > innerWidth || cell.scrollWidth > cell.clientWidth + 1)
).map((cell) => cell.textContent)"""


def write_region(folder: Path, authorities: int) -> str:
    """Write the page of a region with long names, of which two have no figures and one has old ones; its address."""
    names = ["Bournemouth, Christchurch and Poole", "Kingston upon Thames", *map("Town {}".format, range(authorities))]
    nights = [
        AuthorityNight(
            f"E0900{n:04}", name, TODAY - dt.timedelta(9 * (n == 0)), tried_on=TODAY, tried_state="refused",
            titles={"plan-late": "Nobody has reviewed the pathway plan of the young person in time"},
            meanings={"plan-late": str(n == 1)},
        )
        for n, name in enumerate(names[:authorities])
    ]  # fmt: skip
    counts = {night.code: [(LATE, 29_000, 4_700, 3), ("figure:neet-long", 90, 4, 9)] for night in nights}
    unread = [AuthorityNight("E09000998", "Hull", why_not=NO_NIGHT), AuthorityNight("999", "Wight", why_not=UNREAD)]
    path = folder / f"figures-{authorities}.html"
    told = lay_out(TODAY, [*nights, *unread], withhold_small_counts(counts), 6)
    path.write_text(write_page(told, open_templates()), encoding="utf-8")
    return path.as_uri()


def test_on_a_phone_of_320_pixels_nobody_scrolls_to_see_that_an_authority_has_no_figures(
    browser: Browser, tmp_path: Path
) -> None:
    page = browser.new_page()
    for address in (write_region(tmp_path, 2), write_region(tmp_path, MOST_BESIDE + 1)):
        page.goto(address)
        for width in (1280, 390, 320):
            page.set_viewport_size({"width": width, "height": 700})

            assert page.evaluate(CUT) == [], width
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_axe_finds_nothing_in_the_figures_at_320_or_1280_pixels(browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(write_region(tmp_path, 2))

    for width in (1280, 320):
        page.set_viewport_size({"width": width, "height": 700})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], (width, scheme)
