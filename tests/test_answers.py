"""Answers on exception lists: real workbooks, filled in as a lead would, read back whole or not at all."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from sqlalchemy import select, text
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless, section, settled
from support.posix import NO_SUCH_FILE
from support.timed_service import few_rules

from monitor.cli.options import today
from monitor.config.settings import load_config
from monitor.errors import Problems
from monitor.flags import answer_file, answers, row_keys, waiver_request
from monitor.flags.answer_file import AnswersSaved
from monitor.lists import answer_sheet
from monitor.lists.answer_sheet import ANSWER_KINDS
from monitor.lists.list_columns import read_heading
from monitor.lists.lists import FLAG_COLUMNS
from monitor.store.database import working_store
from monitor.store.events import Stamp
from monitor.store.location import locate
from monitor.store.tables import Flag, table_of
from monitor.workspace import open_workspace

ANALYST = "analyst@example.gov.uk"
Change = Callable[[Any], None]


PEOPLE = [
    homeless("0001"), homeless("P2"), homeless("P3"), homeless("S1", team="South"), homeless("R1"), *crowd(20),
]  # fmt: skip


def a_council(folder: Path) -> Council:
    """A council whose first night flagged four people of North, R1 of them restricted, and one of South."""
    (folder / "restricted.txt").write_text("R1\n", encoding="utf-8")
    council = Council(folder, few_rules(folder) + 'restricted = "restricted.txt"')
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace("workbooks = false", ""), encoding="utf-8")
    council.night(NIGHT, PEOPLE)
    return council


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council for what changes nothing."""
    return a_council(tmp_path_factory.mktemp("known"))


@pytest.fixture
def council(known: Council, tmp_path: Path) -> Council:
    """The same council, for what changes it."""
    return known.copy_to(tmp_path)


def a_list(council: Council, as_at: dt.date = NIGHT, name: str = "all.xlsx") -> Path:
    return council.folder / "data" / "exceptions" / as_at.isoformat() / name


def find_columns(sheet: Any) -> dict[str, int]:
    """Where each column stands, by its name."""
    return {read_heading(cell.value): cell.column for cell in sheet[1]}


def fill_in(council: Council, given: dict[str, dict[str, Any]], *, to: str = "back.xlsx", of: Path | None = None,
            change: Change = lambda sheet: None) -> Path:  # fmt: skip
    """The list as its reader sends it back: each person's answer columns filled in, and whatever else was changed."""
    book = openpyxl.load_workbook(of or a_list(council))
    sheet = book["Flags"]
    places = find_columns(sheet)
    for row in range(2, sheet.max_row + 1):
        for name, value in given.get(sheet.cell(row, places["person_id"]).value, {}).items():
            cell = sheet.cell(row, places[name])
            cell.value = value
            if cell.data_type == "f":  # typed into a cell of text, as these are, it is no formula
                cell.data_type = "s"
    change(sheet)
    path = council.folder / to
    book.save(path)
    return path


def read(
    council: Council, path: Path, *, on: dt.date = NIGHT, by: str | None = "A Lead", dry_run: bool = False
) -> AnswersSaved:
    """Read a workbook back as the command does."""
    config = load_config(council.config_path)
    sha256, givens = answer_sheet.read(path)
    with council.open_database() as database:
        return answer_file.save_answers(
            database,
            answer_file.AnsweredFile(path.name, sha256, givens, by),
            answer_file.AnswerLimits(config.waivers.reasons, config.answers.list_working_days),
            Stamp(on, council.clock),
            dry_run=dry_run,
        )


def problems(council: Council, path: Path, **given: Any) -> list[str]:
    before = council.rows(
        "SELECT count(*), (SELECT count(*) FROM waiver), (SELECT count(*) FROM flag_event) FROM answer"
    )
    with pytest.raises(Problems) as caught:
        read(council, path, **given)
    after = council.rows(
        "SELECT count(*), (SELECT count(*) FROM waiver), (SELECT count(*) FROM flag_event) FROM answer"
    )
    assert after == before
    return [problem.removeprefix(f"{path.name}, ") for problem in caught.value.problems]


WAIVE = {"answer": "waive until", "answer_until": dt.datetime(2026, 2, 1), "answer_reason": "under-way",  # noqa: DTZ001
         "answer_note": "Room agreed"}  # fmt: skip


# The workbook


