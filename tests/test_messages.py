"""What each address is told: routing, sections, order, silence, and what is never said."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from monitor.config.delivery_settings import People, Team
from monitor.messages.compose import make_lines
from monitor.messages.lead import LeadDigest, NoLead, compose_lead
from monitor.messages.news import fold_flags
from monitor.messages.parts import FlagLine, MessageContext
from monitor.messages.routes import plan_routes
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


@dataclass(frozen=True)
class Words:
    title: str
    action: str = "Do the next thing."
    sensitive: bool = False
    shown_as: str | None = None
    stands_for: tuple[str, ...] = ()
    due_on: object | None = "due"
    folds: frozenset[str] = frozenset()


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
    assert digest is not None
    return {section.kind: [person.person_id for person in section.people] for section in digest.sections}


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


def test_someone_in_the_last_digest_with_a_more_serious_flag_is_worse():
    known = line(1, "P001", "contact", "medium", opened_on=BEFORE)

    digest = compose([known, line(2, "P001", "homeless", "critical")], told(known))

    assert sections(digest) == {"worse": ["P001"]}
    (person,) = digest.sections[0].people
    assert [item.status for item in person.items] == ["new"]
    assert person.also == ("Contact overdue",)


def test_someone_in_the_last_digest_with_another_flag_no_more_serious_is_new():
    known = line(1, "P001", "plan", "high", opened_on=BEFORE)

    digest = compose([known, line(2, "P001", "contact", "medium")], told(known))

    assert sections(digest) == {"new": ["P001"]}


def test_worse_is_measured_against_the_last_digest_and_not_an_earlier_one():
    known = line(1, "P001", "plan", "high", opened_on=date(2025, 12, 1))
    then = known._replace(severity="critical")

    digest = compose([known, line(2, "P001", "homeless", "critical")], told(then, known))

    assert sections(digest) == {"worse": ["P001"]}


def test_a_flag_that_cleared_90_days_ago_is_back_and_91_days_ago_is_new():
    recent = line(1, "P001", earlier_spells=1, last_cleared_on=AS_AT - timedelta(90))
    distant = line(2, "P002", earlier_spells=1, last_cleared_on=AS_AT - timedelta(91))

    digest = compose([recent, distant], told(OLD))

    assert sections(digest) == {"new": ["P002"], "back": ["P001"]}


def test_a_flag_held_since_the_last_digest_is_news_once():
    held = line(1, "P001", state="held", held_since=AS_AT, held_why="contact unreadable", opened_on=BEFORE)

    first = compose([held], told(held))
    next_time = compose([held], told(held, on=AS_AT))

    assert sections(first) == {"held": ["P001"]}
    assert next_time is None


def test_a_cleared_flag_is_listed_by_what_it_was():
    cleared = line(1, "P001", "contact", state="resolved", resolved_reason="cleared")
    still = line(2, "P001", "plan", opened_on=BEFORE)

    digest = compose([cleared, still], told(cleared, still))

    assert sections(digest) == {"cleared": ["P001"]}
    (person,) = digest.sections[0].people
    assert person.cleared == ("Contact overdue",)


def test_a_flag_that_cleared_without_this_address_ever_hearing_of_it_is_not_told():
    assert compose([line(1, "P001", state="resolved", resolved_reason="cleared")], told(OLD)) is None


def test_a_flag_that_cleared_and_came_back_between_two_digests_is_only_back():
    cleared = line(1, "P001", state="resolved", resolved_reason="cleared", opened_on=date(2025, 12, 1))
    again = line(2, "P001", earlier_spells=1, last_cleared_on=date(2026, 1, 10))

    digest = compose([cleared, again], told(cleared))

    assert sections(digest) == {"back": ["P001"]}
    assert digest.sections[0].people[0].cleared == ()


def test_no_longer_asked_is_counted_apart_from_cleared_and_is_told():
    gone = line(1, "P001", state="resolved", resolved_reason="no longer asked")

    digest = compose([gone], told(gone))

    assert digest.ended == {"no longer asked": 1}
    assert digest.counts["cleared"] == 0
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


def test_still_open_is_counted_and_the_critical_are_named_again():
    known = [line(n, f"P{n:03}", opened_on=BEFORE) for n in range(1, 31)]
    critical = line(50, "P050", "homeless", "critical", opened_on=BEFORE)

    digest = compose([*known, critical, line(99, "P099")], told(*known, critical))

    assert sections(digest) == {"new": ["P099"]}
    assert digest.open_by_severity == {"critical": 1, "high": 31}
    assert [person_id for person_id, _ in digest.critical_people] == ["P050"]
    assert set(digest.flag_ids) == {*range(1, 31), 50, 99}


def test_every_critical_person_and_20_more_are_listed_when_many_are_new():
    critical = [line(n, f"C{n:03}", "homeless", "critical") for n in range(1, 31)]
    high = [line(100 + n, f"P{n:03}") for n in range(1, 41)]

    digest = compose([*high, *critical], told(OLD))

    listed = sections(digest)["new"]
    assert listed[:30] == [each.person_id for each in critical]
    assert listed[30:] == [f"P{n:03}" for n in range(1, 21)]
    assert digest.sections[0].more == 20


def test_the_baseline_lists_the_critical_then_20_and_calls_nothing_new():
    critical = [line(n, f"C{n:03}", "homeless", "critical") for n in range(1, 4)]
    high = [line(100 + n, f"P{n:03}") for n in range(1, 41)]

    digest = compose([*critical, *high], the_night=night(baseline=True))

    assert list(sections(digest)) == ["baseline"]
    assert len(digest.people) == 23
    assert {item.status for person in digest.sections[0].people for item in person.items} == {"open"}
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

    assert sections(digest)["new"] == ["P009", "P002", "P003", "P004", "P005", "P001"]


def test_who_is_among_the_20_more_is_decided_without_the_weight_of_folded_flags():
    folded = [each for n in range(30) for each in (line(100 + n, f"A{n:03}", "not-in-touch"),
                                                   line(200 + n, f"A{n:03}", "contact", "medium"))]  # fmt: skip
    apart = [each for n in range(15) for each in (line(300 + n, f"P{n:03}"), line(400 + n, f"P{n:03}", "low", "low"))]

    digest = compose([*folded, *apart], told(OLD))

    assert sections(digest)["new"] == [*(f"P{n:03}" for n in range(15)), *(f"A{n:03}" for n in range(5))]
    assert digest.sections[0].more == 25


def test_a_folded_flag_is_shown_inside_and_adds_nothing_to_priority():
    folded = [line(1, "P002", "not-in-touch"), line(2, "P002", "contact", "medium")]
    apart = [line(3, "P003", "plan"), line(4, "P003", "low", "low")]

    digest = compose([*folded, *apart], told(OLD))

    assert sections(digest)["new"] == ["P003", "P002"]
    (item,) = digest.sections[0].people[1].items
    assert [each.title for each in item.inside] == ["Contact overdue"]


def test_what_is_new_inside_a_flag_already_told_stands_by_itself():
    known = line(1, "P002", "not-in-touch", "high", opened_on=date(2025, 12, 1))

    digest = compose([known, line(2, "P002", "contact", "medium")], told(OLD, known))

    (person,) = digest.sections[0].people
    assert (digest.sections[0].kind, person.person_id) == ("new", "P002")
    assert [(item.title, item.status) for item in person.items] == [("Contact overdue", "new")]
    assert person.also == ("Not in touch",)


def test_a_fold_within_a_fold_is_shown_in_the_outermost():
    current = [line(1, "P1", "contact"), line(2, "P1", "not-in-touch"), line(3, "P1", "combined", "critical")]

    ((outer, inside),) = fold_flags(current, RULES)

    assert outer.rule == "combined"
    assert {each.rule for each in inside} == {"not-in-touch", "contact"}


def test_a_person_is_as_serious_as_a_folded_flag_that_is_worse_than_its_folder():
    lines = [line(1, "P002", "not-in-touch", "medium"), line(2, "P002", "contact", "critical"), line(3, "P001")]

    digest = compose(lines, told(OLD))

    assert sections(digest)["new"] == ["P002", "P001"]
    assert digest.open_by_severity == {"critical": 1, "high": 1}


def test_rules_that_fold_each_other_lose_no_flag():
    rules = {"a": Words("A", folds=frozenset({"b"})), "b": Words("B", folds=frozenset({"a"}))}

    ((outer, inside),) = fold_flags([line(1, "P001", "b", "critical"), line(2, "P001", "a")], rules)

    assert (outer.rule, [each.rule for each in inside]) == ("b", ["a"])


def test_a_sensitive_flag_is_the_title_and_the_next_step_of_its_cover_and_its_due_date():
    secret = line(
        1,
        "P001",
        "vulnerable",
        "critical",
        because="Disability recorded.",
        due_on=BEFORE,
        held_why="disability",
    )

    digest = compose([secret], told(OLD))

    (item,) = digest.sections[0].people[0].items
    assert (item.title, item.due_on) == ("Priority check", BEFORE)
    assert (item.because, item.action, item.held_why) == (None, "Look at the record.", None)


def test_a_rule_no_longer_in_the_rulebook_discloses_nothing():
    digest = compose([line(1, "P001", "uasc-trauma", because="Trauma.")], told(OLD))

    (item,) = digest.sections[0].people[0].items
    assert (item.title, item.because, item.sensitive) == (None, None, True)


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

    assert [person.items[0].days_over for person in digest.sections[0].people] == [7, 0, 0]


def test_a_link_carries_the_id_quoted():
    the_night = night(case_url="https://cms.example.gov.uk/person/{person_id}?tab=1")

    digest = compose([line(1, "P 1/2?x")], told(OLD), the_night=the_night)

    assert digest.sections[0].people[0].link == "https://cms.example.gov.uk/person/P%201%2F2%3Fx?tab=1"


def test_an_empty_last_digest_still_counts_as_one():
    digest = compose([line(1, "P001")], told_nothing(BEFORE))

    assert digest.told_on == BEFORE


# The weekly whole list


def test_the_weekly_list_goes_out_when_nothing_is_new_and_names_everyone_serious_by_adviser():
    known = [
        line(1, "P001", "homeless", "critical", opened_on=BEFORE, personal_adviser="Sam Okafor"),
        line(2, "P002", "plan", opened_on=BEFORE, personal_adviser="Sam Okafor"),
        line(3, "P003", "contact", "medium", opened_on=BEFORE),
    ]

    digest = compose(known, told(*known), full=True)

    assert not digest.has_news
    assert digest.holds == ("lead", "full")
    assert [(each.adviser, each.total, each.named, each.counted) for each in digest.rotas] == [
        ("Sam Okafor", 2, (("critical", (("P001", None),)), ("high", (("P002", None),))), ()),
        (None, 1, (), (("medium", 1),)),
    ]
    assert set(digest.people) == {"P001", "P002"}


def test_the_weekly_list_goes_out_when_nothing_is_open_at_all():
    digest = compose([], told_nothing(BEFORE), full=True)

    assert (digest.open_people, digest.has_news) == (0, False)


def test_the_baseline_counts_as_the_weekly_list():
    digest = compose([line(1, "P001")], the_night=night(baseline=True), full=True)

    assert digest.holds == ("lead", "full")
    assert digest.rotas == ()


# Flags that keep opening and clearing


def test_a_flag_that_opens_a_third_time_says_check_the_source_and_is_not_called_new():
    digest = compose([line(3, "P001", earlier_spells=2, last_cleared_on=BEFORE, flips=3)], told(OLD))

    assert sections(digest) == {"flipping": ["P001"]}
    assert digest.flipping == {3}


def test_once_told_it_is_silent_until_it_has_been_stable_and_then_is_back():
    before = line(3, "P001", state="resolved", resolved_reason="cleared", flips=4)
    again = line(4, "P001", earlier_spells=3, last_cleared_on=BEFORE, flips=4)
    memory = told(before, OLD, P001="flipping")

    cleared = compose([before], memory)
    opened = compose([before, again], memory)
    stable = compose([line(4, "P001", earlier_spells=3, last_cleared_on=BEFORE, flips=2)], memory)

    assert (cleared, opened) == (None, None)
    assert sections(stable) == {"back": ["P001"]}


def test_a_flag_that_keeps_changing_is_counted_once_a_week_and_never_taken_for_told():
    before = line(3, "P001", state="resolved", resolved_reason="cleared", flips=4)
    again = line(4, "P001", earlier_spells=3, last_cleared_on=BEFORE, flips=4)

    digest = compose([before, again], told(before, OLD, P001="flipping"), full=True)

    assert digest.unsettled == 1
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


def test_a_flag_whose_waiver_ended_is_told_again_in_full():
    standing = line(1, "P001", opened_on=date(2025, 12, 1), waiver_ended_on=AS_AT)

    digest = compose([standing], told(standing))
    after = compose([standing], told(standing, on=AS_AT))

    assert sections(digest) == {"reopened": ["P001"]}
    assert digest.sections[0].people[0].items[0].action == "Hold the review and record it."
    assert after is None


def test_answers_received_since_the_last_digest_are_counted_by_what_they_say():
    answered = {"answer": "done", "answered_on": BEFORE, "answer_noticed_on": AS_AT}
    flags = [line(n, f"P{n:03}", opened_on=date(2025, 12, 1), **answered) for n in (1, 2)]

    digest = compose(flags, told(*flags))
    after = compose(flags, told(*flags, on=AS_AT))

    assert digest.answers == (("done", 2),)
    assert after is None


# Short and long lines


def test_what_is_new_and_critical_or_high_is_told_in_full_and_the_rest_in_a_line():
    digest = compose([line(1, "P001", "plan", "high"), line(2, "P002", "contact", "medium")], told(OLD))

    assert {person.person_id: person.short for person in digest.sections[0].people} == {"P001": False, "P002": True}


def test_people_are_grouped_by_adviser_the_one_with_the_most_serious_first():
    flags = [
        line(1, "P001", "plan", "high", personal_adviser="A Second"),
        line(2, "P002", "homeless", "critical", personal_adviser="B First"),
        line(3, "P003", "contact", "medium", personal_adviser="B First"),
    ]

    digest = compose(flags, told(OLD))

    (section,) = digest.sections
    assert [(adviser, [each.person_id for each in people]) for adviser, people in section.advisers] == [
        ("B First", ["P002", "P003"]),
        ("A Second", ["P001"]),
    ]


def test_the_next_step_of_a_rule_is_said_once_in_a_section():
    digest = compose([line(1, "P001", "plan"), line(2, "P002", "plan")], told(OLD))

    actions = [person.items[0].action for person in digest.sections[0].people]
    assert actions == ["Hold the review and record it.", None]


def test_lines_share_one_copy_of_their_words_and_keep_numbers_from_yes_and_no():
    reason = "The plan is overdue since "
    rows = [tuple(line(n, f"P{n}", because=f"{reason}{BEFORE}", flips=1, unconfirmed=n == 2)) for n in (1, 2)]
    known: dict[object, object] = {}

    first, second = (next(make_lines([row], known)) for row in rows)

    assert [tuple(first), tuple(second)] == rows
    assert first.because is second.because
    assert (first.unconfirmed, second.unconfirmed, second.flips) == (False, True, 1)
    assert type(second.flips) is int
