"""Removes what is past its time, every night: the store keeps dates and counts, and a record of what went.

    snapshots                 the file of a night's caseload; the newest stays
    resolved flags            what a flag, its events, waivers and answers say; dates, decisions and the chain stay
    messages                  their words and whom they name; that, when and to whom they went stays
    exception lists, outbox   the folders of nights
    logs                      files that nothing has been written to since

The rows are emptied and the removal is recorded in one transaction; the files go after it. A process that is killed in
between leaves files that the next purge finds. Every connection to SQLite overwrites what it deletes; a file that an
earlier version wrote to is written anew once.
"""

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select
from sqlmodel import SQLModel

from monitor.config.retention_settings import oldest_kept
from monitor.config.settings import Config
from monitor.errors import MonitorError, Refused
from monitor.outbox.queue import PENDING
from monitor.record import backup_list, left_overs, purge_files, removal_marks
from monitor.record.purge_files import FOREVER, OldestKept, SpentFiles
from monitor.store import events
from monitor.store.bulk import is_among, next_id
from monitor.store.database import Database
from monitor.store.events import Event, Stamp
from monitor.store.nights import find_jump, find_newest, is_jump
from monitor.store.row_statements import SAID_AGAIN, record_stamped, record_stored, say_row, say_rows
from monitor.store.tables import (
    Answer,
    Escalation,
    Flag,
    FlagEvent,
    Message,
    MessageComing,
    MessageFlag,
    Removal,
    Run,
    Waiver,
    table_of,
)
from monitor.words import write_count, write_date
from monitor.workdays import london_date

KIND = "past its time"
PERSON_REMOVAL = "person"
"""The kinds of removal on record."""
PAST_ITS_TIME, PERSON_REMOVED = "removed, past its time", "person removed"
"""The events that record them."""
UNFINISHED = (table_of(Removal).c.kind == KIND, table_of(Removal).c.finished_at.is_(None))
EMPTIED = "events_emptied"
"""Under this name the event of a removal says how many rows of the chain it emptied; the audit adds them up."""

THINGS = {
    "snapshots": "kept caseloads",
    "resolved_flags": "resolved flags emptied of what they said",
    "events": "events emptied of what they said",
    "messages": "messages emptied of their words",
    "exports": "nights of exception lists",
    "outbox": "nights of message files",
    "logs": "log files",
    "backups": "backups of the database",
    "left_overs": "files that a run that was killed left behind",
}
IN_THE_DATABASE = {"resolved_flags", "events", "messages"}
NOT_SENT = (*PENDING, "sending")
"""The states of messages that may still be sent, which keep their words."""
ON_SERVER = (
    "PostgreSQL's files hold what was removed until the server uses that room again; its write-ahead log, archives and "
    "replicas hold it until they are recycled"
)
NO_WORDS = {"text": "", "html": "", "people": "[]", "attached": None}
"""A message emptied of its words and of whom it names."""


@dataclass(frozen=True)
class KeptBackup:
    """A backup that stays; ``until``: the last day of its time, None if it is kept forever."""

    path: str
    made_on: dt.date
    until: dt.date | None


