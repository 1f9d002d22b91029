"""What the monitor remembers: the tables, opening the database, and writing rows in bulk.

Row classes describe tables only (SQLModel does not validate them): values are made by the modules that
decide. Ids are given by the writer, which holds the lock, so that flags and their events can be
written in one go. Instants are UTC; days are dates.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, Index, Table, Text, event, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel, create_engine

from monitor.errors import LockHeld, MonitorError, Refused

HEAD = "0001"
"""The newest migration; a test compares it with ``migrations/versions``."""

WIDE_READ = 500
"""How many ids one statement names."""


class Instant(TypeDecorator[dt.datetime]):
    """A moment in UTC, stored without its offset so that every database keeps it alike."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value else None

    def process_result_value(self, value: dt.datetime | None, dialect: Any) -> dt.datetime | None:
        return value.replace(tzinfo=dt.UTC) if value else None


class Run(SQLModel, table=True):
    """One night. ``state``: running, accepted, superseded (by a correction), refused, failed.

    ``verdict``: what the gate said (trusted, degraded, stale, refused); ``doubts``: why, as a JSON list;
    ``extracted_on``: the date of the sources; ``asked_on``: the date the rules were asked as at, earlier than
    ``as_at`` where the sources are stale.
    """

    __tablename__ = "run"
    __table_args__ = (
        Index("one_accepted_run_per_date", "as_at", unique=True, sqlite_where=text("state = 'accepted'"),
              postgresql_where=text("state = 'accepted'")),
    )  # fmt: skip

    id: int = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    state: str
    started_at: dt.datetime = Field(sa_type=Instant)
    finished_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    source_fingerprint: str | None = None
    rules_fingerprint: str | None = None
    rule_meanings: str | None = Field(default=None, sa_type=Text)
    rule_wordings: str | None = Field(default=None, sa_type=Text)
    supplied: str | None = Field(default=None, sa_type=Text)
    not_believed: str | None = Field(default=None, sa_type=Text)
    people: int | None = None
    absent: int | None = None
    snapshot: str | None = None
    snapshot_sha256: str | None = None
    reason: str | None = Field(default=None, sa_type=Text)
    by: str | None = None
    corrects: int | None = None
    verdict: str | None = None
    doubts: str | None = Field(default=None, sa_type=Text)
    extracted_on: dt.date | None = None
    asked_on: dt.date | None = None


class Profile(SQLModel, table=True):
    """What an accepted night looked like, in figures that later nights are compared with; of nobody in particular."""

    __tablename__ = "profile"

    run_id: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    value: float


class Person(SQLModel, table=True):
    """The roster: everyone ever accepted, until dead or 25.

    ``alive_again_on``: since when the records say alive of someone recorded as died, and nobody has confirmed it.
    """

    __tablename__ = "person"

    person_id: str = Field(primary_key=True)
    date_of_birth: dt.date | None = None
    strongest_category: str | None = None
    team: str | None = None
    accommodation: str | None = None
    accommodation_since: dt.date | None = None
    previous_accommodation: str | None = None
    previous_since: dt.date | None = None
    last_values: str = Field(sa_type=Text)
    values_fingerprint: str
    first_seen_on: dt.date
    absent_since: dt.date | None = Field(default=None, index=True)
    died_on: dt.date | None = None
    alive_again_on: dt.date | None = None
    ended_on: dt.date | None = None
    left_reason: str | None = None


class PersonBefore(SQLModel, table=True):
    """What a person's roster row was before the last accepted run changed it, so that a correction can start there.

    ``row`` is NULL for someone the run saw for the first time.
    """

    __tablename__ = "person_before"

    person_id: str = Field(primary_key=True)
    run_id: int
    row: str | None = Field(default=None, sa_type=Text)


class Flag(SQLModel, table=True):
    """One spell of one rule being in breach for one person; its state is worked out from its dates."""

    __tablename__ = "flag"
    __table_args__ = (
        Index("one_unresolved_flag", "person_id", "rule", unique=True,
              sqlite_where=text("resolved_on IS NULL"), postgresql_where=text("resolved_on IS NULL")),
        Index("flags_of_person", "person_id"),
        Index("flags_resolved", "resolved_on"),
    )  # fmt: skip

    id: int = Field(primary_key=True)
    person_id: str
    rule: str
    severity: str
    kept_severity: str | None = None
    kept_until: dt.date | None = None
    opened_on: dt.date
    opened_run_id: int
    in_breach_since: dt.date
    due_on: dt.date | None = None
    because: str = Field(sa_type=Text)
    held_since: dt.date | None = None
    held_why: str | None = None
    resolved_on: dt.date | None = None
    resolved_reason: str | None = None
    resolved_run_id: int | None = None
    earlier_spells: int = 0
    last_cleared_on: dt.date | None = None
    continues_flag_id: int | None = None
    quarantined_on: dt.date | None = None
    released_on: dt.date | None = None
    released_by: str | None = None


class FlagEvent(SQLModel, table=True):
    """One change, never altered; ``events`` says how the chain of commitments is made."""

    __tablename__ = "flag_event"
    __table_args__ = (Index("events_of_flag", "flag_id"),)

    id: int = Field(primary_key=True)
    flag_id: int | None = None
    run_id: int | None = None
    kind: str
    as_at: dt.date
    recorded_at: dt.datetime = Field(sa_type=Instant)
    payload: str | None = Field(default=None, sa_type=Text)
    salt: str | None = None
    commitment: str
    hash: str


