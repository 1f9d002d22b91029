"""A test of delivery: a real message through the channel to everyone who may get mail, about nobody."""

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Any, Literal

from sqlalchemy import Connection, select

from monitor.config.settings import Config
from monitor.delivery.channel import Channel
from monitor.delivery.envelope import Envelope, Receipt
from monitor.errors import DeliveryError
from monitor.messages.answering import find_reader_of_answers
from monitor.outbox import attempts
from monitor.store.tables import FlagEvent, table_of
from monitor.workdays import london_date

Outcome = Literal["delivered", "written", "taken", "waited for", "refused", "failed", "in doubt", "not sent"]
WORDS: Mapping[Outcome, str] = {
    "delivered": "delivered",
    "written": "written into the folder; nobody is mailed",
    "taken": "taken by the server, which passes it on",
    "waited for": "taken by the service; no receipt came yet",
    "refused": "refused for good",
    "failed": "not taken for now",
    "in doubt": "nobody knows whether it went",
    "not sent": "not sent",
}
WENT: tuple[Outcome, ...] = ("delivered", "written", "taken", "waited for")
FINAL: Mapping[str, Outcome] = {
    "delivered": "delivered",
    "permanent-failure": "refused",
    "temporary-failure": "failed",
    "technical-failure": "failed",
}
ASKED_EVERY, ASKED_FOR = dt.timedelta(seconds=2), dt.timedelta(seconds=30)
EVENT = "test message sent"


@dataclass(frozen=True)
class Trial:
    """One address, what it reads as, what became of the message, and what the other side said."""

    address: str
    reads_as: tuple[str, ...]
    outcome: Outcome
    said: str = ""
    key: str = ""
    """Of the message; none where none was sent."""

    @property
    def went(self) -> bool:
        return self.outcome in WENT

    @property
    def words(self) -> str:
        return WORDS[self.outcome] + (f": {self.said}" if self.said and self.outcome != "waited for" else "")


@dataclass(frozen=True)
class Trials:
    """What became of every message of one test."""

    channel: str
    each: tuple[Trial, ...]

    @property
    def failed(self) -> int:
        return sum(not trial.went for trial in self.each)

    def as_dict(self) -> dict[str, Any]:
        each = [{**asdict(trial), "words": trial.words, "went": trial.went} for trial in self.each]
        return {"channel": self.channel, "messages": each, "failed": self.failed}


def list_readers(config: Config, today: dt.date) -> dict[str, tuple[str, ...]]:
    """Return everyone who may get mail from a day on, each mailbox once, with what it reads as."""
    people = config.people
    named: list[tuple[str | None, str]] = []
    for team in config.teams:
        named.append((team.lead, f"lead of {team.name}"))
        named += [(cover.reader, f"cover for {team.name}") for cover in team.all_covers if cover.until >= today]
        named += [(team.manager, f"manager of {team.name}"), (team.head, f"head of {team.name}")]
    named += [(people.fallback, "fallback"), (people.head, "head of service"), (people.analyst, "analyst")]
    found: dict[str, dict[str, None]] = {}
    for address, role in named:
        if address:
            found.setdefault(address.lower(), {})[role] = None
    return {address: tuple(roles) for address, roles in found.items()}


def send_trials(
    channel: Channel,
    config: Config,
    readers: Mapping[str, Sequence[str]],
    *,
    now: dt.datetime,
    sleep: Callable[[float], object],
) -> Trials:
    """Send one message to each address, but to none outside the domains allowed, and wait for receipts."""
    allowed = {address: tuple(roles) for address, roles in readers.items() if config.delivery.allows(address)}
    outside = (
        Trial(address, tuple(roles), "not sent", "it is outside delivery.allowed_domains")
        for address, roles in readers.items()
        if address not in allowed
    )
    try:
        envelopes = [_write(config, address, roles, now) for address, roles in allowed.items()]
        with ThreadPoolExecutor(max(channel.at_once, 1)) as threads:
            results = list(threads.map(lambda envelope: _send(channel, envelope), envelopes))
        sent = zip(allowed.items(), results, strict=True)
        judged = {address: _judge(address, roles, result, channel) for (address, roles), result in sent}
        trials = {each.recipient: replace(judged[each.recipient], key=each.key) for each in envelopes}
        receipts = {address: result.id for address, result in zip(allowed, results, strict=True)
                    if isinstance(result, Receipt) and result.id}  # fmt: skip
        _wait_for_receipts(channel, trials, receipts, sleep)
    finally:
        channel.close()
    return Trials(channel.name, (*trials.values(), *outside))


