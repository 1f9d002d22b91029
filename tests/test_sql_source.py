"""A query of a council's own: read-only, in bulk, and clear about what is wrong."""

import datetime as dt
import socket
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import SourceContext
from monitor.sources.read import read_source
from monitor.workspace import open_workspace

AS_AT = dt.date(2026, 1, 12)
SELECT = "SELECT person_id, date_of_birth FROM leaver"


@pytest.fixture
def database(postgres: str) -> str:
    """A PostgreSQL database with one table of two people."""
    with psycopg.connect(postgres, autocommit=True) as store:
        store.execute("DROP SCHEMA IF EXISTS public CASCADE")
        store.execute("CREATE SCHEMA public")
        store.execute("CREATE TABLE leaver (person_id text, date_of_birth date, team text)")
        store.execute("INSERT INTO leaver VALUES ('P2', '2006-06-02', 'North'), ('P1', '2006-06-01', 'South')")
    return postgres


def read(
    folder: Path, url: str, query: str, environ: dict[str, str] | None = None, **other: Any
) -> list[tuple[Any, ...]]:
    path = folder / "caseload.sql"
    path.write_text(query, encoding="utf-8")
    source = Source.model_validate({"name": "caseload", "kind": "sql", "url": url, "query_file": path, **other})
    workspace = open_workspace()
    extract = read_source(source, workspace, SourceContext(AS_AT, folder, environ=environ or {}))
    return workspace.execute(f'SELECT * EXCLUDE (fault) FROM "{extract.table}" ORDER BY "row"').fetchall()


def fault(folder: Path, url: str, query: str = SELECT, **other: Any) -> str:
    with pytest.raises(SourceError) as raised:
        read(folder, url, query, **other)
    assert raised.value.exit_code == 3
    return str(raised.value)


def small(folder: Path) -> str:
    path = folder / "small.db"
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE IF NOT EXISTS leaver (person_id TEXT, date_of_birth TEXT)")
        store.execute("INSERT INTO leaver VALUES ('P1', '2006-06-01')")
    store.close()
    return f"sqlite:///{path}"


def test_a_query_gives_its_rows_in_order_of_person(tmp_path: Path, database: str) -> None:
    found = read(
        tmp_path, database, 'SELECT team AS "Allocated Team", date_of_birth AS "DOB", person_id FROM leaver;\n'
    )

    assert found == [(1, "South", "2006-06-01", "P1"), (2, "North", "2006-06-02", "P2")]


def test_values_of_every_kind_become_plain_text(tmp_path: Path, database: str) -> None:
    query = """
        SELECT 12345.0::float8 AS person_id, timestamptz '2006-06-30 23:00+00' AS date_of_birth,
            true AS disability, false AS uasc, 56.00::numeric AS agreed_contact_interval_days,
            timestamp '2025-05-05 00:00' AS latest_contact_date, NULL::date AS death_date,
            timestamp '2025-05-05 14:30' AS pathway_plan_review_date, 12 AS allocated_worker
    """

    (row,) = read(tmp_path, database, query)

    assert row[1:] == (
        "12345", "2006-07-01", "true", "false", "56", "2025-05-05", None, "2025-05-05 14:30:00", "12",
    )  # fmt: skip


def test_columns_that_mean_nothing_are_never_loaded(tmp_path: Path, database: str) -> None:
    found = read(tmp_path, database, "SELECT person_id, 'Surname' AS surname, date_of_birth FROM leaver")

    assert "Surname" not in str(found)


def test_the_same_rows_in_another_order_are_the_same_input(tmp_path: Path, database: str) -> None:
    prints = set()
    for direction in ("ASC", "DESC"):
        path = tmp_path / "caseload.sql"
        path.write_text(f"{SELECT} ORDER BY person_id {direction}", encoding="utf-8")
        source = Source.model_validate({"name": "a", "kind": "sql", "url": database, "query_file": path})
        prints.add(read_source(source, open_workspace(), SourceContext(AS_AT, tmp_path)).fingerprint)

    assert len(prints) == 1


