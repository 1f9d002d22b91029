"""The settings of sources: where rows come from."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from monitor.catalogue.columns import BLANK_CODE, BY_NAME
from monitor.catalogue.date_orders import Order
from monitor.catalogue.headings import NOT_READ, PERSON_ID
from monitor.config.fields import File, Line, Located, Table, WebAddress, catalogue_columns, locate, refuse_password
from monitor.words import did_you_mean

DATABASES = ("postgresql", "sqlite", "mssql")
"""What a source's url may begin with; mssql is SQL Server."""


def _source_url(value: str, info: ValidationInfo) -> str:
    """Without a password, which messages would show; an SQLite file is found from the config file's folder."""
    refuse_password(value, "name with password_env the environment variable that has it")
    parts = urlsplit(value)
    if parts.scheme.split("+")[0] == "sqlite":
        return f"{parts.scheme}:///{locate(Path(value.partition(':///')[2]), info)}"
    return value


def fold_area(area: str) -> str:
    """Return a postcode area or district as it is compared: in capitals, with nothing between."""
    return re.sub(r"[^A-Z0-9]", "", unicodedata.normalize("NFKC", area).upper())


def _areas(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"[A-Z]{1,2}([0-9][A-Z0-9]?)?", fold_area(value)):
            remedy = 'write what a postcode begins with, like "LS" or "LS1"'
            raise ValueError(f'"{value[:60]}" is not a postcode area or district; {remedy}')
    return values


def _own_headings(values: Mapping[str, str]) -> Mapping[str, str]:
    columns = (PERSON_ID, *BY_NAME, NOT_READ)
    for heading, name in values.items():
        if name not in columns:
            hint = did_you_mean(name, columns) or f'; monitor columns lists them, and "{NOT_READ}" is none'
            raise ValueError(f'"{heading[:60]}": no column "{name[:60]}"{hint}')
    return values


def codes_of(column: str) -> tuple[str, ...]:
    """Return what a text of a column may be mapped to: its codes, or yes and no, and blank."""
    known = BY_NAME[column]
    return (*(("yes", "no") if known.kind == "yes_no" else known.codes), BLANK_CODE)


def _own_words(values: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """Check each column and code; the codes are put as the catalogue has them."""
    coded = [name for name, column in BY_NAME.items() if column.kind in ("code", "yes_no")]
    checked: dict[str, dict[str, str]] = {}
    for column, words in values.items():
        if column not in coded:
            is_text = column in ("personal_adviser", "allocated_team")
            remedy = "; see not_an_adviser, and also_known_as of a team" if is_text else did_you_mean(column, coded)
            raise ValueError(f'no column of codes "{column[:60]}"{remedy or "; they are " + ", ".join(coded)}')
        codes = {code.casefold(): code for code in codes_of(column)}
        for text, code in words.items():
            if code.casefold() not in codes:
                raise ValueError(
                    f'{column}: "{text[:60]}": no code "{code[:60]}"; the codes are {", ".join(codes.values())}'
                )
        checked[column] = {text: codes[code.casefold()] for text, code in words.items()}
    return checked


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
    prefer: Annotated[tuple[str, ...], AfterValidator(catalogue_columns)] = ()
    blank_means_none: Annotated[tuple[str, ...], AfterValidator(catalogue_columns)] = ()
    path: Located | None = None
    sheet: str | None = None
    people: int = Field(default=900, ge=1, le=5_000_000)
    seed: int = 1
    extracted_on: date | None = None
    date_order: Order | None = None
    url: Annotated[str, AfterValidator(_source_url)] | None = None
    password_env: Line | None = None
    query_file: Located | None = None
    db_schema: Line | None = Field(default=None, alias="schema")
    timeout_seconds: int = Field(default=300, ge=1, le=86_400)
    connect_timeout_seconds: int = Field(default=15, ge=1, le=600)
    adviser_roles: tuple[Line, ...] = ()
    area_postcodes: Annotated[tuple[Line, ...], AfterValidator(_areas)] = ()
    http: Http | None = None
    return_year: int | None = Field(default=None, ge=2017, le=2100)
    headings: Annotated[Mapping[Line, str], AfterValidator(_own_headings)] = Field(default_factory=dict)
    words: Annotated[Mapping[str, Mapping[Line, str]], AfterValidator(_own_words)] = Field(default_factory=dict)

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
        named = [name for name in ("adviser_roles", "area_postcodes") if name in self.model_fields_set]
        if named and not self.kind.startswith("ssd-"):
            raise ValueError(f"{named[0]}: nothing of this kind reads it; only for kinds ssd-...; remove it")
        if empty := [name for name in named if not getattr(self, name)]:
            raise ValueError(f"{empty[0]}: empty, so it matches nothing; name at least one, or take the line out")
        self._check_own_words()
        if self.kind == "supplement" and self.role == "caseload":
            raise ValueError("role: a supplement never decides who is on the caseload; leave role out")
        return self

    def _check_own_words(self) -> None:
        if self.headings and (self.kind.startswith("ssd-") or self.kind in ("sample", "care-history")):
            raise ValueError("headings: nothing of this kind has headings of a council's own; remove it")
        if self.words and self.kind in ("sample", "care-history"):
            raise ValueError("words: nothing of this kind has words of a council's own; remove it")

    def _check_care_history(self) -> None:
        if (self.path is None) == (self.url is None):
            raise ValueError("path: give the folder of the exported tables, or the url of their database, and not both")
        if self.url is not None:
            self._check_database()
        if self.role is not None or self.prefer or self.blank_means_none:
            keys = "role, prefer and blank_means_none"
            raise ValueError(f"role: a care history is neither a caseload nor detail; leave {keys} out")

    def _check_database(self) -> None:
        if self.url is None:
            raise ValueError(f'url: missing; a source of kind "{self.kind}" is read from a database')
        if self.url.split(":", 1)[0].split("+", 1)[0] not in DATABASES:
            raise ValueError(f"url: must begin with one of {', '.join(f'{name}://' for name in DATABASES)}")
        if self.kind == "sql" and self.query_file is None:
            raise ValueError("query_file: missing; name the file that holds the query")
        if self.kind != "sql" and self.query_file is not None:
            raise ValueError("query_file: only for kind sql; remove it")

    @property
    def place(self) -> str:
        """Return how a message names the source."""
        return f'source "{self.name}"'

    @property
    def is_database(self) -> bool:
        return self.kind == "sql" or self.kind.startswith("ssd-")

    @property
    def role_played(self) -> Literal["caseload", "detail"]:
        return self.role or ("detail" if self.kind in ("supplement", "care-history") else "caseload")

    @property
    def is_sample_supplement(self) -> bool:
        return self.kind == "sample" and self.role == "detail"


def sources_fit(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    names = [source.name for source in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f'two are named "{twice[0]}"; names must differ')
    if sources and all(source.role_played == "detail" for source in sources):
        raise ValueError("none says who is on the caseload; add one whose role is not detail")
    if sum(source.kind == "care-history" for source in sources) > 1:
        raise ValueError("two are care histories; keep one")
    _check_preferred(sources)
    return sources


def _check_preferred(sources: tuple[Source, ...]) -> None:
    preferred: dict[str, str] = {}
    for source in sources:
        for column in source.prefer:
            if column in preferred:
                raise ValueError(f'"{preferred[column]}" and "{source.name}" both prefer {column}; only one source can')
            preferred[column] = source.name
