"""What Spark would do otherwise by itself, each with what keeps it out of a rule: written otherwise, or refused."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.both_engines import BothEngines
from support.random_people import AS_AT

from monitor.catalogue import derived
from monitor.catalogue.dialects import Dialect
from monitor.durations import Duration, Limit
from monitor.errors import Problems
from monitor.rulebook.condition import Writer, compile_condition
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.rule import Example
from monitor.rulebook.type_check import open_binder
from monitor.workspace import open_workspace

REFUSED = "refused"
BORN = dt.date(2008, 2, 29)
LIMITS: dict[str, Limit] = {"worked": Duration(10, "working day")}


def ask_spark(spark: Any, expression: str) -> Any:
    """What Spark makes of an expression of DuckDB's."""
    try:
        return spark.sql(f"SELECT {expression} AS answer").collect()[0]["answer"]
    except Exception:  # whatever it says, it does not answer
        return REFUSED


def ask_duckdb(expression: str) -> Any:
    with open_workspace() as workspace:
        try:
            return workspace.execute(f"SELECT {expression}").fetchall()[0][0]
        except duckdb.Error:
            return REFUSED


@pytest.mark.parametrize(
    ("by_itself", "by_spark", "by_duckdb", "condition"),
    [
        ("date '2026-01-31' - date '2026-01-01' > 29", REFUSED, True, "as_at - date_of_birth > 29"),
        ("birthday(date '2008-02-29', 18) > date '2026-02-28'", REFUSED, REFUSED, "birthday(18) > as_at"),
        ("trim('\u00a0') = ''", False, True, "trim(personal_adviser) = ''"),
        ("lower('\u039f\u03a3') = '\u03bf\u03c3'", False, True, "lower(personal_adviser) = lower(closure_reason)"),
        ("lower('\u0130') = 'i'", False, True, "lower(personal_adviser) = 'i'"),
        ("'${spark.app.name}' = '$' || '{spark.app.name}'", False, True, "closure_reason = '${spark.app.name}'"),
        (r"length('a\b') = 3", False, True, r"closure_reason = 'a\b'"),
        ("greatest(1) = 1", REFUSED, True, "greatest(age) = 18"),
        ("true = not false", REFUSED, True, "declined = not uasc"),
        ("true = 2 in (2)", REFUSED, True, "declined = age in (18)"),
        ("plus_working_days(date '2026-01-01', 1)", REFUSED, REFUSED, "as_at + worked > date_of_birth"),
    ],
)
def test_what_spark_has_otherwise_is_written_for_it(
    spark: Any, tmp_path: Path, by_itself: str, by_spark: Any, by_duckdb: Any, condition: str
) -> None:
    assert ask_spark(spark, by_itself) == by_spark
    assert ask_duckdb(by_itself) == by_duckdb

    parsed = parse_condition(condition, LIMITS)
    texts = ("\u00a0", "\u0130", "\u039f\u03a3", "${spark.app.name}", r"a\b", "")
    people = [
        Example(f"p{n}", AS_AT, "ok", {"personal_adviser": text, "closure_reason": text, "date_of_birth": BORN})
        for n, text in enumerate(texts)
    ]
    with open_workspace() as workspace:
        build_caseload(workspace, people)
        derived.create_working_days(workspace)
        both = BothEngines(workspace, spark, tmp_path)
        both.share("caseload")

        def ask(dialect: Dialect) -> dict[str, str]:
            return {condition: compile_condition(parsed, LIMITS, dialect=dialect)}

        assert list(open_binder().check(parsed, LIMITS)) == []
        assert both.compare(ask, "caseload").differences == {}


@pytest.mark.parametrize(
    ("by_itself", "by_spark", "by_duckdb", "condition"),
    [
        (r"'a%' LIKE 'a\\%'", True, False, r"closure_reason like 'a\%'"),
        ("upper('\u00df')", "SS", "\u1e9e", "upper(closure_reason) = 'SS'"),
        ("1462 * 1462 * 1462", REFUSED, REFUSED, "care_days_since_14 * care_days_since_14 * care_days_since_14 > 1"),
        ("year(date_add(date '2026-01-01', 2147483647)) < 0", True, REFUSED, "as_at + age * 10000000 > as_at"),
        ("18 = '18.5'", REFUSED, False, "age = '18.5'"),
        ("true = 1", REFUSED, True, "declined = 1"),
        ("date '2026-01-01' > '2025'", True, REFUSED, "as_at > '2025'"),
    ],
)
def test_what_cannot_be_written_alike_is_refused(
    spark: Any, by_itself: str, by_spark: Any, by_duckdb: Any, condition: str
) -> None:
    assert ask_spark(spark, by_itself) == by_spark
    assert ask_duckdb(by_itself.replace("\\\\", "\\")) == by_duckdb

    faults = []
    try:
        faults = list(open_binder().check(parse_condition(condition, {}), {}))
    except Problems as refused:
        faults = refused.problems

    assert faults


def test_a_product_too_large_is_silently_wrong_without_ansi(spark: Any) -> None:
    spark.conf.set("spark.sql.ansi.enabled", "false")
    try:
        assert ask_spark(spark, "1462 * 1462 * 1462 < 0") is True
    finally:
        spark.conf.set("spark.sql.ansi.enabled", "true")


def test_the_letters_that_one_of_them_is_too_old_to_know_are_few(spark: Any, tmp_path: Path) -> None:
    """The difference that is left: capitals of scripts that came into Unicode after 2020, in lower()."""
    lower = parse_condition("lower(personal_adviser) = closure_reason", {}).tree.parts[0]
    with open_workspace() as workspace:
        both = BothEngines(workspace, spark, tmp_path)
        both.share(
            "letters",
            "SELECT n, chr(CAST(n AS INTEGER)) AS personal_adviser FROM range(1, 1114112) AS r(n) "
            "WHERE n NOT BETWEEN 55296 AND 57343",
        )

        def ask(dialect: Dialect) -> dict[str, str]:
            return {"lower": Writer({}, dialect=dialect).write(lower)}

        compared = both.compare(ask, "letters", key="n")
        joined = "by_duckdb AS d JOIN by_spark AS s USING (n) WHERE d.c0 <> s.c0"
        left = [row[0] for row in workspace.execute(f"SELECT n FROM {joined} ORDER BY n").fetchall()]

    assert compared.cells > 1_000_000
    assert len(left) < 60
    assert min(left) > 0x1C00
