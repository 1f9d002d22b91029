"""The contract ``caseload_v1``: published for other programs, and what a table must be to be scanned."""

from monitor.catalogue.caseload_contract import contract_columns, spark_ddl
from monitor.catalogue.columns import COLUMNS


def test_the_contract_has_each_recorded_column_and_its_gap_and_the_keys_v1() -> None:
    columns = dict(contract_columns("la_code"))

    assert list(columns)[:5] == ["la_code", "person_id", "as_at", "died", "present"]
    assert {column.name: column.duckdb_type for column in COLUMNS}.items() <= columns.items()
    assert {f"{column.name}_gap" for column in COLUMNS} <= columns.keys()
    assert not {"age", "category", "declined", "once_entitled"} & columns.keys()


def test_spark_reads_the_contract_as_a_schema_v1() -> None:
    declared = spark_ddl("la_code").split(", ")

    assert declared[:5] == [
        "la_code STRING NOT NULL", "person_id STRING NOT NULL", "as_at DATE NOT NULL", "died BOOLEAN NOT NULL",
        "present BOOLEAN",
    ]  # fmt: skip
    assert len(declared) == len(contract_columns())
