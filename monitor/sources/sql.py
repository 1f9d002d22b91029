"""Databases: one query's rows, or named tables' columns, streamed into the workspace as text.

Nothing can be written: the transaction is read-only where the database knows such a thing, and is never committed.
No message repeats what the database said, which may quote a cell or a password.
"""

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from monitor.catalogue.headings import LIST_9, Form, check_headings
from monitor.config.source_settings import Source
from monitor.errors import SourceError
from monitor.sources.extract import Loaded, SourceContext, form_of, number_rows
from monitor.store import database_faults
from monitor.workdays import LONDON
from monitor.workspace import CHUNK, Workspace, append_columns, make_table

DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "postgresql"),
    "mssql": ("mssql+pyodbc", "pyodbc", "sqlserver"),
    "sqlite": ("sqlite+pysqlite", "sqlite3", ""),
}
"""By database: SQLAlchemy's name for the driver, the module it imports, and the extra that installs it."""


@dataclass(frozen=True)
class SourceDatabase:
    """An open database: read-only, and given up at ``deadline``."""

    connection: Connection
    source: Source
    deadline: float
    say: Callable[[str], None]

    def read_query(self, workspace: Workspace, table: str, query: str, *, form: Form = LIST_9) -> tuple[str, ...]:
        """Make ``table`` of c0, c1 ... for the query's columns that mean something; the query's headings."""
        with self._results(query) as result:
            headings = tuple(map(str, result.keys()))
            wanted = {
                n: headings[n] for n in sorted(check_headings(headings, self.source.place, form).positions.values())
            }
            kinds = {f"c{position}": "VARCHAR" for position in wanted}
            make_table(workspace, table, kinds)
            for texts in self._columns(result, wanted, "the query"):
                append_columns(workspace, table, kinds, texts)
        return headings

    def read_table(
        self, workspace: Workspace, table: str, found: "TableFound", columns: Mapping[str, str], *, where: str
    ) -> int:
        """Make ``table`` of the columns (ours to theirs) of one of the database's; how many rows it held.

        Only rows for which ``where`` is true are kept.
        """
        quote = self.connection.dialect.identifier_preparer.quote_identifier
        schema = f"{quote(self.source.db_schema)}." if self.source.db_schema else ""
        listed = ", ".join(quote(name) for name in columns.values())
        wanted = {n: f"{found.name}.{name}" for n, name in enumerate(columns.values())}
        kinds = dict.fromkeys(columns, "VARCHAR")
        make_table(workspace, table, kinds)
        rows = 0
        with self._results(f"SELECT {listed} FROM {schema}{quote(found.name)}") as result:
            for texts in self._columns(result, wanted, found.name):
                rows += len(texts[0])
                append_columns(workspace, table, kinds, texts, where=where)
        return rows

    def find_tables(self, names: Sequence[str]) -> dict[str, "TableFound"]:
        """Return those of the tables and views that are there, by the name asked for, whatever case each is in."""
        with _explained(self.source):
            inspector = sqlalchemy.inspect(self.connection)
            schema = self.source.db_schema
            present = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
            there = {name.casefold(): name for name in present if name.casefold() in names}
            if not there:
                return {}
            columns = inspector.get_multi_columns(
                schema=schema, filter_names=list(there.values()), kind=sqlalchemy.engine.reflection.ObjectKind.ANY
            )
        by_table = {
            table: {one["name"].casefold(): one["name"] for one in found} for (_, table), found in columns.items()
        }
        return {name: TableFound(theirs, by_table.get(theirs, {})) for name, theirs in there.items()}

    @contextmanager
    def _results(self, query: str) -> Iterator[Any]:
        # Given to the driver as it stands: a colon or a percent sign in a query is not a parameter.
        options = {"no_parameters": True, "stream_results": True, "max_row_buffer": CHUNK}
        with _explained(self.source):
            result = self.connection.execution_options(**options).exec_driver_sql(query)
            try:
                yield result
            finally:
                result.close()

    def _columns(self, result: Any, wanted: Mapping[int, str], read: str) -> Iterator[list[list[str | None]]]:
        """The columns at these positions (with how a fault names each) as text, some thousands of rows at a time."""
        rows_read = 0
        while rows := result.fetchmany(CHUNK):
            if time.monotonic() > self.deadline:
                late = database_faults.OUT_OF_TIME.format(seconds=self.source.timeout_seconds)
                raise SourceError(f"{self.source.place}: {late}")
            rows_read += len(rows)
            self.say(f"Reading {self.source.name}: {rows_read:,} rows of {read}")
            columns = list(zip(*rows, strict=True))
            yield [self._texts(columns[position], heading) for position, heading in wanted.items()]

    def _texts(self, values: Sequence[Any], heading: str) -> list[str | None]:
        """Cells as text: dates ISO, whole numbers without ".0", true and false."""
        kinds = set(map(type, values)) - {type(None), str}
        if not kinds:
            return list(values)
        unknown = [kind for kind in kinds if kind not in WRITERS]
        if unknown:
            raise SourceError(
                f'{self.source.place}: column "{heading[:80]}": holds {unknown[0].__name__} values, which are no cell '
                "of a list; write the query so that it gives text, a number or a date"
            )
        return [value if value is None else WRITERS[type(value)](value) for value in values]


@dataclass(frozen=True)
class TableFound:
    """A table of the database as it spells its own name and, by their folded names, its columns'."""

    name: str
    columns: Mapping[str, str]


