"""Reads a night's caseload, judges whether it can be believed, and asks the rules: all that comes before any decision.

``monitor check`` asks for the same before a night, in the same words.
"""

import hashlib
import json
from dataclasses import dataclass, replace

from monitor.caseload import departures, joining, list_matches, roster, unlisted
from monitor.caseload.full_caseload import join_roster
from monitor.caseload.intake import CaseloadRead, forget_caseload, read_caseload
from monitor.flags import carried, coming_due, life
from monitor.gate import baseline, comparison, source_fitness
from monitor.gate.verdict import (
    NotBelieved,
    Verdict,
    accept,
    doubt_people,
    find_doubted,
    judge,
    leave_unjudged,
    refuse_also,
)
from monitor.night.context import Judged, Night
from monitor.rulebook import evaluation
from monitor.sources.extract import SourceContext
from monitor.store import nights
from monitor.workspace import lock_down


@dataclass(frozen=True)
class NightRead:
    """What a night has read: its caseload, the nights it is compared with, and what its merged ids undo."""

    caseload: CaseloadRead
    past: comparison.PastNights
    undone: carried.Undone


def foresee(night: Night) -> Judged:
    """Read, judge and ask, deciding nothing."""
    found = read_night(night)
    return ask_rules(night, found.caseload, judge_caseload(night, found))


def read_night(night: Night) -> NightRead:
    """Read every source into one typed row per person, and what the store holds of those before."""
    past = _look_back(night)
    caseload, past = _read_sources(night, past)
    counts = {
        name: getattr(caseload.intake, name) for name in ("rows", "people", "unreadable_rows", "unreadable_cells")
    }
    night.note("sources read", sources=len(night.config.sources), **counts)
    with night.database.reading() as store:
        roster.load(night.workspace, store, corrects=max(night.corrects, default=None))
        ids = list_matches.match_ids(night.workspace, night.config)
        departures.load_merged(night.workspace, ids.merged)
        undone = carried.find_undone(night.workspace, store, night.corrects)
        life.load(night.workspace, store, corrects=night.corrects, undone=undone)
    joining.spell_teams(night.workspace, "roster", "team", night.config.team_names)
    return NightRead(_know_by_merged_ids(replace(caseload, ids=ids)), past, undone)


def _look_back(night: Night) -> comparison.PastNights:
    """Find what the night is compared with, and whether none of it has a history."""
    past, again = night.past, night.request.again
    last = past.tonight or past.before
    with night.database.reading() as store:
        known = baseline.read_known(store, last.as_at) if last else baseline.NOTHING_KNOWN
    invented = any(source.kind == "sample" for source in night.config.sources)
    after_sample = last.as_at if last and known.sample and not invented else None
    repeats = past.tonight is not None and not again
    return comparison.PastNights(
        before=past.before,
        corrected=past.tonight if again else None,
        known=baseline.NOTHING_KNOWN if after_sample else known,
        whole=not repeats and (last is None or again or night.is_after_jump or after_sample is not None),
        after_sample=after_sample,
    )


def _read_sources(night: Night, past: comparison.PastNights) -> tuple[CaseloadRead, comparison.PastNights]:
    """Read the sources; read them again without the columns that somebody accepts although nothing stands in them."""
    workspace, config, tools, known = night.workspace, night.config, night.tools, past.known
    context = SourceContext(
        night.as_at,
        config.data_folder,
        tools.environ,
        tools.say,
        left_out=known.left_out,
        network=config.network.reach(tools.environ),
    )
    caseload = read_caseload(workspace, config, context)
    accepted = _is_accepted(night, caseload)
    pairs = baseline.find_new_pairs(caseload, known, whole=past.whole or accepted) - known.blank
    blank = baseline.find_blank(workspace, caseload, _terms(night), pairs)
    if blank and accepted:
        forget_caseload(workspace)
        left_out = known.left_out | {(one.empty.source, one.empty.column) for one in blank}
        caseload = read_caseload(workspace, config, replace(context, left_out=left_out))
    return caseload, replace(past, blank=blank)


def _terms(night: Night) -> baseline.BaselineTerms:
    return baseline.BaselineTerms(night.as_at, night.rulebook.in_force(night.as_at), night.config.gate.fewest)


def _is_accepted(night: Night, caseload: CaseloadRead) -> bool:
    """Return whether somebody has said that the night is to be believed all the same."""
    accepted = nights.was_accepted_anyway(night.past, caseload.intake.fingerprint)
    return night.request.accept is not None or accepted


def _know_by_merged_ids(read: CaseloadRead) -> CaseloadRead:
    """Let another list of merged ids make another input of the same extracts."""
    if not read.ids.merged:
        return read
    told = json.dumps([read.intake.fingerprint, sorted(read.ids.merged.items())])
    return replace(read, intake=replace(read.intake, fingerprint=hashlib.sha256(told.encode()).hexdigest()))


def judge_caseload(night: Night, found: NightRead) -> Judged:
    """Compare the caseload with the last accepted one, and make ``caseload`` of what can be believed.

    Raises ``NotBelieved`` where the gate refuses and nobody has said that the night is to be believed all the same; of
    a night without history, ``ask_rules`` does, once its answers are judged too.
    """
    workspace, past, read = night.workspace, night.past, found.caseload
    with night.database.reading() as store:
        seen = comparison.compare(workspace, store, read, found.past, _terms(night))
        seen = replace(seen, confirmed=past.tonight is not None)
        verdict = doubt_people(
            judge(seen, night.config.gate, night.as_at, night.config.working_days), read.intake.doubts
        )
        night.note("gate passed judgment", verdict=verdict.word, doubts=len(verdict.doubts))
        if _is_accepted(night, read):
            verdict = accept(verdict, night.as_at)
        elif not seen.unproven.whole:
            _insist(night, verdict)
        comparison.put_back(workspace, store, sorted(verdict.not_believed))
        earlier = nights.list_accepted(store, before=night.as_at)
    join_roster(
        workspace,
        replace(read.intake, supplied=read.intake.supplied | verdict.not_believed),
        as_at=verdict.asked_on,
        team_names=night.config.team_names,
        unlisted_from=read.care.source if read.care else None,
    )
    leave_unjudged(workspace, verdict)
    departures.leave_merged(workspace)
    roster.place_accommodation(workspace, nights=earlier)
    return Judged(read.intake, seen, verdict, ids=read.ids, undone=found.undone)


def _insist(night: Night, verdict: Verdict) -> None:
    """Raise ``NotBelieved`` where the night is refused, and is no rehearsal."""
    if verdict.refusals and not verdict.accepted and not night.request.dry_run:
        raise NotBelieved(verdict)


def ask_rules(night: Night, read: CaseloadRead, judged: Judged) -> Judged:
    """Ask every rule of every person; nothing reads or writes a file from here on.

    Raises ``NotBelieved`` where answers without history cannot be right, as ``judge_caseload`` does.
    """
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
    never = [name for extract in read.extracts for name in extract.blank_means_none]
    doubts = baseline.doubt_answers(answers.totals, night.rulebook.by_id, judged.seen.unproven, never)
    verdict = refuse_also(judged.verdict, doubts, accepted=_is_accepted(night, read))
    _insist(night, verdict)
    return replace(judged, intake=intake, evaluation=answers, verdict=verdict)
