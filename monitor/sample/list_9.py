"""Writes a List 9 workbook of invented people, with the mess that real workbooks have.

Nobody in it exists: see ``monitor.sources.invented``. It is for trying the monitor out, for tests and for
benchmarks, and it is read back exactly as a council's own workbook would be.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from monitor.catalogue.columns import ACCOMMODATION, ACTIVITY
from monitor.catalogue.dictionary import TEXT_STAYS_TEXT
from monitor.errors import Problems
from monitor.files import make_private_folder, written_whole
from monitor.sample.people import Record, check_day, record

if TYPE_CHECKING:
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

HEADINGS = (
    "Child Unique ID", "Gender", "Ethnicity", "Date of Birth", "Age",
    "Unaccompanied Asylum Seeking\nChild (UASC), or formerly\nUASC if 18 or over (Y/N)",
    "Does the Child have a Disability", "Allocated Team", "Allocated Worker", "Allocated Personal Advisor",
    "Eligibility Category", "Latest Pathway Plan Review Date", "LA in Touch", "Latest Date\nof Contact",
    "Type of Accommodation", "Suitability of Accommodation", "Activity Status", "Local notes flag",
)  # fmt: skip
OTHER_SHEETS = {
    "List 1": ("Child Unique ID", "Gender", "Ethnicity", "Date of Birth", "Date of Contact", "Contact Source"),
    "List 8": ("Child Unique ID", "Gender", "Ethnicity", "Date of Birth", "Date Started to be Looked After"),
    "List 10": ("Individual adopter identifier", "Family identifier", "Gender", "Ethnicity", "Date of Birth"),
}
(
    PERSON_ID, GENDER, ETHNICITY, BORN, AGE, UASC, DISABILITY, TEAM, WORKER, ADVISER, ELIGIBILITY, PLAN,
    IN_TOUCH, CONTACT, ACCOMMODATION_TYPE, SUITABILITY, ACTIVITY_STATUS, NOTES,
) = range(len(HEADINGS))  # fmt: skip
DATES = frozenset((BORN, PLAN, CONTACT))
FILLER_ROWS = 25
MOST_SHEET_ROWS = 1_048_576
NOBODY_1900 = date(1900, 1, 1).toordinal()

Cell = str | int | float | None
"""What a cell holds; in a date column an ``int`` is a date's ordinal."""

ELIGIBILITY_FORMS = {
    "relevant": "a) Relevant child",
    "former relevant": "b) Former relevant child",
    "qualifying": "c) Qualifying care leaver",
    "eligible": "d) Eligible child",
    "no current eligibility": "No Current Eligibility",
}
IN_TOUCH_FORMS = {
    "YES": "a) Yes", "NO": "b) No", "DIED": "c) Died",
    "REFU": "d) Refu", "NREQ": "e) NREQ", "RHOM": "f) Rhom",
}  # fmt: skip
ACCOMMODATION_FORMS = {code: f"{code}: {text}" for code, text in ACCOMMODATION.items()} | {
    "S": "S: No fixed abode",
    "B": "B: Parents/relatives",
}
ACTIVITY_FORMS = {code: f"{code}: {text}" for code, text in ACTIVITY.items()}
YES_NO = {True: "a) Yes", False: "b) No", None: "c) Unknown"}
SUITABILITY_FORMS = {True: "a) Suitable", False: "b) Unsuitable"}

SPOILT: dict[str, tuple[int, str]] = {
    "plan": (PLAN, "31/02/2025"),
    "contact": (CONTACT, "see case note"),
    "accommodation": (ACCOMMODATION_TYPE, "#MULTIVALUE"),
    "activity": (ACTIVITY_STATUS, "Other"),
    "in_touch": (IN_TOUCH, "Care Leaver Details Not Recorded"),
}
"""What an unreadable cell says, by what it should have held."""
ALWAYS_SPOILT: dict[int, tuple[int, str]] = {
    23: (PLAN, "31/02/2025"),
    31: (ACCOMMODATION_TYPE, "#MULTIVALUE"),
    38: (ACCOMMODATION_TYPE, "Code 'S' is not mapped"),
    47: (IN_TOUCH, "Care Leaver Details Not Recorded"),
    52: (ELIGIBILITY, "Other - under 16"),
    61: (ACTIVITY_STATUS, "Other"),
    66: (CONTACT, "TBC"),
}
"""The same, on every day, for whoever holds these places."""
TWICE, TWICE_OTHERWISE, BORN_BLANK, CONTACT_TOMORROW, CUSTODY_CALLED_SUITABLE = 74, 83, 95, 102, 108


