"""One night, from the sources to the delivered messages: a plain function of the config and a date.

    sources -> caseload -> trust gate -> evaluation -> flags -> digests -> outbox -> delivery
                                                    \\-> exception lists, snapshot, oversight report

What happens when a step fails:

    1. config, rules, templates   nothing starts, and every problem is listed
    2. read the caseload          the night fails; no flag changes, and the analyst is told
    3. judge it                   the night is refused; no flag changes, and the analyst is told
    4. ask the rules              a rule that fails has its flags held
    5. decide the flags           the night fails, as in 2; a rehearsal ends here
    6. save                       one transaction: a night that is killed has happened or has not
    7. publish and deliver        the next run of the same date writes and sends what was left
"""

import hashlib
import json
from dataclasses import replace

from sqlalchemy import URL

from monitor.caseload import departures, joining, list_matches, roster, snapshot, unlisted
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.intake import CaseloadRead, read_caseload
from monitor.config.settings import Config
from monitor.delivery.channel import open_channel
from monitor.flags import carried, coming_due, life
from monitor.flags.quarantine import hold_surges
from monitor.gate import comparison, source_fitness, surges
from monitor.gate.verdict import NotBelieved, accept, find_doubted, judge, leave_unjudged
from monitor.messages import samples
from monitor.messages.templates import open_templates
from monitor.night import failure, publish, save
from monitor.night.context import Judged, Night, NightOutcome, Tools, open_database
from monitor.record import continuity
from monitor.rulebook import evaluation
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store import nights
from monitor.store.database import WAIT_SECONDS, is_there, reading_store, working_store
from monitor.store.location import locate
from monitor.store.nights import Request
from monitor.workspace import lock_down

NOWHERE = URL.create("sqlite")
"""A database in memory: what a rehearsal starts from where there is none yet."""


def run_night(config: Config, request: Request, tools: Tools, *, wait_seconds: float = WAIT_SECONDS) -> NightOutcome:
    """Run the night; raise ``MonitorError`` with nothing changed where it cannot be believed.

    ``wait_seconds``: how long another run may take to finish, or the database to answer.
    """
    rulebook, templates = open_rulebook(config), open_templates(config.templates)
    if config.templates is not None:
        samples.prove(templates)
    where = locate(config, tools.environ)
    if request.dry_run:
        continuity.insist(config, where, wait_seconds=wait_seconds)
        with reading_store(where) if is_there(where) else working_store(NOWHERE) as database:
            past = nights.read_ledger(database, request.as_at)
            return _rehearse(Night(config, request, tools, rulebook, templates, database, past))
    channel = open_channel(config.delivery, data_folder=config.data_folder, environ=tools.environ)
    alarms = failure.Alarms(config.data_folder / "alarms", tools.told)
    teller = failure.Teller(config, where, rulebook, templates, channel, alarms, tools.clock)
    with (
        failure.told_of_failure(teller, request),
        open_database(config, where, request, tools, wait_seconds) as (
            database,
            request,
        ),
    ):
        past = nights.read_ledger(database, request.as_at)
        nights.check_date(request, past)
        with failure.recorded(Night(config, request, tools, rulebook, templates, database, past), channel) as night:
            outcome = _run(night)
        return publish.publish(night, outcome, channel)


def _run(night: Night) -> NightOutcome:
    """Read, judge, ask and decide; then save, or find that this date was accepted from the very same input."""
    read, undone = _read(night)
    judged = _judge(night, read, undone)
    rules = night.rulebook.fingerprint
    same = nights.unchanged(
        night.request, night.past, source_fingerprint=read.intake.fingerprint, rules_fingerprint=rules
    )
    if same:
        return save.repeat(night, _decide(night, _ask(night, read, judged)))
    kept = snapshot.write(night.workspace, night.snapshots, as_at=night.as_at, run_id=night.run_id or 0)
    try:
        return save.accept(night, replace(_decide(night, _ask(night, read, judged)), snapshot=kept))
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


def _rehearse(night: Night) -> NightOutcome:
    """Do everything but save and send: the database is only read, or not there yet."""
    read, undone = _read(night)
    judged = _decide(night, _ask(night, read, _judge(night, read, undone)))
    return replace(save.rehearse(night, judged), believed=judged.verdict.word != "refused" or judged.verdict.accepted)


def _read(night: Night) -> tuple[CaseloadRead, carried.Undone]:
    """Read every source into one typed row per person, and what the store holds of those before.

    Return also what tonight's list of merged ids undoes.
    """
    read = read_caseload(night.workspace, night.config, night.as_at, night.tools.environ, night.tools.say)
    counts = {name: getattr(read.intake, name) for name in ("rows", "people", "unreadable_rows", "unreadable_cells")}
    night.note("sources read", sources=len(night.config.sources), **counts)
    with night.database.reading() as store:
        roster.load(night.workspace, store, corrects=max(night.corrects, default=None))
        ids = list_matches.match_ids(night.workspace, night.config)
        departures.load_merged(night.workspace, ids.merged)
        undone = carried.find_undone(night.workspace, store, night.corrects)
        life.load(night.workspace, store, corrects=night.corrects, undone=undone)
    joining.spell_teams(night.workspace, "roster", "team", night.config.team_names)
    return _know_by_merged_ids(replace(read, ids=ids)), undone


