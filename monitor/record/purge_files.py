"""The files of nights that are past their time: found by the date in a name, or by when a log was last written to."""

import datetime as dt
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.record.purge import Limits

SNAPSHOTS, EXCEPTIONS, OUTBOX, LOGS, SAMPLE = "snapshots", "exceptions", "outbox", "logs", "sample"
"""The folders of the data folder that hold something of each night."""

DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Spent:
    """What is to go, and the nights it is of, by thing."""

    paths: Mapping[str, tuple[Path, ...]]
    nights: Mapping[str, tuple[dt.date, ...]]


def find_spent(
    data: Path, oldest: "Limits", *, newest: dt.date | None, named: Collection[str], log_file: Path | None = None
) -> Spent:
    """Whatever is older than ``oldest`` keeps; the lists and the caseload of the ``newest`` accepted night stay.

    ``named``: the kept caseloads the ledger knows. One that it does not know is past its time whatever its date, once
    its night is: it is what a removal that was interrupted has left. ``log_file``: the one in use, which stays; its
    predecessors beside it go.
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
    return Spent({**paths, "logs": _old_logs(data / LOGS, log_file, oldest.logs)}, nights)


def _dated(folder: Path, before: dt.date | None) -> list[tuple[dt.date, Path]]:
    """What is in ``folder`` under a name with a date before ``before``, oldest first."""
    found = []
    for path in folder.iterdir() if before and folder.is_dir() else ():
        day = day_of(path.name)
        if before and day is not None and day < before:
            found.append((day, path))
    return sorted(found)


def day_of(name: str) -> dt.date | None:
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


def remove(spent: Spent) -> tuple[str, ...]:
    """Remove every path; what would not go, each with the reason."""
    return remove_paths(path for paths in spent.paths.values() for path in paths)


def remove_paths(paths: Iterable[Path]) -> tuple[str, ...]:
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
