"""From text to one typed row per person: every cell is a value, blank, unreadable or not supplied, never guessed."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.caseload.adviser_names import AdviserLoad
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.intake import CouncilNames, Intake, create_empty, type_rows
from monitor.caseload.last_values import last_values_sql
from monitor.caseload.rows import A_REMARK, ID_ALONE, NOT_AN_ID, PLACEHOLDER, UNLIKE_IDS
from monitor.catalogue import broken_cells
from monitor.catalogue.columns import BY_NAME, COLUMNS
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import Extract, SourceContext
from monitor.sources.read import read_source
from monitor.workspace import fetch, load_rows, open_workspace

AS_AT = dt.date(2026, 1, 5)

HEADINGS = {
    "person_id": "Child Unique ID",
    "date_of_birth": "Date of Birth",
    "uasc": "UASC",
    "disability": "Disability",
    "allocated_team": "Allocated Team",
    "allocated_worker": "Allocated Worker",
    "personal_adviser": "Allocated Personal Advisor",
    "eligibility": "Eligibility Category",
    "pathway_plan_review_date": "Latest Pathway Plan Review Date",
    "in_touch": "LA in Touch",
    "latest_contact_date": "Latest Date of Contact",
    "accommodation": "Type of Accommodation",
    "accommodation_suitable": "Suitability of Accommodation",
    "activity": "Activity Status",
}


def person(person_id: str = "P001", **cells: str | None) -> dict[str, str | None]:
    ordinary: dict[str, str | None] = {
        "person_id": person_id, "date_of_birth": "01/03/2006", "uasc": "b) No", "disability": "b) No",
        "allocated_team": "North", "allocated_worker": "W1", "personal_adviser": "Adviser 1",
        "eligibility": "b) Former relevant child", "pathway_plan_review_date": "01/09/2025", "in_touch": "a) Yes",
        "latest_contact_date": "01/12/2025", "accommodation": "U: Independent living",
        "accommodation_suitable": "a) Suitable", "activity": "F2: Other education",
    }  # fmt: skip
    return ordinary | cells


class Night:
    """One night in a workspace: extracts laid in as a source would, then typed and joined."""

    def __init__(self) -> None:
        self.workspace = open_workspace()
        self.extracts: list[Extract] = []
        self.intake: Intake | None = None
        self.roster()

    def extract(self, people: Sequence[Mapping[str, str | None]], *, without: Sequence[str] = ()) -> "Night":
        names = list(dict.fromkeys(name for one in people for name in one if name not in without))
        number = len(self.extracts)
        table = f"extract_{number}"
        columns = {"row": "BIGINT", "fault": "VARCHAR", **{f"c{n}": "VARCHAR" for n in range(len(names))}}
        rows = [(row, None, *(one.get(name) for name in names)) for row, one in enumerate(people, start=2)]
        load_rows(self.workspace, f"{table}_rows", columns, rows)
        self.workspace.execute(f"CREATE VIEW {table} AS SELECT * FROM {table}_rows")
        self.extracts.append(
            Extract(
                source=f"source {number}",
                kind="annex-a-list-9",
                file=f"list-{number}.xlsx",
                sheet="List 9",
                table=table,
                headings=tuple(HEADINGS.get(name, name) for name in names),
                fingerprint=f"print {number}",
                modified_on=None,
            )
        )
        return self

    def typed(self) -> "Night":
        self.intake = type_rows(
            self.workspace,
            self.extracts,
            as_at=AS_AT,
            names=CouncilNames(teams={"north": "North", "south team": "South Team"}),
        )
        return self

    def roster(self, *people: Mapping[str, Any]) -> "Night":
        columns = {
            "person_id": "VARCHAR", "strongest_category": "VARCHAR", "last_values": "VARCHAR",
            "accommodation_since": "DATE", "first_seen_on": "DATE", "absent_since": "DATE", "died_on": "DATE",
            "ended_on": "DATE",
        }  # fmt: skip
        rows = [tuple(one.get(name) for name in columns) for one in people]
        load_rows(self.workspace, "roster", columns, rows)
        return self

    def joined(self) -> "Night":
        join_roster(self.workspace, self.intake, as_at=AS_AT)
        return self

    def tonight(self) -> dict[str, dict[str, Any]]:
        return {row["person_id"]: row for row in fetch(self.workspace, "SELECT * FROM tonight")}

    def caseload(self) -> dict[str, dict[str, Any]]:
        return {row["person_id"]: row for row in fetch(self.workspace, "SELECT * FROM caseload")}

    def unreadable(self) -> list[tuple[Any, ...]]:
        rows = fetch(self.workspace, 'SELECT "row", "column", reason, value FROM unreadable ORDER BY ALL')
        return [tuple(row.values()) for row in rows]


def typed(*people: Mapping[str, str | None], without: Sequence[str] = ()) -> Night:
    return Night().extract(people, without=without).typed()


def cell(name: str, text: str | None) -> tuple[Any, Any]:
    row = typed(person(**{name: text})).tonight()["P001"]
    return row[name], row[f"{name}_gap"]


# Cells


def test_an_ordinary_row_is_typed_whole() -> None:
    row = typed(person()).tonight()["P001"]

    assert {name: row[name] for name in HEADINGS if name != "person_id"} == {
        "date_of_birth": dt.date(2006, 3, 1), "uasc": False, "disability": False, "allocated_team": "North",
        "allocated_worker": "W1", "personal_adviser": "Adviser 1", "eligibility": "former relevant",
        "pathway_plan_review_date": dt.date(2025, 9, 1), "in_touch": "YES",
        "latest_contact_date": dt.date(2025, 12, 1), "accommodation": "U", "accommodation_suitable": True,
        "activity": "F2",
    }  # fmt: skip
    assert (row["died"], row["source"]) == (False, "source 0")


def test_tonight_has_every_catalogue_column_and_its_gap() -> None:
    night = typed(person())

    described = {row["column_name"]: row["column_type"] for row in fetch(night.workspace, "DESCRIBE tonight")}

    assert list(described) == [
        "person_id", *(name for column in COLUMNS for name in (column.name, f"{column.name}_gap")), "died", "source",
    ]  # fmt: skip
    assert all(described[column.name] == column.duckdb_type for column in COLUMNS)


def test_a_column_that_no_source_has_is_not_supplied() -> None:
    night = typed(person(), without=["personal_adviser"])

    row = night.tonight()["P001"]

    assert (row["personal_adviser"], row["personal_adviser_gap"]) == (None, "not supplied")
    assert (row["closure_date"], row["closure_date_gap"]) == (None, "not supplied")
    assert night.intake is not None
    assert "personal_adviser" not in night.intake.supplied
    assert "in_touch" in night.intake.supplied


@pytest.mark.parametrize(
    "text",
    [
        "01/12/2025", "1/12/2025", "01-12-2025", "01.12.2025", "1 December 2025", "01-Dec-2025", "1st December 2025",
        "Dec  1 2025 12:00AM", "2025-12-01", "2025-12-01T00:00:00", "2025-12-01 23:59:59.997", "01/12/2025 00:00",
        "2025-12-01T00:30:00+00:00", "2025-11-30T23:30:00-01:00", "45992", "45992.0", "45992.75", "20251201",
        " 01/12/2025\u00a0", "Monday, 1 December 2025",
    ],
)  # fmt: skip
def test_a_date_is_read_in_every_way_it_is_written(text: str) -> None:
    assert cell("latest_contact_date", text) == (dt.date(2025, 12, 1), None)


def test_an_instant_in_summer_time_is_the_day_it_was_in_london() -> None:
    assert cell("latest_contact_date", "2025-07-04T23:00:00Z") == (dt.date(2025, 7, 5), None)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "-",
        "n/a",
        "SSD_PH",
        "01/01/1900",
        "1900-01-01",
        "31/12/1901",
        "0",
        "00:00:00",
        "\u00a0",
    ],
)
def test_placeholders_for_no_date_are_blank(text: str | None) -> None:
    night = typed(person(latest_contact_date=text))

    assert night.tonight()["P001"]["latest_contact_date"] is None
    assert night.tonight()["P001"]["latest_contact_date_gap"] is None
    assert night.unreadable() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("03/04/025", "the year is not written in four digits, or is before 1900"),
        ("31/12/1899", "the year is not written in four digits, or is before 1900"),
        ("31/02/2025", "not a date"),
        ("12/31/2025", "not a date"),
        ("2025", "not a date"),
        ("45", "not a date"),
        ("soon", "not a date"),
        ("#N/A", broken_cells.A_FAILED_FORMULA),
        *broken_cells.REASONS.items(),
        ("06/01/2026", "later than the date of the run"),
        ("28/02/2006", "before the date of birth"),
    ],
)
def test_a_date_that_cannot_be_is_unreadable_and_listed_without_its_value(text: str, reason: str) -> None:
    night = typed(person(latest_contact_date=text))

    row = night.tonight()["P001"]
    assert (row["latest_contact_date"], row["latest_contact_date_gap"]) == (None, "unreadable")
    assert night.unreadable() == [(2, "latest_contact_date", reason, "")]
    assert night.intake is not None
    assert night.intake.unreadable_cells == 1


def test_a_cell_whose_content_is_not_there_says_why_in_every_kind_of_column() -> None:
    columns = ("eligibility", "uasc", "allocated_team", "plan_heads_complete", "accommodation")
    for text, why in broken_cells.REASONS.items():
        night = typed(person(**dict.fromkeys(columns, text)), person("P002"), person(text))

        row = night.tonight()["P001"]
        assert [(row[name], row[f"{name}_gap"]) for name in columns] == [(None, "unreadable")] * len(columns)
        reasons = {(number, name): reason for number, name, reason, _ in night.unreadable()}
        assert reasons == {(2, name): why for name in columns} | {(4, ""): f"no id: {why}"}


def test_dates_on_the_run_and_on_the_birth_date_are_values() -> None:
    assert cell("latest_contact_date", "05/01/2026") == (AS_AT, None)
    assert cell("pathway_plan_review_date", "01/03/2006") == (dt.date(2006, 3, 1), None)


def test_a_date_that_does_not_record_the_past_may_be_later_than_the_run() -> None:
    assert cell("release_date", "01/06/2026") == (dt.date(2026, 6, 1), None)


def test_one_bad_date_does_not_spoil_anyone_else() -> None:
    night = typed(person("P001", latest_contact_date="28/02/2006"), person("P002"), person("P003"))

    gaps = {who: row["latest_contact_date_gap"] for who, row in night.tonight().items()}

    assert gaps == {"P001": "unreadable", "P002": None, "P003": None}


@pytest.mark.parametrize(
    ("text", "value", "gap"),
    [("28", 28, None), ("28.0", 28, None), ("0", None, "unreadable"), ("184", None, "unreadable"),
     ("four weeks", None, "unreadable"), ("-", None, None)],
)  # fmt: skip
def test_a_number_out_of_its_range_is_unreadable(text: str, value: int | None, gap: str | None) -> None:
    assert cell("agreed_contact_interval_days", text) == (value, gap)


def test_an_unknown_code_is_unreadable_and_a_text_that_may_hold_a_name_is_listed_by_its_shape() -> None:
    night = typed(
        person("P001", accommodation="Residing with friends"),
        person("P002", activity="Works with Tina Smith at the shop in town"),
        person("P003", disability="12/03/2004"),
    )

    assert night.unreadable() == [
        (
            2,
            "accommodation",
            "not one of the codes of this column, or could be two of them",
            "Residing with friends",
        ),
        (
            3,
            "activity",
            "not one of the codes of this column, or could be two of them",
            "Aaaaa aaaa Aaaa Aaaaa aa aaa aaaa aa aaa...",
        ),
        (4, "disability", "neither yes nor no", "99/99/9999"),
    ]


def test_not_applicable_is_neither_blank_nor_unreadable() -> None:
    assert cell("accommodation", "0") == ("0", None)
    assert cell("activity", "0") == ("0", None)


def test_a_suitability_digit_fills_a_blank_suitability() -> None:
    row = typed(person(accommodation="S2", accommodation_suitable="")).tonight()["P001"]

    assert (row["accommodation"], row["accommodation_suitable"]) == ("S", False)
    assert row["accommodation_suitable_gap"] is None


def test_a_suitability_that_contradicts_its_digit_is_unreadable() -> None:
    night = typed(person(accommodation="B1", accommodation_suitable="b) Unsuitable"))

    row = night.tonight()["P001"]
    assert (row["accommodation"], row["accommodation_suitable"]) == ("B", None)
    assert row["accommodation_suitable_gap"] == "unreadable"
    assert [line[1] for line in night.unreadable()] == ["accommodation_suitable"]


def test_digits_supply_suitability_where_there_is_no_column_for_it() -> None:
    night = typed(
        person("P001", accommodation="S2"),
        person("P002", accommodation="B"),
        without=["accommodation_suitable"],
    )

    rows = night.tonight()

    assert night.intake is not None
    assert "accommodation_suitable" in night.intake.supplied
    assert (rows["P001"]["accommodation_suitable"], rows["P001"]["accommodation_suitable_gap"]) == (
        False,
        None,
    )
    assert rows["P002"]["accommodation_suitable_gap"] == "not supplied"


@pytest.mark.parametrize("text", ["Duty", "south  team", "NORTH", "n/a", "Awaiting allocation", "Unknown"])
def test_a_team_or_placeholder_is_not_an_adviser(text: str) -> None:
    night = typed(person(personal_adviser=text))

    assert night.tonight()["P001"]["personal_adviser"] is None
    assert night.tonight()["P001"]["personal_adviser_gap"] is None


def test_words_for_nobody_are_listed_with_their_counts_but_are_not_unreadable() -> None:
    night = typed(person("P001", personal_adviser="duty"), person("P002"), person("P003", personal_adviser="TBC"),
                  person("P004", personal_adviser="TBC"))  # fmt: skip

    assert night.intake is not None
    assert (night.intake.placeholder_advisers, night.intake.unreadable_cells) == (3, 0)
    assert night.intake.nobody == (("TBC", 2), ("duty", 1))
    assert 'read as blank: "TBC" (2), "duty" (1)' in " ".join(night.intake.notes)
    assert night.unreadable()[0] == (2, "personal_adviser", PLACEHOLDER, "duty")


def test_a_team_of_tonight_is_no_adviser_whether_or_not_the_config_names_it() -> None:
    night = typed(
        *(person(f"P00{n}", allocated_team="Hub", personal_adviser="Ann Example") for n in range(3)),
        person("P004", allocated_team="Other", personal_adviser="hub"),
        person("P005", allocated_team="Ben Example", personal_adviser="Ben  Example"),
        person("P006", allocated_team="Other", personal_adviser="Ben Example"),
    )

    advisers = [row["personal_adviser"] for row in night.tonight().values()]
    assert advisers == ["Ann Example"] * 3 + [None, None, "Ben Example"]
    assert [line[-1] for line in night.unreadable()] == ["hub", "Ben Example"]


def test_a_team_of_another_source_is_no_adviser_either() -> None:
    listed = [person(f"P00{n}", allocated_team="Hub") for n in range(3)]
    night = Night().extract(listed, without=["personal_adviser"])
    night.extract([{"person_id": "P000", "personal_adviser": "HUB", "in_touch": "a) Yes"}]).typed()

    assert night.tonight()["P000"]["personal_adviser"] is None


def test_an_adviser_of_many_people_or_teams_is_told() -> None:
    night = typed(
        *(person(f"P{n:03}", personal_adviser="A Crowd") for n in range(26)),
        *(person(f"Q{n}", personal_adviser="B Everywhere", allocated_team=f"Team {n}") for n in range(3)),
        *(person(f"R{n}", personal_adviser="C Usual", allocated_team=f"Team {n}") for n in range(2)),
    )

    assert night.intake is not None
    assert night.intake.crowded == (AdviserLoad("A Crowd", 26, 1), AdviserLoad("B Everywhere", 3, 3))


def test_a_lookup_that_failed_is_not_a_person_without_an_adviser() -> None:
    assert cell("personal_adviser", "#N/A") == (None, "unreadable")


# Died


@pytest.mark.parametrize(
    "cells",
    [
        {"in_touch": "c) Died"},
        {"eligibility": "Deceased"},
        {"accommodation": "YP died"},
        {"death_date": "01/12/2025"},
        {"death_date": "not sure when"},
        {"closure_reason": "Death of young person"},
    ],
)
def test_any_cell_that_says_died_marks_the_person(cells: dict[str, str]) -> None:
    assert typed(person(**cells)).tonight()["P001"]["died"] is True


@pytest.mark.parametrize(
    "cells",
    [
        {"death_date": "01/01/1900"},
        {"death_date": "-"},
        {"death_date": "No"},
        {"closure_reason": "Death of a parent"},
        {"eligibility": "Mother died"},
    ],
)
def test_sentinels_and_other_peoples_deaths_mark_nobody(cells: dict[str, str]) -> None:
    assert typed(person(**cells)).tonight()["P001"]["died"] is False


# Rows


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("00123", "00123"),
        ("12345.0", "12345"),
        (" P-7 ", "P-7"),
        ("AB 12", "AB 12"),
        ("7", "7"),
        ("x1.5", "x1.5"),
    ],
)
def test_ids_are_kept_as_written(written: str, read: str) -> None:
    assert list(typed(person(written)).tonight()) == [read]


def test_filler_beneath_the_list_is_nothing() -> None:
    blank = dict.fromkeys(HEADINGS)
    night = typed(person(), blank, dict.fromkeys(HEADINGS, "-"), dict.fromkeys(HEADINGS, "0"), blank)

    assert night.intake is not None
    assert (night.intake.people, night.intake.rows, night.intake.unreadable_rows) == (1, 1, 0)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "no id, so it cannot be told whose row this is"),
        ("-", "no id, so it cannot be told whose row this is"),
        ("#N/A", f"no id: {broken_cells.A_FAILED_FORMULA}"),
        ("1.23457E+11", "the id was turned into a rounded number by a spreadsheet; export ids as text"),
        ("Child Unique ID", "the headings again"),
    ],
)
def test_a_row_whose_id_cannot_be_read_is_listed_and_makes_nobody(written: str, reason: str) -> None:
    night = typed(person(), person(written))

    assert list(night.tonight()) == ["P001"]
    assert night.unreadable() == [(3, "", reason, "")]
    assert night.intake is not None
    assert (night.intake.rows, night.intake.unreadable_rows) == (2, 1)


def test_a_remark_beneath_the_list_is_not_a_person() -> None:
    remark = dict.fromkeys(HEADINGS) | {"person_id": "Extracted on 5 January"}

    night = typed(person(), remark)

    assert list(night.tonight()) == ["P001"]
    assert night.unreadable() == [(3, "", A_REMARK, "")]


def alone(text: str, **cells: str) -> dict[str, str | None]:
    """A row with something under the id's heading and hardly anything else."""
    return {**dict.fromkeys(HEADINGS), "person_id": text, **cells}


