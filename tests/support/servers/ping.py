"""A healthchecks service as strict as the real one, on a loopback port; built from its contract alone."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.servers.http import Asked, Said, serving

CHECK = "5a7c2c1e-6f0b-4d9e-9b8a-0f3d2a1c4e5b"
RID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
ROUTE = re.compile(r"/ping/(?P<check>[^/]+(?:/(?!start$|fail$|log$|\d+$)[^/]+)?)(?:/(?P<ending>start|fail|log|\d+))?")
LIMIT = 10_000


@dataclass(frozen=True)
class Ping:
    """One ping that counted: what it said ("success", "start", "fail", "log" or an exit status) and of which run."""

    said: str
    rid: str | None
    body: str


@dataclass
class Checks:
    """Which checks there are, what reached them, and how the service behaves."""

    url: str = ""
    known: set[str] = field(default_factory=lambda: {CHECK})
    ambiguous: set[str] = field(default_factory=set)
    faults: list[int] = field(default_factory=list)
    """What the next requests are answered instead."""
    stall_seconds: float = 0
    pings: list[Ping] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    """Methods of requests that were answered 200 and changed nothing, since every check here is POST-only."""
    asked: list[Asked] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.url}/ping/{CHECK}"

    def said(self) -> list[str]:
        return [ping.said for ping in self.pings]

    def answer(self, asked: Asked) -> Said:
        self.asked.append(asked)
        time.sleep(self.stall_seconds)
        if self.faults:
            return Said(b"busy", self.faults.pop(0))
        route = ROUTE.fullmatch(asked.path)
        if route is None:
            return Said(b"not found", 404)
        check, ending = route["check"], route["ending"] or "success"
        if check.lower() != check and "/" in check:
            return Said(b"invalid url format", 400)
        if ending.isdigit() and int(ending) > 255:
            return Said(b"invalid url format", 400)
        if check in self.ambiguous:
            return Said(b"ambiguous slug", 409)
        rid = asked.query.get("rid")
        if rid is not None and not RID.fullmatch(rid):
            return Said(b"invalid uuid format", 400)
        created = check not in self.known and "/" in check and asked.query.get("create") == "1"
        if check not in self.known and not created:
            return Said(b"not found", 404)
        if created:
            self.known.add(check)
        if asked.method != "POST":
            self.ignored.append(asked.method)
            return Said(b"OK", 200)
        self.pings.append(Ping(ending, rid, asked.body[:LIMIT]))
        headers = {"Ping-Body-Limit": str(LIMIT), "Access-Control-Allow-Origin": "*", "Content-Type": "text/plain"}
        return Said(b"Created" if created else b"OK", 201 if created else 200, headers)


@contextmanager
def ping_server() -> Iterator[Checks]:
    """Serve until the block ends."""
    checks = Checks()
    with serving(checks.answer) as server:
        checks.url = server.url
        yield checks
