"""The state of a flag: the database, the workspace and one stored row agree on every combination of dates."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

import pytest
from sqlalchemy import Connection, create_engine, select

from monitor.flags import state
from monitor.store.tables import Flag, Waiver, table_of
from monitor.workspace import fetch, open_workspace

DAY = dt.date(2026, 3, 10)
NEAR = (None, *(DAY + dt.timedelta(days) for days in (-1, 0, 1)))
DATES = MappingProxyType({"quarantined_on": "DATE", "released_on": "DATE"})


class Quarantine(NamedTuple):
    quarantined_on: dt.date | None
    released_on: dt.date | None


class Waived(NamedTuple):
    waived_on: dt.date
    until_on: dt.date
    ended_on: dt.date | None


@contextmanager
def in_memory() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as store:
        yield store
    engine.dispose()


def test_quarantine_is_the_same_in_the_database_the_workspace_and_a_row() -> None:
    rows = [Quarantine(*dates) for dates in product(NEAR, NEAR)]
    flag = table_of(Flag)
    workspace = open_workspace()
    with in_memory() as store:
        flag.create(store)
        table_of(Waiver).create(store)
        facts = {"rule": "neet", "severity": "low", "opened_on": DAY, "opened_run_id": 1, "in_breach_since": DAY}
        store.execute(flag.insert(), [
            {"id": number, "person_id": f"P{number}", "because": "", "earlier_spells": 0, **facts, **row._asdict()}
            for number, row in enumerate(rows)
        ])  # fmt: skip
        stored = {row[0] for row in store.execute(select(flag.c.id).where(state.is_quarantined()))}
        states = dict(store.execute(select(flag.c.id, state.find_state(DAY).label("state"))).fetchall())  # type: ignore[arg-type]

    for number, row in enumerate(rows):
        given = ", ".join(
            f"{'NULL' if day is None else repr(str(day))}::DATE AS {name}" for name, day in row._asdict().items()
        )
        ((now,),) = workspace.execute(f"SELECT {state.quarantined_sql('f')} FROM (SELECT {given}) AS f").fetchall()
        assert (number in stored) == now == state.waits(row) == (states[number] == "quarantined")


@pytest.mark.parametrize(
    ("quarantined_on", "released_on", "waits"),
    [
        (None, None, False), (DAY, None, True), (DAY + dt.timedelta(1), None, False),
        (DAY - dt.timedelta(1), DAY, False), (DAY - dt.timedelta(1), DAY + dt.timedelta(1), True),
    ],
)  # fmt: skip
def test_on_a_day_gone_by_a_flag_waited_up_to_the_day_before_its_release(
    quarantined_on: dt.date | None, released_on: dt.date | None, waits: bool
) -> None:
    condition = state.quarantined_sql("f", "$day::DATE")
    query = f"SELECT {condition} FROM (SELECT $q::DATE AS quarantined_on, $r::DATE AS released_on) AS f"

    row = open_workspace().execute(query, {"day": DAY, "q": quarantined_on, "r": released_on}).fetchone()

    assert row == (waits,)


def test_a_waiver_in_force_is_the_same_in_the_database_and_a_row() -> None:
    days = NEAR[1:]
    rows = [Waived(*dates) for dates in product(days, days, NEAR)]  # type: ignore[arg-type]
    waiver = table_of(Waiver)
    with in_memory() as store:
        waiver.create(store)
        facts = {"rule": "neet", "reason": "r", "note": "", "waived_by": "A", "recorded_at": dt.datetime.now(dt.UTC)}
        store.execute(waiver.insert(), [
            {"id": number, "flag_id": number, "person_id": f"P{number}", **facts, **row._asdict()}
            for number, row in enumerate(rows)
        ])  # fmt: skip
        stored = {row[0] for row in store.execute(select(waiver.c.id).where(state.is_waiver_in_force(DAY)))}

    assert stored == {number for number, row in enumerate(rows) if state.waives(row, DAY)}
    assert 0 < len(stored) < len(rows)


def test_the_first_state_that_is_true_is_the_state_of_a_flag() -> None:
    expression = state.state_sql(resolved="r", quarantined="q", waived="w", held="h")
    yes = [False, True]
    query = f"SELECT r, q, w, h, {expression} AS state FROM (SELECT unnest({yes}) AS r), " + ", ".join(
        f"(SELECT unnest({yes}) AS {name})" for name in "qwh"
    )

    found = {tuple(row.values())[:4]: row["state"] for row in fetch(open_workspace(), query)}

    names = ("resolved", "quarantined", "waived", "held")
    assert len(found) == 16
    for truths, said in found.items():
        assert said == next((name for name, true in zip(names, truths, strict=True) if true), "open")