NOBODY = [
    (alone("Total", allocated_team="60"), UNLIKE_IDS),
    (alone("Grand Total: 60", uasc="5", disability="1", accommodation="0"), UNLIKE_IDS),
    (alone("60", allocated_team="North Total"), UNLIKE_IDS),
    (alone("Average", date_of_birth="27/05/2005"), UNLIKE_IDS),
    (alone("Report run on 12/01/2026", date_of_birth="by", allocated_team="A Smith"), UNLIKE_IDS),
    (alone("Page 1 of 3", allocated_team="North"), UNLIKE_IDS),
    (alone("End_of_report"), UNLIKE_IDS),
    (alone("7000099"), ID_ALONE),
    (alone("7000098", uasc="0", accommodation="0", latest_contact_date="00/01/1900"), ID_ALONE),
    (alone("Filters: Team = North"), A_REMARK),
]
SOMEBODY = {
    "T-12": alone("T-12", allocated_worker="W Example"),
    "712345": alone("712345", allocated_worker="W Example"),
    "NEW9": alone("NEW9", date_of_birth="01/03/2006"),
    "7000097": alone("7000097", allocated_team="North"),
    "99": alone("99", in_touch="a) Yes"),
}


def test_a_row_that_is_nobodys_is_listed_and_one_that_may_be_somebodys_is_kept() -> None:
    night = typed(*(person(str(7000001 + n)) for n in range(90)), *SOMEBODY.values(), *(row for row, _ in NOBODY))

    assert set(night.tonight()) == {*(str(7000001 + n) for n in range(90)), *SOMEBODY}
    assert [line[1:] for line in night.unreadable()] == [("", reason, "") for _, reason in NOBODY]
    assert night.intake is not None
    assert (night.intake.nobodies, night.intake.unreadable_rows, night.intake.doubts) == (10, 10, ())
    assert "10 rows are no person's (totals, notes, an id alone) and are listed in unreadable.csv" in night.intake.notes


