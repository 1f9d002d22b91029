"""Delivery by SMTP over verified TLS: never in the clear, and plain about what may have been accepted."""

import re
import smtplib
import ssl

from monitor.config.smtp_settings import Smtp
from monitor.delivery.envelope import Envelope, Receipt, build_mail
from monitor.delivery.smtp_connections import Connections
from monitor.delivery.smtp_conversation import Conversation, was_waiting
from monitor.delivery.smtp_login import NO_PASSWORDS, Password, SendingApp, read_login
from monitor.errors import DeliveryError, Problems
from monitor.network.certificates import explain_certificate, make_context
from monitor.network.policy import Network, NotUsable

LOGIN_WANTED = (530, 534, 535, 538)
"""Answers that are about the settings, not about one message."""
NOT_AS_SENDER = ("5.2.252", "5.7.60")
"""Exchange's answers, at whatever step, to one who may not send as delivery.sender."""
CA_FILE = "network.ca_file or delivery.smtp.ca_file"


class SmtpChannel:
    """One mail server, by a few connections at once, made at the first messages and used for the rest."""

    name = "smtp"
    idempotent = False
    tracing = None

    def __init__(self, settings: Smtp, network: Network, *, sender: str) -> None:
        """``sender``: the mailbox that OAuth sends from where the config names no other.

        Raises ``Problems`` when a variable is missing or the authority file is not certificates.
        """
        self._settings = settings
        self._place = f"mail server {settings.host}:{settings.port}"
        self._login = read_login(settings, network, sender)
        self._context = _trust(settings, network)
        self._connections = Connections(self._connect, settings.connections)
        self._worked: str | None = None
        """The token that was last accepted: where it no longer is, it has ended before its time."""

    @property
    def at_once(self) -> int:
        return self._settings.connections

    def send(self, envelope: Envelope) -> Receipt:
        """Return the server's answer to a message that it took, not delivered; raises ``DeliveryError``.

        Permanent: the server refused this message outright (5xx). Ambiguous: the whole message had gone when
        the connection was lost, so it may have been accepted. It stops the rest where the server cannot be used, or
        takes nothing from this sender. Anything else can be tried again.
        """
        content = build_mail(envelope).as_bytes()
        if len(content) > self._settings.largest_kilobytes * 1024:
            raise DeliveryError(
                f"message {envelope.key}: is {len(content) // 1024:,} kB, more than delivery.smtp.largest_kilobytes "
                "lets out; raise the limit if the server takes more",
                permanent=True,
            )
        conversation, code, answer = self._offer(envelope, len(content))
        if code == 354:
            code, answer = self._transmit(conversation, content)
        if 200 <= code < 300:
            self._connections.give_back(conversation)
            return Receipt(_status(code, answer))
        raise self._refused(conversation, code, answer)

    def close(self) -> None:
        self._connections.close()

    def _offer(self, envelope: Envelope, size: int) -> tuple[Conversation, int, bytes]:
        """Open the message on a connection; on another one where the server has ended one that was used before."""
        while True:
            conversation, used = self._connections.take()
            try:
                code, answer = conversation.offer(envelope, size)
            except OSError as fault:
                self._connections.drop(conversation)
                if used and not was_waiting(fault):
                    continue
                raise self._lost(conversation, fault) from None
            if used and code == 421:
                self._connections.drop(conversation)
                continue
            return conversation, code, answer

    def _transmit(self, conversation: Conversation, content: bytes) -> tuple[int, bytes]:
        """Send the content, then the dot that ends it; only what is lost after that dot is ambiguous."""
        try:
            conversation.transmit(content)
        except OSError as fault:
            self._connections.drop(conversation)
            raise self._lost(conversation, fault) from None
        lost = "connection lost after the message had gone"
        try:
            code, answer = conversation.end_message()
        except OSError as fault:
            code, answer = -1, b""
            lost = conversation.waited if was_waiting(fault) else lost
        if 200 <= code < 300 or 400 <= code < 600:
            return code, answer
        self._connections.drop(conversation)
        raise DeliveryError(f"{self._place}: {lost}; it may have been accepted", ambiguous=True)

    # Connecting

    def _connect(self) -> Conversation:
        """Connect and log in, with a new token where one that worked before is refused."""
        if not isinstance(self._login, SendingApp):
            return self._open(None)
        from monitor.delivery.entra import ask_token  # an HTTP client takes long to load

        tokens = self._login.tokens
        token = ask_token(tokens.current, self._place)
        try:
            made = self._open(token)
        except DeliveryError:
            if token != self._worked:
                raise
            token = ask_token(lambda: tokens.renew(token), self._place)
            made = self._open(token)
        self._worked = token
        return made

    def _open(self, token: str | None) -> Conversation:
        conversation = Conversation(self._settings, self._context)
        try:
            conversation.open()
            if isinstance(self._login, SendingApp) and token:
                conversation.present_token(self._login.mailbox, token)
            elif isinstance(self._login, Password):
                conversation.login(self._login.username, self._login.value)
        except BaseException as fault:
            encrypted = conversation.is_encrypted
            conversation.close()
            if not isinstance(fault, OSError):
                raise
            why = self._explain(fault, conversation, encrypted=encrypted)
            raise DeliveryError(f"{self._place}: {why}", stops=True) from None
        return conversation

    def _explain(self, fault: OSError, conversation: Conversation, *, encrypted: bool) -> str:
        if was_waiting(fault):
            return f"{conversation.waited}; or check host, port and the firewall"
        if isinstance(fault, smtplib.SMTPException):
            return self._explain_answer(fault, encrypted=encrypted)
        if certificate := explain_certificate(fault, self._settings.host, CA_FILE):
            return certificate
        if isinstance(fault, ssl.SSLError):
            reason = (fault.reason or "no reason given").replace("_", " ").lower()
            return f'no TLS connection ({reason}); check port and security ("starttls" or "tls")'
        return _explain_unreachable(fault)

    def _explain_answer(self, fault: smtplib.SMTPException, *, encrypted: bool) -> str:
        if isinstance(fault, smtplib.SMTPAuthenticationError) and self._login and 500 <= fault.smtp_code < 600:
            return self._login.explain(fault.smtp_code, _status(fault.smtp_code, fault.smtp_error))
        if isinstance(fault, smtplib.SMTPNotSupportedError) and not encrypted:
            return "offers no STARTTLS, so nothing was sent; use a server that does"
        if isinstance(fault, smtplib.SMTPNotSupportedError) and isinstance(self._login, SendingApp):
            return "takes no login by OAuth (XOAUTH2); check host, or take out the [delivery.smtp.oauth] table"
        if isinstance(fault, smtplib.SMTPNotSupportedError):
            return "offers no way to log in; leave out username_env and password_env, or ask its keeper"
        if isinstance(fault, smtplib.SMTPResponseException):
            return f"not ready ({fault.smtp_code}); try again later, or ask its keeper"
        if not isinstance(fault, smtplib.SMTPServerDisconnected) and isinstance(self._login, Password):
            # None of the ways to log in that it offers is by a password.
            exchange = self._settings.warning is not None
            return NO_PASSWORDS if exchange else "takes no user name and password; ask its keeper how to log in"
        return _explain_unreachable(fault)

    # Refusals

    def _refused(self, conversation: Conversation, code: int, answer: bytes) -> DeliveryError:
        """Return the server's no as a fault. Only its numbers are kept: its words may hold an address.

        A full mailbox is emptied one day, whatever the first digit says. A sender refused is refused in every message.
        """
        step, status = conversation.step, _status(code, answer)
        self._reset(conversation, end=code == 421 or code in LOGIN_WANTED)
        if code in LOGIN_WANTED:
            return self._connections.condemn(
                f"{self._place}: wants a login ({code}); give username_env and password_env, or at Exchange Online a "
                "[delivery.smtp.oauth] table"
            )
        if re.search(r"[45]\.2\.2$", status) or (step == "rcpt" and status == "552"):
            return DeliveryError(f"{self._place}: the mailbox is full ({status}); it will be tried again")
        permanent = 500 <= code < 600
        if permanent and ((step == "mail" and code != 552) or status.endswith(NOT_AS_SENDER)):
            return self._connections.condemn(
                f"{self._place}: takes no mail from delivery.sender ({status}); check it with its keeper"
            )
        remedy = "check the address and the server's rules" if permanent else "it will be tried again"
        said = "refused the message" if permanent else "did not take the message for now"
        return DeliveryError(f"{self._place}: {said} ({status}); {remedy}", permanent=permanent)

    def _reset(self, conversation: Conversation, *, end: bool) -> None:
        """Make the connection ready for another message, or end it."""
        try:
            if not end:
                conversation.reset()
        except OSError:
            end = True
        (self._connections.drop if end else self._connections.give_back)(conversation)

    def _lost(self, conversation: Conversation, fault: OSError) -> DeliveryError:
        """Return the fault of a message that cannot have gone; a server that is silent to no one reader stops all."""
        waiting = was_waiting(fault)
        reason = conversation.waited if waiting else "connection lost before the message had gone"
        stops = waiting and conversation.step not in ("rcpt", "block")
        return DeliveryError(f"{self._place}: {reason}; it will be tried again", stops=stops)


def _explain_unreachable(fault: OSError) -> str:
    reason = getattr(fault, "strerror", None) or "connection closed"
    return f"cannot be reached ({reason}); check host, port and the firewall"


def _status(code: int, answer: bytes | str) -> str:
    """Return the reply's code with its enhanced status, as in "550 5.1.1"."""
    words = answer.decode("ascii", "replace") if isinstance(answer, bytes) else answer
    enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}", words)
    return f"{code} {enhanced.group()}" if enhanced else str(code)


def _trust(settings: Smtp, network: Network) -> ssl.SSLContext:
    try:
        return make_context(network.trusting(settings.ca_file).ca_files)
    except NotUsable as fault:
        raise Problems([f"delivery.smtp: {fault}"]) from None
