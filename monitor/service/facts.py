"""Reads from the database and the data folder what it takes to decide what is due."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from monitor.config.settings import Config
from monitor.flags.state import is_quarantined
from monitor.outbox.queue import PENDING
from monitor.service.due import Facts
from monitor.store import nights
from monitor.store.database import Database
from monitor.store.tables import Flag, Measure, Message, Run, table_of
from monitor.workdays import LONDON


def read_folder(config: Config, today: dt.date) -> Facts:
    """Read what is known where there is no database yet, or none that can be read."""
    return Facts(lists=(config.data_folder / "exceptions" / today.isoformat()).is_dir())


def read(config: Config, database: Database, today: dt.date) -> Facts:
    """Read what the database and the data folder say of a date."""
    run, message = table_of(Run), table_of(Message)
    midnight = dt.datetime.combine(today + dt.timedelta(1), dt.time(), LONDON)
    with database.reading() as store:
        tries = store.execute(
            select(run.c.finished_at, run.c.reason)
            .where(run.c.as_at == today, run.c.state.in_(("refused", "failed")), run.c.finished_at.is_not(None))
            .order_by(run.c.finished_at)
        ).all()
        ready_at = func.coalesce(message.c.next_attempt_at, message.c.due_at)
        awaits_receipt = and_(message.c.state == "sending", message.c.accepted_at.is_not(None))
        facts: dict[str, Select[Any]] = {
            "last_accepted": select(func.max(run.c.as_at)).where(run.c.state == "accepted"),
            "last_come": select(func.max(run.c.as_at)).where(run.c.state == "accepted", run.c.as_at <= today),
            "waiting_from": select(func.min(ready_at)).where(_is_unsettled()),
            "receipts": select(select(message.c.id).where(awaits_receipt).exists()),
            "unsettled_since": select(func.min(message.c.due_at)).where(_is_unsettled(), message.c.due_at < midnight),
            "taken_back": select(select(run.c.id).where(_was_taken_back(today)).exists()),
            "outage_told_on": select(func.max(message.c.as_at)).where(
                message.c.kind == "outage", message.c.as_at <= today
            ),
        }
        known: dict[str, Any] = {name: store.execute(statement).scalar() for name, statement in facts.items()}
        return replace(
            read_folder(config, today),
            failed_at=tuple(run.finished_at for run in tries if run.reason != nights.CUT_OFF),
            cut_off_at=tuple(run.finished_at for run in tries if run.reason == nights.CUT_OFF),
            **known,
        )


def _was_taken_back(today: dt.date) -> ColumnElement[bool]:
    """Taken back on the date that it is of."""
    run = table_of(Run)
    midnight = dt.datetime.combine(today, dt.time(), LONDON)
    return and_(run.c.state == "withdrawn", run.c.as_at == today, run.c.withdrawn_at >= midnight)


def _is_unsettled() -> ColumnElement[bool]:
    """Not yet taken by the transport, nor given up: to be sent, or in doubt and to be asked about."""
    message = table_of(Message)
    return or_(message.c.state.in_(PENDING), and_(message.c.state == "sending", message.c.accepted_at.is_(None)))


@dataclass(frozen=True)
class Outcome:
    """How an accepted night ended: its exit status, whether it judged anyone, and counts for the heartbeat."""

    exit_code: int
    judged: bool
    counts: Mapping[str, int | str | None]


def read_outcome(database: Database, as_at: dt.date) -> Outcome:
    """Read how the accepted night of a date ended, as it stands now, its messages included."""
    run, message, measure, flag = table_of(Run), table_of(Message), table_of(Measure), table_of(Flag)
    with database.reading() as store:
        night = store.execute(select(run).where(run.c.state == "accepted", run.c.as_at == as_at)).one()
        answered = func.sum(measure.c.ok + measure.c.breach)
        judged = store.execute(select(answered).where(measure.c.run_id == night.id)).scalar() or 0
        quarantined = store.execute(select(func.count(flag.c.id)).where(is_quarantined())).scalar_one()
        start, end = (dt.datetime.combine(as_at + dt.timedelta(n), dt.time(), LONDON) for n in (0, 1))
        lost = and_(message.c.state.in_(("permanent-failure", "technical-failure")), message.c.due_at >= start)
        failed, unsettled = (
            store.execute(select(func.count()).where(which, message.c.due_at < end)).scalar_one()
            for which in (lost, _is_unsettled())
        )
    believed = night.verdict in ("trusted", None) or night.reason is not None
    whole = believed and night.failed_rules in (None, "[]") and not (quarantined or unsettled or failed)
    counts = {
        "run": night.id,
        "as_at": as_at.isoformat(),
        "people": night.people,
        "absent": night.absent,
        "answers": judged,
        "quarantined": quarantined,
        "messages waiting": unsettled,
        "messages given up or in doubt": failed,
    }
    return Outcome(0 if whole else 1, bool(night.people and judged), counts)
