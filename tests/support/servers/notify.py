"""A GOV.UK Notify that is as strict as the real one, on a loopback port; built from its contract alone.

It checks what it is sent in the order in which Notify does, and answers in the same form. ``Knobs`` make it late,
slow, forgetful and full.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SERVICE = "26785a09-ab16-4eb0-8407-a37497a57506"
SECRET = "3d844edf-8d35-48ac-975b-e847b4f122b0"
API_KEY = f"monitor-live-{SERVICE}-{SECRET}"
TEMPLATE = "f33517ff-2a88-4f6e-b855-c550268ce08a"
REPLY_TO = "8e222534-7f05-4972-86e3-17c5d9f894e2"
LARGEST_FILE = 2 * 1024 * 1024 + 1024
LARGEST_EMAIL = 2_000_000
FILE_TYPES = ("csv", "doc", "docx", "jpeg", "jpg", "json", "odt", "pdf", "png", "rtf", "txt", "xlsx")
FIELDS = {
    "email_address", "template_id", "personalisation", "reference", "email_reply_to_id", "one_click_unsubscribe_url",
    "sanitise_content_for", "scheduled_for",
}  # fmt: skip
FILE_FIELDS = {"file", "filename", "confirm_email_before_download", "retention_period", "is_csv"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
PLACEHOLDER = re.compile(r"\(\(([^()?]+)\)\)")


class Refusal(Exception):
    def __init__(self, status: int, kind: str, *messages: str) -> None:
        self.status = status
        self.body = {"status_code": status, "errors": [{"error": kind, "message": words} for words in messages]}


@dataclass
class Knobs:
    """How the service behaves; each may be turned while it runs."""

    clock_skew: float = 0
    fault: tuple[int, str, str] | None = None
    """Answer every POST with this status, kind and message."""
    page: tuple[int, bytes] | None = None
    """Answer every request with this status and a page that is not Notify's."""
    drop_after_accepting: int = 0
    """So many of the next POSTs are taken, and the connection is cut before the answer."""
    stall_seconds: float = 0
    seen_after_seconds: float = 0
    """How late the list shows what was taken."""
    script: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By address: what each GET of a message's status says, the last for ever."""
    bucket: int | None = None
    """So many POSTs are let through, then 429."""
    day_limit: int | None = None
    page_size: int = 250
    key_type: str = "live"
    team: frozenset[str] = frozenset()
    template: str = "((body))"
    template_type: str = "email"
    archived: bool = False
    may_send_email: bool = True
    files_set_up: bool = True
    virus: bool = False


@dataclass
class Sent:
    """One message the service took."""

    id: str
    reference: str | None
    address: str
    subject: str
    body: str
    files: dict[str, bytes]
    taken_at: float
    asked: int = 0


@dataclass
class NotifyServer:
    url: str
    knobs: Knobs
    sent: list[Sent] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def to(self, address: str) -> list[Sent]:
        return [one for one in self.sent if one.address == address]


