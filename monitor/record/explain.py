"""Explains one person: each rule's outcome and why, and everything held about them.

The rules are asked again of the caseload kept of a night; where none is kept whole, of what the roster last knew.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, or_, select
from sqlmodel import SQLModel

from monitor.caseload import snapshot
from monitor.catalogue import columns
from monitor.config.id_lists import read_restricted
from monitor.config.settings import Config
from monitor.errors import Problems, Refused
from monitor.outbox.person_messages import load_person_messages
from monitor.record import last_night
from monitor.record.kept_nights import KeptNight, ask_rules, find_nights
from monitor.record.purge_files import SNAPSHOTS
from monitor.rulebook import clearing
from monitor.rulebook.condition import compile_condition
from monitor.rulebook.evaluation import Evaluation
from monitor.rulebook.names import CODES, TYPES
from monitor.rulebook.rule import Rule
from monitor.rulebook.rulebook import Rulebook
from monitor.store.database import Database
from monitor.store.events import in_payload
from monitor.store.known_ids import say_unknown
from monitor.store.tables import Flag, FlagEvent, table_of
from monitor.words import write_date
from monitor.workspace import Workspace, fetch, lock_down, open_workspace

NOT_ASKED = "not asked"
BLANK = "blank"
ORDER = ("breach", "cannot assess", "ok", "not applicable", NOT_ASKED)
"""What needs somebody first."""
MESSAGE_LINE = ("key", "as_at", "created_at", "recipient", "kind", "state")
"""What an account says of a message: not what it says of others."""


@dataclass(frozen=True)
class Value:
    """One value a rule looked at. ``shown``: as a person reads it; *blank*, *unreadable* or *not supplied* if none."""

    name: str
    shown: str


@dataclass(frozen=True)
class RuleAnswer:
    """One rule's outcome. ``why``: why it was not asked or cannot be assessed; ``clears``: what would end a breach.

    ``stands_on``: its basis, with the law and the paragraphs of the inspection report.
    """

    rule: str
    title: str
    severity: str
    outcome: str
    why: str | None
    values: tuple[Value, ...]
    because: str | None
    due_on: dt.date | None
    clears: str | None
    stands_on: str
    changed_since: bool


@dataclass(frozen=True)
class Explanation:
    """Everything about one person. ``held``: the rows of each table that are theirs; ``kept_nights``: the nights whose
    kept caseload has them."""

    person_id: str
    as_at: dt.date
    source: str
    answers: tuple[RuleAnswer, ...]
    events: tuple[Mapping[str, Any], ...]
    messages: tuple[Mapping[str, Any], ...]
    held: Mapping[str, tuple[Mapping[str, Any], ...]]
    kept_nights: tuple[dt.date, ...]

    @property
    def flags(self) -> tuple[Mapping[str, Any], ...]:
        return self.held["flag"]

    def decisions(self, flag_id: int) -> tuple[str, ...]:
        """Return what people have decided and said of a flag: its waiver in force, and each answer on a list."""
        waived = [
            f"waived until {waiver['until_on']} by {waiver['waived_by']} ({waiver['reason']}): {waiver['note']}"
            for waiver in self.held.get("waiver", ())
            if waiver["flag_id"] == flag_id and waiver["ended_on"] is None
        ]
        answered = [
            f"answered {answer['answer']} on {answer['answered_on']} by {answer['answered_by']}"
            + ("; record not yet updated" if answer["answer"] == "done" else "")
            for answer in self.held.get("answer", ())
            if answer["flag_id"] == flag_id
        ]
        return (*waived, *answered)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain_person(
    database: Database, config: Config, rulebook: Rulebook, person_id: str, *, as_at: dt.date | None = None
) -> Explanation:
    """Give the account of one person as at a night, else the last accepted.

    ``Problems`` if nobody of that id was ever accepted.
    """
    nights = find_nights(database, config.data_folder / SNAPSHOTS)
    night = _choose_night(nights, as_at)
    with database.reading() as store:
        held = _load_rows(store, person_id)
        events = _load_events(store, person_id, [row["id"] for row in held["flag"]])
        theirs = load_person_messages(store, person_id)
        messages = tuple({name: getattr(message, name) for name in MESSAGE_LINE} for message in theirs)
    kept_on = _find_kept_nights(nights, person_id)
    if not (any(held.values()) or events or kept_on):
        with database.reading() as store:
            raise Problems([say_unknown(store, person_id, read_restricted(config))])
    answers, source = _ask(database, night, rulebook, person_id)
    return Explanation(person_id, night.as_at, source, answers, events, messages, held, kept_on)


def _choose_night(nights: Sequence[KeptNight], as_at: dt.date | None) -> KeptNight:
    if chosen := [night for night in nights if as_at in (None, night.as_at)]:
        return chosen[-1]
    night = f"--as-at {as_at}: no night of that date was accepted" if as_at else "no night has been accepted yet"
    raise Refused(f"{night}; nobody can be explained from it")


# Asking


def _ask(
    database: Database, night: KeptNight, rulebook: Rulebook, person_id: str
) -> tuple[tuple[RuleAnswer, ...], str]:
    """Ask every rule; return the answers, and what they were asked of."""
    if night.why_not is None:
        workspace, source = open_workspace(), f"the caseload kept of {night.as_at}"
    else:
        workspace, last = last_night.load_last_night(database)
        source = f"what the roster last knew, as at {last}, because {night.why_not}"
    with workspace:
        if night.why_not is None:
            snapshot.read(workspace, night.path)
        else:
            # Between nights nobody has a row of tonight: who was not missing on the last night counts as here.
            workspace.execute(
                "UPDATE caseload SET present = absent_since IS NULL FROM roster "
                "WHERE roster.person_id = caseload.person_id"
            )
        workspace.execute("DELETE FROM caseload WHERE person_id <> ?", [person_id])
        lock_down(workspace)
        rows = fetch(workspace, "SELECT * FROM caseload")
        if not rows:
            return (), f"{source}, which does not have this person: dead or 25 by then, or not yet known"
        evaluated = ask_rules(workspace, rulebook, night)
        answers = list(_load_answers(workspace, rulebook.rules, rows[0], evaluated, night))
    return tuple(sorted(answers, key=lambda answer: ORDER.index(answer.outcome))), source


def _load_answers(
    workspace: Workspace, rules: Sequence[Rule], row: Mapping[str, Any], evaluated: Evaluation, night: KeptNight
) -> Iterator[RuleAnswer]:
    """Load each rule's answer about the one person of the caseload, whose ``row`` it is."""
    outcomes = dict(workspace.execute("SELECT rule, outcome FROM answer").fetchall())
    sentences = dict(workspace.execute("SELECT rule, because FROM breach").fetchall())
    gaps = "string_agg(replace(\"column\", '_', ' ') || ' ' || why, ', ' ORDER BY \"column\", why)"
    missing = dict(workspace.execute(f"SELECT rule, {gaps} FROM cannot_assess GROUP BY rule").fetchall())
    due = _due_dates(workspace, [rule for rule in rules if rule.id in outcomes])
    for rule in rules:
        outcome = outcomes.get(rule.id, NOT_ASKED)
        not_asked = _why_not_asked(rule, row, evaluated, night.asked_on) if outcome == NOT_ASKED else None
        yield RuleAnswer(
            rule=rule.id,
            title=rule.title,
            severity=rule.severity,
            outcome=outcome,
            why=missing.get(rule.id, not_asked),
            values=tuple(Value(name, _shown(name, row)) for name in _names(rule)),
            because=sentences.get(rule.id),
            due_on=due.get(rule.id) if outcome in ("ok", "breach") else None,
            clears=clearing.in_words(rule) if rule.id in sentences else None,
            stands_on=f"{rule.basis}. {rule.reference}",
            changed_since=night.meanings.get(rule.id, rule.meaning) != rule.meaning,
        )