def test_a_young_person_without_an_id_that_can_be_told_is_loudly_said() -> None:
    ids = ["TBC", "Ann Example", "7000001 / 7000002", "ExampleA7000003", "example7000041", "7000042_EXAMPLE"]

    night = typed(*(person(str(7000001 + n)) for n in range(60)), *map(person, ids))

    assert len(night.tonight()) == 60
    assert [line[2] for line in night.unreadable()] == [NOT_AN_ID] * 6
    assert night.intake is not None
    assert "6 rows have a young person's values" in night.intake.doubts[0]


def test_a_column_of_names_holds_no_ids() -> None:
    with pytest.raises(SourceError, match="no id that can be read in any row"):
        typed(person("Ann Example"), person("Ben Example"))


def test_ids_of_two_systems_and_ids_of_letters_alone_are_ids() -> None:
    people = [*(person(str(n)) for n in range(1, 30)), *(person(f"MIS {1234 + n}") for n in range(3)), person("1-ab")]
    of_letters = [person("ABCDE"), person("HIDDEN"), person("GONE")]
    of_seven = [*(person(str(7000001 + n)) for n in range(30)), person("TEMP001"), person("LAC7000099")]
    of_two = [person(f"{mark}{7000001 + n}") for n in range(9) for mark in ("", "child")]

    assert len(typed(*people).tonight()) == 33
    assert len(typed(*of_seven).tonight()) == 32
    assert len(typed(*of_two).tonight()) == 18
    assert len(typed(*of_letters).tonight()) == 3


