"""Notices a connection to SQLite or DuckDB that was let go without being closed, on every version of Python.

Python 3.13 warns of SQLite's by itself; earlier versions and DuckDB close it whenever it is collected, and say nothing.
"""

import sqlite3
import sys
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from types import FrameType

import duckdb

import monitor

Connection = sqlite3.Connection | duckdb.DuckDBPyConnection


class OpenConnections:
    """Every connection that is not known to be closed: to SQLite, and the monitor's own to DuckDB."""

    def __init__(self) -> None:
        self._opened: list[Connection] = []
        connect = duckdb.connect
        self._alone: dict[type, int] = {}
        for probes in ([sqlite3.connect(":memory:")], [connect()]):
            self._alone[type(probes[0])] = count_holders(probes)
            probes[0].close()
        sys.addaudithook(self._note)

        @wraps(connect)
        def connect_and_note(*given: object, **named: object) -> duckdb.DuckDBPyConnection:
            made = connect(*given, **named)  # type: ignore[arg-type]
            caller = sys._getframe(1)  # open_workspace, which somebody calls
            if is_product(caller.f_back or caller):
                self._opened.append(made)
            return made

        duckdb.connect = connect_and_note

    def _note(self, name: str, arguments: tuple[object, ...]) -> None:
        if name == "sqlite3.connect/handle":
            (connection,) = arguments
            assert isinstance(connection, sqlite3.Connection)
            self._opened.append(connection)

    def close_dropped(self) -> list[str]:
        """Close those that nobody holds any more and nobody closed; return what they are."""
        dropped, held = [], []
        while self._opened:
            if not is_open(self._opened[-1]):
                del self._opened[-1]
                continue
            holders = count_holders(self._opened)
            connection = self._opened.pop()
            if holders > self._alone[type(connection)]:
                held.append(connection)
            else:
                dropped.append(type(connection).__name__)
                connection.close()
        self._opened += held
        return dropped


def count_holders(connections: Sequence[Connection]) -> int:
    """Count who holds the last of these connections: its own statements, this list, and whoever else."""
    return sys.getrefcount(connections[-1])


def is_product(frame: FrameType) -> bool:
    """Return whether the monitor's own code opens a workspace here; a test lets go of its own as it likes."""
    while frame.f_back and frame.f_code.co_filename.startswith("<"):  # what a dataclass writes for itself
        frame = frame.f_back
    return Path(monitor.__file__).parent in Path(frame.f_code.co_filename).parents


def is_open(connection: Connection) -> bool:
    try:
        if isinstance(connection, sqlite3.Connection):
            return connection.total_changes >= 0  # asks nothing of the database, from any thread
        connection.execute("SELECT 1")
    except (sqlite3.ProgrammingError, duckdb.ConnectionException):
        return False
    return True
