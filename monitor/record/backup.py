"""Makes a backup of the database in one file, consistent while a night runs, and proved before it has its name.

Of SQLite it is the database as it is. Of PostgreSQL it is the same tables in an SQLite file, read in one
repeatable-read transaction. Either is its owner's alone, and can be put back into either.
"""

import datetime as dt
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, func, make_url, select
from sqlmodel import SQLModel

from monitor.config.settings import Config
from monitor.errors import LockHeld, Problems, StoreError
from monitor.files import UNFINISHED, make_private_folder, written_whole
from monitor.record import backup_list, removal_marks
from monitor.record.backup_list import NO_HEAD, Backup
from monitor.store import database_health, events
from monitor.store.bulk import insert_rows
from monitor.store.database import HEAD, WAIT_SECONDS, find_version, looking_at, open_store, reading_store
from monitor.store.location import name_place
from monitor.store.tables import Holder, Run, table_of
from monitor.words import write_count, write_date

CHUNK = 5_000
BESIDE = ("", "-wal", "-shm", "-journal", ".lock")
"""What stands beside an SQLite file, by the end of its name."""


@dataclass(frozen=True)
class BackupAccount:
    """What a backup holds. ``problems``: what is wrong with the database it is of, and so with it."""

    path: str
    size_bytes: int
    last_accepted: dt.date | None
    events: int
    head: str
    until: dt.date | None
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0


def make_backup(config: Config, where: URL, path: Path, now: dt.datetime, *, until: dt.date | None) -> BackupAccount:
    """Write a backup to ``path``, which must be new; ``until``: the day after which a purge removes it."""
    where, path, folder = make_url(where), path.absolute(), config.data_folder
    if path.exists():
        raise Problems([f"{path}: is there already, and a backup takes no file's place; give another name"])
    if (health := database_health.examine(where, pages="none")).state != "ours":
        raise StoreError(f"{name_place(where)}: {health.why or f'is {health.state}'}, so there is nothing to back up")
    with backup_list.at_work(folder, wait_seconds=WAIT_SECONDS) as alone:
        if not alone:
            raise LockHeld(f"{folder}: another backup is being made; try again when it is done")
        backup_list.append(folder, Backup(now, 0, NO_HEAD, path))
        make_private_folder(path.parent)
        with written_whole(path) as unfinished:
            try:
                copy_database(where, unfinished)
                account = prove(unfinished, path, until)
                backup_list.append(folder, Backup(now, account.events, account.head, path))
            finally:
                tidy(unfinished)
        with looking_at(where) as store:
            removal_marks.keep(store, folder)
    return account


def copy_database(where: URL, target: Path) -> None:
    """Copy the database as it stands at one moment to an SQLite file, which is there and empty."""
    if where.get_backend_name() == "sqlite":
        _copy_file(str(where.database), target)
        return
    target.unlink()
    with (
        reading_store(where) as database,
        closing(open_store(sqlite_url(target))) as copy,
        database.reading() as source,
        copy.writing() as store,
    ):
        copy_rows(source, store)


def _copy_file(source: str, target: Path) -> None:
    try:
        address = f"file:{quote(source)}?mode=rw"
        with (
            closing(sqlite3.connect(address, uri=True, timeout=WAIT_SECONDS)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with no log beside it
    except sqlite3.Error as fault:
        raise StoreError(f"database {source}: cannot be copied ({fault}); put that right, and try again") from None


def copy_rows(source: Connection, target: Connection) -> None:
    """Put the rows of every table in the place of those that are there; who is at work stays as it is."""
    models = {model.__tablename__: model for model in SQLModel.__subclasses__() if hasattr(model, "__table__")}
    for table in SQLModel.metadata.sorted_tables:
        if table.name == Holder.__tablename__:
            continue
        target.execute(table.delete())
        rows = source.execute(select(table).execution_options(yield_per=CHUNK))
        insert_rows(target, models[table.name], [column.name for column in table.c], rows)


def sqlite_url(path: Path) -> URL:
    return URL.create("sqlite", database=str(path))


def prove(copy: Path, path: Path, until: dt.date | None) -> BackupAccount:
    """Open a copy, look through its pages and walk along its chain; raise ``StoreError`` where it is no backup."""
    where = sqlite_url(copy)
    health = database_health.examine(where, pages="all")
    if health.state != "ours":
        raise StoreError(f"{path}: {health.why or f'is {health.state}'}; no backup of the monitor's")
    problems: tuple[str, ...] = ()
    run = table_of(Run)
    with looking_at(where) as store:
        number, head = events.newest(store)
        accepted = store.execute(select(func.max(run.c.as_at)).where(run.c.state == "accepted")).scalar()
        if find_version(where) == HEAD and (fault := events.find_fault(events.walk(store))):
            row, why = fault
            problems = (f"event {row.id} {why}; see what else was changed: monitor audit",)
    return BackupAccount(str(path), copy.stat().st_size, accepted, number, head, until, problems)


def tidy(unfinished: Path) -> None:
    """Remove what SQLite and the lock left beside an unfinished file."""
    if unfinished.name.endswith(UNFINISHED):
        for ending in BESIDE[1:]:
            Path(f"{unfinished}{ending}").unlink(missing_ok=True)


def describe(account: BackupAccount) -> list[str]:
    """Return what was backed up, in lines for the person who asked for it."""
    night = f"the night of {write_date(account.last_accepted)}" if account.last_accepted else "no accepted night yet"
    until = f"kept until {write_date(account.until)}, then a purge removes it" if account.until else "kept for ever"
    lines = [
        f"Backup written to {account.path}: {account.size_bytes / 1e6:,.1f} MB, up to {night}",
        f"  {write_count(account.events, 'event')}, head {account.head}",
        f"  it holds young people's records, is its owner's alone, and is {until}",
    ]
    return [*lines, *account.problems]
