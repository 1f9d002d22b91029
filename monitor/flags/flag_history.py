"""What happened to the unresolved flags, by day: held, released, waived, answered, taken higher; and what was cleared.

Of a night that was taken back or put right since, nothing is told.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, and_, or_, select

from monitor.flags.carried import Lineage, load_lineage
from monitor.flags.state import RAN_OUT
from monitor.store.tables import Answer, Escalation, Flag, FlagCarried, FlagEvent, Run, Waiver, table_of

MomentKind = Literal["opened", "held", "released", "waived", "waiver ended", "answered", "escalated", "cleared"]
KINDS: tuple[MomentKind, ...] = get_args(MomentKind)
"""In the order in which they are told of one day."""
CLEARED_DAYS = 365
"""How long what was cleared is told."""
ENDED_ITSELF = (RAN_OUT, "unwaived")
"""Why a waiver ended, where not because its flag did or another carries it on."""


class Moment(NamedTuple):
    """One thing that happened to a flag. ``what``: an answer, or the step taken; ``until``: a waiver's last day."""

    day: dt.date
    kind: MomentKind
    what: str = ""
    until: dt.date | None = None
    by: str = ""


class Cleared(NamedTuple):
    """A flag of the same young person that the record has cleared."""

    rule: str
    opened_on: dt.date
    cleared_on: dt.date


@dataclass(frozen=True)
class FlagHistory:
    """The moments of each unresolved flag, by its id, in order; what was cleared lately, by person."""

    moments: Mapping[int, Sequence[Moment]] = field(default_factory=dict)
    cleared: Mapping[str, Sequence[Cleared]] = field(default_factory=dict)


def load_history(store: Connection, as_at: dt.date) -> FlagHistory:
    """Load what happened to every unresolved flag, and to those that it carries on, in one pass."""
    link = table_of(FlagCarried)
    carries = store.execute(select(link.c.flag_id).limit(1)).first() is not None
    heirs = (load_lineage(store) if carries else Lineage({})).find_heirs()
    moments: defaultdict[int, set[Moment]] = defaultdict(set)
    for flag_id, moment in _load_moments(store, carries=carries):
        for heir in heirs.get(flag_id, (flag_id,)):
            moments[heir].add(moment)
    in_order = {flag_id: sorted(happened, key=_place) for flag_id, happened in moments.items()}
    return FlagHistory(in_order, _load_cleared(store, as_at))


def _place(moment: Moment) -> tuple[dt.date, str, str]:
    return moment.day, moment.kind, moment.what


def _load_moments(store: Connection, *, carries: bool) -> Iterator[tuple[int, Moment]]:
    flag, link, event, run = (table_of(model) for model in (Flag, FlagCarried, FlagEvent, Run))
    waiver, answer, escalation = table_of(Waiver), table_of(Answer), table_of(Escalation)
    unresolved = select(flag.c.id).where(flag.c.resolved_on.is_(None))
    standing = unresolved.union_all(select(link.c.flag_id)) if carries else unresolved
    spells = (
        select(event.c.flag_id, event.c.as_at, event.c.kind)
        .join(run, and_(run.c.id == event.c.run_id, run.c.state == "accepted"))
        .where(event.c.flag_id.in_(standing), event.c.kind.in_(("held", "released")))
    )
    for flag_id, day, kind in store.execute(spells):
        yield flag_id, Moment(day, kind)
    held = select(flag.c.id, flag.c.held_since).where(flag.c.resolved_on.is_(None), flag.c.held_since.is_not(None))
    for flag_id, day in store.execute(held):
        yield flag_id, Moment(day, "held")
    waived = select(waiver.c.flag_id, waiver.c.waived_on, waiver.c.until_on, waiver.c.ended_on, waiver.c.ended_why)
    for flag_id, day, until, ended_on, why in store.execute(waived.where(waiver.c.flag_id.in_(standing))):
        yield flag_id, Moment(day, "waived", until=until)
        if ended_on is not None and why in ENDED_ITSELF:
            yield flag_id, Moment(ended_on, "waiver ended")
    answered = select(answer.c.flag_id, answer.c.answered_on, answer.c.answer, answer.c.answered_by)
    for flag_id, day, word, by in store.execute(answered.where(answer.c.flag_id.in_(standing))):
        yield flag_id, Moment(day, "answered", word, by=by)
    taken = select(escalation.c.flag_id, escalation.c.as_at, escalation.c.step)
    for flag_id, day, step in store.execute(taken.where(escalation.c.flag_id.in_(standing))):
        yield flag_id, Moment(day, "escalated", step)


def _load_cleared(store: Connection, as_at: dt.date) -> Mapping[str, Sequence[Cleared]]:
    """Flags that were cleared in the last year, of people who have others; what waited in quarantine was never told."""
    flag, other = table_of(Flag), table_of(Flag).alias("other")
    query = (
        select(flag.c.person_id, flag.c.rule, flag.c.opened_on, flag.c.resolved_on)
        .where(
            flag.c.resolved_on > as_at - dt.timedelta(CLEARED_DAYS),
            flag.c.resolved_reason == "cleared",
            or_(flag.c.quarantined_on.is_(None), flag.c.released_on.is_not(None)),
            flag.c.person_id.in_(select(other.c.person_id).where(other.c.resolved_on.is_(None))),
        )
        .order_by(flag.c.resolved_on, flag.c.id)
    )
    cleared: defaultdict[str, list[Cleared]] = defaultdict(list)
    for person_id, *rest in store.execute(query):
        cleared[person_id].append(Cleared(*rest))
    return cleared
