"""A real web service on loopback for tests: what it answers is a function of the request, and it keeps a log."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; ``nth`` counts requests for the same path and query from 1."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str
    nth: int


@dataclass(frozen=True)
class Said:
    """One answer. ``promised``: the length its heading gives, where that is not the body's own."""

    body: bytes | Iterator[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None


def as_json(content: Any, status: int = 200, **headers: str) -> Said:
    kinds = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    return Said(content if isinstance(content, bytes) else json.dumps(content).encode(), status, kinds)


@dataclass
class Server:
    """Where the service is, and everything it was asked."""

    url: str
    log: list[Asked] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Asked], Said], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve ``answer`` on a free port of 127.0.0.1 until the block ends."""
    log: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Both the headings and the body of a small answer leave at once.
        wbufsize = -1

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode()
            if len(body.encode()) < length:  # who asks was killed: no service acts on half a request
                self.close_connection = True
                return
            nth = 1 + sum(one.path == parts.path and one.query == query for one in log)
            asked = Asked(self.command, parts.path, query, dict(self.headers), body, nth)
            log.append(asked)
            said = answer(asked)
            self.send_response_only(said.status)
            for name, text in {"Date": self.date_time_string(), **said.headers}.items():
                self.send_header(name, text)
            if isinstance(said.body, bytes):
                self.send_header("Content-Length", str(said.promised or len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)
                self.close_connection = said.promised is not None
            else:
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True
                try:
                    for piece in said.body:
                        self.wfile.write(piece)
                except OSError:
                    pass  # the reader has had enough

        do_GET = do_POST = _serve  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a reader that hangs up, or a handshake that fails, is what some tests are about

    listener = Listener(("127.0.0.1", 0), Handler)
    if tls is not None:
        # The handshake belongs to the request's own thread, not to the one that accepts.
        listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
    try:
        yield Server(f"{scheme}://{host}:{listener.server_address[1]}", log)
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
