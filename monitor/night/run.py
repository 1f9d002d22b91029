"""One night, from the sources to the delivered messages: a plain function of the config and a date.

    sources -> caseload -> trust gate -> evaluation -> flags -> digests -> outbox -> delivery
                                                    \\-> exception lists, snapshot, oversight report

Everything that remembers is saved in one transaction, so a night that is killed has happened or has not; what
follows it (lists, delivery) is completed by the next run of the same date.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import URL, Connection

from monitor.caseload import departures, joining, removed_people, roster, snapshot, unlisted
from monitor.caseload.intake import Intake, join_roster, type_rows
from monitor.config.settings import Config, read_restricted
from monitor.delivery.channel import Channel, open_channel
from monitor.errors import LockHeld, MonitorError, Refused, SourceError, StoreError
from monitor.figures import measures
from monitor.flags import answers, coming_due, decision_lists, life, waivers
from monitor.gate import comparison, source_fitness
from monitor.gate.surges import Surge, count_new, decide, judge_surges
from monitor.gate.verdict import Comparison, NotBelieved, Verdict, accept, find_doubted, judge, leave_unjudged
from monitor.lists import answer_sheet
from monitor.lists import lists as exception_lists
from monitor.messages import compose, manager_flags, samples
from monitor.messages.manager import Raised
from monitor.messages.routes import plan_routes
from monitor.messages.templates import Templates, open_templates
from monitor.night import failure
from monitor.night.failure import Alarms
from monitor.outbox.due_time import find_due
from monitor.outbox.queue import Posting, post
from monitor.outbox.send import Delivered, deliver_due
from monitor.report.write import write_latest_report
from monitor.rulebook import evaluation
from monitor.rulebook.rulebook import Rulebook, load_rulebook
from monitor.sources.read import read_source
from monitor.store import events, nights
from monitor.store.bulk import insert_rows
from monitor.store.database import WAIT_SECONDS, Database, is_there, reading_store, working_store
from monitor.store.location import locate, name_place
from monitor.store.nights import Ledger, Request
from monitor.store.tables import Measure, Run, table_of
from monitor.workspace import Workspace, lock_down, open_workspace, suit

Clock = Callable[[], dt.datetime]
Say = Callable[[str], None]
NOWHERE = URL.create("sqlite")
"""A database in memory: what a rehearsal starts from where there is none yet."""
Outcome = Literal["accepted", "put right", "unchanged", "rehearsed"]


class Note(Protocol):
    """Where a stage of the night is logged: a few words that never change, and counts; never a person."""

    def __call__(self, stage: str, /, **counts: int | str | None) -> None: ...


def note_nothing(stage: str, /, **counts: int | str | None) -> None:
    """For a night that a person watches: the closing account says it all."""


@dataclass(frozen=True)
class Tools:
    """What the night reads of the world, handed in by ``cli``: clock, secrets, where progress is told and logged.

    ``told``: the alarms that this process has raised.
    """

    clock: Clock
    environ: Mapping[str, str]
    say: Say
    note: Note = note_nothing
    told: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class NightOutcome:
    """What one night did, for the terminal: counts, and no person.

    ``verdict``: what the gate said; ``believed``: False for a rehearsal that a real run would refuse.
    """

    as_at: dt.date
    outcome: Outcome
    baseline: bool
    people: int
    absent: int
    deaths: int
    intake: Intake
    evaluation: evaluation.Evaluation
    changes: Mapping[str, int]
    opened: Mapping[str, int]
    states: Mapping[str, int]
    messages: int
    unrouted: Mapping[str, int]
    verdict: Verdict
    surges: tuple[Surge, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)
    believed: bool = True
    lists: tuple[Path, ...] = ()
    report: tuple[Path, ...] = ()
    report_fault: str | None = None
    delivered: Delivered = field(default_factory=Delivered)

    @property
    def exit_code(self) -> int:
        if not self.believed:
            return 3
        whole = not (self.evaluation.failed or self.verdict.is_in_doubt or self.states.get("quarantined"))
        return 0 if whole and self.delivered.settled and self.report_fault is None else 1


@dataclass(frozen=True)
class Judged:
    """The night as decided, before anything is saved; the rest is in the workspace's tables."""

    workspace: Workspace
    intake: Intake
    evaluation: evaluation.Evaluation
    seen: Comparison
    verdict: Verdict
    surges: tuple[Surge, ...]
    snapshot: Path | None


