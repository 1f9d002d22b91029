"""The night's DuckDB database: where rows are loaded in bulk and every set-based pass runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK = 50_000
FEW_ROWS = 20_000
"""So many are done sooner by one thread: nearly all that they cost is planning, which a second only holds up."""


class Workspace:
    """One in-memory DuckDB database."""

    def __init__(self, duckdb: "DuckDBPyConnection") -> None:
        self._duckdb = duckdb

    def execute(self, statement: str, parameters: object = None) -> "DuckDBPyConnection":
        """Run one statement; fetch its rows from what it returns."""
        return self._duckdb.execute(statement, parameters)

    def close(self) -> None:
        self._duckdb.close()


def open_workspace() -> Workspace:
    """A new in-memory database that fetches no extension from anywhere."""
    import duckdb

    workspace = Workspace(
        duckdb.connect(
            ":memory:",
            config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
        )
    )
    # It would be drawn in the middle of what commands print.
    workspace.execute("SET enable_progress_bar = false")
    return workspace


def suit(workspace: Workspace, tables: Iterable[str]) -> None:
    """Use one thread where what was read is little; call it before ``lock_down``."""
    counts = (workspace.execute(f'SELECT count(*) FROM "{table}"').fetchone() or (0,) for table in tables)
    if sum(count for (count,) in counts) <= FEW_ROWS:
        workspace.execute("SET threads = 1")


def lock_down(workspace: Workspace) -> None:
    """Close files and configuration to every later statement; it cannot be undone on this connection."""
    workspace.execute("SET enable_external_access = false")
    workspace.execute("SET lock_configuration = true")


def load_rows(workspace: Workspace, table: str, columns: Mapping[str, str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Make ``table`` (replacing it) with ``columns`` (name to DuckDB type) from Python rows; the count.

    One statement per 50,000 rows, without a temporary file, so it works after ``lock_down`` and leaves no
    copy of personal data on disk.
    """
    make_table(workspace, table, columns)
    remaining = iter(rows)
    count = 0
    while chunk := list(islice(remaining, CHUNK)):
        append_columns(workspace, table, columns, [list(column) for column in zip(*chunk, strict=True)])
        count += len(chunk)
    return count


def make_table(workspace: Workspace, table: str, columns: Mapping[str, str]) -> None:
    """Make ``table`` (replacing it) with ``columns`` (name to DuckDB type) and no rows."""
    declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    workspace.execute(f'CREATE OR REPLACE TABLE "{table}" ({declared})')


def append_columns(
    workspace: Workspace,
    table: str,
    columns: Mapping[str, str],
    values: Sequence[Sequence[Any]],
    *,
    where: str = "true",
) -> None:
    """Add rows to ``table``, given as one list per column; only those for which ``where`` is true."""
    unnested = ", ".join(
        f'unnest(${n}::{kind}[]) AS "{name}"' for n, (name, kind) in enumerate(columns.items(), start=1)
    )
    workspace.execute(f'INSERT INTO "{table}" SELECT * FROM (SELECT {unnested}) WHERE {where}', list(values))


def fetch(workspace: Workspace, query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query, each as a dict by column name."""
    cursor = workspace.execute(query, parameters or [])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def in_chunks(workspace: Workspace, query: str, rows: int = 20_000) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query, some thousands at a time, so that a long list is never held whole."""
    cursor = workspace.execute(query)
    while chunk := cursor.fetchmany(rows):
        yield chunk


def literal(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def number_of(workspace: Workspace, query: str, *parameters: Any) -> int:
    """Return the one number that a query gives; 0 for NULL or no row."""
    row = workspace.execute(query, list(parameters)).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
