"""Removes a person everywhere: from the database, the kept caseloads, the lists, the outbox's files and the logs.

In this order, so that a process killed anywhere leaves what the same command completes:

    1. kept caseloads are written anew, without the person, under new names
    2. one transaction: rows go, events and messages that name the person are emptied, the ledger knows the new files,
       and a salted mark stays by which the person is known if a source brings them back
    3. old files go: the last night's lists and the report are made again, the rest is removed; the database file is
       written anew
    4. the removal is marked as finished
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from monitor.caseload import removed_people, snapshot
from monitor.caseload.intake import find_person, read_sources
from monitor.config.settings import Config
from monitor.errors import MonitorError, Problems, Refused
from monitor.outbox import sent_file
from monitor.record import backup_list, heads, removal_marks
from monitor.record.purge import EMPTIED, PERSON_REMOVAL, PERSON_REMOVED, list_problems, mark_finished
from monitor.record.purge_files import SNAPSHOTS, remove_paths
from monitor.record.removal_reach import list_beyond_reach
from monitor.record.remove_files import FileChange, change_files, find_naming_files
from monitor.record.remove_rows import RowsRemoved, remove_rows
from monitor.record.trace import Trace
from monitor.sources.extract import SourceContext
from monitor.store.bulk import next_id
from monitor.store.database import Database
from monitor.store.events import Event, Stamp
from monitor.store.nights import find_newest
from monitor.store.row_statements import record_stamped, say_rows
from monitor.store.tables import Removal, RemovedPerson, Run, table_of
from monitor.words import write_count
from monitor.workspace import open_workspace

TABLES = {
    "person": ("row", "rows", " of the roster"),
    "person_before": ("row", "rows", " of how the roster stood before the last night"),
    "flag": ("flag", "flags", ""),
    "flag_event": ("event", "events", " emptied; what is left of each lets the chain still verify"),
    "message": ("message", "messages", " emptied, and withdrawn where not gone yet"),
    "message_flag": ("note", "notes", " of which message told of which flag"),
    "message_coming": ("note", "notes", " of what messages said would come due"),
    "snapshots": ("kept caseload", "kept caseloads", " written anew without this person"),
    "waiver": ("waiver", "waivers", ""),
    "answer": ("answer", "answers", ""),
    "escalation": ("escalation", "escalations", ""),
    "message_escalation": ("note", "notes", " of which message told of which escalation"),
}
"""What the rows of each table are, one and many, and what becomes of them."""


@dataclass(frozen=True)
class RemovalRequest:
    """Who is to be removed; who decided it and why, which stay on record. ``dry_run``: only say what would go."""

    person_id: str
    by: str
    reason: str
    today: dt.date
    now: dt.datetime
    dry_run: bool = False

    @property
    def trace(self) -> Trace:
        return Trace(self.person_id)


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
    """One kept caseload that has the person; ``run``: (id, night, hash) of the run that made it.

    A file that no run knows has no ``replacement``: an interrupted removal left it.
    """

    path: Path
    run: tuple[int, dt.date, str | None] | None
    replacement: Path | None


@dataclass(frozen=True)
class FoundFiles:
    """What is to be done to files. ``problems``: those about which nobody can tell."""

    kept: tuple[KeptCaseload, ...]
    changes: tuple[FileChange, ...]
    problems: tuple[str, ...]

    @property
    def nights(self) -> tuple[dt.date, ...]:
        return tuple(sorted({caseload.run[1] for caseload in self.kept if caseload.run}))


def remove_person(
    database: Database,
    config: Config,
    request: RemovalRequest,
    environ: Mapping[str, str],
    say: Callable[[str], None] = lambda step: None,
) -> RemovalAccount:
    """Remove a person, or complete a removal that was interrupted; the caller holds the lock.

    ``Refused`` while a source has them; ``Problems`` if nothing here is about anybody of that id.
    """
    _check_request(request)
    _refuse_while_in_a_source(config, request, environ, say)
    with database.reading() as store:
        number = next_id(store, Removal)
        before = removed_people.find(store, request.person_id)
        say("Looking through the kept caseloads and lists")
        found = _find_files(store, config, request.trace, number)
        beyond = list_beyond_reach(store, config, request.trace)
    if not request.dry_run:
        for caseload in found.kept:
            if caseload.replacement:
                snapshot.leave_out(caseload.path, caseload.replacement, request.person_id)
    say("Removing")
    rows = _save_removal(database, request, found, number)
    if not request.dry_run:
        with database.reading() as store:
            removal_marks.keep(store, config.data_folder)
    if not (rows or found.changes or before or found.problems):
        raise Problems([
            f"{request.person_id}: nothing is held about anybody of that id; check it, leading zeros and all"
        ])  # fmt: skip
    account = RemovalAccount(rows, found.nights, found.changes, beyond, found.problems, bool(before), request.dry_run)
    if request.dry_run:
        return account
    account = _finish_files(database, config, request.today, found, account)
    say("Writing the database anew")
    try:
        database.compact()
    except MonitorError as fault:
        account = replace(account, problems=(*account.problems, str(fault)))
    if not account.problems:
        numbers = [number, *(row.removal_id for row in before)]
        mark_finished(database, table_of(Removal).c.id.in_(numbers), request.now)
    return account


def _check_request(request: RemovalRequest) -> None:
    """Raise ``Problems`` unless who and why are given, which stay on record, and neither says whom it is about."""
    given = {"--by": request.by, "--reason": request.reason}
    problems = [f"{name}: needs words, since it stays on record" for name, text in given.items() if not text.strip()]
    if request.person_id:
        naming = [name for name, text in given.items() if request.trace.is_in(text)]
        problems += [f"{name}: holds the id, and stays on record; leave the id out" for name in naming]
    if not request.person_id.strip():
        problems.append("--person: needs the id of a young person")
    if problems:
        raise Problems(problems)


def _refuse_while_in_a_source(
    config: Config, request: RemovalRequest, environ: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Raise ``Refused`` while a source has the person or would name them again, ``SourceError`` if one cannot be read.

    A care history keeps everyone who was ever in care: it only counts for those of whom it could tell the monitor.
    """
    person_id, as_at = request.person_id, request.today
    context = SourceContext(as_at, config.data_folder, environ, say, network=config.network.reach(environ))
    with open_workspace() as workspace:
        having = find_person(workspace, read_sources(workspace, config, context), person_id, as_at)
    if having:
        named = " and ".join(f'"{name}"' for name in having)
        raise Refused(
            f"{person_id}: still in source {named}, so the next night would bring them back; have the record taken "
            "out there first. Nothing has been removed"
        )


