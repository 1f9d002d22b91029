"""The caseload: one typed row per person from tonight's extracts and the roster, and what could not be read.

A cell is a value, blank, unreadable or not supplied: the column holds the value or NULL, and ``<name>_gap``
beside it says 'unreadable' or 'not supplied'. Columns that are the same for everyone are generated, so that
a million people cost nothing for what no source supplies.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from monitor.caseload import joining, unlisted
from monitor.caseload.rows import (
    NOT_SUPPLIED,
    PLACEHOLDER,
    UNREADABLE,
    Reading,
    by_extract,
    collapse,
    columns_of,
    list_cells,
    list_unusable_rows,
    read_texts,
    refuse_before_birth,
    type_usable_rows,
)
from monitor.catalogue.columns import BY_NAME, COLUMNS
from monitor.catalogue.derived import derived_sql
from monitor.catalogue.headings import match_headings
from monitor.sources.read import Extract
from monitor.words import fold_name
from monitor.workspace import Workspace, fetch, number_of

NOTED_HEADINGS = 20


@dataclass(frozen=True)
class Intake:
    """What the night's extracts held, in counts and plain lines."""

    people: int
    rows: int
    unreadable_rows: int
    unreadable_cells: int
    conflicts: int
    duplicates: int
    placeholder_advisers: int
    supplied: frozenset[str]
    notes: tuple[str, ...]
    fingerprint: str


def type_rows(
    workspace: Workspace,
    extracts: Sequence[Extract],
    *,
    as_at: date,
    not_an_adviser: Sequence[str],
    team_names: Mapping[str, str],
    beside: tuple[str, Sequence[str]] | None = None,
) -> Intake:
    """Make ``tonight`` and ``unreadable`` from the extracts' tables, which are dropped, and what joining makes.

    ``team_names``: by each folded spelling, the name of a team. ``beside``: a table of typed values by person_id, and
    the columns to take from it; whom it does not know is blank there. Raises ``SourceError`` where a source has no row
    with an id.
    """
    workspace.execute(
        'CREATE OR REPLACE TABLE unreadable (source VARCHAR, file VARCHAR, sheet VARCHAR, "row" BIGINT, '
        '"column" VARCHAR, reason VARCHAR, value VARCHAR)'
    )
    placeholders = sorted({fold_name(name) for name in (*not_an_adviser, *team_names)})
    readings = [
        Reading(number, extract, dict(matched.positions), matched.extra)
        for number, extract in enumerate(extracts)
        for matched in (match_headings(extract.headings),)
    ]
    rows = unreadable_rows = duplicates = conflicts = 0
    for reading in readings:
        read_texts(workspace, reading, as_at, placeholders)
        if "allocated_team" in reading.tables:
            joining.spell_teams(workspace, reading.tables["allocated_team"], "value", team_names)
        unusable = list_unusable_rows(workspace, reading)
        usable = type_usable_rows(workspace, reading)
        list_cells(workspace, reading)
        workspace.execute(f'DROP VIEW "{reading.extract.table}"')
        workspace.execute(f'DROP TABLE "{reading.extract.table}_rows"')
        for table in reading.tables.values():
            workspace.execute(f'DROP TABLE "{table}"')
        refuse_before_birth(workspace, reading)
        equal, differing = collapse(workspace, reading)
        duplicates, conflicts = duplicates + equal, conflicts + differing
        unreadable_rows += unusable
        if reading.extract.role == "caseload":
            rows += usable + unusable
    joined = joining.join_readings(workspace, readings)
    unreadable_cells = number_of(
        workspace, "SELECT count(*) FROM unreadable WHERE \"column\" <> '' AND reason <> ?", PLACEHOLDER
    )
    advisers = number_of(workspace, "SELECT count(*) FROM unreadable WHERE reason = ?", PLACEHOLDER)
    supplied = frozenset().union(*(reading.supplied for reading in readings))
    if beside:
        _add_values(workspace, *beside)
        supplied |= frozenset(beside[1])
    _show_tonight(workspace, "typed", readings, supplied)
    return Intake(
        people=number_of(workspace, "SELECT count(*) FROM typed"),
        rows=rows,
        unreadable_rows=unreadable_rows,
        unreadable_cells=unreadable_cells,
        conflicts=conflicts,
        duplicates=duplicates,
        placeholder_advisers=advisers,
        supplied=supplied,
        notes=(*joined, *_notes(readings, unreadable_rows, unreadable_cells, duplicates, conflicts, advisers)),
        fingerprint=hashlib.sha256("\n".join(map(_print_of, extracts)).encode()).hexdigest(),
    )


