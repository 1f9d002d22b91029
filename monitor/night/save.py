"""Saves a night: everything that remembers, in one transaction, and the account of it for the terminal."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from monitor.caseload import departures, removed_people, roster, snapshot
from monitor.config.id_lists import read_restricted
from monitor.config.secret_ends import find_ends
from monitor.figures import measures
from monitor.figures.moves import find_movers
from monitor.flags import answers, carried, carried_waivers, life, waivers
from monitor.flags.backlog import Backlog, load_backlog, load_begun
from monitor.flags.escalation import EscalationTerms
from monitor.gate import baseline, comparison
from monitor.gate.source_fitness import SUPPLIED_BY
from monitor.messages import compose
from monitor.messages.drafts import NightBasis
from monitor.messages.duty import ClosedDay
from monitor.messages.manager import Raised
from monitor.messages.manager_flags import EscalationBasis, escalate_flags
from monitor.messages.parts import Posting
from monitor.messages.routes import plan_routes
from monitor.messages.shown import shown_title
from monitor.night.context import Judged, Night, NightOutcome, Outcome
from monitor.night.publish import prepare_lists
from monitor.outbox.last_told import load_told, load_told_escalations, load_unreached
from monitor.outbox.queue import Postmark, find_due, find_hour, post
from monitor.record import heads
from monitor.store import events, nights
from monitor.store.bulk import insert_rows
from monitor.store.row_statements import record_stamped, say_figures, say_rows
from monitor.store.tables import Measure, Run, table_of
from monitor.workspace import Workspace


def accept(night: Night, judged: Judged) -> NightOutcome:
    """Save the night and its messages in one transaction."""
    night.tools.say("Saving")
    now = night.tools.clock()
    with night.database.writing() as store:
        _save_flags(night, judged, store, now)
        _save_decisions(night, judged, store, now)
        _save_people(night, store, now)
        _save_run(night, judged, store, now)
        backlog = _load_backlog(night, judged, store)
        raised = _escalate(night, store, backlog, now)
        messages = _write_messages(night, judged, store, GoingUp(raised, backlog))
        written = save_messages(night, store, messages.postings, now)
        measures.save(night.workspace, store, run_id=night.run_id or 0, as_at=night.as_at, corrects=night.corrects)
        _record_run(night, store, now)
    heads.keep(night.database, night.config.data_folder)
    account = _account(night, judged, "put right" if night.past.tonight else "accepted")
    outcome = replace(account, messages=written, unrouted=messages.unrouted)
    night.note("night saved", **outcome.changes, messages=outcome.messages)
    return outcome


def repeat(night: Night, judged: Judged) -> NightOutcome:
    """Lay out the flags as they are stored: this date was accepted from the same input, and nothing changes."""
    with night.database.reading() as store:
        life.keep_as_stored(night.workspace)
        waivers.decide(night.workspace, store, night.as_at, after_jump=night.is_after_jump)
        life.list_flags(night.workspace, store, night.as_at)
    prepare_lists(night)
    ending = nights.RunEnding("unchanged", "accepted already from the same input")
    nights.close(night.database, night.run_id or 0, ending, night.tools.clock())
    return _account(night, judged, "unchanged")


def rehearse(night: Night, judged: Judged) -> NightOutcome:
    """Lay out what the night would save and say; save nothing."""
    with night.database.reading() as store:
        life.apply(night.workspace, store, run_id=0, as_at=night.as_at)
        _decide_waivers(night, store)
        life.list_flags(night.workspace, store, night.as_at)
        backlog = _load_backlog(night, judged, store)
        messages = _write_messages(night, judged, store, GoingUp(_escalate(night, store, backlog), backlog))
        written = sum(1 for _ in messages.postings)
    return replace(_account(night, judged, "rehearsed"), messages=written, unrouted=messages.unrouted)


def save_messages(night: Night, store: Connection, postings: Iterable[Posting], now: dt.datetime) -> int:
    """Put messages into the outbox, due at once or, for a night that the service ran, at the next send hour.

    Returns how many. Each is written, saved and let go before the next.
    """
    send_hour = night.config.delivery.send_hour
    unattended, days = night.request.unattended, night.config.working_days
    due_at = find_due(now, unattended=unattended, send_hour=send_hour, days=days)
    today_at = find_hour(now, send_hour) if unattended else now
    postmark = Postmark(night.run_id or 0, night.as_at, created_at=now, due_at=due_at, on_duty_at=today_at)
    return post(store, postings, postmark)


def _save_flags(night: Night, judged: Judged, store: Connection, now: dt.datetime) -> None:
    workspace, as_at, run_id = night.workspace, night.as_at, night.run_id or 0
    stamp = events.Stamp(as_at, now, run_id)
    links = life.apply(workspace, store, run_id=run_id, as_at=as_at)
    life.save(workspace, store, stamp, corrects=night.corrects, reopened=judged.undone.reopened)
    carried.save(store, links, stamp, corrects=night.corrects, undone=judged.undone)
    carried_waivers.carry_waivers(store, links, stamp, corrects=night.corrects, after_jump=night.is_after_jump)
    _decide_waivers(night, store)
    waivers.close(workspace, store, stamp)
    answers.notice(store, stamp)
    life.list_flags(workspace, store, as_at)


def _decide_waivers(night: Night, store: Connection) -> None:
    waivers.decide(night.workspace, store, night.as_at, corrects=night.corrects, after_jump=night.is_after_jump)


def _save_people(night: Night, store: Connection, now: dt.datetime) -> None:
    workspace, stamp = night.workspace, events.Stamp(night.as_at, now, night.run_id or 0)
    roster.save(workspace, store, stamp, corrected=bool(night.corrects))
    departures.save(workspace, store, night.as_at)
    if night.past.tonight:
        removed_people.forget_returned(store, stamp)
    removed_people.note_returned(workspace, store, stamp)


def _save_decisions(night: Night, judged: Judged, store: Connection, now: dt.datetime) -> None:
    request = night.request
    decisions = [events.Event("death recorded", person_id=person) for person in judged.deaths]
    if judged.verdict.accepted:
        why = f"{request.accept}: {'; '.join(judged.verdict.doubts)}"
        decisions.append(events.Event("night accepted anyway", why=why, by=request.by))
    if request.again:
        decisions.append(events.Event("night put right", by=request.by))
    events.record(store, decisions, as_at=night.as_at, recorded_at=now, run_id=night.run_id)


def _save_run(night: Night, judged: Judged, store: Connection, now: dt.datetime) -> None:
    """Save the night's row among the runs, its counts by rule and team, and its profile for the gate."""
    table, tonight = table_of(Run), night.past.tonight
    if tonight:
        store.execute(table.update().where(table.c.id == tonight.id).values(state="superseded"))
    described = _describe_run(night, judged, now)
    begun = _find_begun(night, judged, store)
    described["begun_rules"] = json.dumps(begun) if begun else None
    store.execute(table.update().where(table.c.id == night.run_id).values(described))
    _save_measures(night, store)
    rows = night.workspace.execute(
        "SELECT rule, count(*) FROM flag_line WHERE change = 'opened' AND state <> 'quarantined' GROUP BY rule"
    ).fetchall()
    asked = {rule: counts.asked for rule, counts in judged.evaluation.totals.items()}
    # The first night finds what has stood for years: it says nothing of what one night brings.
    opened = {rule: dict(rows).get(rule, 0) for rule in asked} if night.past.before else {}
    doubtful = judged.verdict.not_believed
    figures = [
        *comparison.list_figures(judged.seen, asked, opened, doubtful, night.as_at),
        *baseline.list_figures(judged.seen.unproven, judged.evaluation.totals, doubtful),
    ]
    comparison.save(store, figures, run_id=night.run_id or 0, as_at=night.as_at, corrects=night.corrects)


