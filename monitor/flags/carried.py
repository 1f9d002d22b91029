"""Which flag carries which on: through a rule that continues it, or a record that was merged into another.

The heir has the first day, the severity that was kept, the waiver, the answers, the clock and steps of escalation, and
what each reader was told, of every flag that it carries.
"""

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, or_, select

from monitor.flags.before import read_row
from monitor.store.bulk import insert_rows, read_by_ids
from monitor.store.events import ROWS_AN_EVENT, Event, Stamp
from monitor.store.row_statements import record_stamped, say_gone, say_rows
from monitor.store.tables import Flag, FlagBefore, FlagCarried, FlagEvent, Person, PersonBefore, table_of
from monitor.workspace import Workspace, drop_tables, load_rows


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


def load_lineage(store: Connection, *, resolved_since: dt.date | None = None) -> Lineage:
    """Load what every unresolved flag carries on, and what that carries; also of those resolved since a day."""
    flag, link = table_of(Flag), table_of(FlagCarried)
    query = select(link.c.heir_flag_id, link.c.flag_id, link.c.carried_on, link.c.heir_row)
    standing = link.c.undone_run_id.is_(None)
    query = query.where(standing).order_by(link.c.carried_on, link.c.flag_id)
    wanted: ColumnElement[bool] = flag.c.resolved_on.is_(None)
    if resolved_since is not None:
        wanted = or_(wanted, flag.c.resolved_on > resolved_since)
    rows = store.execute(query.join(flag, flag.c.id == link.c.heir_flag_id).where(wanted)).all()
    heirs = frozenset(row.heir_flag_id for row in rows)
    carried: defaultdict[int, list[Carried]] = defaultdict(list)
    while rows:
        for heir, flag_id, since, heir_row in rows:
            own = read_row(heir_row)["opened_on"] if heir_row else None
            carried[heir].append(Carried(flag_id, since, own))
        asked = {row.flag_id for row in rows} - carried.keys()
        rows = list(read_by_ids(store, query, link.c.heir_flag_id, asked))
    return Lineage(dict(carried), heirs)


@dataclass(frozen=True)
class Undone:
    """What a line taken out of the list of merged ids undoes.

    ``reopened``: the flags of records that are people again; ``links``: which flags carried them on; ``heirs``: of
    these, the unresolved ones, as they stand without; ``unsupported``: those that nothing else but the merge opened.
    """

    reopened: frozenset[int] = frozenset()
    links: Sequence[tuple[int, int]] = ()
    heirs: Sequence[Mapping[str, Any]] = ()
    unsupported: frozenset[int] = frozenset()


NOTHING_UNDONE = Undone()
CARRIED_ON = "carried on"
"""The events that say which flag carries which on."""
OWN = ("opened_on", "in_breach_since", "due_on", "kept_severity", "kept_until")
"""What an heir has of its own again when a merge is undone."""
ENDINGS = select(*(table_of(FlagEvent).c[name] for name in ("flag_id", "id", "payload"))).where(
    table_of(FlagEvent).c.kind.in_(("resolved", "restored"))
)
"""What the events say with which flags ended, or stood again: of each the flag, its number and its detail."""


def find_undone(workspace: Workspace, store: Connection, corrects: Sequence[int]) -> Undone:
    """Find what tonight's list of merged ids undoes, from ``merged`` and ``tonight``, before any flag is loaded."""
    people = _find_merged_people(store, corrects)
    if not people:
        return NOTHING_UNDONE
    merged = dict(workspace.execute("SELECT old_id, new_id FROM merged").fetchall())
    there = {row[0] for row in workspace.execute(
        "SELECT person_id FROM tonight WHERE list_contains($1::VARCHAR[], person_id)", [sorted(people)]
    ).fetchall()}  # fmt: skip
    flags = _find_merged_flags(store, people, corrects)
    reopened = frozenset(
        flag_id
        for flag_id, (person_id, heir) in flags.items()
        if person_id in there or merged.get(person_id) is None or merged[person_id] != merged.get(heir, heir)
    )
    return _undo(store, reopened, corrects) if reopened else NOTHING_UNDONE


def _find_merged_people(store: Connection, corrects: Sequence[int]) -> set[str]:
    person, before = table_of(Person), table_of(PersonBefore)
    gone = select(person.c.person_id).where(person.c.absent_since.is_not(None), person.c.left_reason == "merged")
    people = set(store.execute(gone).scalars())
    if corrects:
        was = before.c.row.contains('"left_reason":"merged"', autoescape=True)
        people |= set(store.execute(select(before.c.person_id).where(was)).scalars())
    return people


