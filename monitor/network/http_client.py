"""The one way to make an HTTP client: proxy, certificates and time-outs as the network's policy has them.

An https address is reached through the proxy of the config, else through the one that HTTPS_PROXY names, else
ALL_PROXY, unless its host is listed in NO_PROXY or in the config's ``no_proxy``; the lower-case spelling of each
variable comes first. An http address, which the config allows on this machine only, is reached without one. A proxy
speaks HTTP: there is no SOCKS.
"""

import ssl
import urllib.request
from collections.abc import Mapping

import httpx

from monitor.network.certificates import make_context
from monitor.network.policy import Network, NotUsable

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def make_client(
    address: str,
    network: Network,
    *,
    timeout_seconds: float,
    headers: Mapping[str, str] | None = None,
) -> httpx.Client:
    """Return a client for ``address``, to which other addresses are relative; it follows no redirect.

    ``timeout_seconds`` is how long an answer, and each piece of it, is waited for. Raises ``NotUsable``.
    """
    url = httpx.URL(address)
    # Reading the system's authorities takes long, and an http address has no use for them.
    context = make_context(network.ca_files) if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    waits = httpx.Timeout(
        connect=network.connect_seconds, write=network.write_seconds, read=timeout_seconds, pool=network.connect_seconds
    )
    proxy = _find_proxy(url, network)
    try:
        through = httpx.Proxy(proxy, ssl_context=context if proxy.startswith("https:") else None) if proxy else None
        return httpx.Client(
            base_url=address,
            verify=context,
            trust_env=False,
            proxy=through,
            timeout=waits,
            follow_redirects=False,
            headers=headers,
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        raise NotUsable(
            "the proxy named in the environment is no address of an HTTP proxy; correct HTTPS_PROXY or ALL_PROXY"
        ) from None


def _find_proxy(url: httpx.URL, network: Network) -> str | None:
    environ = network.environ
    excluded = ",".join((environ.get("no_proxy") or environ.get("NO_PROXY") or "", *network.no_proxy))
    bypassed = urllib.request.proxy_bypass_environment(url.host, {"no": excluded})  # type: ignore[attr-defined]
    if url.scheme == "http" or bypassed:
        return None
    return network.proxy or next(filter(None, map(environ.get, PROXY_VARIABLES)), None)
