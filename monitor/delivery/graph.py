"""Delivery through Microsoft Graph's sendMail, from a mailbox of Exchange Online.

Graph answers 202 when it has put the message among the mailbox's drafts for transport: taken, not delivered. It gives
no number by which to ask about it, and takes the same message twice if it is asked twice, so what may have gone is
held, or sent again and marked. Answers are told apart by status and code, never by their words.
"""

import base64
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from monitor.config.graph_settings import Graph
from monitor.delivery.entra import ask_token, open_tokens
from monitor.delivery.envelope import SUPPRESSED, Envelope, Receipt, build_mail, check_addressed
from monitor.errors import DeliveryError, DoubtfulRefusal
from monitor.network.http_client import make_client
from monitor.network.line_faults import Outside, explain_line
from monitor.network.policy import Network, NotUsable
from monitor.network.retry_after import read_retry_after

PLACE = "Microsoft Graph"
LARGEST_REQUEST = 4_000_000
"""Bytes of a request's body, base64 counted; Graph takes 4 MB."""
AT_ONCE = 4
A_MINUTE = 30
"""Messages that Exchange Online takes from one mailbox."""
LONGEST_WAIT = 60
"""Seconds that one message waits for its turn; a longer wait is for a later delivery."""
LEAST_COUNTED = 20
"""Seconds that a wait counts as, so that one message is tried a few times at most, however short they are."""
REPEAT_AFTER = timedelta(minutes=2)
"""Beyond the timeout, before a message that may have gone is sent again."""

REMEDIES = {
    "erroraccessdenied": "an access policy keeps the application out of the mailbox; have an Exchange administrator "
    "let it in, which may take more than an hour to apply",
    "errorsendasdenied": "the mailbox may not send as delivery.sender; write the mailbox's own address there",
    "authorization_requestdenied": "the application has no permission Mail.Send; have an administrator grant the "
    "application permission and consent to it",
    "errorinvaliduser": "there is no such mailbox; correct delivery.graph.mailbox",
    "resourcenotfound": "there is no such mailbox; correct delivery.graph.mailbox",
    "mailboxnotenabledforrestapi": "delivery.graph.mailbox is not in Exchange Online, or has no licence",
    "errorinvalidrecipients": "the address is not one that Exchange takes",
    "errormimecontentinvalidbase64string": "the message could not be read",
}
"""What to do about a code; an unknown one is told by its name."""
TOO_LARGE = "errormessagesizeexceeded"
NO_LIST = "The list is too long to go with this message; it is where the exception lists are kept."


class Repeating:
    """Stands for the question that Graph cannot be asked: each message that may have gone counts as unknown to it.

    So the outbox sends it again, marked as a repeat, and holds it after a few.
    """

    def __init__(self, ask_after: timedelta) -> None:
        self.ask_after = ask_after

    def look_up(self, key: str) -> None:
        return None

    def ask(self, receipt: str) -> None:
        return None


