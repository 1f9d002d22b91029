"""The data dictionary, the supplement to fill in, and the invented one: all told from the one catalogue."""

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from typer.testing import CliRunner

from monitor.caseload.id_spellings import TWO_SPELLINGS
from monitor.caseload.intake import CouncilNames, Intake, type_rows
from monitor.catalogue import dictionary
from monitor.catalogue.columns import BY_NAME, COLUMNS, LIST_9_COLUMNS
from monitor.cli.command import app
from monitor.config.source_settings import Source
from monitor.errors import Problems
from monitor.sample.list_9 import write_sample
from monitor.sample.supplement import COVERED, HELD, write_sample_supplement
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import fetch, open_workspace

AS_AT = dt.date(2026, 1, 12)


def read(*asked: Source) -> tuple[Intake, dict[str, dict[str, Any]], list[tuple[Any, ...]]]:
    """What a night would make of the sources: the intake, tonight's people, and what could not be read."""
    workspace = open_workspace()
    extracts = [read_source(one, workspace, SourceContext(AS_AT, Path("nowhere"))) for one in asked]
    intake = type_rows(workspace, extracts, as_at=AS_AT, names=CouncilNames())
    people = {row["person_id"]: row for row in fetch(workspace, "SELECT * FROM tonight")}
    return intake, people, workspace.execute('SELECT source, "column", reason FROM unreadable').fetchall()


# The dictionary


def test_the_dictionary_describes_every_column_once():
    names = [one["name"] for one in dictionary.describe_columns()]

    assert names[0] == "person_id"
    assert len(names) == len(set(names))
    assert {column.name for column in COLUMNS} < set(names)
    assert {"age", "category", "present"} < set(names)


def test_monitor_columns_prints_codes_meanings_and_headings():
    printed = CliRunner().invoke(app, ["columns"])

    plain = " ".join(printed.stdout.split())
    assert printed.exit_code == 0
    assert "YES, NO, DIED, REFU, NREQ," in plain
    assert "over21_offer_date" in plain
    assert "Allocated Personal Adviser" in plain


def test_monitor_columns_as_json_says_where_each_source_has_a_column():
    printed = CliRunner().invoke(app, ["columns", "--json"])

    found = {one["name"]: one for one in json.loads(printed.stdout)}
    assert found["in_touch"]["codes"]["RHOM"] == "Returned home to a parent for six months or more"
    assert found["in_touch"]["found_in"]["ssd"] == ["clea_care_leaver_in_touch"]
    assert "LA in Touch" in found["in_touch"]["found_in"]["annex-a-list-9"]
    assert found["last_visit_date"]["found_in"] == {"supplement": ["last_visit_date"]}
    assert found["last_visit_date"]["records_past"] is True
    assert found["plan_heads_complete"]["range"] == [0, 10]


# The supplement to fill in


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "supplement.xlsx"
    answered = CliRunner().invoke(app, ["columns", "--template", str(path)])
    assert answered.exit_code == 0
    return path


def test_the_template_has_a_heading_and_a_note_for_every_column_that_list_9_lacks(template):
    sheet = openpyxl.load_workbook(template).active

    headings = [cell.value for cell in sheet[1]]
    assert headings == ["person_id", *(column.name for column in COLUMNS if column.name not in LIST_9_COLUMNS)]
    assert all(BY_NAME[cell.value].meaning in cell.comment.text for cell in sheet[1][1:])
    assert sheet.freeze_panes == "B2"
    assert sheet.column_dimensions["A"].width > 10


def test_the_template_checks_what_is_filled_in(template):
    sheet = openpyxl.load_workbook(template).active

    heading = {cell.column_letter: cell.value for cell in sheet[1]}
    checks = {
        heading[str(each.sqref).split("2:")[0]]: (each.type, each.formula1, each.formula2)
        for each in sheet.data_validations.dataValidation
    }
    assert checks["is_parent"] == ("list", '"Y,N"', None)
    assert checks["over21_offer_outcome"] == ("list", '"accepted,declined,no reply"', None)
    assert checks["agreed_contact_interval_days"] == ("whole", "1", "183")
    assert checks["last_visit_date"][::2] == ("date", "TODAY()")
    assert checks["release_date"][0] == "date"
    assert set(heading.values()) - checks.keys() == {"person_id", "closure_reason"}