class Measure(SQLModel, table=True):
    """Per accepted night, rule and team: how many were asked, and what came of it."""

    __tablename__ = "measure"

    run_id: int = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    team: str = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    asked: int
    ok: int
    breach: int
    cannot_assess: int
    held: int
    waived: int


class Message(SQLModel, table=True):
    """One e-mail of the outbox.

    ``state`` uses GOV.UK Notify's words: created, sending, delivered, temporary-failure, permanent-failure,
    technical-failure (nobody knows whether it went); and replaced (by a later night's before it went).
    ``people``: the ids of everyone it names, as a JSON list.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("messages_of_recipient", "recipient", "as_at"),
        Index("messages_by_state", "state"),
    )

    id: int = Field(primary_key=True)
    key: str = Field(unique=True)
    run_id: int
    as_at: dt.date
    recipient: str
    kind: str
    subject: str
    text: str = Field(sa_type=Text)
    html: str = Field(sa_type=Text)
    people: str = Field(sa_type=Text)
    state: str
    created_at: dt.datetime = Field(sa_type=Instant)


class MessageFlag(SQLModel, table=True):
    """A flag that a message reported, by line or by count, and how it stood then."""

    __tablename__ = "message_flag"
    __table_args__ = (Index("messages_of_flag", "flag_id"),)

    message_id: int = Field(primary_key=True)
    flag_id: int = Field(primary_key=True)
    severity: str
    state: str


class MessageComing(SQLModel, table=True):
    """What a message said would come due: a rule for a person, and the day it would open."""

    __tablename__ = "message_coming"

    message_id: int = Field(primary_key=True)
    person_id: str = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    opens_on: dt.date


class Indicator(SQLModel, table=True):
    """Per accepted night, figure and team: so many out of so many, and how many could not be counted either way."""

    __tablename__ = "indicator"

    run_id: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    team: str = Field(primary_key=True)
    as_at: dt.date = Field(index=True)
    numerator: int
    denominator: int
    not_assessed: int


class Attempt(SQLModel, table=True):
    """One try at delivering a message, recorded before it is made and completed after."""

    __tablename__ = "attempt"

    id: int = Field(primary_key=True)
    message_id: int = Field(index=True)
    channel: str
    started_at: dt.datetime = Field(sa_type=Instant)
    finished_at: dt.datetime | None = Field(default=None, sa_type=Instant)
    outcome: str | None = None
    detail: str | None = Field(default=None, sa_type=Text)


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
            raise MonitorError(
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
        raise MonitorError(f"database {path}: cannot be made ({fault.strerror}); check the folder") from None


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


def table_of(model: type[SQLModel]) -> Table:
    return model.__table__  # type: ignore[attr-defined, no-any-return]


def next_id(connection: Connection, model: type[SQLModel]) -> int:
    """The first free id; safe because only the holder of the lock writes."""
    return int(connection.execute(select(func.coalesce(func.max(table_of(model).c.id), 0))).scalar_one()) + 1


def insert_rows(
    connection: Connection, model: type[SQLModel], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert many rows through the driver itself, several times faster than through the ORM."""
    table = table_of(model)
    _execute_many(connection, table, f"INSERT INTO {table.name} ({_quoted(connection, columns)})", columns, rows)


def delete_rows(connection: Connection, model: type[SQLModel], ids: Iterable[Any]) -> None:
    """Delete by primary key."""
    table = table_of(model)
    (key,) = table.primary_key.columns
    _run_many(
        connection,
        f"DELETE FROM {table.name} WHERE {_quoted(connection, [key.name])} = ",
        [(i,) for i in ids],
    )


def update_rows(
    connection: Connection, model: type[SQLModel], columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Update many rows by primary key, which is the last value of each row."""
    table = table_of(model)
    (key,) = table.primary_key.columns
    mark = _mark(connection)
    assignments = ", ".join(f"{_quoted(connection, [name])} = {mark}" for name in columns)
    statement = f"UPDATE {table.name} SET {assignments} WHERE {_quoted(connection, [key.name])} = {mark}"
    _run(connection, statement, _bound(connection, table, [*columns, key.name], rows))


def _execute_many(
    connection: Connection, table: Table, start: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    marks = ", ".join([_mark(connection)] * len(columns))
    _run(connection, f"{start} VALUES ({marks})", _bound(connection, table, columns, rows))


def _run_many(connection: Connection, start: str, rows: list[tuple[Any, ...]]) -> None:
    _run(connection, start + _mark(connection), rows)


def _run(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.paramstyle == "qmark" else "%s"


def _quoted(connection: Connection, names: Sequence[str]) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return ", ".join(quote(name) for name in names)


def _bound(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """Rows with each value in the form the driver stores (dates as ISO text on SQLite, and so on)."""
    dialect = connection.dialect
    values: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for n, name in enumerate(columns[: len(values)]):
        convert = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        # A date stands in many rows, and is converted once.
        if convert is not None and any(value is not None for value in values[n]):
            stored = {value: convert(value) for value in set(values[n]) if value is not None}
            values[n] = [stored.get(value) for value in values[n]]
    return list(zip(*values, strict=True))
