"""The rows of everybody out of sight: their ways, since when, last contact, adviser, team, and what was done last.

What was done last is the newest step that somebody took about a way in which the young person is out of sight now, or
about what that carries on: an escalation, an answer, a waiver. Where nobody has taken any, it is the first mail that
told of it.
"""

import datetime as dt
from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import func, select

from monitor.figures import out_of_sight
from monitor.figures.out_of_sight import BY_NAME, EVERYONE
from monitor.flags.carried import load_lineage
from monitor.outbox.last_told import TOLD
from monitor.report.contents import NO_TEAM, NOTHING_DONE, PersonRow
from monitor.report.report_data import ReportData
from monitor.store.bulk import is_among
from monitor.store.tables import Answer, Escalation, Message, MessageFlag, Waiver, table_of
from monitor.words import write_date

RAISED_TO = {"manager": "the manager", "head": "the head of service"}


class LastStep(NamedTuple):
    """What was done on a day. ``place``: of two on one day, the later has the higher."""

    on: dt.date
    place: int
    words: str


def list_people(data: ReportData) -> list[PersonRow]:
    """Return everybody in ``out_of_sight``, those out of touch first, then the longest first."""
    query = "SELECT person_id, team, adviser, last_contact FROM known_person SEMI JOIN out_of_sight USING (person_id)"
    known = {person_id: row for person_id, *row in data.workspace.execute(query).fetchall()}
    steps = _find_last_steps(data)
    rows = []
    for person in out_of_sight.list_people(data.workspace):
        team, adviser, last_contact = known.get(person.person_id, (NO_TEAM, None, None))
        step = steps.get(person.person_id)
        rows.append(PersonRow(
            person.person_id, team or NO_TEAM, adviser or "", BY_NAME[person.tier].label,
            tuple(BY_NAME[way].label for way in person.ways),
            since=person.since if person.known else None,
            at_least_since=None if person.known else person.since,
            last_contact=last_contact,
            done=step.words if step else NOTHING_DONE,
            done_on=step.on if step else None,
            link=data.link(person.person_id),
        ))  # fmt: skip
    return rows


def _find_last_steps(data: ReportData) -> dict[str, LastStep]:
    """Return by person what was done last, of those about whom anything was."""
    query = "SELECT flag_id, person_id FROM report_flag WHERE list_contains($rules::VARCHAR[], rule)"
    rules = {"rules": list(BY_NAME[EVERYONE].rules)}
    people: dict[int, str] = dict(data.workspace.execute(query, rules).fetchall())
    about = {flag: {person} for flag, person in people.items()}
    for earlier, heirs in load_lineage(data.store).find_heirs().items():
        about.setdefault(earlier, set()).update(people[heir] for heir in heirs if heir in people)
    found: dict[str, LastStep] = {}
    for flag, step in _read_steps(data, about):
        for person in about[flag]:
            found[person] = max(found.get(person, step), step)
    untold = [flag for flag, whose in about.items() if not whose <= found.keys()]
    first: dict[str, LastStep] = {}
    for flag, step in _read_told(data, untold):
        for person in about[flag]:
            first[person] = min(first.get(person, step), step)
    return first | found


def _read_steps(data: ReportData, flags: Collection[int]) -> Iterator[tuple[int, LastStep]]:
    """Give each step that somebody took about these flags up to the last night, with its flag."""
    if not flags:
        return
    as_at, store = data.as_at, data.store
    raised, answer, waiver = table_of(Escalation), table_of(Answer), table_of(Waiver)
    upward = select(raised.c.flag_id, raised.c.as_at, raised.c.step).where(raised.c.recipient.is_not(None))
    for flag, on, step in store.execute(
        upward.where(raised.c.as_at <= as_at, is_among(store, raised.c.flag_id, flags))
    ):
        yield flag, LastStep(on, 1, f"Escalated to {RAISED_TO.get(step, step)}")
    said = select(answer.c.flag_id, answer.c.answered_on, answer.c.answer).where(answer.c.answered_on <= as_at)
    for flag, on, word in store.execute(said.where(is_among(store, answer.c.flag_id, flags))):
        yield flag, LastStep(on, 2, f"Answered “{word}”")
    signed = select(waiver.c.flag_id, waiver.c.waived_on, waiver.c.until_on).where(waiver.c.waived_on <= as_at)
    for flag, on, until in store.execute(signed.where(is_among(store, waiver.c.flag_id, flags))):
        yield flag, LastStep(on, 3, f"Waived until {write_date(until)}")


def _read_told(data: ReportData, flags: Collection[int]) -> Iterator[tuple[int, LastStep]]:
    """Give the first mail that told of each of these flags."""
    if not flags:
        return
    message, told = table_of(Message), table_of(MessageFlag)
    first = (
        select(told.c.flag_id, func.min(message.c.as_at))
        .join(message, message.c.id == told.c.message_id)
        .where(TOLD, message.c.as_at <= data.as_at, is_among(data.store, told.c.flag_id, flags))
        .group_by(told.c.flag_id)
    )
    for flag, on in data.store.execute(first):
        yield flag, LastStep(on, 0, "Told by e-mail")
