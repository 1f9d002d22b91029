"""Which flags go above their team's lead tonight: from working days open, each step once.

A flag's clock counts the working days on which it was open and neither held, nor waived, nor in quarantine.
It is worked out anew each night from dates and events, so that a missed night, a repeat or a correction cannot make it
go wrong; one that carries an earlier flag on carries its clock and its steps on too. Where several carry it on, these
go with the one whose rule is most severe, and the clocks of the others begin on the day they took over.

The backlog (``flags.backlog``) is not chased by the day: of it only a critical flag goes up, once, to the manager,
after days of its own. A flag of it that is newly worse goes up like a new one, its clock running since then.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, select

from monitor.flags import state
from monitor.flags.backlog import NO_BACKLOG, Backlog
from monitor.flags.carried import Descent, Lineage, load_lineage
from monitor.flags.priority import rank, rank_sql
from monitor.store.bulk import delete_rows, insert_rows, next_id, read_by_ids
from monitor.store.events import Event, Stamp
from monitor.store.row_statements import record_stamped, say_gone, say_row
from monitor.store.tables import Escalation, Flag, FlagEvent, Waiver, table_of
from monitor.workdays import NEVER_CLOSED, WorkingDays
from monitor.workspace import Workspace, literal

Step = Literal["manager", "head"]
STEPS: tuple[Step, ...] = ("manager", "head")
BACKLOG_DAYS = 20
"""Working days after which a critical flag of the backlog goes up, where the config does not say."""
COLUMNS = ("id", "flag_id", "step", "as_at", "run_id", "team", "recipient", "instead", "severity", "working_days")


@dataclass(frozen=True, slots=True)
class Pause:
    """Days on which a flag's clock stands still: from ``since`` up to the day before ``until``."""

    since: dt.date
    until: dt.date


@dataclass(frozen=True, slots=True)
class Escalated:
    """A flag taken one step above its team's lead; ``working_days``: how many its clock had counted."""

    number: int
    flag_id: int
    step: Step
    as_at: dt.date
    severity: str
    working_days: int
    person_id: str = ""
    rule: str = ""
    team: str | None = None


def count_working_days(days: WorkingDays, opened_on: dt.date, as_at: dt.date, pauses: Iterable[Pause] = ()) -> int:
    """Return the working days after ``opened_on``, up to and with ``as_at``, that lie in no pause."""
    paused = {
        day
        for pause in pauses
        for n in range((min(pause.until, as_at + dt.timedelta(1)) - pause.since).days)
        if opened_on < (day := pause.since + dt.timedelta(n)) and days.includes(day)
    }
    return days.between(opened_on, as_at) - len(paused)


def find_pauses(changes: Iterable[tuple[str, dt.date]], as_at: dt.date) -> list[Pause]:
    """Return the pauses of one flag that is open tonight, from its ``held`` and ``released`` events in order.

    Of several on one night the last holds, so that a night put right counts as it was put right.
    """
    pauses: list[Pause] = []
    held: dt.date | None = None
    for kind, day in changes:
        if kind == "held":
            held = held or day
        elif held is not None:
            pauses.append(Pause(held, day))
            held = None
    if held is not None:
        pauses.append(Pause(held, as_at))
    return [pause for pause in pauses if pause.until > pause.since]


def latest_opening(days: WorkingDays, number: int, as_at: dt.date) -> dt.date:
    """Return the last day on which a flag open for ``number`` working days by ``as_at`` can have opened."""
    day = as_at
    while number > 0:
        number -= days.includes(day)
        day -= dt.timedelta(1)
    return day


@dataclass(frozen=True)
class EscalationTerms:
    """What escalates. ``steps``: working days by severity, for the manager and then the head.

    ``rules``: the severity of each rule that does, by id. ``backlog_days``: working days after which the manager hears
    of a critical flag of the backlog.
    """

    steps: Mapping[str, Sequence[int]]
    rules: Mapping[str, str]
    backlog: Backlog = NO_BACKLOG
    backlog_days: int = BACKLOG_DAYS
    days: WorkingDays = NEVER_CLOSED

    def list_steps(self) -> list[tuple[str, Step, int, bool]]:
        """Return the severity, step and working days of each step that a flag may take; whether one of the backlog."""
        usual = [
            (severity, step, days, False)
            for severity, all_days in self.steps.items()
            for step, days in zip(STEPS, all_days, strict=False)
        ]
        # It never goes up sooner than a new one does.
        late: list[tuple[str, Step, int, bool]] = [
            (severity, step, max(days, self.backlog_days), True)
            for severity, step, days, _ in usual
            if (severity, step) == ("critical", STEPS[0])
        ]
        return usual + late


