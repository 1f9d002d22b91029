"""Opens the database, migrates it to what the code expects, and lets one writer at a time write."""

import secrets
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, QueuePool, create_mock_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import LRUCache
from sqlmodel import create_engine

from monitor.errors import Problems, Refused, StoreError
from monitor.store import database_faults, lock
from monitor.store.location import SCHEMA, name_place, refuse_share
from monitor.store.roles import write_role, write_schema
from monitor.store.tables import Seal, table_of

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0008"
"""The newest migration; a test compares it with ``migrations/versions``."""

WAIT_SECONDS = 5.0
"""How long to wait for another run to finish, or for a database to answer."""

KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""Seconds until a silent connection is tried, between tries, and tries; by libpq's and the server's names."""

OWN_TABLES = {
    "sqlite": text(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_'"
    ),
    "postgresql": text(
        "SELECT relname FROM pg_class AS c WHERE relnamespace = current_schema()::regnamespace AND relkind IN "
        "('r', 'p', 'v', 'm', 'f') AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype = 'e')"
    ),
}
MOST_NAMED = 4

SQLITE_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON")
OVERWRITTEN = 1
"""The ``user_version`` of an SQLite file in which all that was ever deleted is overwritten; 0 if nobody knows."""


@dataclass(frozen=True)
class Database:
    """An open database, migrated to ``HEAD``.

    ``token``: of the lock this process holds; without one, each writing transaction takes the lock for itself.
    """

    engine: Engine
    wait_seconds: float = WAIT_SECONDS
    token: str | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give one consistent view; nothing is written."""
        with _explained(self.engine), _connected(self.engine, self.wait_seconds) as store:
            if self.engine.dialect.name == "postgresql":
                store.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield store

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give one transaction, saved whole or not at all; raise ``LockHeld`` if another process is at work."""
        at_work = nullcontext(self.token) if self.token else _at_work(self.engine, self.wait_seconds)
        with (
            _explained(self.engine, "; nothing of this step was saved, run again when it is put right"),
            at_work as token,
            _begun(self.engine, self.wait_seconds) as store,
        ):
            lock.check_holder(store, token)
            yield store

    def may_keep_deleted(self) -> bool:
        """Return whether the file may hold what an earlier version deleted, which did not overwrite it."""
        if self.engine.dialect.name != "sqlite":
            return False
        with self.reading() as store:
            return store.exec_driver_sql("PRAGMA user_version").scalar() != OVERWRITTEN

    def compact(self) -> None:
        """Rewrite the database so that nothing deleted stays in its files; it needs room for a second copy."""
        with self._upkeep() as store:
            if self.engine.dialect.name == "postgresql":
                store.exec_driver_sql(f"VACUUM FULL {_name_tables()}")
                return
            store.exec_driver_sql("VACUUM")
            self._empty_log(store)
            store.exec_driver_sql(f"PRAGMA user_version = {OVERWRITTEN}")

    def let_go(self) -> None:
        """Empty SQLite's log of what was deleted; on PostgreSQL, free the room of it, which the server then reuses."""
        with self._upkeep() as store:
            if self.engine.dialect.name == "postgresql":
                store.exec_driver_sql(f"VACUUM {_name_tables()}")
            else:
                self._empty_log(store)

    @contextmanager
    def _upkeep(self) -> Iterator[Connection]:
        explained = _explained(self.engine, "; what was deleted may still be in its files, so give the command again")
        with explained, _connected(self.engine, self.wait_seconds, in_transaction=False) as store:
            if self.engine.dialect.name == "postgresql":
                store.execution_options(isolation_level="AUTOCOMMIT")
            yield store

    def _empty_log(self, store: Connection) -> None:
        ((busy, _, _),) = store.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise StoreError(
                f"{name_place(self.engine.url)}: another program is reading it, so what was deleted is still in its "
                "files; close that program, and give the command again"
            )

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def working_store(where: URL, *, wait_seconds: float = WAIT_SECONDS, existing: bool = False) -> Iterator[Database]:
    """Open the database with the right to write to it, until the block ends; make or migrate it first where needed.

    Raise ``LockHeld`` when another process is still at work after ``wait_seconds``. ``existing``: refuse a database
    that is not there yet rather than make it.
    """
    if existing:
        _refuse_missing(where, wait_seconds)
    engine = _open_engine(where, wait_seconds)
    try:
        with _explained(engine), _at_work(engine, wait_seconds) as token:
            yield Database(engine, wait_seconds=wait_seconds, token=token)
    finally:
        _empty_log(engine)
        engine.dispose()


