"""A council in one schema of a PostgreSQL database that it shares: all its tables there, and no other's seen."""

import secrets
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, homeless
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.errors import Problems, StoreError
from monitor.store.database import open_store, working_store
from monitor.store.location import locate, name_place


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


def council_in(folder: Path, url: str, schema: str) -> Council:
    folder.mkdir()
    rules = few_rules(folder, "homeless", "birth-date-recorded")
    return Council(folder, f'database_schema = "{schema}"\n{rules}', database=url)


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as store:
        answer = store.execute(query)  # type: ignore[call-overload]
        return list(answer.fetchall()) if answer.description else []


def test_two_councils_in_two_schemas_know_nothing_of_each_other(tmp_path: Path, url: str) -> None:
    ask(url, "CREATE SCHEMA la_314; CREATE SCHEMA la_315; CREATE TABLE public.flag (id int)")
    kingston, merton = (council_in(tmp_path / code, url, f"la_{code}") for code in ("314", "315"))

    for people, council in (([homeless("P1"), *crowd(12)], kingston), ([homeless("P1"), homeless("P2")], merton)):
        council.night(NIGHT, people)
    kingston.write(crowd(12))
    for command in ("purge --person P1 --by Ann --reason asked", "audit"):
        assert monitor(kingston.folder, *command.split()).returncode == 0, command

    assert [len(council.flags()) for council in (kingston, merton)] == [0, 2]
    tables = dict(ask(url, "SELECT table_schema, count(*) FROM information_schema.tables "
                           "WHERE table_schema IN ('public', 'la_314', 'la_315') GROUP BY 1"))  # fmt: skip
    assert tables["public"] == 1
    assert tables["la_314"] == tables["la_315"] > 20


def test_one_councils_lock_holds_up_no_other(tmp_path: Path, url: str) -> None:
    ask(url, "CREATE SCHEMA la_314; CREATE SCHEMA la_315")
    one, other = (locate(load_config(council_in(tmp_path / c, url, f"la_{c}").config_path), {}) for c in ("314", "315"))

    with working_store(one), working_store(other, wait_seconds=0):
        pass


def test_a_schema_that_is_not_there_or_not_ours_is_said_with_its_remedy(tmp_path: Path, url: str) -> None:
    council = council_in(tmp_path / "council", url, "la_314")
    where = locate(load_config(council.config_path), {})

    with pytest.raises(StoreError) as missing:
        open_store(where)
    stranger = f"stranger_{secrets.token_hex(4)}"
    ask(url, f"CREATE SCHEMA la_314; CREATE ROLE {stranger} LOGIN")
    with pytest.raises(StoreError) as unusable:
        open_store(where.set(username=stranger))
    ask(url, f"GRANT USAGE ON SCHEMA la_314 TO {stranger}")
    with pytest.raises(StoreError) as read_only:
        open_store(where.set(username=stranger))
    with pytest.raises(StoreError) as nobody:
        open_store(where.set(username="la 3"))

    assert name_place(where).endswith(", schema la_314, at local socket")
    assert str(missing.value).endswith(
        "there is no such schema; who administers the server makes it and its role with: "
        'CREATE ROLE "la_314" LOGIN; CREATE SCHEMA IF NOT EXISTS "la_314" AUTHORIZATION "la_314";'
    )
    assert 'there is no role "la 3"; correct the user in database, or' in str(nobody.value)
    assert str(nobody.value).endswith('CREATE ROLE "la 3" LOGIN;')
    assert f"the role {stranger} may not use this schema; name in database the role" in str(unusable.value)
    assert "this user may not do that; make it the owner of the database, or of database_schema" in str(read_only.value)


@pytest.mark.parametrize("name", ["LA_314", "la 314", 'la"; DROP', "pg_x1", "", "1a"])
def test_a_schema_has_a_plain_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "monitor.toml"
    lines = "database = 'postgresql://a@localhost/b'\n[[sources]]\nname = 'a'\nkind = 'sample'\n"
    path.write_text(f"database_schema = '{name}'\n{lines}", encoding="utf-8")

    with pytest.raises(Problems, match="is not a name for a schema of ours"):
        load_config(path)
