"""The files of nights that are past their time: found by the date in a name, or by when a log was last written to."""

import datetime as dt
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from monitor.record import backup_list

SNAPSHOTS, EXCEPTIONS, OUTBOX, LOGS, SAMPLE = "snapshots", "exceptions", "outbox", "logs", "sample"
"""The folders of the data folder that hold something of each night."""

SNAPSHOT_NAME = re.compile(r"(?P<as_at>\d{4}-\d\d-\d\d)-run-(?P<run>\d{1,9})(-without-\d+)*\.parquet")
LOST = "lost"
"""The state of a run that only a kept caseload still tells of: somebody has gone on without it."""

FOREVER = dt.date.min
DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


OldestKept = Mapping[str, dt.date]
"""By thing of ``[retention]``, the first day of which it is still kept; ``FOREVER`` if all of it is."""
SpentFiles = Mapping[str, list[tuple[dt.date | None, Path]]]
"""What is to go, by thing, and the night it is of; a log is of no night."""


def find_spent_files(
    data: Path, oldest: OldestKept, *, named: Collection[str], log_file: Path | None = None
) -> SpentFiles:
    """Find what is older than ``oldest``.

    ``named``: the kept caseloads that the ledger knows and that stay. One that it does not know, which an interrupted
    removal left, goes with its night. ``log_file``: the one in use, which stays; its predecessors beside it go.
    """
    lists = [file for folder in (EXCEPTIONS, SAMPLE) for file in _dated(data / folder, oldest["exports"])]
    standing = backup_list.find_standing(data)
    made = [(backup.made_at.date(), path) for backup in standing for path in backup.files]
    return {
        "backups": [(day, path) for day, path in made if day < oldest["backups"]],
        "snapshots": [file for file in _dated(data / SNAPSHOTS, oldest["snapshots"]) if file[1].name not in named],
        "exports": lists,
        "outbox": _dated(data / OUTBOX, oldest["outbox"]),
        "logs": [(None, path) for path in _old_logs(data / LOGS, log_file, oldest["logs"])],
    }


def _dated(folder: Path, before: dt.date) -> list[tuple[dt.date | None, Path]]:
    """Find what is in ``folder`` under a name with a date before ``before``."""
    return [(day, path) for path in sorted(folder.glob("*")) if (day := _day_of(path.name)) and day < before]


def _day_of(name: str) -> dt.date | None:
    """Return the first date in a name."""
    written = DATED.search(name)
    try:
        return dt.date.fromisoformat(written[0]) if written else None
    except ValueError:
        return None


def _old_logs(folder: Path, log_file: Path | None, before: dt.date) -> list[Path]:
    logs = {*folder.glob("*"), *(log_file.parent.glob(f"{log_file.name}.*") if log_file else ())} - {log_file}
    start = dt.datetime.combine(before, dt.time(), dt.UTC).timestamp()
    return sorted(path for path in logs if path.is_file() and path.stat().st_mtime < start)


def remove_paths(paths: Iterable[Path]) -> tuple[str, ...]:
    """Remove each file or folder; return what would not go, with the reason and the remedy."""
    problems = []
    for path in paths:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as fault:
            problems.append(
                f"{path}: cannot be removed ({fault.strerror or type(fault).__name__}); let the account that runs the "
                "monitor write there, and give the same command again"
            )
    return tuple(problems)
