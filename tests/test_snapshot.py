"""The kept caseload of a night: small on the disk, and read back as the night had it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.caseload import snapshot
from monitor.catalogue.columns import COLUMNS
from monitor.workspace import Workspace, fetch, literal, open_workspace

NIGHT = dt.date(2026, 1, 12)
SUPPLIED = {"date_of_birth": "DATE '2005-03-01'", "allocated_team": "'North'", "latest_contact_date": "NULL::DATE"}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """A caseload of two people, about whom a source says three columns."""
    workspace = open_workspace()
    columns = ["'P1' AS person_id", "NULL::VARCHAR AS source", "true AS present"]
    for column in COLUMNS:
        columns.append(f"{SUPPLIED.get(column.name, f'NULL::{column.duckdb_type}')} AS {column.name}")
        gap = "NULL::VARCHAR" if column.name in SUPPLIED else "'not supplied'"
        columns.append(f"{gap} AS {column.name}_gap")
    workspace.execute(f"CREATE TABLE caseload AS SELECT {', '.join(columns)}")
    workspace.execute("INSERT INTO caseload SELECT * REPLACE ('P2' AS person_id) FROM caseload")
    yield workspace
    workspace.close()


def by_name(workspace: Workspace) -> list[dict[str, object]]:
    return fetch(workspace, "SELECT * FROM caseload ORDER BY person_id")


def columns_of(path: Path) -> set[str]:
    workspace = open_workspace()
    found = fetch(workspace, f"DESCRIBE SELECT * FROM read_parquet({literal(str(path))})")
    workspace.close()
    return {str(row["column_name"]) for row in found}


def read(path: Path) -> tuple[list[dict[str, object]], dict[object, object]]:
    """What is read back, and the type of each column."""
    workspace = open_workspace()
    snapshot.read(workspace, path)
    rows = by_name(workspace)
    types = {row["column_name"]: row["column_type"] for row in fetch(workspace, "DESCRIBE caseload")}
    workspace.close()
    return rows, types


def test_what_nobody_supplies_is_not_written_and_is_read_back(workspace: Workspace, tmp_path: Path) -> None:
    before, kinds = by_name(workspace), fetch(workspace, "DESCRIBE caseload")

    path = snapshot.write(workspace, tmp_path, as_at=NIGHT, run_id=1)

    kept = {"person_id", "source", "present", *SUPPLIED, *(f"{name}_gap" for name in SUPPLIED)}
    assert columns_of(path) == kept
    assert read(path) == (before, {row["column_name"]: row["column_type"] for row in kinds})


@pytest.mark.parametrize("change", ["in_touch = 'YES', in_touch_gap = NULL", "in_touch_gap = 'unreadable'"])
def test_what_one_person_alone_has_is_kept(workspace: Workspace, tmp_path: Path, change: str) -> None:
    workspace.execute(f"UPDATE caseload SET {change} WHERE person_id = 'P2'")
    before = by_name(workspace)

    path = snapshot.write(workspace, tmp_path, as_at=NIGHT, run_id=1)

    assert {"in_touch", "in_touch_gap"} <= columns_of(path)
    assert read(path)[0] == before


def test_a_snapshot_with_every_column_still_reads(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "whole.parquet"
    workspace.execute(f"COPY caseload TO {literal(str(path))} (FORMAT parquet)")

    assert read(path)[0] == by_name(workspace)


def test_of_nobody_a_snapshot_is_kept_too(workspace: Workspace, tmp_path: Path) -> None:
    workspace.execute("DELETE FROM caseload")

    path = snapshot.write(workspace, tmp_path, as_at=NIGHT, run_id=1)

    assert read(path)[0] == []
