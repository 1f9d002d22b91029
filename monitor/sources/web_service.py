"""Speaking to a web service: signing in, opening pages, trying again, and what each fault means.

No message repeats what the service said, nor an address beyond its host, since either may hold a secret.
"""

import codecs
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from monitor.config.source_settings import Http, Source
from monitor.errors import SourceError
from monitor.network import http_client
from monitor.network.line_faults import Outside, explain_line
from monitor.network.policy import Network, NotUsable
from monitor.network.retry_after import read_retry_after
from monitor.network.tokens import Application, BasicSecret, NoToken, Tokens
from monitor.sources.extract import SourceContext
from monitor.sources.http_json import NotReadable

Taken = TypeVar("Taken")

LONGEST_WAIT = 300
"""Seconds; a service that asks for a longer wait is not read tonight."""

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

CA_FILE = "network.ca_file, or in ca_file of the source"
"""Where a message says a private authority may be named."""


class Passing(Exception):
    """A fault that may pass; ``wait`` is how many seconds the service asked for."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def open_client(source: Source, settings: Http, network: Network) -> httpx.Client:
    try:
        return http_client.make_client(
            settings.url,
            network.trusting(settings.ca_file),
            timeout_seconds=settings.timeout_seconds,
            headers={"Accept": "text/csv" if settings.format == "csv" else "application/json"},
        )
    except NotUsable as fault:
        raise SourceError(f"{source.place}: {fault}") from None


class WebService:
    """The service behind a source: signs in, opens pages, tries again, and keeps to the limits."""

    def __init__(self, client: httpx.Client, source: Source, settings: Http, context: SourceContext) -> None:
        self.settings = settings
        self.host = httpx.URL(settings.url).host
        self.place = source.place
        self._client = client
        self._environ = context.environ
        self._network = context.network
        self._sleep = context.sleep
        self._tokens: Tokens | None = None
        self._bytes = 0
        self._deadline = time.monotonic() + settings.most_minutes * 60

    def try_page(self, url: httpx.URL, page: int, take: Callable[[httpx.Response], Taken]) -> Taken:
        """Return what ``take`` makes of the open page, tried again where that may help."""
        tries = 1 + self.settings.retries
        passing = retry_if_exception_type(Passing)
        stop = stop_after_attempt(tries)
        retrying = Retrying(sleep=self._sleep, stop=stop, wait=_wait, retry=passing, reraise=True)

        def attempt() -> Taken:
            with self._page(url) as response:
                return take(response)

        try:
            return retrying(attempt)
        except (Passing, NotReadable) as fault:
            again = f" (tried {tries} times)" if isinstance(fault, Passing) and tries > 1 else ""
            raise SourceError(f"{self.place}: page {page}: {fault}{again}") from None

    @contextmanager
    def _page(self, url: httpx.URL) -> Iterator[httpx.Response]:
        """The open answer to a request for a page, after one new sign-in where the last one no longer holds."""
        refused: str | None = None
        for renewed in (False, True):
            headers = self._authorization(refused)
            with self._explained(), self._client.stream("GET", url, headers=headers) as response:
                if response.status_code == 401 and self.settings.token_url and not renewed:
                    refused = headers["Authorization"].removeprefix("Bearer ")
                    continue
                self._check(response)
                yield response
            return

    def text(self, response: httpx.Response) -> Iterator[str]:
        """Return the body as text, within the limits."""
        json = self.settings.format == "json"
        decoder = _decoder("utf-8" if json else response.charset_encoding or "utf-8")
        wanted = "JSON" if json else "CSV"
        began = False
        if "html" in response.headers.get("content-type", "").lower():
            raise NotReadable(_web_page(wanted))
        try:
            for piece in self._pieces(response):
                text = decoder.decode(piece)
                if not began and text.strip("\ufeff \t\r\n"):
                    began = True
                    text = text.lstrip("\ufeff \t\r\n")
                    if text.startswith("<"):
                        raise NotReadable(_web_page(wanted))
                if began:
                    yield text
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise NotReadable("not text in UTF-8; ask who runs the service") from None

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        """The body, until a limit is passed that holds for all pages together."""
        most = self.settings
        for piece in response.iter_bytes():
            self._bytes += len(piece)
            if self._bytes > most.largest_megabytes * 1_000_000:
                raise NotReadable(f"over {most.largest_megabytes} MB in all; raise largest_megabytes if that is right")
            if time.monotonic() > self._deadline:
                raise NotReadable(
                    f"not finished within {most.most_minutes} minutes; raise most_minutes if that is right"
                )
            yield piece

    # Signing in

    def _authorization(self, refused: str | None) -> dict[str, str]:
        settings = self.settings
        if settings.token_env:
            return {"Authorization": f"Bearer {self._secret('token_env', settings.token_env)}"}
        if settings.token_url:
            return {"Authorization": f"Bearer {self._token(settings.token_url, refused)}"}
        return {}

    def _token(self, url: str, refused: str | None) -> str:
        """Return a token of the sign-in, other than one that was ``refused``."""
        try:
            if self._tokens is None:
                self._tokens = self._open_tokens(url)
            return self._tokens.renew(refused) if refused else self._tokens.current()
        except NoToken as fault:
            if fault.lasting:
                raise SourceError(f"{self.place}: {fault}") from None
            raise Passing(str(fault), self._bearable(fault.wait, "the sign-in")) from None

    def _open_tokens(self, url: str) -> Tokens:
        settings = self.settings
        assert settings.client_id_env is not None  # noqa: S101 - the config insists on both
        assert settings.client_secret_env is not None  # noqa: S101
        client_id = self._secret("client_id_env", settings.client_id_env)
        secret = self._secret("client_secret_env", settings.client_secret_env)
        proof = BasicSecret(secret, f"{settings.client_id_env} and {settings.client_secret_env}")
        outside = Outside(httpx.URL(url).host, "token_url", ca_file_key=CA_FILE)
        application = Application(url, client_id, settings.scope, proof, outside)
        network = self._network.trusting(settings.ca_file)
        return Tokens(application, network, timeout_seconds=settings.timeout_seconds)

    def _secret(self, key: str, variable: str) -> str:
        secret = self._environ.get(variable, "").strip()
        if not secret:
            raise SourceError(
                f"{self.place}: http.{key}: the environment variable {variable} is not set; set it for the account "
                "that runs the monitor"
            )
        if not secret.isascii() or not secret.isprintable():
            raise SourceError(f"{self.place}: http.{key}: what {variable} holds is no token or secret; set it again")
        return secret

    # What went wrong

    def _check(self, response: httpx.Response) -> None:
        """Raise for an answer that is not a page: ``Passing`` where waiting may help."""
        status, host = response.status_code, response.url.host
        if status == 200:
            return
        if status in TRY_AGAIN:
            raise Passing(f"{host} answered {status}, which is busy or out of order", self._asked_wait(response))
        remedies = {
            401: "did not accept the credentials (401); check the variables that the _env keys name",
            403: "does not allow this account to read the list (403); ask who runs the service to allow it",
            404: "has nothing at that address (404); correct url",
        }
        if status in remedies:
            raise SourceError(f"{self.place}: {host} {remedies[status]}")
        if 300 <= status < 400:
            raise SourceError(
                f"{self.place}: {host} sends the reader elsewhere ({status}); set url to where the list really is"
            )
        raise SourceError(f"{self.place}: {host} answered {status}; ask who runs the service")

    def _asked_wait(self, response: httpx.Response) -> float | None:
        """Return the seconds that Retry-After asks for."""
        return self._bearable(read_retry_after(response.headers), response.url.host)

    def _bearable(self, wait: float | None, who: str) -> float | None:
        """Return a wait that the night can bear; raises ``SourceError`` for a longer one."""
        if wait is not None and wait > LONGEST_WAIT:
            raise SourceError(
                f"{self.place}: {who} asks to wait {wait:.0f} seconds; run again later, or ask who runs the service "
                "for a higher limit"
            )
        return wait

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what goes wrong on the line into a fault that may pass, or one that will not."""
        try:
            yield
        except httpx.HTTPError as fault:
            line = explain_line(fault, Outside(self.host, ca_file_key=CA_FILE))
            raise (SourceError(f"{self.place}: {line.words}") if line.lasting else Passing(line.words)) from None


_growing = wait_exponential_jitter(initial=1, max=30)


def _wait(state: RetryCallState) -> float:
    """What the service asked for, else a second and then about twice as long each time."""
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.wait if isinstance(fault, Passing) else None
    return _growing(state) if asked is None else asked


def _web_page(wanted: str) -> str:
    return f"a web page and not {wanted}, most likely one for signing in; check url and the credentials"


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise NotReadable("text in an encoding that is not known; ask who runs the service") from None
