"""Holds the database against what stands beside it in the data folder: nothing starts where it forgets something.

A database that is missing, empty, another program's, damaged, or older than the kept caseloads (``snapshots``), the
heads of its chain (``heads.txt``) and the messages sent (``sent.txt``) would tell everyone everything again, and take
flags that have stood for months for new. What it lacks is named. A person puts a backup back (``monitor restore``), or
goes on without it (``monitor run --accept``), which is recorded, and which tells each reader what they may have had.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.engine import URL, make_url

from monitor.caseload import snapshot
from monitor.config.settings import Config
from monitor.errors import StoreError
from monitor.outbox import attempts, sent_file
from monitor.outbox.queue import PENDING
from monitor.outbox.sent_file import SentLine
from monitor.record import heads
from monitor.record.heads import HeadLine
from monitor.record.purge_files import LOST, SNAPSHOT_NAME, SNAPSHOTS
from monitor.record.repeat_removals import Repetition, repeat
from monitor.store import database_health, events
from monitor.store.bulk import insert_rows, is_among, next_id
from monitor.store.database import WAIT_SECONDS, Database, looking_at, working_store
from monitor.store.database_health import Pages
from monitor.store.events import Event, Stamp
from monitor.store.location import name_place
from monitor.store.row_statements import record_stamped, say_rows
from monitor.store.tables import Attempt, FlagEvent, Message, Run, table_of
from monitor.words import write_count, write_date

MOST_NAMED = 5
RESTORE = "monitor restore FILE --by NAME --reason TEXT"
GO_ON = "monitor run --accept REASON --by NAME"


@dataclass(frozen=True)
class Gap:
    """What stands beside the database and is not in it.

    ``runs``: the kept caseload of each run, by name; ``heads``: of the chain; ``decisions``: how many events, None if
    no head says so; ``sent``: messages; ``more_nights``: of runs of which no caseload is kept.
    """

    runs: dict[int, str]
    heads: tuple[HeadLine, ...]
    decisions: int | None
    sent: tuple[SentLine, ...]
    more_nights: tuple[dt.date, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.runs or self.heads or self.sent)

    @property
    def nights(self) -> tuple[dt.date, ...]:
        """The nights that any of them tells of; a head may be of a day on which somebody decided something."""
        kept = [_night_of(name) for name in self.runs.values()]
        nights = {*kept, *self.more_nights, *(line.as_at for line in self.sent)}
        return tuple(sorted(nights or {line.as_at for line in self.heads}))

    def describe(self) -> str:
        """Write what is missing: which nights, how many decisions, how many messages."""
        return describe_lost(self.nights, self.decisions, len(self.sent))


def describe_lost(nights: Iterable[dt.date], decisions: int | None, sent: int) -> str:
    days = [write_date(day) for day in nights]
    named = ", ".join(days[-MOST_NAMED:])
    if len(days) > MOST_NAMED:
        named = f"{len(days)} nights, {days[0]} to {days[-1]}"
    elif days:
        named = f"the {'night' if len(days) == 1 else 'nights'} of {named}"
    decided = "" if decisions is None else write_count(decisions, "decision")
    mails = write_count(sent, "message that was sent already", "messages that were sent already")
    return ", ".join(part for part in (named or "no night", decided, mails) if part)


@dataclass(frozen=True)
class Break:
    """Why nothing may start. ``gap``: what is missing; ``remedies``: what a person can do, ``is_passable`` with
    ``--accept`` among it.
    """

    place: str
    what: str
    gap: Gap | None
    is_passable: bool

    def __str__(self) -> str:
        missing = f"; not in it: {self.gap.describe()}" if self.gap else ""
        if self.is_passable:
            return f"{self.place}: {self.what}{missing}; put a backup back with: {RESTORE}; or go on without: {GO_ON}"
        aside = "correct database in the config" if "another program" in self.what else "move it away"
        return f"{self.place}: {self.what}{missing}; put a backup back with: {RESTORE}; or {aside}, and: {GO_ON}"


def find_break(
    config: Config, where: URL, *, wait_seconds: float = WAIT_SECONDS, pages: Pages = "night"
) -> Break | None:
    """Find out why nothing may start on this database; None where it is whole and knows all that stands beside it.

    A new folder and no database yet are no break.
    """
    where = make_url(where)
    found = Evidence(config.data_folder)  # before the database, which is always ahead of it
    health = database_health.examine(where, wait_seconds=wait_seconds, pages=pages)
    place = name_place(where)
    if health.state == "ours":
        with looking_at(where, wait_seconds=wait_seconds) as store:
            gap = found.find_gap(store)
        what = "is older than what stands beside it, or another one"
        return Break(place, what, gap, True) if gap else None
    gap = found.find_gap(None)
    if health.state in ("foreign", "damaged"):
        return Break(place, health.why, gap or None, False)
    is_there = "is not there" if health.state == "missing" else "is empty"
    return Break(place, f"{is_there}, though nights have been run here", gap, True) if gap else None


class Evidence:
    """What the data folder says, read as little of as tells whether the database knows all of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heads = heads.read(folder).lines
        self._sent_lately = sent_file.read_ending(folder)
        self._runs = {
            int(match["run"]): path.name
            for path in sorted((folder / SNAPSHOTS).glob("*.parquet"))
            if (match := SNAPSHOT_NAME.fullmatch(path.name)) and _is_date(match["as_at"])
        }

    def find_gap(self, store: Connection | None) -> Gap:
        """Find what this database does not know; all of it where there is none."""
        lost, decisions = self._find_lost_heads(store)
        return Gap(self._find_lost_runs(store), lost, decisions, self._find_lost_sent(store))

    def _find_lost_runs(self, store: Connection | None) -> dict[int, str]:
        """Runs are numbered in turn, and each is saved before its caseload is kept."""
        newest = store.execute(select(func.max(table_of(Run).c.id))).scalar() or 0 if store is not None else 0
        return {run: name for run, name in sorted(self._runs.items()) if run > newest}

    def _find_lost_heads(self, store: Connection | None) -> tuple[tuple[HeadLine, ...], int | None]:
        """Find the heads after the last that is in the chain, and how many events they tell of."""
        if not self._heads:
            return (), None
        known: set[tuple[int, str]] = set()
        if store is not None:
            known = _find_events(store, self._heads[-1:]) or _find_events(store, self._heads)
        last = next((n for n, line in _backwards(self._heads) if (line.event_id, line.hash) in known), -1)
        lost = self._heads[last + 1 :]
        before = self._heads[last].event_id if last >= 0 else 0
        return lost, max(0, lost[-1].event_id - before) if lost else None

    def _find_lost_sent(self, store: Connection | None) -> tuple[SentLine, ...]:
        newest_event = events.newest(store)[0] if store is not None else 0
        lately = sent_file.parse(self._sent_lately, newest_event)
        if not lately or (store is not None and find_known(store, lately[-1:])):
            return ()
        lines = sent_file.read(self._folder, newest_event)
        known = find_known(store, lines) if store is not None else frozenset()
        return tuple(line for line in lines if line.attempt not in known)


