"""Three councils, thirty nights on one PostgreSQL, with kills: each council's record is whole, and holds no other's.

Their people have the same ids, and something else happens to them in each council. Beside these, every council has ids,
names and addresses that hold a mark of its own, which is looked for in all that the others leave.
"""

import datetime as dt
import email
import os
import random
import signal
import subprocess
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import policy
from pathlib import Path

import duckdb
import psycopg
import pytest
from support.command import monitor
from support.council import NIGHT, Council, homeless, settled
from support.fleets import CODES, NAMES, FleetFolder, make_schemas
from support.timed_service import few_rules

from monitor.fleet.children import PROGRAM

NIGHTS = int(os.environ.get("MONITOR_NIGHTS", "30"))
PEOPLE = 24
MARKS = {"314": "kngq", "315": "mrtq", "319": "sutq"}
RULES = ("homeless", "birth-date-recorded", "left-caseload")
BROKEN_NIGHT, BROKEN = 11, "315"
"""On this night the list of one council is not there."""
MOST_TRIES = 12


def people_of(code: str, n: int) -> list[dict[str, str]]:
    """The people of a council on its nth night: all have the ids of the other councils' people, or its own mark."""
    chance = random.Random(f"{code} {n // 3}")
    as_at = f"{NIGHT + dt.timedelta(n):%d/%m/%Y}"
    mark = MARKS[code]
    ids = [f"same-{k:02}" for k in range(PEOPLE)] + [f"{mark}-{k:02}" for k in range(PEOPLE)]
    team = {"team": f"{mark} North", "adviser": f"A {mark}", "worker": f"W {mark}", "contact": as_at, "plan": as_at}
    people = [(homeless if chance.random() < 0.2 else settled)(person_id, **team) for person_id in ids]
    gone = chance.randrange(len(people)) if n % 5 == 2 else None
    return [person for k, person in enumerate(people) if k != gone]


def head_of(code: str, folder: Path) -> str:
    mark = MARKS[code]
    return f"""
        {few_rules(folder, *RULES)}
        [[sources]]
        name = "caseload"
        kind = "annex-a-list-9"
        path = "list-9.csv"
        [people]
        analyst = "analyst-{mark}@example.gov.uk"
        head = "head-{mark}@example.gov.uk"
        [[teams]]
        name = "{mark} North"
        lead = "lead-{mark}@example.gov.uk"
        manager = "manager-{mark}@example.gov.uk"
        """


