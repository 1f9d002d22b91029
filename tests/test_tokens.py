"""Tokens by client credentials: kept, renewed, and refused in words that say what to do."""

import base64
import datetime as dt
import threading
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.servers.http import Asked, Said, serving
from support.servers.microsoft import CLIENT, GRAPH_SCOPE, SECRET, TENANT, Knobs, MicrosoftServer, microsoft

from monitor.config.network_settings import EntraApp
from monitor.delivery.entra import open_tokens
from monitor.errors import Problems
from monitor.network.policy import Network
from monitor.network.tokens import Application, NoToken, Tokens


def entra(server: MicrosoftServer, **given: object) -> EntraApp:
    proof = {} if "certificate_file" in given else {"client_secret_env": "GRAPH_SECRET"}
    return EntraApp(**{"tenant": TENANT, "client_id": CLIENT, "login_url": server.url, **proof, **given})  # type: ignore[arg-type]


def tokens_of(server: MicrosoftServer, secret: str = SECRET, **given: object) -> Tokens:
    return open_tokens(entra(server, **given), GRAPH_SCOPE, Network({"GRAPH_SECRET": secret}), place="delivery.graph")


def refusal(tokens: Tokens) -> NoToken:
    with pytest.raises(NoToken) as refused:
        tokens.current()
    return refused.value


