"""The backlog: which flags it holds, and that of these only what is newly worse goes up step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.council import NIGHT, Council, crowd, homeless, settled
from support.council import day as night_of
from support.flag_nights import Answer, Nights, Person, day
from support.timed_service import few_rules
from test_withdraw import take_back

from monitor.figures.burn_down import TeamBacklog, burn_down, count_backlog, list_worst
from monitor.flags.backlog import Backlog, NightAsked, find_begun
from monitor.flags.life import RuleFacts
from monitor.record.audit_rows import compare_rows
from monitor.workspace import load_rows, open_workspace

STEPS = {"critical": (2, 5), "high": (10, 20)}
CRITICAL, HIGH = "turning-18-adviser", "pa-allocated"


@dataclass(frozen=True)
class Rule:
    id: str = "contact"
    meaning: str = "six weeks"
    needs: Sequence[str] = ("contacted_on",)
    columns: Sequence[str] = ("contacted_on", "age")


def asked(meaning: str | None = "six weeks", **given: Any) -> NightAsked:
    meanings = {"contact": meaning} if meaning else {}
    return NightAsked(meanings, **({"supplied": ["contacted_on", "age"]} | given))


@pytest.mark.parametrize(
    ("earlier", "begins"),
    [
        ([asked()], False),
        ([asked(None)], True),
        ([asked("eight weeks"), asked()], True),
        ([asked(supplied=["age"])], True),
        ([asked(supplied=["age"]), asked()], False),
        ([asked(failed=["contact"]), asked(None)], True),
        ([asked(failed=["contact"]), asked()], False),
        ([asked(not_believed=["age"]), asked("eight weeks")], True),
        ([asked(None), asked()], True),
    ],
    ids=[
        "asked before", "a new rule", "a changed limit", "a column nobody brought", "a column missing for a night",
        "failed on its first night", "failed once", "not believed on the first night of a limit", "off for a night",
    ],
)  # fmt: skip
def test_a_rule_begins_on_the_first_night_that_could_open_flags_as_it_is_asked_now(
    earlier: list[NightAsked], begins: bool
) -> None:
    assert find_begun([Rule()], earlier) == (("contact",) if begins else ())


def test_a_rule_begins_where_a_new_source_brings_a_column_it_needs():
    assert find_begun([Rule(), Rule("plan", needs=("plan_on",))], [asked()], ["contacted_on"]) == ("contact", "plan")
    assert find_begun([Rule()], [asked()], ["age"]) == ()


def test_earlier_nights_are_read_only_as_far_as_it_takes():
    def nights():
        yield asked()
        raise AssertionError("read too far")

    assert find_begun([Rule()], nights()) == ()


def test_a_flag_is_backlog_by_where_its_lines_of_descent_began():
    backlog = Backlog(
        day(0), {day(9): ["plan"]}, lines={7: [("plan", day(9))], 8: [("plan", day(9)), ("plan", day(10))]}
    )

    assert [
        backlog.holds(1, "contact", day(0)), backlog.holds(1, "contact", day(1)), backlog.holds(1, "plan", day(9)),
        backlog.holds(1, "contact", day(9)), backlog.holds(7, "over-21-plan", day(9)), backlog.holds(8, "plan", day(9)),
    ] == [True, False, True, False, True, False]  # fmt: skip


# Through nights: day(0) is the first of all


def backlog_nights(folder: Path) -> Nights:
    nights = Nights(folder, STEPS)
    nights.first_night = day(0)
    return nights


def person(*rules: str, **other: str) -> Person:
    return Person({**{rule: Answer("breach") for rule in rules}, **other})


def raised(nights: Nights) -> list[tuple[int, str, str, int]]:
    return [((as_at - day(0)).days, rule, step, days) for as_at, _, rule, step, days in nights.raised]


def test_of_the_backlog_a_critical_flag_goes_up_once_after_twenty_working_days_and_nothing_else(tmp_path: Path):
    nights = backlog_nights(tmp_path)

    for n in (0, 2, 7, 27, 28, 29, 60):
        nights.night(day(n), {"P1": person(CRITICAL), "P2": person(HIGH)})

    assert raised(nights) == [(28, CRITICAL, "manager", 20)]


def test_what_comes_after_goes_up_and_takes_the_less_serious_backlog_of_its_person_along(tmp_path: Path):
    nights = backlog_nights(tmp_path)
    nights.night(day(0), {"P1": person(HIGH), "P2": person(HIGH)})

    for n in (21, 23, 34, 35):
        nights.night(day(n), {"P1": person(HIGH, CRITICAL), "P2": person(HIGH)})

    assert raised(nights) == [(23, CRITICAL, "manager", 2), (34, CRITICAL, "head", 9), (35, HIGH, "manager", 10)]


def test_a_more_severe_flag_that_carries_the_backlog_on_goes_up_from_then_and_one_no_worse_does_not(tmp_path: Path):
    rules = (
        RuleFacts("pa-allocated", "high"),
        RuleFacts("over-21-adviser", "critical", ("pa-allocated",)),
        RuleFacts("contact-overdue", "high"),
        RuleFacts("over-21-contact", "high", ("contact-overdue",)),
    )
    nights = backlog_nights(tmp_path)
    nights.night(day(0), {"P1": person("pa-allocated"), "P2": person("contact-overdue")}, rules=rules)

    turned = {
        "P1": person("over-21-adviser", **{"pa-allocated": "not applicable"}),
        "P2": person("over-21-contact", **{"contact-overdue": "not applicable"}),
    }
    for n in (42, 43, 44, 49, 70):
        nights.night(day(n), turned, rules=rules)

    assert raised(nights) == [(44, "over-21-adviser", "manager", 2), (49, "over-21-adviser", "head", 5)]


# Whole nights


def begun(council: Council) -> list[tuple[str, str | None]]:
    return [(str(as_at), rules) for as_at, rules in council.rows(
        "SELECT as_at, begun_rules FROM run WHERE state = 'accepted' ORDER BY as_at"
    )]  # fmt: skip


def test_a_new_rule_and_a_changed_limit_begin_that_night_also_when_it_is_put_right_or_taken_back(
    tmp_path: Path, database: str | None
) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "homeless", "contact-overdue"), database=database)
    people = [homeless("P1"), settled("P2", in_touch="b) No"), *crowd(10)]
    council.night(NIGHT, people)
    few_rules(tmp_path, "homeless", "contact-overdue", "not-in-touch")
    limit = '[rule.contact-overdue]\nlimits = { contact_within = "6 weeks" }\n'
    council.config_path.write_text(council.config_path.read_text(encoding="utf-8") + limit, encoding="utf-8")

    council.night(night_of(1), people)
    first = begun(council)
    council.night(night_of(1), people[:-1], again=True, by="A Analyst")
    second = begun(council)
    take_back(council, night_of(1))
    council.night(night_of(2), people)
    council.night(night_of(3), people)

    changed = '["contact-overdue", "not-in-touch"]'
    assert first == second == [("2026-01-12", None), ("2026-01-13", changed)]
    assert begun(council) == [("2026-01-12", None), ("2026-01-14", changed), ("2026-01-15", None)]
    with council.open_database() as opened, opened.reading() as store:
        compared = compare_rows(store, lambda step: None)
    assert not compared.problems, compared


# Burn-down


def test_the_burn_down_counts_what_is_left_and_what_was_put_right_and_no_changed_rule_or_heir_for_it():
    workspace = open_workspace()
    columns = {
        "flag_id": "BIGINT", "person_id": "VARCHAR", "team": "VARCHAR", "rule": "VARCHAR", "severity": "VARCHAR",
        "state": "VARCHAR", "opened_on": "DATE", "in_breach_since": "DATE", "resolved_on": "DATE",
        "resolved_reason": "VARCHAR", "folded": "BOOLEAN",
    }  # fmt: skip
    stood, later, today = day(0), day(3), day(21)

    given: list[Any] = [
        ("P1", stood, None, None), ("P2", stood, day(10), "cleared"), ("P3", stood, day(16), "cleared"),
        ("P4", stood, day(17), "rule changed"), ("P5", stood, day(18), "handed on"), ("P5", stood, None, None),
        ("P6", later, None, None), ("P7", later, day(20), "cleared"), ("P9", stood, day(19), "corrected"),
    ]  # fmt: skip
    rows = [(n, who, "North", "plan", "high", "resolved" if ended else "open", since, since, ended, why, False)
            for n, (who, since, ended, why) in enumerate(given)]  # fmt: skip
    rows.append((20, "P8", "South", "plan", "high", "waived", stood, stood, None, None, False))
    rows.append((21, "P0", "South", "plan", "high", "open", stood, stood, None, None, False))
    load_rows(workspace, "flag_line", columns, rows)

    counted = count_backlog(workspace, Backlog(stood), today, ["P0"])
    for_all = burn_down(counted, of_team=lambda team: True, with_restricted=False)
    with_all = burn_down(counted, of_team=lambda team: team == "South", with_restricted=True)

    assert for_all.teams == (
        TeamBacklog("North", 2, 0, 1, 1, before=(5, 5, 4)), TeamBacklog("South", 1, 1, before=(1, 1, 1)),
    )  # fmt: skip
    assert (for_all.total.left, for_all.total.fewer) == (3, 2)
    assert [team.left for team in with_all.teams] == [2]


def test_the_worst_of_a_backlog_are_those_with_the_most_critical_flags_then_weight_then_the_oldest_breach():
    workspace = open_workspace()
    columns = {
        "flag_id": "BIGINT", "person_id": "VARCHAR", "team": "VARCHAR", "rule": "VARCHAR", "severity": "VARCHAR",
        "state": "VARCHAR", "opened_on": "DATE", "in_breach_since": "DATE", "folded": "BOOLEAN",
    }  # fmt: skip
    given = [
        ("P1", "high", day(-9), False), ("P2", "high", day(-90), False), ("P3", "critical", day(0), False),
        ("P4", "critical", day(0), False), ("P4", "medium", day(0), False), ("P5", "high", day(-5), False),
        ("P5", "high", day(-5), True), ("P6", "high", day(-1), False), ("P6", "low", day(-1), False),
        ("P7", "critical", day(-400), False),
    ]  # fmt: skip
    rows = [(n, who, "North", f"rule-{n}", severity, "open", day(0), since, folded)
            for n, (who, severity, since, folded) in enumerate(given)]  # fmt: skip
    load_rows(workspace, "flag_list", columns, rows)
    load_rows(workspace, "flag_line", columns, rows)
    workspace.execute("ALTER TABLE flag_line DROP folded")

    worst = list_worst(workspace, Backlog(day(0)), ["person_id"], ["P3"])

    assert list(dict.fromkeys(person for (person,) in worst)) == ["P4", "P7", "P6", "P2", "P1"]


def test_managers_and_heads_read_of_the_backlog_once_a_week_and_the_summary_says_it_first(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "homeless"))
    text = council.config_path.read_text(encoding="utf-8")
    manager = 'also_known_as = ["LC North"]\nmanager = "manager@example.gov.uk"'
    council.config_path.write_text(text.replace('also_known_as = ["LC North"]', manager), encoding="utf-8")
    stood = [homeless("P1"), homeless("P2"), homeless("P3", team="South"), *crowd(10)]
    council.night(NIGHT, stood)
    council.night(night_of(1), stood)
    council.night(night_of(7), [settled("P1"), *stood[1:]])

    to_manager = council.mail_to("manager@example.gov.uk")
    to_head = council.mail_to("head@example.gov.uk")

    subjects = [mail.subject.removeprefix("OFFICIAL-SENSITIVE Leaving care: ") for mail in to_manager]
    assert subjects == ["backlog 2 - 12 January 2026", "backlog 1, 1 fewer than last week - 19 January 2026"]
    assert "North: 1 left, 1 put right last week; before: 2" in to_manager[1].text
    assert "P2, critical" in to_manager[1].text
    assert "South" not in to_manager[1].text
    assert "P3" not in to_manager[1].text
    weeks = [mail for mail in to_head if "week" in mail.subject]
    assert [mail.subject.split(";")[0] for mail in weeks] == [
        "OFFICIAL-SENSITIVE Leaving care week: backlog 3",
        "OFFICIAL-SENSITIVE Leaving care week: backlog 2, 1 fewer than last week",
    ]
    assert weeks[1].text.index("Backlog") < weeks[1].text.index("Out of sight")
    assert "P3, critical - South" in weeks[1].text
