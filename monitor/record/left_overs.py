"""What a run that was killed left half-done: found by its name, and swept at the start of the next run and by a purge.

    .NAME.1a2b3c4d.unfinished    a file, a folder of lists, a workbook, a backup or a database put back, half-written
    snapshots/DATE-run-N...      a kept caseload that its run does not name: the run was killed before it was saved

Call it while the lock is held: then nobody is at work who could be writing one. Nothing else is touched.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from monitor.config.settings import Config
from monitor.record import backup_list
from monitor.record.purge_files import EXCEPTIONS, OUTBOX, SAMPLE, SNAPSHOT_NAME, SNAPSHOTS, remove_paths
from monitor.store.database import Database
from monitor.store.tables import Run, table_of

UNFINISHED_NAME = re.compile(r"\..+\.[0-9a-f]{8}\.unfinished(-wal|-shm|-journal|\.lock)?")
OF_A_NIGHT = re.compile(r"\.\d{4}-\d\d-\d\d\.[0-9a-f]{8}\.unfinished")
FOLDERS = (SNAPSHOTS, EXCEPTIONS, OUTBOX, SAMPLE, "report", "alarms", "cache")
"""The folders of the data folder that the monitor writes to."""


def find(store: Connection, config: Config) -> tuple[Path, ...]:
    """Find everything that a killed run left in the data folder, the leads' folder and beside the database."""
    data, shared = config.data_folder, config.lists.lists_folder
    beside = {data}
    if store.dialect.name == "sqlite" and store.engine.url.database:
        beside.add(Path(store.engine.url.database).parent)
    found = [path for folder in sorted(beside) for path in _list(folder) if UNFINISHED_NAME.fullmatch(path.name)]
    found += [path for folder in FOLDERS for path in _walk(data / folder)]
    found += [path for path in _list(shared) if OF_A_NIGHT.fullmatch(path.name)] if shared else []
    return (*found, *_find_unnamed(store, data / SNAPSHOTS))


def find_of_backups(data_folder: Path) -> tuple[Path, ...]:
    """Find what a killed backup left beside where it was to be."""
    places = [backup.path for backup in backup_list.read(data_folder)]
    return tuple(
        path
        for place in places
        if place.parent != data_folder
        for path in _list(place.parent)
        if path.name.startswith(f".{place.name}.") and UNFINISHED_NAME.fullmatch(path.name)
    )


def find_all(store: Connection, config: Config, *, only_look: bool = False) -> tuple[Path, ...]:
    """Find both; of backups nothing while another is being made, unless they are ``only_look``ed at."""
    found = find(store, config)
    beside = find_of_backups(config.data_folder)
    in_data = [path for path in found if path.parent == config.data_folder]
    if only_look or not (beside or in_data):
        return (*found, *beside)
    with backup_list.at_work(config.data_folder, wait_seconds=0) as alone:
        if alone:
            return (*found, *beside)
    return tuple(path for path in found if path not in in_data)


def sweep(database: Database, config: Config) -> int:
    """Remove it all, and return how many files and folders went; what would not go, the next purge names."""
    with database.reading() as store:
        found = find_all(store, config)
    return len(found) - len(remove_paths(found))


def _list(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _walk(folder: Path) -> Iterator[Path]:
    """Find the unfinished files and folders below a folder; what is inside one goes with it."""
    for above, folders, files in os.walk(folder):
        unfinished = [name for name in (*folders, *files) if UNFINISHED_NAME.fullmatch(name)]
        folders[:] = sorted(set(folders).difference(unfinished))
        yield from (Path(above, name) for name in sorted(unfinished))


def _find_unnamed(store: Connection, folder: Path) -> Iterable[Path]:
    """Find the kept caseloads of runs that are known and name another, or none."""
    kept = [(path, match) for path in _list(folder) if (match := SNAPSHOT_NAME.fullmatch(path.name))]
    if not kept:
        return ()
    run = table_of(Run)
    named = {row.id: row.snapshot for row in store.execute(select(run.c.id, run.c.snapshot))}
    return [path for path, match in kept if named.get(int(match["run"]), path.name) != path.name]
