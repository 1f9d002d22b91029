"""The backups that this monitor made: ``backups.txt`` in the data folder, so that they are known and run out.

    made_at <tab> event_id <tab> hash <tab> path

The head of the chain in a backup says that a file is still the one that was made. A line without a head is of one that
was begun. A backup is its owner's alone, and nobody else's file is ever touched.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, select

from monitor.errors import MonitorError
from monitor.files import add_lines, make_private_file
from monitor.store.database import looking_at
from monitor.store.tables import FlagEvent, table_of

FILE_NAME = "backups.txt"
NO_HEAD = "-"
ASIDE = "replaced-"
"""How the name of a database begins that a restore set aside."""
ENDINGS = ("", "-wal", "-shm", "-journal")
"""What belongs to an SQLite database, by the end of its name."""


@dataclass(frozen=True)
class Backup:
    """One backup; its head has no ``hash`` where it was only begun, or could not be read."""

    made_at: dt.datetime
    event_id: int
    hash: str
    path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The file, and those that belong to it."""
        paths = (Path(f"{self.path}{ending}") for ending in ENDINGS)
        return tuple(path for path in paths if path.exists())

    @property
    def url(self) -> URL:
        return URL.create("sqlite", database=str(self.path))


def append(data_folder: Path, backup: Backup) -> None:
    """Add one line."""
    at = backup.made_at.astimezone(dt.UTC).isoformat()
    add_lines(data_folder / FILE_NAME, [f"{at}\t{backup.event_id}\t{backup.hash}\t{backup.path}"])


def read(data_folder: Path) -> tuple[Backup, ...]:
    """Read every backup that was made or begun, the newest line of each path, oldest first."""
    try:
        text = (data_folder / FILE_NAME).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ()
    found: dict[Path, Backup] = {}
    for line in text.split("\n"):
        parts = line.split("\t", maxsplit=3)
        try:
            at, event_id, head, path = parts
            backup = Backup(dt.datetime.fromisoformat(at), int(event_id), head, Path(path))
        except ValueError:
            continue
        found.pop(backup.path, None)
        found[backup.path] = backup
    return tuple(found.values())


def find_standing(data_folder: Path) -> tuple[Backup, ...]:
    """Find the backups that are still there, as they were made."""
    return tuple(backup for backup in read(data_folder) if is_own(backup))


def is_own(backup: Backup) -> bool:
    """Return whether the file at its path is the one that was made: its chain ends with the same head.

    One that was set aside, and could not be read then, is known by its name, which nothing else has.
    """
    if not backup.path.is_file():
        return False
    if backup.hash == NO_HEAD:
        return backup.path.name.startswith(ASIDE)
    event = table_of(FlagEvent)
    newest = select(event.c.id, event.c.hash).order_by(event.c.id.desc()).limit(1)
    try:
        with looking_at(backup.url, wait_seconds=0) as store:
            row = store.execute(newest).first()
    except MonitorError:
        return False
    return row is not None and (row.id, row.hash) == (backup.event_id, backup.hash)


@contextmanager
def at_work(data_folder: Path, *, wait_seconds: float) -> Iterator[bool]:
    """Be the only process that writes a backup; give whether it is, for another may be at work."""
    from filelock import FileLock, Timeout

    beside = data_folder / f"{FILE_NAME}.lock"
    make_private_file(beside)
    lock = FileLock(beside, mode=0o600)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
