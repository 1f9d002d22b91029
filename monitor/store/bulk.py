"""Writing many rows at once, through the driver itself.

Ids are given by the writer, which holds the lock, so that flags and their events can be written in one go.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, func, select
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from monitor.store.tables import table_of

Rows = Iterable[Sequence[Any]]
Values = TypeVarTuple("Values")

WIDE_READ = 500
"""How many ids one statement names."""


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


def insert_rows(store: Connection, model: type[SQLModel], columns: Sequence[str], rows: Rows) -> None:
    """Insert many rows through the driver itself, several times faster than through the ORM."""
    table = table_of(model)
    named, bound = _quoted(store, columns), _bound(store, table, columns, rows)
    if store.dialect.name == "postgresql":
        _copy(store, f"COPY {table.name} ({named}) FROM STDIN", bound)
    elif bound:
        marks = ", ".join("?" * len(columns))
        store.exec_driver_sql(f"INSERT INTO {table.name} ({named}) VALUES ({marks})", bound)


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
    named = {name: _quoted(store, [name]) for name in [*columns, key.name]}
    bound = _bound(store, table, [*named], rows)
    if not bound:
        return
    if store.dialect.name != "postgresql":
        assignments = ", ".join(f"{named[name]} = ?" for name in columns)
        store.exec_driver_sql(f"UPDATE {table.name} SET {assignments} WHERE {named[key.name]} = ?", bound)
    else:
        listed, id_ = ", ".join(named.values()), named[key.name]
        assignments = ", ".join(f"{named[name]} = incoming.{named[name]}" for name in columns)
        store.exec_driver_sql(f"CREATE TEMPORARY TABLE incoming AS SELECT {listed} FROM {table.name} LIMIT 0")
        _copy(store, f"COPY incoming ({listed}) FROM STDIN", bound)
        store.exec_driver_sql(
            f"UPDATE {table.name} SET {assignments} FROM incoming WHERE {table.name}.{id_} = incoming.{id_}"
        )
        store.exec_driver_sql("DROP TABLE incoming")


def _copy(store: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    """Copy rows the PostgreSQL way; raise what it says as SQLAlchemy would raise it."""
    dialect, driver = store.dialect, store.connection.driver_connection
    assert driver is not None  # noqa: S101 - only a detached connection has none
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except dialect.loaded_dbapi.Error as fault:
        raise DBAPIError.instance(statement, None, fault, dialect.loaded_dbapi.Error, dialect=dialect) from fault


def _quoted(store: Connection, names: Sequence[str]) -> str:
    quote = store.dialect.identifier_preparer.quote
    return ", ".join(quote(name) for name in names)


def _bound(store: Connection, table: Table, columns: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
    """Return rows with each value in the form the driver stores (dates as ISO text on SQLite, and so on)."""
    values: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for n, name in enumerate(columns[: len(values)]):
        convert = table.c[name].type.dialect_impl(store.dialect).bind_processor(store.dialect)
        # A date stands in many rows, and is converted once.
        if convert is not None and any(value is not None for value in values[n]):
            stored = {value: convert(value) for value in set(values[n]) if value is not None}
            values[n] = [stored.get(value) for value in values[n]]
    return list(zip(*values, strict=True))
