"""Access tokens of an application that signs in for itself (OAuth2 client credentials): fetched, kept, and renewed.

No token, secret or key stands in a log, a repr or an error, nor anything of what the sign-in said but its codes.
"""

import hashlib
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from monitor.network.http_client import make_client
from monitor.network.line_faults import Outside, explain_line
from monitor.network.policy import Network, NotUsable
from monitor.network.retry_after import read_retry_after

LARGEST_ANSWER = 65_536
"""Bytes of a sign-in's answer."""
LONGEST_MARGIN = 300
"""Seconds before its end at which a token is no longer used; a tenth of its time where that is less."""
USUAL_LIFE = 3600
"""Seconds, of a token that does not say."""
ASSERTION_LIFE = 300
"""Seconds; Microsoft asks for five to ten minutes."""

CODES = frozenset({
    "invalid_client", "invalid_grant", "invalid_request", "invalid_resource", "invalid_scope", "unauthorized_client",
    "unsupported_grant_type",
})  # fmt: skip
"""What a sign-in may answer that is safe to repeat."""

MICROSOFT = {
    7000215: "the client secret is wrong; put the secret's value, not its id, in {proof}",
    7000222: "the client secret has expired; make a new one in Entra, put its value in {proof}, and correct "
    "secret_expires_on",
    700016: "the application is not in this tenant; correct client_id or tenant, or have an administrator consent",
    700027: "the certificate is not one of the application's, or has expired; upload that of {proof} in Entra",
    700024: "the sign-in believes this machine's clock to be wrong; put it right",
    7000112: "the application is disabled in the tenant; have an administrator enable it",
    7000229: "the application has no service principal in this tenant; have an administrator consent to it",
    90002: "there is no such tenant; correct tenant",
    900023: "tenant is no domain and no tenant id; correct it",
    53003: "a Conditional Access policy keeps the application out; have an administrator except it",
}
"""What to do about one of Microsoft's ``error_codes``. It chooses words alone, since Microsoft may change them."""


class NoToken(Exception):
    """The sign-in gave no token.

    ``lasting``: not before something is put right; ``wait``: the seconds it asks to be left alone, where it does.
    """

    def __init__(self, words: str, *, lasting: bool = False, wait: float | None = None) -> None:
        super().__init__(words)
        self.lasting = lasting
        self.wait = wait


class Proof(Protocol):
    """How an application shows that it is itself."""

    @property
    def place(self) -> str:
        """Where a person finds it, for messages."""

    def fields(self, application: "Application") -> Mapping[str, str]:
        """Return what goes into the form of a sign-in."""

    def auth(self, application: "Application") -> httpx.Auth | None:
        """Return what goes into its headers."""


@dataclass(frozen=True)
class Application:
    """An application at one sign-in service."""

    token_url: str
    client_id: str
    scope: str | None
    proof: Proof
    outside: Outside


@dataclass(frozen=True)
class BasicSecret:
    """A client id and secret in the header that RFC 6749 asks of every sign-in."""

    secret: str = field(repr=False)
    place: str = "the client secret"

    def fields(self, application: Application) -> Mapping[str, str]:
        return {}

    def auth(self, application: Application) -> httpx.Auth:
        # Both are form-encoded before they are joined, so that a colon in either cannot be taken for the one between.
        return httpx.BasicAuth(quote(application.client_id, safe=""), quote(self.secret, safe=""))


@dataclass(frozen=True)
class PostedSecret:
    """A client secret in the form, as Microsoft takes it."""

    secret: str = field(repr=False)
    place: str = "the client secret"

    def fields(self, application: Application) -> Mapping[str, str]:
        return {"client_id": application.client_id, "client_secret": self.secret}

    def auth(self, application: Application) -> None:
        return None


@dataclass(frozen=True)
class CertificateProof:
    """A certificate and its key: an assertion of five minutes is signed with it at each sign-in."""

    key: Any = field(repr=False)
    thumbprint: str = field(repr=False)
    place: str = "the certificate"

    def fields(self, application: Application) -> Mapping[str, str]:
        import jwt  # takes long to load, and most sign-ins are by a secret

        now, who = int(time.time()), application.client_id
        claims = {
            "aud": application.token_url, "iss": who, "sub": who, "jti": str(uuid.uuid4()),
            "iat": now, "nbf": now, "exp": now + ASSERTION_LIFE,
        }  # fmt: skip
        signed = jwt.encode(claims, self.key, algorithm="RS256", headers={"x5t#S256": self.thumbprint})
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return {"client_id": who, "client_assertion_type": kind, "client_assertion": signed}

    def auth(self, application: Application) -> None:
        return None