def _find_merged_flags(
    store: Connection, people: Collection[str], corrects: Sequence[int]
) -> dict[int, tuple[str, str]]:
    """Find the flags of these people that ended with the merge of their record: whose, and merged into whom."""
    flag, event = table_of(Flag), table_of(FlagEvent)
    owned = select(flag.c.id, flag.c.person_id)
    owners = {row[0]: row[1] for row in read_by_ids(store, owned, flag.c.person_id, people)}
    ended = ENDINGS.where(event.c.run_id.not_in(list(corrects)))
    last = _read_heirs(read_by_ids(store, ended, event.c.flag_id, owners))
    return {flag_id: (owners[flag_id], heir) for flag_id, heir in last.items() if heir}


def load_heirs_told(workspace: Workspace, store: Connection, corrects: Sequence[int]) -> None:
    """Make ``heir_told``: of each flag that ended on the runs put right, the record that they said stands for its own.

    A later run knows by that whether a line of the list of merged ids has been taken back.
    """
    told = _read_heirs(store.execute(ENDINGS.where(table_of(FlagEvent).c.run_id.in_(list(corrects)))))
    load_rows(workspace, "heir_told", {"flag_id": "BIGINT", "heir": "VARCHAR"}, told.items())


def _read_heirs(rows: Iterable[Row[Any]]) -> dict[int, str | None]:
    """Read from events into whose record each flag was merged when it last ended, if it was."""
    in_order = sorted(rows, key=lambda row: row.id)
    return {row.flag_id: json.loads(row.payload or "{}").get("merged_into") for row in in_order}


def _undo(store: Connection, reopened: frozenset[int], corrects: Sequence[int]) -> Undone:
    """Work out what the heirs of these flags have of their own, and of the flags that they still carry."""
    table, flag = table_of(FlagCarried), table_of(Flag)
    columns = [table.c[name] for name in ("flag_id", "heir_flag_id", "carried_on", "heir_row")]
    standing = or_(table.c.undone_run_id.is_(None), table.c.undone_run_id.in_(list(corrects)))
    links = select(*columns).where(standing, table.c.run_id.not_in(list(corrects))).order_by(table.c.carried_on)
    cut = list(read_by_ids(store, links, table.c.flag_id, reopened))
    heirs: set[int] = set()
    waiting = {row.heir_flag_id for row in cut}
    while waiting:
        heirs |= waiting
        waiting = {row.heir_flag_id for row in read_by_ids(store, links, table.c.flag_id, waiting)} - heirs
    into = list(read_by_ids(store, links, table.c.heir_flag_id, heirs))
    facts = [flag.c.id, *(flag.c[name] for name in OWN)]
    earlier = {row.flag_id for row in into} - reopened
    kept = {row.id: dict(row._mapping) for row in read_by_ids(store, select(*facts), flag.c.id, earlier)}
    found: dict[int, dict[str, Any] | None] = {}

    def stand(flag_id: int) -> dict[str, Any] | None:
        """How a flag stands without the merge; None where nothing else opened it."""
        if flag_id not in heirs:
            return kept.get(flag_id)
        if flag_id not in found:
            theirs = [row for row in into if row.heir_flag_id == flag_id]
            own = next((read_row(row.heir_row) for row in theirs if row.heir_row), None)
            others = [stand(row.flag_id) for row in theirs if row.flag_id not in reopened]
            known = [each for each in (own, *others) if each]
            first = min(known, key=lambda each: each["opened_on"], default=None)
            found[flag_id] = first and {name: first[name] for name in OWN}
        return found[flag_id]

    rows = []
    for heir in sorted(heirs):
        since = min(row.carried_on for row in into if row.heir_flag_id == heir)
        alone = {
            "opened_on": since,
            "in_breach_since": since,
            "due_on": None,
            "kept_severity": None,
            "kept_until": None,
        }
        rows.append({"flag_id": heir, **(stand(heir) or alone)})
    return Undone(
        reopened,
        [(row.flag_id, row.heir_flag_id) for row in cut],
        rows,
        frozenset(heir for heir in heirs if stand(heir) is None),
    )


def find_unanswered(store: Connection, corrects: Sequence[int], undone: Undone) -> list[int]:
    """Find the held flags that a merge brought to a record which has given no answer of its own since.

    What they say is still of the merged record. As before the runs put right, and without the merges undone tonight.
    """
    link, heir, own, before = table_of(FlagCarried), table_of(Flag), table_of(Flag).alias(), table_of(FlagBefore)
    kept = (before.c.flag_id == heir.c.id) & before.c.run_id.in_(list(corrects))
    joined = link.join(heir, heir.c.id == link.c.heir_flag_id).join(own, own.c.id == link.c.flag_id)
    standing = or_(link.c.undone_run_id.is_(None), link.c.undone_run_id.in_(list(corrects)))
    rows = store.execute(
        select(link.c.flag_id, link.c.heir_flag_id, link.c.carried_on, heir.c.held_since, before.c.row)
        .select_from(joined.outerjoin(before, kept))
        .where(own.c.person_id != heir.c.person_id, standing, link.c.run_id.not_in(list(corrects)))
        .where(or_(heir.c.held_since.is_not(None), before.c.row.is_not(None)))
    )
    found = set()
    for flag_id, heir_id, carried_on, held_since, row in rows:
        held_since = read_row(row)["held_since"] if row else held_since
        if held_since and held_since <= carried_on and (flag_id, heir_id) not in undone.links:
            found.add(heir_id)
    return sorted(found)


