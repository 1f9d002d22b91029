"""Escalation: the clock of working days, each step once, who hears and what they are told."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.council import NIGHT, Council, Mail, crowd, homeless, settled
from support.council import day as night_of
from support.flag_nights import Answer, Nights, Person, day
from support.timed_service import few_rules
from test_messages import AS_AT, HEAD, RULES, line, night

from monitor.config.delivery_settings import People, Team
from monitor.figures.burn_down import Counted, TeamBacklog
from monitor.flags.escalation import Pause, count_working_days, find_pauses, latest_opening
from monitor.flags.life import RuleFacts
from monitor.messages.backlog_week import BacklogFound, BacklogWeek, compose_backlog
from monitor.messages.list_place import ListShelf
from monitor.messages.manager import MailSoFar, ManagerDigest, Raised, compose_manager
from monitor.messages.room import PHONE_LINES
from monitor.messages.routes import plan_routes
from monitor.messages.templates import render
from monitor.store.tables import Escalation, FlagEvent, Waiver, table_of
from monitor.workdays import NEVER_CLOSED, WorkingDays

STEPS = {"critical": (2, 5), "high": (10, 20)}
CRITICAL, HIGH = "turning-18-adviser", "pa-allocated"
MANAGER = "manager@example.gov.uk"
GOOD_FRIDAY = dt.date(2026, 4, 3)


def breach(rule: str = CRITICAL, **other: Any) -> Person:
    return Person({rule: Answer("breach")}, **other)


def unknown() -> Person:
    return Person({CRITICAL: Answer("cannot assess")})


def raised(nights: Nights) -> list[tuple[int, str]]:
    """Each step by the number of the night on which it was reached."""
    return [((as_at - day(0)).days, step) for as_at, _, _, step, _ in nights.raised]


# The clock


def test_weekends_and_bank_holidays_are_no_working_days():
    thursday = GOOD_FRIDAY - dt.timedelta(1)

    counts = {n: count_working_days(NEVER_CLOSED, thursday, thursday + dt.timedelta(n)) for n in (1, 4, 5, 6)}

    assert counts == {1: 0, 4: 0, 5: 1, 6: 2}


def test_days_of_a_pause_are_not_counted_and_overlapping_ones_only_once():
    monday = day(0)
    pauses = [Pause(day(1), day(3)), Pause(day(2), day(4))]

    assert count_working_days(NEVER_CLOSED, monday, day(4)) == 4
    assert count_working_days(NEVER_CLOSED, monday, day(4), pauses) == 1


def test_a_pause_before_the_flag_opened_or_after_tonight_takes_nothing_away():
    assert count_working_days(NEVER_CLOSED, day(0), day(2), [Pause(day(-7), day(0)), Pause(day(3), day(9))]) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("held", day(1)), ("released", day(3))], [Pause(day(1), day(3))]),
        ([("held", day(1)), ("released", day(1))], []),
        ([("held", day(1)), ("released", day(1)), ("held", day(2)), ("released", day(4))], [Pause(day(2), day(4))]),
        ([("held", day(1)), ("resolved", day(3))], [Pause(day(1), day(3))]),
        ([("held", day(1))], [Pause(day(1), day(9))]),
    ],
    ids=["held for two days", "put right the same night", "held again", "resolved while held", "not yet released"],
)
def test_pauses_are_worked_out_from_the_events(changes: list[tuple[str, dt.date]], expected: list[Pause]) -> None:
    assert find_pauses(changes, day(9)) == expected


def test_days_on_which_the_council_is_closed_are_no_working_days() -> None:
    days = WorkingDays(frozenset({day(1), day(2), day(5)}))

    assert count_working_days(days, day(0), day(7)) == 3
    assert latest_opening(days, 2, day(7)) == day(3)
    assert latest_opening(days, 3, day(7)) == day(2)


def test_the_latest_opening_is_the_last_day_with_so_many_working_days_since():
    assert latest_opening(NEVER_CLOSED, 2, day(2)) == day(0)
    assert latest_opening(NEVER_CLOSED, 2, day(7)) == day(3)


# Through nights: DAY is a Monday


def test_a_critical_flag_goes_up_after_two_and_five_working_days_and_each_step_once(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)

    for n in range(12):
        nights.night(day(n), {"P1": breach()})

    assert raised(nights) == [(2, "manager"), (7, "head")]
    assert [days for *_, days in nights.raised] == [2, 5]
    assert [kind for kind, _ in nights.events()].count("escalated") == 2


def test_a_closed_day_moves_a_step_and_taken_out_of_the_config_later_neither_repeats_nor_loses_one(
    tmp_path: Path,
) -> None:
    nights = Nights(tmp_path, STEPS, days=WorkingDays(frozenset({day(1)})))

    for n in range(4):
        nights.night(day(n), {"P1": breach()})
    nights.days = NEVER_CLOSED
    for n in range(4, 8):
        nights.night(day(n), {"P1": breach()})

    assert [(on, step, counted) for on, _, _, step, counted in nights.raised] == [
        (day(3), "manager", 2), (day(7), "head", 5),
    ]  # fmt: skip


def test_a_high_flag_goes_up_after_ten_and_twenty_working_days(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)

    for n in (0, 13, 14, 27, 28, 29):
        nights.night(day(n), {"P1": breach(HIGH)})

    assert raised(nights) == [(14, "manager"), (28, "head")]


def test_a_severity_without_days_and_a_rule_that_does_not_escalate_never_go_up(tmp_path: Path) -> None:
    nights = Nights(tmp_path, {"critical": ()})

    for n in (0, 60):
        nights.night(day(n), {"P1": breach()})

    assert nights.raised == []


def test_days_held_do_not_count_however_often_it_was_held(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)
    tonight = [breach(), unknown(), breach(), unknown(), breach(), breach(), breach(), breach()]

    for n, person in enumerate(tonight):
        nights.night(day(n), {"P1": person})

    assert raised(nights) == [(4, "manager")]


def test_missed_nights_neither_lose_days_nor_add_any(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)

    nights.night(day(0), {"P1": breach()})
    nights.night(day(1), {"P1": unknown()})
    nights.night(day(8), {"P1": breach()})
    nights.night(day(9), {"P1": breach()})

    assert raised(nights) == [(9, "manager")]


def test_days_waived_do_not_count(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)
    nights.night(day(0), {"P1": breach()})
    with nights.database.writing() as store:
        store.execute(
            table_of(Waiver).insert().values(
                id=1, flag_id=1, person_id="P1", rule=CRITICAL, reason="under-way", note="", until_on=day(2),
                waived_on=day(0), waived_by="A Lead", recorded_at=dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC),
            )
        )  # fmt: skip

    for n in range(1, 6):
        nights.night(day(n), {"P1": breach()})

    assert raised(nights) == [(4, "manager")]


def test_a_flag_that_carries_another_on_carries_its_clock_and_its_steps(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS | {"high": (2, 5)})
    for n in (0, 1, 2):
        nights.night(day(n), {"P1": breach()})

    for n in (3, 6, 7):
        nights.night(day(n), {"P1": Person({CRITICAL: Answer("not applicable"), HIGH: Answer("breach")})})

    assert raised(nights) == [(2, "manager"), (7, "head")]


def test_of_several_flags_that_carry_one_on_the_most_severe_has_its_clock_and_steps(tmp_path: Path) -> None:
    heirs = (
        RuleFacts("turning-18-adviser", "critical"),
        RuleFacts("contact-overdue", "high", ("turning-18-adviser",)),
        RuleFacts("pa-allocated", "critical", ("turning-18-adviser",)),
    )
    nights = Nights(tmp_path, {"critical": (2, 5), "high": (3, 8)})
    for n in (0, 1, 2):
        nights.night(day(n), {"P1": breach()}, rules=heirs)

    answers = {CRITICAL: "not applicable", HIGH: Answer("breach"), "contact-overdue": Answer("breach")}
    for n in (3, 4, 7, 8, 9):
        nights.night(day(n), {"P1": Person(answers)}, rules=heirs)

    assert [(day(0) + dt.timedelta(n), rule, step) for n, rule, step in (
        (2, CRITICAL, "manager"), (7, "contact-overdue", "manager"), (7, HIGH, "head"),
    )] == [(as_at, rule, step) for as_at, _, rule, step, _ in nights.raised]  # fmt: skip


def test_a_condition_that_comes_back_starts_a_new_clock(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)
    for n in (0, 1, 2):
        nights.night(day(n), {"P1": breach()})
    nights.night(day(3), {"P1": Person({CRITICAL: Answer("ok")})})

    for n in (4, 7, 8):
        nights.night(day(n), {"P1": breach()})

    assert raised(nights) == [(2, "manager"), (8, "manager")]


def test_a_night_put_right_takes_back_what_nobody_was_told_and_a_repeat_changes_nothing(tmp_path: Path) -> None:
    nights = Nights(tmp_path, STEPS)
    for n in (0, 1, 2):
        nights.night(day(n), {"P1": breach(), "P2": breach()})

    nights.night(day(2), {"P1": unknown(), "P2": breach()}, corrects=[3])
    nights.night(day(3), {"P1": breach(), "P2": breach()})

    with nights.database.reading() as store:
        kept = store.execute(select(table_of(Escalation)).order_by(table_of(Escalation).c.id)).all()
        kinds = [row[0] for row in store.execute(select(table_of(FlagEvent).c.kind))]
    assert [(row.flag_id, row.step, row.as_at) for row in kept] == [(2, "manager", day(2)), (1, "manager", day(3))]
    assert kinds.count("escalation withdrawn") == 1


# Who hears


def people(**given: Any) -> People:
    return People(**({"analyst": "analyst@example.gov.uk", "fallback": "care@example.gov.uk", "head": HEAD} | given))


NORTH = Team(name="Leaving Care North", lead="lead.north@example.gov.uk", manager=MANAGER)


@pytest.mark.parametrize(
    ("step", "team", "routes", "expected"),
    [
        ("manager", NORTH.name, plan_routes([NORTH], people()), (MANAGER, None)),
        ("head", NORTH.name, plan_routes([NORTH], people()), (HEAD, None)),
        ("head", "Own", plan_routes([Team(name="Own", lead="l@example.gov.uk", head="own@example.gov.uk")], people()),
         ("own@example.gov.uk", None)),
        ("manager", "Bare", plan_routes([Team(name="Bare", lead="l@example.gov.uk")], people()), (HEAD, "no manager")),
        ("manager", "East", plan_routes([NORTH], people()), (HEAD, "unknown team")),
        ("manager", None, plan_routes([NORTH], people()), (HEAD, "no team")),
        ("head", NORTH.name, plan_routes([NORTH], people(head=None)), ("care@example.gov.uk", "no head")),
        ("manager", "Bare", plan_routes([Team(name="Bare")], people(head=None, fallback=None)),
         ("analyst@example.gov.uk", "no manager")),
    ],
)  # fmt: skip
def test_each_step_has_a_reader_and_says_why_it_is_another(step: str, team: str, routes: Any, expected: Any) -> None:
    assert routes.escalate(step, team, "P001") == expected


def test_a_restricted_person_goes_to_the_head_of_service_at_every_step_and_to_nobody_without_one():
    routes = plan_routes([NORTH], people(), frozenset({"P001"}))
    headless = plan_routes([NORTH], people(head=None), frozenset({"P001"}))

    assert {routes.escalate(step, NORTH.name, "P001") for step in ("manager", "head")} == {(HEAD, "restricted")}
    assert headless.escalate("manager", NORTH.name, "P001")[0] is None


# What they are told


def up(number: int, person_id: str, rule: str = "homeless", *, backlog: bool = False, **given: Any) -> Raised:
    step, days = given.pop("step", "manager"), given.pop("working_days", 2)
    severity = given.pop("severity", "critical")
    return Raised(number, step, days, line(number, person_id, rule, severity, **given), backlog)


def compose(*all_raised: Raised, recipient: str = MANAGER, restricted: tuple[str, ...] = (), **given: Any) -> Any:
    routes, mail = plan_routes([NORTH], people(), frozenset(restricted)), given.pop("mail", MailSoFar())
    return compose_manager(recipient, all_raised, night(routes=routes, **given), mail)


def words_of(digest: Any) -> str:
    return " ".join(render(digest).text.split())


def test_a_manager_reads_why_since_when_what_was_answered_and_what_to_do():
    digest = compose(
        up(1, "P001", opened_on=dt.date(2026, 1, 8), working_days=2, answer="done", answered_on=dt.date(2026, 1, 9)),
        up(2, "P001", "plan", severity="high"),
    )

    mail, words = render(digest), words_of(digest)

    assert "P001, critical - no adviser recorded" in words
    assert "Nowhere settled to live. Because. Open for 2 working days, since 8 January 2026. Answered “done”" in words
    assert f"Next: {RULES['homeless'].action} Also: Pathway plan overdue" in words
    assert mail.subject == "OFFICIAL-SENSITIVE Leaving care: 2 newly raised, 1 critical - 12 January 2026"


def test_a_sensitive_rule_goes_up_as_its_plain_sibling_with_what_to_do_and_its_row_of_the_list():
    digest = compose(up(7, "P001", "vulnerable", because="Disability recorded.", answer="done", answered_on=AS_AT,
                        due_on=dt.date(2026, 1, 5)), list_rows={7: 14})  # fmt: skip

    mail = render(digest)

    for words in (" ".join(mail.text.split()), mail.html):
        assert "Priority check" in words
        assert "Due 5 January 2026. The rest is in row 14 of the team’s list." in words  # noqa: RUF001
        assert "Disab" not in words
        assert "done" not in words
        assert "working day" not in words
    assert "Next: " in mail.text


def test_the_worst_come_first_and_of_equals_what_is_new_then_who_waits_longest():
    digest = compose(
        up(1, "P001", "plan", severity="high", working_days=30), up(2, "P002", backlog=True, working_days=20),
        up(3, "P003", working_days=2), up(4, "P004", working_days=5),
    )  # fmt: skip

    assert [person.person_id for person in digest.named] == ["P004", "P003", "P002", "P001"]
    assert "1 of these is from the backlog." in words_of(digest)


def flood() -> list[Raised]:
    """The worst day: 533 flags of 200 young people of four teams, all due at once, with long words."""
    because = "No contact with the young person has been recorded since 2 November 2025, which is 71 days ago."
    rules = ("homeless", "plan", "contact", "vulnerable", "pa")
    return [
        up(n, f"EX-{n % 200:06}", rules[n % 5], team=f"Leaving Care Team Number {n % 4}", because=because,
           severity=("critical", "high")[n % 2], personal_adviser="Alexandra Example-Surname", working_days=n % 30,
           due_on=dt.date(2026, 1, 5))
        for n in range(1, 534)
    ]  # fmt: skip


def weekly(flags: list[Raised]) -> BacklogWeek | None:
    counted = [Counted(False, TeamBacklog(f"Leaving Care Team Number {n}", 133, 9, 8, 2, (150, 148, 145, 143)))
               for n in range(4)]  # fmt: skip
    worst = [(flag.line, dt.date(2025, 5, 3)) for flag in flags[:10]]
    return compose_backlog(BacklogFound(counted, worst), night(), lambda team: True)


@pytest.mark.parametrize("mail", [MailSoFar(), MailSoFar(weekly(flood())), MailSoFar(None, PHONE_LINES - 60)])
def test_whatever_comes_at_once_a_managers_mail_is_seventy_rows_and_says_how_many_more(mail: MailSoFar):
    flags = flood()

    digest = compose(*flags, recipient=HEAD, mail=mail, case_url="https://cms.example.gov.uk/person/{person_id}",
                     shelf=ListShelf(folder="/srv/council/shared/leaving-care/lists"),
                     chain_head="0123456789abcdef")  # fmt: skip

    assert digest.told == tuple(range(1, 534))
    assert len(digest.named) >= 1
    shown = {person.person_id for person in digest.named}
    assert digest.counted == sum(flag.line.person_id not in shown for flag in flags)
    assert f"And {digest.counted} more flags in the lists: " in words_of(digest)
    assert len(render(digest).text.splitlines()) <= 70, render(digest).text


def test_the_weekly_part_says_what_is_left_what_was_put_right_the_trend_and_the_worst():
    digest = compose(mail=MailSoFar(weekly(flood())))

    words, mail = words_of(digest), render(digest)

    assert mail.subject == ("OFFICIAL-SENSITIVE Leaving care: backlog 532, 40 fewer than last week - 12 January 2026")
    assert "Leaving Care Team Number 2: 133 left, 8 put right last week; before: 150, 148, 145, 143" in words
    week = "532 left, 32 put right last week, 8 ended otherwise; before: 600, 592, 580, 572. 36 flags are waived."
    assert f"All together: {week}" in words
    assert len(digest.backlog.worst) == 5
    assert " Since 3 May 2025." in words
    assert digest.holds == ("backlog",)


def test_no_manager_reads_of_a_restricted_person_and_the_head_reads_of_them_apart():
    flags = (up(1, "P001"), up(2, "P002"))

    manager = compose(*flags, restricted=("P002",))
    head = compose(*flags, restricted=("P002",), recipient=HEAD)

    assert manager.people == ("P001",)
    assert [(person.person_id, person.team) for person in head.named] == [("P002", "restricted list")]
    assert "Leaving Care North" not in render(head).text
    assert "P001" not in render(head).text


def test_nothing_for_an_address_to_which_no_step_leads():
    assert compose(up(1, "P001"), recipient="somebody@example.gov.uk") is None


# Whole nights


def staffed(folder: Path) -> Council:
    """A council whose manager of North also leads South."""
    council = Council(folder, few_rules(folder, "homeless", "not-in-touch", "contact-overdue"))
    text = council.config_path.read_text(encoding="utf-8")
    text = text.replace(
        'also_known_as = ["LC North"]', 'also_known_as = ["LC North"]\nmanager = "south@example.gov.uk"'
    )
    council.config_path.write_text(text, encoding="utf-8")
    return council


def only(mails: list[Mail]) -> Mail:
    (mail,) = mails
    return mail


def test_a_flag_goes_from_lead_to_manager_to_head_in_one_message_a_day_each(tmp_path: Path) -> None:
    council = staffed(tmp_path)
    council.night(night_of(-1), [settled("P1"), settled("P2", team="South"), *crowd(10)])
    council.night(NIGHT, [homeless("P1"), settled("P2", team="South"), *crowd(10)])

    council.night(night_of(1), [homeless("P1"), settled("P2", team="South", in_touch="b) No"), *crowd(10)])
    news = [homeless("P1"), homeless("P2", team="South"), *crowd(10)]
    council.night(night_of(2), news)
    council.night(night_of(2), news)
    council.night(night_of(3), news)
    council.night(night_of(7), news)

    both = only(council.mail_to("south@example.gov.uk", night_of(2)))
    assert "Leaving care: raised to you" in both.text
    assert "South, Wednesday 14 January 2026" in both.text
    assert "P1, critical" in both.text
    assert "1 newly critical, 1 put right; Leaving care: 1 newly raised, 1 critical - " in both.subject
    assert council.mail_to("south@example.gov.uk", night_of(3)) == []
    head = only(council.mail_to("head@example.gov.uk", night_of(7)))
    assert "P1, critical" in head.text
    assert "P2, critical" in head.text
    assert "These came to you because the settings name no manager for South." in " ".join(head.text.split())
    assert head.text.index("Leaving care: the week") < head.text.index("Leaving care: raised to you")
    assert "Leaving care: the week" in head.text
    steps = council.rows("SELECT flag_id, step, recipient, instead FROM escalation ORDER BY id")
    assert [(step, to, why) for _, step, to, why in steps] == [
        ("manager", "south@example.gov.uk", None),
        ("head", "head@example.gov.uk", None),
        ("manager", "head@example.gov.uk", "no manager"),
    ]


def test_an_escalation_that_was_never_delivered_is_in_the_next_digest(tmp_path: Path) -> None:
    council = staffed(tmp_path)
    people_tonight = [homeless("P1"), *crowd(10)]
    council.night(dt.date(2026, 1, 13), [settled("P1"), *crowd(10)])
    council.clock = dt.datetime(2026, 1, 14, 2, 30, tzinfo=dt.UTC)
    council.night(dt.date(2026, 1, 14), people_tonight)

    for n in (17, 18):  # a weekend
        council.clock = dt.datetime(2026, 1, n - 1, 2, 30, tzinfo=dt.UTC)
        council.night(dt.date(2026, 1, n), people_tonight, unattended=True)
    council.deliver(dt.datetime(2026, 1, 19, 8, 0, tzinfo=dt.UTC))

    mails = [mail for mail in council.mail_to("south@example.gov.uk") if "newly raised" in mail.subject]
    assert "P1, critical" in only(mails).text


def test_the_weekly_summary_comes_once_a_week_and_counts_by_team(tmp_path: Path) -> None:
    council = Council(tmp_path)
    wednesday = night_of(2)
    council.night(wednesday, [homeless("P1"), settled("P2", team="South", adviser=""), *crowd(10)])
    council.night(wednesday + dt.timedelta(1), [homeless("P1"), settled("P2", team="South", adviser=""), *crowd(10)])

    council.night(night_of(8), [settled("P1"), settled("P2", team="South", adviser=""), *crowd(10)])
    council.night(night_of(9), [settled("P1"), settled("P2", team="South", adviser=""), *crowd(10)])

    mails = [mail for mail in council.mail_to("head@example.gov.uk") if "Leaving care week" in mail.subject]
    assert len(mails) == 2
    words = " ".join(mails[1].text.split())
    assert "Out of sight in any way: 1 (1 not known)" in words
    assert "Nobody named: 1 (1 not known)" in words
    assert "North: 0 open; 0 opened, 1 cleared, 0 raised" in words
    assert "Cleared nothing this week: South." in words
    assert "P1" not in mails[1].text + mails[1].html


def test_a_manager_digest_is_a_digest() -> None:
    assert isinstance(compose(up(1, "P001")), ManagerDigest)
