"""A message ready to leave, and a channel to a mail server on a loopback port."""

import email
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from monitor.config.delivery_settings import DeliverySettings
from monitor.config.smtp_settings import Smtp
from monitor.delivery.channel import Channel, open_channel
from monitor.delivery.envelope import Envelope
from monitor.errors import DeliveryError
from monitor.network.policy import Network

LONG = "Zoë Ångström: a plan — " + "a line that is far longer than any mail server will take " * 40


def envelope(**given: Any) -> Envelope:
    usual: dict[str, Any] = {
        "key": "2026-01-12-1-7",
        "sender": "care-leaver-monitor@example.gov.uk",
        "recipient": "lead.north@example.gov.uk",
        "subject": "OFFICIAL-SENSITIVE Leaving care: 3 new - 12 January 2026",
        "text": f"{LONG}\n.\n.. a line of dots\nFrom here on\n",
        "html": f"<!DOCTYPE html><html><body><p>{LONG}</p></body></html>",
        "sent_at": datetime(2026, 1, 12, 7, 30, tzinfo=UTC),
        "as_at": date(2026, 1, 12),
        "kind": "lead",
    }
    return Envelope(**(usual | given))


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=policy.default)


def parts_of(mail: EmailMessage) -> dict[str, str]:
    return {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()}


@contextmanager
def smtp_channel(
    port: int, ca_file: Path | None, environ: dict[str, str] | None = None, **given: Any
) -> Iterator[Channel]:
    settings = {"host": "localhost", "port": port, "ca_file": ca_file, "timeout_seconds": 5} | given
    delivery = DeliverySettings(channel="smtp", smtp=Smtp.model_validate(settings))
    channel = open_channel(delivery, Path("unused"), Network(environ or {}))
    try:
        yield channel
    finally:
        channel.close()


def fault_of(channel: Channel, **given: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(envelope(**given))
    return caught.value


def temporary(fault: DeliveryError) -> bool:
    return not (fault.permanent or fault.ambiguous)
