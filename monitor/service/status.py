"""How the monitor stands at a moment, in counts and dates: read without a lock, whoever is at work."""

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, and_, func, or_, select, text

from monitor.caseload import removed_people
from monitor.config.settings import Config
from monitor.errors import MonitorError
from monitor.flags.state import find_state, is_quarantined, is_waiver_in_force
from monitor.outbox.attempts import NOTICE
from monitor.outbox.queue import PENDING, WENT
from monitor.outbox.unheard_bounces import NotReadSince, find_not_read
from monitor.record import left_overs
from monitor.record.continuity import find_break
from monitor.record.purge import PERSON_REMOVAL
from monitor.record.purge_files import SNAPSHOTS
from monitor.service import due, facts
from monitor.store import lock
from monitor.store.database import HEAD, Database, find_version, open_store
from monitor.store.location import name_place
from monitor.store.tables import Flag, Message, Person, Removal, Run, Waiver, table_of
from monitor.workdays import london_date

LISTED_NIGHTS = 5
NIGHT_LASTS = dt.timedelta(hours=1)
"""How long after its hour a night is called missing."""
ENDING_DAYS = 14
TROUBLE_DAYS = 14
"""How long a message that did not arrive is counted, if its address has heard nothing else since."""
FATES = {"permanent-failure": "given up", "technical-failure": "in doubt", "replaced": "withheld"}


@dataclass(frozen=True)
class NightAttempt:
    """One attempt at a date. ``reason``: why it was not accepted."""

    as_at: dt.date
    state: str
    verdict: str | None
    began_at: dt.datetime
    took_seconds: int | None
    reason: str | None = None


@dataclass(frozen=True)
class Pile:
    """Messages in one state, and since when the oldest of them has been due."""

    messages: int
    oldest_due_at: dt.datetime


@dataclass(frozen=True)
class DatabaseState:
    """``version``: the migration it is at, ``None`` where there is none yet; ``fault``: why it cannot be read."""

    kind: str
    place: str
    version: str | None = None
    size_bytes: int | None = None
    fault: str | None = None

    @property
    def is_current(self) -> bool:
        return self.fault is None and self.version == HEAD


@dataclass(frozen=True)
class ServiceStatus:
    """Everything ``monitor status`` knows. ``nights``: the latest attempts, the newest first.

    ``nights_ahead``: accepted nights of days to come. ``taken_back``: today's night was, today.
    ``missed``: dates since the last accepted night, of which
    ``missed_working_days`` are working days. ``source_age``: working days since the sources of that night were taken.
    ``piles``: messages that have not arrived, by how they stand. ``snapshot_missing``: the name of that night's, where
    the file is gone. ``left_overs``: files of killed runs.
    """

    at: dt.datetime
    database: DatabaseState
    next_night: dt.datetime
    free_megabytes: int
    nights: tuple[NightAttempt, ...] = ()
    last_accepted: dt.date | None = None
    nights_ahead: int = 0
    taken_back: bool = False
    missed: int = 0
    missed_working_days: int = 0
    verdict: str | None = None
    believed_on_request: bool = False
    failed_rules: tuple[str, ...] = ()
    extracted_on: dt.date | None = None
    source_age: int | None = None
    flags: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    waivers_ending: int = 0
    piles: Mapping[str, Pile] = field(default_factory=dict)
    snapshot_missing: str | None = None
    back_after_removal: int = 0
    alive_again: int = 0
    unfinished_removals: int = 0
    left_overs: int = 0
    bounces_not_read: NotReadSince | None = None


