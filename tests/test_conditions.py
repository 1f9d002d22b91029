"""What a condition may say, what it means in SQL, and that nothing else ever runs."""

import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.catalogue import derived
from monitor.catalogue.dialects import SPARK
from monitor.durations import Duration, Limit, parse_limit
from monitor.errors import Problems
from monitor.rulebook.because import parse_wording
from monitor.rulebook.condition import compile_condition, counts_working_days
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.rule import Example
from monitor.rulebook.type_check import Binder
from monitor.rulebook.wording import compile_wording
from monitor.workspace import open_workspace

AS_AT = date(2026, 1, 5)
BINDER = Binder()


def value_of(
    text: str,
    limits: dict[str, Limit] | None = None,
    *,
    as_at: date = AS_AT,
    gaps: tuple[str, ...] = (),
    **cells: Any,
) -> Any:
    """What the expression gives for one person."""
    condition = parse_condition(text, limits or {}, may_go_back=True)
    workspace = open_workspace()
    build_caseload(workspace, [Example("a person", as_at, "ok", cells, unreadable=gaps)])
    if counts_working_days(condition, limits or {}):
        derived.create_working_days(workspace)
    sql = compile_condition(condition, limits or {}, gapped=frozenset(gaps))
    found = workspace.execute(f"SELECT {sql} FROM caseload").fetchone()
    return found[0] if found else None


# Dates and limits


@pytest.mark.parametrize(
    ("start", "limit", "due_on"),
    [
        (date(2025, 8, 31), "6 months", date(2026, 2, 28)),
        (date(2023, 8, 31), "6 months", date(2024, 2, 29)),
        (date(2025, 8, 28), "6 months", date(2026, 2, 28)),
        (date(2024, 2, 29), "1 year", date(2025, 2, 28)),
        (date(2024, 2, 29), "12 months", date(2025, 2, 28)),
        (date(2025, 11, 10), "8 weeks", date(2026, 1, 5)),
        (date(2025, 11, 10), "56 days", date(2026, 1, 5)),
        (date(2025, 12, 19), "1 working day", date(2025, 12, 22)),
        (date(2025, 12, 20), "1 working day", date(2025, 12, 22)),
        (date(2025, 12, 24), "1 working day", date(2025, 12, 29)),
        (date(2025, 12, 22), "10 working days", date(2026, 1, 8)),
    ],
)
def test_a_duration_is_added_to_the_earlier_date(start: date, limit: str, due_on: date) -> None:
    found = value_of(
        "latest_contact_date + within",
        {"within": parse_limit(limit)},
        as_at=date(2026, 3, 1),
        latest_contact_date=start,
    )

    assert found == due_on


def test_a_deadline_in_working_days_is_unknown_where_the_calendar_ends() -> None:
    limits: dict[str, Limit] = {"within": Duration(10, "working day")}

    found = value_of("date_of_birth + within", limits, date_of_birth=date(1980, 1, 1))

    assert found is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("latest_contact_date + interval '6 months'", date(2026, 2, 28)),
        ("latest_contact_date + interval 1 week", date(2025, 9, 7)),
        ("latest_contact_date - interval '3 days'", date(2025, 8, 28)),
        ("latest_contact_date + agreed_contact_interval_days", date(2025, 9, 30)),
        ("birthday(18)", date(2026, 3, 1)),
        ("birthday(16)", date(2024, 2, 29)),
        ("birthday(18) + within", date(2026, 6, 1)),
        ("latest_contact_date + within + interval '1 day'", date(2025, 12, 1)),
        ("greatest(latest_contact_date, over21_offer_date)", date(2025, 8, 31)),
    ],
)
def test_dates_are_worked_out_as_dates(text: str, found: date) -> None:
    cells = {
        "date_of_birth": date(2008, 2, 29),
        "latest_contact_date": date(2025, 8, 31),
        "agreed_contact_interval_days": 30,
    }

    assert value_of(text, {"within": Duration(3, "month")}, **cells) == found


def test_limits_stand_for_their_values() -> None:
    limits: dict[str, Limit] = {
        "education": ("F1", "P1"), "oldest": 20, "since": date(2025, 1, 1), "colder": -1, "share": 0.5
    }  # fmt: skip
    cells = {"activity": "P1", "date_of_birth": date(2006, 1, 5), "latest_contact_date": date(2025, 1, 1)}

    assert value_of("activity in (education, 'G5')", limits, **cells) is True
    assert value_of("activity not in (education)", limits, **cells) is False
    assert value_of("age <= oldest and age > oldest - 1", limits, **cells) is True
    assert value_of("latest_contact_date >= since", limits, **cells) is True
    assert value_of("3 - colder = 4 and share < 1", limits, **cells) is True


# Blank and unreadable


def test_blank_is_null_to_a_condition() -> None:
    assert value_of("activity = 'G5'") is None
    assert value_of("activity is not distinct from 'G5'") is False
    assert value_of("(activity in ('G5')) is not true") is True
    assert value_of("activity is null") is True


