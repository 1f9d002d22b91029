"""The files of nights that are past their time: found by the date in a name, or by when a log was last written to."""

import datetime as dt
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SNAPSHOTS, EXCEPTIONS, OUTBOX, LOGS, SAMPLE = "snapshots", "exceptions", "outbox", "logs", "sample"
"""The folders of the data folder that hold something of each night."""

FOREVER = dt.date.min
DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class OldestKept:
    """By thing, the first day of which it is still kept; ``FOREVER``, before which nothing is, if all is."""

    snapshots: dt.date
    resolved_flags: dt.date
    messages: dt.date
    exports: dt.date
    outbox: dt.date
    logs: dt.date


@dataclass(frozen=True)
class SpentFiles:
    """What is to go, and the nights it is of, by thing."""

    paths: Mapping[str, tuple[Path, ...]]
    nights: Mapping[str, tuple[dt.date, ...]]


def find_spent_files(
    data: Path, oldest: OldestKept, *, newest: dt.date | None, named: Collection[str], log_file: Path | None = None
) -> SpentFiles:
    """Find what is older than ``oldest``; the lists and the caseload of the ``newest`` accepted night stay.

    ``named``: the kept caseloads that the ledger knows and that stay. One that it does not know, which an interrupted
    removal left, goes with its night. ``log_file``: the one in use, which stays; its predecessors beside it go.
    """
    lists_before = min(oldest.exports, newest or FOREVER)
    dated = {
        "snapshots": [
            (day, path)
            for day, path in _dated(data / SNAPSHOTS, min(oldest.snapshots, newest or FOREVER))
            if path.name not in named
        ],
        "exports": [*_dated(data / EXCEPTIONS, lists_before), *_dated(data / SAMPLE, lists_before)],
        "outbox": _dated(data / OUTBOX, oldest.outbox),
    }
    paths = {thing: tuple(path for _, path in files) for thing, files in dated.items()}
    nights = {thing: tuple(sorted({day for day, _ in files})) for thing, files in dated.items()}
    return SpentFiles({**paths, "logs": _old_logs(data / LOGS, log_file, oldest.logs)}, nights)


def _dated(folder: Path, before: dt.date) -> list[tuple[dt.date, Path]]:
    """What is in ``folder`` under a name with a date before ``before``, oldest first."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted((day, path) for path in paths if (day := _day_of(path.name)) is not None and day < before)


def _day_of(name: str) -> dt.date | None:
    """The first date in a name."""
    written = DATED.search(name)
    try:
        return dt.date.fromisoformat(written[0]) if written else None
    except ValueError:
        return None


def _old_logs(folder: Path, log_file: Path | None, before: dt.date) -> tuple[Path, ...]:
    logs = {*folder.glob("*"), *(log_file.parent.glob(f"{log_file.name}.*") if log_file else ())} - {log_file}
    start = dt.datetime.combine(before, dt.time(), dt.UTC).timestamp()
    return tuple(sorted(path for path in logs if path.is_file() and path.stat().st_mtime < start))


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
                "monitor write there, and purge again"
            )
    return tuple(problems)
