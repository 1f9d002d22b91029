"""Files as people save them: each kind of fault in each layout, and what came of reading it.

Every file holds the same invented people. A fault changes their rows, and says what the rows then mean: ``truth`` is
each person's value by column, where a person looking at the file would see one. What is read is *right*, the whole file
is *refused*, or what is not read is *listed*. Anything else is silently wrong.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from support.binary_workbooks import Block, Cell, Failed, Formula
from support.odd_workbooks import WRITERS, write_csv

from monitor.caseload.intake import read_caseload
from monitor.config.settings import load_config
from monitor.errors import MonitorError
from monitor.sources.extract import SourceContext
from monitor.workspace import fetch, open_workspace

NIGHT = dt.date(2026, 1, 5)
PEOPLE = 24

HEADINGS: Mapping[str, str] = {
    "person_id": "Child Unique ID", "": "Gender", "date_of_birth": "Date of Birth",
    "uasc": "Unaccompanied Asylum Seeking Child (UASC)", "disability": "Does the Child have a Disability",
    "allocated_team": "Allocated Team", "allocated_worker": "Allocated Worker",
    "personal_adviser": "Allocated Personal Adviser", "eligibility": "Eligibility Category",
    "pathway_plan_review_date": "Latest Pathway Plan Review Date", "in_touch": "LA in Touch",
    "latest_contact_date": "Latest Date of Contact", "accommodation": "Type of Accommodation",
    "accommodation_suitable": "Suitability of Accommodation", "activity": "Activity Status",
}  # fmt: skip
DATES = ("date_of_birth", "pathway_plan_review_date", "latest_contact_date")
THIRTEEN = ("", "uasc")
"""The columns that the layout of thirteen does not have."""

Row = dict[str, Cell]
EITHER = "either of two, so that neither is believed"
Truth = dict[str, dict[str, Any]]


@dataclass
class Sheet:
    """The people's rows by column, other rows beneath them, merged blocks, and what it all means.

    ``twin``: an id that is perhaps another spelling of one of theirs, so that its row must be listed. ``may_be``: what
    may come of it beside *right*. ``headings``: other headings than the usual ones.
    """

    rows: list[Row]
    truth: Truth
    beneath: list[Sequence[Cell]] = field(default_factory=list)
    merged: list[tuple[int, str, int, str]] = field(default_factory=list)
    calculated: bool = True
    cut: dict[int, int] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=lambda: HEADINGS)
    twin: str | None = None
    may_be: tuple[str, ...] = ()


def people() -> Sheet:
    rows: list[Row] = []
    truth: Truth = {}
    for number in range(PEOPLE):
        person_id = str(7_000_001 + 37 * number)
        born = dt.date(2003 + number % 6, 1 + number % 12, 1 + (7 * number) % 28)
        contact = NIGHT - dt.timedelta(3 + 11 * number) if number % 8 != 7 else None
        plan = NIGHT - dt.timedelta(20 + 13 * number) if number % 9 != 8 else None
        values = {
            "date_of_birth": born,
            "uasc": number % 5 == 0,
            "disability": number % 4 == 0,
            "allocated_team": "Leaving Care North" if number % 2 else "Leaving Care South",
            "allocated_worker": f"Worker {number % 6}",
            "personal_adviser": f"Zo\u00eb Adviser {'ABCDEFG'[number % 7]}" if number % 10 != 9 else None,
            "eligibility": "former relevant" if born <= dt.date(2008, 1, 5) else "relevant",
            "pathway_plan_review_date": plan,
            "in_touch": "YES" if number % 6 else "NO",
            "latest_contact_date": contact,
            "accommodation": "U" if number % 3 else "D",
            "accommodation_suitable": number % 7 != 0,
            "activity": "F2" if number % 2 else "G5",
        }
        truth[person_id] = values
        rows.append(
            {
                **{name: value for name, value in values.items() if not isinstance(value, bool)},
                "person_id": person_id,
                "": "a) Male",
                "uasc": "a) Yes" if values["uasc"] else "b) No",
                "disability": "a) Yes" if values["disability"] else "b) No",
                "eligibility": {"former relevant": "b) Former relevant child", "relevant": "a) Relevant child"}[
                    str(values["eligibility"])
                ],
                "in_touch": "a) Yes" if values["in_touch"] == "YES" else "b) No",
                "accommodation": "U: Independent living" if values["accommodation"] == "U"
                else "D: Semi-independent, transitional accommodation",
                "accommodation_suitable": "a) Suitable" if values["accommodation_suitable"] else "b) Unsuitable",
                "activity": "F2: Full time in education other than higher" if values["activity"] == "F2"
                else "G5: Not in education, employment or training",
            }
        )  # fmt: skip
    return Sheet(rows, truth)


# Kinds of faults

Fault = Callable[[Sheet], None]
FAULTS: dict[str, Fault] = {}
ONLY: dict[str, tuple[str, ...]] = {}
"""The kinds of files that can hold a fault, where not all can."""
WORKBOOKS = tuple(WRITERS)


def fault(name: str, *, only: tuple[str, ...] = ()) -> Callable[[Fault], Fault]:
    def keep(made: Fault) -> Fault:
        FAULTS[name] = made
        if only:
            ONLY[name] = only
        return made

    return keep


@fault("nothing")
def _nothing(sheet: Sheet) -> None:
    pass


@fault("formulas without results", only=WORKBOOKS)
def _formulas(sheet: Sheet) -> None:
    for number, row in enumerate(sheet.rows):
        if number % 3 == 0:
            row["latest_contact_date"] = Formula()
        if number == 5:
            row["personal_adviser"] = Formula()
    sheet.calculated = False
    sheet.may_be = ("listed",)


@fault("formulas with a result of nought that nobody calculated", only=(".xlsx", ".xls", ".xlsb"))
def _noughts(sheet: Sheet) -> None:
    for row in sheet.rows[:8]:
        row["latest_contact_date"] = Formula(0)
    sheet.rows[9]["in_touch"] = Formula(0)
    sheet.calculated = False
    sheet.may_be = ("listed",)


@fault("formulas with their results", only=WORKBOOKS)
def _calculated(sheet: Sheet) -> None:
    for row in sheet.rows[:8]:
        row["personal_adviser"] = Formula(None if row["personal_adviser"] is None else str(row["personal_adviser"]))


@fault("a team merged down its rows", only=WORKBOOKS)
def _merged_down(sheet: Sheet) -> None:
    for first in (2, 10):
        sheet.merged.append((first, "allocated_team", first + 4, "allocated_team"))
        for number in range(first, first + 5):
            sheet.truth[str(sheet.rows[number]["person_id"])]["allocated_team"] = "Leaving Care North"
            sheet.rows[number]["allocated_team"] = None
        sheet.rows[first]["allocated_team"] = "Leaving Care North"


@fault("cells merged across columns", only=WORKBOOKS)
def _merged_across(sheet: Sheet) -> None:
    sheet.merged.append((4, "allocated_team", 6, "personal_adviser"))
    for number in range(4, 7):
        for name in ("allocated_team", "allocated_worker", "personal_adviser"):
            if (number, name) != (4, "allocated_team"):
                sheet.rows[number][name] = None
    sheet.may_be = ("listed",)


@fault("formulas that failed")
def _failed(sheet: Sheet) -> None:
    for number, row in enumerate(sheet.rows):
        if number % 4 == 1:
            row["personal_adviser"] = Failed()
        if number % 7 == 2:
            row["latest_contact_date"] = row["accommodation"] = row["eligibility"] = row["allocated_team"] = Failed()
    sheet.may_be = ("listed",)


@fault("an id whose lookup failed")
def _failed_id(sheet: Sheet) -> None:
    sheet.rows[3]["person_id"] = Failed()
    sheet.may_be = ("listed",)


@fault("rows cut short", only=(".csv",))
def _cut(sheet: Sheet) -> None:
    sheet.cut = {4: 6, 11: 11, 23: 12}
    sheet.may_be = ("listed",)


@fault("totals beneath the list")
def _totals(sheet: Sheet) -> None:
    sheet.beneath = [["Total", PEOPLE], ["Average age", None, 19.4], ["Count", None, PEOPLE, None, 4], ["Grand total"]]
    sheet.may_be = ("listed",)


@fault("totals between the teams")
def _subtotals(sheet: Sheet) -> None:
    for at in (16, 8):
        sheet.rows.insert(at, {"person_id": "Leaving Care North", "allocated_team": "8", "personal_adviser": None})
    sheet.rows.insert(4, {"person_id": "Subtotal: 4", "in_touch": "3"})
    sheet.may_be = ("listed",)


@fault("notes beneath the list")
def _notes(sheet: Sheet) -> None:
    sheet.beneath = [
        [], ["Report run on 05/01/2026 by J Smith"], ["Filter: Team = All; Status = Open"],
        ["Report run on", "05/01/2026", dt.date(2026, 1, 5)], ["Printed 05/01/2026 08:14", None, "Page 1 of 1"],
        ["End of report"], ["7000002 rows"], ["*** END ***"],
    ]  # fmt: skip
    sheet.may_be = ("listed",)


@fault("the headings again half way down")
def _headings_again(sheet: Sheet) -> None:
    sheet.rows.insert(12, dict(sheet.headings))
    sheet.may_be = ("listed",)


@fault("names beside the ids")
def _named_ids(sheet: Sheet) -> None:
    for number, row in enumerate(sheet.rows):
        row["person_id"] = f"{row['person_id']} (A Smith{number})"
    sheet.may_be = ("listed", "refused")


@fault("names before some ids")
def _some_named_ids(sheet: Sheet) -> None:
    for number in (2, 7, 13):
        sheet.rows[number]["person_id"] = f"Smith, Ann - {sheet.rows[number]['person_id']}"
    sheet.may_be = ("listed", "refused")


@fault("ids as formulas in quotation marks")
def _quoted_ids(sheet: Sheet) -> None:
    for row in sheet.rows:
        row["person_id"] = f'="{row["person_id"]}"'


@fault("ids with marks that nobody sees")
def _marked_ids(sheet: Sheet) -> None:
    for number, row in enumerate(sheet.rows):
        first, last = (("\u200e", ""), ("", "\u200b"), ("\ufeff", ""), ("\u00a0", " "), ("", "\u200f"))[number % 5]
        row["person_id"] = f"{first}{row['person_id']}{last}"


@fault("ids as numbers with a point", only=(".csv",))
def _pointed_ids(sheet: Sheet) -> None:
    for row in sheet.rows:
        row["person_id"] = f"{row['person_id']}.0"


@fault("ids as numbers", only=WORKBOOKS)
def _number_ids(sheet: Sheet) -> None:
    for row in sheet.rows:
        row["person_id"] = int(str(row["person_id"]))


@fault("ids that a spreadsheet has rounded", only=(".csv",))
def _rounded_ids(sheet: Sheet) -> None:
    for row in sheet.rows[:5]:
        row["person_id"] = "7.00E+06"
    sheet.may_be = ("listed", "refused")


@fault("one id spelt in two ways")
def _two_spellings(sheet: Sheet) -> None:
    again = dict(sheet.rows[3])
    again["person_id"] = sheet.twin = f"0{again['person_id']}"
    sheet.rows.append(again)
    sheet.may_be = ("listed", "refused")


@fault("one id with two birth dates")
def _two_births(sheet: Sheet) -> None:
    again = dict(sheet.rows[3])
    again["date_of_birth"] = dt.date(2004, 11, 30)
    sheet.rows.append(again)
    sheet.truth[str(again["person_id"])]["date_of_birth"] = EITHER
    sheet.may_be = ("listed", "refused")


@fault("the same rows twice")
def _twice(sheet: Sheet) -> None:
    sheet.rows += [dict(row) for row in sheet.rows[:5]]


def _write_dates(sheet: Sheet, write: Callable[[dt.date], Cell], names: Sequence[str] = DATES) -> None:
    for row in sheet.rows:
        for name in names:
            value = row.get(name)
            if isinstance(value, dt.date):
                row[name] = write(value)


@fault("dates month first as text")
def _month_first(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: f"{day:%m/%d/%Y}")
    sheet.may_be = ("listed", "refused")


@fault("one column of dates month first")
def _one_month_first(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: f"{day:%m/%d/%Y}", ("latest_contact_date",))
    sheet.may_be = ("listed", "refused")


@fault("dates flipped by Excel where they could be", only=WORKBOOKS)
def _flipped(sheet: Sheet) -> None:
    """What becomes of day-first texts that are opened where months come first."""
    _write_dates(sheet, lambda day: day.replace(month=day.day, day=day.month) if day.day <= 12 else f"{day:%d/%m/%Y}")
    sheet.may_be = ("listed", "refused")


@fault("dates flipped the other way", only=WORKBOOKS)
def _flipped_back(sheet: Sheet) -> None:
    """What becomes of month-first texts that are opened where days come first."""
    _write_dates(sheet, lambda day: day.replace(month=day.day, day=day.month) if day.day <= 12 else f"{day:%m/%d/%Y}")
    sheet.may_be = ("listed", "refused")


@fault("years in two digits")
def _two_digits(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: f"{day:%d-%b-%y}")
    sheet.may_be = ("listed", "refused")


@fault("years in two digits between strokes")
def _two_digits_again(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: f"{day:%d/%m/%y}")
    sheet.may_be = ("listed", "refused")


@fault("dates as the numbers of days")
def _serial(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: (day - dt.date(1899, 12, 30)).days)


@fault("dates with a time")
def _with_time(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: f"{day:%d/%m/%Y} 00:00:00")


@fault("dates with the day's name")
def _with_day_name(sheet: Sheet) -> None:
    _write_dates(sheet, lambda day: f"{day:%A} {day.day} {day:%B %Y}")


@fault("dates that stand for none")
def _sentinels(sheet: Sheet) -> None:
    for number in (1, 2, 3):
        row = sheet.rows[number]
        row["latest_contact_date"] = ["01/01/1900", "00/01/1900", "1900-01-01"][number - 1]
        sheet.truth[str(row["person_id"])]["latest_contact_date"] = None


@fault("a contact that is still to come")
def _future(sheet: Sheet) -> None:
    sheet.rows[1]["latest_contact_date"] = dt.date(2026, 12, 1)
    sheet.may_be = ("listed",)


NOBODY = (
    "Vacant", "VACANT POST", "TBC", "Unallocated", "Not yet allocated", "Duty", "Duty worker", "N/K", "No PA", "None",
    "Awaiting allocation", "xxx", "-", "To be confirmed", "Unknown", "Pending", "PA Team", "Leaving Care Team",
)  # fmt: skip


@fault("words for nobody among the advisers")
def _nobody(sheet: Sheet) -> None:
    for number, words in enumerate(NOBODY):
        sheet.rows[number]["personal_adviser"] = words
        sheet.truth[str(sheet.rows[number]["person_id"])]["personal_adviser"] = None


@fault("the team's name for an adviser")
def _team_as_adviser(sheet: Sheet) -> None:
    for row in sheet.rows[:6]:
        row["personal_adviser"] = str(row["allocated_team"])
        sheet.truth[str(row["person_id"])]["personal_adviser"] = None


@fault("a heading with nothing under it")
def _blank_column(sheet: Sheet) -> None:
    for row in sheet.rows:
        row["latest_contact_date"] = None
    sheet.may_be = ("listed", "refused")


@fault("words that are no code")
def _unread(sheet: Sheet) -> None:
    for number, row in enumerate(sheet.rows[:6]):
        row["in_touch"] = ["Sort of", "See notes", "Y?", "Yes but no", "??", "9"][number]
    sheet.rows[7]["accommodation"] = "At a friend's, maybe"
    sheet.rows[8]["eligibility"] = "Was looked after"
    sheet.rows[9]["activity"] = "Busy"
    sheet.may_be = ("listed",)


@fault("headings of another system")
def _headings(sheet: Sheet) -> None:
    sheet.headings = {
        **HEADINGS, "person_id": "LCS ID", "date_of_birth": "DoB", "accommodation": "AccomodationType",
        "pathway_plan_review_date": "ReviewDate", "personal_adviser": "Personal Advisor",
    }  # fmt: skip
    sheet.may_be = ("listed", "refused")


@fault("headings of one's own")
def _own_headings(sheet: Sheet) -> None:
    sheet.headings = {
        **HEADINGS, "latest_contact_date": "Last seen on", "personal_adviser": "Key person", "": "Review Due Date",
    }  # fmt: skip
    sheet.may_be = ("listed", "refused")


@fault("spaces around everything")
def _spaces(sheet: Sheet) -> None:
    for row in sheet.rows:
        for name, cell in row.items():
            if isinstance(cell, str):
                row[name] = f" \u00a0{cell}  "


# Layouts


@dataclass(frozen=True)
class Layout:
    """How a list is laid out and saved. ``above``: rows above the headings; ``gaps``: blank rows within the list."""

    name: str
    suffix: str
    delimiter: str = ","
    encoding: str = "utf-8"
    above: tuple[Sequence[Cell], ...] = ()
    gaps: int = 0
    without: tuple[str, ...] = ()


TITLES: tuple[Sequence[Cell], ...] = (["Annex A: care leavers"], ["As at 5 January 2026", None, "Confidential"])
LAYOUTS = (
    Layout("csv", ".csv"),
    Layout("csv with semicolons in Windows-1252", ".csv", ";", "cp1252"),
    Layout("csv with tabs in UTF-16", ".csv", "\t", "utf-16"),
    Layout("csv beneath two titles", ".csv", encoding="utf-8-sig", above=(*TITLES, [])),
    Layout("csv with blank rows", ".csv", gaps=7),
    Layout("xlsx", ".xlsx"),
    Layout("xlsx beneath titles", ".xlsx", above=(*TITLES, [], ["Leaving care service"], [])),
    Layout("xlsx of thirteen columns with blank rows", ".xlsx", gaps=5, without=THIRTEEN),
    Layout("xls", ".xls"),
    Layout("xls beneath titles", ".xls", above=TITLES),
    Layout("xlsb", ".xlsb"),
    Layout("ods", ".ods"),
    Layout("ods beneath titles with blank rows", ".ods", above=TITLES, gaps=9),
)


@dataclass(frozen=True)
class Case:
    """One file of the corpus."""

    fault: str
    layout: Layout

    @property
    def name(self) -> str:
        return f"{self.fault}, {self.layout.name}"

    def make(self) -> Sheet:
        sheet = people()
        FAULTS[self.fault](sheet)
        columns = set(self.layout.without)
        sheet.truth = {
            person: {name: value for name, value in values.items() if name not in columns}
            for person, values in sheet.truth.items()
        }
        return sheet

    def write(self, folder: Path, sheet: Sheet) -> Path:
        names = [name for name in HEADINGS if name not in self.layout.without]
        rows: list[Sequence[Cell]] = [*self.layout.above, [sheet.headings[name] for name in names]]
        at: list[int] = []
        for number, row in enumerate(sheet.rows):
            if self.layout.gaps and number and not number % self.layout.gaps:
                rows.append([])
            at.append(len(rows))
            rows.append([row.get(name) for name in names][: sheet.cut.get(number)])
        rows += sheet.beneath
        path = folder / f"list{self.layout.suffix}"
        if self.layout.suffix == ".csv":
            return write_csv(path, rows, delimiter=self.layout.delimiter, encoding=self.layout.encoding)
        merged: list[Block] = [
            (at[top], names.index(left), at[bottom], names.index(right)) for top, left, bottom, right in sheet.merged
        ]
        return WRITERS[self.layout.suffix](path, rows, merged=merged, calculated=sheet.calculated)


def cases() -> Iterator[Case]:
    for name in FAULTS:
        for layout in LAYOUTS:
            if layout.suffix in ONLY.get(name, (layout.suffix,)) and _can_hold(name, layout):
                yield Case(name, layout)


def _can_hold(name: str, layout: Layout) -> bool:
    # Windows-1252 has no marks that nobody sees.
    return not (name == "ids with marks that nobody sees" and layout.encoding == "cp1252")


# What came of it

CONFIG = """
authority = "Exampleshire"
data_folder = "data"
[[sources]]
name = "caseload"
kind = "annex-a-list-9"
path = "{file}"
"""


@dataclass(frozen=True)
class Outcome:
    """``word``: right, refused, listed or wrong; ``why``: what is silently wrong, or the refusal."""

    word: str
    why: tuple[str, ...] = ()


def judge(case: Case, folder: Path, sheet: Sheet | None = None) -> Outcome:
    """Write the case's file, read it as a night would, and judge what came of it."""
    sheet = sheet or case.make()
    path = case.write(folder, sheet)
    config = folder / "monitor.toml"
    config.write_text(CONFIG.format(file=path.name), encoding="utf-8")
    workspace = open_workspace()
    try:
        read = read_caseload(workspace, load_config(config), SourceContext(NIGHT, folder / "data"))
    except MonitorError as refusal:
        found = Outcome("refused", (str(refusal),))
    else:
        people = {row["person_id"]: row for row in fetch(workspace, "SELECT * FROM tonight")}
        listed = fetch(workspace, 'SELECT "row", "column", reason FROM unreadable')
        told = [*read.intake.notes, *(f"{one.column} is empty" for one in read.intake.empty)]
        found = _compare(sheet, people, listed, told)
    finally:
        workspace.close()
    if found.word in ("right", "wrong", *sheet.may_be):
        return found
    return replace(found, word="wrong", why=(f"{found.word}, and should be right: {'; '.join(found.why[:3])}",))


