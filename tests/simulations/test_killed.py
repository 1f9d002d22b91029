"""Killed at any moment of a night and its delivery, while the other side accepts, stalls, drops, is late or refuses:
at most one unmarked copy of any message, and never none without an incident on record."""

import asyncio
import datetime as dt
import json
import random
import secrets
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from aiosmtpd.smtp import SMTP
from sqlalchemy import Connection, make_url, text
from support.council import HEADINGS, settled
from support.servers import microsoft as graph
from support.servers.mail import Mailbox, mail_server
from support.servers.microsoft import CLIENT, MAILBOX, SECRET, TENANT, MicrosoftServer, microsoft
from support.servers.notify import API_KEY, TEMPLATE, Knobs, NotifyServer, notify_server

from monitor.config.settings import load_config, shipped
from monitor.store.database import open_store
from monitor.store.location import locate

AS_AT = dt.date(2026, 1, 12)
RULES = ("homeless", "birth-date-recorded")
TEAMS = ("North", "South", "West")
NEW_LEAD = "new"
"""Of North, once its digest waits."""
MARK = "(may be a repeat)"
KILLS, A_FEW = 200, 5
UNTIL_SETTLED = 14
UNTIL_DUE = 5 * 24 * 60.0
"""Minutes after which the messages of an unattended night are due, whatever day it is."""
MINUTES = 7
"""By the clock of the nights, between one start and the next."""

Copies = list[tuple[str, bool]]
"""What arrived: each message's key, and whether it was marked as a repeat."""


