"""Writes the SQL with which a fleet's database tells figures to the region and nothing else, and reads what it tells.

Each council has a role and a schema of its own. The views stand in a schema beside them: they count as their owner,
withhold small counts as ``figures.suppression`` does, and hold nothing of any person; the region's role may read them
and not one table.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, make_url, text
from sqlalchemy.engine import URL

from monitor.errors import Problems, Refused
from monitor.figures.suppression import publish_rows_sql, publish_totals_sql
from monitor.fleet.authority_nights import (
    NO_NIGHT,
    NOT_AS_KEPT,
    UNREAD,
    AuthorityNight,
    describe_night,
    select_counts,
    select_night,
)
from monitor.fleet.figures_by_authority import FleetFigures, lay_out, tell
from monitor.fleet.fleet_settings import Authority, Fleet
from monitor.store.database import looking_at
from monitor.store.roles import quote_name, write_role, write_schema
from monitor.workspace import literal

SCHEMA = "figures"
BY_AUTHORITY, TOGETHER, NIGHTS = "figures_by_authority", "figures_together", "figures_nights"
GRANTED = (BY_AUTHORITY, TOGETHER, NIGHTS)

COUNT_TYPES = {"measure": "text", "met": "bigint", "breach": "bigint", "cannot_assess": "bigint"}
NIGHT_TYPES = {
    "as_at": "date",
    "verdict": "text",
    "tried_on": "date",
    "tried_state": "text",
    "rule_meanings": "text",
    "rule_wordings": "text",
}
"""Of a night, what a view tells: dates, words of the monitor's own, and the rules."""


# The SQL an administrator runs.


def write_view_sql(fleet: Fleet) -> str:
    """Return the roles, schemas, views and rights of a fleet; raise ``Problems`` where it has no database of its own.

    It may be run again at any time: what is there stays, and the views are made anew.
    """
    if fleet.database is None:
        raise Problems(
            [f"{fleet.path}: fleet.database: missing; views stand in a database of PostgreSQL that the councils share"]
        )
    region = make_url(fleet.database).username
    if region is None:
        raise Problems(
            [f"{fleet.path}: fleet.database: names no role; write the region's, such as postgresql://region@server/db"]
        )
    councils = [(authority, authority.schema or "") for authority in fleet.authorities]
    if taken := [schema for _, schema in councils if schema == region]:
        raise Problems([f'{fleet.path}: fleet.database: the role "{taken[0]}" is a council\'s; name one of the region'])
    return "\n".join(
        [
            *HEAD,
            "BEGIN;",
            _write_role_once(region),
            *(line for _, schema in councils for line in _write_council(schema)),
            f"CREATE SCHEMA IF NOT EXISTS {quote_name(SCHEMA)};",
            DROP_VIEWS,
            *(line for _, schema in councils for line in _write_council_views(schema)),
            *_write_region_views([(authority.code, schema) for authority, schema in councils], fleet.suppress_below),
            f"REVOKE ALL ON SCHEMA {quote_name(SCHEMA)} FROM PUBLIC;",
            f"GRANT USAGE ON SCHEMA {quote_name(SCHEMA)} TO {quote_name(region)};",
            f"GRANT SELECT ON {', '.join(map(_name_view, GRANTED))} TO {quote_name(region)};",
            "COMMIT;",
            "",
        ]
    )


HEAD = (
    "-- The roles, schemas and views of a fleet: run it with psql in the fleet's database, as a role that may make",
    "-- roles and schemas. Run it again after a council's first night, and whenever the fleet's file has changed.",
    "-- It sets no password: give each role one with \\password, or let it in by certificate.",
)

DROP_VIEWS = f"""
DO $do$
DECLARE view_name text;
BEGIN
    FOR view_name IN
        SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = {literal(quote_name(SCHEMA))}::regnamespace
            AND c.relkind = 'v' AND c.relname ~ '^(figures|counts|night)_'
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS {quote_name(SCHEMA)}.%I CASCADE', view_name);
    END LOOP;
END
$do$;"""


def _name_view(name: str) -> str:
    return f"{quote_name(SCHEMA)}.{quote_name(name)}"


def _write_role_once(role: str) -> str:
    return (
        f"DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(role)}) THEN "
        f"{write_role(role)} END IF; END $do$;"
    )


def _write_council(schema: str) -> Iterator[str]:
    """Give the lines for a council's role and schema; who runs them becomes a member, and counts in its name."""
    yield _write_role_once(schema)
    yield f"GRANT {quote_name(schema)} TO CURRENT_USER;"
    yield write_schema(schema, schema)
    yield f"REVOKE ALL ON SCHEMA {quote_name(schema)} FROM PUBLIC;"


