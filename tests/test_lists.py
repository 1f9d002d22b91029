"""Exception lists and exports, opened as an analyst or a team lead would."""

import csv
import json
import os
import stat
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from support.posix import WINDOWS, needs_posix

from monitor.errors import MonitorError
from monitor.lists.answer_sheet import Answering
from monitor.lists.flag_workbook import ListTerms
from monitor.lists.lists import FLAG_COLUMNS, FLAG_LIST_COLUMNS, export_flags, publish, write_night
from monitor.messages.list_place import file_names
from monitor.workspace import load_rows, lock_down, open_workspace

NIGHT = date(2026, 1, 12)
TO_DO = "Make contact and record it."
NORTH, SOUTH = "Leaving Care North", "Leaving Care South"
TYPES = dict.fromkeys(FLAG_LIST_COLUMNS, "VARCHAR") | {
    "age": "INTEGER", "days_open": "INTEGER", "opened_on": "DATE", "in_breach_since": "DATE", "waived_until": "DATE",
}  # fmt: skip


def a_flag(person_id: str = "P001", **given: Any) -> tuple[Any, ...]:
    usual = {
        "person_id": person_id, "team": NORTH, "personal_adviser": "A Brindlewick", "age": 22,
        "eligibility": "former relevant", "rule": "over-21-contact", "title": "No contact in 12 months",
        "severity": "high", "basis": "report", "state": "open", "opened_on": date(2026, 1, 5),
        "in_breach_since": None, "days_open": 7, "because": "Last contact 3 January 2025.",
        "action": TO_DO, "report_paragraphs": "28, 37, 48", "waived_until": None,
        "title_in_mail": "Contact overdue",
    }  # fmt: skip
    return tuple((usual | given)[column] for column in FLAG_LIST_COLUMNS)


def a_workspace(*flags: tuple[Any, ...], cannot_assess=(), unreadable=(), folded=None):
    workspace = open_workspace()
    types = TYPES | {"folded": "BOOLEAN", "flag_id": "BIGINT", "answered": "VARCHAR"}
    folds = folded or [False] * len(flags)
    rows = [(*flag, fold, n, None) for n, (flag, fold) in enumerate(zip(flags, folds, strict=True), start=1)]
    load_rows(workspace, "flag_list", types, rows)
    texts = ("person_id", "team", "missing", "why", "rules")
    load_rows(workspace, "cannot_assess_list", dict.fromkeys(texts, "VARCHAR"), cannot_assess)
    places = ("source", "file", "sheet", "row", "column", "reason", "value")
    load_rows(workspace, "unreadable", dict.fromkeys(places, "VARCHAR") | {"row": "BIGINT"}, unreadable)
    lock_down(workspace)
    return workspace


