"""The heads of the chain, kept outside the database: ``heads.txt`` in the data folder, one line for each.

    recorded_at <tab> as_at <tab> event_id <tab> hash

A line is only ever added, right after the commit that made its head, and names nobody. So a chain that was computed
anew, and a database that is older than what was done with it, show.
"""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from monitor.errors import MonitorError
from monitor.files import add_lines
from monitor.store.database import Database
from monitor.store.tables import FlagEvent, table_of

FILE_NAME = "heads.txt"

LINE = re.compile(
    r"(?P<recorded_at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00)\t(?P<as_at>\d{4}-\d\d-\d\d)"
    r"\t(?P<event_id>\d{1,18})\t(?P<hash>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class HeadLine:
    """The newest event of the chain at one moment: its id, its hash, and when and of which day it was recorded."""

    recorded_at: dt.datetime
    as_at: dt.date
    event_id: int
    hash: str


@dataclass(frozen=True)
class KeptHeads:
    """What ``heads.txt`` holds, oldest first. ``unread``: what is said of each line that is no head."""

    lines: tuple[HeadLine, ...]
    unread: tuple[str, ...] = ()


def append(data_folder: Path, line: HeadLine) -> None:
    """Add one line at the end, safe from a power cut on return; the file is its owner's alone."""
    recorded_at = line.recorded_at.astimezone(dt.UTC).isoformat()
    add_lines(data_folder / FILE_NAME, [f"{recorded_at}\t{line.as_at}\t{line.event_id}\t{line.hash}"])


def read(data_folder: Path) -> KeptHeads:
    """Read every head; none where there is no file yet. A line that was cut short is said, and the rest is read."""
    path = data_folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return KeptHeads(())
    except OSError as fault:
        raise MonitorError(f"{path}: cannot be read ({fault.strerror}); make it yours to read") from None
    lines, unread = [], []
    for number, written in enumerate(text.split("\n"), start=1):
        if (line := _parse(written)) is not None:
            lines.append(line)
        elif written:
            unread.append(f"{FILE_NAME}: line {number} is no head; it was changed, or cut short while it was written")
    return KeptHeads(tuple(lines), tuple(unread))


def keep(database: Database, data_folder: Path) -> None:
    """Add the head of the chain as it is now, unless the last line is that head already.

    What a process that was killed after its commit did not add, the next one does.
    """
    event = table_of(FlagEvent)
    with database.reading() as store:
        newest = store.execute(
            select(event.c.id, event.c.hash, event.c.as_at, event.c.recorded_at).order_by(event.c.id.desc()).limit(1)
        ).first()
    if newest is None:
        return
    line = HeadLine(newest.recorded_at, newest.as_at, newest.id, newest.hash)
    if read(data_folder).lines[-1:] != (line,):
        append(data_folder, line)


@contextmanager
def kept_on_both_sides(database: Database, data_folder: Path) -> Iterator[None]:
    """Keep the head before the block, where a killed process did not, and after it, however the block ends."""
    keep(database, data_folder)
    try:
        yield
    except BaseException:
        with suppress(MonitorError):
            keep(database, data_folder)
        raise
    keep(database, data_folder)


def _parse(written: str) -> HeadLine | None:
    if not (parts := LINE.fullmatch(written)):
        return None
    try:
        recorded_at, as_at = dt.datetime.fromisoformat(parts["recorded_at"]), dt.date.fromisoformat(parts["as_at"])
    except ValueError:
        return None
    return HeadLine(recorded_at, as_at, int(parts["event_id"]), parts["hash"])