def record(store: Connection, trials: Trials, now: dt.datetime) -> None:
    """Record that a test was sent, through what and with what outcome: counts, and the keys that a report may name."""
    counts: dict[str, int] = {}
    for trial in trials.each:
        counts[trial.outcome] = counts.get(trial.outcome, 0) + 1
    keys = [trial.key for trial in trials.each if trial.key]
    attempts.record(store, EVENT, None, now, {"channel": trials.channel, "outcomes": counts, "keys": keys})


def is_trial(store: Connection, key: str) -> bool:
    """Return whether a key is that of a test that was sent."""
    event = table_of(FlagEvent)
    sent = select(event.c.id).where(event.c.kind == EVENT, event.c.payload.contains(f'"{key}"', autoescape=True))
    return store.execute(sent.limit(1)).first() is not None


def _write(config: Config, address: str, roles: Iterable[str], now: dt.datetime) -> Envelope:
    subject = f"{config.delivery.marking} Test of the leaving care monitor, {config.authority}"
    lines = (
        "This is a test. It holds nothing about anybody.",
        f"Somebody has asked the leaving care monitor of {config.authority} whether its mail arrives.",
        f"This address is there as: {', '.join(roles) or 'no reader; it was named for this test'}.",
        f"There is nothing to do. If it came as junk mail, or this is not yours to read, tell {config.people.analyst}.",
    )
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    html = f'<!DOCTYPE html><html lang="en"><body lang="en" style="font-family:Arial,sans-serif">{body}</body></html>'
    day, key = london_date(now), f"test-{secrets.token_hex(6)}"
    words = (subject, "\n\n".join(lines) + "\n", html)
    name, answers = config.delivery.sender_name, find_reader_of_answers(config)
    return Envelope(key, config.delivery.sender, address, *words, now, day, "test", sender_name=name, reply_to=answers)


def _send(channel: Channel, envelope: Envelope) -> Receipt | DeliveryError:
    try:
        return channel.send(envelope)
    except DeliveryError as fault:
        return fault


def _judge(address: str, roles: tuple[str, ...], result: Receipt | DeliveryError, channel: Channel) -> Trial:
    if isinstance(result, DeliveryError):
        said = str(result)
        if result.ambiguous:
            return Trial(address, roles, "in doubt", said)
        return Trial(address, roles, "refused" if result.permanent else "failed", said)
    if channel.name == "folder":
        return Trial(address, roles, "written", result.words)
    if result.state == "sending":
        return Trial(address, roles, "waited for", result.words)
    return Trial(address, roles, "taken", result.words)


def _wait_for_receipts(
    channel: Channel, trials: dict[str, Trial], receipts: Mapping[str, str], sleep: Callable[[float], object]
) -> None:
    """Ask what became of the messages that a service took, for half a minute; the rest is waited for."""
    tracing, waited = channel.tracing, dt.timedelta()
    while tracing is not None and (open_ones := list(_find_waiting(trials, receipts))) and waited < ASKED_FOR:
        sleep(ASKED_EVERY.total_seconds())
        waited += ASKED_EVERY
        for address in open_ones:
            try:
                state = tracing.ask(receipts[address])
            except DeliveryError as fault:
                if fault.stops:
                    return
                continue
            if state is not None and state in FINAL:
                trials[address] = replace(trials[address], outcome=FINAL[state], said=f"receipt: {state}")


def _find_waiting(trials: Mapping[str, Trial], receipts: Mapping[str, str]) -> Iterator[str]:
    return (address for address in receipts if trials[address].outcome == "waited for")