def _empty_log(engine: Engine) -> None:
    """Take what was written into SQLite's file, and empty its log beside it; one who reads just now hinders nothing.

    While another program has the database open, closing does not do it, and the log of a large night would stay.
    """
    if engine.dialect.name == "sqlite":
        with suppress(DBAPIError), _connected(engine, 0, in_transaction=False) as store:
            store.exec_driver_sql("PRAGMA busy_timeout = 0")
            store.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def open_store(where: URL, *, wait_seconds: float = WAIT_SECONDS, existing: bool = False) -> Database:
    """Open the database; make it (owner-only) or migrate it first where needed; with ``existing``, never make it."""
    engine = _open_engine(where, wait_seconds)
    try:
        with _explained(engine):
            with _connected(engine, wait_seconds) as store:
                current = _version(store)
            if current is None and existing:
                raise _none_yet(where)
            if current != HEAD:
                with lock.hold_lock(engine, wait_seconds=wait_seconds):
                    _bring_up_to_date(engine, wait_seconds)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, wait_seconds=wait_seconds)


@contextmanager
def reading_store(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Database]:
    """Open an existing database to read, without a lock; close it afterwards."""
    _refuse_missing(where, wait_seconds)
    with closing(open_store(where, wait_seconds=wait_seconds, existing=True)) as database:
        yield database


