"""The figures of every authority beside each other: the numbers each keeps, who could not be read, and no small one."""

import csv
import datetime as dt
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from support.command import monitor
from support.fleets import FleetFolder
from support.kept_figures import age_store, keep_night
from support.posix import is_private

from monitor.cli.options import today
from monitor.fleet.authority_nights import OF_A_WHOLE
from monitor.fleet.figures_files import CSV, PAGE, PARQUET, write_figures
from monitor.fleet.fleet_settings import read_fleet
from monitor.fleet.region_figures import RegionFigures, gather_figures

TODAY = dt.date(2026, 3, 2)
YESTERDAY = TODAY - dt.timedelta(1)


@pytest.fixture
def region(tmp_path: Path) -> FleetFolder:
    """Three councils that each accepted a night today: many people, fewer, and few."""
    fleet = FleetFolder(tmp_path).write()
    for code, homeless, late in (
        ("314", (300, 20, 12), (250, 50, 0)),
        ("315", (150, 7, 0), (150, 3, 0)),
        ("319", (40, 10, 0), (20, 20, 3)),
    ):
        keep_night(
            fleet.config(code),
            TODAY,
            {"homeless": homeless, "plan-late": late},
            {"neet-long": (200, 30, 9), "filled:in_touch": (8, 270, 0), OF_A_WHOLE[-1]: (90, 90, 9)},
        )
    return fleet


def gather(fleet: FleetFolder, as_at: dt.date | None = None) -> RegionFigures:
    return gather_figures(read_fleet(fleet.path, {}), TODAY, as_at, {})


def table(region: RegionFigures, folder: Path) -> list[dict[str, str]]:
    """The CSV as it is written."""
    path, _, _ = write_figures(region.figures, folder)
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def numbers(rows: list[dict[str, str]], measure: str) -> dict[str, str]:
    """In breach, of so many, percentage or between what it lies, cannot assess, asked."""
    told = {}
    for row in rows:
        if row["measure"] == measure:
            row["percent"] = (
                row["percent"] or "-".join(filter(None, (row["percent_least"], row["percent_most"]))) or "-"
            )
            names = ("numerator", "denominator", "percent", "cannot_assess", "asked")
            told[row["authority"]] = " ".join(row[name] for name in names)
    return told


def test_each_authority_has_its_own_numbers_and_all_together_theirs(region: FleetFolder, tmp_path: Path) -> None:
    gathered = gather(region)

    rows = table(gathered, tmp_path / "out")
    assert gathered.faults == ()
    assert numbers(rows, "homeless") == {
        "314": "20 320 6 12 330",
        "315": "7 155 4-5 0 155",
        "319": "10 50 19-21 0 50",
        "All together": "37 525 7 12 540",
    }
    assert numbers(rows, "plan-late") == {
        "314": "50 300 17 0 300",
        "315": "c c c 0 155",
        "319": "20 c 43-53 c 45",
        "All together": "c c 14-15 c 495",
    }
    assert [row["title"] for row in rows if row["authority"] == "314"] == [
        "No fixed abode", "Pathway plan late", "Out of work and study (G5) for over six months", "Filled in: in touch",
    ]  # fmt: skip
    assert rows[3]["note"] == "3 of 3 authorities"


def test_figures_that_are_the_rest_of_others_are_left_out(region: FleetFolder) -> None:
    assert not {measure.name for measure in gather(region).figures.measures} & set(OF_A_WHOLE)


def test_parquet_holds_the_same_rows_with_nothing_where_a_number_is_withheld(
    region: FleetFolder, tmp_path: Path
) -> None:
    rows = table(gather(region), tmp_path / "out")

    kept = duckdb.sql(f"SELECT * FROM '{tmp_path / 'out' / 'figures.parquet'}'")
    assert len(kept.fetchall()) == len(rows) == 16
    late = kept.filter("measure = 'plan-late' AND authority = '319'").fetchall()
    assert late == [
        ("319", "Sutton", TODAY, "rule", "plan-late", "Pathway plan late", 20, None, None, None, 45,
         None, None, 43, 53, "denominator cannot_assess", None)
    ]  # fmt: skip
    together = kept.filter("measure = 'plan-late' AND authority = 'All together'").project("COLUMNS('.*_(least|most)')")
    assert together.fetchall() == [(71, 75, 14, 15)]


def test_the_files_are_the_owners_alone(region: FleetFolder, tmp_path: Path) -> None:
    assert all(map(is_private, write_figures(gather(region).figures, tmp_path / "out")))


def test_an_authority_without_figures_has_a_row_that_says_so(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path, ("314", "315", "316", "317", "318", "319")).write()
    keep_night(fleet.config("314"), YESTERDAY, {"homeless": (300, 20, 12)}, verdict="degraded")
    keep_night(fleet.config("314"), TODAY, state="refused")
    keep_night(fleet.config("315"), TODAY - dt.timedelta(12), {"homeless": (100, 50, 0)})
    keep_night(fleet.config("316"), TODAY, {"homeless": (100, 50, 0)})
    age_store(fleet.config("316"), "0001")
    (fleet.config("317").parent / "data").mkdir()
    (fleet.config("317").parent / "data" / "monitor.db").write_bytes(b"no database")
    fleet.config("318").write_text("[", encoding="utf-8")

    gathered = gather(fleet)
    rows = table(gathered, tmp_path / "out")

    assert [(row["authority"], row["measure"], row["as_at"], row["note"]) for row in rows] == [
        ("316", "", "", "No figures: its records are of another version of the monitor"),
        ("317", "", "", "No figures: its config or its records could not be read"),
        ("318", "", "", "No figures: its config or its records could not be read"),
        ("319", "", "", "No figures: no night accepted yet"),
        ("314", "homeless", "2026-03-01", "Believed only in part; The night of 2 March 2026 was refused"),
        ("315", "homeless", "2026-02-18", "Old: 12 days before 2 March 2026"),
        ("All together", "homeless", "", "2 of 6 authorities"),
    ]
    assert not gathered.figures.are_whole
    assert [fault.split(":")[0] for fault in gathered.faults] == ["316", "317", "318", "319", "315"]


