"""The settings of messages: who hears, and how messages leave."""

from datetime import date, time
from itertools import pairwise
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from monitor.config.bounce_settings import BounceSettings
from monitor.config.fields import Domains, File, Hour, Line, Mailbox, Table, WebAddress
from monitor.config.graph_settings import Graph
from monitor.config.smtp_settings import Smtp
from monitor.words import fold_name


class People(Table):
    """Who hears, beside the team leads."""

    analyst: Mailbox = "analyst@example.gov.uk"
    fallback: Mailbox | None = None
    head: Mailbox | None = None


class CoverTime(Table):
    """Who reads a team's mail instead of its lead, from one day up to and with another."""

    reader: Mailbox
    begins: date = Field(alias="from")
    until: date

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "CoverTime":
        if self.until < self.begins:
            raise ValueError(f"until: {self.until} is before from, {self.begins}; put the earlier day in from")
        return self

    def is_in_force(self, day: date) -> bool:
        """Return whether the cover reads on a day."""
        return self.begins <= day <= self.until

    @property
    def words(self) -> str:
        began = "" if self.begins == date.min else f"from {self.begins} "
        return f"{self.reader} {began}until {self.until}"


class Team(Table):
    """One team: its name as the caseload spells it, and who hears about it.

    ``cover`` until ``cover_until``: the short way to write a single cover that is in force already.
    """

    name: Line
    lead: Mailbox | None = None
    manager: Mailbox | None = None
    head: Mailbox | None = None
    cover: Mailbox | None = None
    cover_until: date | None = None
    covers: tuple[CoverTime, ...] = ()
    also_known_as: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _cover_has_an_end(self) -> "Team":
        if self.cover is not None and self.cover_until is None:
            raise ValueError("cover_until: missing; a cover needs the last day on which it is in force")
        if self.cover_until is not None and self.cover is None:
            raise ValueError("cover: missing; cover_until is the end of a cover's time")
        return self

    @model_validator(mode="after")
    def _one_cover_a_day(self) -> "Team":
        times = sorted(self.all_covers, key=lambda cover: cover.begins)
        for earlier, later in pairwise(times):
            if later.begins <= earlier.until:
                raise ValueError(f"covers: {earlier.words}, and {later.words}, overlap; one reads on a day")
        return self

    @property
    def all_covers(self) -> tuple[CoverTime, ...]:
        """Every cover, whichever way it is written."""
        if self.cover is None or self.cover_until is None:
            return self.covers
        return (CoverTime(reader=self.cover, until=self.cover_until, **{"from": date.min}), *self.covers)

    def cover_on(self, day: date | None) -> CoverTime | None:
        """Return the cover in force on a day, if there is one; none without a day."""
        return next((cover for cover in self.all_covers if day is not None and cover.is_in_force(day)), None)

    def reader(self, as_at: date | None = None) -> str | None:
        """Return who hears about the team on a day: the cover while it is in force, else the lead."""
        cover = self.cover_on(as_at)
        return cover.reader if cover else self.lead

    @property
    def mailboxes(self) -> dict[str, str]:
        """Every address of the team that may ever be mailed, by the key under which the config has it."""
        named = {"lead": self.lead, "manager": self.manager, "head": self.head, "cover": self.cover}
        covers = {f"covers[{number}].reader": cover.reader for number, cover in enumerate(self.covers, start=1)}
        return {key: address for key, address in (named | covers).items() if address}


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("not a UUID; copy the id as GOV.UK Notify shows it") from None


def teams_differ(teams: tuple[Team, ...]) -> tuple[Team, ...]:
    owner: dict[str, str] = {}
    for team in teams:
        for spelling in {fold_name(name) for name in (team.name, *team.also_known_as)}:
            if spelling in owner:
                raise ValueError(f'"{team.name}" and "{owner[spelling]}" share the name "{spelling}"; one each')
            owner[spelling] = team.name
    return teams


class Notify(Table):
    """GOV.UK Notify: a service's key, and the template that holds ((subject)) and ((body))."""

    base_url: WebAddress = "https://api.notifications.service.gov.uk"
    api_key_env: Line | None = None
    api_key_file: File | None = None
    template_id: Annotated[str, AfterValidator(_uuid)]
    reply_to_id: Annotated[str, AfterValidator(_uuid)] | None = None
    attach_list: bool = False
    retention_weeks: int = Field(default=4, ge=1, le=78)
    confirm_email_before_download: bool = True
    timeout_seconds: int = Field(default=30, ge=1, le=600)

    @model_validator(mode="after")
    def _has_one_key(self) -> "Notify":
        if (self.api_key_env is None) == (self.api_key_file is None):
            raise ValueError("api_key_env: give it or api_key_file, the one place where the API key is")
        return self


class DeliverySettings(Table):
    """How messages leave."""

    channel: Literal["folder", "smtp", "notify", "graph"] = "folder"
    sender: Mailbox = "care-leaver-monitor@example.gov.uk"
    sender_name: Annotated[Line, Field(max_length=70)] = "Leaving care monitor"
    reply_to: Mailbox | None = None
    marking: Line = "OFFICIAL-SENSITIVE"
    send_hour: Hour = time(8)
    most_attempts: int = Field(default=8, ge=1, le=100)
    allowed_domains: Domains = ()
    smtp: Smtp | None = None
    notify: Notify | None = None
    graph: Graph | None = None
    bounces: BounceSettings | None = None

    @model_validator(mode="after")
    def _domains_are_named(self) -> "DeliverySettings":
        if "allowed_domains" in self.model_fields_set and not self.allowed_domains:
            raise ValueError("allowed_domains: empty, which would allow every address; name one, or take the line out")
        return self

    @model_validator(mode="after")
    def _channel_is_described(self) -> "DeliverySettings":
        if self.channel == "smtp" and self.smtp is None:
            raise ValueError('smtp: missing; channel "smtp" needs a [delivery.smtp] table with a host')
        if self.channel == "notify" and self.notify is None:
            raise ValueError('notify: missing; channel "notify" needs a [delivery.notify] table with a template_id')
        if self.channel == "graph" and self.graph is None:
            raise ValueError('graph: missing; channel "graph" needs a [delivery.graph] table with a tenant')
        return self

    @property
    def attaches_lists(self) -> bool:
        """Return whether a lead's list goes with the message."""
        described = {"notify": self.notify, "graph": self.graph}.get(self.channel)
        return described is not None and described.attach_list

    @property
    def keeps_message_id(self) -> bool:
        """Return whether a message keeps the Message-ID that we give it, so that a reply names the message."""
        if self.channel == "graph":
            return self.graph is not None and self.graph.save_to_sent_items
        return self.channel != "notify"

    def allows(self, mailbox: str) -> bool:
        """Return whether messages may go to this address."""
        return not self.allowed_domains or mailbox.rpartition("@")[2].lower() in self.allowed_domains
