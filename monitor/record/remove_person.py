"""Removes a person everywhere: from the database, the kept caseloads, the lists, the outbox's files and the logs.

In this order, so that a process killed anywhere leaves what the same command completes:

    1. kept caseloads are written anew, without the person, under new names
    2. one transaction: rows go, events and messages that name the person are emptied, the ledger knows the new files,
       and a salted mark stays by which the person is known if a source brings them back
    3. old files go, lists and logs are rewritten, the database file is written anew
    4. the removal is marked as finished
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from monitor.caseload import removed_people, snapshot
from monitor.caseload.intake import find_person, read_sources
from monitor.config.settings import Config
from monitor.errors import MonitorError, Problems, Refused
from monitor.record import removal_reach, remove_rows, remove_traces
from monitor.record.purge import EMPTIED, forget_for_good
from monitor.record.purge_files import SNAPSHOTS, remove_paths
from monitor.record.remove_traces import FileChange, Trace
from monitor.store import events
from monitor.store.bulk import next_id
from monitor.store.database import Database
from monitor.store.events import Event
from monitor.store.tables import Removal, RemovedPerson, Run, table_of
from monitor.workspace import open_workspace

if TYPE_CHECKING:
    from sqlalchemy import Row

KIND = "person"


@dataclass(frozen=True)
class RemovalAccount:
    """What was removed, or would be. ``rows``: by table, how many went or were emptied; ``outside``: what is beyond the
    monitor's reach, and what to do about it; ``completed``: an earlier removal of the same person was taken up.
    """

    rows: Mapping[str, int]
    nights: tuple[dt.date, ...]
    files: tuple[FileChange, ...]
    outside: tuple[str, ...]
    problems: tuple[str, ...] = ()
    completed: bool = False
    rehearsed: bool = False

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class KeptCaseload:
    """One kept caseload that has the person, and what takes its place; nothing where no run knows the file."""

    path: Path
    run: "Row[*tuple[Any, ...]] | None"
    replacement: str | None


@dataclass
class Found:
    """What is to be done to files; ``problems``: those about which nobody can tell."""

    kept: list[KeptCaseload] = field(default_factory=list)
    changes: list[FileChange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Rehearsed(Exception):
    """Takes a transaction back."""


def find_in_sources(
    config: Config, person_id: str, *, as_at: dt.date, environ: Mapping[str, str], say: Callable[[str], None]
) -> tuple[str, ...]:
    """Return the sources that have the person tonight; raises ``SourceError`` if one cannot be read."""
    workspace = open_workspace()
    having = find_person(workspace, read_sources(workspace, config, as_at, environ, say), person_id, as_at)
    workspace.close()
    return having


def check_request(person_id: str, by: str, reason: str) -> None:
    """Who and why stay on record, so neither may say whom it was about."""
    problems = [
        f"{option}: needs words, since it stays on record" for option, given in (("--by", by), ("--reason", reason))
        if not given.strip()
    ]  # fmt: skip
    problems += [
        f"{option}: holds the id, and stays on record; leave the id out"
        for option, given in (("--by", by), ("--reason", reason))
        if person_id and Trace(person_id).is_in(given)
    ]
    if not person_id.strip():
        problems.append("--person: needs the id of a young person")
    if problems:
        raise Problems(problems)


def remove(
    database: Database,
    config: Config,
    person_id: str,
    *,
    by: str,
    reason: str,
    today: dt.date,
    now: dt.datetime,
    environ: Mapping[str, str],
    say: Callable[[str], None] = lambda step: None,
    dry_run: bool = False,
) -> RemovalAccount:
    """Remove a person, or complete a removal that was interrupted; the caller holds the lock.

    ``Refused`` while a source has them; ``Problems`` if nothing here is about anybody of that id.
    """
    check_request(person_id, by, reason)
    having = find_in_sources(config, person_id, as_at=today, environ=environ, say=say)
    if having:
        named = " and ".join(f'"{name}"' for name in having)
        raise Refused(
            f"{person_id}: still in source {named}, so the next night would bring them back; have the record taken "
            "out there first. Nothing has been removed"
        )
    trace = Trace(person_id)
    with database.reading() as store:
        number = next_id(store, Removal)
        before = removed_people.find(store, person_id)
        say("Looking through the kept caseloads and lists")
        found = _find_files(store, config, trace, number)
        beyond = removal_reach.describe(store, config, trace)
    if not dry_run:
        for one in found.kept:
            if one.replacement:
                snapshot.leave_out(one.path, one.path.with_name(one.replacement), person_id)
    say("Removing")
    removed = _remove_or_rehearse(
        database, config, trace, found, number, by=by, reason=reason, today=today, now=now, dry_run=dry_run
    )
    files = tuple(found.changes)
    if not (removed or found.kept or files or before or found.problems):
        raise Problems([f"{person_id}: nothing is held about anybody of that id; check it, leading zeros and all"])
    nights = tuple(sorted({one.run.as_at for one in found.kept if one.run is not None}))
    if found.kept:
        removed = {**removed, "snapshots": len(found.kept)}
    account = RemovalAccount(removed, nights, files, beyond, tuple(found.problems), bool(before), dry_run)
    if dry_run:
        return account
    problems = [*found.problems, *_finish_files(found, trace)]
    say("Writing the database anew")
    try:
        database.compact()
    except MonitorError as fault:
        problems.append(str(fault))
    if not problems:
        _mark_finished(database, person_id, now)
    return RemovalAccount(removed, nights, files, beyond, tuple(problems), bool(before))


# Files


def _find_files(store: Connection, config: Config, trace: Trace, number: int) -> Found:
    found = Found()
    run = table_of(Run)
    known = {
        row.snapshot: row
        for row in store.execute(
            select(run.c.id, run.c.as_at, run.c.snapshot, run.c.snapshot_sha256).where(run.c.snapshot.is_not(None))
        )
    }
    folder = config.data_folder / SNAPSHOTS
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            if not snapshot.holds(path, trace.person_id):
                continue
        except MonitorError as fault:
            found.problems.append(str(fault))
            continue
        row = known.get(path.name)
        stem = path.name.split("-without")[0].removesuffix(".parquet")
        found.kept.append(KeptCaseload(path, row, f"{stem}-without-{number}.parquet" if row else None))
    changes, unknown = remove_traces.find(config.data_folder, trace, leave=frozenset(_database_files(store)))
    found.changes.extend(changes)
    found.problems.extend(
        f"{path}: names this person and is of a kind that the monitor does not make; remove it or them from it"
        for path in unknown
    )
    return found


def _database_files(store: Connection) -> list[Path]:
    """The database and what stands beside it, if it is a file."""
    if store.dialect.name != "sqlite" or not store.engine.url.database:
        return []
    path = Path(store.engine.url.database)
    return list(path.parent.glob(f"{path.name}*"))


def _finish_files(found: Found, trace: Trace) -> list[str]:
    """Take the old caseloads away and put the lists right; what would not be."""
    problems = list(remove_paths(one.path for one in found.kept))
    for change in found.changes:
        try:
            remove_traces.apply(change, trace)
        except OSError as fault:
            problems.append(f"{change.path}: cannot be {change.action} ({fault.strerror}); close it and try again")
        except MonitorError as fault:
            problems.append(str(fault))
    return problems


# Rows


def _remove_or_rehearse(
    database: Database,
    config: Config,
    trace: Trace,
    found: Found,
    number: int,
    *,
    by: str,
    reason: str,
    today: dt.date,
    now: dt.datetime,
    dry_run: bool,
) -> dict[str, int]:
    """What goes from each table, all in one transaction, which is taken back again if nothing is to happen."""
    counts: dict[str, int] = {}
    try:
        with database.writing() as store:
            forget_for_good(store)
            counts.update(remove_rows.remove(store, trace))
            snapshots = _swap_snapshots(store, config, found)
            if dry_run:
                raise _Rehearsed
            if counts or found.kept or found.changes:
                _record(store, trace, counts, snapshots, number, by=by, reason=reason, today=today, now=now)
    except _Rehearsed:
        pass
    return counts


def _swap_snapshots(store: Connection, config: Config, found: Found) -> dict[str, Any]:
    """Let the ledger know the files written anew; what each was and is.

    One that had been altered keeps the hash it had, so that the audit goes on naming it.
    """
    run = table_of(Run)
    swapped = {}
    for one in found.kept:
        if one.run is None or one.replacement is None:
            continue
        path = one.path.with_name(one.replacement)
        was = one.run.snapshot_sha256
        unaltered = path.is_file() and snapshot.fingerprint(one.path) == was
        now = snapshot.fingerprint(path) if unaltered else was
        store.execute(run.update().where(run.c.id == one.run.id).values(snapshot=one.replacement, snapshot_sha256=now))
        swapped[one.replacement] = {"was": was, "is": now}
    return swapped


def _record(
    store: Connection,
    trace: Trace,
    removed: Mapping[str, int],
    snapshots: Mapping[str, Any],
    number: int,
    *,
    by: str,
    reason: str,
    today: dt.date,
    now: dt.datetime,
) -> None:
    counts = {**removed, "snapshots": len(snapshots)}
    nights = sorted({name[:10] for name in snapshots})
    store.execute(
        table_of(Removal).insert().values(
            id=number, as_at=today, recorded_at=now, kind=KIND, by=by, reason=reason, removed=json.dumps(counts),
            nights=json.dumps({"snapshots": nights}),
        )
    )  # fmt: skip
    mark, salt = removed_people.make(trace.person_id)
    store.execute(table_of(RemovedPerson).insert().values(removal_id=number, mark=mark, salt=salt, removed_on=today))
    detail = {"removal": number, "removed": counts, "snapshots": snapshots, EMPTIED: removed.get("flag_event", 0)}
    events.record(store, [Event("person removed", by=by, why=reason, detail=detail)], as_at=today, recorded_at=now)


def _mark_finished(database: Database, person_id: str, now: dt.datetime) -> None:
    removal = table_of(Removal)
    with database.writing() as store:
        numbers = [row.removal_id for row in removed_people.find(store, person_id)]
        unfinished = removal.c.finished_at.is_(None) & removal.c.id.in_(numbers)
        store.execute(removal.update().where(unfinished).values(finished_at=now))
