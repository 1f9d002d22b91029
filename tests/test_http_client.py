"""Which proxy of the environment an HTTP client goes through."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from monitor.network import http_client
from monitor.network.policy import Network, NotUsable

REFUSED = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def proxy() -> Iterator[tuple[str, Future[bytes]]]:
    """One that connects nobody: its address, and the first line that it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        server.settimeout(5)

        def answer() -> bytes:
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(10_000)
                connection.sendall(REFUSED)
            return asked.partition(b"\r\n")[0]

        yield f"http://127.0.0.1:{server.getsockname()[1]}", threads.submit(answer)


def ask(environ: dict[str, str], address: str = "https://example.invalid/list") -> None:
    with http_client.make_client(address, Network(environ), timeout_seconds=5) as client:
        client.get("")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_an_https_address_is_reached_through_the_proxy_of_the_environment(variable: str) -> None:
    with proxy() as (address, asked):
        with pytest.raises(httpx.ProxyError):
            ask({variable: address})
        assert asked.result() == b"CONNECT example.invalid:443 HTTP/1.1"


@pytest.mark.parametrize(
    ("first", "second"), [("HTTPS_PROXY", "ALL_PROXY"), ("https_proxy", "all_proxy"), ("HTTPS_PROXY", "all_proxy"),
                          ("https_proxy", "HTTPS_PROXY"), ("all_proxy", "ALL_PROXY")]
)  # fmt: skip
def test_https_proxy_comes_before_all_proxy_and_lower_case_before_upper(first: str, second: str) -> None:
    with proxy() as (address, asked):
        with pytest.raises(httpx.ProxyError):
            ask({second: "http://127.0.0.1:9", first: address})
        assert asked.result().startswith(b"CONNECT")


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_no_proxy_holds_for_both(variable: str) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY"):
        with pytest.raises(httpx.ConnectError):
            ask({name: "http://127.0.0.1:9", variable: "127.0.0.1"}, "https://127.0.0.1:9/")


def test_an_empty_https_proxy_is_not_set() -> None:
    with proxy() as (address, asked):
        with pytest.raises(httpx.ProxyError):
            ask({"HTTPS_PROXY": "", "ALL_PROXY": address})
        assert asked.result().startswith(b"CONNECT")


def test_an_address_on_this_machine_needs_no_proxy() -> None:
    with proxy() as (address, asked):
        with pytest.raises(httpx.HTTPStatusError):
            ask_plainly(address)
        assert asked.result() == b"GET / HTTP/1.1"


def ask_plainly(address: str) -> None:
    environ = {"HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    with http_client.make_client(address, Network(environ), timeout_seconds=5) as client:
        client.get("").raise_for_status()


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "not an address", "ftp://127.0.0.1"])
def test_a_proxy_that_does_not_speak_http_is_refused_in_words(address: str) -> None:
    with pytest.raises(NotUsable, match="correct HTTPS_PROXY or ALL_PROXY"):
        ask({"ALL_PROXY": address})