def _know_by_merged_ids(read: CaseloadRead) -> CaseloadRead:
    """Let another list of merged ids make another input of the same extracts."""
    if not read.ids.merged:
        return read
    told = json.dumps([read.intake.fingerprint, sorted(read.ids.merged.items())])
    return replace(read, intake=replace(read.intake, fingerprint=hashlib.sha256(told.encode()).hexdigest()))


def _judge(night: Night, read: CaseloadRead, undone: carried.Undone) -> Judged:
    """Compare the caseload with the last accepted one, and make ``caseload`` of what can be believed.

    Raises ``NotBelieved`` where the gate refuses and nobody has said that the night is to be believed all the same.
    """
    workspace, request, past = night.workspace, night.request, night.past
    with night.database.reading() as store:
        seen = comparison.compare(workspace, store, read, before=past.before, as_at=night.as_at)
        seen = replace(seen, confirmed=past.tonight is not None)
        verdict = judge(seen, night.config.gate, night.as_at)
        night.note("gate passed judgment", verdict=verdict.word, doubts=len(verdict.doubts))
        if request.accept is not None or nights.was_accepted_anyway(past, read.intake.fingerprint):
            verdict = accept(verdict, night.as_at)
        elif verdict.refusals and not request.dry_run:
            raise NotBelieved(verdict)
        comparison.put_back(workspace, store, sorted(verdict.not_believed))
    join_roster(
        workspace,
        replace(read.intake, supplied=read.intake.supplied | verdict.not_believed),
        as_at=verdict.asked_on,
        team_names=night.config.team_names,
        unlisted_from=read.care.source if read.care else None,
    )
    leave_unjudged(workspace, verdict)
    departures.leave_merged(workspace)
    roster.place_accommodation(workspace, last_night=past.before.as_at if past.before else None)
    return Judged(read.intake, seen, verdict, ids=read.ids, undone=undone)


def _ask(night: Night, read: CaseloadRead, judged: Judged) -> Judged:
    """Ask every rule of every person; nothing reads or writes a file from here on."""
    night.tools.say("Asking every rule of every person")
    lock_down(night.workspace)
    asked_on, supplied = judged.verdict.asked_on, read.intake.supplied
    rules = night.rulebook.in_force(asked_on)
    doubted = find_doubted(rules, judged.verdict.not_believed)
    ahead = coming_due.show_days(night.workspace, night.rulebook, asked_on, supplied, doubted)
    asking = evaluation.Asking(asked_on, supplied, doubted, ahead)
    answers = evaluation.evaluate(night.workspace, night.rulebook, asking)
    answers = evaluation.explain_unassessed(night.workspace, night.rulebook, answers)
    answers = source_fitness.annotate(answers, rules, read.extracts, supplied)
    totals = answers.totals.values()
    night.note(
        "rules asked",
        rules=len(totals),
        breach=sum(counts.breach for counts in totals),
        cannot_assess=sum(counts.cannot_assess for counts in totals),
        not_assessed=len(answers.not_assessed),
        failed=len(answers.failed),
    )
    intake = unlisted.describe(read.care, read.intake, answers) if read.care else read.intake
    return replace(judged, intake=intake, evaluation=answers)


def _decide(night: Night, judged: Judged) -> Judged:
    """Decide what becomes of every person on the roster and of every flag."""
    workspace, as_at = night.workspace, night.as_at
    after_jump = night.is_after_jump
    roster.decide(workspace, as_at, judged.intake.supplied | judged.verdict.not_believed, after_jump=after_jump)
    departures.decide(workspace, as_at, after_jump=after_jump)
    reworded = nights.find_reworded(night.past, {rule.id: rule.because.text for rule in night.rulebook.rules})
    facts = life.gather_facts(night.rulebook, judged.evaluation, judged.verdict.asked_on, reworded)
    life.decide(workspace, facts, as_at, _find_edges(night, judged))
    found = _find_surges(night, judged)
    hold_surges(workspace, found, None if after_jump else night.config.quarantine, as_at)
    answers = judged.evaluation
    unanswered = answers.failed.keys() | answers.doubted.keys()
    coming_due.look_ahead(workspace, night.rulebook, judged.verdict.asked_on, judged.intake.supplied, unanswered)
    return replace(judged, surges=found, deaths=roster.find_new_deaths(workspace))


def _find_edges(night: Night, judged: Judged) -> life.Edges:
    """Find where rules ask something else than on the night that last found a flag in breach."""
    meanings = {rule.id: rule.meaning for rule in night.rulebook.in_force(judged.verdict.asked_on)}
    with night.database.reading() as store:
        changed = nights.find_changed(store, night.past, meanings, life.load_held_days(store))
    return life.Edges(changed, judged.undone, after_jump=night.is_after_jump)


def _find_surges(night: Night, judged: Judged) -> tuple[surges.Surge, ...]:
    """Find rules with too many new flags; none on a rule's first night, after its meaning changed, or on request."""
    before = night.past.before
    if before is None or judged.verdict.accepted:
        return ()
    meanings = json.loads(before.rule_meanings or "{}")
    asked = [
        rule.id
        for rule in night.rulebook.in_force(judged.verdict.asked_on)
        if rule.severity != "data" and rule.id in judged.seen.asked_before and meanings.get(rule.id) == rule.meaning
    ]
    new = surges.count_new(night.workspace, asked)
    days = (night.as_at - before.as_at).days
    return surges.judge_surges(
        new, judged.seen.opened_before, judged.seen.people, night.config.quarantine, days_since=days
    )
