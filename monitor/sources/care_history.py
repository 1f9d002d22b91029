"""Care histories: how long each person was looked after from their 14th birthday to their 18th, and on which day last.

Read from the Standard Safeguarding Dataset's care episodes. Days are counted as the SSDA903 return counts them, from
the day an episode starts up to the day it ends, and a day on which nothing but a series of short breaks (V3, V4) is
recorded is left out.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.catalogue.derived import birthday_sql
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import SourceContext
from monitor.sources.ssd_tables import MACROS, SsdTable, all_columns, by_name
from monitor.workspace import Workspace, load_rows, make_table

COLUMNS_SUPPLIED = ("care_days_since_14", "last_day_in_care")

STATUS = all_columns("ssd_legal_status")
INVOLVEMENT = ("person", "team", "started")

TABLES = by_name(
    SsdTable("ssd_person", ("person", "born", "expected", "died"), needed=("person", "born")),
    SsdTable("ssd_cla_episodes", all_columns("ssd_cla_episodes"), needed=("person", "started", "ceased")),
    SsdTable("ssd_legal_status", STATUS, needed=STATUS),
    # These two only say which team knew somebody last.
    SsdTable("ssd_involvements", INVOLVEMENT, needed=INVOLVEMENT, is_optional=True),
    SsdTable("ssd_department", ("team", "name"), needed=("team", "name"), is_optional=True),
)
"""The tables read."""

THIRTEEN_WEEKS = 91
"""With these many days read, a date that cannot be read makes no difference; with fewer, nobody knows."""

NO_DATE = "ssd_day(started) IS NULL OR (ssd_text(ceased) IS NOT NULL AND ssd_day(ceased) IS NULL)"
DOUBTFUL = f"{NO_DATE} OR coalesce(ssd_date(ceased) < ssd_day(started), false)"


@dataclass(frozen=True)
class CareHistory:
    """What was read: its source, and a fingerprint of what it says; the rest is in the workspace's tables."""

    source: str
    fingerprint: str


def read(workspace: Workspace, source: Source, context: SourceContext) -> CareHistory:
    """Make ``care_history``: one row for each person with a birth date who was looked after since turning 14.

    Also ``care_person``, ``care_ageless`` and ``care_unreadable``. Raises ``SourceError`` naming place and remedy.
    """
    workspace.execute(MACROS)
    if source.url:
        _copy_database(workspace, source, context)
    else:
        _copy_files(workspace, source)
    _set_unreadable_aside(workspace, source)
    for step in (PERSON, CARE, TEAM, HISTORY, AGELESS):
        workspace.execute(step, {"as_at": context.as_at} if "$as_at" in step else None)
    for table in (*TABLES, "care_spell", "care_team"):
        workspace.execute(f'DROP TABLE IF EXISTS "{table}"')
    return CareHistory(source.name, _fingerprint(workspace))


# The tables


def _copy_database(workspace: Workspace, source: Source, context: SourceContext) -> None:
    from monitor.sources.sql import open_database  # SQLAlchemy is slow to load

    with open_database(source, context) as database:
        there = database.find_tables(tuple(TABLES))
        for name, table in TABLES.items():
            if name not in there:
                _do_without(workspace, table, f"{source.place}: {name}: no such table; correct url or schema")
                continue
            columns = _match(f"{source.place}: {name}", table, there[name].columns)
            database.read_table(workspace, name, there[name], columns, where="true")
            table.complete(workspace, columns)


def _copy_files(workspace: Workspace, source: Source) -> None:
    folder = source.path
    assert folder is not None  # noqa: S101 - the config insists on it
    for name, table in TABLES.items():
        path = folder / f"{name}.csv"
        try:
            _copy_file(workspace, path, table)
        except FileNotFoundError:
            _do_without(workspace, table, f"{path.name}: no such file in {folder}; export the table there")
        except (OSError, UnicodeDecodeError) as fault:
            why = fault.strerror if isinstance(fault, OSError) else "not UTF-8 text"
            raise SourceError(f"{path.name}: cannot be read ({why}); export the table as CSV UTF-8") from None