def describe(account: RemovalAccount) -> list[str]:
    """Return what was removed, or would be, in lines for the person who asked for it."""
    again = "Removed before; looked through everything once more:"
    lines = ["Would be removed:" if account.rehearsed else again if account.completed else "Removed:"]
    for table, number in account.rows.items():
        one, many, what = TABLES.get(table, ("row", "rows", f" of {table}"))
        lines.append(f"  {write_count(number, one, many)}{what}")
    if account.nights:
        lines.append(f"    of {len(account.nights)} nights, {account.nights[0]} to {account.nights[-1]}")
    for action in ("made again", "removed"):
        paths = [f"    {change.path}" for change in account.files if change.action == action]
        lines += [f"  files {action}:", *paths] if paths else []
    if not account.rows and not account.files:
        lines.append("  nothing more was found")
    lines.append("Counts of past nights stay; the record says that somebody was removed, by whom and why, not whom")
    lines.append("Not within reach of this command:")
    lines += [f"  - {line}" for line in account.outside]
    return [*lines, *list_problems(account.problems)]


# Files


def _find_files(store: Connection, config: Config, trace: Trace, number: int) -> FoundFiles:
    caseloads, problems = [], []
    run = table_of(Run)
    kept = select(run.c.snapshot, run.c.id, run.c.as_at, run.c.snapshot_sha256).where(run.c.snapshot.is_not(None))
    known = {row.snapshot: (row.id, row.as_at, row.snapshot_sha256) for row in store.execute(kept)}
    for path in sorted((config.data_folder / SNAPSHOTS).glob("*")):
        try:
            if not snapshot.holds(path, trace.person_id):
                continue
        except MonitorError as fault:
            problems.append(str(fault))
            continue
        stem = path.name.split("-without")[0].removesuffix(".parquet")
        replacement = path.with_name(f"{stem}-without-{number}.parquet") if path.name in known else None
        caseloads.append(KeptCaseload(path, known.get(path.name), replacement))
    changes, left = find_naming_files(config, trace, newest=find_newest(store), database=_own_files(store, config))
    problems += (
        f"{path}: names this person and is of a kind that the monitor does not make; remove it or them from it"
        for path in left
    )
    return FoundFiles(tuple(caseloads), tuple(changes), tuple(problems))


