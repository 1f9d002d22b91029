"""Making and ending a waiver by hand: what is asked for is checked whole, and refused with every fault at once."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Row, select

from monitor.errors import Problems
from monitor.flags import state
from monitor.flags.carried_waivers import end_waivers
from monitor.store.bulk import insert_rows, next_id
from monitor.store.database import Database
from monitor.store.events import Event, Stamp
from monitor.store.known_ids import say_unknown
from monitor.store.row_statements import record_stamped, say_row
from monitor.store.tables import Flag, Person, Waiver, table_of
from monitor.words import nearest, one_line, write_date

if TYPE_CHECKING:
    from monitor.config.waiver_settings import Reason
    from monitor.rulebook.rulebook import Rulebook

LONGEST_NOTE, LONGEST_NAME = 500, 100
WAIVER_COLUMNS = (
    "id", "flag_id", "person_id", "rule", "reason", "note", "until_on", "waived_on", "waived_by", "recorded_at",
    "answer_id",
)  # fmt: skip

Part = Literal["until", "reason", "note", "by"]
Reasons = Mapping[str, "Reason"]


@dataclass(frozen=True)
class WaiverRequest:
    """A waiver as somebody asks for it. ``until``: a date as they wrote it."""

    person_id: str
    rule: str
    until: str | None
    reason: str | None
    note: str | None
    by: str | None


@dataclass(frozen=True)
class UnwaiveRequest:
    """The end of a waiver as somebody asks for it."""

    person_id: str
    rule: str
    by: str | None
    note: str | None


@dataclass(frozen=True)
class WaiverLimits:
    """What may be waived here: for which reasons, and whose ids no message may suggest."""

    reasons: Reasons
    restricted: Collection[str] = frozenset()


@dataclass(frozen=True)
class Terms:
    """A waiver's terms, checked: how long, why, and who says so."""

    until_on: dt.date
    reason: str
    note: str
    by: str


# What is asked for


def read_day(text: str) -> dt.date | None:
    """Return a date written 2026-03-01 or 01/03/2026; None for anything else, a year of two digits too."""
    parts = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})/(\d{1,2})/(\d{4})", text.strip())
    if not parts:
        return None
    year, month, day = (parts[1], parts[2], parts[3]) if parts[1] else (parts[6], parts[5], parts[4])
    try:
        return dt.date(int(year), int(month), int(day))
    except ValueError:
        return None


def check_name(by: str | None) -> list[str]:
    """Return what is wrong with the name of who decided."""
    name = one_line(by)
    if not name:
        return ["missing; give the name of who decided it"]
    if len(name) > LONGEST_NAME:
        return [f"{len(name)} letters; a name has {LONGEST_NAME} at most"]
    return []


def check_terms(
    until: str | None, reason: str | None, note: str | None, *, today: dt.date, reasons: Reasons
) -> list[tuple[Part, str]]:
    """Return everything wrong with a waiver's terms, each with the part it is about."""
    faults: list[tuple[Part, str]] = []
    listed = ", ".join(reasons)
    known = reasons.get(one_line(reason))
    if not one_line(reason):
        faults.append(("reason", f"missing; give one of {listed}"))
    elif known is None:
        close = nearest(one_line(reason), reasons)
        remedy = f'did you mean "{close}"? The codes are {listed}' if close else f"give one of {listed}"
        faults.append(("reason", f'"{one_line(reason)[:60]}" is not a reason code; {remedy}'))
    day = read_day(until) if until else None
    if not one_line(until):
        faults.append(("until", "missing; give the last day on which it stands, like 2026-03-31"))
    elif day is None:
        faults.append(("until", f'"{one_line(until)[:40]}" is not a date; write it like 2026-03-31 or 31/03/2026'))
    elif day <= today:
        faults.append(("until", f"{write_date(day)} is not to come; a waiver ends after today, {write_date(today)}"))
    elif known is not None and day > (last := known.longest_time.after(today)):
        words = f'"{one_line(reason)}" is for {known.longest} at most, so until {write_date(last)}'
        faults.append(("until", f"{write_date(day)} is too long; {words}"))
    if not one_line(note):
        faults.append(("note", "missing; say in a few words what was agreed, and with whom"))
    elif len(one_line(note)) > LONGEST_NOTE:
        faults.append(("note", f"{len(one_line(note))} characters; {LONGEST_NOTE} at most"))
    return faults


