"""An outbox with a few invented messages in it, for tests of what becomes of them, without a night."""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from monitor.config.settings import Config
from monitor.delivery.channel import Channel, Tracing
from monitor.delivery.envelope import Envelope, Receipt
from monitor.errors import DeliveryError
from monitor.messages.parts import Posting
from monitor.messages.parts import WrittenMessage as Written
from monitor.outbox.queue import Postmark, post
from monitor.outbox.receipts import Received, poll_receipts
from monitor.outbox.send import Choice, Delivered, deliver_due
from monitor.store.database import Database, working_store
from monitor.store.location import locate

START = dt.datetime(2026, 1, 12, 9, 0, tzinfo=dt.UTC)
NORTH, SOUTH, WEST = "north@example.gov.uk", "south@example.gov.uk", "west@example.gov.uk"
MANAGER, ANALYST, HEAD = "manager@example.gov.uk", "analyst@example.gov.uk", "head@example.gov.uk"


def written(recipient: str, kind: str = "lead", **given: Any) -> Written:
    usual: dict[str, Any] = {
        "subject": "OFFICIAL-SENSITIVE Leaving care: 1 new - 12 January 2026",
        "text": "P1 - critical\n", "html": "<html><body><p>P1</p></body></html>", "flag_ids": (), "people": (),
    }  # fmt: skip
    return Written(recipient=recipient, kind=kind, **(usual | given))


@dataclass
class Script:
    """A channel whose other side does what it is told: the answers by address, the last of them for ever."""

    answers: dict[str, list[DeliveryError | None]] = field(default_factory=dict)
    name: str = "scripted"
    idempotent: bool = False
    tracing: Tracing | None = None
    at_once: int = 1
    sent: list[Envelope] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def send(self, envelope: Envelope) -> Receipt:
        self.tried.append(envelope.recipient)
        answers = self.answers.get(envelope.recipient, [None])
        fault = answers.pop(0) if len(answers) > 1 else answers[0]
        if fault is not None:
            raise fault
        self.sent.append(envelope)
        return Receipt("taken", state="delivered")

    def close(self) -> None:
        pass


@dataclass
class Postroom:
    """A store, a config, a clock; ``post`` writes messages, ``deliver`` sends what is due."""

    database: Database
    config: Config
    now: dt.datetime = START

    def post(self, *messages: Written | Posting, as_at: dt.date | None = None, run_id: int = 1) -> None:
        postings = [one if isinstance(one, Posting) else Posting(one) for one in messages]
        day = as_at or self.now.date()
        with self.database.writing() as store:
            post(store, postings, Postmark(run_id, day, created_at=self.now, due_at=self.now))

    def deliver(self, channel: Channel, *, later: dt.timedelta = dt.timedelta(), hurried: bool = False) -> Delivered:
        self.now += later
        return deliver_due(self.database, channel, self.config, clock=lambda: self.now, choice=Choice(hurried=hurried))

    def poll(self, channel: Channel, *, later: dt.timedelta = dt.timedelta()) -> Received:
        self.now += later
        return poll_receipts(self.database, channel, self.config, clock=lambda: self.now)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.reading() as store:
            return [tuple(row) for row in store.execute(text(query))]

    def states(self, kind: str = "lead") -> dict[str, str]:
        """By address, of one kind of message."""
        return dict(self.rows(f"SELECT recipient, state FROM message WHERE kind = '{kind}' ORDER BY id"))  # type: ignore[arg-type]

    def events(self) -> Sequence[str]:
        """What happened but that messages were written, tried, left for later and taken."""
        usual = "('messages written', 'message accepted', 'message tried', 'message waits', 'trouble told')"
        return [row[0] for row in self.rows(f"SELECT kind FROM flag_event WHERE kind NOT IN {usual} ORDER BY id")]

    def attempts(self) -> Sequence[str | None]:
        return [row[0] for row in self.rows("SELECT outcome FROM attempt ORDER BY id")]


@contextmanager
def postroom(folder: Path, **settings: Any) -> Iterator[Postroom]:
    config = Config.model_validate(
        {
            "data_folder": str(folder / "data"),
            "sources": [{"name": "caseload", "kind": "sample"}],
            "people": {"analyst": ANALYST, "head": HEAD},
            "teams": [
                {"name": "North", "lead": NORTH, "manager": MANAGER},
                {"name": "South", "lead": SOUTH, "manager": MANAGER},
                {"name": "West", "lead": WEST},
            ],
            **settings,
        },
        context={"folder": folder},
    )
    with working_store(locate(config, {})) as database:
        yield Postroom(database, config)