def write(workspace, folder: Path, *, teams=(NORTH, SOUTH), workbooks=False, **given: Any) -> dict[str, Path]:
    paths = write_night(workspace, folder, ListTerms(NIGHT, **given), teams=teams, workbooks=workbooks)
    return {path.name: path for path in paths}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def open_book(path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(BytesIO(path.read_bytes()))


def list_rows(sheet: Any) -> list[dict[str, Any]]:
    """The cells of each row by their headings."""
    headings, *rows = sheet.iter_rows()
    return [dict(zip([cell.value for cell in headings], row, strict=True)) for row in rows]


def test_a_night_has_a_pair_of_lists_for_all_and_for_every_team(tmp_path):
    workspace = a_workspace(a_flag("P001"), a_flag("P002", team=SOUTH), a_flag("P003", team=None))

    written = write(workspace, tmp_path, teams=(NORTH, SOUTH, "Leaving Care East"), workbooks=True)

    lists = [
        "all",
        "other-teams",
        "team-leaving-care-east",
        "team-leaving-care-north",
        "team-leaving-care-south",
    ]
    pairs = [f"{name}.{suffix}" for name in lists for suffix in ("csv", "xlsx")]
    assert sorted(written) == sorted([*pairs, "cannot-assess.csv", "cannot-assess-summary.csv", "unreadable.csv"])
    assert {path.parent for path in written.values()} == {tmp_path / "2026-01-12"}
    assert [row["person_id"] for row in read_csv(written["all.csv"])] == ["P001", "P002", "P003"]
    assert [row["person_id"] for row in read_csv(written["team-leaving-care-south.csv"])] == ["P002"]
    assert [row["person_id"] for row in read_csv(written["other-teams.csv"])] == ["P003"]
    assert read_csv(written["team-leaving-care-east.csv"]) == []


def test_columns_stand_in_the_promised_order_with_iso_dates(tmp_path):
    workspace = a_workspace(
        a_flag("0004512", in_breach_since=date(2026, 1, 4), state="waived", waived_until=date(2026, 3, 1))
    )

    written = write(workspace, tmp_path)

    lines = written["all.csv"].read_bytes().decode("utf-8-sig").splitlines()
    assert lines[0] == (
        "person_id,team,personal_adviser,age,eligibility,rule,title,severity,basis,state,opened_on,"
        "in_breach_since,days_open,because,action,report_paragraphs,waived_until,title_in_mail,out_of_sight"
    )
    assert lines[1].startswith('"0004512","Leaving Care North","A Brindlewick",22,"former relevant",')
    assert '"waived",2026-01-05,2026-01-04,7,' in lines[1]
    assert lines[1].endswith('"28, 37, 48",2026-03-01,"Contact overdue","No contact"')
    assert written["all.csv"].read_bytes().startswith(b"\xef\xbb\xbf")


def test_the_most_severe_person_stands_first_then_the_heaviest_then_by_id(tmp_path):
    workspace = a_workspace(
        a_flag("P005", severity="data", rule="in-touch-recorded"),
        a_flag("P004", severity="critical", state="waived"),
        a_flag("P003", severity="high"),
        a_flag("P002", severity="high"),
        a_flag("P001", severity="medium", rule="neet"),
        a_flag("P001", severity="high"),
        a_flag("P000", severity="medium", rule="neet", state="held"),
        a_flag("P009", severity="critical", rule="homeless", state="held"),
    )

    written = write(workspace, tmp_path)

    listed = [(row["person_id"], row["rule"]) for row in read_csv(written["all.csv"])]
    assert listed == [
        ("P009", "homeless"), ("P001", "over-21-contact"), ("P001", "neet"), ("P002", "over-21-contact"),
        ("P003", "over-21-contact"), ("P000", "neet"), ("P005", "in-touch-recorded"), ("P004", "over-21-contact"),
    ]  # fmt: skip


def test_a_folded_flag_is_listed_and_adds_nothing_to_priority(tmp_path):
    flags = a_flag("P002"), a_flag("P002", rule="neet", severity="medium"), a_flag("P001")
    workspace = a_workspace(*flags, folded=(False, True, None))

    written = write(workspace, tmp_path)

    assert [row["person_id"] for row in read_csv(written["all.csv"])] == ["P001", "P002", "P002"]


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0", "+1+cmd", "@SUM(A1)", "-2+3", "  =1+1", "\u00a0=1+1", "\ufeff=1", "\t=1", "\r=1",
        "\t1 High Street", "\uff1d1+1", "\uff20SUM(A1)", '=HYPERLINK("https://example.org","x")',
    ],
)  # fmt: skip
def test_text_that_a_spreadsheet_would_run_is_made_plain(tmp_path, text):
    workspace = a_workspace(a_flag(personal_adviser=text))

    written = write(workspace, tmp_path, workbooks=True)

    assert read_csv(written["all.csv"])[0]["personal_adviser"] == "'" + text
    cell = open_book(written["all.xlsx"])["Flags"]["C2"]
    shown = openpyxl.utils.escape.unescape(str(cell.value))
    assert (cell.data_type, shown.strip()) == ("s", text.strip())


@pytest.mark.parametrize("text", ["0004512", "-12", "-1,234.50", "+447", "-", "12345.0", "12/3", "A=B", "e-mail"])
def test_ids_and_negative_numbers_are_left_as_they_are(tmp_path, text):
    workspace = a_workspace(a_flag(text))

    written = write(workspace, tmp_path, workbooks=True)

    assert read_csv(written["all.csv"])[0]["person_id"] == text
    cell = open_book(written["all.xlsx"])["Flags"]["A2"]
    assert (cell.value, cell.data_type, cell.number_format) == (text, "s", "@")


