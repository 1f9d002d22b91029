"""Reading and writing many rows at once: between the store and Python, and between the store and the workspace.

Ids are given by the writer, which holds the lock, so that flags and their events can be written in one go.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVarTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Date,
    Row,
    Select,
    String,
    Table,
    bindparam,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from monitor.store.tables import table_of
from monitor.workspace import Workspace, in_chunks

if TYPE_CHECKING:
    from psycopg import Cursor

Rows = Iterable[Sequence[Any]]
Values = TypeVarTuple("Values")

WIDE_READ = 500
"""How many ids one statement names."""

CHUNK = 20_000
"""How many rows are in memory at once."""


def next_id(store: Connection, model: type[SQLModel]) -> int:
    """Return the first free id; safe because only the holder of the lock writes."""
    return int(store.execute(select(func.coalesce(func.max(table_of(model).c.id), 0))).scalar_one()) + 1


def read_by_ids(
    store: Connection, query: Select[*Values], column: ColumnElement[Any], ids: Iterable[Any]
) -> Iterator[Row[*Values]]:
    """Read the rows of ``query`` whose ``column`` holds one of the ids, so many ids a statement as it can name."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), WIDE_READ):
        yield from store.execute(query.where(column.in_(wanted[start : start + WIDE_READ])))


def is_among(store: Connection, column: ColumnElement[Any], ids: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that ``column`` holds one of the ids, however many: they travel as one JSON text."""
    listed = literal(json.dumps(list(ids)), String)
    if store.dialect.name == "postgresql":
        named = func.json_array_elements_text(cast(listed, JSON)).table_valued("value")
    else:
        named = func.json_each(listed).table_valued("value")
    return column.in_(select(cast(named.c.value, column.type)))


# From the store to the workspace


def load_query(
    workspace: Workspace, table: str, columns: Mapping[str, str], store: Connection, query: Select[*Values]
) -> None:
    """Make ``table`` of the workspace (replacing it) from the rows of ``query``, in its order.

    ``columns``: DuckDB type by name, in the order of the query's; texts, dates, whole numbers and truths. Each row
    crosses as one JSON text, whatever its values hold, and is taken apart in the workspace.
    """
    read = _copied_out if store.dialect.name == "postgresql" else _read_as_json
    values = ", ".join(f'CAST(r[{n}] AS {kind}) AS "{name}"' for n, (name, kind) in enumerate(columns.items(), start=1))
    rows = f"""SELECT {values} FROM (SELECT from_json(unnest($1::VARCHAR[]), '["VARCHAR"]') AS r)"""
    chunks = read(store, query)
    workspace.execute(f'CREATE OR REPLACE TABLE "{table}" AS {rows}', [next(chunks, [])])
    for chunk in chunks:
        workspace.execute(f'INSERT INTO "{table}" {rows}', [chunk])


def _read_as_json(store: Connection, query: Select[*Values]) -> Iterator[Sequence[str]]:
    rows = query.with_only_columns(func.json_array(*query.selected_columns, type_=String), maintain_column_froms=True)
    return store.execute(rows).scalars().partitions(CHUNK)


def _copied_out(store: Connection, query: Select[*Values]) -> Iterator[Sequence[str]]:
    rows = query.with_only_columns(
        cast(func.json_build_array(*query.selected_columns), String), maintain_column_froms=True
    )
    compiled = rows.compile(dialect=store.dialect, compile_kwargs={"render_postcompile": True})
    statement = f"COPY ({compiled}) TO STDOUT"
    with _driver_cursor(store, statement) as cursor, cursor.copy(statement, compiled.params) as copy:
        while chunk := b"".join(islice(copy, CHUNK)):
            # In JSON, a backslash is all that COPY escapes, and only its own newlines end a line.
            yield chunk.replace(rb"\\", b"\\").decode().removesuffix("\n").split("\n")


# Writing


def insert_rows(store: Connection, model: type[SQLModel], columns: Sequence[str], rows: Rows) -> None:
    """Insert many rows through the driver itself, several times faster than through the ORM."""
    _insert(store, table_of(model), columns, _bound(store, table_of(model), columns, rows))


def insert_query(
    workspace: Workspace, store: Connection, model: type[SQLModel], columns: Sequence[str], query: str
) -> None:
    """Insert the rows of a query of the workspace, which gives these columns in this order; no instants."""
    _insert(store, table_of(model), columns, _stored(workspace, store, table_of(model), columns, query))


def delete_rows(store: Connection, model: type[SQLModel], ids: Iterable[Any]) -> None:
    """Delete by primary key."""
    table = table_of(model)
    (key,) = table.primary_key.columns
    if gone := [{"gone": id_} for id_ in ids]:
        store.execute(table.delete().where(key == bindparam("gone")), gone)


def update_rows(store: Connection, model: type[SQLModel], columns: Sequence[str], rows: Rows) -> None:
    """Update many rows by primary key, which is the last value of each row."""
    table = table_of(model)
    (key,) = table.primary_key.columns
    _update(store, table, columns, _bound(store, table, [*columns, key.name], rows))


def update_query(
    workspace: Workspace, store: Connection, model: type[SQLModel], columns: Sequence[str], query: str
) -> None:
    """Update by the rows of a query of the workspace: these columns in this order, then the key; no instants."""
    update_chunks(store, model, columns, read_for_update(workspace, store, model, columns, query))


Chunks = Iterable[list[tuple[Any, ...]]]


def read_for_update(
    workspace: Workspace, store: Connection, model: type[SQLModel], columns: Sequence[str], query: str
) -> Chunks:
    """Read the rows of a query, these columns in this order and then the key, in the form in which they are stored."""
    table = table_of(model)
    (key,) = table.primary_key.columns
    return _stored(workspace, store, table, [*columns, key.name], query)


def update_chunks(store: Connection, model: type[SQLModel], columns: Sequence[str], chunks: Chunks) -> None:
    """Update by rows that ``read_for_update`` gave."""
    _update(store, table_of(model), columns, (chunk for chunk in chunks if chunk))


def _insert(store: Connection, table: Table, columns: Sequence[str], chunks: Chunks) -> None:
    named = _quoted(store, columns)
    for chunk in chunks:
        if store.dialect.name == "postgresql":
            _copy(store, f"COPY {table.name} ({named}) FROM STDIN", chunk)
        else:
            marks = ", ".join("?" * len(columns))
            store.exec_driver_sql(f"INSERT INTO {table.name} ({named}) VALUES ({marks})", chunk)


def _update(store: Connection, table: Table, columns: Sequence[str], chunks: Chunks) -> None:
    (key,) = table.primary_key.columns
    named = {name: _quoted(store, [name]) for name in [*columns, key.name]}
    for chunk in chunks:
        if store.dialect.name != "postgresql":
            assignments = ", ".join(f"{named[name]} = ?" for name in columns)
            store.exec_driver_sql(f"UPDATE {table.name} SET {assignments} WHERE {named[key.name]} = ?", chunk)
        else:
            listed, id_ = ", ".join(named.values()), named[key.name]
            assignments = ", ".join(f"{named[name]} = incoming.{named[name]}" for name in columns)
            store.exec_driver_sql(f"CREATE TEMPORARY TABLE incoming AS SELECT {listed} FROM {table.name} LIMIT 0")
            _copy(store, f"COPY incoming ({listed}) FROM STDIN", chunk)
            store.exec_driver_sql(
                f"UPDATE {table.name} SET {assignments} FROM incoming WHERE {table.name}.{id_} = incoming.{id_}"
            )
            store.exec_driver_sql("DROP TABLE incoming")


def _copy(store: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """Copy rows the PostgreSQL way."""
    with _driver_cursor(store, statement) as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _driver_cursor(store: Connection, statement: str) -> Iterator["Cursor[Any]"]:
    """Give a cursor of psycopg; raise what it says of the statement as SQLAlchemy would raise it."""
    dialect, driver = store.dialect, store.connection.driver_connection
    assert driver is not None  # noqa: S101 - only a detached connection has none
    try:
        with driver.cursor() as cursor:
            yield cursor
    except dialect.loaded_dbapi.Error as fault:
        raise DBAPIError.instance(statement, None, fault, dialect.loaded_dbapi.Error, dialect=dialect) from fault


def _quoted(store: Connection, names: Sequence[str]) -> str:
    quote = store.dialect.identifier_preparer.quote
    return ", ".join(quote(name) for name in names)


def _bound(store: Connection, table: Table, columns: Sequence[str], rows: Rows) -> Chunks:
    """Give rows with each value in the form the driver stores (dates as ISO text on SQLite, and so on)."""
    converts = [table.c[name].type.dialect_impl(store.dialect).bind_processor(store.dialect) for name in columns]
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        values: list[Sequence[Any]] = list(zip(*chunk, strict=True)) if any(converts) else []
        for n, convert in enumerate(converts):
            # A date stands in many rows, and is converted once.
            if convert is not None and any(value is not None for value in values[n]):
                stored = {value: convert(value) for value in set(values[n]) if value is not None}
                values[n] = [stored.get(value) for value in values[n]]
        yield list(zip(*values, strict=True)) if values else [tuple(row) for row in chunk]


def _stored(workspace: Workspace, store: Connection, table: Table, columns: Sequence[str], query: str) -> Chunks:
    """Give the rows of a query of the workspace in the form the driver stores: on SQLite, dates as ISO text."""
    as_text = store.dialect.name != "postgresql"
    values = ", ".join(
        f"CAST(#{n} AS VARCHAR)" if as_text and isinstance(table.c[name].type, Date) else f"#{n}"
        for n, name in enumerate(columns, start=1)
    )
    return in_chunks(workspace, f"SELECT {values} FROM ({query})", CHUNK)