def test_only_the_answers_can_be_filled_in_and_each_cell_says_what_may_be_written(known: Council) -> None:
    book = openpyxl.load_workbook(a_list(known))
    sheet = book["Flags"]

    columns = find_columns(sheet)
    unlocked = {cell.column for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    checks = {str(each.sqref): (each.type, each.formula1) for each in sheet.data_validations.dataValidation}
    hidden = {name for name, at in columns.items() if sheet.column_dimensions[get_column_letter(at)].hidden}
    shown = [cell.value for cell in sheet[1] if read_heading(cell.value) not in hidden]
    assert shown == [
        "Young person", "Team", "What is wrong", "Answer", "Until", "Reason", "Note", "Why it is listed",
    ]  # fmt: skip
    assert hidden == {*FLAG_COLUMNS, "key"} - {"person_id", "team", "title", "because"}
    assert unlocked == {columns[name] for name in ANSWER_KINDS}
    assert (sheet.protection.sheet, sheet.protection.password) == (True, None)
    # What is not forbidden: to filter, and to show what is hidden.
    assert not any((sheet.protection.autoFilter, sheet.protection.sort, sheet.protection.formatColumns))
    assert checks["E2:E5"] == ("list", '"done,waive until,not ours,the record is wrong"')
    assert checks["F2:F5"][0] == "date"
    assert checks["H2:H5"] == ("textLength", "500")
    first, last = (
        int(part) for part in checks["G2:G5"][1].replace("'How to answer'!$A$", "").replace("$A$", "").split(":")
    )
    reasons = [book["How to answer"].cell(row, 1).value for row in range(first, last + 1)]
    assert reasons == list(load_config(known.config_path).waivers.reasons)


def test_csv_lists_keep_exactly_the_promised_columns(known: Council) -> None:
    assert tuple(known.listed(NIGHT, "all.csv")[0]) == FLAG_COLUMNS


def test_a_key_is_of_one_row_and_cannot_be_made_up() -> None:
    key = row_keys.Key(7, NIGHT, row_keys.mark_flag(b"secret", "high", None, "No contact"))
    sealed = row_keys.make_key(b"secret", key, person_id="P1", rule="neet")

    opened = [
        row_keys.open_key(secret, text, person_id=person, rule=rule)
        for secret, text, person, rule in [
            (b"secret", sealed, "P1", "neet"), (b"secret", sealed, "P2", "neet"), (b"secret", sealed, "P1", "homeless"),
            (b"other", sealed, "P1", "neet"), (b"secret", sealed.replace("7.", "8.", 1), "P1", "neet"),
            (b"secret", "", "P1", "neet"), (b"secret", "é.1", "P1", "neet"),
        ]
    ]  # fmt: skip

    assert opened == [key, None, None, None, None, None, None]


# Reading back


def test_each_kind_of_answer_is_recorded_with_who_when_and_the_file(council: Council) -> None:
    path = fill_in(council, {
        "0001": {"answer": "Done ", "answer_note": "Moved in"}, "P2": WAIVE, "P3": {"answer": "not ours"},
        "S1": {"answer": "the record is wrong", "answer_note": "=Lives with his aunt"},
    })  # fmt: skip

    taken = read(council, path, on=day(1))

    assert taken.in_words() == "4 answers recorded: 1 done, 1 waive until, 1 not ours, 1 the record is wrong"
    rows = council.rows("SELECT person_id, answer, list_as_at, answered_on, answered_by FROM answer ORDER BY person_id")
    assert rows[0] == ("0001", "done", "2026-01-12", "2026-01-13", "A Lead")
    (files,) = council.rows("SELECT DISTINCT file_sha256 FROM answer")
    assert files == (taken.file_sha256,)
    assert council.rows("SELECT person_id, until_on, waived_by, answer_id > 0 FROM waiver") == [
        ("P2", "2026-02-01", "A Lead", 1)
    ]
    night = "(SELECT max(id) FROM flag_event WHERE kind = 'message accepted')"
    kinds = council.rows(f"SELECT kind FROM flag_event WHERE id > {night} ORDER BY id")
    assert [kind for (kind,) in kinds] == ["answered"] * 4 + ["waived"]


def test_the_night_after_shows_what_was_answered_and_tells_the_analyst(council: Council) -> None:
    read(council, fill_in(council, {
        "0001": {"answer": "done"}, "P2": WAIVE,
        "S1": {"answer": "the record is wrong", "answer_note": "=Lives with his aunt"},
    }))  # fmt: skip

    night = council.night(day(1), PEOPLE)
    council.night(day(2), PEOPLE)

    assert night.states == {"open": 4, "waived": 1}
    assert council.flags()[("0001", "homeless")] == "open"
    rows = council.listed(day(1), "answers.csv")
    assert [(row["person_id"], row["answer"], row["note"], row["flag_state"]) for row in rows] == [
        ("S1", "the record is wrong", "'=Lives with his aunt", "open"),
        ("P2", "waive until", "Room agreed", "waived"),
        ("0001", "done", "", "open"),
    ]
    sheet = openpyxl.load_workbook(a_list(council, day(1)))["Flags"]
    why = find_columns(sheet)["why"]
    said = {row[0].value: row[why - 1].value for row in sheet.iter_rows(min_row=2)}
    assert said["0001"].endswith('. Answered "done" on 12/01/2026 by A Lead; record not yet updated.')
    assert said["P2"].startswith("Critical, waived until 01/02/2026. ")
    assert "nswered" not in said["P3"]
    (first,), (second,) = council.mail_to(ANALYST, day(1)), council.mail_to(ANALYST, day(2))
    for words in (first.text, first.html.replace("&#34;", '"')):
        assert 'Answered "the record is wrong" for 1 flag that still stands' in " ".join(words.split())
    assert "1 waive until" in section(first, "Changed since yesterday")
    assert "aunt" not in first.text + first.html
    # What a lead says is wrong stays until the record is put right, or the flag closes.
    assert 'Answered "the record is wrong" for 1 flag' in section(second, "Needs you")
    assert "Answers newly read" not in second.text
    assert "1 waiver is in force" in section(second, "All else")


def test_an_answer_on_a_later_list_takes_the_place_of_an_earlier_one(council: Council) -> None:
    read(council, fill_in(council, {"0001": {"answer": "done"}}))
    council.night(day(1), PEOPLE)

    read(
        council,
        fill_in(council, {"0001": {"answer": "not ours"}}, of=a_list(council, day(1)), to="two.xlsx"),
        on=day(1),
    )

    workspace = open_workspace()
    with council.open_database() as database, database.reading() as store:
        answers.load(workspace, store)
    assert workspace.execute("SELECT answer FROM lead_answer").fetchall() == [("not ours",)]
    late = fill_in(council, {"0001": {"answer": "done", "answer_note": "Really"}}, to="late.xlsx")
    assert problems(council, late, on=day(2)) == [
        'row 2, Answer: answered "not ours" already on 13 January 2026 by A Lead, on the list of 13 January 2026; '
        "to change that, answer it on the next list"
    ]


def test_a_workbook_that_is_filled_in_further_adds_what_is_new(council: Council) -> None:
    read(council, fill_in(council, {"0001": {"answer": "done"}}))

    taken = read(council, fill_in(council, {"0001": {"answer": "done"}, "P2": {"answer": "done"}}, to="more.xlsx"))

    assert (taken.counts, taken.repeated) == ({"done": 1}, 1)
    assert taken.in_words() == "1 answer recorded: 1 done; 1 recorded before"


def test_the_same_file_twice_is_refused_and_so_is_one_with_nothing_new(council: Council) -> None:
    path = fill_in(council, {"0001": {"answer": "done"}})
    read(council, path)

    (twice,) = problems(council, path)
    (again,) = problems(
        council,
        fill_in(
            council,
            {"0001": {"answer": "done"}},
            to="again.xlsx",
            change=lambda sheet: sheet.cell(9, 40, "saved again"),
        ),
    )
    (empty,) = problems(council, fill_in(council, {}, to="empty.xlsx"))

    assert twice.endswith("this very file was read on 12 January 2026 by A Lead; nothing is new")
    assert again.endswith("every answer in it was recorded before; there is nothing new to read")
    assert empty.endswith("holds no answer; fill in the column Answer, save it and read it again")


def test_everything_wrong_in_a_file_is_said_at_once_and_nothing_is_kept(known: Council) -> None:
    path = fill_in(known, {
        "0001": {"answer": "doen"},
        "P2": WAIVE | {"answer_until": dt.datetime(2026, 1, 12), "answer_reason": None},  # noqa: DTZ001
        "P3": {"answer": "done", "answer_until": "soon"},
        "S1": {"answer_note": "?"},
    })  # fmt: skip

    assert problems(known, path, by=" ") == [
        "--by: missing; give the name of who decided it",
        'row 2, Answer: "doen" is not an answer; did you mean "done"?',
        "row 3, Reason: missing; give one of under-way, waiting-for-others, their-choice, not-safe-now, "
        "system-cannot-record",
        "row 3, Until: 12 January 2026 is not to come; a waiver ends after today, 12 January 2026",
        'row 4, Until: only goes with "waive until"; empty it, or choose that answer',
        "row 5, Answer: missing, beside what is filled in; give one of done, waive until, not ours, "
        "the record is wrong, or empty the row",
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (WAIVE | {"answer_until": "31/02/2026"}, 'Until: "31/02/2026" is not a date; write it like 2026-03-31'),
        (WAIVE | {"answer_until": "1/3/26"}, 'Until: "1/3/26" is not a date'),
        (WAIVE | {"answer_until": "1/3/2026"}, '"under-way" is for 4 weeks at most, so until 9 February 2026'),
        (WAIVE | {"answer_note": None}, "Note: missing; say in a few words what was agreed"),
        (WAIVE | {"answer_reason": "under way"}, 'Reason: "under way" is not a reason code; did you mean'),
        ({"answer": "the record is wrong"}, "Note: missing; say what is wrong, and what would be right"),
        ({"answer": "done", "answer_note": "x" * 501}, "Note: 501 characters; 500 at most"),
        ({"answer": "#N/A"}, 'Answer: "#N/A" is not an answer'),
        ({"answer": True}, 'Answer: "true" is not an answer'),
    ],
)
def test_a_bad_answer_is_said_with_its_row_column_and_what_would_be_right(
    known: Council, answer: dict[str, Any], words: str
) -> None:
    found = problems(known, fill_in(known, {"P2": answer, "P3": {"answer": "done"}}))

    assert len(found) == 1
    assert found[0].startswith("row 3, ")
    assert words in found[0]