def test_nothing_in_a_cell_can_break_out_of_it(tmp_path):
    text = 'Said "no"; then\r\nleft, <b>&amp;</b> \x07 ☂ é'
    workspace = a_workspace(a_flag(because=text))

    written = write(workspace, tmp_path, workbooks=True)

    assert read_csv(written["all.csv"])[0]["because"] == text
    shown = list_rows(open_book(written["all.xlsx"])["Flags"])[0]["Why it is listed"].value
    assert openpyxl.utils.escape.unescape(shown) == f"High. {text}"


def test_the_list_is_a_table_with_filters_a_frozen_heading_and_real_dates(tmp_path):
    workspace = a_workspace(a_flag("P001"), a_flag("P002", because="Last contact. " * 30), a_flag("P003", team=SOUTH))

    written = write(workspace, tmp_path, workbooks=True)

    sheet = open_book(written["all.xlsx"])["Flags"]
    table = sheet.tables["flags"]
    assert table.ref == table.autoFilter.ref == sheet.dimensions
    assert sheet.freeze_panes == "B2"
    assert sheet["A2"].hyperlink is None  # the config says nowhere where a case is
    row, long, _ = list_rows(sheet)
    assert (row["Opened on"].value, row["Opened on"].number_format) == (datetime(2026, 1, 5), "dd/mm/yyyy")  # noqa: DTZ001
    assert (row["Age"].value, row["Age"].data_type) == (22, "n")
    assert row["In breach since"].value is None
    assert long["Why it is listed"].alignment.wrap_text
    assert sheet.row_dimensions[long["Why it is listed"].row].height > 5 * 15


def test_eight_columns_of_a_list_fit_on_paper_with_text_that_can_be_read(tmp_path):
    workspace = a_workspace(
        a_flag("P001"), a_flag("P002", state="waived", waived_until=date(2026, 2, 1)), a_flag("P003", state="held"),
        a_flag("P004", team=SOUTH),
    )  # fmt: skip

    written = write(workspace, tmp_path, workbooks=True, answering=Answering(b"secret", {}, 10))

    for name, other in (("all.xlsx", "Team"), ("team-leaving-care-north.xlsx", "Personal adviser")):
        sheet = open_book(written[name])["Flags"]
        shown = [cell for cell in sheet[1] if not sheet.column_dimensions[cell.column_letter].hidden]
        assert [cell.value for cell in shown] == [
            "Young person", other, "What is wrong", "Answer", "Until", "Reason", "Note", "Why it is listed",
        ]  # fmt: skip
        assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "landscape")
        assert (sheet.sheet_properties.pageSetUpPr.fitToPage, sheet.page_setup.fitToHeight) == (True, 0)
        assert sheet.print_title_rows == "$1:$1"
        assert sheet.print_area.endswith(f"!$A$1:${shown[-1].column_letter}${sheet.max_row}")
        # In pixels of Calibri 11, of which an inch has 96; programs make what is wider than the paper smaller.
        across = sum(sheet.column_dimensions[cell.column_letter].width * 7 for cell in shown)
        between = (297 / 25.4 - sheet.page_margins.left - sheet.page_margins.right) * 96
        assert {sheet["A2"].font.sz, sheet["D2"].font.sz} == {11}
        assert min(between / across, 1) * 11 >= 9 * 1.15  # another font may be wider
    why = [
        row["Why it is listed"].value for row in list_rows(open_book(written["team-leaving-care-north.xlsx"])["Flags"])
    ]
    assert why == [
        "High. Last contact 3 January 2025.",
        "High, held. Last contact 3 January 2025.",
        "High, waived until 01/02/2026. Last contact 3 January 2025.",
    ]


def test_ids_lead_to_the_case_where_the_config_says_where_it_is(tmp_path):
    workspace = a_workspace(a_flag("P/1 é"), a_flag("P/1 é", rule="neet"), a_flag('"&<2>'))

    written = write(workspace, tmp_path, workbooks=True, case_url="https://cms.example.gov.uk/a?b&c={person_id}")

    rows = list_rows(open_book(written["all.xlsx"])["Flags"])
    begun = "https://cms.example.gov.uk/a?b&c="
    assert [row["Young person"].hyperlink.target for row in rows] == [
        f"{begun}P%2F1%20%C3%A9", f"{begun}P%2F1%20%C3%A9", f"{begun}%22%26%3C2%3E",
    ]  # fmt: skip
    assert rows[0]["Young person"].font.u == "single"


