"""Who is out of sight: one number in the weekly mail, on the page and in the workbook, and since when."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from openpyxl import load_workbook
from sqlalchemy import select
from support.board_reader import read_page
from support.council import Council, crowd, day, settled
from support.random_people import shipped_rules
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.figures.out_of_sight import BY_NAME, EVERYONE, LINES, NOBODY_NAMED, OUT_OF_TOUCH, SINCE
from monitor.report.contents import Contents, PersonRow, Sight
from monitor.report.gather import gather_report
from monitor.report.report_nights import ReportRequest
from monitor.rulebook.rule_folders import load_rulebook
from monitor.store.database import open_store
from monitor.store.location import locate
from monitor.store.tables import Flag, Waiver, table_of

RULES = (
    "not-in-touch", "contact-overdue", "over-21-contact", "known-address", "left-caseload", "status-dropped",
    "pa-allocated", "over-21-adviser", "turning-18-adviser", "eligible-adviser",
)  # fmt: skip
"""Two or so of each way: a night of few rules is a short one."""
NIGHTS = 20
RESTRICTED = "C003"
Figures = dict[str, tuple[int, tuple[int, ...], int]]
"""By label: young people, by ``SINCE``, and not known."""


def gather(council: Council, on: dt.date) -> Contents:
    config = load_config(council.config_path)
    database = open_store(locate(config, {}))
    try:
        return gather_report(database, config, load_rulebook(config.rule_folders(), config.rule), ReportRequest(on))
    finally:
        database.close()


def sight(contents: Contents, name: str) -> Sight:
    return next(line for line in contents.sight.kinds if line.name == name)


def ids(name: str) -> str:
    """The id of somebody called by what is the case with them; an id like everybody's."""
    names = [*ON_THE_FIRST_NIGHT, "NEWCOMER"]
    return f"C9{names.index(name):02}" if name in names else name


def person(contents: Contents, person_id: str) -> PersonRow:
    return next(row for row in contents.sight.people if row.person_id == ids(person_id))


# Twenty nights, and three readers


CHANGES: tuple[Mapping[str, str], ...] = (
    {"adviser": ""},
    {"adviser": "", "born": "01/06/2002"},
    {"adviser": "", "contact": ""},
    {"contact": ""},
    {"contact": "01/03/2025"},
    {"contact": "01/06/2024", "born": "01/06/2003"},
    {"contact": "", "accommodation": "X: In custody"},
    {"accommodation": "R: Residence not known"},
    {"accommodation": "", "adviser": "", "born": "01/06/2003"},
    {"in_touch": "b) No"},
    {"in_touch": "d) No - young person no longer requires services"},
    {"eligibility": "e) No current eligibility"},
    {"adviser": "#MULTIVALUE"},
    {},
    {},
    {},
)