def _print_of(extract: Extract) -> str:
    """What one extract says, and what is made of it."""
    return f"{extract.fingerprint} {extract.role} {' '.join(sorted(extract.prefer))}"


def _add_values(workspace: Workspace, table: str, names: Sequence[str]) -> None:
    present = columns_of(workspace, "typed")
    for name in names:
        if name not in present:
            workspace.execute(f"ALTER TABLE typed ADD COLUMN {name} {BY_NAME[name].duckdb_type}")
        known, gap = f"FROM {table} AS b WHERE b.person_id = typed.person_id", f"{name}_gap"
        workspace.execute(f"UPDATE typed SET {name} = b.{name} {known}")
        if gap in present:
            workspace.execute(f"UPDATE typed SET {gap} = NULL {known}")
            workspace.execute(f"UPDATE typed SET {gap} = NULL WHERE {gap} = {NOT_SUPPLIED}")


def _show_tonight(workspace: Workspace, stored: str, readings: Sequence[Reading], supplied: frozenset[str]) -> None:
    """Make view ``tonight`` of every catalogue column over the table that holds only what varies."""
    present = columns_of(workspace, stored)
    selected = ["person_id"]
    for column in COLUMNS:
        name = column.name
        gap = "NULL" if name in supplied else NOT_SUPPLIED
        selected.append(name if name in present else f"NULL::{column.duckdb_type} AS {name}")
        selected.append(f"{name}_gap" if f"{name}_gap" in present else f"{gap}::VARCHAR AS {name}_gap")
    selected += ["died", f"{by_extract(readings, 'source')} AS source"]
    workspace.execute("DROP VIEW IF EXISTS tonight")
    workspace.execute(f"CREATE VIEW tonight AS SELECT {', '.join(selected)} FROM {stored}")


def _notes(
    readings: Sequence[Reading],
    unreadable_rows: int,
    unreadable_cells: int,
    duplicates: int,
    conflicts: int,
    advisers: int,
) -> list[str]:
    notes: list[str] = []
    for reading in readings:
        notes.extend(f"{reading.extract.source}: {note}" for note in reading.extract.notes)
        if reading.extra:
            named = ", ".join(f'"{heading[:60]}"' for heading in reading.extra[:NOTED_HEADINGS])
            more = f" and {len(reading.extra) - NOTED_HEADINGS} more" if len(reading.extra) > NOTED_HEADINGS else ""
            notes.append(f"{reading.place}: headings that no rule needs were ignored: {named}{more}")
    for count, one, many in (
        (unreadable_rows, "row could not be used and is", "rows could not be used and are"),
        (unreadable_cells, "cell could not be read and is", "cells could not be read and are"),
    ):
        if count:
            notes.append(f"{count:,} {one if count == 1 else many} listed in unreadable.csv")
    if duplicates:
        notes.append(f"{duplicates:,} repeated {'row' if duplicates == 1 else 'rows'} said the same again")
    if conflicts:
        what = "1 row disagrees" if conflicts == 1 else f"{conflicts:,} rows disagree"
        notes.append(f"{what} with another for the same person; which was used is listed in unreadable.csv")
    if advisers:
        what = "1 personal adviser is" if advisers == 1 else f"{advisers:,} personal advisers are"
        notes.append(f"{what} a team or a placeholder, and read as blank")
    return notes


# The roster's people


def create_empty(workspace: Workspace) -> None:
    """Make ``tonight`` with nobody in it, for looking at the roster between nights."""
    workspace.execute("CREATE OR REPLACE TABLE typed (person_id VARCHAR, died BOOLEAN)")
    _show_tonight(workspace, "typed", [], frozenset())


