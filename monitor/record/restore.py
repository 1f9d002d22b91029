"""Puts a backup in the place of the database: says what is lost, and tells nobody unmarked what they have had.

In this order, so that a process killed anywhere leaves either database whole:

    1. the backup is copied beside the database, out of everybody's sight, and proved
    2. whoever was removed since is removed from the copy; each message sent since is marked as one that its reader may
       have had; an event says what is lost, who decided it and why
    3. the database that stands there, whole or not, is set aside under a dated name
    4. the copy takes its place; on PostgreSQL, its rows take the place of those that are there in one transaction
"""

import datetime as dt
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, make_url, select

from monitor.caseload import snapshot
from monitor.config.settings import Config
from monitor.errors import MonitorError, Problems, StoreError
from monitor.files import flush_to_disk, make_private_folder, written_whole
from monitor.outbox import sent_file
from monitor.outbox.sent_file import SentLine
from monitor.record import backup, backup_list, continuity
from monitor.record.backup_list import ASIDE, ENDINGS, NO_HEAD, Backup
from monitor.record.continuity import Acceptance, Evidence, Gap
from monitor.record.purge_files import SNAPSHOTS
from monitor.store import database_health, events
from monitor.store.bulk import is_among
from monitor.store.database import locked_file, looking_at, open_store, working_store
from monitor.store.events import Stamp
from monitor.store.location import name_place
from monitor.store.row_statements import SAID_AGAIN, record_stored
from monitor.store.tables import Attempt, Message, Run, table_of
from monitor.words import write_date


@dataclass(frozen=True)
class RestoreRequest:
    """Which backup takes the database's place; who decided it and why, which stay on record.

    ``dry_run``: only say what would be lost.
    """

    file: Path
    by: str
    reason: str
    today: dt.date
    now: dt.datetime
    dry_run: bool = False


@dataclass(frozen=True)
class RestoreAccount:
    """What was put back. ``lost``: what the backup does not have; ``aside``: where the replaced database is kept."""

    file: str
    last_accepted: dt.date | None
    nights_lost: tuple[dt.date, ...]
    decisions_lost: int | None
    sent_since: int
    aside: str | None
    rehearsed: bool
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def restore(config: Config, where: URL, request: RestoreRequest) -> RestoreAccount:
    """Put a backup back; nothing is changed where it is none, or another process is at work."""
    given = {"--by": request.by, "--reason": request.reason}
    problems = [f"{name}: needs words, since it stays on record" for name, words in given.items() if not words.strip()]
    if not request.file.is_file():
        problems.append(f"{request.file}: no such file; name a backup made with: monitor backup FILE")
    if problems:
        raise Problems(problems)
    where = make_url(where)
    if where.get_backend_name() == "sqlite":
        with locked_file(where):
            return _restore_file(config, where, request)
    return _restore_server(config, where, request)


def _restore_file(config: Config, where: URL, request: RestoreRequest) -> RestoreAccount:
    database = Path(str(where.database))
    health = database_health.examine(where)
    with _prepared(config, database, request) as (copy, account):
        gap = _find_lost(config, copy, where if health.state == "ours" else None)
        if request.dry_run:
            return _tell(account, gap, None, rehearsed=True)
        _change(config, copy, gap, request)
        flush_to_disk(copy)
        aside = _set_aside(config, database, request.now)
        copy.rename(database)
        flush_to_disk(database.parent)
    with closing(open_store(where)) as store:
        continuity.note_head(store, config.data_folder, request.now)
    return _tell(account, gap, aside)