class GraphChannel:
    """One mailbox, for up to four threads: it keeps to Graph's limits for all of them."""

    name = "graph"
    idempotent = False
    at_once = AT_ONCE

    def __init__(
        self,
        settings: Graph,
        sender: str,
        network: Network,
        *,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ``Problems`` when there is no secret or certificate, or it is none."""
        self._settings = settings
        self._mailbox = settings.mailbox or sender
        self._network = network
        self._tokens = open_tokens(settings, settings.scope, network, place="delivery.graph")
        self._turns = Turns(sleep, clock)
        self._client: httpx.Client | None = None
        self._opening = threading.Lock()

    @property
    def tracing(self) -> Repeating | None:
        if self._settings.ambiguous == "hold":
            return None
        return Repeating(timedelta(seconds=self._settings.timeout_seconds) + REPEAT_AFTER)

    def send(self, envelope: Envelope) -> Receipt:
        """Hand the message to Graph; raises ``DeliveryError``.

        Ambiguous: no answer after the request had gone, or one that does not say what became of it. It stops the rest
        where the answer is about the application, the mailbox, the limits or an outage. Permanent: this message was
        refused. A list too large to go along is left out, and the message says so.
        """
        check_addressed(envelope)
        with_list = self._settings.attach_list and bool(envelope.lists)
        if with_list:
            kind, content = self._write(envelope, with_list=True)
            if len(content) <= LARGEST_REQUEST:
                answer = self._post(kind, content)
                if not _is_too_large(answer):
                    return self._judge(envelope, answer)
            envelope = _without_list(envelope)
        kind, content = self._write(envelope, with_list=False)
        if len(content) > LARGEST_REQUEST:
            raise _too_large(envelope)
        return self._judge(envelope, self._post(kind, content))

    def close(self) -> None:
        with self._opening:
            if self._client is not None:
                self._client.close()
                self._client = None

    # What is sent

    def _write(self, envelope: Envelope, *, with_list: bool) -> tuple[str, bytes]:
        """Return a request's kind and body: MIME, or JSON where no copy may stay in the mailbox."""
        if self._settings.save_to_sent_items:
            content = (_attach(envelope) if with_list else build_mail(envelope)).as_bytes()
            return "text/plain", base64.b64encode(content)
        message = _describe(envelope, with_list=with_list)
        return "application/json", json.dumps({"message": message, "saveToSentItems": False}).encode()

    def _post(self, kind: str, content: bytes) -> httpx.Response:
        """Return Graph's answer, after one new token where it refuses the last, and the wait that it asks for."""
        path = f"/v1.0/users/{quote(self._mailbox, safe='@')}/sendMail"
        token = ask_token(self._tokens.current, PLACE)
        renewed, waited = False, 0.0
        while True:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
            try:
                with self._turns.take():
                    answer = self._connected().post(path, content=content, headers=headers)
            except httpx.HTTPError as fault:
                line = explain_line(fault, self._outside)
                if line.may_have_gone:
                    words = f"{PLACE}: {line.words}; the message may have been accepted"
                    raise DeliveryError(words, ambiguous=True) from None
                raise DeliveryError(f"{PLACE}: {line.words}", stops=True) from None
            asked = read_retry_after(answer.headers) if answer.status_code == 429 else None
            if answer.status_code == 401 and not renewed:
                token, renewed = ask_token(partial(self._tokens.renew, token), PLACE), True
            elif asked is not None and waited + asked <= LONGEST_WAIT:
                waited += max(asked, LEAST_COUNTED)
                self._turns.rest(asked)
            else:
                return answer

    def _connected(self) -> httpx.Client:
        with self._opening:
            if self._client is None:
                try:
                    self._client = make_client(
                        self._settings.graph_url,
                        self._network,
                        timeout_seconds=self._settings.timeout_seconds,
                        headers={"Accept": "application/json", "User-Agent": "care-leaver-monitor"},
                    )
                except NotUsable as fault:
                    raise DeliveryError(f"{PLACE}: {fault}", stops=True) from None
            return self._client

    @property
    def _outside(self) -> Outside:
        host = urlsplit(self._settings.graph_url).hostname or ""
        return Outside(host, "delivery.graph.graph_url", "delivery.graph.timeout_seconds")

    # What was answered

    def _judge(self, envelope: Envelope, answer: httpx.Response) -> Receipt:
        status, code = answer.status_code, _code(answer)
        if status == 202:
            return Receipt("202")
        said = f"{status} {code}" if code else str(status)
        if status == 429:
            raise _later(answer, f"{PLACE}: asks to be left alone ({said})")
        if status == 503:
            raise _later(answer, f"{PLACE}: busy or out of order ({said})")
        if 200 <= status < 300 or status >= 500:
            raise DeliveryError(
                f"{PLACE}: answered {said}, which does not say whether it took the message; it may have been accepted",
                ambiguous=True,
            )
        if _is_too_large(answer):
            raise _too_large(envelope)
        raise _refused(status, code)


class Turns:
    """Whose turn it is: at most four at once and thirty a minute, and nobody while Graph asks to be left alone."""

    def __init__(self, sleep: Callable[[float], object], clock: Callable[[], float]) -> None:
        self._sleep, self._clock = sleep, clock
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._begun: deque[float] = deque(maxlen=A_MINUTE)
        self._rests_until = 0.0

    def rest(self, seconds: float) -> None:
        """Let nobody begin for so long."""
        with self._lock:
            self._rests_until = max(self._rests_until, self._clock() + seconds)

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, and hold it until the block ends."""
        with self._places:
            while (wait := self._begin()) > 0:
                self._sleep(wait)
            yield

    def _begin(self) -> float:
        """Begin now and return 0, or return how long to wait before asking again."""
        with self._lock:
            now = self._clock()
            free_at = self._begun[0] + 60 if len(self._begun) == A_MINUTE else now
            wait = max(free_at, self._rests_until) - now
            if wait <= 0:
                self._begun.append(now)
            return wait


def _refused(status: int, code: str) -> DeliveryError:
    """Return what an answer means that says why Graph took nothing: of this message, or of every one."""
    if status == 401:
        remedy = "a new token was not accepted either; check delivery.graph, and the application's permissions"
        return DeliveryError(f"{PLACE}: will take nothing from us ({status} {code}): {remedy}", stops=True)
    if not code:
        words = f"answered {status} in a form that is not its own; check delivery.graph.graph_url, and the proxy"
        return DeliveryError(f"{PLACE}: {words}; it will be tried again", stops=True)
    remedy = REMEDIES.get(code.lower(), "see what Microsoft says of that code")
    if status in (403, 404):
        words = f"{PLACE}: will take nothing from us ({status} {code}): {remedy}"
        return DeliveryError(words, permanent=True, stops=True)
    words = f"{PLACE}: refused the message ({status} {code}): {remedy}"
    if code.lower() == "errorinvalidrecipients":
        return DeliveryError(words, permanent=True)
    return DoubtfulRefusal(words)


def _is_too_large(answer: httpx.Response) -> bool:
    return answer.status_code == 413 or (answer.status_code < 500 and _code(answer).lower() == TOO_LARGE)


def _too_large(envelope: Envelope) -> DeliveryError:
    return DeliveryError(
        f"message {envelope.key}: is larger than {PLACE} takes ({LARGEST_REQUEST:,} bytes with base64 counted)",
        permanent=True,
    )


def _later(answer: httpx.Response, words: str) -> DeliveryError:
    """Return that nothing can go for now, and not before Graph says."""
    seconds = read_retry_after(answer.headers)
    until = datetime.now(UTC) + timedelta(seconds=60 if seconds is None else min(seconds, 24 * 3600))
    return DeliveryError(f"{words}; it will be tried again", stops=True, not_before=until)


def _code(answer: httpx.Response) -> str:
    """Return the code of an error in Graph's form, "unnamed" for one that is no word, "" for anything else."""
    try:
        code = answer.json()["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(code, str):
        return ""
    return code if re.fullmatch(r"[A-Za-z0-9_.]{1,60}", code) else "unnamed"


# The message in its two forms


def _attach(envelope: Envelope) -> Any:
    """Return the mail with each list as a file beside it."""
    mail = build_mail(envelope)
    outer = type(mail)(policy=mail.policy)
    for name, value in mail.items():
        if not name.lower().startswith("content-"):
            outer[name] = value
            del mail[name]
    outer["Content-Type"] = 'multipart/mixed; boundary="=_list"'
    outer.attach(mail)
    for name, text in envelope.lists:
        part = type(mail)(policy=mail.policy)
        part["Content-Type"] = 'text/csv; charset="utf-8"'
        part["Content-Disposition"] = f'attachment; filename="{name}"'
        part["Content-Transfer-Encoding"] = "base64"
        part.set_payload(base64.encodebytes(text.encode("utf-8-sig")).decode("ascii"))
        outer.attach(part)
    return outer


def _describe(envelope: Envelope, *, with_list: bool) -> Mapping[str, Any]:
    """Return the message as JSON: its HTML alone, and none of the headers that do not begin with x-."""
    headers = {"x-monitor-key": envelope.key, "x-auto-response-suppress": SUPPRESSED}
    message: dict[str, Any] = {
        "subject": envelope.subject,
        "body": {"contentType": "HTML", "content": envelope.html},
        "from": {"emailAddress": {"name": envelope.sender_name or envelope.sender, "address": envelope.sender}},
        "toRecipients": [{"emailAddress": {"address": envelope.recipient}}],
        "internetMessageHeaders": [{"name": name, "value": value} for name, value in headers.items()],
    }
    if envelope.reply_to:
        message["replyTo"] = [{"emailAddress": {"address": envelope.reply_to}}]
    if with_list:
        message["attachments"] = [
            {
                "@odata.type": "#microsoft.graph.fileAttachment",
                "name": name,
                "contentType": "text/csv; charset=utf-8",
                "contentBytes": base64.b64encode(text.encode("utf-8-sig")).decode("ascii"),
            }
            for name, text in envelope.lists
        ]
    return message


def _without_list(envelope: Envelope) -> Envelope:
    html = re.sub(r"(<body\b[^>]*>)", lambda start: f"{start.group()}<p>{escape(NO_LIST)}</p>", envelope.html, count=1)
    return replace(envelope, text=f"{NO_LIST}\n\n{envelope.text}", html=html)