def test_a_date_typed_as_text_is_understood(council: Council) -> None:
    read(council, fill_in(council, {"P2": WAIVE | {"answer_until": " 01/02/2026"}}))

    assert council.rows("SELECT until_on FROM waiver") == [("2026-02-01",)]


def swap_answers(sheet: Any) -> None:
    """The keys of two rows, as when a part of the columns is sorted."""
    key = find_columns(sheet)["key"]
    first, second = sheet.cell(2, key), sheet.cell(3, key)
    first.value, second.value = second.value, first.value


def rewrite(column: str, value: str | None) -> Change:
    def change(sheet: Any) -> None:
        sheet.cell(2, find_columns(sheet)[column]).value = value

    return change


def add_a_row(sheet: Any) -> None:
    row = {"person_id": "P9", "rule": "homeless", "answer": "done"}
    sheet.append({at: row.get(name) for name, at in find_columns(sheet).items()})


def copy_a_row(sheet: Any) -> None:
    sheet.append([cell.value for cell in sheet[2]])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (swap_answers, {2: "Key: does not belong to this row", 3: "Key: does not belong to this row"}),
        (rewrite("person_id", "P9"), {2: "Key: does not belong to this row"}),
        (rewrite("rule", "neet"), {2: "Key: does not belong to this row"}),
        (rewrite("key", None), {2: "Key: missing"}),
        (rewrite("key", "1.20260112.0000000000.aaaa"), {2: "Key: does not belong to this row"}),
        (add_a_row, {6: "Key: missing; the row was added by hand"}),
        (copy_a_row, {6: "Key: the flag is answered in row 2 too; keep one of the two"}),
    ],
)
def test_a_row_that_was_tampered_with_is_named(known: Council, change: Change, found: dict[int, str]) -> None:
    path = fill_in(known, {"0001": {"answer": "done"}, "P2": {"answer": "done"}}, change=change)

    said = problems(known, path)

    assert len(said) == len(found)
    for problem, (row, words) in zip(said, found.items(), strict=True):
        assert problem.startswith(f"row {row}, {words}")