def _restore_server(config: Config, where: URL, request: RestoreRequest) -> RestoreAccount:
    health = database_health.examine(where)
    if health.state == "foreign":
        raise StoreError(f"{name_place(where)}: {health.why}; correct database in the config")
    if health.state == "damaged":
        remedy = "make an empty database in its place, and give the same command again"
        raise StoreError(f"{name_place(where)}: {health.why}; {remedy}")
    whole = health.state == "ours"
    place = config.data_folder / "restore.db"
    if request.dry_run:
        with _prepared(config, place, request) as (copy, account):
            return _tell(account, _find_lost(config, copy, where if whole else None), None, rehearsed=True)
    with working_store(where) as database, _prepared(config, place, request) as (copy, account):
        gap = _find_lost(config, copy, where if whole else None)
        _change(config, copy, gap, request)
        aside = _dump_aside(config, where, request.now) if whole else None
        with looking_at(backup.sqlite_url(copy)) as source, database.writing() as target:
            backup.copy_rows(source, target)
        continuity.note_head(database, config.data_folder, request.now)
    return _tell(account, gap, aside)


@contextmanager
def _prepared(config: Config, place: Path, request: RestoreRequest) -> Iterator[tuple[Path, backup.BackupAccount]]:
    """Give a proved copy of the backup under an unfinished name beside ``place``; it is gone at the end."""
    with _unfinished(place) as copy:
        shutil.copyfile(request.file, copy)
        account = backup.prove(copy, request.file, None)
        if account.problems:
            raise StoreError(f"{request.file}: {account.problems[0]}; put an unharmed backup back")
        yield copy, account


@contextmanager
def _unfinished(place: Path) -> Iterator[Path]:
    """Give an empty private file beside ``place``, under a name that a sweep knows; what is left of it goes."""
    make_private_folder(place.parent)
    with suppress(_KeepPlace), written_whole(place) as copy:
        try:
            yield copy
        finally:
            backup.tidy(copy)
        raise _KeepPlace


class _KeepPlace(Exception):
    """Ends a block that writes a file whole without its taking anything's place."""


def _tell(account: backup.BackupAccount, gap: Gap, aside: Path | None, *, rehearsed: bool = False) -> RestoreAccount:
    lost = gap.nights, gap.decisions, len(gap.sent)
    return RestoreAccount(account.path, account.last_accepted, *lost, str(aside) if aside else None, rehearsed)


# What is lost


def _find_lost(config: Config, copy: Path, current: URL | None) -> Gap:
    """Find what the copy does not have: by the current database, where it can be read, and by the data folder."""
    found = Evidence(config.data_folder)
    with looking_at(backup.sqlite_url(copy)) as store:
        gap = found.find_gap(store)
        if current is None:
            return gap
        try:
            with looking_at(current) as newer:
                return _add_current(gap, newer, store)
        except MonitorError:
            return gap


def _add_current(gap: Gap, newer: Connection, older: Connection) -> Gap:
    run = table_of(Run)
    accepted = select(run.c.as_at).where(run.c.state == "accepted")
    had = set(older.execute(accepted).scalars())
    nights = tuple(day for day in newer.execute(accepted).scalars() if day not in had)
    decisions = max(events.newest(newer)[0] - events.newest(older)[0], gap.decisions or 0)
    sent = _list_sent(newer)
    known = continuity.find_known(older, sent)
    lines = {line.key_hash: line for line in (*sent, *gap.sent) if line.attempt not in known}
    return replace(gap, more_nights=nights, decisions=decisions, sent=tuple(lines.values()))


def _list_sent(store: Connection) -> tuple[SentLine, ...]:
    """List what this database knows to have been taken, by the attempts that were."""
    attempt, message = table_of(Attempt), table_of(Message)
    taken = message.c.accepted_at.is_not(None)
    columns = (message.c.key, message.c.recipient, message.c.accepted_at, message.c.as_at, message.c.kind, attempt.c.id)
    joined = select(*columns).join(message, message.c.id == attempt.c.message_id).where(taken).order_by(attempt.c.id)
    rows = {row.key: row for row in store.execute(joined)}.values()
    taken_at = [(row, (row.accepted_at, row.as_at, row.kind, row.id)) for row in rows]
    return tuple(sent_file.describe(row.key, row.recipient, sent) for row, sent in taken_at)


