"""The list of those out of sight as people use it, in a real Chromium: one page, a phone, and scripts off."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from support.report_contents import NIGHT, example

from monitor.messages.templates import open_templates
from monitor.report.contents import PersonRow
from monitor.report.page import write_page

TABLE, FORM = "#people-table", "form[data-list=people-table]"
ROWS = (
    PersonRow("K42", "North", "", "Out of touch", ("No contact", "Nobody named"), since=dt.date(2025, 6, 1)),
    PersonRow("K43", "South", "B Example", "Out of touch", ("No contact", "Gone off the caseload, or closed"),
              at_least_since=NIGHT, last_contact=dt.date(2024, 3, 1), done="Told by e-mail", done_on=NIGHT),
    PersonRow("K44", "<b>=1+1", "B Example", "Nobody named", ("Nobody named",), since=dt.date(2025, 1, 2),
              last_contact=NIGHT, done="Waived until 3 March 2026", done_on=dt.date(2026, 1, 9)),
)  # fmt: skip
MANY = tuple(replace(ROWS[n % 3], person_id=f"P{n:03}") for n in range(60))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = example("first night")
    path = tmp_path_factory.mktemp("people") / "report.html"
    sight = replace(whole.sight, people=(*ROWS, *MANY), restricted=1)
    path.write_text(write_page(replace(whole, sight=sight), open_templates()), encoding="utf-8", newline="")
    return path


def open_list(browser: Browser, report: Path, **options: object) -> Iterator[Page]:
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    yield page
    context.close()


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    yield from open_list(browser, report, viewport={"width": 1280, "height": 800})


@pytest.fixture
def phone(browser: Browser, report: Path) -> Iterator[Page]:
    yield from open_list(browser, report, viewport={"width": 320, "height": 640}, color_scheme="dark")


@pytest.fixture
def without_scripts(browser: Browser, report: Path) -> Iterator[Page]:
    yield from open_list(browser, report, java_script_enabled=False)


def ids(page: Page) -> list[str]:
    return page.locator(f"{TABLE} tbody th").all_inner_texts()


def test_people_are_found_by_way_team_and_adviser_and_put_in_order(page: Page) -> None:
    said, first = page.locator(f"{FORM} [role=status]"), [row.person_id for row in ROWS]

    assert said.inner_text() == "All 63 young people: 1 to 25 shown."
    page.get_by_role("button", name="Next young people").press("Enter")
    assert ids(page)[0] == "P022"
    page.get_by_label("Find a case number").fill("k4")
    expect(said).to_have_text("3 young people of 63 match.")
    assert ids(page) == first
    page.get_by_label("Way", exact=True).select_option("Nobody named")
    assert ids(page) == ["K42", "K44"]
    page.get_by_label("Way", exact=True).select_option("Gone off the caseload, or closed")
    assert ids(page) == ["K43"]
    page.get_by_label("In team").select_option("<b>=1+1")
    expect(said).to_have_text("None of the 63 young people match.")
    assert page.url.endswith("#people?ways=Gone+off+the+caseload%2C+or+closed&team=%3Cb%3E%3D1%2B1")
    page.get_by_role("button", name="Show everybody").press("Enter")
    expect(said).to_have_text("All 63 young people: 1 to 25 shown.")
    page.get_by_label("With adviser").select_option("No adviser")
    assert ids(page)[0] == "K42"
    page.get_by_label("With adviser").select_option("Every adviser")
    for column, order in (("since", ["K44", "K42", "K43"]), ("last_contact", ["K43", "K44", "K42"])):
        page.locator(f"{TABLE} th[data-column={column}] button").press("Enter")
        page.get_by_label("Find a case number").fill("k4")
        expect(said).to_have_text("3 young people of 63 match.")
        assert ids(page) == order
    assert page.locator(f"{TABLE} th[data-column=last_contact]").get_attribute("aria-sort") == "ascending"


def test_on_a_phone_a_young_person_is_a_card_that_says_what_each_line_is(phone: Page) -> None:
    card = phone.locator(f"{TABLE} tbody tr").nth(1)

    found = Axe().run(phone, context="#people", options={"resultTypes": ["violations"]})

    assert not found.response["violations"]
    assert phone.evaluate("document.documentElement.scrollWidth") == 320
    assert card.bounding_box()["width"] <= 320
    cells = card.locator("td").all_inner_texts()
    assert cells == [
        "No contact; Gone off the caseload, or closed", "not known, at least since 12 January 2026", "1 March 2024",
        "B Example", "South", "12 January 2026: told by e-mail",
    ]  # fmt: skip
    heading = "getComputedStyle(document.querySelectorAll('#people-table tbody td')[{}], '::before').content"
    assert [phone.evaluate(heading.format(n)) for n in (1, 2, 5)] == [
        '"Since: "', '"Last contact: "', '"Done last: "',
    ]  # fmt: skip


def test_with_scripts_off_everybody_is_listed_and_who_is_kept_out_is_counted(without_scripts: Page) -> None:
    assert without_scripts.locator(f"{TABLE} tbody tr:visible").count() == 63
    assert without_scripts.locator(f"{FORM}:visible").count() == 0
    assert (
        "1 young person is counted above and kept out of this list" in without_scripts.locator("#people").inner_text()
    )
