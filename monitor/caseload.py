"""The caseload: one typed row per person from tonight's extracts and the roster, and what could not be read.

A cell is a value, blank, unreadable or not supplied: the column holds the value or NULL, and ``<name>_gap``
beside it says 'unreadable' or 'not supplied'. Columns that are the same for everyone are generated, so that
a million people cost nothing for what no source supplies.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from monitor import cells
from monitor.columns import BY_NAME, COLUMNS
from monitor.derived import derived_sql
from monitor.errors import SourceError
from monitor.headings import PERSON_ID, match_headings
from monitor.sources import Extract
from monitor.workspace import fetch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNREADABLE = "'unreadable'"
NOT_SUPPLIED = "'not supplied'"

PLACEHOLDER = "not the name of a personal adviser; read as blank"
CONTRADICTION = "contradicts the suitability given with the type of accommodation"
NO_ID = "no id, so it cannot be told whose row this is"
ROUNDED_ID = "the id was turned into a rounded number by a spreadsheet; export ids as text"
HEADINGS_AGAIN = "the headings again"
A_REMARK = "text under the id's heading and nothing else"

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


@dataclass
class _Reading:
    """One extract on its way: where its columns are and what each one's texts mean."""

    number: int
    extract: Extract
    positions: dict[str, int]
    extra: tuple[str, ...]
    tables: dict[str, str] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)
    says_died: set[str] = field(default_factory=set)
    splits_accommodation: bool = False

    @property
    def supplied(self) -> set[str]:
        split = {"accommodation_suitable"} if self.splits_accommodation else set()
        return (self.positions.keys() - {PERSON_ID}) | split

    @property
    def place(self) -> str:
        sheet = f': sheet "{self.extract.sheet}"' if self.extract.sheet else ""
        return f"{self.extract.file}{sheet}"


def type_rows(
    con: "DuckDBPyConnection",
    extracts: Sequence[Extract],
    *,
    as_at: date,
    not_an_adviser: Sequence[str],
    team_names: Sequence[str],
) -> Intake:
    """Make ``tonight`` and ``unreadable`` from the extracts' tables, which are dropped.

    Raises ``SourceError`` where a source has no row with an id.
    """
    con.execute(
        'CREATE OR REPLACE TABLE unreadable (source VARCHAR, file VARCHAR, sheet VARCHAR, "row" BIGINT, '
        '"column" VARCHAR, reason VARCHAR, value VARCHAR)'
    )
    placeholders = sorted({_fold(name) for name in (*not_an_adviser, *team_names)})
    readings = []
    for number, extract in enumerate(extracts):
        matched = match_headings(extract.headings)
        reading = _Reading(number, extract, dict(matched.positions), matched.extra)
        _read_texts(con, reading, as_at, placeholders)
        readings.append(reading)
    unreadable_rows = sum(_list_unusable_rows(con, reading) for reading in readings)
    rows = _type(con, readings) + unreadable_rows
    for reading in readings:
        _list_cells(con, reading)
        con.execute(f'DROP VIEW "{reading.extract.table}"')
        con.execute(f'DROP TABLE "{reading.extract.table}_rows"')
        for table in reading.tables.values():
            con.execute(f'DROP TABLE "{table}"')
    _refuse_before_birth(con, readings)
    unreadable_cells = _count(
        con, "SELECT count(*) FROM unreadable WHERE \"column\" <> '' AND reason <> ?", PLACEHOLDER
    )
    advisers = _count(con, "SELECT count(*) FROM unreadable WHERE reason = ?", PLACEHOLDER)
    duplicates, conflicts = _collapse(con, readings)
    supplied = frozenset().union(*(reading.supplied for reading in readings))
    _show_tonight(con, "typed", readings, supplied)
    return Intake(
        people=_count(con, "SELECT count(*) FROM typed"),
        rows=rows,
        unreadable_rows=unreadable_rows,
        unreadable_cells=unreadable_cells,
        conflicts=conflicts,
        duplicates=duplicates,
        placeholder_advisers=advisers,
        supplied=supplied,
        notes=tuple(_notes(readings, unreadable_rows, unreadable_cells, duplicates, conflicts, advisers)),
        fingerprint=hashlib.sha256("\n".join(one.fingerprint for one in extracts).encode()).hexdigest(),
    )


