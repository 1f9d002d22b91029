"""Which flag carries which on: through a rule that continues it, or a record that was merged into another.

The heir has the first day, the severity that was kept, the waiver, the answers, the clock and steps of escalation, and
what each reader was told, of every flag that it carries.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from monitor.flags.before import read_row
from monitor.store.bulk import WIDE_READ, insert_rows, next_id, read_by_ids
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_row
from monitor.store.tables import Flag, FlagBefore, FlagCarried, Waiver, table_of
from monitor.workspace import Workspace

COPIED = ("reason", "note", "until_on", "waived_on", "waived_by", "recorded_at", "answer_id")
"""What a waiver that follows its flag to the heir takes with it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A flag that ends tonight and the one that carries it on. ``laid``: that stood before, and is of a merge."""

    flag_id: int
    heir_flag_id: int
    laid: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """A flag that another carries on since a day; ``own_since``: the heir's own first day, if it stood before."""

    flag_id: int
    since: dt.date
    own_since: dt.date | None = None


@dataclass(frozen=True)
class Lineage:
    """What each flag carries on. ``heirs``: the unresolved flags that carry any; others are carried on themselves."""

    carried: Mapping[int, Sequence[Carried]]
    heirs: frozenset[int] = frozenset()

    def list_earlier(self, flag_id: int) -> list[int]:
        """Return every flag that this one carries on, the nearest first."""
        found: dict[int, None] = {}
        waiting = [flag_id]
        while waiting:
            for link in self.carried.get(waiting.pop(0), ()):
                if link.flag_id not in found:
                    found[link.flag_id] = None
                    waiting.append(link.flag_id)
        return list(found)

    def find_heirs(self) -> dict[int, list[int]]:
        """Return the unresolved flags that carry each flag on in the end."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for heir in sorted(self.heirs):
            for earlier in self.list_earlier(heir):
                found[earlier].append(heir)
        return dict(found)

    def list_lines(self, flag_id: int, first_days: Mapping[int, dt.date]) -> Iterator["Descent"]:
        """Give each line of descent of a flag: since when it runs, and which flag stood from when on."""
        links = self.carried.get(flag_id, ())
        own = first_days.get(flag_id) if not links else next((link.own_since for link in links if link.own_since), None)
        if own is not None:
            yield Descent(own, ((flag_id, dt.date.min),))
        for link in links:
            for line in self.list_lines(link.flag_id, first_days):
                yield Descent(line.opened_on, (*line.flags, (flag_id, link.since)))


@dataclass(frozen=True, slots=True)
class Descent:
    """One line of descent: its first day, and its flags, each with the day from which it stands for the line."""

    opened_on: dt.date
    flags: tuple[tuple[int, dt.date], ...]


def find_links(workspace: Workspace) -> list[Link]:
    """Find which flag carries which on tonight, from ``passed`` and ``settled``."""
    rows = workspace.execute("""
        SELECT passed.flag_id, heir.flag_id, passed.merged AND coalesce(heir.laid, false)
        FROM passed JOIN settled AS heir USING (person_id, rule)
        WHERE heir.resolved_on IS NULL ORDER BY ALL
    """).fetchall()
    return [Link(*row) for row in rows]


def load_lineage(store: Connection) -> Lineage:
    """Load what every unresolved flag carries on, and what that carries."""
    flag, link = table_of(Flag), table_of(FlagCarried)
    query = select(link.c.heir_flag_id, link.c.flag_id, link.c.carried_on, link.c.heir_row)
    standing = link.c.undone_run_id.is_(None)
    query = query.where(standing).order_by(link.c.carried_on, link.c.flag_id)
    unresolved = flag.c.resolved_on.is_(None)
    rows = store.execute(query.join(flag, flag.c.id == link.c.heir_flag_id).where(unresolved)).all()
    heirs = frozenset(row.heir_flag_id for row in rows)
    carried: defaultdict[int, list[Carried]] = defaultdict(list)
    while rows:
        for heir, flag_id, since, heir_row in rows:
            own = read_row(heir_row)["opened_on"] if heir_row else None
            carried[heir].append(Carried(flag_id, since, own))
        asked = {row.flag_id for row in rows} - carried.keys()
        rows = list(read_by_ids(store, query, link.c.heir_flag_id, asked))
    return Lineage(dict(carried), heirs)


def save(store: Connection, links: Sequence[Link], stamp: Stamp, *, corrects: Sequence[int] = ()) -> None:
    """Write tonight's links, and let waivers in force follow their flags, after the flags are saved."""
    link = table_of(FlagCarried)
    if corrects:
        store.execute(link.delete().where(link.c.run_id.in_(corrects)))
        store.execute(link.update().where(link.c.undone_run_id.in_(corrects)).values(undone_run_id=None))
    if not links:
        return
    before = table_of(FlagBefore)
    laid = {each.heir_flag_id for each in links if each.laid}
    rows = dict(tuple(row) for row in read_by_ids(
        store, select(before.c.flag_id, before.c.row), before.c.flag_id, laid
    ))  # fmt: skip
    columns = ("flag_id", "heir_flag_id", "carried_on", "run_id", "heir_row")
    insert_rows(store, FlagCarried, columns, [
        (each.flag_id, each.heir_flag_id, stamp.as_at, stamp.run_id, rows.get(each.heir_flag_id) if each.laid else None)
        for each in links
    ])  # fmt: skip
    _carry_waivers(store, links, stamp)


def _carry_waivers(store: Connection, links: Sequence[Link], stamp: Stamp) -> None:
    """Waive each heir until the day until which a flag was waived that it carries on; one of its own stands."""
    waiver, flag = table_of(Waiver), table_of(Flag)
    heirs = {each.flag_id: each.heir_flag_id for each in links}
    in_force = select(waiver).where(waiver.c.ended_on.is_(None), waiver.c.until_on >= stamp.as_at)
    found = list(read_by_ids(store, in_force, waiver.c.flag_id, heirs))
    if not found:
        return
    concerned = {heirs[row.flag_id] for row in found}
    has_own = {row.flag_id for row in read_by_ids(store, in_force, waiver.c.flag_id, concerned)}
    whose = {
        row.id: row
        for row in read_by_ids(store, select(flag.c.id, flag.c.person_id, flag.c.rule), flag.c.id, concerned)
    }
    longest = {heirs[row.flag_id]: row for row in sorted(found, key=lambda row: row.until_on)}
    rows, happened = [], []
    for number, (heir, row) in enumerate(sorted(longest.items()), start=next_id(store, Waiver)):
        if heir in has_own or heir not in whose:
            continue
        values = {"id": number, "flag_id": heir, "person_id": whose[heir].person_id, "rule": whose[heir].rule}
        values |= {name: getattr(row, name) for name in COPIED}
        rows.append(values)
        detail = {"waiver_id": number, "carries_waiver_id": row.id, "until_on": row.until_on}
        detail |= say_row(Waiver, **values)
        happened.append(
            Event("waiver carried", heir, values["person_id"], values["rule"], by=row.waived_by, detail=detail)
        )
    for start in range(0, len(rows), WIDE_READ):
        store.execute(waiver.insert(), rows[start : start + WIDE_READ])
    record_stamped(store, happened, stamp)
