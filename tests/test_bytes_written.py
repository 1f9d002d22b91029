"""How much a night writes: what has changed, and not the caseload again."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.council import NIGHT, Council, day, homeless, settled
from support.timed_service import few_rules

from monitor.night.context import NightOutcome
from monitor.store.database import open_store

PEOPLE = 5_000


@pytest.fixture
def council(tmp_path: Path) -> Council:
    """Five thousand people, a third of whom are flagged, before their first night."""
    return Council(tmp_path, settings=few_rules(tmp_path, "homeless", "birth-date-recorded"))


def people(*, changed: int = 0) -> list[dict[str, str]]:
    """Everyone; every fiftieth of those until ``changed`` has been seen since, and flags open and close among them."""
    everyone = [homeless(f"P{n:05}") if n % 3 == 0 else settled(f"P{n:05}") for n in range(PEOPLE)]
    for place in range(0, changed * 50, 50):
        everyone[place] = settled(f"P{place:05}", contact="11/01/2026")
    return everyone


@contextmanager
def counted(council: Council) -> Iterator[Callable[[], int]]:
    """Count what is written to the database: one who reads keeps SQLite from emptying its log while it grows."""
    path = council.folder / "data" / "monitor.db"
    open_store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM flag").fetchone()
        yield lambda: path.with_name("monitor.db-wal").stat().st_size
        reader.execute("COMMIT")


def bytes_of(council: Council, run: Callable[[], NightOutcome]) -> int:
    """How many bytes of the database a night writes."""
    with counted(council) as written:
        run()
        return written()


def test_a_night_writes_what_has_changed_and_no_more(council: Council) -> None:
    first = bytes_of(council, lambda: council.night(NIGHT, people()))
    changed = bytes_of(council, lambda: council.night(day(1), people(changed=PEOPLE // 50)))
    again = bytes_of(council, lambda: council.night(day(1)))
    council.night(day(2))  # what has been open for three nights is taken to the manager
    unchanged = bytes_of(council, lambda: council.night(day(3)))

    assert changed <= 0.22 * first
    assert unchanged <= 0.05 * first
    assert again <= 0.01 * first
