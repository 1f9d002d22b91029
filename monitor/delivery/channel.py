"""The interface of a way for messages to leave; each way is one module."""

from datetime import timedelta
from pathlib import Path
from typing import Protocol

from monitor.config.delivery_settings import DeliverySettings
from monitor.delivery.envelope import Envelope, Receipt
from monitor.delivery.folder import FolderChannel
from monitor.network.policy import Network


class Tracing(Protocol):
    """A service that can be asked what became of a message."""

    @property
    def ask_after(self) -> timedelta:
        """How long to wait after an attempt whose result is unknown before the service is asked about it."""

    def look_up(self, key: str) -> Receipt | None:
        """Return what the service has under this key, None if it knows no such message; raises ``DeliveryError``."""

    def ask(self, receipt: str) -> str | None:
        """Return the final state of a message in Notify's words, None if there is none; raises ``DeliveryError``."""


class Channel(Protocol):
    """One way for messages to leave.

    ``idempotent``: sending the same message twice leaves one copy, so an interrupted one can simply be sent again.
    ``tracing``: the service that can be asked about an interrupted one; where there is none either, it is held.
    ``at_once``: how many threads may call ``send`` at a time.
    """

    @property
    def name(self) -> str: ...

    @property
    def idempotent(self) -> bool: ...

    @property
    def tracing(self) -> Tracing | None: ...

    @property
    def at_once(self) -> int: ...

    def send(self, envelope: Envelope) -> Receipt:
        """Deliver one message.

        Raises ``DeliveryError``, saying whether trying again can help and whether it may have gone after all.
        """

    def close(self) -> None:
        """Close any connection; a later message makes a new one."""


def open_channel(delivery: DeliverySettings, data_folder: Path, network: Network) -> Channel:
    """Open the channel the config names; close it when done. Nothing is connected before the first message.

    Raises ``Problems`` when something it needs (a variable, a key, a certificate file) is not there.
    """
    if delivery.channel == "smtp" and delivery.smtp is not None:
        # What a channel needs takes long to load, and the others do without.
        from monitor.delivery.smtp import SmtpChannel

        return SmtpChannel(delivery.smtp, network, sender=delivery.sender)
    if delivery.channel == "notify" and delivery.notify is not None:
        from monitor.delivery.notify import NotifyChannel

        return NotifyChannel(delivery.notify, network)
    if delivery.channel == "graph" and delivery.graph is not None:
        from monitor.delivery.graph import GraphChannel

        return GraphChannel(delivery.graph, delivery.sender, network)
    return FolderChannel(data_folder / "outbox")