@dataclass(frozen=True)
class Purged:
    """What one purge removed: counts by thing and the nights they were of; ``problems``: files that would not go."""

    removed: Mapping[str, int]
    nights: Mapping[str, tuple[dt.date, ...]]
    problems: tuple[str, ...] = ()
    backups: tuple["KeptBackup", ...] = ()
    waits: str | None = None
    """Why nothing is removed yet, though it may be past its time."""
    rewritten: bool = False
    """Whether the database is written anew, because an earlier version did not overwrite what it deleted."""
    on_server: bool = False
    """Whether a server's files, which are not the monitor's, may still hold what was removed."""

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def purge_store(
    database: Database, config: Config, today: dt.date, now: dt.datetime, *, dry_run: bool = False
) -> Purged:
    """Remove what ``config.retention`` no longer keeps on ``today``; the caller holds the lock.

    With ``dry_run`` it only counts. After a night that followed a jump nothing goes until the next: the clock may be
    ahead, and what is removed is gone.
    """
    rewritten = database.may_keep_deleted()
    with database.reading() if dry_run else database.writing() as store:
        if waits := _find_jump(store):
            return Purged({}, {}, waits=waits)
        oldest = _find_oldest(store, config, today)
        files = _find_files(store, config, oldest)
        purged = replace(_account(store, oldest, files), backups=list_backups(config, files["backups"]))
        on_server = store.dialect.name != "sqlite" and bool(IN_THE_DATABASE.intersection(purged.removed))
        purged = replace(purged, rewritten=rewritten, on_server=on_server)
        if dry_run:
            return purged
        emptied = _find_emptied(store, oldest)
        _empty_rows(store, oldest)
        if purged.removed:
            _record(store, purged, today, now)
            _restate(store, emptied, Stamp(today, now))
        removal_marks.keep(store, config.data_folder)
        unfinished = store.execute(select(func.count()).where(*UNFINISHED)).scalar_one()
    problems = purge_files.remove_paths(path for spent in files.values() for _, path in spent)
    kept = _overwrite(database, rewritten=rewritten) if rewritten or unfinished else ()
    if unfinished and not (problems or kept):
        mark_finished(database, table_of(Removal).c.kind == KIND, now)
    return replace(purged, problems=(*problems, *kept), rewritten=rewritten and not kept)


def _overwrite(database: Database, *, rewritten: bool) -> tuple[str, ...]:
    """Take what was deleted out of the database's files; return why that is not done."""
    try:
        if rewritten:
            database.compact()
        else:
            database.let_go()
    except MonitorError as fault:
        return (str(fault),)
    return ()


def list_backups(config: Config, spent: Collection[tuple[dt.date | None, Path]] = ()) -> tuple[KeptBackup, ...]:
    """List the backups that this monitor made and that are still there, without those that go."""
    going = {path for _, path in spent}
    return tuple(
        KeptBackup(str(backup.path), backup.made_at.date(), config.retention.keeps_backup_until(backup.made_at.date()))
        for backup in backup_list.find_standing(config.data_folder)
        if backup.path not in going
    )


def insist_on_recent_night(database: Database, config: Config, today: dt.date) -> None:
    """Refuse to remove anything by a clock that may be ahead: that no night was accepted for a week says so.

    What killed runs left behind goes all the same: no date has anything to do with it.
    """
    with database.reading() as store:
        newest = find_newest(store)
    if newest is not None and is_jump(newest, today):
        raise Refused(
            f"the last accepted night is of {write_date(newest)}, {(today - newest).days} days before today: the clock "
            "may be ahead, and what is removed is gone; run a night first: monitor run (removed all the same: "
            f"{write_count(left_overs.sweep(database, config), 'file')} that killed runs left behind)"
        )


def _find_jump(store: Connection) -> str | None:
    """Return why nothing goes, where the last accepted night was the first after a jump."""
    newest = find_jump(store)
    if newest is None:
        return None
    return (
        f"the night of {write_date(newest)} came over a week after the one before it: in case the clock is ahead, "
        "nothing is removed until the next night is accepted"
    )


def mark_finished(database: Database, theirs: ColumnElement[bool], now: dt.datetime) -> None:
    """Save that these removals, as far as they are unfinished, are done."""
    removal = table_of(Removal)
    with database.writing() as store:
        left = select(removal.c.id).where(theirs, removal.c.finished_at.is_(None)).order_by(removal.c.id)
        if numbers := store.execute(left).scalars().all():
            store.execute(removal.update().where(removal.c.id.in_(numbers)).values(finished_at=now))
            finished = say_rows({Removal: [{"id": number, "finished_at": now} for number in numbers]})
            record_stamped(store, [Event("removal finished", detail=finished)], Stamp(london_date(now), now))


