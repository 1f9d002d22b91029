"""Verifies that the record is whole: the chain of events, the kept caseloads, and the flags beside them.

Reads the chain once, some thousand rows at a time, however long it is.
"""

import datetime as dt
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, func, or_, select

from monitor.caseload import snapshot
from monitor.errors import Problems
from monitor.record.purge import EMPTIED
from monitor.store import events
from monitor.store.database import Database
from monitor.store.tables import Flag, FlagEvent, Run, table_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Row

SHORTEST_HEAD = 8
"""So many of a head's first characters are enough to look for it."""

REMOVALS = ("removed, past its time", "person removed")
MOST_LISTED = 20
MINUTE = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class Broken:
    """The first row at which the chain does not hold."""

    id: int
    kind: str
    as_at: dt.date
    recorded_at: dt.datetime
    why: str


@dataclass(frozen=True)
class Head:
    """Where in the chain a head that was printed elsewhere stands; ``id`` is None if it stands nowhere."""

    printed: str
    id: int | None
    recorded_at: dt.datetime | None
    later: int


@dataclass(frozen=True)
class Audit:
    """What was looked at and what does not hold."""

    events: int
    emptied: int
    head: str
    broken: Broken | None
    sought: Head | None
    snapshots: int
    flags: int
    problems: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _ChainWalk:
    """What is gathered on the way along the chain. ``head``: one to look for, or how it begins."""

    def __init__(self, store: Connection, head: str | None) -> None:
        self.rows = self.emptied = self.emptied_on_record = 0
        self.head = events.GENESIS
        self.broken: Broken | None = None
        self.sought = Head(head, None, None, 0) if head else None
        rows = self._count_rows(store)
        if fault := events.find_fault(rows):
            row, why = fault
            self.broken = Broken(row.id, row.kind, row.as_at, row.recorded_at, why)
        deque(rows, maxlen=0)  # the rows after one that does not hold are still counted

    def _count_rows(self, store: Connection) -> Iterator[events.ChainRow]:
        for row in events.walk(store):
            if self.sought and self.sought.id is not None:
                self.sought = replace(self.sought, later=self.sought.later + 1)
            elif self.sought and row.hash.startswith(self.sought.printed):
                self.sought = Head(row.hash, row.id, row.recorded_at, 0)
            self.rows += 1
            self.head = row.hash
            self.emptied += row.payload is None
            if row.kind in REMOVALS and row.payload is not None:
                self.emptied_on_record += json.loads(row.payload).get(EMPTIED, 0)
            yield row


def audit(
    database: Database, folder: Path, *, head: str | None = None, say: Callable[[str], None] = lambda step: None
) -> Audit:
    """Verify everything; ``head``: one printed on a digest or a report, or its first characters, to look for.

    ``folder`` holds the kept caseloads.
    """
    if head is not None and (len(head) < SHORTEST_HEAD or set(head.lower()) - set("0123456789abcdef")):
        raise Problems(
            [f"--head: not a head; give at least its first {SHORTEST_HEAD} characters, which are 0-9 and a-f"]
        )
    with database.reading() as store:
        say("Walking along the chain of events")
        chain = _ChainWalk(store, head and head.lower())
        say("Comparing the kept caseloads")
        kept, lost = _check_snapshots(store, folder)
        say("Comparing the flags with their events")
        flags, differing = _check_flags(store)
    problems = (*_describe_faults(chain), *lost, *differing)
    return Audit(chain.rows, chain.emptied, chain.head, chain.broken, chain.sought, kept, flags, problems)


def _describe_faults(chain: _ChainWalk) -> list[str]:
    problems = []
    if chain.broken:
        row = chain.broken
        problems.append(
            f'event {row.id} ("{row.kind}", night {row.as_at}, recorded {row.recorded_at:{MINUTE}}): {row.why}'
        )
    elif chain.emptied != chain.emptied_on_record:
        problems.append(
            f"{chain.emptied} events have been emptied, and purges on record emptied {chain.emptied_on_record}: others "
            "were emptied by hand"
        )
    if chain.sought and chain.sought.id is None:
        problems.append(
            f"head {chain.sought.printed}: not in the chain; it was changed before that point, or rows were taken off "
            "its end, or the head is of another database"
        )
    return problems


