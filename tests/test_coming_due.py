"""Coming due: the day a flag is said to open is the day it opens when the clock moves and nothing else does."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from support.council import NIGHT, Council, crowd, day, section, settled
from support.random_people import AS_AT, invent, shipped_rules
from support.timed_service import few_rules

from monitor.catalogue import columns
from monitor.flags import coming_due
from monitor.rulebook import evaluation, examples
from monitor.rulebook.change_days import find_change_days
from monitor.rulebook.questions import BREACH
from monitor.rulebook.rule import Example
from monitor.rulebook.rule_folders import load_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.workspace import load_rows, lock_down, open_workspace

RULEBOOK = shipped_rules()
EVERYTHING = frozenset(columns.BY_NAME)
NORTH = "north@example.gov.uk"
Due = dict[tuple[str, str], dt.date]


def breaches(people: list[Example], days: range, rulebook: Rulebook = RULEBOOK) -> list[set[tuple[str, str]]]:
    """Who is in breach of what on each day, each person's record made for that very day."""
    workspace = open_workspace()
    examples.build_caseload(workspace, [replace(one, as_at=AS_AT + dt.timedelta(n)) for n in days for one in people])
    evaluation.answer(workspace, rulebook.rules)
    found: list[set[tuple[str, str]]] = [set() for _ in days]
    for rule in rulebook.rules:
        rows = workspace.execute(f'SELECT person_id FROM outcome WHERE "{rule.id}" = {BREACH}').fetchall()
        for (person_id,) in rows:
            day, place = divmod(int(person_id[1:]) - 1, len(people))
            found[day].add((f"E{place + 1}", rule.id))
    workspace.close()
    return found


def look_ahead(
    people: list[Example], as_at: dt.date = AS_AT, rulebook: Rulebook = RULEBOOK, *, together: bool = True
) -> tuple[Due, Due]:
    """Every person and rule coming due with the day, and those of them said in another's line.

    ``together``: later days are asked in one pass with tonight, as they are of all but very many people.
    """
    workspace = open_workspace()
    examples.build_caseload(workspace, [replace(one, as_at=as_at) for one in people])
    lock_down(workspace)
    ahead = coming_due.show_days(workspace, rulebook, as_at, EVERYTHING, ()) if together else None
    evaluation.ask(workspace, rulebook.in_force(as_at), ahead)
    assert ("outcome_ahead" in workspace.tables) == together
    kinds = {"person_id": "VARCHAR", "rule": "VARCHAR", "target": "VARCHAR"}
    load_rows(workspace, "decision", kinds, ())
    workspace.execute("CREATE OR REPLACE TABLE opening AS SELECT person_id, rule FROM breach")
    coming_due.look_ahead(workspace, rulebook, as_at, EVERYTHING)
    rows = workspace.execute("SELECT person_id, rule, opens_on, inside FROM coming_due").fetchall()
    workspace.close()
    return {row[:2]: row[2] for row in rows}, {row[:2]: row[2] for row in rows if row[3]}


def test_asked_together_with_tonight_or_apart_the_forecast_is_the_same() -> None:
    people = invent(300, seed=11)

    assert look_ahead(people) == look_ahead(people, together=False)


def test_a_rule_that_fails_on_a_later_day_alone_has_not_failed_tonight(tmp_path: Path) -> None:
    # Within four weeks the number passes what a column can hold, of somebody with more than a night would read.
    (tmp_path / "later.toml").write_text(
        """
title = "A rule"
severity = "low"
basis = "report"
reference = "Report"
why = "Why."
action = "Do it."
needs = ["activity"]
applies_to = "activity = 'G5'"
breach_if = "case when as_at > date '2026-01-10' then plan_heads_complete * 200000000 > 5 else true end"
because = "Activity: {{ activity | meaning }}."
""",
        encoding="utf-8",
    )
    rulebook = load_rulebook((tmp_path,), {})
    workspace = open_workspace()
    person = Example("a person", dt.date(2026, 1, 5), "ok", {"activity": "G5", "plan_heads_complete": 20})
    examples.build_caseload(workspace, [replace(person, given={**person.given, "date_of_birth": dt.date(2008, 1, 1)})])
    ahead = coming_due.show_days(workspace, rulebook, person.as_at, EVERYTHING, ())

    answered, failed = evaluation.ask(workspace, rulebook.rules, ahead)

    assert ([rule.id for rule in answered], failed) == (["later"], {})
    assert workspace.execute("SELECT outcome FROM answer").fetchall() == [("breach",)]
    assert "outcome_ahead" not in workspace.tables
    workspace.close()