def lay_undone(workspace: Workspace, undone: Undone) -> None:
    """Give the heirs in ``unresolved`` what they have of their own again."""
    columns = {
        "flag_id": "BIGINT", "opened_on": "DATE", "in_breach_since": "DATE", "due_on": "DATE",
        "kept_severity": "VARCHAR", "kept_until": "DATE",
    }  # fmt: skip
    load_rows(workspace, "own_again", columns, (tuple(row[name] for name in columns) for row in undone.heirs))
    changes = ", ".join(f"{name} = own_again.{name}" for name in OWN)
    workspace.execute(f"UPDATE unresolved SET {changes} FROM own_again WHERE own_again.flag_id = unresolved.flag_id")
    drop_tables(workspace, "own_again")


def save(
    store: Connection,
    links: Sequence[Link],
    stamp: Stamp,
    *,
    corrects: Sequence[int] = (),
    undone: Undone = NOTHING_UNDONE,
) -> None:
    """Write tonight's links, after the flags are saved; those of merges undone end."""
    if corrects:
        take_back(store, corrects, stamp)
    if undone.links:
        _undo_links(store, undone.links, stamp)
    if not links:
        return
    before = table_of(FlagBefore)
    laid = {each.heir_flag_id for each in links if each.laid}
    rows = dict(tuple(row) for row in read_by_ids(
        store, select(before.c.flag_id, before.c.row), before.c.flag_id, laid
    ))  # fmt: skip
    columns = ("flag_id", "heir_flag_id", "carried_on", "run_id", "heir_row")
    # A link of a merge that was taken back earlier and stands again is said anew.
    link = table_of(FlagCarried)
    same = (link.c.flag_id == bindparam("carried"), link.c.heir_flag_id == bindparam("heir"))
    pairs = [{"carried": each.flag_id, "heir": each.heir_flag_id} for each in links]
    store.execute(link.delete().where(*same, link.c.undone_run_id.is_not(None)), pairs)
    linked = [
        (each.flag_id, each.heir_flag_id, stamp.as_at, stamp.run_id, rows.get(each.heir_flag_id) if each.laid else None)
        for each in links
    ]
    insert_rows(store, FlagCarried, columns, linked)
    _say_links(store, [{**dict(zip(columns, row, strict=True)), "undone_run_id": None} for row in linked], stamp)


def take_back(store: Connection, run_ids: Sequence[int], stamp: Stamp) -> None:
    """Delete, on record, the links of these runs, and let those stand again that they had undone."""
    link = table_of(FlagCarried)
    theirs, undone = link.c.run_id.in_(run_ids), link.c.undone_run_id.in_(run_ids)
    gone = [tuple(row) for row in store.execute(select(link.c.flag_id, link.c.heir_flag_id).where(theirs))]
    store.execute(link.delete().where(theirs))
    again = list(store.execute(select(link.c.flag_id, link.c.heir_flag_id).where(undone)))
    store.execute(link.update().where(undone).values(undone_run_id=None))
    if gone:
        record_stamped(store, [Event(CARRIED_ON, detail=say_gone(FlagCarried, gone))], stamp)
    _say_links(store, [{"flag_id": row[0], "heir_flag_id": row[1], "undone_run_id": None} for row in again], stamp)


def _say_links(store: Connection, links: Sequence[Mapping[str, Any]], stamp: Stamp) -> None:
    chunks = (links[start : start + ROWS_AN_EVENT] for start in range(0, len(links), ROWS_AN_EVENT))
    record_stamped(store, (Event(CARRIED_ON, detail=say_rows({FlagCarried: chunk})) for chunk in chunks), stamp)


def _undo_links(store: Connection, links: Sequence[tuple[int, int]], stamp: Stamp) -> None:
    """End the links of a merge that is taken back."""
    link = table_of(FlagCarried)
    same = (link.c.flag_id == bindparam("carried"), link.c.heir_flag_id == bindparam("heir"))
    pairs = [{"carried": flag_id, "heir": heir} for flag_id, heir in links]
    store.execute(link.update().where(*same).values(undone_run_id=stamp.run_id), pairs)
    keys = ({"flag_id": flag_id, "heir_flag_id": heir} for flag_id, heir in links)
    _say_links(store, [{**key, "undone_run_id": stamp.run_id} for key in keys], stamp)
