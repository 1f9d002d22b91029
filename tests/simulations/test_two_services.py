"""Two services on one PostgreSQL database, one of them killed every few seconds, through many dates.

Each is a process of its own with a data folder of its own, as on two machines; what they send goes to one mail server.
"""

import csv
import datetime as dt
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from aiosmtpd.controller import Controller
from sqlalchemy import text
from support.council import HEADINGS, NIGHT, settled
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.store import events
from monitor.store.database import open_store
from monitor.store.location import locate

SECONDS = 300
KILLED_EVERY = (0.3, 1.5)
"""In times that a service takes to start and run one night undisturbed, a few seconds on a quiet machine."""

PEOPLE = 12

SERVICE = """
import datetime as dt, os, sys, time
from pathlib import Path
from monitor.config.settings import load_config
from monitor.errors import MonitorError
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.store.nights import Request

folder = Path(sys.argv[1])
while True:
    as_at = dt.date.fromisoformat((folder.parent / "today").read_text(encoding="utf-8"))
    moment = dt.datetime.combine(as_at, dt.time(9), dt.UTC)
    tools = Tools(lambda: moment, os.environ, lambda step: None)
    try:
        night = run_night(load_config(folder / "monitor.toml"), Request(as_at, as_at), tools, wait_seconds=1)
        print(night.outcome, flush=True)
    except MonitorError as fault:
        print(type(fault).__name__, fault, flush=True)
    time.sleep(0.1)
"""


@dataclass
class Postbox:
    """A mail server's inside: how many copies it took of each message."""

    copies: Counter[str] = field(default_factory=Counter)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the server's own name
        self.copies[message_from_bytes(envelope.content)["X-Monitor-Key"]] += 1
        return "250 2.0.0 queued"


@contextmanager
def mail_server(postbox: Postbox, folder: Path) -> Iterator[int]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(postbox, hostname="127.0.0.1", port=port, ssl_context=context)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@dataclass
class Pair:
    """Two services, and the dates they live through."""

    folder: Path
    url: str
    kills: int = 0
    dates: list[dt.date] = field(default_factory=list)

    def set_up(self, mail_port: int) -> None:
        for name in ("north", "south"):
            (self.folder / name).mkdir()
            (self.folder / name / "monitor.toml").write_text(
                f"""
                database = "{self.url}"
                {few_rules(self.folder / name)}
                [[sources]]
                name = "caseload"
                kind = "annex-a-list-9"
                path = "../list-9.csv"
                [people]
                analyst = "analyst@example.gov.uk"
                fallback = "fallback@example.gov.uk"
                [[teams]]
                name = "North"
                lead = "north@example.gov.uk"
                [delivery]
                channel = "smtp"
                [delivery.smtp]
                host = "localhost"
                port = {mail_port}
                security = "tls"
                ca_file = "../ca.pem"
                [lists]
                workbooks = false
                """,
                encoding="utf-8",
            )
        self.next_date()

    def next_date(self) -> None:
        """Another day: other young people are homeless, and the list says so before anybody knows what day it is."""
        as_at = NIGHT + dt.timedelta(len(self.dates))
        people = [settled(f"P{n:02}", **(HOMELESS if is_homeless(n, as_at) else {})) for n in range(PEOPLE)]
        for person in people:
            person["contact"] = person["plan"] = f"{as_at:%d/%m/%Y}"
        unfinished = self.folder / "list-9.new"
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(HEADINGS.values())
            writer.writerows([[person[key] for key in HEADINGS] for person in people])
        unfinished.replace(self.folder / "list-9.csv")
        (self.folder / "today.new").write_text(as_at.isoformat(), encoding="utf-8")
        (self.folder / "today.new").replace(self.folder / "today")
        self.dates.append(as_at)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", SERVICE, str(self.folder / name)], stdout=log, stderr=subprocess.STDOUT
            )

    def live(self, seconds: float, chance: random.Random, *, kills: int) -> None:
        """Kill one or the other every few seconds; a date that was accepted is followed by the next.

        At least ``kills`` times, however slow the machine.
        """
        services = {"north": self.start("north")}
        began = time.monotonic()
        try:
            self.wait_until(lambda: self.count("accepted", self.dates[0]) == 1)
            night = time.monotonic() - began
            services["south"] = self.start("south")
            end = time.monotonic() + seconds
            kill_at = time.monotonic()
            while time.monotonic() < end or self.kills < kills:
                time.sleep(0.05)
                if time.monotonic() >= kill_at:
                    kill_at = time.monotonic() + night * chance.uniform(*KILLED_EVERY)
                    name = chance.choice(("north", "south"))
                    services[name].send_signal(signal.SIGKILL)
                    services[name].wait()
                    services[name] = self.start(name)
                    self.kills += 1
                if self.count("accepted", self.dates[-1]):
                    time.sleep(chance.uniform(0, 0.5))  # some of its mail may have gone, and some not
                    self.next_date()
            self.wait_until(lambda: self.count("accepted", self.dates[-1]) == 1 and not self.waiting())
        finally:
            for service in services.values():
                service.kill()
                service.wait()

    def wait_until(self, settled: Callable[[], bool]) -> None:
        for _ in range(2400):
            if settled():
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "north.log").read_text(encoding="utf-8")[-2000:])

    def count(self, state: str, as_at: dt.date) -> int:
        return int(self.ask("SELECT count(*) FROM run WHERE state = %s AND as_at = %s", state, as_at)[0][0])

    def waiting(self) -> bool:
        unsettled = ("created", "temporary-failure", "sending")
        return bool(self.ask("SELECT 1 FROM message WHERE state = ANY(%s)", list(unsettled)))

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with suppress(psycopg.errors.UndefinedTable), psycopg.connect(self.url) as store:
            return store.execute(query, values).fetchall()  # type: ignore[arg-type]
        return [(0,)]


