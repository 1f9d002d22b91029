"""The workspace: one DuckDB database for a night, and the steps that make its tables.

A step says which tables it reads and which it makes, so that the order of a night is checked and can be printed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK = 50_000
FEW_ROWS = 20_000
"""Up to this many rows, one thread is faster: the cost is query planning."""


@dataclass(frozen=True)
class Step:
    """One step of a pipeline: the tables it reads, changes in place, makes, and does away with."""

    name: str
    reads: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()


class StepFault(RuntimeError):
    """A step of a pipeline is run out of order: what it needs is not there, or what it makes is there already."""


class Workspace:
    """One in-memory DuckDB database, and the steps that have made its tables, in order."""

    def __init__(self, duckdb: "DuckDBPyConnection") -> None:
        self._duckdb = duckdb
        self._made_by: dict[str, str] = {}
        self.tables: set[str] = set()
        self._types: dict[str, dict[str, str]] = {}
        self.steps: list[Step] = []

    def execute(self, statement: str, parameters: object = None) -> "DuckDBPyConnection":
        """Run one statement; fetch its rows from what it returns."""
        done = self._duckdb.execute(statement, parameters)
        if changed := CHANGES_TABLES.match(statement):
            self.tables.discard(changed["dropped"] or (changed["altered"] if changed["new_name"] else None))
            self.tables |= {changed["made"], changed["new_name"]} - {None}
            self._types.clear()
        return done

    def types_of(self, table: str) -> Mapping[str, str]:
        """Return a table's columns with their types, asked of the database once for as long as no table changes."""
        if table not in self._types:
            self._types[table] = {name: kind for name, kind, *_ in self.execute(f"DESCRIBE {table}").fetchall()}
        return self._types[table]

    def columns_of(self, table: str) -> Set[str]:
        return self.types_of(table).keys()

    def close(self) -> None:
        self._duckdb.close()

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def begin(self, step: Step) -> None:
        """Take up a step; raises ``StepFault`` naming the tables that it lacks, or would make a second time."""
        twice = [f"{table} (made by {self._made_by[table]})" for table in step.makes if table in self._made_by]
        if twice:
            raise StepFault(f"{step.name}: would make again {', '.join(twice)}")
        self._insist(step, (*step.reads, *step.changes), "needs")

    def finish(self, step: Step) -> None:
        """Note what a step has made; raises ``StepFault`` where it has not made what it declares."""
        for table in step.drops:
            self._made_by.pop(table, None)
        self._insist(step, step.makes, "was to make")
        self._made_by |= dict.fromkeys(step.makes, step.name)
        self.steps.append(step)

    def _insist(self, step: Step, tables: Iterable[str], verb: str) -> None:
        missing = [table for table in tables if table not in self.tables]
        if missing:
            raise StepFault(f"{step.name}: {verb} {', '.join(missing)}: no such table in the workspace")


CHANGES_TABLES = re.compile(
    r"""
    \s* (
        CREATE \s+ (OR \s+ REPLACE \s+)? (TEMP \s+)? (TABLE|VIEW) \s+ "?(?P<made>\w+)
        | DROP \s+ (TABLE|VIEW) \s+ (IF \s+ EXISTS \s+)? "?(?P<dropped>\w+)
        | ALTER \s+ TABLE \s+ "?(?P<altered>\w+)"? (\s+ RENAME \s+ TO \s+ "?(?P<new_name>\w+))?
    )""",
    re.VERBOSE,
)
"""A statement that makes, drops or alters a table or view; to ask the database after every step costs a statement."""

P = ParamSpec("P")
Result = TypeVar("Result")


