"""A council of invented people: writes its List 9, runs whole nights, and reads what came out."""

import csv
import datetime as dt
import email
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from pathlib import Path

from sqlalchemy import text
from support.timed_service import few_rules

from monitor.config.settings import load_config
from monitor.delivery.channel import open_channel
from monitor.messages.templates import open_templates
from monitor.night.context import NightOutcome, Tools
from monitor.night.on_duty import write_anew
from monitor.night.run import run_night
from monitor.outbox.send import Delivered, deliver_due
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.store.database import Database, open_store, working_store
from monitor.store.location import locate
from monitor.store.nights import Request

HEADINGS = {
    "id": "Child Unique ID",
    "born": "Date of Birth",
    "uasc": "UASC",
    "disability": "Does the Child have a Disability",
    "team": "Allocated Team",
    "worker": "Allocated Worker",
    "adviser": "Allocated Personal Adviser",
    "eligibility": "Eligibility Category",
    "plan": "Latest Pathway Plan Review Date",
    "in_touch": "LA in Touch",
    "contact": "Latest Date of Contact",
    "accommodation": "Type of Accommodation",
    "suitable": "Suitability of Accommodation",
    "activity": "Activity Status",
}
NIGHT = dt.date(2026, 1, 12)


def day(n: int) -> dt.date:
    """The date of the nth night after the first."""
    return NIGHT + dt.timedelta(n)


def settled(person_id: str, **other: str) -> dict[str, str]:
    """A former relevant young person of 19 about whom no rule has anything to say; ``other`` says what differs."""
    usual = {
        "id": person_id, "born": "01/06/2006", "uasc": "b) No", "disability": "b) No", "team": "North",
        "worker": "W Example", "adviser": "A Example", "eligibility": "b) Former relevant child",
        "plan": "05/01/2026", "in_touch": "a) Yes", "contact": "08/01/2026",
        "accommodation": "U: Independent living", "suitable": "a) Suitable", "activity": "F2",
    }  # fmt: skip
    return {**usual, **other}


def homeless(person_id: str, **other: str) -> dict[str, str]:
    return settled(person_id, accommodation="S: No fixed abode", suitable="b) Unsuitable", **other)


def crowd(number: int, **other: str) -> list[dict[str, str]]:
    """Many people about whom there is nothing to say, so that one who leaves is not a tenth of everyone."""
    return [settled(f"C{n:03}", **other) for n in range(number)]


@dataclass
class Mail:
    """One e-mail as its reader has it."""

    to: str
    subject: str
    text: str
    html: str


@dataclass
class Council:
    """A data folder, a config, and the nights run on them."""

    folder: Path
    settings: str = ""
    report: bool = False
    database: str | None = None
    """Of the tests' PostgreSQL server; SQLite in the data folder if None."""
    clock: dt.datetime = field(default=dt.datetime(2026, 1, 12, 2, 30, tzinfo=dt.UTC))
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config_path = self.folder / "monitor.toml"
        self.config_path.write_text(
            f"""
            {f'database = "{self.database}"' if self.database else ""}
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
            name = "North"
            lead = "north@example.gov.uk"
            also_known_as = ["LC North"]
            [[teams]]
            name = "South"
            lead = "south@example.gov.uk"
            [lists]
            workbooks = false
            [report]
            every_night = {"true" if self.report else "false"}
            """,
            encoding="utf-8",
        )

    def copy_to(self, folder: Path) -> "Council":
        """The same council in another folder, with all it remembers; quicker than running its nights again."""
        copied = Council(folder, self.settings, clock=self.clock)
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return copied

    def write(self, people: Sequence[Mapping[str, str]], *, leave_out: Sequence[str] = ()) -> None:
        columns = {key: heading for key, heading in HEADINGS.items() if key not in leave_out}
        with (self.folder / "list-9.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns.values())
            writer.writerows([[person[key] for key in columns] for person in people])

    def night(
        self,
        as_at: dt.date,
        people: Sequence[Mapping[str, str]] | None = None,
        *,
        leave_out: Sequence[str] = (),
        today: dt.date | None = None,
        dry_run: bool = False,
        again: bool = False,
        by: str | None = None,
        accept: str | None = None,
        unattended: bool = False,
    ) -> NightOutcome:
        if people is not None:
            self.write(people, leave_out=leave_out)
        self.clock += dt.timedelta(days=1)
        request = Request(as_at, today or as_at, dry_run, again, by, accept, unattended)
        tools = Tools(lambda: self.clock, self.environ, lambda step: None)
        return run_night(load_config(self.config_path), request, tools)

    def deliver(self, at: dt.datetime) -> Delivered:
        """What ``monitor deliver`` does at that moment."""
        self.clock = at
        config = load_config(self.config_path)
        channel = open_channel(config.delivery, config.data_folder, config.network.reach({}))
        with working_store(locate(config, {})) as database:
            write_anew(database, config, lambda: (open_rulebook(config), open_templates(config.templates)), at)
            return deliver_due(database, channel, config, clock=lambda: self.clock)

    def mail(self, as_at: dt.date | None = None) -> list[Mail]:
        """Every e-mail so far, or those of one night, in the order they were written."""
        found = sorted(
            (self.folder / "data" / "outbox").rglob("*.eml"),
            key=lambda path: [int(part) for part in path.stem.split("-")[-1:] if part.isdigit()],
        )
        return [_read(path) for path in found if as_at is None or as_at.isoformat() in str(path.parent)]

    def mail_to(self, recipient: str, as_at: dt.date | None = None) -> list[Mail]:
        return [mail for mail in self.mail(as_at) if mail.to == recipient]

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.open_database() as database, database.reading() as store:
            return [tuple(row) for row in store.execute(text(query))]

    @contextmanager
    def open_database(self) -> Iterator[Database]:
        database = open_store(locate(load_config(self.config_path), {}))
        try:
            yield database
        finally:
            database.close()

    def flags(self) -> dict[tuple[str, str], str]:
        """Every flag by person and rule: open, held, or why it was resolved."""
        rows = self.rows("SELECT person_id, rule, resolved_reason, held_since FROM flag ORDER BY id")
        return {(str(p), str(r)): str(reason or ("held" if held else "open")) for p, r, reason, held in rows}

    def listed(self, as_at: dt.date, name: str) -> list[dict[str, str]]:
        path = self.folder / "data" / "exceptions" / as_at.isoformat() / name
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))