def reorder(sheet: Any) -> None:
    """Whole rows turned round, as by sorting."""
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    for number, values in enumerate(reversed(rows), start=2):
        for column, value in enumerate(values, start=1):
            sheet.cell(number, column).value = value


def call_as_before(sheet: Any) -> None:
    """As an older workbook has it: the names of the columns for headings, the answers behind the others."""
    columns = sorted(find_columns(sheet).items(), key=lambda column: column[0].startswith("answer"))
    rows = [[row[at - 1].value for _, at in columns] for row in sheet.iter_rows(min_row=2)]
    for number, values in enumerate([[name for name, _ in columns], *rows], start=1):
        for column, value in enumerate(values, start=1):
            sheet.cell(number, column).value = value


@pytest.mark.parametrize("change", [reorder, call_as_before])
def test_rows_may_be_sorted_and_columns_moved_or_called_as_before(known: Council, change: Change) -> None:
    path = fill_in(known, {"0001": {"answer": "done"}, "P2": {"answer": "not ours"}}, change=change)

    taken = read(known, path, dry_run=True)

    assert taken.counts == {"done": 1, "not ours": 1}
    assert known.rows("SELECT count(*) FROM answer") == [(0,)]
    assert taken.in_words() == "2 answers would be recorded; nothing was: 1 done, 1 not ours"