def join_roster(
    workspace: Workspace,
    intake: Intake | None,
    *,
    as_at: date,
    team_names: Mapping[str, str] | None = None,
    unlisted_from: str | None = None,
) -> None:
    """Make table ``caseload``: tonight's rows and the roster's absent people, with the derived columns.

    ``unlisted_from``: the source of ``care_history``, whose people on neither are added; they have no first night.
    Reads ``tonight`` and ``roster``. Columns that are the same for everyone are generated, so they cost nothing;
    the rest can be updated. ``accommodation_since`` is the roster's; where there is none, tonight.
    """
    supplied = intake.supplied if intake else frozenset()
    absent = _read_absent(workspace, even_nobody=unlisted_from is not None)
    if unlisted_from is not None:
        unlisted.add_unlisted(workspace, unlisted_from, as_at=as_at)
    if absent:
        joining.update_absent(workspace)
        joining.spell_teams(workspace, "absent", "allocated_team", team_names or {})
    tonight = columns_of(workspace, "typed")
    kept = {"person_id": "VARCHAR"}
    generated: dict[str, str] = {}
    for column in COLUMNS:
        name, gap = column.name, f"{column.name}_gap"
        if name in supplied or (absent and _says_anything(workspace, name)):
            kept[name] = column.duckdb_type
        else:
            generated[name] = f"NULL::{column.duckdb_type}"
        if gap in tonight or (absent and _gap_differs(workspace, gap, name in supplied)):
            kept[gap] = "VARCHAR"
        else:
            generated[gap] = "NULL::VARCHAR" if name in supplied else NOT_SUPPLIED
    kept |= {
        "source": "VARCHAR", "said_died": "BOOLEAN", "died": "BOOLEAN", "present": "BOOLEAN",
        "age": "INTEGER", "category": "VARCHAR", "declined": "BOOLEAN", "once_entitled": "BOOLEAN",
        "accommodation_since": "DATE", "first_seen_on": "DATE",
    }  # fmt: skip
    generated["as_at"] = f"DATE '{as_at}'"
    declared = [f"{name} {kind}" for name, kind in kept.items()] + [
        f"{name} {'DATE' if name == 'as_at' else _kind_of(name)} GENERATED ALWAYS AS ({value}) VIRTUAL"
        for name, value in generated.items()
    ]
    recorded = ", ".join(f"{column.name}, {column.name}_gap" for column in COLUMNS)
    absent_rows = (
        f"""
        UNION ALL
        SELECT person_id, {recorded}, died AS said_died, source, false AS present FROM absent"""
        if absent
        else ""
    )
    workspace.execute("DROP TABLE IF EXISTS caseload")
    workspace.execute(f"CREATE TABLE caseload ({', '.join(declared)})")
    workspace.execute(
        f"""
        INSERT INTO caseload ({", ".join(kept)})
        SELECT {", ".join(kept)} FROM (
            SELECT *, {derived_sql()} FROM (
                SELECT
                    shown.*,
                    shown.said_died OR roster.died_on IS NOT NULL AS died,
                    roster.strongest_category,
                    $as_at::DATE AS as_at,
                    coalesce(roster.accommodation_since, CASE WHEN shown.accommodation IS NOT NULL THEN $as_at END)
                        AS accommodation_since,
                    CASE WHEN shown.present OR roster.person_id IS NOT NULL
                        THEN coalesce(roster.first_seen_on, $as_at) END AS first_seen_on
                FROM (
                    SELECT person_id, {recorded}, died AS said_died, source, true AS present FROM tonight
                    {absent_rows}
                ) AS shown
                LEFT JOIN roster USING (person_id)
            )
        )
        """,
        {"as_at": as_at},
    )
    # One copy is enough: from here ``tonight`` is what the caseload holds of those present.
    workspace.execute("DROP VIEW tonight")
    workspace.execute("DROP TABLE typed")
    workspace.execute(
        f"CREATE VIEW tonight AS SELECT person_id, {recorded}, said_died AS died, source FROM caseload WHERE present"
    )
    workspace.execute("DROP TABLE IF EXISTS absent")