@pytest.mark.parametrize(
    "text",
    ["7000001 (A Smith)", '="7000001"', "7000001.0", "\u200b7000001\u200e", "7000\u200b001", "\u00a07000001",
     "'7000001", "A Smith (7000001)", "7000001 - Zo\u00eb Smith-Jones", "Smith, A 7000001", "ID: 7000001", "(7000001)"],
)  # fmt: skip
def test_an_id_is_an_id_without_what_stands_around_it(text: str) -> None:
    night = typed(person(text), person("7000002"))

    assert list(night.tonight()) == ["7000001", "7000002"]
    assert night.unreadable() == []


def test_an_extract_without_any_id_is_refused() -> None:
    night = Night().extract([person(""), person("-")])

    with pytest.raises(SourceError, match='no id that can be read in any row under "Child Unique ID"'):
        night.typed()


def test_an_extract_of_headings_only_is_refused() -> None:
    night = Night().extract([dict.fromkeys(HEADINGS)])

    with pytest.raises(SourceError, match="no rows beneath the headings"):
        night.typed()


# Several rows for one person


def test_equal_rows_collapse_with_a_note() -> None:
    night = typed(person(), person(date_of_birth="2006-03-01"), person("P002"))

    assert night.intake is not None
    assert (night.intake.people, night.intake.duplicates, night.intake.conflicts) == (2, 1, 0)
    assert "1 repeated row said the same again" in night.intake.notes
    assert night.unreadable() == []


