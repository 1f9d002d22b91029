"""The settings of the network: how every web service is reached, and how an application signs in at Microsoft."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.config.fields import File, Line, Table, WebAddress
from monitor.network.policy import Network, NotUsable


def _proxy(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.path not in ("", "/") or not value.isascii():
        raise ValueError("not the address of an HTTP proxy; write it like http://proxy.example.gov.uk:8080")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password; take the line out, and give the whole address in HTTPS_PROXY")
    return value


def _authority(file: Path) -> Path:
    """Check that a file holds certificates, so that it is found out before anything is sent."""
    from monitor.network.certificates import make_context  # TLS takes long to load, and few need this

    try:
        make_context([file])
    except NotUsable as fault:
        raise ValueError(str(fault).removeprefix("ca_file: ")) from None
    return file


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value):
            raise ValueError(f'"{value[:60]}" is no host or domain; write it like "intranet.example.gov.uk"')
    return values


class NetworkSettings(Table):
    """How web services and mail servers are reached; ``ca_file`` counts beside the system's own authorities."""

    ca_file: Annotated[File, AfterValidator(_authority)] | None = None
    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    no_proxy: Annotated[tuple[Line, ...], AfterValidator(_hosts)] = ()
    connect_seconds: int = Field(default=15, ge=1, le=600)
    write_seconds: int = Field(default=60, ge=1, le=600)

    def reach(self, environ: Mapping[str, str]) -> Network:
        """Return the network of these settings; what they leave open is taken from the environment."""
        return Network(
            environ,
            (self.ca_file,) if self.ca_file else (),
            self.proxy,
            self.no_proxy,
            self.connect_seconds,
            self.write_seconds,
        )


def _tenant(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", value):
        raise ValueError("not a tenant; write its id, or a domain of it like example.onmicrosoft.com")
    return value


class EntraApp(Table):
    """An application registered in Microsoft Entra, and how it shows that it is itself: a secret or a certificate.

    ``secret_expires_on``: the last day of the secret, or of the certificate; warned of before.
    """

    tenant: Annotated[Line, AfterValidator(_tenant)]
    client_id: Line
    client_secret_env: Line | None = None
    client_secret_file: File | None = None
    certificate_file: File | None = None
    secret_expires_on: date | None = None
    login_url: WebAddress = "https://login.microsoftonline.com"

    @model_validator(mode="after")
    def _has_one_proof(self) -> "EntraApp":
        proofs = (self.client_secret_env, self.client_secret_file, self.certificate_file)
        if sum(proof is not None for proof in proofs) != 1:
            raise ValueError(
                "client_secret_env: give it, client_secret_file or certificate_file, the one way in which the "
                "application shows who it is"
            )
        return self

    @property
    def proof_place(self) -> str:
        """Return where the secret or certificate is, for messages."""
        return str(self.client_secret_env or self.client_secret_file or self.certificate_file)