def live(people: int) -> Iterator[list[dict[str, str]]]:
    """Night after night, the whole list: each night somebody changes, and somebody goes missing or comes back."""
    rng = Random(11)
    everyone = {row["id"]: row for row in crowd(people)}
    for person_id in list(everyone)[: people // 3]:
        everyone[person_id] |= rng.choice(CHANGES)
    missing: list[str] = []
    for _ in range(NIGHTS):
        for person_id in rng.sample(sorted(everyone), 3):
            everyone[person_id] = settled(person_id) | rng.choice(CHANGES)
        missing = rng.sample(sorted(everyone), 2) if rng.random() < 0.4 else missing[:1]
        yield [row for person_id, row in everyone.items() if person_id not in missing]


def read_mail(text: str) -> Figures:
    part = text.split("\nOut of sight\n---", 1)[1].split("\nTeams\n---", 1)[0]
    found: Figures = {}
    for item in re.findall(r"^- (.*?)(?=^- |\n\n)", part, flags=re.MULTILINE | re.DOTALL):
        label, people, detail = re.fullmatch(r"(?:of them: )?(.*): ([\d,]+) \((.*)\)", " ".join(item.split())).groups()  # type: ignore[union-attr]
        by_name = {name: int(number) for number, name in re.findall(rf"(\d+) ({'|'.join(SINCE)}|not known)", detail)}
        bands = tuple(by_name.get(name, 0) for name in SINCE)
        found[label] = (int(people), bands, by_name.get("not known", 0))
    return found


def read_html(path: Path) -> Figures:
    page = read_page(path)
    people = {row[0]: int(row[1]) for row in page["ways"][1:] if row[1].isdigit()}
    found = {}
    for label, *cells in page["since-when"][1:]:
        shown = BY_NAME[EVERYONE].label if label == "All of them" else label
        found[shown] = (people[label], tuple(map(int, cells[: len(SINCE)])), int(cells[len(SINCE) + 2]))
    return found


Book = dict[str, list[dict[str, object]]]


def open_book(path: Path, *names: str) -> Book:
    """Sheets of a workbook: their rows by heading."""
    with path.open("rb") as file:
        book = load_workbook(file, read_only=True)
        sheets = {name: list(book[name].values) for name in names}
        book.close()
    tops = {name: next(n for n, row in enumerate(rows) if row[1] is not None) for name, rows in sheets.items()}
    return {
        name: [dict(zip(rows[tops[name]], row, strict=True)) for row in rows[tops[name] + 1 :]]  # type: ignore[arg-type]
        for name, rows in sheets.items()
    }


def read_cells(rows: list[dict[str, object]]) -> Figures:
    return {
        str(row["Way of being out of sight"]): (
            row["Young people"], tuple(row[name] for name in SINCE), row["Since when not known"],
        )
        for row in rows if row["Young people"] is not None
    }  # type: ignore[misc]  # fmt: skip


def some(figures: Figures) -> Figures:
    """Without the lines that hold nobody, which a mail leaves out."""
    return {label: row for label, row in figures.items() if row[0]}


def test_mail_page_and_workbook_give_one_number_and_list_those_people_on_each_of_twenty_nights(tmp_path: Path) -> None:
    (tmp_path / "restricted.txt").write_text(f"{RESTRICTED}\n", encoding="utf-8")
    settings = few_rules(tmp_path, *RULES) + 'restricted = "restricted.txt"'
    council = Council(tmp_path, settings, report=True)
    seen: set[str] = set()
    for n, people in enumerate(live(45)):
        if n == 5:
            waive(council, day(n))
        council.night(day(n), people, unattended=True, accept="invented")
        ((mail,),) = council.rows(
            f"SELECT text FROM message WHERE recipient = 'head@example.gov.uk' AND as_at = '{day(n)}' "
            "AND text LIKE '%Out of sight%'"
        )
        page, path = (tmp_path / "data" / "report" / name for name in ("report.html", "report.xlsx"))

        html, book = read_html(page), open_book(path, "Out of sight", "People out of sight")

        assert html == read_cells(book["Out of sight"])
        assert some(html) == read_mail(str(mail)), n
        flags = council.rows(
            "SELECT person_id, rule FROM flag WHERE resolved_on IS NULL "
            "AND (quarantined_on IS NULL OR released_on IS NOT NULL)"
        )
        ids = {line.name: {person_id for person_id, rule in flags if rule in line.rules} for line in LINES}
        both = ids["out-of-touch"] & ids["nobody-named"]
        ids["nobody-named"] -= both
        for line in LINES:
            found, bands, not_known = html[line.label]
            assert found == len(ids[line.name]) == sum(bands) + not_known, (n, line.name)
        assert not both or f"{len(both)} of those out of touch also" in " ".join(str(mail).split())
        assert {label for label, row in html.items() if row[0]} == {line.label for line in LINES if ids[line.name]}
        rows = book["People out of sight"]
        shown = ids[EVERYONE] - {RESTRICTED}
        assert [row["Person"] for row in rows] == [row[0] for row in read_page(page)["people-table"][1:]]
        assert {row["Person"] for row in rows} == shown
        known = sum(row["Since"] is not None for row in rows)
        assert 0 <= sum(html[BY_NAME[EVERYONE].label][1]) - known <= (RESTRICTED in ids[EVERYONE])
        seen |= {row["state"] for row in council.listed(day(n), "all.csv")}
    assert seen == {"open", "held", "waived"}


def waive(council: Council, on: dt.date) -> None:
    """Decide not to chase one flag for a while, as the command would have done on that day."""
    with council.open_database() as database, database.writing() as store:
        flag = table_of(Flag)
        wanted = select(flag.c.id, flag.c.person_id, flag.c.rule).where(flag.c.rule == "known-address")
        flag_id, person_id, rule = store.execute(wanted.where(flag.c.resolved_on.is_(None))).first() or (0, "", "")
        values = {
            "flag_id": flag_id, "person_id": person_id, "rule": rule, "reason": "under-way", "note": "Agreed.",
            "until_on": on + dt.timedelta(30), "waived_on": on, "waived_by": "M Manager",
            "recorded_at": dt.datetime.combine(on, dt.time(9), dt.UTC),
        }  # fmt: skip
        store.execute(table_of(Waiver).insert().values(values))


# Since when


DATED = (
    "contact-overdue", "over-21-contact", "custody-contact", "known-address", "left-caseload", "pa-allocated",
    "over-21-adviser", "turning-18-adviser", "eligible-adviser",
)  # fmt: skip
ON_THE_FIRST_NIGHT = {
    "UNNAMED": {"adviser": ""},
    "DATED": {"contact": "01/06/2025"},
    "FINE": {},
    "FILLED": {"adviser": ""},
    "AWAY": {},
    "LEAVER": {},
    "CUSTODY": {"contact": ""},
    "CHILD": {"adviser": "", "born": "13/02/2008", "eligibility": "c) Eligible child"},
    "TURNS21": {"adviser": "", "born": "14/01/2005", "activity": "G6"},
    "LOST-AND-21": {"born": "14/01/2005", "activity": "G6"},
    "BOTH": {"adviser": "", "contact": "01/06/2025"},
}


@pytest.fixture(scope="module")
def three_nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contents, Contents]:
    """The first night and the third of people who are out of sight for every reason that there is or is no date."""
    folder = tmp_path_factory.mktemp("three")
    council = Council(folder, few_rules(folder, *DATED))
    people = {name: settled(ids(name), **other) for name, other in ON_THE_FIRST_NIGHT.items()}
    council.night(day(0), [*people.values(), *crowd(40)], accept="invented")
    first = gather(council, day(0))
    people["FINE"]["adviser"] = people["LOST-AND-21"]["adviser"] = ""
    people["FILLED"]["adviser"] = "A Example"
    people["CUSTODY"]["accommodation"] = "X: In custody"
    people["NEWCOMER"] = settled(ids("NEWCOMER"), adviser="")
    away = people.pop("AWAY")
    council.night(day(1), [*people.values(), *crowd(40)], accept="invented")
    people["FILLED"]["adviser"] = ""
    people["AWAY"] = {**away, "accommodation": "R: Residence not known"}
    del people["LEAVER"]
    council.night(day(2), [*people.values(), *crowd(40)], accept="invented")
    return first, gather(council, day(2))