# Changing the copy


def _change(config: Config, copy: Path, gap: Gap, request: RestoreRequest) -> None:
    """Remove whoever was removed since, mark what was sent since, and record it, in one transaction of the copy."""
    addresses = continuity.list_addresses(config)
    acceptance = Acceptance(request.by, request.reason, request.today, request.now, addresses)
    with closing(open_store(backup.sqlite_url(copy))) as database:
        with database.writing() as store:
            continuity.save_gap(store, config.data_folder, "database restored", gap, acceptance)
            stamp = Stamp(request.today, request.now)
            _follow_rewritten(store, config.data_folder / SNAPSHOTS, stamp)
        database.compact()
    backup.tidy(copy)


def _follow_rewritten(store: Connection, folder: Path, stamp: Stamp) -> None:
    """Let each run know its kept caseload by the name under which a removal since wrote it anew."""
    run, changed = table_of(Run), []
    kept = select(run.c.id, run.c.snapshot).where(run.c.snapshot.is_not(None))
    for number, name in store.execute(kept).all():
        if (folder / name).is_file():
            continue
        stem = name.split("-without")[0].removesuffix(".parquet")
        newer = sorted(folder.glob(f"{stem}-without-*.parquet"), key=lambda path: path.stat().st_mtime)
        if newer:
            values = {"snapshot": newer[-1].name, "snapshot_sha256": snapshot.fingerprint(newer[-1])}
            store.execute(run.update().where(run.c.id == number).values(values))
            changed.append(number)
    record_stored(store, SAID_AGAIN, Run, is_among(store, run.c.id, changed), stamp)


# Setting the other aside


def _name_aside(folder: Path, now: dt.datetime) -> Path:
    return folder / f"{ASIDE}{now:%Y-%m-%d-%H%M%S}.db"


def _set_aside(config: Config, database: Path, now: dt.datetime) -> Path | None:
    """Rename what stands there, its log with it; list it with the backups, so that it runs out like them."""
    if not database.exists():
        return None
    aside = _name_aside(config.data_folder, now)
    _list_aside(config, backup.sqlite_url(database), aside, now)
    for ending in ENDINGS:
        beside = Path(f"{database}{ending}")
        if beside.exists():
            beside.rename(f"{aside}{ending}")
    aside.chmod(0o600)
    return aside


def _dump_aside(config: Config, where: URL, now: dt.datetime) -> Path:
    aside = _name_aside(config.data_folder, now)
    with written_whole(aside) as unfinished:
        backup.copy_database(where, unfinished)
        _list_aside(config, backup.sqlite_url(unfinished), aside, now)
        backup.tidy(unfinished)
    return aside


def _list_aside(config: Config, where: URL, aside: Path, now: dt.datetime) -> None:
    number, head = 0, NO_HEAD
    with suppress(MonitorError), looking_at(where) as store:
        number, head = events.newest(store)
    backup_list.append(config.data_folder, Backup(now, number, head, aside))


def describe(account: RestoreAccount) -> list[str]:
    """Return what was put back and what is lost, in lines for the person who asked for it."""
    night = "with no accepted night"
    if account.last_accepted:
        night = f"up to the night of {write_date(account.last_accepted)}"
    lost = continuity.describe_lost(account.nights_lost, account.decisions_lost, account.sent_since)
    lines = [f"{'Would be put back' if account.rehearsed else 'Put back'}: {account.file}, {night}"]
    lines.append(f"  not in it: {lost}")
    if account.sent_since:
        lines.append("  nothing sent since is sent again unmarked: the next digests say what their reader may have had")
    if account.aside:
        lines.append(f"  the database that stood there is kept as {account.aside}, and runs out like a backup")
    if not account.rehearsed:
        lines.append("  run the nights that are missing: monitor run; decisions made since must be given again")
    return lines