def test_every_flag_opens_on_the_day_that_was_forecast_and_none_is_missed() -> None:
    people = invent(400, seed=5)
    nights = breaches(people, range(29))
    then = set.union(*nights[1:]) - nights[0]
    opens = {each: next(n for n, night in enumerate(nights) if each in night) for each in then}

    due, _ = look_ahead(people)

    assert due == {each: AS_AT + dt.timedelta(n) for each, n in opens.items()}
    assert len({rule for _, rule in due}) > 20
    born_on_leap_days = {f"E{n}" for n, one in enumerate(people, 1) if one.given["date_of_birth"].day == 29}
    assert born_on_leap_days & {person for person, _ in due}


SHORT = {
    "window": ("latest_contact_date + 50 < as_at and latest_contact_date + wait >= as_at", 'wait = "53 days"'),
    "until": ("pathway_plan_review_date + wait < as_at and as_at + 2 < release_date", 'wait = "6 months"'),
    "months": ("as_at + wait >= release_date and as_at + 5 < last_visit_date + 80", 'wait = "2 months"'),
    "turned": (
        "case when age < 21 then last_visit_date else latest_contact_date end + wait between as_at - 2 and as_at",
        'wait = "57 days"',
    ),
}
ANY_DAY = {
    "month": ("month(as_at) = 2 and day(as_at) < 4", ""),
    "working": ("as_at + wait >= release_date", 'wait = "10 working days"'),
}


@pytest.mark.parametrize("others", [{}, ANY_DAY], ids=["days that are told", "any day"])
def test_a_breach_of_a_day_or_two_is_forecast_whatever_a_council_compares_with_the_date(
    tmp_path: Path, others: dict[str, tuple[str, str]]
) -> None:
    for name, (breach_if, limits) in (SHORT | others).items():
        (tmp_path / f"{name}.toml").write_text(
            f"""
title = "A rule"
severity = "low"
basis = "report"
reference = "Report"
why = "Why."
action = "Do it."
applies_to = "true"
breach_if = "{breach_if}"
because = "Activity: {{{{ activity | meaning }}}}."
[limits]
{limits}
""",
            encoding="utf-8",
        )
    rulebook = load_rulebook((tmp_path,), {})
    people = invent(60, seed=7)
    nights = breaches(people, range(29), rulebook)
    then = set.union(*nights[1:]) - nights[0]

    due, _ = look_ahead(people, rulebook=rulebook)

    assert (find_change_days(rulebook.rules) is None) == bool(others)
    assert due == {
        each: AS_AT + dt.timedelta(next(n for n, night in enumerate(nights) if each in night)) for each in then
    }
    assert {rule for _, rule in due} == {*SHORT, *others}
    assert any(each not in nights[7] | nights[14] | nights[28] for each in then)


def young(**given: object) -> Example:
    usual = {
        "date_of_birth": dt.date(2006, 6, 1), "eligibility": "former relevant", "in_touch": "YES",
        "personal_adviser": "A Example", "accommodation": "U", "accommodation_suitable": True, "activity": "F2",
        "latest_contact_date": dt.date(2026, 1, 8), "pathway_plan_review_date": dt.date(2026, 1, 5),
        "local_offer_date": dt.date(2026, 1, 5), "last_supervision_date": dt.date(2026, 1, 5),
        "health_history_date": dt.date(2025, 1, 1), "address_confirmed_date": dt.date(2026, 1, 5),
        "plan_heads_complete": 10, "plan_voice_recorded": True, "plan_professionals_consulted": True,
        "plan_signed_off_date": dt.date(2026, 1, 5),
    }  # fmt: skip
    return Example("someone", AS_AT, "ok", {**usual, **given})