def run_night(
    config: Config,
    request: Request,
    tools: Tools,
    *,
    rulebook: Rulebook | None = None,
    templates: Templates | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> NightOutcome:
    """Run the night; raises ``MonitorError`` with nothing changed where it cannot be believed.

    ``rulebook``, ``templates``: those already read and found sound, by a caller who does not want what the files
    may hold by now. ``wait_seconds``: how long another run may take to finish, or the database to answer.
    """
    rulebook = rulebook or load_rulebook(config.rule_folders(), config.rule)
    templates = templates or open_templates(config.templates)
    if config.templates is not None:
        samples.prove(templates)
    if request.dry_run:
        return _rehearse(config, request, rulebook, templates, tools)
    channel = open_channel(config.delivery, data_folder=config.data_folder, environ=tools.environ)
    where = locate(config, tools.environ)
    told = Alarms(config.data_folder / "alarms", tools.told)
    teller = failure.Teller(config, where, rulebook, templates, channel, told, tools.clock)
    with (
        failure.told_of_failure(teller, request),
        _open_store(config, where, wait_seconds) as database,
    ):
        past = nights.read_ledger(database, request.as_at)
        nights.check_date(request, past)
        with _recorded(config, request, rulebook, templates, database, past, channel, tools) as run_id:
            judged = _judge(config, request, rulebook, database, past, tools, run_id=run_id)
            if _is_unchanged(request, past, judged, rulebook):
                night = _repeat(request, database, past, judged, run_id, tools)
            else:
                night = _accept(config, request, rulebook, templates, database, past, judged, run_id, tools)
        lists: tuple[Path, ...] = ()
        unwritten: MonitorError | None = None
        try:
            lists = _write_lists(config, rulebook, database, judged.workspace, request.as_at, tools.say)
            tools.note("lists written", run=run_id, files=len(lists))
        except MonitorError as wrong:  # a full disk keeps no message from its reader
            unwritten = wrong
        tools.say("Delivering messages")
        delivered = deliver_due(database, channel, config, clock=tools.clock)
        tools.note("messages delivered", run=run_id, **delivered.counts)
        if unwritten:
            raise unwritten
        written, fault = _write_report(config, request, rulebook, templates, database, tools, run_id)
        return replace(night, lists=lists, report=written, report_fault=fault, delivered=delivered)


@contextmanager
def _open_store(config: Config, where: URL, wait_seconds: float) -> Iterator[Database]:
    """The store and the right to write to it, made first if no night has been run here."""
    _insist_on_history(config, where, wait_seconds)
    with working_store(where, wait_seconds=wait_seconds) as database:
        yield database


def _insist_on_history(config: Config, where: URL, wait_seconds: float) -> None:
    """A database gone from beside the nights it remembers is not made anew: everything would be new to everybody."""
    kept = snapshot.newest(config.data_folder / "snapshots")
    if kept and not is_there(where, wait_seconds=wait_seconds):
        raise StoreError(
            f"{name_place(where)}: is not there, though nights have been run here (snapshots/{kept.name}); put it back "
            f"from a backup, or, to begin anew, move {config.data_folder} away first"
        )


def _write_report(
    config: Config,
    request: Request,
    rulebook: Rulebook,
    templates: Templates,
    database: Database,
    tools: Tools,
    run_id: int,
) -> tuple[tuple[Path, ...], str | None]:
    """The latest oversight report, and what went wrong with it: the night is saved and sent whether it can be made."""
    if not config.report.every_night:
        return (), None
    tools.say("Writing the oversight report")
    try:
        paths = write_latest_report(config, rulebook, templates, database, made_on=request.today)
    except MonitorError as fault:
        tools.note("report failed", run=run_id, fault=type(fault).__name__)
        return (), str(fault)
    except Exception as fault:
        tools.note("report failed", run=run_id, fault=type(fault).__name__)
        return (), f"the oversight report could not be made ({type(fault).__name__}); monitor report shows where"
    tools.note("report written", run=run_id, files=len(paths))
    return paths, None


@contextmanager
def _recorded(
    config: Config,
    request: Request,
    rulebook: Rulebook,
    templates: Templates,
    database: Database,
    past: Ledger,
    channel: Channel,
    tools: Tools,
) -> Iterator[int]:
    """A row of the ledger for this attempt, however it ends; the analyst is told of a night that was not accepted."""
    run_id = nights.begin(database, request, tools.clock())
    tools.note("night begun", run=run_id, as_at=request.as_at.isoformat())
    try:
        yield run_id
    except MonitorError as fault:
        state = "refused" if isinstance(fault, Refused) else "failed"
        verdict = "refused" if isinstance(fault, NotBelieved) else None
        tools.note("night not accepted", run=run_id, state=state, why=_why(fault))
        with suppress(StoreError, LockHeld):  # what cannot be recorded now, the next run finds unfinished
            nights.close(database, run_id, state, str(fault), tools.clock(), verdict=verdict)
            if not isinstance(fault, nights.RequestRefused) and not nights.was_said(database, run_id):
                with database.writing() as store:
                    head = events.head(store)
                    night = compose.describe_night(config, rulebook, past, request.as_at, chain_head=head)
                    told = compose.write_refusal(night, templates, _why(fault), str(fault).splitlines())
                    _post(config, store, [told], request, run_id, tools.clock())
                deliver_due(database, channel, config, clock=tools.clock)
                _write_report(config, request, rulebook, templates, database, tools, run_id)
        raise
    except BaseException:
        with suppress(StoreError, LockHeld):
            nights.close(database, run_id, "failed", "stopped before it was finished", tools.clock())
        raise


def _why(fault: MonitorError) -> Literal["refused", "unreadable", "failed"]:
    if isinstance(fault, SourceError):
        return "unreadable"
    return "refused" if isinstance(fault, Refused) else "failed"


def _judge(
    config: Config,
    request: Request,
    rulebook: Rulebook,
    database: Database,
    past: Ledger,
    tools: Tools,
    *,
    run_id: int | None,
) -> Judged:
    """Everything up to the decisions on flags; nothing is saved but the snapshot file, if there is a run."""
    workspace, as_at = open_workspace(), request.as_at
    extracts, care = [], None
    for source in config.sources:
        tools.say(f"Reading {source.name}")
        if source.kind == "care-history":
            care = unlisted.read(workspace, source, tools.environ, as_at=as_at, say=tools.say)
            continue
        extract = read_source(
            source, workspace, as_at=as_at, data_folder=config.data_folder, environ=tools.environ, say=tools.say
        )
        extracts.append(extract)
    suit(workspace, [extract.table for extract in extracts])
    tools.say("Checking every cell")
    intake = type_rows(
        workspace,
        extracts,
        as_at=as_at,
        not_an_adviser=config.not_an_adviser,
        team_names=config.team_names,
        beside=care.beside if care else None,
    )
    if care:
        intake = unlisted.compare(workspace, care, intake)
    read = {name: getattr(intake, name) for name in ("rows", "people", "unreadable_rows", "unreadable_cells")}
    tools.note("sources read", run=run_id, sources=len(config.sources), **read)
    last_night = past.before.as_at if past.before else None
    departures.load_merged(workspace, config.merged_ids)
    with database.reading() as store:
        roster.load(workspace, store, corrects=max(past.same_date, default=None))
        life.load(workspace, store, corrects=past.same_date)
        joining.spell_teams(workspace, "roster", "team", config.team_names)
        seen = comparison.compare(workspace, store, intake, extracts, config.sources, before=past.before, as_at=as_at)
        verdict = judge(seen, config.gate, as_at)
        tools.note("gate passed judgment", run=run_id, verdict=verdict.word, doubts=len(verdict.doubts))
        if request.accept is not None or nights.was_accepted_anyway(past, intake.fingerprint):
            verdict = accept(verdict, as_at)
        elif verdict.refusals and not request.dry_run:
            raise NotBelieved(verdict)
        doubtful = frozenset() if verdict.accepted else frozenset(verdict.columns)
        comparison.put_back(workspace, store, sorted(doubtful))
    asked_on, known = verdict.asked_on, replace(intake, supplied=intake.supplied | doubtful)
    unlisted_from = care.source if care else None
    join_roster(workspace, known, as_at=asked_on, team_names=config.team_names, unlisted_from=unlisted_from)
    leave_unjudged(workspace, verdict)
    departures.leave_merged(workspace)
    roster.place_accommodation(workspace, last_night=last_night)
    kept = snapshot.write(workspace, config.data_folder / "snapshots", as_at=as_at, run_id=run_id) if run_id else None
    lock_down(workspace)
    tools.say("Asking every rule of every person")
    doubted = find_doubted(rulebook.in_force(asked_on), doubtful)
    evaluated = evaluation.evaluate(workspace, rulebook, asked_on, intake.supplied, doubted)
    evaluated = source_fitness.annotate(evaluated, rulebook.in_force(asked_on), extracts, intake.supplied)
    if care:
        intake = unlisted.describe(care, intake, evaluated)
    reworded = nights.find_reworded(past, {rule.id: rule.because.text for rule in rulebook.rules})
    roster.decide(workspace, as_at)
    departures.decide(workspace, as_at)
    life.decide(workspace, life.gather_facts(rulebook, evaluated, asked_on, reworded), as_at, corrects=past.same_date)
    surges = _find_surges(workspace, config, rulebook, past, seen, verdict, as_at)
    decide(workspace, surges, config.quarantine, as_at)
    counted = evaluated.totals.values()
    totals = {"breach": sum(one.breach for one in counted), "cannot_assess": sum(one.cannot_assess for one in counted)}
    unasked = {"not_assessed": len(evaluated.not_assessed), "failed": len(evaluated.failed)}
    tools.note("rules asked", run=run_id, rules=len(evaluated.totals), **totals, **unasked)
    unanswered = evaluated.failed.keys() | evaluated.doubted.keys()
    coming_due.look_ahead(workspace, rulebook, asked_on, intake.supplied, unanswered)
    return Judged(workspace, intake, evaluated, seen, verdict, surges, kept)


def _find_surges(
    workspace: Workspace,
    config: Config,
    rulebook: Rulebook,
    past: Ledger,
    seen: Comparison,
    verdict: Verdict,
    as_at: dt.date,
) -> tuple[Surge, ...]:
    """No rule's on the first night it is asked, nor after its meaning changed, nor on a night believed on request."""
    if past.before is None or verdict.accepted:
        return ()
    meanings = json.loads(past.before.rule_meanings or "{}")
    asked = [
        rule.id
        for rule in rulebook.in_force(verdict.asked_on)
        if rule.severity != "data" and rule.id in seen.asked_before and meanings.get(rule.id) == rule.meaning
    ]
    new = count_new(workspace, asked, past.same_date)
    days = (as_at - past.before.as_at).days
    return judge_surges(new, seen.opened_before, seen.people, config.quarantine, days_since=days)


def _is_unchanged(request: Request, past: Ledger, judged: Judged, rulebook: Rulebook) -> bool:
    try:
        same = nights.unchanged(
            request, past, source_fingerprint=judged.intake.fingerprint, rules_fingerprint=rulebook.fingerprint
        )
    except MonitorError:
        _discard(judged)
        raise
    if same:
        _discard(judged)
    return same


def _discard(judged: Judged) -> None:
    if judged.snapshot:
        judged.snapshot.unlink(missing_ok=True)


def _accept(
    config: Config,
    request: Request,
    rulebook: Rulebook,
    templates: Templates,
    database: Database,
    past: Ledger,
    judged: Judged,
    run_id: int,
    tools: Tools,
) -> NightOutcome:
    """Save the night and its messages in one transaction."""
    workspace, as_at, now = judged.workspace, request.as_at, tools.clock()
    tools.say("Saving")
    try:
        with database.writing() as store:
            life.settle(workspace, store, run_id=run_id, as_at=as_at)
            life.save(workspace, store, run_id=run_id, as_at=as_at, recorded_at=now)
            waivers.close(workspace, store, run_id=run_id, as_at=as_at, recorded_at=now, corrects=past.same_date)
            answers.notice(store, as_at)
            _record_night(workspace, store, request, judged, run_id, now)
            life.show(workspace, store, as_at)
            roster.save(workspace, store, run_id=run_id)
            departures.save(workspace, store, as_at)
            removed_people.note_returned(
                workspace, store, run_id=run_id, as_at=as_at, recorded_at=now, corrects=past.tonight is not None
            )
            _save_measures(workspace, store, past, run_id, as_at)
            _save_run(workspace, store, rulebook, past, judged, request, run_id, now)
            _save_profile(workspace, store, past, judged, run_id, as_at)
            raised = _escalate(config, rulebook, store, past, judged, as_at, run_id=run_id, recorded_at=now)
            post = _write_letters(config, rulebook, templates, store, past, judged, as_at, raised)
            measures.save(workspace, store, run_id=run_id, as_at=as_at, corrects=past.same_date)
            _post(config, store, post.postings, request, run_id, now)
    except BaseException:
        _discard(judged)
        raise
    night = _account(judged, as_at, "put right" if past.tonight else "accepted", past, post)
    tools.note("night saved", run=run_id, **night.changes, messages=night.messages)
    return night


def _post(
    config: Config,
    store: Connection,
    postings: Sequence[Posting],
    request: Request,
    run_id: int,
    now: dt.datetime,
) -> None:
    due_at = find_due(now, unattended=request.unattended, send_hour=config.delivery.send_hour)
    post(store, postings, run_id=run_id, as_at=request.as_at, created_at=now, due_at=due_at)


def _repeat(
    request: Request, database: Database, past: Ledger, judged: Judged, run_id: int, tools: Tools
) -> NightOutcome:
    """A date that was accepted from this very input: nothing changes; the tables for the lists are made again."""
    with database.reading() as store:
        life.load(judged.workspace, store)
        life.stand(judged.workspace)
        life.show(judged.workspace, store, request.as_at)
    nights.close(database, run_id, "unchanged", "accepted already from the same input", tools.clock())
    return _account(judged, request.as_at, "unchanged", past, compose.Post((), {}))


def _rehearse(config: Config, request: Request, rulebook: Rulebook, templates: Templates, tools: Tools) -> NightOutcome:
    """Everything but saving and sending: the database is only read, or not there yet."""
    where = locate(config, tools.environ)
    _insist_on_history(config, where, WAIT_SECONDS)
    with reading_store(where) if is_there(where) else working_store(NOWHERE) as database:
        past = nights.read_ledger(database, request.as_at)
        judged = _judge(config, request, rulebook, database, past, tools, run_id=None)
        with database.reading() as store:
            life.settle(judged.workspace, store, run_id=0, as_at=request.as_at)
            life.show(judged.workspace, store, request.as_at, corrects=past.same_date)
            raised = _escalate(config, rulebook, store, past, judged, request.as_at)
            post = _write_letters(config, rulebook, templates, store, past, judged, request.as_at, raised)
    night = _account(judged, request.as_at, "rehearsed", past, post)
    return replace(night, believed=judged.verdict.word != "refused" or judged.verdict.accepted)


def _escalate(
    config: Config,
    rulebook: Rulebook,
    store: Connection,
    past: Ledger,
    judged: Judged,
    as_at: dt.date,
    *,
    run_id: int | None = None,
    recorded_at: dt.datetime | None = None,
) -> tuple[Raised, ...]:
    """What goes above the leads tonight; saved where there is a run."""
    routes = plan_routes(config.teams, config.people, read_restricted(config.restricted), as_at=as_at)
    return manager_flags.settle(
        judged.workspace,
        store,
        config.escalation,
        rulebook,
        routes,
        as_at,
        corrects=past.same_date,
        run_id=run_id,
        recorded_at=recorded_at,
    )


def _write_letters(
    config: Config,
    rulebook: Rulebook,
    templates: Templates,
    store: Connection,
    past: Ledger,
    judged: Judged,
    as_at: dt.date,
    raised: Sequence[Raised],
) -> compose.Post:
    _prepare_lists(config, rulebook, judged.workspace, as_at)
    measures.take(judged.workspace, judged.intake.supplied, adviser_cap=config.measures.adviser_cap)
    night = compose.describe_night(
        config,
        rulebook,
        past,
        as_at,
        evaluated=judged.evaluation,
        verdict=judged.verdict,
        chain_head=events.head(store),
    )
    return compose.write_all(
        judged.workspace,
        store,
        night,
        templates,
        intake=judged.intake,
        evaluated=judged.evaluation,
        deaths=_new_deaths(judged.workspace),
        surges=judged.surges,
        lists_folder=str(config.data_folder / "exceptions" / as_at.isoformat()),
        raised=raised,
        attach_lists=config.delivery.attaches_lists,
    )


def _prepare_lists(config: Config, rulebook: Rulebook, workspace: Workspace, as_at: dt.date) -> None:
    exception_lists.prepare(workspace, rulebook.rules, config.teams, as_at=as_at)
    exception_lists.prepare_unassessed(workspace)
    decision_lists.prepare(workspace, as_at)
    coming_due.prepare_list(workspace)


def _write_lists(
    config: Config, rulebook: Rulebook, database: Database, workspace: Workspace, as_at: dt.date, say: Say
) -> tuple[Path, ...]:
    say("Writing exception lists")
    _prepare_lists(config, rulebook, workspace, as_at)
    with database.reading() as store:
        answering = answer_sheet.allow_answers(config, store)
    folder = config.data_folder / "exceptions"
    paths = exception_lists.write_night(
        workspace,
        folder,
        as_at=as_at,
        teams=[team.name for team in config.teams],
        workbooks=config.lists.workbooks,
        restricted=read_restricted(config.restricted),
        marking=config.delivery.marking,
        answering=answering,
    )
    if config.lists.lists_folder:
        paths += exception_lists.publish(folder / as_at.isoformat(), config.lists.lists_folder)
    return tuple(paths)


def _record_night(
    workspace: Workspace,
    store: Connection,
    request: Request,
    judged: Judged,
    run_id: int,
    now: dt.datetime,
) -> None:
    """Events about people and the night itself, beside those of flags."""
    happened = [events.Event("death recorded", person_id=person) for person in _new_deaths(workspace)]
    if judged.verdict.accepted:
        why = f"{request.accept}: {'; '.join(judged.verdict.doubts)}"
        happened.append(events.Event("night accepted anyway", why=why, by=request.by))
    if request.again:
        happened.append(events.Event("night put right", by=request.by))
    events.record(store, happened, as_at=request.as_at, recorded_at=now, run_id=run_id)


def _new_deaths(workspace: Workspace) -> list[str]:
    rows = workspace.execute("""
        SELECT person_id FROM roster_tonight AS tonight LEFT JOIN roster AS before USING (person_id)
        WHERE tonight.died_on IS NOT NULL AND before.died_on IS NULL ORDER BY person_id
    """).fetchall()
    return [row[0] for row in rows]


def _save_measures(workspace: Workspace, store: Connection, past: Ledger, run_id: int, as_at: dt.date) -> None:
    table = table_of(Measure)
    store.execute(table.delete().where(table.c.run_id.in_(past.same_date)))
    rows = workspace.execute(
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
        {"run_id": run_id, "as_at": as_at},
    ).fetchall()
    columns = ("run_id", "rule", "team", "as_at", "asked", "ok", "breach", "cannot_assess", "held", "waived")
    insert_rows(store, Measure, columns, rows)


def _save_run(
    workspace: Workspace,
    store: Connection,
    rulebook: Rulebook,
    past: Ledger,
    judged: Judged,
    request: Request,
    run_id: int,
    now: dt.datetime,
) -> None:
    table = table_of(Run)
    if past.tonight:
        store.execute(table.update().where(table.c.id == past.tonight.id).values(state="superseded"))
    people, absent = _people(workspace)
    in_force = rulebook.in_force(judged.verdict.asked_on)
    values = {
        "state": "accepted",
        "finished_at": now,
        "source_fingerprint": judged.intake.fingerprint,
        "rules_fingerprint": rulebook.fingerprint,
        "rule_meanings": json.dumps({rule.id: rule.meaning for rule in in_force}),
        "rule_wordings": json.dumps({rule.id: [rule.shown_title, rule.because.text] for rule in in_force}),
        "supplied": json.dumps(sorted(judged.intake.supplied)),
        "not_believed": json.dumps([] if judged.verdict.accepted else sorted(judged.verdict.columns)),
        "people": people,
        "absent": absent,
        "snapshot": judged.snapshot.name if judged.snapshot else None,
        "snapshot_sha256": snapshot.fingerprint(judged.snapshot) if judged.snapshot else None,
        "reason": request.accept if judged.verdict.accepted else None,
        "verdict": judged.verdict.word,
        "doubts": json.dumps(judged.verdict.doubts),
        "extracted_on": judged.verdict.extracted_on,
        "asked_on": judged.verdict.asked_on,
        "failed_rules": json.dumps(sorted(judged.evaluation.failed)),
        "corrects": past.tonight.id if past.tonight else None,
    }
    store.execute(table.update().where(table.c.id == run_id).values(values))


def _save_profile(
    workspace: Workspace, store: Connection, past: Ledger, judged: Judged, run_id: int, as_at: dt.date
) -> None:
    rows = workspace.execute(
        "SELECT rule, count(*) FROM flag_line WHERE change = 'opened' AND state <> 'quarantined' GROUP BY rule"
    ).fetchall()
    asked = {rule: counts.asked for rule, counts in judged.evaluation.totals.items()}
    # The first night finds what has stood for years: it says nothing of what one night brings.
    opened = {rule: dict(rows).get(rule, 0) for rule in asked} if past.before else {}
    doubtful = frozenset() if judged.verdict.accepted else frozenset(judged.verdict.columns)
    comparison.save(store, judged.seen, asked, opened, doubtful, run_id=run_id, as_at=as_at, corrects=past.same_date)


def _people(workspace: Workspace) -> tuple[int, int]:
    rows = workspace.execute(
        "SELECT count(*) FILTER (present), count(*) FILTER (NOT present AND first_seen_on IS NOT NULL) FROM caseload"
    ).fetchall()
    return rows[0][0], rows[0][1]


def _account(judged: Judged, as_at: dt.date, outcome: Outcome, past: Ledger, post: compose.Post) -> NightOutcome:
    def counted(column: str, where: str = "true") -> dict[str, int]:
        rows = judged.workspace.execute(
            f"SELECT {column}, count(*) FROM flag_line WHERE {where} GROUP BY ALL ORDER BY ALL"
        )
        return {row[0]: row[1] for row in rows.fetchall()}

    people, absent = _people(judged.workspace)
    return NightOutcome(
        as_at=as_at,
        outcome=outcome,
        baseline=past.before is None,
        people=people,
        absent=absent,
        deaths=len(_new_deaths(judged.workspace)),
        intake=judged.intake,
        evaluation=judged.evaluation,
        changes=counted("change", "change IS NOT NULL"),
        opened=counted("rule", "change = 'opened'"),
        states=counted("state", "state <> 'resolved'"),
        messages=len(post.postings),
        unrouted=post.unrouted,
        verdict=judged.verdict,
        surges=judged.surges,
        left=departures.count(judged.workspace),
    )
