"""What went wrong between this machine and a web service, in words: which host, which step, which setting."""

import socket
import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from monitor.network.certificates import causes, explain_certificate


@dataclass(frozen=True)
class Outside:
    """A web service as messages name it: its host, and the keys that hold its address, time-out and authority."""

    host: str
    address_key: str = "url"
    timeout_key: str = "timeout_seconds"
    ca_file_key: str = "network.ca_file"


@dataclass(frozen=True)
class LineFault:
    """A connection that failed.

    ``lasting``: trying again cannot help before something is put right. ``may_have_gone``: the whole request may have
    reached the service.
    """

    words: str
    lasting: bool = False
    may_have_gone: bool = False


def explain_line(fault: httpx.HTTPError | OSError, outside: Outside) -> LineFault:
    """Return what a failed request means. Its words hold no more of the address than the host."""
    host = outside.host
    if certificate := explain_certificate(fault, host, outside.ca_file_key):
        return LineFault(certificate, lasting=True)
    if isinstance(fault, httpx.ProxyError):
        return LineFault(_explain_proxy(fault, host))
    if isinstance(fault, httpx.TimeoutException):
        return _explain_wait(fault, outside)
    found = list(causes(fault))
    if isinstance(fault, httpx.ConnectError):
        if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError) for cause in found):
            return LineFault(f"{host} does not speak TLS there; correct {outside.address_key}", lasting=True)
        if any(isinstance(cause, socket.gaierror) for cause in found):
            return LineFault(f"unknown host {host}; correct {outside.address_key}, or check the name service")
        words = f"connection refused by {host}; check that the service is running, and {outside.address_key}"
        return LineFault(words)
    if isinstance(fault, httpx.DecodingError):
        return LineFault(f"what {host} sent could not be unpacked", may_have_gone=True)
    return LineFault(f"{host} broke the connection off", may_have_gone=True)


def _explain_wait(fault: httpx.TimeoutException, outside: Outside) -> LineFault:
    """Name the step that was waited for, and the setting that makes the wait longer."""
    host, waits = outside.host, _waits(fault)
    if isinstance(fault, httpx.WriteTimeout):
        return LineFault(
            f"{host} did not take in the request within {waits.get('write')} seconds; check the line, or raise "
            "network.write_seconds"
        )
    if isinstance(fault, httpx.ReadTimeout):
        seconds = waits.get("read")
        words = f"no answer from {host} within {seconds} seconds; raise {outside.timeout_key} if it needs longer"
        return LineFault(words, may_have_gone=True)
    return LineFault(
        f"no connection to {host} within {waits.get('connect')} seconds; check the firewall and the proxy, or raise "
        "network.connect_seconds"
    )


def _waits(fault: httpx.HTTPError) -> dict[str, Any]:
    try:
        return dict(fault.request.extensions["timeout"])
    except (RuntimeError, KeyError):
        return {}


def _explain_proxy(fault: httpx.ProxyError, host: str) -> str:
    if str(fault).startswith("407"):
        return f"the proxy on the way to {host} wants a login; give it in HTTPS_PROXY, like http://user:password@host"
    return f"the proxy did not connect to {host}; check network.proxy, HTTPS_PROXY or ALL_PROXY"