@dataclass(frozen=True)
class PutRight:
    """The runs that this night puts right. ``told``: escalations a reader has had, which nothing takes back."""

    runs: Collection[int] = ()
    told: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open flag that would have reached a step after ``days`` if it had never been paused.

    ``worse_on``: since when a flag of the backlog is newly worse; its clock runs from then.
    """

    flag_id: int
    step: Step
    days: int
    opened_on: dt.date
    severity: str
    person_id: str
    rule: str
    team: str | None
    quarantined_on: dt.date | None
    released_on: dt.date | None
    worse_on: dt.date | None = None


def decide(
    workspace: Workspace, store: Connection, terms: EscalationTerms, as_at: dt.date, put_right: PutRight
) -> tuple[list[Escalated], list[Escalated]]:
    """Return the steps newly reached tonight, and those of an attempt being put right that are reached no longer.

    Reads ``flag_line`` and ``settled``.
    """
    candidates = _load_candidates(workspace, terms, as_at)
    flag_ids = {candidate.flag_id for candidate in candidates}
    lineage, begun = _load_clock_lineage(store, terms.rules)
    before = {flag_id: lineage.list_earlier(flag_id) for flag_id in flag_ids if flag_id in lineage.carried}
    table, carried = table_of(Escalation), {old for chain in before.values() for old in chain}
    steps = select(table.c.flag_id, table.c.step)
    taken = {(row[0], row[1]) for row in read_by_ids(store, steps, table.c.flag_id, carried | flag_ids)}

    def is_taken(step: Candidate | Escalated) -> bool:
        return any((flag, step.step) in taken for flag in (step.flag_id, *before.get(step.flag_id, ())))

    # A step once taken is asked about again only where a night is put right, which may take it back.
    asked = candidates if put_right.runs else [candidate for candidate in candidates if not is_taken(candidate)]
    clocks = _load_clocks(store, asked, ClockGround(lineage, begun, terms.backlog), as_at)
    reached = find_reached(asked, clocks, terms.days, as_at)
    untaken = [escalated for escalated in reached if not is_taken(escalated)]
    first = next_id(store, Escalation)
    new = [replace(escalated, number=number) for number, escalated in enumerate(untaken, start=first)]
    return new, _find_withdrawn(store, reached, put_right) if put_right.runs else []


Clocks = Mapping[int, Sequence[tuple[dt.date, Sequence[Pause]]]]
"""Of each candidate: the days since which its clock runs, each with its pauses; the one that has run longest counts."""


def find_reached(candidates: Iterable[Candidate], clocks: Clocks, days: WorkingDays, as_at: dt.date) -> list[Escalated]:
    """Return the steps that these flags have reached, their pauses counted."""
    reached = []
    for flag in candidates:
        own = ((flag.opened_on, ()),)
        counted = max(
            count_working_days(days, since, as_at, paused) for since, paused in clocks.get(flag.flag_id) or own
        )
        if counted >= flag.days:
            facts = (flag.severity, counted, flag.person_id, flag.rule, flag.team)
            reached.append(Escalated(0, flag.flag_id, flag.step, as_at, *facts))
    return reached


def _find_withdrawn(store: Connection, reached: Iterable[Escalated], put_right: PutRight) -> list[Escalated]:
    still = {(escalated.flag_id, escalated.step) for escalated in reached}
    table = table_of(Escalation)
    untold = table.c.id.not_in(list(put_right.told))
    return [
        Escalated(row.id, row.flag_id, row.step, row.as_at, row.severity, row.working_days, team=row.team)
        for row in store.execute(select(table).where(table.c.run_id.in_(put_right.runs), untold))
        if (row.flag_id, row.step) not in still
    ]


def _load_candidates(workspace: Workspace, terms: EscalationTerms, as_at: dt.date) -> list[Candidate]:
    limits = [
        (severity, step, days, latest_opening(terms.days, days, as_at), late)
        for severity, step, days, late in terms.list_steps()
    ]
    if not limits or not terms.rules:
        return []
    listed = ", ".join(
        f"({literal(severity)}, {literal(step)}, {days}, DATE '{opened_by}', {late})"
        for severity, step, days, opened_by, late in limits
    )
    rose = ", ".join(f"({flag_id}, DATE '{since}')" for flag_id, since in sorted(terms.backlog.rose.items()))
    rows = workspace.execute(f"""
        WITH line AS (
            SELECT flag.*, rose.since AS rose_on, {terms.backlog.sql("flag")} AS backlog, {rank_sql()} AS place
            FROM flag_line AS flag LEFT JOIN (VALUES {rose or "(NULL::BIGINT, NULL::DATE)"}) AS rose(flag_id, since)
                ON rose.flag_id = flag.flag_id
            WHERE flag.state IN ('open', 'held') AND flag.severity <> 'data'
        ),
        stood AS (SELECT person_id, min(place) AS place FROM line WHERE backlog GROUP BY person_id),
        worse AS (
            SELECT person_id, min(coalesce(rose_on, opened_on)) AS since
            FROM line JOIN stood USING (person_id) WHERE NOT line.backlog AND line.place < stood.place
            GROUP BY person_id
        ),
        dated AS (
            SELECT line.*, CASE WHEN backlog THEN worse.since ELSE rose_on END AS worse_on,
                backlog AND worse.since IS NULL AS late
            FROM line LEFT JOIN worse USING (person_id)
        )
        SELECT line.flag_id, step, days, line.opened_on, line.severity, line.person_id, line.rule, line.team,
            s.quarantined_on, s.released_on, line.worse_on
        FROM dated AS line
        JOIN (VALUES {listed}) AS l(severity, step, days, opened_by, late)
            ON l.severity = line.severity AND coalesce(line.worse_on, line.opened_on) <= l.opened_by
                AND l.late = line.late
        JOIN settled AS s ON s.flag_id = line.flag_id
        WHERE line.state = 'open' AND line.rule IN ({", ".join(map(literal, terms.rules))})
        ORDER BY line.flag_id, step DESC
    """)
    return [Candidate(*row) for row in rows.fetchall()]


def _load_clock_lineage(store: Connection, rules: Mapping[str, str]) -> tuple[Lineage, Mapping[int, dt.date]]:
    """Load whose clock and steps each flag carries on, and the day on which those took over that carry on nobody's."""
    lineage = load_lineage(store)
    chosen = _choose_heirs(store, lineage, rules)
    carried = {
        flag_id: [link for link in links if flag_id not in lineage.heirs or chosen[link.flag_id] == flag_id]
        for flag_id, links in lineage.carried.items()
    }
    begun = {
        flag_id: min(link.since for link in lineage.carried[flag_id]) for flag_id, links in carried.items() if not links
    }
    return Lineage(carried, lineage.heirs), begun


