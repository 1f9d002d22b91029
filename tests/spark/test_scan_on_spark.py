"""``monitor scan`` on Spark: the counts, breaches and refusals of DuckDB, in a session that is left as it was."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.random_people import AS_AT, invent, shipped_rules
from support.typed_caseload import (
    FAILING,
    KEY,
    ask_as_a_night,
    let_rules_fail,
    pseudonym,
    read_breaches,
    read_counts,
    rows_of,
    write_caseload,
)
from test_evaluation import person, rule

from monitor.catalogue.caseload_contract import contract_columns, spark_ddl
from monitor.errors import Refused, SourceError
from monitor.scan import scan
from monitor.scan.duckdb_engine import DuckdbEngine
from monitor.scan.scan_engine import NOT_IN_RANGE
from monitor.scan.spark_engine import SparkEngine

NEET = {"activity": "G5", "personal_adviser": "it's \\ here"}


def settings(folder: Path, **keys: Any) -> dict[str, Any]:
    own = {"caseload": str(folder / "caseload.parquet"), "out": str(folder / "out"), "suppress_below": 0}
    return {"scan": {**own, **keys}}


def test_63_rules_have_the_answers_of_a_night_and_a_table_is_read_by_its_name(spark: Any, tmp_path: Path) -> None:
    rows = rows_of(invent(400))
    spark.read.parquet(str(write_caseload(tmp_path / "caseload.parquet", rows))).createOrReplaceTempView("leavers_v1")
    before = {name: spark.conf.get(name) for name in ("spark.sql.ansi.enabled", "spark.sql.caseSensitive")}

    scanned = scan(spark, settings(tmp_path, caseload="leavers_v1", people="ids"))

    counts, breaches = ask_as_a_night(rows, shipped_rules(), AS_AT)
    assert scanned.failed == scanned.not_assessed == {}
    assert read_counts(tmp_path / "out") == counts
    assert read_breaches(tmp_path / "out") == breaches
    assert {name: spark.conf.get(name) for name in before} == before
    assert [table.name for table in spark.catalog.listTables() if table.name.startswith("monitor_")] == []


def test_both_engines_tell_the_same_of_the_same_file_2(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_rules_fail(monkeypatch, DuckdbEngine)
    let_rules_fail(monkeypatch, SparkEngine)
    (tmp_path / "rules").mkdir()
    for name, text in FAILING.items():
        (tmp_path / "rules" / f"{name}.toml").write_text(text)
    (tmp_path / "rules" / "no-work.toml").write_text(
        rule("true", "activity = 'G5'", because="{{ activity | meaning }}.")
    )
    visits = rule("true", "due_on < as_at", due_on='"last_visit_date + within"', limits='within = "2 working days"')
    (tmp_path / "rules" / "visits.toml").write_text(visits)
    people = [person(last_visit_date=dt.date(2025, 12, day)) for day in (24, 29, 30, 31)]
    people += [person(**NEET, pa_changes_12_months=9), person(**NEET), person(), person(unreadable=("activity",))]
    also = "* REPLACE (CASE WHEN authority = '313' THEN DATE '1900-01-01' ELSE release_date END AS release_date)"
    write_caseload(tmp_path / "caseload.parquet", rows_of(people), also=also)
    keys = {
        "rules": [str(tmp_path / "rules")],
        "shipped_rules": False,
        "people": "pseudonyms",
        "pseudonym_key_env": "KEY",
    }

    told = {}
    for name, session in (("duckdb", None), ("spark", spark)):
        scanned = scan(session, settings(tmp_path, out=str(tmp_path / name), **keys), environ={"KEY": KEY})
        record = json.loads((tmp_path / name / "scan.json").read_text())
        told[name] = (scanned.counts, scanned.failed, scanned.remarks, record["table"], record["rules"])

    assert told["duckdb"] == told["spark"]
    assert dict(told["spark"][1]) == dict.fromkeys(FAILING, NOT_IN_RANGE)
    assert read_breaches(tmp_path / "duckdb", "pseudonym") == read_breaches(tmp_path / "spark", "pseudonym")
    assert ("313", pseudonym("313", "P2"), "no-work") in {
        row[:3] for row in read_breaches(tmp_path / "spark", "pseudonym")
    }
    assert record["engine"]["settings"]["spark.sql.session.timeZone"] == "UTC"


def test_a_rule_that_fails_of_what_spark_does_not_explain_stops_no_other_1(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_rules_fail(monkeypatch, SparkEngine, "CAST(raise_error('P0 is known') AS INT)")
    rules = FAILING | {"no-work": rule("true", "activity = 'G5'", because="{{ activity | meaning }}.")}
    (tmp_path / "rules").mkdir()
    for name, text in rules.items():
        (tmp_path / "rules" / f"{name}.toml").write_text(text)
    write_caseload(tmp_path / "caseload.parquet", rows_of([person(**NEET, pa_changes_12_months=9)]))

    own = {"rules": [str(tmp_path / "rules")], "shipped_rules": False, "people": "ids"}
    scanned = scan(spark, settings(tmp_path, **own))

    assert scanned.failed.keys() == FAILING.keys()
    assert all(
        re.fullmatch(r"Spark could not do it \(\w+\); its own log says why", why) for why in scanned.failed.values()
    )
    assert {row[2] for row in read_breaches(tmp_path / "out")} == {"no-work"}


def test_a_lake_that_cannot_be_written_to_is_named_1(spark: Any, tmp_path: Path) -> None:
    write_caseload(tmp_path / "caseload.parquet", rows_of([person()]))
    (tmp_path / "lake").write_text("a file")

    with pytest.raises(SourceError, match=r"lake/scan\.json: Spark could not write there \(\w+\); let the session"):
        scan(spark, settings(tmp_path, out=f"file://{tmp_path}/lake"))


def test_the_contract_is_a_schema_of_spark_and_a_table_that_is_not_it_is_refused_1(spark: Any, tmp_path: Path) -> None:
    spark.sql(f"CREATE TABLE caseload_v1 ({spark_ddl()}) USING parquet")
    try:
        for declared in (spark.table("caseload_v1").schema, spark.createDataFrame([], spark_ddl()).schema):
            assert [field.name for field in declared] == [name for name, _ in contract_columns()]
    finally:
        spark.sql("DROP TABLE caseload_v1")
    also = "* EXCLUDE (died) REPLACE (CAST(as_at AS TIMESTAMP) AS as_at, 1::BIGINT AS uasc)"
    write_caseload(tmp_path / "caseload.parquet", rows_of([person()]), also=also)

    with pytest.raises(Refused) as fault:
        scan(spark, settings(tmp_path))

    lines = [line.split("caseload.parquet: ")[-1] for line in str(fault.value).splitlines()]
    assert lines[:3] == [
        "as_at: is TIMESTAMP_NTZ; it must be DATE",
        "died: no such column; add it as BOOLEAN",
        "uasc: is BIGINT; it must be BOOLEAN",
    ]
    with pytest.raises(SourceError, match="Spark finds no such table"):
        scan(spark, settings(tmp_path, caseload="not_there.leavers"))


def test_repeated_people_and_rows_without_a_key_are_refused_as_on_duckdb_2(spark: Any, tmp_path: Path) -> None:
    for also, said in (
        ("* REPLACE ('P0' AS person_id, '1' AS authority)", "1 row of somebody who has one already"),
        ("* REPLACE (NULL::VARCHAR AS person_id)", "person_id: 2 rows without it"),
    ):
        write_caseload(tmp_path / "caseload.parquet", rows_of([person(), person()]), also=also)
        with pytest.raises(Refused, match=said):
            scan(spark, settings(tmp_path))


def test_an_address_gets_counts_and_breaches_and_last_of_all_the_record_3(spark: Any, tmp_path: Path) -> None:
    write_caseload(tmp_path / "caseload.parquet", rows_of([person(**NEET)] * 3))
    out = f"file://{tmp_path}/lake"

    scan(spark, settings(tmp_path, out=out, people="ids"))
    assert len(duckdb.sql(f"FROM '{tmp_path}/lake/breaches.parquet/*.parquet'").fetchall()) > 0
    scan(spark, settings(tmp_path, out=out))

    assert duckdb.sql(f"FROM '{tmp_path}/lake/breaches.parquet/*.parquet'").fetchall() == []
    told = duckdb.sql(f"SELECT breach FROM '{tmp_path}/lake/counts.parquet/*.parquet' WHERE rule = 'neet'").fetchall()
    assert sorted(told) == [(1,), (2,), (3,)]
    (part,) = (tmp_path / "lake" / "scan.json").glob("part-*")
    assert json.loads(part.read_text())["files"] == ["counts.parquet", "scan.json"]


def test_a_setting_that_reads_back_otherwise_refuses_the_scan_by_its_name_1(spark: Any, tmp_path: Path) -> None:
    write_caseload(tmp_path / "caseload.parquet", rows_of([person()]))

    class Stubborn:
        """A session whose administrator lets nobody turn ANSI on; everything else is the real one's."""

        def __init__(self) -> None:
            self.conf = self

        def __getattr__(self, name: str) -> Any:
            return getattr(spark, name)

        def get(self, name: str) -> str:
            return "false" if name == "spark.sql.ansi.enabled" else spark.conf.get(name)

        def set(self, name: str, value: str) -> None:
            if name != "spark.sql.ansi.enabled":
                spark.conf.set(name, value)

    with pytest.raises(Refused, match=r"spark\.sql\.ansi\.enabled: is false; the same answers need true"):
        scan(Stubborn(), settings(tmp_path))
