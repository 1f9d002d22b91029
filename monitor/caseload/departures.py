"""Why people left: each person newly gone from the caseload is given a reason, or is *lost*.

    merged        the analyst's list of merged ids names the record that stands for this one now
    died          a source said so before they went
    reached 25    the duty had ended
    closed        their last record holds a date of closure
    lost          none of these

A birth date alone never makes two records one person.
"""

import csv
import datetime as dt
from pathlib import Path

from sqlalchemy import Connection

from monitor.errors import Problems
from monitor.store.bulk import update_query
from monitor.store.tables import Person
from monitor.workspace import Workspace, load_rows, step

HEADINGS = ["old_id", "new_id"]
STRENGTHS = "['eligible', 'relevant', 'former relevant']"


def read_merged(path: Path | None) -> dict[str, str]:
    """Return for each old id the id that stands for it in the end; ``Problems`` names every line that is wrong."""
    if path is None:
        return {}
    place = f"merged_ids: {path.name}"
    merged: dict[str, str] = {}
    problems = []
    for number, row in enumerate(_read_lines(path, place), start=2):
        if not any(row):
            continue
        if problem := _find_problem(row, merged):
            problems.append(f"{place}: line {number}: {problem}")
        else:
            merged[row[0]] = row[1]
    last = {old: new for old in merged if (new := _follow(old, merged))}
    if len(last) < len(merged):
        problems.append(f"{place}: some ids lead back to themselves; leave out the wrong line")
    if problems:
        raise Problems(problems)
    return last


def _read_lines(path: Path, place: str) -> list[list[str]]:
    """The lines under the headings."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise Problems([f"{place} cannot be read as UTF-8 csv ({type(fault).__name__})"]) from None
    if not rows or rows[0] != HEADINGS:
        raise Problems([f"{place}: the first line must be {','.join(HEADINGS)}"])
    return rows[1:]


def _find_problem(row: list[str], merged: dict[str, str]) -> str | None:
    if len(row) != 2 or not all(row):
        return "needs an old id and a new one"
    if row[0] == row[1]:
        return "the old id and the new one are the same"
    if merged.get(row[0], row[1]) != row[1]:
        return "an earlier line gives the old id another new one; keep the right line"
    return None


def _follow(old: str, merged: dict[str, str]) -> str | None:
    """The id that stands for the old one in the end; None where the ids lead back to themselves."""
    seen = set()
    while old in merged and old not in seen:
        seen.add(old)
        old = merged[old]
    return None if old in seen else old


@step(makes=("merged",))
def load_merged(workspace: Workspace, path: Path | None) -> None:
    """Make ``merged`` of the analyst's list."""
    load_rows(workspace, "merged", {"old_id": "VARCHAR", "new_id": "VARCHAR"}, read_merged(path).items())


@step(reads=("merged", "roster"), changes=("caseload",), makes=("merged_away",))
def leave_merged(workspace: Workspace) -> None:
    """Make ``merged_away``: who is absent because another record stands for them; no rule is asked of them."""
    workspace.execute("""
        CREATE OR REPLACE TABLE merged_away AS
        SELECT c.person_id, m.new_id
        FROM caseload AS c JOIN merged AS m ON m.old_id = c.person_id
        WHERE c.present IS NOT TRUE AND (
            EXISTS (SELECT 1 FROM caseload AS heir WHERE heir.person_id = m.new_id)
            OR EXISTS (SELECT 1 FROM roster AS heir WHERE heir.person_id = m.new_id)
        )
    """)
    workspace.execute("UPDATE caseload SET present = NULL WHERE person_id IN (SELECT person_id FROM merged_away)")


@step(
    reads=("caseload", "merged_away", "roster", "tonight"),
    changes=("roster_tonight",),
    makes=("leaver", "gone_quietly"),
)
def decide(workspace: Workspace, as_at: dt.date, *, after_jump: bool = False) -> None:
    """Set ``left_reason`` in ``roster_tonight``; make ``leaver`` (person_id, reason) of those newly gone.

    Entitlement goes over to the record that stands for a merged one. A reason stays as it was given, but for
    *lost*, which a later line or closure may explain. ``after_jump``: the clock may be ahead, so nobody is 25 by it.
    """
    workspace.execute(
        """
        UPDATE roster_tonight AS n SET
            absent_since = CASE WHEN m.new_id IS NOT NULL THEN coalesce(r.absent_since, $as_at) ELSE n.absent_since END,
            left_reason = CASE
                WHEN m.new_id IS NOT NULL THEN 'merged'
                WHEN n.absent_since IS NULL THEN NULL
                WHEN r.left_reason NOT IN ('lost', 'merged') THEN r.left_reason
                WHEN c.died THEN 'died'
                WHEN c.age >= 25 AND r.absent_since IS NULL AND NOT $after_jump THEN 'reached 25'
                WHEN c.closure_date IS NOT NULL THEN 'closed'
                ELSE 'lost'
            END
        FROM caseload AS c
        LEFT JOIN roster AS r USING (person_id)
        LEFT JOIN merged_away AS m USING (person_id)
        WHERE c.person_id = n.person_id AND c.present IS NOT TRUE
        """,
        {"as_at": as_at, "after_jump": after_jump},
    )
    workspace.execute(f"""
        UPDATE roster_tonight AS n SET strongest_category = old.strongest_category
        FROM merged_away AS m JOIN roster AS old USING (person_id)
        WHERE n.person_id = m.new_id
            AND coalesce(list_position({STRENGTHS}, old.strongest_category), 0)
                > coalesce(list_position({STRENGTHS}, n.strongest_category), 0)
    """)
    # Who had died or reached 25 is asked nothing and stands in no caseload: only that they went is noted.
    workspace.execute("""
        CREATE OR REPLACE TABLE gone_quietly AS
        SELECT person_id, CASE WHEN died_on IS NOT NULL THEN 'died' ELSE 'reached 25' END AS reason
        FROM roster ANTI JOIN tonight USING (person_id)
        WHERE absent_since IS NULL AND (died_on IS NOT NULL OR ended_on IS NOT NULL)
    """)
    workspace.execute("""
        CREATE OR REPLACE TABLE leaver AS
        SELECT n.person_id, n.left_reason AS reason
        FROM roster_tonight AS n JOIN roster AS r USING (person_id)
        WHERE n.left_reason IS NOT NULL AND r.absent_since IS NULL
        UNION ALL
        SELECT person_id, reason FROM gone_quietly
    """)


@step(reads=("gone_quietly",))
def save(workspace: Workspace, store: Connection, as_at: dt.date) -> None:
    """Note since when those are gone whom nothing else is kept up for; the roster saves the rest."""
    gone = f"SELECT DATE '{as_at}', reason, person_id FROM gone_quietly"
    update_query(workspace, store, Person, ("absent_since", "left_reason"), gone)


def count(workspace: Workspace) -> dict[str, int]:
    """Return how many are newly gone, by reason, the most first."""
    rows = workspace.execute(
        "SELECT reason, count(*) AS people FROM leaver GROUP BY reason ORDER BY people DESC, reason"
    )
    return dict(rows.fetchall())


def lost(workspace: Workspace) -> tuple[str, ...]:
    rows = workspace.execute("SELECT person_id FROM leaver WHERE reason = 'lost' ORDER BY person_id")
    return tuple(row[0] for row in rows.fetchall())