def _choose_heirs(store: Connection, lineage: Lineage, rules: Mapping[str, str]) -> dict[int, int]:
    """Return, by flag that is carried on, which carries it whose rule is most severe, the first of equals."""
    heirs, flag = lineage.find_heirs(), table_of(Flag)
    several = {heir for found in heirs.values() if len(found) > 1 for heir in found}
    named = select(flag.c.id, flag.c.rule)
    # Its own severity says nothing: for a while each is as severe as what it carries on.
    ranks = {row[0]: rank(rules.get(row[1])) for row in read_by_ids(store, named, flag.c.id, several)}
    return {earlier: min(found, key=lambda heir: (ranks.get(heir, 0), heir)) for earlier, found in heirs.items()}


@dataclass(frozen=True)
class ClockGround:
    """What clocks rest on: who carries whom on, since when those do that carry on nobody's clock, and the backlog."""

    lineage: Lineage
    begun: Mapping[int, dt.date]
    backlog: Backlog


def _load_clocks(store: Connection, candidates: Sequence[Candidate], ground: ClockGround, as_at: dt.date) -> Clocks:
    """Load the clocks of every candidate: its own, or those of the lines of the flags that it carries on."""
    by_flag, lineage = {candidate.flag_id: candidate for candidate in candidates}, ground.lineage
    asked = {*by_flag, *(earlier for flag_id in by_flag for earlier in lineage.list_earlier(flag_id))}
    pauses = _load_pauses(store, asked, as_at)
    for flag in by_flag.values():
        if flag.quarantined_on and flag.released_on and flag.released_on > flag.quarantined_on:
            pauses[flag.flag_id].append(Pause(flag.quarantined_on, flag.released_on))
    table = table_of(Flag)
    opened = select(table.c.id, table.c.rule, table.c.opened_on)
    earlier = {row[0]: (row[1], row[2]) for row in read_by_ids(store, opened, table.c.id, asked - by_flag.keys())}
    first_days = {flag_id: opened_on for flag_id, (_, opened_on) in earlier.items()} | {
        flag.flag_id: ground.begun.get(flag.flag_id, flag.opened_on) for flag in by_flag.values()
    }
    rules = {flag_id: rule for flag_id, (rule, _) in earlier.items()} | {
        flag.flag_id: flag.rule for flag in by_flag.values()
    }
    clocks: dict[int, Sequence[tuple[dt.date, Sequence[Pause]]]] = {}
    for flag in by_flag.values():
        lines = list(lineage.list_lines(flag.flag_id, first_days))
        new = [line for line in lines if not ground.backlog.began(rules[line.flags[0][0]], line.opened_on)]
        clocks[flag.flag_id] = [
            (flag.worse_on or line.opened_on, _pauses_of_line(line, pauses)) for line in new or lines
        ]
    return clocks