def test_a_night_that_is_not_as_a_night_keeps_it_stops_no_other_council(region: FleetFolder, tmp_path: Path) -> None:
    with closing(sqlite3.connect(region.config("319").parent / "data" / "monitor.db")) as store:
        store.execute("UPDATE run SET rule_meanings = '[broken'")
        store.commit()

    gathered = gather(region)

    assert [night.code for night in gathered.figures.read] == ["314", "315"]
    assert gathered.faults == (
        "319: what its last accepted night kept is not as a night keeps it (JSONDecodeError); look with: monitor audit",
    )


def test_the_last_night_up_to_a_date_is_told(region: FleetFolder, tmp_path: Path) -> None:
    keep_night(region.config("314"), TODAY - dt.timedelta(30), {"homeless": (200, 100, 0)})

    rows = table(gather(region, TODAY - dt.timedelta(29)), tmp_path / "out")

    assert numbers(rows, "homeless") == {"314": "100 300 33-34 0 300", "All together": "100 300 33-34 0 300"}
    assert [row["authority"] for row in rows if row["note"] == "No figures: no night accepted yet"] == ["315", "319"]


def test_a_rule_that_asks_something_else_is_marked_and_one_that_is_not_asked_is_said(
    region: FleetFolder, tmp_path: Path
) -> None:
    tomorrow = TODAY + dt.timedelta(1)
    keep_night(region.config("315"), tomorrow, {"homeless": (100, 20, 0)}, meanings={"homeless": "adjusted"})

    rows = table(gather(region, tomorrow), tmp_path / "out")

    notes = {(row["authority"], row["measure"]): row["note"] for row in rows}
    assert notes["315", "homeless"] == "Asks something else there"
    assert notes["315", "plan-late"] == "Not asked there"
    assert notes["314", "homeless"] == ""
    assert notes["All together", "plan-late"] == "2 of 3 authorities"


def test_more_is_withheld_where_the_fleet_says_so(region: FleetFolder, tmp_path: Path) -> None:
    region.lines = "suppress_below = 10"
    region.write()

    assert numbers(table(gather(region), tmp_path / "out"), "homeless")["315"] == "c c c 0 155"


def test_a_region_of_nobody_is_written(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path, ("314",)).write()
    keep_night(fleet.config("314"), TODAY, {"homeless": (0, 0, 0)})

    rows = table(gather(fleet), tmp_path / "out")

    assert numbers(rows, "homeless") == {"314": "0 0 - 0 0", "All together": "0 0 - 0 0"}


def test_a_text_that_a_spreadsheet_would_run_is_written_as_text(tmp_path: Path) -> None:
    fleet = FleetFolder(tmp_path, ("314",)).write()
    path = fleet.config("314")
    path.write_text(path.read_text(encoding="utf-8").replace('"Kingston"', '"=cmd"'), encoding="utf-8")
    keep_night(path, TODAY, {"homeless": (30, 20, 0)})

    assert table(gather(fleet), tmp_path / "out")[0]["name"] == "'=cmd"


def test_the_command_writes_the_files_and_its_exit_code_says_that_an_authority_is_missing(region: FleetFolder) -> None:
    keep_night(region.config("314"), today(), {"homeless": (300, 20, 12)})
    keep_night(region.config("315"), today(), {"homeless": (150, 7, 0)})

    old = monitor(region.folder, "fleet", "figures")
    keep_night(region.config("319"), today(), {"homeless": (40, 10, 0)})
    whole = monitor(region.folder, "fleet", "figures", "--out", "elsewhere", "--as-at", today().isoformat())
    read = monitor(region.folder, "fleet", "figures", "--json")

    assert (old.returncode, whole.returncode, read.returncode) == (1, 0, 0)
    assert old.stderr == "319: its last accepted night is of 2 March 2026; its figures are those of that day\n"
    assert {path.name for path in (region.folder / "fleet").iterdir()} == {CSV, PARQUET, PAGE}
    assert {path.name for path in (region.folder / "elsewhere").iterdir()} == {CSV, PARQUET, PAGE}
    numbers = json.loads(read.stdout)["figures"]
    assert [(row["authority"], row["numerator"], row["denominator"]) for row in numbers] == [
        ("314", 20, 320), ("315", 7, 155), ("319", 10, 50), ("All together", 37, 525),
    ]  # fmt: skip


def test_figures_of_a_day_to_come_and_views_without_a_database_are_refused(region: FleetFolder) -> None:
    ahead = monitor(region.folder, "fleet", "figures", "--as-at", "2100-01-01")
    views = monitor(region.folder, "fleet", "figures", "--print-sql")

    assert (ahead.returncode, views.returncode) == (2, 2)
    assert "--as-at 2100-01-01: is after today" in ahead.stderr
    assert "fleet.database: missing; views stand in a database of PostgreSQL" in views.stderr
