"""A team's page as a lead uses it, in a real Chromium: read, filtered, answered by keyboard, saved, and taken."""

import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader
from support.command import monitor
from support.council import Council, crowd, homeless
from support.timed_service import few_rules

from monitor.workdays import london_date

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ADVISER = "</script><img src=x onerror=alert(1)>"
TEN = [f"P{n}" for n in range(10)]


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council whose first night, today, finds ten of North homeless, of whom two have no adviser."""
    folder = tmp_path_factory.mktemp("council")
    now = dt.datetime.now(dt.UTC)
    council = Council(folder, few_rules(folder, "homeless", "pa-allocated"), clock=now - dt.timedelta(1))
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace("workbooks = false", ""), encoding="utf-8")
    today = london_date(now)
    lately = {"contact": f"{today - dt.timedelta(4):%d/%m/%Y}", "plan": f"{today - dt.timedelta(7):%d/%m/%Y}"}
    people = [homeless(name, adviser="" if name in TEN[:2] else ADVISER, **lately) for name in TEN]
    council.night(today, [*people, *crowd(40, **lately)])
    return council


@pytest.fixture(scope="module")
def path(council: Council) -> Path:
    return next((council.folder / "data" / "exceptions").rglob("team-north.html"))


@pytest.fixture(scope="module")
def page(browser: Browser, path: Path) -> Iterator[Page]:
    """The page, opened from its file, which asks for nothing and does nothing that a person wrote into it."""
    context = browser.new_context(viewport=WIDE, locale="en-GB")
    page = context.new_page()
    unwanted: list[str] = []
    page.on("request", lambda request: unwanted.append(request.url) if request.url.startswith("http") else None)
    page.on("pageerror", lambda fault: unwanted.append(str(fault)))
    page.on("console", lambda said: unwanted.append(said.text))
    page.goto(path.as_uri())
    yield page
    context.close()
    assert unwanted == []


def shown(page: Page) -> list[str]:
    return page.locator(".person:visible .id").all_inner_texts()


def press_until(page: Page, key: str, reached: str) -> None:
    """Press a key until the expression of the focused element (``at``) is true."""
    for _ in range(60):
        page.keyboard.press(key)
        if page.evaluate(f"(at => {reached})(document.activeElement)"):
            return
    raise AssertionError(f"{key} never reaches {reached}")


def test_people_are_found_by_adviser_way_and_severity(page: Page) -> None:
    assert shown(page) == TEN
    assert page.locator("#shown").inner_text() == "All 10 young people shown."
    page.get_by_label("Personal adviser", exact=True).select_option("No adviser")
    assert shown(page) == TEN[:2]
    assert page.locator("#shown").inner_text() == "2 young people of 10 shown."
    page.get_by_role("button", name="Show everyone").click()
    page.get_by_label("Way out of sight", exact=True).select_option("Not out of sight")
    assert shown(page) == TEN[2:]
    page.get_by_label("Way out of sight", exact=True).select_option("Nobody named")
    page.get_by_label("Personal adviser", exact=True).select_option(ADVISER)
    assert shown(page) == []
    page.get_by_role("button", name="Show everyone").click()
    page.get_by_label("Severity", exact=True).select_option("Critical")
    assert shown(page) == TEN


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desk", "phone"])
def test_it_is_accessible_in_light_and_dark_and_no_wider_than_a_phone(page: Page, viewport: dict[str, int]) -> None:
    page.set_viewport_size(viewport)
    page.get_by_role("button", name="Show everyone").evaluate("each => each.click()")
    page.locator(".person details").first.evaluate("each => { each.open = true; }")
    page.locator(".person .choice").first.select_option("waive until")
    try:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options={"runOnly": ACCESSIBLE})
            assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    finally:
        page.locator(".person .choice").first.select_option("")
        page.locator(".person details").first.evaluate("each => { each.open = false; }")
        page.set_viewport_size(WIDE)
        page.emulate_media(color_scheme="light")


def test_a_lead_answers_ten_flags_by_keyboard_and_the_command_takes_them(page: Page, council: Council) -> None:
    press = page.keyboard.press
    page.reload()
    for name in TEN:
        press_until(page, "Tab", f"at.matches('.person summary') && at.textContent.includes('{name}')")
        press("Enter")
        press_until(page, "Tab", "at.matches('.choice')")
        page.keyboard.type("w" if name == "P1" else "n" if name == "P2" else "d")
        if name == "P1":
            _waive_by_keyboard(page)
    expect(page.locator("#answered")).to_have_text("10 flags answered, not saved yet.")
    press_until(page, "Tab", "at.getAttribute('href') === '#answering'")
    press("Enter")
    press_until(page, "Tab", "at.id === 'save'")
    with page.expect_download() as waiting:
        press("Enter")
    saved = council.folder / waiting.value.suggested_filename
    waiting.value.save_as(saved)

    done = monitor(council.folder, "answers", str(saved), "--by", "A Lead", "--json")

    assert re.fullmatch(r"answers-team-north-\d{4}-\d\d-\d\d\.json", saved.name)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answers"] == {"done": 8, "waive until": 1, "not ours": 1}
    expect(page.locator("#answered")).to_have_text("10 flags answered; the file is saved. Send it back.")


def _waive_by_keyboard(page: Page) -> None:
    """The next day whose number is that of its month, which is the same however a browser orders the two."""
    days = (london_date(dt.datetime.now(dt.UTC)) + dt.timedelta(n) for n in range(1, 40))
    until = next(day for day in days if day.day == day.month)
    press_until(page, "Tab", "at.matches('.until')")
    page.keyboard.type(f"{until:%d%m%Y}")
    press_until(page, "Tab", "at.matches('.reason')")
    page.keyboard.type("their")
    press_until(page, "Tab", "at.matches('.note')")
    page.keyboard.type("Agreed </script> with them")


def test_what_an_answer_lacks_is_said_and_nothing_is_saved(page: Page) -> None:
    page.locator(".person .choice").nth(3).select_option("the record is wrong")
    page.get_by_role("button", name="Save my answers").click()

    fault = page.locator("#faults a")
    assert fault.all_inner_texts() == [
        "P1, No personal adviser recorded: say in a note what is wrong, and what would be right"
    ]
    fault.click()
    assert page.evaluate("document.activeElement.className") == "note"
    page.locator(".person .choice").nth(3).select_option("done")


def test_the_email_holds_a_key_and_a_choice_a_line_and_is_no_longer_than_mail_programs_take(page: Page) -> None:
    page.evaluate("sent = []; HTMLAnchorElement.prototype.click = function () { sent.push(this.href); }; 0")
    assert not page.locator("#mail").is_disabled()
    page.get_by_role("button", name="Write them as an e-mail").click()
    assert page.locator("#faults").inner_text().startswith("An e-mail cannot hold a waiver. Use “Save my answers”")
    assert page.evaluate("sent") == []
    for choice in page.locator(".person .choice").all():
        choice.select_option("done")
    page.get_by_role("button", name="Write them as an e-mail").click()

    (address,) = page.evaluate("sent")
    assert address.startswith("mailto:analyst@example.gov.uk?subject=Answers%3A%20North")
    assert len(address) < 2000
    assert len(re.findall(r"done%3A%20\d+\.\d{8}\.[0-9a-f]{10}\.[0-9a-f]{32}", address)) == 12


def test_it_prints_what_is_open_and_every_row_without_controls(page: Page) -> None:
    page.get_by_role("button", name="Close every row").click()
    page.locator(".person summary").nth(4).click()

    sheets = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages]

    words = " ".join(" ".join(sheets).split())
    assert len(sheets) == 1
    assert all(name in words for name in TEN)
    assert words.count("What would clear it") == 1
    assert "Save my answers" not in words
    assert "Your answer" not in words


def test_without_scripts_every_row_is_open_and_it_says_where_to_answer(browser: Browser, path: Path) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())

    words = " ".join(page.locator("body").inner_text().split())
    context.close()

    assert words.count("What would clear it") == 12
    assert words.count("What happened") == 10
    assert "Scripts are off here" in words
    assert "Answer on team-north.xlsx" in words
    assert "Save my answers" not in words.replace("“Save my answers”", "")
    assert "Choose who is shown" not in words
