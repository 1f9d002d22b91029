"""The service: does what is due, one step after another, and never ends because one of them failed.

Each step reads the config, the rules and the templates as they then are, so that a person newly on the restricted
list, or a cover, counts at once. While they are not valid no step is done, and the analyst is told. Only when a step
is due is decided by the config that the service was started with.
"""

import datetime as dt
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL

from monitor.config.settings import Config, load_config
from monitor.delivery.channel import Channel, open_channel
from monitor.delivery.report_mailbox import open_mailbox
from monitor.errors import LockHeld, MonitorError, Problems, StoreError
from monitor.log import place_of
from monitor.messages import compose
from monitor.messages.notices import Matter, compose_outage
from monitor.messages.parts import Posting
from monitor.messages.templates import Templates, read_templates, render
from monitor.network.policy import Network
from monitor.night import failure, on_duty
from monitor.night.context import Tools
from monitor.night.run import run_night
from monitor.outbox.bounce_mailbox import look, record_look
from monitor.outbox.queue import Postmark, post
from monitor.outbox.receipts import poll_receipts
from monitor.outbox.send import deliver_due
from monitor.record.continuity import find_break, known_store
from monitor.record.purge import purge_store
from monitor.rulebook.kept_rulebook import open_rulebook
from monitor.rulebook.rulebook import Rulebook
from monitor.service import due, facts
from monitor.service.due import DoneByProcess, Facts, Step
from monitor.service.heartbeat import Heartbeat, Signal, describe
from monitor.store import nights
from monitor.store.database import Database, reading_store
from monitor.store.location import locate
from monitor.store.nights import Request
from monitor.store.tables import Run, table_of
from monitor.workdays import london_date

if TYPE_CHECKING:
    from monitor.log import Log

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True)
class Settings:
    """A valid config, with the rules and templates as they were when it was read."""

    config: Config
    rulebook: Rulebook
    templates: Templates


