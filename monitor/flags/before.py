"""How flags stood before the last accepted night: what a night put right starts from, and one withdrawn goes back to.

Only what that night changed is kept, of the last accepted one alone. A flag that it opened was not there before: its
``opened_run_id`` says so.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, func, literal, select

from monitor.store import events
from monitor.store.bulk import WIDE_READ
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import say_row
from monitor.store.tables import Flag, FlagBefore, Run, table_of

COLUMNS = [column.name for column in table_of(Flag).columns]


def begin(store: Connection, run_id: int, corrects: Sequence[int]) -> None:
    """Forget the nights before; what was kept for a night that this one puts right is this one's ground too."""
    before = table_of(FlagBefore)
    store.execute(before.delete().where(before.c.run_id.not_in(list(corrects))))
    if corrects:
        store.execute(before.update().values(run_id=run_id))


def keep(store: Connection, flag_ids: Iterable[int], run_id: int, corrects: Sequence[int] = ()) -> None:
    """Keep how these flags stand, before the night changes them; those that its own date opened were not there."""
    flag, before = table_of(Flag), table_of(FlagBefore)
    row = _write_row(store)
    wanted_ids = list(flag_ids)
    for start in range(0, len(wanted_ids), WIDE_READ):
        ids = wanted_ids[start : start + WIDE_READ]
        wanted = select(flag.c.id, literal(run_id), row).where(flag.c.id.in_(ids))
        if corrects:
            known = select(before.c.flag_id)
            wanted = wanted.where(flag.c.opened_run_id.not_in(list(corrects)), flag.c.id.not_in(known))
        store.execute(before.insert().from_select(["flag_id", "run_id", "row"], wanted))


def _write_row(store: Connection) -> ColumnElement[str]:
    flag = table_of(Flag)
    pairs = [part for name in COLUMNS for part in (literal(name), flag.c[name])]
    if store.dialect.name == "postgresql":
        return cast(func.json_build_object(*pairs), Text)
    return func.json_object(*pairs)


def restore(store: Connection, run_id: int, stamp: Stamp, *, opened: str = "corrected") -> int:
    """Put the flags back as they were before the last accepted run, with an event each; return how many.

    Those that a run of its date opened are resolved under the word ``opened``, unless they are already. What an
    analyst has let out of quarantine since stays out. Inside the caller's transaction.
    """
    flag, before, run = table_of(Flag), table_of(FlagBefore), table_of(Run)
    same_date = select(run.c.id).where(run.c.as_at == select(run.c.as_at).where(run.c.id == run_id).scalar_subquery())
    happened = []
    rows = store.execute(
        select(before.c.row, flag.c.resolved_on, flag.c.held_since, flag.c.released_on, flag.c.released_by)
        .join(flag, flag.c.id == before.c.flag_id)
        .where(before.c.run_id == run_id)
        .order_by(before.c.flag_id)
    ).all()
    for row, resolved_on, held_since, released_on, released_by in rows:
        was = read_row(row)
        if released_by is not None:
            was |= {"released_on": released_on, "released_by": released_by}
        store.execute(flag.update().where(flag.c.id == was["id"]).values(was))
        happened += [_describe(kind, was) for kind in _name_changes(was, resolved_on, held_since)]
    new = flag.c.opened_run_id.in_(same_date) & flag.c.resolved_on.is_(None)
    gone = store.execute(select(flag).where(new).order_by(flag.c.id)).mappings().all()
    end = {"resolved_on": stamp.as_at, "resolved_reason": opened, "resolved_run_id": run_id}
    store.execute(flag.update().where(new).values(end))
    happened += [_describe("resolved", {**row, **end}) for row in gone]
    store.execute(before.delete())
    events.record(store, happened, as_at=stamp.as_at, recorded_at=stamp.recorded_at, run_id=stamp.run_id)
    return len(happened)


def _name_changes(was: dict[str, Any], resolved_on: date | None, held_since: date | None) -> list[str]:
    """Name what putting a flag back is: its clock, which stands still while it is held, is worked out from that."""
    kinds = ["restored"] if resolved_on is not None and was["resolved_on"] is None else []
    if was["held_since"] is not None and (kinds or held_since is None):
        kinds.append("held")
    elif was["held_since"] is None and held_since is not None and not kinds:
        kinds.append("released")
    return kinds or ["changed"]


def read_row(row: str) -> dict[str, Any]:
    """Read a kept row, each value of the type of its column."""
    columns, kept = table_of(Flag).c, json.loads(row)
    dates = {name for name in COLUMNS if columns[name].type.python_type.__name__ == "date"}
    return {
        name: columns[name].type.python_type.fromisoformat(value) if value is not None and name in dates else value
        for name, value in kept.items()
    }


def _describe(kind: str, flag: dict[str, Any]) -> Event:
    why = flag["resolved_reason"] or flag["held_why"] or flag["because"]
    facts = ("severity", "due_on", "in_breach_since", "opened_on", "held_since", "resolved_on")
    detail = {name: flag[name] for name in facts} | say_row(Flag, **flag)
    return Event(kind, flag["id"], flag["person_id"], flag["rule"], why, detail=detail)