def _night_of(name: str) -> dt.date:
    return dt.date.fromisoformat(name[:10])


def _is_date(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _backwards(lines: tuple[HeadLine, ...]) -> Iterator[tuple[int, HeadLine]]:
    return ((n, lines[n]) for n in range(len(lines) - 1, -1, -1))


def _find_events(store: Connection, lines: Iterable[HeadLine]) -> set[tuple[int, str]]:
    event = table_of(FlagEvent)
    wanted = is_among(store, event.c.id, [line.event_id for line in lines])
    return {(row.id, row.hash) for row in store.execute(select(event.c.id, event.c.hash).where(wanted))}


def find_known(store: Connection, lines: Iterable[SentLine]) -> frozenset[int]:
    """Find the attempts of these lines that the database made, for the same message."""
    attempt, message = table_of(Attempt), table_of(Message)
    hashes = {line.attempt: line.key_hash for line in lines}
    made = select(attempt.c.id, message.c.key).join(message, message.c.id == attempt.c.message_id)
    rows = store.execute(made.where(is_among(store, attempt.c.id, hashes)))
    return frozenset(number for number, key in rows if sent_file.hash_key(key) == hashes[number])


# Starting


def insist(config: Config, where: URL, *, wait_seconds: float = WAIT_SECONDS, pages: Pages = "night") -> None:
    """Raise ``StoreError`` where nothing may start on this database."""
    if found := find_break(config, where, wait_seconds=wait_seconds, pages=pages):
        raise StoreError(str(found))


@contextmanager
def known_store(
    config: Config, where: URL, *, wait_seconds: float = WAIT_SECONDS, existing: bool = True
) -> Iterator[Database]:
    """Open a database to write to, which knows all that stands beside it; raise ``StoreError`` if not.

    ``existing``: refuse one that is not there yet rather than make it.
    """
    insist(config, where, wait_seconds=wait_seconds, pages="none")
    with (
        working_store(where, wait_seconds=wait_seconds, existing=existing) as database,
        heads.kept_on_both_sides(database, config.data_folder),
    ):
        yield database


# Going on


@dataclass(frozen=True)
class Acceptance:
    """Who goes on without what is missing, why, and when. ``addresses``: of everyone who may have been written to."""

    by: str
    why: str
    today: dt.date
    now: dt.datetime
    addresses: tuple[str, ...]


def list_addresses(config: Config) -> tuple[str, ...]:
    """List every address of the config."""
    people = [value for _, value in config.people]
    people += [value for team in config.teams for value in team.mailboxes.values()]
    return tuple(dict.fromkeys(address for address in people if isinstance(address, str)))


def go_on(database: Database, folder: Path, gap: Gap, acceptance: Acceptance) -> None:
    """Record that the record goes on without ``gap``, and mark what was told, so that it is asked for once."""
    with database.writing() as store:
        save_gap(store, folder, "gap accepted", gap, acceptance)
    note_head(database, folder, acceptance.now)


def save_gap(store: Connection, folder: Path, kind: str, gap: Gap, acceptance: Acceptance) -> None:
    """Record the gap in the caller's transaction: its runs, what readers may have had, and who was removed since."""
    repeat(store, folder, Repetition(acceptance.by, acceptance.today, acceptance.now))
    marked, stubs = mark_sent(store, gap.sent, acceptance)
    why, now = f"not in the database any more; {acceptance.by} went on without it", acceptance.now
    row = {"state": LOST, "started_at": now, "finished_at": now, "reason": why}
    runs: list[dict[str, Any]] = [
        {"id": run, "as_at": _night_of(name), **row, "snapshot": name}
        | {"snapshot_sha256": snapshot.fingerprint(folder / SNAPSHOTS / name)}
        for run, name in gap.runs.items()
    ]
    for lost in runs:
        store.execute(table_of(Run).insert().values(lost))
    detail: dict[str, Any] = {
        "nights": [day.isoformat() for day in gap.nights],
        "runs": list(gap.runs),
        "decisions": gap.decisions,
        "sent": len(gap.sent),
        "readers_told": marked + len(stubs),
        "heads": [gap.heads[0].hash, gap.heads[-1].hash] if gap.heads else None,
    }
    detail |= say_rows({Run: runs, Message: stubs})
    event = Event(kind, why=acceptance.why, by=acceptance.by, detail=detail)
    record_stamped(store, [event], Stamp(acceptance.today, now))


def note_head(database: Database, folder: Path, now: dt.datetime) -> None:
    """Keep the head of the chain as it is now, and say that all that was sent is known."""
    heads.keep(database, folder)
    with database.reading() as store:
        sent_file.note_known(folder, now, events.newest(store)[0])


def mark_sent(store: Connection, sent: Iterable[SentLine], acceptance: Acceptance) -> tuple[int, list[dict[str, Any]]]:
    """Mark each message as one that its reader may have had; return how many were here, and the rows of the others.

    One still waiting here is never sent again. One that is not here gets a row of its own, without words, for each
    reader whom its mark fits: the next digest says "you may have had this on DATE".
    """
    message, lines, now = table_of(Message), tuple(sent), acceptance.now
    if not lines:
        return 0, []
    days = [line.as_at for line in lines]
    near = select(message).where(message.c.as_at.between(min(days), max(days)))
    here = {sent_file.hash_key(row.key): row for row in store.execute(near)}
    readers = [*acceptance.addresses, *store.execute(select(message.c.recipient).distinct()).scalars()]
    marked, number, stubs = 0, next_id(store, Message), []
    for line in {line.key_hash: line for line in lines}.values():
        when = write_date(line.accepted_at.date())
        row = here.get(line.key_hash)
        if row is not None:
            if row.state in (*PENDING, "sending"):
                why = f"it was sent on {when}, before the database was lost or put back"
                attempts.hold(store, row, why, now)
                attempts.tell(store, row, "trouble told", now, doubtful_since=line.accepted_at, reported_at=now)
            marked += 1
            continue
        reader = next((address for address in readers if line.went_to(address)), None)
        if reader is not None:
            stubs.append(_stub(number, line, reader, f"sent on {when}, and not in the database since"))
            number += 1
    insert_rows(store, Message, STUB_COLUMNS, stubs)
    return marked, [dict(zip(STUB_COLUMNS, stub, strict=True)) for stub in stubs]


STUB_COLUMNS = (
    "id", "key", "run_id", "as_at", "created_at", "due_at", "state", "recipient", "kind", "subject", "text", "html",
    "people", "doubtful_since", "trouble", "reported_at", "holds",
)  # fmt: skip


def _stub(number: int, line: SentLine, reader: str, trouble: str) -> tuple[Any, ...]:
    at = line.accepted_at
    key = f"{line.as_at}-lost-{line.key_hash[:16]}-{line.attempt}"
    words = (reader, line.kind, "", "", "", "[]")
    return (number, key, 0, line.as_at, at, at, "technical-failure", *words, at, trouble, at, "")