def read_terms(until: str, reason: str, note: str, by: str) -> Terms:
    """Return the terms in which ``check_terms`` found nothing wrong."""
    day = read_day(until)
    assert day is not None  # noqa: S101 - checked before
    return Terms(day, one_line(reason), one_line(note), one_line(by))


# Waiving


def waive(database: Database, rulebook: "Rulebook", asked: WaiverRequest, limits: WaiverLimits, stamp: Stamp) -> str:
    """Waive the unresolved flag of one rule for one person; what was done. ``Problems`` lists all that is wrong."""
    problems = [f"--by: {fault}" for fault in check_name(asked.by)]
    terms = check_terms(asked.until, asked.reason, asked.note, today=stamp.as_at, reasons=limits.reasons)
    problems += [f"--{part}: {fault}" for part, fault in terms]
    with database.writing() as store:
        flag, faults = _find_flag(store, rulebook, asked, limits.restricted)
        problems += faults
        if flag is not None:
            barred = why_not(store, flag, stamp.as_at)
            problems += [f"{asked.person_id} {asked.rule}: {barred}"] if barred else []
        if problems or flag is None:
            raise Problems(problems)
        agreed = read_terms(asked.until or "", asked.reason or "", asked.note or "", asked.by or "")
        record(store, flag, agreed, stamp)
    meaning = limits.reasons[agreed.reason].meaning
    return (
        f"waived until {write_date(agreed.until_on)}: {flag.rule} for {flag.person_id} ({agreed.reason}: {meaning}); "
        "the flag is listed as waived, and the lead is reminded 14 days and 1 day before the end"
    )


def why_not(store: Connection, flag: "Row[Any]", today: dt.date) -> str | None:
    """Return why this unresolved flag cannot be waived now, if it cannot."""
    waiver = _find_unended(store, flag.person_id, flag.rule)
    if waiver is not None and state.waives(waiver, today):
        until = f"waived already until {write_date(waiver.until_on)} ({waiver.reason}) by {waiver.waived_by}"
        return f"{until}; to change that, end it first with: monitor unwaive"
    if state.waits(flag):
        return "the flag waits as a likely data fault and is chased by nobody; confirm it first with: monitor confirm"
    return None


def record(store: Connection, flag: "Row[Any]", terms: Terms, stamp: Stamp, *, answer_id: int | None = None) -> int:
    """Save a waiver of ``flag`` with its event, inside the caller's transaction; its id."""
    over = _find_unended(store, flag.person_id, flag.rule)
    if over is not None:  # past its last day, and no night has ended it yet
        end_waivers(store, [over], state.RAN_OUT, stamp)
    number = next_id(store, Waiver)
    row = (number, flag.id, flag.person_id, flag.rule, terms.reason, terms.note, terms.until_on, stamp.as_at,
           terms.by, stamp.recorded_at, answer_id)  # fmt: skip
    insert_rows(store, Waiver, WAIVER_COLUMNS, [row])
    stands = say_row(Waiver, **dict(zip(WAIVER_COLUMNS, row, strict=True)))
    detail = {"waiver_id": number, "until_on": terms.until_on, "reason": terms.reason, **stands}
    waived = Event("waived", flag.id, flag.person_id, flag.rule, terms.note, by=terms.by, detail=detail)
    record_stamped(store, [waived], stamp)
    return number


