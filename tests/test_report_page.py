"""The page of the oversight report as it is written: whole, self-contained, and safe with any names."""

import base64
import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from support.report_contents import Size, example

from monitor.errors import Problems
from monitor.messages.templates import open_templates
from monitor.report.charts import HEIGHT, draw_bars, draw_line
from monitor.report.contents import HIDDEN, About, Contents, FlagList, RuleCounts, Trend, Trends
from monitor.report.page import LONGEST_NAMED, share, show_number, title_trend, write_page

SIZES = get_args(Size)
MOST_BYTES = 2_000_000
NEVER_CLOSED = {"meta", "br", "input"}


@dataclass
class Reader(HTMLParser):
    """What a page holds, as a browser would take it: elements, and the words of those that are asked about."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    _within: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag in ("style", "script"):
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.words.append(data)

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def page_of(contents: Contents) -> str:
    return write_page(contents, open_templates())


@cache
def page_for(size: Size) -> str:
    return page_of(example(size))


def raw(page: str, tag: str) -> str:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize("size", SIZES)
def test_a_page_loads_nothing_and_links_only_to_itself_and_to_cases(size: Size) -> None:
    page = page_for(size)

    reader = read(page)

    links = {str(each["href"]) for each in reader.named("a")}
    assert all(link.startswith(("#", "https://cms.example.gov.uk/person/")) for link in links)
    assert not reader.named("link", "img", "iframe", "object", "embed", "image", "use", "base", "audio", "video")
    assert not [each for _, each in reader.elements if {"src", "srcset", "xlink:href", "style"} & each.keys()]
    assert not [name for _, each in reader.elements for name in each if name.startswith("on")]
    assert not re.search(r"@import|url\(|https?:", raw(page, "style") + raw(page, "script"))


@pytest.mark.parametrize("size", ["council", "board", "empty"])
def test_only_the_style_and_script_inside_a_page_are_allowed(size: Size) -> None:
    page = page_for(size)

    allowed = next(each["content"] for each in read(page).named("meta") if "http-equiv" in each)

    def hashed(tag: str) -> str:
        return base64.b64encode(hashlib.sha256(raw(page, tag).encode()).digest()).decode()

    assert allowed == (
        f"default-src 'none'; style-src 'sha256-{hashed('style')}'; script-src 'sha256-{hashed('script')}'; "
        "base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("size", SIZES)
def test_headings_tables_and_ids_hold_together(size: Size) -> None:
    reader = read(page_for(size))

    ids = [each["id"] for _, each in reader.elements if "id" in each]
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h[1-6]", tag)]
    tables = [tag for tag, _ in reader.elements if tag in ("table", "caption")]
    named = [name for _, each in reader.elements for name in (each.get("aria-labelledby") or "").split()]
    targets = [str(each["href"])[1:] for each in reader.named("a") if str(each["href"]).startswith("#")]
    assert len(ids) == len(set(ids))
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert tables == ["table", "caption"] * (len(tables) // 2)
    assert all("scope" in each for each in reader.named("th"))
    assert set(named) | set(targets) <= set(ids)


def test_a_team_called_script_is_a_name_like_any_other() -> None:
    reader = read(page_for("council"))

    assert len(reader.named("script")) == 1
    assert reader.text.count("<script>alert(1)</script>") > 5
    assert 'agreed" weekly <b>.' in reader.text
    assert not reader.named("b")


def test_names_of_every_kind_stay_names() -> None:
    whole = example("small")
    odd = (
        "';--</style><script>",
        "\u202e\u05e6\u05e4\u05d5\u05df",
        "🏠" * 40,
        "A " * 300,
        "-->",
        "{{ 7 * 7 }}",
        "&lt;",
    )
    rows = tuple(
        replace(row, person_id=name, team=name, adviser=name, because=name)
        for row, name in zip(whole.flags.rows, odd, strict=False)
    )
    trends = Trends(sight=whole.trends.sight, teams=tuple(Trend(name, name, (3,) * len(whole.weeks)) for name in odd))

    reader = read(page_of(replace(whole, flags=FlagList(rows, len(rows)), trends=trends)))

    assert all(" ".join(name.split()) in reader.text for name in odd)
    assert len(reader.named("script")) == 1
    listed = (*rows, *whole.waivers.rows, *whole.sight.people, *whole.unanswered.rows)
    assert len(reader.named("bdi")) == len(listed) + LONGEST_NAMED


def test_a_marking_stays_inside_the_style_that_prints_it() -> None:
    whole = example("empty")
    head = replace(whole.header, marking='OFFICIAL"; } </style><script>alert(1)</script>', authority="Ex\\ample\nshire")

    page = page_of(replace(whole, header=head))

    reader = read(page)
    assert len(reader.named("script")) == len(reader.named("style")) == 1
    assert r"--marking: \"OFFICIAL\22 \3b  \7d  \3c \2f style\3e " in raw(page, "style").replace('"', r"\"")


def test_an_empty_store_says_so_and_shows_no_figures() -> None:
    reader = read(page_for("empty"))

    assert "No night has been accepted yet" in reader.text
    assert not reader.named("table", "svg", "nav")


def test_one_night_draws_no_lines() -> None:
    reader = read(page_for("first night"))

    assert "not known in a week" in reader.text
    assert not [each for each in reader.named("svg") if each["class"] == "line"]


def test_a_refused_last_night_stands_above_the_figures_of_the_night_before() -> None:
    text = read(page_for("refused")).text

    refused = text.index("The last night was not accepted")
    assert "13 January 2026 was refused: only 3 of the 1,500 people are present" in text
    assert "still those of Monday 12 January 2026" in text
    assert refused < text.index("Out of touch: 90")


def test_the_sections_come_in_the_order_they_are_asked_for() -> None:
    reader = read(page_for("council"))

    assert [each["id"] for each in reader.named("section")] == [
        "sight", "people", "belief", "rules", "teams", "weeks", "done", "clearing", "waivers", "caseloads", "measures",
        "paragraphs", "list", "words",
    ]  # fmt: skip


def test_the_inspection_report_is_named_where_its_paragraphs_are() -> None:
    page = page_for("council")

    assert "<h2>Ofsted on Cheshire East, March 2024, paragraph by paragraph</h2>" in page
    assert "inspection report" not in page.lower()


def test_what_could_not_be_assessed_stands_beside_the_figures() -> None:
    page = page_for("council")

    for table in ("ways", "rules-all", "measures-all", "paragraph-map"):
        headings = re.search(rf'<table id="{table}">.*?</thead>', page, re.DOTALL)
        assert headings is not None
        assert "Cannot assess" in headings[0]


def test_a_board_is_told_what_is_withheld_and_gets_nobodys_number() -> None:
    reader = read(page_for("board"))

    assert not [each["href"] for each in reader.named("a") if not str(each["href"]).startswith("#")]
    assert not {"list", "people"} & {each.get("id") for each in reader.named("section")}
    assert "A Example" not in reader.text
    assert "[c] not shown" in reader.text
    assert "A number that is not shown, because it is from 1 to 5" in reader.text
    assert "about 1,500" in reader.text
    assert "Longest" not in reader.text


def test_the_service_is_not_told_of_a_boards_marks() -> None:
    assert "[c]" not in read(page_for("council")).text


@pytest.mark.parametrize("size", SIZES)
def test_a_page_is_under_two_megabytes(size: Size) -> None:
    assert len(page_for(size).encode()) < MOST_BYTES


def test_a_council_of_the_largest_kind_still_gets_a_small_page() -> None:
    """Fifty rules, two hundred teams, two years of weeks, two thousand flags with long words."""
    whole = example("200 teams")
    counts = RuleCounts(1_000, 800, 150, 50, 10, 10)
    rules = tuple(
        replace(whole.rules[n % 6], rule=f"rule-{n}", teams=dict.fromkeys(whole.teams, counts)) for n in range(50)
    )
    trends = replace(whole.trends, rules=tuple(replace(whole.trends.rules[n % 6], name=f"rule-{n}") for n in range(50)))
    rows = tuple(
        replace(row, because="Said in so many words. " * 5, action="To be done. " * 9) for row in whole.flags.rows
    )

    page = page_of(replace(whole, rules=rules, trends=trends, flags=replace(whole.flags, rows=rows)))

    assert len(page.encode()) < MOST_BYTES


def test_the_worst_are_listed_and_the_rest_are_pointed_to() -> None:
    reader = read(page_for("80,000 people"))

    assert "The 2,000 worst of 104,000 unresolved flags" in reader.text
    assert "2 young people are kept out of the list" in reader.text


def test_a_template_of_a_councils_own_may_name_only_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("{{ reports }}", encoding="utf-8")
    (tmp_path / "report.css").write_text("h1 { color: {{ red }}; }", encoding="utf-8")

    with pytest.raises(Problems) as caught:
        open_templates(tmp_path)

    assert str(caught.value).startswith(
        'report.html: no "reports"; it is given bars, in_words, line, number, page, report'
    )


# Numbers and pictures.


def test_numbers_say_what_they_are() -> None:
    shown = [re.sub("<[^>]+>", "|", show_number(number)) for number in (1234, 0, About(120), HIDDEN, None)]

    assert shown == ["1,234", "0", "about 120", "|[c]||not shown|", "|–||no figure|"]  # noqa: RUF001


def test_a_share_is_given_only_of_exact_numbers() -> None:
    assert share(1, 3) == 25
    assert [share(0, 0), share(HIDDEN, 3), share(About(10), 30), share(None, 3)] == [None] * 4


def test_a_title_tells_the_trend() -> None:
    as_at = dt.date(2026, 1, 12)
    then = [
        (2, dt.date(2026, 1, 5)), (5, dt.date(2025, 12, 12)), (1_200, dt.date(2025, 1, 6)), (None, as_at),
        (HIDDEN, dt.date(2025, 12, 12)),
    ]  # fmt: skip

    titles = [title_trend("No fixed abode", 5, number, on, as_at=as_at) for number, on in then]

    assert titles == [
        "No fixed abode: 5, was 2 on 5 January", "No fixed abode: 5, as in December",
        "No fixed abode: 5, was 1,200 in January 2025", "No fixed abode: 5", "No fixed abode: 5",
    ]  # fmt: skip
    assert title_trend("Gone", None, 3, as_at, as_at=as_at) == "Gone"


def test_a_line_has_a_scale_of_its_own_and_is_broken_where_there_is_no_value() -> None:
    values = [1004, 1005, None, 1006, None, None, 1003, 1002]

    svg = draw_line(values, 'Says "it" of <South>', marked=(2,))

    lines = re.findall(r'<path d="M([^"]*)"', svg)
    assert [line.count("L") for line in lines] == [1, 1]
    assert svg.count("<circle") == 3  # both ends, and the one without neighbours
    heights = [float(each.split()[1]) for line in lines for each in line.split(" L")]
    assert max(heights) - min(heights) > HEIGHT / 2
    assert svg.count('class="mark"') == 1
    assert 'role="img" aria-label=' in svg
    assert "&lt;South&gt;" in svg
    assert not re.search("style|script|http|NaN|None", svg)
    assert "circle" not in draw_line([None, None], "")
    assert 'cy="14"' in draw_line([7, 7], "")


def test_bars_are_parts_of_the_most_and_nought_is_none() -> None:
    svg = draw_bars([5, 10], most=20)

    assert re.findall(r'class="bar-(\d)" y="(\d+)" width="(\d+)"', svg) == [("1", "0", "25"), ("2", "12", "50")]
    assert "<rect" not in draw_bars([0, 0], most=0)


def test_every_picture_stands_beside_its_figures() -> None:
    page = page_for("council")

    for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL):
        if "<svg" in row:
            assert "<th scope" in row
            assert '<td class="n">' in row
    lines = re.findall(r'<svg class="line"[^>]*aria-label="([^"]*)"', page)
    assert len(lines) == 5 + 6 + 6 + 5  # what moved, the rules, the ways, the teams
    assert "1 week has no accepted night, and a gap in the line." in lines[0]
    assert page.count('<path class="mark"') == 6 * 20


# The first page.


def test_the_first_page_says_who_since_when_and_what_was_done() -> None:
    page = page_for("council")
    first = read(page[: page.index("<details")]).text

    for words in (
        "Young people out of sight: 150, was 157 in December",
        "Longest: 000149",
        "Not known for 30, at least since 3 November 2025",
        "In the last week: 6 flags cleared, 1 raised above the lead, 2 answered, 0 waived; 9 opened",
        "not known for 9, at least since 3 Nov 2025",
        "Left of what the first night found: 160, was 185 a week ago",
        "No answer from a lead: 500 open flags",
        "In the last month: 29 opened, 20 cleared",
        "Cells that could not be read: accommodation 1.3% and activity 0.3%",
    ):
        assert words in first


def test_a_refused_night_stands_in_its_week_and_in_what_to_believe() -> None:
    whole = example("council")
    refused = dt.date(2026, 1, 8)
    flow = (*whole.flow[:-2], replace(whole.flow[-2], refused=(refused,)), whole.flow[-1])

    text = read(page_of(replace(whole, flow=flow))).text

    assert "× 8 Jan" in text  # noqa: RUF001 - the mark
    assert "Nights not accepted in the last four weeks: 8 January 2026." in text
    assert "No night was refused in the last four weeks." in read(page_for("council")).text


def test_a_board_gets_no_row_and_no_week_of_the_first_page_that_tells_of_a_few() -> None:
    text = read(page_for("board")).text

    assert "To the manager about 10" in text
    for words in ("Longest", "in a week", "No answer from a lead", "Nights refused", "first night found", "What moved"):
        assert words not in text