def _write_council_views(schema: str) -> Iterator[str]:
    """Give the lines for what the other views count of a council, of which no role is granted anything."""
    queries = ((f"counts_{schema}", select_counts(), COUNT_TYPES), (f"night_{schema}", select_night(), NIGHT_TYPES))
    missing = f"{schema}: no tables yet; run this again after its first night"
    yield f"""
DO $do$
BEGIN
    IF to_regclass({literal(f"{quote_name(schema)}.indicator")}) IS NULL THEN
        RAISE NOTICE {literal(missing)};"""
    for name, _, types in queries:
        nobody = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in types.items())
        yield f"        CREATE VIEW {_name_view(name)} AS SELECT {nobody} WHERE false;"
    yield "    ELSE"
    for name, query, types in queries:
        columns = ", ".join(f"CAST({column} AS {kind}) AS {column}" for column, kind in types.items())
        yield f"        CREATE VIEW {_name_view(name)} AS SELECT {columns} FROM ({_compile(query, schema)}) AS kept;"
    yield "    END IF;\nEND\n$do$;"


def _compile(query: Select[Any], schema: str) -> str:
    """Return a query as PostgreSQL's SQL over the tables of one schema."""
    from sqlalchemy.dialects import postgresql

    compiled = query.compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
        schema_translate_map={None: schema},
        render_schema_translate=True,
        compile_kwargs={"literal_binds": True},
    )
    return str(compiled)


def _write_region_views(councils: Sequence[tuple[str, str]], below: int) -> Iterator[str]:
    counts = _unite("counts", councils, ("measure", "met", "breach", "cannot_assess"))
    views = {
        BY_AUTHORITY: publish_rows_sql(counts, below),
        TOGETHER: publish_totals_sql(counts, below),
        NIGHTS: f"""
SELECT council.authority, {", ".join(f"night.{column}" for column in NIGHT_TYPES)}, {below} AS suppress_below
FROM (VALUES {", ".join(f"(CAST({literal(code)} AS text))" for code, _ in councils)}) AS council (authority)
LEFT JOIN {_unite("night", councils, tuple(NIGHT_TYPES))} AS night ON night.authority = council.authority""",
    }
    for name, query in views.items():
        # A condition on what is told never looks behind it.
        yield f"CREATE VIEW {_name_view(name)} WITH (security_barrier) AS{query};"


def _unite(kind: str, councils: Sequence[tuple[str, str]], columns: Sequence[str]) -> str:
    """Return a query, in brackets, for the rows of every council, each with its code."""
    parts = (
        f"SELECT CAST({literal(code)} AS text) AS authority, {', '.join(columns)} FROM {_name_view(f'{kind}_{schema}')}"
        for code, schema in councils
    )
    return "(" + "\n    UNION ALL ".join(parts) + ")"


# What the views tell.


def read_views(where: URL, fleet: Fleet, as_at: dt.date) -> FleetFigures | None:
    """Return the figures that the views of the fleet's database tell; None where there are none to be read.

    Raises ``Refused`` where they count a council that the fleet does not have, ``StoreError`` where nothing is read.
    """
    with looking_at(where) as store:
        store.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        if not store.execute(text(MAY_READ), {"schema": SCHEMA, "views": list(GRANTED)}).scalar():
            return None
        nights = {row["authority"]: row for row in _read(store, NIGHTS)}
        _check_councils(fleet, nights)
        rows = [tuple(row.values()) for row in _read(store, BY_AUTHORITY)]
        totals = [tuple(row.values()) for row in _read(store, TOGETHER)]
    below = next((row["suppress_below"] for row in nights.values()), fleet.suppress_below)
    described = [_describe(authority, nights.get(authority.code)) for authority in fleet.authorities]
    return lay_out(as_at, described, tell(rows, totals), below)


MAY_READ = """
SELECT count(*) = cardinality(CAST(:views AS text[]))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = ANY (:views) AND has_schema_privilege(n.oid, 'USAGE')
    AND has_table_privilege(c.oid, 'SELECT')
"""


def _read(store: Connection, view: str) -> list[dict[str, Any]]:
    return [dict(row) for row in store.execute(text(f"SELECT * FROM {_name_view(view)}")).mappings()]


def _check_councils(fleet: Fleet, nights: Mapping[str, Any]) -> None:
    codes = {authority.code for authority in fleet.authorities}
    if others := sorted(nights.keys() - codes):
        raise Refused(
            f"the views of the fleet's database count {', '.join(others)}, which {fleet.path} does not name; "
            f"have an administrator run what this prints: {PRINT_SQL}"
        )


PRINT_SQL = "monitor fleet figures --print-sql"
NOT_IN_VIEWS = "not in the views of the fleet's database"


def _describe(authority: Authority, row: Mapping[str, Any] | None) -> AuthorityNight:
    name = authority.name or authority.code
    if row is None:
        return AuthorityNight(authority.code, name, why_not=NOT_IN_VIEWS)
    if row["as_at"] is None:
        return AuthorityNight(authority.code, name, why_not=NO_NIGHT)
    try:
        return describe_night(authority.code, name, row)
    except NOT_AS_KEPT:
        return AuthorityNight(authority.code, name, why_not=UNREAD)
