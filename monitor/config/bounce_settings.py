"""The settings of the mailbox to which mail servers send back what they could not deliver."""

from typing import Literal

from pydantic import Field, model_validator

from monitor.config.fields import File, Line, Mailbox, Table, WebAddress
from monitor.config.network_settings import EntraApp


class BounceSettings(Table):
    """A mailbox that is read for delivery reports alone: by IMAP over TLS, or by Microsoft Graph.

    ``look_back_days``: how old a report may be when it is first seen. ``app``: the Entra application that signs in;
    by IMAP a user and a password may take its place.
    """

    kind: Literal["imap", "graph"]
    mailbox: Mailbox
    look_back_days: int = Field(default=14, ge=1, le=90)
    host: str = "outlook.office365.com"
    port: int = Field(default=993, ge=1, le=65535)
    folder: Line = "INBOX"
    username_env: str | None = None
    password_env: str | None = None
    app: EntraApp | None = None
    ca_file: File | None = None
    timeout_seconds: int = Field(default=30, ge=1, le=600)
    graph_url: WebAddress = "https://graph.microsoft.com"

    @model_validator(mode="after")
    def _can_sign_in(self) -> "BounceSettings":
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env go together; give both or neither")
        if self.kind == "graph" and self.app is None:
            raise ValueError('app: missing; kind "graph" signs in as an Entra application: [delivery.bounces.app]')
        if self.kind == "imap" and (self.app is None) == (self.username_env is None):
            raise ValueError(
                "username_env: give it with password_env, or [delivery.bounces.app], the one way in which the mailbox "
                "is opened"
            )
        return self
