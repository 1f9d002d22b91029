"""The views of a fleet's database on PostgreSQL: the region's role reads figures there, and not one table."""

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text
from support.fleets import CODES, FleetFolder
from support.kept_figures import keep_night

from monitor.errors import Problems, Refused, StoreError
from monitor.fleet.figure_views import GRANTED, read_views, write_view_sql
from monitor.fleet.fleet_settings import Fleet, read_fleet
from monitor.fleet.region_figures import gather_figures
from monitor.store.database import open_store
from monitor.store.location import SCHEMA

TODAY = dt.date(2026, 3, 2)
COUNTS = {"314": (300, 20, 12), "315": (300, 4, 0), "319": (40, 10, 3)}


MAKE_ADMIN = """
DO $$
DECLARE council text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{admin}') THEN CREATE ROLE "{admin}" LOGIN CREATEROLE; END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO "{admin}"', current_database());
    -- Roles are the whole server's: another test may have made those of the councils.
    FOR council IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'la\\_%' LOOP
        EXECUTE format('GRANT %I TO "{admin}" WITH ADMIN OPTION', council);
    END LOOP;
END
$$
"""


@dataclass
class Region:
    """A fleet in one database, and the role of the region."""

    councils: FleetFolder
    url: str
    role: str

    @property
    def fleet(self) -> Fleet:
        return read_fleet(self.councils.path, {})

    def set_up(self) -> list[str]:
        """Run the SQL as an administrator who is no superuser; what the server said."""
        admin = f"{self.role} admin"
        with psycopg.connect(self.url, autocommit=True) as store:
            store.execute(MAKE_ADMIN.format(admin=admin))  # type: ignore[call-overload]
        with psycopg.connect(self.url, user=admin, autocommit=True) as store:
            said: list[str] = []
            store.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
            store.execute(write_view_sql(self.fleet))  # type: ignore[arg-type]
        return said

    def ask(self, role: str, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url, user=role, autocommit=True) as store:
            return store.execute(query).fetchall()  # type: ignore[arg-type]

    def write(self) -> "Region":
        """Write the fleet's file and the councils' configs: the region and each council open it with its own role."""
        self.councils.write()
        configs = {self.councils.path: self.role.replace(" ", "%20")}
        configs |= {self.councils.config(code): f"la_{code}" for code in CODES}
        for path, role in configs.items():
            path.write_text(path.read_text(encoding="utf-8").replace("//postgres@", f"//{role}@"), encoding="utf-8")
        return self


@pytest.fixture
def region(tmp_path: Path, new_database: Callable[[], str]) -> Region:
    url = new_database()
    return Region(FleetFolder(tmp_path, url=url), url, f"region {secrets.token_hex(4)}").write()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Region:
    """The region after each council's first night; no test changes its database."""
    url = new_database()
    folder = tmp_path_factory.mktemp("told")
    region = Region(FleetFolder(folder, url=url), url, f"region {secrets.token_hex(4)}").write()
    region.set_up()
    for code, counts in COUNTS.items():
        keep_night(region.councils.config(code), TODAY, {"homeless": counts}, {"filled:in_touch": (8, 270, 0)})
    region.set_up()
    return region


def test_the_region_reads_the_figures_and_they_are_those_of_the_stores(told: Region) -> None:
    for path in (told.councils.config(code) for code in CODES):
        path.unlink()  # what the region may not read is not needed
    by_views = gather_figures(told.fleet, TODAY, None, {})
    assert by_views.faults == ()

    told.write()
    by_stores = gather_figures(told.fleet, TODAY, TODAY, {})
    by_name = tuple(replace(night, name=night.code) for night in by_stores.figures.nights)
    assert by_views.figures == replace(by_stores.figures, nights=by_name)
    rows = {measure.name: measure for measure in by_views.figures.measures}["homeless"].rows
    assert [(row.asked, row.numerator, row.percent) for row in rows.values()] == [
        (330, 20, 6), (305, None, None), (55, 10, None),
    ]  # fmt: skip