class Mortal:
    """The process that forks nights and kills them."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("mortal.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def live(
        self,
        config: Path,
        *,
        minutes_ahead: float = 0,
        kill_after: float | None = None,
        night: bool = True,
        unattended: bool = False,
        learn: bool = False,
    ) -> dict[str, Any]:
        order = {
            "config": str(config), "as_at": AS_AT.isoformat(), "environ": {"KEY": API_KEY, "GRAPH_SECRET": SECRET},
            "minutes_ahead": minutes_ahead, "kill_after": kill_after, "night": night, "unattended": unattended,
            "learn": learn,
        }  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(timeout=10)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    process = Mortal()
    yield process
    process.close()


def write_council(folder: Path, delivery: str, database: str | None = None) -> Path:
    """Thirty invented people in three teams, two of each with something to say, and two rules."""
    folder.mkdir(parents=True)
    rules = folder / "rules"
    rules.mkdir()
    for name in RULES:
        shutil.copy(shipped("rules") / f"{name}.toml", rules)
    people = [settled(f"P{n}", team=TEAMS[n % 3], contact="08/01/2026") for n in range(27)]
    people += [
        settled(f"H{n}", team=TEAMS[n], accommodation="S: No fixed abode", suitable="b) Unsuitable") for n in range(3)
    ]
    rows = [",".join(HEADINGS.values()), *(",".join(one[key] for key in HEADINGS) for one in people)]
    (folder / "list-9.csv").write_text("\n".join(rows), encoding="utf-8")
    return write_config(folder, delivery, database)


def write_config(folder: Path, delivery: str, database: str | None = None, *, lead: str = "north") -> Path:
    """``lead``: of North, who was another when the night was run."""
    leads = dict(zip(TEAMS, (lead, "south", "west"), strict=True))
    teams = "\n".join(
        f'[[teams]]\nname = "{team}"\nlead = "{leads[team]}@example.gov.uk"\nmanager = "manager@example.gov.uk"'
        for team in TEAMS
    )
    config = folder / "monitor.toml"
    config.write_text(
        f"""
        {f'database = "{database}"' if database else ""}
        rules = ["rules"]
        shipped_rules = false
        [[sources]]
        name = "caseload"
        kind = "annex-a-list-9"
        path = "list-9.csv"
        [people]
        analyst = "analyst@example.gov.uk"
        head = "head@example.gov.uk"
        {teams}
        {delivery}
        [lists]
        workbooks = false
        """,
        encoding="utf-8",
    )
    return config


@dataclass
class Service:
    """One other side: the settings that reach it, what arrived there, and how it is made to behave or to calm down."""

    settings: str
    arrived: Callable[[], Copies]
    forget: Callable[[], None]
    misbehave: Callable[[str, random.Random], None]
    calm: Callable[[], None]


NOTIFY_WAYS = ("accepts", "stalls", "drops", "lists late", "rejects", "rate-limits", "drops and lists late")
GRAPH_WAYS = (
    "accepts", "stalls", "drops", "drops and is sent again", "rejects", "throttles", "ends tokens", "forbids",
    "stalls and is sent again",
)  # fmt: skip
MAIL_WAYS = ("accepts", "stalls", "scans", "drops", "rejects", "defers")
SERVICES = ("notify", "smtp", "graph")


@contextmanager
def notify_service() -> Iterator[Service]:
    with notify_server() as server:
        yield Service(
            f'[delivery]\nchannel = "notify"\n[delivery.notify]\nbase_url = "{server.url}"\napi_key_env = "KEY"\n'
            f'template_id = "{TEMPLATE}"\ntimeout_seconds = 1',
            lambda: [(one.reference or "", one.subject.endswith(MARK)) for one in server.sent],
            server.sent.clear,
            lambda way, chance: turn(server, way, chance),
            lambda: turn(server, "accepts", random.Random(0)),
        )


def turn(server: NotifyServer, way: str, chance: random.Random) -> None:
    knobs = Knobs()
    if way == "stalls":
        knobs.stall_seconds = chance.choice([0.05, 1.2])
    if "drops" in way:
        knobs.drop_after_accepting = chance.randint(1, 4)
    if "late" in way:
        knobs.seen_after_seconds = chance.uniform(0.5, 4)
    if way == "rejects":
        knobs.key_type, knobs.team = "team", frozenset(f"{name}@example.gov.uk" for name in ("south", "analyst"))
    if way == "rate-limits":
        knobs.bucket = chance.randint(0, 3)
    server.knobs = knobs


@contextmanager
def graph_service() -> Iterator[Service]:
    with microsoft() as server:
        settings = (
            f'[delivery]\nchannel = "graph"\nsender = "{MAILBOX}"\n[delivery.graph]\ntenant = "{TENANT}"\n'
            f'client_id = "{CLIENT}"\nclient_secret_env = "GRAPH_SECRET"\ngraph_url = "{server.url}"\n'
            f'login_url = "{server.url}"\ntimeout_seconds = 1\n'
        )

        def misbehave(way: str, chance: random.Random) -> None:
            turn_graph(server, way, chance)
            service.settings = settings + ('ambiguous = "resend"' if way.endswith("sent again") else "")

        service = Service(
            settings,
            lambda: [(mail["X-Monitor-Key"], str(mail["Subject"]).endswith(MARK)) for mail in server.sent],
            server.sent.clear,
            misbehave,
            lambda: turn_graph(server, "accepts", random.Random(0)),
        )
        yield service


def turn_graph(server: MicrosoftServer, way: str, chance: random.Random) -> None:
    knobs = graph.Knobs()
    if way.startswith("stalls"):
        knobs.stall_seconds = chance.choice([0.05, 1.2])
    if way.startswith("drops"):
        knobs.drop_after_accepting = chance.randint(1, 4)
    if way == "rejects":
        knobs.faults_by_address = {"north@example.gov.uk": (400, "ErrorInvalidRecipients")}
    if way == "throttles":
        knobs.throttle_next, knobs.retry_after = chance.randint(1, 3), chance.choice([1, 600])
    if way == "ends tokens":
        knobs.token_uses = chance.randint(0, 2)
    if way == "forbids":
        knobs.fault = (403, "ErrorAccessDenied")
    server.knobs = knobs


@contextmanager
def mail_service(authority: trustme.CA, folder: Path) -> Iterator[Service]:
    authority_file = folder / "authority.pem"
    folder.mkdir(parents=True, exist_ok=True)
    authority.cert_pem.write_to_path(authority_file)
    mailbox = Slow()
    with mail_server(authority, mailbox) as port:
        yield Service(
            f'[delivery]\nchannel = "smtp"\n[delivery.smtp]\nhost = "localhost"\nport = {port}\n'
            f'ca_file = "{authority_file}"\ntimeout_seconds = 1',
            mailbox.copies,
            mailbox.kept.clear,
            mailbox.turn,
            lambda: mailbox.turn("accepts", random.Random(0)),
        )


@dataclass
class Slow(Mailbox):
    """A mail server that may take its time, or hang up once it has taken a message."""

    way: str = "accepts"
    left: int = 0
    kept: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        Mailbox.__init__(self)

    def turn(self, way: str, chance: random.Random) -> None:
        self.way, self.left = way, chance.randint(1, 4)
        self.rcpt = lambda address: "550 5.1.1 unknown" if way == "rejects" and "north" in address else "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, received: Any) -> str:  # noqa: N802 - the server's name
        odd = self.left > 0
        self.left -= 1
        if self.way == "stalls" and odd:
            await asyncio.sleep(0.2)
        if self.way == "defers" and odd:
            return "451 4.7.1 later"
        self.kept.append(bytes(received.content))
        if self.way == "scans" and odd:
            await asyncio.sleep(0.2)  # taken, and not yet said
        if self.way == "drops" and odd:
            server.transport.abort()
        return "250 2.0.0 queued"

    def copies(self) -> Copies:
        mails = [message_from_bytes(content, policy=policy.default) for content in self.kept]
        return [(mail["X-Monitor-Key"], mail["Subject"].endswith(MARK)) for mail in mails]


@contextmanager
def open_council(config: Path) -> Iterator[Connection]:
    database = open_store(locate(load_config(config), {}))
    try:
        with database.reading() as store:
            yield store
    finally:
        database.close()


def read_store(config: Path) -> tuple[list[Any], str]:
    """Every message, and all events as one text."""
    with open_council(config) as store:
        messages = store.execute(text("SELECT key, kind, state, accepted_at FROM message ORDER BY id")).all()
        events = (
            store.execute(text("SELECT payload FROM flag_event WHERE flag_id IS NULL AND kind <> 'message accepted'"))
            .scalars()
            .all()
        )
    return list(messages), "\n".join(events)


def assert_nothing_left(config: Path) -> None:
    """Nothing of a killed run is left once a later one has been at work."""
    data = config.parent / "data"
    assert not [path for path in data.rglob("*") if "unfinished" in path.name]
    with open_council(config) as store:
        named = store.execute(text("SELECT snapshot FROM run WHERE snapshot IS NOT NULL")).scalars().all()
    assert {path.name for path in (data / "snapshots").iterdir()} == set(named)


def judge(config: Path, arrived: Copies) -> Counter[str]:
    """What became of the messages; fails where one went twice unmarked, or not at all and nothing says so."""
    messages, incidents = read_store(config)
    assert_nothing_left(config)
    unmarked = Counter(key for key, marked in arrived if not marked)
    copies = Counter(key for key, _ in arrived)
    found: Counter[str] = Counter()
    assert {one.kind for one in messages} >= {"lead", "analyst"}
    assert set(copies) <= {one.key for one in messages}
    for one in messages:
        assert unmarked[one.key] <= 1, f"{unmarked[one.key]} unmarked copies of {one.key}"
        on_record = f'"message":"{one.key}"' in incidents
        assert copies[one.key] or on_record, f"{one.key} ({one.state}) went nowhere, and nothing says so"
        assert one.state not in ("created", "temporary-failure"), f"{one.key} still waits"
        if one.state in ("sending", "taken", "delivered"):
            assert copies[one.key], f"{one.key} is called {one.state} and never arrived"
        found[one.state] += 1
        found["marked copies"] += copies[one.key] - unmarked[one.key]
        found["on record"] += on_record
    return found


def settle(mortal: Mortal, config: Path, service: Service, minutes: float, *, night: bool) -> None:
    """Start again and again until nothing waits, while the other side calms down."""
    for number in range(UNTIL_SETTLED):
        if number == 3:
            service.calm()
        mortal.live(config, minutes_ahead=minutes, night=night and number == 0)
        minutes += MINUTES * (1 + number)
        messages, _ = read_store(config)
        waiting = ("created", "temporary-failure", "sending")
        if number and messages and all(one.state not in waiting or one.accepted_at for one in messages):
            return


def kill_in_the_night(mortal: Mortal, config: Path, service: Service, moments: list[float]) -> int:
    """A night that sends at once, killed at each moment in turn, then left to finish; how often it was killed."""
    killed, minutes = 0, 0.0
    for moment in moments:
        killed += mortal.live(config, minutes_ahead=minutes, kill_after=moment)["killed"]
        minutes += MINUTES
    settle(mortal, config, service, minutes, night=True)
    return killed


def kill_in_delivery(mortal: Mortal, config: Path, service: Service, moments: list[float]) -> int:
    """The same of deliveries alone, once the messages of an unattended night are due."""
    killed, minutes = 0, UNTIL_DUE
    for moment in moments:
        killed += mortal.live(config, minutes_ahead=minutes, kill_after=moment, night=False)["killed"]
        minutes += MINUTES
    settle(mortal, config, service, minutes, night=False)
    return killed


@dataclass(frozen=True)
class Campaign:
    """How often to kill, what reaches the readers, and where councils are kept: SQLite where no database is made."""

    kills: int
    seed: int
    names: Sequence[str] = SERVICES
    whats: Sequence[str] = ("night", "delivery", "anew", "night", "delivery", "anew", "delivery", "delivery")
    new_database: Callable[[], str] | None = None

    def council(self, folder: Path, delivery: str) -> Path:
        return write_council(folder, delivery, self.new_database() if self.new_database else None)

    def copy(self, ready: Path, folder: Path, delivery: str, *, lead: str = "north") -> Path:
        shutil.copytree(ready.parent, folder)
        kept = load_config(ready).database
        return write_config(folder, delivery, copy_database(kept) if kept else None, lead=lead)

    def forget(self, config: Path) -> None:
        if database := load_config(config).database:
            with maintain(database) as server:
                server.execute(f"DROP DATABASE {make_url(database).database} WITH (FORCE)")
        shutil.rmtree(config.parent)


@contextmanager
def maintain(database: str) -> Iterator[psycopg.Connection]:
    where = make_url(database).set(database="postgres", drivername="postgresql")
    with psycopg.connect(where.render_as_string(hide_password=False), autocommit=True) as server:
        yield server


def copy_database(database: str) -> str:
    where = make_url(database)
    name = f"monitor_{secrets.token_hex(6)}"
    with maintain(database) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {where.database}")  # type: ignore[arg-type]
    return where.set(database=name).render_as_string(hide_password=False)


def assert_told_to_who_reads(config: Path, arrived: Copies) -> None:
    """Everything that waited for the lead of before is told to the one of today, and nothing of it twice unmarked."""
    with open_council(config) as store:
        rows = store.execute(
            text(
                "SELECT f.id, m.key FROM flag f LEFT JOIN message_flag t ON t.flag_id = f.id "
                f"LEFT JOIN message m ON m.id = t.message_id AND m.recipient = '{NEW_LEAD}@example.gov.uk' "
                "WHERE f.person_id IN (SELECT person_id FROM person WHERE team = 'North')"
            )
        ).all()
    told: dict[int, set[str]] = {}
    for flag, key in rows:
        told.setdefault(flag, set()).update({key} if key else ())
    unmarked = [key for key, marked in arrived if not marked]
    assert told
    for flag, keys in told.items():
        assert keys, f"flag {flag} waits for nobody"
        assert sum(key in keys for key in unmarked) <= 1, f"flag {flag} was told twice"


def simulate(mortal: Mortal, folder: Path, campaign: Campaign) -> Counter[str]:
    chance = random.Random(campaign.seed)
    authority = trustme.CA()
    total: Counter[str] = Counter()
    with (
        notify_service() as notify,
        mail_service(authority, folder / "mail") as mail,
        graph_service() as through_graph,
    ):
        all_services = {
            "notify": (notify, NOTIFY_WAYS), "smtp": (mail, MAIL_WAYS), "graph": (through_graph, GRAPH_WAYS),
        }  # fmt: skip
        services = [(name, *all_services[name]) for name in campaign.names]
        # Measured where nothing disturbs, so that the moments fall over all of a night, and all of a delivery.
        settings = services[0][1].settings
        config = campaign.council(folder / "ready", settings)
        mortal.live(config, unattended=True, learn=True)
        lasts = {"night": mortal.live(campaign.council(folder / "calm", settings))["seconds"]}
        for what, lead in (("delivery", "north"), ("anew", NEW_LEAD)):
            calm = campaign.copy(config, folder / f"calm {what}", settings, lead=lead)
            lasts[what] = mortal.live(calm, minutes_ahead=UNTIL_DUE, night=False)["seconds"]
        total.update({f"milliseconds of a {what}": round(1000 * each) for what, each in lasts.items()})
        number = 0
        while total["kills"] < campaign.kills:
            name, service, ways = services[number % len(services)]
            way = ways[(number // len(services)) % len(ways)]
            what = campaign.whats[number % len(campaign.whats)]
            place = folder / f"council-{number}"
            service.forget()
            service.misbehave(way, chance)
            longest = 1.1 * lasts[what]
            if what == "night":
                tried, moments = campaign.council(place, service.settings), [chance.uniform(0, longest)]
                killed = kill_in_the_night(mortal, tried, service, moments)
            else:
                tried = campaign.copy(config, place, service.settings, lead=NEW_LEAD if what == "anew" else "north")
                moments = [chance.uniform(0, longest) for _ in range(chance.choice([1, 2]))]
                killed = kill_in_delivery(mortal, tried, service, moments)
            found = judge(tried, service.arrived())
            if what == "anew":
                assert_told_to_who_reads(tried, service.arrived())
            total += Counter({"kills": killed, "councils": 1, f"killed in a {what}: {name} {way}": killed})
            total.update({f"messages: {state}": count for state, count in found.items()})
            campaign.forget(tried)
            number += 1
    return total


def test_a_few_kills_leave_no_second_unmarked_copy_and_no_loss_unsaid(mortal: Mortal, tmp_path: Path):
    total = simulate(mortal, tmp_path, Campaign(A_FEW, seed=7))

    assert total["kills"] >= A_FEW


def run_long(mortal: Mortal, folder: Path, campaign: Campaign) -> None:
    total = simulate(mortal, folder, campaign)

    print()
    for what, count in sorted(total.items()):
        print(f"{count:6} {what}")
    assert total["kills"] >= campaign.kills


@pytest.mark.simulation
@pytest.mark.parametrize("name", SERVICES)
def test_two_hundred_kills_leave_no_second_unmarked_copy_and_no_loss_unsaid(mortal: Mortal, tmp_path: Path, name: str):
    run_long(mortal, tmp_path, Campaign(KILLS, seed=2026, names=[name]))


@pytest.mark.simulation
def test_two_hundred_kills_on_postgresql_leave_no_second_unmarked_copy_and_no_loss_unsaid(
    mortal: Mortal, tmp_path: Path, new_database: Callable[[], str]
):
    run_long(mortal, tmp_path, Campaign(KILLS, seed=13, names=["graph"], new_database=new_database))