def _fold(name: str) -> str:
    return " ".join(name.split()).lower()


def _count(con: "DuckDBPyConnection", query: str, *parameters: Any) -> int:
    row = con.execute(query, list(parameters)).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _read_texts(
    con: "DuckDBPyConnection", reading: _Reading, as_at: date, placeholders: Sequence[str]
) -> None:
    for name, position in reading.positions.items():
        if name == PERSON_ID:
            continue
        table = f"read_{reading.number}_{name}"
        texts = f'SELECT DISTINCT c{position} AS text FROM "{reading.extract.table}" WHERE c{position} IS NOT NULL'
        cells.read_cells(con, table, BY_NAME[name], texts, as_at=as_at, not_an_adviser=placeholders)
        reading.tables[name] = table
        found = fetch(
            con,
            "SELECT bool_or(fault IS NOT NULL) AS faulty, bool_or(died) AS died, "
            f'bool_or(suitable IS NOT NULL) AS split FROM "{table}"',
        )[0]
        if found["faulty"]:
            reading.faulty.add(name)
        if found["died"]:
            reading.says_died.add(name)
        reading.splits_accommodation |= bool(found["split"])


# Rows

WHITE = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(8239) || chr(65279)"
FILLER = ("-", "0", "0.0", "00:00:00", "00/01/1900", "01/01/1900", "1900-01-01")
"""What formulas that were filled down past the last person leave in a cell."""

PLAIN_ID = (
    "length(t) > 1 AND right(t, 1) BETWEEN '0' AND '9' AND NOT contains(t, '.') AND NOT contains(t, ' ') "
    "AND NOT contains(t, '+') AND NOT contains(t, ':')"
)
"""How nearly every id is written; the further tests are for the rest."""

ROUNDED = r"regexp_full_match(t, '\d\.\d+[Ee]\+?\d+|\d[Ee]\+\d+')"


def _rows(reading: _Reading) -> str:
    """SQL for an extract's rows with ``person_id``, NULL in a row that cannot be used."""
    position = reading.positions[PERSON_ID]
    others = ", ".join(f"c{n}" for n in sorted(reading.positions.values()) if n != position)
    # A number cell reaches a csv file as 12345.0. A line of notes beneath the list is not a person.
    return f"""
        SELECT
            *,
            CASE
                WHEN fault IS NOT NULL OR t IS NULL THEN NULL
                WHEN {PLAIN_ID} THEN t
                WHEN {cells.BLANK} OR {cells.FAILED} OR {ROUNDED} OR t IN ('0', '0.0') THEN NULL
                WHEN lower(t) = $id_heading THEN NULL
                WHEN contains(t, ' ') AND coalesce({others}) IS NULL THEN NULL
                WHEN regexp_full_match(t, '\\d+\\.0') THEN left(t, length(t) - 2)
                ELSE t
            END AS person_id
        FROM (SELECT *, trim(c{position}, {WHITE}) AS t FROM "{reading.extract.table}")"""


def _id_heading(reading: _Reading) -> dict[str, str]:
    return {"id_heading": reading.extract.headings[reading.positions[PERSON_ID]].strip().lower()}


def _list_unusable_rows(con: "DuckDBPyConnection", reading: _Reading) -> int:
    """List the rows that say something and cannot be used; how many."""
    before = _count(con, "SELECT count(*) FROM unreadable")
    listed = ", ".join(f"'{text}'" for text in FILLER)
    filler = " AND ".join(
        f"(c{n} IS NULL OR trim(c{n}, {WHITE}) IN ('', {listed}))" for n in sorted(reading.positions.values())
    )
    # Kept apart first: asked of every row together, the dearer test for filler would come first.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE unusable AS SELECT * FROM ({_rows(reading)}) WHERE person_id IS NULL",
        _id_heading(reading),
    )
    con.execute(
        f"""
        INSERT INTO unreadable
        SELECT $source, $file, $sheet, "row", '',
            CASE
                WHEN fault IS NOT NULL THEN fault
                WHEN {ROUNDED} THEN $rounded
                WHEN lower(t) = $id_heading THEN $again
                WHEN contains(t, ' ') THEN $remark
                ELSE $no_id
            END, ''
        FROM unusable
        WHERE fault IS NOT NULL OR NOT ({filler})
        ORDER BY "row"
        """,
        _place_of(reading)
        | _id_heading(reading)
        | {"rounded": ROUNDED_ID, "again": HEADINGS_AGAIN, "remark": A_REMARK, "no_id": NO_ID},
    )
    con.execute("DROP TABLE unusable")
    return _count(con, "SELECT count(*) FROM unreadable") - before