def test_the_summary_counts_every_rule_by_state_and_team(tmp_path):
    workspace = a_workspace(
        a_flag("P001"), a_flag("P002", team=SOUTH, state="held"), a_flag("P003", state="waived"),
        a_flag("P001", rule="homeless", title="Homeless", severity="critical"),
    )  # fmt: skip

    written = write(workspace, tmp_path, workbooks=True, marking="OFFICIAL-SENSITIVE")

    sheet = open_book(written["all.xlsx"])["Summary"]
    rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(values_only=True)]
    assert rows[0] == ["OFFICIAL-SENSITIVE"]
    assert ["Exception list as at 12 January 2026"] in rows
    assert ["4 flags about 3 young people: 2 open, 1 held, 1 waived"] in rows
    assert ["Paragraphs, in the list: of Ofsted on Cheshire East, March 2024."] in rows
    assert rows[-4:] == [
        ["What is wrong", "Severity", "What to do", "Rule", "Open", "Held", "Waived", "All", NORTH, SOUTH],
        ["Homeless", "critical", TO_DO, "homeless", 1, 0, 0, 1, 1, 0],
        ["No contact in 12 months", "high", TO_DO, "over-21-contact", 1, 1, 1, 3, 2, 1],
        ["All rules", "", "", "", 2, 1, 1, 4, 3, 1],
    ]
    assert sheet.tables["summary"].autoFilter.ref


def test_a_workbook_holds_the_first_rows_and_says_how_many_there_are(tmp_path):
    workspace = a_workspace(*(a_flag(f"P{n:03}") for n in range(12)))

    written = write(workspace, tmp_path, workbooks=True, most_rows=5)

    book = open_book(written["all.xlsx"])
    assert [row[0].value for row in book["Flags"].iter_rows(min_row=2)] == [
        "P000",
        "P001",
        "P002",
        "P003",
        "P004",
    ]
    assert book["Flags"].tables["flags"].ref.endswith("6")
    lines = [row[0] for row in book["Summary"].iter_rows(values_only=True)]
    assert "The next sheet holds the first 5 of 12 flags; all.csv has them all" in lines
    assert len(read_csv(written["all.csv"])) == 12


def test_a_list_with_nothing_on_it_says_so(tmp_path):
    written = write(a_workspace(), tmp_path, workbooks=True)

    book = open_book(written["team-leaving-care-north.xlsx"])
    assert book["Flags"]["A1"].value == "Young person"
    assert book["Flags"]["A2"].value == "No flags on this list as at 12 January 2026"
    assert "0 flags about 0 young people: 0 open, 0 held, 0 waived" in [r[0] for r in book["Summary"].values]
    assert read_csv(written["all.csv"]) == []


def test_the_same_night_written_again_is_byte_for_byte_the_same(tmp_path):
    flags = (a_flag("P001"), a_flag("P002", team=SOUTH))

    first, again = (
        {name: path.read_bytes() for name, path in write(a_workspace(*flags), tmp_path, workbooks=True).items()}
        for _ in range(2)
    )

    assert again == first


def test_cannot_assess_and_unreadable_lists(tmp_path):
    workspace = a_workspace(
        cannot_assess=[("0004512", NORTH, "pathway_plan_review_date", "unreadable", "pathway-plan-current")],
        unreadable=[
            ("caseload", "list-9.xlsx", "List 9", 41, "in_touch", "not one of DIED, NO", "=MAYBE"),
            ("caseload", "list-9.xlsx", "List 9", 7, "date_of_birth", "not a date", None),
        ],
    )

    written = write(workspace, tmp_path)

    assert read_csv(written["cannot-assess.csv"]) == [
        {
            "person_id": "0004512", "team": NORTH, "missing": "pathway_plan_review_date", "why": "unreadable",
            "rules": "pathway-plan-current",
        }
    ]  # fmt: skip
    rows = read_csv(written["unreadable.csv"])
    assert [(row["row"], row["column"], row["value"]) for row in rows] == [
        ("7", "date_of_birth", ""),
        ("41", "in_touch", "'=MAYBE"),
    ]


