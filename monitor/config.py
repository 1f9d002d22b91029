"""The configuration: one TOML file read once into frozen models, every problem reported together."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from monitor.columns import BY_NAME
from monitor.errors import Problems

SHIPPED = Path(__file__).parent / "shipped"
"""Where the wheel keeps the rules and templates that stand at the top level of a checkout."""

NOT_AN_ADVISER = (
    "duty", "duty worker", "unallocated", "awaiting allocation", "tbc", "vacant", "none", "n/a", "unknown",
)  # fmt: skip


def fold(name: str) -> str:
    """A name as it is compared: case and spaces aside."""
    return " ".join(name.split()).casefold()


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


def _located(value: Path, info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", "")) / value


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError(f"no folder {value}")
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"no file {value}")
    return value


def _catalogue_columns(values: tuple[str, ...]) -> tuple[str, ...]:
    for name in values:
        if name not in BY_NAME:
            nearest = difflib.get_close_matches(name, BY_NAME, n=1)
            hint = f'; did you mean "{nearest[0]}"?' if nearest else "; monitor columns lists them"
            raise ValueError(f'no column "{name}"{hint}')
    return values


def _case_url(value: str) -> str:
    if not value.startswith("https://") or "{person_id}" not in value:
        raise ValueError("must start with https:// and hold {person_id} where the id goes")
    return value


def _database(value: str, info: ValidationInfo) -> str:
    if not value.startswith("sqlite:///"):
        raise ValueError('only "sqlite:///FILE" is supported')
    return f"sqlite:///{_located(Path(value.removeprefix('sqlite:///')), info)}"


def _source_url(value: str, info: ValidationInfo) -> str:
    """Without a password, which messages would show; an SQLite file is found from the config file's folder."""
    try:
        parts = urlsplit(value)
        held = parts.password is not None
    except ValueError:
        raise ValueError("cannot be read as a URL; write it like postgresql://user@host/database") from None
    if held or re.search(r"(?i)\b(password|pwd|passwd|secret|token)\s*=", unquote_plus(parts.query)):
        raise ValueError(
            "holds a password; take it out and name with password_env the environment variable that has it"
        )
    if parts.scheme.split("+")[0] == "sqlite":
        return f"{parts.scheme}:///{_located(Path(value.partition(':///')[2]), info)}"
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]
Line = Annotated[str, AfterValidator(_one_line)]
Located = Annotated[Path, AfterValidator(_located)]
"""A path, made absolute from the config file's folder."""
Folder = Annotated[Located, AfterValidator(_folder)]
File = Annotated[Located, AfterValidator(_file)]


class Table(BaseModel):
    """A table of the config file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


DATABASES = ("postgresql", "sqlite", "mssql")
"""What a source's url may begin with; mssql is SQL Server."""


