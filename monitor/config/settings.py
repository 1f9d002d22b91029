"""The configuration: one TOML file read once into frozen models, every problem reported together."""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.catalogue.no_adviser import fold_adviser
from monitor.config.closed_days import Closure, gather_days
from monitor.config.delivery_settings import DeliverySettings, People, Team, teams_differ
from monitor.config.escalation_settings import Digests, EscalationSettings
from monitor.config.fields import (
    DatabaseUrl,
    File,
    Folder,
    Line,
    ListsAddress,
    Located,
    SchemaName,
    Table,
    check_case_url,
)
from monitor.config.id_lists import check_lists
from monitor.config.network_settings import NetworkSettings
from monitor.config.retention_settings import Retention
from monitor.config.service_settings import HeartbeatSettings, ServiceSettings
from monitor.config.settings_file import FileNames, read_settings
from monitor.config.source_settings import Source, sources_fit
from monitor.config.waiver_settings import Answers, WaiverSettings
from monitor.errors import Problems
from monitor.words import fold_name
from monitor.workdays import WorkingDays

SHIPPED = Path(__file__).parent.parent / "shipped"
"""Where the wheel keeps the rules and templates that stand at the top level of a checkout."""
NAMED = FileNames("--config or $MONITOR_CONFIG", "config.example.toml")


def shipped(name: str) -> Path:
    """Find the shipped ``rules``, ``templates`` or example config: in the wheel, else at the top of the checkout."""
    inside = SHIPPED / name
    return inside if inside.exists() else Path(__file__).parent.parent.parent / name


class Lists(Table):
    """The exception lists. ``lists_url``: where a browser finds what ``lists_folder`` holds."""

    workbooks: bool = True
    lists_folder: Located | None = None
    lists_url: ListsAddress | None = None


class ReportSettings(Table):
    """The oversight report."""

    every_night: bool = True


class Measures(Table):
    """Figures of the service."""

    adviser_cap: int = Field(default=25, ge=1)


class Gate(Table):
    """When a night is not believed, or a part of it; shares are of people, between 0 and 1.

    ``fewest``: what concerns fewer people than this is never called a bulk change.
    """

    fewest: int = Field(default=5, ge=1)
    lowest_share_present: float = Field(default=0.9, ge=0, le=1)
    lowest_share_of_team: float = Field(default=0.5, ge=0, le=1)
    highest_share_joined: float = Field(default=0.25, ge=0)
    most_new_deaths: int = Field(default=3, ge=0)
    highest_share_new_deaths: float = Field(default=0.005, ge=0, le=1)
    most_ids_changed: int = Field(default=2, ge=0)
    highest_share_birth_dates_changed: float = Field(default=0.01, ge=0, le=1)
    highest_share_teams_changed: float = Field(default=0.2, ge=0, le=1)
    highest_share_rows_disagreeing: float = Field(default=0.05, ge=0)
    lowest_share_of_usual_fill: float = Field(default=0.8, ge=0, le=1)
    highest_rise_unreadable: float = Field(default=0.1, ge=0, le=1)
    highest_share_values_changed: float = Field(default=0.5, ge=0, le=1)
    highest_share_dates_back: float = Field(default=0.25, ge=0, le=1)
    oldest_extract_working_days: int = Field(default=3, ge=0)