def test_what_mentions_an_unreadable_cell_is_unknown_even_a_test_for_blank() -> None:
    for text in (
        "activity is null", "activity is not null", "activity is distinct from 'G5'", "coalesce(activity, 'G5') = 'G5'",
        "(activity in ('G5')) is not true", "case when activity is null then true else false end",
    ):  # fmt: skip
        assert value_of(text, gaps=("activity",)) is None, text


def test_unknown_combines_with_the_rest_by_kleenes_logic() -> None:
    cells = {"date_of_birth": date(2006, 1, 5)}

    assert value_of("activity is null and age > 30", gaps=("activity",), **cells) is False
    assert value_of("activity is null or age < 30", gaps=("activity",), **cells) is True
    assert value_of("activity is null and age < 30", gaps=("activity",), **cells) is None
    assert value_of("not (activity is null) or age > 30", gaps=("activity",), **cells) is None


def test_blank_asks_whether_a_cell_is_really_blank() -> None:
    condition = parse_condition("blank(activity)", {})
    workspace = open_workspace()
    people = [
        Example("blank", AS_AT, "ok"),
        Example("value", AS_AT, "ok", {"activity": "G5"}),
        Example("unreadable", AS_AT, "ok", unreadable=("activity",)),
        Example("not supplied", AS_AT, "ok", not_supplied=("activity",)),
    ]
    build_caseload(workspace, people)

    found = workspace.execute(f"SELECT {compile_condition(condition, {})} FROM caseload ORDER BY person_id").fetchall()

    assert found == [(True,), (False,), (False,), (False,)]
    assert condition.blank_tests == ()


# Meaning and layout


def test_layout_and_letter_case_do_not_change_what_a_condition_means() -> None:
    one = parse_condition("age between 16 and 20 and activity = 'G5'", {})
    same = parse_condition("AGE  between 16\n and 20 AND Activity = 'G5'", {})
    other = parse_condition("age between 16 and 21 and activity = 'G5'", {})

    assert one.meaning == same.meaning != other.meaning
    assert compile_condition(one, {}) == compile_condition(same, {})


# Nothing else ever runs

WORDS = [
    "age", "activity", "in_touch", "latest_contact_date", "personal_adviser", "category", "declined",
    "as_at", "due_on", "within", "codes", "'G5'", "'x'", "date '2026-01-01'", "18", "1", "0", "null",
    "true", "interval '6 months'", "(", ")", "(", ")", ",", "and", "or", "not", "is", "in", "between", "=",
    "<>", "<", ">=", "+", "-", "*", "/", "||", "::", "case", "when", "then", "else", "end", "coalesce(",
    "greatest(", "birthday(", "blank(", "cast(", "as", "date", "integer", "select", "from", "caseload",
    "union", "exists(", "read_csv('/etc/passwd')", "read_text(", "glob('*')", "getenv('HOME')",
    "current_date", "now()", "random()", "uuid()", "nextval('s')", ";", "--", "/*", "$1", "?", "[", "]",
    "{", "}", "->", "count(*)", "over ()", "pg_sleep(9)", "copy", "attach", "install", "pragma", "like",
    "distinct", "'%'", '"age"', "*", "lambda x:", "columns(*)", "struct_pack(", "repeat('x', 999999999)",
    "range(9999999999)", "e'x'", "x'00'", "1e400",
]  # fmt: skip
LIMITS: dict[str, Limit] = {"within": Duration(6, "month"), "codes": ("G5", "F1"), "oldest": 20}


def read(text: str) -> None:
    """Parse, compile and try a condition: refused as a person's mistake, or harmless, and either way soon."""
    began = time.monotonic()
    with suppress(Problems):
        condition = parse_condition(text, LIMITS, due_on=True)
        sql = compile_condition(condition, LIMITS).lower()
        list(BINDER.check(condition, LIMITS))
        for word in ("read_", "select", "current_", "random", "getenv", "glob", "nextval", "repeat", "range"):
            assert word not in sql
    assert time.monotonic() - began < 3


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14))
def test_words_in_any_order_are_refused_or_harmless(words: list[str]) -> None:
    read(" ".join(words))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused_or_harmless(text: str) -> None:
    read(text)


PLAIN = st.sampled_from(
    ["age < 18", "activity = 'G5'", "in_touch is null", "declined", "latest_contact_date + within < as_at",
     "activity in (codes)", "birthday(18) <= as_at", "blank(personal_adviser)", "age between 16 and oldest", "true"]
)  # fmt: skip
NESTED = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"({text}) is not true"),
        st.tuples(inner, inner).map(lambda pair: f"case when {pair[0]} then {pair[1]} else false end"),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(NESTED)
def test_whatever_is_built_of_allowed_parts_is_accepted_and_boolean(text: str) -> None:
    condition = parse_condition(text, LIMITS)

    assert list(BINDER.check(condition, LIMITS)) == []


