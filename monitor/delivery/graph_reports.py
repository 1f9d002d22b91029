"""Reads delivery reports from a mailbox by Microsoft Graph, with the permission to read that one mailbox and no more.

Of each e-mail its headers and its class are asked for; a delivery report is then fetched, for only its inside says
which message it returns. No other e-mail is. Nothing is marked: that would need the permission to write.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import quote

import httpx

from monitor.config.bounce_settings import BounceSettings
from monitor.delivery.entra import open_tokens
from monitor.delivery.mail_file import LARGEST, NotAMail, parse
from monitor.delivery.report_mailbox import MOST_REPORTS, FoundReport, MailboxNotRead
from monitor.network.http_client import make_client
from monitor.network.line_faults import Outside, explain_line
from monitor.network.policy import Network, NotUsable
from monitor.network.tokens import NoToken

CLASS = "String 0x001A"
"""The property that tells a report of Exchange's own (REPORT.IPM.Note.NDR), which may have no headers."""
PAGE = 100
MOST_PAGES = 1_000


class GraphMailbox:
    """The inbox of one mailbox."""

    def __init__(self, settings: BounceSettings, network: Network) -> None:
        """Raises ``Problems`` when the application's secret or certificate is not there."""
        assert settings.app is not None  # noqa: S101 - checked with the config
        self._settings, self._network = settings, network
        self._place = f"mailbox {settings.mailbox} by Microsoft Graph"
        scope = "https://graph.microsoft.com/.default"
        self._tokens = open_tokens(settings.app, scope, network, place="delivery.bounces.app")
        host = httpx.URL(settings.graph_url).host
        self._outside = Outside(host, "delivery.bounces.graph_url", "delivery.bounces.timeout_seconds")
        self._client: httpx.Client | None = None

    def find_reports(self, since: date) -> Iterator[FoundReport]:
        left = MOST_REPORTS
        for message in self._list_messages(since):
            if not _is_report(message):
                continue
            found = self._fetch(str(message["id"]))
            if found is not None:
                yield found
            left -= 1
            if not left:
                return

    def mark_heard(self, report: FoundReport) -> None:
        pass

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def _user(self) -> str:
        return f"{self._settings.graph_url.rstrip('/')}/v1.0/users/{quote(self._settings.mailbox, safe='@')}"

    def _list_messages(self, since: date) -> Iterator[dict[str, Any]]:
        start = datetime.combine(since, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {
            "$filter": f"receivedDateTime ge {start}",
            "$orderby": "receivedDateTime desc",
            "$select": "id,internetMessageHeaders",
            "$expand": f"singleValueExtendedProperties($filter=id eq '{CLASS}')",
            "$top": str(PAGE),
        }
        url: str | None = f"{self._user}/mailFolders/inbox/messages?{httpx.QueryParams(query)}"
        for _ in range(MOST_PAGES):
            if url is None:
                return
            answer = self._read_json(url)
            page, url = answer.get("value"), answer.get("@odata.nextLink")
            if not isinstance(page, list):
                raise self._odd("an answer without a list")
            yield from (message for message in page if isinstance(message, dict) and message.get("id"))
            if url is not None and not str(url).startswith(f"{self._settings.graph_url.rstrip('/')}/"):
                raise self._odd("a next page elsewhere")

    def _fetch(self, number: str) -> FoundReport | None:
        content = self._get(f"{self._user}/messages/{quote(number, safe='')}/$value")
        try:
            return FoundReport(number, parse(content))
        except NotAMail:
            return None

    def _read_json(self, url: str) -> dict[str, Any]:
        try:
            answer = httpx.Response(200, content=self._get(url)).json()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise self._odd("an answer that is not Graph's")
        return answer

    def _get(self, url: str) -> bytes:
        """Return what is there, of which no more than the largest report is read; a token refused is renewed once."""
        try:
            token = self._tokens.current()
            status, content = self._ask(url, token)
            if status == 401:
                status, content = self._ask(url, self._tokens.renew(token))
        except (NoToken, NotUsable) as fault:
            raise MailboxNotRead(f"{self._place}: {fault}") from None
        except (httpx.HTTPError, OSError) as fault:
            raise MailboxNotRead(f"{self._place}: {explain_line(fault, self._outside).words}") from None
        if status != 200:
            raise MailboxNotRead(f"{self._place}: {_explain_status(status)}")
        return content

    def _ask(self, url: str, token: str) -> tuple[int, bytes]:
        if self._client is None:
            self._client = make_client(
                self._settings.graph_url,
                self._network.trusting(self._settings.ca_file),
                timeout_seconds=self._settings.timeout_seconds,
            )
        with self._client.stream("GET", url, headers={"Authorization": f"Bearer {token}"}) as answer:
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > LARGEST:
                    break
            return answer.status_code, content

    def _odd(self, what: str) -> MailboxNotRead:
        return MailboxNotRead(f"{self._place}: {what}; correct delivery.bounces.graph_url")


def _is_report(message: dict[str, Any]) -> bool:
    properties = message.get("singleValueExtendedProperties") or ()
    if any(str(each.get("value", "")).upper().startswith("REPORT.") for each in properties if isinstance(each, dict)):
        return True
    headers = [each for each in message.get("internetMessageHeaders") or () if isinstance(each, dict)]
    kinds = (str(each.get("value", "")) for each in headers if str(each.get("name", "")).lower() == "content-type")
    return any(kind.strip().lower().startswith("multipart/report") for kind in kinds)


def _explain_status(status: int) -> str:
    if status == 401:
        return "the token is not accepted (401); check delivery.bounces.app"
    if status == 403:
        return (
            "may not be read (403); give the application of delivery.bounces.app Mail.Read, with an administrator's "
            "consent, for this mailbox alone"
        )
    if status == 404:
        return "there is no such mailbox (404); correct delivery.bounces.mailbox"
    if status == 429 or status >= 500:
        return f"busy or out of order (answered {status}); it will be tried again"
    return f"answered {status}; correct delivery.bounces.graph_url"