def describe(account: Audit) -> list[str]:
    """Return the audit in lines for a person."""
    whole = "every row holds" if account.broken is None else "does not hold"
    lines = [
        f"{account.events} events, {account.emptied} of them emptied by purges: {whole}",
        f"{account.snapshots} kept caseloads and {account.flags} flags compared with the record",
        f"head of the chain: {account.head}",
    ]
    if account.sought and account.sought.id is not None:
        lines.append(
            f"head {account.sought.printed[:16]}: is event {account.sought.id}, recorded "
            f"{account.sought.recorded_at:{MINUTE}}; {account.sought.later} came after it"
        )
    if account.problems:
        return [*lines, "What does not hold:", *(f"  {problem}" for problem in account.problems)]
    if account.sought is None:
        lines.append(
            "rows taken off the end leave no trace here: compare with the head on the newest digest, with --head"
        )
    return [*lines, "the record is whole"]


# Kept caseloads


def _check_snapshots(store: Connection, folder: Path) -> tuple[int, list[str]]:
    run = table_of(Run)
    wanted = (
        select(run.c.as_at, run.c.snapshot, run.c.snapshot_sha256)
        .where(run.c.state == "accepted", run.c.snapshot.is_not(None))
        .order_by(run.c.as_at)
    )
    kept, problems = store.execute(wanted).all(), []
    for as_at, name, sha in kept:
        path = folder / name
        if not path.is_file():
            problems.append(f"night {as_at}: its kept caseload {name} is missing")
        elif snapshot.fingerprint(path) != sha:
            problems.append(f"night {as_at}: its kept caseload {name} was altered after it was kept")
    return len(kept), problems


# Flags


def _check_flags(store: Connection) -> tuple[int, list[str]]:
    """Compare each flag's dates with the last event about its state; return how many flags, and what differs."""
    flag, event = table_of(Flag), table_of(FlagEvent)
    telling = event.c.kind.in_(("opened", "resolved", "restored", "held", "released"))
    last = select(event.c.flag_id, func.max(event.c.id).label("id")).where(telling).group_by(event.c.flag_id).subquery()
    standing = select(
        flag.c.id, flag.c.rule, flag.c.resolved_on, flag.c.held_since, event.c.kind, event.c.as_at
    ).select_from(flag.outerjoin(last, last.c.flag_id == flag.c.id).outerjoin(event, event.c.id == last.c.id))
    total = store.execute(select(func.count()).select_from(flag)).scalar_one()
    wrong = store.execute(standing.where(_disagrees()).order_by(flag.c.id).limit(MOST_LISTED + 1)).all()
    problems = [_describe_flag(row) for row in wrong[:MOST_LISTED]]
    if len(wrong) > MOST_LISTED:
        problems.append(f"and more flags than these {MOST_LISTED} disagree with their events")
    telling_of_none = event.c.payload.is_not(None) & event.c.flag_id.not_in(select(flag.c.id))
    if gone := store.execute(select(func.count(event.c.flag_id.distinct())).where(telling_of_none)).scalar_one():
        problems.append(f"{gone} flags have events that say what happened, and are no longer in the list of flags")
    return total, problems


def _disagrees() -> "ColumnElement[bool]":
    flag, event = table_of(Flag), table_of(FlagEvent)
    resolved, held = flag.c.resolved_on.is_not(None), flag.c.held_since.is_not(None)
    return or_(
        event.c.id.is_(None),
        and_(event.c.kind == "resolved", or_(flag.c.resolved_on.is_(None), flag.c.resolved_on != event.c.as_at)),
        and_(event.c.kind != "resolved", resolved),
        and_(event.c.kind == "held", flag.c.held_since.is_(None)),
        and_(event.c.kind.in_(("opened", "released")), held),
    )


def _describe_flag(row: "Row[*tuple[Any, ...]]") -> str:
    state = f"resolved on {row.resolved_on}" if row.resolved_on else "held" if row.held_since else "open"
    last = f'its last event is "{row.kind}" of {row.as_at}' if row.kind else "no event ever told of it"
    return f"flag {row.id} ({row.rule}): stands as {state}, and {last}"
