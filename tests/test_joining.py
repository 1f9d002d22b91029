"""Several sources, one caseload: whose cell stands, who is covered, and what is listed where sources differ."""

import csv
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.council import NIGHT, Council, crowd, day, section, settled

from monitor.caseload import joining
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.id_spellings import TWO_SPELLINGS
from monitor.caseload.intake import CouncilNames, Intake, type_rows
from monitor.config.settings import Config, load_config
from monitor.config.source_settings import Source
from monitor.errors import Problems, SourceError
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import fetch, load_rows, open_workspace

AS_AT = dt.date(2026, 1, 5)
TEAMS = {"north": "North", "lc north": "North", "south": "South"}

Row = Mapping[str, str]


def listed(person_id: str, **other: str) -> dict[str, str]:
    return {
        "Child Unique ID": person_id, "Date of Birth": "01/03/2006", "Allocated Team": "North",
        "Allocated Personal Adviser": "A Example", "Latest Pathway Plan Review Date": "01/12/2025",
        "LA in Touch": "a) Yes",
    } | {name.replace("_", " "): text for name, text in other.items()}  # fmt: skip


class Sources:
    """Files read as the config's sources would be, in their order, and joined."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = open_workspace()
        self.sources: list[Source] = []
        self.intake: Intake | None = None

    def add(self, name: str, rows: Sequence[Row], **other: Any) -> "Sources":
        path = self.folder / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)
        self.sources.append(Source(name=name, path=path, **{"kind": "annex-a-list-9", **other}))
        return self

    def supplement(self, rows: Sequence[Row], name: str = "extra", **other: Any) -> "Sources":
        return self.add(name, rows, kind="supplement", **other)

    def read(self) -> "Sources":
        extracts = [read_source(one, self.workspace, SourceContext(AS_AT, self.folder)) for one in self.sources]
        self.intake = type_rows(self.workspace, extracts, as_at=AS_AT, names=CouncilNames(teams=TEAMS))
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        assert self.intake is not None
        return self.intake.notes

    def people(self) -> dict[str, dict[str, Any]]:
        return {row["person_id"]: row for row in fetch(self.workspace, "SELECT * FROM tonight ORDER BY person_id")}

    def cell(self, person_id: str, column: str) -> tuple[Any, Any]:
        row = self.people()[person_id]
        return row[column], row[f"{column}_gap"]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return self.workspace.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


# The four things a cell can be


@pytest.mark.parametrize(
    ("text", "cell"),
    [("02/01/2026", (dt.date(2026, 1, 2), None)), ("", (None, None)), ("soon", (None, "unreadable"))],
)
def test_a_detail_source_gives_a_value_a_blank_or_something_unreadable(tmp_path, text, cell):
    night = Sources(tmp_path).add("list", [listed("P001")])

    night.supplement([{"person_id": "P001", "last_visit_date": text, "risk_open": "N"}]).read()

    assert night.cell("P001", "last_visit_date") == cell
    assert night.cell("P001", "risk_open") == (False, None)


def test_what_a_source_does_not_cover_is_not_supplied_and_never_blank(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001"), listed("P002")])

    night.supplement([{"person_id": "P001", "last_visit_date": ""}]).read()

    assert night.cell("P001", "last_visit_date") == (None, None)
    assert night.cell("P002", "last_visit_date") == (None, "not supplied")
    assert night.cell("P001", "risk_open") == (None, "not supplied")
    assert night.intake is not None
    assert "last_visit_date" in night.intake.supplied
    assert "risk_open" not in night.intake.supplied


def test_dates_of_a_supplement_are_held_against_the_night_and_the_birth(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001"), listed("P002")])

    night.supplement([
        {"person_id": "P001", "last_visit_date": "06/01/2026", "plan_heads_complete": "11"},
        {"person_id": "P002", "last_visit_date": "01/01/2006", "plan_heads_complete": "10"},
    ]).read()  # fmt: skip

    assert [night.cell(each, "last_visit_date") for each in ("P001", "P002")] == [(None, "unreadable")] * 2
    assert night.cell("P001", "plan_heads_complete") == (None, "unreadable")
    assert [(source, row, column, reason) for source, _, _, row, column, reason, _ in night.rows("unreadable")] == [
        ("extra", 2, "last_visit_date", "later than the date of the run"),
        ("extra", 2, "plan_heads_complete", "outside 0 to 10"),
        ("extra", 3, "last_visit_date", "before the date of birth"),
    ]


# Whose cell stands


def test_the_source_listed_first_wins(tmp_path):
    night = Sources(tmp_path).add("first", [listed("P001")]).add("second", [listed("P001", LA_in_Touch="b) No")])

    night.read()

    assert night.cell("P001", "in_touch") == ("YES", None)
    assert night.people()["P001"]["source"] == "first"


@pytest.mark.parametrize(("second", "stands"), [("b) No", ("NO", None)), ("perhaps", (None, "unreadable"))])
def test_a_blank_gives_way_to_a_later_source_that_says_something(tmp_path, second, stands):
    night = Sources(tmp_path).add("first", [listed("P001", LA_in_Touch="")])

    night.add("second", [listed("P001", LA_in_Touch=second)]).read()

    assert night.cell("P001", "in_touch") == stands


def test_something_unreadable_is_not_guessed_from_a_later_source(tmp_path):
    night = Sources(tmp_path).add("first", [listed("P001", LA_in_Touch="perhaps")])

    night.add("second", [listed("P001")]).read()

    assert night.cell("P001", "in_touch") == (None, "unreadable")


def test_a_preferred_source_stands_in_its_columns_even_where_it_is_blank(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001"), listed("P002"), listed("P003")])

    night.supplement([
        {"person_id": "P001", "pathway_plan_review_date": "01/09/2025", "personal_adviser": "B Example"},
        {"person_id": "P002", "pathway_plan_review_date": "", "personal_adviser": ""},
    ], prefer=("pathway_plan_review_date",)).read()  # fmt: skip

    assert night.cell("P001", "pathway_plan_review_date") == (dt.date(2025, 9, 1), None)
    assert night.cell("P002", "pathway_plan_review_date") == (None, None)
    assert night.cell("P003", "pathway_plan_review_date") == (dt.date(2025, 12, 1), None)
    assert night.cell("P001", "personal_adviser") == ("A Example", None)


def test_caseloads_are_united_by_person_and_details_add_nobody(tmp_path):
    night = Sources(tmp_path).supplement([{"person_id": "P009", "is_parent": "Y"}])

    night.add("north", [listed("P001"), listed("P002")]).add("south", [listed("P002"), listed("P003")]).read()

    assert list(night.people()) == ["P001", "P002", "P003"]
    assert night.intake is not None
    assert (night.intake.people, night.intake.rows, night.intake.conflicts) == (3, 4, 0)


def test_several_details_add_columns(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001")])

    night.supplement([{"person_id": "P001", "is_parent": "Y"}], "one")
    night.supplement([{"person_id": "P001", "risk_open": "Y", "is_parent": "N"}], "two").read()

    assert (night.cell("P001", "is_parent"), night.cell("P001", "risk_open")) == ((True, None), (True, None))


@pytest.mark.parametrize(
    "says",
    [{"LA in Touch": "c) Died"}, {"death_date": "01/12/2025"}, {"death_date": "unclear"}, {"closure_reason": "Died"}],
    ids=["code", "date", "unreadable date", "reason"],
)
def test_whoever_died_in_any_row_of_any_source_died(tmp_path, says):
    night = Sources(tmp_path).add("list", [listed("P001"), listed("P002")])

    night.supplement([{"person_id": "P001", **says}, {"person_id": "P001", "is_parent": "N"}]).read()

    assert [each["died"] for each in night.people().values()] == [True, False]


def test_teams_have_the_names_of_the_config(tmp_path):
    night = Sources(tmp_path).add(
        "list", [listed("P001", Allocated_Team="LC  north"), listed("P002", Allocated_Team="Elsewhere")]
    )

    night.read()

    assert [each["allocated_team"] for each in night.people().values()] == ["North", "Elsewhere"]


# Where sources differ


def differences(night: Sources) -> list[tuple[Any, ...]]:
    return night.rows("difference")


def test_who_is_in_one_caseload_and_not_in_another_is_listed(tmp_path):
    night = Sources(tmp_path).add("north", [listed("P001"), listed("P002")]).add("south", [listed("P002")])

    night.read()

    assert differences(night) == [("P001", "present", "north", "yes", "south", "no")]
    assert "1 person of the other lists is not in south; they are listed in differences.csv" in night.notes


@pytest.mark.parametrize(
    ("first", "second", "used", "other"),
    [
        ({"Allocated_Personal_Adviser": "B Other"}, {}, ("one", "B Other"), ("two", "A Example")),
        ({"Allocated_Personal_Adviser": ""}, {}, ("two", "A Example"), ("one", "blank")),
        ({}, {"Allocated_Personal_Adviser": ""}, ("one", "A Example"), ("two", "blank")),
        ({"Allocated_Team": "South"}, {}, ("one", "South"), ("two", "North")),
        (
            {"Latest_Pathway_Plan_Review_Date": "02/12/2025"},
            {},
            ("one", "2025-12-02"),
            ("two", "2025-12-01"),
        ),
        ({"Date_of_Birth": "02/03/2006"}, {}, ("one", ""), ("two", "")),
    ],
    ids=["adviser", "adviser blank first", "adviser blank second", "team", "plan", "birth date without values"],
)
def test_sources_that_disagree_are_listed(tmp_path, first, second, used, other):
    night = Sources(tmp_path).add("one", [listed("P001", **first), listed("P002")])

    night.add("two", [listed("P001", **second), listed("P002")]).read()

    ((person_id, _, *rest),) = differences(night)
    assert person_id == "P001"
    assert rest == [*used, *other]


@pytest.mark.parametrize(
    "second",
    [
        {"Allocated_Personal_Adviser": "example,  A."},
        {"Allocated_Team": "LC NORTH"},
        {"Latest_Pathway_Plan_Review_Date": "1 December 2025"},
        {"Latest_Pathway_Plan_Review_Date": "not known yet"},
        {"LA_in_Touch": "b) No"},
    ],
    ids=["name the other way round", "team by its other name", "same date", "unreadable", "column not compared"],
)
def test_what_says_the_same_or_nothing_readable_is_no_difference(tmp_path, second):
    night = Sources(tmp_path).add("one", [listed("P001")]).add("two", [listed("P001", **second)])

    night.read()

    assert differences(night) == []


def test_disagreements_are_counted(tmp_path):
    night = Sources(tmp_path).add("one", [listed("P001"), listed("P002")])

    night.add("two", [listed("P001", Allocated_Team="South"), listed("P002", Allocated_Personal_Adviser="")]).read()

    assert (
        "sources disagree on the personal_adviser of 1, allocated_team of 1 (listed in differences.csv)" in night.notes
    )


# Who is in a detail source and not on the caseload


def test_people_of_a_detail_source_who_are_not_on_the_caseload_are_listed(tmp_path):
    night = Sources(tmp_path).add("list", [listed("7"), listed("P002")])

    night.supplement([
        {"person_id": "P002", "is_parent": "N"},
        {"person_id": "P009", "is_parent": "N"},
        {"person_id": "0007", "is_parent": "N"},
    ]).read()  # fmt: skip

    assert night.rows("not_on_caseload") == [("extra", "extra.csv", 3, "P009"), ("extra", "extra.csv", 4, "0007")]
    assert "extra covers 1 of the 2 people on the caseload" in night.notes
    assert "2 people in extra are not on the caseload: listed in not-on-caseload.csv" in night.notes
    assert any(note.startswith("of those, 1 would be on it but for zeros") for note in night.notes)


def absent(night: Sources, **last_values: str) -> dict[str, Any]:
    """P009 as the caseload has them on a night they are missing from it."""
    columns = {
        "person_id": "VARCHAR", "strongest_category": "VARCHAR", "last_values": "VARCHAR",
        "accommodation_since": "DATE", "first_seen_on": "DATE", "died_on": "DATE", "ended_on": "DATE",
    }  # fmt: skip
    said = ",".join(f'"{name}":{text}' for name, text in last_values.items())
    row = ("P009", "former relevant", f'{{"date_of_birth":"2003-03-01",{said}}}', None, AS_AT, None, None)
    load_rows(night.workspace, "roster", columns, [row])
    join_roster(night.workspace, night.intake, as_at=AS_AT, team_names=TEAMS)
    (found,) = fetch(night.workspace, "SELECT * FROM caseload WHERE NOT present")
    return found


def test_someone_missing_from_the_caseload_is_judged_on_their_last_values_alone(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001")])
    night.supplement(
        [{"person_id": "P009", "closure_date": "01/01/1926", "risk_open": "", "personal_adviser": ""}]
    ).read()

    row = absent(night, allocated_team='"LC North"', risk_open="true", personal_adviser='"A Example"')

    assert (row["closure_date"], row["closure_date_gap"]) == (None, "not supplied")
    assert (row["risk_open"], row["risk_open_gap"]) == (True, None)
    assert row["personal_adviser"] == "A Example"
    assert row["allocated_team"] == "North"
    assert row["died"] is False


def test_a_detail_source_that_says_someone_missing_died_is_believed(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001")])
    night.supplement([{"person_id": "P009", "closure_reason": "Died"}]).read()

    row = absent(night, in_touch='"YES"')

    assert row["died"] is True
    assert joining.count_absent_deaths(night.workspace) == 1


# The supplement's file


def test_a_supplement_is_read_with_known_headings_matched_loosely_and_extra_ones_named(tmp_path):
    night = Sources(tmp_path).add("list", [listed("P001")])

    night.supplement([{"Person ID": "P001", "LAST VISIT DATE": "02/01/2026", "Shoe size": "9"}]).read()

    assert night.cell("P001", "last_visit_date") == (dt.date(2026, 1, 2), None)
    assert 'extra.csv: headings that no rule needs were ignored: "Shoe size"' in night.notes


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"last_visit_date": "02/01/2026", "is_parent": "N"}, "no heading for person_id"),
        ({"person_id": "P001", "Age": "19"}, "no heading but the id's means a column of the catalogue"),
        ({"person_id": "P001", "is_parent": "N", "Is parent (Y/N)": "N"}, "both mean is_parent"),
        ({"Name": "x", "Notes": "y"}, "no row of supplement headings"),
    ],
    ids=["no id", "nothing else", "twice", "strangers"],
)
def test_a_supplement_whose_headings_will_not_do_is_refused(tmp_path, row, said):
    night = Sources(tmp_path).add("list", [listed("P001")]).supplement([row])

    with pytest.raises(SourceError, match=said):
        night.read()


def test_the_supplement_sheet_of_a_workbook_is_found(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Notes about this workbook"])
    sheet = book.create_sheet("Leaving care extra")
    sheet.append(["person_id", "last_visit_date", "accommodation_provided_by_authority"])
    sheet.append(["P001", dt.date(2026, 1, 2), "Y"])
    book.save(tmp_path / "extra.xlsx")
    night = Sources(tmp_path).add("list", [listed("P001")])
    night.sources.append(Source(name="extra", kind="supplement", path=tmp_path / "extra.xlsx"))

    night.read()

    assert night.cell("P001", "last_visit_date") == (dt.date(2026, 1, 2), None)
    assert night.cell("P001", "accommodation_provided_by_authority") == (True, None)


# The config


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([("one", 'kind = "supplement"')], "none says who is on the caseload"),
        ([("one", 'kind = "supplement"\nrole = "caseload"')], "a supplement never decides who is on the caseload"),
        ([("one", 'kind = "annex-a-list-9"\nprefer = ["last_vist_date"]')], 'did you mean "last_visit_date"'),
        (
            [
                ("one", 'kind = "annex-a-list-9"\nprefer = ["in_touch"]'),
                ("two", 'kind = "supplement"\nprefer = ["in_touch"]'),
            ],
            '"one" and "two" both prefer in_touch',
        ),
    ],
    ids=["details only", "supplement as caseload", "unknown column", "preferred twice"],
)
def test_sources_that_cannot_be_joined_are_refused_by_the_config(tmp_path, sources, said):
    tables = (f'[[sources]]\nname = "{name}"\npath = "x.csv"\n{rest}\n' for name, rest in sources)
    path = tmp_path / "monitor.toml"
    path.write_text("".join(tables), encoding="utf-8")

    with pytest.raises(Problems) as refused:
        load_config(path)

    assert said in str(refused.value)


def test_a_config_knows_every_spelling_of_its_teams():
    config = Config.model_validate(
        {
            "sources": [{"name": "one", "kind": "sample"}],
            "people": {"fallback": "leaving-care@example.gov.uk"},
            "teams": [{"name": "North", "also_known_as": ["LC North", "N Team"]}],
        }
    )

    assert config.team_names == {"north": "North", "lc north": "North", "n team": "North"}


# Whole nights


@pytest.fixture
def council(tmp_path):
    council = Council(tmp_path)
    extra = '[[sources]]\nname = "extra"\nkind = "supplement"\npath = "extra.csv"\n'
    council.config_path.write_text(council.config_path.read_text() + extra, encoding="utf-8")
    return council


def write_extra(council: Council, *rows: Row) -> None:
    with (council.folder / "extra.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_night_with_a_supplement_asks_of_those_it_covers_and_lists_the_rest(council):
    (council.folder / "hidden.txt").write_text("P003\n", encoding="utf-8")
    council.config_path.write_text('restricted = "hidden.txt"\n' + council.config_path.read_text(), encoding="utf-8")
    write_extra(
        council,
        {"person_id": "P001", "risk_open": "Y", "risk_plan_review_date": "01/11/2025", "personal_adviser": ""},
        {"person_id": "P002", "risk_open": "N", "risk_plan_review_date": "", "personal_adviser": "B Other"},
        {"person_id": "P003", "risk_open": "N", "risk_plan_review_date": "", "personal_adviser": "B Other"},
        {"person_id": "P010", "risk_open": "Y", "risk_plan_review_date": "", "personal_adviser": ""},
    )

    people = [*(settled(each, team="LC North") for each in ("P001", "P002", "P003", "P004")), *crowd(20)]
    night = council.night(NIGHT, people)

    flagged = [row["person_id"] for row in council.listed(NIGHT, "all.csv") if row["rule"] == "risk-plan"]
    unsure = [
        r
        for r in council.listed(NIGHT, "cannot-assess.csv")
        if r["missing"] == "risk_open" and r["person_id"][0] == "P"
    ]
    differing = council.listed(NIGHT, "differences.csv")
    assert flagged == ["P001"]
    assert [(row["person_id"], row["why"]) for row in unsure] == [("P004", "not supplied")]
    assert council.listed(NIGHT, "not-on-caseload.csv") == [
        {"source": "extra", "file": "extra.csv", "row": "5", "person_id": "P010"}
    ]
    assert [(row["person_id"], row["used_value"], row["other_value"]) for row in differing] == [
        ("P001", "A Example", "blank"), ("P002", "A Example", "B Other"),
    ]  # fmt: skip
    assert [row["person_id"] for row in council.listed(NIGHT, "restricted-differences.csv")] == ["P003"]
    assert "1 person in extra is not on the caseload: listed in not-on-caseload.csv" in night.intake.notes
    assert "1 person in extra is not on the caseload" in council.mail_to("analyst@example.gov.uk")[0].text
    assert {row["team"] for row in council.listed(NIGHT, "all.csv")} == {"North"}


def test_a_team_that_the_caseload_renames_is_not_a_team_fallen_to_nobody(council):
    write_extra(council, {"person_id": "C000", "is_parent": "N"})
    council.night(NIGHT, crowd(20, team="North"))

    night = council.night(day(1), crowd(20, team="LC North"))

    assert night.outcome == "accepted"


def test_a_team_the_config_does_not_know_is_said_once_with_its_people(council):
    write_extra(council, {"person_id": "C000", "is_parent": "N"})

    night = council.night(NIGHT, [*crowd(20), settled("P001", team="Nowhere"), settled("P002", team="Nowhere")])

    mail = council.mail_to("analyst@example.gov.uk", NIGHT)[0]
    assert night.unrouted == {"Nowhere": 2}
    assert section(mail, "Needs you").count("Nowhere") == 1
    assert "2 young people: team “Nowhere”" in section(mail, "Needs you")


def test_nothing_is_changed_by_a_supplement_that_cannot_be_read(council):
    write_extra(council, {"person_id": "C000", "is_parent": "N"})
    council.night(NIGHT, crowd(20))
    (council.folder / "extra.csv").write_text("person_id,is_parent\n", encoding="utf-8")

    with pytest.raises(SourceError, match=r"extra.csv: no rows beneath the headings"):
        council.night(day(1))

    assert council.rows("SELECT count(*) FROM run WHERE state = 'accepted'") == [(1,)]


def test_comparing_names_is_not_confused_by_spelling_of_teams_the_config_does_not_know():
    workspace = open_workspace()
    workspace.execute("CREATE TABLE roster AS SELECT unnest(['LC  North', 'Elsewhere', NULL]) AS team")

    joining.spell_teams(workspace, "roster", "team", TEAMS)

    assert workspace.execute("SELECT team FROM roster ORDER BY ALL").fetchall() == [("Elsewhere",), ("North",), (None,)]


def test_two_spellings_of_one_id_are_two_people_and_said(tmp_path):
    night = Sources(tmp_path).add("list", [listed("0001225"), listed("p-7"), listed("1000001"), listed("MIS 1")])

    night.supplement(
        [{"person_id": text, "risk_open": "N"} for text in ("1225", "P-7", "1000001", "MIS1", "0001")]
    ).read()

    assert len(night.people()) == 4
    named = [(row[1], row[3]) for row in night.rows("unreadable") if row[5] == TWO_SPELLINGS]
    assert named == [("extra.csv", 2), ("extra.csv", 3), ("extra.csv", 5), ("list.csv", 2), ("list.csv", 3),
                     ("list.csv", 5)]  # fmt: skip
    assert night.intake is not None
    assert "6 rows have ids that differ from another in zeros, case or spaces alone" in night.intake.lists[0].lines[0]
