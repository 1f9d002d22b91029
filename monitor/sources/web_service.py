"""Speaking to a web service: signing in, opening pages, trying again, and what each fault means.

No message repeats what the service said, nor an address beyond its host, since either may hold a secret.
"""

import codecs
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from monitor import http_client
from monitor.config.source_settings import Http, Source
from monitor.errors import SourceError
from monitor.sources.extract import SourceContext
from monitor.sources.http_json import NotReadable

Taken = TypeVar("Taken")

LONGEST_WAIT = 300
"""Seconds; a service that asks for a longer wait is not read tonight."""

LARGEST_ANSWER = 65_536
"""Bytes of a sign-in's answer."""

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

SIGN_IN_FAULTS = frozenset({
    "invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client",
    "unsupported_grant_type",
})  # fmt: skip
"""What a sign-in may answer that is safe to repeat."""


class Passing(Exception):
    """A fault that may pass; ``wait`` is how many seconds the service asked for."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def open_client(source: Source, settings: Http, environ: Mapping[str, str]) -> httpx.Client:
    try:
        return http_client.make_client(
            settings.url,
            environ,
            timeout_seconds=settings.timeout_seconds,
            ca_file=settings.ca_file,
            headers={"Accept": "text/csv" if settings.format == "csv" else "application/json"},
        )
    except http_client.NoCertificate as fault:
        raise SourceError(f"{source.place}: http.ca_file: {fault}") from None
    except http_client.NoProxy as fault:
        raise SourceError(f"{source.place}: {fault}") from None


class WebService:
    """The service behind a source: signs in, opens pages, tries again, and keeps to the limits."""

    def __init__(self, client: httpx.Client, source: Source, settings: Http, context: SourceContext) -> None:
        self.settings = settings
        self.host = httpx.URL(settings.url).host
        self.place = source.place
        self._client = client
        self._environ = context.environ
        self._sleep = context.sleep
        self._token: str | None = None
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
        for renewed in (False, True):
            headers = self._authorization()
            with self._explained(self.host), self._client.stream("GET", url, headers=headers) as response:
                if response.status_code == 401 and self.settings.token_url and not renewed:
                    self._token = None
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

    def _authorization(self) -> dict[str, str]:
        settings = self.settings
        if settings.token_env:
            return {"Authorization": f"Bearer {self._secret('token_env', settings.token_env)}"}
        if settings.token_url:
            if self._token is None:
                self._token = self._sign_in(settings.token_url)
            return {"Authorization": f"Bearer {self._token}"}
        return {}

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

    def _sign_in(self, url: str) -> str:
        """A new token by client credentials."""
        settings = self.settings
        assert settings.client_id_env is not None  # noqa: S101 - the config insists on both
        assert settings.client_secret_env is not None  # noqa: S101
        client_id = self._secret("client_id_env", settings.client_id_env)
        secret = self._secret("client_secret_env", settings.client_secret_env)
        form = {"grant_type": "client_credentials"} | ({"scope": settings.scope} if settings.scope else {})
        host = httpx.URL(url).host
        # Both are form-encoded before they are joined, so that a colon in either cannot be taken for the one between.
        auth = httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))
        accept = {"Accept": "application/json"}
        with self._explained(host), self._client.stream("POST", url, data=form, auth=auth, headers=accept) as response:
            answer = self._short_answer(response, host)
            if response.status_code in (400, 401, 403):
                said = answer.get("error")
                named = f" ({said})" if isinstance(said, str) and said in SIGN_IN_FAULTS else ""
                raise SourceError(
                    f"{self.place}: the sign-in at {host} refused the client id or secret{named}; check what "
                    f"{settings.client_id_env} and {settings.client_secret_env} hold, and whether it has expired"
                )
            self._check(response)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise SourceError(f"{self.place}: the sign-in at {host} gave no token; check token_url")
        return token

    def _short_answer(self, response: httpx.Response, host: str) -> dict[str, Any]:
        body = b""
        for piece in response.iter_bytes():
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise SourceError(f"{self.place}: the sign-in at {host} answers at great length; check token_url")
        try:
            answer = httpx.Response(200, content=body).json()
        except (ValueError, RecursionError):
            answer = None
        return answer if isinstance(answer, dict) else {}

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
        """The seconds that Retry-After asks for; a date in it is measured from the service's own clock."""
        said = response.headers.get("retry-after", "").strip()
        wait: float | None = None
        if said.isdigit():
            wait = float(said[:9])
        elif said:
            until, now = _http_date(said), _http_date(response.headers.get("date", ""))
            wait = max((until - now).total_seconds(), 0.0) if until and now else None
        if wait is not None and wait > LONGEST_WAIT:
            raise SourceError(
                f"{self.place}: {response.url.host} asks to wait {wait:.0f} seconds ({response.status_code}); run "
                "again later, or ask who runs the service for a higher limit"
            )
        return wait

    @contextmanager
    def _explained(self, host: str) -> Iterator[None]:
        """Turn what goes wrong on the line into a fault that may pass, or one that will not."""
        try:
            yield
        except httpx.DecodingError:
            raise Passing(f"what {host} sent could not be unpacked") from None
        except httpx.TimeoutException:
            raise Passing(f"no answer from {host} within {self.settings.timeout_seconds} seconds") from None
        except httpx.ProxyError:
            raise Passing(f"the proxy did not connect to {host}; check HTTPS_PROXY or ALL_PROXY") from None
        except httpx.TransportError as fault:
            raise self._explain_line(fault, host) from None

    def _explain_line(self, fault: httpx.TransportError, host: str) -> Exception:
        """Return what a broken line means: a fault that may pass, or a ``SourceError``."""
        causes = list(_causes(fault))
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return SourceError(
                    f"{self.place}: the certificate of {host} does not verify ({cause.verify_message}); name the "
                    "authority's certificate in ca_file, or have the service's renewed"
                )
        if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError) for cause in causes):
            return SourceError(f"{self.place}: {host} does not speak TLS there; correct url")
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return Passing(f"unknown host {host}; correct url, or check the name service")
        if isinstance(fault, httpx.ConnectError):
            return Passing(f"connection refused by {host}; check that the service is running, and url")
        return Passing(f"{host} broke the connection off")


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__


_growing = wait_exponential_jitter(initial=1, max=30)


def _wait(state: RetryCallState) -> float:
    """What the service asked for, else a second and then about twice as long each time."""
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.wait if isinstance(fault, Passing) else None
    return _growing(state) if asked is None else asked


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _web_page(wanted: str) -> str:
    return f"a web page and not {wanted}, most likely one for signing in; check url and the credentials"


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise NotReadable("text in an encoding that is not known; ask who runs the service") from None