def test_who_could_not_be_assessed_is_counted_by_column_beside_the_rows(tmp_path):
    born = "date_of_birth"
    workspace = a_workspace(cannot_assess=[
        ("P1", NORTH, born, "blank", "3 rules: homeless, neet, visits"),
        ("P2", SOUTH, "activity", "unreadable", "neet"),
        ("P3", None, "activity", "blank", "=eet, neet"), ("P666", NORTH, "activity", "blank", "neet"),
        (None, NORTH, "activity", "blank", "neet"),
    ])  # fmt: skip

    written = write(workspace, tmp_path, restricted=frozenset({"P666"}))

    columns = ("missing", "young_people", "restricted", "why", "rules")
    assert read_csv(written["cannot-assess-summary.csv"]) == [
        dict(zip(columns, row, strict=True))
        for row in [("activity", "3", "1", "blank: 3, unreadable: 1", "'=eet, neet"),
                    (born, "1", "0", "blank: 1", "homeless, neet, visits")]
    ]  # fmt: skip
    assert [row["person_id"] for row in read_csv(written["cannot-assess.csv"])] == ["P1", "", "P2", "P3"]
    assert list(read_csv(written["cannot-assess.csv"])[0]) == ["person_id", "team", "missing", "why", "rules"]


def test_restricted_people_are_only_on_the_list_for_the_head_of_service(tmp_path):
    workspace = a_workspace(
        a_flag("P001"), a_flag("P666"),
        cannot_assess=[("P666", NORTH, "activity", "blank", "neet"), ("P001", None, "activity", "blank", "neet")],
    )  # fmt: skip

    written = write(workspace, tmp_path, workbooks=True, restricted=frozenset({"P666"}))

    assert [row["person_id"] for row in read_csv(written["restricted.csv"])] == ["P666"]
    assert [row["person_id"] for row in read_csv(written["restricted-cannot-assess.csv"])] == ["P666"]
    assert [row["person_id"] for row in read_csv(written["cannot-assess.csv"])] == ["P001"]
    for name, path in written.items():
        if name.endswith(".xlsx"):
            book = open_book(path)
            assert "P666" not in str([list(sheet.values) for sheet in book])
            assert "2 flags" not in str(list(book["Summary"].values))
        elif not name.startswith("restricted"):
            assert "P666" not in path.read_text(encoding="utf-8")


def statements(workspace) -> list[str]:
    """Every statement that the workspace is given from here on."""
    given: list[str] = []
    execute = workspace.execute

    def note(statement: str, parameters: object = None):
        given.append(statement)
        return execute(statement, parameters)

    workspace.execute = note
    return given


def test_forty_teams_take_no_more_statements_than_two(tmp_path):
    few, many = (
        a_workspace(*(a_flag(f"P{n:03}", team=f"Team {n}") for n in range(teams)), a_flag("P666")) for teams in (2, 40)
    )
    of_few, of_many = statements(few), statements(many)

    for workspace, folder in ((few, tmp_path / "few"), (many, tmp_path / "many")):
        write(workspace, folder, teams=(), workbooks=True, restricted=frozenset({"P666"}))

    assert len(of_many) == len(of_few)
    assert len(of_few) <= 12


def test_a_row_that_has_no_id_is_in_the_list_for_everybody(tmp_path):
    workspace = a_workspace(cannot_assess=[(None, NORTH, "activity", "blank", "neet")])

    written = write(workspace, tmp_path, restricted=frozenset({"P666"}))

    assert [row["missing"] for row in read_csv(written["cannot-assess.csv"])] == ["activity"]


def test_no_list_of_restricted_people_is_written_when_there_are_none(tmp_path):
    workspace = a_workspace(a_flag("P001"))

    written = write(workspace, tmp_path, restricted=frozenset({"P666"}))

    assert not [name for name in written if name.startswith("restricted")]


