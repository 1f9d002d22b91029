"""What a condition may say, asked by DuckDB and by Spark of the same people: one answer for each of them."""

from pathlib import Path
from typing import Any

import pytest
from support.both_engines import BothEngines

from monitor.catalogue import derived
from monitor.durations import Duration
from monitor.rulebook.condition import Tree, Writer
from monitor.workspace import open_workspace


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
