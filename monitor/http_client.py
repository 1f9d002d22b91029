"""The one way to make an HTTP client: its time-out, the environment's proxy, and certificates always verified.

An https address is reached through the proxy that HTTPS_PROXY names, or else ALL_PROXY, unless NO_PROXY lists its
host; the lower-case spelling of each comes first. An http address, which the config allows on this machine only, is
reached without one. A proxy speaks HTTP: there is no SOCKS.
"""

import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import httpx

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


class NoCertificate(ValueError):
    """A file of authorities that holds none."""


class NoProxy(ValueError):
    """A proxy in the environment that is no address of one."""


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
    except (ValueError, ImportError, httpx.InvalidURL):
        raise NoProxy(
            "the proxy named in the environment is no address of an HTTP proxy; correct HTTPS_PROXY or ALL_PROXY"
        ) from None


def _find_proxy(url: httpx.URL, environ: Mapping[str, str]) -> str | None:
    excluded = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    bypassed = urllib.request.proxy_bypass_environment(url.host, {"no": excluded})  # type: ignore[attr-defined]
    if url.scheme == "http" or bypassed:
        return None
    return next(filter(None, map(environ.get, PROXY_VARIABLES)), None)
