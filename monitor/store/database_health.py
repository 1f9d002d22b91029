"""What stands where the database should be: ours, none, an empty one, another program's, or one that is damaged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel

from monitor.store import database_faults
from monitor.store.database import HEAD, WAIT_SECONDS, describe_foreign, list_tables, looking_at, name_some
from monitor.store.tables import Attempt, Flag, FlagEvent, Message, Person, Run

State = Literal["ours", "missing", "empty", "foreign", "damaged"]

VERSION = "alembic_version"
CORE = frozenset(model.__tablename__ for model in (Run, Person, Flag, FlagEvent, Message, Attempt))
"""The tables of every version."""
LONG = frozenset(model.__tablename__ for model in (FlagEvent, Message))
"""The tables that grow for ever."""
LARGE_BYTES = 100_000_000
"""A check of a whole file takes a second for every gigabyte: of a larger one, a night checks all but ``LONG``."""

Pages = Literal["none", "night", "all"]
"""How much of a file is read to find damage: nothing, what a night can afford, or every page."""


@dataclass(frozen=True)
class DatabaseHealth:
    """``why``: what is wrong, where it is not ours and whole."""

    state: State
    why: str = ""


def examine(where: URL, *, wait_seconds: float = WAIT_SECONDS, pages: Pages = "night") -> DatabaseHealth:
    """Find out what stands there, and change nothing; raise ``StoreError`` where it does not answer."""
    where = make_url(where)
    size = None
    if where.get_backend_name() == "sqlite":
        path = Path(where.database or "")
        if not path.is_file():
            return DatabaseHealth("missing")
        if not (size := path.stat().st_size):
            return DatabaseHealth("empty")
    with looking_at(where, wait_seconds=wait_seconds) as store:
        try:
            health = _judge_tables(store)
            if health.state == "ours" and size is not None and pages != "none":
                _check_pages(store, whole=pages == "all" or size <= LARGE_BYTES)
        except DatabaseError as fault:
            if not database_faults.is_damage(fault):
                raise
            return DatabaseHealth("damaged", "the file is not a database, or is damaged")
    return health


def _judge_tables(store: Connection) -> DatabaseHealth:
    found = list_tables(store)
    if not found:
        return DatabaseHealth("empty")
    if not found & CORE or VERSION not in found:
        return DatabaseHealth("foreign", describe_foreign(found))
    version = store.execute(text(f"SELECT version_num FROM {VERSION}")).scalar()
    wanted = frozenset(SQLModel.metadata.tables) if version == HEAD else CORE
    if missing := wanted - found:
        return DatabaseHealth("damaged", f"tables of the monitor are missing from it: {name_some(missing)}")
    return DatabaseHealth("ours")


def _check_pages(store: Connection, *, whole: bool) -> None:
    """Have SQLite read the pages of all tables, or of all but the long ones; raise the fault it finds."""
    names = [] if whole else sorted(frozenset(inspect(store).get_table_names()) - LONG)
    quote = store.dialect.identifier_preparer.quote
    for asked in map(quote, names) if names else ("1",):
        if store.exec_driver_sql(f"PRAGMA quick_check({asked})").scalar() != "ok":
            raise DatabaseError(None, None, Exception("malformed"))
