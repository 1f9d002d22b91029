"""Verifies that the record is whole: the chain of events, every table it tells of, and the files kept beside it.

Reads the chain once to verify it, some thousand rows at a time, and once for each table.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from monitor.errors import Problems
from monitor.record import heads
from monitor.record.audit_files import HeadsCheck, check_caseloads
from monitor.record.audit_rows import NOT_LOOKED_AT, compare_rows
from monitor.record.purge import EMPTIED, PAST_ITS_TIME, PERSON_REMOVED
from monitor.store import events
from monitor.store.database import Database
from monitor.words import write_count

SHORTEST_HEAD = 8
"""So many of a head's first characters are enough to look for it."""

REMOVALS = (PAST_ITS_TIME, PERSON_REMOVED)
WORDS: Mapping[str, tuple[str, ...]] = {
    "person": ("person", "people"),
    "removed_person": ("mark of a removed person", "marks of removed people"),
    "flag_carried": ("flag carried on", "flags carried on"),
    **{table: (table,) for table in events.ALL_TABLES if table not in ("person", "removed_person", "flag_carried")},
}
"""What the rows of each table are called: one, and many where that is not one and an s."""
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
    """What was looked at and what does not hold.

    ``rows``: how many were compared, by table; ``earlier``: how many of them stood before the full record began, with
    event ``complete_from``; ``not_looked_at``: tables that nothing on record speaks of, and what each holds; ``notes``:
    what is no fault of the record.
    """

    events: int
    emptied: int
    head: str
    broken: Broken | None
    sought: Head | None
    heads: int
    snapshots: int
    rows: Mapping[str, int]
    earlier: int
    complete_from: int | None
    not_looked_at: Mapping[str, str]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        return 1 if self.problems else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _ChainWalk:
    """What is gathered on the way along the chain. ``head``: one to look for, or how it begins."""

    def __init__(self, store: Connection, head: str | None, heads: HeadsCheck) -> None:
        self.rows = self.emptied = self.emptied_on_record = 0
        self.heads = heads
        self.unknown: dict[str, int] = {}
        self.keeps_heads = False
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
            self.heads.meet(row)
            self.keeps_heads = self.keeps_heads or row.kind == "night begun"
            if row.kind not in events.KINDS:
                self.unknown.setdefault(row.kind, row.id)
            if row.kind in REMOVALS and row.payload is not None:
                self.emptied_on_record += events.read_payload(row.payload).get(EMPTIED, 0)
            elif row.payload is not None and '"heads":[' in row.payload:
                self.heads.give_up(events.read_payload(row.payload).get("heads"))
            yield row


def audit(
    database: Database, data_folder: Path, *, head: str | None = None, say: Callable[[str], None] = lambda step: None
) -> Audit:
    """Verify everything; ``head``: one printed on a digest or a report, or its first characters, to look for.

    ``data_folder`` holds the kept caseloads, and the heads that were kept.
    """
    if head is not None and (len(head) < SHORTEST_HEAD or set(head.lower()) - set("0123456789abcdef")):
        raise Problems(
            [f"--head: not a head; give at least its first {SHORTEST_HEAD} characters, which are 0-9 and a-f"]
        )
    kept_heads = heads.read(data_folder)
    with database.reading() as store:
        say("Walking along the chain of events")
        chain = _ChainWalk(store, head and head.lower(), HeadsCheck(kept_heads))
        say("Comparing the kept caseloads")
        kept, lost = check_caseloads(store, data_folder)
        compared = compare_rows(store, say)
    return Audit(
        events=chain.rows,
        emptied=chain.emptied,
        head=chain.head,
        broken=chain.broken,
        sought=chain.sought,
        heads=len(kept_heads.lines),
        snapshots=kept,
        rows=compared.rows,
        earlier=compared.earlier,
        complete_from=compared.begun,
        not_looked_at=NOT_LOOKED_AT,
        problems=(*_describe_faults(chain), *lost, *compared.problems),
        notes=kept_heads.unread,
    )


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
    problems += [
        f'event {number} is of a kind that this version does not know ("{kind}"), so nobody can say what it changed: '
        "audit with the version that made it"
        for kind, number in chain.unknown.items()
    ]
    problems += chain.heads.list_problems()
    if chain.keeps_heads and not chain.heads.kept.lines:
        problems.append(f"{heads.FILE_NAME}: is gone or empty, and nights were run that kept their heads there")
    if chain.sought and chain.sought.id is None:
        problems.append(
            f"head {chain.sought.printed}: not in the chain; it was changed before that point, or rows were taken off "
            "its end, or the head is of another database"
        )
    return problems


def describe(account: Audit) -> list[str]:
    """Return the audit in lines for a person."""
    whole = "every row holds" if account.broken is None else "does not hold"
    compared = ", ".join(write_count(number, *WORDS[table]) for table, number in account.rows.items())
    lines = [
        f"{account.events} events, {account.emptied} of them emptied by purges: {whole}",
        f"rows compared with the record, column by column: {compared}",
        f"{account.snapshots} kept caseloads and {account.heads} heads kept in {heads.FILE_NAME} compared",
        f"head of the chain: {account.head}",
    ]
    if account.complete_from is not None:
        lines.append(
            f"the full record begins with event {account.complete_from}: {account.earlier} rows are older, and "
            "compared with how they stood then"
        )
    lines += [f"not looked at: {table} ({what})" for table, what in account.not_looked_at.items()]
    lines += account.notes
    if account.sought and account.sought.id is not None:
        lines.append(
            f"head {account.sought.printed[:16]}: is event {account.sought.id}, recorded "
            f"{account.sought.recorded_at:{MINUTE}}; {account.sought.later} came after it"
        )
    if account.problems:
        return [*lines, "What does not hold:", *(f"  {problem}" for problem in account.problems)]
    if account.sought is None:
        lines.append(
            "what was taken off the end together with the heads kept here leaves no trace: compare with the head on "
            "the newest digest, with --head"
        )
    return [*lines, "the record is whole"]
