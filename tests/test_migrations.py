"""An older database: brought up to date with all it holds, by one process, or left as it was."""

import datetime as dt
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Date, DateTime, Float, Integer, MetaData, create_engine, inspect, select, text
from sqlmodel import SQLModel
from support.council import Council, crowd, day, settled

from monitor.errors import StoreError
from monitor.store import database
from monitor.store.database import migrate, open_store

VERSIONS = [script.revision for script in reversed(list(ScriptDirectory(str(database.MIGRATIONS)).walk_revisions()))]
DATABASES = Path(__file__).parent / "databases"
FIRST_VERSION = json.loads((DATABASES / "0001.json").read_text(encoding="utf-8"))
"""Three nights of invented people as the first version leaves them, by table: columns and rows."""


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "SQLite":
        (tmp_path / "data").mkdir()
        return f"sqlite:///{(tmp_path / 'data' / 'monitor.db').as_posix()}"
    made: Callable[[], str] = request.getfixturevalue("new_database")
    return made().replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version to come: its migrations are today's and one more."""
    migrations = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    to_come = (DATABASES / "next_version.py").read_text(encoding="utf-8")
    (migrations / "versions" / "next_version.py").write_text(to_come.replace("NEWEST", VERSIONS[-1]), encoding="utf-8")
    monkeypatch.setattr(database, "MIGRATIONS", migrations)
    monkeypatch.setattr(database, "HEAD", "next")
    return migrations


def make(url: str, version: str, fill: Callable[[Connection], object]) -> Any:
    """A database of that version, filled; what ``fill`` says."""
    engine = create_engine(url)
    with engine.begin() as connection:
        migrate(connection, version)
        filled = fill(connection)
    engine.dispose()
    return filled