def step(
    *,
    reads: tuple[str, ...] = (),
    changes: tuple[str, ...] = (),
    makes: tuple[str, ...] = (),
    drops: tuple[str, ...] = (),
) -> Callable[[Callable[Concatenate[Workspace, P], Result]], Callable[Concatenate[Workspace, P], Result]]:
    """Declare which tables of the workspace a function reads, changes, makes and drops.

    A table that only some nights have is not declared: who reads it asks whether it is there.
    """

    def declare(function: Callable[Concatenate[Workspace, P], Result]) -> Callable[Concatenate[Workspace, P], Result]:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        declared = Step(name, reads, changes, makes, drops)

        @wraps(function)
        def run(workspace: Workspace, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            workspace.begin(declared)
            result = function(workspace, *args, **kwargs)
            workspace.finish(declared)
            return result

        return run

    return declare


def open_workspace() -> Workspace:
    """A new in-memory database that fetches no extension from anywhere."""
    import duckdb

    settings = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    # Without a folder to spill into: a process that is killed would leave people's rows there.
    opened = duckdb.connect(config={**settings, "temp_directory": ""})
    workspace = Workspace(opened)
    # It would be drawn in the middle of what commands print.
    workspace.execute("SET enable_progress_bar = false")
    return workspace


def suit(workspace: Workspace, tables: Iterable[str]) -> None:
    """Use one thread where what was read is little, and less memory where it is much; call it before ``lock_down``."""
    if sum(number_of(workspace, f'SELECT count(*) FROM "{table}"') for table in tables) <= FEW_ROWS:
        workspace.execute("SET threads = 1")
    else:
        # What is freed goes back to the system when next much is needed, and not at every 512 MB.
        workspace.execute("SET allocator_bulk_deallocation_flush_threshold = '1MB'")


def lock_down(workspace: Workspace) -> None:
    """Close files and configuration to every later statement; it cannot be undone on this connection."""
    workspace.execute("SET enable_external_access = false")
    workspace.execute("SET lock_configuration = true")


def load_rows(workspace: Workspace, table: str, columns: Mapping[str, str], rows: Iterable[tuple[Any, ...]]) -> int:
    """Make ``table`` (replacing it) with ``columns`` (name to DuckDB type) from Python rows; the count.

    One statement per 50,000 rows, without a temporary file, so it works after ``lock_down`` and leaves no
    copy of personal data on disk.
    """
    remaining = iter(rows)
    count = 0
    while chunk := list(islice(remaining, CHUNK)):
        values = [list(column) for column in zip(*chunk, strict=True)]
        into = f'INSERT INTO "{table}"' if count else f'CREATE OR REPLACE TABLE "{table}" AS'
        workspace.execute(f"{into} {_unnest(columns)}", values)
        count += len(chunk)
    if not count:
        make_table(workspace, table, columns)
    return count


def make_table(workspace: Workspace, table: str, columns: Mapping[str, str]) -> None:
    """Make ``table`` (replacing it) with ``columns`` (name to DuckDB type) and no rows."""
    declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    workspace.execute(f'CREATE OR REPLACE TABLE "{table}" ({declared})')


def drop_tables(workspace: Workspace, *tables: str) -> None:
    """Drop tables that nothing reads any more; those that are there, in one call."""
    if there := sorted(workspace.tables.intersection(tables)):
        workspace.execute("; ".join(f'DROP TABLE "{table}"' for table in there))
        workspace.tables.difference_update(there)


def append_columns(
    workspace: Workspace,
    table: str,
    columns: Mapping[str, str],
    values: Sequence[Sequence[Any]],
    *,
    where: str = "true",
) -> None:
    """Add rows to ``table``, given as one list per column; only those for which ``where`` is true."""
    workspace.execute(f'INSERT INTO "{table}" SELECT * FROM ({_unnest(columns)}) WHERE {where}', list(values))


def _unnest(columns: Mapping[str, str]) -> str:
    """SQL for rows from one list per column."""
    named = enumerate(columns.items(), start=1)
    return "SELECT " + ", ".join(f'unnest(${n}::{kind}[]) AS "{name}"' for n, (name, kind) in named)


def fetch(workspace: Workspace, query: str, parameters: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query, each as a dict by column name."""
    cursor = workspace.execute(query, parameters or [])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def in_chunks(
    workspace: Workspace, query: str, rows: int = 20_000, parameters: object = None
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query, some thousands at a time, so that a long list is never held whole."""
    cursor = workspace.execute(query, parameters)
    while chunk := cursor.fetchmany(rows):
        yield chunk


def literal(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """Write texts as an SQL list, which may be empty."""
    return f"[{', '.join(map(literal, texts))}]::VARCHAR[]"


def number_of(workspace: Workspace, query: str, *parameters: Any) -> int:
    """Return the one number that a query gives; 0 for NULL or no row."""
    row = workspace.execute(query, list(parameters)).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