def test_colons_percent_signs_and_semicolons_inside_a_query_are_its_own(tmp_path: Path, database: str) -> None:
    query = f"{SELECT} -- 100%; of :them\nWHERE team LIKE '%;%' OR team <> ':x' /* ; */;"

    assert len(read(tmp_path, database, query)) == 2


def test_sqlite_is_read_too(tmp_path: Path) -> None:
    assert read(tmp_path, small(tmp_path), SELECT) == [(1, "P1", "2006-06-01")]


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM leaver RETURNING *) SELECT person_id, date_of_birth FROM gone",
        "SELECT person_id, date_of_birth FROM drop_one()",
    ],
)
def test_a_query_that_writes_is_refused_by_the_database_itself(tmp_path: Path, database: str, query: str) -> None:
    with psycopg.connect(database, autocommit=True) as store:
        store.execute("""
            CREATE FUNCTION drop_one() RETURNS SETOF leaver LANGUAGE sql AS $$
                DELETE FROM leaver WHERE person_id = 'P1' RETURNING * $$
        """)

    said = fault(tmp_path, database, query)

    assert said == 'source "caseload": the query would write, and nothing may be written; give a query that only reads'
    with psycopg.connect(database) as store:
        assert store.execute("SELECT count(*) FROM leaver").fetchone() == (2,)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("DELETE FROM leaver", "not a query that only reads; begin it with SELECT or WITH"),
        ("-- nothing", "not a query that only reads"),
        (f"{SELECT}; DROP TABLE leaver", "several statements; keep the one that reads"),
        ("SELECT person_id FROM leaver", "no heading for date_of_birth"),
        (f"{SELECT} WHERE false", "caseload.sql: the query gives no row"),
        ("SELECT person_id, date_of_birth FROM leavers", 'no table "leavers"'),
        ("SELECT person_id, birth AS date_of_birth FROM leaver", 'no column "birth"'),
        ("SELECT person_id date_of_birth FROM FROM leaver", "not valid SQL"),
        (
            "SELECT person_id, date_of_birth FROM leaver WHERE team > 5",
            "a column is not of the type the query",
        ),
        (
            "SELECT person_id, team::date AS date_of_birth FROM leaver",
            "a column is not of the type the query",
        ),
        ("SELECT person_id, ARRAY[1] AS date_of_birth FROM leaver", 'column "date_of_birth": holds list values'),
    ],
)
def test_what_is_wrong_with_a_query_is_said(tmp_path: Path, database: str, query: str, said: str) -> None:
    found = fault(tmp_path, database, query)

    assert found.startswith('source "caseload": ')
    assert said in found
    assert "North" not in found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT person_id, date_of_birth FROM leavers", 'no table "leavers"'),
        ("SELECT person_id, birth AS date_of_birth FROM leaver", 'no column "birth"'),
        (f"{SELECT} WHERE", "not valid SQL"),
    ],
)
def test_sqlite_says_the_same(tmp_path: Path, query: str, said: str) -> None:
    assert said in fault(tmp_path, small(tmp_path), query)


def test_a_query_that_takes_too_long_is_given_up(tmp_path: Path, database: str) -> None:
    slow = "SELECT person_id, date_of_birth FROM leaver, pg_sleep(30)"
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS person_id, max(x) AS dob FROM n"
    )

    for said in (
        fault(tmp_path, database, slow, timeout_seconds=1),
        fault(tmp_path, small(tmp_path), endless, timeout_seconds=1),
    ):
        assert "not finished within 1 seconds; raise timeout_seconds" in said


def test_a_missing_query_file_is_said(tmp_path: Path) -> None:
    source = Source.model_validate(
        {"name": "caseload", "kind": "sql", "url": small(tmp_path), "query_file": tmp_path / "none.sql"}
    )

    with pytest.raises(SourceError, match=r"none\.sql: no such query file; correct query_file"):
        read_source(source, open_workspace(), SourceContext(AS_AT, tmp_path))


