"""A Microsoft on a loopback port: its sign-in and Graph's sendMail, as strict as their contract says, and no more.

``Knobs`` make tokens short, secrets old, the mailbox forbidden and the service busy, slow and forgetful.
"""

import base64
import binascii
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formataddr, formatdate
from typing import Any
from urllib.parse import parse_qs

import jwt
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support.servers.http import Asked, Said, Server, as_json, serving

TENANT = "c0ffee00-1d0f-4a7c-8f3e-2f4b6f0a9d11"
CLIENT = "5e7d1c2a-8f4b-4d8a-9a53-0c6b1e7f2d90"
MAILBOX = "care-leaver-monitor@example.gov.uk"
SECRET = "wjL8Q~a secret+with=odd&letters"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
LARGEST_REQUEST = 4 * 1024 * 1024


@dataclass
class Knobs:
    """How the service behaves; each may be turned while it runs."""

    sign_in_fault: int | None = None
    """Refuse every sign-in with this error code."""
    sign_in_status: int | None = None
    """Answer every sign-in with this status, and nothing else."""
    expires_in: int | str | None = 3599
    token_uses: int | None = None
    """A token is no longer taken after so many requests, whatever was said of its time."""
    scope: str = GRAPH_SCOPE
    fault: tuple[int, str] | None = None
    """Answer every sendMail with this status and code."""
    faults_by_address: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    inner_key: str = "innerError"
    page: tuple[int, bytes] | None = None
    """Answer every sendMail with this status and a page that is not Graph's."""
    retry_after: int | None = None
    retry_as_date: bool = False
    throttle_next: int = 0
    """So many of the next sendMails are told 429."""
    most_at_once: int = 4
    largest_request: int = LARGEST_REQUEST
    drop_after_accepting: int = 0
    """So many of the next sendMails are taken, and the connection is cut before the answer."""
    stall_seconds: float = 0
    stalls_by_address: Mapping[str, float] = field(default_factory=dict)


@dataclass
class MicrosoftServer:
    url: str
    knobs: Knobs
    sent: list[EmailMessage] = field(default_factory=list)
    """What was taken, in order; one sent as JSON is put as the mail it describes."""
    saved: list[bool] = field(default_factory=list)
    sign_ins: list[Mapping[str, str]] = field(default_factory=list)
    log: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_seen_at_once: int = 0

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.sent if mail["To"] == address]

    @property
    def keys(self) -> list[str]:
        return [mail["X-Monitor-Key"] for mail in self.sent]


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str = "Something was wrong.") -> None:
        self.status, self.code, self.message = status, code, message


