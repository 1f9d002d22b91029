"""Drives the service through many days with a clock of its own, waking it as the scheduler would, without sleeping."""

import datetime as dt
import os
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import text

from monitor.logbook import open_log
from monitor.schedule import Service
from monitor.schedule.settings import Watch
from monitor.sources.sample import write_sample
from monitor.store import open_store

LONDON = ZoneInfo("Europe/London")
WAKINGS = ("00:30", "02:29", "02:30", "03:31", "08:00", "08:05", "12:00", "17:45")
"""When the service is woken on an ordinary day: more often changes nothing, since it does only what is due."""


@dataclass
class Timed:
    """A service with a clock that is set by hand, and what it did when it was woken."""

    folder: Path
    settings: str
    people: int
    now: dt.datetime = field(default=dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
    did: list[tuple[dt.datetime, tuple[str, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config_path = self.folder / "monitor.toml"
        self.config_path.write_text(
            f"""
            {self.settings}
            [[sources]]
            name = "caseload"
            kind = "annex-a-list-9"
            path = "list-9.csv"
            [people]
            analyst = "analyst@example.gov.uk"
            fallback = "fallback@example.gov.uk"
            head = "head@example.gov.uk"
            [[teams]]
            name = "Leaving Care North"
            lead = "north@example.gov.uk"
            [lists]
            workbooks = false
            """,
            encoding="utf-8",
        )
        self.log_file = self.folder / "service.log"
        self.log = open_log("json", self.log_file)
        self.restart()

    def restart(self) -> None:
        """A new process, as far as what it remembers goes."""
        self.service = Service(Watch(self.config_path, os.environ), os.environ, lambda: self.now, self.log)

    def wake(self, at: dt.datetime) -> tuple[str, ...]:
        self.now = at
        did = self.service.look()
        self.did += [(at, did)] if did else []
        return did

    def live(self, days: Iterable[dt.date]) -> None:
        """So many days, each with the caseload as it then stands."""
        for day in days:
            write_sample(self.folder / "list-9.csv", people=self.people, as_at=day, seed=1)
            for moment in moments(day):
                self.wake(moment)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        store = open_store(f"sqlite:///{self.folder / 'data' / 'monitor.db'}")
        with store.reading() as connection:
            rows = [tuple(row) for row in connection.execute(text(query))]
        store.close()
        return rows

    def accepted(self) -> list[dt.date]:
        found = self.rows("SELECT as_at FROM run WHERE state = 'accepted' ORDER BY as_at")
        return [dt.date.fromisoformat(str(row[0])) for row in found]

    def database_bytes(self) -> int:
        """Without what SQLite keeps free for later."""
        (pages,), (free,), (size,) = (
            row for name in ("page_count", "freelist_count", "page_size") for row in self.rows(f"PRAGMA {name}")
        )
        return (int(str(pages)) - int(str(free))) * int(str(size))


def moments(day: dt.date) -> Iterator[dt.datetime]:
    """When the service is woken; also every ten minutes of the night when the clocks change."""
    midnight = dt.datetime.combine(day, dt.time(), LONDON)
    if midnight.utcoffset() != (midnight + dt.timedelta(1)).utcoffset():
        start = midnight.astimezone(dt.UTC)
        yield from (start + dt.timedelta(minutes=10 * n) for n in range(30))
    for hour in WAKINGS:
        yield dt.datetime.combine(day, dt.time.fromisoformat(hour), LONDON).astimezone(dt.UTC)


def days_between(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(n) for n in range((last - first).days + 1)]


def resident_megabytes() -> float:
    """How much memory the process holds now, where the system says; else the most it ever held."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
