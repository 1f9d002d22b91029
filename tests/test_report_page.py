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
from monitor.report.charts import WIDE, LineChart, draw, name_days, pick_ticks
from monitor.report.contents import HIDDEN, About, Contents, FlagList, RuleCounts, Trend, Trends
from monitor.report.page import share, show_number, write_page

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
    assert len(reader.named("bdi")) == len(rows) + len(whole.waivers.rows) + len(whole.sight.people)


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

    assert "A line needs at least two" in reader.text
    assert "There was no accepted night a week before" in reader.text
    assert not reader.named("svg")


def test_a_refused_last_night_stands_above_the_figures_of_the_night_before() -> None:
    text = read(page_for("refused")).text

    refused = text.index("The last night was not accepted")
    assert "13 January 2026 was refused: only 3 of the 1,500 people are present" in text
    assert "still those of Monday 12 January 2026" in text
    assert refused < text.index("young people out of sight, of 1,500")


def test_the_sections_come_in_the_order_they_are_asked_for() -> None:
    reader = read(page_for("council"))

    assert [each["id"] for each in reader.named("section")] == [
        "sight", "people", "belief", "rules", "trends", "clearing", "done", "waivers", "caseloads", "measures",
        "paragraphs", "list", "words",
    ]  # fmt: skip


def test_the_inspection_report_is_named_where_its_paragraphs_are() -> None:
    page = page_for("council")

    assert "<h2>Ofsted on Cheshire East, March 2024, paragraph by paragraph</h2>" in page
    assert "inspection report" not in page.lower()


def test_what_could_not_be_assessed_stands_beside_the_figures() -> None:
    page = page_for("council")

    for table in ("ways", "rules-all", "rule-teams-1", "measures-all", "paragraph-map"):
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

    assert str(caught.value).startswith('report.html: no "reports"; it is given draw, in_words, number, page, report')


# Numbers and pictures.


def test_numbers_say_what_they_are() -> None:
    shown = [re.sub("<[^>]+>", "|", show_number(number)) for number in (1234, 0, About(120), HIDDEN, None)]

    assert shown == ["1,234", "0", "about 120", "|[c]||not shown|", "|–||no figure|"]  # noqa: RUF001


def test_a_share_is_given_only_of_exact_numbers() -> None:
    assert share(1, 3) == 25
    assert [share(0, 0), share(HIDDEN, 3), share(About(10), 30), share(None, 3)] == [None] * 4


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [(0, (0, 1)), (1, (0, 1)), (3, (0, 1, 2, 3)), (5, (0, 2, 4, 6)), (40, (0, 10, 20, 30, 40)),
     (41, (0, 20, 40, 60)), (19_400, (0, 5_000, 10_000, 15_000, 20_000))],
)  # fmt: skip
def test_scales_are_round_and_start_at_nought(highest: int, ticks: tuple[int, ...]) -> None:
    assert pick_ticks(highest) == ticks


def test_days_below_a_picture_are_few_and_even() -> None:
    mondays = [dt.date(2024, 1, 22) + dt.timedelta(7 * n) for n in range(104)]

    assert list(name_days(mondays, 3).values()) == ["Jan 2025", "Jan 2026"]
    assert list(name_days(mondays, 9).values())[:3] == ["Apr 2024", "Jul", "Oct"]
    assert list(name_days(mondays[:3], 9).values()) == ["22 Jan", "5 Feb"]


def test_a_line_is_broken_where_there_is_no_value() -> None:
    days = [dt.date(2026, 1, 5) + dt.timedelta(7 * n) for n in range(8)]

    svg = draw(LineChart("k", "North & <South>", 'Says "it"', days, [4, 5, None, 6, None, None, 3, 2]), WIDE)

    lines = re.findall(r'<g class="series"><path.*?</g>', svg)
    assert [line.count("<path") for line in lines] == [2]
    assert svg.count("<circle") == 2  # the one without neighbours, and the last
    assert '<title id="k-title">North &amp; &lt;South&gt;</title><desc id="k-says">Says "it"</desc>' in svg
    assert 'role="img" aria-labelledby="k-title k-says"' in svg
    assert not re.search("style|script|http|NaN|None", svg)


def test_every_picture_has_its_words_and_its_table() -> None:
    page = page_for("council")

    figures = re.findall(r"<figure>.*?</figure>", page, re.DOTALL)
    assert len(figures) == 1 + 5 + 5 + 6
    assert all("<desc" in each and "<figcaption" in each and "<table" in each for each in figures)
    assert "1 week has no accepted night, and a gap in the line." in figures[0]
    assert ": no accepted night<td>" in figures[0]
