"""The database: made owner-only, migrated to what the code expects, one writer at a time."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel
from support.posix import needs_posix

import monitor.store
from monitor.errors import LockHeld, MonitorError, Refused
from monitor.store.database import HEAD, Database, open_store, working_store


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'monitor.db'}"


def test_a_new_database_has_exactly_the_tables_the_code_describes(tmp_path: Path) -> None:
    with closing(open_store(url_in(tmp_path))) as database, database.reading() as store:
        differences = compare_metadata(MigrationContext.configure(store), SQLModel.metadata)
    assert differences == []


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    scripts = ScriptDirectory(str(Path(monitor.store.__file__).parent / "migrations"))

    assert scripts.get_current_head() == HEAD


@needs_posix("file modes")
def test_the_database_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    open_store(url_in(tmp_path)).close()

    for path in (tmp_path / "data").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_second_holder_of_the_lock_is_refused_and_the_next_is_not(tmp_path: Path) -> None:
    with (
        working_store(url_in(tmp_path)),
        pytest.raises(LockHeld, match="another run is at work"),
        working_store(url_in(tmp_path), wait_seconds=0),
    ):
        pass

    with working_store(url_in(tmp_path), wait_seconds=0):
        pass


def test_a_database_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    database = open_store(url_in(tmp_path))
    with database.writing() as store:
        store.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(Refused, match="made by a newer monitor"):
        open_store(url_in(tmp_path))


def test_a_file_that_is_no_database_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "monitor.db").write_text("this is not a database, only some words", encoding="utf-8")

    with pytest.raises(MonitorError, match="file is not a database"):
        open_store(url_in(tmp_path))


def test_a_failed_step_saves_nothing(tmp_path: Path) -> None:
    database = open_store(url_in(tmp_path))

    with pytest.raises(MonitorError, match="no such table"):
        write_twice(database)

    with database.reading() as store:
        assert store.execute(text("SELECT count(*) FROM measure")).scalar() == 0
    database.close()


def write_twice(database: Database) -> None:
    """One good row and one that cannot be written, in one transaction."""
    with database.writing() as store:
        store.execute(text("INSERT INTO measure VALUES (1, 'r', 't', '2026-01-05', 1, 1, 0, 0, 0, 0)"))
        store.execute(text("INSERT INTO no_such_table VALUES (1)"))


def log_of(folder: Path) -> int:
    """The size of SQLite's log beside the database."""
    return (folder / "data" / "monitor.db-wal").stat().st_size


def test_the_log_is_empty_after_a_writer_though_another_program_has_the_database_open(tmp_path: Path) -> None:
    with working_store(url_in(tmp_path)):
        pass

    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db")) as other:
        assert other.execute("SELECT count(*) FROM flag").fetchone() == (0,)
        with working_store(url_in(tmp_path)) as database, database.writing() as store:
            store.execute(text("INSERT INTO seal VALUES ('big', zeroblob(1000000))"))

        assert log_of(tmp_path) == 0
        assert other.execute("SELECT length(secret) FROM seal WHERE name = 'big'").fetchone() == (1_000_000,)


def test_one_who_is_reading_hinders_no_writer_and_the_next_empties_the_log(tmp_path: Path) -> None:
    with working_store(url_in(tmp_path)):
        pass

    with closing(sqlite3.connect(tmp_path / "data" / "monitor.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM seal WHERE name = 'big'").fetchone() == (0,)
        with working_store(url_in(tmp_path)) as database, database.writing() as store:
            store.execute(text("INSERT INTO seal VALUES ('big', zeroblob(1000000))"))
        left = log_of(tmp_path)
        other.execute("COMMIT")
        with working_store(url_in(tmp_path)):
            pass

        assert left > 1_000_000
        assert log_of(tmp_path) == 0