def is_there(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> bool:
    """Return whether the monitor has a database here already; an empty one, or another program's, is none."""
    return find_version(make_url(where), wait_seconds=wait_seconds) is not None


def find_version(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> str | None:
    """Find the migration a database is at, without changing it; None where there is none yet."""
    if where.get_backend_name() == "sqlite" and not Path(where.database or "").is_file():
        return None
    with looking_at(where, wait_seconds=wait_seconds) as store:
        return _version(store)


@contextmanager
def locked_file(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Be the only process at work on an SQLite database, whatever stands there now; it is not opened."""
    engine = _sqlite_engine(where, wait_seconds)
    try:
        with lock.hold_lock(engine, wait_seconds=wait_seconds):
            yield
    finally:
        engine.dispose()  # whoever is refused the lock has asked who holds it


@contextmanager
def looking_at(where: URL, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[Connection]:
    """Connect to a database as it is: it is not made, migrated or set up, for it may be another program's."""
    where = make_url(where)
    is_file = where.get_backend_name() == "sqlite"
    engine = _sqlite_engine(where, wait_seconds) if is_file else _open_engine(where, wait_seconds)
    try:
        with _explained(engine), _connected(engine, wait_seconds) as store:
            yield store
    finally:
        engine.dispose()


def _refuse_missing(where: URL, wait_seconds: float) -> None:
    if not is_there(where, wait_seconds=wait_seconds):
        raise _none_yet(where)


def _none_yet(where: URL) -> Refused:
    return Refused(f"{name_place(make_url(where))}: there is none yet; run a night first with: monitor run")


# Opening


def _open_engine(where: URL, wait_seconds: float) -> Engine:
    where = make_url(where)
    if where.get_backend_name() == "sqlite":
        if where.database:
            refuse_share(Path(where.database))
            lock.make_store_file(Path(where.database))
        engine = _sqlite_engine(where, wait_seconds)
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = create_engine(
            where.set(drivername="postgresql+psycopg"),
            # A connection that was cut while the night was judged is made again before it is used.
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "care-leaver-monitor", **KEEPALIVES},
        )
    except ModuleNotFoundError:
        raise Problems([
            f"{name_place(where)}: the driver psycopg is not installed; pip install 'care-leaver-monitor[postgresql]'"
        ]) from None  # fmt: skip

    # The server, too, finds out within a minute that this machine is gone, and frees its lock.
    settings = {"lock_timeout": max(1, int(wait_seconds * 1000)), **{f"tcp_{n}": v for n, v in KEEPALIVES.items()}}
    schema = where.query.get(SCHEMA)

    def configure(driver: Any, _record: Any) -> None:
        _configure(driver, [f"SET {name} = {value}" for name, value in settings.items()])
        if schema:
            _enter_schema(driver, where, str(schema))
        driver.commit()

    event.listen(engine, "do_connect", _leave_out_schema)
    # Before SQLAlchemy asks a first connection in which schema it is.
    event.listen(engine, "connect", configure, insert=True)
    return engine


def _leave_out_schema(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
    options.pop(SCHEMA, None)


def _enter_schema(driver: Any, where: URL, schema: str) -> None:
    """Have a connection see one schema alone; raise ``StoreError`` where it is not there, or not ours to use."""
    try:
        driver.execute(f'SET search_path = "{schema}"')
        is_there, is_ours, role = driver.execute(SCHEMA_RIGHTS, {"schema": schema}).fetchone()
        if not is_there:
            remedy = f"who administers the server makes it and its role with: {write_role(schema)} "
            raise StoreError(f"{name_place(where)}: there is no such schema; {remedy}{write_schema(schema, schema)}")
        if not is_ours:
            right = f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};"
            remedy = f"name in database the role that it belongs to, or have its owner say: {right}"
            raise StoreError(f"{name_place(where)}: the role {role} may not use this schema; {remedy}")
    except BaseException:
        driver.close()
        raise


SCHEMA_RIGHTS = """
SELECT to_regnamespace(%(schema)s) IS NOT NULL,
    coalesce(has_schema_privilege(to_regnamespace(%(schema)s), 'USAGE'), false), current_user
"""


@cache
def _sqlite_dialect() -> Dialect:
    """Return the one dialect of SQLite, under which statements are remembered once written."""
    engine = create_engine("sqlite://")
    with engine.connect():
        pass  # learns what this SQLite can do
    engine.dispose()
    return engine.dialect


WRITTEN: MutableMapping[Any, Any] = LRUCache(1_000)
"""Statements as they are written for SQLite: every database of this process asks the same ones."""


def _sqlite_engine(where: URL, wait_seconds: float) -> Engine:
    if not where.database:
        return create_engine(where)  # in memory, where one connection is the database
    dialect = _sqlite_dialect()
    given, named = dialect.create_connect_args(where)
    pool = QueuePool(lambda: dialect.connect(*given, **named, timeout=wait_seconds), dialect=dialect)
    return Engine(pool, dialect, where, execution_options={"compiled_cache": WRITTEN})


def _configure_sqlite(driver: Any, _record: Any) -> None:
    driver.isolation_level = None  # _begin_sqlite begins transactions, never the driver
    _configure(driver, [f"PRAGMA {pragma}" for pragma in SQLITE_PRAGMAS])


def _configure(driver: Any, statements: Iterable[str]) -> None:
    """Set up a new connection; close it where that fails, as the pool would not."""
    try:
        for statement in statements:
            driver.execute(statement)
    except BaseException:
        driver.close()
        raise


def _begin_sqlite(store: Connection) -> None:
    options = store.get_execution_options()
    if options.get("in_transaction", True):
        store.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")


@contextmanager
def _connected(engine: Engine, wait_seconds: float, **options: Any) -> Iterator[Connection]:
    """Connect; ask a database that does not answer again for ``wait_seconds``."""
    try:
        connection = engine.connect()
    except DBAPIError as fault:
        if not database_faults.is_away(fault):
            raise
        connection = _connect_again(engine, wait_seconds)
    with connection.execution_options(**options) as store:
        yield store


def _connect_again(engine: Engine, wait_seconds: float) -> Connection:
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential  # seldom of use

    patient = Retrying(
        retry=retry_if_exception(database_faults.is_away),
        stop=stop_after_delay(wait_seconds),
        wait=wait_exponential(multiplier=0.1, max=5),
        reraise=True,
    )
    return patient(engine.connect)


@contextmanager
def _begun(engine: Engine, wait_seconds: float) -> Iterator[Connection]:
    with _connected(engine, wait_seconds, writes=True) as store, store.begin():
        yield store


@contextmanager
def _at_work(engine: Engine, wait_seconds: float) -> Iterator[str]:
    """Hold the lock of an up-to-date database; give its token."""
    with _connected(engine, wait_seconds):
        pass  # waits for one that does not answer
    with lock.hold_lock(engine, wait_seconds=wait_seconds):
        _bring_up_to_date(engine, wait_seconds)
        with _begun(engine, wait_seconds) as store:
            token = lock.save_holder(store)
        try:
            yield token
        finally:
            with suppress(DBAPIError), _begun(engine, 0) as store:
                lock.delete_holder(store, token)


@contextmanager
def _explained(engine: Engine, after: str = "") -> Iterator[None]:
    """Raise a fault of the database as a sentence for the person who looks after it."""
    try:
        yield
    except DBAPIError as fault:
        raise StoreError(f"{name_place(engine.url)}: {database_faults.describe(fault)}{after}") from fault


# Migrating


def _version(store: Connection) -> str | None:
    if not inspect(store).has_table("alembic_version"):
        return None
    return store.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _bring_up_to_date(engine: Engine, wait_seconds: float) -> None:
    """Migrate a database that is not at ``HEAD``; the caller holds the lock, so no two do it at once."""
    with _explained(engine, "; the upgrade of it changed nothing"), _begun(engine, wait_seconds) as store:
        if (version := _version(store)) == HEAD:
            return
        if version is None and (tables := list_tables(store)):
            raise StoreError(f"{name_place(engine.url)}: {describe_foreign(tables)}; correct database in the config")
        if version is None and store.dialect.name == "sqlite":
            make_tables(store)
        else:
            migrate(store)


def make_tables(store: Connection) -> None:
    """Make all tables at once, as the migrations leave them in a new SQLite file, which costs a third of their time."""
    for statement in _write_tables():
        store.exec_driver_sql(statement)
    store.execute(table_of(Seal).insert().values(name="lists", secret=secrets.token_hex(32)))
    store.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    store.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    store.exec_driver_sql(f"PRAGMA user_version = {OVERWRITTEN}")


@cache
def _write_tables() -> tuple[str, ...]:
    """Write the statements that make every table and index of an empty SQLite file."""
    written: list[str] = []
    dialect = _sqlite_dialect()
    engine = create_mock_engine("sqlite://", lambda made, *_, **__: written.append(str(made.compile(dialect=dialect))))
    Seal.metadata.create_all(engine, checkfirst=False)
    return tuple(written)


def _name_tables() -> str:
    return ", ".join(table.name for table in Seal.metadata.sorted_tables)


def list_tables(store: Connection) -> frozenset[str]:
    """List the tables and views of this database or schema; none that an extension of PostgreSQL's brought."""
    return frozenset(store.execute(OWN_TABLES[store.dialect.name]).scalars())


def describe_foreign(tables: Iterable[str]) -> str:
    return f"it holds what another program made ({name_some(tables)}), and not the monitor's tables"


def name_some(tables: Iterable[str]) -> str:
    """Name some of the tables, and count the rest."""
    names = sorted(tables)
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


def migrate(store: Connection, revision: str = "head") -> None:
    """Bring the schema up to ``revision`` inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config as AlembicConfig
    from alembic.util.exc import CommandError

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    settings.attributes["connection"] = store
    try:
        command.upgrade(settings, revision)
    except CommandError as fault:
        raise Refused(f"database: {fault}; it was made by a newer monitor, so install that version") from None
