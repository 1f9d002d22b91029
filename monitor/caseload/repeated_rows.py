"""Several rows for one person in one extract: which is used, and where they differ."""

from dataclasses import dataclass

from monitor.caseload.rows import Reading, place_of
from monitor.caseload.two_births import doubt_rows
from monitor.workspace import Workspace, drop_tables


@dataclass(frozen=True)
class Repeats:
    """How many equal rows were dropped, how many that differ, and how many people have two birth dates."""

    equal: int = 0
    differing: int = 0
    two_births: int = 0


def collapse(workspace: Workspace, reading: Reading) -> Repeats:
    """Keep one row per person of the reading; what became of the others.

    A row that says died wins, else the newest contact, else the last row; of two birth dates neither is believed.
    """
    table = reading.typed
    if not reading.repeats:
        return Repeats()
    present = workspace.columns_of(table)
    compared = sorted(present - {"extract", "row", "person_id"})
    newest = "latest_contact_date DESC NULLS LAST," if "latest_contact_date" in present else ""
    births = "(date_of_birth) OVER (PARTITION BY person_id)"
    two_births = f"coalesce(min{births} <> max{births}, false)" if "date_of_birth" in present else "false"
    workspace.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT *, {two_births} AS two_births,
            row_number() OVER (PARTITION BY person_id ORDER BY died DESC, {newest} "row" DESC) AS place
        FROM {table} SEMI JOIN (SELECT person_id FROM {table} GROUP BY ALL HAVING count(*) > 1) USING (person_id)
        """
    )
    alike = " AND ".join(f'u."{name}" IS NOT DISTINCT FROM d."{name}"' for name in compared)
    contact = "u.latest_contact_date IS DISTINCT FROM d.latest_contact_date" if newest else "false"
    workspace.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE dropped AS
        SELECT d.person_id, d."row", d.two_births, {alike} AS alike, u."row" AS used_row,
            CASE
                WHEN u.died AND NOT d.died THEN 'which says the person died'
                WHEN {contact} THEN 'which has the newer contact'
                ELSE 'which comes later'
            END AS because
        FROM repeated AS d JOIN repeated AS u ON u.person_id = d.person_id AND u.place = 1
        WHERE d.place > 1
        """
    )
    workspace.execute(
        """
        INSERT INTO unreadable
        SELECT $source, $file, $sheet, "row", '',
            'another row for the same person: row ' || used_row || ' of ' || $file || ' was used, ' || because, ''
        FROM dropped WHERE NOT alike AND NOT two_births ORDER BY "row"
        """,
        place_of(reading),
    )
    workspace.execute(f'DELETE FROM {table} USING dropped AS d WHERE {table}."row" = d."row"')
    counted = "SELECT count(*) FILTER (alike), count(*) FILTER (NOT alike), count_if(two_births) FROM dropped"
    equal, differing, doubtful = workspace.execute(counted).fetchall()[0]
    people = doubt_rows(workspace, reading) if doubtful else 0
    drop_tables(workspace, "repeated", "dropped")
    return Repeats(equal, differing, people)
