"""What each address is told: routing, order, silence, and what is never said."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from support.lead_digests import Words

from monitor.config.delivery_settings import People, Team
from monitor.messages.lead import LeadDigest, NoLead, compose_lead
from monitor.messages.news import fold_flags
from monitor.messages.night_lines import make_lines
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import plan_routes
from monitor.messages.templates import render
from monitor.messages.told import NOTHING_TOLD, Told, ToldFlag

AS_AT = date(2026, 1, 12)
BEFORE = date(2026, 1, 9)
LEAD = "lead.north@example.gov.uk"
CARE = "care@example.gov.uk"
HEAD = "head@example.gov.uk"
ANALYST = "analyst@example.gov.uk"
TEAMS = (
    Team(name="Leaving Care North", lead=LEAD, also_known_as=("LC North",)),
    Team(name="Leaving Care West"),
)


RULES = {
    "homeless": Words("Nowhere settled to live"),
    "plan": Words("Pathway plan overdue for review", "Hold the review and record it."),
    "contact": Words("Contact overdue"),
    "low": Words("A small thing"),
    "not-in-touch": Words("Not in touch", folds=frozenset({"contact"})),
    "vulnerable": Words(
        "Disabled, no adviser", "Secret action.", sensitive=True, shown_as="priority", folds=frozenset({"plan"})
    ),
    "priority": Words("Priority check", "Look at the record.", stands_for=("vulnerable",)),
    "combined": Words("Several signs at once", folds=frozenset({"not-in-touch", "plan"})),
}


def routes(restricted: tuple[str, ...] = (), **people: Any) -> Any:
    asked = {"analyst": ANALYST, "fallback": CARE, "head": HEAD} | people
    return plan_routes(TEAMS, People(**asked), frozenset(restricted))


def night(**given: Any) -> MessageContext:
    usual: dict[str, Any] = {
        "as_at": AS_AT, "authority": "Exampleshire", "marking": "OFFICIAL-SENSITIVE", "rules": RULES,
        "routes": routes(),
    }  # fmt: skip
    return MessageContext(**(usual | given))


def line(flag_id: int, person_id: str, rule: str = "plan", severity: str = "high", **given: Any) -> FlagLine:
    usual: dict[str, Any] = dict.fromkeys(FlagLine._fields)
    usual |= {
        "flag_id": flag_id, "person_id": person_id, "rule": rule, "severity": severity, "state": "open",
        "team": "Leaving Care North", "opened_on": AS_AT, "because": "Because.", "earlier_spells": 0,
        "flips": 0,
    }  # fmt: skip
    return FlagLine(**(usual | given))


def told(*lines: FlagLine, on: date = BEFORE, **states: str) -> Told:
    """What a lead was told by a digest of ``on``; ``states`` by person, where a flag was not called open."""
    flags = {
        each.flag_id: ToldFlag(each.person_id, each.severity, states.get(each.person_id, "open")) for each in lines
    }
    return Told(flags, last_digest=on)


def told_nothing(on: date) -> Told:
    """What a lead knows whose only digest reported no flag."""
    return Told(parts={"lead": on})


def compose(
    lines: list[FlagLine],
    told: Told = NOTHING_TOLD,
    recipient: str = LEAD,
    the_night: MessageContext | None = None,
    *,
    full: bool = False,
) -> LeadDigest | None:
    the_night = the_night or night()
    return compose_lead(recipient, lines, told, replace(the_night, full_list_from=AS_AT) if full else the_night)


def sections(digest: LeadDigest | None) -> dict[str, list[str]]:
    """Who is told of as what, in the order of the digest."""
    assert digest is not None
    others = [each.person_id for _, people in digest.critical_others for each in people]
    told = {
        "critical": [*(card.person_id for card in digest.critical_cards), *others],
        "lost": [card.person_id for card in digest.lost_cards],
        "new": [person.person_id for person in digest.also_new],
    }
    return {kind: people for kind, people in told.items() if people}


def statuses(digest: LeadDigest | None) -> dict[str, list[str]]:
    """What the flags of each line are to the reader."""
    assert digest is not None
    return {person.person_id: [item.status for item in person.items] for person in digest.also_new}


OLD = line(900, "P900", "contact", "medium", opened_on=date(2025, 12, 1))
"""A flag that the lead was told of long ago."""


def test_a_team_is_found_by_either_name_whatever_its_case_and_spaces():
    found = [routes().address(name, "P001") for name in ("leaving  care NORTH", "lc north ")]

    assert found == [LEAD, LEAD]


def test_people_of_a_blank_an_unknown_and_a_leadless_team_go_to_the_fallback_each_for_its_reason():
    the_routes = routes()

    found = {
        team: (the_routes.address(team, "P001"), the_routes.unrouted(team))
        for team in (None, "East", "Leaving Care West")
    }

    assert found == {
        None: (CARE, "no team"),
        "East": (CARE, "unknown team"),
        "Leaving Care West": (CARE, "no lead"),
    }


def test_without_a_fallback_the_analyst_hears():
    assert routes(fallback=None).address("East", "P001") == ANALYST


def test_one_mailbox_in_two_spellings_is_one_recipient_with_both_teams():
    teams = (Team(name="A", lead="Lead@example.gov.uk"), Team(name="B", lead="lead@Example.gov.uk"))

    the_routes = plan_routes(teams, People())

    assert the_routes.address("A", "P001") == the_routes.address("B", "P002") == "lead@example.gov.uk"
    assert the_routes.teams_of("lead@example.gov.uk") == ("A", "B")


def test_a_restricted_person_is_shown_to_the_head_of_service_and_to_nobody_else():
    lines = [line(1, "P001"), line(2, "P002")]
    the_night = night(routes=routes(restricted=("P002",)))

    lead = compose(lines, told(OLD), the_night=the_night)
    head = compose(lines, told(OLD), recipient=HEAD, the_night=the_night)

    assert sections(lead) == {"new": ["P001"]}
    assert sections(head) == {"new": ["P002"]}
    assert head.restricted == 1


def test_a_restricted_person_is_shown_to_nobody_when_there_is_no_head_of_service():
    the_routes = routes(restricted=("P002",), head=None)

    assert the_routes.address("Leaving Care North", "P002") is None


def test_another_teams_line_never_reaches_a_lead_even_when_it_is_handed_over():
    assert compose([line(1, "P001", team="East")], told(OLD)) is None


def test_the_fallback_is_told_which_teams_and_how_many_people():
    lines = [line(1, "P001", team=None), line(2, "P002", team="East"), line(3, "P003", team="East")]

    digest = compose(lines, told(OLD), recipient=CARE)

    assert digest.no_lead == (NoLead(None, "no team", 1), NoLead("East", "unknown team", 2))


def test_a_flag_is_new_until_a_digest_naming_it_was_accepted_at_that_address():
    opened_last_week = line(1, "P001", opened_on=BEFORE)

    before = compose([opened_last_week, OLD], told(OLD))
    after = compose([opened_last_week, OLD], told(OLD, opened_last_week))

    assert sections(before)["new"] == ["P001"]
    assert after is None


def test_someone_in_the_last_digest_with_a_critical_flag_is_newly_critical_and_the_news_comes_first():
    known = line(1, "P001", "contact", "medium", opened_on=BEFORE)

    digest = compose([known, line(2, "P001", "homeless", "critical")], told(known))

    assert sections(digest) == {"critical": ["P001"]}
    (card,) = digest.critical_cards
    assert (card.item.title, card.item.status, card.also) == ("Nowhere settled to live", "new", ("Contact overdue",))


def test_someone_in_the_last_digest_with_another_flag_no_more_serious_is_new():
    known = line(1, "P001", "plan", "high", opened_on=BEFORE)

    digest = compose([known, line(2, "P001", "contact", "medium")], told(known))

    assert sections(digest) == {"new": ["P001"]}


def test_a_flag_that_is_more_severe_than_when_it_was_told_is_news_and_newly_critical_if_it_is():
    def now(severity: str) -> LeadDigest | None:
        return compose([line(1, "P001", severity=severity, opened_on=BEFORE)], told(known))

    known = line(1, "P001", severity="medium", opened_on=BEFORE)

    assert (sections(now("critical")), statuses(now("high"))) == ({"critical": ["P001"]}, {"P001": ["worse"]})
    assert (now("medium"), now("low")) == (None, None)


def test_a_flag_that_cleared_90_days_ago_is_back_and_91_days_ago_is_new():
    recent = line(1, "P001", earlier_spells=1, last_cleared_on=AS_AT - timedelta(90))
    distant = line(2, "P002", earlier_spells=1, last_cleared_on=AS_AT - timedelta(91))

    digest = compose([recent, distant], told(OLD))

    assert statuses(digest) == {"P001": ["back"], "P002": ["new"]}


def test_who_could_not_be_checked_since_the_last_digest_is_counted_once():
    held = line(1, "P001", state="held", held_since=AS_AT, held_why="contact unreadable", opened_on=BEFORE)

    first = compose([held], told(held))
    next_time = compose([held], told(held, on=AS_AT))

    assert (sections(first), first.counts["unread"], first.people) == ({}, 1, ("P001",))
    assert next_time is None


def test_who_is_no_longer_critical_is_named_and_what_else_was_put_right_is_counted():
    def cleared(flag_id: int, person_id: str, severity: str) -> FlagLine:
        return line(flag_id, person_id, severity=severity, state="resolved", resolved_reason="cleared")

    gone = [cleared(1, "P001", "critical"), cleared(2, "P002", "high"), cleared(3, "P003", "critical")]
    still = [line(4, "P001", "contact", opened_on=BEFORE), line(5, "P003", "homeless", "critical", opened_on=BEFORE)]

    digest = compose([*gone, *still], told(*gone, *still))

    assert (digest.no_longer_critical, digest.counts["put_right"], sections(digest)) == ((("P001", None),), 3, {})


def test_a_flag_that_cleared_without_this_address_ever_hearing_of_it_is_not_told():
    assert compose([line(1, "P001", state="resolved", resolved_reason="cleared")], told(OLD)) is None


def test_a_flag_that_cleared_and_came_back_between_two_digests_is_only_back():
    cleared = line(1, "P001", state="resolved", resolved_reason="cleared", opened_on=date(2025, 12, 1))
    again = line(2, "P001", earlier_spells=1, last_cleared_on=date(2026, 1, 10))

    digest = compose([cleared, again], told(cleared))

    assert (statuses(digest), digest.counts["put_right"]) == ({"P001": ["back"]}, 0)


def test_no_longer_asked_is_counted_apart_from_cleared_and_is_told():
    gone = line(1, "P001", state="resolved", resolved_reason="no longer asked")

    digest = compose([gone], told(gone))

    assert digest.ended == {"no longer asked": 1}
    assert digest.counts["put_right"] == 0
    assert digest.people == ()


def test_a_flag_handed_on_to_another_rule_is_not_announced():
    gone = line(1, "P001", state="resolved", resolved_reason="handed on")

    assert compose([gone], told(gone)) is None


def test_nothing_is_said_about_someone_who_died_tonight():
    died = line(1, "P001", state="resolved", resolved_reason="died")
    other = line(2, "P001", "homeless", "critical")

    assert compose([died, other], told(died)) is None


def test_an_ordinary_night_without_news_is_silent():
    assert compose([OLD], told(OLD)) is None


def test_still_open_is_counted_and_of_the_critical_the_longest_is_named_by_reason():
    known = [line(n, f"P{n:03}", opened_on=BEFORE) for n in range(1, 31)]
    critical = line(50, "P050", "homeless", "critical", opened_on=BEFORE)

    digest = compose([*known, critical, line(99, "P099")], told(*known, critical))

    assert sections(digest) == {"new": ["P099"]}
    assert digest.open_by_severity == {"critical": 1, "high": 31}
    assert [(reason.title, reason.people, reason.longest[0], reason.days) for reason in digest.still_reasons] == [
        ("Nowhere settled to live", 1, "P050", 3)
    ]
    assert set(digest.flag_ids) == {*range(1, 31), 50, 99}


def test_of_many_newly_critical_six_have_cards_25_are_named_and_the_rest_are_counted_by_adviser():
    advisers = (None, "A Adviser", "B Adviser")
    critical = [line(n, f"C{n:03}", "homeless", "critical", personal_adviser=advisers[n % 3]) for n in range(1, 31)]
    high = [line(100 + n, f"P{n:03}") for n in range(1, 41)]

    digest = compose([*high, *critical], told(OLD))

    first = [f"C{n:03}" for n in range(1, 7)]
    named = {title: [each.person_id for each in people] for title, people in digest.critical_others}
    assert [card.person_id for card in digest.critical_cards] == first
    assert sorted([*first, *(each for people in named.values() for each in people)]) == [
        f"C{n:03}" for n in range(1, 26)
    ]
    assert digest.critical_unnamed == (("B Adviser", 2), ("A Adviser", 1), (None, 2))
    assert sections(digest)["new"] == [f"P{n:03}" for n in range(1, 13)]
    assert digest.also_more == 28
    assert len(digest.flag_ids) == 70


def test_the_baseline_names_the_critical_and_calls_nothing_new():
    critical = [line(n, f"C{n:03}", "homeless", "critical") for n in range(1, 4)]
    high = [line(100 + n, f"P{n:03}") for n in range(1, 41)]

    digest = compose([*critical, *high], the_night=night(baseline=True))

    assert (sections(digest), digest.people) == ({}, ("C001", "C002", "C003"))
    assert len(digest.flag_ids) == 43


def test_the_day_after_the_baseline_is_silent_about_what_the_baseline_only_counted():
    high = [line(n, f"P{n:03}", opened_on=BEFORE) for n in range(1, 41)]
    baseline = compose(high, the_night=night(as_at=BEFORE, baseline=True))

    known = told(*(each for each in high if each.flag_id in baseline.flag_ids))

    assert compose(high, known) is None


def test_a_lead_with_nothing_open_still_gets_the_baseline():
    digest = compose([], the_night=night(baseline=True))

    assert digest.open_people == 0


def test_people_are_ordered_by_their_worst_flag_then_by_weight_then_by_id():
    lines = [
        line(1, "P005", "plan", "high"),
        line(2, "P004", "plan", "high"),
        line(3, "P003", "plan", "high"), line(4, "P003", "low", "low"),
        line(5, "P002", "plan", "high"), line(6, "P002", "contact", "medium"),
        line(7, "P001", "contact", "medium"), line(8, "P001", "low", "low"),
        line(9, "P009", "homeless", "critical"),
    ]  # fmt: skip

    digest = compose(lines, told(OLD))

    assert sections(digest) == {"critical": ["P009"], "new": ["P002", "P003", "P004", "P005", "P001"]}


def test_who_has_a_line_is_decided_without_the_weight_of_folded_flags():
    folded = [each for n in range(30) for each in (line(100 + n, f"A{n:03}", "not-in-touch"),
                                                   line(200 + n, f"A{n:03}", "contact", "medium"))]  # fmt: skip
    apart = [each for n in range(9) for each in (line(300 + n, f"P{n:03}"), line(400 + n, f"P{n:03}", "low", "low"))]

    digest = compose([*folded, *apart], told(OLD))

    assert sections(digest) == {
        "lost": [f"A{n:03}" for n in range(4)],
        "new": [*(f"A{n:03}" for n in range(4, 16))],
    }
    assert digest.also_more == 23


def test_a_folded_flag_is_part_of_the_one_that_folds_it_and_adds_nothing_to_priority():
    folded = [line(1, "P002", "plan-2"), line(2, "P002", "contact", "medium")]
    apart = [line(3, "P003", "plan"), line(4, "P003", "low", "low")]
    rules = RULES | {"plan-2": Words("Plan and contact", folds=frozenset({"contact"}))}

    digest = compose([*folded, *apart], told(OLD), the_night=night(rules=rules))

    assert [(person.person_id, [item.title for item in person.items]) for person in digest.also_new] == [
        ("P003", ["Pathway plan overdue for review", "A small thing"]),
        ("P002", ["Plan and contact"]),
    ]


def test_what_is_new_inside_a_flag_already_told_stands_by_itself():
    known = line(1, "P002", "not-in-touch", "high", opened_on=date(2025, 12, 1))

    digest = compose([known, line(2, "P002", "contact", "medium")], told(OLD, known))

    (person,) = digest.also_new
    assert [(item.title, item.status) for item in person.items] == [("Contact overdue", "new")]


def test_a_fold_within_a_fold_is_shown_in_the_outermost():
    current = [line(1, "P1", "contact"), line(2, "P1", "not-in-touch"), line(3, "P1", "combined", "critical")]

    ((outer, inside),) = fold_flags(current, RULES)

    assert outer.rule == "combined"
    assert {each.rule for each in inside} == {"not-in-touch", "contact"}


def test_a_person_is_as_serious_as_a_folded_flag_that_is_worse_than_its_folder():
    lines = [line(1, "P002", "not-in-touch", "medium"), line(2, "P002", "contact", "critical"), line(3, "P001")]

    digest = compose(lines, told(OLD))

    assert sections(digest) == {"critical": ["P002"], "new": ["P001"]}
    assert digest.open_by_severity == {"critical": 1, "high": 1}


def test_rules_that_fold_each_other_lose_no_flag():
    rules = {"a": Words("A", folds=frozenset({"b"})), "b": Words("B", folds=frozenset({"a"}))}

    ((outer, inside),) = fold_flags([line(1, "P001", "b", "critical"), line(2, "P001", "a")], rules)

    assert (outer.rule, [each.rule for each in inside]) == ("b", ["a"])


def test_a_sensitive_flag_is_the_title_and_next_step_of_its_cover_its_due_date_and_its_row_in_the_list():
    secret = line(
        1,
        "P001",
        "vulnerable",
        "critical",
        because="Disability recorded.",
        due_on=BEFORE,
        held_why="disability",
    )
    before = {("P001", "vulnerable"): ("not disabled",)}

    digest = compose([secret], told(OLD), the_night=night(list_rows={1: 14}, before=before))

    item = digest.critical_cards[0].item
    assert (item.title, item.action, item.due_on, item.row) == ("Priority check", "Look at the record.", BEFORE, 14)
    assert (item.because, item.opened_on, item.before) == (None, None, ())


def test_a_rule_no_longer_in_the_rulebook_discloses_nothing():
    digest = compose([line(1, "P001", "uasc-trauma", because="Trauma.")], told(OLD))

    (item,) = digest.also_new[0].items
    assert (item.title, item.because, item.in_full) == (None, None, False)


def test_data_flags_never_reach_a_lead():
    assert compose([line(1, "P001", severity="data")], told(OLD)) is None


def test_a_waived_flag_is_counted_and_not_shown():
    waived = line(1, "P001", state="waived", waived_until=date(2026, 2, 1))

    digest = compose([waived, line(2, "P002")], told(OLD))

    assert digest.waived == 1
    assert digest.people == ("P002",)


def test_days_over_are_counted_from_the_due_date_and_never_below_none():
    due = {"P001": date(2026, 1, 5), "P002": AS_AT, "P003": date(2026, 2, 1)}
    lines = [line(n, person, due_on=due_on) for n, (person, due_on) in enumerate(due.items())]

    digest = compose(lines, told(OLD))

    assert [person.items[0].days_over for person in digest.also_new] == [7, 0, 0]


def test_a_link_carries_the_id_quoted():
    the_night = night(case_url="https://cms.example.gov.uk/person/{person_id}?tab=1")

    digest = compose([line(1, "P 1/2?x")], told(OLD), the_night=the_night)

    assert digest.also_new[0].link == "https://cms.example.gov.uk/person/P%201%2F2%3Fx?tab=1"


def test_an_empty_last_digest_still_counts_as_one():
    digest = compose([line(1, "P001")], told_nothing(BEFORE))

    assert digest.told_on == BEFORE


# The weekly whole list


def test_the_weekly_list_goes_out_when_nothing_is_new_and_has_everyone_by_adviser():
    known = [
        line(1, "P001", "homeless", "critical", opened_on=BEFORE, personal_adviser="Sam Okafor"),
        line(2, "P002", "plan", opened_on=BEFORE, personal_adviser="Sam Okafor"),
        line(3, "P003", "contact", "medium", opened_on=BEFORE),
    ]

    digest = compose(known, told(*known), full=True)

    assert not digest.has_news
    assert digest.holds == ("lead", "full")
    assert [(each.adviser, each.people, each.critical, each.high) for each in digest.weekly.advisers] == [
        (None, 1, 0, 0),
        ("Sam Okafor", 2, 1, 1),
    ]
    assert set(digest.people) == {"P001", "P003"}


def test_the_weekly_list_goes_out_when_nothing_is_open_at_all():
    digest = compose([], told_nothing(BEFORE), full=True)

    assert (digest.open_people, digest.has_news) == (0, False)


def test_the_baseline_counts_as_the_weekly_list():
    digest = compose([line(1, "P001")], the_night=night(baseline=True), full=True)

    assert digest.holds == ("lead", "full")
    assert digest.weekly is None


# Flags that keep opening and clearing


def test_a_critical_flag_that_opens_a_third_time_keeps_changing_and_is_told_all_the_same():
    digest = compose([line(3, "P001", "homeless", "critical", earlier_spells=2, flips=3)], told(OLD))

    assert digest.critical_cards[0].item.status == "flipping"
    assert digest.flipping == {3}


def test_once_told_it_is_silent_until_it_has_been_stable_and_then_is_back():
    before = line(3, "P001", state="resolved", resolved_reason="cleared", flips=4)
    again = line(4, "P001", earlier_spells=3, last_cleared_on=BEFORE, flips=4)
    memory = told(before, OLD, P001="flipping")

    cleared = compose([before], memory)
    opened = compose([before, again], memory)
    stable = compose([line(4, "P001", earlier_spells=3, last_cleared_on=BEFORE, flips=2)], memory)

    assert (cleared, opened) == (None, None)
    assert statuses(stable) == {"P001": ["back"]}


def test_a_flag_that_keeps_changing_is_counted_once_a_week_and_never_taken_for_told():
    before = line(3, "P001", state="resolved", resolved_reason="cleared", flips=4)
    again = line(4, "P001", earlier_spells=3, last_cleared_on=BEFORE, flips=4)

    digest = compose([before, again], told(before, OLD, P001="flipping"), full=True)

    assert digest.weekly.changing.flags == 1
    assert digest.quiet == {3, 4}
    assert 4 not in digest.flag_ids


# Waivers and answers


def test_the_end_of_a_waiver_is_told_14_days_and_1_day_before():
    def about(last_day: date, told_on: date) -> list[int]:
        waived = line(1, "P001", state="waived", waived_until=last_day, waived_on=date(2025, 12, 1))
        digest = compose([waived, OLD], told(OLD, on=told_on))
        return [each.within for each in digest.ending] if digest else []

    assert about(AS_AT + timedelta(15), BEFORE) == []
    assert about(AS_AT + timedelta(14), BEFORE) == [14]
    assert about(AS_AT + timedelta(13), AS_AT - timedelta(1)) == []
    assert about(AS_AT + timedelta(1), BEFORE) == [1]


def test_a_flag_whose_waiver_ended_is_told_again():
    standing = line(1, "P001", opened_on=date(2025, 12, 1), waiver_ended_on=AS_AT)

    digest = compose([standing], told(standing))
    after = compose([standing], told(standing, on=AS_AT))

    assert statuses(digest) == {"P001": ["reopened"]}
    assert after is None


def test_answers_received_since_the_last_digest_are_counted_by_what_they_say():
    answered = {"answer": "done", "answered_on": BEFORE, "answer_noticed_on": AS_AT}
    flags = [line(n, f"P{n:03}", opened_on=date(2025, 12, 1), **answered) for n in (1, 2)]

    digest = compose(flags, told(*flags))
    after = compose(flags, told(*flags, on=AS_AT))

    assert digest.answers == (("done", 2),)
    assert after is None


# Who comes first, and what is done


def gone(flag_id: int, person_id: str, **given: Any) -> FlagLine:
    return line(flag_id, person_id, "left-caseload", **given)


EVERY_CHANGE: dict[str, tuple[dict[str, Any], ToldFlag | None]] = {
    "new": ({}, None),
    "new, and held since": ({"state": "held", "held_since": AS_AT}, None),
    "opened before, and never told": ({"opened_on": date(2025, 12, 1)}, None),
    "let go as a likely fault": ({"opened_on": BEFORE, "unconfirmed": True}, None),
    "back": ({"earlier_spells": 1, "last_cleared_on": BEFORE}, None),
    "keeps changing": ({"earlier_spells": 3, "last_cleared_on": BEFORE, "flips": 4}, None),
    "worse": ({"opened_on": BEFORE}, ToldFlag("Z001", "high")),
    "waiver ended": ({"opened_on": BEFORE, "waiver_ended_on": AS_AT}, ToldFlag("Z001", "critical")),
    "told as resolved, and restored": ({"opened_on": BEFORE}, ToldFlag("Z001", "critical", "resolved")),
}
"""What can make somebody critical to an address, and how it knew the flag."""


@pytest.mark.parametrize("change", EVERY_CHANGE)
@pytest.mark.parametrize("rule", ["homeless", "vulnerable", "no-such-rule"])
def test_whatever_makes_somebody_critical_they_come_first_and_the_subject_says_so(change: str, rule: str) -> None:
    given, knew = EVERY_CHANGE[change]
    others = [gone(2, "A001"), line(3, "A002"), line(4, "A003", "homeless", "critical", opened_on=BEFORE)]
    known = replace(told(OLD, others[2]), flags={4: ToldFlag("A003", "critical")} | ({1: knew} if knew else {}))

    digest = compose([*others, line(1, "Z001", rule, "critical", **given)], known, the_night=night(rules=LOST_RULES))

    message = render(digest)
    assert sections(digest) == {"critical": ["Z001"], "lost": ["A001"], "new": ["A002"]}
    assert "1 newly critical, 2 new - " in message.subject
    assert message.text.index("1. Act today on Z001") < message.text.index("2. Find A001") < message.text.index("A002")
    assert message.text.index("A002") < message.text.index("A003")


LOST_RULES = RULES | {"left-caseload": Words("No longer on the caseload"), "contact-overdue": Words("Contact overdue")}


def test_found_nowhere_is_who_is_out_of_touch_by_a_plain_rule_and_seriously() -> None:
    rules = LOST_RULES | {
        "custody-contact": Words("Contact in custody", sensitive=True, shown_as="plan"),
        "plan": Words("Plan missing", stands_for=("custody-contact",)),
    }
    lines = [gone(1, "P1"), line(2, "P2", "custody-contact"), line(3, "P3", "contact-overdue", "medium"), line(4, "P4")]

    digest = compose(lines, told(OLD), the_night=night(rules=rules))

    assert sections(digest) == {"lost": ["P1"], "new": ["P3", "P2", "P4"]}


def test_a_card_says_what_to_do_once_what_else_is_open_by_title_and_presses_nothing_that_waits() -> None:
    held: dict[str, Any] = {"state": "held", "held_since": AS_AT, "opened_on": BEFORE}
    known = [
        line(2, "P1", "contact", "medium", **held),
        line(3, "P1", **held),
        line(4, "P1", "low", "low", opened_on=BEFORE),
    ]

    digest = compose(
        [gone(1, "P1", personal_adviser="B Gorsefield"), *known], told(*known), the_night=night(rules=LOST_RULES)
    )

    text = " ".join(render(digest).text.split())
    assert "1. Find P1, with B Gorsefield" in text
    assert "Do: Make contact and record it. Also: A small thing. 2 older flags wait until they are found." in text
    assert digest.counts["unread"] == 0


def test_the_first_line_on_a_locked_screen_adds_advisers_and_has_no_id_and_no_reason() -> None:
    lines = [
        line(n, f"P{n}", "homeless", "critical", personal_adviser=adviser)
        for n, adviser in enumerate(["E Gorsefield", "E Gorsefield", None, "B", "C", "0000735 D"])
    ]

    page = render(compose([*lines, line(9, "P9", personal_adviser="F")], told(OLD))).html

    hidden = re.search(r'<div style="display:none[^>]*>([^<&]*)', page)
    assert hidden is not None
    assert hidden[1] == "To ring: E Gorsefield 2, B 1, C 1, other advisers 1, no adviser 1."
    assert page.index(hidden[1]) < page.index(">OFFICIAL-SENSITIVE<")


def test_lines_share_one_copy_of_their_words_and_keep_numbers_from_yes_and_no():
    reason = "The plan is overdue since "
    rows = [tuple(line(n, f"P{n}", because=f"{reason}{BEFORE}", flips=1, unconfirmed=n == 2)) for n in (1, 2)]
    known: dict[object, object] = {}

    first, second = (next(make_lines([row], known)) for row in rows)

    assert [tuple(first), tuple(second)] == rows
    assert first.because is second.because
    assert (first.unconfirmed, second.unconfirmed, second.flips) == (False, True, 1)
    assert type(second.flips) is int
