"""What events say of rows, so that the audit can rebuild the tables: which it covers, and how a row is put into words.

    "rows": {"waiver": [{"id": 7, "ended_on": "2026-03-01", "ended_why": "unwaived"}]}

A member names a row by its key and says what stands there from now on; ``gone``: that the row was deleted. What no
event ever said of a row is NULL in it. Long text, and what would name somebody, is said by its SHA-256.
"""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, select
from sqlmodel import SQLModel

from monitor.store import events
from monitor.store.bulk import read_by_ids
from monitor.store.events import ROWS_AN_EVENT, Event, Stamp
from monitor.store.tables import (
    Answer,
    Attempt,
    Escalation,
    Flag,
    FlagCarried,
    Indicator,
    Measure,
    Message,
    MessageComing,
    MessageEscalation,
    MessageFlag,
    Person,
    Profile,
    Removal,
    RemovedPerson,
    Run,
    Seal,
    Waiver,
    table_of,
)

GONE = "gone"
TELLS = "tells"
"""What is said beside a message: the SHA-256 of all it told of, by ``digest_tellings``."""
SAID_AGAIN = "said again"
"""The events that say what stands in rows whose own events were emptied."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Covered:
    """A table on record. ``digested``: columns said by their SHA-256; ``left_out``: columns that nothing is said of.

    ``together``: columns said by the SHA-256 of them and another, because a short text can be guessed from its own.
    ``beside``: what is said of a row that stands in other tables.
    """

    model: type[SQLModel]
    digested: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    together: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(table_of(self.model).name)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(column.name for column in table_of(self.model).primary_key.columns)

    @property
    def key(self) -> str:
        return self.keys[0]

    @property
    def hidden(self) -> frozenset[str]:
        """What is said of a row and cannot be read: a SHA-256."""
        return self.digested | self.together.keys() | set(self.beside)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in table_of(self.model).columns if column.name not in self.left_out)


COVERED: Mapping[str, Covered] = {
    covered.name: covered
    for covered in (
        Covered(
            Run,
            frozenset({
                "rule_meanings", "rule_wordings", "supplied", "not_believed", "failed_rules", "begun_rules", "doubts",
                "reason",
            }),
        ),
        Covered(Person, left_out=frozenset({"last_values"})),
        Covered(Flag),
        Covered(Waiver),
        Covered(Answer),
        Covered(Escalation),
        Covered(Removal),
        Covered(RemovedPerson, frozenset({"mark", "salt"})),
        Covered(
            Message,
            frozenset({"recipient", "subject", "text", "html", "attached", "trouble", "answerable"}),
            together={"people": "text"},
            beside=(TELLS,),
        ),
        Covered(Attempt, frozenset({"detail"})),
        Covered(FlagCarried, frozenset({"heir_row"})),
    )
}  # fmt: skip


def say_rows(stated: Mapping[type[SQLModel], Iterable[Row]]) -> dict[str, Any]:
    """Return the detail of an event that says what stands in rows, by table; each row with its key."""
    said = {table_of(model).name: [say(model, row) for row in rows] for model, rows in stated.items()}
    return {"rows": {table: rows for table, rows in said.items() if rows}}


def say(model: type[SQLModel], row: Row) -> dict[str, Any]:
    """Return one row as events say it."""
    covered = COVERED[table_of(model).name]
    said = {name: _say(value) for name, value in row.items() if name not in covered.left_out}
    said |= {name: digest(said[name] + row[other]) for name, other in covered.together.items() if name in said}
    return said | {name: digest(said[name]) for name in covered.digested & said.keys() if said[name] is not None}


def say_row(model: type[SQLModel], **row: Any) -> dict[str, Any]:
    """Return the detail of an event that says what stands in one row."""
    return say_rows({model: [row]})


def say_gone(model: type[SQLModel], keys: Collection[Any]) -> dict[str, Any]:
    """Return the detail of an event that says of rows that they were deleted, and hold nothing.

    ``keys``: of each the value of its key, or the values in the order of the key's columns.
    """
    covered = COVERED[table_of(model).name]
    nothing: dict[str, Any] = dict.fromkeys(covered.columns)
    named = (key if isinstance(key, tuple) else (key,) for key in keys)
    gone = [nothing | dict(zip(covered.keys, key, strict=True)) for key in named]
    return {"rows": {covered.name: [{**row, GONE: True} for row in gone]}} if gone else {}


def record_stored(
    store: Connection, kind: str, model: type[SQLModel], wanted: ColumnElement[bool], stamp: Stamp
) -> None:
    """Record what stands in the rows that are wanted, many to an event, inside the caller's transaction."""
    covered = COVERED[table_of(model).name]
    table = table_of(model)
    rows = store.execute(select(*(table.c[name] for name in covered.columns)).where(wanted).order_by(*covered.keys))
    chunks = ([row._asdict() for row in chunk] for chunk in rows.partitions(ROWS_AN_EVENT))
    said = (Event(kind, detail=say_rows({model: _add_beside(store, covered, chunk)})) for chunk in chunks)
    record_stamped(store, said, stamp)