def _place_of(reading: _Reading) -> dict[str, str | None]:
    extract = reading.extract
    return {"source": extract.source, "file": extract.file, "sheet": extract.sheet}


def _type(con: "DuckDBPyConnection", readings: Sequence[_Reading]) -> int:
    """Make ``typed``, a row for each usable row of each extract; how many."""
    supplied = set().union(*(reading.supplied for reading in readings))
    con.execute("DROP TABLE IF EXISTS typed")
    total = 0
    for reading in readings:
        select = _typed(reading, supplied)
        if total == 0:
            con.execute(f"CREATE TABLE typed AS {select}", _id_heading(reading))
        else:
            con.execute(f"CREATE OR REPLACE TEMP TABLE typed_next AS {select}", _id_heading(reading))
            con.execute(
                "CREATE OR REPLACE TABLE typed AS SELECT * FROM typed UNION ALL BY NAME SELECT * FROM typed_next"
            )
            con.execute("DROP TABLE typed_next")
        count = _count(con, "SELECT count(*) FROM typed")
        if count == total:
            raise SourceError(_nobody(con, reading))
        total = count
    return total


def _nobody(con: "DuckDBPyConnection", reading: _Reading) -> str:
    listed = _count(con, "SELECT count(*) FROM unreadable WHERE source = ?", reading.extract.source)
    if not listed:
        return f"{reading.place}: no rows beneath the headings; export the list again"
    heading = reading.extract.headings[reading.positions[PERSON_ID]]
    return (
        f'{reading.place}: no id that can be read in any row under "{heading}"; export the list with its ids'
    )


def _typed(reading: _Reading, supplied: set[str]) -> str:
    joins = [
        f'LEFT JOIN "{table}" AS "{name}" ON "{name}".text = r.c{reading.positions[name]}'
        for name, table in reading.tables.items()
    ]
    columns = []
    for column in COLUMNS:
        name = column.name
        if name == "accommodation_suitable" and reading.splits_accommodation:
            columns += _suitability(reading)
        elif name in reading.tables:
            columns.append(f'"{name}".value AS "{name}"')
            if name in reading.faulty:
                columns.append(f'CASE WHEN "{name}".fault IS NOT NULL THEN {UNREADABLE} END AS "{name}_gap"')
        elif name in supplied:
            columns.append(f'NULL::{column.duckdb_type} AS "{name}", {NOT_SUPPLIED} AS "{name}_gap"')
    died = " OR ".join(f'coalesce("{name}".died, false)' for name in sorted(reading.says_died)) or "false"
    return f"""
        SELECT {reading.number}::UTINYINT AS extract, "row", person_id, {died} AS died,
            {", ".join(columns)}
        FROM ({_rows(reading)}) AS r
        {" ".join(joins)}
        WHERE person_id IS NOT NULL"""


def _suitability(reading: _Reading) -> list[str]:
    """The cell's own suitability, else the one that SSDA903's digit gives with the accommodation (S2)."""
    if "accommodation_suitable" not in reading.tables:
        gap = f"CASE WHEN accommodation.suitable IS NULL THEN {NOT_SUPPLIED} END"
        return ["accommodation.suitable AS accommodation_suitable", f"{gap} AS accommodation_suitable_gap"]
    faulty = (
        "(accommodation_suitable.fault IS NOT NULL "
        "OR coalesce(accommodation_suitable.value <> accommodation.suitable, false))"
    )
    value = "coalesce(accommodation_suitable.value, accommodation.suitable)"
    return [
        f"CASE WHEN NOT {faulty} THEN {value} END AS accommodation_suitable",
        f"CASE WHEN {faulty} THEN {UNREADABLE} END AS accommodation_suitable_gap",
    ]


