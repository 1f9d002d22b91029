"""Tells the analyst, straight through the channel, what the outbox cannot: the database itself is out of use.

Each matter is told once: a small file under ``alarms/`` in the data folder remembers it, or, where no file can be
written either, the process does. A try that was cut off is made again, and says that it may be a copy.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, select

from monitor import log
from monitor.config.settings import Config
from monitor.delivery.channel import Channel
from monitor.delivery.envelope import Envelope
from monitor.errors import DeliveryError, LockHeld, MonitorError, Refused, SourceError, StoreError
from monitor.files import make_private_folder, open_privately
from monitor.gate.verdict import NotBelieved
from monitor.messages import compose
from monitor.messages.analyst import RefusedDigest, Why
from monitor.messages.notices import Matter, Notice
from monitor.messages.parts import Posting
from monitor.messages.templates import Templates, render
from monitor.night.context import Night
from monitor.night.publish import write_report
from monitor.night.save import save_messages
from monitor.outbox.send import Choice, deliver_due
from monitor.rulebook.rulebook import Rulebook
from monitor.store import events, nights
from monitor.store.database import reading_store
from monitor.store.nights import Ledger, NightAhead, Request, RequestRefused
from monitor.store.tables import Message, Run, table_of

NOTHING_KNOWN = Ledger(None, None, (), None)
KEPT_DAYS = 60


@dataclass
class Alarms:
    """What has been told already, by a key such as ``2026-01-12-night``."""

    folder: Path
    told: set[str] = field(default_factory=set)

    def stands(self, key: str) -> Literal["new", "cut off", "told"]:
        if key in self.told:
            return "told"
        try:
            return "told" if (self.folder / key).read_text(encoding="utf-8") == "told" else "cut off"
        except (OSError, UnicodeDecodeError):
            return "new"

    def note(self, key: str, state: Literal["being told", "told"]) -> None:
        """Remember it; in the process alone, if no file can be written."""
        if state == "told":
            self.told.add(key)
        with suppress(OSError, MonitorError):
            make_private_folder(self.folder)
            with open_privately(self.folder / key, "wb") as file:
                file.write(state.encode())

    def forget(self, key: str, *, now: dt.datetime) -> None:
        """It was not told after all; and what is long past is swept out."""
        with suppress(OSError):
            (self.folder / key).unlink(missing_ok=True)
            oldest = now.timestamp() - dt.timedelta(KEPT_DAYS).total_seconds()
            for old in self.folder.iterdir():
                if old.stat().st_mtime < oldest:
                    old.unlink()


@dataclass(frozen=True)
class Teller:
    """What it takes to tell the analyst something without the database."""

    config: Config
    database: URL
    rulebook: Rulebook
    templates: Templates
    channel: Channel
    alarms: Alarms
    clock: Callable[[], dt.datetime]

    def tell(self, key: str, matter: Matter, reasons: tuple[str, ...], as_at: dt.date) -> bool:
        """Whether the analyst has been told, now or before; a failure of the channel is no failure of the caller."""
        stands = self.alarms.stands(key)
        if stands == "told":
            return True
        night = compose.describe_night(self.config, self.rulebook, NOTHING_KNOWN, as_at)
        notice = Notice(night.routes.analyst, night, matter, reasons, repeat=stands == "cut off")
        message = render(notice, self.templates)
        self.alarms.note(key, "being told")
        words = (message.recipient, message.subject, message.text, message.html)
        sender, name = self.config.delivery.sender, self.config.delivery.sender_name
        envelope = Envelope(f"alarm-{key}", sender, *words, self.clock(), as_at, message.kind, sender_name=name)
        try:
            self.channel.send(envelope)
        except DeliveryError as fault:
            if not fault.ambiguous:
                self.alarms.forget(key, now=self.clock())
                return False
        finally:
            self.channel.close()
        self.alarms.note(key, "told")
        return True


@contextmanager
def told_of_failure(teller: Teller, request: Request) -> Iterator[None]:
    """Tells the analyst, once for the date, of a night that fails without the outbox having told it."""
    try:
        yield
    except NightAhead as fault:
        teller.tell(f"{request.today}-ahead", "ahead", tuple(str(fault).splitlines()), request.today)
        raise
    except (RequestRefused, LockHeld):
        raise
    except Exception as fault:
        told, accepted = _look_up(teller.database, request.as_at)
        if not told:
            matter, reasons = describe(fault)
            teller.tell(f"{request.as_at}-night", "unfinished" if accepted else matter, reasons, request.as_at)
        raise


@contextmanager
def recorded(night: Night, channel: Channel) -> Iterator[Night]:
    """Give the night its row among the runs, however it ends; tell the analyst of one that is not accepted."""
    clock = night.tools.clock
    run_id = nights.begin(night.database, night.request, clock())
    night = replace(night, run_id=run_id)
    night.note("night begun", as_at=night.as_at.isoformat())
    try:
        yield night
    except MonitorError as fault:
        state = "refused" if isinstance(fault, Refused) else "failed"
        verdict = "refused" if isinstance(fault, NotBelieved) else None
        night.note("night not accepted", state=state, why=_why(fault))
        with suppress(StoreError, LockHeld):  # what cannot be recorded now, the next run finds unfinished
            nights.close(night.database, run_id, nights.RunEnding(state, str(fault), verdict), clock())
            if not isinstance(fault, RequestRefused) and not nights.was_said(night.database, run_id):
                _send_refusal(night, fault, channel)
        raise
    except BaseException:
        with suppress(StoreError, LockHeld):
            ending = nights.RunEnding("failed", "stopped before it was finished")
            nights.close(night.database, run_id, ending, clock())
        raise


def _send_refusal(night: Night, fault: MonitorError, channel: Channel) -> None:
    with night.database.writing() as store:
        described = compose.describe_night(
            night.config, night.rulebook, night.past, night.as_at, chain_head=events.head(store)
        )
        refusal = RefusedDigest(described.routes.analyst, described, _why(fault), tuple(str(fault).splitlines()))
        save_messages(night, store, (Posting(render(refusal, night.templates)),), night.tools.clock())
    deliver_due(night.database, channel, night.config, clock=night.tools.clock, choice=Choice(shared=night.shared))
    write_report(night)


def _why(fault: MonitorError) -> Why:
    if isinstance(fault, SourceError):
        return "unreadable"
    return "refused" if isinstance(fault, Refused) else "failed"


def describe(fault: Exception) -> tuple[Matter, tuple[str, ...]]:
    """What may be said of a failure: in its own words where those are ours, else its kind and place alone."""
    if isinstance(fault, MonitorError):
        return "database" if isinstance(fault, StoreError) else "defect", tuple(str(fault).splitlines())
    return "defect", (f"{type(fault).__name__} at {log.place_of(fault)}",)


def _look_up(where: URL, as_at: dt.date) -> tuple[bool, bool]:
    """Return whether the outbox told a failure of this date, and whether it is accepted; False if nobody can say."""
    message, run = table_of(Message), table_of(Run)
    told = select(message.c.id).where(message.c.kind == "refused", message.c.as_at == as_at).limit(1)
    accepted = select(run.c.id).where(run.c.state == "accepted", run.c.as_at == as_at).limit(1)
    try:
        with reading_store(where, wait_seconds=0) as database, database.reading() as store:
            return store.execute(told).first() is not None, store.execute(accepted).first() is not None
    except MonitorError:
        return False, False