def read_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read all that a step works by, with what the channel and the heartbeat need of the environment.

    Raises ``Problems``.
    """
    config = load_config(path)
    settings = Settings(config, open_rulebook(config), read_templates(config.templates))
    network = config.network.reach(environ)
    open_channel(config.delivery, config.data_folder, network).close()
    if config.delivery.bounces:
        open_mailbox(config.delivery.bounces, network).close()
    Heartbeat(config.heartbeat, network)
    return settings


class Service:
    """Everything that ``monitor start`` does, at any moment, when it is asked to look."""

    def __init__(self, path: Path, environ: Mapping[str, str], clock: Clock, log: "Log") -> None:
        """Raises ``Problems`` when what the files say now is not valid."""
        self._path = path
        self._environ = environ
        self._clock = clock
        self._log = log
        self._settings = read_settings(path, environ)
        self.timetable = self._settings.config
        self._done = DoneByProcess()
        self._told: set[str] = set()
        self._waiting = False
        self.stopping = threading.Event()
        self.at_work = threading.Lock()

    @property
    def config(self) -> Config:
        """The config of the last step."""
        return self._settings.config

    def insist_on_history(self) -> None:
        """Tell the analyst, and raise ``StoreError``, where nothing may start on this database.

        One that does not answer may do so by the time of the night, which finds out.
        """
        try:
            found = find_break(self.config, self._database, wait_seconds=0, pages="none")
        except StoreError:
            return
        if found:
            self._alert("database", (str(found),), about="night")
            raise StoreError(str(found))

    def look(self) -> tuple[Step, ...]:
        """Do all that is due now, and say what it was; nothing is begun once the service is stopping."""
        with self.at_work:
            self._warn_of_night_ahead()
            tried: list[Step] = []
            while not self.stopping.is_set():
                steps = [step for step in self._plan() if step not in tried]
                if not steps or not self._read_settings(steps[0]):
                    break
                tried.append(steps[0])
                self._do(steps[0])
            return tuple(tried)

    def _warn_of_night_ahead(self) -> None:
        now = self._clock()
        known = self._read_facts(london_date(now))
        if known.last_accepted is not None and due.is_ahead(known, now):
            last = known.last_accepted.isoformat()
            self._log.warning("no night is run: one of a day to come was accepted", accepted=last)

    def _read_settings(self, step: Step) -> bool:
        """Whether the settings can be used; if not, the step is not done, and the analyst is told once for the date."""
        try:
            self._settings = read_settings(self._path, self._environ)
        except MonitorError as fault:
            problems = str(fault).splitlines()
            self._log.warning("settings not valid, so nothing is done: monitor check", problems=len(problems))
            self._alert("settings", tuple(problems))
        except Exception as fault:
            self._log.error("step failed", step=step, fault=type(fault).__name__, place=place_of(fault))
            self._alert(*failure.describe(fault))
        else:
            return True
        self._done = replace(self._done, refused_at=self._clock())
        return False

    def _plan(self) -> tuple[Step, ...]:
        now = self._clock()
        return due.plan(self.timetable, self._read_facts(london_date(now)), self._done, now)

    def _read_facts(self, today: dt.date) -> Facts:
        """What the database says; nothing, if there is none or it cannot be read, which the night will find out."""
        try:
            with reading_store(self._database, wait_seconds=0) as database:
                return facts.read(self.config, database, today)
        except MonitorError:
            return facts.read_folder(self.config, today)

    def _do(self, step: Step) -> None:
        """One step; whatever goes wrong is logged, without words that might name somebody, and the service goes on."""
        steps: dict[Step, Callable[[], None]] = {
            "night": self._run_night,
            "deliver": self._deliver,
            "receipts": self._ask_for_receipts,
            "bounces": self._hear_bounces,
            "outage": self._tell_of_outage,
            "ahead": self._tell_of_night_ahead,
            "purge": self._purge,
            "heartbeat": self._settle,
        }
        try:
            steps[step]()
        except LockHeld:
            if not self._waiting:
                self._log.info("waiting for another run to end", step=step)
            self._waiting = True
            return
        except MonitorError as fault:
            said = str(fault).splitlines()[0] if isinstance(fault, StoreError | Problems) else None
            self._log.warning("step failed", step=step, fault=type(fault).__name__, why=said)
        except Exception as fault:
            self._log.error("step failed", step=step, fault=type(fault).__name__, place=place_of(fault))
        self._waiting = False

    def _run_night(self) -> None:
        now = self._clock()
        today = london_date(now)
        tried = len(self._read_facts(today).failed_at)
        if not self._waiting:
            self._ping("start", today)
        try:
            tools = Tools(self._clock, self._environ, lambda step: None, self._note, self._told)
            night = run_night(self.config, Request(today, today, unattended=True), tools)
        except LockHeld:
            raise
        except Exception as fault:
            if len(self._read_facts(today).failed_at) == tried:
                self._done = replace(self._done, failed_at=(*self._done.failed_at[-20:], self._clock()))
            self._ping(fault.exit_code if isinstance(fault, MonitorError) else "fail", today)
            raise
        self._done = replace(self._done, accepted_on=night.as_at)
        self._log.info("night done", outcome=night.outcome, exit_status=night.exit_code)

    @property
    def _database(self) -> URL:
        return locate(self.config, self._environ)

    def _note(self, stage: str, /, **counts: int | str | None) -> None:
        self._log.info(stage, **counts)

    @property
    def _network(self) -> Network:
        return self.config.network.reach(self._environ)

    def _open_channel(self) -> Channel:
        return open_channel(self.config.delivery, self.config.data_folder, self._network)

    def _deliver(self) -> None:
        self._done = replace(self._done, delivered_at=self._clock())
        channel = self._open_channel()
        with known_store(self.config, self._database) as database:
            self._write_anew(database)
            delivered = deliver_due(database, channel, self.config, clock=self._clock)
        if any(delivered.counts.values()):
            self._log.info("messages sent", **delivered.counts)

    def _write_anew(self, database: Database) -> None:
        """Write anew what waits for readers not on duty; what cannot be is withheld and told of, and the rest goes."""
        words = (self._settings.rulebook, self._settings.templates)
        try:
            number = on_duty.write_anew(database, self.config, lambda: words, self._clock())
        except Exception as fault:
            self._log.error("step failed", step="anew", fault=type(fault).__name__, place=place_of(fault))
        else:
            if number:
                self._log.info("messages written anew for who is on duty", messages=number)

    def _ask_for_receipts(self) -> None:
        """What became of messages that were taken; of those that did not arrive, people are told at once."""
        self._done = replace(self._done, receipts_at=self._clock())
        channel = self._open_channel()
        with known_store(self.config, self._database) as database:
            received = poll_receipts(database, channel, self.config, clock=self._clock)
        if received.delivered or received.failed:
            self._log.info("receipts", **received.counts)
        if received.failed:
            self._deliver()

    def _hear_bounces(self) -> None:
        """What came back to the mailbox of delivery reports; that it cannot be read is told at the second look."""
        settings, now = self.config.delivery.bounces, self._clock()
        self._done = replace(self._done, bounces_at=now)
        if settings is None:
            return
        mailbox = open_mailbox(settings, self._network)
        try:
            seen = look(mailbox, london_date(now), settings.look_back_days)
            with known_store(self.config, self._database) as database:
                heard = record_look(database, mailbox, seen, now)
        finally:
            mailbox.close()
        if heard.failed:
            self._log.info("messages came back", failed=heard.failed)
            self._deliver()
        if heard.fault:
            self._log.warning("the mailbox of bounces cannot be read: monitor status says why")
            if heard.unread_before:
                self._alert("bounces", (heard.fault,), about="bounces")

    def _tell_of_outage(self) -> None:
        """One line to every lead and head, through the outbox; for want of it, nobody could be sure to be told once."""
        config, now = self.config, self._clock()
        today = london_date(now)
        with known_store(self.config, self._database) as database:
            run = table_of(Run)
            past = nights.read_ledger(database, today)
            if past.tonight is not None or past.before is None:
                return
            since = past.before.as_at
            with database.reading() as store:
                newest = store.execute(run.select().order_by(run.c.id.desc()).limit(1)).one()
            night = compose.describe_night(config, self._settings.rulebook, past, today)
            notices = compose_outage(find_leaders(config, today), night, since)
            written = [Posting(render(notice, self._settings.templates)) for notice in notices]
            with database.writing() as store:
                post(store, written, Postmark(newest.id, today, created_at=now, due_at=now))
        self._done = replace(self._done, outage_on=today)
        self._log.warning("outage told", messages=len(written), since=since.isoformat())

    def _tell_of_night_ahead(self) -> None:
        """Tell the analyst that a night of a day to come was accepted, and how it is taken back; once a day."""
        now = self._clock()
        today = london_date(now)
        self._done = replace(self._done, ahead_at=now)
        last = self._read_facts(today).last_accepted
        if last is None:
            return
        reasons = (nights.describe_ahead(last, today), nights.describe_withdrawal(last))
        if self._alert("ahead", reasons, about="ahead"):
            self._done = replace(self._done, ahead_on=today)

    def _purge(self) -> None:
        now = self._clock()
        today = london_date(now)
        with known_store(self.config, self._database) as database:
            self._done = replace(self._done, purged_on=today)  # what it could not remove, it finds again tomorrow
            purged = purge_store(database, self.config, today, now)
        if purged.waits:
            self._log.warning("what is past its time stays until the next night: the clock may be ahead")
        elif purged.removed or purged.rewritten or purged.problems:
            counts = {"removed": sum(purged.removed.values()), "left": len(purged.problems)}
            self._log.info("past its time", **counts, database_rewritten=purged.rewritten)

    def _settle(self) -> None:
        """The last ping of the date: what was accepted, and that every message due on it is settled."""
        today = london_date(self._clock())
        self._done = replace(self._done, settled_on=today)
        if not self.config.heartbeat:
            return
        with reading_store(self._database) as database:
            outcome = facts.read_outcome(database, today)
        signal: Signal = "fail" if not outcome.judged else outcome.exit_code or "success"
        self._ping(signal, today, describe(outcome.counts))

    def _ping(self, signal: Signal, night: dt.date, body: str = "") -> None:
        heartbeat = Heartbeat(self.config.heartbeat, self._network, sleep=self.stopping.wait)
        if heartbeat.wanted:
            self._log.info("heartbeat", signal=signal, became=heartbeat.ping(signal, night=night, body=body))

    def _alert(self, matter: Matter, reasons: tuple[str, ...], *, about: str = "settings") -> bool:
        """Tell the analyst, once a day for each thing that it is ``about``; return whether they have been told."""
        today = london_date(self._clock())
        try:
            teller = failure.Teller(
                self.config,
                self._database,
                self._settings.rulebook,
                self._settings.templates,
                self._open_channel(),
                failure.Alarms(self.config.data_folder / "alarms", self._told),
                self._clock,
            )
            told = teller.tell(f"{today}-{about}", matter, reasons, today)
        except MonitorError as fault:
            self._log.warning("step failed", step="alarm", fault=type(fault).__name__)
            return False
        except Exception as fault:
            self._log.error("step failed", step="alarm", fault=type(fault).__name__, place=place_of(fault))
            return False
        if not told:
            self._log.warning("alarm not delivered", about=about)
        return told


def find_leaders(config: Config, today: dt.date) -> list[str]:
    """List everyone who leads or heads a team, each address once."""
    people = [config.people.head, config.people.fallback]
    for team in config.teams:
        people += [team.reader(today), team.head]
    return list(dict.fromkeys(address.lower() for address in people if address))
