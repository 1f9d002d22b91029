"""The database: opened, migrated to what the code expects, one writer at a time."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import create_engine

from monitor.errors import Problems, Refused, StoreError
from monitor.files import make_private_file
from monitor.store import database_faults, lock
from monitor.store.location import name_place, refuse_share

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0001"
"""The newest migration; a test compares it with ``migrations/versions``."""

WAIT_SECONDS = 5.0
"""How long another run may take to finish, or a database to answer, before it is said."""


KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds until a silent connection is tried, between tries, and tries; by libpq's and the server's names."""


class Database:
    """An open database, migrated to ``HEAD``.

    ``token``: of the lock this process holds; without one, each writing transaction takes the lock for itself.
    """

    def __init__(self, engine: Engine, *, wait_seconds: float = WAIT_SECONDS, token: str | None = None) -> None:
        self.engine = engine
        self.wait_seconds = wait_seconds
        self.token = token

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; nothing is written."""
        with _explained(self.engine), _connected(self.engine, self.wait_seconds) as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing; raises ``LockHeld`` where this process is not the one at work."""
        with _explained(self.engine, "; nothing of this step was saved, run again when it is put right"):
            if self.token is None:
                with _at_work(self.engine, self.wait_seconds) as token, self._transaction(token) as connection:
                    yield connection
            else:
                with self._transaction(self.token) as connection:
                    yield connection

    @contextmanager
    def _transaction(self, token: str) -> Iterator[Connection]:
        with _begun(self.engine, self.wait_seconds) as connection:
            lock.check(connection, token)
            yield connection

    def compact(self) -> None:
        """Write the database anew, so that nothing deleted is left in its files; needs room for it once more."""
        with (
            _explained(self.engine, "; what was deleted may still be in its files, so give the command again"),
            _connected(self.engine, self.wait_seconds, in_transaction=False) as connection,
        ):
            if self.engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM FULL")
                return
            connection.exec_driver_sql("VACUUM")
            ((busy, _, _),) = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise StoreError(
                f"{name_place(self.engine.url)}: another program is reading it, so what was deleted is still in its "
                "files; close that program, and give the command again"
            )

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def working_store(where: URL, *, wait_seconds: float = WAIT_SECONDS, existing: bool = False) -> Iterator[Database]:
    """The store, and the right to write to it, until the block ends; made or migrated first where needed.

    Raises ``LockHeld`` when another process is still at work after ``wait_seconds``. ``existing``: a database that
    is not there yet is refused rather than made.
    """
    if existing:
        _insist(where, wait_seconds)
    engine = _open_engine(where, wait_seconds)
    try:
        with _explained(engine), _at_work(engine, wait_seconds) as token:
            yield Database(engine, wait_seconds=wait_seconds, token=token)
    finally:
        engine.dispose()


def open_store(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> Database:
    """Open the database, making it (owner-only) or migrating it first where that is needed."""
    engine = _open_engine(where, wait_seconds)
    try:
        with _explained(engine):
            with _connected(engine, wait_seconds) as connection:
                current = _version(connection)
            if current != HEAD:
                with lock.hold_lock(engine, wait_seconds=wait_seconds):
                    _bring_up_to_date(engine, wait_seconds)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, wait_seconds=wait_seconds)


@contextmanager
def reading_store(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Database]:
    """The store of an existing database, closed afterwards; it needs no lock, whoever is at work."""
    _insist(where, wait_seconds)
    store = open_store(where, wait_seconds=wait_seconds)
    try:
        yield store
    finally:
        store.close()


def is_there(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> bool:
    """Whether the monitor has a database here already."""
    where = make_url(where)
    if where.get_backend_name() == "sqlite":
        return Path(where.database or "").is_file()
    return find_version(where, wait_seconds=wait_seconds) is not None


def find_version(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> str | None:
    """The migration a database is at, which is left as it is; None where there is none yet."""
    where = make_url(where)
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").is_file():
        return None
    engine = _open_engine(where, wait_seconds)
    try:
        with _explained(engine), _connected(engine, wait_seconds) as connection:
            return _version(connection)
    finally:
        engine.dispose()


def _insist(where: URL, wait_seconds: float) -> None:
    if not is_there(where, wait_seconds=wait_seconds):
        raise Refused(f"{name_place(make_url(where))}: there is none yet; run a night first with: monitor run")


# Opening


def _open_engine(where: URL, wait_seconds: float) -> Engine:
    where = make_url(where)
    if where.get_backend_name() == "sqlite":
        if where.database:
            refuse_share(Path(where.database))
            make_private_file(Path(where.database))
        engine = create_engine(where, connect_args={"timeout": wait_seconds})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = create_engine(
            where.set(drivername="postgresql+psycopg"),
            # A connection cut while the night was judged is found out and made again before it is used.
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "care-leaver-monitor", **KEEPALIVES},
        )
    except ModuleNotFoundError:
        raise Problems([
            f"{name_place(where)}: the driver psycopg is not installed; pip install 'care-leaver-monitor[postgresql]'"
        ]) from None  # fmt: skip

    # The server, too, finds out within a minute that this machine is gone, and frees its lock.
    settings = {"lock_timeout": max(1, int(wait_seconds * 1000)), **{f"tcp_{n}": v for n, v in KEEPALIVES.items()}}

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        for name, value in settings.items():
            connection.execute(f"SET {name} = {value}")
        connection.commit()

    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, never by the driver
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("in_transaction", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")


@contextmanager
def _connected(engine: Engine, wait_seconds: float, **options: Any) -> Iterator[Connection]:
    """A connection; a database that does not answer is asked again for ``wait_seconds``."""
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

    patient = Retrying(
        retry=retry_if_exception(database_faults.is_away),
        stop=stop_after_delay(wait_seconds),
        wait=wait_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    with patient(engine.connect).execution_options(**options) as connection:
        yield connection


@contextmanager
def _begun(engine: Engine, wait_seconds: float) -> Iterator[Connection]:
    with _connected(engine, wait_seconds, writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def _at_work(engine: Engine, wait_seconds: float) -> Iterator[str]:
    """Hold the lock of an up-to-date database; its token."""
    with _connected(engine, wait_seconds):
        pass  # waits for one that does not answer
    with lock.hold_lock(engine, wait_seconds=wait_seconds):
        _bring_up_to_date(engine, wait_seconds)
        with _begun(engine, wait_seconds) as connection:
            token = lock.take(connection)
        try:
            yield token
        finally:
            with suppress(DBAPIError), _begun(engine, 0) as connection:
                lock.leave(connection, token)


@contextmanager
def _explained(engine: Engine, after: str = "") -> Iterator[None]:
    """A fault of the database as a sentence for the person who looks after it."""
    try:
        yield
    except DBAPIError as fault:
        raise StoreError(f"{name_place(engine.url)}: {database_faults.describe(fault)}{after}") from fault


# Migrating


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _bring_up_to_date(engine: Engine, wait_seconds: float) -> None:
    """Migrate a database that is not at ``HEAD``; the caller holds the lock, so no two do it at once."""
    with _explained(engine, "; the upgrade of it changed nothing"), _begun(engine, wait_seconds) as connection:
        if _version(connection) != HEAD:
            migrate(connection)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to ``revision`` inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config as AlembicConfig
    from alembic.util.exc import CommandError

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, revision)
    except CommandError as fault:
        raise Refused(f"database: {fault}; it was made by a newer monitor, so install that version") from None
