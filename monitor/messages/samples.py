"""Messages about nobody, one of every kind and with every part filled: a council's own templates are tried on them.

A template that names what no message has, or goes wrong over what one may hold, is found before a night is run with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, get_args

from monitor.caseload.departures import Departed
from monitor.caseload.intake import Intake
from monitor.caseload.removed_people import Back
from monitor.config.delivery_settings import People, Team
from monitor.config.list_findings import ListFinding
from monitor.config.secret_ends import SecretEnd
from monitor.figures.burn_down import Counted, TeamBacklog
from monitor.figures.measures import Clearing, MeasuresAccount, MeasureTonight, Proportion
from monitor.figures.out_of_sight import EVERYONE, OUT_OF_TOUCH, LineCount
from monitor.figures.week import TeamWeek, Week
from monitor.flags.decision_lists import Decided
from monitor.gate.surges import Surge, Waiting
from monitor.gate.verdict import Verdict
from monitor.messages.analyst import Addressed, NightAccount, RefusedDigest, Why, compose_analyst
from monitor.messages.backlog_week import BacklogFound, compose_backlog
from monitor.messages.cover_notes import CoverNote, CoverNotice
from monitor.messages.head import RestrictedDigest, compose_head
from monitor.messages.lead import NoLead, compose_lead
from monitor.messages.manager import MailSoFar, Raised, compose_manager
from monitor.messages.notices import Matter, Notice
from monitor.messages.parts import ComingDue, Digest, FlagLine, Handover, MessageContext, Unchecked
from monitor.messages.routes import plan_routes
from monitor.messages.templates import Templates
from monitor.messages.told import NOTHING_TOLD, TakenBack, Told, ToldFlag
from monitor.messages.undelivered import FATES, Trouble, compose_undelivered
from monitor.rulebook.evaluation import Counts

AS_AT = date(2026, 1, 12)
BEFORE = AS_AT - timedelta(3)
LONG_AGO = AS_AT - timedelta(60)
LEAD = "lead@example.gov.uk"


@dataclass(frozen=True)
class Words:
    """A rule about nothing."""

    title: str
    sensitive: bool = False
    shown_as: str | None = None
    stands_for: tuple[str, ...] = ()
    due_on: object | None = None
    action: str = "Do what is next."
    folds: tuple[str, ...] = ()


RULES = {
    "one": Words("Contact overdue"),
    "two": Words("Plan overdue for review", folds=("one",)),
    "three": Words("A sensitive check", sensitive=True, shown_as="four"),
    "four": Words("Something to look at", stands_for=("three",)),
}


def _night(**given: Any) -> MessageContext:
    team = Team(name="North", lead="other@example.gov.uk", cover=LEAD, cover_until=AS_AT)
    people = People(analyst="analyst@example.gov.uk", head="head@example.gov.uk")
    usual: dict[str, Any] = {
        "as_at": AS_AT, "authority": "Exampleshire", "marking": "OFFICIAL-SENSITIVE", "rules": RULES,
        "routes": plan_routes([team], people, frozenset({"P9"}), as_at=AS_AT),
        "case_url": "https://cms.example.gov.uk/person/{person_id}", "adjustments": ("A rule has other limits here.",),
        "rules_changed": ("one",), "rules_withdrawn": ("An old rule",), "not_assessed": {"two": ("plan_date",)},
        "failed": {"three": "it stopped"}, "previous_accepted_on": BEFORE, "chain_head": "0" * 64,
        "taken_back": (TakenBack(BEFORE, AS_AT, "A Example", 3),),
        "handovers": {
            ("P8", "two"): Handover(frozenset({"one"}), ("two",)), ("P8", "three"): Handover(frozenset()),
        },
        "unchecked": (*(Unchecked(f"P{n}", "North") for n in range(20, 40)), Unchecked("P40", "North", True)),
        "service_wide": {}, "doubted": {"two": ("plan_date",)}, "answers_to": "answers@example.gov.uk",
        "answer_secret": b"of nobody",
    }  # fmt: skip
    return MessageContext(**(usual | given))


def _line(flag_id: int, rule: str = "one", severity: str = "high", **given: Any) -> FlagLine:
    usual: dict[str, Any] = dict.fromkeys(FlagLine._fields) | {
        "flag_id": flag_id, "person_id": f"P{flag_id}", "team": "North", "personal_adviser": "A Example", "rule": rule,
        "severity": severity, "state": "open", "opened_on": AS_AT, "due_on": BEFORE, "because": "The record says so.",
        "earlier_spells": 0, "unconfirmed": False, "flips": 1,
    }  # fmt: skip
    return FlagLine(**(usual | given))


def _leads() -> Iterator[Digest]:
    old: dict[str, Any] = {"opened_on": LONG_AGO}
    lines = [
        _line(1, severity="critical"),
        _line(2, "two", "medium", unconfirmed=True, personal_adviser=None),
        _line(3, "two", **old)._replace(person_id="P2"),
        _line(4, "three", answer="done", answered_on=BEFORE, answer_noticed_on=AS_AT),
        _line(5, earlier_spells=1, last_cleared_on=BEFORE),
        _line(6, state="held", held_since=AS_AT, held_why="the date cannot be read", **old),
        _line(7, state="resolved", resolved_reason="cleared", **old),
        _line(8, state="resolved", resolved_reason="no longer asked", **old),
        _line(8, "two", state="resolved", resolved_reason="handed on", **old)._replace(flag_id=15),
        _line(8, "one", **old)._replace(flag_id=16),
        _line(8, "three", state="resolved", resolved_reason="no longer asked", **old)._replace(flag_id=17),
        _line(10, state="waived", waived_until=AS_AT + timedelta(1), waived_on=LONG_AGO, **old),
        _line(11, waiver_ended_on=AS_AT, answer="done", answered_on=BEFORE, answer_noticed_on=AS_AT, **old),
        _line(12, "one", "medium", flips=5),
        _line(13, "two", "critical")._replace(person_id="P14"),
        _line(14, "one", "medium", **old)._replace(person_id="P14"),
    ]
    known = {each.flag_id: ToldFlag(each.person_id, each.severity) for each in lines if each.opened_on == LONG_AGO}
    told = Told(known, last_digest=BEFORE, parts={"lead": BEFORE}, perhaps_had=(BEFORE,))
    soon = ComingDue("P1", "North", "A Example", "one", AS_AT + timedelta(1), 1)
    coming = [soon, replace(soon, on_birthday=True)]
    teams, stale = {"North": "Nobody of North is listed."}, "The extract is old."
    verdict = Verdict(asked_on=BEFORE, extracted_on=BEFORE, teams=teams, stale=stale)
    weekly = _night(full_list_from=AS_AT)
    yield _must(compose_lead(LEAD, lines, told, replace(weekly, verdict=verdict, correction=True), coming))
    yield _must(compose_lead(LEAD, lines, told, _night(), coming * 20))
    yield _must(compose_lead(LEAD, lines, NOTHING_TOLD, _night(baseline=True), coming))
    yield _must(compose_lead(LEAD, [], Told(parts={"lead": BEFORE}), weekly))
    yield _must(compose_lead(LEAD, lines[:1], NOTHING_TOLD, _night(closed_until=AS_AT + timedelta(1))))
    others = [each._replace(team="West") for each in lines]
    yield _must(compose_lead("analyst@example.gov.uk", others, NOTHING_TOLD, _night()))
    yield _must(compose_lead("head@example.gov.uk", [_line(9)], NOTHING_TOLD, _night()))


def _must(digest: Digest | None) -> Digest:
    assert digest is not None  # noqa: S101 - each specimen has something to say
    return digest


def _others() -> Iterator[Digest]:
    night, team = _night(), "North"
    raised = [
        Raised(n, step, n, _line(n, rule, "critical", answer=answer, answered_on=BEFORE), n < 3)
        for step in ("manager", "head")
        for n, (rule, answer) in enumerate((("one", None), ("two", "done"), ("three", None)) * 10)
    ]
    burning = (
        Counted(False, TeamBacklog(team, 12, 1, 3, 1, (16,))),
        Counted(False, TeamBacklog(None, 2, 0, 1, 0, (1,))),
    )
    found = BacklogFound(burning, [(raised[0].line, AS_AT), (raised[1].line, BEFORE)])
    mail = MailSoFar(compose_backlog(found, night, lambda team: True), perhaps_had=(BEFORE,))
    yield _must(compose_manager("head@example.gov.uk", raised, replace(night, most_escalated=2), mail))
    yield _must(compose_manager("head@example.gov.uk", (), night, mail))
    sight = (
        LineCount(EVERYONE, 5, (1, 1, 1, 0), 2, BEFORE),
        LineCount(OUT_OF_TOUCH, 3, (1, 1, 1, 0), also_nobody_named=1),
        LineCount("no-contact", 2, (1, 0, 0, 1)),
    )
    teams = (TeamWeek(team, 5, 1, 1, 2, 0, 1), TeamWeek(None, 2, 0, 0, 1, 1))
    named = ("restricted: 0007 (line 3) matches nobody",)
    finding = ListFinding("restricted", ("restricted: line 3 matches nobody",), is_fault=True, named=named)
    yield RestrictedDigest("head@example.gov.uk", night, finding)
    for week in (Week(BEFORE, sight, teams, (BEFORE,), 4), Week(BEFORE, (), ())):
        yield compose_head("head@example.gov.uk", (team,), week, night, mail)
    intake = Intake(3, 4, 1, 2, 0, 0, 0, frozenset(), ("A heading is not known.",), fingerprint="")
    share = Proportion(1, 2, not_assessed=1)
    figure = MeasureTonight("figure", "A figure", share, before=share, before_on=LONG_AGO)
    decided = Decided({"done": 1, "not ours": 1}, {"not ours": (1, BEFORE)}, in_force=2, ending=1, unmatched=1)
    departed = Departed(
        (("P1", BEFORE),), (("P2", AS_AT),), (("P3", LONG_AGO), ("P9", AS_AT)), {"lost": 1, "closed": 2}
    )
    back, hidden = (Back(person, LONG_AGO, AS_AT, source) for person, source in (("P4", "caseload"), ("P9", None)))
    account = NightAccount(
        intake, {"one": Counts(5, 2, 2, 1)}, checked=3, opened={"one": 2}, unreadable={"plan_date": 2},
        cannot_assess={"plan_date": 1}, changes={"opened": 2}, untold=1, departed=departed,
        readers=Addressed(2, 1, 1, 1), lists_folder="lists", waiting=(Waiting("one", 3, BEFORE),),
        unreached=((LEAD, BEFORE),),
        secrets=(SecretEnd("delivery.graph", "MONITOR_GRAPH_SECRET", AS_AT),),
        caveats={"one": ("Dates are of the last return.",)}, surges=(Surge("one", 12, 0.2, 3, 2),),
        measures=MeasuresAccount((figure,), (figure,), (Clearing("one", 2, 9, 1),)), decided=decided,
        lists=(ListFinding("merged_ids", ("merged_ids: 1 line",), is_fault=True),),
        back=(back, hidden), no_lead=(NoLead("East", "unknown team", 2), NoLead(None, "no team", 1)),
    )  # fmt: skip
    usual = replace(night, full_list_from=BEFORE)
    told = Told(last_digest=BEFORE, parts={"analyst": BEFORE, "tables": BEFORE, "unasked:six": BEFORE})
    for before, the_night in ((NOTHING_TOLD, night), (told, usual)):
        yield compose_analyst("analyst@example.gov.uk", [_line(1, severity="data")], before, the_night, account)
    first = compose_analyst("analyst@example.gov.uk", [], told, usual, account)
    known = Told(last_digest=BEFORE, parts=dict.fromkeys((*first.holds, "tables"), BEFORE))
    yield compose_analyst("analyst@example.gov.uk", [_line(1, severity="data")], known, usual, account)
    nothing = NightAccount(replace(intake, notes=()), {}, lists_folder="lists")
    quiet = replace(usual, failed={}, doubted={}, not_assessed={}, adjustments=(), rules_changed=(), rules_withdrawn=())
    yield compose_analyst("analyst@example.gov.uk", [], told, quiet, nothing)
    for why in get_args(Why):
        yield RefusedDigest("analyst@example.gov.uk", night, why, ("Too few people.",))
    troubles = [Trouble(fate, LEAD, (team,), "lead", BEFORE, "The mail server said no.") for fate in FATES]
    yield compose_undelivered("analyst@example.gov.uk", troubles, night)
    notes = (
        CoverNote("begins", "cover", team, "t", AS_AT, LEAD), CoverNote("begins", "lead", team, "t", AS_AT, LEAD),
        CoverNote("ends", "cover", team, "t"), CoverNote("ends", "lead", team, "t"),
    )  # fmt: skip
    yield CoverNotice(LEAD, night, notes)
    for matter in get_args(Matter):
        yield Notice("analyst@example.gov.uk", night, matter, ("The database does not answer.",), BEFORE, repeat=True)


def make() -> list[Digest]:
    """Make one or more of every kind of message."""
    return [*_leads(), *_others()]


def prove(templates: Templates) -> None:
    """Put every specimen into words; raises ``Problems`` with everything that went wrong."""
    templates.prove(make())
