"""Writing many rows at once, through the driver itself.

Ids are given by the writer, which holds the lock, so that flags and their events can be written in one go.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlmodel import SQLModel

from monitor.store.tables import table_of

WIDE_READ = 500
"""How many ids one statement names."""


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