def test_the_row_that_says_died_wins() -> None:
    night = typed(
        person(in_touch="c) Died", latest_contact_date="01/01/2024"), person(latest_contact_date="01/12/2025")
    )

    row = night.tonight()["P001"]
    assert (row["in_touch"], row["died"]) == ("DIED", True)
    assert "row 2 of list-0.xlsx was used, which says the person died" in night.unreadable()[0][2]


def test_else_the_newest_contact_wins_and_the_other_is_listed() -> None:
    night = typed(
        person(latest_contact_date="01/12/2025", allocated_team="New"),
        person(latest_contact_date="01/11/2025", allocated_team="Old"),
        person(latest_contact_date="", allocated_team="None"),
    )

    assert night.tonight()["P001"]["allocated_team"] == "New"
    assert [line[0] for line in night.unreadable()] == [3, 4]
    assert "row 2 of list-0.xlsx was used, which has the newer contact" in night.unreadable()[0][2]
    assert night.intake is not None
    assert night.intake.conflicts == 2


def test_else_the_last_row_wins() -> None:
    night = typed(person(allocated_team="First"), person(allocated_team="Last"))

    assert night.tonight()["P001"]["allocated_team"] == "Last"


# Several extracts


def test_people_of_several_extracts_are_one_caseload() -> None:
    night = Night().extract([person("P001")]).extract([person("P002")], without=["personal_adviser"]).typed()

    rows = night.tonight()

    assert (rows["P001"]["source"], rows["P002"]["source"]) == ("source 0", "source 1")
    assert (rows["P001"]["personal_adviser"], rows["P001"]["personal_adviser_gap"]) == ("Adviser 1", None)
    assert (rows["P002"]["personal_adviser"], rows["P002"]["personal_adviser_gap"]) == (None, "not supplied")
    assert night.intake is not None
    assert "personal_adviser" in night.intake.supplied