def describe(account: Purged, *, dry_run: bool) -> list[str]:
    """Return what a purge did, in lines for the person who asked for it."""
    if account.waits:
        return [account.waits]
    backups = [f"  {backup.path}, made on {backup.made_on}, kept {_write_until(backup)}" for backup in account.backups]
    backups = ["Backups, each of which holds everyone who was on record then:", *backups] if backups else []
    if account.rewritten:
        rewritten = "would be written anew" if dry_run else "is written anew"
        backups = [f"The database {rewritten}: an earlier version did not overwrite what it deleted", *backups]
    if account.on_server:
        backups = [ON_SERVER, *backups]
    if not (account.removed or account.problems):
        return ["nothing is past its time", *backups]
    lines = ["Would be removed, past its time:" if dry_run else "Removed, past its time:"]
    for thing, number in account.removed.items():
        days = account.nights.get(thing)
        lines.append(f"  {number} {THINGS[thing]}" + (f", {days[0]} to {days[-1]}" if days else ""))
    return [*lines, *backups, *list_problems(account.problems)]


def _write_until(backup: KeptBackup) -> str:
    return f"until {backup.until}" if backup.until else "for ever"


def list_problems(problems: Sequence[str]) -> list[str]:
    if not problems:
        return []
    return ["NOT FINISHED. Put this right and give the same command again:", *(f"  {problem}" for problem in problems)]


def _account(store: Connection, oldest: OldestKept, files: SpentFiles) -> Purged:
    """Count what is past its time, and find the nights it is of."""
    spent = {
        "events": (table_of(FlagEvent), _spent_events(oldest)),
        "resolved_flags": (table_of(Flag), _spent_flags(oldest)),
        "messages": (table_of(Message), _spent_messages(oldest)),
    }
    removed = {
        thing: store.execute(select(func.count()).select_from(table).where(theirs)).scalar_one()
        for thing, (table, theirs) in spent.items()
    }
    removed |= {thing: len(found) for thing, found in files.items()}
    written_on = store.execute(select(table_of(Message).c.as_at).where(_spent_messages(oldest)).distinct()).scalars()
    days = {"messages": {*written_on}, **{thing: {day for day, _ in found if day} for thing, found in files.items()}}
    return Purged(
        {thing: count for thing, count in removed.items() if count},
        {thing: tuple(sorted(nights)) for thing, nights in days.items() if nights},
    )


def _record(store: Connection, purged: Purged, today: dt.date, now: dt.datetime) -> None:
    nights = {thing: [day.isoformat() for day in days] for thing, days in purged.nights.items()}
    row = {"id": next_id(store, Removal), "as_at": today, "recorded_at": now, "kind": KIND}
    row |= {"removed": json.dumps(purged.removed), "nights": json.dumps(nights)}
    store.execute(table_of(Removal).insert().values(row))
    detail = {"removed": dict(purged.removed), EMPTIED: purged.removed.get("events", 0), **say_row(Removal, **row)}
    events.record(store, [Event(PAST_ITS_TIME, detail=detail)], as_at=today, recorded_at=now)


def _find_emptied(store: Connection, oldest: OldestKept) -> dict[type[SQLModel], list[int]]:
    """Find the rows that are about to be emptied of part of what they say, by the table they hang on."""
    spent: dict[type[SQLModel], ColumnElement[bool]]
    reported = select(table_of(MessageFlag).c.message_id).where(_spent_tellings(oldest))
    messages = or_(_spent_messages(oldest), table_of(Message).c.id.in_(reported))
    spent = {Flag: _spent_flags(oldest), Message: messages, Run: _spent_runs(oldest)}
    return {
        model: list(store.execute(select(table_of(model).c.id).where(theirs)).scalars())
        for model, theirs in spent.items()
    }


def _restate(store: Connection, emptied: Mapping[type[SQLModel], list[int]], stamp: Stamp) -> None:
    """Record what is left of the rows that were emptied, since the events that told of them were emptied too."""
    hanging: dict[type[SQLModel], tuple[type[SQLModel], str]] = {model: (model, "id") for model in emptied}
    hanging |= dict.fromkeys((Waiver, Answer, Escalation), (Flag, "flag_id"))
    for model, (on, column) in hanging.items():
        if emptied[on]:
            theirs = is_among(store, table_of(model).c[column], emptied[on])
            record_stored(store, SAID_AGAIN, model, theirs, stamp)


