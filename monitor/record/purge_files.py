"""The files of nights that are past their time: found by the date in a name, or by when a log was last written to."""

import datetime as dt
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

SNAPSHOTS, EXCEPTIONS, OUTBOX, LOGS, SAMPLE = "snapshots", "exceptions", "outbox", "logs", "sample"
"""The folders of the data folder that hold something of each night."""

DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class OldestKept:
    """By thing, the first day of which it is still kept; None if it is kept forever."""

    snapshots: dt.date | None
    resolved_flags: dt.date | None
    messages: dt.date | None
    exports: dt.date | None
    outbox: dt.date | None
    logs: dt.date | None


@dataclass(frozen=True)
class SpentFiles:
    """What is to go, and the nights it is of, by thing."""

    paths: Mapping[str, tuple[Path, ...]]
    nights: Mapping[str, tuple[dt.date, ...]]


def find_spent_files(
    data: Path, oldest: OldestKept, *, newest: dt.date | None, named: Collection[str], log_file: Path | None = None
) -> SpentFiles:
    """Find what is older than ``oldest``; the lists and the caseload of the ``newest`` accepted night stay.

    ``named``: the kept caseloads the ledger knows. One of an earlier night that it does not know goes whatever its
    date: an interrupted removal left it. ``log_file``: the one in use, which stays; its predecessors beside it go.
    """
    before = min(oldest.exports, newest) if oldest.exports and newest else None
    dated = {
        "snapshots": [
            (day, path)
            for day, path in _dated(data / SNAPSHOTS, oldest.snapshots)
            if path.name not in named and newest is not None and day < newest
        ],
        "exports": [*_dated(data / EXCEPTIONS, before), *_dated(data / SAMPLE, before)],
        "outbox": _dated(data / OUTBOX, oldest.outbox),
    }
    paths = {thing: tuple(path for _, path in found) for thing, found in dated.items()}
    nights = {thing: tuple(sorted({day for day, _ in found})) for thing, found in dated.items()}
    return SpentFiles({**paths, "logs": _old_logs(data / LOGS, log_file, oldest.logs)}, nights)


def _dated(folder: Path, before: dt.date | None) -> list[tuple[dt.date, Path]]:
    """What is in ``folder`` under a name with a date before ``before``, oldest first."""
    if before is None or not folder.is_dir():
        return []
    dated = ((_day_of(path.name), path) for path in folder.iterdir())
    return sorted((day, path) for day, path in dated if day is not None and day < before)


def _day_of(name: str) -> dt.date | None:
    """The first date in a name."""
    written = DATED.search(name)
    try:
        return dt.date.fromisoformat(written[0]) if written else None
    except ValueError:
        return None


def _old_logs(folder: Path, log_file: Path | None, before: dt.date | None) -> tuple[Path, ...]:
    if before is None:
        return ()
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