HOMELESS = {"accommodation": "S: No fixed abode", "suitable": "b) Unsuitable"}


def is_homeless(n: int, as_at: dt.date) -> bool:
    return (n + as_at.toordinal()) % 4 == 0


def live_through(folder: Path, url: str, *, seconds: float, kills: int) -> None:
    """Two services live for so long; then every promise is looked up in the database and in the postbox."""
    postbox, pair = Postbox(), Pair(folder, url)
    with mail_server(postbox, folder) as port:
        pair.set_up(port)
        pair.live(seconds, random.Random(20260112), kills=kills)

    accepted = dict(pair.ask("SELECT as_at, count(*) FROM run WHERE state = 'accepted' GROUP BY as_at"))
    states = dict(pair.ask("SELECT state, count(*) FROM message GROUP BY state"))
    keys = {row[0] for row in pair.ask("SELECT key FROM message")}
    doubtful = {row[0] for row in pair.ask("SELECT key FROM message WHERE state = 'technical-failure'")}
    replaced = {row[0] for row in pair.ask("SELECT key FROM message WHERE state = 'replaced'")}
    logs = "".join((folder / f"{name}.log").read_text(encoding="utf-8") for name in ("north", "south"))
    said = Counter(line.split()[0] for line in logs.splitlines() if line[:1].isalpha())
    taken = sum(postbox.copies.values())
    print(f"\n{len(pair.dates)} dates, {pair.kills} kills, {len(keys)} messages {states}, {taken} taken")
    print(f"the services said {dict(said)}")

    assert accepted == dict.fromkeys(pair.dates, 1)
    assert pair.ask("SELECT person_id, rule, count(*) FROM flag WHERE resolved_on IS NULL GROUP BY 1, 2 "
                    "HAVING count(*) > 1") == []  # fmt: skip
    homeless = {row[0] for row in pair.ask(
        "SELECT person_id FROM flag WHERE rule = 'homeless' AND resolved_on IS NULL")}  # fmt: skip
    assert homeless == {f"P{n:02}" for n in range(PEOPLE) if is_homeless(n, pair.dates[-1])}
    assert postbox.copies.keys() <= keys
    assert set(postbox.copies.values()) == {1}
    assert keys - postbox.copies.keys() <= doubtful | replaced  # what never went is on record, or a later one did
    assert "Traceback" not in logs
    database = open_store(locate(load_config(folder / "north" / "monitor.toml"), {}))
    with database.reading() as store:
        rows = list(events.walk(store))
        assert store.execute(text("SELECT count(*) FROM run WHERE state = 'running'")).scalar() in (0, 1)
    database.close()
    assert events.find_fault(rows) is None


def test_two_services_of_which_one_is_killed_run_every_date_once(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    live_through(tmp_path, new_database(), seconds=1, kills=2)


@pytest.mark.simulation
def test_two_services_for_five_minutes_of_kills(tmp_path: Path, new_database: Callable[[], str]) -> None:
    live_through(tmp_path, new_database(), seconds=float(os.environ.get("TWO_SERVICES_SECONDS", SECONDS)), kills=20)
