"""Whatever the service writes is its owner's alone, however careless the account's umask."""

import datetime as dt
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless
from support.posix import needs_posix

from monitor.config.settings import load_config
from monitor.record.purge import purge_store
from monitor.record.remove_person import RemovalRequest, remove_person
from monitor.store.database import working_store
from monitor.store.location import locate

pytestmark = needs_posix("file modes")

NOW = dt.datetime(2026, 1, 20, 3, 0, tzinfo=dt.UTC)


@pytest.fixture
def careless() -> Iterator[None]:
    """An account whose new files anybody may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Whatever under ``folder``, itself included, somebody else could read, with how."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found.append(f"{path.relative_to(folder.parent)} {mode:o}")
    return found


@pytest.mark.usefixtures("careless")
def test_nights_lists_exports_and_purges_leave_nothing_open_to_others(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    council = Council(tmp_path, settings='data_folder = "deep/er/data"')
    config = council.config_path.read_text(encoding="utf-8")
    with_copies = config.replace("workbooks = false", 'workbooks = true\nlists_folder = "shared"')
    council.config_path.write_text(with_copies, encoding="utf-8")
    data = tmp_path / "deep" / "er" / "data"
    settings = load_config(council.config_path)

    council.night(NIGHT, [homeless("Q-1001"), homeless("Q-1002"), *crowd(20)])
    council.night(day(1), [homeless("Q-1002"), *crowd(20)])
    done = monitor(tmp_path, "export", "--output", "deep/er/data/mine.json", "--format", "json")
    with working_store(locate(settings, {})) as database:
        after_nights = open_to_others(data)
        beside = {path.name for path in data.glob("monitor.db*")}
        remove_person(database, settings, RemovalRequest("Q-1001", "A", "asked", day(8), NOW), {})
        after_removal = open_to_others(data)
        purge_store(database, settings, dt.date(2029, 1, 1), NOW)
        after_purge = open_to_others(data)

    assert done.returncode == 0, done.stderr
    assert {"monitor.db", "monitor.db-wal", "monitor.db-shm", "monitor.db.lock"} <= beside
    assert (after_nights, after_removal, after_purge) == ([], [], [])
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep", tmp_path / "deep" / "er")] == [0o700] * 2
    copies = [path for path in shared.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in copies} == {0o644}


@pytest.mark.usefixtures("careless")
def test_a_sample_made_for_a_night_is_nobody_elses_either(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text(
        '[[sources]]\nname = "caseload"\nkind = "sample"\npeople = 20\n', encoding="utf-8"
    )

    done = monitor(tmp_path, "check")

    assert done.returncode == 0, done.stderr
    assert open_to_others(tmp_path / "data") == []
