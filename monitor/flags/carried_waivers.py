"""The waiver of a flag that another carries on: it follows to the heir, and stands there while the link does.

A waiver that followed names the one that it repeats. It ends with the link, whether the merge is put right, taken back
or withdrawn, and stands again with it.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from monitor.flags.carried import Link
from monitor.flags.state import RAN_OUT
from monitor.store.bulk import WIDE_READ, next_id, read_by_ids
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_row
from monitor.store.tables import Flag, FlagCarried, Waiver, table_of

CARRIED = "waiver carried"
MERGE_UNDONE = "merge undone"
"""Why a waiver ended that had followed a flag to an heir which does not carry it on."""
COPIED = ("reason", "note", "until_on", "waived_on", "waived_by", "recorded_at", "answer_id")
"""What a waiver that follows its flag to the heir takes with it."""


def may_stand(corrects: Collection[int]) -> ColumnElement[bool]:
    """Return the condition on the store's waivers, never NULL: not ended for good.

    One that was closed with its flag stands again with it, and so does what the runs put right had ended.
    """
    waiver = table_of(Waiver)
    by_them = and_(waiver.c.ended_run_id.is_not(None), waiver.c.ended_run_id.in_(list(corrects)))
    return or_(waiver.c.ended_on.is_(None), by_them, waiver.c.ended_why.startswith("flag "))


def find_unsupported(store: Connection) -> frozenset[int]:
    """Find the waivers that followed a flag to an heir which does not carry it on, and what followed those."""
    waiver, earlier, link = table_of(Waiver), table_of(Waiver).alias(), table_of(FlagCarried)
    carried_on = (
        select(link.c.flag_id)
        .where(link.c.flag_id == earlier.c.flag_id, link.c.heir_flag_id == waiver.c.flag_id)
        .where(link.c.undone_run_id.is_(None))
        .exists()
    )
    followed = select(waiver.c.id, earlier.c.id.label("follows"), carried_on.label("is_linked"))
    joined = waiver.join(earlier, earlier.c.id == waiver.c.carries_waiver_id)
    found: set[int] = set()
    for row in store.execute(followed.select_from(joined).order_by(waiver.c.id)):
        if not row.is_linked or row.follows in found:
            found.add(row.id)
    return frozenset(found)


def end_unsupported(store: Connection, stamp: Stamp) -> None:
    """End the waivers in force whose link is gone; after the links are saved."""
    waiver = table_of(Waiver)
    standing = select(waiver).where(waiver.c.ended_on.is_(None))
    end_waivers(store, list(read_by_ids(store, standing, waiver.c.id, find_unsupported(store))), MERGE_UNDONE, stamp)


def end_waivers(store: Connection, waivers: Sequence[Row[Any]], why: str, stamp: Stamp) -> None:
    """End waivers, with an event each, inside the caller's transaction."""
    waiver = table_of(Waiver)
    ending = {"ended_on": stamp.as_at, "ended_why": why, "ended_run_id": stamp.run_id}
    happened = []
    for row in waivers:
        store.execute(waiver.update().where(waiver.c.id == row.id).values(ending))
        detail = {"waiver_id": row.id, "until_on": row.until_on, **say_row(Waiver, id=row.id, **ending)}
        kind = "waiver ended" if why == RAN_OUT else "waiver closed"
        happened.append(Event(kind, row.flag_id, row.person_id, row.rule, why, detail=detail))
    record_stamped(store, happened, stamp)


def carry_waivers(
    store: Connection, links: Sequence[Link], stamp: Stamp, *, corrects: Collection[int] = (), after_jump: bool = False
) -> None:
    """Waive each heir until the day until which a flag was waived that it carries on; one of its own in force stands.

    After the links are saved. ``after_jump``: the clock may be ahead, so that none has run out.
    """
    waiver, flag = table_of(Waiver), table_of(Flag)
    end_unsupported(store, stamp)
    if not links:
        return
    heirs = {each.flag_id: each.heir_flag_id for each in links}
    asked = select(waiver, may_stand(corrects).label("may_stand")).order_by(waiver.c.id)
    waived = {row.flag_id: row for row in read_by_ids(store, asked, waiver.c.flag_id, {*heirs, *heirs.values()})}
    gone = find_unsupported(store)
    in_force = {
        flag_id: row
        for flag_id, row in waived.items()
        if row.may_stand and row.id not in gone and (after_jump or row.until_on >= stamp.as_at)
    }
    following = sorted((in_force[flag_id] for flag_id in heirs if flag_id in in_force), key=lambda row: row.until_on)
    longest = {heirs[row.flag_id]: row for row in following if heirs[row.flag_id] not in in_force}
    if not longest:
        return
    over = [waived[heir] for heir in longest if heir in waived and waived[heir].ended_on is None]
    end_waivers(store, over, RAN_OUT, stamp)
    whose = {row.id: row for row in read_by_ids(
        store, select(flag.c.id, flag.c.person_id, flag.c.rule), flag.c.id, longest
    )}  # fmt: skip
    rows, happened = [], []
    for number, heir in enumerate(sorted(whose), start=next_id(store, Waiver)):
        row = longest[heir]
        values = {"id": number, "flag_id": heir, "person_id": whose[heir].person_id, "rule": whose[heir].rule}
        values |= {**{name: getattr(row, name) for name in COPIED}, "carries_waiver_id": row.id}
        rows.append(values)
        detail = {"waiver_id": number, "until_on": row.until_on, **say_row(Waiver, **values)}
        happened.append(Event(CARRIED, heir, values["person_id"], values["rule"], by=row.waived_by, detail=detail))
    for start in range(0, len(rows), WIDE_READ):
        store.execute(waiver.insert(), rows[start : start + WIDE_READ])
    record_stamped(store, happened, stamp)
