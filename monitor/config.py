"""The configuration: one TOML file read once into frozen models, every problem reported together."""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from monitor.errors import Problems

SHIPPED = Path(__file__).parent / "shipped"
"""Where the wheel keeps the rules and templates that stand at the top level of a checkout."""

NOT_AN_ADVISER = (
    "duty", "duty worker", "unallocated", "awaiting allocation", "tbc", "vacant", "none", "n/a", "unknown",
)  # fmt: skip


def shipped(folder: str) -> Path:
    """The shipped ``rules`` or ``templates``: inside the wheel, else at the top level of the checkout."""
    inside = SHIPPED / folder
    return inside if inside.is_dir() else Path(__file__).parent.parent / folder


def _mailbox(value: str) -> str:
    if not re.fullmatch(r"[^@\s,;<>\"\x00-\x1f]+@[^@\s,;<>\"\x00-\x1f]+\.[^@\s.,;<>\"\x00-\x1f]+", value):
        raise ValueError("not an e-mail address; write one mailbox, like name@example.gov.uk")
    return value


def _one_line(value: str) -> str:
    if not value.strip() or any(ord(character) < 32 for character in value):
        raise ValueError("must be one line of text")
    return value.strip()


Mailbox = Annotated[str, AfterValidator(_mailbox)]
Line = Annotated[str, AfterValidator(_one_line)]


class Table(BaseModel):
    """A table of the config file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Table):
    """Where caseload rows come from."""

    name: Line
    kind: Literal["annex-a-list-9", "sample"]
    path: Path | None = None
    sheet: str | None = None
    people: int = Field(default=900, ge=1, le=5_000_000)
    seed: int = 1

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Source":
        if self.kind != "sample" and self.path is None:
            raise ValueError(f'path: missing; a source of kind "{self.kind}" is read from a file')
        return self


class People(Table):
    """Who hears, beside the team leads."""

    analyst: Mailbox = "analyst@example.gov.uk"
    fallback: Mailbox | None = None
    head: Mailbox | None = None


class Team(Table):
    """One team: its name as the caseload spells it, and who hears about it."""

    name: Line
    lead: Mailbox | None = None
    manager: Mailbox | None = None
    also_known_as: tuple[Line, ...] = ()


class Smtp(Table):
    """A mail server reached over TLS; there is no unencrypted way to send."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls"] = "starttls"
    username_env: str | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    timeout_seconds: int = Field(default=30, ge=1, le=600)

    @model_validator(mode="after")
    def _credentials_come_in_pairs(self) -> "Smtp":
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env go together; give both or neither")
        return self


class Delivery(Table):
    """How messages leave."""

    channel: Literal["folder", "smtp"] = "folder"
    sender: Mailbox = "care-leaver-monitor@example.gov.uk"
    marking: Line = "OFFICIAL-SENSITIVE"
    smtp: Smtp | None = None

    @model_validator(mode="after")
    def _channel_is_described(self) -> "Delivery":
        if self.channel == "smtp" and self.smtp is None:
            raise ValueError('smtp: missing; channel "smtp" needs a [delivery.smtp] table with a host')
        return self


class Lists(Table):
    """The exception lists."""

    workbooks: bool = True
    lists_folder: Path | None = None


class Gate(Table):
    """When a night is not believed."""

    lowest_share_present: float = Field(default=0.9, ge=0, le=1)
    most_new_deaths: int = Field(default=3, ge=0)
    highest_share_new_deaths: float = Field(default=0.005, ge=0, le=1)


class RuleSettings(Table):
    """A council's own adjustment of one rule."""

    enabled: bool = True
    severity: Literal["critical", "high", "medium", "low", "data"] | None = None
    limits: Mapping[str, str | int | float | date | tuple[str, ...]] = Field(default_factory=dict)
    reason: Line | None = None
    approved_by: Line | None = None


class Config(Table):
    """The whole configuration; relative paths have been made absolute from the file's folder."""

    authority: Line = "Your authority"
    data_folder: Path = Path("data")
    database: str | None = None
    rules: tuple[Path, ...] = ()
    templates: Path | None = None
    case_url: str | None = None
    restricted: Path | None = None
    not_an_adviser: tuple[str, ...] = NOT_AN_ADVISER
    sources: tuple[Source, ...] = Field(min_length=1)
    people: People = People()
    teams: tuple[Team, ...] = ()
    delivery: Delivery = Delivery()
    lists: Lists = Lists()
    gate: Gate = Gate()
    rule: Mapping[str, RuleSettings] = Field(default_factory=dict)