def write_sample(path: Path, *, people: int, as_at: date, seed: int) -> Path:
    """Write the caseload of about ``people`` invented people as it stands on ``as_at``; returns ``path``.

    An ``.xlsx`` or a ``.csv``, by the suffix. The same arguments always give the same bytes. A few of the
    places are empty on any one day, so the count of rows is within about 2% of ``people``.
    """
    suffix = path.suffix.lower()
    if suffix not in (".xlsx", ".csv"):
        raise Problems([f"{path.name}: a sample is an .xlsx, a .csv or a .parquet; name one of those"])
    if suffix == ".xlsx" and people > MOST_SHEET_ROWS * 0.98:
        raise Problems([f"{path.name}: {people} people do not fit on a worksheet; name a .csv"])
    check_day(as_at)
    make_private_folder(path.absolute().parent)
    rows = sample_rows(people=people, as_at=as_at, seed=seed)
    with written_whole(path) as unfinished:
        if suffix == ".csv":
            _write_csv(unfinished, rows)
        else:
            _write_xlsx(unfinished, rows, as_at=as_at, large=people > 20_000)
    return path


def sample_rows(*, people: int, as_at: date, seed: int) -> Iterator[list[Cell]]:
    """Return the rows under the headings, trailing filler included."""
    rng = Random()  # noqa: S311 - invented people, not secrets
    today = as_at.toordinal()
    for place in range(people):
        if known := record(rng, seed=seed, place=place, day=today):
            yield from _rows_about(known, today)
    if people > TWICE_OTHERWISE and (nameless := record(rng, seed=seed, place=people + 1, day=today)):
        yield [None, *_row(nameless, today)[1:]]
    for _ in range(FILLER_ROWS):
        yield ["-"] * len(HEADINGS)


def _rows_about(known: Record, today: int) -> Iterator[list[Cell]]:
    """One row, or for a few places the second one that a careless join adds."""
    row = _row(known, today)
    yield row
    if known.place == TWICE:
        yield list(row)
    elif known.place == TWICE_OTHERWISE:
        older = list(row)
        older[CONTACT] = known.born_on + 16 * 366
        older[ACCOMMODATION_TYPE] = ACCOMMODATION_FORMS["K"]
        older[SUITABILITY] = SUITABILITY_FORMS[False]
        yield older


def _row(known: Record, today: int) -> list[Cell]:
    place = known.place
    row: list[Cell] = [
        known.person_id,
        known.gender,
        known.ethnicity,
        known.born_on,
        round((today - known.born_on) / 365.25, 3),
        YES_NO[known.uasc],
        YES_NO[known.disability],
        known.team,
        known.worker,
        known.adviser,
        None if known.eligibility is None else ELIGIBILITY_FORMS[known.eligibility],
        known.plan_on,
        None if known.in_touch is None else IN_TOUCH_FORMS[known.in_touch],
        known.contact_on,
        None if known.accommodation is None else ACCOMMODATION_FORMS[known.accommodation],
        None if known.suitable is None else SUITABILITY_FORMS[known.suitable],
        None if known.activity is None else ACTIVITY_FORMS[known.activity],
        "Y" if place % 6 == 0 else None,
    ]
    _disorder(row, known, place % 100)
    for column, text in filter(None, (SPOILT.get(known.spoilt or ""), ALWAYS_SPOILT.get(place))):
        row[column] = text
    if place == BORN_BLANK:
        row[BORN] = row[AGE] = None
    elif place == CONTACT_TOMORROW:
        row[CONTACT] = today + 1
    elif place == CUSTODY_CALLED_SUITABLE:
        row[ACCOMMODATION_TYPE], row[SUITABILITY] = ACCOMMODATION_FORMS["X"], SUITABILITY_FORMS[True]
    return row