def _copy_file(workspace: Workspace, path: Path, table: SsdTable) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        headings = {heading.strip().casefold(): heading for heading in next(reader, [])}
        columns = _match(path.name, table, headings)
        places = [list(headings.values()).index(heading) for heading in columns.values()]
        rows = _cells(path, reader, places, len(headings))
        load_rows(workspace, table.name, dict.fromkeys(columns, "VARCHAR"), rows)
    table.complete(workspace, columns)


def _cells(path: Path, reader: Iterator[list[str]], places: list[int], width: int) -> Iterator[tuple[str, ...]]:
    number = 1
    try:
        for number, record in enumerate(reader, start=2):
            if len(record) != width:
                raise SourceError(
                    f"{path.name}: row {number}: {len(record)} cells under {width} headings; export the table again"
                )
            yield tuple(record[place] for place in places)
    except csv.Error:
        raise SourceError(
            f"{path.name}: row {number + 1}: quotation marks that do not match; export the table again"
        ) from None


def _match(place: str, table: SsdTable, there: Mapping[str, str]) -> dict[str, str]:
    columns = table.match(there)
    if missing := table.find_missing(columns):
        raise SourceError(f"{place}: no column {missing}; load or export a release that has it")
    return columns


def _do_without(workspace: Workspace, table: SsdTable, fault: str) -> None:
    if not table.is_optional:
        raise SourceError(fault)
    table.make_empty(workspace)


def _set_unreadable_aside(workspace: Workspace, source: Source) -> None:
    """Make ``care_unreadable`` of the episodes and legal statuses whose dates cannot be used, by table and row."""
    ending, first = (".csv", 2) if source.path else ("", 1)
    kinds = ("source", "file", "sheet", "row", "column", "reason", "value")
    make_table(workspace, "care_unreadable", {name: "BIGINT" if name == "row" else "VARCHAR" for name in kinds})
    for table in ("ssd_cla_episodes", "ssd_legal_status"):
        workspace.execute(
            f"""
            INSERT INTO care_unreadable
            SELECT $source, $file, NULL, rowid + {first}, '', CASE WHEN {NO_DATE}
                THEN 'not a date, so the episode is left out'
                ELSE 'ends before it starts, so it is left out' END, ''
            FROM "{table}"
            WHERE ssd_id(person) IS NOT NULL AND ({DOUBTFUL})
            ORDER BY rowid
            """,
            {"source": source.name, "file": table + ending},
        )


# What they say. A sentinel for "no end" is an open episode; an end to come is one that is still open.

PERSON = r"""
CREATE OR REPLACE TEMP TABLE care_person AS
SELECT
    ssd_id(person) AS person_id,
    -- An assessed age stands in a column of its own; an expected birth date is no birth.
    min(CASE WHEN coalesce(ssd_date(born), ssd_date(expected)) <= $as_at
        THEN coalesce(ssd_date(born), ssd_date(expected)) END) AS date_of_birth,
    bool_or(ssd_text(died) IS NOT NULL AND coalesce(ssd_day(died) > DATE '1901-12-31', true)) AS died
FROM ssd_person WHERE ssd_id(person) IS NOT NULL GROUP BY 1
"""

SPELL = rf"""
    SELECT
        ssd_id(person) AS person_id,
        greatest(ssd_date(started), {birthday_sql("date_of_birth", "14")}) AS first_day,
        least(coalesce(ssd_date(ceased), $as_at), $as_at, {birthday_sql("date_of_birth", "18")}) AS last_day,
        {{kind}}
    FROM {{table}} JOIN care_person ON care_person.person_id = ssd_id(person)
    WHERE date_of_birth IS NOT NULL AND ssd_date(started) IS NOT NULL
        AND (ssd_text(ceased) IS NULL OR ssd_day(ceased) IS NOT NULL)
        AND ssd_date(ceased) < ssd_date(started) IS NOT TRUE AND first_day < last_day
"""
"""Of one table, the part of each row between the 14th birthday and the 18th, tonight at most."""

RESPITE = r"regexp_matches(upper(ssd_text(status)), '^\W*V[34]\b|SHORT[ -]?(TERM )?BREAK|RESPITE')"