def gather(config: Config, where: URL, now: dt.datetime, *, wait_seconds: float) -> ServiceStatus:
    """Read how things stand; a database not there, of another version or out of reach is said, not raised."""
    today = london_date(now)
    state = _look_at(config, where, wait_seconds)
    known: dict[str, Any] = {"free_megabytes": _count_free(config, where)}
    basis = facts.read_folder(config, today)
    if state.is_current:
        try:
            database = open_store(where, wait_seconds=wait_seconds)
            try:
                basis = facts.read(config, database, today)
                known |= _read(config, database, now, basis.last_accepted) | {"taken_back": basis.taken_back}
                if state.size_bytes is None:
                    state = replace(state, size_bytes=_ask_size(database))
            finally:
                database.close()
        except MonitorError as fault:
            state = replace(state, fault=str(fault))
    return ServiceStatus(at=now, database=state, next_night=due.next_night(config, basis, now), **known)


def _look_at(config: Config, where: URL, wait_seconds: float) -> DatabaseState:
    kind = "SQLite" if where.get_backend_name() == "sqlite" else "PostgreSQL"
    place = name_place(where).removeprefix("database ")
    try:
        if found := find_break(config, where, wait_seconds=wait_seconds, pages="none"):
            return DatabaseState(kind, place, fault=str(found))
        version = find_version(where, wait_seconds=wait_seconds)
    except MonitorError as fault:
        return DatabaseState(kind, place, fault=str(fault))
    size = None
    if kind == "SQLite" and where.database:
        beside = (Path(where.database + ending) for ending in ("", "-wal"))
        size = sum(path.stat().st_size for path in beside if path.is_file())
    return DatabaseState(kind, place, version, size if version else None)