# Cells that cannot be read


def _list_cells(con: "DuckDBPyConnection", reading: _Reading) -> None:
    for name, table in reading.tables.items():
        joins = f'JOIN "{table}" AS m ON m.text = {_cell(reading, name)}'
        if name in reading.faulty:
            _list_cell(con, reading, name, "m.fault", "m.shown", joins, "m.fault IS NOT NULL")
        if name == "personal_adviser":
            _list_cell(con, reading, name, f"'{PLACEHOLDER}'", "''", joins, "m.placeholder")
    if reading.splits_accommodation and "accommodation_suitable" in reading.tables:
        joins = (
            f'JOIN "{reading.tables["accommodation_suitable"]}" AS m '
            f"ON m.text = {_cell(reading, 'accommodation_suitable')} "
            f'JOIN "{reading.tables["accommodation"]}" AS a ON a.text = {_cell(reading, "accommodation")}'
        )
        _list_cell(
            con, reading, "accommodation_suitable", f"'{CONTRADICTION}'", "''", joins, "m.value <> a.suitable"
        )


def _cell(reading: _Reading, name: str) -> str:
    return f"r.c{reading.positions[name]}"


def _list_cell(
    con: "DuckDBPyConnection", reading: _Reading, name: str, reason: str, shown: str, joins: str, where: str
) -> None:
    con.execute(
        f"""
        INSERT INTO unreadable
        SELECT $source, $file, $sheet, r."row", '{name}', {reason}, {shown}
        FROM ({_rows(reading)}) AS r {joins}
        WHERE r.person_id IS NOT NULL AND {where}
        ORDER BY r."row"
        """,
        _place_of(reading) | _id_heading(reading),
    )


def _refuse_before_birth(con: "DuckDBPyConnection", readings: Sequence[_Reading]) -> None:
    """A date of something that happened cannot be earlier than the birth: such cells become unreadable."""
    present = _columns_of(con, "typed")
    dates = [
        one.name
        for one in COLUMNS
        if one.records_past and one.name in present and one.name != "date_of_birth"
    ]
    if not dates or "date_of_birth" not in present:
        return
    found = fetch(
        con, f"SELECT {', '.join(f'bool_or({name} < date_of_birth) AS {name}' for name in dates)} FROM typed"
    )
    for name in (name for name, any_before in found[0].items() if any_before):
        con.execute(
            f"""
            INSERT INTO unreadable
            SELECT {_by_extract(readings, "source")}, {_by_extract(readings, "file")},
                {_by_extract(readings, "sheet")}, "row", '{name}', '{cells.BEFORE_BIRTH}', ''
            FROM typed WHERE {name} < date_of_birth
            """
        )
        if f"{name}_gap" not in present:
            con.execute(f"ALTER TABLE typed ADD COLUMN {name}_gap VARCHAR")
        con.execute(f"UPDATE typed SET {name} = NULL, {name}_gap = {UNREADABLE} WHERE {name} < date_of_birth")


def _by_extract(readings: Sequence[_Reading], attribute: str) -> str:
    said = [getattr(reading.extract, attribute) for reading in readings]
    texts = ["NULL" if text is None else "'" + text.replace("'", "''") + "'" for text in said] or ["NULL"]
    if len(set(texts)) == 1:
        return f"{texts[0]}::VARCHAR"
    return f"CASE extract {' '.join(f'WHEN {n} THEN {text}' for n, text in enumerate(texts))} END"


def _columns_of(con: "DuckDBPyConnection", table: str) -> frozenset[str]:
    return frozenset(row["column_name"] for row in fetch(con, f"DESCRIBE {table}"))


# Several rows for one person


