"""What a killed run leaves is counted, swept by the next run and by a purge, and never anybody else's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from support.command import monitor
from support.council import NIGHT, Council, crowd, day, homeless
from support.posix import KILL, KILLED
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.record import left_overs
from monitor.store.nights import Request

PEOPLE = [homeless("P1"), *crowd(12)]

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from monitor.cli.command import main
name, left = sys.argv.pop(1), int(sys.argv.pop(1))
act = getattr(Path, name)
def act_or_die(self, *given, **named):
    global left
    if ".unfinished" in self.name:
        if left == 0:
            KILL
        left -= 1
    return act(self, *given, **named)
setattr(Path, name, act_or_die)
from monitor.night import save
if name == "unlink":
    def die(*given):
        KILL
    save.accept = die
main()
""".replace("KILL", KILL)
"""A night, killed before an unfinished file or folder takes its name for the so manieth time, or before it is saved."""


@pytest.fixture
def council(tmp_path: Path, database: str | None) -> Council:
    council = Council(tmp_path, few_rules(tmp_path), database=database, report=True)
    council.night(NIGHT, PEOPLE)
    return council


def left_of(council: Council) -> list[str]:
    with council.open_database() as database, database.reading() as store:
        found = left_overs.find_all(store, load_config(council.config_path))
    return [path.name for path in found]


@pytest.mark.parametrize(
    ("act", "times", "left"),
    [
        ("replace", 1, ".2026-01-13-run-2.parquet"),
        ("unlink", 99, "2026-01-13-run-2.parquet"),
        ("rename", 0, ".2026-01-13."),
        ("replace", 3, ".eml."),
    ],
)
def test_nothing_of_a_killed_night_is_left_after_the_next(council: Council, act: str, times: int, left: str) -> None:
    council.write([*PEOPLE, homeless("P2")])
    arguments = ["-c", KILLED_AT, act, str(times), "run", "--as-at", str(day(1))]

    killed = subprocess.run([sys.executable, *arguments], cwd=council.folder, capture_output=True, check=False)
    found = left_of(council)
    status = json.loads(monitor(council.folder, "status", "--json").stdout)
    night = council.night(day(1))

    assert killed.returncode == KILLED, killed.stderr
    assert any(left in name for name in found), found
    assert status["left_overs"] == len(found)
    assert night.outcome in ("accepted", "unchanged")
    assert left_of(council) == []
    files = [path for path in (council.folder / "data").rglob("*") if path.is_file()]
    assert not [path for path in files if "unfinished" in path.as_posix()]
    named = {name for (name,) in council.rows("SELECT snapshot FROM run WHERE snapshot IS NOT NULL")}
    assert {path.name for path in (council.folder / "data" / "snapshots").iterdir()} == named
    assert json.loads(monitor(council.folder, "status", "--json").stdout)["left_overs"] == 0


def test_a_purge_sweeps_what_the_monitor_made_and_nothing_else(council: Council) -> None:
    data = council.folder / "data"
    ours = [
        data / "snapshots" / ".2026-01-12-run-1.parquet.0123abcd.unfinished",
        data / "snapshots" / "2026-01-12-run-1-without-4.parquet",
        data / "exceptions" / ".2026-01-12.0123abcd.unfinished",
        data / "report" / ".report.html.0123abcd.unfinished",
        data / ".monitor.db.0123abcd.unfinished",
        council.folder / ".kept.db.0123abcd.unfinished",
    ]
    theirs = [data / "notes.unfinished", data / "snapshots" / "mine.parquet", council.folder / ".a.0123abcd.unfinished"]
    monitor(council.folder, "backup", "kept.db")
    for path in (*ours, *theirs):
        path.parent.mkdir(exist_ok=True)
        path.write_text("P1", encoding="utf-8")

    rehearsed = monitor(council.folder, "purge", "--dry-run")
    standing = [path for path in ours if path.exists()]
    purged = monitor(council.folder, "purge")

    assert "6 files that a run that was killed left behind" in rehearsed.stdout
    assert standing == ours
    # By the clock of this machine the last night is long ago, so nothing past its time goes.
    assert purged.returncode == 3
    assert "removed all the same: 6 files that killed runs left behind" in purged.stderr
    assert [path for path in (*ours, *theirs) if path.exists()] == theirs
    assert (council.folder / "kept.db").exists()


def test_what_a_run_at_work_writes_is_neither_swept_nor_counted(council: Council) -> None:
    seen: list[object] = []
    unfinished = council.folder / "data" / "snapshots" / ".2026-01-13-run-2.parquet.0123abcd.unfinished"

    def look(step: str) -> None:
        if step == "Saving":
            unfinished.write_bytes(b"")
            seen.append(json.loads(monitor(council.folder, "status", "--json").stdout)["left_overs"])
            seen.append(monitor(council.folder, "purge").returncode)
            seen.append(unfinished.exists())
            unfinished.unlink()

    run_night(load_config(council.config_path), Request(day(1), day(1)), Tools(lambda: council.clock, {}, look))

    assert seen == [0, 4, True]
    with council.open_database() as database, database.reading() as store:
        assert store.execute(text("SELECT count(*) FROM run WHERE snapshot IS NOT NULL")).scalar() == 2
