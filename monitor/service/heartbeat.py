"""Pings an outside service that raises the alarm when no ping comes: begun, done, or failed with an exit status.

    {address}/start   a night begins           {address}       done, and every message due today is settled
    {address}/fail    judged nothing           {address}/{n}   ended with that exit status

The address is a secret. A ping holds counts and the number of the run, and whatever becomes of it, the night goes on.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from monitor.config.fields import check_web_address
from monitor.errors import Problems
from monitor.network import http_client
from monitor.network.line_faults import Outside, explain_line
from monitor.network.policy import Network, NotUsable

if TYPE_CHECKING:
    import datetime as dt

    from monitor.config.service_settings import HeartbeatSettings as Settings

Signal = Literal["start", "success", "fail"] | int
RUNS = uuid.UUID("6c0b7f0e-3d4f-4f63-9a8e-3c1d0a7a55d2")
"""The name space of run ids: the same date has the same id after a restart, so that start and end are a pair."""
LONGEST_WAIT = 30


class NotTaken(Exception):
    """The other side answered, and trying again cannot help."""


class TryAgain(Exception):
    """No answer, or one that may be another next time."""


class Heartbeat:
    """Where pings go; ``None`` in the config means nowhere, and every ping says it was not wanted."""

    def __init__(
        self,
        settings: "Settings | None",
        network: Network,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Raises ``Problems`` when the address is not where the config says, or is none."""
        self._settings = settings
        self._network = network
        self._url = _read_address(settings, network.environ) if settings else None
        self._sleep = sleep

    @property
    def wanted(self) -> bool:
        return self._url is not None

    def ping(self, signal: Signal, *, night: "dt.date", body: str = "") -> str:
        """Send one ping; what became of it, without the address: "sent", "not wanted" or why not."""
        if self._url is None or self._settings is None:
            return "not wanted"
        ending = "" if signal == "success" else f"/{signal}"
        url = self._url.copy_with(path=self._url.path.rstrip("/") + ending)
        url = url.copy_merge_params({"rid": str(uuid.uuid5(RUNS, night.isoformat()))})
        again = Retrying(
            stop=stop_after_attempt(1 + self._settings.retries),
            wait=wait_exponential(multiplier=1, max=LONGEST_WAIT),
            retry=retry_if_exception_type(TryAgain),
        ).copy(sleep=self._sleep)
        try:
            again(self._post, url, body)
        except NotTaken as fault:
            return str(fault)
        except RetryError as fault:
            return f"given up: {fault.last_attempt.exception()}"
        return "sent"

    def _post(self, url: httpx.URL, body: str) -> None:
        """Always POST: a check may be set to ignore, with 200, whatever else comes."""
        assert self._settings is not None  # noqa: S101 - only called where there is an address
        timeout = self._settings.timeout_seconds
        try:
            with http_client.make_client(str(url), self._network, timeout_seconds=timeout) as client:
                answer = client.post(url, content=body.encode())
        except NotUsable as fault:
            raise NotTaken(str(fault)) from None
        except (httpx.HTTPError, OSError) as fault:
            line = explain_line(fault, Outside(url.host, "the address of the heartbeat", "heartbeat.timeout_seconds"))
            raise (NotTaken(line.words) if line.lasting else TryAgain(line.words)) from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise TryAgain(f"answered {answer.status_code}")
        if not answer.is_success:
            raise NotTaken(f"answered {answer.status_code}; check the address of the heartbeat")


def _read_address(settings: "Settings", environ: Mapping[str, str]) -> httpx.URL:
    place = f"heartbeat: {settings.url_env or settings.url_file}"
    if settings.url_env is not None:
        if settings.url_env not in environ:
            raise Problems([f"{place}: no such environment variable; it holds the ping address"])
        text = environ[settings.url_env]
    else:
        try:
            text = Path(settings.url_file or "").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise Problems([f"{place}: no such file, or not readable; it holds the ping address"]) from None
    try:
        return httpx.URL(check_web_address(text.strip()))
    except (ValueError, httpx.InvalidURL):
        raise Problems([f"{place}: does not hold a web address like https://ping.example.org/NUMBER"]) from None


def describe(counts: Mapping[str, int | str | None]) -> str:
    """Write the body of a ping: counts, one a line."""
    return "".join(f"{name}: {number}\n" for name, number in counts.items() if number is not None)
