"""A real mail server with TLS on a loopback port, that keeps what it takes and answers as it is told."""

import asyncio
import base64
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Session
from aiosmtpd.smtp import Envelope as Received

EXPIRED = base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"https://outlook.office.com"}').decode()
"""What Exchange Online says, before it refuses, of a token that it does not take."""


class Mailbox:
    """A real server's inside: it keeps what it takes, and can be told how to answer.

    ``dot_seconds``: how long it takes over a message to each address before it answers the last dot; ``holds``: whether
    it still waits with that answer. ``dsn``: it offers to report on delivery (RFC 3461); ``asked`` keeps what it was
    asked for. ``hangs_up_after``: seconds after taking a message at which it ends the connection.
    """

    def __init__(self, *, dsn: bool = False) -> None:
        self.dsn = dsn
        self.asked: list[str] = []
        self.hangs_up_after: float | None = None
        self.dot_seconds: dict[str, float] = {}
        self.holds: Callable[[Received], bool] = lambda received: False
        self.taken: list[Received] = []
        self.sessions: set[Any] = set()
        self.rcpt: Callable[[str], str] = lambda address: "250 OK"
        self.hang_up_at: str | None = None
        self.data: Callable[[SMTP], str] = lambda server: "250 2.0.0 queued as 42"

    async def handle_EHLO(  # noqa: N802 - the server's own name
        self, server: SMTP, session: Session, received: Received, hostname: str, answers: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [answers[0], *(["250-DSN"] if self.dsn else []), *answers[1:]]

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
        while self.holds(received):
            await asyncio.sleep(0.01)
        await asyncio.sleep(max((self.dot_seconds.get(one, 0) for one in received.rcpt_tos), default=0))
        if answer.startswith("250"):
            self.taken.append(received)
        if self.hangs_up_after is not None:
            asyncio.get_running_loop().call_later(self.hangs_up_after, server.transport.close)
        return answer


class Exchange(Mailbox):
    """Exchange Online: it takes tokens alone, and says ``refusal`` to a login that it does not take."""

    def __init__(
        self, takes: Callable[[str, str], bool], refusal: str = "535 5.7.3 Authentication unsuccessful"
    ) -> None:
        super().__init__()
        self.takes, self.refusal = takes, refusal
        self.logins: list[str] = []

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - the protocol's own name
        said = re.fullmatch(r"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01\x01", base64.b64decode(args[1]).decode())
        assert said, "not the form of XOAUTH2"
        self.logins.append(said[1])
        if self.takes(said[1], said[2]):
            return AuthResult(success=True)
        answer = await server.challenge_auth(EXPIRED, encode_to_b64=False)
        assert answer == b"", "the challenge is answered by an empty line"
        await server.push(self.refusal)
        return AuthResult(success=False, handled=True)


class ReportingSMTP(SMTP):
    """aiosmtpd's server, which may also offer DSN, and takes a login as long as a token."""

    def __init__(self, handler: Mailbox, *args: Any, **given: Any) -> None:
        super().__init__(handler, *args, **given)
        self.command_size_limits["AUTH"] = 16_384
        self._mailbox = handler

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        await super().smtp_MAIL(self._without_dsn(arg, r" (?:RET|ENVID)=\S+"))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        await super().smtp_RCPT(self._without_dsn(arg, r" (?:NOTIFY|ORCPT)=\S+"))

    def _without_dsn(self, arg: str | None, options: str) -> str | None:
        if arg is None or not self._mailbox.dsn:
            return arg
        self._mailbox.asked += (one.strip() for one in re.findall(options, arg))
        return re.sub(options, "", arg)


class MailController(Controller):
    def factory(self) -> SMTP:
        return ReportingSMTP(self.handler, **self.SMTP_kwargs)


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
    controller = MailController(mailbox, hostname="127.0.0.1", port=free_port(), **given)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@contextmanager
def silent_server(authority: trustme.CA, silent_at: str) -> Iterator[int]:
    """A mail server over TLS that answers every step but one: "greeting", a command's word, or "." for the last dot."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    answers = {"greeting": "220 m", "EHLO": "250 m", "DATA": "354 go on", "QUIT": "221 bye"}
    over = threading.Event()

    def talk(plain: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as line, line.makefile("rwb", 0) as file:
            word = "greeting"
            while word != silent_at:
                file.write(f"{answers.get(word, '250 2.0.0 ok')}\r\n".encode())
                if word == "DATA":
                    while (said := file.readline()) not in (b".\r\n", b""):
                        pass
                    word = "."
                else:
                    said = file.readline()
                    word = said[:4].decode().strip().upper()
                if not said:
                    return
            over.wait(30)

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