def _due_dates(workspace: Workspace, rules: Sequence[Rule]) -> dict[str, dt.date]:
    timed = [(rule, rule.due_on) for rule in rules if rule.due_on is not None]
    if not timed:
        return {}
    listed = ", ".join(f"({compile_condition(due_on, rule.limits)})" for rule, due_on in timed)
    (dates,) = workspace.execute(f"SELECT {listed} FROM caseload").fetchall()
    return {rule.id: due for (rule, _), due in zip(timed, dates, strict=True) if due is not None}


def _names(rule: Rule) -> list[str]:
    """Return what its conditions look at: recorded columns, those it needs first, then what is worked out."""
    asked = [rule.applies_to, rule.breach_if, *([rule.due_on] if rule.due_on else [])]
    named = {name for condition in asked for name in condition.names & TYPES.keys()} - {"as_at"}
    if not rule.any_age:
        named.add("age")
    return list(dict.fromkeys([*rule.needs, *sorted(named & columns.BY_NAME.keys()), *sorted(named)]))


def _why_not_asked(rule: Rule, row: Mapping[str, Any], evaluated: Evaluation, as_at: dt.date) -> str:
    if row["died"]:
        return "nothing is asked about someone recorded as died"
    if rule.status != "live":
        return f"the rule is a {rule.status}"
    if not rule.is_in_force(as_at):
        return "the rule is not in force on this date"
    if rule.id in evaluated.failed:
        return f"the rule failed while running: {evaluated.failed[rule.id]}"
    if rule.id in evaluated.not_assessed:
        return "no source supplies " + ", ".join(evaluated.not_assessed[rule.id]).replace("_", " ")
    if rule.id in evaluated.doubted:
        return "not believed on this night: " + ", ".join(evaluated.doubted[rule.id]).replace("_", " ")
    return "not on this night's caseload" if row["present"] is False else "not known whether they are on the caseload"