def test_a_death_in_either_extract_counts() -> None:
    night = Night().extract([person(in_touch="c) Died")]).extract([person(latest_contact_date="04/01/2026")]).typed()

    assert night.tonight()["P001"]["died"] is True
    assert night.intake is not None
    assert night.intake.people == 1


def test_the_fingerprint_of_the_night_is_of_every_extract() -> None:
    one = Night().extract([person("P001")]).typed().intake
    two = Night().extract([person("P001")]).extract([person("P002")]).typed().intake

    assert one is not None
    assert two is not None
    assert one.fingerprint != two.fingerprint


# Notes


def test_headings_that_no_rule_needs_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("Child Unique ID,Date of Birth,Gender,Shoe size\nP001,01/03/2006,M,9\n", "utf-8")
    workspace = open_workspace()
    source = Source(name="caseload", kind="annex-a-list-9", path=path)
    extract = read_source(source, workspace, SourceContext(AS_AT, tmp_path))

    intake = type_rows(workspace, [extract], as_at=AS_AT, names=CouncilNames())

    assert intake.notes == ('list.csv: headings that no rule needs were ignored: "Shoe size"',)


# The roster


def test_a_first_night_joins_an_empty_roster() -> None:
    row = typed(person(), without=["activity"]).joined().caseload()["P001"]

    assert (row["age"], row["category"], row["declined"]) == (19, "former relevant", False)
    assert (row["present"], row["once_entitled"], row["died"]) == (True, False, False)
    assert (row["as_at"], row["first_seen_on"], row["accommodation_since"]) == (AS_AT, AS_AT, AS_AT)
    assert (row["activity"], row["activity_gap"]) == (None, "not supplied")


