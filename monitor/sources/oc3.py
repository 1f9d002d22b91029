"""The care leavers' part of the SSDA903 return (OC3): one row per person, recorded at the birthday.

It says where somebody was at a birthday, so its record of being in touch is no contact; it holds no team, adviser,
contact or plan, and eligibility only in that it lists nobody but care leavers. The codes of every year are those of
the catalogue: F3 and P3 until 2021, then F4, P4, F5 and P5; 0 is not applicable.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace

from monitor.catalogue import cells
from monitor.catalogue.derived import birthday_sql
from monitor.catalogue.headings import OC3, match_headings
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import Loaded, show_rows
from monitor.words import write_people
from monitor.workspace import Workspace, drop_tables

IN_TOUCH_DATE = "last_recorded_in_touch_date"
ELIGIBILITY = "eligibility"

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


def complete(workspace: Workspace, table: str, loaded: Loaded, source: Source, *, as_at: dt.date) -> Loaded:
    """Make the view ``table`` of a return's rows again with a column of birthdays in touch and one of eligibility.

    The source's ``return_year`` is the year in which the return ends; left out, the last one that had ended by
    ``as_at``. Who is in the return is a care leaver: former relevant, or relevant before 18. A return that only adds
    detail says nothing of eligibility, which is then the caseload's to say.
    """
    return_year, headings = source.return_year, loaded.headings
    if return_year is not None and dt.date(return_year - 1, 4, 1) > as_at:
        raise SourceError(f"{loaded.place}: return_year: {return_year} had not begun by the night's date; correct it")
    year = return_year or (as_at.year if as_at >= dt.date(as_at.year, 3, 31) else as_at.year - 1)
    end = min(dt.date(year, 3, 31), as_at)
    positions = match_headings(headings, OC3.knowing(source.headings).names).positions
    beside = cells.ReadBeside(as_at, words=source.words, date_order=source.date_order)
    _read(workspace, table, positions, beside, end)
    implied = (ELIGIBILITY,) if source.role_played == "caseload" and ELIGIBILITY not in positions else ()
    eligibility = f"""
        , CASE WHEN {birthday_sql("date_of_birth", "18")} > DATE '{as_at}' THEN 'Relevant' ELSE 'Former relevant' END
            AS c{len(headings) + 1}"""
    # The last birthday up to the return's end of everyone recorded in touch, after the file's own columns.
    workspace.execute(
        f"""
        CREATE OR REPLACE TABLE "{table}_rows" AS
        SELECT r.*,
            CASE WHEN in_touch = 'YES' AND turned > 0 THEN {birthday_sql("date_of_birth", "turned")}::VARCHAR END
            AS c{len(headings)}{eligibility if implied else ""}
        FROM "{table}" AS r LEFT JOIN oc3 USING ("row") ORDER BY "row"
        """
    )
    show_rows(workspace, table)
    notes = list(_notes(workspace, year, implied=bool(implied)))
    if return_year is None:
        notes.insert(
            0, f"{loaded.place}: taken for the return that ended on 31 March {year}; set return_year if it is another"
        )
    workspace.execute("DROP TABLE oc3")
    return replace(
        loaded, headings=(*headings, IN_TOUCH_DATE, *implied), notes=tuple(notes), implied=frozenset(implied)
    )


def _read(
    workspace: Workspace, table: str, positions: Mapping[str, int], beside: cells.ReadBeside, end: dt.date
) -> None:
    """Make ``oc3``: what each row's cells mean, by its row number, and the age ``turned`` by ``end``."""
    used = {name: positions[name] for name in ("date_of_birth", "in_touch", "activity", "accommodation")}
    cells.read_cells(workspace, "oc3_meaning", used, table, beside)
    values = ", ".join(f"{cells.value_of(name)} AS {name}" for name in used)
    joins = cells.join_meanings("oc3_meaning", used)
    workspace.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE oc3 AS
        SELECT *, CASE WHEN date_of_birth <= $end THEN year($end) - year(date_of_birth)
            - ({birthday_sql("date_of_birth", "(year($end) - year(date_of_birth))")} > $end)::INTEGER END AS turned
        FROM (SELECT "row", {values}, accommodation.suitable FROM "{table}" AS r {joins})
        """,
        {"end": end},
    )
    drop_tables(workspace, "oc3_meaning")


def _notes(workspace: Workspace, year: int, *, implied: bool) -> Iterator[str]:
    if implied:
        yield (
            "an OC3 return holds no eligibility: everyone in it counts as former relevant, or relevant before 18, "
            "where no other source has them; rules that rest on it say so"
        )
    counted = ", ".join(f"count(*) FILTER ({test})" for test, _ in CHECKS)
    counts = workspace.execute(f"SELECT {counted} FROM (SELECT *, {year} AS year FROM oc3)").fetchall()[0]
    for number, (_, words) in zip(counts, CHECKS, strict=True):
        if number:
            yield f"{write_people(number)} {words}"