def _own_files(store: Connection, config: Config) -> list[Path]:
    """Find the database and what stands beside it, if it is a file, and what is kept outside it; backups are told."""
    folder = config.data_folder
    names = (heads.FILE_NAME, sent_file.FILE_NAME, removal_marks.FILE_NAME, backup_list.FILE_NAME)
    own = [*(folder / name for name in names), *(backup.path for backup in backup_list.read(folder))]
    if store.dialect.name == "sqlite" and store.engine.url.database:
        own.append(Path(store.engine.url.database))
    return [path for beside in own for path in beside.parent.glob(f"{beside.name}*")]


def _finish_files(
    database: Database, config: Config, today: dt.date, found: FoundFiles, account: RemovalAccount
) -> RemovalAccount:
    """Take the old files away, once the rows are gone; return the account of what became of each."""
    problems = (*account.problems, *remove_paths(caseload.path for caseload in found.kept))
    changes, staying, not_made = change_files(database, config, found.changes, today)
    outside = account.outside
    if not_made:
        outside += (f"Lists and the report of the last night wait for the next one: {not_made}",)
    return replace(account, files=changes, outside=outside, problems=(*problems, *staying))


# Rows


def _save_removal(database: Database, request: RemovalRequest, found: FoundFiles, number: int) -> dict[str, int]:
    """Remove the rows in one transaction, which a rehearsal takes back; return how many, by table."""
    with database.writing() as store:
        removed = remove_rows(store, request.trace)
        counts = removed.counts
        snapshots = _swap_snapshots(store, found.kept, removed)
        if request.dry_run:
            store.rollback()
        elif counts or found.kept or found.changes:
            _record(store, request, removed, snapshots, number)
    return counts | ({"snapshots": len(found.kept)} if found.kept else {})


def _swap_snapshots(store: Connection, kept: Sequence[KeptCaseload], removed: RowsRemoved) -> dict[str, Any]:
    """Let the ledger know the files written anew, and ``removed`` the rows; return what each file was and is.

    One that had been altered keeps the hash it had, so that the audit goes on naming it.
    """
    run = table_of(Run)
    swapped = {}
    for caseload in kept:
        if caseload.run is None or caseload.replacement is None:
            continue
        name, (run_id, _, was) = caseload.replacement.name, caseload.run
        is_unaltered = caseload.replacement.is_file() and snapshot.fingerprint(caseload.path) == was
        now = snapshot.fingerprint(caseload.replacement) if is_unaltered else was
        store.execute(run.update().where(run.c.id == run_id).values(snapshot=name, snapshot_sha256=now))
        removed.changed.setdefault(Run, set()).add(run_id)
        swapped[name] = {"was": was, "is": now}
    return swapped


def _record(
    store: Connection, request: RemovalRequest, removed: RowsRemoved, snapshots: Mapping[str, Any], number: int
) -> None:
    counts = {**removed.counts, "snapshots": len(snapshots)}
    row = {
        "id": number,
        "as_at": request.today,
        "recorded_at": request.now,
        "kind": PERSON_REMOVAL,
        "by": request.by,
        "reason": request.reason,
        "removed": json.dumps(counts),
        "nights": json.dumps({"snapshots": sorted({name[:10] for name in snapshots})}),
    }
    store.execute(table_of(Removal).insert().values(row))
    mark, salt = removed_people.make(request.person_id)
    marked = {"removal_id": number, "mark": mark, "salt": salt, "removed_on": request.today}
    store.execute(table_of(RemovedPerson).insert().values(marked))
    detail = {"removal": number, "removed": counts, "snapshots": snapshots}
    detail |= {EMPTIED: removed.counts.get("flag_event", 0), **say_rows({Removal: [row], RemovedPerson: [marked]})}
    stamp = Stamp(request.today, request.now)
    record_stamped(store, [Event(PERSON_REMOVED, by=request.by, why=request.reason, detail=detail)], stamp)
    removed.restate(store, stamp)