def _collapse(con: "DuckDBPyConnection", readings: Sequence[_Reading]) -> tuple[int, int]:
    """Keep one row per person in ``typed``; how many equal rows were dropped, and how many that differ.

    A row that says died wins, else the newest contact, else the last row.
    """
    if _count(con, "SELECT count(*) - count(DISTINCT person_id) FROM typed") == 0:
        return 0, 0
    present = _columns_of(con, "typed")
    compared = sorted(present - {"extract", "row", "person_id"})
    newest = "latest_contact_date DESC NULLS LAST," if "latest_contact_date" in present else ""
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT *, row_number() OVER (
            PARTITION BY person_id ORDER BY died DESC, {newest} extract DESC, "row" DESC
        ) AS place
        FROM typed SEMI JOIN (SELECT person_id FROM typed GROUP BY ALL HAVING count(*) > 1) USING (person_id)
        """
    )
    alike = " AND ".join(f'u."{name}" IS NOT DISTINCT FROM d."{name}"' for name in compared)
    contact = "u.latest_contact_date IS DISTINCT FROM d.latest_contact_date" if newest else "false"
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE dropped AS
        SELECT d.person_id, d.extract, d."row", {alike} AS alike, u.extract AS used_extract, u."row" AS used_row,
            CASE
                WHEN u.died AND NOT d.died THEN 'which says the person died'
                WHEN {contact} THEN 'which has the newer contact'
                ELSE 'which comes later'
            END AS because
        FROM repeated AS d JOIN repeated AS u ON u.person_id = d.person_id AND u.place = 1
        WHERE d.place > 1
        """
    )
    source, file, sheet = (_by_extract(readings, name) for name in ("source", "file", "sheet"))
    used_file = _by_extract(readings, "file").replace("CASE extract", "CASE used_extract")
    con.execute(
        f"""
        INSERT INTO unreadable
        SELECT {source}, {file}, {sheet}, "row", '',
            'another row for the same person: row ' || used_row || ' of ' || {used_file} || ' was used, ' || because,
            ''
        FROM dropped WHERE NOT alike ORDER BY extract, "row"
        """
    )
    con.execute(
        'DELETE FROM typed USING dropped AS d WHERE typed.extract = d.extract AND typed."row" = d."row"'
    )
    equal = _count(con, "SELECT count(*) FROM dropped WHERE alike")
    differing = _count(con, "SELECT count(*) FROM dropped WHERE NOT alike")
    con.execute("DROP TABLE repeated")
    con.execute("DROP TABLE dropped")
    return equal, differing


def _show_tonight(
    con: "DuckDBPyConnection", stored: str, readings: Sequence[_Reading], supplied: frozenset[str]
) -> None:
    """Make view ``tonight`` of every catalogue column over the table that holds only what varies."""
    present = _columns_of(con, stored)
    selected = ["person_id"]
    for column in COLUMNS:
        name = column.name
        gap = "NULL" if name in supplied else NOT_SUPPLIED
        selected.append(name if name in present else f"NULL::{column.duckdb_type} AS {name}")
        selected.append(f"{name}_gap" if f"{name}_gap" in present else f"{gap}::VARCHAR AS {name}_gap")
    selected += ["died", f"{_by_extract(readings, 'source')} AS source"]
    con.execute("DROP VIEW IF EXISTS tonight")
    con.execute(f"CREATE VIEW tonight AS SELECT {', '.join(selected)} FROM {stored}")


def _notes(
    readings: Sequence[_Reading],
    unreadable_rows: int,
    unreadable_cells: int,
    duplicates: int,
    conflicts: int,
    advisers: int,
) -> list[str]:
    notes = []
    for reading in readings:
        if reading.extra:
            named = ", ".join(f'"{heading[:60]}"' for heading in reading.extra[:NOTED_HEADINGS])
            more = (
                f" and {len(reading.extra) - NOTED_HEADINGS} more"
                if len(reading.extra) > NOTED_HEADINGS
                else ""
            )
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


def create_empty(con: "DuckDBPyConnection") -> None:
    """Make ``tonight`` with nobody in it, for looking at the roster between nights."""
    con.execute("CREATE OR REPLACE TABLE typed (person_id VARCHAR, died BOOLEAN)")
    _show_tonight(con, "typed", [], frozenset())


