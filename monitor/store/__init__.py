"""The database: opened, migrated to what the code expects, one writer at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import create_engine

from monitor.errors import LockHeld, Refused, StoreError

HEAD = "0007"
"""The newest migration; a test compares it with ``migrations/versions``."""


class Store:
    """An open database, migrated to ``HEAD``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view; nothing is written."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing."""
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """A fault of the database as a sentence for the person who looks after it."""
        try:
            yield
        except (OperationalError, DatabaseError) as fault:
            place = self.engine.url.render_as_string(hide_password=True)
            raise StoreError(
                f"database {place}: {fault.orig}; nothing of this step was saved, run again when it is put right"
            ) from fault

    def close(self) -> None:
        self.engine.dispose()


def open_store(url: str) -> Store:
    """Open the database at ``url``, making it (owner-only) or migrating it first where that is needed."""
    location = make_url(url)
    if location.get_backend_name() == "sqlite" and location.database:
        _prepare_file(Path(location.database))
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    store = Store(engine)
    with store.reading() as connection:
        current = _version(connection)
    if current != HEAD:
        with store.writing() as connection:
            migrate(connection)
    return store


@contextmanager
def reading_store(path: Path, url: str) -> Iterator[Store]:
    """The store of an existing database, closed afterwards."""
    if not path.is_file():
        raise Refused(f"database {path}: there is none yet; run a night first with: monitor run")
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


def _prepare_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as fault:
        raise StoreError(f"database {path}: cannot be made ({fault.strerror}); check the folder") from None


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, never by the driver
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(connection: Connection, revision: str = "head") -> None:
    """Bring the schema up to ``revision`` inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config as AlembicConfig
    from alembic.util.exc import CommandError

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["connection"] = connection
    try:
        command.upgrade(settings, revision)
    except CommandError as fault:
        raise Refused(f"database: {fault}; it was made by a newer monitor, so install that version") from None


@contextmanager
def hold_lock(url: str, *, wait_seconds: float = 0) -> Iterator[None]:
    """Be the only process at work on this database, or raise ``LockHeld``.

    An operating-system lock on a file beside the SQLite file: it goes with the process, however it ends.
    """
    from filelock import FileLock, Timeout

    location = make_url(url)
    beside = Path(f"{location.database}.lock")
    _prepare_file(beside)
    lock = FileLock(beside, mode=0o600)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise LockHeld(f"{beside}: another run is at work on this database; try again when it is done") from None
    try:
        yield
    finally:
        lock.release()
