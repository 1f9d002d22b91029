"""The page of ``monitor onboard`` in a real browser: for everybody, on any screen, and unable to load anything."""

import datetime as dt
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from monitor.caseload.onboarding import DatesRead, HeadingRead, Onboarding, SourceLook, TeamSeen, TextRead
from monitor.config.config_file import Addition
from monitor.config.settings import Config
from monitor.report.onboard_page import write_onboard_page

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HOSTILE = "<img src=x onerror=window.ran=1><script>window.ran=1</script>" * 2

SEEN = Onboarding(
    (
        SourceLook(
            "caseload", "annex-a-list-9", 'list.xlsx: sheet "List 9"', 24,
            (
                HeadingRead("Child Unique ID", "person_id", "known"),
                HeadingRead(HOSTILE, "accommodation", "looks like"),
                HeadingRead("Shoe size", None, "not needed"),
            ),
            (
                TextRead("activity", HOSTILE, 3, 2, None, "", False, HOSTILE, "F1"),
                TextRead("activity", "Aaaa Aaaaa", 1, 9, None, "", False),
                TextRead("accommodation_suitable", "Yes", 20, 2, "yes", "", False, "Yes"),
            ),
            (DatesRead("latest_contact_date", "read month-first: 12 of 20 days are over 12", certain=False),),
            ("pathway_plan_review_date",),
        ),
    ),
    people=23, nobody_rows=(("text under the id's heading and nothing else", 2),), nobody_words=(("tbc", 4),),
    crowded=1, bad_cells=(("latest_contact_date: a formula", 3),),
    teams=(TeamSeen(HOSTILE, 12, True), TeamSeen("South", 11, False)), lacking=("uasc",),
)  # fmt: skip
LINES = [(Addition("caseload", ("headings",), HOSTILE, "accommodation"), False)]


def _open(browser: Browser, folder: Path) -> Page:
    path = folder / "onboard.html"
    config = Config.model_validate({"sources": [{"name": "caseload", "kind": "sample"}]})
    write_onboard_page(path, SEEN, config, LINES, made_on=dt.date(2026, 1, 12))
    page = browser.new_context(viewport=WIDE).new_page()
    page.goto(path.as_uri())
    return page


def test_the_onboarding_page_is_for_everybody_on_any_screen(browser: Browser, tmp_path: Path) -> None:
    page = _open(browser, tmp_path)

    for viewport in (WIDE, PHONE):
        page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            options = {"runOnly": {"type": "tag", "values": ACCESSIBLE}, "resultTypes": ["violations"]}
            found = Axe().run(page, options=options).response["violations"]
            assert [(each["id"], node["html"]) for each in found for node in each["nodes"]] == [], (viewport, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.context.close()


def test_what_a_file_says_is_only_ever_text(browser: Browser, tmp_path: Path) -> None:
    page = _open(browser, tmp_path)

    assert page.evaluate("window.ran") is None
    assert page.locator("img, script").count() == 0
    assert page.get_by_text("<script>").count() >= 4
    page.context.close()