def test_no_role_reads_what_is_anothers(told: Region) -> None:
    tables = [
        f"{schema}.{table}"
        for schema in ("la_314", "la_315", "la_319")
        for table in ("run", "measure", "flag", "person")
    ]
    hidden = [f"figures.{kind}_la_314" for kind in ("counts", "night")]
    for role, forbidden in (
        (told.role, [*tables, *hidden]),
        ("la_314", [*(table for table in tables if "314" not in table), *(f"figures.{view}" for view in GRANTED)]),
    ):
        for place in forbidden:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                told.ask(role, f"SELECT * FROM {place}")
    assert told.ask("la_314", "SELECT count(*) FROM la_314.run") == [(1,)]
    assert len(told.ask(told.role, "SELECT * FROM figures.figures_by_authority")) == 6


@pytest.mark.parametrize("change", ["DROP COLUMN verdict", "ALTER COLUMN verdict TYPE varchar(9)"])
def test_an_upgrade_that_the_views_of_1_council_stand_in_the_way_of_says_how_it_is_done(
    told: Region, change: str
) -> None:
    database = open_store(make_url(told.url).set(username="la_314").update_query_dict({SCHEMA: "la_314"}))

    with (
        pytest.raises(StoreError, match="runs DROP SCHEMA figures CASCADE; and, once every council"),
        database.writing() as store,
    ):
        store.execute(text(f"ALTER TABLE run {change}"))
    database.close()


def test_the_region_sees_no_small_number_behind_a_view(told: Region) -> None:
    with psycopg.connect(told.url, user=told.role, autocommit=True) as store:
        said: list[str] = []
        store.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        store.execute(
            "CREATE FUNCTION pg_temp.look(told anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS "
            "$$ BEGIN RAISE NOTICE 'seen %', told; RETURN true; END $$"
        )
        store.execute("SELECT * FROM figures.figures_by_authority AS f WHERE pg_temp.look(f.numerator)").fetchall()
    assert set(said) == {"seen <NULL>", "seen 20", "seen 10", "seen 270"}


def test_views_wait_for_a_council_without_tables(region: Region) -> None:
    said = region.set_up()
    keep_night(region.councils.config("314"), TODAY, {"homeless": (300, 20, 12)})
    with psycopg.connect(region.url, autocommit=True) as store:
        store.execute("DROP SCHEMA figures CASCADE")  # as before anybody ran it
    without_views = gather_figures(region.fleet, TODAY, None, {})
    region.set_up()

    gathered = gather_figures(region.fleet, TODAY, None, {})

    assert [line for line in said if "no tables" in line] == [
        f"la_{code}: no tables yet; run this again after its first night" for code in CODES
    ]
    assert [(night.code, night.why_not) for night in gathered.figures.nights] == [
        ("314", None), ("315", "no night accepted yet"), ("319", "no night accepted yet"),
    ]  # fmt: skip
    assert [fault[:4] for fault in gathered.faults] == ["315:", "319:"]
    assert without_views == gathered


def test_views_of_other_councils_than_the_fleets_are_refused_or_said(told: Region) -> None:
    fleet = told.fleet
    where = make_url(told.url).set(drivername="postgresql+psycopg", username=told.role)
    with pytest.raises(Refused, match=r"the views of the fleet's database count 319, which .* does not name"):
        read_views(where, replace(fleet, authorities=fleet.authorities[:2]), TODAY)

    more = replace(fleet.authorities[0], code="316", schema="la_316", name="Newham")
    figures = read_views(where, replace(fleet, authorities=(*fleet.authorities, more)), TODAY)
    assert figures is not None
    assert figures.nights[-1].why_not == "not in the views of the fleet's database"


def test_a_fleet_without_a_database_of_its_own_has_no_views(tmp_path: Path) -> None:
    fleet = read_fleet(FleetFolder(tmp_path).write().path, {})
    with pytest.raises(Problems, match=r"fleet.database: missing; views stand in a database of PostgreSQL"):
        write_view_sql(fleet)
    for database, fault in (
        ("postgresql://localhost/db", "names no role"),
        ("postgresql://la_314@h/db", "a council's"),
    ):
        councils = tuple(replace(council, schema=f"la_{council.code}") for council in fleet.authorities)
        with pytest.raises(Problems, match=fault):
            write_view_sql(replace(fleet, database=database, authorities=councils))