def fill_every_table(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Two rows in each table, with a value in every column."""
    tables = MetaData()
    tables.reflect(connection)
    written = {}
    for name, table in tables.tables.items():
        if name != "alembic_version":
            written[name] = [
                {column.name: value_of(column.type, f"{name}.{column.name}", n) for column in table.columns}
                for n in (1, 2)
            ]
            connection.execute(table.insert(), written[name])
    return written


def value_of(kind: Any, place: str, n: int) -> Any:
    if isinstance(kind, DateTime):
        return dt.datetime(2026, 1, n, 2, 30)  # noqa: DTZ001 - as the database keeps it
    if isinstance(kind, Date):
        return dt.date(2026, 1, n)
    if isinstance(kind, Integer):
        return n
    return n + 0.5 if isinstance(kind, Float) else f"{place} {n}"


def fill_three_nights(connection: Connection) -> None:
    tables = MetaData()
    tables.reflect(connection)
    for name, held in FIRST_VERSION.items():
        if held["rows"]:
            table = tables.tables[name]
            read = [reader_of(table.c[column].type) for column in held["columns"]]
            rows = [
                {c: None if v is None else r(v) for c, r, v in zip(held["columns"], read, row, strict=True)}
                for row in held["rows"]
            ]
            connection.execute(table.insert(), rows)


def reader_of(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, DateTime):
        return dt.datetime.fromisoformat
    return dt.date.fromisoformat if isinstance(kind, Date) else lambda value: value


def homeless(person_id: str, **other: str) -> dict[str, str]:
    return settled(person_id, accommodation="S: No fixed abode", suitable="b) Unsuitable", **other)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_database_of_any_version_holds_is_still_there_when_it_is_up_to_date(url: str, version: str) -> None:
    written = make(url, version, fill_every_table)

    store = open_store(url)

    tables = MetaData()
    with store.reading() as connection:
        tables.reflect(connection)
        for name, rows in written.items():
            held = select(*(tables.tables[name].c[column] for column in rows[0]))
            assert [row for row in connection.execute(held).mappings() if dict(row) in rows] == rows, name
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
    store.close()


def test_a_new_file_has_the_tables_that_the_migrations_make(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    open_store(f"sqlite:///{tmp_path / 'data' / 'monitor.db'}").close()
    make(f"sqlite:///{tmp_path / 'migrated.db'}", "head", lambda connection: None)

    assert describe_tables(tmp_path / "data" / "monitor.db") == describe_tables(tmp_path / "migrated.db")


def describe_tables(path: Path) -> dict[str, object]:
    """The columns of each table, in no order, how many rows it has, and the words of each index."""
    with closing(sqlite3.connect(path)) as database:
        things = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        tables = [name for kind, name, _ in things if kind == "table"]
        columns = {name: {row[1:] for row in database.execute(f"PRAGMA table_info({name})")} for name in tables}
        versions = database.execute("SELECT version_num FROM alembic_version").fetchall()
    return {
        **columns,
        **{name: " ".join((sql or "").split()) for kind, name, sql in things if kind == "index"},
        "": versions,
    }


def test_a_waiver_that_an_older_version_carried_on_says_which_it_repeats(url: str) -> None:
    detail = {"waiver_id": 2, "carries_waiver_id": 1, "until_on": "2026-03-01", "rows": {"waiver": [{"id": 2}]}}

    def fill(connection: Connection) -> None:
        fill_every_table(connection)
        carried = {"kind": "waiver carried", "payload": json.dumps(detail)}
        connection.execute(text("UPDATE flag_event SET kind = :kind, payload = :payload WHERE id = 2"), carried)

    make(url, "0007", fill)

    store = open_store(url)

    with store.reading() as connection:
        told = connection.execute(text("SELECT payload FROM flag_event ORDER BY id DESC LIMIT 1")).scalar()
        carries = connection.execute(text("SELECT id, carries_waiver_id FROM waiver ORDER BY id")).all()
    store.close()
    assert [tuple(row) for row in carries] == [(1, None), (2, 1)]
    assert json.loads(str(told))["rows"] == {"waiver": [{"id": 2, "carries_waiver_id": 1}]}


@pytest.mark.usefixtures("next_version")
def test_a_step_to_a_new_version_keeps_every_row_and_fills_what_is_new(url: str) -> None:
    written = make(url, "0001", fill_every_table)

    store = open_store(url)

    tables = MetaData()
    with store.reading() as connection:
        tables.reflect(connection)
        for name, rows in written.items():
            held = select(*(tables.tables[name].c[column] for column in rows[0]))
            assert [row for row in connection.execute(held).mappings() if dict(row) in rows] == rows, name
        opened = connection.execute(text("SELECT count(*) FROM message WHERE opened_at = accepted_at")).scalar()
        assert (opened, connection.execute(text("SELECT count(*) FROM visit")).scalar()) == (2, 0)
    store.close()


@pytest.mark.usefixtures("next_version")
def test_nights_go_on_from_the_database_of_an_older_version(tmp_path: Path, url: str) -> None:
    make(url, "0001", fill_three_nights)
    council = Council(tmp_path, database=url)
    others = [settled("P5", plan="20/07/2025"), *crowd(12)]
    council.clock = dt.datetime(2026, 1, 15, 2, 30, tzinfo=dt.UTC)

    night = council.night(
        day(3),
        [homeless("P1"), settled("P2"), homeless("P3", team="South"), settled("P4", in_touch="c) Died"), *others],
    )

    assert (night.outcome, night.baseline, night.deaths, night.exit_code) == ("accepted", False, 0, 0)
    assert dict(night.changes) == {"released": 1, "resolved": 1}
    assert council.flags() == {
        ("P1", "homeless"): "open",
        ("P2", "homeless"): "cleared",
        ("P3", "homeless"): "open",
        ("P4", "pathway-plan-current"): "died",
    }
    (north,) = council.mail_to("north@example.gov.uk", day(3))
    assert " new" not in north.subject  # what the older version told is not told as new again


@pytest.mark.usefixtures("next_version")
def test_an_upgrade_that_fails_leaves_the_older_version_as_it_was(url: str) -> None:
    """A table of somebody else's stands where a later migration makes its own."""

    def fill(connection: Connection) -> None:
        fill_three_nights(connection)
        connection.execute(text("CREATE TABLE visit (of_what INTEGER)"))

    make(url, "0001", fill)

    with pytest.raises(StoreError, match=r'"?visit"? already exists; the upgrade of it changed nothing'):
        open_store(url)

    engine = create_engine(url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
        assert set(inspect(connection).get_table_names()) == {*FIRST_VERSION, "alembic_version", "visit"}
        assert "opened_at" not in {column["name"] for column in inspect(connection).get_columns("message")}
        assert connection.execute(text("SELECT count(*) FROM flag")).scalar() == 5
        connection.execute(text("DROP TABLE visit"))
    engine.dispose()
    open_store(url).close()


def test_of_two_processes_that_open_an_older_database_at_once_one_brings_it_up_to_date(
    url: str, next_version: Path
) -> None:
    make(url, "0001", fill_three_nights)
    opening = (
        "from pathlib import Path; from monitor.store import database; "
        f"database.MIGRATIONS, database.HEAD = Path({str(next_version)!r}), {database.HEAD!r}; "
        f"database.open_store({url!r}, wait_seconds=60)"
    )

    both = [subprocess.Popen([sys.executable, "-c", opening], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    store = open_store(url)
    with store.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["next"]
        assert connection.execute(text("SELECT count(*) FROM flag")).scalar() == 5
    store.close()
