"""Invented people by the million: the lives of the sample, as one query, typed as a scan reads them."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.typed_sample import count_listed, count_typed
from typer.testing import CliRunner

from monitor.catalogue.caseload_contract import ROSTER, contract_columns
from monitor.catalogue.columns import COLUMNS
from monitor.cli.command import app
from monitor.errors import Problems
from monitor.sample.list_9 import write_sample
from monitor.sample.many_people import CORNERS, write_caseload, write_people
from monitor.sample.people import FIRST_DAY, LAST_DAY
from monitor.sample.supplement import write_sample_supplement

NIGHT = date(2026, 1, 12)
PEOPLE = 2000


@pytest.fixture(scope="module")
def caseload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lake") / "caseload.parquet"
    return write_caseload(path, people=PEOPLE, as_at=NIGHT, seed=1, authorities=153)


@pytest.fixture
def asked(caseload: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE VIEW people AS SELECT * FROM read_parquet('{caseload}')")
        yield connection


def test_the_table_is_what_caseload_v1_says_it_must_be(asked: duckdb.DuckDBPyConnection) -> None:
    described = {name: kind for name, kind, *_ in asked.execute("DESCRIBE people").fetchall()}

    assert list(described.items()) == [(name, kind) for name, kind in contract_columns() if name not in ROSTER]


def test_there_are_exactly_as_many_people_as_asked_for_each_once_in_153_authorities(
    asked: duckdb.DuckDBPyConnection,
) -> None:
    keys = "count(*), count(DISTINCT (authority, person_id)), count(DISTINCT authority), count(DISTINCT person_id)"
    rows, people, authorities, ids = asked.execute(f"SELECT {keys} FROM people").fetchone() or ()
    (smallest, largest), = asked.execute(
        "SELECT min(n), max(n) FROM (SELECT count(*) AS n FROM people GROUP BY authority)"
    ).fetchall()  # fmt: skip
    nulls = asked.execute(
        "SELECT count(*) FROM people WHERE authority IS NULL OR person_id IS NULL OR as_at IS NULL OR died IS NULL"
    ).fetchall()

    assert (rows, people, authorities) == (PEOPLE, PEOPLE, 153)
    assert ids < 200  # those of two authorities are alike, as in life
    assert largest - smallest <= 1
    assert nulls == [(0,)]


def test_the_same_2000_people_are_the_same_bytes_and_another_seed_is_other_people(
    caseload: Path, tmp_path: Path
) -> None:
    again = write_caseload(tmp_path / "again.parquet", people=PEOPLE, as_at=NIGHT, seed=1, authorities=153)
    other = write_caseload(tmp_path / "other.parquet", people=PEOPLE, as_at=NIGHT, seed=2, authorities=153)

    assert again.read_bytes() == caseload.read_bytes()
    with duckdb.connect() as connection:
        alike = connection.execute(
            f"""SELECT count(*) FROM read_parquet('{caseload}') AS one JOIN read_parquet('{other}') AS two
                USING (authority, person_id, date_of_birth, latest_contact_date)"""
        ).fetchall()
    assert alike[0][0] < PEOPLE / 100


def test_the_first_18_places_hold_the_corners_of_real_caseloads(asked: duckdb.DuckDBPyConnection) -> None:
    def count(where: str) -> int:
        rows = asked.execute(f"SELECT count(*) FROM (FROM people LIMIT {len(CORNERS)}) WHERE {where}").fetchall()
        return int(rows[0][0])

    born = "date_of_birth"
    assert len(CORNERS) == 18
    assert count(f"{born} IS NULL AND {born}_gap IS NULL") == 2
    assert count(f"{born} IS NULL AND {born}_gap = 'unreadable'") == 2
    for years in (16, 18, 21, 25):
        assert count(f"CAST({born} + to_years({years}) AS DATE) = as_at") == 1
    assert count(f"day({born}) = 29 AND month({born}) = 2") >= 1
    assert count(f"year({born}) = 1902 AND year(release_date) = 2100") == 1
    assert count(r"allocated_team LIKE '=cmd%' AND personal_adviser = 'it''s \ here'") == 1
    assert count("died AND in_touch = 'DIED'") >= 1
    assert count("present IS NULL") == 1
    assert count("NOT present") == 1
    told = " OR ".join(f"{column.name} IS NOT NULL AND {column.name}_gap IS NOT NULL" for column in COLUMNS)
    assert count(told) == 0


def test_what_befalls_people_befalls_as_many_as_of_the_sample_of_4000(tmp_path: Path) -> None:
    listed = count_listed(tmp_path, people=4000, as_at=NIGHT)
    typed = count_typed(people=20_000, as_at=NIGHT)

    assert typed.keys() == listed.keys()
    for rule, counts in listed.items():
        for name in ("asked", "breach", "cannot_assess"):
            share, other = getattr(counts, name) / 4000, getattr(typed[rule], name) / 20_000
            assert other == pytest.approx(share, rel=0.12, abs=0.009), f"{rule}: {name}"


def test_a_place_is_the_same_person_however_many_there_are_1(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        few, many = (
            connection.execute(f"FROM ({write_people(people=n, as_at=NIGHT, seed=1)}) LIMIT 50").fetchall()
            for n in (50, 300)
        )

    assert few == many


def test_one_person_is_a_caseload_and_more_authorities_than_people_are_refused(tmp_path: Path) -> None:
    one = write_caseload(tmp_path / "one.parquet", people=1, as_at=date(2028, 2, 29), seed=-3)

    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT count(*) FROM '{one}'").fetchall() == [(1,)]
    with pytest.raises(Problems, match=r"few\.parquet: 4 authorities for 3 people; name at most one for each"):
        write_caseload(tmp_path / "few.parquet", people=3, as_at=NIGHT, seed=1, authorities=4)


@pytest.mark.parametrize("name", ["1.csv", "2.xlsx", "3.parquet"])
@pytest.mark.parametrize("day", [date.min, date.max])
def test_a_day_at_the_end_of_the_calendar_is_refused(name: str, day: date, tmp_path: Path) -> None:
    write = write_caseload if name.endswith(".parquet") else write_sample

    with pytest.raises(Problems, match=rf"--as-at {day}: nobody is invented for that day; name one from 1930-01-01"):
        write(tmp_path / name, people=5, as_at=day, seed=1)


@pytest.mark.parametrize("day", [FIRST_DAY, LAST_DAY])
def test_people_are_invented_for_the_first_and_the_last_of_their_days(day: date, tmp_path: Path) -> None:
    listed = write_sample(tmp_path / "1.csv", people=60, as_at=day, seed=1)
    write_sample_supplement(tmp_path / "2.csv", people=60, as_at=day, seed=1)
    typed = write_caseload(tmp_path / "3.parquet", people=60, as_at=day, seed=1)

    assert listed.stat().st_size > 5_000
    assert typed.stat().st_size > 5_000


def test_the_command_writes_a_parquet_and_says_which_options_go_with_it_2(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["sample", *words])
        said = str(done.exception) if done.exception else ""
        return done.exit_code, done.output + said

    code, said = run(str(tmp_path / "c.PARQUET"), "--people", "40", "--authorities", "2")
    assert code == 0
    assert "40 invented people written to" in said
    assert "--supplement: a .parquet holds what a supplement knows; leave it out, or name a .csv" in "".join(
        run(str(tmp_path / "c.parquet"), "--supplement", str(tmp_path / "s.csv"))[1]
    )
    assert "--authorities: a .csv is of one authority; name a .parquet" in "".join(
        run(str(tmp_path / "c.csv"), "--authorities", "2")[1]
    )
