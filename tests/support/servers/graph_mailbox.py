"""A mailbox of Microsoft Graph on a loopback port: its sign-in, what came page by page, and each as MIME."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from support.servers.http import Asked, Said, as_json, serving

MAILBOX, TENANT, SECRET = "care-leaver-monitor@example.gov.uk", "example.onmicrosoft.com", "wjL8Q~a+secret"
PAGE = 2


@dataclass
class GraphMail:
    """One e-mail: its MIME, the day it came, the headers Graph tells of it, and Exchange's class of it."""

    content: bytes
    came_on: str
    headers: dict[str, str] = field(default_factory=dict)
    item_class: str = "IPM.Note"


@dataclass
class GraphKnobs:
    status: int | None = None
    """Answer everything but the sign-in with this status."""
    stale_tokens: int = 0
    """So many of the first tokens are not taken."""
    next_host: str | None = None


@dataclass
class GraphServer:
    url: str
    knobs: GraphKnobs
    mails: list[GraphMail] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)
    signed_in: int = 0

    def answer(self, asked: Asked) -> Said:
        if asked.path == f"/{TENANT}/oauth2/v2.0/token":
            self.signed_in += 1
            return as_json({"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{self.signed_in}"})
        number = int(asked.headers.get("Authorization", "Bearer token-0").rpartition("-")[2])
        if number <= self.knobs.stale_tokens:
            return as_json({"error": {"code": "InvalidAuthenticationToken"}}, 401)
        if self.knobs.status:
            return as_json({"error": {"code": "ErrorAccessDenied"}}, self.knobs.status)
        if one := re.fullmatch(rf"/v1.0/users/{MAILBOX}/messages/(\d+)/\$value", asked.path):
            self.fetched.append(int(one[1]))
            return Said(self.mails[int(one[1])].content, 200, {"Content-Type": "text/plain"})
        assert asked.path == f"/v1.0/users/{MAILBOX}/mailFolders/inbox/messages", asked.path
        return self._list(asked)

    def _list(self, asked: Asked) -> Said:
        since = asked.query["$filter"].removeprefix("receivedDateTime ge ")[:10]
        wanted = [number for number, mail in enumerate(self.mails) if mail.came_on >= since]
        skip = int(asked.query.get("$skip", "0"))
        answer: dict[str, Any] = {"value": [self._describe(number) for number in wanted[skip : skip + PAGE]]}
        if len(wanted) > skip + PAGE:
            query = f"$filter={asked.query['$filter']}&$skip={skip + PAGE}".replace(" ", "%20")
            answer["@odata.nextLink"] = f"{self.knobs.next_host or self.url}{asked.path}?{query}"
        return as_json(answer)

    def _describe(self, number: int) -> dict[str, Any]:
        mail = self.mails[number]
        headers = [{"name": name, "value": value} for name, value in mail.headers.items()]
        kind = {"id": "String 0x1a", "value": mail.item_class}
        return {"id": str(number), "internetMessageHeaders": headers or None, "singleValueExtendedProperties": [kind]}


@contextmanager
def graph_mailbox(knobs: GraphKnobs | None = None) -> Iterator[GraphServer]:
    server = GraphServer("", knobs or GraphKnobs())
    with serving(server.answer) as listening:
        server.url = listening.url
        yield server