def unwaive(database: Database, asked: UnwaiveRequest, stamp: Stamp) -> str:
    """End the waiver in force for one rule and one person; what was done. ``Problems`` lists all that is wrong."""
    person_id, rule, by, note = asked.person_id, asked.rule, one_line(asked.by), one_line(asked.note)
    problems = [f"--by: {fault}" for fault in check_name(by)]
    if len(note) > LONGEST_NOTE:
        problems.append(f"--note: {len(note)} characters; {LONGEST_NOTE} at most")
    table = table_of(Waiver)
    with database.writing() as store:
        waiver = _find_unended(store, person_id, rule)
        if waiver is None:
            problems.append(_no_waiver(store, person_id, rule))
        elif not state.waives(waiver, stamp.as_at):
            problems.append(f"{person_id} {rule}: its waiver ran out on {write_date(waiver.until_on)}; nothing to end")
        if problems or waiver is None:
            raise Problems(problems)
        ended = {"ended_on": stamp.as_at, "ended_why": "unwaived", "ended_by": by, "ended_note": note}
        store.execute(table.update().where(table.c.id == waiver.id).values(ended))
        detail = {"waiver_id": waiver.id, **say_row(Waiver, id=waiver.id, **ended)}
        happened = Event("unwaived", waiver.flag_id, person_id, rule, note or None, by=by, detail=detail)
        record_stamped(store, [happened], stamp)
    return f"the waiver of {rule} for {person_id} has ended: while the flag stands, the next night tells it again"


# Looking things up


def _find_flag(
    store: Connection, rulebook: "Rulebook", asked: WaiverRequest, restricted: Collection[str]
) -> tuple["Row[Any] | None", list[str]]:
    problems = _check_person(store, asked.person_id, restricted)
    try:
        rulebook.find(asked.rule)
    except Problems as faults:
        return None, [*problems, *faults.problems]
    if problems:
        return None, problems
    flag = table_of(Flag)
    theirs = (flag.c.person_id == asked.person_id, flag.c.rule == asked.rule, flag.c.resolved_on.is_(None))
    row = store.execute(select(flag).where(*theirs)).first()
    return row, [] if row is not None else [_no_flag(store, asked.person_id, asked.rule)]


def _check_person(store: Connection, person_id: str, restricted: Collection[str]) -> list[str]:
    """Why this is not the id of somebody of whom a flag can be waived."""
    person = table_of(Person)
    if any(mark in person_id for mark in "*?%,"):
        return [f"{person_id[:60]}: not the id of one person; a waiver is for one person and one rule"]
    known = store.execute(select(person).where(person.c.person_id == person_id)).first()
    if known is None:
        return [say_unknown(store, person_id, restricted)]
    if known.died_on is not None:
        return [f"{person_id}: is recorded as having died; nothing is asked about them"]
    return []


def _no_flag(store: Connection, person_id: str, rule: str) -> str:
    """What there is of this person instead of an unresolved flag of the rule."""
    flag = table_of(Flag)
    rows = store.execute(select(flag).where(flag.c.person_id == person_id).order_by(flag.c.id)).all()
    ended = "it has no flag"
    if past := [row for row in rows if row.rule == rule]:
        ended = f"its last flag was resolved on {write_date(past[-1].resolved_on)}: {past[-1].resolved_reason}"
    standing = ", ".join(sorted(row.rule for row in rows if row.resolved_on is None))
    remedy = f"their unresolved flags are {standing}" if standing else "they have no unresolved flag"
    return f"{person_id} {rule}: {ended}, so there is nothing to waive; {remedy}"


def _no_waiver(store: Connection, person_id: str, rule: str) -> str:
    waiver = table_of(Waiver)
    rows = store.execute(select(waiver).where(waiver.c.person_id == person_id).order_by(waiver.c.id)).all()
    past = [row for row in rows if row.rule == rule]
    in_force = ", ".join(f"{row.rule} until {write_date(row.until_on)}" for row in rows if row.ended_on is None)
    said = f"ended on {write_date(past[-1].ended_on)} ({past[-1].ended_why})" if past else "never was waived"
    remedy = f"waived for them now: {in_force}" if in_force else "nothing is waived for them now"
    return f"{person_id[:60]} {rule[:80]}: {said}; {remedy}"


def _find_unended(store: Connection, person_id: str, rule: str) -> "Row[Any] | None":
    waiver = table_of(Waiver)
    wanted = (waiver.c.person_id == person_id, waiver.c.rule == rule, waiver.c.ended_on.is_(None))
    return store.execute(select(waiver).where(*wanted)).first()
