"""A real mail server with TLS on a loopback port, that keeps what it takes and answers as it is told."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as Received


class Mailbox:
    """A real server's inside: it keeps what it takes, and can be told how to answer."""

    def __init__(self) -> None:
        self.taken: list[Received] = []
        self.sessions: set[Any] = set()
        self.rcpt: Callable[[str], str] = lambda address: "250 OK"
        self.hang_up_at: str | None = None
        self.data: Callable[[SMTP], str] = lambda server: "250 2.0.0 queued as 42"

    async def handle_RCPT(  # noqa: N802 - the server's own name
        self, server: SMTP, session: Session, received: Received, address: str, options: list[str]
    ) -> str:
        self.sessions.add(session.peer)
        if address == self.hang_up_at:
            server.transport.abort()
        answer = self.rcpt(address)
        if answer.startswith("250"):
            received.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, received: Received) -> str:  # noqa: N802
        answer = self.data(server)
        if answer.startswith("250"):
            self.taken.append(received)
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mail_server(
    authority: trustme.CA, mailbox: Mailbox, *, security: str = "starttls", name: str = "localhost", **given: Any
) -> Iterator[int]:
    """A mail server on a loopback port: with STARTTLS, TLS from the first byte, or neither."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    if security == "starttls":
        given |= {"tls_context": context, "require_starttls": True}
    if security == "tls":
        given |= {"ssl_context": context}
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **given)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