def _shown(name: str, row: Mapping[str, Any]) -> str:
    value, gap = row[name], row.get(f"{name}_gap")
    if gap:
        return str(gap)
    if value is None:
        return BLANK
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.date):
        return write_date(value)
    meaning = CODES.get(name, {}).get(str(value))
    return f"{value} ({meaning})" if meaning and len(str(value)) <= 4 else str(value)


# What is held


def _load_rows(store: Connection, person_id: str) -> dict[str, tuple[Mapping[str, Any], ...]]:
    """Load the rows of every table that names the person, or one of their flags, whatever tables there are."""
    flag = table_of(Flag)
    theirs = select(flag.c.id).where(flag.c.person_id == person_id)
    held: dict[str, tuple[Mapping[str, Any], ...]] = {"person": (), "flag": ()}
    for table in SQLModel.metadata.sorted_tables:
        if "person_id" in table.c:
            wanted = table.c.person_id == person_id
        elif "flag_id" in table.c and table.name != FlagEvent.__tablename__:
            wanted = table.c.flag_id.in_(theirs)
        else:
            continue
        rows = store.execute(select(table).where(wanted).order_by(*table.primary_key.columns))
        held[table.name] = tuple({name: _plain(name, value) for name, value in row._mapping.items()} for row in rows)
    return held


def _plain(column: str, value: Any) -> Any:
    """Return a value of a row; what is stored as JSON, as what it says."""
    return json.loads(value) if column in ("last_values", "row") and value is not None else value


def _load_events(store: Connection, person_id: str, flags: Sequence[int]) -> tuple[Mapping[str, Any], ...]:
    """Load what was recorded of the person and their flags, in order, from the payloads of the chain."""
    event = table_of(FlagEvent)
    named = and_(event.c.flag_id.is_(None), event.c.payload.contains(in_payload(person_id), autoescape=True))
    rows = store.execute(select(event.c.payload).where(or_(event.c.flag_id.in_(flags), named)).order_by(event.c.id))
    payloads = (json.loads(row.payload) for row in rows if row.payload is not None)
    about = (_leave_out_others(payload, person_id) for payload in payloads)
    return tuple(payload for payload in about if payload is not None)


def _leave_out_others(payload: dict[str, Any], person_id: str) -> dict[str, Any] | None:
    """Return what an event says of the person, without the rows of others beside theirs; None if it is of others."""
    if payload.get("person_id") == person_id:
        return payload
    rows = {
        table: [row for row in said if row.get("person_id") == person_id]
        for table, said in payload.get("rows", {}).items()
    }
    theirs = {table: said for table, said in rows.items() if said}
    return {**payload, "rows": theirs} if theirs else None


def _find_kept_nights(nights: Sequence[KeptNight], person_id: str) -> tuple[dt.date, ...]:
    there = {str(night.path): night.as_at for night in nights if night.why_not is None}
    if not there:
        return ()
    with open_workspace() as workspace:
        rows = workspace.execute(
            "SELECT DISTINCT filename FROM read_parquet($files, filename = true, union_by_name = true) "
            "WHERE person_id = $id",
            {"files": list(there), "id": person_id},
        ).fetchall()
    return tuple(sorted(there[row[0]] for row in rows))


def narrow(account: Explanation, rule: str) -> Explanation:
    """Return the account with one rule's answer and events; what is held stays whole."""
    return replace(
        account,
        answers=tuple(answer for answer in account.answers if answer.rule == rule),
        events=tuple(event for event in account.events if event.get("rule") == rule),
    )
