"""One night, from the sources to the delivered messages: a plain function of the config and a date.

    sources -> caseload -> trust gate -> evaluation -> flags -> digests -> outbox -> delivery
                                                    \\-> exception lists, snapshot, oversight report

What happens when a step fails:

    1. config, rules, templates   nothing starts, and every problem is listed
    2. read the caseload          the night fails; no flag changes, and the analyst is told
    3. judge it                   the night is refused; no flag changes, and the analyst is told
    4. ask the rules              a rule that fails has its flags held; answers that cannot be, with no history, as in 3
    5. decide the flags           the night fails, as in 2; a rehearsal ends here
    6. save                       one transaction: a night that is killed has happened or has not
    7. publish and deliver        the next run of the same date writes and sends what was left
"""

import json
from contextlib import closing
from dataclasses import replace

from sqlalchemy import URL

from monitor.caseload import departures, roster, snapshot
from monitor.config.settings import Config
from monitor.delivery.channel import open_channel
from monitor.flags import carried, coming_due, life
from monitor.flags.quarantine import hold_surges
from monitor.gate import surges
from monitor.messages import samples
from monitor.messages.templates import open_templates
from monitor.night import failure, judgment, publish, save
from monitor.night.context import Judged, Night, NightOutcome, Tools, open_database
from monitor.record import continuity
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store import nights
from monitor.store.database import WAIT_SECONDS, is_there, reading_store, working_store
from monitor.store.location import locate
from monitor.store.nights import Request

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
            with closing(Night(config, request, tools, rulebook, templates, database, past)) as night:
                return _rehearse(night)
    channel = open_channel(config.delivery, config.data_folder, config.network.reach(tools.environ))
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
        with closing(Night(config, request, tools, rulebook, templates, database, past)) as begun:
            with failure.recorded(begun, channel) as night:
                outcome = _run(night)
            return publish.publish(night, outcome, channel)


def _run(night: Night) -> NightOutcome:
    """Read, judge, ask and decide; then save, or find that this date was accepted from the very same input."""
    found = judgment.read_night(night)
    read, judged = found.caseload, judgment.judge_caseload(night, found)
    rules = night.rulebook.fingerprint
    same = nights.unchanged(
        night.request, night.past, source_fingerprint=read.intake.fingerprint, rules_fingerprint=rules
    )
    if same:
        return save.repeat(night, _decide(night, judgment.ask_rules(night, read, judged)))
    kept = snapshot.write(night.workspace, night.snapshots, as_at=night.as_at, run_id=night.run_id or 0)
    try:
        return save.accept(night, replace(_decide(night, judgment.ask_rules(night, read, judged)), snapshot=kept))
    except BaseException:
        kept.unlink(missing_ok=True)
        raise


def _rehearse(night: Night) -> NightOutcome:
    """Do everything but save and send: the database is only read, or not there yet."""
    judged = _decide(night, judgment.foresee(night))
    return replace(save.rehearse(night, judged), believed=judged.verdict.word != "refused" or judged.verdict.accepted)


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
    hold_surges(workspace, found, None if after_jump else night.config.quarantine, as_at, night.config.working_days)
    answers = judged.evaluation
    unanswered = answers.failed.keys() | answers.doubted.keys()
    coming_due.look_ahead(workspace, night.rulebook, judged.verdict.asked_on, judged.intake.supplied, unanswered)
    return replace(judged, surges=found, deaths=roster.find_new_deaths(workspace))


def _find_edges(night: Night, judged: Judged) -> life.Edges:
    """Find what deciding needs to know of the nights before."""
    meanings = {rule.id: rule.meaning for rule in night.rulebook.in_force(judged.verdict.asked_on)}
    with night.database.reading() as store:
        changed = nights.find_changed(store, night.past, meanings, life.load_held_days(store))
        unanswered = carried.find_unanswered(store, night.corrects, judged.undone)
    return life.Edges(changed, judged.undone, unanswered, after_jump=night.is_after_jump)


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
