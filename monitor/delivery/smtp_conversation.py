"""One connection to a mail server: what is said on it, step by step, each with its own time (RFC 5321, 4.5.3.2)."""

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from monitor.config.smtp_settings import Smtp
from monitor.delivery.envelope import Envelope
from monitor.network.certificates import causes
from monitor.words import write_count

Step = Literal["connecting", "greeting", "hello", "mail", "rcpt", "data", "block", "last_dot"]
Answer = tuple[int, bytes]

AWAITED: Mapping[Step, str] = {
    "connecting": "a connection",
    "greeting": "its greeting",
    "hello": "its answer to EHLO, STARTTLS or the login",
    "mail": "its answer to the sender (MAIL)",
    "rcpt": "its answer to the recipient (RCPT)",
    "data": "its leave to send the message (DATA)",
    "block": "it to take in a part of the message",
    "last_dot": "its answer to the whole message (the last dot)",
}
BLOCK = 65_536
"""Bytes that are sent at a time."""
LEAVE_SECONDS = 5
DSN_WANTED = ("RET=HDRS", "NOTIFY=FAILURE,DELAY")


class Conversation(smtplib.SMTP):
    """A connection to one mail server, used by one thread at a time. ``step``: what it waits for, or waited for last.

    Every method raises ``OSError``, of which smtplib's own faults are a kind.
    """

    def __init__(self, settings: Smtp, context: ssl.SSLContext) -> None:
        super().__init__(timeout=settings.timeout_seconds)
        self.step: Step = "connecting"
        self._settings, self._context = settings, context
        self._host = settings.host  # smtplib's own: the name that the certificate must have

    def open(self) -> None:
        """Connect, read the greeting, and go over to TLS."""
        code, answer = self.connect(self._settings.host, self._settings.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)
        self._enter("hello")
        if self._settings.security == "starttls":
            self.starttls(context=self._context)
        self.ehlo_or_helo_if_needed()

    def present_token(self, mailbox: str, token: str) -> None:
        """Log in by XOAUTH2; a server that refuses says why, waits for an empty line, and then refuses."""
        if "XOAUTH2" not in self.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("XOAUTH2")
        said = f"user={mailbox}\x01auth=Bearer {token}\x01\x01"
        code, answer = self.docmd("AUTH", f"XOAUTH2 {base64.b64encode(said.encode()).decode()}")
        if code == 334:
            code, answer = self.docmd("")
        if code != 235:
            raise smtplib.SMTPAuthenticationError(code, answer)

    def offer(self, envelope: Envelope, size: int) -> Answer:
        """Say all before the content; return the server's leave (354), or the answer that refused it."""
        limit = self.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            self.step = "data"
            return 552, b"5.3.4 larger than the server takes"
        wanted, notify = DSN_WANTED if self.has_extn("dsn") else ("", "")
        options = [f"size={size}"] if self.has_extn("size") else []
        self._enter("mail")
        code, answer = self.mail(envelope.sender, [*options, wanted, f"ENVID={envelope.key}"] if wanted else options)
        if code == 250:
            self._enter("rcpt")
            code, answer = self.rcpt(envelope.recipient, [notify] if notify else [])
        if code in (250, 251):
            self._enter("data")
            code, answer = self.docmd("data")
        return code, answer

    def transmit(self, content: bytes) -> None:
        """Send the content without the dot that ends it: until that has gone, nothing can have been accepted."""
        self._enter("block")
        dotted = re.sub(rb"(?m)^\.", b"..", content)
        dotted += b"" if dotted.endswith(b"\r\n") else b"\r\n"
        for start in range(0, len(dotted), BLOCK):
            self.send(dotted[start : start + BLOCK])

    def end_message(self) -> Answer:
        """Send the last dot; return the server's answer to the whole message."""
        self._enter("last_dot")
        self.send(b".\r\n")
        return self.getreply()

    def reset(self) -> None:
        """Make ready for another message."""
        self._enter("mail")
        self.rset()

    def leave(self) -> None:
        """Take leave of the server, but not wait for it."""
        with suppress(OSError):
            if self.sock is not None:
                self.sock.settimeout(LEAVE_SECONDS)
            self.quit()
        self.close()

    @property
    def waited(self) -> str:
        """Return which step was waited for, how long, and the setting that changes it."""
        if self.step == "connecting":
            seconds, key = self._settings.timeout_seconds, "timeout_seconds"
        else:
            seconds, key = getattr(self._settings.step_seconds, self.step), f"step_seconds.{self.step}"
        return f"waited {write_count(seconds, 'second')} for {AWAITED[self.step]}; delivery.smtp.{key} allows longer"

    @property
    def is_encrypted(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    def _enter(self, step: Step) -> None:
        self.step = step
        if self.sock is not None:
            self.sock.settimeout(getattr(self._settings.step_seconds, step))

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        try:
            if self._settings.security == "tls":
                # Wrapped before it shakes hands: else nobody could close one that is stopped while it waits.
                made = wrapped = self._context.wrap_socket(made, server_hostname=host, do_handshake_on_connect=False)
                wrapped.do_handshake()
        except BaseException:
            made.close()
            raise
        self.step = "greeting"
        made.settimeout(self._settings.step_seconds.greeting)
        return made


def was_waiting(fault: BaseException) -> bool:
    """Return whether a fault is a time that ran out; smtplib gives it out as a connection lost."""
    return any(isinstance(cause, TimeoutError) for cause in causes(fault))