def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "text.db").write_text("not a database, and long enough to look at" * 50, encoding="utf-8")

    refused = fault(tmp_path, f"postgresql://monitor@127.0.0.1:{port}/ssd")
    unknown = fault(tmp_path, "postgresql://monitor@no-such-host.invalid/ssd", connect_timeout_seconds=5)

    assert refused.startswith(f'source "caseload": connection refused by 127.0.0.1:{port}; check')
    assert unknown == 'source "caseload": unknown host no-such-host.invalid; correct the url'
    assert "no database file none.db" in fault(tmp_path, f"sqlite:///{tmp_path / 'none.db'}")
    assert "cannot be opened as an SQLite database" in fault(tmp_path, f"sqlite:///{tmp_path / 'text.db'}")


def test_a_password_comes_from_the_environment_and_is_never_shown(tmp_path: Path, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as store:
        store.execute("DROP ROLE IF EXISTS reader")
        store.execute("CREATE ROLE reader LOGIN PASSWORD 'right-secret'")
        folder = store.execute("SHOW data_directory").fetchone()[0]
        rules = Path(folder) / "pg_hba.conf"
        before = rules.read_text(encoding="utf-8")
        rules.write_text(f"local all reader scram-sha-256\n{before}", encoding="utf-8")
        store.execute("SELECT pg_reload_conf()")
    url = database.replace("postgres@", "reader@")
    try:
        unset = fault(tmp_path, url, password_env="SOURCE_PASSWORD")
        wrong = fault(tmp_path, url, password_env="SOURCE_PASSWORD", environ={"SOURCE_PASSWORD": "wrong-secret"})
        denied = fault(tmp_path, url, password_env="SOURCE_PASSWORD", environ={"SOURCE_PASSWORD": "right-secret"})
        with psycopg.connect(database, autocommit=True) as store:
            store.execute("GRANT USAGE ON SCHEMA public TO reader")
            store.execute("GRANT SELECT ON leaver TO reader")
        found = read(tmp_path, url, SELECT, {"SOURCE_PASSWORD": "right-secret"}, password_env="SOURCE_PASSWORD")
    finally:
        rules.write_text(before, encoding="utf-8")
        with psycopg.connect(database, autocommit=True) as store:
            store.execute("SELECT pg_reload_conf()")

    assert "the environment variable SOURCE_PASSWORD is not set" in unset
    assert "wrong user or password" in wrong
    assert "wrong-secret" not in wrong
    assert 'no table "leaver"' in denied or "not allowed to read" in denied
    assert len(found) == 2


def test_a_missing_driver_names_the_extra(tmp_path: Path) -> None:
    said = fault(tmp_path, "mssql://monitor@db.example.gov.uk/ssd")

    assert said == (
        "source \"caseload\": the driver pyodbc is not installed; pip install 'care-leaver-monitor[sqlserver]'"
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://monitor:secret@db/ssd",
        "postgresql://monitor@db/ssd?password=secret",
        "mssql+pyodbc:///?odbc_connect=Driver%3D%7BX%7D%3BPWD%3Dsecret",
    ],
)
def test_a_url_that_holds_a_password_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Source.model_validate({"name": "a", "kind": "ssd-systemc", "url": url})

    (problem,) = raised.value.errors()
    assert "holds a password; take it out and name with password_env" in str(problem["ctx"]["error"])
    assert "secret" not in str(problem["ctx"]["error"])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "ssd-systemc"}, "url: missing"),
        ({"kind": "ssd-systemc", "url": "oracle://db/x"}, "url: must begin with one of postgresql://"),
        ({"kind": "sql", "url": "postgresql://db/x"}, "query_file: missing; name the file"),
        ({"kind": "ssd-mosaic", "url": "postgresql://db/x", "query_file": "a.sql"}, "query_file: only for kind sql"),
    ],
)
def test_what_a_database_source_needs_is_said(keys: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Source.model_validate({"name": "a", **keys})
