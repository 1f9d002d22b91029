"""The page of the oversight report as people use it, in a real Chromium."""

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader
from support.report_contents import NIGHT, Size, example
from support.servers.http import Said, serving

from monitor.csv_text import csv_line
from monitor.messages.templates import open_templates
from monitor.report.contents import Contents, FlagList, FlagRow, Trends
from monitor.report.page import write_page

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
ACCESSIBLE = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTROLS = ("Skip to main content", "On this page", "Download", "Show everything", "Every team", "Next page")

UNFOLD = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
SIZES: tuple[Size, ...] = ("first night", "small", "refused", "200 teams", "80,000 people", "board", "empty")

Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a report from a file, as from a file share; ``options`` are those of a browser context.

    What folds away is open, unless it is to stay ``folded``.
    """
    contexts = []

    def opened(contents: Contents | Size, *, folded: bool = False, **options: object) -> Page:
        whole = example(contents) if isinstance(contents, str) else contents
        path = tmp_path / "report.html"
        path.write_text(write_page(whole, open_templates()), encoding="utf-8", newline="")
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        page = context.new_page()
        page.goto(path.as_uri())
        if not folded:
            page.evaluate(UNFOLD)
        return page

    yield opened
    for context in contexts:
        context.close()


def flag(person_id: str, **other: object) -> FlagRow:
    usual = FlagRow(
        person_id, "North", "A Example", 19, "contact-overdue", "Contact overdue", "medium", "open",
        NIGHT - dt.timedelta(30), 30, "Last contact 1 November 2025.", "Make contact.", None,
    )  # fmt: skip
    return replace(usual, **other)


def listing(*rows: FlagRow) -> Contents:
    return replace(example("first night"), flags=FlagList(rows, len(rows)))


THREE = listing(
    flag("0042", team="North", severity="high", title="No personal adviser", adviser="", age=None, days=9),
    flag("0043", team="South", severity="medium", adviser="B Example", age=17, days=1_200),
    flag("1042", team="South", severity="critical", title="No fixed abode", adviser="B Example", age=22, days=30),
)


def ids(page: Page) -> list[str]:
    return page.locator("#list-table tbody th").all_inner_texts()


def said(page: Page) -> str:
    return page.locator("#shown").inner_text()


def downloaded(page: Page) -> str:
    with page.expect_download() as waiting:
        page.locator("#download").click()
    return Path(waiting.value.path()).read_bytes().decode()


# The first page.


def test_the_first_page_is_one_sheet_and_its_first_screen_answers(show: Show, tmp_path: Path) -> None:
    """At a desk, on a phone and on paper, whatever the size of the service; nothing scrolls sideways."""
    page = show("empty", folded=True)
    sizes = {size: example(size) for size in SIZES} | {"long": long_winded()}
    for size, contents in sizes.items():
        (tmp_path / "report.html").write_text(write_page(contents, open_templates()), encoding="utf-8", newline="")
        page.reload()
        screens = {}
        for width, height in ((1280, 800), (390, 844), (320, 640)):
            page.set_viewport_size({"width": width, "height": height})
            screens[width] = page.evaluate("document.documentElement.scrollHeight") / height
            assert page.evaluate("document.documentElement.scrollWidth") == width, size
            if size not in ("empty", "long") and width > 320:
                box = page.locator(".answers").bounding_box()
                assert box["y"] + box["height"] <= height, (size, width)

        printed = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))

        assert len(printed.pages) == 1, size
        assert screens[1280] <= 12, size


def long_winded() -> Contents:
    """A report in which every name and sentence is as long as they come, after a night that was refused."""
    whole, name = example("refused"), "The Royal Borough of Kingston upon Thames and Richmond"
    wordy = "Contact with the personal adviser or the office overdue at 21 or over"
    rules = tuple(replace(rule, title=wordy) for rule in whole.rules)
    trends = replace(whole.trends, rules=tuple(replace(trend, label=wordy) for trend in whole.trends.rules))
    rows = tuple(replace(row, title=wordy, team=name) for row in whole.unanswered.rows)
    people = tuple(replace(person, team=name) for person in whole.sight.people)
    return replace(
        whole,
        header=replace(whole.header, authority=name, unreadable=whole.header.unreadable * 4),
        rules=rules,
        trends=trends,
        unanswered=replace(whole.unanswered, rows=rows),
        sight=replace(whole.sight, people=people),
    )


def test_a_link_to_a_part_opens_it_and_print_gives_the_first_page_and_what_is_open(show: Show) -> None:
    page = show("small", folded=True)

    page.get_by_role("link", name="Who they are, one by one").press("Enter")

    assert page.locator("details[open] h2").all_inner_texts() == ["Who they are"]
    assert page.locator("#people-table").is_visible()
    words = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages]
    assert "What was done" in words[0]
    assert words[1].count("Who they are") == 1
    assert "Adviser caseloads" not in " ".join(words)


# Finding.


def test_the_list_is_narrowed_by_team_rule_severity_adviser_and_case_number(show: Show) -> None:
    page = show(THREE)

    assert said(page) == "All 3 flags."
    page.get_by_label("Team", exact=True).select_option("South")
    assert ids(page) == ["0043", "1042"]
    assert said(page) == "2 flags of 3 match."
    page.get_by_label("Severity", exact=True).select_option("Critical")
    assert ids(page) == ["1042"]
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator("#shown")).to_have_text("All 3 flags.")
    page.get_by_label("Rule", exact=True).select_option("No personal adviser")
    assert ids(page) == ["0042"]
    page.get_by_label("Rule", exact=True).select_option("Every rule")
    page.get_by_label("Personal adviser", exact=True).select_option("No adviser")
    assert ids(page) == ["0042"]
    page.get_by_label("Personal adviser", exact=True).select_option("B Example")
    page.get_by_label("Case number", exact=True).fill("104")
    expect(page.locator("#shown")).to_have_text("1 flag of 3 match.")
    assert ids(page) == ["1042"]
    page.get_by_label("Case number", exact=True).fill("nobody")
    expect(page.locator("#shown")).to_have_text("None of the 3 flags match.")
    assert page.locator("#download").is_disabled()
    assert page.locator("#shown").get_attribute("role") == "status"


def test_choices_are_in_the_order_a_reader_looks_for_them(show: Show) -> None:
    page = show(THREE)

    assert page.get_by_label("Severity", exact=True).locator("option").all_inner_texts() == [
        "Every severity", "Critical", "High", "Medium",
    ]  # fmt: skip
    assert page.get_by_label("Team", exact=True).locator("option").all_inner_texts() == ["Every team", "North", "South"]


def test_a_column_sorts_both_ways_and_blanks_come_last(show: Show) -> None:
    page = show(THREE)
    age, days, severity = (page.locator(f"th[data-column={name}]") for name in ("age", "days_in_breach", "severity"))

    days.get_by_role("button").click()
    assert ids(page) == ["0042", "1042", "0043"]
    assert days.get_attribute("aria-sort") == "ascending"
    days.get_by_role("button").click()
    assert ids(page) == ["0043", "1042", "0042"]
    assert days.get_attribute("aria-sort") == "descending"
    severity.get_by_role("button").click()
    assert ids(page) == ["1042", "0042", "0043"]
    assert days.get_attribute("aria-sort") is None
    age.get_by_role("button").click()
    assert ids(page) == ["0043", "1042", "0042"]
    age.get_by_role("button").click()
    assert ids(page) == ["1042", "0043", "0042"]
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator("#list-table tbody th")).to_have_text(["0042", "0043", "1042"])
    assert age.get_attribute("aria-sort") is None


def test_two_thousand_flags_come_in_pages_and_are_found_in_all_of_them(show: Show) -> None:
    page = show("80,000 people")

    assert said(page) == "All 2,000 flags: 1 to 100 shown."
    assert len(ids(page)) == 100
    page.get_by_role("button", name="Next page").click()
    assert said(page) == "All 2,000 flags: 101 to 200 shown."
    page.get_by_label("Case number", exact=True).fill("000999")
    expect(page.locator("#shown")).to_have_text("2 flags of 2,000 match.")
    assert page.locator("#pages").is_hidden()
    assert page.locator("#list-table tbody a").first.get_attribute("href") == "https://cms.example.gov.uk/person/000999"


def test_the_address_keeps_what_was_chosen_but_nobody(show: Show) -> None:
    page = show(THREE)
    page.get_by_label("Team", exact=True).select_option("South")
    page.get_by_label("Personal adviser", exact=True).select_option("B Example")
    page.get_by_label("Case number", exact=True).fill("104")
    page.locator("th[data-column=days_in_breach] button").click()
    expect(page.locator("#shown")).to_have_text("1 flag of 3 match.")

    address = page.url
    page.reload()

    assert address.endswith("#list?team=South&sort=days_in_breach")
    assert ids(page) == ["1042", "0043"]


# Taking it away.


def test_what_is_shown_is_downloaded_with_ids_as_they_are(show: Show) -> None:
    page = show(THREE)
    page.get_by_label("Team", exact=True).select_option("South")

    text = downloaded(page)

    assert page.locator("#download").inner_text() == "Download these 2 flags (CSV)"
    assert text.startswith("\ufeffperson_id,team,personal_adviser,age,title,severity,")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["person_id"] for row in rows] == ["0043", "1042"]
    assert rows[0] == {
        "person_id": "0043", "team": "South", "personal_adviser": "B Example", "age": "17", "title": "Contact overdue",
        "severity": "Medium", "state": "open", "in_breach_since": "2025-12-13", "days_in_breach": "1200",
        "because": "Last contact 1 November 2025.", "action": "Make contact.",
    }  # fmt: skip


def test_no_cell_of_a_download_runs_in_a_spreadsheet_as_in_the_lists(show: Show) -> None:
    cells = (
        "=1+1", "+44 20", "-3", "-3.5", "-", "@SUM(A1)", "\u00a0=cmd|'/C calc'!A0", "\uff1d1", 'say "x", then; y',
        "0042", "+", "a=b", "\u200b=1", "\u05e6\u05e4\u05d5\u05df", "🏠", "=\u202e1",
    )  # fmt: skip
    page = show(listing(*(flag(str(n), because=text) for n, text in enumerate(cells))))

    lines = downloaded(page).removeprefix("\ufeff").split("\r\n")[1:-1]

    workspace = duckdb.connect()
    workspace.execute("CREATE TABLE cell (n INTEGER, because VARCHAR)")
    workspace.executemany("INSERT INTO cell VALUES (?, ?)", [(n, text.strip()) for n, text in enumerate(cells)])
    expected = workspace.execute(f"SELECT {csv_line({'because': 'VARCHAR'})} FROM cell ORDER BY n").fetchall()
    assert len(lines) == len(cells)
    for line, (in_list,) in zip(lines, expected, strict=True):
        assert f',{in_list.removesuffix(chr(13) + chr(10))},"Make contact."' in line


def test_it_prints_as_a_marked_a4_document_without_controls(show: Show) -> None:
    flags = example("council").flags
    page = show(replace(example("small"), flags=replace(flags, rows=flags.rows[:600])))
    page.get_by_label("Team", exact=True).select_option("Leaving Care South")

    printed = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))

    sheets = [sheet.extract_text() for sheet in printed.pages]
    words = " ".join(" ".join(sheets).split())
    assert 5 < len(sheets) < 60
    assert all(abs(sheet.mediabox.width - 595) < 2 and abs(sheet.mediabox.height - 842) < 2 for sheet in printed.pages)
    assert all(sheet.count("OFFICIAL-SENSITIVE") for sheet in sheets)
    assert f"Page {len(sheets)} of {len(sheets)}" in sheets[-1]
    assert not [control for control in CONTROLS if control in words]
    assert "https:" not in words
    assert words.count("Leaving Care South") > 120  # every flag that was found, not one page of them
    assert page.locator("#list-table tbody tr").count() == 100


# Without a mouse, without scripts, on a phone.


def test_everything_can_be_done_with_a_keyboard(show: Show) -> None:
    page = show(THREE, folded=True)
    press = page.keyboard.press

    press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = []
    for _ in range(120):
        press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        if reached[-1].startswith("Every flag"):
            press("Enter")  # it opens
        if reached[-1] == "filter-team":
            press("S")  # the first choice that starts so
        if reached[-1] == "find-person":
            page.keyboard.type("1042")
        if reached[-1] == "Days":
            press("Enter")
            press("Enter")
            break
        outline = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
        assert outline != "none", reached[-1]

    expect(page.locator("#shown")).to_have_text("1 flag of 3 match.")
    assert ids(page) == ["1042"]
    assert page.locator("th[data-column=days_in_breach]").get_attribute("aria-sort") == "descending"
    assert {"filter-team", "filter-rule", "filter-severity", "filter-adviser", "find-person", "download"} < set(reached)


def test_everything_can_be_read_with_scripts_off(show: Show) -> None:
    page = show("council", folded=True, java_script_enabled=False)
    for part in page.locator("summary").all():
        part.click()

    assert page.locator("#list-table tbody tr").count() == 1950
    assert page.locator("#filters").is_hidden()
    assert page.locator("#pages").is_hidden()
    assert page.locator("button:visible").count() == 0
    assert page.locator("main section").count() == 14
    assert page.locator("svg:visible").count() > 10
    assert page.locator(".scroll").first.get_attribute("tabindex") == "0"


@pytest.mark.parametrize("size", ["refused", "board", "empty"])
def test_a_phone_never_scrolls_sideways(show: Show, size: Size) -> None:
    page = show(size, viewport=PHONE)

    page.evaluate(UNFOLD)

    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert page.evaluate("document.querySelector('main').getBoundingClientRect().right") <= 320


def test_on_a_phone_no_word_of_a_rows_name_is_broken_on_the_first_page(show: Show) -> None:
    page = show("small", viewport=PHONE)

    for table in ("ways", "moved"):
        names = page.locator(f"#{table} tbody th").evaluate_all("found => found.map(each => each.clientWidth)")
        assert names
        assert min(names) > 200, table


def test_long_names_break_rather_than_push(show: Show) -> None:
    name = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogoch" * 2
    whole = example("small")
    head = replace(whole.header, authority=name, marking=name, team=name)

    page = show(replace(whole, header=head), viewport=PHONE)

    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_wide_tables_scroll_in_regions_a_keyboard_can_reach(show: Show) -> None:
    page = show("council", viewport=PHONE)

    reach = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter((each) => each.checkVisibility())"
        ".map((each) => [each.scrollWidth > each.clientWidth + 1, each.tabIndex === 0])"
    )

    assert [True, True] in reach
    assert all(overflows == reachable for overflows, reachable in reach)


def slim(whole: Contents) -> Contents:
    """A report with a few of everything: what is sound for one row is for all."""
    rules = tuple(replace(rule, teams=dict(list(rule.teams.items())[:2])) for rule in whole.rules[-2:])
    flow = whole.flow[:5]
    kept = (whole.trends.sight[:2], whole.trends.teams[:1], whole.trends.rules[:1])
    trends = Trends(*(tuple(replace(line, values=line.values[:5]) for line in lines) for lines in kept))
    return replace(
        whole, rules=rules, flow=flow, week_starts=whole.week_starts[:5], weeks=whole.weeks[:5], trends=trends,
        paragraphs=whole.paragraphs[1:5], teams=whole.teams[:2],
        caseloads=replace(whole.caseloads, advisers=whole.caseloads.advisers[:2], teams=whole.caseloads.teams[:2]),
        flags=replace(whole.flags, rows=whole.flags.rows[::20]),
    )  # fmt: skip


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe finds wrong with the page as it stands, with everything that folds away open."""
    page.evaluate(UNFOLD)
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": ACCESSIBLE}, "resultTypes": ["violations"]})
    return [(each["id"], node["html"]) for each in found.response["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("size", ["small", "board"])
def test_axe_finds_nothing_on_any_screen_light_or_dark(show: Show, size: Size) -> None:
    page = show(slim(example(size)))

    for viewport in (WIDE, PHONE):
        page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [], (viewport, scheme)


@pytest.mark.parametrize("size", ["empty", "first night"])
def test_axe_finds_nothing_where_there_is_little_to_show(show: Show, size: Size) -> None:
    page = show(slim(example(size)))

    assert violations(page) == []


def test_dark_and_light_are_the_readers_choice(show: Show) -> None:
    page = show("small", color_scheme="dark")

    def colours() -> list[str]:
        return page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, "
            "getComputedStyle(document.querySelector('.line path')).stroke]"
        )

    dark = colours()
    page.emulate_media(color_scheme="light")
    light = colours()
    page.emulate_media(color_scheme="dark", media="print")

    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(dark, light, strict=True))
    assert colours()[0] == "rgb(255, 255, 255)"