def _record_run(night: Night, store: Connection, now: dt.datetime) -> None:
    """Record what stands of the run, of the one it takes the place of, and of what it counted."""
    run, tonight, run_id = table_of(Run), night.past.tonight, night.run_id or 0
    row = store.execute(select(run).where(run.c.id == run_id)).one()._asdict()
    before = [{"id": tonight.id, "state": "superseded"}] if tonight else []
    rows = {**say_rows({Run: [*before, row]})["rows"], "figures": [say_figures(store, run_id)]}
    stamp = events.Stamp(night.as_at, now, run_id)
    record_stamped(store, [events.Event("night accepted", detail={"rows": rows})], stamp)


def _describe_run(night: Night, judged: Judged, now: dt.datetime) -> dict[str, object]:
    verdict, kept, rulebook = judged.verdict, judged.snapshot, night.rulebook
    people, absent = _count_people(night.workspace)
    in_force = rulebook.in_force(verdict.asked_on)
    return {
        "state": "accepted",
        "finished_at": now,
        "source_fingerprint": judged.intake.fingerprint,
        "rules_fingerprint": rulebook.fingerprint,
        "rule_meanings": json.dumps({rule.id: rule.meaning for rule in in_force}),
        "rule_wordings": json.dumps(
            {rule.id: [shown_title(rulebook.by_id, rule.id), rule.because.text] for rule in in_force}
        ),
        "supplied": json.dumps(sorted(judged.intake.supplied)),
        "not_believed": json.dumps(sorted(verdict.not_believed)),
        "people": people,
        "absent": absent,
        "snapshot": kept.name if kept else None,
        "snapshot_sha256": snapshot.fingerprint(kept) if kept else None,
        "reason": night.request.accept if verdict.accepted else None,
        "verdict": verdict.word,
        "doubts": json.dumps(verdict.doubts),
        "extracted_on": verdict.extracted_on,
        "asked_on": verdict.asked_on,
        "failed_rules": json.dumps(sorted(judged.evaluation.failed)),
        "corrects": night.past.tonight.id if night.past.tonight else None,
    }


