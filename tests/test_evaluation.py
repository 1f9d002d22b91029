"""The four outcomes, what each kind of cell does to them, and what goes on when a rule cannot."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.catalogue import columns
from monitor.rulebook import evaluation, questions
from monitor.rulebook.evaluation import Counts, Evaluation
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.rule import Example
from monitor.rulebook.rule_folders import load_rulebook
from monitor.workspace import Workspace, fetch, lock_down, open_workspace

AS_AT = date(2026, 1, 5)
SUPPLIED = frozenset(columns.BY_NAME)
NINETEEN = date(2006, 6, 15)

HEAD = """
title = "A rule"
severity = "high"
basis = "practice"
reference = "Practice"
why = "It helps."
action = "Act."
"""


def rule(applies_to: str = "true", breach_if: str = "true", *, because: str = "So.", **keys: str) -> str:
    limits = f"\n[limits]\n{keys.pop('limits')}" if "limits" in keys else ""
    lines = [f'applies_to = "{applies_to}"', f'breach_if = "{breach_if}"', f'because = "{because}"']
    return HEAD + "\n".join([*lines, *(f"{key} = {value}" for key, value in keys.items())]) + limits


def person(*, unreadable: tuple[str, ...] = (), not_supplied: tuple[str, ...] = (), **cells: Any) -> Example:
    """Aged 19 and former relevant unless told otherwise; None leaves a cell blank."""
    ordinary = {"date_of_birth": NINETEEN, "eligibility": "former relevant"}
    given = {
        name: value
        for name, value in {**ordinary, **cells}.items()
        if value is not None and name not in (*unreadable, *not_supplied)
    }
    return Example("a person", AS_AT, "ok", given, unreadable, not_supplied)


@dataclass
class Asked:
    workspace: Workspace
    found: Evaluation
    outcomes: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)


def ask(
    folder: Path, rules: Mapping[str, str], *people: Example, supplied: frozenset[str] = SUPPLIED, as_at: date = AS_AT
) -> Asked:
    folder = folder / "rules"
    folder.mkdir(exist_ok=True)
    for name, text in rules.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    rulebook = load_rulebook([folder], {})
    workspace = open_workspace()
    build_caseload(workspace, people)
    lock_down(workspace)
    found = evaluation.evaluate(workspace, rulebook, evaluation.Asking(as_at, supplied))
    found = evaluation.explain_unassessed(workspace, rulebook, found)
    answers = {(row["rule"], row["person_id"]): row["outcome"] for row in fetch(workspace, "SELECT * FROM answer")}
    outcomes = {name: tuple(answers.get((name, f"E{place}")) for place in range(1, len(people) + 1)) for name in rules}
    return Asked(workspace, found, outcomes)


def outcomes_of(folder: Path, text: str, *people: Example) -> tuple[str | None, ...]:
    return ask(folder, {"a-rule": text}, *people).outcomes["a-rule"]


# The four outcomes


def test_each_person_gets_one_of_four_outcomes(tmp_path: Path) -> None:
    text = rule("category = 'former relevant'", "activity = 'G5'", needs='["activity"]')

    outcomes = outcomes_of(
        tmp_path, text,
        person(activity="F1"), person(activity="G5"), person(activity="G5", eligibility="qualifying"), person(),
    )  # fmt: skip

    assert outcomes == ("ok", "breach", "not applicable", "cannot assess")


def test_nobody_who_died_is_asked_even_by_a_rule_for_any_age(tmp_path: Path) -> None:
    dead = (person(in_touch="DIED"), person(death_date=date(2025, 12, 1)), person(unreadable=("death_date",)))

    for text in (rule(), rule(any_age="true"), rule(asks_absent="true")):
        assert outcomes_of(tmp_path, text, *dead, person()) == (None, None, None, "breach")


def test_only_a_rule_that_asks_for_absent_people_is_asked_of_them(tmp_path: Path) -> None:
    absent = person(present=False)

    assert outcomes_of(tmp_path, rule(), absent) == (None,)
    assert outcomes_of(tmp_path, rule(asks_absent="true"), absent, person()) == ("breach", "breach")


@pytest.mark.parametrize(
    ("born", "outcome"),
    [
        (date(2010, 1, 6), "not applicable"),
        (date(2010, 1, 5), "breach"),
        (date(2001, 1, 6), "breach"),
        (date(2001, 1, 5), "not applicable"),
        (None, "cannot assess"),
    ],
)
def test_rules_are_asked_from_the_16th_birthday_to_the_day_before_the_25th(
    tmp_path: Path, born: date | None, outcome: str
) -> None:
    assert outcomes_of(tmp_path, rule(), person(date_of_birth=born)) == (outcome,)
    assert outcomes_of(tmp_path, rule(any_age="true"), person(date_of_birth=born)) == ("breach",)


def test_without_an_age_a_rule_is_never_said_not_to_apply(tmp_path: Path) -> None:
    text = rule("category = 'former relevant'")

    # Recorded as eligible, who at 18 would be former relevant: only the birth date could tell.
    assert outcomes_of(tmp_path, text, person(eligibility="eligible", unreadable=("date_of_birth",))) == (
        "cannot assess",
    )


# What a cell can be


def test_a_needed_cell_that_is_unreadable_or_not_supplied_cannot_be_assessed(tmp_path: Path) -> None:
    text = rule("true", "personal_adviser is null", needs='["personal_adviser"]')

    outcomes = outcomes_of(
        tmp_path, text,
        person(personal_adviser="PA 1"), person(), person(unreadable=("personal_adviser",)),
        person(not_supplied=("personal_adviser",)),
    )  # fmt: skip

    assert outcomes == ("ok", "breach", "cannot assess", "cannot assess")


def test_an_unreadable_cell_does_not_matter_to_someone_the_rule_cannot_apply_to(tmp_path: Path) -> None:
    text = rule(
        "category = 'former relevant' and accommodation is distinct from 'X'", "accommodation = 'S'",
        needs='["accommodation"]',
    )  # fmt: skip

    outcomes = outcomes_of(
        tmp_path, text,
        person(eligibility="qualifying", unreadable=("accommodation",)), person(unreadable=("accommodation",)),
    )  # fmt: skip

    assert outcomes == ("not applicable", "cannot assess")


def test_a_cell_the_rule_does_not_need_is_blank_to_it_when_unreadable(tmp_path: Path) -> None:
    text = rule("true", "(activity in ('G5')) is true")

    assert outcomes_of(tmp_path, text, person(activity="G5"), person(unreadable=("activity",))) == ("breach", "ok")


def test_a_blank_that_a_comparison_needs_cannot_be_assessed(tmp_path: Path) -> None:
    text = rule("true", "not accommodation_suitable", needs='["accommodation_suitable"]')

    assert outcomes_of(tmp_path, text, person(), person(accommodation_suitable=True)) == ("cannot assess", "ok")


def test_an_unknown_category_cannot_be_assessed_unless_the_roster_knows_the_person(tmp_path: Path) -> None:
    text = rule("category in ('relevant', 'former relevant')")

    outcomes = outcomes_of(
        tmp_path, text,
        person(eligibility=None), person(unreadable=("eligibility",)),
        person(unreadable=("eligibility",), once_accepted_as="relevant"),
    )  # fmt: skip

    assert outcomes == ("not applicable", "cannot assess", "breach")


def test_what_cannot_be_assessed_names_the_column_and_why(tmp_path: Path) -> None:
    rules = {
        "adviser": rule("category = 'former relevant'", "personal_adviser is null", needs='["personal_adviser"]'),
        "suitable": rule("true", "not accommodation_suitable", needs='["accommodation_suitable"]'),
        "neet": rule("category = 'former relevant'", "activity = 'G5'"),
    }

    asked = ask(
        tmp_path, rules,
        person(unreadable=("personal_adviser",)), person(not_supplied=("accommodation_suitable",)),
        person(unreadable=("eligibility",), personal_adviser="PA 1"), person(date_of_birth=None),
    )  # fmt: skip

    missing = fetch(asked.workspace, 'SELECT rule, person_id, "column", why FROM cannot_assess ORDER BY ALL')
    assert [tuple(row.values()) for row in missing] == [
        ("adviser", "E1", "personal_adviser", "unreadable"),
        ("adviser", "E3", "eligibility", "unreadable"),
        ("adviser", "E4", "date_of_birth", "blank"),
        ("neet", "E1", "activity", "blank"),
        ("neet", "E2", "activity", "blank"),
        ("neet", "E3", "eligibility", "unreadable"),
        ("neet", "E4", "date_of_birth", "blank"),
        ("suitable", "E1", "accommodation_suitable", "blank"),
        ("suitable", "E2", "accommodation_suitable", "not supplied"),
        ("suitable", "E3", "accommodation_suitable", "blank"),
        ("suitable", "E4", "date_of_birth", "blank"),
    ]


def test_everyone_who_cannot_be_assessed_has_a_reason(tmp_path: Path) -> None:
    odd = rule("true", "nullif(1, 1) = 1 or accommodation_since < as_at")

    asked = ask(tmp_path, {"odd": odd}, person(), person(accommodation_since=date(2025, 1, 1)))

    assert asked.outcomes["odd"] == ("cannot assess", "breach")
    assert fetch(asked.workspace, 'SELECT person_id, "column", why FROM cannot_assess') == [
        {"person_id": "E1", "column": "accommodation_since", "why": "blank"}
    ]


def test_a_cell_with_a_gap_that_is_not_needed_is_named_beside_one_that_is_blank(tmp_path: Path) -> None:
    named = rule("personal_adviser <> '' and not blank(personal_adviser)", "activity is null", needs='["activity"]')

    asked = ask(tmp_path, {"named": named}, person(not_supplied=("personal_adviser",)), person())

    assert asked.outcomes["named"] == ("cannot assess", "not applicable")
    assert [row["column"] for row in fetch(asked.workspace, 'SELECT "column" FROM cannot_assess ORDER BY 1')] == [
        "activity", "personal_adviser",
    ]  # fmt: skip


ATOMS = (
    "activity = 'G5'",
    "activity is null",
    "activity is distinct from 'F1'",
    "accommodation is not null",
    "(accommodation in ('S', 'X')) is true",
    "coalesce(accommodation, 'S') = 'S'",
    "age < 20",
    "declined",
)
FORMULAS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, inner).map(lambda pair: f"case when {pair[0]} then {pair[1]} else declined end"),
    ),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FORMULAS)
def test_an_unreadable_cell_is_not_applicable_only_where_it_would_be_whatever_the_cell_held(
    tmp_path: Path, formula: str
) -> None:
    breach_if = "activity = 'G5' and accommodation = 'S'"
    text = rule(formula, breach_if, needs='["activity", "accommodation"]')
    could_be = {"activity": ("G5", "F1", None), "accommodation": ("S", "U", None)}
    readable = [
        person(activity=activity, accommodation=accommodation)
        for activity, accommodation in product(could_be["activity"], could_be["accommodation"])
    ]
    doubtful = [
        person(accommodation=accommodation, unreadable=("activity",)) for accommodation in could_be["accommodation"]
    ]

    outcomes = outcomes_of(tmp_path, text, *readable, *doubtful, person(unreadable=("activity", "accommodation")))

    known = dict(zip(product(*could_be.values()), outcomes, strict=False))
    for accommodation, outcome in zip(could_be["accommodation"], outcomes[9:12], strict=True):
        assert outcome in ("not applicable", "cannot assess")
        if outcome == "not applicable":
            assert {known[activity, accommodation] for activity in could_be["activity"]} == {"not applicable"}
    if outcomes[12] == "not applicable":
        assert set(known.values()) == {"not applicable"}


# What a breach says


def test_a_breach_says_when_it_was_due_since_when_and_why(tmp_path: Path) -> None:
    text = rule(
        "true", "latest_contact_date is null or due_on < as_at", needs='["latest_contact_date"]',
        due_on='"latest_contact_date + within"', limits='within = "8 weeks"',
        because="Latest contact {{ latest_contact_date | date }}; due {{ due_on | date }}.",
    )  # fmt: skip

    asked = ask(
        tmp_path, {"contact": text},
        person(latest_contact_date=date(2025, 11, 9)), person(latest_contact_date=date(2025, 11, 10)), person(),
    )  # fmt: skip

    assert asked.outcomes["contact"] == ("breach", "ok", "breach")
    assert fetch(asked.workspace, "SELECT * FROM breach ORDER BY person_id") == [
        {
            "person_id": "E1", "rule": "contact", "due_on": date(2026, 1, 4), "in_breach_since": date(2026, 1, 5),
            "because": "Latest contact 9 November 2025; due 4 January 2026.",
        },
        {
            "person_id": "E3", "rule": "contact", "due_on": None, "in_breach_since": None,
            "because": "Latest contact not recorded; due not recorded.",
        },
    ]  # fmt: skip


def test_a_deadline_in_working_days_passes_over_weekends_and_bank_holidays(tmp_path: Path) -> None:
    text = rule("true", "due_on < as_at", due_on='"latest_contact_date + within"', limits='within = "7 working days"')

    asked = ask(
        tmp_path, {"contact": text},
        person(latest_contact_date=date(2025, 12, 22)), person(latest_contact_date=date(2025, 12, 23)),
    )  # fmt: skip

    assert asked.outcomes["contact"] == ("ok", "ok")
    due = fetch(
        ask(tmp_path, {"contact": text}, person(latest_contact_date=date(2025, 12, 18))).workspace, "FROM breach"
    )
    assert [row["due_on"] for row in due] == [date(2025, 12, 31)]


# Counting


def test_each_rule_is_counted_in_all_and_by_team(tmp_path: Path) -> None:
    text = rule("category = 'former relevant'", "activity = 'G5'", needs='["activity"]')

    asked = ask(
        tmp_path, {"neet": text},
        person(activity="G5", allocated_team="North"), person(activity="F1", allocated_team="North"),
        person(allocated_team="North"), person(activity="G5"), person(eligibility="qualifying", allocated_team="South"),
    )  # fmt: skip

    assert asked.found.totals == {"neet": Counts(asked=4, ok=1, breach=2, cannot_assess=1)}
    assert [tuple(row.values()) for row in fetch(asked.workspace, "SELECT * FROM measure ORDER BY team")] == [
        ("neet", "", 1, 0, 1, 0),
        ("neet", "North", 3, 1, 1, 1),
    ]


def test_an_empty_caseload_is_counted_as_nobody(tmp_path: Path) -> None:
    asked = ask(tmp_path, {"neet": rule()})

    assert asked.found.totals == {"neet": Counts()}
    assert fetch(asked.workspace, "SELECT * FROM answer") == []


# When a rule cannot be asked


def test_a_rule_whose_needed_column_nobody_supplies_is_not_assessed_for_anyone(tmp_path: Path) -> None:
    rules = {
        "visits": rule("true", "last_visit_date is null", needs='["last_visit_date"]'),
        "neet": rule("true", "activity = 'G5'", needs='["activity"]'),
    }

    asked = ask(tmp_path, rules, person(activity="G5"), supplied=SUPPLIED - {"last_visit_date"})

    assert asked.found.not_assessed == {"visits": ("last_visit_date",)}
    assert asked.outcomes == {"visits": (None,), "neet": ("breach",)}
    assert set(asked.found.totals) == {"neet"}


def test_a_rule_that_fails_while_running_is_left_out_and_the_rest_go_on(tmp_path: Path) -> None:
    """The checker knows what each column may hold; here somebody has more."""
    rules = {
        "too-large": rule("true", "pa_changes_12_months * 20000000 > 5"),
        "too-far": rule("true", "due_on < as_at or true", due_on='"as_at + plan_heads_complete * 3650"'),
        "neet": rule("true", "activity = 'G5'"),
    }

    asked = ask(tmp_path, rules, person(activity="G5", pa_changes_12_months=999, plan_heads_complete=999_999))

    assert set(asked.found.failed) == {"too-large", "too-far"}
    assert (
        asked.found.failed["too-large"] == "a sum gave a number or a date out of range; check what its conditions add"
    )
    assert asked.outcomes == {"too-large": (None,), "too-far": (None,), "neet": ("breach",)}
    assert {row["rule"] for row in fetch(asked.workspace, "FROM breach")} == {"neet"}
    assert set(asked.found.totals) == {"neet"}


def test_a_rule_that_would_fail_only_of_somebody_it_is_not_asked_of_has_not_failed(tmp_path: Path) -> None:
    rules = {"too-large": rule("pa_changes_12_months * 20000000 > 5", "activity = 'G5'")}
    too_old = person(date_of_birth=date(1970, 1, 1), activity="G5", pa_changes_12_months=999)

    asked = ask(tmp_path, rules, too_old, person(activity="G5", pa_changes_12_months=1))

    assert asked.found.failed == {}
    assert asked.outcomes == {"too-large": ("not applicable", "breach")}


def test_a_rule_whose_reasons_fail_has_failed_and_the_rest_keep_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons_sql = questions.reasons_sql
    wrong = "[{'column': 'activity', 'why': CAST(CAST(person_id AS INTEGER) AS VARCHAR)}]"
    monkeypatch.setattr(questions, "reasons_sql", lambda asked: wrong if asked.id == "wrong" else reasons_sql(asked))
    rules = {"wrong": rule("true", "activity = 'G5'"), "neet": rule("true", "activity = 'G5'")}

    asked = ask(tmp_path, rules, person(activity="G5"), person(unreadable=("activity",)), person(activity="F1"))

    assert asked.found.failed == {"wrong": asked.found.failed["wrong"]}
    assert asked.outcomes["wrong"] == (None, None, None)
    assert asked.outcomes["neet"] == ("breach", "cannot assess", "ok")
    for table in ("breach", "cannot_assess", "measure"):
        assert {row["rule"] for row in fetch(asked.workspace, f"FROM {table}")} == {"neet"}
    assert asked.found.totals == {"neet": Counts(3, 1, 1, 1)}


def test_drafts_and_rules_outside_their_dates_are_not_asked(tmp_path: Path) -> None:
    rules = {
        "draft": rule(status='"draft"'),
        "later": rule(effective_from="2026-01-06"),
        "now": rule(effective_from="2026-01-05", effective_to="2026-01-05"),
    }

    asked = ask(tmp_path, rules, person())

    assert asked.outcomes == {"draft": (None,), "later": (None,), "now": ("breach",)}


# The derived columns, on the days that matter


def facts(as_at: date = AS_AT, **cells: Any) -> tuple[Any, ...]:
    workspace = open_workspace()
    gaps = cells.pop("unreadable", ())
    build_caseload(workspace, [Example("a person", as_at, "ok", cells, unreadable=gaps)])
    found = workspace.execute("SELECT age, category, declined, once_entitled FROM caseload").fetchone()
    return tuple(found or ())


@pytest.mark.parametrize(
    ("born", "as_at", "age"),
    [
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2008, 2, 28), date(2026, 2, 28), 18),
        (date(2008, 3, 1), date(2026, 2, 28), 17),
        (date(2008, 3, 1), date(2026, 3, 1), 18),
        (date(2007, 12, 31), date(2025, 12, 30), 17),
        (date(2007, 12, 31), date(2026, 1, 1), 18),
        (date(2008, 1, 5), date(2026, 1, 5), 18),
        (date(2008, 1, 6), date(2026, 1, 5), 17),
    ],
)
def test_age_counts_birthdays_by_month_and_day(born: date, as_at: date, age: int) -> None:
    assert facts(as_at, date_of_birth=born)[0] == age


CHILD, ADULT = date(2008, 1, 6), date(2008, 1, 5)


@pytest.mark.parametrize(
    ("cells", "category"),
    [
        ({"date_of_birth": CHILD, "eligibility": "eligible"}, "eligible"),
        ({"date_of_birth": ADULT, "eligibility": "eligible"}, "former relevant"),
        ({"date_of_birth": CHILD, "eligibility": "relevant"}, "relevant"),
        ({"date_of_birth": ADULT, "eligibility": "relevant"}, "former relevant"),
        ({"date_of_birth": CHILD, "eligibility": "former relevant"}, "relevant"),
        ({"date_of_birth": ADULT, "eligibility": "former relevant"}, "former relevant"),
        ({"date_of_birth": CHILD, "eligibility": "relevant", "in_touch": "RHOM"}, "qualifying"),
        ({"date_of_birth": ADULT, "eligibility": "relevant", "in_touch": "RHOM"}, "former relevant"),
        ({"date_of_birth": CHILD, "eligibility": "eligible", "in_touch": "RHOM"}, "eligible"),
        ({"date_of_birth": ADULT, "eligibility": "qualifying"}, "qualifying"),
        ({"date_of_birth": ADULT}, "no current eligibility"),
        ({"date_of_birth": ADULT, "unreadable": ("eligibility",)}, None),
        ({"date_of_birth": ADULT, "eligibility": "qualifying", "once_accepted_as": "eligible"}, "former relevant"),
        ({"date_of_birth": ADULT, "once_accepted_as": "relevant"}, "former relevant"),
        ({"date_of_birth": CHILD, "eligibility": "no current eligibility", "once_accepted_as": "eligible"}, "eligible"),
        ({"date_of_birth": CHILD, "once_accepted_as": "former relevant"}, "relevant"),
        ({"date_of_birth": date(2001, 1, 6), "once_accepted_as": "relevant"}, "former relevant"),
        ({"date_of_birth": date(2001, 1, 5), "once_accepted_as": "relevant"}, "no current eligibility"),
        ({"eligibility": "eligible"}, "eligible"),
        ({"eligibility": "former relevant"}, "former relevant"),
        ({"unreadable": ("date_of_birth",), "eligibility": "relevant", "in_touch": "RHOM"}, "relevant"),
    ],
)
def test_category_is_the_recorded_one_put_right(cells: dict[str, Any], category: str | None) -> None:
    assert facts(**cells)[1] == category


@pytest.mark.parametrize(
    ("cells", "declined"),
    [
        ({"date_of_birth": date(2005, 1, 5), "in_touch": "REFU"}, True),
        ({"date_of_birth": date(2005, 1, 5), "in_touch": "NREQ"}, True),
        ({"date_of_birth": date(2005, 1, 6), "in_touch": "REFU"}, False),
        ({"date_of_birth": date(2005, 1, 5), "in_touch": "NO"}, False),
        ({"date_of_birth": date(2005, 1, 5)}, False),
        ({"in_touch": "REFU"}, False),
        ({"date_of_birth": date(2005, 1, 5), "unreadable": ("in_touch",)}, False),
    ],
)
def test_declined_is_true_from_21_and_never_blank(cells: dict[str, Any], declined: bool) -> None:
    assert facts(**cells)[2] is declined


def test_whoever_was_once_entitled_is_so_until_25() -> None:
    assert facts(date_of_birth=date(2001, 1, 6), once_entitled=True)[3] is True
    assert facts(date_of_birth=date(2001, 1, 5), once_entitled=True)[3] is False
    assert facts(once_entitled=True)[3] is True
    assert facts(date_of_birth=date(2001, 1, 6))[3] is False


@pytest.mark.parametrize("module", ["monitor.config.settings", "monitor.rulebook.questions"])
def test_neither_the_config_nor_the_sql_of_a_rule_loads_a_database(module: str) -> None:
    script = f"import sys, {module}; print('duckdb' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "False"