def test_a_deadline_opens_the_day_after_it() -> None:
    due, _ = look_ahead([young(latest_contact_date=dt.date(2025, 11, 20))])

    assert due == {("E1", "contact-overdue"): dt.date(2026, 1, 16)}


def test_someone_born_on_29_february_comes_due_by_their_birthday_on_1_march() -> None:
    one = young(date_of_birth=dt.date(2008, 2, 29), eligibility="eligible", personal_adviser=None, uasc=False)

    due, _ = look_ahead([one], as_at=dt.date(2026, 1, 20))

    assert due[("E1", "turning-18-adviser")] == dt.date(2026, 1, 30)  # 30 days before 1 March


def test_a_rule_folded_by_one_that_is_due_no_later_is_said_inside_it() -> None:
    one = young(
        date_of_birth=dt.date(2008, 4, 20), eligibility="eligible", pathway_plan_review_date=dt.date(2025, 7, 20)
    )

    due, inside = look_ahead([one])

    assert ("E1", "transition-plan-before-18") in due
    assert ("E1", "eligible-plan") in inside


def test_nothing_of_tonight_is_changed_by_looking_ahead() -> None:
    workspace = open_workspace()
    examples.build_caseload(workspace, invent(50))
    evaluation.ask(workspace, RULEBOOK.rules)
    workspace.execute("CREATE TABLE decision AS SELECT person_id, rule, 'continue' AS target FROM breach WHERE false")
    workspace.execute("CREATE TABLE opening AS SELECT person_id, rule FROM breach")
    names = ("answer", "breach", "outcome", "caseload")
    before = {name: workspace.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}

    coming_due.look_ahead(workspace, RULEBOOK, AS_AT, EVERYTHING)

    assert {name: workspace.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names} == before


def test_a_rule_no_source_can_answer_is_not_forecast() -> None:
    workspace = open_workspace()
    examples.build_caseload(workspace, [young(latest_contact_date=dt.date(2025, 11, 20))])
    evaluation.ask(workspace, RULEBOOK.rules)
    workspace.execute("CREATE TABLE decision AS SELECT person_id, rule, 'hold' AS target FROM breach WHERE false")
    workspace.execute("CREATE TABLE opening AS SELECT person_id, rule FROM breach")

    coming_due.look_ahead(workspace, RULEBOOK, AS_AT, EVERYTHING - {"latest_contact_date"})

    assert workspace.execute("SELECT count(*) FROM coming_due").fetchall() == [(0,)]


def test_a_rule_that_comes_into_force_opens_its_flags_on_that_day() -> None:
    begins = AS_AT + dt.timedelta(5)
    neet = replace(RULEBOOK.by_id["neet"], effective_from=begins)

    due, _ = look_ahead([young(activity="G5")], rulebook=Rulebook((neet,)))

    assert due == {("E1", "neet"): begins}


# Through whole nights: someone whose contact of 22 November is due by 17 January, so the flag opens on the 18th.

LATE = {"contact": "22/11/2025"}


COMING_DUE = [
    settled("P1", **LATE),
    settled("P2", **LATE),
    # Turns 21 on 16 January without an adviser.
    settled("C991", born="16/01/2005", contact="10/12/2025", adviser="", activity="F5"),
]


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Council:
    """A council after its first night, to be copied and never changed."""
    folder = tmp_path_factory.mktemp("council")
    (folder / "restricted.txt").write_text("C990\n", encoding="utf-8")
    council = Council(folder, settings='restricted = "restricted.txt"')
    council.night(NIGHT, [*COMING_DUE, settled("P3", plan=""), settled("C990"), *crowd(12)])
    return council


