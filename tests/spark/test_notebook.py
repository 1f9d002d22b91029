"""The handbook's lines for a notebook, run as they stand in a session of Spark."""

import re
from datetime import date
from pathlib import Path
from typing import Any

from monitor.handbook.topics import read_topic
from monitor.sample.many_people import write_caseload

OUT = "/Volumes/main/leaving_care"


def test_the_ten_lines_for_a_notebook_run_in_its_own_session_1(spark: Any, tmp_path: Path) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", read_topic("councils"), flags=re.DOTALL)
    write_caseload(tmp_path / "people.parquet", people=400, as_at=date(2026, 1, 12), seed=1, authorities=3)
    spark.sql("CREATE DATABASE IF NOT EXISTS leaving_care")
    people = spark.read.parquet(str(tmp_path / "people.parquet"))
    people.withColumnRenamed("authority", "la_code").write.saveAsTable("leaving_care.caseload_v1", mode="overwrite")
    shown: list[Any] = []

    try:
        assert OUT in lines
        exec(lines.replace(OUT, str(tmp_path)), {"spark": spark, "display": shown.append})  # the handbook's own lines
    finally:
        spark.sql("DROP DATABASE leaving_care CASCADE")

    (counts,) = shown
    together = {row.rule: row.asked for row in counts.collect() if row.authority is None}
    assert len(lines.splitlines()) == 10
    assert together["homeless"] > 350