def _disorder(row: list[Cell], known: Record, habit: int) -> None:
    """The same facts as some council somewhere writes them; ``habit`` (0 to 99) says which."""
    for column, cell in HABITS[habit](known, row).items() if habit in HABITS else ():
        row[column] = cell
    if known.plan_on is None and habit % 2:
        row[PLAN] = NOBODY_1900
    if habit % 8 == 5:
        row[:] = ["-" if cell is None else cell for cell in row]


@lru_cache(maxsize=20_000)
def _day_month_year(ordinal: int) -> str:
    return date.fromordinal(ordinal).strftime("%d/%m/%Y")


def _as_age_band(known: Record, row: Sequence[Cell]) -> dict[int, Cell]:
    if known.eligibility != "former relevant":
        return {}
    return {ELIGIBILITY: "former relevant 18-20" if row[AGE] < 21 else "former relevant 21-24"}  # type: ignore[operator]


def _as_return_code(known: Record, row: Sequence[Cell]) -> dict[int, Cell]:
    if known.accommodation is None:
        return {}
    return {ACCOMMODATION_TYPE: f"{known.accommodation}{2 if known.suitable is False else 1}"}


def _as_written_dates(known: Record, row: Sequence[Cell]) -> dict[int, Cell]:
    dates = {PLAN: known.plan_on, CONTACT: known.contact_on}
    return {column: None if day is None else _day_month_year(day) for column, day in dates.items()}


HABITS: Mapping[int, Callable[[Record, Sequence[Cell]], dict[int, Cell]]] = {
    3: lambda known, row: {PERSON_ID: int(known.person_id)},
    7: _as_age_band,
    57: _as_age_band,
    9: lambda known, row: {ELIGIBILITY: known.eligibility and known.eligibility.upper()},
    15: _as_return_code,
    65: _as_return_code,
    19: lambda known, row: {ACCOMMODATION_TYPE: known.accommodation},
    25: lambda known, row: {IN_TOUCH: known.in_touch},
    28: lambda known, row: {ACTIVITY_STATUS: known.activity},
    33: lambda known, row: {SUITABILITY: {True: "1", False: "2", None: None}[known.suitable]},
    41: _as_written_dates,
    91: _as_written_dates,
    44: lambda known, row: {BORN: _day_month_year(known.born_on)},
    55: lambda known, row: {TEAM: f"{known.team} "},
}
"""How the rows of some places are written otherwise, by the last two digits of the place."""


def _write_csv(path: Path, rows: Iterator[list[Cell]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading.replace("\n", " ") for heading in HEADINGS)
        for row in rows:
            for column in DATES:
                if isinstance(cell := row[column], int):
                    row[column] = _day_month_year(cell)
            writer.writerow(row)


def _write_xlsx(path: Path, rows: Iterator[list[Cell]], *, as_at: date, large: bool) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(path, {**TEXT_STAYS_TEXT, "constant_memory": large}) as book:
        # The time of writing would make two equal samples differ.
        book.set_properties({"title": "Invented people", "created": datetime.combine(as_at, time())})
        for name, headings in OTHER_SHEETS.items():
            if name == "List 10":
                _write_list_9(book, rows, as_at=as_at)
            book.add_worksheet(name).write_row(0, 0, headings)


def _write_list_9(book: "Workbook", rows: Iterator[Sequence[Cell]], *, as_at: date) -> None:
    sheet = book.add_worksheet("List 9")
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    strong = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    sheet.set_column(PERSON_ID, NOTES, 16)
    sheet.write_string(0, 0, f"Annex A, List 9: leaving care services, as at {as_at:%d/%m/%Y}. Everyone is invented")
    sheet.write_row(1, 0, HEADINGS, strong)
    for number, row in enumerate(rows, start=2):
        sheet.write_row(number, 0, row)
        for column in DATES:
            if isinstance(ordinal := row[column], int):
                # Excel's own day count, in which 1 January 1900 is 1 and 29 February 1900 a day.
                sheet.write_number(number, column, ordinal - (693594 if ordinal > 693654 else 693595), day)
    sheet.freeze_panes(2, 1)