def _write_datetime(value: dt.datetime) -> str:
    """A day in England where there is no time of day."""
    local = value.astimezone(LONDON).replace(tzinfo=None) if value.tzinfo else value
    return local.date().isoformat() if local.time() == dt.time() else local.isoformat(" ", "seconds")


def _write_number(value: float | Decimal) -> str:
    text = f"{value:f}" if isinstance(value, Decimal) else repr(value)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


WRITERS: Mapping[type, Any] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _write_number,
    Decimal: _write_number,
    dt.date: dt.date.isoformat,
    dt.datetime: _write_datetime,
    UUID: str,
}


# Opening


@contextmanager
def open_database(source: Source, context: SourceContext) -> Iterator[SourceDatabase]:
    """Open the source's database in one read-only transaction; raises ``SourceError`` with the remedy."""
    url = _url(source, context.environ)
    kind = url.get_backend_name()
    if kind == "sqlite" and not Path(url.database or "").is_file():
        raise SourceError(f"{source.place}: no database file {Path(url.database or '').name}; correct the url")
    arguments: dict[str, Any] = {"timeout": source.connect_timeout_seconds}
    if kind == "postgresql":
        arguments = {"connect_timeout": source.connect_timeout_seconds, "application_name": "care-leaver-monitor"}
    try:
        engine = sqlalchemy.create_engine(url, connect_args=arguments, poolclass=sqlalchemy.NullPool)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise _no_driver(source, kind) from None
    deadline = time.monotonic() + source.timeout_seconds
    try:
        with _explained(source), engine.connect() as connection:
            _restrict(connection, kind, source, deadline)
            yield SourceDatabase(connection, source, deadline, context.say)
    finally:
        engine.dispose()


def _url(source: Source, environ: Mapping[str, str]) -> URL:
    url = make_url(source.url or "")
    url = url.set(drivername=DRIVERS[url.get_backend_name()][0])
    if url.get_backend_name() == "sqlite":
        # Opened as a URI, so that SQLite itself refuses to write.
        return url
    if source.password_env:
        password = environ.get(source.password_env)
        if not password:
            raise SourceError(
                f"{source.place}: password_env: the environment variable {source.password_env} is not set; set it "
                "for the account that runs the monitor"
            )
        url = url.set(password=password)
    return url


def _restrict(connection: Connection, kind: str, source: Source, deadline: float) -> None:
    """Nothing may be written, everything is seen as at one moment, and no statement runs beyond its time."""
    driver: Any = connection.connection.driver_connection
    if kind == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {source.timeout_seconds * 1000}")
    elif kind == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")
        driver.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    else:
        driver.timeout = source.timeout_seconds


# What went wrong


def _no_driver(source: Source, kind: str) -> SourceError:
    _, module, extra = DRIVERS[kind]
    return SourceError(
        f"{source.place}: the driver {module} is not installed; pip install 'care-leaver-monitor[{extra}]'"
    )


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    """Turn what the database says into place, fault and remedy."""
    try:
        yield
    except ModuleNotFoundError as fault:
        if fault.name not in {module for _, module, _ in DRIVERS.values()}:
            raise
        raise _no_driver(source, make_url(source.url or "").get_backend_name()) from None
    except SQLAlchemyError as fault:
        raise SourceError(f"{source.place}: {_explain(source, fault)}") from None


def _explain(source: Source, fault: SQLAlchemyError) -> str:
    url = make_url(source.url or "")
    host = f"{url.host or 'the database'}{f':{url.port}' if url.port else ''}"
    words, named = database_faults.explain_to_reader(fault)
    return words.format(host=host, named=named, database=Path(url.database or "").name, seconds=source.timeout_seconds)


# The query


def load(workspace: Workspace, table: str, source: Source, context: SourceContext) -> Loaded:
    """Make view ``table`` of the rows of the source's query file."""
    path = source.query_file
    assert path is not None  # noqa: S101 - the config insists on it
    query, form = _read_query(source, path), form_of(source)
    with open_database(source, context) as database:
        headings = database.read_query(workspace, f"{table}_read", query, form=form)
    if not number_rows(workspace, table, headings, form):
        raise SourceError(f"{source.place}: {path.name}: the query gives no row; try it with the database's own tools")
    return Loaded(path.name, headings)


def _read_query(source: Source, path: Path) -> str:
    place = f"{source.place}: {path.name}"
    try:
        query = path.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:
        raise SourceError(f"{place}: no such query file; correct query_file") from None
    except (OSError, UnicodeDecodeError):
        raise SourceError(f"{place}: cannot be read as UTF-8 text; save it so, where the monitor may read it") from None
    bare = re.sub(QUOTED, lambda found: " " if found[0][:2] in ("--", "/*") else "''", query).strip().rstrip("; \n\t")
    if ";" in bare.lstrip("; \n\t"):
        raise SourceError(f"{place}: several statements; keep the one that reads")
    first = re.match(r"[;(\s]*(\w*)", bare)
    if not first or first[1].upper() not in ("SELECT", "WITH", "VALUES", "TABLE"):
        raise SourceError(f"{place}: not a query that only reads; begin it with SELECT or WITH")
    return query.rstrip("; \n\t")


QUOTED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[[^\]]*\]|(\$\w*\$).*?\1", re.DOTALL)
"""What a semicolon may stand in without ending a statement."""
