"""Delivery by SMTP over verified TLS: never in the clear, and plain about what may have been accepted."""

import re
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from monitor.config.delivery_settings import Smtp
from monitor.delivery.envelope import Envelope, Receipt, build_mail
from monitor.errors import DeliveryError, Problems
from monitor.network.certificates import explain_certificate, make_context
from monitor.network.policy import Network, NotUsable

LOGIN_WANTED = (530, 534, 535, 538)
"""Answers that are about the settings, not about one message."""
CA_FILE = "network.ca_file or delivery.smtp.ca_file"
Step = Literal["sender", "recipient", "content"]


@dataclass(frozen=True)
class Login:
    """Who the monitor is to the mail server; the variables' names are for messages, the values for nobody."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    variables: str


class SmtpChannel:
    """One connection to one mail server, made at the first message and used for the rest.

    When the server cannot be used at all, every later message fails at once with the same words rather
    than waiting for it again.
    """

    name = "smtp"
    idempotent = False
    tracing = None
    at_once = 1

    def __init__(self, settings: Smtp, network: Network) -> None:
        """Raises ``Problems`` when a variable is missing or the authority file is not certificates."""
        self._settings = settings
        self._place = f"mail server {settings.host}:{settings.port}"
        self._login = _read_login(settings, network.environ)
        self._context = _trust(settings, network)
        self._connection: smtplib.SMTP | None = None
        self._unusable: str | None = None

    def send(self, envelope: Envelope) -> Receipt:
        """Return the server's answer to the message; raises ``DeliveryError``.

        Permanent: the server refused this message outright (5xx). Ambiguous: the whole message had gone when
        the connection was lost, so it may have been accepted. It stops the rest where the server cannot be used, or
        takes nothing from this sender. Anything else can be tried again.
        """
        mail = build_mail(envelope)
        content = mail.as_bytes()
        if len(content) > self._settings.largest_kilobytes * 1024:
            raise DeliveryError(
                f"message {envelope.key}: is {len(content) // 1024:,} kB, more than delivery.smtp.largest_kilobytes "
                "lets out; raise the limit if the server takes more",
                permanent=True,
            )
        connection, step, code, answer = self._offer(envelope, len(content))
        if code in LOGIN_WANTED:
            self._drop()
            self._unusable = f"{self._place}: wants a login ({code}); give username_env and password_env"
            raise DeliveryError(self._unusable, stops=True)
        if code != 354:
            raise self._refused(step, code, answer)
        return Receipt(self._transmit(connection, content))

    def _offer(self, envelope: Envelope, size: int) -> tuple[smtplib.SMTP, Step, int, bytes]:
        """Open the message on the connection, or once on a new one where the server has dropped a used one."""
        reused = self._connection is not None
        connection = self._connected()
        try:
            return (connection, *self._open_message(connection, envelope, size))
        except OSError as fault:
            self._drop()
            if reused:
                return self._offer(envelope, size)
            raise self._lost(fault) from None

    def close(self) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.quit()
            self._drop()

    def _connected(self) -> smtplib.SMTP:
        if self._unusable is not None:
            raise DeliveryError(self._unusable, stops=True)
        if self._connection is None:
            try:
                self._connection = self._connect()
            except DeliveryError as fault:
                self._unusable = str(fault)
                raise
        return self._connection

    def _connect(self) -> smtplib.SMTP:
        settings, where = self._settings, (self._settings.host, self._settings.port)
        connection: smtplib.SMTP | None = None
        try:
            if settings.security == "tls":
                connection = smtplib.SMTP_SSL(*where, timeout=settings.timeout_seconds, context=self._context)
            else:
                connection = smtplib.SMTP(*where, timeout=settings.timeout_seconds)
                connection.starttls(context=self._context)
            connection.ehlo_or_helo_if_needed()
            if self._login:
                connection.login(self._login.username, self._login.password)
        except OSError as fault:
            encrypted = isinstance(connection and connection.sock, ssl.SSLSocket)
            if connection is not None:
                connection.close()
            raise DeliveryError(f"{self._place}: {self._explain(fault, encrypted)}", stops=True) from None
        return connection

    def _explain(self, fault: OSError, encrypted: bool) -> str:
        if isinstance(fault, smtplib.SMTPException):
            return self._explain_answer(fault, encrypted)
        if certificate := explain_certificate(fault, self._settings.host, CA_FILE):
            return certificate
        if isinstance(fault, ssl.SSLError):
            reason = (fault.reason or "no reason given").replace("_", " ").lower()
            return f'no TLS connection ({reason}); check port and security ("starttls" or "tls")'
        if isinstance(fault, TimeoutError):
            return f"no answer within {self._settings.timeout_seconds} seconds; check host, port and the firewall"
        return _explain_unreachable(fault)

    def _explain_answer(self, fault: smtplib.SMTPException, encrypted: bool) -> str:
        if isinstance(fault, smtplib.SMTPAuthenticationError):
            variables = self._login.variables if self._login else ""
            return f"user name or password not accepted ({fault.smtp_code}); check {variables}"
        if isinstance(fault, smtplib.SMTPNotSupportedError):
            if encrypted or self._settings.security == "tls":
                return "offers no way to log in; leave out username_env and password_env, or ask its keeper"
            return "offers no STARTTLS, so nothing was sent; use a server that does"
        if isinstance(fault, smtplib.SMTPResponseException):
            return f"not ready ({fault.smtp_code}); try again later, or ask its keeper"
        return _explain_unreachable(fault)

    def _open_message(self, connection: smtplib.SMTP, envelope: Envelope, size: int) -> tuple[Step, int, bytes]:
        """Send all before the content; return the server's leave (354), or the answer that refused it, and to what."""
        step: Step = "sender"
        limit = connection.esmtp_features.get("size", "")
        if limit.isdigit() and 0 < int(limit) < size:
            return "content", 552, b"5.3.4 larger than the server takes"
        options = [f"size={size}"] if connection.has_extn("size") else []
        code, answer = connection.mail(envelope.sender, options)
        if code == 250:
            step = "recipient"
            code, answer = connection.rcpt(envelope.recipient)
        if code in (250, 251):
            step = "content"
            connection.putcmd("data")
            code, answer = connection.getreply()
        return step, code, answer

    def _transmit(self, connection: smtplib.SMTP, content: bytes) -> str:
        """Send the content, then the dot that ends it; only what is lost after that dot is ambiguous."""
        try:
            connection.send(re.sub(rb"(?m)^\.", b"..", content))
            if not content.endswith(b"\r\n"):
                connection.send(b"\r\n")
        except OSError as fault:
            self._drop()
            raise self._lost(fault) from None
        try:
            connection.send(b".\r\n")
            code, answer = connection.getreply()
        except OSError:
            code, answer = -1, b""
        if 200 <= code < 300:
            return _status(code, answer)
        if 400 <= code < 600:
            raise self._refused("content", code, answer)
        self._drop()
        raise DeliveryError(
            f"{self._place}: connection lost after the message had gone; it may have been accepted", ambiguous=True
        )

    def _refused(self, step: Step, code: int, answer: bytes) -> DeliveryError:
        """Return the server's no as a fault. Only its numbers are kept: its words may hold an address.

        A full mailbox is emptied one day, whatever the first digit says. A sender refused is refused in every message.
        """
        self._reset(end=code == 421)
        status = _status(code, answer)
        if re.search(r"[45]\.2\.2$", status) or (step == "recipient" and status == "552"):
            return DeliveryError(f"{self._place}: the mailbox is full ({status}); it will be tried again")
        permanent = 500 <= code < 600
        if step == "sender" and permanent and code != 552:
            self._unusable = f"{self._place}: takes no mail from delivery.sender ({status}); check it with its keeper"
            return DeliveryError(self._unusable, stops=True)
        remedy = "check the address and the server's rules" if permanent else "it will be tried again"
        said = "refused the message" if permanent else "did not take the message for now"
        return DeliveryError(f"{self._place}: {said} ({status}); {remedy}", permanent=permanent)

    def _reset(self, *, end: bool) -> None:
        """Make the connection ready for another message, or end it."""
        try:
            if end or self._connection is None:
                self._drop()
            else:
                self._connection.rset()
        except OSError:
            self._drop()

    def _lost(self, fault: Exception) -> DeliveryError:
        reason = "no answer in time" if isinstance(fault, TimeoutError) else "connection lost"
        return DeliveryError(f"{self._place}: {reason} before the message had gone; it will be tried again")

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _explain_unreachable(fault: OSError) -> str:
    reason = getattr(fault, "strerror", None) or "connection closed"
    return f"cannot be reached ({reason}); check host, port and the firewall"


def _status(code: int, answer: bytes) -> str:
    """Return the reply's code with its enhanced status, as in "550 5.1.1"."""
    enhanced = re.match(rb"[245]\.\d{1,3}\.\d{1,3}", answer)
    return f"{code} {enhanced.group().decode()}" if enhanced else str(code)


def _read_login(settings: Smtp, environ: Mapping[str, str]) -> Login | None:
    if settings.username_env is None or settings.password_env is None:
        return None
    names = {"username_env": settings.username_env, "password_env": settings.password_env}
    missing = [
        f"delivery.smtp.{key}: the environment has no {name}; set it before starting"
        for key, name in names.items()
        if not environ.get(name)
    ]
    if missing:
        raise Problems(missing)
    return Login(environ[settings.username_env], environ[settings.password_env], " and ".join(names.values()))


def _trust(settings: Smtp, network: Network) -> ssl.SSLContext:
    try:
        return make_context(network.trusting(settings.ca_file).ca_files)
    except NotUsable as fault:
        raise Problems([f"delivery.smtp: {fault}"]) from None