def test_a_template_that_was_filled_in_is_read_back_without_complaint(template, tmp_path):
    filled: dict[str, Any] = {"person_id": "0000007", "closure_reason": "Moved away"}
    for name in dictionary.SUPPLEMENT_COLUMNS:
        column = BY_NAME[name]
        filled.setdefault(name, {"date": dt.date(2026, 1, 2), "yes_no": "Y", "number": 3}.get(column.kind))
    filled |= {"over21_offer_outcome": "no reply", "death_date": None}
    book = openpyxl.load_workbook(template)
    for cell in list(book.active[1]):
        book.active.cell(row=2, column=cell.column, value=filled[cell.value])
    book.save(tmp_path / "filled.xlsx")
    (tmp_path / "list.csv").write_text("Child Unique ID,Date of Birth,LA in Touch\n0000007,01/03/2004,YES\n")

    intake, people, unreadable = read(
        Source(name="list", kind="annex-a-list-9", path=tmp_path / "list.csv"),
        Source(name="extra", kind="supplement", path=tmp_path / "filled.xlsx"),
    )

    row = people["0000007"]
    assert unreadable == []
    assert intake.notes == ("extra covers 1 of the 1 people on the caseload",)
    expected = {name: True if value == "Y" else value for name, value in filled.items() if name != "person_id"}
    assert {name: row[name] for name in dictionary.SUPPLEMENT_COLUMNS} == expected
    assert row["died"] is False


def test_a_template_of_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(Problems, match=r"supplement.csv: a template is an .xlsx"):
        dictionary.write_template(tmp_path / "supplement.csv", as_at=AS_AT)


# The invented supplement


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder / "list-9.csv", people=900, as_at=AS_AT, seed=1)
    write_sample_supplement(folder / "supplement.xlsx", people=900, as_at=AS_AT, seed=1)
    return folder


def test_the_invented_supplement_covers_part_of_its_people_and_a_few_others(sample):
    intake, people, unreadable = read(
        Source(name="list", kind="annex-a-list-9", path=sample / "list-9.csv"),
        Source(name="extra", kind="supplement", path=sample / "supplement.xlsx"),
    )

    covered = [row for row in people.values() if row["risk_open_gap"] is None]
    over_21 = [row for row in people.values() if row["date_of_birth"] and row["date_of_birth"].year <= 2004]
    covered_over_21 = [row for row in over_21 if row["risk_open_gap"] is None]
    assert abs(len(covered) / len(people) - COVERED) < 0.03
    assert abs(len(covered_over_21) / len(over_21) - COVERED) < 0.06
    assert set(HELD) <= intake.supplied
    assert any("people in extra are not on the caseload" in note for note in intake.notes)
    assert [row[1:] for row in unreadable if row[0] == "extra" and row[1]] == [("local_offer_date", "not a date")] * 6
    # The list has lost the zeros of a few ids, and the supplement has kept them.
    assert {row[2] for row in unreadable if row[0] == "extra" and not row[1]} == {TWO_SPELLINGS}
    assert all(any(row[name] is not None for row in covered) for name in HELD)


@pytest.mark.parametrize("night", [dt.date(2026, 8, 31), dt.date(2028, 2, 29), dt.date(2033, 5, 5)], ids=str)
def test_the_invented_supplement_says_much_the_same_on_any_day(tmp_path, night):
    rows = {}
    for ahead in (0, 1):
        day = night + dt.timedelta(ahead)
        path = write_sample_supplement(tmp_path / f"{ahead}.csv", people=900, as_at=day, seed=1)
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows[ahead] = {row["person_id"]: row for row in csv.DictReader(file)}

    before, after = rows[0], rows[1]
    both = before.keys() & after.keys()
    steady = [name for name in HELD if BY_NAME[name].kind == "yes_no" and name != "risk_open"]
    changed = sum(before[each] != after[each] for each in both)
    assert 560 < len(before) < 690
    assert len(before) - len(both) < 10
    assert 0 < changed < len(both) / 4
    assert sum(before[each][name] != after[each][name] for each in both for name in steady) < 12
    assert 10 < sum(row["risk_open"] == "Y" for row in before.values()) < 70
    assert 100 < sum(row["closure_date"] != "" for row in before.values()) < 260


def test_the_same_arguments_write_the_same_bytes(sample, tmp_path):
    again = write_sample_supplement(tmp_path / "again.xlsx", people=900, as_at=AS_AT, seed=1)

    assert again.read_bytes() == (sample / "supplement.xlsx").read_bytes()


def test_monitor_sample_writes_both(tmp_path):
    files = [str(tmp_path / "list-9.csv"), "--supplement", str(tmp_path / "extra.csv")]

    answered = CliRunner().invoke(app, ["sample", *files, "--people", "40", "--as-at", "2026-01-12"])

    with (tmp_path / "extra.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert answered.exit_code == 0
    assert "extra.csv" in answered.stdout
    assert list(rows[0]) == ["person_id", *HELD]
    assert 20 < len(rows) < 36


def test_a_sample_supplement_is_an_xlsx_or_a_csv(tmp_path):
    with pytest.raises(Problems, match=r"extra.ods: a supplement is an .xlsx or a .csv"):
        write_sample_supplement(tmp_path / "extra.ods", people=10, as_at=AS_AT, seed=1)