# On its own.


def test_nothing_is_asked_of_any_network_and_nothing_could_be(show: Show) -> None:
    page = show("small")
    wanted: list[str] = []
    page.on("request", lambda request: wanted.append(request.url))
    page.reload()
    by_itself = list(wanted)
    with serving(lambda asked: Said()) as server:
        page.evaluate(
            """async (url) => {
                const add = (html) => document.body.insertAdjacentHTML("beforeend", html);
                add(`<img src="${url}/image"><iframe src="${url}/frame"></iframe>`);
                add(`<link rel="stylesheet" href="${url}/sheet">`);
                add(`<p id="hostile" style="background: url(${url}/style)" onclick="window.ran = 1">x</p>`);
                document.getElementById("hostile").click();
                const script = document.createElement("script");
                script.textContent = "window.ran = 1";
                document.body.append(script);
                await fetch(`${url}/fetch`).catch(() => null);
            }""",
            server.url,
        )
        page.wait_for_timeout(300)

    assert by_itself == [page.url]
    assert server.log == []
    assert page.evaluate("window.ran") is None


def test_a_name_that_is_markup_is_only_ever_text(show: Show) -> None:
    hostile = "<img src=x onerror=window.ran=1><script>window.ran=1</script>"
    page = show(listing(flag(hostile, team=hostile, adviser=hostile, because=hostile)))

    page.get_by_label("Team", exact=True).select_option(hostile)
    page.get_by_label("Personal adviser", exact=True).select_option(hostile)

    assert ids(page) == [hostile]
    assert page.evaluate("window.ran") is None
    assert page.locator("img").count() == 0


def test_withheld_numbers_are_said_aloud(show: Show) -> None:
    page = show("board")

    cell = page.locator("#escalations td", has_text="[c]")

    assert cell.aria_snapshot() == '- cell "not shown"'
    assert page.locator("#list").count() == 0