@dataclass
class Trial:
    """The fleet, the nights it lived through, and how it was disturbed."""

    fleet: FleetFolder
    chance: random.Random = field(default_factory=lambda: random.Random(20261126))
    kills: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    usual_seconds: float = 5.0

    def start(self, as_at: dt.date) -> "subprocess.Popen[bytes]":
        with (self.fleet.folder / "said.log").open("ab") as log:
            return subprocess.Popen(
                [*PROGRAM, "fleet", "run", "--config", str(self.fleet.path), "--as-at", as_at.isoformat()],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def live(self, n: int) -> None:
        """Run the nth night until every council that can has had it, killing something of it now and then."""
        as_at = NIGHT + dt.timedelta(n)
        for code in CODES:
            self.fleet.write_people(code, people_of(code, n))
        if n == BROKEN_NIGHT:
            (self.fleet.config(BROKEN).parent / "list-9.csv").unlink()
        done = (3,) if n == BROKEN_NIGHT else (0, 1)
        for attempt in range(MOST_TRIES):
            began = time.monotonic()
            process = self.start(as_at)
            if n and attempt < 2 and self.chance.random() < 0.8:
                self.disturb(process)
            code = process.wait()
            self.codes[code] += 1
            if code in done and not (code == 3 and self.lack(as_at)):
                if n == 0:
                    self.usual_seconds = time.monotonic() - began
                return
        raise AssertionError((self.fleet.folder / "said.log").read_text(encoding="utf-8")[-3000:])

    def lack(self, as_at: dt.date) -> bool:
        """Return whether a council that has its list has not had the night."""
        return any(code != BROKEN and as_at not in accepted_in(self.fleet, code) for code in CODES)

    def disturb(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for a moment of the night, then kill one council's process, or the fleet, or ask the fleet to stop."""
        time.sleep(self.chance.uniform(0.1, 1.0) * self.usual_seconds)
        what = self.chance.choice(("council", "council", "fleet", "stop"))
        if what == "council":
            children = list_children(process.pid)
            if not children:
                return
            os.killpg(self.chance.choice(children), signal.SIGKILL)
        else:
            process.send_signal(signal.SIGKILL if what == "fleet" else signal.SIGTERM)
        self.kills[what] += 1


def list_children(pid: int) -> list[int]:
    lines = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout.splitlines()[
        1:
    ]
    return [int(child) for child, parent in map(str.split, lines) if int(parent) == pid]


def ask(fleet: FleetFolder, code: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(fleet.url or "", autocommit=True) as store:
        store.execute(f"SET search_path = la_{code}")  # type: ignore[call-overload]
        return list(store.execute(query).fetchall())  # type: ignore[call-overload]


def accepted_in(fleet: FleetFolder, code: str) -> set[object]:
    return {row[0] for row in ask(fleet, code, "SELECT as_at FROM run WHERE state = 'accepted'")}


RECORDS = (
    "SELECT person_id, rule, severity, opened_on, in_breach_since, resolved_on, resolved_reason, earlier_spells "
    "FROM flag ORDER BY 1, 2, 4",
    "SELECT person_id, team, accommodation_since, first_seen_on, absent_since, died_on FROM person ORDER BY 1",
    "SELECT m.as_at, m.rule, m.team, m.asked, m.ok, m.breach, m.cannot_assess, m.held FROM measure AS m JOIN run AS r "
    "ON r.id = m.run_id AND r.state = 'accepted' ORDER BY 1, 2, 3",
)


def live_alone(folder: Path, code: str) -> Council:
    """The same nights of one council by itself, undisturbed, on SQLite."""
    folder.mkdir()
    council = Council(folder)
    council.config_path.write_text(head_of(code, folder), encoding="utf-8")
    for n in range(NIGHTS):
        if (n, code) != (BROKEN_NIGHT, BROKEN):
            council.night(NIGHT + dt.timedelta(n), people_of(code, n))
    return council


def texts_of(path: Path) -> Iterator[str]:
    """All that stands in a file, whatever packs it."""
    content = path.read_bytes()
    yield content.decode("utf-8", errors="replace")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            yield from (packed.read(name).decode("utf-8", errors="replace") for name in packed.namelist())
    if path.suffix == ".parquet":
        with duckdb.connect() as opened:
            yield "\n".join(map(str, opened.execute("FROM read_parquet(?)", [str(path)]).fetchall()))
    if path.suffix == ".eml":
        for part in email.message_from_bytes(content, policy=policy.default).walk():
            if part.get_content_maintype() == "text":
                yield part.get_content()
            elif not part.is_multipart():
                yield (part.get_payload(decode=True) or b"").decode("utf-8", errors="replace")  # type: ignore[union-attr]


def find_marks(folder: Path) -> dict[str, Counter[str]]:
    """Each mark that stands in a folder, with the kinds of file it stands in."""
    found: dict[str, Counter[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            whole = "\n".join(texts_of(path)).casefold() + str(path.relative_to(folder)).casefold()
            for code, mark in MARKS.items():
                if mark in whole:
                    found.setdefault(code, Counter())[path.suffix] += 1
    return found


def rows_with_marks(fleet: FleetFolder, code: str) -> set[str]:
    tables = ask(fleet, code, f"SELECT tablename FROM pg_tables WHERE schemaname = 'la_{code}'")
    rows = [
        str(row[0]).casefold() for (table,) in tables for row in ask(fleet, code, f'SELECT t::text FROM "{table}" t')
    ]
    return {other for other, mark in MARKS.items() if any(mark in row for row in rows)}


@pytest.mark.simulation
def test_three_councils_of_one_database_live_through_thirty_nights_of_kills(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    url = new_database()
    make_schemas(url)
    folder = tmp_path / "region"
    folder.mkdir()
    fleet = FleetFolder(folder, url=url, lines="minutes = 5").write()
    for code in CODES:
        lines = fleet.config(code).read_text(encoding="utf-8").split("rules =")[0]
        fleet.config(code).write_text(lines + head_of(code, fleet.config(code).parent), encoding="utf-8")
    trial = Trial(fleet)

    for n in range(NIGHTS):
        trial.live(n)

    print(f"\n{NIGHTS} nights of 3 councils; killed or stopped: {dict(trial.kills)}; exit codes: {dict(trial.codes)}")
    for code in CODES:
        own = fleet.config(code).parent
        alone = live_alone(tmp_path / f"alone-{code}", code)
        for query in RECORDS:
            assert ask(fleet, code, query) == [_as_dates(row) for row in alone.rows(query)], (code, query)
        audit = monitor(own, "audit")
        assert audit.returncode == 0, audit.stdout
        assert (
            monitor(own, "report", "--output", "report", "--from", "2026-01-12", "--to", "2026-02-28").returncode == 0
        )
        assert monitor(own, "export", "--output", "flags.xlsx", "--format", "xlsx").returncode == 0
        found = find_marks(own)
        print(f"{NAMES[code]}: its own mark stands in {dict(found[code])}")
        assert found.keys() == {code}
        assert found[code][".eml"] > NIGHTS
        assert rows_with_marks(fleet, code) == {code}
    assert monitor(folder, "fleet", "figures", "--as-at", f"{NIGHT + dt.timedelta(NIGHTS - 1)}").returncode in (0, 1)
    assert len([path for path in (folder / "fleet").rglob("*") if path.is_file()]) > len(CODES)
    assert find_marks(folder / "fleet") == {}
    assert not any(mark in text for mark in MARKS.values() for text in texts_of(folder / "said.log"))


def _as_dates(row: tuple[object, ...]) -> tuple[object, ...]:
    """SQLite has dates as texts."""
    return tuple(
        dt.date.fromisoformat(cell) if isinstance(cell, str) and len(cell) == 10 and cell[4:5] == "-" else cell
        for cell in row
    )
