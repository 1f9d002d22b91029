"""How messages leave: one small interface, and one small module for each way."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from monitor.delivery.envelope import Envelope, build_mail

if TYPE_CHECKING:
    from monitor.config import Delivery

__all__ = ["Channel", "Envelope", "build_mail", "open_channel"]


class Channel(Protocol):
    """One way for messages to leave.

    ``idempotent``: sending the same message twice leaves one copy, so an interrupted one can simply be sent again.
    """

    @property
    def name(self) -> str: ...

    @property
    def idempotent(self) -> bool: ...

    def send(self, envelope: Envelope) -> str | None:
        """Deliver one message and say what receipt there is; it holds no personal data.

        Raises ``DeliveryError``, saying whether trying again can help and whether it may have gone after all.
        """

    def close(self) -> None:
        """Let go of any connection; a later message makes a new one."""


def open_channel(delivery: "Delivery", data_folder: Path, environ: Mapping[str, str]) -> Channel:
    """The channel the config names; close it when done. Nothing is connected before the first message.

    Raises ``Problems`` when something it needs (a variable, a certificate file) is not there.
    """
    if delivery.channel == "smtp" and delivery.smtp is not None:
        from monitor.delivery.smtp import SmtpChannel

        return SmtpChannel(delivery.smtp, environ)
    from monitor.delivery.folder import FolderChannel

    return FolderChannel(data_folder / "outbox")