@pytest.mark.parametrize(
    "text",
    ["(" * 2_000, "not " * 900 + "declined", "-" * 3_000 + "1", "case when " * 300, "age < " + "1 + " * 480 + "1",
     "coalesce(" * 39 + "age" + ")" * 39 + " > 1", "age in (" + "1, " * 400 + "1)", "'" * 3_999, "a" * 3_999,
     "@" * 900 + "age = 1",
     " or ".join(["personal_adviser like '%a%b%c%d%'"] * 100)],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_an_expression_built_to_exhaust_is_refused_or_quick(text: str) -> None:
    read(text)


def test_a_file_is_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("name\nsecret\n")

    for text in (
        f"exists(select * from '{secret}')", f"(select name from read_csv('{secret}')) = 'secret'",
        f"read_text('{secret}') is null", f"personal_adviser in (select name from '{secret}')",
        f"personal_adviser in '{secret}'", f"query('from read_csv(''{secret}'')') is null",
    ):  # fmt: skip
        with pytest.raises(Problems):
            parse_condition(text, {})


# Because


def said(text: str, *, limits: dict[str, Limit] | None = None, gaps: tuple[str, ...] = (), **cells: Any) -> str:
    wording = parse_wording(text, limits or {}, sensitive=True)
    workspace = open_workspace()
    build_caseload(workspace, [Example("a person", AS_AT, "ok", cells, unreadable=gaps)])
    found = workspace.execute(f"SELECT {compile_wording(wording, limits or {})} FROM caseload").fetchone()
    return str(found[0]) if found else ""


def test_dates_codes_and_flags_read_as_words() -> None:
    text = (
        "Seen {{ latest_contact_date | date }}, {{ activity | meaning }} ({{ activity }}), disabled: {{ disability }}, "
        "aged {{ age }}; it's due within {{ within }}."
    )

    found = said(
        text, limits={"within": Duration(8, "week")}, latest_contact_date=date(2025, 7, 5), activity="G5",
        disability=False, date_of_birth=date(2005, 1, 6),
    )  # fmt: skip

    assert found == (
        "Seen 5 July 2025, not in education, employment or training: other reasons (G5), disabled: no, aged 20; "
        "it's due within 8 weeks."
    )


def test_what_is_blank_reads_as_not_recorded_and_what_is_unreadable_as_that() -> None:
    text = "Seen {{ latest_contact_date | date }}; adviser {{ personal_adviser }}; lives {{ accommodation | meaning }}."

    found = said(text, gaps=("personal_adviser",))

    assert found == "Seen not recorded; adviser unreadable; lives not recorded."


@pytest.mark.parametrize(
    "fault", [RecursionError, KeyError("x"), IndexError, MemoryError, AssertionError, UnicodeError]
)
@pytest.mark.parametrize("where", ["tokenize", "parse_one"])
def test_whatever_the_parser_itself_does_is_a_problem_in_words(
    fault: Exception, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise fault

    monkeypatch.setattr(sqlglot, where, fail)

    with pytest.raises(Problems, match="more plainly"):
        parse_condition("age < 18", {})


@pytest.mark.parametrize(
    "text",
    ["[" * 500, "{" * 500, "not " * 990 + "true", "- " * 990 + "1 = 1", "case when " * 39, "age = " + "9" * 3_900,
     "'" + "a" * 3_000, "age = 1\0", "age = \N{VULGAR FRACTION ONE HALF}", "$$ x", "x'zz' = activity", "::" * 400,
     " or ".join(["age = 1"] * 240), "interval " * 300, "birthday(" * 39, "abs(" * 39 + "age" + ")" * 39],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)  # fmt: skip
def test_a_hostile_condition_is_a_problem_in_words(text: str) -> None:
    with pytest.raises(Problems):
        parse_condition(text, {})


@pytest.mark.parametrize(
    ("text", "on_duckdb", "on_spark"),
    [
        ("as_at - date_of_birth > 6575",
         '"as_at" - "date_of_birth" > 6575',
         "datediff(`as_at`, `date_of_birth`) > 6575"),
        ("closure_reason = 'it''s'", "\"closure_reason\" = 'it''s'", r"`closure_reason` = 'it\'s'"),
        (r"in_touch = 'NO' or closure_reason = '${a}\b'", r""""in_touch" = 'NO' OR "closure_reason" = '${a}\b'""",
         r"`in_touch` = 'NO' OR `closure_reason` = '\u0024{a}\\b'"),
        ("as_at + within < as_at - interval '2 weeks'",
         """CAST("as_at" + INTERVAL '6' month AS DATE) < CAST("as_at" - INTERVAL '2' week AS DATE)""",
         "add_months(`as_at`, +6) < date_add(`as_at`, -7 * 2)"),
        ("declined = age in (18, 19)", '"declined" = ("age" IN (18, 19))', "`declined` = (`age` IN (18, 19))"),
    ],
)  # fmt: skip
def test_a_condition_is_written_as_each_database_reads_it(text: str, on_duckdb: str, on_spark: str) -> None:
    condition = parse_condition(text, LIMITS)

    assert compile_condition(condition, LIMITS) == on_duckdb
    assert compile_condition(condition, LIMITS, dialect=SPARK) == on_spark