def _web_address(value: str) -> str:
    """An address that may be sent credentials: over TLS, or on this machine."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or not value.isascii() or not value.isprintable():
        raise ValueError("not a web address; write it like https://host.example.gov.uk/people")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")):
        raise ValueError("must begin with https://, since personal data goes over it")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password; name with token_env the environment variable that has a token")
    if parts.fragment:
        raise ValueError("holds a #; leave out what follows it")
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]


class Http(Table):
    """A web service that gives a list, in one page or many; there is no unencrypted way to read it."""

    url: WebAddress
    format: Literal["json", "csv"] = "json"
    items: Line | None = None
    next: Line | None = None
    token_env: Line | None = None
    token_url: WebAddress | None = None
    client_id_env: Line | None = None
    client_secret_env: Line | None = None
    scope: Line | None = None
    ca_file: File | None = None
    timeout_seconds: int = Field(default=30, ge=1, le=600)
    retries: int = Field(default=4, ge=0, le=10)
    largest_megabytes: int = Field(default=500, ge=1, le=100_000)
    most_pages: int = Field(default=10_000, ge=1, le=1_000_000)
    most_minutes: int = Field(default=60, ge=1, le=1_440)

    @model_validator(mode="after")
    def _keys_fit_together(self) -> "Http":
        sign_in = (self.token_url, self.client_id_env, self.client_secret_env)
        if any(sign_in) and not all(sign_in):
            raise ValueError("token_url, client_id_env and client_secret_env go together; give all three or none")
        if self.token_url and self.token_env:
            raise ValueError("token_env: stands beside token_url; give the one way the service lets the monitor in")
        if self.scope and not self.token_url:
            raise ValueError("scope: only goes with token_url; remove it")
        if self.format == "csv" and self.items:
            raise ValueError("items: csv has no keys; remove it")
        if self.format == "csv" and self.next not in (None, "header"):
            raise ValueError('next: csv has no keys; write "header", or leave it out')
        return self


class Source(Table):
    """Where caseload rows come from, or (role "detail") columns about the people on it."""

    name: Line
    kind: Literal[
        "annex-a-list-9", "ssda903-oc3", "sample", "supplement",
        "sql", "ssd-systemc", "ssd-mosaic", "ssd-eclipse", "http", "care-history",
    ]  # fmt: skip
    role: Literal["caseload", "detail"] | None = None
    prefer: Annotated[tuple[str, ...], AfterValidator(_catalogue_columns)] = ()
    path: Located | None = None
    sheet: str | None = None
    people: int = Field(default=900, ge=1, le=5_000_000)
    seed: int = 1
    extracted_on: date | None = None
    url: Annotated[str, AfterValidator(_source_url)] | None = None
    password_env: Line | None = None
    query_file: Located | None = None
    db_schema: Line | None = Field(default=None, alias="schema")
    timeout_seconds: int = Field(default=300, ge=1, le=86_400)
    connect_timeout_seconds: int = Field(default=15, ge=1, le=600)
    adviser_roles: tuple[Line, ...] = ()
    area_postcodes: tuple[Line, ...] = ()
    http: Http | None = None
    return_year: int | None = Field(default=None, ge=2017, le=2100)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Source":
        if self.is_database:
            self._check_database()
        elif self.kind == "care-history":
            self._check_care_history()
        elif self.kind == "http":
            if self.http is None:
                raise ValueError('http: missing; a source of kind "http" needs a [sources.http] table with a url')
        elif self.kind != "sample" and self.path is None:
            raise ValueError(f'path: missing; a source of kind "{self.kind}" is read from a file')
        if self.kind == "supplement" and self.role == "caseload":
            raise ValueError("role: a supplement never decides who is on the caseload; leave role out")
        return self

    def _check_care_history(self) -> None:
        if (self.path is None) == (self.url is None):
            raise ValueError("path: give the folder of the exported tables, or the url of their database, and not both")
        if self.url is not None:
            self._check_database()
        if self.role is not None or self.prefer:
            raise ValueError("role: a care history is neither a caseload nor detail; leave role and prefer out")

    def _check_database(self) -> None:
        if self.url is None:
            raise ValueError(f'url: missing; a source of kind "{self.kind}" is read from a database')
        if self.url.split(":", 1)[0].split("+", 1)[0] not in DATABASES:
            raise ValueError(f"url: must begin with one of {', '.join(f'{name}://' for name in DATABASES)}")
        if (self.kind == "sql") != (self.query_file is not None):
            wrong = (
                "missing; name the file that holds the query" if self.kind == "sql" else "only for kind sql; remove it"
            )
            raise ValueError(f"query_file: {wrong}")

    @property
    def is_database(self) -> bool:
        return self.kind == "sql" or self.kind.startswith("ssd-")

    @property
    def role_played(self) -> Literal["caseload", "detail"]:
        return self.role or ("detail" if self.kind in ("supplement", "care-history") else "caseload")

    @property
    def is_sample_supplement(self) -> bool:
        return self.kind == "sample" and self.role == "detail"


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
    ca_file: File | None = None
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
    lists_folder: Located | None = None


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


def _sources_fit(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f'two are named "{twice[0]}"; names must differ')
    if sources and all(source.role_played == "detail" for source in sources):
        raise ValueError("none says who is on the caseload; add one whose role is not detail")
    if sum(source.kind == "care-history" for source in sources) > 1:
        raise ValueError("two are care histories; keep one")
    preferred: dict[str, str] = {}
    for source in sources:
        for column in source.prefer:
            if column in preferred:
                raise ValueError(f'"{preferred[column]}" and "{source.name}" both prefer {column}; only one source can')
            preferred[column] = source.name
    return sources


def _teams_differ(teams: tuple[Team, ...]) -> tuple[Team, ...]:
    owner: dict[str, str] = {}
    for team in teams:
        for spelling in {fold(name) for name in (team.name, *team.also_known_as)}:
            if spelling in owner:
                raise ValueError(f'"{team.name}" and "{owner[spelling]}" share the name "{spelling}"; one each')
            owner[spelling] = team.name
    return teams


class Config(Table):
    """The whole configuration; relative paths have been made absolute from the file's folder."""

    authority: Line = "Your authority"
    data_folder: Located = Path("data")
    database: Annotated[str, AfterValidator(_database)] | None = None
    rules: tuple[Folder, ...] = ()
    shipped_rules: bool = True
    templates: Folder | None = None
    case_url: Annotated[str, AfterValidator(_case_url)] | None = None
    restricted: File | None = None
    merged_ids: File | None = None
    not_an_adviser: tuple[str, ...] = NOT_AN_ADVISER
    sources: Annotated[tuple[Source, ...], Field(min_length=1), AfterValidator(_sources_fit)]
    people: People = People()
    teams: Annotated[tuple[Team, ...], AfterValidator(_teams_differ)] = ()
    delivery: Delivery = Delivery()
    lists: Lists = Lists()
    gate: Gate = Gate()
    measures: Measures = Measures()
    quarantine: Quarantine = Quarantine()
    rule: Mapping[str, RuleSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_rules(self) -> "Config":
        if not self.shipped_rules and not self.rules:
            raise ValueError(
                "shipped_rules: is false, and rules names no folder; name one, or use the shipped rulebook"
            )
        return self

    @model_validator(mode="after")
    def _restricted_people_have_a_reader(self) -> "Config":
        if self.restricted and not self.people.head:
            raise ValueError("restricted: needs people.head, the only one who may be shown these people")
        return self

    @property
    def team_names(self) -> Mapping[str, str]:
        """Each spelling of a team, folded, with the name the config gives that team."""
        return {fold(name): team.name for team in self.teams for name in (team.name, *team.also_known_as)}

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.data_folder / 'monitor.db'}"

    @property
    def database_path(self) -> Path:
        return Path(self.database_url.removeprefix("sqlite:///"))

    def rule_folders(self) -> tuple[Path, ...]:
        """The shipped rulebook first, unless it is left out; the council's own folders beside it."""
        return (*((shipped("rules"),) if self.shipped_rules else ()), *self.rules)