# Each day on which something starts or ends begins a stretch in which nothing changes: overlaps count once, and
# a legal status beside a short break's says that the person was looked after.
CARE = rf"""
CREATE OR REPLACE TEMP TABLE care_spell AS
WITH spell AS (
    {SPELL.format(table="ssd_cla_episodes", kind="'care' AS kind")}
    UNION ALL
    {SPELL.format(table="ssd_legal_status", kind=f"CASE WHEN {RESPITE} THEN 'respite' ELSE 'status' END AS kind")}
),
edge AS (
    SELECT person_id, first_day AS day, kind, 1 AS step FROM spell
    UNION ALL
    SELECT person_id, last_day, kind, -1 FROM spell
),
change AS (
    SELECT person_id, day, sum(step) FILTER (kind = 'care') AS care, sum(step) FILTER (kind = 'respite') AS respite,
        sum(step) FILTER (kind = 'status') AS status
    FROM edge GROUP BY person_id, day
),
stretch AS (
    SELECT person_id, day, lead(day) OVER days AS until,
        sum(coalesce(care, 0)) OVER days AS care, sum(coalesce(respite, 0)) OVER days AS respite,
        sum(coalesce(status, 0)) OVER days AS status
    FROM change WINDOW days AS (PARTITION BY person_id ORDER BY day)
)
SELECT person_id, sum(until - day)::INTEGER AS care_days_since_14, max(until) AS last_day_in_care
FROM stretch WHERE care > 0 AND (respite = 0 OR status > 0) GROUP BY person_id
"""

TEAM = r"""
CREATE OR REPLACE TEMP TABLE care_team AS
SELECT ssd_id(person) AS person_id,
    arg_max(coalesce(d.name, ssd_text(i.team)), coalesce(ssd_date(started), DATE '1902-01-01')) AS team
FROM ssd_involvements AS i
LEFT JOIN (SELECT ssd_id(team) AS team, min(ssd_text(name)) AS name FROM ssd_department GROUP BY 1) AS d
    ON d.team = ssd_id(i.team)
WHERE ssd_text(i.team) IS NOT NULL AND coalesce(ssd_date(started) <= $as_at, true) GROUP BY 1
"""

# Adopted (E11, E12): nobody leaves care that way entitled. Died (E2): as any other record of it.
HISTORY = rf"""
CREATE OR REPLACE TABLE care_history AS
WITH ending AS (
    SELECT ssd_id(person) AS person_id, bool_or({DOUBTFUL}) AS doubtful,
        bool_or(regexp_matches(upper(ssd_text(reason)), '^\W*E2\b|^DIED\b')) AS died,
        arg_max(coalesce(regexp_matches(upper(ssd_text(reason)), '^\W*E1[12]\b|^ADOPTED'), false), ssd_date(ceased))
            AND count(*) FILTER (ssd_text(ceased) IS NULL) = 0 AS adopted
    FROM ssd_cla_episodes GROUP BY 1
)
SELECT p.person_id, p.date_of_birth, t.team, p.died OR coalesce(e.died, false) AS died,
    s.care_days_since_14, s.last_day_in_care,
    coalesce(e.doubtful, false) AND s.care_days_since_14 < {THIRTEEN_WEEKS} AS doubtful
FROM care_person AS p
JOIN care_spell AS s USING (person_id)
LEFT JOIN ending AS e USING (person_id)
LEFT JOIN care_team AS t USING (person_id)
WHERE e.adopted IS NOT TRUE
"""


AGELESS = r"""
CREATE OR REPLACE TABLE care_ageless AS
SELECT DISTINCT ssd_id(e.person) AS person_id FROM ssd_cla_episodes AS e
LEFT JOIN care_person AS p ON p.person_id = ssd_id(e.person)
WHERE ssd_id(e.person) IS NOT NULL AND p.date_of_birth IS NULL
"""


def _fingerprint(workspace: Workspace) -> str:
    row = workspace.execute(
        "SELECT count(*), bit_xor(md5_number(to_json(care_history)::VARCHAR)) FROM care_history"
    ).fetchone()
    return hashlib.sha256(repr(row).encode()).hexdigest()
