"""Hears what came back to the mailbox of delivery reports, and remembers since when that cannot be read."""

import datetime as dt
from dataclasses import dataclass

from monitor.delivery.delivery_report import DeliveryReport, read_reports
from monitor.delivery.mail_file import NotAMail
from monitor.delivery.report_mailbox import FoundReport, MailboxNotRead, ReportMailbox
from monitor.outbox import attempts
from monitor.outbox.bounces import HeardBounce, record_bounces
from monitor.outbox.unheard_bounces import NOT_READ, READ_AGAIN, find_not_read
from monitor.store.database import Database


@dataclass(frozen=True)
class MailboxLook:
    """What one look into the mailbox found; ``fault``: why it, or the rest of it, could not be read."""

    found: tuple[tuple[FoundReport, tuple[DeliveryReport, ...]], ...] = ()
    fault: str | None = None


@dataclass(frozen=True)
class BouncesHeard:
    """What one look came to. ``failed``: messages that did not arrive. ``unread_before``: nor could the last look."""

    failed: int = 0
    fault: str | None = None
    unread_before: bool = False

    def in_words(self) -> list[str]:
        lines = [f"Came back: {self.failed}, by the mailbox of delivery reports"] if self.failed else []
        return [*lines, *([f"Bounces are not heard: {self.fault}"] if self.fault else [])]


def look(mailbox: ReportMailbox, today: dt.date, days: int) -> MailboxLook:
    """Read the delivery reports of so many days; nothing is raised, and what was read before a fault counts."""
    found = []
    try:
        for report in mailbox.find_reports(today - dt.timedelta(days)):
            try:
                found.append((report, read_reports(report.mail)))
            except NotAMail:
                continue
    except MailboxNotRead as fault:
        return MailboxLook(tuple(found), str(fault))
    return MailboxLook(tuple(found))


def record_look(database: Database, mailbox: ReportMailbox, seen: MailboxLook, now: dt.datetime) -> BouncesHeard:
    """Record what was found of messages of ours, and how the mailbox stands; mark what was heard there."""
    heard: list[tuple[FoundReport, list[HeardBounce]]] = []
    with database.writing() as store:
        for report, reports in seen.found:
            heard.append((report, record_bounces(store, reports, report.mail.sha256, now)))
        before = find_not_read(store)
        if seen.fault and before is None:
            attempts.record(store, NOT_READ, seen.fault, now, {})
        if before is not None and not seen.fault:
            attempts.record(store, READ_AGAIN, None, now, {})
    for report, outcomes in heard:
        if any(each.message for each in outcomes):
            mailbox.mark_heard(report)
    failed = sum(each.failed for _, outcomes in heard for each in outcomes)
    return BouncesHeard(failed, seen.fault, before is not None)
