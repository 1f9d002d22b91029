"""What events say of rows, so that the audit can rebuild the tables: which it covers, and how a row is put into words.

    "rows": {"waiver": [{"id": 7, "ended_on": "2026-03-01", "ended_why": "unwaived"}]}

A member names a row by its key and says what stands there from now on; ``gone``: that the row was deleted. What no
event ever said of a row is NULL in it. Long text, and what would name somebody, is said by its SHA-256.
"""

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, select
from sqlmodel import SQLModel

from monitor.store import events
from monitor.store.events import ROWS_AN_EVENT, Event, Stamp
from monitor.store.tables import (
    Answer,
    Escalation,
    Flag,
    Indicator,
    Measure,
    Message,
    Person,
    Profile,
    Removal,
    RemovedPerson,
    Run,
    Waiver,
    table_of,
)

GONE = "gone"
SAID_AGAIN = "said again"
"""The events that say what stands in rows whose own events were emptied."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Covered:
    """A table on record. ``digested``: columns said by their SHA-256; ``left_out``: columns that nothing is said of."""

    model: type[SQLModel]
    digested: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return str(table_of(self.model).name)

    @property
    def key(self) -> str:
        return next(iter(table_of(self.model).primary_key.columns)).name

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
            # Whom a short list of ids names can be guessed from its SHA-256.
            frozenset({"people", "next_attempt_at", "doubtful_since", "reported_at"}),
        ),
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
    return said | {name: digest(said[name]) for name in covered.digested & said.keys() if said[name] is not None}


def say_row(model: type[SQLModel], **row: Any) -> dict[str, Any]:
    """Return the detail of an event that says what stands in one row."""
    return say_rows({model: [row]})


def say_gone(model: type[SQLModel], keys: Collection[Any]) -> dict[str, Any]:
    """Return the detail of an event that says of rows that they were deleted, and hold nothing."""
    covered = COVERED[table_of(model).name]
    nothing = dict.fromkeys(covered.columns)
    return say_rows({model: [{**nothing, covered.key: key, GONE: True} for key in keys]})


def record_stored(
    store: Connection, kind: str, model: type[SQLModel], wanted: ColumnElement[bool], stamp: Stamp
) -> None:
    """Record what stands in the rows that are wanted, many to an event, inside the caller's transaction."""
    covered = COVERED[table_of(model).name]
    table = table_of(model)
    rows = store.execute(select(*(table.c[name] for name in covered.columns)).where(wanted).order_by(covered.key))
    said = (
        Event(kind, detail=say_rows({model: [row._asdict() for row in chunk]}))
        for chunk in rows.partitions(ROWS_AN_EVENT)
    )
    record_stamped(store, said, stamp)


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
