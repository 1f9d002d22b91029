"""Nights over a handful of answers given outright: what happens to flags and waivers, without reading any source."""

import datetime as dt
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from monitor.flags import carried, carried_waivers, escalation, life, waivers
from monitor.flags.backlog import NO_BACKLOG, load_backlog
from monitor.flags.escalation import EscalationTerms, PutRight
from monitor.flags.life import RuleFacts
from monitor.store.database import Database, open_store
from monitor.store.events import Stamp
from monitor.store.tables import FlagEvent, table_of
from monitor.workdays import NEVER_CLOSED, WorkingDays
from monitor.workspace import fetch, load_rows, open_workspace

RULES = (
    RuleFacts("contact-overdue", "medium"),
    RuleFacts("over-21-contact", "high", ("contact-overdue",)),
    RuleFacts("turning-18-adviser", "critical"),
    RuleFacts("pa-allocated", "high", ("turning-18-adviser",)),
)
DAY = dt.date(2026, 1, 5)


@dataclass
class Answer:
    """What one rule says of one person tonight."""

    outcome: str
    due_on: dt.date | None = None
    because: str = "The record shows it."


@dataclass
class Person:
    """Somebody invented, on tonight's caseload unless absent."""

    answers: Mapping[str, Answer | str] = field(default_factory=dict)
    age: int | None = 19
    present: bool = True
    died: bool = False


class Nights:
    """A store through several nights, each deciding and saving as the real one does."""

    def __init__(
        self, folder: Path, steps: Mapping[str, Sequence[int]] | None = None, *, days: WorkingDays = NEVER_CLOSED
    ) -> None:
        self.database: Database = open_store(f"sqlite:///{folder / 'monitor.db'}")
        weakref.finalize(self, self.database.close)
        self.run_id = 0
        self.steps = steps or {}
        self.first_night: dt.date | None = None
        """What opened up to and on this night is backlog."""
        self.days = days
        self.raised: list[tuple[dt.date, str, str, str, int]] = []
        """Each escalation: the night, whom and what it is about, the step, and the working days counted."""

    def night(
        self,
        as_at: dt.date,
        people: Mapping[str, Person],
        *,
        rules: Sequence[RuleFacts] = RULES,
        corrects: Sequence[int] = (),
    ) -> list[dict[str, Any]]:
        self.run_id += 1
        workspace = open_workspace()
        answers = {
            (person_id, rule): answer if isinstance(answer, Answer) else Answer(answer)
            for person_id, person in people.items()
            for rule, answer in person.answers.items()
        }
        load_rows(
            workspace, "caseload",
            {"person_id": "VARCHAR", "allocated_team": "VARCHAR", "personal_adviser": "VARCHAR", "age": "INTEGER",
             "category": "VARCHAR", "present": "BOOLEAN", "died": "BOOLEAN"},
            [(key, "North", None, one.age, "relevant", one.present, one.died) for key, one in people.items()],
        )  # fmt: skip
        load_rows(workspace, "roster", {"person_id": "VARCHAR", "died_on": "DATE", "ended_on": "DATE"}, [])
        load_rows(workspace, "merged_away", {"person_id": "VARCHAR", "new_id": "VARCHAR"}, [])
        load_rows(
            workspace, "answer", {"person_id": "VARCHAR", "rule": "VARCHAR", "outcome": "VARCHAR"},
            [(*key, one.outcome) for key, one in answers.items()],
        )  # fmt: skip
        load_rows(
            workspace, "breach",
            {"person_id": "VARCHAR", "rule": "VARCHAR", "due_on": "DATE", "in_breach_since": "DATE",
             "because": "VARCHAR"},
            [(*key, one.due_on, one.due_on and one.due_on + dt.timedelta(1), one.because)
             for key, one in answers.items() if one.outcome == "breach"],
        )  # fmt: skip
        load_rows(
            workspace, "cannot_assess",
            {"person_id": "VARCHAR", "rule": "VARCHAR", "column": "VARCHAR", "why": "VARCHAR"},
            [(*key, "latest_contact_date", "unreadable") for key, one in answers.items()
             if one.outcome == "cannot assess"],
        )  # fmt: skip
        with self.database.reading() as store:
            life.load(workspace, store, corrects=corrects)
        life.decide(workspace, rules, as_at)
        now = dt.datetime.combine(as_at, dt.time(2, 30), dt.UTC)
        with self.database.writing() as store:
            links = life.apply(workspace, store, run_id=self.run_id, as_at=as_at)
            life.save(workspace, store, Stamp(as_at, now, self.run_id), corrects=corrects)
            stamp = Stamp(as_at, now, self.run_id)
            carried.save(store, links, stamp, corrects=corrects)
            carried_waivers.carry_waivers(store, links, stamp, corrects=corrects)
            waivers.decide(workspace, store, as_at, corrects=corrects)
            waivers.close(workspace, store, Stamp(as_at, now, self.run_id))
            life.list_flags(workspace, store, as_at)
            if self.steps:
                backlog = load_backlog(store, as_at) if self.first_night else NO_BACKLOG
                backlog = replace(backlog, first_night=self.first_night)
                terms = EscalationTerms(self.steps, {one.rule: one.severity for one in rules}, backlog, days=self.days)
                new, back = escalation.decide(workspace, store, terms, as_at, PutRight(corrects))
                escalation.save(store, new, back, {}, Stamp(as_at, now, self.run_id))
                self.raised += [(as_at, one.person_id, one.rule, one.step, one.working_days) for one in new]
        return fetch(workspace, "SELECT * FROM flag_line ORDER BY flag_id")

    def events(self) -> list[tuple[str, int]]:
        table = table_of(FlagEvent)
        with self.database.reading() as store:
            rows = store.execute(select(table.c.kind, table.c.flag_id).order_by(table.c.id))
            return [(row[0], row[1]) for row in rows]


def day(n: int) -> dt.date:
    return DAY + dt.timedelta(n)


def overdue(**other: Any) -> Person:
    return Person({"contact-overdue": Answer("breach", due_on=DAY - dt.timedelta(10))}, **other)