class _Service:
    def __init__(self, server: MicrosoftServer, certificate: bytes | None) -> None:
        self._server, self._lock = server, threading.Lock()
        self._certificate = x509.load_pem_x509_certificate(certificate) if certificate else None
        self._tokens: dict[str, tuple[float, int]] = {}

    def answer(self, asked: Asked) -> Said:
        if asked.path == f"/{TENANT}/oauth2/v2.0/token":
            return self._sign_in(asked)
        if asked.path.endswith("/oauth2/v2.0/token"):
            return self._no_token(400, "invalid_request", 90002)
        server = self._server
        with self._lock:
            server.at_once += 1
            server.most_seen_at_once = max(server.most_seen_at_once, server.at_once)
            crowded = server.at_once > server.knobs.most_at_once
        try:
            return self._graph(asked, crowded)
        except _Refused as refused:
            return self._refuse(refused)
        finally:
            with self._lock:
                server.at_once -= 1

    # The sign-in

    def _sign_in(self, asked: Asked) -> Said:
        knobs, form = self._server.knobs, {name: values[0] for name, values in parse_qs(asked.body).items()}
        self._server.sign_ins.append(form)
        if knobs.sign_in_status:
            return Said(b"", knobs.sign_in_status, self._retry())
        if knobs.sign_in_fault in (7000215, 7000222):
            return self._no_token(401, "invalid_client", knobs.sign_in_fault)
        if knobs.sign_in_fault:
            return self._no_token(400, "unauthorized_client", knobs.sign_in_fault)
        if asked.headers.get("Content-Type") != "application/x-www-form-urlencoded":
            return self._no_token(400, "invalid_request", 900144)
        if form.get("grant_type") != "client_credentials" or form.get("scope") != knobs.scope:
            return self._no_token(400, "invalid_scope", 70011)
        if form.get("client_id") != CLIENT:
            return self._no_token(400, "unauthorized_client", 700016)
        if "client_assertion" in form:
            if not self._is_signed(form):
                return self._no_token(401, "invalid_client", 700027)
        elif form.get("client_secret") != SECRET:
            return self._no_token(401, "invalid_client", 7000215)
        token = f"eyJ0.token-{len(self._tokens)}.x"
        life = 3599.0 if knobs.expires_in is None else float(knobs.expires_in)
        self._tokens[token] = (time.monotonic() + life, 0)
        life_said = {} if knobs.expires_in is None else {"expires_in": knobs.expires_in, "ext_expires_in": 3599}
        return as_json({"token_type": "Bearer", **life_said, "access_token": token})

    def _is_signed(self, form: Mapping[str, str]) -> bool:
        if self._certificate is None or form.get("client_assertion_type") != (
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        ):
            return False
        signed, audience = form["client_assertion"], f"{self._server.url}/{TENANT}/oauth2/v2.0/token"
        digest = hashlib.sha256(self._certificate.public_bytes(Encoding.DER)).digest()
        if jwt.get_unverified_header(signed).get("x5t#S256") != base64.urlsafe_b64encode(digest).decode().rstrip("="):
            return False
        wanted: Any = {"require": ["exp", "iss", "sub", "jti", "nbf"]}
        try:
            claims = jwt.decode(signed, self._certificate.public_key(), ["RS256"], audience=audience, options=wanted)  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            return False
        return bool(claims["iss"] == claims["sub"] == CLIENT)

    def _no_token(self, status: int, error: str, code: int) -> Said:
        described = f"AADSTS{code}: told to the developer alone."
        also = {"timestamp": "2026-01-05 08:00:00Z", "trace_id": "t", "correlation_id": "c", "error_uri": "u"}
        return as_json({"error": error, "error_description": described, "error_codes": [code], **also}, status)

    # sendMail

    def _graph(self, asked: Asked, crowded: bool) -> Said:
        server, knobs = self._server, self._server.knobs
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        with self._lock:
            until, uses = self._tokens.get(token, (0.0, 0))
            self._tokens[token] = (until, uses + 1)
        if time.monotonic() >= until or (knobs.token_uses is not None and uses >= knobs.token_uses):
            raise _Refused(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        if asked.method != "POST" or asked.path != f"/v1.0/users/{MAILBOX}/sendMail":
            raise _Refused(404, "ErrorInvalidUser", f"The requested user '{asked.path}' is invalid.")
        if len(asked.body.encode()) > knobs.largest_request:
            raise _Refused(413, "RequestEntityTooLarge")
        with self._lock:
            throttled = knobs.throttle_next > 0
            knobs.throttle_next -= throttled
        if crowded or throttled:
            raise _Refused(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
        if knobs.page:
            return Said(knobs.page[1], knobs.page[0], {"Content-Type": "text/html"})
        if knobs.fault:
            raise _Refused(*knobs.fault)
        mail, saved = _read(asked)
        recipient = str(mail["To"])
        if recipient in knobs.faults_by_address:
            raise _Refused(*knobs.faults_by_address[recipient])
        with self._lock:
            server.sent.append(mail)
            server.saved.append(saved)
            dropped = knobs.drop_after_accepting > 0
            knobs.drop_after_accepting -= dropped
        # It has it, and has not said so: nothing of one simulation arrives in the next.
        time.sleep(knobs.stalls_by_address.get(recipient, knobs.stall_seconds))
        if dropped:
            raise ConnectionAbortedError
        return Said(b"", 202)

    def _refuse(self, refused: _Refused) -> Said:
        inner = {"request-id": "5f3c", "client-request-id": "5f3c", "date": "2026-01-05T08:00:00"}
        error = {"code": refused.code, "message": refused.message, self._server.knobs.inner_key: inner}
        return as_json({"error": error}, refused.status, **self._retry())

    def _retry(self) -> dict[str, str]:
        knobs = self._server.knobs
        if knobs.retry_after is None:
            return {}
        return {"Retry-After": formatdate(time.time() + knobs.retry_after, usegmt=True) if knobs.retry_as_date
                else str(knobs.retry_after)}  # fmt: skip


def _read(asked: Asked) -> tuple[EmailMessage, bool]:
    """The mail that a request describes, in either form, and whether it is kept among the sent items."""
    kind = asked.headers.get("Content-Type", "")
    if kind == "text/plain":
        try:
            content = base64.b64decode(asked.body, validate=True)
        except binascii.Error:
            raise _Refused(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME.") from None
        return message_from_bytes(content, policy=policy.default), True
    if kind != "application/json":
        raise _Refused(415, "UnsupportedMediaType")
    content = json.loads(asked.body)
    message = content["message"]
    known = {"subject", "body", "toRecipients", "attachments", "internetMessageHeaders", "replyTo", "from"}
    if set(content) - {"message", "saveToSentItems"} or set(message) - known:
        raise _Refused(400, "RequestBodyRead", "The property does not exist on type 'microsoft.graph.message'.")
    saved = content.get("saveToSentItems", True)
    if not isinstance(saved, bool):
        raise _Refused(400, "RequestBodyRead", "Cannot convert the literal to the expected type 'Edm.Boolean'.")
    mail = EmailMessage()
    mail["Subject"] = message["subject"]
    mail["To"] = ", ".join(one["emailAddress"]["address"] for one in message["toRecipients"])
    if sender := message.get("from", {}).get("emailAddress"):
        mail["From"] = formataddr((sender.get("name", ""), sender["address"]))
    if message.get("replyTo"):
        mail["Reply-To"] = ", ".join(one["emailAddress"]["address"] for one in message["replyTo"])
    for header in message.get("internetMessageHeaders", []):
        if not header["name"].lower().startswith("x-"):
            raise _Refused(400, "InvalidInternetMessageHeader", f"'{header['name']}' should start with 'x-'.")
        mail[header["name"]] = header["value"]
    mail.set_content(
        message["body"]["content"], subtype=message["body"]["contentType"].lower().replace("text", "plain")
    )
    for file in message.get("attachments", []):
        if file["@odata.type"] != "#microsoft.graph.fileAttachment":
            raise _Refused(400, "RequestBodyRead")
        kind, _, subtype = file["contentType"].partition(";")[0].partition("/")
        mail.add_attachment(base64.b64decode(file["contentBytes"]), kind, subtype, filename=file["name"])
    return mail, saved


@contextmanager
def microsoft(
    knobs: Knobs | None = None, *, authority: trustme.CA | None = None, certificate: bytes | None = None
) -> Iterator[MicrosoftServer]:
    """Serve both on one address, over TLS where there is an ``authority`` for it.

    ``certificate``: in PEM form, of an application that signs in with one.
    """
    server = MicrosoftServer("", knobs or Knobs())
    service = _Service(server, certificate)
    context: ssl.SSLContext | None = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
    listening: Server
    with serving(service.answer, context) as listening:
        server.url, server.log = listening.url, listening.log
        yield server