SIZE_OF_TABLES = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'm')
"""
"""Of this schema alone: other councils, or other programs, may have theirs in the same database."""


def _ask_size(database: Database) -> int:
    with database.reading() as store:
        return int(store.execute(text(SIZE_OF_TABLES)).scalar_one())


def _count_free(config: Config, where: URL) -> int:
    """Megabytes free where the monitor writes; the least, where that is on several disks."""
    folders = [config.data_folder]
    if where.get_backend_name() == "sqlite" and where.database:
        folders.append(Path(where.database).parent)
    paths = (folder.absolute() for folder in folders)
    existing = (next(place for place in (path, *path.parents) if place.is_dir()) for path in paths)
    return min(shutil.disk_usage(place).free for place in existing) // 1_000_000


def _read(config: Config, database: Database, now: dt.datetime, accepted: dt.date | None) -> dict[str, Any]:
    today = london_date(now)
    run = table_of(Run)
    with database.reading() as store:
        attempts = store.execute(
            select(run).where(run.c.state != "unchanged").order_by(run.c.id.desc()).limit(LISTED_NIGHTS)
        ).all()
        ahead = select(func.count()).where(run.c.state == "accepted", run.c.as_at > today)
        night = store.execute(select(run).where(run.c.state == "accepted", run.c.as_at == accepted)).first()
        known: dict[str, Any] = {
            "nights": tuple(_describe(attempt) for attempt in attempts),
            "last_accepted": accepted,
            "nights_ahead": store.execute(ahead).scalar_one(),
            "flags": _count_flags(store, today),
            "quarantined": _count_quarantined(store),
            "piles": _pile_up(store, now),
            "bounces_not_read": find_not_read(store) if config.delivery.bounces else None,
            "back_after_removal": len(removed_people.list_back(store, today)),
            "left_overs": 0 if lock.is_holder_alive(store) else len(left_overs.find_all(store, config, only_look=True)),
            **_count_what_waits(store, today),
        }
    if night is not None:
        known |= _describe_last(config, night, today)
        newest = due.find_newest_night(config, now - NIGHT_LASTS)
        known["missed"] = max((newest - night.as_at).days, 0)
        known["missed_working_days"] = config.working_days.between(night.as_at, newest)
    return known


def _describe(run: Any) -> NightAttempt:
    took = round((run.finished_at - run.started_at).total_seconds()) if run.finished_at else None
    reason = run.reason if run.state in ("refused", "failed") else None
    return NightAttempt(run.as_at, run.state, run.verdict, run.started_at, took, reason)


def _describe_last(config: Config, night: Any, today: dt.date) -> dict[str, Any]:
    kept = night.snapshot is None or (config.data_folder / SNAPSHOTS / night.snapshot).is_file()
    return {
        "verdict": night.verdict,
        "believed_on_request": night.reason is not None,
        "failed_rules": tuple(json.loads(night.failed_rules or "[]")),
        "extracted_on": night.extracted_on,
        "source_age": config.working_days.between(night.extracted_on, today) if night.extracted_on else None,
        "snapshot_missing": None if kept else night.snapshot,
    }


def _count_flags(store: Connection, today: dt.date) -> dict[str, int]:
    """Unresolved flags, and those of them that are not pressed, by state."""
    flag = table_of(Flag)
    state = find_state(today).label("state")
    rows = store.execute(select(state, func.count()).where(flag.c.resolved_on.is_(None)).group_by("state"))
    counts = {name: number for name, number in rows}  # noqa: C416
    aside = {name: counts.get(name, 0) for name in ("held", "quarantined", "waived")}
    return {"unresolved": sum(counts.values()), **aside}


def _count_quarantined(store: Connection) -> dict[str, int]:
    flag = table_of(Flag)
    counted = select(flag.c.rule, func.count()).where(is_quarantined()).group_by(flag.c.rule).order_by(flag.c.rule)
    return {row[0]: row[1] for row in store.execute(counted)}


def _pile_up(store: Connection, now: dt.datetime) -> dict[str, Pile]:
    """Messages that have not arrived, by how they stand: those not due yet apart from those that are.

    One that did not arrive is counted until its address has had another, and for ``TROUBLE_DAYS`` at most.
    """
    message, later = table_of(Message), table_of(Message).alias()
    heard = (
        select(later.c.id)
        .where(
            later.c.recipient == message.c.recipient,
            later.c.id > message.c.id,
            later.c.kind != NOTICE,
            later.c.accepted_at.is_not(None),
            later.c.state.in_(WENT),
        )
        .exists()
    )
    recent = message.c.created_at >= now - dt.timedelta(TROUBLE_DAYS)
    pending, taken = message.c.state.in_(PENDING), message.c.accepted_at.is_not(None)
    kinds: dict[str, ColumnElement[bool]] = {
        "not due yet": and_(pending, message.c.due_at > now),
        "waiting": and_(pending, message.c.due_at <= now, message.c.next_attempt_at.is_(None)),
        "to be tried again": and_(pending, message.c.due_at <= now, message.c.next_attempt_at.is_not(None)),
        "being sent": and_(message.c.state == "sending", ~taken),
        "receipt awaited": and_(message.c.state == "sending", taken),
        **{
            fate: and_(message.c.state == state, message.c.trouble.is_not(None), recent, ~heard)
            for state, fate in FATES.items()
        },
    }
    undelivered = or_(message.c.state.in_((*PENDING, "sending")), message.c.trouble.is_not(None))
    oldest = func.min(func.coalesce(message.c.due_at, message.c.created_at))
    columns = [column for which in kinds.values() for column in (func.count().filter(which), oldest.filter(which))]
    row = store.execute(select(*columns).where(undelivered)).one()
    piles = zip(kinds, row[::2], row[1::2], strict=True)
    return {name: Pile(number, since) for name, number, since in piles if number}


def _count_what_waits(store: Connection, today: dt.date) -> dict[str, int]:
    waiver, person, removal = table_of(Waiver), table_of(Person), table_of(Removal)
    soon = waiver.c.until_on <= today + dt.timedelta(ENDING_DAYS)
    unfinished = and_(removal.c.kind == PERSON_REMOVAL, removal.c.finished_at.is_(None))
    waiting = {
        "waivers_ending": and_(is_waiver_in_force(today), soon),
        "alive_again": person.c.alive_again_on.is_not(None),
        "unfinished_removals": unfinished,
    }
    return {name: store.execute(select(func.count()).where(which)).scalar_one() for name, which in waiting.items()}
