"""The marks of removed people, kept outside the database: ``removed.txt`` in the data folder, one line for each.

    removed_on <tab> mark <tab> salt

A mark is a salted hash of the id, as the database has it. Where an older database is put back, whoever was removed
since is known by it and removed again before anything reads the rows.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from monitor.errors import MonitorError
from monitor.files import add_lines
from monitor.store.tables import RemovedPerson, table_of

FILE_NAME = "removed.txt"


@dataclass(frozen=True)
class RemovalMark:
    removed_on: dt.date
    mark: str
    salt: str


def read(data_folder: Path) -> tuple[RemovalMark, ...]:
    """Read every mark; a line that was cut short is none."""
    path = data_folder / FILE_NAME
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return ()
    except OSError as fault:
        raise MonitorError(f"{path}: cannot be read ({fault.strerror}); make it yours to read") from None
    return tuple(_parse(lines))


def _parse(lines: Iterable[str]) -> Iterator[RemovalMark]:
    for line in lines:
        parts = line.split("\t")
        try:
            removed_on, mark, salt = parts
            yield RemovalMark(dt.date.fromisoformat(removed_on), mark, salt)
        except ValueError:
            continue


def keep(store: Connection, data_folder: Path) -> None:
    """Add the marks of the database that the file does not have; after the commit that made them, and every night."""
    removed = table_of(RemovedPerson)
    kept = {line.salt for line in read(data_folder)}
    rows = store.execute(select(removed).order_by(removed.c.removal_id)).all()
    if new := [f"{row.removed_on}\t{row.mark}\t{row.salt}" for row in rows if row.salt not in kept]:
        add_lines(data_folder / FILE_NAME, new)
