"""Records what came back: a message that a delivery report names did not arrive, and nothing in it counts as told.

A report is ours only by the key of a message and the address that message went to; of any other nothing is stored.
A message that came back for good ends as one that was refused; one that came back for now is put off as a receipt
would. A report is heard once, however often it is read.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, select

from monitor.delivery.delivery_report import DeliveryReport, Failing, ReportedRecipient, read_reports
from monitor.delivery.mail_file import NotAMail, SavedMail, read_saved_mail
from monitor.outbox import attempts, receipts
from monitor.outbox.envelopes import is_joined
from monitor.outbox.queue import WENT
from monitor.outbox.trial import is_trial
from monitor.store.bulk import read_by_ids
from monitor.store.database import Database
from monitor.store.tables import FlagEvent, Message, table_of
from monitor.words import one_line, write_date

BOUNCED = "message bounced"
"""The event that says that a report was heard."""
Outcome = Literal["came back", "came back for now", "late", "heard before", "not ours"]

_message = table_of(Message)


@dataclass(frozen=True)
class HeardBounce:
    """What one report came to. Of a report that is not ours nothing is known here but that."""

    outcome: Outcome
    why: str
    message: str | None = None
    recipient: str | None = None
    as_at: dt.date | None = None

    @property
    def failed(self) -> bool:
        return self.outcome in ("came back", "came back for now")

    def in_words(self) -> str:
        if self.as_at is None:
            return f"{self.outcome}: {self.why}"
        return f"{self.outcome}: the message of {write_date(self.as_at)} to {self.recipient} ({self.why})"


@dataclass(frozen=True)
class BounceFile:
    """What one saved e-mail came to. ``fault``: why nothing could be read of it."""

    file: str
    heard: tuple[HeardBounce, ...] = ()
    fault: str | None = None

    def in_words(self) -> list[str]:
        found = [self.fault] if self.fault else [each.in_words() for each in self.heard]
        return [f"{self.file}: {words}" for words in found]

    def as_dict(self) -> dict[str, Any]:
        return {"file": self.file, "fault": self.fault, "reports": [vars(each) for each in self.heard]}


def find_exit_code(files: Sequence[BounceFile]) -> int:
    """Return 1 where a message did not arrive, 2 where only a file could not be read, else 0."""
    if any(each.failed for file in files for each in file.heard):
        return 1
    return 2 if any(file.fault for file in files) else 0


def read_files(database: Database, paths: Sequence[Path], now: dt.datetime) -> list[BounceFile]:
    """Read each saved report and record what it says; a file that is none leaves the others alone."""
    read = [_read_file(path) for path in paths]
    with database.writing() as store:
        return [
            file if mail is None else replace(file, heard=tuple(record_bounces(store, reports, mail.sha256, now)))
            for file, mail, reports in read
        ]


def _read_file(path: Path) -> tuple[BounceFile, SavedMail | None, tuple[DeliveryReport, ...]]:
    try:
        mail = read_saved_mail(path)
        return BounceFile(path.name), mail, read_reports(mail)
    except NotAMail as fault:
        return BounceFile(path.name, fault=str(fault)), None, ()


def record_bounces(
    store: Connection, reports: Iterable[DeliveryReport], sha256: str, now: dt.datetime
) -> list[HeardBounce]:
    """Record what each report says of a message of ours, inside the caller's transaction; return what came of each.

    ``sha256``: of the e-mail that held them, by which a second reading is known.
    """
    return [heard for report in reports for heard in _record_report(store, report, sha256, now)]


def _record_report(store: Connection, report: DeliveryReport, sha256: str, now: dt.datetime) -> Sequence[HeardBounce]:
    messages = list(read_by_ids(store, select(_message), _message.c.key, sorted(report.keys)))
    joined = sorted(filter(is_joined, report.keys))
    messages += read_by_ids(store, select(_message).order_by(_message.c.id), _message.c.receipt, joined)
    if not messages:
        return _hear_of_trial(store, report) or [
            HeardBounce("not ours", "it names no message of this monitor's; nothing of it is kept")
        ]
    found = []
    for message in messages:
        reported = [each for each in report.recipients if message.recipient.lower() in each.addresses]
        if reported:
            worst = min(reported, key=lambda each: ("for good", "for now", "not").index(each.failing))
            found.append(_record(store, message, worst, sha256, now))
    return found or [HeardBounce("not ours", "it is about an address that the message it names did not go to")]


def _hear_of_trial(store: Connection, report: DeliveryReport) -> Sequence[HeardBounce]:
    """Return what a report says of a test message, of which nothing but its key is on record, and nothing follows."""
    if not any(is_trial(store, key) for key in sorted(report.keys)):
        return ()
    outcomes: dict[Failing, Outcome] = {"for good": "came back", "for now": "came back for now", "not": "late"}
    return [
        HeardBounce(outcomes[each.failing], f"the test message to {one_line(each.addresses[0])} ({each.in_words()})")
        for each in report.recipients
    ]


def _record(store: Connection, message: Any, reported: ReportedRecipient, sha256: str, now: dt.datetime) -> HeardBounce:
    outcome, why = _judge(store, message, reported, sha256)
    if outcome in ("came back", "came back for now"):
        detail = {"message": message.key, "status": reported.status, "file_sha256": sha256}
        attempts.record(store, BOUNCED, why, now, detail)
    words = f"it was taken and came back ({why})"
    if outcome == "came back":
        receipts.record_failure(store, message, f"{words}; check the address", now)
    elif outcome == "came back for now":
        receipts.record_failure_for_now(store, message, words, now)
    return HeardBounce(outcome, why, message.key, message.recipient, message.as_at)


def _judge(store: Connection, message: Any, reported: ReportedRecipient, sha256: str) -> tuple[Outcome, str]:
    """Decide what follows. Only what is known to have gone, and still has its words, can be sent again later."""
    if reported.failing == "not":
        return "late", "it has not failed, and its server goes on trying" if reported.action == "delayed" else "arrived"
    if message.state in ("created", "replaced", "permanent-failure"):
        return "heard before", "it counts as not delivered already"
    if _is_heard(store, message, sha256):
        return "heard before", "this very report was read before"
    if reported.failing == "for now":
        if message.state == "temporary-failure":
            return "heard before", "it waits to be sent again already"
        if message.state in WENT and message.accepted_at is not None and message.text:
            return "came back for now", reported.in_words()
    return "came back", reported.in_words()


def _is_heard(store: Connection, message: Any, sha256: str) -> bool:
    happened = table_of(FlagEvent)
    told = (happened.c.kind == BOUNCED, happened.c.payload.contains(sha256), happened.c.payload.contains(message.key))
    return store.execute(select(happened.c.id).where(*told).limit(1)).first() is not None
