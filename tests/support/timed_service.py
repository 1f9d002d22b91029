"""The service with a clock that is set by hand, woken through many days as the scheduler would, without sleeping."""

import datetime as dt
import email
import os
import re
import time
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import policy
from itertools import pairwise
from pathlib import Path

from sqlalchemy import text

from monitor.config.settings import shipped
from monitor.log import open_log
from monitor.sample.list_9 import write_sample
from monitor.service.steps import Service
from monitor.store.database import open_store
from monitor.workdays import LONDON

WAKINGS = ("00:30", "02:29", "02:30", "03:31", "08:00", "08:05", "12:00", "17:45")
"""When the service is woken on an ordinary day: more often changes nothing, since it does only what is due."""


@dataclass
class Timed:
    """A service with a clock that is set by hand, and what it did when it was woken."""

    folder: Path
    settings: str
    people: int
    environ: Mapping[str, str] = field(default_factory=dict)
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
        self.service = Service(self.config_path, self.environ, lambda: self.now, self.log)

    def wake(self, at: dt.datetime) -> tuple[str, ...]:
        self.now = at
        did = self.service.look()
        self.did += [(at, did)] if did else []
        return did

    def write(self, day: dt.date) -> None:
        """The caseload as it stands on a day, exported at midnight."""
        path = write_sample(self.folder / "list-9.csv", people=self.people, as_at=day, seed=1)
        midnight = dt.datetime.combine(day, dt.time(), LONDON).timestamp()
        os.utime(path, (midnight, midnight))

    def live(self, days: Iterable[dt.date]) -> None:
        """So many days, each with the caseload as it then stands."""
        for day in days:
            self.write(day)
            for moment in moments(day):
                self.wake(moment)

    def mail(self) -> list[tuple[str, str]]:
        """To whom and about what, of every e-mail so far, in the order they were written."""
        found = sorted((self.folder / "data" / "outbox").rglob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        read = [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in found]
        return [(str(one["To"]), str(one["Subject"])) for one in read]

    def rows(self, query: str) -> list[tuple[object, ...]]:
        database = open_store(f"sqlite:///{self.folder / 'data' / 'monitor.db'}")
        with database.reading() as store:
            rows = [tuple(row) for row in store.execute(text(query))]
        database.close()
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
    import resource  # macOS; Windows has no such module, and no test asks there

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass
class Lived:
    """What was seen of the process and of its database on the way through many days, and how long it took."""

    minutes: float = 0
    megabytes: list[float] = field(default_factory=list)
    database: list[int] = field(default_factory=list)

    def growth(self) -> list[int]:
        """What the database gained from one look to the next."""
        return [later - earlier for earlier, later in pairwise(self.database)]


def live_through(council: Timed, days: Sequence[dt.date], *, down: Collection[dt.date], looks: int) -> Lived:
    """Every day but those on which the service is ``down``, after which a new process goes on."""
    lived, started = Lived(), time.perf_counter()
    every = max(1, len(days) // looks)
    for number, day in enumerate(days, start=1):
        if day in down:
            council.restart()
        else:
            council.live([day])
        if number % every == 0:
            lived.megabytes.append(resident_megabytes())
            lived.database.append(council.database_bytes())
            lived.minutes = (time.perf_counter() - started) / 60
            print(
                f"{day}: {number / lived.minutes:.0f} dates a minute, {lived.megabytes[-1]:.0f} MB held, "
                f"database {lived.database[-1] / 1e6:.2f} MB",
                flush=True,
            )
    return lived


def few_rules(folder: Path, *names: str) -> str:
    """Settings for nights that are about the service and not about the rulebook, of which they ask only so much.

    A sensitive rule brings the plain one that it is shown as; none names a rule that is not there.
    """
    (folder / "rules").mkdir(exist_ok=True)
    texts: dict[str, str] = {}
    for name in names or ("homeless", "birth-date-recorded"):
        for each in (name, tomllib.loads(_shipped_rule(name)).get("shown_as", name)):
            texts[each] = _shipped_rule(each)
    there = texts.keys() | {path.stem for path in (folder / "rules").glob("*.toml")}

    def those_there(key: re.Match[str]) -> str:
        return f"{key[1]} = {sorted(there & set(re.findall(r'[a-z0-9-]+', key[2])))}"

    for name, said in texts.items():
        known = re.sub(r"^(folds|continues) = \[(.*?)\]", those_there, said, flags=re.MULTILINE | re.DOTALL)
        (folder / "rules" / f"{name}.toml").write_text(known, encoding="utf-8")
    return 'rules = ["rules"]\nshipped_rules = false\n'


def _shipped_rule(name: str) -> str:
    return (shipped("rules") / f"{name}.toml").read_text(encoding="utf-8")