def test_the_roster_brings_back_who_is_absent_with_their_last_values() -> None:
    last = {"date_of_birth": "2005-05-05", "eligibility": "former relevant", "allocated_team": 'The "A" Team',
            "disability": True, "agreed_contact_interval_days": 28, "personal_adviser": None,
            "in_touch_gap": "unreadable"}  # fmt: skip
    night = typed(person()).roster(
        {
            "person_id": "P009",
            "strongest_category": "former relevant",
            "last_values": json.dumps(last),
            "accommodation_since": dt.date(2025, 2, 1),
            "first_seen_on": dt.date(2025, 1, 1),
            "absent_since": dt.date(2026, 1, 4),
        }
    )

    people = night.joined().caseload()

    absent = people["P009"]
    assert (absent["present"], absent["age"], absent["category"]) == (False, 20, "former relevant")
    assert (absent["date_of_birth"], absent["disability"]) == (dt.date(2005, 5, 5), True)
    assert (absent["agreed_contact_interval_days"], absent["agreed_contact_interval_days_gap"]) == (28, None)
    assert absent["allocated_team"] == 'The "A" Team'
    assert (absent["personal_adviser"], absent["personal_adviser_gap"]) == (None, None)
    assert (absent["in_touch"], absent["in_touch_gap"]) == (None, "unreadable")
    assert (absent["activity"], absent["activity_gap"]) == (None, "not supplied")
    assert (absent["accommodation_since"], absent["first_seen_on"]) == (
        dt.date(2025, 2, 1),
        dt.date(2025, 1, 1),
    )
    here = people["P001"]
    assert (here["agreed_contact_interval_days"], here["agreed_contact_interval_days_gap"]) == (
        None,
        "not supplied",
    )
    assert (here["in_touch"], here["in_touch_gap"]) == ("YES", None)


@pytest.mark.parametrize("ended", [{"died_on": dt.date(2025, 1, 1)}, {"ended_on": dt.date(2025, 1, 1)}])
def test_the_dead_and_those_past_25_are_not_brought_back(ended: dict[str, dt.date]) -> None:
    night = typed(person()).roster({"person_id": "P009", "last_values": "{}", **ended}).joined()

    assert list(night.caseload()) == ["P001"]


def test_someone_recorded_as_dead_stays_so_when_an_extract_says_otherwise() -> None:
    night = typed(person()).roster({"person_id": "P001", "last_values": "{}", "died_on": AS_AT}).joined()

    assert night.caseload()["P001"]["died"] is True
    assert night.tonight()["P001"]["died"] is False


def test_once_entitled_outlasts_what_is_recorded_tonight() -> None:
    night = typed(person("P001", eligibility="No current eligibility"), person("P002", eligibility="#N/A")).roster(
        {"person_id": "P001", "last_values": "{}", "strongest_category": "former relevant"}
    )

    people = night.joined().caseload()

    assert (people["P001"]["category"], people["P001"]["once_entitled"]) == ("former relevant", True)
    assert (people["P002"]["category"], people["P002"]["once_entitled"]) == (None, False)


def test_blank_eligibility_is_no_category_that_a_rule_asks_of() -> None:
    assert typed(person(eligibility="")).joined().caseload()["P001"]["category"] == "no current eligibility"


