"""Conditions built at random of all that a rule may say, most of them by kind, so that few are refused."""

import datetime as dt

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from monitor.durations import Duration, Limit

LIMITS: dict[str, Limit] = {
    "within": Duration(6, "month"), "soon": Duration(3, "week"), "worked": Duration(10, "working day"),
    "codes": ("G5", "F1"), "oldest": 20, "since": dt.date(2025, 3, 31), "share": 0.25, "colder": -3,
}  # fmt: skip
DATES = [
    "as_at",
    "date_of_birth",
    "latest_contact_date",
    "pathway_plan_review_date",
    "accommodation_since",
    "release_date",
]
NUMBERS = ["age", "pa_changes_12_months", "plan_heads_complete", "agreed_contact_interval_days", "care_days_since_14"]
TEXTS = ["personal_adviser", "closure_reason", "allocated_team"]
YES_NO = ["declined", "uasc", "risk_open", "once_entitled", "is_parent"]
WORDS = [
    "'A Example'",
    "'it''s'",
    r"'a\b'",
    "'${user}'",
    "'$'",
    "''",
    "' '",
    "'a'",
    "'100%'",
    "'B'",
    "'tab\there'",
    "'\"'",
    "'`'",
]
PATTERNS = ["'%a%'", "'_ %'", "'%''%'", "'a_'", "'%$%'", "'%'", "''", "'_'", "'A Ex%'"]
COMPARE = ["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"]


def pick(options: list[str]) -> SearchStrategy[str]:
    return st.sampled_from(options)


def written(pattern: str, *parts: SearchStrategy[str]) -> SearchStrategy[str]:
    return st.tuples(*parts).map(lambda given: pattern.format(*given))


def any_of(kind: SearchStrategy[str], truth: SearchStrategy[str]) -> list[SearchStrategy[str]]:
    """What gives one of the things it is given."""
    return [
        written("greatest({}, {})", kind, kind), written("least({}, {})", kind, kind), written("least({})", kind),
        written("coalesce({}, {})", kind, kind), written("nullif({}, {})", kind, kind), written("({})", kind),
        written("case when {} then {} when {} then {} else {} end", truth, kind, truth, kind, kind),
        written("case when {} then {} end", truth, kind),
        written("case {} when {} then {} else null end", kind, kind, kind),
    ]  # fmt: skip


truth: SearchStrategy[str] = st.deferred(lambda: st.one_of(plain_truth, joined))
number: SearchStrategy[str] = st.deferred(lambda: st.one_of(
    pick(NUMBERS), pick(["0", "1", "18", "2.5", "0.125", "366", "oldest", "share", "colder"]),
    written("year({})", day), written("month({})", day), written("day({})", day), written("length({})", text),
    written("{} - {}", day, day), written("({} - {})", day, day), written("{} + {}", number, number),
    written("{} - {}", number, number), written("{} * {}", number, pick([*NUMBERS, "2", "0.5", "-1"])),
    written("- {}", number), written("abs({})", number), written("cast({} as integer)", plain_truth),
    *any_of(number, truth),
))  # fmt: skip
day: SearchStrategy[str] = st.deferred(lambda: st.one_of(
    pick(DATES), pick(["date '2026-01-31'", "date '1582-10-10'", "date '2024-02-29'", "since", "birthday(18)",
                       "birthday(oldest)"]),
    written("{} + {}", day, pick(["within", "soon", "worked", "interval '1 day'", "interval 8 week"])),
    written("{} + interval '5 years'", day),
    written("{} - {}", day, pick(["soon", "interval '3 days'", "interval 2 week"])),
    written("{} + {}", day, pick(["1", "agreed_contact_interval_days", "oldest", "age", "plan_heads_complete * 30"])),
    written("{} - {}", day, pick(["1", "pa_changes_12_months"])), written("7 + {}", day), *any_of(day, truth),
))  # fmt: skip
text: SearchStrategy[str] = st.deferred(lambda: st.one_of(
    pick(TEXTS), pick(WORDS), written("lower({})", text), written("trim({})", text), written("ltrim({})", text),
    written("rtrim({})", text), written("trim({}, {})", text, pick(["'a'", "'A e'", "''", r"'\'"])),
    written("trim(leading {} from {})", pick(["'A'"]), text), *any_of(text, truth),
))  # fmt: skip
plain_truth: SearchStrategy[str] = st.deferred(lambda: st.one_of(
    pick(YES_NO), pick(["true", "false", "blank(personal_adviser)", "activity in (codes)",
                        "activity not in (codes, 'G4')", "activity is null",
                        "category = 'former relevant'", "accommodation is distinct from 'S'"]),
    written("{} {} {}", number, pick(COMPARE), number), written("{} {} {}", day, pick(COMPARE), day),
    written("{} {} {}", text, pick(COMPARE), text), written("({}) {} ({})", truth, pick(COMPARE), truth),
    written("{} {} between {} and {}", number, pick(["", "not"]), number, number),
    written("{} between {} and {}", day, day, day),
    written("{} {} like {}", text, pick(["", "not"]), pick(PATTERNS)),
    written("{} in ({}, {})", text, pick(WORDS), pick(WORDS)),
    written("{} not in (18, 2.5, 366)", number),
    written("{} is null", st.one_of(number, day, text)), written("{} is not null", st.one_of(number, day, text)),
))  # fmt: skip
joined: SearchStrategy[str] = st.deferred(lambda: st.one_of(
    written("{} and {}", truth, truth), written("{} or {}", truth, truth), written("not {}", truth),
    written("({}) is {}", truth, pick(["true", "not true", "false", "not false", "null", "not null"])),
    written("{} is {}", plain_truth, pick(["true", "not true", "not false"])), *any_of(truth, plain_truth),
))  # fmt: skip


def invent_conditions(number: int) -> list[str]:
    """As many conditions, the same each time."""
    found: dict[str, None] = {}

    @settings(max_examples=number, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(truth)
    def collect(text: str) -> None:
        found[text] = None

    collect()
    return list(found)