def test_a_flag_that_was_resolved_or_changed_since_the_list_is_not_answered(council: Council) -> None:
    path = fill_in(council, {"0001": {"answer": "done"}, "P2": {"answer": "done"}, "P3": {"answer": "done"}})
    sheltered = homeless("P2") | {"accommodation": "V: Emergency accommodation"}
    council.night(day(1), [settled("0001"), sheltered, *PEOPLE[2:]])

    found = problems(council, path, on=day(1))

    assert found[0] == (
        "row 2, Answer: the flag was resolved on 13 January 2026 (cleared), since the list of 12 January 2026; "
        "empty the row's answer"
    )
    assert found[1].startswith("row 3, Answer: ")
    assert (
        found[1].endswith("since the list of 12 January 2026; answer it on the newest list") or "resolved" in found[1]
    )
    assert len(found) == 2


def test_a_list_that_is_too_old_is_not_answered(known: Council) -> None:
    path = fill_in(known, {"P2": {"answer": "done"}})

    assert read(known, path, on=day(14), dry_run=True).counts == {"done": 1}
    assert problems(known, path, on=day(15)) == [
        "row 3, Key: the list is of 12 January 2026, 11 working days ago, and lists are taken within 10; "
        "answer it on the newest list"
    ]


def test_a_flag_that_is_waived_is_not_waived_again(council: Council) -> None:
    flag = table_of(Flag)
    with council.open_database() as database, database.writing() as store:
        found = store.execute(select(flag).where(flag.c.person_id == "P2")).one()
        terms = waiver_request.Terms(day(20), "under-way", "Agreed", "A Manager")
        waiver_request.record(store, found, terms, Stamp(NIGHT, council.clock))

    found_wrong = problems(council, fill_in(council, {"P2": WAIVE}))

    assert found_wrong == [
        "row 3, Answer: waived already until 1 February 2026 (under-way) by A Manager; to change that, end it first "
        "with: monitor unwaive"
    ]


def test_restricted_people_are_in_no_workbook(known: Council) -> None:
    cells = [cell.value for row in openpyxl.load_workbook(a_list(known))["Flags"].iter_rows() for cell in row]

    assert "P2" in cells
    assert "R1" not in cells


# The command


def test_the_command_says_where_a_file_is_wrong(council: Council) -> None:
    path = fill_in(council, {"P2": {"answer": "doen"}})

    wrong = monitor(council.folder, "answers", str(path))
    csv = monitor(council.folder, "answers", "list-9.csv", "--by", "A Lead")
    none = monitor(council.folder, "answers", "nothing.xlsx", "--by", "A Lead")
    with working_store(locate(load_config(council.config_path), {})):
        held = monitor(council.folder, "answers", str(path), "--by", "A Lead")

    assert [done.returncode for done in (wrong, csv, none, held)] == [2, 2, 2, 4]
    assert "--by: missing; give the name of who decided it" in wrong.stderr
    assert 'back.xlsx: sheet "Flags", row 3, Answer: "doen" is not an answer; did you mean "done"?' in wrong.stderr
    assert "list-9.csv: " in csv.stderr
    assert f"nothing.xlsx: cannot be read ({NO_SUCH_FILE})" in none.stderr


def test_a_workbook_of_another_kind_is_refused_by_what_it_lacks(known: Council) -> None:
    book = openpyxl.Workbook()
    book.save(known.folder / "other.xlsx")
    book.active.title = "Flags"
    book.active.append(["person_id", "rule", "answer"])
    book.save(known.folder / "flags.xlsx")

    said = {}
    for name in ("other.xlsx", "flags.xlsx"):
        with pytest.raises(Problems) as caught:
            answer_sheet.read(known.folder / name)
        said[name] = str(caught.value)

    assert 'no sheet "Flags"; its sheets are "Sheet"' in said["other.xlsx"]
    assert "row 1: no column Until, Reason, Note, Key" in said["flags.xlsx"]


def test_an_export_can_be_answered_too_and_json_counts(council: Council) -> None:
    with council.open_database() as database, database.writing() as store:  # the list of today, whatever today is
        store.execute(text("UPDATE run SET as_at = :today"), {"today": today().isoformat()})
    monitor(council.folder, "export", "--format", "xlsx", "--output", "mine.xlsx", "--team", "South")
    path = fill_in(council, {"S1": {"answer": "done"}}, of=council.folder / "mine.xlsx")

    done = monitor(council.folder, "answers", str(path), "--by", "A Lead", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answers"] == {"done": 1}
