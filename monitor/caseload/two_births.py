"""One id with two birth dates: two councils' files, a re-used id, or a slip. It may be two young people.

Nothing in which their rows differ is believed, so that neither hides the other: rules that need it cannot be assessed,
open flags are held, and both places are listed.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import combinations

from monitor.caseload.rows import NOT_SUPPLIED, UNREADABLE, Reading, place_of
from monitor.catalogue.columns import COLUMNS
from monitor.workspace import Workspace, drop_tables, load_rows, number_of

TWO_BIRTHS = "two birth dates for one id"
REMEDY = "nothing in which they differ is believed; give each young person an id of their own, or put the date right"


@dataclass(frozen=True)
class SourceRows:
    """A workspace table in which some of the people stand, and the columns that it has of them."""

    table: str
    columns: Set[str]

    def value(self, name: str) -> str:
        return f"{self.table}.{name}" if name in self.columns else "NULL"

    def gap(self, name: str) -> str:
        return self.value(f"{name}_gap")

    def covers(self, name: str) -> str:
        return f"({self.table}.person_id IS NOT NULL AND {self.gap(name)} IS DISTINCT FROM {NOT_SUPPLIED})"


def doubt_rows(workspace: Workspace, reading: Reading) -> int:
    """Take what differs out of the reading's typed rows of people who have two birth dates in it; how many people.

    Reads ``repeated``, the rows of whoever has several; call it while the used row alone is still to be chosen.
    """
    people = number_of(workspace, "SELECT count(DISTINCT person_id) FROM repeated WHERE two_births")
    if not people:
        return 0
    workspace.execute(
        f"""
        INSERT INTO unreadable
        SELECT $source, $file, $sheet, r."row", '', '{TWO_BIRTHS}: rows ' || rows || ' of ' || $file || '; {REMEDY}', ''
        FROM repeated AS r JOIN (
            SELECT person_id, string_agg("row"::VARCHAR, ', ' ORDER BY "row") AS rows
            FROM repeated WHERE two_births GROUP BY person_id
        ) USING (person_id) ORDER BY r."row"
        """,
        place_of(reading),
    )
    present = workspace.columns_of(reading.typed)
    names = [column.name for column in COLUMNS if column.name in present]
    differ = ", ".join(
        f"count({name}) BETWEEN 1 AND count(*) - 1 OR min({name}) <> max({name})"
        + (f" OR count({name}_gap) > 0" if f"{name}_gap" in present else "")
        + f" AS {name}"
        for name in names
    )
    workspace.execute(
        f"CREATE OR REPLACE TEMP TABLE doubted AS SELECT person_id, bool_and(died) AS died, {differ} "
        "FROM repeated WHERE two_births GROUP BY person_id"
    )
    _blank(workspace, reading.typed, names)
    return people


def doubt_sources(workspace: Workspace, readings: Sequence[Reading]) -> int:
    """Take what differs out of ``typed`` of people whose sources give two birth dates; list both; how many people."""
    born = [reading for reading in readings if "date_of_birth" in reading.supplied]
    pairs = list(combinations(born, 2))
    if not pairs:
        return 0
    found = " UNION ".join(
        f"SELECT person_id FROM {one.typed} AS one JOIN {other.typed} AS other USING (person_id) "
        "WHERE one.date_of_birth <> other.date_of_birth"
        for one, other in pairs
    )
    ids = workspace.execute(f"SELECT person_id FROM ({found}) SEMI JOIN typed USING (person_id)").fetchall()
    if ids:
        load_rows(workspace, "two_born", {"person_id": "VARCHAR"}, ids)
        _list_sources(workspace, born)
        _find_differing(workspace, readings)
        _blank(workspace, "typed", [column.name for column in COLUMNS if column.name in workspace.columns_of("typed")])
        drop_tables(workspace, "two_born")
    return len(ids)


def _list_sources(workspace: Workspace, born: Sequence[Reading]) -> None:
    for reading in born:
        others = " and ".join(other.place for other in born if other is not reading)
        workspace.execute(
            f"""
            INSERT INTO unreadable
            SELECT $source, $file, $sheet, "row", '', $reason, ''
            FROM {reading.typed} SEMI JOIN two_born USING (person_id) ORDER BY "row"
            """,
            place_of(reading) | {"reason": f"{TWO_BIRTHS}: here and in {others}; {REMEDY}"},
        )


def _find_differing(workspace: Workspace, readings: Sequence[Reading]) -> None:
    """Make ``doubted``: for each person and column, whether two sources that have it say different things."""
    parts = [SourceRows(reading.typed, workspace.columns_of(reading.typed)) for reading in readings]
    differ = []
    for name in (column.name for column in COLUMNS if column.name in workspace.columns_of("typed")):
        tests = [
            f"({one.covers(name)} AND {other.covers(name)} AND {one.value(name)} IS DISTINCT FROM {other.value(name)})"
            for one, other in combinations([part for part in parts if name in part.columns], 2)
        ]
        differ.append(f"{' OR '.join(tests) or 'false'} AS {name}")
    died = " AND ".join(f"coalesce({part.table}.died, true)" for part in parts)
    joins = " ".join(f"LEFT JOIN {part.table} ON {part.table}.person_id = two_born.person_id" for part in parts)
    workspace.execute(
        f"CREATE OR REPLACE TEMP TABLE doubted AS SELECT two_born.person_id, {died} AS died, {', '.join(differ)} "
        f"FROM two_born {joins}"
    )


def _blank(workspace: Workspace, table: str, names: Sequence[str]) -> None:
    """Make unreadable in ``table`` what ``doubted`` says of its people, the birth date always; nobody of them died
    unless every row says so.
    """
    present = workspace.columns_of(table)
    replaced, added = ["CASE WHEN d.person_id IS NULL THEN t.died ELSE d.died END AS died"], list[str]()
    for name in names:
        doubtful = "d.person_id IS NOT NULL" if name == "date_of_birth" else f"coalesce(d.{name}, false)"
        replaced.append(f"CASE WHEN NOT ({doubtful}) THEN t.{name} END AS {name}")
        before = f"t.{name}_gap" if f"{name}_gap" in present else "NULL"
        gap = f"CASE WHEN {doubtful} THEN {UNREADABLE} ELSE {before} END AS {name}_gap"
        (replaced if f"{name}_gap" in present else added).append(gap)
    workspace.execute(
        f"CREATE OR REPLACE TEMP TABLE believed AS SELECT t.* REPLACE ({', '.join(replaced)})"
        f"{''.join(f', {one}' for one in added)} FROM {table} AS t LEFT JOIN doubted AS d USING (person_id)"
    )
    drop_tables(workspace, table, "doubted")
    workspace.execute(f"CREATE TABLE {table} AS SELECT * FROM believed")
    drop_tables(workspace, "believed")