def load_config(path: Path) -> Config:
    """Read ``path``; raises ``Problems`` naming every mistake at once."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Problems([f"{path}: no such file; name one with --config or $MONITOR_CONFIG"]) from None
    except (OSError, UnicodeDecodeError) as fault:
        raise Problems([f"{path}: cannot be read as UTF-8 text ({_plain(fault)})"]) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise Problems([f"{path}: not valid TOML: {fault}"]) from None
    try:
        return Config.model_validate(table, context={"folder": path.absolute().parent})
    except ValidationError as fault:
        problems = fault.errors()
        places = [problem["loc"] for problem in problems]
        raise Problems(
            _explain(path, table, problem)
            for problem in problems
            # A table that failed leaves its list short; only the fault itself is worth saying.
            if not (problem["type"] == "too_short" and any(place[:1] == problem["loc"] != place for place in places))
        ) from None


def _plain(fault: Exception) -> str:
    return fault.strerror or type(fault).__name__ if isinstance(fault, OSError) else type(fault).__name__


def _explain(path: Path, table: Mapping[str, Any], problem: Any) -> str:
    """One pydantic problem in our wording: place, what is wrong, what would be right."""
    where = _place(table, problem["loc"])
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "missing":
        return f"{path}: {where}: missing"
    if kind == "extra_forbidden":
        nearest = difflib.get_close_matches(str(problem["loc"][-1]), _keys_beside(problem["loc"]), n=1)
        hint = f'; did you mean "{nearest[0]}"?' if nearest else "; remove it, or see config.example.toml"
        return f"{path}: {where}: unknown key{hint}"
    if kind == "value_error":
        return f"{path}: {where}: {context['error']}" if where else f"{path}: {context['error']}"
    if kind == "literal_error":
        return f"{path}: {where}: {_shown(problem['input'])} is not one of {context['expected']}"
    if kind == "too_short":
        return f"{path}: {where}: at least one is needed; add a [[{where}]] table"
    return f"{path}: {where}: {_shown(problem['input'])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _place(table: Mapping[str, Any], loc: tuple[int | str, ...]) -> str:
    """``teams.2.lead`` with tables counted from 1 and named where they have a name."""
    parts: list[str] = []
    here: Any = table
    for step in loc:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            here = None
        if isinstance(step, int):
            named = here.get("name") if isinstance(here, dict) else None
            parts[-1:] = [f"{parts[-1] if parts else ''}[{named or step + 1}]"]
        else:
            parts.append(step)
    return ".".join(parts)


def _keys_beside(loc: tuple[int | str, ...]) -> list[str]:
    """The real keys of the table in which an unknown key was written."""
    model: Any = Config
    for step in loc[:-1]:
        if isinstance(step, int) or not hasattr(model, "model_fields") or step not in model.model_fields:
            continue
        annotation = model.model_fields[step].annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, Table)), model)
    return [info.alias or name for name, info in model.model_fields.items()]


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def read_restricted(path: Path | None) -> frozenset[str]:
    """The ids, one a line, of people shown only to the head of service; ``#`` starts a comment."""
    if path is None:
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise Problems([f"restricted: {path.name} cannot be read ({_plain(fault)})"]) from None
    return frozenset(text for line in lines if (text := line.split("#", 1)[0].strip()))