def _compare(
    sheet: Sheet, people: Mapping[str, Mapping[str, Any]], listed: Sequence[Mapping[str, Any]], told: Sequence[str]
) -> Outcome:
    missing = sheet.truth.keys() - people.keys()
    rows_listed = sum(one["column"] == "" for one in listed)
    strangers = people.keys() - sheet.truth.keys() - ({sheet.twin} if rows_listed else set())
    wrong = [f"{person}: nobody of that id in the file" for person in strangers]
    if len(missing) > rows_listed:
        wrong.append(f"{len(missing)} people are missing and {rows_listed} rows are listed")
    losses: list[str] = [f"{person} is not read" for person in missing]
    losses += [f"{sheet.twin} may be a second spelling"] if sheet.twin in people and rows_listed else []
    for person, values in sheet.truth.items():
        for name, value in values.items() if person in people else ():
            read, gap = people[person][name], people[person][f"{name}_gap"]
            if gap is None and read == value:
                continue
            mentioned = any(one["column"] == name for one in listed) or any(name in line for line in told)
            mentioned = mentioned or (value == EITHER and any(one["column"] == "" for one in listed))
            headed = any(sheet.headings[name] in line for line in told)
            if (gap == "unreadable" and mentioned) or (gap == "not supplied" and (mentioned or headed)):
                losses.append(f"{person}: {name}: {gap}")
            elif gap is None and read is None and f"{name} is empty" in told:
                losses.append(f"{person}: {name} is empty, and the gate is told")
            else:
                wrong.append(f"{person}: {name}: {value!r} was read as {read!r} ({gap})")
    if wrong:
        return Outcome("wrong", tuple(wrong))
    return Outcome("listed", tuple(losses)) if losses else Outcome("right")