def _find_begun(night: Night, judged: Judged, store: Connection) -> tuple[str, ...]:
    """Find the rules that could open flags tonight and never could before, as they are asked now.

    On the first night of real people after invented ones, that is every rule.
    """
    answers = judged.evaluation
    silent = answers.not_assessed.keys() | answers.failed.keys() | answers.doubted.keys()
    answered = (rule for rule in night.rulebook.in_force(judged.verdict.asked_on) if rule.id not in silent)
    if judged.seen.unproven.after_sample is not None:
        return tuple(sorted(rule.id for rule in answered))
    brought = {(SUPPLIED_BY + one.source, column) for one in judged.seen.sources for column in one.columns}
    return load_begun(store, night.past.before, answered, brought)


def _load_backlog(night: Night, judged: Judged, store: Connection) -> Backlog:
    begun = () if night.run_id else _find_begun(night, judged, store)
    return load_backlog(store, night.as_at, begun, since=night.as_at - dt.timedelta(life.RECENT_DAYS))


def _save_measures(night: Night, store: Connection) -> None:
    table = table_of(Measure)
    store.execute(table.delete().where(table.c.run_id.in_(night.corrects)))
    rows = night.workspace.execute(
        """
        WITH aside AS (
            SELECT rule, coalesce(team, '') AS team, count(*) FILTER (state = 'held') AS held,
                count(*) FILTER (state = 'waived') AS waived
            FROM flag_line WHERE state IN ('held', 'waived') GROUP BY ALL
        )
        SELECT $run_id, rule, team, $as_at, coalesce(asked, 0), coalesce(ok, 0), coalesce(breach, 0),
               coalesce(cannot_assess, 0), coalesce(held, 0), coalesce(waived, 0)
        FROM measure FULL JOIN aside USING (rule, team)
        """,
        {"run_id": night.run_id, "as_at": night.as_at},
    ).fetchall()
    columns = ("run_id", "rule", "team", "as_at", "asked", "ok", "breach", "cannot_assess", "held", "waived")
    insert_rows(store, Measure, columns, rows)