def _kind_of(name: str) -> str:
    return "VARCHAR" if name.endswith("_gap") else BY_NAME[name].duckdb_type


def _read_absent(workspace: Workspace, *, even_nobody: bool) -> bool:
    """Make ``absent`` of the roster's people who are not in ``tonight``, if there is anyone; whether it was made."""
    workspace.execute(
        """
        CREATE OR REPLACE TEMP TABLE left_out AS
        SELECT person_id, last_values FROM roster ANTI JOIN tonight USING (person_id)
        WHERE died_on IS NULL AND ended_on IS NULL
        """
    )
    somebody = even_nobody or number_of(workspace, "SELECT count(*) FROM left_out") > 0
    if somebody:
        spread_last_values(workspace, "left_out", into="absent")
    workspace.execute("DROP TABLE left_out")
    return somebody


def spread_last_values(workspace: Workspace, texts: str, *, into: str) -> None:
    """Make ``into``, typed rows as of ``tonight``, of table ``texts`` (person_id, last_values)."""
    # One list of paths reads each person's text once, rather than once for every column.
    names = [name for column in COLUMNS for name in (column.name, f"{column.name}_gap")]
    paths = ", ".join(f"'$.{name}'" for name in (*names, "died"))
    selected = []
    for place, column in enumerate(COLUMNS):
        value, gap = f"found[{2 * place + 1}]", f"found[{2 * place + 2}]"
        selected.append(f"TRY_CAST({value} AS {column.duckdb_type}) AS {column.name}")
        # A key with null was blank; no key at all was not supplied.
        selected.append(
            f"CASE WHEN NOT coalesce(list_contains(said, '{column.name}'), false) "
            f"THEN coalesce({gap}, {NOT_SUPPLIED}) END AS {column.name}_gap"
        )
    workspace.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {into} AS
        SELECT person_id, {", ".join(selected)}, coalesce(found[{len(names) + 1}] = 'true', false) AS died,
            NULL::VARCHAR AS source
        FROM (
            SELECT person_id, json_keys(last_values) AS said, json_extract_string(last_values, [{paths}]) AS found
            FROM {texts}
        )
        """
    )


def _says_anything(workspace: Workspace, name: str) -> bool:
    return number_of(workspace, f"SELECT count({name}) FROM absent") > 0


def _gap_differs(workspace: Workspace, gap: str, supplied: bool) -> bool:
    expected = "NULL" if supplied else NOT_SUPPLIED
    return number_of(workspace, f"SELECT count(*) FROM absent WHERE {gap} IS DISTINCT FROM {expected}") > 0


def last_values_sql(alias: str) -> str:
    """SQL for the JSON text of a row of ``tonight``: its values, null for blank, and unreadable gaps.

    A column without a key was not supplied. ``join_roster`` reads it back for people who are absent.
    """
    parts = []
    for column in COLUMNS:
        cell = f"{alias}.{column.name}"
        if column.kind == "date":
            said = f"""'"' || {cell} || '"'"""
        elif column.kind in ("yes_no", "number"):
            said = f"{cell}::VARCHAR"
        else:
            said = f"json_quote({cell})::VARCHAR"
        parts.append(
            f"CASE WHEN {cell}_gap IS NULL THEN '\"{column.name}\":' || coalesce({said}, 'null') "
            f'WHEN {cell}_gap = {UNREADABLE} THEN \'"{column.name}_gap":"unreadable"\' END'
        )
    parts.append(f"CASE WHEN {alias}.died THEN '\"died\":true' END")
    return f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"


def columns_with_gaps(workspace: Workspace) -> frozenset[str]:
    """The catalogue columns that are unreadable or not supplied for anybody in ``caseload``."""
    asked = ", ".join(f"bool_or({column.name}_gap IS NOT NULL) AS {column.name}" for column in COLUMNS)
    found = fetch(workspace, f"SELECT {asked} FROM caseload")[0]
    return frozenset(name for name, has_gap in found.items() if has_gap)