@pytest.fixture(scope="module")
def second_night(first_night: Council, tmp_path_factory: pytest.TempPathFactory) -> Council:
    """The same a night later: a plan was reviewed, and two more people come due."""
    council = first_night.copy_to(tmp_path_factory.mktemp("later"))
    more = [settled("C990", **LATE), settled("C000", **LATE)]
    council.night(day(1), [*COMING_DUE, settled("P3"), *more, *crowd(12)[1:]])
    return council


def test_a_flag_that_was_forecast_opens_on_its_day_and_was_said_once_on_entering_seven_days(tmp_path: Path) -> None:
    council = Council(tmp_path, few_rules(tmp_path, "contact-overdue"))
    late = {"contact": "28/11/2025"}  # opens on 24 January, the twelfth day
    for n in (0, 5, 6, 12):
        council.night(day(n), [settled("P1", **late), *crowd(12)])

    (row,) = council.listed(NIGHT, "coming-due.csv")
    assert (row["person_id"], row["rule"], row["opens_on"], row["days_until"]) == (
        "P1", "contact-overdue", "2026-01-24", "12"
    )  # fmt: skip
    said = [mail for mail in council.mail_to(NORTH) if "P1" in section(mail, "Coming due")]
    assert [mail.subject for mail in said] == ["OFFICIAL-SENSITIVE Leaving care: 1 coming due - 17 January 2026"]
    assert "P1, A Example: Contact overdue: 24 January 2026" in said[0].text
    assert "Contact overdue: 24 January 2026" in said[0].html
    assert council.rows("SELECT rule, opened_on FROM flag") == [("contact-overdue", "2026-01-24")]


def test_the_baseline_only_counts_what_comes_due_and_the_next_night_does_not_repeat_it(second_night: Council) -> None:
    baseline, next_one = second_night.mail_to(NORTH)

    assert "2 more flags will open within 7 days" in " ".join(baseline.text.split())
    assert "P1" not in baseline.text + baseline.html
    assert "C000" in section(next_one, "Coming due")
    assert "P1" not in next_one.text + next_one.html


def test_what_a_message_that_never_arrived_said_is_said_again(first_night: Council, tmp_path: Path) -> None:
    council = first_night.copy_to(tmp_path)
    with council.open_database() as database, database.writing() as store:
        store.execute(text("UPDATE message SET state = 'permanent-failure' WHERE kind = 'lead'"))

    council.night(day(1))

    assert "P1" in section(council.mail_to(NORTH, day(1))[0], "Coming due")


def test_a_new_date_is_said_again(first_night: Council, tmp_path: Path) -> None:
    council = first_night.copy_to(tmp_path)

    council.night(day(2), [settled("P1", contact="24/11/2025"), *COMING_DUE[1:], settled("C990"), *crowd(12)])

    (mail,) = council.mail_to(NORTH, day(2))
    assert "20 January" in section(mail, "Coming due")
    assert "P2" not in section(mail, "Coming due")


def test_a_restricted_person_comes_due_for_the_head_of_service_only(second_night: Council) -> None:
    told = {mail.to for mail in second_night.mail(day(1)) if "C990" in mail.text + mail.html}

    assert told == {"head@example.gov.uk"}
    assert "C990" not in {row["person_id"] for row in second_night.listed(day(1), "coming-due.csv")}
    assert [row["person_id"] for row in second_night.listed(day(1), "restricted-coming-due.csv")] == ["C990"]


def test_a_flag_that_opens_on_a_birthday_is_said_without_its_date(second_night: Council) -> None:
    listed = second_night.listed(day(1), "coming-due.csv")

    assert {(row["person_id"], row["rule"]): row["opens_on"] for row in listed}[("C991", "over-21-adviser")] == (
        "2026-01-16"
    )
    for mail in second_night.mail_to(NORTH):
        assert "16 January" not in mail.text + mail.html
