"""The mailbox to which delivery reports come: its interface, and what keeps it from being read."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from monitor.config.bounce_settings import BounceSettings
from monitor.delivery.mail_file import SavedMail
from monitor.errors import MonitorError
from monitor.network.policy import Network

MOST_REPORTS = 1_000
"""Reports read at one look; more come of a flood, not of a council's digests."""


class MailboxNotRead(MonitorError):
    """The mailbox of delivery reports could not be read: whose, why, and which setting to look at."""


@dataclass(frozen=True)
class FoundReport:
    """One delivery report. ``id``: by which its mailbox knows it."""

    id: str
    mail: SavedMail


class ReportMailbox(Protocol):
    """A mailbox of which nothing but delivery reports is read, and from which nothing is ever taken."""

    def find_reports(self, since: date) -> Iterator[FoundReport]:
        """Yield the delivery reports that came on or after a day; raises ``MailboxNotRead``."""

    def mark_heard(self, report: FoundReport) -> None:
        """Let whoever looks into the mailbox see that the monitor heard this report, where it may write there."""

    def close(self) -> None: ...


def open_mailbox(settings: BounceSettings, network: Network) -> ReportMailbox:
    """Open the mailbox the config names; nothing is connected before it is read.

    Raises ``Problems`` when something it needs (a variable, a secret, a certificate file) is not there.
    """
    # Both take long to load, and a night needs neither.
    if settings.kind == "graph":
        from monitor.delivery.graph_reports import GraphMailbox

        return GraphMailbox(settings, network)
    from monitor.delivery.imap_reports import ImapMailbox

    return ImapMailbox(settings, network)
