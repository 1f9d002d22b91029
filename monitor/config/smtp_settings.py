"""The settings of delivery by a mail server: where it is, who we are to it, and how long each step may take."""

from typing import Literal

from pydantic import Field, model_validator

from monitor.config.fields import File, Host, Mailbox, Table
from monitor.config.network_settings import EntraApp

ENDS_PASSWORDS = "at the end of December 2026"
MICROSOFT = ("office365.com", "outlook.com", "office.com")
"""Domains of Exchange Online."""


class StepSeconds(Table):
    """How long each step of a message may take, in seconds; by default as RFC 5321 (4.5.3.2) has them."""

    greeting: int = Field(default=300, ge=1, le=3600)
    hello: int = Field(default=300, ge=1, le=3600)
    mail: int = Field(default=300, ge=1, le=3600)
    rcpt: int = Field(default=300, ge=1, le=3600)
    data: int = Field(default=120, ge=1, le=3600)
    block: int = Field(default=180, ge=1, le=3600)
    last_dot: int = Field(default=600, ge=1, le=3600)


class SmtpOAuth(EntraApp):
    """An application of Entra that sends from one mailbox of Exchange Online; by default delivery.sender's."""

    mailbox: Mailbox | None = None


class Smtp(Table):
    """A mail server reached over TLS; there is no unencrypted way to send.

    ``timeout_seconds``: to make a connection; what comes after it has its own times in ``step_seconds``.
    """

    host: Host
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls"] = "starttls"
    username_env: str | None = None
    password_env: str | None = None
    oauth: SmtpOAuth | None = None
    ca_file: File | None = None
    timeout_seconds: int = Field(default=30, ge=1, le=600)
    step_seconds: StepSeconds = StepSeconds()
    connections: int = Field(default=3, ge=1, le=10)
    largest_kilobytes: int = Field(default=10_000, ge=50, le=1_000_000)

    @model_validator(mode="after")
    def _has_one_login(self) -> "Smtp":
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env go together; give both or neither")
        if self.oauth is not None and self.username_env is not None:
            raise ValueError("oauth: stands beside username_env and password_env; take those two out")
        return self

    @property
    def warning(self) -> str | None:
        """Return what will stop one day though it works now: a user name and password at Exchange Online."""
        host = self.host.lower()
        if self.username_env is None or not any(host == domain or host.endswith(f".{domain}") for domain in MICROSOFT):
            return None
        return (
            f"delivery.smtp: Exchange Online stops taking a user name and password {ENDS_PASSWORDS}; before that, put "
            'a [delivery.smtp.oauth] table in the place of username_env and password_env, or use channel = "graph"'
        )