def test_on_the_day_of_installation_nothing_without_a_date_is_under_a_month(
    three_nights: tuple[Contents, Contents],
) -> None:
    first, _ = three_nights

    unnamed = sight(first, "nobody-named")

    assert unnamed.people == unnamed.since.not_known == 3
    assert (unnamed.since.counts, unnamed.since.median_days) == ((0,) * len(SINCE), None)
    assert (unnamed.since.at_least_since, unnamed.since.longest_since) == (day(0), None)
    assert person(first, "DATED").since == dt.date(2025, 7, 28)


@pytest.mark.parametrize(
    ("person_id", "since", "at_least_since"),
    [
        ("UNNAMED", None, day(0)),
        ("DATED", dt.date(2025, 7, 28), None),
        ("BOTH", dt.date(2025, 7, 28), None),
        ("FINE", day(1), None),
        ("FILLED", day(2), None),
        ("LEAVER", day(2), None),
        ("NEWCOMER", None, day(1)),
        ("AWAY", None, day(2)),
        ("CUSTODY", None, day(0)),
        ("CHILD", None, day(0)),
        ("TURNS21", None, day(0)),
        ("LOST-AND-21", day(1), None),
    ],
)
def test_since_when_is_known_where_the_record_has_a_date_or_the_monitor_saw_it_begin(
    three_nights: tuple[Contents, Contents], person_id: str, since: dt.date | None, at_least_since: dt.date | None
) -> None:
    row = person(three_nights[1], person_id)

    assert (row.since, row.at_least_since) == (since, at_least_since)


def test_the_first_night_of_a_rule_sees_nothing_begin(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "known-address"))
    lost = settled("P1", accommodation="R: Residence not known")
    council.night(day(0), [lost, *crowd(9)], leave_out=["accommodation"])
    council.night(day(1), [lost, *crowd(9)], accept="a column that was not supplied before")

    row = person(gather(council, day(1)), "P1")

    assert (row.since, row.at_least_since) == (None, day(1))


def test_a_child_in_care_without_an_adviser_has_a_social_worker_and_is_in_no_line(
    three_nights: tuple[Contents, Contents],
) -> None:
    first, third = three_nights

    assert ids("CHILD") not in {row.person_id for row in first.sight.people}
    assert person(third, "CHILD").tier == "Nobody named"


def test_who_is_in_both_tiers_counts_once_and_is_said(three_nights: tuple[Contents, Contents]) -> None:
    first, _ = three_nights

    touch = sight(first, "out-of-touch")

    assert (touch.people, touch.also_nobody_named) == (3, 1)
    assert first.sight.everyone.people == 6
    assert person(first, "BOTH").ways == ("No contact", "Nobody named")


def test_over_21_nobody_is_in_sight_who_is_not_in_touch_or_has_nobody_though_support_was_accepted() -> None:
    shipped = shipped_rules().by_id.keys()

    assert {"over-21-not-in-touch", "over-21-contact-agreed"} < set(BY_NAME[OUT_OF_TOUCH].rules) <= shipped
    assert {"over-21-accepted"} < set(BY_NAME[NOBODY_NAMED].rules) <= shipped