def test_a_night_that_cannot_be_finished_leaves_the_lists_that_were_there(tmp_path):
    before = {name: path.read_bytes() for name, path in write(a_workspace(a_flag("P001")), tmp_path).items()}
    workspace = a_workspace(a_flag("P002"))
    workspace.execute("DROP TABLE unreadable")

    with pytest.raises(Exception, match="unreadable"):
        write(workspace, tmp_path)

    assert {path.name: path.read_bytes() for path in (tmp_path / "2026-01-12").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-12"]


def test_writing_a_night_again_replaces_every_file_of_it(tmp_path):
    write(a_workspace(a_flag("P001", team="Old Team")), tmp_path, teams=("Old Team",))

    written = write(a_workspace(a_flag("P002")), tmp_path)

    assert "team-old-team.csv" not in written
    assert [row["person_id"] for row in read_csv(written["all.csv"])] == ["P002"]


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    left = tmp_path / ".2026-01-11.abcd1234.unfinished"
    left.mkdir()
    (left / "all.csv").write_text("P001")

    write(a_workspace(), tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["2026-01-12"]


@needs_posix("file modes")
def test_only_the_owner_can_read_a_list(tmp_path):
    earlier = os.umask(0)
    try:
        written = write(a_workspace(a_flag()), tmp_path / "data" / "exceptions", workbooks=True)
        export_flags(a_workspace(a_flag()), tmp_path / "out.csv", ListTerms(NIGHT), form="csv", wanted={})
    finally:
        os.umask(earlier)

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (*written.values(), tmp_path / "out.csv")}
    assert modes == {0o600}
    folders = [
        tmp_path / "data",
        tmp_path / "data" / "exceptions",
        tmp_path / "data" / "exceptions" / "2026-01-12",
    ]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_folder_that_cannot_be_written_to_is_said_plainly(tmp_path):
    (tmp_path / "exceptions").write_text("a file where the folder should be")

    with pytest.raises(MonitorError, match=r"exceptions.*: cannot be written .*; check that the folder is there"):
        write(a_workspace(), tmp_path / "exceptions")


def test_team_names_become_safe_file_names_that_never_collide():
    names = file_names(["../x", "CON", "Team/A", "team a", "all", "Équipe", "☂", "", "x" * 300, "Team B"])

    others = file_names(["Team B"], ["team b", "Team C", "team-c"])
    assert names["Team B"] == others["Team B"] == "team-team-b"
    assert len(set(others.values())) == 4
    assert (names["../x"], names["CON"], names["all"]) == ("team-x", "team-con", "team-all")
    assert names["Équipe"] == "team-equipe"
    assert names["Team/A"] != names["team a"]
    assert len({name.casefold() for name in names.values()}) == len(names)
    assert all(name.isascii() and len(name) < 120 and set(name).isdisjoint("/\\.: ") for name in names.values())


def test_a_team_called_like_a_path_writes_inside_the_nights_folder(tmp_path):
    teams = ("../../x", "CON", "Team #[1]'s", "team/#[1]'S")
    workspace = a_workspace(*(a_flag(f"P{n}", team=team) for n, team in enumerate(teams)))

    written = write(workspace, tmp_path / "exceptions", teams=teams, workbooks=True)

    assert [path.name for path in tmp_path.iterdir()] == ["exceptions"]
    assert len(written) == 2 * 5 + 3
    summary = open_book(written["all.xlsx"])["Summary"]
    headings = [column.name for column in summary.tables["summary"].tableColumns]
    assert headings[-4:] == ["../../x", "CON", "Team #[1]'s", "team/#[1]'S"]


def test_teams_that_differ_only_in_case_have_headings_of_their_own(tmp_path):
    workspace = a_workspace(a_flag("P001", team="North"), a_flag("P002", team="NORTH"), a_flag("P003", team="open"))

    written = write(workspace, tmp_path, teams=("North", "NORTH", "open"), workbooks=True)

    summary = open_book(written["all.xlsx"])["Summary"]
    headings = [column.name for column in summary.tables["summary"].tableColumns]
    assert headings[-3:] == ["NORTH", "North (2)", "open (2)"]


def test_a_team_that_nobody_configured_has_a_pair_of_its_own(tmp_path):
    workspace = a_workspace(a_flag("P001"), a_flag("P002", team="Leaving Care Central"), a_flag("P003", team=" "))

    written = write(workspace, tmp_path)

    assert [row["person_id"] for row in read_csv(written["team-leaving-care-central.csv"])] == ["P002"]
    assert [row["person_id"] for row in read_csv(written["other-teams.csv"])] == ["P003"]


def test_a_column_that_cannot_be_holding_teams_does_not_make_a_file_of_each(tmp_path):
    workspace = a_workspace(*(a_flag(f"P{n:03}", team=f"worker {n}") for n in range(150)))

    written = write(workspace, tmp_path)

    assert len(written) == 7
    assert len(read_csv(written["other-teams.csv"])) == 150


def test_leads_get_a_copy_of_their_teams_lists_and_of_nothing_else(tmp_path):
    workspace = a_workspace(a_flag("P001"), a_flag("P002", team=SOUTH), a_flag("P666"), a_flag("P003", team=None))
    write(workspace, tmp_path, workbooks=True, restricted=frozenset({"P666"}))
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o750)

    copies = publish(tmp_path / "2026-01-12", shared)

    lists = ("other-teams", "team-leaving-care-north", "team-leaving-care-south")
    assert [path.name for path in copies] == [f"{name}.{suffix}" for name in lists for suffix in ("csv", "xlsx")]
    assert all(path.read_bytes() == (tmp_path / "2026-01-12" / path.name).read_bytes() for path in copies)
    if not WINDOWS:
        assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o640}
        assert stat.S_IMODE((shared / "2026-01-12").stat().st_mode) == 0o750