def _find_oldest(store: Connection, config: Config, today: dt.date) -> OldestKept:
    """Find the first day of which each thing is kept; the caseload and the lists of the last accepted night stay."""
    oldest = {thing: oldest_kept(keep, today) or FOREVER for thing, keep in config.retention}
    newest = find_newest(store) or FOREVER
    return oldest | {thing: min(oldest[thing], newest) for thing in ("snapshots", "exports")}


def _find_files(store: Connection, config: Config, oldest: OldestKept) -> SpentFiles:
    run = table_of(Run)
    staying = select(run.c.snapshot).where(run.c.snapshot.is_not(None), not_(_spent_runs(oldest)))
    named = frozenset(store.execute(staying).scalars())
    spent = purge_files.find_spent_files(config.data_folder, oldest, named=named, log_file=config.service.log_file)
    going = {path for files in spent.values() for _, path in files}
    left: list[tuple[dt.date | None, Path]] = [
        (None, path) for path in left_overs.find_all(store, config) if path not in going
    ]
    return {**spent, "left_overs": left}


# Rows


def _spent_runs(oldest: OldestKept) -> ColumnElement[bool]:
    run = table_of(Run)
    return and_(run.c.snapshot.is_not(None), run.c.as_at < oldest["snapshots"])


def _spent_flags(oldest: OldestKept) -> ColumnElement[bool]:
    flag = table_of(Flag)
    return and_(flag.c.resolved_on < oldest["resolved_flags"], flag.c.because != "")


def _spent_messages(oldest: OldestKept) -> ColumnElement[bool]:
    message = table_of(Message)
    return and_(message.c.as_at < oldest["messages"], message.c.text != "", message.c.state.not_in(NOT_SENT))


def _spent_tellings(oldest: OldestKept) -> ColumnElement[bool]:
    """Which rows go of what messages told: that an address was told matters as long as a flag may be told of again."""
    reported, flag, message = table_of(MessageFlag), table_of(Flag), table_of(Message)
    past = select(flag.c.id).where(flag.c.resolved_on < oldest["resolved_flags"])
    old = select(message.c.id).where(message.c.as_at < oldest["messages"])
    return and_(reported.c.flag_id.in_(past), reported.c.message_id.in_(old))


def _spent_events(oldest: OldestKept) -> ColumnElement[bool]:
    event, flag = table_of(FlagEvent), table_of(Flag)
    spent = select(flag.c.id).where(_spent_flags(oldest))
    return and_(event.c.payload.is_not(None), event.c.flag_id.in_(spent))


def _empty_rows(store: Connection, oldest: OldestKept) -> None:
    """Empty what is past its time; what hangs on a flag or a message goes before it."""
    event, flag, message, run = table_of(FlagEvent), table_of(Flag), table_of(Message), table_of(Run)
    answer, waiver = table_of(Answer), table_of(Waiver)
    coming, reported = table_of(MessageComing), table_of(MessageFlag)
    store.execute(run.update().where(_spent_runs(oldest)).values(snapshot=None, snapshot_sha256=None))
    flags = select(flag.c.id).where(_spent_flags(oldest))
    store.execute(answer.update().where(answer.c.flag_id.in_(flags)).values(note=""))
    store.execute(waiver.update().where(waiver.c.flag_id.in_(flags)).values(note="", ended_note=None))
    store.execute(event.update().where(_spent_events(oldest)).values(payload=None, salt=None))
    store.execute(flag.update().where(_spent_flags(oldest)).values(because="", held_why=None))
    messages = select(message.c.id).where(_spent_messages(oldest))
    store.execute(coming.delete().where(coming.c.message_id.in_(messages)))
    store.execute(reported.delete().where(_spent_tellings(oldest)))
    store.execute(message.update().where(_spent_messages(oldest)).values(NO_WORDS))