def _add_beside(store: Connection, covered: Covered, rows: list[dict[str, Any]]) -> Iterable[Row]:
    if not covered.beside:
        return rows
    told = digest_tellings(store, [row["id"] for row in rows])
    return [{**row, TELLS: told.get(row["id"])} for row in rows]


def record_stamped(store: Connection, happened: Iterable[Event], stamp: Stamp) -> None:
    """Append ``happened`` to the chain, stamped alike, inside the caller's transaction."""
    events.record(store, happened, as_at=stamp.as_at, recorded_at=stamp.recorded_at, run_id=stamp.run_id)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _say(value: Any) -> Any:
    """Return a value as it stands in JSON; an instant as the store keeps it, without its offset."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date) else value


# What messages told of


def digest_telling(flags: Iterable[Any], coming: Iterable[Any], escalations: Iterable[Any]) -> str | None:
    """Return the SHA-256 of all that a message told of, the columns of its rows in order; None where that is nothing.

    The audit works it out of the tables alike.
    """
    told = {"flag": flags, "coming": coming, "escalation": ((number,) for number in escalations)}
    lines = [" ".join(map(str, (kind, *row))) for kind, rows in told.items() for row in rows]
    return digest("\n".join(sorted(lines))) if lines else None


def digest_tellings(store: Connection, ids: Collection[int]) -> dict[int, str | None]:
    """Return for each of these messages the SHA-256 of all it told of, as it stands."""
    found: list[defaultdict[int, list[Any]]] = []
    for model in (MessageFlag, MessageComing, MessageEscalation):
        table = table_of(model)
        found.append(defaultdict(list))
        for message_id, *row in read_by_ids(store, select(table), table.c.message_id, ids):
            found[-1][message_id].append(row)
    flags, coming, steps = found
    return {id_: digest_telling(flags[id_], coming[id_], (step for (step,) in steps[id_])) for id_ in ids}


# The seal


def say_seal(store: Connection) -> list[dict[str, str]]:
    """Return what a night says of the database's secrets, which never change: the SHA-256 of each."""
    return [{"name": row.name, "secret": digest(row.secret)} for row in store.execute(select(table_of(Seal)))]


# Figures


FIGURES = (Measure, Indicator, Profile)
"""What a night counted: an event says of a run the SHA-256 of its rows in each of these tables."""


def digest_figures(store: Connection, model: type[SQLModel], wanted: ColumnElement[bool]) -> Iterator[tuple[int, str]]:
    """Give for each run that is wanted the SHA-256 of its rows, a run at a time."""
    table = table_of(model)
    counted = select(table).where(wanted).order_by(table.c.run_id)
    rows = store.execute(counted, execution_options={"yield_per": 1_000})
    for run_id, theirs in groupby(rows, key=lambda row: int(row.run_id)):
        yield run_id, digest("\n".join(sorted("\t".join(map(str, row)) for row in theirs)))


def say_figures(store: Connection, run_id: int) -> dict[str, Any]:
    """Return what an event says of all that a run counted: a SHA-256 by table; none of a table without a row of it."""
    said: dict[str, Any] = {"run_id": run_id}
    for model in FIGURES:
        for _, theirs in digest_figures(store, model, table_of(model).c.run_id == run_id):
            said[table_of(model).name] = theirs
    return said


# In SQL of the workspace


def write_members(columns: Mapping[str, str], *, nulls: bool) -> str:
    """Write the SQL for the members of a JSON object by name and expression; ``nulls``: say what is NULL too."""
    if nulls:
        members = [f"""'"{name}":' || coalesce(json_quote({value}), 'null')""" for name, value in columns.items()]
        return " || ',' || ".join(members)
    members = [
        f"""CASE WHEN {value} IS NOT NULL THEN '"{name}":' || json_quote({value}) END"""
        for name, value in columns.items()
    ]
    return f"concat_ws(',', {', '.join(members)})"