def join_roster(con: "DuckDBPyConnection", intake: Intake | None, *, as_at: date) -> None:
    """Make table ``caseload``: tonight's rows and the roster's absent people, with the derived columns.

    Reads ``tonight`` and ``roster``. Columns that are the same for everyone are generated, so they cost nothing;
    the rest can be updated. ``accommodation_since`` is the roster's; where there is none, tonight.
    """
    supplied = intake.supplied if intake else frozenset()
    absent = _read_absent(con)
    tonight = _columns_of(con, "typed")
    kept = {"person_id": "VARCHAR"}
    generated: dict[str, str] = {}
    for column in COLUMNS:
        name, gap = column.name, f"{column.name}_gap"
        if name in supplied or (absent and _says_anything(con, name)):
            kept[name] = column.duckdb_type
        else:
            generated[name] = f"NULL::{column.duckdb_type}"
        if gap in tonight or (absent and _gap_differs(con, gap, name in supplied)):
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
    con.execute("DROP TABLE IF EXISTS caseload")
    con.execute(f"CREATE TABLE caseload ({', '.join(declared)})")
    con.execute(
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
                    coalesce(roster.first_seen_on, $as_at) AS first_seen_on
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
    con.execute("DROP VIEW tonight")
    con.execute("DROP TABLE typed")
    con.execute(
        f"CREATE VIEW tonight AS SELECT person_id, {recorded}, said_died AS died, source FROM caseload WHERE present"
    )
    con.execute("DROP TABLE IF EXISTS absent")


def _kind_of(name: str) -> str:
    return "VARCHAR" if name.endswith("_gap") else BY_NAME[name].duckdb_type


def _read_absent(con: "DuckDBPyConnection") -> bool:
    """Make ``absent`` of the roster's people who are not in ``tonight``; whether there is anyone."""
    # One list of paths reads each person's text once, rather than once for every column.
    names = [name for column in COLUMNS for name in (column.name, f"{column.name}_gap")]
    paths = ", ".join(f"'$.{name}'" for name in (*names, "died"))
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE left_out AS
        SELECT person_id, json_keys(last_values) AS said, json_extract_string(last_values, [{paths}]) AS found
        FROM roster ANTI JOIN tonight USING (person_id)
        WHERE died_on IS NULL AND ended_on IS NULL
        """
    )
    if not _count(con, "SELECT count(*) FROM left_out"):
        con.execute("DROP TABLE left_out")
        return False
    selected = []
    for place, column in enumerate(COLUMNS):
        value, gap = f"found[{2 * place + 1}]", f"found[{2 * place + 2}]"
        selected.append(f"TRY_CAST({value} AS {column.duckdb_type}) AS {column.name}")
        # A key with null was blank; no key at all was not supplied.
        selected.append(
            f"CASE WHEN NOT coalesce(list_contains(said, '{column.name}'), false) "
            f"THEN coalesce({gap}, {NOT_SUPPLIED}) END AS {column.name}_gap"
        )
    con.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE absent AS
        SELECT person_id, {", ".join(selected)}, coalesce(found[{len(names) + 1}] = 'true', false) AS died,
            NULL::VARCHAR AS source
        FROM left_out
        """
    )
    con.execute("DROP TABLE left_out")
    return True


def _says_anything(con: "DuckDBPyConnection", name: str) -> bool:
    return _count(con, f"SELECT count({name}) FROM absent") > 0


def _gap_differs(con: "DuckDBPyConnection", gap: str, supplied: bool) -> bool:
    expected = "NULL" if supplied else NOT_SUPPLIED
    return _count(con, f"SELECT count(*) FROM absent WHERE {gap} IS DISTINCT FROM {expected}") > 0


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


def columns_with_gaps(con: "DuckDBPyConnection") -> frozenset[str]:
    """The catalogue columns that are unreadable or not supplied for anybody in ``caseload``."""
    asked = ", ".join(f"bool_or({column.name}_gap IS NOT NULL) AS {column.name}" for column in COLUMNS)
    found = fetch(con, f"SELECT {asked} FROM caseload")[0]
    return frozenset(name for name, has_gap in found.items() if has_gap)