def authenticate(header: str | None, now: float) -> None:
    """In the order of the contract; all but a missing or strange header is 403."""
    if not header:
        raise Refusal(401, "AuthError", "Unauthorized: authentication token must be provided")
    if header[:7].title() != "Bearer ":
        raise Refusal(401, "AuthError", "Unauthorized: authentication bearer scheme must be used")
    try:
        head, claims, signature = header[7:].split(".")
        said, content = json.loads(_unbase64(head)), json.loads(_unbase64(claims))
    except (ValueError, binascii.Error):
        raise Refusal(403, "AuthError", "Invalid token: signature, api token not found") from None
    if said.get("alg") != "HS256" or said.get("typ") != "JWT":
        raise Refusal(403, "AuthError", "Invalid token: algorithm used is not HS256")
    if "iss" not in content:
        raise Refusal(403, "AuthError", "Invalid token: iss field not provided")
    if not UUID.fullmatch(str(content["iss"])):
        raise Refusal(403, "AuthError", "Invalid token: service id is not the right data type")
    if content["iss"] != SERVICE:
        raise Refusal(403, "AuthError", "Invalid token: service not found")
    right = hmac.new(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(right, _unbase64(signature)):
        raise Refusal(403, "AuthError", "Invalid token: API key not found")
    if set(content) != {"iss", "iat"} or not isinstance(content["iat"], int):
        raise Refusal(403, "AuthError", "Invalid token: claims")
    if abs(now - content["iat"]) > 30:
        raise Refusal(403, "AuthError", "Error: Your system clock must be accurate to within 30 seconds")


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_schema(content: Any) -> None:
    """Every fault of the request's form together."""
    found = []
    if not isinstance(content, dict):
        raise Refusal(400, "ValidationError", "request is not of type object")
    found += [f"{name} is a required property" for name in ("email_address", "template_id") if name not in content]
    address = content.get("email_address", "a@b.cd")
    if not isinstance(address, str) or not re.fullmatch(r"[^@\s,;<>\"()]+@[^@\s,;<>\"()]+\.[^@\s,;<>\"()]+", address):
        found.append("email_address Not a valid email address")
    for name in ("template_id", "email_reply_to_id"):
        if name in content and not UUID.fullmatch(str(content[name])):
            found.append(f"{name} is not a valid UUID")
    if not isinstance(content.get("personalisation", {}), dict):
        found.append("personalisation is not of type object")
    reference = content.get("reference")
    if reference is not None and (not isinstance(reference, str) or len(reference) > 1000):
        found.append("reference is too long")
    link = content.get("one_click_unsubscribe_url")
    if link is not None and not re.match(r"https.*", str(link)):
        found.append("one_click_unsubscribe_url is not a valid https url")
    found += [
        f"Additional properties are not allowed ({name} was unexpected)" for name in sorted(set(content) - FIELDS)
    ]
    if found:
        raise Refusal(400, "ValidationError", *found)


def check_file(value: Mapping[str, Any], knobs: Knobs) -> bytes:
    """A file of the personalisation: its form, the service's set-up, then what is in it."""
    found = []
    if set(value) - FILE_FIELDS:
        found.append("personalisation Additional properties are not allowed")
    period = value.get("retention_period", "26 weeks")
    weeks = re.fullmatch(r"(\d+) weeks?", str(period))
    if not weeks or not 1 <= int(weeks[1]) <= 78:
        found.append("retention_period must be between 1 and 78 weeks")
    if value.get("confirm_email_before_download") not in (True, False, None):
        found.append("confirm_email_before_download must be true or false")
    if "is_csv" in value and not isinstance(value["is_csv"], bool):
        found.append("is_csv must be true or false")
    if "is_csv" in value and "filename" in value:
        found.append("filename must not be set together with is_csv")
    if found:
        raise Refusal(400, "ValidationError", *found)
    if not knobs.files_set_up:
        raise Refusal(
            400, "BadRequestError", "Send files by email has not been set up - add contact details for your service"
        )
    try:
        content = base64.b64decode(value["file"], validate=True)
    except (ValueError, TypeError):
        raise Refusal(400, "BadRequestError", "Document is not base64 encoded") from None
    name = value.get("filename", "list.csv" if value.get("is_csv") else "list.txt")
    if len(name) > 100:
        raise Refusal(400, "BadRequestError", "filename cannot be longer than 100 characters")
    if name.rpartition(".")[2].lower() not in FILE_TYPES:
        raise Refusal(400, "BadRequestError", f"Unsupported file type {name.rpartition('.')[2]}")
    if not content:
        raise Refusal(400, "BadRequestError", "Document must not be empty")
    if len(content) > LARGEST_FILE:
        raise Refusal(400, "BadRequestError", "Uploaded file exceeds file size limit")
    if knobs.virus:
        raise Refusal(400, "BadRequestError", "File did not pass the virus scan")
    return content


def take(server: NotifyServer, header: str | None, raw: bytes) -> Sent:
    """Check a POST in Notify's order and keep the message; raises the first refusal."""
    knobs = server.knobs
    authenticate(header, time.time() + knobs.clock_skew)
    with server.lock:
        if knobs.bucket is not None:
            if knobs.bucket == 0:
                words = f"Exceeded rate limit for key type {knobs.key_type.upper()} of 3000 requests per 60 seconds"
                raise Refusal(429, "RateLimitError", words)
            knobs.bucket -= 1
    if knobs.day_limit is not None and len(server.sent) >= knobs.day_limit:
        raise Refusal(429, "TooManyRequestsError", f"Exceeded send limits (email: {knobs.day_limit}) for today")
    if knobs.fault is not None:
        raise Refusal(*knobs.fault)
    try:
        content = json.loads(raw)
    except ValueError:
        raise Refusal(400, "BadRequestError", "Invalid JSON supplied in POST data") from None
    check_schema(content)
    if not knobs.may_send_email:
        raise Refusal(400, "BadRequestError", "Service is not allowed to send emails")
    if content["template_id"].lower() != TEMPLATE:
        raise Refusal(400, "BadRequestError", "Template not found")
    if knobs.template_type != "email":
        kind = knobs.template_type
        raise Refusal(400, "BadRequestError", f"{kind} template is not suitable for email notification")
    if knobs.archived:
        raise Refusal(400, "BadRequestError", "Template has been deleted")
    values = content.get("personalisation", {})
    wanted = PLACEHOLDER.findall("((subject))" + knobs.template)
    missing = [name for name in dict.fromkeys(wanted) if name not in values]
    if missing:
        raise Refusal(400, "BadRequestError", f"Missing personalisation: {', '.join(missing)}")
    words = {name: "" if isinstance(value, dict) else str(value) for name, value in values.items()}
    body = PLACEHOLDER.sub(lambda found: words.get(found[1], ""), knobs.template)
    if not body.strip():
        raise Refusal(400, "BadRequestError", "Your message is empty.")
    reply_to = content.get("email_reply_to_id")
    if reply_to not in (None, REPLY_TO):
        raise Refusal(
            400, "BadRequestError",
            f"email_reply_to_id {reply_to} does not exist in database for service id {SERVICE}",
        )  # fmt: skip
    address = content["email_address"]
    if knobs.key_type == "team" and address not in knobs.team:
        raise Refusal(400, "BadRequestError", "Can\u2019t send to this recipient using a team-only API key")
    files = {name: check_file(value, knobs) for name, value in values.items() if isinstance(value, dict)}
    size = len(body.encode())
    if size > LARGEST_EMAIL:
        raise Refusal(
            400, "BadRequestError",
            f"Your message is too long. Emails cannot be longer than 2000000 bytes. Your message is {size} bytes.",
        )  # fmt: skip
    subject = words["subject"]
    one = Sent(str(uuid.uuid4()), content.get("reference"), address, subject, body, files, time.monotonic())
    with server.lock:
        server.sent.append(one)
    return one


def status_of(one: Sent, knobs: Knobs) -> str:
    scripted = knobs.script.get(one.address)
    if not scripted:
        return "delivered"
    return scripted[min(one.asked, len(scripted) - 1)]


def describe(one: Sent, knobs: Knobs) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = {f"line_{number}": None for number in range(1, 7)}
    return {
        "id": one.id, "reference": one.reference, "email_address": one.address, "phone_number": None, **lines,
        "postcode": None, "type": "email", "status": status_of(one, knobs),
        "template": {"version": 1, "id": TEMPLATE, "uri": f"/v2/template/{TEMPLATE}/version/1"},
        "body": one.body, "subject": one.subject, "created_at": now, "created_by_name": None, "sent_at": now,
        "completed_at": None, "scheduled_for": None, "postage": None, "one_click_unsubscribe_url": None,
        "cost_details": {}, "cost_in_pounds": 0, "is_cost_data_ready": True,
    }  # fmt: skip


def look(server: NotifyServer, header: str | None, path: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Answer a GET of one message or of the list."""
    knobs = server.knobs
    authenticate(header, time.time() + knobs.clock_skew)
    if path != "/v2/notifications":
        number = path.removeprefix("/v2/notifications/")
        if not UUID.fullmatch(number):
            raise Refusal(400, "ValidationError", "notification_id is not a valid UUID")
        found = [one for one in server.sent if one.id == number]
        if not found:
            raise Refusal(404, "NoResultFound", "No result found")
        described = describe(found[0], knobs)
        found[0].asked += 1
        return described
    unknown = set(query) - {"reference", "status", "template_type", "older_than", "include_jobs"}
    if unknown:
        words = [f"Additional properties are not allowed ({name} was unexpected)" for name in sorted(unknown)]
        raise Refusal(400, "ValidationError", *words)
    seen = [one for one in server.sent if time.monotonic() - one.taken_at >= knobs.seen_after_seconds]
    newest = [one for one in reversed(seen) if query.get("reference", [one.reference]) == [one.reference]]
    newest = [one for one in newest if "email" in query.get("template_type", ["email"])]
    if "older_than" in query:
        numbers = [one.id for one in newest]
        place = numbers.index(query["older_than"][0]) if query["older_than"][0] in numbers else len(numbers)
        newest = newest[place + 1 :]
    page = newest[: knobs.page_size]
    links = {"current": f"{server.url}/v2/notifications"}
    if page:
        links["next"] = f"{server.url}/v2/notifications?older_than={page[-1].id}"
    return {"notifications": [describe(one, knobs) for one in page], "links": links}


@contextmanager
def notify_server(knobs: Knobs | None = None) -> Iterator[NotifyServer]:
    """Serve until the block ends."""
    server = NotifyServer("", knobs or Knobs())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string((timestamp or time.time()) + server.knobs.clock_skew)

        def _answer(self, status: int, content: Any) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response_only(status)
            self.send_header("Date", self.date_time_string())
            self.send_header("Content-Type", "text/html" if isinstance(content, bytes) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _serve(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts, knobs, header = urlsplit(self.path), server.knobs, self.headers.get("Authorization")
            server.log.append((self.command, parts.path))
            if knobs.page is not None:
                return self._answer(*knobs.page)
            try:
                if self.command == "GET":
                    return self._answer(200, look(server, header, parts.path, parse_qs(parts.query)))
                if parts.path != "/v2/notifications/email":
                    raise Refusal(404, "NotFound", "The requested URL was not found on the server")
                one = take(server, header, raw)
                with server.lock:
                    dropped = knobs.drop_after_accepting > 0
                    knobs.drop_after_accepting -= dropped
                if dropped:
                    self.close_connection = True
                    return self.connection.close()
                time.sleep(knobs.stall_seconds)
                content = {
                    "from_email": "council@notifications.service.gov.uk", "body": one.body, "subject": one.subject,
                    "one_click_unsubscribe_url": None,
                }  # fmt: skip
                template = {
                    "id": TEMPLATE,
                    "version": 1,
                    "uri": f"{server.url}/services/{SERVICE}/templates/{TEMPLATE}",
                }
                return self._answer(201, {
                    "id": one.id, "reference": one.reference, "content": content,
                    "uri": f"{server.url}/v2/notifications/{one.id}", "template": template, "scheduled_for": None,
                    "sanitised_content": {},
                })  # fmt: skip
            except Refusal as refusal:
                return self._answer(refusal.status, refusal.body)

        do_GET = do_POST = _serve  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            pass  # a sender that is killed, or hangs up, is what some tests are about

    listener = Listener(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
