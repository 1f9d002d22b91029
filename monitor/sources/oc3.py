"""The care leavers' part of the SSDA903 return (OC3): one row per person, recorded at the birthday.

It says where somebody was at a birthday, so its record of being in touch is no contact; it holds no eligibility,
team, adviser, contact or plan. The codes of every year are those of the catalogue: F3 and P3 until 2021, then F4, P4,
F5 and P5; 0 is not applicable.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from monitor.catalogue import cells, derived
from monitor.catalogue.columns import BY_NAME
from monitor.catalogue.headings import OC3, match_headings
from monitor.errors import SourceError
from monitor.sources import delimited
from monitor.words import write_people
from monitor.workspace import Workspace, fetch

IN_TOUCH_DATE = "last_recorded_in_touch_date"

CHECKS: tuple[tuple[str, str], ...] = (
    ("in_touch IN ('DIED', 'RHOM') AND (activity <> '0' OR accommodation <> '0')",
     "recorded DIED or RHOM with an activity or accommodation, which should then be 0 (check 344)"),
    ("in_touch = 'YES' AND (activity = '0' OR accommodation = '0')",
     "recorded in touch with 0 for activity or accommodation (check 345)"),
    ("accommodation IN ('S', 'X') AND suitable",
     "homeless or in custody in accommodation recorded as suitable"),
    ("accommodation NOT IN ('0') AND suitable IS NULL",
     "recorded in accommodation without its digit for suitable or unsuitable"),
    ("accommodation = 'Z' AND turned = 17", "with former foster carers at 17 (check 3001)"),
    ("accommodation = 'T' AND turned < 18 AND year >= 2024", "in a foyer before 18 (check 347)"),
    ("activity IN ('F3', 'P3') AND year >= 2022", "with an activity code (F3, P3) that ended with the return of 2021"),
    ("activity IN ('F4', 'P4', 'F5', 'P5') AND year < 2022",
     "with an activity code (F4, P4, F5, P5) that began with the return of 2022"),
)  # fmt: skip
"""What the return's own checks would say of a row that was read, and how a note says it of people."""


def load(
    workspace: Workspace, table: str, path: Path, *, as_at: dt.date, return_year: int | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make view ``table`` of the file's rows and a column of birthdays in touch; the headings, and notes on the rows.

    ``return_year`` is the year in which the return ends; left out, the last one that had ended by ``as_at``.
    """
    if return_year is not None and dt.date(return_year - 1, 4, 1) > as_at:
        raise SourceError(f"{path.name}: return_year: {return_year} had not begun by the night's date; correct it")
    headings = delimited.load(workspace, table, path, OC3)
    year = return_year or (as_at.year if as_at >= dt.date(as_at.year, 3, 31) else as_at.year - 1)
    end = min(dt.date(year, 3, 31), as_at)
    _read(workspace, table, headings, as_at)
    _add_birthdays(workspace, table, len(headings), end)
    notes = list(_notes(workspace, year))
    if return_year is None:
        notes.insert(
            0, f"{path.name}: taken for the return that ended on 31 March {year}; set return_year if it is another"
        )
    workspace.execute("DROP TABLE oc3")
    return (*headings, IN_TOUCH_DATE), tuple(notes)


def _read(workspace: Workspace, table: str, headings: tuple[str, ...], as_at: dt.date) -> None:
    """Make ``oc3``: what each row's cells mean, by its row number."""
    positions = match_headings(headings).positions
    names = ("date_of_birth", "in_touch", "activity", "accommodation")
    for name in names:
        texts = f'SELECT DISTINCT c{positions[name]} AS text FROM "{table}" WHERE c{positions[name]} IS NOT NULL'
        cells.read_cells(workspace, f"oc3_{name}", BY_NAME[name], texts, cells.ReadBeside(as_at))
    values = ", ".join(f"{name}.value AS {name}" for name in names)
    joins = " ".join(f"LEFT JOIN oc3_{name} AS {name} ON {name}.text = r.c{positions[name]}" for name in names)
    workspace.execute(
        f'CREATE OR REPLACE TEMP TABLE oc3 AS SELECT "row", {values}, accommodation.suitable '
        f'FROM "{table}" AS r {joins}'
    )
    for name in names:
        workspace.execute(f"DROP TABLE oc3_{name}")


def _add_birthdays(workspace: Workspace, table: str, position: int, end: dt.date) -> None:
    """Add the last birthday up to ``end`` of everyone recorded in touch, as the column after the file's own."""
    derived.create_macros(workspace)
    workspace.execute("ALTER TABLE oc3 ADD COLUMN birthday DATE")
    workspace.execute("ALTER TABLE oc3 ADD COLUMN turned INTEGER")
    workspace.execute(
        """
        UPDATE oc3 SET turned = year($end) - year(date_of_birth)
            - CASE WHEN birthday(date_of_birth, year($end) - year(date_of_birth)) > $end THEN 1 ELSE 0 END
        WHERE date_of_birth <= $end
        """,
        {"end": end},
    )
    workspace.execute("UPDATE oc3 SET birthday = birthday(date_of_birth, turned) WHERE turned > 0")
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE "{table}_dated" AS
        SELECT r.*, CASE WHEN in_touch = 'YES' THEN birthday::VARCHAR END AS c{position}
        FROM "{table}" AS r LEFT JOIN oc3 USING ("row") ORDER BY "row"
        """
    )
    workspace.execute(f'DROP VIEW "{table}"')
    workspace.execute(f'DROP TABLE "{table}_rows"')
    workspace.execute(f'ALTER TABLE "{table}_dated" RENAME TO "{table}_rows"')
    workspace.execute(f'CREATE VIEW "{table}" AS SELECT * FROM "{table}_rows"')


def _notes(workspace: Workspace, year: int) -> Iterator[str]:
    yield (
        "an OC3 return holds no eligibility: rules that ask for it cannot assess anyone whom no other source, "
        "and no earlier night, knows to be entitled"
    )
    counted = ", ".join(f"count(*) FILTER ({test}) AS n{place}" for place, (test, _) in enumerate(CHECKS))
    found = fetch(workspace, f"SELECT {counted} FROM (SELECT *, {year} AS year FROM oc3)")[0]
    for place, (_, words) in enumerate(CHECKS):
        if number := found[f"n{place}"]:
            yield f"{write_people(number)} {words}"
