"""Ids that differ in zeros before them, case or spaces alone: perhaps one young person taken for two."""

from collections.abc import Iterator, Sequence

from monitor.caseload.rows import Reading
from monitor.catalogue.person_ids import folded_id_sql
from monitor.config.list_findings import ListFinding
from monitor.words import write_count
from monitor.workspace import Workspace, literal

TWO_SPELLINGS = (
    "this id and another differ in zeros before them, case or spaces alone; they are kept as two people: if they are "
    "one, write the id in one way"
)


def list_spellings(workspace: Workspace, readings: Sequence[Reading]) -> None:
    """List in ``unreadable`` the typed rows whose id has another spelling in the same source or another."""
    shapes = {shape for reading in readings for shape in reading.id_shapes}
    if not any(variable for _, _, variable in shapes) or (len(shapes) == 1 and "digits" in next(iter(shapes))):
        return
    rows = " UNION ALL ".join(
        f"SELECT {literal(reading.extract.source)} AS source, {literal(reading.extract.file)} AS file, "
        f'{literal(reading.extract.sheet) if reading.extract.sheet else "NULL"} AS sheet, "row", person_id '
        f"FROM {reading.typed}"
        for reading in readings
    )
    workspace.execute(
        f"""
        INSERT INTO unreadable
        SELECT source, file, sheet, "row", '', {literal(TWO_SPELLINGS)}, ''
        FROM (
            SELECT *, min(person_id) OVER folded <> max(person_id) OVER folded AS differ
            FROM ({rows}) WINDOW folded AS (PARTITION BY {folded_id_sql("person_id")})
        )
        WHERE differ ORDER BY source, "row"
        """
    )


def describe_spellings(rows: int) -> Iterator[ListFinding]:
    """Return what to tell the analyst of ids in two spellings; ``rows``: how many rows have one."""
    if rows:
        line = (
            f"ids: {write_count(rows, 'row has an id', 'rows have ids')} that differ from another in zeros, case or "
            "spaces alone; they are kept as different people and listed in unreadable.csv: if they are one person, "
            "write the id in one way"
        )
        yield ListFinding("ids", (line,), is_fault=True, state=str(rows))