def _escalate(night: Night, store: Connection, backlog: Backlog, now: dt.datetime | None = None) -> tuple[Raised, ...]:
    """Decide what goes above the leads tonight, nothing new after a jump of the clock; save it where there is a run."""
    config, told = night.config, load_told_escalations(store)
    routes = plan_routes(config.teams, config.people, read_restricted(config), as_at=night.as_at)
    rules = {rule.id: rule.severity for rule in night.rulebook.rules if rule.escalate}
    steps = {} if night.is_after_jump else config.escalation.steps
    terms = EscalationTerms(steps, rules, backlog, config.escalation.backlog_days, config.working_days)
    basis = EscalationBasis(terms, routes, night.as_at, told, corrects=night.corrects)
    return escalate_flags(night.workspace, store, basis, run_id=night.run_id, recorded_at=now)


@dataclass(frozen=True)
class GoingUp:
    """What goes above the leads tonight, and the backlog, which does not step by step."""

    raised: tuple[Raised, ...]
    backlog: Backlog


def _write_messages(night: Night, judged: Judged, store: Connection, above: GoingUp) -> compose.Post:
    """Write one message for each address that has something to be told, from the lists' tables and the measures."""
    config = night.config
    prepare_lists(night)
    movers = find_movers(night.workspace, store, night.as_at)
    measures.count(night.workspace, judged.intake.supplied, adviser_cap=config.measures.adviser_cap, movers=movers)
    context = compose.describe_night(config, night.rulebook, night.past, night.as_at, chain_head=events.head(store))
    context = replace(context, cards_after=night.shared.cards_after)
    basis = NightBasis(
        rulebook=night.rulebook,
        intake=judged.intake,
        evaluated=judged.evaluation,
        verdict=judged.verdict,
        surges=judged.surges,
        ids=judged.ids,
        told=load_told(store, since=night.as_at - dt.timedelta(life.RECENT_DAYS)),
        raised=above.raised,
        backlog=above.backlog,
        lists_folder=str(night.lists),
        attach_lists=config.delivery.attaches_lists,
        closed=_find_closed_day(night),
        unreached=load_unreached(store),
        run_id=None if night.request.dry_run else night.run_id,
        secrets=find_ends(config, night.as_at),
    )
    return compose.write_all(night.workspace, store, context, night.templates, basis)


def _find_closed_day(night: Night) -> ClosedDay | None:
    """Return the closed day whose night this is, on that day itself."""
    days, today = night.config.working_days, night.request.today
    if today != night.as_at or not days.is_closed(today):
        return None
    return ClosedDay(days.next_from(today), waits=night.request.unattended)


def _count_people(workspace: Workspace) -> tuple[int, int]:
    """Count who is on the caseload, and who is known and not on it; nobody who died, reached 25 or was never seen."""
    absent = f"NOT c.present AND c.first_seen_on IS NOT NULL AND {measures.OWED}"
    rows = workspace.execute(
        f"SELECT count(*) FILTER ({measures.ON_CASELOAD}), count(*) FILTER ({absent}) FROM caseload AS c"
    ).fetchall()
    return rows[0][0], rows[0][1]


def _count_flags(workspace: Workspace) -> tuple[dict[str, int], ...]:
    """Count tonight's changes by kind, the flags opened by rule, and those unresolved by state."""
    changes, opened, states = Counter[str](), Counter[str](), Counter[str]()
    rows = workspace.execute("SELECT change, state, rule, count(*) FROM flag_line GROUP BY ALL").fetchall()
    for change, state, rule, flags in rows:
        if change is not None:
            changes[change] += flags
        if change == "opened":
            opened[rule] += flags
        if state != "resolved":
            states[state] += flags
    return tuple(dict(sorted(counted.items())) for counted in (changes, opened, states))


def _account(night: Night, judged: Judged, outcome: Outcome) -> NightOutcome:
    changes, opened, states = _count_flags(night.workspace)
    people, absent = _count_people(night.workspace)
    return NightOutcome(
        as_at=night.as_at,
        outcome=outcome,
        baseline=night.past.before is None,
        people=people,
        absent=absent,
        deaths=len(judged.deaths),
        intake=judged.intake,
        evaluation=judged.evaluation,
        severities={rule.id: rule.severity for rule in night.rulebook.rules},
        changes=changes,
        opened=opened,
        states=states,
        messages=0,
        unrouted={},
        verdict=judged.verdict,
        surges=judged.surges,
        left=departures.count(night.workspace),
        steps=tuple(night.workspace.steps),
    )