GONE, AWAY, OTHER = "Q-7731", "Q-7733", "Q-7732"
"""Ids that are nothing else: not a number in a sentence, nor a part of a name."""


def run_three_nights(folder: Path) -> None:
    """``GONE`` and ``OTHER`` are homeless; on the third night the case system no longer has ``GONE`` and ``AWAY``.

    P1's flag clears on the second night, P2's is held on it and released on the third.
    """
    (folder / "restricted.txt").write_text("Z1\n", encoding="utf-8")
    (folder / "merged.csv").write_text("old_id,new_id\n", encoding="utf-8")
    rules = few_rules(folder, "homeless", "birth-date-recorded", "left-caseload")
    council = Council(folder, settings=f'{rules}restricted = "restricted.txt"\nmerged_ids = "merged.csv"')
    config = council.config_path.read_text(encoding="utf-8")
    council.config_path.write_text(config.replace("workbooks = false", "workbooks = true"), encoding="utf-8")
    everyone = [homeless(GONE), settled(AWAY), homeless(OTHER), *crowd(20)]
    council.night(NIGHT, [*everyone, homeless("P1"), homeless("P2")])
    unreadable = homeless("P2") | {"accommodation": "#MULTIVALUE"}
    council.night(day(1), [*everyone, settled("P1"), unreadable])
    council.night(day(2), [*everyone[2:], settled("P1"), homeless("P2")])


def copied(nights: Path, folder: Path) -> Council:
    """A council that goes on from nights run elsewhere, which stay as they are for other tests."""
    council = Council(folder, clock=dt.datetime(2026, 1, 20, 2, 30, tzinfo=dt.UTC))
    shutil.copytree(nights, folder, dirs_exist_ok=True)
    return council


def _read(path: Path) -> Mail:
    message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    text = plain.get_content().replace("\r\n", "\n")
    return Mail(message["To"], message["Subject"], text, html.get_content())


LEAD_HEADINGS = (
    "New", "Also new", "Put right", "What is checked has changed", "Coming due", "Waivers ending", "Still critical: .*",
)  # fmt: skip
"""Headings of a lead's mail, which has no room for a line under each."""


def section(mail: Mail, heading: str) -> str:
    """What stands under a heading of the text part; empty where there is no such heading."""
    text = re.sub(rf"(?<=\n\n)({'|'.join(LEAD_HEADINGS)})\n(?!---)", r"\1\n---\n", mail.text)
    parts = re.split(r"^(.+)\n-{3,}\n", text, flags=re.MULTILINE)
    return next((parts[n + 1] for n in range(1, len(parts), 2) if parts[n].startswith(heading)), "")
