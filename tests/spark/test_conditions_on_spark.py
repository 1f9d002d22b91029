"""What a condition may say, asked by DuckDB and by Spark of the same people: one answer for each of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.both_engines import BothEngines
from support.random_conditions import DATES, LIMITS, NUMBERS, TEXTS, YES_NO, invent_conditions
from support.random_people import AS_AT, invent

from monitor.catalogue import derived
from monitor.durations import Duration
from monitor.errors import Problems
from monitor.rulebook.condition import Condition, Tree, Writer, compile_condition
from monitor.rulebook.conditions import parse_condition
from monitor.rulebook.examples import build_caseload
from monitor.rulebook.reach import range_of
from monitor.rulebook.rule import Example
from monitor.rulebook.type_check import open_binder
from monitor.workspace import literal, open_workspace

CONDITIONS = int(os.environ.get("MONITOR_SPARK_CONDITIONS", "300"))
GAPPED = frozenset({"latest_contact_date", "activity"})


@pytest.mark.parametrize("count", [0, 1, 5, 10, 250, 2_500])
def test_working_days_end_on_one_day_on_both(spark: Any, tmp_path: Path, count: int) -> None:
    moved = Tree("add", "", (Tree("column", "as_at"), Tree("column", "within")))
    limits = {"within": Duration(count, "working day")}
    with open_workspace() as workspace:
        derived.create_working_days(workspace)
        both = BothEngines(workspace, spark, tmp_path)
        days = "range(DATE '1989-12-01', DATE '2061-02-01', INTERVAL 1 DAY)"
        both.share("every_day", f"SELECT CAST(range AS DATE) AS as_at FROM {days}")

        compared = both.compare(
            lambda dialect: {"moved": Writer(limits, dialect=dialect).write(moved)}, "every_day", key="as_at"
        )

    assert compared.differences == {}
    assert compared.cells > 25_000


def read_allowed(texts: list[str]) -> dict[str, Condition]:
    """The conditions of these that a rule may say."""
    found = {}
    for text in dict.fromkeys(texts):
        with suppress(Problems):
            condition = parse_condition(text, LIMITS, may_go_back=True)
            if not list(open_binder().check(condition, LIMITS)):
                found[text] = condition
    return found


ODD_TEXTS = (
    "it's", r"it's \ here", "${user}", "$", "`", '"', "=cmd", "", " ", "\u00a0A Example\u2003", "tab\there",
    "two\nlines",
    "\u0130stanbul", "\u039f\u0394\u039f\u03a3", "Stra\u00dfe", "\U0001f600", "e\u0301", "100%", "a_b", "A EXAMPLE",
)  # fmt: skip
ENDS = {"DATE": ("DATE '1902-01-01'", "DATE '2100-12-31'", "DATE '2008-02-29'"), "BOOLEAN": ("true", "false", "NULL")}


@pytest.fixture(scope="module")
def people(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothEngines]:
    """Some hundreds of people at random, then some with cells at each end of what they may hold, and odd texts."""
    with open_workspace() as workspace:
        build_caseload(
            workspace, [*invent(300, seed=3), *(Example(f"e{n}", AS_AT, "ok") for n in range(len(ODD_TEXTS)))]
        )
        derived.create_working_days(workspace)
        kinds = dict(workspace.execute("SELECT column_name, column_type FROM (DESCRIBE caseload)").fetchall())
        odd = f"list_value({', '.join(map(literal, ODD_TEXTS))})"
        number = "CAST(substr(person_id, 2) AS INTEGER)"
        for name in {*DATES, *NUMBERS, *TEXTS, *YES_NO} - {"as_at"}:
            if kinds[name] == "VARCHAR":
                held = f"{odd}[1 + {number} % {len(ODD_TEXTS)}]"
            elif kinds[name] == "INTEGER":
                low, high = range_of(name)
                held = f"[{low}, {high}, NULL][1 + {number} % 3]"
            else:
                held = f"[{', '.join(ENDS[kinds[name]])}][1 + {number} % 3]"
            workspace.execute(f"UPDATE caseload SET {name} = {held} WHERE {number} > 300")
        both = BothEngines(workspace, spark, tmp_path_factory.mktemp("people"))
        both.share("caseload")
        yield both


def test_whatever_a_condition_may_say_has_one_answer_on_both(people: BothEngines) -> None:
    texts = invent_conditions(CONDITIONS)
    conditions = read_allowed(texts)

    compared = people.compare(
        lambda dialect: {
            text: f"({compile_condition(condition, LIMITS, gapped=GAPPED, dialect=dialect)})"
            for text, condition in conditions.items()
        },
        "caseload",
    )

    print(f"{len(conditions)} of {len(texts)} allowed, {compared.cells:,} cells compared")
    assert len(conditions) > len(texts) / 2
    assert compared.differences == {}