def test_tonight_still_shows_only_who_is_present_after_the_roster_has_joined() -> None:
    night = typed(person()).roster({"person_id": "P009", "last_values": "{}"})
    before = night.tonight()

    after = night.joined().tonight()

    assert after == before


def test_accommodation_since_can_be_updated() -> None:
    night = typed(person()).joined()

    night.workspace.execute("UPDATE caseload SET accommodation_since = DATE '2025-01-01'")

    assert night.caseload()["P001"]["accommodation_since"] == dt.date(2025, 1, 1)


def test_columns_with_gaps_are_those_unreadable_or_not_supplied_for_anyone() -> None:
    night = typed(person("P001", activity="?"), person("P002"), without=["uasc"]).joined()

    rows = night.caseload().values()
    found = {column.name for column in COLUMNS if any(row[f"{column.name}_gap"] is not None for row in rows)}

    assert {"activity", "uasc", "closure_date"} <= found
    assert not {"in_touch", "date_of_birth", "accommodation"} & found


def test_last_values_come_back_the_same() -> None:
    night = typed(
        person(
            "P001",
            activity="?",
            latest_contact_date="",
            personal_adviser='O\'Neil "Al" \\ \n x',
            uasc="a) Yes",
        )
    )
    row = night.tonight()["P001"]
    text = fetch(night.workspace, f"SELECT {last_values_sql('t', BY_NAME)} AS said FROM tonight AS t")[0]["said"]

    later = typed(person("P002")).roster({"person_id": "P001", "last_values": text}).joined().caseload()["P001"]

    recorded = [name for column in COLUMNS for name in (column.name, f"{column.name}_gap")]
    assert {name: later[name] for name in recorded} == {name: row[name] for name in recorded}
    assert "closure_date" not in json.loads(text)


def test_the_roster_can_be_looked_at_between_nights() -> None:
    night = Night().roster({"person_id": "P001", "last_values": '{"in_touch":"NO"}'})
    create_empty(night.workspace)

    join_roster(night.workspace, None, as_at=AS_AT)

    assert night.caseload()["P001"]["in_touch"] == "NO"
    assert night.tonight() == {}


# Generated mess


DAYS = st.dates(dt.date(2006, 3, 1), AS_AT)
TYPED = st.sampled_from(["%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d %B %Y", "%d-%b-%Y", "%d/%m/%Y 00:00"])
REAL = st.sampled_from(["%Y-%m-%d", "%Y-%m-%dT00:00:00", "%d %B %Y"])
"""Not both in one column: those of one may be all the days up to 12, and those of the other the rest."""


@given(
    days=st.one_of(st.lists(st.tuples(DAYS, written), min_size=1, max_size=40) for written in (TYPED, REAL)),
    edge=st.sampled_from(["", " ", "\u00a0", "\n"]),
)
@settings(max_examples=8, deadline=None)
def test_written_dates_come_back_as_the_same_day(days: list[tuple[dt.date, str]], edge: str) -> None:
    people = [
        person(f"P{n}", latest_contact_date=edge + day.strftime(written) + edge)
        for n, (day, written) in enumerate(days)
    ]

    rows = typed(*people).tonight()

    assert [rows[f"P{n}"]["latest_contact_date"] for n in range(len(days))] == [day for day, _ in days]


@given(texts=st.lists(st.text(max_size=30).filter(lambda text: "\x00" not in text), min_size=1, max_size=60))
@settings(max_examples=3, deadline=None)
def test_any_text_in_any_column_is_one_of_the_four_things_a_cell_can_be(texts: list[str]) -> None:
    people = [
        {"person_id": f"P{n}", **dict.fromkeys([*BY_NAME], text), "allocated_worker": "W1"}
        for n, text in enumerate(texts)
    ]

    rows = typed(*people).tonight()

    assert len(rows) == len(texts)
    for row in rows.values():
        for name in BY_NAME:
            assert row[f"{name}_gap"] in (None, "unreadable")
            assert row[name] is None or row[f"{name}_gap"] is None


@given(ids=st.lists(st.text("0123456789ABCabc-/", min_size=1, max_size=12), min_size=1, max_size=20, unique=True))
@settings(max_examples=12, deadline=None)
def test_ids_never_merge_two_people(ids: list[str]) -> None:
    night = typed(person("P001"), *(person(one) for one in ids))

    found = set(night.tonight()) - {"P001"}

    assert found <= set(ids)
    assert night.intake is not None
    assert night.intake.people + night.intake.unreadable_rows == len(ids) + 1
