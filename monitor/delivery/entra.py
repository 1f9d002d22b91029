"""An application of Microsoft Entra as the config describes it, ready to sign in."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from monitor.config.network_settings import EntraApp
from monitor.errors import DeliveryError, Problems
from monitor.network.line_faults import Outside
from monitor.network.policy import Network, NotUsable
from monitor.network.tokens import Application, NoToken, PostedSecret, Proof, Tokens, read_certificate


def open_tokens(settings: EntraApp, scope: str, network: Network, *, place: str) -> Tokens:
    """Return the tokens of an application; nothing is connected before the first is wanted.

    ``scope``: of the service they are for, like "https://graph.microsoft.com/.default". ``place``: the table of the
    config, like "delivery.graph". Raises ``Problems`` when the secret or the certificate is not there.
    """
    base = settings.login_url.rstrip("/")
    outside = Outside(urlsplit(base).hostname or "", f"{place}.login_url")
    url = f"{base}/{settings.tenant}/oauth2/v2.0/token"
    application = Application(url, settings.client_id, scope, _read_proof(settings, network, place), outside)
    return Tokens(application, network)


def ask_token(ask: Callable[[], str], place: str) -> str:
    """Return the token that ``ask`` gives; raises a ``DeliveryError`` that stops the rest, since none can go."""
    try:
        return ask()
    except NoToken as fault:
        later = datetime.now(UTC) + timedelta(seconds=fault.wait) if fault.wait else None
        again = "" if fault.lasting else "; it will be tried again"
        raise DeliveryError(f"{place}: {fault}{again}", stops=True, not_before=later) from None


def _read_proof(settings: EntraApp, network: Network, place: str) -> Proof:
    if settings.certificate_file is not None:
        try:
            return read_certificate(settings.certificate_file)
        except NotUsable as fault:
            raise Problems([f"{place}.certificate_file: {fault}"]) from None
    if settings.client_secret_env is not None:
        key, where = "client_secret_env", settings.client_secret_env
        secret = network.environ.get(where, "").strip()
        if not secret:
            raise Problems([f"{place}.{key}: the environment has no {where}; set it before starting"])
    else:
        key, where = "client_secret_file", str(settings.client_secret_file)
        try:
            secret = settings.client_secret_file.read_text("utf-8-sig").strip() if settings.client_secret_file else ""
        except (OSError, UnicodeDecodeError) as fault:
            raise Problems([f"{place}.{key}: {where} cannot be read ({type(fault).__name__})"]) from None
    if not secret or not secret.isascii() or not secret.isprintable():
        raise Problems([f"{place}.{key}: what {where} holds is no client secret; copy the secret's value again"])
    return PostedSecret(secret, where)