class Quarantine(Table):
    """When one rule's new flags are too many to be true, and wait for the analyst."""

    fewest: int = Field(default=10, ge=1)
    highest_share: float = Field(default=0.1, ge=0, le=1)
    most_times_usual: float = Field(default=5, ge=1)
    wait_working_days: int = Field(default=2, ge=0)


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
    data_folder: Located = Path("data")
    database: DatabaseUrl | None = None
    database_schema: SchemaName | None = None
    database_password_env: Line | None = None
    database_password_file: Located | None = None
    rules: tuple[Folder, ...] = ()
    shipped_rules: bool = True
    templates: Folder | None = None
    case_url: Annotated[str, AfterValidator(check_case_url)] | None = None
    restricted: File | None = None
    merged_ids: File | None = None
    not_an_adviser: tuple[str, ...] = ()
    is_an_adviser: tuple[str, ...] = ()
    closed_days: tuple[Closure, ...] = ()
    sources: Annotated[tuple[Source, ...], Field(min_length=1), AfterValidator(sources_fit)]
    people: People = People()
    teams: Annotated[tuple[Team, ...], AfterValidator(teams_differ)] = ()
    delivery: DeliverySettings = DeliverySettings()
    network: NetworkSettings = NetworkSettings()
    lists: Lists = Lists()
    report: ReportSettings = ReportSettings()
    digests: Digests = Digests()
    escalation: EscalationSettings = EscalationSettings()
    gate: Gate = Gate()
    measures: Measures = Measures()
    quarantine: Quarantine = Quarantine()
    service: ServiceSettings = ServiceSettings()
    heartbeat: HeartbeatSettings | None = None
    waivers: WaiverSettings = Field(default_factory=WaiverSettings)
    answers: Answers = Answers()
    retention: Retention = Retention()
    rule: Mapping[str, RuleSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_rules(self) -> "Config":
        if not self.shipped_rules and not self.rules:
            raise ValueError(
                "shipped_rules: is false, and rules names no folder; name one, or use the shipped rulebook"
            )
        return self

    @model_validator(mode="after")
    def _adviser_names_differ(self) -> "Config":
        beside = {fold_adviser(name) for name in self.not_an_adviser}
        if both := [name for name in self.is_an_adviser if fold_adviser(name) in beside]:
            raise ValueError(f'is_an_adviser: "{both[0]}" stands in not_an_adviser too; keep it in one of the two')
        return self

    @model_validator(mode="after")
    def _days_are_left(self) -> "Config":
        try:
            gather_days(self.closed_days)
        except ValueError as fault:
            raise ValueError(f"closed_days: {fault}") from None
        return self

    @model_validator(mode="after")
    def _places_can_be_used(self) -> "Config":
        """What is there already must be what it is taken for; what is not there yet is made when it is needed."""
        if fault := _find_fault(self.data_folder, folder=True):
            raise ValueError(f"data_folder: {fault}")
        file = (self.database or "").removeprefix("sqlite:///")
        path = Path(file) if file else self.data_folder / "monitor.db"
        if not (self.database or "").startswith("postgresql") and (fault := _find_fault(path, folder=False)):
            raise ValueError(f"database: {fault}")
        return self

    @model_validator(mode="after")
    def _keys_of_database_fit(self) -> "Config":
        if self.database_password_env and self.database_password_file:
            raise ValueError("database_password_file: stands beside database_password_env; name one of the two")
        named = self.database_password_env or self.database_password_file
        if named and not (self.database or "").startswith("postgresql"):
            raise ValueError("database_password_env, database_password_file: only for PostgreSQL; remove them")
        if self.database_schema and not (self.database or "").startswith("postgresql"):
            raise ValueError("database_schema: only for PostgreSQL; remove it, or name in database where it is")
        return self

    @model_validator(mode="after")
    def _restricted_people_have_a_reader(self) -> "Config":
        if self.restricted and not self.people.head:
            raise ValueError("restricted: needs people.head, the only one who may be shown these people")
        return self

    @model_validator(mode="after")
    def _every_team_has_a_reader(self) -> "Config":
        unheard = [team.name for team in self.teams if team.lead is None]
        if unheard and not self.people.model_fields_set & {"analyst", "fallback"}:
            raise ValueError(
                f"teams[{unheard[0]}].lead: missing, and neither people.fallback nor people.analyst is named, "
                "so nobody would hear about this team; name one of them"
            )
        return self

    @model_validator(mode="after")
    def _addresses_are_allowed(self) -> "Config":
        named = [
            ("delivery.reply_to", self.delivery.reply_to),
            *((f"people.{key}", value) for key, value in self.people),
        ]
        named += [(f"teams[{team.name}].{key}", value) for team in self.teams for key, value in team.mailboxes.items()]
        addresses = [(place, value) for place, value in named if isinstance(value, str) and "@" in value]
        if wrong := [place for place, value in addresses if not self.delivery.allows(value)]:
            domains = " or ".join(f"@{domain}" for domain in self.delivery.allowed_domains)
            raise ValueError(f"{', '.join(wrong)}: not an address at {domains}, which delivery.allowed_domains demands")
        return self

    @property
    def working_days(self) -> WorkingDays:
        """The days on which messages go and clocks run."""
        return gather_days(self.closed_days)

    @property
    def team_names(self) -> Mapping[str, str]:
        """Each spelling of a team, folded, with the name the config gives that team."""
        return {fold_name(name): team.name for team in self.teams for name in (team.name, *team.also_known_as)}

    def rule_folders(self) -> tuple[Path, ...]:
        """The shipped rulebook first, unless it is left out; the council's own folders beside it."""
        return (*((shipped("rules"),) if self.shipped_rules else ()), *self.rules)


def _find_fault(path: Path, *, folder: bool) -> str | None:
    """Why a place can be no folder, or no file; None where it is one, or can become one."""
    try:
        if path.is_dir() if folder else path.is_file():
            return None
        remedy = "name a folder that the monitor alone writes to" if folder else "name a file, like data/monitor.db"
        if path.exists():
            return f"{path} is there and is no {'folder' if folder else 'file'}; {remedy}"
        leads_to = Path(os.path.realpath(path))
        if path.is_symlink() and (folder or leads_to.is_symlink() or not leads_to.parent.is_dir()):
            return f"{path} is a link that leads nowhere; take it away, or {remedy}"
        blocked = next((part for part in path.parents if part.exists() or part.is_symlink()), None)
        if blocked is not None and not blocked.is_dir():
            return f"{path} cannot be made, because {blocked} is no folder; {remedy}"
    except (OSError, ValueError) as fault:
        return f"cannot be looked at ({getattr(fault, 'strerror', None) or fault}); name it by a plain path"
    return None


def load_config(path: Path) -> Config:
    """Read ``path``; raises ``Problems`` naming every mistake at once."""
    config = read_settings(path, Config, NAMED)
    if problems := check_lists(config.restricted, config.merged_ids):
        raise Problems(problems)
    return config