def read_certificate(file: Path) -> CertificateProof:
    """Read a PEM file that holds a certificate and its RSA key, without a passphrase; raises ``NotUsable``."""
    try:
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
    except ImportError:
        raise NotUsable(
            "needs a library that is not installed; pip install 'care-leaver-monitor[certificate]'"
        ) from None
    try:
        content = file.read_bytes()
    except OSError as fault:
        raise NotUsable(f"{file} cannot be read ({fault.strerror or type(fault).__name__})") from None
    try:
        key = load_pem_private_key(content, password=None)
        certificates = x509.load_pem_x509_certificates(content)
    except TypeError:
        raise NotUsable(
            f"the key in {file} has a passphrase; write it without, readable by the monitor alone"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise NotUsable(f"{file} does not hold a certificate and its key in PEM form; put both in it") from None
    if not isinstance(key, RSAPrivateKey):
        raise NotUsable(f"the key in {file} is not an RSA key; make the certificate with one")
    ours = [found for found in certificates if found.public_key() == key.public_key()]
    if not ours:
        raise NotUsable(f"the key in {file} is not that of its certificate; put the two that belong together in it")
    digest = hashlib.sha256(ours[0].public_bytes(Encoding.DER)).digest()
    return CertificateProof(key, urlsafe_b64encode(digest).rstrip(b"=").decode(), str(file))


@dataclass(frozen=True)
class _Held:
    value: str = field(repr=False)
    usable_until: float = 0


class Tokens:
    """The tokens of one application: one at a time, for every thread."""

    def __init__(
        self,
        application: Application,
        network: Network,
        *,
        timeout_seconds: float = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._network = network
        self._timeout = timeout_seconds
        self._clock = clock
        self._held: _Held | None = None
        self._lock = threading.Lock()

    def current(self) -> str:
        """Return a token that is still good for a while; raises ``NoToken``."""
        with self._lock:
            if self._held is None or self._clock() >= self._held.usable_until:
                self._held = None
                self._held = self._sign_in()
            return self._held.value

    def renew(self, refused: str) -> str:
        """Return a token other than the one that was refused: a new one, unless another thread has it already."""
        with self._lock:
            if self._held is not None and self._held.value == refused:
                self._held = None
        return self.current()

    def _sign_in(self) -> _Held:
        application = self._application
        scope = {"scope": application.scope} if application.scope else {}
        form = {"grant_type": "client_credentials", **scope, **application.proof.fields(application)}
        asked_at = self._clock()
        url, auth = application.token_url, application.proof.auth(application)
        accept = {"Accept": "application/json"}
        try:
            with (
                make_client(url, self._network, timeout_seconds=self._timeout, headers=accept) as client,
                client.stream("POST", url, data=form, auth=auth) as response,
            ):
                answer = self._read(response)
        except NotUsable as fault:
            raise NoToken(str(fault), lasting=True) from None
        except (httpx.HTTPError, OSError) as fault:
            line = explain_line(fault, application.outside)
            raise NoToken(line.words, lasting=line.lasting) from None
        if response.status_code != 200:
            raise self._refused(response, answer)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise self._lasting(f"gave no token; check {application.outside.address_key}")
        life = _seconds(answer.get("expires_in"))
        return _Held(token, asked_at + life - min(LONGEST_MARGIN, life / 10))

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        body = b""
        for piece in response.iter_bytes():
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise self._lasting(f"answers at great length; check {self._application.outside.address_key}")
        try:
            answer = httpx.Response(200, content=body).json()
        except (ValueError, RecursionError):
            answer = None
        return answer if isinstance(answer, dict) else {}

    def _refused(self, response: httpx.Response, answer: Mapping[str, Any]) -> NoToken:
        """Return what an answer that is no token means: by its status and its codes, never by its words."""
        status, proof = response.status_code, self._application.proof.place
        if status in (408, 425, 429) or status >= 500:
            host = self._application.outside.host
            words = f"{host} answered {status} to the sign-in, which is busy or out of order"
            return NoToken(words, wait=read_retry_after(response.headers))
        numbers = answer.get("error_codes")
        known = [number for number in numbers if number in MICROSOFT] if isinstance(numbers, list) else []
        if known:
            return self._lasting(f"refused the application ({known[0]}): {MICROSOFT[known[0]].format(proof=proof)}")
        if 300 <= status < 400 or status == 404:
            return self._lasting(f"is not there ({status}); correct {self._application.outside.address_key}")
        said = answer.get("error")
        named = said if isinstance(said, str) and said in CODES else status
        return self._lasting(
            f"refused the client id or secret ({named}); check what {proof} holds, and whether it has expired"
        )

    def _lasting(self, words: str) -> NoToken:
        return NoToken(f"the sign-in at {self._application.outside.host} {words}", lasting=True)


def _seconds(said: object) -> float:
    """Read ``expires_in``, which some write as text."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return USUAL_LIFE
    try:
        seconds = float(said)
    except ValueError:
        return USUAL_LIFE
    return seconds if 0 < seconds < 10 * 24 * 3600 else USUAL_LIFE