def _pauses_of_line(line: Descent, pauses: Mapping[int, Sequence[Pause]]) -> list[Pause]:
    return [
        Pause(max(pause.since, since), pause.until)
        for flag_id, since in line.flags
        for pause in pauses.get(flag_id, ())
        if pause.until > since
    ]


def _load_pauses(store: Connection, flag_ids: Collection[int], as_at: dt.date) -> defaultdict[int, list[Pause]]:
    """Load the days on which each of these flags was held or waived."""
    pauses: defaultdict[int, list[Pause]] = defaultdict(list)
    event, waiver = table_of(FlagEvent), table_of(Waiver)
    happened = select(event.c.flag_id, event.c.kind, event.c.as_at).order_by(event.c.id)
    happened = happened.where(event.c.kind.in_(("held", "released", "resolved")))
    changes: defaultdict[int, list[tuple[str, dt.date]]] = defaultdict(list)
    for flag_id, kind, day in read_by_ids(store, happened, event.c.flag_id, flag_ids):
        changes[flag_id].append((kind, day))
    for flag_id, kinds_and_days in changes.items():
        pauses[flag_id] += find_pauses(kinds_and_days, as_at)
    for waived in read_by_ids(store, select(waiver), waiver.c.flag_id, flag_ids):
        since, until = state.find_waived_days(waived)
        if (until := min(until, as_at + dt.timedelta(1))) > since:
            pauses[waived.flag_id].append(Pause(since, until))
    return pauses


def save(
    store: Connection,
    new: Sequence[Escalated],
    back: Sequence[Escalated],
    recipients: Mapping[int, tuple[str | None, str | None]],
    stamp: Stamp,
) -> None:
    """Write tonight's steps and an event for each, inside the caller's transaction.

    ``recipients``: by number, who is to hear and why it is somebody else than the step says.
    """
    delete_rows(store, Escalation, [escalated.number for escalated in back])
    rows = [
        (step.number, step.flag_id, step.step, stamp.as_at, stamp.run_id, step.team,
         *recipients.get(step.number, (None, None)), step.severity, step.working_days)
        for step in new
    ]  # fmt: skip
    insert_rows(store, Escalation, COLUMNS, rows)
    if happened := [*map(_event, new, rows), *map(_withdrawal, back)]:
        record_stamped(store, happened, stamp)


def _event(escalated: Escalated, row: Sequence[Any]) -> Event:
    why = f"open for {escalated.working_days} working days"
    stands = say_row(Escalation, **dict(zip(COLUMNS, row, strict=True)))
    detail = {"step": escalated.step, "severity": escalated.severity, **stands}
    return Event("escalated", escalated.flag_id, escalated.person_id, escalated.rule, why, detail=detail)


def _withdrawal(escalated: Escalated) -> Event:
    detail = {"step": escalated.step, **say_gone(Escalation, [escalated.number])}
    return Event("escalation withdrawn", escalated.flag_id, why="the night was put right", detail=detail)


def load_standing(store: Connection, told: Collection[int], rules: Mapping[str, str]) -> list[Escalated]:
    """Load every step of an unresolved flag, or of one that it carries on, that no reader has had yet."""
    table, flag = table_of(Escalation), table_of(Flag)
    facts = [table.c[name] for name in ("id", "flag_id", "step", "as_at", "severity", "working_days")]
    facts += [flag.c.person_id, flag.c.rule, table.c.team]
    lineage = load_lineage(store)
    heirs = _choose_heirs(store, lineage, rules)
    query = select(*facts).join(flag, flag.c.id == table.c.flag_id)
    rows = store.execute(query.where(flag.c.resolved_on.is_(None)).order_by(table.c.id)).all()
    standing = [Escalated(*row) for row in rows if row.id not in told]
    known = {(step.flag_id, step.step) for step in standing}
    for row in read_by_ids(store, query.order_by(table.c.id), table.c.flag_id, heirs):
        step = replace(Escalated(*row), flag_id=heirs[row.flag_id])
        if step.number not in told and (step.flag_id, step.step) not in known:
            standing.append(step)
    return standing
