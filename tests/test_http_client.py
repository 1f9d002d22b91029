"""How web services are reached: through which proxy, trusting whom, and what a connection that fails is called."""

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError
from support.servers.http import Said, serving

from monitor.config.network_settings import NetworkSettings
from monitor.network import http_client
from monitor.network.certificates import make_context
from monitor.network.line_faults import LineFault, Outside, explain_line
from monitor.network.policy import Network, NotUsable

REFUSED = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
LOGIN_WANTED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def proxy(answered: bytes = REFUSED) -> Iterator[tuple[str, Future[bytes]]]:
    """One that connects nobody: its address, and the first line that it is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        server.settimeout(5)

        def answer() -> bytes:
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(10_000)
                connection.sendall(answered)
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


# The config's own network


def test_the_proxy_of_the_config_comes_before_the_environment_and_spares_its_own_hosts() -> None:
    environ = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    with proxy() as (address, asked):
        network = NetworkSettings(proxy=address, no_proxy=("localhost",)).reach(environ)
        with pytest.raises(httpx.ProxyError), make("https://example.invalid/", network) as client:
            client.get("")
        with pytest.raises(httpx.ConnectError), make("https://localhost:9/", network) as client:
            client.get("")
        assert asked.result() == b"CONNECT example.invalid:443 HTTP/1.1"


def make(address: str, network: Network) -> httpx.Client:
    return http_client.make_client(address, network, timeout_seconds=5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://proxy.example:1080", "not the address of an HTTP proxy"),
        ("proxy.example:8080", "not the address of an HTTP proxy"),
        ("http://proxy.example:99999", "not the address of an HTTP proxy"),
        ("http://user:secret@proxy.example:8080", "holds a user or a password; .* HTTPS_PROXY"),
    ],
)
def test_a_proxy_in_the_config_that_cannot_be_used_is_a_problem(value: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NetworkSettings(proxy=value)


def test_each_step_that_is_waited_for_has_its_own_time() -> None:
    network = NetworkSettings(connect_seconds=3, write_seconds=7).reach({})
    with http_client.make_client("https://example.invalid/", network, timeout_seconds=100) as client:
        assert client.timeout == httpx.Timeout(connect=3, write=7, read=100, pool=3)


# What a connection that fails is called


def fault_of(address: str, network: Network) -> LineFault:
    with pytest.raises(httpx.HTTPError) as raised, make(address, network) as client:
        client.get("")
    return explain_line(raised.value, Outside(httpx.URL(address).host))


def test_a_proxy_that_wants_a_login_or_does_not_connect_is_said() -> None:
    said = []
    for answered in (LOGIN_WANTED, REFUSED):
        with proxy(answered) as (address, _):
            said.append(fault_of("https://example.invalid/", Network(proxy=address)).words)

    assert "the proxy on the way to example.invalid wants a login; give it in HTTPS_PROXY" in said[0]
    assert "the proxy did not connect to example.invalid; check network.proxy" in said[1]


def test_a_host_that_nobody_knows_and_a_port_where_nobody_listens_are_said() -> None:
    unknown, refused = fault_of("https://host.invalid/", Network()), fault_of("https://127.0.0.1:9/", Network())

    assert unknown.words == "unknown host host.invalid; correct url, or check the name service"
    assert refused.words.startswith("connection refused by 127.0.0.1")
    assert (unknown.may_have_gone, refused.may_have_gone, unknown.lasting) == (False, False, False)


Key = ec.EllipticCurvePrivateKey


def issue(
    signer: tuple[x509.Name, Key] | None, key: Key, *, name: str = "localhost", days: tuple[int, int] = (-1, 1)
) -> x509.Certificate:
    """A certificate of an authority or a host, by itself or by another."""
    subject, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), dt.datetime.now(dt.UTC)
    issuer, signing = signer or (subject, key)
    begins, ends = (now + dt.timedelta(number) for number in days)
    made = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), begins, ends)
    if name.startswith("CA"):
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    else:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return made.sign(signing, hashes.SHA256())


ROOT_KEY, MIDDLE_KEY, HOST_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
ROOT = issue(None, ROOT_KEY, name="CA of the council")
MIDDLE = issue((ROOT.subject, ROOT_KEY), MIDDLE_KEY, name="CA in the proxy")


@contextmanager
def shown(folder: Path, *chain: x509.Certificate) -> Iterator[str]:
    """A server that shows a certificate and what it says that rests on."""
    file = folder / "shown.pem"
    key = HOST_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with serving(lambda asked: Said(b"[]"), context) as server:
        yield server.url


def authority(folder: Path, certificate: x509.Certificate, form: Encoding = Encoding.PEM) -> Network:
    file = folder / "authority.pem"
    file.write_bytes(certificate.public_bytes(form))
    return NetworkSettings.model_validate({"ca_file": file}).reach({})


@pytest.mark.parametrize(
    ("days", "name", "words"),
    [
        ((-3, -2), "localhost", "has expired; have the service's renewed, or put this machine's clock right"),
        ((2, 3), "localhost", "is not valid yet; put this machine's clock right"),
        ((-1, 1), "elsewhere.example", "is made out to another name; correct the address"),
    ],
)
def test_a_certificate_of_a_known_authority_that_is_wrong_is_named(
    tmp_path: Path, days: tuple[int, int], name: str, words: str
) -> None:
    with shown(tmp_path, issue((ROOT.subject, ROOT_KEY), HOST_KEY, days=days, name=name)) as address:
        fault = fault_of(address, authority(tmp_path, ROOT))

    assert fault.words.startswith(f"the certificate of localhost {words}")
    assert (fault.lasting, fault.may_have_gone) == (True, False)


def test_an_authority_nobody_knows_and_a_certificate_that_signs_itself_are_told_apart(tmp_path: Path) -> None:
    leaf = issue((MIDDLE.subject, MIDDLE_KEY), HOST_KEY)
    said = []
    for chain in ((leaf,), (leaf, MIDDLE), (leaf, MIDDLE, ROOT), (issue(None, HOST_KEY),)):
        with shown(tmp_path, *chain) as address:
            said.append(fault_of(address, Network()).words)

    unknown = "is signed by an authority that this machine does not know, most often the council's own in a proxy"
    assert all(f"the certificate of localhost {unknown}" in words for words in said[:3])
    assert all("name the authority's certificate in network.ca_file" in words for words in said[:3])
    assert "is signed by itself alone; name that certificate in network.ca_file" in said[3]


def test_the_authority_of_the_council_is_trusted_beside_the_systems_own_whichever_link_is_named(tmp_path: Path) -> None:
    leaf = issue((MIDDLE.subject, MIDDLE_KEY), HOST_KEY)
    itself = issue(None, HOST_KEY)
    chains = (((leaf, MIDDLE), ROOT, Encoding.PEM), ((leaf,), MIDDLE, Encoding.DER), ((itself,), itself, Encoding.PEM))
    for chain, trusted, form in chains:
        with shown(tmp_path, *chain) as address, make(address, authority(tmp_path, trusted, form)) as client:
            assert client.get("").status_code == 200

    context = make_context(authority(tmp_path, ROOT).ca_files)
    assert context.cert_store_stats()["x509"] == make_context().cert_store_stats()["x509"] + 1
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_file_without_certificates_is_named(tmp_path: Path) -> None:
    for content in (b"not a certificate", b"", b"-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n"):
        (tmp_path / "ca.pem").write_bytes(content)

        with pytest.raises(NotUsable, match=r"ca_file: .*ca\.pem holds no certificate in PEM form; export"):
            make("https://example.invalid/", Network(ca_files=(tmp_path / "ca.pem",)))
        with pytest.raises(ValidationError, match=r"ca\.pem holds no certificate in PEM form"):
            NetworkSettings(ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("host", ["10.0.0.0/8", "*.example.gov.uk", "https://intranet.example.gov.uk", "a,b"])
def test_a_host_that_no_proxy_could_never_match_is_a_problem(host: str) -> None:
    with pytest.raises(ValidationError, match="is no host or domain"):
        NetworkSettings(no_proxy=(host,))
