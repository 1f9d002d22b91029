"""The one way to make an HTTP client: its time-out, the environment's proxy, and certificates always verified."""

import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import httpx


class NoCertificate(ValueError):
    """A file of authorities that holds none."""


class NoProxy(ValueError):
    """A proxy in the environment that is no address."""


def make_client(
    address: str,
    environ: Mapping[str, str],
    *,
    timeout_seconds: float,
    ca_file: Path | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Client:
    """Return a client for ``address``, to which other addresses are relative; it follows no redirect.

    It trusts the system's own authorities, or those of ``ca_file``, and speaks TLS 1.2 or later; there is no way to
    leave certificates unverified. Raises ``NoCertificate`` and ``NoProxy``.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise NoCertificate("holds no certificate in PEM form; name one that does") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        return httpx.Client(
            base_url=address,
            verify=context,
            trust_env=False,
            proxy=_find_proxy(httpx.URL(address), environ),
            timeout=timeout_seconds,
            follow_redirects=False,
            headers=headers,
        )
    except (ValueError, httpx.InvalidURL):
        raise NoProxy("the proxy named in the environment is no address; correct HTTPS_PROXY") from None


def _find_proxy(url: httpx.URL, environ: Mapping[str, str]) -> str | None:
    excluded = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    bypassed = urllib.request.proxy_bypass_environment(url.host, {"no": excluded})  # type: ignore[attr-defined]
    if url.scheme == "http" or bypassed:
        return None
    return environ.get("https_proxy") or environ.get("HTTPS_PROXY") or None