def test_a_shared_folder_that_is_not_there_is_never_made(tmp_path):
    write(a_workspace(a_flag()), tmp_path)

    with pytest.raises(MonitorError, match=r"cannot be written .*; check that the folder is there"):
        publish(tmp_path / "2026-01-12", tmp_path / "shared")
    assert not (tmp_path / "shared").exists()


def test_an_export_holds_only_what_was_asked_for(tmp_path):
    workspace = a_workspace(
        a_flag("P001"), a_flag("P002", team=SOUTH), a_flag("P003", rule="neet"), a_flag("P004", state="held"),
        a_flag("P666"),
    )  # fmt: skip

    count = export_flags(
        workspace, tmp_path / "out.csv", ListTerms(NIGHT, restricted=frozenset({"P666"})), form="csv",
        wanted={"team": NORTH, "rule": "over-21-contact", "state": "open"},
    )  # fmt: skip

    assert count == 1
    assert [row["person_id"] for row in read_csv(tmp_path / "out.csv")] == ["P001"]


def test_an_export_for_a_team_with_a_quote_in_its_name(tmp_path):
    workspace = a_workspace(a_flag("P001", team="St John's"), a_flag("P002"))

    assert (
        export_flags(workspace, tmp_path / "out.csv", ListTerms(NIGHT), form="csv", wanted={"team": "St John's"}) == 1
    )
    assert (
        export_flags(workspace, tmp_path / "out.csv", ListTerms(NIGHT), form="csv", wanted={"team": "' OR 'a' = 'a"})
        == 0
    )


def test_a_json_export_is_a_list_of_objects_with_iso_dates(tmp_path):
    workspace = a_workspace(a_flag("0004512", because='Said "no" — =1+1'), a_flag("P002", severity="medium"))

    count = export_flags(workspace, tmp_path / "out.json", ListTerms(NIGHT), form="json", wanted={})

    objects = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert count == len(objects) == 2
    assert tuple(objects[0]) == FLAG_COLUMNS
    assert (objects[0]["person_id"], objects[0]["age"], objects[0]["opened_on"]) == (
        "0004512",
        22,
        "2026-01-05",
    )
    assert (objects[0]["because"], objects[0]["in_breach_since"]) == ('Said "no" — =1+1', None)


def test_a_json_export_of_nothing_is_an_empty_list(tmp_path):
    assert export_flags(a_workspace(), tmp_path / "out.json", ListTerms(NIGHT), form="json", wanted={}) == 0
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == []


def test_a_workbook_export_names_what_was_asked_for(tmp_path):
    workspace = a_workspace(*(a_flag(f"P{n:03}") for n in range(4)), a_flag("P009", team=SOUTH))

    export_flags(
        workspace,
        tmp_path / "out.xlsx",
        ListTerms(NIGHT, most_rows=3),
        form="xlsx",
        wanted={"team": NORTH, "state": "open"},
    )

    book = open_book(tmp_path / "out.xlsx")
    lines = [row[0] for row in book["Summary"].values]
    assert f"{NORTH}, open" in lines
    assert "The next sheet holds the first 3 of 4 flags; a csv or json export has them all" in lines
    assert book["Flags"].max_row == 4


def test_an_export_into_a_missing_folder_is_said_plainly(tmp_path):
    with pytest.raises(MonitorError, match=r"out\.csv: cannot be written \([^)]+\)"):
        export_flags(a_workspace(), tmp_path / "missing" / "out.csv", ListTerms(NIGHT), form="csv", wanted={})