def signed_certificate(file: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: str = "") -> bytes:
    """Write a certificate with its key; return the certificate alone, as it is uploaded."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "care leaver monitor")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=9))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    locked = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked) + certificate)
    return certificate


RSA_KEY = rsa.generate_private_key(65537, 2048)


def test_a_token_is_kept_until_shortly_before_its_end_and_then_renewed() -> None:
    clock = [0.0]
    with microsoft() as server:
        tokens = tokens_of(server)
        tokens._clock = lambda: clock[0]
        first = tokens.current()
        clock[0] = 3599 - 301
        kept = tokens.current()
        clock[0] = 3599 - 299
        renewed = tokens.current()

    assert kept == first != renewed
    assert len(server.sign_ins) == 2
    assert server.sign_ins[0] == {
        "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "scope": GRAPH_SCOPE,
    }  # fmt: skip


@pytest.mark.parametrize(("said", "kept_for"), [(10, 9), ("3599", 3299), (None, 3300), ("soon", 3300), (-1, 3300)])
def test_any_time_that_a_token_may_say_is_understood(said: int | str | None, kept_for: int) -> None:
    clock = [0.0]

    def answer(asked: Asked) -> Said:
        life = "" if said is None else f', "expires_in": {said if isinstance(said, int) else chr(34) + said + chr(34)}'
        return Said(f'{{"access_token": "t{asked.nth}"{life}}}'.encode())

    with serving(answer) as server:
        tokens = tokens_of(MicrosoftServer(server.url, Knobs()))
        tokens._clock = lambda: clock[0]
        tokens.current()
        clock[0] = kept_for - 1
        before = tokens.current()
        clock[0] = kept_for + 1
        after = tokens.current()

    assert (before, after) == ("t1", "t2")


def test_a_refused_token_is_renewed_once_for_all_threads() -> None:
    with microsoft() as server:
        tokens = tokens_of(server)
        refused = tokens.current()
        given: list[str] = []
        threads = [threading.Thread(target=lambda: given.append(tokens.renew(refused))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(set(given)) == 1
    assert refused not in given
    assert len(server.sign_ins) == 2


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (7000215, "the client secret is wrong; put the secret's value, not its id, in GRAPH_SECRET"),
        (7000222, "the client secret has expired; make a new one in Entra, put its value in GRAPH_SECRET"),
        (700016, "the application is not in this tenant; correct client_id or tenant"),
        (53003, "a Conditional Access policy"),
        (9999999, "refused the client id or secret (unauthorized_client); check what GRAPH_SECRET holds"),
    ],
)
def test_a_refused_sign_in_says_what_to_do_and_nothing_secret(code: int, words: str) -> None:
    with microsoft(Knobs(sign_in_fault=code)) as server:
        refused = refusal(tokens_of(server))

    assert words in str(refused)
    assert refused.lasting
    assert SECRET not in str(refused)
    assert "told to the developer" not in str(refused)


def test_a_wrong_secret_or_tenant_is_told_by_a_real_answer() -> None:
    with microsoft() as server:
        wrong, elsewhere = refusal(tokens_of(server, "guess")), refusal(tokens_of(server, tenant="other.example"))

    assert "the client secret is wrong" in str(wrong)
    assert "there is no such tenant; correct tenant" in str(elsewhere)


def test_a_sign_in_that_is_busy_can_be_tried_again_when_it_says() -> None:
    with microsoft(Knobs(sign_in_status=503, retry_after=40)) as server:
        refused = refusal(tokens_of(server))

    assert str(refused) == "127.0.0.1 answered 503 to the sign-in, which is busy or out of order"
    assert (refused.lasting, refused.wait) == (False, 40)


def test_a_sign_in_whose_certificate_is_unknown_names_it() -> None:
    with microsoft(authority=trustme.CA()) as server:
        refused = refusal(tokens_of(server))

    assert str(refused).startswith("the certificate of localhost is signed by an authority that this machine does not")
    assert "network.ca_file" in str(refused)


def test_a_certificate_signs_in_for_the_application(tmp_path: Path) -> None:
    uploaded = signed_certificate(tmp_path / "app.pem", RSA_KEY)
    with microsoft(certificate=uploaded) as server:
        token = tokens_of(server, certificate_file=tmp_path / "app.pem").current()
        signed_certificate(tmp_path / "new.pem", rsa.generate_private_key(65537, 2048))
        refused = refusal(tokens_of(server, certificate_file=tmp_path / "new.pem"))

    assert token
    assert "client_secret" not in server.sign_ins[0]
    assert f"upload that of {tmp_path / 'new.pem'} in Entra" in str(refused)


def test_a_certificate_file_that_cannot_sign_says_why(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("passphrase", "curve", "other", "none", "keyless")}
    signed_certificate(files["passphrase"], RSA_KEY, "open sesame")
    signed_certificate(files["curve"], ec.generate_private_key(ec.SECP256R1()))
    uploaded = signed_certificate(files["other"], RSA_KEY)
    other = signed_certificate(tmp_path / "second.pem", rsa.generate_private_key(65537, 2048))
    files["other"].write_bytes(files["other"].read_bytes().replace(uploaded, other))
    files["none"].write_text("not a certificate")
    files["keyless"].write_bytes(uploaded)
    said = {}
    for name, file in files.items():
        with pytest.raises(Problems) as refused:
            tokens_of(MicrosoftServer("https://unused.example", Knobs()), certificate_file=file)
        said[name] = str(refused.value)

    assert "has a passphrase" in said["passphrase"]
    assert "is not an RSA key" in said["curve"]
    assert "is not that of its certificate" in said["other"]
    assert "does not hold a certificate and its key in PEM form" in said["none"]
    assert "does not hold a certificate and its key in PEM form" in said["keyless"]
    assert all(words.startswith("delivery.graph.certificate_file: ") for words in said.values())


@pytest.mark.parametrize(
    ("held", "words"), [(None, "the environment has no GRAPH_SECRET"), ("a\nb", "no client secret")]
)
def test_a_secret_that_is_not_there_is_named_by_its_key(held: str | None, words: str) -> None:
    environ = {} if held is None else {"GRAPH_SECRET": held}

    with pytest.raises(Problems, match=f"delivery.graph.client_secret_env: .*{words}"):
        open_tokens(
            entra(MicrosoftServer("https://unused.example", Knobs())),
            GRAPH_SCOPE,
            Network(environ),
            place="delivery.graph",
        )


def test_no_secret_stands_in_a_repr(tmp_path: Path) -> None:
    with microsoft() as server:
        tokens = tokens_of(server)
        token = tokens.current()

    shown = f"{tokens._application!r} {tokens._held!r} {tokens._network!r} {Network({'GRAPH_SECRET': SECRET})!r}"

    assert isinstance(tokens._application, Application)
    assert SECRET not in shown
    assert token not in shown
    assert base64.b64encode(SECRET.encode()).decode() not in shown
